/* Adds the logits of a step to the total, as integers. */
static void head(const uint32_t *x, uint32_t *total, uint32_t *scratch) {
    const uint32_t rows = @HEAD_ROWS@u, columns = @HEAD_COLUMNS@u, channels = @HEAD_CHANNELS@u, planes = @HEAD_PLANES@u;
    const uint32_t average = @HEAD_AVERAGE@u, pixels = rows * columns, per = words(channels);
    uint32_t *sums = scratch, *counts = sums + CLASSES;
    uint32_t pixel, c, p, o;
    memset(sums, 0, CLASSES * sizeof *sums);
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
                const head_weight_t *w = HEAD_WEIGHTS + (pixel * channels + c) * CLASSES;
                for (o = 0u; o < CLASSES; o++) { sums[o] += (uint32_t)w[o] * n; }
            }
        }
    }
    for (c = 0u; average && c < channels; c++) {
        const head_weight_t *w = HEAD_WEIGHTS + c * CLASSES;
        for (o = 0u; o < CLASSES; o++) { sums[o] += (uint32_t)w[o] * counts[c]; }
    }
    for (o = 0u; o < CLASSES; o++) {
        const int64_t step = (int64_t)signed_of(sums[o]) + HEAD_BIAS[o];
        total[o] = (uint32_t)limit(signed_of(total[o]) + step);
    }
}

static void finish(const uint32_t *total, float *logits) {
    uint32_t o;
    for (o = 0u; o < CLASSES; o++) {
        const float sum = (float)signed_of(total[o]) * @HEAD_UNIT@;
        logits[o] = sum / (float)STEPS;
    }
}

