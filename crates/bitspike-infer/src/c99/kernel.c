/* @NAME@.c: a binary spiking network, self-contained, C99. Written by bitspike; do not edit.
 *
 * Needs nothing but memcpy and memset: no heap, no mutable globals, so several inferences may run at once, each with an
 * arena of its own. Every float operation is a single IEEE 754 operation in a stated order; compiled so, the logits are
 * those of bitspike to the last bit.
 */
#include "@NAME@.h"

#include <float.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "compile without -ffast-math: results would differ from those that were verified"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "float must be evaluated as float (on x86: -msse2 -mfpmath=sse)"
#endif
/* No fused multiply-add: it rounds once where the network rounds twice. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

enum { POOL_NONE = 0, POOL_CURRENT = 1, POOL_SPIKES = 2, POOL_MAX = 3 };
enum { GATE_NONE = 0, GATE_FIXED = 1, GATE_SAMPLE = 2, GATE_SAMPLE_PER_CHANNEL = 3 };

typedef struct {
    const uint32_t *signs;  /* [channel out][ky][kx][word], or null */
    const float *weights;   /* [ky][kx][channel in][channel out], or null */
    const float *slope;     /* [channel out] */
    const float *offset;    /* [channel out] */
    const float *alpha;     /* [T] or [T][channel out], or null */
    uint32_t rows, columns, c_in, planes;     /* what comes in; planes 0: a frame */
    uint32_t c_out, kernel, stride, padding;
    uint32_t pool, gate, alpha_channels, inside;
    float decay, threshold;
    uint32_t hard_reset;
} block_t;

@ARRAYS@
static const block_t BLOCKS[] = {
@BLOCKS@};

enum { STEPS = @STEPS@, BLOCK_COUNT = @BLOCK_COUNT@, FRAME = @FRAME@, CLASSES = @CLASSES@ };
enum { EVEN_WORDS = @EVEN@, ODD_WORDS = @ODD@ };

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

static uint32_t words(uint32_t channels) { return (channels + 31u) / 32u; }

static uint32_t ones(uint32_t x) {
    x -= (x >> 1) & 0x55555555u;
    x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0Fu;
    return (x * 0x01010101u) >> 24;
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

/* Kernel indices inside the input at an output position. */
typedef struct { uint32_t first, last, from; } range_t;

static range_t range(uint32_t at, uint32_t stride, uint32_t padding, uint32_t kernel, uint32_t len) {
    range_t r;
    uint32_t start = at * stride;
    r.first = padding > start ? padding - start : 0u;
    r.last = len + padding > start ? len + padding - start : 0u;
    if (r.last > kernel) { r.last = kernel; }
    if (r.last < r.first) { r.last = r.first; }
    r.from = start + r.first > padding ? start + r.first - padding : 0u;
    return r;
}

static uint32_t out_side(const block_t *b, uint32_t side) {
    return (side + 2u * b->padding - b->kernel) / b->stride + 1u;
}

/* Sum of 2^plane popcount(x & w) over the kernel, w all ones where signs is null. */
static uint32_t under(const block_t *b, const uint32_t *x, uint32_t row, uint32_t column, const uint32_t *signs) {
    const uint32_t per = words(b->c_in), plane = b->rows * b->columns * per;
    const range_t ry = range(row, b->stride, b->padding, b->kernel, b->rows);
    const range_t rx = range(column, b->stride, b->padding, b->kernel, b->columns);
    uint32_t p, ky, i, total = 0u;
    for (p = 0u; p < b->planes; p++) {
        uint32_t count = 0u;
        for (ky = ry.first; ky < ry.last; ky++) {
            const uint32_t *xs = x + p * plane + ((ry.from + ky - ry.first) * b->columns + rx.from) * per;
            const uint32_t run = (rx.last - rx.first) * per;
            if (signs == 0) {
                for (i = 0u; i < run; i++) { count += ones(xs[i]); }
            } else {
                const uint32_t *w = signs + (ky * b->kernel + rx.first) * per;
                for (i = 0u; i < run; i++) { count += ones(xs[i] & w[i]); }
            }
        }
        total += count << p;
    }
    return total;
}

static float real_sum(const block_t *b, const float *frame, uint32_t row, uint32_t column, uint32_t channel) {
    const range_t ry = range(row, b->stride, b->padding, b->kernel, b->rows);
    const range_t rx = range(column, b->stride, b->padding, b->kernel, b->columns);
    float sum = 0.0f;
    uint32_t ky, kx, ci;
    for (ky = ry.first; ky < ry.last; ky++) {
        for (kx = rx.first; kx < rx.last; kx++) {
            const uint32_t pixel = (ry.from + ky - ry.first) * b->columns + rx.from + kx - rx.first;
            for (ci = 0u; ci < b->c_in; ci++) {
                const float w = b->weights[((ky * b->kernel + kx) * b->c_in + ci) * b->c_out + channel];
                const float product = w * frame[ci * b->rows * b->columns + pixel];
                sum = sum + product;
            }
        }
    }
    return sum;
}

/* The sums of all channels over the whole map, without computing the map: how often an input channel stands under a tap
 * does not depend on the output channel. */
static void map_sums(const block_t *b, const uint32_t *x, uint32_t *counts, uint32_t *sums) {
    const uint32_t per = words(b->c_in), out_rows = out_side(b, b->rows), out_columns = out_side(b, b->columns);
    uint32_t ky, kx, y, xx, p, c;
    memset(sums, 0, b->c_out * sizeof *sums);
    for (ky = 0u; ky < b->kernel; ky++) {
        for (kx = 0u; kx < b->kernel; kx++) {
            uint32_t all = 0u;
            memset(counts, 0, b->c_in * sizeof *counts);
            for (y = 0u; y < out_rows; y++) {
                const uint32_t iy = y * b->stride + ky;
                if (iy < b->padding || iy - b->padding >= b->rows) { continue; }
                for (xx = 0u; xx < out_columns; xx++) {
                    const uint32_t ix = xx * b->stride + kx;
                    if (ix < b->padding || ix - b->padding >= b->columns) { continue; }
                    for (p = 0u; p < b->planes; p++) {
                        const uint32_t pixel = (p * b->rows + iy - b->padding) * b->columns + ix - b->padding;
                        for (c = 0u; c < b->c_in; c++) {
                            counts[c] += (x[pixel * per + c / 32u] >> (c % 32u) & 1u) << p;
                        }
                    }
                }
            }
            for (c = 0u; c < b->c_in; c++) { all += counts[c]; }
            for (y = 0u; y < b->c_out; y++) {
                const uint32_t *signs = b->signs + ((y * b->kernel + ky) * b->kernel + kx) * per;
                uint32_t positive = 0u;
                for (c = 0u; c < b->c_in; c++) { positive += counts[c] & (0u - (signs[c / 32u] >> (c % 32u) & 1u)); }
                sums[y] += 2u * positive - all;
            }
        }
    }
}

static float alpha_at(const block_t *b, uint32_t step, uint32_t channel) {
    return b->alpha[step * b->alpha_channels + (b->alpha_channels == 1u ? 0u : channel)];
}

static int32_t signed_of(uint32_t x) { return x <= 0x7FFFFFFFu ? (int32_t)x : -(int32_t)(~x) - 1; }

static double mean_of(const block_t *b, const uint32_t *sums, double pixels, uint32_t channel) {
    double mean = (double)b->slope[channel] * (double)signed_of(sums[channel]);
    mean = mean / pixels;
    return mean + (double)b->offset[channel];
}

/* Factors of a step, one or one per channel. */
static void sample_gate(const block_t *b, const uint32_t *sums, uint32_t step, uint32_t *factors, uint32_t width) {
    const double pixels = (double)(out_side(b, b->rows) * out_side(b, b->columns));
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
        factors[c] = bits_of(b->inside ? sigmoid(a * m) : a * sigmoid(m));
    }
}

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

