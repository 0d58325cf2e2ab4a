/* The mean of the gated currents of a window, or the only one. */
static float window_mean(const float *z, uint32_t count) {
    float sum;
    if (count == 1u) { return z[0]; }
    sum = z[0] + z[1];
    if (count == 2u) { return sum * 0.5f; }
    sum = sum + (z[2] + z[3]);
    return sum * 0.25f;
}

static void block(const block_t *b, const uint32_t *in, const float *frame, uint32_t *out, uint32_t *scratch) {
    const uint32_t rows = neuron_rows(b), columns = neuron_columns(b), per = words(b->c_out);
    const uint32_t in_step = b->planes * b->rows * b->columns * words(b->c_in), out_step = out_step_words(b);
    const uint32_t row_signs = row_words(b);
    const uint32_t width = gate_width(b);
    const uint32_t many = totals(b);
    uint32_t *covered = scratch, *bits = covered + many * STEPS, *counts = bits + STEPS;
    uint32_t *sums = counts + (width != 0u ? b->c_in : 0u), *factors = sums + (width != 0u ? b->c_out : 0u);
    uint32_t y, x, word, lane, t, k;
    memset(out, 0, STEPS * out_step * sizeof *out);
    if (width != 0u) {
        for (t = 0u; t < STEPS; t++) {
            map_sums(b, in + t * in_step, counts, sums);
            sample_gate(b, sums, t, factors + t * width, width);
        }
    }
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            for (t = 0u; t < STEPS && b->signs != 0; t++) {
                for (k = 0u; k < many; k++) { covered[t * many + k] = under_all(b, in + t * in_step, y, x, k, 0); }
            }
            for (word = 0u; word < per; word++) {
                memset(bits, 0, STEPS * sizeof *bits);
                for (lane = 0u; lane < 32u && 32u * word + lane < b->c_out; lane++) {
                    const uint32_t channel = 32u * word + lane;
                    const float a = share(b, b->slope[channel]);
                    float v = 0.0f, sum = 0.0f;
                    for (t = 0u; t < STEPS; t++) {
                        float z[4] = {0.0f, 0.0f, 0.0f, 0.0f}, u;
                        for (k = 0u; k < many; k++) {
                            if (b->signs != 0) {
                                const uint32_t *signs = b->signs + channel * row_signs;
                                const uint32_t both = under_all(b, in + t * in_step, y, x, k, signs);
                                sum = (float)((int32_t)(2u * both) - (int32_t)covered[t * many + k]);
                            } else if (t == 0u || @SEQUENCE@) {
                                sum = real_total(b, frame + (@SEQUENCE@ ? t * FRAME : 0u), y, x, channel);
                            }
                            z[k] = a * sum;
                            z[k] = z[k] + b->offset[channel];
                            z[k] = gated(b, z[k], t, channel, factors + t * width, width);
                        }
                        u = b->decay * v;
                        u = u + window_mean(z, many);
                        if (u >= b->threshold) {
                            bits[t] |= 1u << lane;
                            v = b->hard_reset ? 0.0f : u - b->threshold;
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

