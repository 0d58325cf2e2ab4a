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
enum { GATE_NONE = 0, GATE_FIXED = 1, GATE_SAMPLE = 2, GATE_SAMPLE_PER_CHANNEL = 3, GATE_ELEMENT = 4 };

@BLOCK_TYPE@
@ARRAYS@
@FEED_ARRAYS@static const block_t BLOCKS[] = {
@BLOCKS@};
@SHORTCUTS@enum { STEPS = @STEPS@, BLOCK_COUNT = @BLOCK_COUNT@, FRAME = @FRAME@, CLASSES = @CLASSES@ };

/* Whether no value is NaN or infinite: these have an exponent of ones. */
static int finite(const float *values, uint32_t count) {
    uint32_t i, bits;
    for (i = 0u; i < count; i++) {
        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & 0x7F800000u) == 0x7F800000u) { return 0; }
    }
    return 1;
}

static uint32_t words(uint32_t channels) { return (channels + 31u) / 32u; }

static uint32_t ones(uint32_t x) {
    x -= (x >> 1) & 0x55555555u;
    x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0Fu;
    return (x * 0x01010101u) >> 24;
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

static uint32_t out_rows(const block_t *b) {
    return (b->rows + 2u * b->padding_rows - b->kernel_rows) / b->stride + 1u;
}

static uint32_t out_columns(const block_t *b) {
    return (b->columns + 2u * b->padding - b->kernel) / b->stride + 1u;
}

/* Factors that a gate computes from the sample at a step: none, one, or one per channel. */
static uint32_t gate_width(const block_t *b) {
    if (b->gate != GATE_SAMPLE && b->gate != GATE_SAMPLE_PER_CHANNEL) { return 0u; }
    return b->gate == GATE_SAMPLE_PER_CHANNEL || b->alpha_channels > 1u ? b->c_out : 1u;
}

/* Signs of a channel out. */
static uint32_t row_words(const block_t *b) { return b->kernel_rows * b->kernel * words(b->c_in); }

/* Sum of 2^plane popcount(x & w) over the kernel, w all ones where signs is null. */
static uint32_t under(const block_t *b, const uint32_t *x, uint32_t row, uint32_t column, const uint32_t *signs) {
    const uint32_t per = words(b->c_in), plane = b->rows * b->columns * per;
    const range_t ry = range(row, b->stride, b->padding_rows, b->kernel_rows, b->rows);
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
    const range_t ry = range(row, b->stride, b->padding_rows, b->kernel_rows, b->rows);
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
    const uint32_t per = words(b->c_in), rows = out_rows(b), columns = out_columns(b);
    uint32_t ky, kx, y, xx, p, c;
    memset(sums, 0, b->c_out * sizeof *sums);
    for (ky = 0u; ky < b->kernel_rows; ky++) {
        for (kx = 0u; kx < b->kernel; kx++) {
            uint32_t all = 0u;
            memset(counts, 0, b->c_in * sizeof *counts);
            for (y = 0u; y < rows; y++) {
                const uint32_t iy = y * b->stride + ky;
                if (iy < b->padding_rows || iy - b->padding_rows >= b->rows) { continue; }
                for (xx = 0u; xx < columns; xx++) {
                    const uint32_t ix = xx * b->stride + kx;
                    if (ix < b->padding || ix - b->padding >= b->columns) { continue; }
                    for (p = 0u; p < b->planes; p++) {
                        const uint32_t pixel = (p * b->rows + iy - b->padding_rows) * b->columns + ix - b->padding;
                        for (c = 0u; c < b->c_in; c++) {
                            counts[c] += (x[pixel * per + c / 32u] >> (c % 32u) & 1u) << p;
                        }
                    }
                }
            }
            for (c = 0u; c < b->c_in; c++) { all += counts[c]; }
            for (y = 0u; y < b->c_out; y++) {
                const uint32_t *signs = b->signs + ((y * b->kernel_rows + ky) * b->kernel + kx) * per;
                uint32_t positive = 0u;
                for (c = 0u; c < b->c_in; c++) { positive += counts[c] & (0u - (signs[c / 32u] >> (c % 32u) & 1u)); }
                sums[y] += 2u * positive - all;
            }
        }
    }
}

static int32_t signed_of(uint32_t x) { return x <= 0x7FFFFFFFu ? (int32_t)x : -(int32_t)(~x) - 1; }

