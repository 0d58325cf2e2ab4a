/* What the program needs of the board; board.c is yours to fill in. */
#ifndef BOARD_H
#define BOARD_H

#include "@NAME@_stream.h"

/* Clocks, the sensor, whatever shows answers. */
void board_start(void);

/* Waits for the next sample@RATE_WORDS@ and writes a count for each of @UPPER@_CHANNELS channels, each worth
 * @UPPER@_PER_COUNT. Returns 0 to end. */
int board_read(int16_t *counts);

/* The answer to a window. */
void board_answer(const @NAME@_result_t *result);

#endif
