//! Exported C, compiled without warnings and run: logits equal to the last bit.
#![cfg(feature = "std")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;
#[path = "common/compiler.rs"]
mod compiler;

use bitspike_format::{
    Features, GateSpec, Model, ModelSpec, Pool, WordLengths, example, quantise, write, write_integers,
};
use bitspike_infer::c99::{ExportError, export};
use compiler::compiler;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Exports, compiles with every warning an error, runs; returns what the program says and whether it ended well.
fn run(
    cc: &str,
    name: &str,
    spec: &ModelSpec,
    samples: &[f32],
    flags: &[&str],
    change: &dyn Fn(String) -> String,
) -> (String, bool) {
    run_file(cc, name, &write(spec).unwrap(), samples, flags, change)
}

fn run_file(
    cc: &str,
    name: &str,
    bytes: &[u8],
    samples: &[f32],
    flags: &[&str],
    change: &dyn Fn(String) -> String,
) -> (String, bool) {
    let model = Model::parse(bytes).unwrap();
    let c = export(&model, "net", samples).unwrap();
    // The tool prints what the header says.
    let words = format!("#define NET_ARENA_WORDS {}\n", bitspike_infer::run_words(&model).unwrap());
    assert!(c.header.contains(&words), "{name}: {}", c.header);
    program(cc, name, [&c.header, &change(c.source), &c.test], flags)
}

/// Compiles header, network and a program that uses it; as [`run`].
fn program(cc: &str, name: &str, [header, source, main]: [&str; 3], flags: &[&str]) -> (String, bool) {
    let folder = folder(name);
    std::fs::write(folder.join("net.h"), header).unwrap();
    std::fs::write(folder.join("net.c"), source).unwrap();
    std::fs::write(folder.join("net_test.c"), main).unwrap();
    let out = Command::new(cc)
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-O2"])
        .args(flags)
        .args(["net.c", "net_test.c", "-o", "net_test"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    let out = Command::new(folder.join("net_test")).output().unwrap();
    (String::from_utf8_lossy(&out.stdout).into_owned(), out.status.success())
}

fn same(source: String) -> String {
    source
}

#[test]
fn random_chains_agree_bit_for_bit() {
    let Some(cc) = compiler() else { return };
    for seed in 0..24 {
        let (spec, frames) = common::random(seed, false);
        let (text, ok) = run(&cc, &format!("random{seed}"), &spec, &frames, &[], &same);
        assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}: {text}");
    }
}

#[test]
fn random_kernels_that_are_not_square_agree_bit_for_bit() {
    let Some(cc) = compiler() else { return };
    for seed in 0..24 {
        let residual = seed % 4 == 3;
        let (spec, frames) = common::random_rows(seed, residual);
        let (text, ok) = run(&cc, &format!("rows{seed}"), &spec, &frames, &[], &same);
        assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}: {text}");
        let (spec, frames) = common::random_rows_integers(seed, residual);
        let bytes = write_integers(&spec).unwrap();
        let (text, ok) = run_file(&cc, &format!("rows{seed}"), &bytes, &frames, &[], &same);
        assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}: {text}");
    }
}

#[test]
fn signals_agree_over_several_samples() {
    let Some(cc) = compiler() else { return };
    let samples = example::Numbers::new(4).take(5 * 6 * 33).into_iter().map(|v| 2.0 * v).collect::<Vec<_>>();
    for (i, pool) in [Pool::Current, Pool::Spikes, Pool::MaxSpikes].into_iter().enumerate() {
        let gate: example::GateOf<'_> = if i == 0 { &example::element_gate } else { &example::sample_gate };
        let spec = example::chain("32-P-40-P-33-P", [6, 1, 33], 4, Features::Flatten, pool, gate);
        let spec = example::one_row(spec);
        let (integers, _) = quantise(&spec, &WordLengths::default()).unwrap();
        for (k, bytes) in [write(&spec).unwrap(), write_integers(&integers).unwrap()].iter().enumerate() {
            let name = format!("signal{i}{k}");
            let (text, ok) = run_file(&cc, &name, bytes, &samples, &[], &same);
            assert!(ok && text.contains("5 of 5 samples agree"), "{pool:?} {k}: {text}");
            // Windows of two rows, where there is one.
            let change = |source: String| source.replace("out_rows(b) == 1u ? 1u : 2u", "out_rows(b) == 0u ? 1u : 2u");
            let (text, ok) = run_file(&cc, &name, bytes, &samples, &[], &change);
            assert!(!ok, "{pool:?} {k}: {text}");
        }
    }
}

