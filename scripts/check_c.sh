#!/usr/bin/env bash
# Runs exported C over a whole test set and compares every logit with the packed file's, bit for bit.
#
#   bitspike export RUN -o my.bsnn --c firmware/
#   bitspike infer my.bsnn --data cifar10 --data-dir DIR --write-inputs samples.f32 --write-predictions packed.csv
#   scripts/check_c.sh firmware/ samples.f32 packed.csv
#
# Needed: a C compiler (CC, default cc). Exit code 1 if a logit differs.
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
folder=$1 samples=$2 predictions=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/main.c" <<'C'
#include "bsnn_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t arena[BSNN_MODEL_ARENA_WORDS];
static float input[BSNN_MODEL_INPUTS], logits[BSNN_MODEL_CLASSES];
static char line[1 << 16];

int main(int count, char **names) {
    FILE *samples, *expected;
    long done = 0, equal = 0;
    if (count != 3 || !(samples = fopen(names[1], "rb")) || !(expected = fopen(names[2], "r"))) return 2;
    if (!fgets(line, sizeof line, expected)) return 2; /* the names of the columns */
    while (fread(input, sizeof(float), BSNN_MODEL_INPUTS, samples) == BSNN_MODEL_INPUTS) {
        int k, same = 1;
        char *at = line;
        if (!fgets(line, sizeof line, expected)) return 2;
        for (k = 0; k < 3; k++) { /* sample, label, predicted */
            at = strchr(at, ',');
            if (!at) return 2;
            at++;
        }
        if (bsnn_model_run(arena, input, logits) != BSNN_MODEL_OK) return 2;
        for (k = 0; k < BSNN_MODEL_CLASSES; k++) {
            float value = strtof(at, &at);
            if (*at == ',') at++;
            same &= memcmp(&value, &logits[k], sizeof value) == 0;
        }
        done++;
        equal += same;
    }
    if (fgets(line, sizeof line, expected)) return 2; /* more predictions than samples */
    printf("%ld of %ld samples have the packed file's logits, bit for bit\n", equal, done);
    return equal == done && done > 0 ? 0 : 1;
}
C
"${CC:-cc}" -std=c99 -O2 -Wall -Wextra -Wpedantic -Werror -I"$folder" "$folder/bsnn_model.c" "$work/main.c" -o "$work/check"
"$work/check" "$samples" "$predictions" || { echo "check_c.sh: a logit differs, or a file is not what it should be" >&2; exit 1; }
