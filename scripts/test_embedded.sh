#!/usr/bin/env bash
# Runs bitspike-infer without std on emulated devices and compares every logit and spike with the host:
#
#   Cortex-M4F   the Rust runtime and the exported C, each on QEMU's mps2-an386 (200 samples), for eight small networks with
#                made-up weights: a chain, a residual chain, a chain on signals and one with gates per element, each with real
#                parameters and with integers
#   RISC-V       the Rust runtime and the two chains on QEMU's virt, where qemu-system-riscv32 is installed; otherwise the
#                link alone
#   WebAssembly  the same in node, where it is installed; otherwise the link alone
#
#   scripts/test_embedded.sh [FOLDER [MODEL.bsnn SAMPLES.f32]]
#
# FOLDER   where compiler, case and programs are kept, default target/embedded (about 1 GB)
# MODEL    a model to run instead of the made-up ones, with samples as 32-bit floats, one after the other:
#          bitspike infer MODEL.bsnn --data cifar10 --data-dir DIR --samples 200 --write-inputs SAMPLES.f32
#          As many samples as one likes: a program is built for each piece of 2 MB, since model and samples share 4 MB of
#          emulated flash
#
# That a program links proves two things: the panic handler calls a function that nobody defines, so no path to a panic is
# left; and only `core` is built, so there is no allocator.
#
# Needed: cargo, and apt-get install lld qemu-system-arm gcc-arm-none-eabi libnewlib-arm-none-eabi
#
# rustup's stable compiler comes without the standard library's sources, which these targets are built from. The script takes
# Debian's newest rustc-web with the sources of the same version from the package sources of this machine, and unpacks them
# into FOLDER; nothing is installed, root is not needed. Takes about 8 minutes on one core, later runs less.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/embedded}
mkdir -p "$folder"
folder=$(realpath "$folder")
shift || true

say() { echo "==> $*"; }
fail() { echo "test_embedded.sh: $*" >&2; exit 1; }
for program in cargo ld.lld wasm-ld qemu-system-arm arm-none-eabi-gcc apt-get dpkg-deb; do
    command -v "$program" >/dev/null || fail "$program is missing; see the head of this script"
done

# apt with lists and cache of its own, so that the machine's settings stay as they are.
private_apt() {
    local command=$1
    shift
    "$command" -q -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o Dir::State="$folder/apt/state" -o Dir::State::status=/dev/null -o Dir::Cache="$folder/apt/cache" "$@"
}

# Value of a field of the newest version of a package.
field() { private_apt apt-cache show --no-all-versions "$1" | sed -n "s/^$2: //p" | head -n 1; }

# Puts Debian's compiler with its sources into $folder/rust-VERSION and sets `toolchain` to it.
fetch_toolchain() {
    mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
    say "reading Debian's package lists"
    private_apt apt-get update >"$folder/apt/log" 2>&1 || { cat "$folder/apt/log" >&2; fail "apt-get update failed"; }
    local version runtime llvm depends package
    version=$(field rustc-web Version)
    [ -n "$version" ] || fail "the package sources of this machine have no rustc-web (Debian 12 or later has)"
    toolchain=$folder/rust-$version
    [ ! -e "$toolchain/complete" ] || return 0
    # The compiler's shared library and LLVM carry their version in their names: take them from the dependencies.
    depends=$(field libstd-rust-web-dev Depends)
    runtime=$(grep -o 'libstd-rust-web-[0-9][0-9.]*' <<<"$depends" | head -n 1) || fail "no runtime in: $depends"
    depends=$(field "$runtime" Depends)
    llvm=$(grep -o 'libllvm[0-9][0-9.]*' <<<"$depends" | head -n 1) || fail "no libllvm in: $depends"
    say "getting rustc-web $version with its sources, $runtime and $llvm"
    rm -rf "$folder/download" "$toolchain.tmp"
    mkdir -p "$folder/download" "$toolchain.tmp"
    (cd "$folder/download" && private_apt apt-get download \
        "rustc-web=$version" "libstd-rust-web-dev=$version" "rust-web-src=$version" "$runtime=$version" "$llvm")
    for package in "$folder"/download/*.deb; do dpkg-deb -x "$package" "$toolchain.tmp"; done
    rm -rf "$folder/download" "$toolchain"
    touch "$toolchain.tmp/complete"
    mv "$toolchain.tmp" "$toolchain"
}

# Makes a case on the host: a kind of network, or a model and samples.
make_case() {
    case=$folder/case-$1
    shift
    say "making ${case##*/} on the host"
    cargo run --release --quiet --package bitspike-infer --example embedded_case -- "$case" "$@"
}

fetch_toolchain
build() {
    local target=$1
    shift
    say "building and linking for $target"
    (cd embedded && RUSTC="$toolchain/usr/bin/rustc" RUSTC_BOOTSTRAP=1 BITSPIKE_CASE="$case" RUSTFLAGS="$*" \
        LD_LIBRARY_PATH="$toolchain/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
        CARGO_TARGET_DIR="$folder/programs" cargo build --release --quiet -Zbuild-std=core --target "$target")
}
lld="-C linker=ld.lld -C linker-flavor=ld.lld"

