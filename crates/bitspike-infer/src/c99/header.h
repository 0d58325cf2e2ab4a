/* @NAME@.h: a binary spiking network. Written by bitspike; do not edit.
 *
 * @DESCRIPTION@
 */
#ifndef @UPPER@_H
#define @UPPER@_H

#include <stdint.h>

/* Values of a sample: @INPUT_SHAPE@. */
#define @UPPER@_INPUTS @INPUTS@
#define @UPPER@_CLASSES @CLASSES@
#define @UPPER@_STEPS @STEPS@
/* Words of memory that an inference needs: what bitspike prints, divided by 4. */
#define @UPPER@_ARENA_WORDS @ARENA@
/* Bytes of constants. */
#define @UPPER@_CONST_BYTES @CONST@
@FEED_DEFINES@
#ifdef __cplusplus
extern "C" {
#endif

@FEED_DECLARATIONS@/* Results of @NAME@_run. */
#define @UPPER@_OK 0
#define @UPPER@_NOT_FINITE 1 /* an input value is NaN or infinite; nothing was computed */

/* Computes the logits of a sample.
 *
 * arena:  @UPPER@_ARENA_WORDS words; what they hold before does not matter
 * input:  @UPPER@_INPUTS floats
 * logits: @UPPER@_CLASSES floats
 */
int @NAME@_run(uint32_t *arena, const float *input, float *logits);

#ifdef __cplusplus
}
#endif

#endif
