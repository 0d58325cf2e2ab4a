/* Runs one sample through a packed network and prints its logits, and the class with the largest.
 *
 *     bitspike infer net.bsnn --data fashion-mnist-mini --samples 1 --write-inputs sample.f32
 *     cc -std=c99 classify.c $(pkg-config --cflags --libs bitspike) -o classify
 *     ./classify net.bsnn sample.f32
 *
 * A sample is 32-bit floats of this machine's byte order, normalised as in training: [channel][row][column], and T such
 * frames where the network takes sequences. bitspike_pixel makes them of the bytes of an image.
 */
#include "bitspike.h"

#include <stdio.h>
#include <stdlib.h>

/* A file of at most `most` bytes. Memory of malloc is aligned for everything, so for floats too. */
static void *read_file(const char *name, size_t most, size_t *length) {
    FILE *file = fopen(name, "rb");
    void *bytes = malloc(most);
    if (file == NULL || bytes == NULL) {
        fprintf(stderr, "%s: cannot be read\n", name);
        exit(2);
    }
    *length = fread(bytes, 1, most, file);
    if (ferror(file) || fgetc(file) != EOF) {
        fprintf(stderr, "%s: cannot be read, or is larger than %lu bytes\n", name, (unsigned long)most);
        exit(2);
    }
    fclose(file);
    return bytes;
}

static void must(bitspike_result result, const char *what) {
    if (result != BITSPIKE_OK) {
        fprintf(stderr, "%s: %s\n", what, bitspike_message(result));
        exit(2);
    }
}

int main(int argc, char **argv) {
    bitspike_model model;
    bitspike_info info;
    size_t length, sample_length, values, best = 0, i;
    uint8_t *file;
    uint32_t *arena;
    float *sample, *logits;
    char why[200];
    if (argc != 3) {
        fprintf(stderr, "usage: %s NET.bsnn SAMPLE.f32\n", argv[0]);
        return 2;
    }
    file = read_file(argv[1], (size_t)1 << 28, &length);
    if (bitspike_explain(file, length, why, sizeof why) != 0) {
        fprintf(stderr, "%s: %s\n", argv[1], why);
        exit(2);
    }
    must(bitspike_open(file, length, &model), argv[1]); /* borrows the bytes: free them last */
    must(bitspike_describe(&model, &info), argv[1]);

    values = info.frame_values * (info.sequence ? info.steps : 1);
    sample = read_file(argv[2], values * sizeof *sample, &sample_length);
    if (sample_length != values * sizeof *sample) {
        fprintf(stderr, "%s: %lu bytes; a sample has %lu\n", argv[2], (unsigned long)sample_length,
                (unsigned long)(values * sizeof *sample));
        exit(2);
    }

    arena = malloc(info.run_words * sizeof *arena); /* all the state there is */
    logits = malloc(info.classes * sizeof *logits);
    if (arena == NULL || logits == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    must(bitspike_run(&model, arena, info.run_words, sample, values, logits, info.classes), argv[2]);
    for (i = 0; i < info.classes; i++) {
        printf("%lu: %.9g\n", (unsigned long)i, (double)logits[i]); /* nine digits give the float back */
        if (logits[i] > logits[best]) { best = i; }
    }
    printf("class %lu\n", (unsigned long)best);
    free(logits);
    free(arena);
    free(sample);
    free(file);
    return 0;
}