static void head(const uint32_t *in, uint32_t *scratch, float *logits) {
    const uint32_t rows = @HEAD_ROWS@u, columns = @HEAD_COLUMNS@u, channels = @HEAD_CHANNELS@u, planes = @HEAD_PLANES@u;
    const uint32_t average = @HEAD_AVERAGE@u, pixels = rows * columns, per = words(channels);
    const uint32_t step = planes * pixels * per;
    uint32_t *total = scratch, *sums = scratch + CLASSES, *counts = sums + CLASSES;
    uint32_t t, pixel, c, p, o;
    for (o = 0u; o < CLASSES; o++) { total[o] = bits_of(0.0f); }
    for (t = 0u; t < STEPS; t++) {
        const uint32_t *x = in + t * step;
        for (o = 0u; o < CLASSES; o++) { sums[o] = bits_of(0.0f); }
        if (average) { memset(counts, 0, channels * sizeof *counts); }
        for (pixel = 0u; pixel < pixels; pixel++) {
            for (c = 0u; c < channels; c++) {
                uint32_t n = 0u;
                for (p = 0u; p < planes; p++) {
                    n += (x[(p * pixels + pixel) * per + c / 32u] >> (c % 32u) & 1u) << p;
                }
                if (average) {
                    counts[c] += n;
                } else if (n != 0u) {
                    const float *w = HEAD_WEIGHTS + (pixel * channels + c) * CLASSES;
                    for (o = 0u; o < CLASSES; o++) {
                        const float product = w[o] * (float)n;
                        sums[o] = bits_of(float_of(sums[o]) + product);
                    }
                }
            }
        }
        for (c = 0u; average && c < channels; c++) {
            const float *w = HEAD_WEIGHTS + c * CLASSES;
            if (counts[c] == 0u) { continue; }
            for (o = 0u; o < CLASSES; o++) {
                const float product = w[o] * (float)counts[c];
                sums[o] = bits_of(float_of(sums[o]) + product);
            }
        }
        for (o = 0u; o < CLASSES; o++) {
            float y = float_of(sums[o]) * @HEAD_UNIT@;
            y = y + HEAD_BIAS[o];
            total[o] = bits_of(float_of(total[o]) + y);
        }
    }
    for (o = 0u; o < CLASSES; o++) { logits[o] = float_of(total[o]) / (float)STEPS; }
}

void @NAME@_run(uint32_t *arena, const float *input, float *logits) {
    uint32_t *even = arena, *odd = arena + EVEN_WORDS, *scratch = odd + ODD_WORDS;
    uint32_t i;
    for (i = 0u; i < BLOCK_COUNT; i++) {
        block(&BLOCKS[i], i % 2u == 0u ? odd : even, input, i % 2u == 0u ? even : odd, scratch);
    }
    head(BLOCK_COUNT % 2u == 0u ? odd : even, scratch, logits);
}
