#!/usr/bin/env bash
# On a machine with an NVIDIA card: runs the tests of test_vulkan.sh through CUDA, then times training steps of VGG-11 there and on
# the processor.
#
#   scripts/gpu_check.sh [REPS]
#
# REPS  training steps that are timed, default 20
#
# Needed: cargo, the driver with nvidia-smi, and the CUDA toolkit, whose compiler at run time (NVRTC) CubeCL uses. Not run on a card so far.
set -euo pipefail
cd "$(dirname "$0")/.."
reps=${1:-20}
say() { echo "==> $*"; }
fail() { echo "gpu_check.sh: $*" >&2; exit 1; }
for program in cargo nvidia-smi; do
    command -v "$program" >/dev/null || fail "$program is missing; see the head of this script"
done
card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader) || fail "nvidia-smi finds no card: $card"
say "card, driver: $card"

# One set of packages and features for both, so that Burn is compiled once.
set=(--release --locked -p bitspike -p bitspike-nn -p bitspike-train --features bitspike/cuda)
BITSPIKE_TEST_DEVICE=cuda BURN_DEVICE=cuda cargo test "${set[@]}" --no-fail-fast --test finite_differences \
    --test fused_equals_composed --test golden --test laws --test networks --test wrong_shapes
cargo build "${set[@]}" --bin bitspike
for device in cuda cpu; do
    say "training steps of VGG-11 on $device; of its parts only the whole step means something on a card"
    target/release/bitspike bench train --net vgg11 --reps "$reps" --device "$device"
done
