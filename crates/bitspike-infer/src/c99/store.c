/* Rows of the windows of a pooling, whose columns are two. */
static uint32_t window_rows(const block_t *b) { return out_rows(b) == 1u ? 1u : 2u; }

/* Outputs behind a neuron. */
static uint32_t seen(const block_t *b) { return b->pool == POOL_CURRENT ? 2u * window_rows(b) : 1u; }

/* Totals behind a neuron: of all its outputs together, or of every one where each has its own gate. */
static uint32_t totals(const block_t *b) { return b->gate == GATE_ELEMENT ? seen(b) : 1u; }

/* The slope of a total of sums. */
static float share(const block_t *b, float slope) {
    if (b->pool != POOL_CURRENT || b->gate == GATE_ELEMENT) { return slope; }
    return slope * (window_rows(b) == 1u ? 0.5f : 0.25f);
}

/* The sum of real products behind a neuron. */
static float real_total(const block_t *b, const float *frame, uint32_t y, uint32_t x, uint32_t channel) {
    float upper, lower;
    if (b->pool != POOL_CURRENT) { return real_sum(b, frame, y, x, channel); }
    upper = real_sum(b, frame, 2u * y, 2u * x, channel) + real_sum(b, frame, 2u * y, 2u * x + 1u, channel);
    if (window_rows(b) == 1u) { return upper; }
    lower = real_sum(b, frame, 2u * y + 1u, 2u * x, channel) + real_sum(b, frame, 2u * y + 1u, 2u * x + 1u, channel);
    return upper + lower;
}

/* As under, for the outputs of a total behind a neuron. */
static uint32_t under_all(const block_t *b, const uint32_t *x, uint32_t row, uint32_t column, uint32_t total,
                          const uint32_t *signs) {
    const uint32_t count = seen(b) / totals(b);
    uint32_t k, sum = 0u;
    if (b->pool != POOL_CURRENT) { return under(b, x, row, column, signs); }
    for (k = total * count; k < (total + 1u) * count; k++) {
        sum += under(b, x, 2u * row + k / 2u, 2u * column + k % 2u, signs);
    }
    return sum;
}

/* Rows or columns of neurons, and of what goes out. */
static uint32_t neuron_rows(const block_t *b) {
    return b->pool == POOL_CURRENT ? out_rows(b) / window_rows(b) : out_rows(b);
}
static uint32_t neuron_columns(const block_t *b) {
    return b->pool == POOL_CURRENT ? out_columns(b) / 2u : out_columns(b);
}
static uint32_t pooled_rows(const block_t *b) {
    return b->pool == POOL_NONE ? out_rows(b) : out_rows(b) / window_rows(b);
}
static uint32_t pooled_columns(const block_t *b) {
    return b->pool == POOL_NONE ? out_columns(b) : out_columns(b) / 2u;
}
static uint32_t planes_out(const block_t *b) { return b->pool == POOL_SPIKES ? window_rows(b) + 1u : 1u; }
static uint32_t out_step_words(const block_t *b) {
    return planes_out(b) * pooled_rows(b) * pooled_columns(b) * words(b->c_out);
}

/* Writes the spikes of 32 neurons, or adds them to their window. */
static void store(const block_t *b, uint32_t *out, uint32_t y, uint32_t x, uint32_t word, uint32_t bits) {
    const uint32_t rows = pooled_rows(b), columns = pooled_columns(b), per = words(b->c_out);
    const uint32_t plane = rows * columns * per, planes = planes_out(b), high = window_rows(b);
    uint32_t p;
    if (b->pool == POOL_NONE || b->pool == POOL_CURRENT) {
        out[(y * columns + x) * per + word] = bits;
    } else if (y / high < rows && x / 2u < columns) {
        uint32_t *to = out + (y / high * columns + x / 2u) * per + word;
        if (b->pool == POOL_MAX) {
            *to |= bits;
        } else {
            for (p = 0u; p < planes; p++) {
                const uint32_t old = to[p * plane];
                to[p * plane] = old ^ bits;
                bits &= old;
            }
        }
    }
}

