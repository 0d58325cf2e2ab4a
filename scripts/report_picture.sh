#!/usr/bin/env bash
# Takes a picture of the top of a report page, for docs/images/report.png.
#
#   scripts/report_picture.sh runs/compare-fashion-mnist-mini/report.html docs/images/report.png [HEIGHT]
#
# HTML    page written by `bitspike compare` or `bitspike report`; it needs no network
# PNG     written under a temporary name and renamed
# HEIGHT  rows from the top of the page, default 1500; the width is 1200
#
# Needs Chromium as `chromium`, or the program named by CHROMIUM. The window is as high as the picture, which is what
# crops the page. Fails if the picture is empty or larger than 400 kB, the limit for a picture in this repository.
set -euo pipefail

html=${1:?usage: report_picture.sh HTML PNG [HEIGHT]}
png=${2:?usage: report_picture.sh HTML PNG [HEIGHT]}
height=${3:-1500}
limit=400000

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
    --disable-background-networking --disable-component-update --disable-sync --force-color-profile=srgb \
    --user-data-dir="$work/profile" --window-size="1200,$height" --screenshot="$work/page.png" \
    "file://$(realpath "$html")" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }

if [ ! -s "$work/page.png" ]; then
    echo "no picture was written; Chromium says:" >&2
    cat "$work/log" >&2
    exit 1
fi
bytes=$(wc -c <"$work/page.png")
if [ "$bytes" -gt "$limit" ]; then
    echo "the picture has $bytes bytes, more than $limit: give a smaller HEIGHT than $height" >&2
    exit 1
fi
mkdir -p "$(dirname "$png")"
cp "$work/page.png" "$png.tmp"
mv "$png.tmp" "$png"
echo "$png: 1200x$height, $bytes bytes"
