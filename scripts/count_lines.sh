#!/usr/bin/env bash
# Lines of Rust of every crate at a commit, without tests, comments and empty lines.
#
#   scripts/count_lines.sh [COMMIT]      default: HEAD
#
# Tests are files and folders named so, and `mod tests { ... }` under `#[cfg(test)]`.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=${1:-HEAD}
for crate in $(git ls-tree --name-only "$commit" crates/); do
    git ls-tree -r --name-only "$commit" "$crate/src" | grep '\.rs$' | grep -v 'tests\?\.rs$\|/tests/\|/testing\.rs$' |
        while read -r file; do git show "$commit:$file"; done |
        awk -v crate="$(basename "$crate")" '
            /^#\[cfg\(test\)\]/ { held = 1; next }
            held && /^(pub )?mod .*\{$/ { test = 1 }
            { held = 0 }
            test { if (/^}/) test = 0; next }
            NF && $1 !~ /^\/\// { n++ }
            END { print crate, n + 0; }'
done | awk '{ print; sum += $2 } END { print "all", sum }'
