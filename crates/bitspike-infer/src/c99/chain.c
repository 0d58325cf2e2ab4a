static void block(const block_t *b, const uint32_t *in, const float *frame, uint32_t *out, uint32_t *scratch) {
    const uint32_t map_rows = out_side(b, b->rows), map_columns = out_side(b, b->columns);
    const uint32_t pooled = b->pool == POOL_CURRENT, halved = b->pool != POOL_NONE;
    const uint32_t rows = pooled ? map_rows / 2u : map_rows, columns = pooled ? map_columns / 2u : map_columns;
    const uint32_t out_rows = halved ? map_rows / 2u : map_rows, out_columns = halved ? map_columns / 2u : map_columns;
    const uint32_t out_planes = b->pool == POOL_SPIKES ? 3u : 1u, per = words(b->c_out);
    const uint32_t in_step = b->planes * b->rows * b->columns * words(b->c_in);
    const uint32_t out_plane = out_rows * out_columns * per, out_step = out_planes * out_plane;
    const uint32_t corners = pooled ? 4u : 1u, row_signs = b->kernel * b->kernel * words(b->c_in);
    const uint32_t width = b->gate == GATE_SAMPLE_PER_CHANNEL || b->alpha_channels > 1u ? b->c_out : 1u;
    uint32_t *covered = scratch, *bits = scratch + STEPS, *counts = bits + STEPS;
    uint32_t *sums = counts + b->c_in, *factors = sums + b->c_out;
    uint32_t y, x, word, lane, t, k, p;
    memset(out, 0, STEPS * out_step * sizeof *out);
    if (b->gate == GATE_SAMPLE || b->gate == GATE_SAMPLE_PER_CHANNEL) {
        for (t = 0u; t < STEPS; t++) {
            map_sums(b, in + t * in_step, counts, sums);
            sample_gate(b, sums, t, factors + t * width, width);
        }
    }
    for (y = 0u; y < rows; y++) {
        for (x = 0u; x < columns; x++) {
            if (b->signs != 0) {
                for (t = 0u; t < STEPS; t++) {
                    covered[t] = 0u;
                    for (k = 0u; k < corners; k++) {
                        covered[t] += under(b, in + t * in_step, pooled ? 2u * y + k / 2u : y,
                                            pooled ? 2u * x + k % 2u : x, 0);
                    }
                }
            }
            for (word = 0u; word < per; word++) {
                memset(bits, 0, STEPS * sizeof *bits);
                for (lane = 0u; lane < 32u && 32u * word + lane < b->c_out; lane++) {
                    const uint32_t channel = 32u * word + lane;
                    const float a = pooled ? b->slope[channel] * 0.25f : b->slope[channel];
                    float v = 0.0f, sum = 0.0f;
                    for (t = 0u; t < STEPS; t++) {
                        float z, u;
                        if (b->signs != 0) {
                            uint32_t both = 0u;
                            for (k = 0u; k < corners; k++) {
                                both += under(b, in + t * in_step, pooled ? 2u * y + k / 2u : y,
                                              pooled ? 2u * x + k % 2u : x, b->signs + channel * row_signs);
                            }
                            sum = (float)((int32_t)(2u * both) - (int32_t)covered[t]);
                        } else if (t == 0u || @SEQUENCE@) {
                            const float *now = frame + (@SEQUENCE@ ? t * FRAME : 0u);
                            if (pooled) {
                                const float upper = real_sum(b, now, 2u * y, 2u * x, channel) +
                                                    real_sum(b, now, 2u * y, 2u * x + 1u, channel);
                                const float lower = real_sum(b, now, 2u * y + 1u, 2u * x, channel) +
                                                    real_sum(b, now, 2u * y + 1u, 2u * x + 1u, channel);
                                sum = upper + lower;
                            } else {
                                sum = real_sum(b, now, y, x, channel);
                            }
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
                for (t = 0u; t < STEPS; t++) {
                    uint32_t carry = bits[t];
                    if (b->pool == POOL_NONE || b->pool == POOL_CURRENT) {
                        out[t * out_step + (y * columns + x) * per + word] = carry;
                    } else if (y / 2u < out_rows && x / 2u < out_columns) {
                        uint32_t *to = out + t * out_step + (y / 2u * out_columns + x / 2u) * per + word;
                        if (b->pool == POOL_MAX) {
                            *to |= carry;
                        } else {
                            for (p = 0u; p < out_planes; p++) {
                                const uint32_t old = to[p * out_plane];
                                to[p * out_plane] = old ^ carry;
                                carry &= old;
                            }
                        }
                    }
                }
            }
        }
    }
}

