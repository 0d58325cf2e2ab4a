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
    let chain = model.feed().unwrap().signal.unwrap().chain;
    let by_window = matches!(chain.front, Front::LogMel(mel) if mel.by_window);
    let what = match (chain.encoder, by_window) {
        (Encoder::Whole, true) => "levelled",
        (Encoder::Whole, false) => "features",
        _ => "frames",
    };
    let driver = DRIVER.replace("WHAT", what);
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
            let (mut largest, mut close, mut classes, mut before) = (0f32, 0, Vec::new(), -1);
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
                let apart = found.iter().zip(&shares).fold(0f64, |most, (a, b)| most.max((a - b).abs()));
                assert!(!exact || apart < 2e-6, "{kind} {i}: {found:?} {shares:?}");
                close += usize::from(apart < 2e-6);
                assert_eq!(found[10], 1.0);
            }
            let mut distinct = classes.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert!(distinct.len() >= 3, "{kind}: only the classes {distinct:?}");
            eprintln!(
                "{kind}, {how}: {WINDOWS} windows, {} classes, prepared values differ by at most {largest:e}, {close} equal posteriors",
                distinct.len()
            );
            // A spectrum in other last bits moves a spike that lies at its threshold, and what follows it.
            assert!(largest < 1e-4 && 10 * close >= 9 * WINDOWS, "{kind}: {largest}, {close} windows");
        }
    }
}

/// A folder for each target with stubs in the place of the system's headers; nothing of it is linked.
#[test]
fn templates_pass_a_syntax_check() {
    let Some(cc) = compiler() else { return };
    let case = case("audio-channels");
    let model = Model::parse(&case.file).unwrap();
    let stubs = [
        (
            "Arduino.h",
            "#include <stdint.h>\nstruct Stub { void begin(long); template <class T> void print(T); template <class T> void println(T); };\nextern Stub Serial;\nuint32_t micros();\n",
        ),
        ("freertos/FreeRTOS.h", "typedef unsigned TickType_t;\n"),
        ("freertos/task.h", "void vTaskDelay(TickType_t ticks);\nvoid app_main(void);\n"),
        (
            "zephyr/kernel.h",
            "typedef struct { long us; } k_timeout_t;\n#define K_USEC(n) ((k_timeout_t){(long)(n)})\nint k_sleep(k_timeout_t t);\n",
        ),
        ("zephyr/sys/printk.h", "void printk(const char *format, ...);\n"),
    ];
    for target in Target::ALL {
        let folder = folder(&format!("template-{target}"));
        let files = template(&model, "net", target, Some(320)).unwrap();
        let inner = stubs.iter().map(|(path, text)| (format!("stubs/{path}"), (*text).to_owned()));
        for (path, text) in files.iter().cloned().chain(inner) {
            assert!(!text.contains('@') && text.ends_with('\n'), "{target}: {path}");
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (path, _) in files.iter().filter(|(path, _)| path.ends_with(".c") || path.ends_with(".ino")) {
            let sketch = path.ends_with(".ino");
            let language: &[&str] = if sketch {
                &["-std=gnu++11", "-include", "Arduino.h", "-x", "c++"]
            } else {
                &["-std=c99", "-Wpedantic"]
            };
            let out = Command::new(&cc)
                .args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Istubs"])
                .args(language)
                .arg(path)
                .current_dir(&folder)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&out.stderr);
            if sketch && !out.status.success() && text.contains("cc1plus") {
                eprintln!("skipped: {cc} has no C++");
                continue;
            }
            assert!(out.status.success(), "{target}, {path}: {text}");
        }
        // What the makefiles name is there.
        let named = |file: &str, names: &[&str]| {
            let (_, text) = files.iter().find(|(path, _)| path == file).unwrap();
            names.iter().for_each(|name| assert!(text.contains(name), "{file} lacks {name}"));
        };
        match target {
            Target::Bare => {
                named("Makefile", &["main.c", "board.c", "startup.c", "net.c", "net_stream.c", "memory.ld"])
            }
            Target::Arduino => named("net/net.ino", &["net_stream.h", "one sample every 125 microseconds"]),
            Target::EspIdf => named("main/CMakeLists.txt", &["\"main.c\"", "\"net.c\"", "\"net_stream.c\""]),
            Target::Zephyr => named("CMakeLists.txt", &["src/main.c", "src/net.c", "src/net_stream.c"]),
        }
        let (_, readme) = files.iter().find(|(path, _)| path == "README.md").unwrap();
        assert!(readme.contains("2 channels at 8000 Hz, windows of 480 samples, 320 from one to the next"), "{readme}");
    }
    assert_eq!("esp-idf".parse::<Target>().unwrap(), Target::EspIdf);
    let error = "esp".parse::<Target>().unwrap_err();
    assert!(error.to_string().contains("\"esp\" is none of the templates") && error.hint().contains("esp-idf"));
}

