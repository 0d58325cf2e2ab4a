/* @NAME@_stream.c: see @NAME@_stream.h. Written by bitspike; do not edit. */
#include "@NAME@_stream.h"

#include <string.h>

#if defined(__FAST_MATH__)
#error "compile without -ffast-math: values that are not finite would not be seen"
#endif
/* No fused multiply-add, as in @NAME@.c. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

enum { CHANNELS = @UPPER@_CHANNELS, CLASSES = @UPPER@_CLASSES, ROWS = @UPPER@_ROWS, KEPT_ROWS = @KEPT_ROWS@, COLUMNS = @COLUMNS@, HOP_COLUMNS = @HOP_COLUMNS@ };

@TABLE_ARRAYS@
/* A feature on the scale that the network was trained with. */
static float normalised(uint32_t row, float value) {
    float x = (float)(((double)value - (double)@UPPER@_CENTRE[row]) / (double)@UPPER@_SCALE[row]);
@CLIP_LINES@@NETWORK_LINES@    return x;
}

/* Leaves out the first `hop` columns of `count` rows, and those behind them that lie between two windows. */
static void slide(float *rows, uint32_t count, uint32_t length, uint32_t hop, uint32_t *filled, uint32_t *skip) {
    uint32_t r;
    if (hop >= length) {
        *filled = 0u;
        *skip = hop - length;
        return;
    }
    for (r = 0u; r < count; r++) {
        memmove(rows + r * length, rows + r * length + hop, (length - hop) * sizeof *rows);
    }
    *filled = length - hop;
}

/* e^x for x of at most 0, to about 2 units in the last place; see bitspike_infer::math. */
static float exp_of(float x) {
    const float round = 12582912.0f;
    float n, r, p, two_n;
    uint32_t bits;
    if (x < -87.0f) { return 0.0f; }
    n = x * 0x1.715476p+0f + round;
    n = n - round;
    r = x - n * 0.6933594f;
    r = r + n * 2.1219444e-4f;
    p = 1.9875691e-4f * r + 1.3981999e-3f;
    p = p * r + 8.333452e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    bits = (uint32_t)((int32_t)n + 127) << 23;
    memcpy(&two_n, &bits, sizeof two_n);
    return p * two_n;
}

@LEVEL@@ENCODE@
/* Logits to shares that are together 1; returns the class of the largest, the first of several. */
static uint32_t softmax(float *logits) {
    uint32_t o, best = 0u;
    float top, sum = 0.0f;
    for (o = 1u; o < CLASSES; o++) {
        if (logits[o] > logits[best]) { best = o; }
    }
    top = logits[best];
    for (o = 0u; o < CLASSES; o++) {
        logits[o] = exp_of(logits[o] - top);
        sum += logits[o];
    }
    for (o = 0u; o < CLASSES; o++) { logits[o] = logits[o] / sum; }
    return best;
}

/* The class that enough of the last windows have, or -1. */
static int32_t steady(const int32_t *votes) {
    uint32_t i, k;
    for (i = 0u; i < @UPPER@_OF; i++) {
        uint32_t same = 0u;
        for (k = 0u; k < @UPPER@_OF; k++) { same += votes[k] == votes[i] ? 1u : 0u; }
        if (votes[i] >= 0 && same >= @UPPER@_AGREE) { return votes[i]; }
    }
    return -1;
}

static void classify(@NAME@_stream_t *s) {
    @NAME@_result_t result;
    const int32_t before = s->steady;
    const float *input = encode(@LEVELLED@);
    /* A finite value may be too large to be normalised: then the window has no class. */
    if (@NAME@_run(s->scratch.arena, input, s->posteriors) != @UPPER@_OK) { return; }
    result.window = s->window;
    result.best = softmax(s->posteriors);
    result.name = @UPPER@_CLASS_NAMES[result.best];
    result.posterior = s->posteriors[result.best];
    result.posteriors = s->posteriors;
    s->votes[s->window % @UPPER@_OF] = result.posterior < @UPPER@_LEAST_POSTERIOR ? -1 : (int32_t)result.best;
    s->steady = steady(s->votes);
    result.steady = s->steady;
    result.changed = s->steady != before ? 1u : 0u;
    s->window++;
    if (s->heard != 0) { s->heard(s->context, &result); }
}

/* A column of features is complete. */
static void advance(@NAME@_stream_t *s) {
    s->filled++;
    if (s->filled < COLUMNS) { return; }
    classify(s);
    slide(s->features, KEPT_ROWS, COLUMNS, HOP_COLUMNS, &s->filled, &s->skip);
}

@TAKE@
void @NAME@_stream_gap(@NAME@_stream_t *s) {
    uint32_t i;
    for (i = 0u; i < @UPPER@_OF; i++) { s->votes[i] = -1; }
    s->steady = -1;
    s->filled = 0u;
    s->skip = 0u;
@GAP_LINES@}

void @NAME@_stream_init(@NAME@_stream_t *s, @NAME@_heard_t heard, void *context) {
    memset(s, 0, sizeof *s);
    s->heard = heard;
    s->context = context;
    @NAME@_stream_gap(s);
}

uint32_t @NAME@_stream_push(@NAME@_stream_t *s, const float *samples, uint32_t count) {
    uint32_t i, c;
    for (i = 0u; i < count; i++) {
        const float *sample = samples + i * CHANNELS;
        for (c = 0u; c < CHANNELS; c++) {
            /* Infinite less infinite is not a number, and that is not equal to itself. */
            const float zero = sample[c] - sample[c];
            if (!(zero <= 0.0f)) { return i; }
        }
        take(s, sample);
    }
    return count;
}

void @NAME@_stream_push_i16(@NAME@_stream_t *s, const int16_t *counts, uint32_t count) {
    float sample[CHANNELS];
    uint32_t i, c;
    for (i = 0u; i < count; i++) {
        for (c = 0u; c < CHANNELS; c++) { sample[c] = (float)((double)counts[i * CHANNELS + c] * @UPPER@_PER_COUNT); }
        take(s, sample);
    }
}
