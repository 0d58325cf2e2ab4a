/* The current of the first layer, in floats, as integers. */
static void stem(const block_t *b, const float *frame, uint32_t *out) {
    const uint32_t rows = out_rows(b), columns = out_columns(b);
    const double one = (double)((uint32_t)1 << b->shift), most = 1073741824.0;
    uint32_t y, x, c;
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            for (c = 0u; c < b->c_out; c++) {
                int32_t n = 0;
                double wide;
                float z = b->real_slope[c] * real_sum(b, frame, y, x, c);
                z = z + b->real_offset[c];
                wide = (double)z * one;
                wide = wide + 0.5;
                if (wide >= most) {
                    n = (int32_t)1 << 30;
                } else if (wide <= -most) {
                    n = -((int32_t)1 << 30);
                } else if (wide == wide) { /* not a NaN */
                    n = (int32_t)wide;
                    n -= (double)n > wide ? 1 : 0;
                }
                out[(y * columns + x) * b->c_out + c] = (uint32_t)n;
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
            out[pixel * per + c / 32u] |= fire(b, &v[i], signed_of(x[i])) << (c % 32u);
        }
    }
}

static int32_t project(const block_t *b, const shortcut_t *s, const uint32_t *x, uint32_t row, uint32_t column, uint32_t c) {
    const uint32_t line = b->columns * b->c_in, first = (2u * row * b->columns + 2u * column) * b->c_in;
    int64_t sum = 0;
    uint32_t k;
    for (k = 0u; k < b->c_in; k++) {
        const uint32_t *at = x + first + k;
        const int64_t upper = (int64_t)signed_of(at[0]) + signed_of(at[b->c_in]);
        const int64_t lower = (int64_t)signed_of(at[line]) + signed_of(at[line + b->c_in]);
        sum += s->weights[k * b->c_out + c] * (upper + lower);
    }
    return limit(shift(sum, s->shift) + s->offset[c]);
}

static void residual(const block_t *b, const shortcut_t *s, uint32_t t, const uint32_t *x, uint32_t *out, uint32_t *v,
                     uint32_t *scratch) {
    const uint32_t rows = out_rows(b), columns = out_columns(b);
    const uint32_t row_signs = row_words(b);
    const uint32_t width = gate_width(b);
    uint32_t *bits = scratch, *counts = bits + b->rows * b->columns * words(b->c_in);
    uint32_t *sums = counts + (width != 0u ? b->c_in : 0u), *factors = sums + (width != 0u ? b->c_out : 0u);
    uint32_t y, xx, c;
    neurons(b, x, v, bits);
    if (width != 0u) {
        map_sums(b, bits, counts, sums);
        sample_gate(b, sums, t, factors, width);
    }
    for (y = 0u; y < rows; y++) {
        for (xx = 0u; xx < columns; xx++) {
            const uint32_t covered = under(b, bits, y, xx, 0);
            for (c = 0u; c < b->c_out; c++) {
                const uint32_t both = under(b, bits, y, xx, b->signs + c * row_signs), i = (y * columns + xx) * b->c_out + c;
                const int32_t sum = (int32_t)(2u * both) - (int32_t)covered;
                const int32_t z = current(b, sum, t, c, width != 0u ? factors : 0, width);
                const int32_t around = s->weights == 0 ? signed_of(x[i]) : project(b, s, x, y, xx, c);
                out[i] = (uint32_t)limit((int64_t)z + around);
            }
        }
    }
}

