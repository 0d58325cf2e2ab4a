static void stem(const block_t *b, const float *frame, uint32_t *out) {
    const uint32_t rows = out_rows(b), columns = out_columns(b);
    uint32_t y, x, c;
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            for (c = 0u; c < b->c_out; c++) {
                float z = b->slope[c] * real_sum(b, frame, y, x, c);
                z = z + b->offset[c];
                out[(y * columns + x) * b->c_out + c] = bits_of(z);
            }
        }
    }
}

/* Spikes of neurons that see the current x. */
static void neurons(const block_t *b, const uint32_t *x, uint32_t *v, uint32_t *out) {
    const uint32_t pixels = b->rows * b->columns, per = words(b->c_in);
    uint32_t pixel, c;
    memset(out, 0, pixels * per * sizeof *out);
    for (pixel = 0u; pixel < pixels; pixel++) {
        for (c = 0u; c < b->c_in; c++) {
            const uint32_t i = pixel * b->c_in + c;
            float u = b->decay * float_of(v[i]);
            u = u + float_of(x[i]);
            if (u >= b->threshold) {
                out[pixel * per + c / 32u] |= 1u << (c % 32u);
                u = b->hard_reset ? 0.0f : u - b->threshold;
            }
            v[i] = bits_of(u);
        }
    }
}

/* Means of the windows at an output position, one per channel in. */
static void window_means(const block_t *b, const uint32_t *x, uint32_t row, uint32_t column, uint32_t *means) {
    const uint32_t line = b->columns * b->c_in, first = (2u * row * b->columns + 2u * column) * b->c_in;
    uint32_t c;
    for (c = 0u; c < b->c_in; c++) {
        const uint32_t *at = x + first + c;
        const float upper = float_of(at[0]) + float_of(at[b->c_in]);
        const float lower = float_of(at[line]) + float_of(at[line + b->c_in]);
        const float sum = upper + lower;
        means[c] = bits_of(sum * 0.25f);
    }
}

static void residual(const block_t *b, const shortcut_t *s, uint32_t t, const uint32_t *x, uint32_t *out, uint32_t *v,
                     uint32_t *scratch) {
    const uint32_t rows = out_rows(b), columns = out_columns(b);
    const uint32_t row_signs = row_words(b);
    const uint32_t width = gate_width(b);
    uint32_t *bits = scratch, *means = bits + b->rows * b->columns * words(b->c_in), *counts = means + b->c_in;
    uint32_t *sums = counts + (width != 0u ? b->c_in : 0u), *factors = sums + (width != 0u ? b->c_out : 0u);
    uint32_t y, xx, c, k;
    neurons(b, x, v, bits);
    if (width != 0u) {
        map_sums(b, bits, counts, sums);
        sample_gate(b, sums, t, factors, width);
    }
    for (y = 0u; y < rows; y++) {
        for (xx = 0u; xx < columns; xx++) {
            const uint32_t covered = under(b, bits, y, xx, 0);
            if (s->weights != 0) { window_means(b, x, y, xx, means); }
            for (c = 0u; c < b->c_out; c++) {
                const uint32_t both = under(b, bits, y, xx, b->signs + c * row_signs), i = (y * columns + xx) * b->c_out + c;
                float z = b->slope[c] * (float)((int32_t)(2u * both) - (int32_t)covered), around;
                z = z + b->offset[c];
                z = gated(b, z, t, c, factors, width);
                if (s->weights == 0) {
                    around = float_of(x[i]);
                } else {
                    float sum = 0.0f;
                    for (k = 0u; k < b->c_in; k++) {
                        const float product = s->weights[k * b->c_out + c] * float_of(means[k]);
                        sum = sum + product;
                    }
                    around = s->slope[c] * sum;
                    around = around + s->offset[c];
                }
                out[i] = bits_of(z + around);
            }
        }
    }
}

