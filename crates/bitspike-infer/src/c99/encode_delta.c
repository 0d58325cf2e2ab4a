/* Levels that were crossed, upwards in the first half of the channels and downwards in the second. */
static const float *encode(@NAME@_stream_t *s) {
    enum { STEPS = @UPPER@_STEPS, PART = COLUMNS / STEPS };
    uint32_t row, i;
    for (row = 0u; row < ROWS; row++) {
        const float *x = s->@VALUES@ + row * COLUMNS;
        double reference = (double)x[0];
        for (i = 0u; i < COLUMNS; i++) {
            const double levels = ((double)x[i] - reference) / THRESHOLD;
            /* Beyond 2^53 every number is a whole one. */
            const double whole = levels < 9e15 && levels > -9e15 ? (double)(int64_t)levels : levels;
            const uint32_t up = whole > MOST ? (uint32_t)MOST : whole > 0.0 ? (uint32_t)whole : 0u;
            const uint32_t down = -whole > MOST ? (uint32_t)MOST : whole < 0.0 ? (uint32_t)(-whole) : 0u;
            float *to = s->frames + ((i / PART) * 2u * ROWS + row) * PART + i % PART;
            reference = reference + whole * THRESHOLD;
            to[0] = LEVELS[row / CHANNEL_ROWS][up];
            to[ROWS * PART] = LEVELS[(ROWS + row) / CHANNEL_ROWS][down];
        }
    }
    return s->frames;
}

