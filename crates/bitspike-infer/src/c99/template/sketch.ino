/* The sketch: read_sensor is yours to fill in. */
#include "@NAME@_stream.h"

static @NAME@_stream_t stream;

/* A count for each of @UPPER@_CHANNELS channels, each worth @UPPER@_PER_COUNT. */
static void read_sensor(int16_t *counts) {
    for (uint32_t c = 0; c < @UPPER@_CHANNELS; c++) { counts[c] = 0; }
}

static void heard(void *, const @NAME@_result_t *result) {
    if (!result->changed || result->steady < 0) { return; }
    Serial.print(@UPPER@_CLASS_NAMES[result->steady]);
    Serial.print(' ');
    Serial.println(result->posterior);
}

void setup() {
    Serial.begin(115200);
    @NAME@_stream_init(&stream, heard, nullptr);
}

void loop() {
    static uint32_t next = micros();
    /* one sample every @PERIOD@ microseconds@PERIOD_WORDS@. */
    if ((int32_t)(micros() - next) < 0) { return; }
    next += @PERIOD@u;
    int16_t counts[@UPPER@_CHANNELS];
    read_sensor(counts);
    @NAME@_stream_push_i16(&stream, counts, 1);
}
