#!/usr/bin/env bash
# Tests the kernels for aarch64 on an x86-64 Debian machine: cross-builds bitspike-kernels and bitspike-infer and runs
# their tests under QEMU, with the kernel path the processor chooses, then with `neon`, then with `portable`.
#
#   scripts/test_aarch64.sh [FOLDER] [FILTER...]
#
# FOLDER  where the cross compiler is unpacked and kept, default target/aarch64-toolchain (about 600 MB); not used when
#         rustup has the target aarch64-unknown-linux-gnu installed; "" is the default
# FILTER  passed on to the tests: names to run, or options such as --nocapture
#
# The linker and the emulator must be there: apt-get install gcc-aarch64-linux-gnu qemu-user-static
#
# Without rustup's target the script takes Debian's newest rustc-web and the arm64 standard library of the same version,
# from the package sources of this machine. Both are unpacked into FOLDER; nothing is installed, root is not needed, and
# apt's own lists and settings stay as they are. A second run downloads again only if Debian has another version.
#
# Emulation is slow, so a property is tried on 32 random cases; PROPTEST_CASES=N in the environment is another number.
# QEMU shows that results are right; its times say nothing of a real processor.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
folder=${1:-target/aarch64-toolchain}
[ $# -eq 0 ] || shift
sysroot=/usr/aarch64-linux-gnu
linker=aarch64-linux-gnu-gcc
emulator=qemu-aarch64-static

say() { echo "==> $*"; }
fail() { echo "test_aarch64.sh: $*" >&2; exit 1; }

[ "$(uname -m)" = x86_64 ] || fail "this machine is $(uname -m); the script is for x86-64 (elsewhere: cargo test)"
for program in cargo "$linker" "$emulator"; do
    command -v "$program" >/dev/null ||
        fail "$program is missing; needed: cargo, and apt-get install gcc-aarch64-linux-gnu qemu-user-static"
done
[ -e "$sysroot/lib/ld-linux-aarch64.so.1" ] || fail "$sysroot has no C library; apt-get install libc6-dev-arm64-cross"

# apt with lists and cache of its own, for both architectures, so that the machine's settings stay as they are.
private_apt() {
    local command=$1
    shift
    "$command" -q -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o Dir::State="$folder/apt/state" -o Dir::State::status=/dev/null -o Dir::Cache="$folder/apt/cache" "$@"
}

# Value of a field of the newest version of a package.
field() {
    private_apt apt-cache show --no-all-versions "$1" | sed -n "s/^$2: //p" | head -n 1
}

# Puts Debian's cross compiler into $folder/rust-VERSION and sets `toolchain` to it.
fetch_toolchain() {
    command -v apt-get >/dev/null || fail "no apt-get here; install rustup's target: rustup target add $target"
    mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
    folder=$(realpath "$folder")
    say "reading Debian's package lists"
    private_apt apt-get update >"$folder/apt/log" 2>&1 || { cat "$folder/apt/log" >&2; fail "apt-get update failed"; }

    local version std_version depends runtime llvm package
    version=$(field rustc-web:amd64 Version)
    [ -n "$version" ] || fail "the package sources of this machine have no rustc-web (Debian 12 or later has)"
    std_version=$(field libstd-rust-web-dev:arm64 Version)
    [ "$version" = "$std_version" ] ||
        fail "rustc-web is $version, the arm64 libstd-rust-web-dev ${std_version:-missing}: they must be the same"
    toolchain=$folder/rust-$version
    if [ -e "$toolchain/complete" ]; then
        say "rustc-web $version is in $toolchain"
        return
    fi

    # The compiler's shared library and LLVM carry their version in their names: take them from the dependencies.
    depends=$(field libstd-rust-web-dev:amd64 Depends)
    runtime=$(grep -o 'libstd-rust-web-[0-9][0-9.]*' <<<"$depends" | head -n 1) || fail "no runtime in: $depends"
    depends=$(field "$runtime:amd64" Depends)
    llvm=$(grep -o 'libllvm[0-9][0-9.]*' <<<"$depends" | head -n 1) || fail "no libllvm in: $depends"

    say "getting rustc-web $version, $runtime and $llvm for amd64, the standard library for arm64"
    rm -rf "$folder/download" "$toolchain.tmp"
    mkdir -p "$folder/download" "$toolchain.tmp"
    (cd "$folder/download" && private_apt apt-get download \
        "rustc-web:amd64=$version" "libstd-rust-web-dev:amd64=$version" "libstd-rust-web-dev:arm64=$version" \
        "$runtime:amd64=$version" "$llvm:amd64")
    for package in "$folder"/download/*.deb; do
        say "unpacking ${package##*/}"
        dpkg-deb -x "$package" "$toolchain.tmp"
    done
    rm -rf "$folder/download" "$toolchain"
    touch "$toolchain.tmp/complete"
    mv "$toolchain.tmp" "$toolchain"
}

doc_tests=yes
if command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    say "using rustup's $target"
else
    fetch_toolchain
    export RUSTC="$toolchain/usr/bin/rustc" RUSTDOC="$toolchain/usr/bin/rustdoc"
    export LD_LIBRARY_PATH="$toolchain/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    # Debian may ship rustdoc apart.
    [ -x "$RUSTDOC" ] || { doc_tests=no; unset RUSTDOC; }
fi
say "compiler: $("${RUSTC:-rustc}" --version)"
say "emulator: $("$emulator" --version | head -n 1)"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$linker
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$emulator -L $sysroot"
# A folder of its own: another compiler would otherwise rebuild what the usual one has built.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/aarch64-tests"
export PROPTEST_CASES=${PROPTEST_CASES:-32}
build=(--release --locked --package bitspike-kernels --target "$target")

say "building"
cargo test "${build[@]}" --all-targets --no-run
# The runtime compares all its paths with the portable one in one test; the C compiler's output would not run here.
infer=(--release --locked --package bitspike-infer --target "$target" --lib --test fast --test portable)
cargo test "${infer[@]}" --no-run
for path in unset neon portable; do
    say "BITSPIKE_KERNEL $path"
    unset BITSPIKE_KERNEL
    [ "$path" = unset ] || export BITSPIKE_KERNEL=$path
    SECONDS=0
    cargo test "${build[@]}" --lib -- "$@"
    cargo test "${infer[@]}" -- "$@"
    say "BITSPIKE_KERNEL $path: passed in $SECONDS s"
done
if [ "$doc_tests" = yes ]; then
    say "examples of the documentation"
    unset BITSPIKE_KERNEL
    SECONDS=0
    cargo test "${build[@]}" --doc -- "$@"
    say "examples of the documentation: passed in $SECONDS s"
fi
say "all passed"