/// Every word that the C code touches lies in the arena that the runtime asks for, and no pointer leaves it.
#[test]
fn the_arena_is_that_of_the_runtime() {
    let Some(cc) = compiler() else { return };
    let flags = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let probe = folder("arena").join("probe.c");
    std::fs::write(&probe, "int main(void) { return 0; }\n").unwrap();
    let known = Command::new(&cc).args(flags).arg(&probe).arg("-o").arg(probe.with_extension("out")).output();
    if !known.is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: {cc} has no sanitizers");
        return;
    }
    for seed in 0..6 {
        let residual = seed % 2 == 1;
        let (spec, frames) = common::random(seed, residual);
        let (text, ok) = run(&cc, &format!("arena{seed}"), &spec, &frames, &flags, &same);
        assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}: {text}");
        let (spec, frames) = common::random_integers(seed, residual);
        let bytes = write_integers(&spec).unwrap();
        let (text, ok) = run_file(&cc, &format!("arena{seed}"), &bytes, &frames, &flags, &same);
        assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}, integers: {text}");
    }
}

#[test]
fn random_residual_chains_agree_bit_for_bit() {
    let Some(cc) = compiler() else { return };
    for seed in 0..16 {
        let (spec, frames) = common::random(seed, true);
        let (text, ok) = run(&cc, &format!("residual{seed}"), &spec, &frames, &[], &same);
        assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}: {text}");
    }
}

