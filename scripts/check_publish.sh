#!/usr/bin/env bash
# Checks that the crates can be published, without publishing anything.
#
#   scripts/check_publish.sh [--allow-dirty] [--no-verify] [--tests] [CRATE...]
#
# Packs every crate (or those named, with all of ours that they depend on) and builds each from its package; lists their sizes;
# looks into each for README and licences; builds a program outside the workspace from the packages alone; links the example of
# the C interface against an installed library; and compares interfaces with the last tag by cargo-semver-checks. Says what it
# skips. --allow-dirty takes files that are not committed, --no-verify does not build each package by itself, --tests also runs
# the tests of the packages, which find nothing of the workspace there. Needs the index of crates.io.
set -euo pipefail
cd "$(dirname "$0")/.."
publish=() tests= crates=()
for argument; do
    case $argument in
        --allow-dirty | --no-verify) publish+=("$argument") ;;
        --tests) tests=1 ;;
        -*) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
        *) crates+=("$argument") ;;
    esac
done
skipped() { echo "check_publish.sh: skipped: $*"; }
fail() { echo "check_publish.sh: $*" >&2; exit 1; }

if [ ${#crates[@]} -eq 0 ]; then
    selection=(--workspace)
    for folder in crates/*/; do crates+=("$(basename "$folder")"); done
else
    selection=("${crates[@]/#/--package=}")
fi
metadata=$(cargo metadata --format-version 1 --no-deps)
target=$(sed 's/.*"target_directory":"\([^"]*\)".*/\1/' <<<"$metadata")
version=$(cargo pkgid -p bitspike-format | sed 's/.*[#@]//')
grep -q '^repository' Cargo.toml || echo "check_publish.sh: note: no repository in [workspace.package]: see CONTRIBUTING.md"

echo "== packages"
cargo publish --dry-run --locked ${publish[@]+"${publish[@]}"} "${selection[@]}"
cargo package --no-verify --locked --quiet "${selection[@]}" $([[ " ${publish[*]-} " != *--allow-dirty* ]] || echo --allow-dirty)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/packages" "$work/src"
printf '%-20s %8s %6s\n' package kB files
for crate in "${crates[@]}"; do
    file=$target/package/$crate-$version.crate
    size=$(wc -c <"$file")
    tar -xzf "$file" -C "$work/packages"
    inside=$work/packages/$crate-$version
    printf '%-20s %8d %6d\n' "$crate" $((size / 1000)) "$(find "$inside" -type f | wc -l)"
    [ "$size" -lt 10485760 ] || fail "$crate: crates.io takes 10 MiB"
    [ -z "$(find "$inside" ! -type f ! -type d)" ] || fail "$crate: a link in the package"
    grep -q "^# $crate\$" "$inside/README.md" || fail "$crate: no README of its own"
    # In the repository they are links, which a checkout without links would pack as text.
    for licence in LICENSE-MIT LICENSE-APACHE; do
        cmp -s $licence "$inside/$licence" || fail "$crate: no $licence"
    done
done

echo "== a program outside the workspace"
# With the versions of our lock file: what is checked are the packages, not what came out since.
cp Cargo.lock "$work"
{
    printf '[package]\nname = "consumer"\nversion = "0.0.0"\nedition = "2024"\n'
    printf '[workspace]\nmembers = ["packages/*"]\n[dependencies]\n'
    printf '%s = "='"$version"'"\n' "${crates[@]}"
    printf '[patch.crates-io]\n'
    for crate in "${crates[@]}"; do echo "$crate = { path = \"packages/$crate-$version\" }"; done
} >"$work/Cargo.toml"
{
    for crate in "${crates[@]}"; do
        # A crate that is only a program has nothing to link with.
        [ ! -e "$work/packages/$crate-$version/src/lib.rs" ] || echo "use ${crate//-/_} as _;"
    done
    if [[ " ${crates[*]} " == *" bitspike-infer "* ]]; then
        cat <<'RUST'
use bitspike_format::{Model, example};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = example::tiny();
    let model = Model::parse(&file)?;
    let sample = [0.5f32; 2 * 4 * 4];
    let mut arena = vec![0; bitspike_infer::run_words(&model)?];
    let mut logits = [0.0; 10];
    bitspike_infer::run(&model, &mut arena, &sample, &mut logits, &mut ())?;
    std::fs::write("net.bsnn", &file)?;
    std::fs::write("sample.f32", sample.map(f32::to_ne_bytes).concat())?;
    println!("class {}", bitspike_infer::best(&logits));
    Ok(())
}
RUST
    else
        echo 'fn main() {}'
    fi
} >"$work/src/main.rs"
said=$(cd "$work" && CARGO_TARGET_DIR=$target/consumer cargo run --release --quiet)
echo "built and run: ${said:-nothing to run}"
if [ -n "$tests" ]; then
    echo "== tests of the packages"
    (cd "$work" && env -u BITSPIKE_GOLDEN CARGO_TARGET_DIR="$target/consumer" cargo test --release --workspace)
fi

echo "== a C program"
if [[ " ${crates[*]} " != *" bitspike-capi "* || " ${crates[*]} " != *" bitspike-infer "* ]]; then
    skipped "bitspike-capi and bitspike-infer are not among the crates"
elif ! command -v "${CC:-cc}" >/dev/null || ! command -v pkg-config >/dev/null; then
    skipped "no C compiler or no pkg-config"
else
    scripts/install_capi.sh "$work/prefix"
    export PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig
    example=crates/bitspike-capi/examples/c/classify.c
    # The words of pkg-config are several arguments each.
    "${CC:-cc}" -std=c99 $example $(pkg-config --cflags --libs bitspike) -Wl,-rpath,"$work/prefix/lib" -o "$work/shared"
    "${CC:-cc}" -std=c99 $example $(pkg-config --cflags bitspike) "$work/prefix/lib/libbitspike_capi.a" \
        $(pkg-config --variable=static_libs bitspike) -o "$work/static"
    for program in shared static; do
        found=$("$work/$program" "$work/net.bsnn" "$work/sample.f32" | tail -1)
        [ "$found" = "$said" ] || fail "the C program, $program, says '$found', the Rust program '$said'"
        echo "$program: $found"
    done
fi

echo "== interfaces"
last=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if ! cargo semver-checks --version >/dev/null 2>&1; then
    skipped "cargo-semver-checks is not installed (cargo install cargo-semver-checks)"
elif [ -z "$last" ]; then
    skipped "no tag v* to compare interfaces with: the first release"
else
    cargo semver-checks --baseline-rev "$last" "${selection[@]}"
fi
