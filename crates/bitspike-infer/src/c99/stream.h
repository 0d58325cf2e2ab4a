/* @NAME@_stream.h: raw samples in, classes out, for the network of @NAME@.h. Written by bitspike; do not edit.
 *
 * Keeps a window of the last samples, normalises them@FRONT_WORDS@, runs the network as soon as a window is
 * complete, and calls back. No heap, no mutable globals: one @NAME@_stream_t for each stream.
 *
 *     static @NAME@_stream_t stream;
 *     @NAME@_stream_init(&stream, heard, 0);
 *     for (;;) { read_sensor(counts); @NAME@_stream_push_i16(&stream, counts, 1u); }
 *
 * Memory of a stream on a 32-bit processor: @RAM@ bytes. Tables in flash: @TABLES@ bytes, beside those of @NAME@.c. Of the C
 * library: memcpy, memmove and memset, as in @NAME@.c; nothing of the mathematics library.
 */
#ifndef @UPPER@_STREAM_H
#define @UPPER@_STREAM_H

#include "@NAME@.h"

/* Samples from one window to the next. */
#define @UPPER@_STREAM_HOP @STREAM_HOP@
/* A class is steady where it was the answer to so many (AGREE) of the last windows (OF); give both when all files are compiled. */
#ifndef @UPPER@_OF
#define @UPPER@_OF 3
#endif
#ifndef @UPPER@_AGREE
#define @UPPER@_AGREE 2
#endif
#if @UPPER@_OF < 1 || @UPPER@_AGREE > @UPPER@_OF || 2 * @UPPER@_AGREE <= @UPPER@_OF
#error "@UPPER@_AGREE must be more than half of @UPPER@_OF, and no more than it, so that at most one class is steady"
#endif
/* Windows whose posterior is below have no voice in that. */
#ifndef @UPPER@_LEAST_POSTERIOR
#define @UPPER@_LEAST_POSTERIOR 0.0f
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The answer to a window. */
typedef struct {
    uint32_t window;         /* its number, from 0 */
    uint32_t best;           /* the class with the largest logit, the first of several */
    const char *name;        /* its name */
    float posterior;         /* its share of the softmax of the logits */
    const float *posteriors; /* [@UPPER@_CLASSES], together 1; valid until the callback returns */
    int32_t steady;          /* the class that AGREE of the last OF windows have, or -1 */
    uint32_t changed;        /* 1 where steady is not what it was with the window before */
} @NAME@_result_t;

typedef void (*@NAME@_heard_t)(void *context, const @NAME@_result_t *result);

/* All state of a stream; initialise it with @NAME@_stream_init, and leave its fields alone. */
typedef struct {
    union {
        uint32_t arena[@UPPER@_ARENA_WORDS];
@TRANSFORM_FIELD@    } scratch;
    float features[@FEATURES@]; /* [row][column], oldest first */
@MORE_FIELDS@    float posteriors[@UPPER@_CLASSES];
    int32_t votes[@UPPER@_OF]; /* classes of the last windows, -1 for none */
    int32_t steady;
    uint32_t filled, skip; /* columns of features; columns to leave out before the next window */
    uint32_t window;
    @NAME@_heard_t heard;
    void *context;
} @NAME@_stream_t;

/* Begins a stream. heard is called from push with every window, and may be null. */
void @NAME@_stream_init(@NAME@_stream_t *stream, @NAME@_heard_t heard, void *context);

/* Takes samples: count times @UPPER@_CHANNELS values, the channels of a sample side by side, in the unit of training. Returns how
 * many samples were taken: fewer than count if the next one is not finite. Then call gap, and go on behind it. */
uint32_t @NAME@_stream_push(@NAME@_stream_t *stream, const float *samples, uint32_t count);

/* The same of counts of a converter, each worth @UPPER@_PER_COUNT. */
void @NAME@_stream_push_i16(@NAME@_stream_t *stream, const int16_t *counts, uint32_t count);

/* Samples were lost: begins a new window with the next one, and forgets which class was steady. */
void @NAME@_stream_gap(@NAME@_stream_t *stream);

#ifdef __cplusplus
}
#endif

#endif
