/* A sample is a column. */
static void take(@NAME@_stream_t *s, const float *sample) {
    uint32_t c;
    if (s->skip > 0u) {
        s->skip--;
        return;
    }
    for (c = 0u; c < CHANNELS; c++) { s->features[c * COLUMNS + s->filled] = normalised(c, sample[c]); }
    advance(s);
}

