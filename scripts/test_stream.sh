#!/usr/bin/env bash
# Feeds the exported C with raw samples on an emulated Cortex-M4F (QEMU's mps2-an386) and requires the class of every window that the
# library finds: 200 windows each of made-up motion and sound, with the network in floats and in integers. The folder is that of
# `export --template bare`, built by its makefile, with a recording in the place of the sensor.
#
#   scripts/test_stream.sh [FOLDER]
#
# FOLDER   where cases are kept, default target/stream
#
# Needed: cargo, and apt-get install qemu-system-arm gcc-arm-none-eabi libnewlib-arm-none-eabi
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/stream}

say() { echo "==> $*"; }
fail() { echo "test_stream.sh: $*" >&2; exit 1; }
for program in cargo make qemu-system-arm arm-none-eabi-gcc; do
    command -v "$program" >/dev/null || fail "$program is missing; see the head of this script"
done

for kind in motion segments delta latency audio audio-integers audio-slaney audio-channels; do
    case=$folder/$kind
    cargo run --release --quiet --package bitspike-infer --example stream_case -- "$case" "$kind"
    make --no-print-directory -C "$case" CFLAGS="-std=c99 -Wall -Wextra -Wpedantic -Werror -O2 -ffunction-sections -fdata-sections" \
        >"$case/make.txt" 2>&1 || { cat "$case/make.txt" >&2; fail "$kind: does not build"; }
    timeout 1800 qemu-system-arm -M mps2-an386 -nographic -semihosting -kernel "$case/net.elf" </dev/null >"$case/found.txt" 2>&1 ||
        fail "$kind: $(tail -n 1 "$case/found.txt")"
    grep -v '^stack' "$case/found.txt" | diff - "$case/expected.txt" >"$case/diff.txt" || {
        head -n 4 "$case/diff.txt"
        fail "$kind: a class differs from the library's"
    }
    stack=$((16#$(sed -n 's/^stack \(....\) \(....\)/\1\2/p' "$case/found.txt")))
    sizes=$(sed -n 's/^| \(flash\|RAM\)[^|]*| \([0-9]*\) |/\1 \2,/p' "$case/README.md" | tr '\n' ' ')
    recording=$(($(grep -o ',' "$case/board.c" | wc -l) * 2))
    text=$(arm-none-eabi-size "$case/net.elf" | awk 'NR == 2 { print $1 }')
    say "$kind: $(wc -l <"$case/expected.txt") windows, every class the library's; ${sizes}stack at most $stack bytes," \
        "program with model about $((text - recording)) bytes"
done
say "all passed"
