static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* 1 / (1 + e^-x), the same bits everywhere; see bitspike_infer::math. */
static float sigmoid(float x) {
    const float round = 12582912.0f;
    float shifted, n, r, p;
    x = -x;
    if (x < -87.3f) { x = -87.3f; }
    if (x > 88.3f) { x = 88.3f; }
    shifted = x * 0x1.715476p+0f;
    shifted = shifted + round;
    n = shifted - round;
    r = n * 0.6933594f;
    r = x - r;
    p = n * -2.1219444e-4f;
    r = r - p;
    p = 1.9875691e-4f * r;
    p = p + 1.3981999e-3f;
    p = p * r;
    p = p + 8.333452e-3f;
    p = p * r;
    p = p + 4.1665796e-2f;
    p = p * r;
    p = p + 1.6666665e-1f;
    p = p * r;
    p = p + 0.5f;
    n = r * r;
    p = p * n;
    p = p + r;
    p = p + 1.0f;
    p = p * float_of((bits_of(shifted) - bits_of(round) + 127u) << 23);
    return 1.0f / (1.0f + p);
}

/* min(max(x / 4 + 1/2, 0), 1). */
static float hard(float x) {
    float g = x * 0.25f;
    g = g + 0.5f;
    if (g < 0.0f) { g = 0.0f; }
    if (g > 1.0f) { g = 1.0f; }
    return g;
}

/* The function of a gate. */
static float gate_of(const block_t *b, float x) { return b->hard ? hard(x) : sigmoid(x); }

static float alpha_at(const block_t *b, uint32_t step, uint32_t channel) {
    return b->alpha[step * b->alpha_channels + (b->alpha_channels == 1u ? 0u : channel)];
}

static double mean_of(const block_t *b, const uint32_t *sums, double pixels, uint32_t channel) {
    double mean = (double)b->slope[channel] * (double)signed_of(sums[channel]);
    mean = mean / pixels;
    return mean + (double)b->offset[channel];
}

/* The current z of a step after the gate; factors are those of the step, of so many channels. */
static float gated(const block_t *b, float z, uint32_t step, uint32_t channel, const uint32_t *factors, uint32_t width) {
    float k;
    if (b->gate == GATE_NONE) { return z; }
    if (b->gate == GATE_FIXED) {
        k = alpha_at(b, step, channel);
    } else if (b->gate == GATE_ELEMENT) {
        const float a = alpha_at(b, step, channel);
        k = b->inside ? hard(a * z) : a * hard(z);
    } else {
        k = float_of(factors[width == 1u ? 0u : channel]);
    }
    return z * k;
}

/* Factors of a step, one or one per channel. */
static void sample_gate(const block_t *b, const uint32_t *sums, uint32_t step, uint32_t *factors, uint32_t width) {
    const double pixels = (double)(out_rows(b) * out_columns(b));
    float shared = 0.0f;
    uint32_t c;
    if (b->gate == GATE_SAMPLE) {
        double sum = 0.0;
        for (c = 0u; c < b->c_out; c++) { sum = sum + mean_of(b, sums, pixels, c); }
        shared = (float)(sum / (double)b->c_out);
    }
    for (c = 0u; c < width; c++) {
        const float m = b->gate == GATE_SAMPLE ? shared : (float)mean_of(b, sums, pixels, c);
        const float a = alpha_at(b, step, c);
        factors[c] = bits_of(b->inside ? gate_of(b, a * m) : a * gate_of(b, m));
    }
}