/// The memory that header and README tell is that of the structure.
#[test]
fn sizes_are_those_of_the_structure() {
    let Some(cc) = compiler() else { return };
    for kind in ["motion", "delta", "audio", "audio-slaney"] {
        let case = case(kind);
        let model = Model::parse(&case.file).unwrap();
        let folder = folder(&format!("size-{kind}"));
        let (c, s) = (export(&model, "net", &case.windows[0].input).unwrap(), stream(&model, "net", None).unwrap());
        // Two addresses of 32 bits, whatever they have here.
        let program = format!(
            "#include \"net_stream.h\"\ntypedef char right[sizeof(net_stream_t) - 2u * sizeof(void *) + 8u - {}u < 8u ? 1 : -1];\n",
            s.ram_bytes
        );
        for (file, text) in [("net.h", &c.header), ("net_stream.h", &s.header), ("size.c", &program)] {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let out =
            Command::new(&cc).args(["-std=c99", "-fsyntax-only", "size.c"]).current_dir(&folder).output().unwrap();
        assert!(out.status.success(), "{kind}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(s.header.contains(&format!("{} bytes", s.ram_bytes)));
    }
}

#[test]
fn what_has_no_stream_is_refused() {
    let bytes = example::tiny();
    let error = stream(&Model::parse(&bytes).unwrap(), "net", None).unwrap_err();
    assert!(error.to_string().contains("does not say how samples are made") && error.hint().contains("sensors"));
    let audio = case("audio");
    let model = Model::parse(&audio.file).unwrap();
    let error = stream(&model, "net", Some(1000)).unwrap_err();
    assert!(error.to_string().contains("every 1000 samples") && error.to_string().contains("every 128"), "{error}");
    assert!(matches!(stream(&model, "net", Some(0)), Err(ExportError::Stream { .. })));
    assert!(matches!(stream(&model, "Net", None), Err(ExportError::Name { .. })));
    let refused = |change: &dyn Fn(&mut bitspike_format::SignalSpec), sequence: bool| {
        let read = model.feed().unwrap().signal.unwrap();
        let mut signal = bitspike_format::SignalSpec {
            channels: read.channels.iter().map(str::to_owned).collect(),
            chain: read.chain,
            centre: read.centre.iter().collect(),
            scale: read.scale.iter().collect(),
        };
        change(&mut signal);
        let (_, shape) = signal.chain.frames(1, 2).unwrap();
        let gate = &example::sample_gate;
        let shape = shape.map(|n| n as usize);
        let spec = example::chain("4", shape, 2, bitspike_format::Features::Average, bitspike_format::Pool::None, gate);
        let classes = (0..10).map(|i| i.to_string()).collect();
        let feed = Some(bitspike_format::FeedSpec { classes, signal: Some(signal) });
        let bytes = bitspike_format::write(&bitspike_format::ModelSpec { feed, sequence, ..spec }).unwrap();
        stream(&Model::parse(&bytes).unwrap(), "net", None).unwrap_err().to_string()
    };
    let rate = Encoder::Rate { gain: 1.0, signed: false, seed: 0 };
    assert!(refused(&|s| s.chain.encoder = rate, true).contains("random spikes"));
    // 24 bands below 400 Hz are closer to each other than bins of 31 Hz.
    let narrow = refused(
        &|s| {
            if let Front::LogMel(mel) = &mut s.chain.front {
                mel.high_hz = 400.0
            }
        },
        false,
    );
    assert!(narrow.contains("holds no bin of a transform of 256 points"), "{narrow}");
}
