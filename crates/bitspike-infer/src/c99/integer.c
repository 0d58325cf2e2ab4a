/* x / 2^n, to the nearest, up from the middle. */
static int64_t shift(int64_t x, uint32_t n) {
    x += ((int64_t)1 << n) >> 1;
    return x >= 0 ? x >> n : ~(~x >> n);
}

static int32_t limit(int64_t x) {
    const int32_t most = (int32_t)1 << 30;
    return x > most ? most : x < -most ? -most : (int32_t)x;
}

#if @GATED@
/* round(2^15 / (1 + e^(-i/16))). */
static const uint16_t SIGMOID[257] = {
@SIGMOID@};

/* The argument has 12 bits after the point, the result 15. */
static int32_t sigmoid(int32_t x) {
    const int64_t wide = x < 0 ? -(int64_t)x : (int64_t)x;
    const int32_t n = wide > 0xFFFF ? 0xFFFF : (int32_t)wide;
    const int32_t low = SIGMOID[n >> 8], high = SIGMOID[(n >> 8) + 1];
    const int32_t s = low + (((high - low) * (n & 0xFF) + 128) >> 8);
    return x < 0 ? 32768 - s : s;
}

/* The function of a gate: exact where it is hard, min(max(x / 4 + 1/2, 0), 1). */
static int32_t gate_of(const block_t *b, int32_t x) {
    if (!b->hard) { return sigmoid(x); }
    return 2 * (x > 8192 ? 8192 : x < -8192 ? -8192 : x) + 16384;
}

/* A factor from its argument. */
static int32_t factor(const block_t *b, int32_t x, uint32_t step, uint32_t channel) {
    const int64_t alpha = b->alpha[step * b->alpha_channels + (b->alpha_channels == 1u ? 0u : channel)];
    if (b->inside) { return gate_of(b, limit(shift(alpha * x, 14u))); }
    return limit(shift(alpha * gate_of(b, x), 14u));
}

static int64_t map_current(const block_t *b, const uint32_t *sums, uint32_t pixels, uint32_t step, uint32_t channel) {
    const uint32_t i = (b->affine_steps == 1u ? 0u : step) * b->c_out + channel;
    const int64_t window = b->pool == POOL_CURRENT ? (out_rows(b) == 1u ? 2 : 4) : 1;
    const int64_t a = (int64_t)b->slope[i] * window;
    return a * signed_of(sums[channel]) + (int64_t)b->offset[i] * (int64_t)pixels;
}

static int32_t argument(const block_t *b, int64_t m) {
    return limit(b->shift > 12u ? shift(m, b->shift - 12u) : m * ((int64_t)1 << (12u - b->shift)));
}

/* Factors of a step, one or one per channel. */
static void sample_gate(const block_t *b, const uint32_t *sums, uint32_t step, uint32_t *factors, uint32_t width) {
    const uint32_t pixels = out_rows(b) * out_columns(b);
    int32_t x = 0;
    uint32_t c;
    if (b->gate == GATE_SAMPLE) {
        int64_t all = 0;
        for (c = 0u; c < b->c_out; c++) { all += map_current(b, sums, pixels, step, c); }
        x = argument(b, all / (int64_t)(pixels * b->c_out));
    }
    for (c = 0u; c < width; c++) {
        if (b->gate != GATE_SAMPLE) { x = argument(b, map_current(b, sums, pixels, step, c) / (int64_t)pixels); }
        factors[c] = (uint32_t)factor(b, x, step, c);
    }
}
#else
static void sample_gate(const block_t *b, const uint32_t *sums, uint32_t step, uint32_t *factors, uint32_t width) {
    (void)b; (void)sums; (void)step; (void)factors; (void)width;
}
#endif

/* The gated current of a total, which is twice the spikes under weights of +1 less all spikes; factors are those of a gate per
 * sample, else null. */
static int32_t current(const block_t *b, int32_t sum, uint32_t step, uint32_t channel, const uint32_t *factors,
                       uint32_t width) {
    const uint32_t i = (b->affine_steps == 1u ? 0u : step) * b->c_out + channel;
    const int32_t z = b->slope[i] * sum + b->offset[i];
#if @GATED@
    if (b->gate == GATE_ELEMENT) { return limit(shift((int64_t)z * factor(b, argument(b, z), step, channel), 15u)); }
    if (factors != 0) { return limit(shift((int64_t)z * signed_of(factors[width == 1u ? 0u : channel]), 15u)); }
#else
    (void)factors; (void)width;
#endif
    return z;
}

/* A step of a neuron; returns whether it fires. */
static uint32_t fire(const block_t *b, uint32_t *v, int32_t z) {
    const int32_t u = limit(shift((int64_t)b->decay * signed_of(*v), 15u) + z);
    if (u < b->threshold) {
        *v = (uint32_t)u;
        return 0u;
    }
    *v = b->hard_reset ? 0u : (uint32_t)(u - b->threshold);
    return 1u;
}

