/* The program: read_sensor is yours to fill in. */
#include "@NAME@_stream.h"

#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

static @NAME@_stream_t stream;

/* Waits for the next sample@RATE_WORDS@: a count for each of @UPPER@_CHANNELS channels, each worth @UPPER@_PER_COUNT. */
static void read_sensor(int16_t *counts) {
    uint32_t c;
    for (c = 0u; c < @UPPER@_CHANNELS; c++) { counts[c] = 0; }
    k_sleep(K_USEC(@PERIOD@)); /* between samples@PERIOD_WORDS@ */
}

static void heard(void *context, const @NAME@_result_t *result) {
    (void)context;
    if (result->changed != 0u && result->steady >= 0) {
        printk("%s %d %%\n", @UPPER@_CLASS_NAMES[result->steady], (int)(100.0f * result->posterior));
    }
}

int main(void) {
    int16_t counts[@UPPER@_CHANNELS];
    @NAME@_stream_init(&stream, heard, 0);
    for (;;) {
        read_sensor(counts);
        @NAME@_stream_push_i16(&stream, counts, 1u);
    }
}