#[test]
fn residual_chains_agree_over_several_samples() {
    let Some(cc) = compiler() else { return };
    let per_channel = |steps: usize, channels: usize, numbers: &mut example::Numbers| GateSpec::Sample {
        alpha: numbers.take(steps * channels),
        per_channel: true,
        inside: false,
        hard: true,
    };
    let fixed =
        |steps: usize, channels: usize, numbers: &mut example::Numbers| GateSpec::Fixed(numbers.take(steps * channels));
    let gates: [example::GateOf<'_>; 4] = [&example::sample_gate, &per_channel, &fixed, &example::element_gate];
    for (i, gate) in gates.into_iter().enumerate() {
        let spec = example::residual("20-20-40", [3, 8, 10], 3, Features::Average, gate);
        let samples = example::Numbers::new(4).take(5 * 3 * 8 * 10);
        let (text, ok) = run(&cc, &format!("shortcuts{i}"), &spec, &samples, &[], &same);
        assert!(ok && text.contains("5 of 5 samples agree"), "{i}: {text}");
        let change = |source: String| source.replace("sum * 0.25f", "sum * 0.26f");
        let (text, ok) = run(&cc, &format!("shortcuts{i}"), &spec, &samples, &[], &change);
        assert!(!ok && text.contains("logits differ"), "{i}: {text}");
    }
}

#[test]
fn random_chains_of_integers_agree_bit_for_bit() {
    let Some(cc) = compiler() else { return };
    for seed in 0..12 {
        for residual in [false, true] {
            let (spec, frames) = common::random_integers(seed, residual);
            let bytes = write_integers(&spec).unwrap();
            let (text, ok) = run_file(&cc, &format!("integers{seed}{residual}"), &bytes, &frames, &[], &same);
            assert!(ok && text.contains("1 of 1 samples agree"), "seed {seed}: {text}");
        }
    }
}

#[test]
fn integer_gates_poolings_and_shortcuts_agree() {
    let Some(cc) = compiler() else { return };
    let per_channel = |steps: usize, channels: usize, numbers: &mut example::Numbers| GateSpec::Sample {
        alpha: numbers.take(steps * channels),
        per_channel: true,
        inside: true,
        hard: false,
    };
    let fixed = |steps: usize, _: usize, numbers: &mut example::Numbers| GateSpec::Fixed(numbers.take(steps));
    let gates: [example::GateOf<'_>; 4] = [&example::sample_gate, &per_channel, &fixed, &example::element_gate];
    let samples = example::Numbers::new(4).take(5 * 3 * 12 * 12);
    for (k, gate) in gates.into_iter().enumerate() {
        let mut specs = vec![example::residual("20-20-40", [3, 12, 12], 3, Features::Average, gate)];
        for pool in [Pool::Current, Pool::Spikes, Pool::MaxSpikes] {
            specs.push(example::chain("32-40-P-33-P", [3, 12, 12], 4, Features::Flatten, pool, gate));
        }
        for (i, spec) in specs.iter().enumerate() {
            let (spec, _) = quantise(spec, &WordLengths::default()).unwrap();
            let bytes = write_integers(&spec).unwrap();
            let name = format!("integer_gates{k}{i}");
            let (text, ok) = run_file(&cc, &name, &bytes, &samples, &[], &same);
            assert!(ok && text.contains("5 of 5 samples agree"), "{i} {k}: {text}");
            let change = |source: String| source.replace("u < b->threshold", "2 * u < b->threshold");
            let (text, ok) = run_file(&cc, &name, &bytes, &samples, &[], &change);
            assert!(!ok && text.contains("logits differ"), "{i} {k}: {text}");
        }
    }
}

#[test]
fn gates_and_poolings_agree_with_and_without_fused_instructions() {
    let Some(cc) = compiler() else { return };
    let native = Command::new(&cc).args(["-march=native", "-E", "-x", "c", "/dev/null"]).output();
    let native: &[&str] = if native.is_ok_and(|o| o.status.success()) { &["-march=native"] } else { &[] };
    let per_channel = |steps: usize, channels: usize, numbers: &mut example::Numbers| GateSpec::Sample {
        alpha: numbers.take(steps * channels),
        per_channel: true,
        inside: true,
        hard: false,
    };
    let gates: [example::GateOf<'_>; 3] = [&example::sample_gate, &per_channel, &example::element_gate];
    for (i, pool) in [Pool::Current, Pool::Spikes, Pool::MaxSpikes].into_iter().enumerate() {
        for (k, gate) in gates.into_iter().enumerate() {
            let spec = example::chain("32-40-P-33-P", [3, 13, 12], 4, Features::Flatten, pool, gate);
            let samples = example::Numbers::new(4).take(5 * 3 * 13 * 12);
            let (text, ok) = run(&cc, &format!("gates{i}{k}"), &spec, &samples, native, &same);
            assert!(ok && text.contains("5 of 5 samples agree"), "{pool:?} {k}: {text}");
        }
    }
}

#[test]
fn the_test_program_notices_a_changed_network() {
    let Some(cc) = compiler() else { return };
    let spec = example::tiny_spec();
    let samples = example::Numbers::new(4).take(3 * 32);
    let change = |source: String| source.replace("u >= b->threshold", "u >= 0.5f * b->threshold");
    let (text, ok) = run(&cc, "changed", &spec, &samples, &[], &change);
    assert!(!ok && text.contains("logits differ"), "{text}");
}

/// Puts NaN, infinities and the largest number into the first, the second and the last value.
const NOT_FINITE: &str = r#"
#include "net.h"
#include <stdio.h>
#include <string.h>

static uint32_t arena[NET_ARENA_WORDS];

int main(void) {
    static const uint32_t bits[] = {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0xFFC00000u, 0x7F800001u, 0x7F7FFFFFu};
    static const uint32_t places[] = {0u, 1u, NET_INPUTS - 1u};
    static float input[NET_INPUTS], logits[NET_CLASSES], before[NET_CLASSES];
    uint32_t i, k, wrong = 0u;
    for (i = 0u; i < 6u; i++) {
        for (k = 0u; k < 3u; k++) {
            const int expected = i < 5u ? NET_NOT_FINITE : NET_OK;
            memset(input, 0, sizeof input);
            memset(logits, 0x3E, sizeof logits);
            memcpy(before, logits, sizeof logits);
            memcpy(&input[places[k]], &bits[i], sizeof bits[i]);
            wrong += net_run(arena, input, logits) != expected;
            wrong += (memcmp(logits, before, sizeof logits) == 0) != (expected == NET_NOT_FINITE);
        }
    }
    printf("%u wrong\n", (unsigned)wrong);
    return wrong != 0u;
}
"#;

#[test]
fn values_that_are_not_finite_are_refused() {
    let Some(cc) = compiler() else { return };
    let gate = &example::sample_gate;
    let chain = example::chain("8-8-P-16", [2, 4, 5], 3, Features::Flatten, Pool::Current, gate);
    let residual = example::residual("8-8", [2, 4, 5], 3, Features::Average, gate);
    for (i, spec) in [chain, residual].into_iter().enumerate() {
        for sequence in [false, true] {
            let spec = ModelSpec { sequence, ..spec.clone() };
            let samples = vec![0.0; 2 * 4 * 5 * if sequence { 3 } else { 1 }];
            let (integers, _) = quantise(&spec, &WordLengths::default()).unwrap();
            for (k, bytes) in [write(&spec).unwrap(), write_integers(&integers).unwrap()].iter().enumerate() {
                let c = export(&Model::parse(bytes).unwrap(), "net", &samples).unwrap();
                let name = format!("finite{i}{sequence}{k}");
                let (text, ok) = program(&cc, &name, [&c.header, &c.source, NOT_FINITE], &[]);
                assert!(ok && text.contains("0 wrong"), "{name}: {text}");
            }
        }
    }
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let bytes = example::tiny();
    let model = Model::parse(&bytes).unwrap();
    for name in ["", "Net", "1net", "my-net", "net;"] {
        assert!(matches!(export(&model, name, &[0.0; 32]), Err(ExportError::Name { .. })), "{name}");
    }
    assert!(matches!(export(&model, "net", &[0.0; 31]), Err(ExportError::Infer(_))));
    assert!(matches!(export(&model, "net", &[]), Err(ExportError::Infer(_))));
}
