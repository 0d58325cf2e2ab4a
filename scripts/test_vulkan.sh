#!/usr/bin/env bash
# Runs the tests of operations, layers, networks and optimisers, and the reference vectors, on a GPU through Vulkan (Burn's backend
# `wgpu`, kernels in WGSL). Prints the devices there are, and how many tests passed.
#
#   scripts/test_vulkan.sh [FILTER...]
#
# FILTER  passed on to the tests: names to run, or options such as --nocapture
#
# Needed: cargo, and a driver for Vulkan with vulkaninfo. Without a GPU, Mesa's llvmpipe runs the kernels on the processor:
# apt-get install mesa-vulkan-drivers vulkan-tools. That shows that results are right; its times say nothing of a GPU.
#
# VK_DRIVER_FILES=FILE.json is the driver to use where there are several. PROPTEST_CASES=N is another number of random cases,
# BITSPIKE_GOLDEN=DIR has other reference vectors.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { echo "==> $*"; }
fail() { echo "test_vulkan.sh: $*" >&2; exit 1; }
for program in cargo vulkaninfo; do
    command -v "$program" >/dev/null || fail "$program is missing; see the head of this script"
done
devices=$(vulkaninfo --summary 2>/dev/null | sed -n 's/^\s*\(deviceName\|driverInfo\)\s*= //p' | paste -d, - -) || true
[ -n "$devices" ] || fail "no device for Vulkan; without a GPU: apt-get install mesa-vulkan-drivers"
say "devices: $devices"

# The first is for the tests, the second for those that ask Burn for a device.
export BITSPIKE_TEST_DEVICE=wgpu BURN_DEVICE=wgpu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --release --locked --no-fail-fast -p bitspike-nn -p bitspike-train --features bitspike-train/wgpu,bitspike-train/ndarray \
    --lib --test finite_differences --test fused_equals_composed --test golden --test laws --test named --test networks \
    --test wrong_shapes -- "$@" | tee "$log" || status=$?
awk '/^test result:/ { passed += $4; failed += $6 } END { printf "==> %d passed, %d failed\n", passed, failed }' "$log"
exit "$status"
