static void block(const block_t *b, const uint32_t *in, const float *frame, uint32_t *out, uint32_t *scratch) {
    const uint32_t rows = neuron_rows(b), columns = neuron_columns(b), per = words(b->c_out);
    const uint32_t in_step = b->planes * b->rows * b->columns * words(b->c_in), out_step = out_step_words(b);
    const uint32_t row_signs = row_words(b);
    const uint32_t width = b->gate == GATE_SAMPLE_PER_CHANNEL || b->alpha_channels > 1u ? b->c_out : 1u;
    uint32_t *covered = scratch, *bits = scratch + STEPS, *counts = bits + STEPS;
    uint32_t *sums = counts + b->c_in, *factors = sums + b->c_out;
    uint32_t y, x, word, lane, t;
    memset(out, 0, STEPS * out_step * sizeof *out);
    if (b->gate == GATE_SAMPLE || b->gate == GATE_SAMPLE_PER_CHANNEL) {
        for (t = 0u; t < STEPS; t++) {
            map_sums(b, in + t * in_step, counts, sums);
            sample_gate(b, sums, t, factors + t * width, width);
        }
    }
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            for (t = 0u; t < STEPS && b->signs != 0; t++) { covered[t] = under_all(b, in + t * in_step, y, x, 0); }
            for (word = 0u; word < per; word++) {
                memset(bits, 0, STEPS * sizeof *bits);
                for (lane = 0u; lane < 32u && 32u * word + lane < b->c_out; lane++) {
                    const uint32_t channel = 32u * word + lane;
                    const float a = share(b, b->slope[channel]);
                    float v = 0.0f, sum = 0.0f;
                    for (t = 0u; t < STEPS; t++) {
                        float z, u;
                        if (b->signs != 0) {
                            const uint32_t both = under_all(b, in + t * in_step, y, x, b->signs + channel * row_signs);
                            sum = (float)((int32_t)(2u * both) - (int32_t)covered[t]);
                        } else if (t == 0u || @SEQUENCE@) {
                            sum = real_total(b, frame + (@SEQUENCE@ ? t * FRAME : 0u), y, x, channel);
                        }
                        z = a * sum;
                        z = z + b->offset[channel];
                        if (b->gate == GATE_FIXED) {
                            z = z * alpha_at(b, t, channel);
                        } else if (b->gate != GATE_NONE) {
                            z = z * float_of(factors[t * width + (width == 1u ? 0u : channel)]);
                        }
                        u = b->decay * v;
                        u = u + z;
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