# Compares what a program has written with what the host expects.
compare() {
    grep -v '^stack' "$2" | diff - "$case/expected.txt" >"$folder/diff" || {
        head -n 4 "$folder/diff"
        fail "$1 differs from the host"
    }
    say "$1: $(wc -l <"$case/expected.txt") samples, spikes and logits equal to the host's"
}

# Rust and C on the Cortex-M.
cortex_m() {
    build thumbv7em-none-eabihf $lld -C "link-arg=-T$PWD/embedded/cortex_m.ld"
    program=$folder/programs/thumbv7em-none-eabihf/release/bitspike-embedded
    arm="timeout 1800 qemu-system-arm -M mps2-an386 -nographic -semihosting -kernel"
    $arm "$program" </dev/null >"$folder/arm.txt" 2>&1 || fail "Cortex-M: $(tail -n 1 "$folder/arm.txt")"
    compare "Cortex-M, Rust" "$folder/arm.txt"
    say "stack at most $((16#$(sed -n 's/^stack \([0-9a-f]*\).*/\1/p' "$folder/arm.txt"))) bytes; the arena is in case.rs"
    text=$(arm-none-eabi-size "$program" | awk 'NR == 2 { print $1 }')
    model=$(stat -c %s "$case/model.bsnn")
    say "flash: $((text - $(stat -c %s "$case/samples.f32"))) bytes without the samples, of which the model has $model"

    say "C for Cortex-M"
    # The samples lie in flash and newlib needs some RAM: sections go where the program above has them.
    arm-none-eabi-gcc -std=c99 -Wall -Wextra -Wpedantic -Werror -O2 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 \
        --specs=rdimon.specs -I"$case" "$case/net.c" "$case/net_test.c" embedded/cortex_m_c.c \
        -nostartfiles -T embedded/cortex_m_c.ld -o "$folder/net_test.elf"
    $arm "$folder/net_test.elf" </dev/null >"$folder/c.txt" 2>&1 || fail "C on Cortex-M: $(tail -n 3 "$folder/c.txt")"
    grep -q "^$(wc -l <"$case/expected.txt") of $(wc -l <"$case/expected.txt") samples agree" "$folder/c.txt" ||
        fail "C on Cortex-M: $(tail -n 1 "$folder/c.txt")"
    say "Cortex-M, C: $(tail -n 1 "$folder/c.txt")"
}

# Rust on the RISC-V.
riscv() {
    build riscv32imac-unknown-none-elf $lld -C "link-arg=-T$PWD/embedded/riscv.ld"
    if command -v qemu-system-riscv32 >/dev/null; then
        timeout 1800 qemu-system-riscv32 -M virt -nographic -bios none -m 32M \
            -kernel "$folder/programs/riscv32imac-unknown-none-elf/release/bitspike-embedded" </dev/null >"$folder/riscv.txt" ||
            fail "RISC-V: $(tail -n 1 "$folder/riscv.txt")"
        compare "RISC-V, Rust" "$folder/riscv.txt"
    else
        say "RISC-V: linked; not run, because qemu-system-riscv32 is missing (apt-get install qemu-system-misc)"
    fi
}

# Rust in WebAssembly.
wasm() {
    build wasm32-unknown-unknown -C linker=wasm-ld -C linker-flavor=wasm-ld -C link-arg=--no-entry
    if command -v node >/dev/null; then
        node embedded/wasm.mjs "$folder/programs/wasm32-unknown-unknown/release/bitspike-embedded.wasm" >"$folder/wasm.txt" ||
            fail "WebAssembly: $(tail -n 1 "$folder/wasm.txt")"
        compare "WebAssembly, Rust" "$folder/wasm.txt"
    else
        say "WebAssembly: linked; not run, because node is missing"
    fi
}

if [ $# -gt 0 ]; then
    [ $# -eq 2 ] || fail "MODEL.bsnn and SAMPLES.f32 belong together"
    make_case given "$@"
    inputs=$(sed -n 's/.*INPUTS: usize = \([0-9]*\);/\1/p' "$case/case.rs")
    rm -rf "$folder/pieces"
    mkdir "$folder/pieces"
    split -b $((2097152 / (4 * inputs) * 4 * inputs)) "$2" "$folder/pieces/samples-"
    for piece in "$folder"/pieces/*; do
        make_case given "$1" "$piece"
        cortex_m
        riscv
        wasm
    done
else
    for kind in residual residual-integers signal signal-integers element element-integers; do
        make_case "$kind" "$kind"
        cortex_m
    done
    for kind in chain integers; do
        make_case "$kind" "$kind"
        cortex_m
        riscv
        wasm
    done
fi
say "all passed"
