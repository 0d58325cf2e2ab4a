/* The columns of a window cut into the frames of the steps. */
static const float *encode(@NAME@_stream_t *s) {
    enum { STEPS = @UPPER@_STEPS, PART = COLUMNS / STEPS };
    uint32_t t, row;
    for (t = 0u; t < STEPS; t++) {
        for (row = 0u; row < ROWS; row++) {
            memcpy(s->frames + (t * ROWS + row) * PART, s->@VALUES@ + row * COLUMNS + t * PART, PART * sizeof *s->frames);
        }
    }
    return s->frames;
}

