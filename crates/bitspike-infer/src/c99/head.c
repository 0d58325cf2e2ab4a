/* Adds the logits of a step to the total. */
static void head(const uint32_t *x, uint32_t *total, uint32_t *scratch) {
    const uint32_t rows = @HEAD_ROWS@u, columns = @HEAD_COLUMNS@u, channels = @HEAD_CHANNELS@u, planes = @HEAD_PLANES@u;
    const uint32_t average = @HEAD_AVERAGE@u, pixels = rows * columns, per = words(channels);
    uint32_t *sums = scratch, *counts = sums + CLASSES;
    uint32_t pixel, c, p, o;
    for (o = 0u; o < CLASSES; o++) { sums[o] = bits_of(0.0f); }
    if (average) { memset(counts, 0, channels * sizeof *counts); }
    for (pixel = 0u; pixel < pixels; pixel++) {
        for (c = 0u; c < channels; c++) {
            uint32_t n = 0u;
            for (p = 0u; p < planes; p++) {
                n += (x[(p * pixels + pixel) * per + c / 32u] >> (c % 32u) & 1u) << p;
            }
            if (average) {
                counts[c] += n;
            } else if (n != 0u) {
                const float *w = HEAD_WEIGHTS + (pixel * channels + c) * CLASSES;
                for (o = 0u; o < CLASSES; o++) {
                    const float product = w[o] * (float)n;
                    sums[o] = bits_of(float_of(sums[o]) + product);
                }
            }
        }
    }
    for (c = 0u; average && c < channels; c++) {
        const float *w = HEAD_WEIGHTS + c * CLASSES;
        if (counts[c] == 0u) { continue; }
        for (o = 0u; o < CLASSES; o++) {
            const float product = w[o] * (float)counts[c];
            sums[o] = bits_of(float_of(sums[o]) + product);
        }
    }
    for (o = 0u; o < CLASSES; o++) {
        float y = float_of(sums[o]) * @HEAD_UNIT@;
        y = y + HEAD_BIAS[o];
        total[o] = bits_of(float_of(total[o]) + y);
    }
}

static void finish(const uint32_t *total, float *logits) {
    uint32_t o;
    for (o = 0u; o < CLASSES; o++) { logits[o] = float_of(total[o]) / (float)STEPS; }
}

