#!/usr/bin/env bash
# Builds the C interface and installs header, static and shared library, and bitspike.pc for pkg-config.
#
#   scripts/install_capi.sh PREFIX
#
# Then: cc -std=c99 crates/bitspike-capi/examples/c/classify.c $(pkg-config --cflags --libs bitspike), with PREFIX/lib/pkgconfig in
# PKG_CONFIG_PATH if pkg-config does not look there by itself. Linux and macOS.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
crate=crates/bitspike-capi
metadata=$(cargo metadata --format-version 1 --no-deps)
target=$(sed 's/.*"target_directory":"\([^"]*\)".*/\1/' <<<"$metadata")
version=$(cargo pkgid -p bitspike-capi | sed 's/.*[#@]//')

# The compiler knows what its standard library needs on this system; it says so when it makes a static library.
said=$(cargo rustc --release --locked -p bitspike-capi --crate-type staticlib -- --print native-static-libs 2>&1) || { echo "$said" >&2; exit 1; }
private=$(sed -n 's/.*native-static-libs: //p' <<<"$said")
[ -n "$private" ] || { echo "install_capi.sh: the compiler did not say what a static library needs" >&2; exit 1; }
cargo build --release --locked -p bitspike-capi

mkdir -p "$prefix/include" "$prefix/lib/pkgconfig"
install -m 644 $crate/include/bitspike.h "$prefix/include/"
install -m 644 "$target/release/libbitspike_capi.a" "$prefix/lib/"
for shared in "$target"/release/libbitspike_capi.{so,dylib}; do
    [ ! -e "$shared" ] || install -m 755 "$shared" "$prefix/lib/"
done
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" -e "s|@PRIVATE@|$private|" $crate/bitspike.pc.in >"$prefix/lib/pkgconfig/bitspike.pc"
echo "installed in $prefix; pkg-config finds it with PKG_CONFIG_PATH=$prefix/lib/pkgconfig"
