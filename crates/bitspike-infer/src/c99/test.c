/* @NAME@_test.c: runs stored samples and compares logits bit for bit. Returns 0 if all agree. Written by bitspike. */
#include "@NAME@.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLES = @SAMPLES@ };

static const float INPUTS[SAMPLES][@UPPER@_INPUTS] = {
@INPUT_ROWS@};

static const float EXPECTED[SAMPLES][@UPPER@_CLASSES] = {
@EXPECTED_ROWS@};

static uint32_t arena[@UPPER@_ARENA_WORDS];

int main(void) {
    int i, failed = 0;
    for (i = 0; i < SAMPLES; i++) {
        float logits[@UPPER@_CLASSES];
        memset(arena, 0xA5, sizeof arena);
        if (@NAME@_run(arena, INPUTS[i], logits) != @UPPER@_OK || memcmp(logits, EXPECTED[i], sizeof logits) != 0) {
            printf("sample %d: logits differ from those stored\n", i);
            failed++;
        }
    }
    printf("%d of %d samples agree\n", SAMPLES - failed, SAMPLES);
    return failed != 0;
}
