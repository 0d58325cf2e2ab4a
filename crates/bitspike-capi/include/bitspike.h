/* bitspike.h: run .bsnn networks from C.
 *
 * Nothing here keeps hidden state: a model borrows the bytes of its file, all state of an inference is in the caller's
 * arena, and calls on different arenas may run at the same time. Only functions of bitspike_engine allocate.
 *
 *     bitspike_model model;
 *     bitspike_info info;
 *     if (bitspike_open(file, length, &model) != BITSPIKE_OK) ...
 *     bitspike_describe(&model, &info);
 *     uint32_t *arena = malloc(info.run_words * sizeof *arena);
 *     bitspike_run(&model, arena, info.run_words, image, info.frame_values, logits, info.classes);
 */
#ifndef BITSPIKE_H
#define BITSPIKE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results of calls. Values are fixed for ever; later versions may add some. */
typedef int32_t bitspike_result;
enum {
    BITSPIKE_OK = 0,
    BITSPIKE_NULL = 1,        /* a pointer is null, or not aligned for its type */
    BITSPIKE_CORRUPT = 2,     /* the file is damaged, cut short or made up; see bitspike_explain */
    BITSPIKE_UNSUPPORTED = 3, /* a file of another format version or byte order */
    BITSPIKE_NOT_OPEN = 4,    /* the model was not opened by bitspike_open */
    BITSPIKE_ARENA = 5,       /* the arena is smaller than bitspike_info says */
    BITSPIKE_INPUT = 6,       /* the input has the wrong number of values */
    BITSPIKE_LOGITS = 7,      /* the room for logits does not fit the number of classes */
    BITSPIKE_TOO_LARGE = 8,   /* the network needs more memory than can be addressed */
    BITSPIKE_NOT_RESET = 9,   /* the arena was not prepared by bitspike_reset for this model */
    BITSPIKE_INTERNAL = 10,   /* a fault of bitspike; please report it */
    BITSPIKE_KERNEL = 11,     /* the environment variable BITSPIKE_KERNEL names kernels that cannot run here */
    BITSPIKE_NOT_FINITE = 12  /* an input value is NaN or infinite; nothing was computed */
};

/* An opened file. Its content is opaque; it may be copied, and there is nothing to close. */
typedef struct {
    uint64_t opaque[64];
} bitspike_model;

/* What a network needs. */
typedef struct {
    uint32_t steps;           /* time steps T */
    uint32_t classes;
    uint32_t channels, rows, columns; /* of a frame, which is [channel][row][column] */
    uint32_t sequence;        /* 1: a sample is T frames; 0: one image stands for all steps */
    size_t frame_values;      /* channels * rows * columns */
    size_t run_words;         /* 32-bit words of the arena of bitspike_run */
    size_t step_words;        /* 32-bit words of the arena of bitspike_step */
    uint64_t binary_weights;
    uint64_t real_parameters; /* of 4 bytes; those of the first layer where the others have integers */
} bitspike_info;

/* The newest version of the .bsnn format that this library reads; it reads the older ones too. */
uint32_t bitspike_format_version(void);

/* A sentence about a result, in English, ending in NUL; never null. */
const char *bitspike_message(bitspike_result result);

/* Checks the whole file and fills *model, which borrows the bytes: they must stay as they are while it is in use. */
bitspike_result bitspike_open(const uint8_t *file, size_t length, bitspike_model *model);

/* Writes what is wrong with a file, with offsets and values, as text ending in NUL, cut to size. Returns the length of the
 * whole text without NUL; 0 if nothing is wrong. text may be null if size is 0. */
size_t bitspike_explain(const uint8_t *file, size_t length, char *text, size_t size);

/* Fills *info. */
bitspike_result bitspike_describe(const bitspike_model *model, bitspike_info *info);

/* The float that stands for a byte of an image in a channel, by the normalisation in the file; 0 if the model is not open. */
float bitspike_pixel(const bitspike_model *model, uint32_t channel, uint8_t value);

/* Computes the logits of a whole sample: frame_values floats, or T times as many for a sequence. What the arena holds before
 * does not matter. */
bitspike_result bitspike_run(const bitspike_model *model, uint32_t *arena, size_t arena_words, const float *input,
                             size_t input_values, float *logits, size_t classes);

/* Prepares an arena for bitspike_step, or makes it forget a sample. */
bitspike_result bitspike_reset(const bitspike_model *model, uint32_t *arena, size_t arena_words);

/* Shows the network one frame; logits become the mean over all steps since bitspike_reset. */
bitspike_result bitspike_step(const bitspike_model *model, uint32_t *arena, size_t arena_words, const float *frame,
                              size_t frame_values, float *logits, size_t classes);

/* A model made ready for the fast kernels and threads of a host. */
typedef struct bitspike_engine bitspike_engine;

/* Allocates *engine, which borrows the bytes of the file like the model. */
bitspike_result bitspike_engine_new(const bitspike_model *model, bitspike_engine **engine);

/* Computes the logits of many samples, one after the other in inputs and in logits, on so many threads (0: all cores). May be
 * called from several threads at once. */
bitspike_result bitspike_engine_run(const bitspike_engine *engine, const float *inputs, size_t input_values, float *logits,
                                    size_t logit_values, size_t threads);

/* Frees an engine; null is allowed. */
void bitspike_engine_free(bitspike_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
