#!/usr/bin/env bash
# Runs the tests of the kernels, the format and the inference under AddressSanitizer with overflow checks, and C code (generated,
# and the C interface) under the sanitizers for addresses and undefined behaviour.
#
#   scripts/test_sanitized.sh [rust|c|thread|miri]...     default: rust c
#
# rust    AddressSanitizer, debug assertions and overflow checks for bitspike-format, bitspike-kernels and bitspike-infer
# c       every test that compiles C compiles it with -fsanitize=address,undefined; a finding ends the program
# thread  ThreadSanitizer for bitspike-kernels and bitspike-infer, with a standard library built for it
# miri    Miri, an interpreter that finds undefined behaviour, for bitspike-format and the portable runtime: a few random cases
#
# thread and miri need a nightly compiler: rustup component add rust-src miri --toolchain nightly. They are not part of CI.
# RUSTC_BOOTSTRAP=1 lets a stable compiler take -Zsanitizer. Each has its own target folder. PROPTEST_CASES=N is another number of
# random cases.
set -euo pipefail
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-gnu
say() { echo "==> $*"; }
skip() { echo "test_sanitized.sh: skipped: $*"; }
modes=("$@")
[ ${#modes[@]} -gt 0 ] || modes=(rust c)

rust() {
    [ "$(uname -sm)" = "Linux x86_64" ] || { skip "this is $(uname -sm); the flags here are for x86-64 Linux"; return; }
    ls "$(rustc --print target-libdir)"/librustc*_rt.asan.a >/dev/null 2>&1 ||
        { skip "this compiler comes without AddressSanitizer"; return; }
    say "AddressSanitizer and overflow checks"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Coverflow-checks=on -Cdebug-assertions=on" \
        CARGO_TARGET_DIR=target/sanitized cargo test --release --locked --target "$target" --lib --tests \
        -p bitspike-format -p bitspike-kernels -p bitspike-infer
}

# The tests take their compiler from CC; this one is that with more options.
c() {
    local cc=${CC:-cc} work
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    echo 'int main(void) { return 0; }' >"$work/a.c"
    if ! "$cc" -fsanitize=address,undefined "$work/a.c" -o "$work/a" 2>"$work/log" || ! "$work/a"; then
        skip "$cc has no sanitizers here: $(head -n 1 "$work/log")"
        return
    fi
    printf '#!/bin/sh\nexec %q -g -fsanitize=address,undefined -fno-sanitize-recover=all "$@"\n' "$(command -v "$cc")" >"$work/cc"
    chmod +x "$work/cc"
    say "C under the sanitizers for addresses and undefined behaviour"
    # The same set of packages and features as the other tests have: nothing of Rust is compiled again after them. By itself it
    # compiles what these tests need, and Burn is not among it.
    CC=$work/cc cargo test --release --locked --workspace --features bitspike/ndarray --test c --test c99 --test stream
}

thread() {
    local libraries
    libraries=$(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library
    [ -d "$libraries" ] || { skip "ThreadSanitizer needs a nightly compiler with rust-src"; return; }
    say "ThreadSanitizer"
    RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR=target/thread cargo +nightly test -Zbuild-std --release --locked \
        --target "$target" --lib --tests -p bitspike-kernels -p bitspike-infer
}

# Without what an interpreter cannot: bombs count memory, C needs a compiler, and every bit of a file takes it hours.
miri() (
    cargo +nightly miri --version >/dev/null 2>&1 || { skip "Miri needs a nightly compiler with rust-src and miri"; exit 0; }
    say "Miri"
    export MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=target/miri PROPTEST_CASES=${PROPTEST_CASES:-2}
    cargo +nightly miri test --locked -p bitspike-format --lib --test damage -- --skip every_
    cargo +nightly miri test --locked -p bitspike-infer --lib --test portable
)

for mode in "${modes[@]}"; do
    case $mode in
        rust | c | thread | miri) "$mode" ;;
        *) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
