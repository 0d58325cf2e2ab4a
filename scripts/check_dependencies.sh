#!/usr/bin/env bash
# Checks licences, sources and bans of all dependencies by deny.toml, and advisories where their list can be fetched.
#
#   scripts/check_dependencies.sh [advisories]
#
# Needs cargo-deny (cargo install cargo-deny); without it nothing is checked here, and the tests in
# crates/bitspike/tests/licences.rs still check licences and sources of the default build. `advisories` fetches
# github.com/rustsec/advisory-db, so CI does without, and it fails where that cannot be reached: nothing was checked then.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
    echo "check_dependencies.sh: skipped: cargo-deny is not installed (cargo install cargo-deny)"
    exit 0
fi
cargo deny --locked check licenses bans sources
case ${1:-} in
    "") ;;
    advisories) cargo deny --locked check advisories ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
