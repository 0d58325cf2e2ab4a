/* ln x, x a normal number above 0: see below. */
static float ln_of(float x);

/* Features by the level of the window, the mean energy of the loudest frame: of each channel by its own. Returns the stream. */
static @NAME@_stream_t *level(@NAME@_stream_t *s) {
    uint32_t row, i;
    for (row = 0u; row < ROWS; row++) {
        const float *means = s->features + (ROWS + row / MELS) * COLUMNS;
        float peak = 1e-20f, top;
        for (i = 0u; i < COLUMNS; i++) {
            if (means[i] > peak) { peak = means[i]; }
        }
        top = ln_of(peak);
        for (i = 0u; i < COLUMNS; i++) {
            float x = s->features[row * COLUMNS + i] - top;
            if (x < LEAST_LEVEL) { x = LEAST_LEVEL; }
            s->levelled[row * COLUMNS + i] = normalised(row, x);
        }
    }
    return s;
}

