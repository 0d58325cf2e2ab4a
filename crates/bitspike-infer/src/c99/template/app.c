#include "board.h"

static @NAME@_stream_t stream;

static void heard(void *context, const @NAME@_result_t *result) {
    (void)context;
    board_answer(result);
}

int main(void) {
    int16_t counts[@UPPER@_CHANNELS];
    board_start();
    @NAME@_stream_init(&stream, heard, 0);
    while (board_read(counts) != 0) { @NAME@_stream_push_i16(&stream, counts, 1u); }
    for (;;) {}
}
