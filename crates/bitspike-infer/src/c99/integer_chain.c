/* The first layer, in floats. */
static void first(const block_t *b, const float *frame, uint32_t *out, uint32_t *bits) {
    const uint32_t rows = neuron_rows(b), columns = neuron_columns(b), per = words(b->c_out);
    const uint32_t out_step = out_step_words(b);
    uint32_t y, x, word, lane, t;
    memset(out, 0, STEPS * out_step * sizeof *out);
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            for (word = 0u; word < per; word++) {
                memset(bits, 0, STEPS * sizeof *bits);
                for (lane = 0u; lane < 32u && 32u * word + lane < b->c_out; lane++) {
                    const uint32_t channel = 32u * word + lane;
                    const float a = share(b, b->real_slope[channel]);
                    float v = 0.0f, sum = 0.0f;
                    for (t = 0u; t < STEPS; t++) {
                        float z, u;
                        if (t == 0u || @SEQUENCE@) {
                            sum = real_total(b, frame + (@SEQUENCE@ ? t * FRAME : 0u), y, x, channel);
                        }
                        z = a * sum;
                        z = z + b->real_offset[channel];
                        u = b->real_decay * v;
                        u = u + z;
                        if (u >= b->real_threshold) {
                            bits[t] |= 1u << lane;
                            v = b->hard_reset ? 0.0f : u - b->real_threshold;
                        } else {
                            v = u;
                        }
                    }
                }
                for (t = 0u; t < STEPS; t++) { store(b, out + t * out_step, y, x, word, bits[t]); }
            }
        }
    }
}

/* The mean of the gated currents of a window from their sum, or the only one. */
static int32_t window_mean(int64_t sum, uint32_t count) { return limit(shift(sum, count / 2u)); }

static void block(const block_t *b, const uint32_t *in, const float *frame, uint32_t *out, uint32_t *scratch) {
    const uint32_t rows = neuron_rows(b), columns = neuron_columns(b), per = words(b->c_out);
    const uint32_t in_step = b->planes * b->rows * b->columns * words(b->c_in), out_step = out_step_words(b);
    const uint32_t row_signs = row_words(b);
    const uint32_t width = gate_width(b);
    const uint32_t many = totals(b);
    uint32_t *covered = scratch, *bits = covered + many * STEPS, *counts = bits + STEPS;
    uint32_t *sums = counts + (width != 0u ? b->c_in : 0u), *factors = sums + (width != 0u ? b->c_out : 0u);
    uint32_t y, x, word, lane, t, k;
    if (b->signs == 0) {
        first(b, frame, out, bits);
        return;
    }
    memset(out, 0, STEPS * out_step * sizeof *out);
    for (t = 0u; t < STEPS && width != 0u; t++) {
        map_sums(b, in + t * in_step, counts, sums);
        sample_gate(b, sums, t, factors + t * width, width);
    }
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            for (t = 0u; t < STEPS; t++) {
                for (k = 0u; k < many; k++) { covered[t * many + k] = under_all(b, in + t * in_step, y, x, k, 0); }
            }
            for (word = 0u; word < per; word++) {
                memset(bits, 0, STEPS * sizeof *bits);
                for (lane = 0u; lane < 32u && 32u * word + lane < b->c_out; lane++) {
                    const uint32_t channel = 32u * word + lane;
                    uint32_t v = 0u;
                    for (t = 0u; t < STEPS; t++) {
                        const uint32_t *signs = b->signs + channel * row_signs;
                        int64_t z = 0;
                        for (k = 0u; k < many; k++) {
                            const uint32_t both = under_all(b, in + t * in_step, y, x, k, signs);
                            const int32_t sum = (int32_t)(2u * both) - (int32_t)covered[t * many + k];
                            z += current(b, sum, t, channel, width != 0u ? factors + t * width : 0, width);
                        }
                        bits[t] |= fire(b, &v, window_mean(z, many)) << lane;
                    }
                }
                for (t = 0u; t < STEPS; t++) { store(b, out + t * out_step, y, x, word, bits[t]); }
            }
        }
    }
}

