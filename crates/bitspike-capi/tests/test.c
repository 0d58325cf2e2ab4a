/* Calls every function of bitspike.h on a file given by name, and compares logits with those in a second file. */
#include "bitspike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void expect(int ok, const char *what) {
    if (!ok) {
        printf("failed: %s\n", what);
        failures++;
    }
}

static uint8_t *read_file(const char *name, size_t *length) {
    FILE *f = fopen(name, "rb");
    uint8_t *bytes = malloc(1u << 22);
    if (f == NULL || bytes == NULL) {
        printf("failed: cannot read %s\n", name);
        exit(2);
    }
    *length = fread(bytes, 1, 1u << 22, f);
    fclose(f);
    return bytes;
}

/* NaN and infinities. */
static const uint32_t NOT_FINITE[] = {0x7FC00000u, 0xFFC00000u, 0x7F800000u, 0xFF800000u};

int main(int argc, char **argv) {
    size_t length, expected_length, i;
    uint8_t *file, *expected, version;
    bitspike_model model, closed;
    bitspike_info info;
    bitspike_engine *engine = NULL;
    uint32_t *arena;
    float *image, *logits, *batch, *batch_logits;
    char text[200], few[10];
    if (argc != 3) { return 2; }
    file = read_file(argv[1], &length);
    expected = read_file(argv[2], &expected_length);

    memset(&closed, 0, sizeof closed);
    expect(bitspike_format_version() == 5u, "format version");
    expect(bitspike_describe(&closed, &info) == BITSPIKE_NOT_OPEN, "a model that is not open");
    expect(bitspike_open(NULL, length, &model) == BITSPIKE_NULL, "a null file");
    expect(bitspike_describe(&model, &info) == BITSPIKE_NOT_OPEN, "a failed open leaves the model closed");
    file[length / 2] ^= 1u;
    expect(bitspike_open(file, length, &model) == BITSPIKE_CORRUPT, "a damaged file");
    expect(bitspike_explain(file, length, text, sizeof text) > 20u && strstr(text, "checksum") != NULL, "explanation");
    expect(bitspike_explain(file, length, few, sizeof few) > 20u && strlen(few) == sizeof few - 1u, "cut explanation");
    expect(bitspike_explain(file, length, NULL, 0) > 20u, "explanation without text");
    file[length / 2] ^= 1u;
    version = file[8];
    file[8] = 9u;
    expect(bitspike_open(file, length, &model) == BITSPIKE_UNSUPPORTED, "another version");
    file[8] = version;
    expect(bitspike_explain(file, length, text, sizeof text) == 0u && text[0] == '\0', "nothing to explain");
    expect(bitspike_open(file, length, &model) == BITSPIKE_OK, "open");
    expect(bitspike_describe(&model, &info) == BITSPIKE_OK, "describe");
    expect(bitspike_describe(&model, NULL) == BITSPIKE_NULL, "no room for info");
    expect(info.frame_values == (size_t)info.channels * info.rows * info.columns, "frame values");
    expect(expected_length == info.classes * sizeof(float), "logits to compare with");
    expect(bitspike_pixel(&model, 0u, 255u) == 2.0f, "pixel");

    arena = malloc((info.run_words > info.step_words ? info.run_words : info.step_words) * sizeof *arena);
    image = malloc(info.frame_values * sizeof *image);
    logits = malloc(info.classes * sizeof *logits);
    batch = malloc(3 * info.frame_values * sizeof *batch);
    batch_logits = malloc(3 * info.classes * sizeof *batch_logits);
    if (arena == NULL || image == NULL || logits == NULL || batch == NULL || batch_logits == NULL) { return 2; }
    for (i = 0; i < info.frame_values; i++) { image[i] = (float)(i % 7u) * 0.25f; }

    expect(bitspike_run(&model, arena, info.run_words - 1u, image, info.frame_values, logits, info.classes) ==
               BITSPIKE_ARENA, "small arena");
    expect(bitspike_run(&model, arena, info.run_words, image, info.frame_values - 1u, logits, info.classes) ==
               BITSPIKE_INPUT, "short input");
    expect(bitspike_run(&model, arena, info.run_words, image, info.frame_values, logits, info.classes - 1u) ==
               BITSPIKE_LOGITS, "too few logits");
    expect(bitspike_run(&model, NULL, info.run_words, image, info.frame_values, logits, info.classes) == BITSPIKE_NULL,
           "no arena");
    expect(bitspike_run(&model, arena, info.run_words, image, info.frame_values, logits, info.classes) == BITSPIKE_OK,
           "run");
    expect(memcmp(logits, expected, expected_length) == 0, "logits of run");

    memset(arena, 0, info.step_words * sizeof *arena);
    expect(bitspike_step(&model, arena, info.step_words, image, info.frame_values, logits, info.classes) ==
               BITSPIKE_NOT_RESET, "step without reset");
    expect(bitspike_reset(&model, arena, info.step_words) == BITSPIKE_OK, "reset");
    for (i = 0; i < info.steps; i++) {
        expect(bitspike_step(&model, arena, info.step_words, image, info.frame_values, logits, info.classes) ==
                   BITSPIKE_OK, "step");
    }
    expect(memcmp(logits, expected, expected_length) == 0, "logits of steps");

    expect(bitspike_engine_new(&closed, &engine) == BITSPIKE_NOT_OPEN && engine == NULL, "engine of a closed model");
    expect(bitspike_engine_new(&model, &engine) == BITSPIKE_OK, "engine");
    for (i = 0; i < 3; i++) { memcpy(batch + i * info.frame_values, image, info.frame_values * sizeof *image); }
    expect(bitspike_engine_run(engine, batch, 3 * info.frame_values, batch_logits, 3 * info.classes, 2) == BITSPIKE_OK,
           "batch");
    for (i = 0; i < 3; i++) {
        expect(memcmp(batch_logits + i * info.classes, expected, expected_length) == 0, "logits of a batch");
    }
    expect(bitspike_engine_run(engine, batch, 5, batch_logits, 3 * info.classes, 1) == BITSPIKE_INPUT, "short batch");

    for (i = 0; i < 4; i++) {
        memcpy(image + info.frame_values - 1u, &NOT_FINITE[i], sizeof *image);
        memcpy(batch + 2u * info.frame_values, &NOT_FINITE[i], sizeof *batch);
        expect(bitspike_run(&model, arena, info.run_words, image, info.frame_values, logits, info.classes) ==
                   BITSPIKE_NOT_FINITE, "run on a value that is not finite");
        expect(bitspike_reset(&model, arena, info.step_words) == BITSPIKE_OK, "reset");
        expect(bitspike_step(&model, arena, info.step_words, image, info.frame_values, logits, info.classes) ==
                   BITSPIKE_NOT_FINITE, "step on a value that is not finite");
        expect(bitspike_engine_run(engine, batch, 3 * info.frame_values, batch_logits, 3 * info.classes, 2) ==
                   BITSPIKE_NOT_FINITE, "batch with a value that is not finite");
    }
    expect(memcmp(logits, expected, expected_length) == 0, "logits are left alone");
    expect(memcmp(batch_logits, expected, expected_length) == 0, "logits of a batch are left alone");
    bitspike_engine_free(engine);
    bitspike_engine_free(NULL);
    for (i = 0; i <= 13u; i++) {
        expect(strlen(bitspike_message((bitspike_result)i)) > 5u, "message");
    }
    printf("%d failures\n", failures);
    free(file); free(expected); free(arena); free(image); free(logits); free(batch); free(batch_logits);
    return failures != 0;
}
