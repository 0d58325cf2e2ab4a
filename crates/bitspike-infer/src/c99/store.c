/* The sum of real products behind a neuron. */
static float real_total(const block_t *b, const float *frame, uint32_t y, uint32_t x, uint32_t channel) {
    float upper, lower;
    if (b->pool != POOL_CURRENT) { return real_sum(b, frame, y, x, channel); }
    upper = real_sum(b, frame, 2u * y, 2u * x, channel) + real_sum(b, frame, 2u * y, 2u * x + 1u, channel);
    lower = real_sum(b, frame, 2u * y + 1u, 2u * x, channel) + real_sum(b, frame, 2u * y + 1u, 2u * x + 1u, channel);
    return upper + lower;
}

/* As under, for all outputs behind a neuron. */
static uint32_t under_all(const block_t *b, const uint32_t *x, uint32_t row, uint32_t column, const uint32_t *signs) {
    uint32_t k, total = 0u;
    if (b->pool != POOL_CURRENT) { return under(b, x, row, column, signs); }
    for (k = 0u; k < 4u; k++) { total += under(b, x, 2u * row + k / 2u, 2u * column + k % 2u, signs); }
    return total;
}

/* Rows or columns of neurons, and of what goes out. */
static uint32_t neuron_side(const block_t *b, uint32_t side) {
    return b->pool == POOL_CURRENT ? out_side(b, side) / 2u : out_side(b, side);
}
static uint32_t pooled_side(const block_t *b, uint32_t side) {
    return b->pool == POOL_NONE ? out_side(b, side) : out_side(b, side) / 2u;
}
static uint32_t out_step_words(const block_t *b) {
    return (b->pool == POOL_SPIKES ? 3u : 1u) * pooled_side(b, b->rows) * pooled_side(b, b->columns) * words(b->c_out);
}

/* Writes the spikes of 32 neurons, or adds them to their window. */
static void store(const block_t *b, uint32_t *out, uint32_t y, uint32_t x, uint32_t word, uint32_t bits) {
    const uint32_t rows = pooled_side(b, b->rows), columns = pooled_side(b, b->columns), per = words(b->c_out);
    const uint32_t plane = rows * columns * per;
    uint32_t p;
    if (b->pool == POOL_NONE || b->pool == POOL_CURRENT) {
        out[(y * columns + x) * per + word] = bits;
    } else if (y / 2u < rows && x / 2u < columns) {
        uint32_t *to = out + (y / 2u * columns + x / 2u) * per + word;
        if (b->pool == POOL_MAX) {
            *to |= bits;
        } else {
            for (p = 0u; p < 3u; p++) {
                const uint32_t old = to[p * plane];
                to[p * plane] = old ^ bits;
                bits &= old;
            }
        }
    }
}

