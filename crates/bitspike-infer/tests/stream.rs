//! A stream of raw samples in C against `bitspike-sensors` and the runtime: prepared values, classes, posteriors and votes of 200
//! windows of each kind.
#![cfg(feature = "std")]
#![allow(clippy::print_stderr, reason = "a skipped test says so, and differences are worth a look")]

#[path = "common/compiler.rs"]
mod compiler;
#[path = "common/feeds.rs"]
mod feeds;

use bitspike_format::{Encoder, Front, Model, example};
use bitspike_infer::c99::{ExportError, Target, export, stream, template};
use compiler::compiler;
use feeds::{Case, KINDS, WINDOWS, case};
use std::path::{Path, PathBuf};
use std::process::Command;

const WARNINGS: [&str; 7] = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-O2"];

/// Reads counts and pushes them as the first argument says; writes what the network was given, and a line for each window.
const DRIVER: &str = r#"
#include "net_stream.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static net_stream_t stream;
static FILE *prepared;

static void heard(void *context, const net_result_t *r) {
    uint32_t i;
    if (context != &stream) { exit(3); }
    fwrite(stream.WHAT, sizeof(float), NET_INPUTS, prepared);
    printf("%u %u %d %u %s", (unsigned)r->window, (unsigned)r->best, (int)r->steady, (unsigned)r->changed, r->name);
    for (i = 0u; i < NET_CLASSES; i++) { printf(" %.9g", (double)r->posteriors[i]); }
    printf(" %d\n", r->posterior == r->posteriors[r->best]);
}

int main(int count, char **args) {
    static int16_t counts[1 << 20];
    static float samples[7 * NET_CHANNELS];
    FILE *in = fopen("counts.i16", "rb");
    size_t all, i = 0u;
    uint32_t k;
    if (count != 2 || in == 0 || (prepared = fopen("prepared.f32", "wb")) == 0) { return 2; }
    all = fread(counts, sizeof *counts, 1u << 20, in) / NET_CHANNELS;
    net_stream_init(&stream, heard, &stream);
    if (args[1][0] == 'i') {
        net_stream_push_i16(&stream, counts, (uint32_t)all);
    } else {
        while (i < all) {
            const uint32_t block = all - i < 7u ? (uint32_t)(all - i) : 7u;
            for (k = 0u; k < block * NET_CHANNELS; k++) {
                samples[k] = (float)((double)counts[i * NET_CHANNELS + k] * NET_PER_COUNT);
            }
            if (net_stream_push(&stream, samples, block) != block) { return 3; }
            i += block;
        }
    }
    /* What is not finite is not taken, and what was taken before is. */
    for (k = 0u; k < 7u * NET_CHANNELS; k++) { samples[k] = 0.0f; }
    samples[3 * NET_CHANNELS] = NAN;
    if (net_stream_push(&stream, samples, 7u) != 3u) { return 4; }
    samples[3 * NET_CHANNELS] = -HUGE_VALF;
    if (net_stream_push(&stream, samples, 7u) != 3u) { return 5; }
    fclose(prepared);
    return 0;
}
"#;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stream-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the C code says of the windows: a line each, and what the network was given.
fn run(cc: &str, name: &str, case: &Case, how: &str, flags: &[&str]) -> (Vec<String>, Vec<f32>) {
    let model = Model::parse(&case.file).unwrap();
    let folder = folder(name);
    let c = export(&model, "net", &case.windows[0].input).unwrap();
    let s = stream(&model, "net", None).unwrap();
    let counts: Vec<u8> = case.counts.iter().flat_map(|v| v.to_le_bytes()).collect();
    let whole = model.feed().unwrap().signal.unwrap().chain.encoder == Encoder::Whole;
    let driver = DRIVER.replace("WHAT", if whole { "features" } else { "frames" });
    for (file, content) in [
        ("net.h", c.header.as_bytes()),
        ("net.c", c.source.as_bytes()),
        ("net_stream.h", s.header.as_bytes()),
        ("net_stream.c", s.source.as_bytes()),
        ("main.c", driver.as_bytes()),
        ("counts.i16", &counts),
    ] {
        std::fs::write(folder.join(file), content).unwrap();
    }
    let out = Command::new(cc)
        .args(WARNINGS)
        .args(flags)
        .args(["net.c", "net_stream.c", "main.c", "-o", "main"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    let out = Command::new("./main").arg(how).current_dir(&folder).output().unwrap();
    assert!(out.status.success(), "{name}: {:?} {}", out.status, String::from_utf8_lossy(&out.stderr));
    let bytes = std::fs::read(folder.join("prepared.f32")).unwrap();
    let prepared = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    (String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect(), prepared)
}

fn shares(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f64> = logits.iter().map(|l| f64::from(l - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|v| v / sum).collect()
}

/// The class that two of the last three have.
fn steady(classes: &[usize]) -> i64 {
    let last = &classes[classes.len().saturating_sub(3)..];
    last.iter().find(|c| last.iter().filter(|other| other == c).count() >= 2).map_or(-1, |c| *c as i64)
}

#[test]
fn streams_agree_with_the_library() {
    let Some(cc) = compiler() else { return };
    for kind in KINDS {
        let case = case(kind);
        let model = Model::parse(&case.file).unwrap();
        let exact = model.feed().unwrap().signal.unwrap().chain.front == Front::Samples;
        for how in ["i16", "float"] {
            let (lines, prepared) = run(&cc, kind, &case, how, &[]);
            assert!(lines.len() >= WINDOWS, "{kind}: {} windows", lines.len());
            let (mut largest, mut classes, mut before) = (0f32, Vec::new(), -1);
            for (i, (line, window)) in lines.iter().zip(&case.windows).enumerate() {
                let given = &prepared[i * window.input.len()..(i + 1) * window.input.len()];
                largest = given.iter().zip(&window.input).fold(largest, |most, (a, b)| most.max((a - b).abs()));
                if exact {
                    assert!(given.iter().zip(&window.input).all(|(a, b)| a.to_bits() == b.to_bits()), "{kind} {i}");
                }
                classes.push(window.best);
                let voted = steady(&classes);
                let changed = u32::from(voted != before);
                before = voted;
                let expected = format!("{i} {} {voted} {changed} k{} ", window.best, window.best);
                assert!(line.starts_with(&expected), "{kind}: {expected:?} and {line:?}");
                let found: Vec<f64> = line[expected.len()..].split(' ').map(|v| v.parse().unwrap()).collect();
                let shares = shares(&window.logits);
                // Spectra in other last bits move spikes that lie at the threshold.
                let most = if exact { 2e-6 } else { 0.3 };
                assert!(
                    found.iter().zip(&shares).all(|(a, b)| (a - b).abs() < most),
                    "{kind} {i}: {found:?} {shares:?}"
                );
                assert_eq!(found[10], 1.0);
            }
            let mut distinct = classes.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert!(distinct.len() >= 3, "{kind}: only the classes {distinct:?}");
            eprintln!(
                "{kind}, {how}: {WINDOWS} windows, {} classes, prepared values differ by at most {largest:e}",
                distinct.len()
            );
            assert!(largest < 1e-3, "{kind}: {largest}");
        }
    }
}
