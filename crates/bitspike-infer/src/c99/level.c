/* ln x, x a normal number above 0: see below. */
static float ln_of(float x);

/* Features by the level of the window: the mean energy of the frames with at least a hundredth of the loudest, of each channel by its
 * own. Returns the stream. */
static @NAME@_stream_t *level(@NAME@_stream_t *s) {
    uint32_t c, m, i;
    for (c = 0u; c < CHANNELS; c++) {
        const float *means = s->features + (ROWS + c) * COLUMNS;
        float peak = 0.0f, sum = 0.0f, count = 0.0f, top;
        for (i = 0u; i < COLUMNS; i++) {
            if (means[i] > peak) { peak = means[i]; }
        }
        for (i = 0u; i < COLUMNS; i++) {
            if (means[i] >= 0.01f * peak) {
                sum += means[i];
                count += 1.0f;
            }
        }
        sum = sum / count;
        top = ln_of(sum > 1e-20f ? sum : 1e-20f);
        for (m = 0u; m < MELS; m++) {
            const uint32_t row = c * MELS + m;
            for (i = 0u; i < COLUMNS; i++) {
                float x = s->features[row * COLUMNS + i] - top;
                if (x < LEAST_LEVEL) { x = LEAST_LEVEL; }
                s->levelled[row * COLUMNS + i] = normalised(row, x);
            }
        }
    }
    return s;
}

