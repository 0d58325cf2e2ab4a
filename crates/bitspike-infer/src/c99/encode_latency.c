/* A spike for each value, the earlier the larger it is. */
static const float *encode(@NAME@_stream_t *s) {
    enum { STEPS = @UPPER@_STEPS };
    uint32_t t, i;
    for (i = 0u; i < ROWS * COLUMNS; i++) {
        const float *level = LEVELS[i / (COLUMNS * CHANNEL_ROWS)];
        const float x = s->@VALUES@[i], v = x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
        const uint32_t at = (uint32_t)((1.0 - (double)v) * (double)(STEPS - 1) + 0.5);
        for (t = 0u; t < STEPS; t++) { s->frames[t * ROWS * COLUMNS + i] = level[x >= SILENT_BELOW && t == at ? 1 : 0]; }
    }
    return s->frames;
}

