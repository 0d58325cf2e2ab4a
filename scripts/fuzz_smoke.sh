#!/usr/bin/env bash
# Builds every fuzz target with the stable compiler and lets each run for a while, from its committed corpus.
#
#   scripts/fuzz_smoke.sh SECONDS [TARGET...]
#
# SECONDS  time of each target; 0 reads the corpus alone
# TARGET   names of targets, default all
#
# Exit code 1 if a target finds something: a panic, an overflow, an address that is not its own (AddressSanitizer), an input that
# takes 20 seconds, or memory beyond 2 GB. The input is kept in fuzz/artifacts/; `fuzz/README.md` says how to look at it.
#
# What cargo-fuzz does with a nightly compiler is done here with flags: RUSTC_BOOTSTRAP=1 lets a stable compiler take
# -Zsanitizer, and the passes of libFuzzer are options of LLVM. Nothing but the fuzz targets is built this way.
#
# Needed: x86-64 Linux and a C++ compiler (CXX, default c++), because libFuzzer is C++. FUZZ_SEED is another seed than 1,
# FUZZ_CORPUS a folder in which new inputs are kept, one folder a target.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,18s/^# \{0,1\}//p' "$0"; exit 2; }
cd "$(dirname "$0")/../fuzz"
seconds=$1
shift
target=x86_64-unknown-linux-gnu
say() { echo "==> $*"; }
skip() { echo "fuzz_smoke.sh: skipped: $*"; exit 0; }
[ "$(uname -sm)" = "Linux x86_64" ] || skip "this is $(uname -sm); the sanitizer's flags here are for x86-64 Linux"
ls "$(rustc --print target-libdir)"/librustc*_rt.asan.a >/dev/null 2>&1 || skip "this compiler comes without AddressSanitizer"
command -v "${CXX:-c++}" >/dev/null || skip "no C++ compiler ${CXX:-c++}, which libFuzzer needs"

names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd fuzz_targets && ls -1 ./*.rs | sed 's/^\.\///; s/\.rs$//')

export RUSTC_BOOTSTRAP=1
flags=(-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1)
export RUSTFLAGS="${flags[*]}"
bins=()
for name in "${names[@]}"; do bins+=(--bin "$name"); done
cargo build --release --locked --target "$target" "${bins[@]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p artifacts "$work/tmp"
export TMPDIR=$work/tmp ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
failed=()
for name in "${names[@]}"; do
    corpus=corpus/$name found=${FUZZ_CORPUS:-$work/corpus}/$name
    [ -n "$(ls -A "$corpus" 2>/dev/null)" ] || { echo "fuzz_smoke.sh: no corpus for $name: see fuzz/README.md" >&2; exit 1; }
    mkdir -p "$found"
    how=(-max_total_time="$seconds")
    [ "$seconds" != 0 ] || how=(-runs=0)
    say "$name, $seconds s"
    if "target/$target/release/$name" "$found" "$corpus" "${how[@]}" -seed="${FUZZ_SEED:-1}" -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$name-" -print_final_stats=1 >"$work/log" 2>&1; then
        grep -E 'number_of_executed_units|peak_rss_mb|new_units_added' "$work/log" | sed 's/^stat::/    /' || true
        grep -E 'DONE' "$work/log" | tail -n 1 | sed 's/^/    /' || true
    else
        tail -n 40 "$work/log" >&2
        failed+=("$name")
    fi
done
[ ${#failed[@]} -eq 0 ] || { echo "fuzz_smoke.sh: found something: ${failed[*]}" >&2; exit 1; }
say "${#names[@]} targets, nothing found"
