/* To be filled in: your sensor, and what is to be done with an answer. */
#include "board.h"

void board_start(void) {}

int board_read(int16_t *counts) {
    uint32_t c;
    for (c = 0u; c < @UPPER@_CHANNELS; c++) { counts[c] = 0; }
    return 1;
}

void board_answer(const @NAME@_result_t *result) {
    if (result->changed != 0u && result->steady >= 0) {
        /* @UPPER@_CLASS_NAMES[result->steady] begins. */
    }
}
