/* The program: read_sensor is yours to fill in. */
#include "@NAME@_stream.h"

#include <stdio.h>

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

static @NAME@_stream_t stream;

/* Waits for the next sample@RATE_WORDS@: a count for each of @UPPER@_CHANNELS channels, each worth @UPPER@_PER_COUNT. A driver that
 * fills blocks (I2S, ADC) serves fast sensors better than one sample at a time. */
static void read_sensor(int16_t *counts) {
    uint32_t c;
    for (c = 0u; c < @UPPER@_CHANNELS; c++) { counts[c] = 0; }
    vTaskDelay(1);
}

static void heard(void *context, const @NAME@_result_t *result) {
    (void)context;
    if (result->changed != 0u && result->steady >= 0) {
        printf("%s %.2f\n", @UPPER@_CLASS_NAMES[result->steady], (double)result->posterior);
    }
}

void app_main(void) {
    int16_t counts[@UPPER@_CHANNELS];
    @NAME@_stream_init(&stream, heard, 0);
    for (;;) {
        read_sensor(counts);
        @NAME@_stream_push_i16(&stream, counts, 1u);
    }
}
