//! Event recordings and sensors as users have them: files, a recipe, a run, a deployed file, a stream.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitspike"));
    command.current_dir(folder).args(args);
    command
}

fn done(folder: &Path, args: &[&str]) -> Output {
    let out = command(folder, args).output().expect("the program starts");
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two seconds of events, 1 in a millisecond, in the left or right half of an 8x8 sensor.
fn recording(left: bool, salt: u32) -> String {
    let mut out = "t,x,y,p\n".to_owned();
    for t in 0..2000u32 {
        let n = t.wrapping_mul(2_654_435_761).wrapping_add(salt) >> 16;
        let (x, y) = (n % 4 + if left { 0 } else { 4 }, n / 4 % 8);
        writeln!(out, "{},{x},{y},{}", t * 1000, n / 32 % 2).expect("a string");
    }
    out
}

const EVENTS: &str = "name = 'halves'\nmethod = 'agmm'\n[data]\nset = 'event-windows'\n[data.events]\nwindow_ms = 50\n\
                      gap_ms = 100\ntrain_part = 0.7\nsensor = [8, 8]\ntime_unit = 'us'\n[network]\nlayers = '8-P-8'\n\
                      T = 4\n[train]\nepochs = 6\nbatch_size = 8\n[optim]\nlr = 0.05\n";

#[test]
fn a_stream_is_classified_window_by_window() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path();
    std::fs::create_dir(folder.join("events")).expect("writable");
    for (class, left) in [("left", true), ("right", false)] {
        std::fs::write(folder.join(format!("events/{class}.csv")), recording(left, 1)).expect("writable");
    }
    std::fs::write(folder.join("r.toml"), EVENTS).expect("writable");
    let train = ["train", "r.toml", "--data-dir", "events", "--out", "run", "--quiet", "--threads", "1"];
    done(folder, &train);
    done(folder, &["export", "run", "-o", "net.bsnn"]);
    let out = done(folder, &["verify", "run", "net.bsnn", "--samples", "0", "--threads", "1", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!((&report["folded_agree"], &report["paths_agree"]), (&report["samples"], &report["samples"]));
    let infer = ["infer", "net.bsnn", "--recipe", "r.toml", "--data-dir", "events", "--json"];
    let scores: serde_json::Value = serde_json::from_slice(&done(folder, &infer).stdout).expect("JSON");
    assert!(scores["accuracy"].as_f64().expect("a number") > 0.9, "{scores}");

    // The same file and pipe give the same lines but for latency: 40 windows of a recording nobody trained on.
    std::fs::write(folder.join("new.csv"), recording(false, 99)).expect("writable");
    let lines = |out: &[u8]| -> Vec<(i64, u64, String)> {
        let line = |l: &str| {
            let l: serde_json::Value = serde_json::from_str(l).expect("JSON");
            assert!(l["latency_ms"].as_f64().expect("a number") > 0.0);
            let class = l["class"].as_str().expect("a class").to_owned();
            (l["start_us"].as_i64().expect("a number"), l["events"].as_u64().expect("a number"), class)
        };
        text(out).lines().map(line).collect()
    };
    let follow = |from: &'static str| ["infer", "net.bsnn", "--recipe", "r.toml", "--json", "--follow", from];
    let file = lines(&done(folder, &follow("new.csv")).stdout);
    let mut piped = command(folder, &follow("-"));
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = piped.stdin.take().expect("a pipe");
    stdin.write_all(recording(false, 99).as_bytes()).expect("the program reads");
    drop(stdin);
    let piped = piped.wait_with_output().expect("the program ends");
    assert_eq!(lines(&piped.stdout), file);
    assert_eq!(file.len(), 40);
    assert!(file.iter().enumerate().all(|(i, (start, events, _))| *start == 50_000 * i as i64 && *events == 50));
    assert!(file.iter().filter(|(_, _, class)| class == "right").count() > 36, "{file:?}");

    let out = command(folder, &["infer", "net.bsnn", "--recipe", "r.toml", "--follow", "nowhere"]).output();
    let out = out.expect("the program starts");
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("nowhere"), "{}", text(&out.stderr));
}

/// Waves of three people, slow and fast, in a folder `files`, and a recipe `r.toml` with windows of 33 values.
fn waves(folder: &Path) -> &'static str {
    std::fs::create_dir(folder.join("files")).expect("writable");
    for who in ["ann", "ben", "cem"] {
        for (label, period) in [("slow", 16.0), ("fast", 5.0)] {
            let row = |i: u32| format!("{:.4},{}\n", (f64::from(i) * std::f64::consts::TAU / period).sin(), i % 7);
            let rows: String = (0..640).map(row).collect();
            std::fs::write(folder.join(format!("files/{who}_{label}_1.csv")), format!("a,b\n{rows}"))
                .expect("writable");
        }
    }
    let recipe = "name = 'waves'\n[data]\nset = 'sensors'\npath = 'files'\n[data.sensors]\nrate_hz = 50.0\n\
                  labels = { from = 'name', pattern = '{group}_{label}_{take}.csv' }\n\
                  window = { length = 33, hop = 8 }\nsplit = { by = 'group', test = ['ann'] }\n[network]\n\
                  layers = '8-P-8'\nT = 2\n[train]\nepochs = 4\nbatch_size = 16\n[optim]\nlr = 0.05\n";
    std::fs::write(folder.join("r.toml"), recipe).expect("writable");
    recipe
}

fn report(out: &Output) -> serde_json::Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stdout)))
}

#[test]
fn networks_in_one_dimension_are_deployed_with_every_spike_and_logit() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path();
    waves(folder);
    let rows: &[&[&str]] = &[
        &["method=bsnn"],
        &["method=agmm", "network.layers=8-P-40-P-12", "network.T=3"],
        &["method=agmm-hw", "network.pooling=spikes", "network.layers=8-P-16-P-9-P"],
        &["method=agmm", "network.pooling=max-spikes", "network.head=average", "network.weight_scale=mean-abs"],
        &["method=agmm", "network.pooling=spikes", "agmm.pool=chw", "agmm.eval_gate=ema", "neuron.reset=hard"],
        &["method=recu", "network.layers=8-P-16"],
        &["method=bsnn", "network.family=bi-real", "network.layers=8-8-8", "network.head=average"],
    ];
    let mut failed = Vec::new();
    for (i, sets) in rows.iter().enumerate() {
        let (run, file) = (format!("run{i}"), format!("net{i}.bsnn"));
        let mut train = vec!["train", "r.toml", "--out", &run, "--quiet", "--threads", "1", "--set", "train.epochs=2"];
        train.extend(sets.iter().flat_map(|set| ["--set", set]));
        done(folder, &train);
        done(folder, &["export", &run, "-o", &file, "--safetensors", "net.safetensors"]);
        let verify = command(folder, &["verify", &run, &file, "--samples", "0", "--threads", "1", "--json"]).output();
        let verify = report(&verify.expect("the program starts"));
        let sum =
            |key: &str| -> u64 { verify["layers"].as_array().unwrap().iter().map(|l| l[key].as_u64().unwrap()).sum() };
        let samples = verify["samples"].as_u64().expect("a number");
        let ok = samples > 100
            && ["paths_agree", "folded_agree", "same_predictions"].iter().all(|key| verify[key] == samples)
            && sum("trainer_spikes") > 1000
            && sum("different") * 1000 <= sum("values")
            && verify["largest_distance_from_threshold"].as_f64().unwrap() < 1e-4;
        if !ok {
            failed.push(format!("{sets:?}: {verify}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_folder_of_csv_files_trains_a_network_in_one_dimension_and_deploys_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path();
    let recipe = waves(folder);
    done(folder, &["train", "r.toml", "--out", "run", "--quiet", "--threads", "1"]);
    done(folder, &["eval", "run", "--min-accuracy", "0.9"]);
    let written = report(&done(folder, &["export", "run", "-o", "net.bsnn", "--c", "c", "--json"]));
    // The file tells the C code what the windows are made of, and the code takes samples.
    let header = std::fs::read_to_string(folder.join("c/bsnn_model.h")).expect("written");
    assert!(header.contains("#define BSNN_MODEL_WINDOW ") && header.contains("BSNN_MODEL_CLASS_NAMES["), "{header}");
    assert!(folder.join("c/bsnn_model_stream.c").exists() && written["c"].to_string().contains("_stream.h"));
    done(folder, &["export", "run", "--c", "bare", "--template", "bare", "--hop", "5"]);
    let stream = std::fs::read_to_string(folder.join("bare/bsnn_model_stream.h")).expect("written");
    assert!(stream.contains("#define BSNN_MODEL_STREAM_HOP 5") && folder.join("bare/Makefile").exists());
    // A kernel of one row: a weight out of three, not of nine.
    assert_eq!(written["binary_weights"], 3 * 8 * 8);
    let infer =
        |file, more: &[&str]| report(&done(folder, &[&["infer", file, "--recipe", "r.toml", "--json"], more].concat()));
    let (fast, portable) = (infer("net.bsnn", &[]), infer("net.bsnn", &["--kernels", "portable"]));
    assert_eq!((&fast["accuracy"], &fast["firing_rates"]), (&portable["accuracy"], &portable["firing_rates"]));
    assert!(fast["accuracy"].as_f64().expect("a number") >= 0.9, "{fast}");
    done(folder, &["export", "run", "-o", "integer.bsnn", "--integer"]);
    done(folder, &["verify", "run", "integer.bsnn", "--threads", "1"]);
    assert!(infer("integer.bsnn", &[])["accuracy"].as_f64().expect("a number") >= 0.9);

    let seen = report(&done(folder, &["data", "inspect", "files/ann_slow_1.csv", "--json"]));
    assert_eq!((&seen["samples"][0], &seen["channels"][1]["name"]), (&640.into(), &"b".into()));
    assert_eq!((&seen["channels"][1]["max"], &seen["missing"]), (&6.0.into(), &serde_json::json!({})));
    let bad = format!("a,b\n{}3,x\n", "1,2\n".repeat(20));
    std::fs::write(folder.join("bad.csv"), bad).expect("writable");
    let out = command(folder, &["data", "inspect", "bad.csv"]).output().expect("the program starts");
    assert!(text(&out.stderr).contains("bad.csv: line 22, field 2"), "{}", text(&out.stderr));

    // A file, a pipe and the test part of the set: the same windows and classes.
    let predictions = ["infer", "net.bsnn", "--recipe", "r.toml", "--write-predictions", "p.csv", "--json"];
    done(folder, &predictions);
    let predicted: Vec<String> = std::fs::read_to_string(folder.join("p.csv"))
        .expect("written")
        .lines()
        .skip(1)
        .map(|l| ["fast", "slow"][l.split(',').nth(2).expect("a field").parse::<usize>().expect("a number")].to_owned())
        .collect();
    // The test part is sorted by class, and half of it would be one class.
    let part = ["infer", "net.bsnn", "--recipe", "r.toml", "--samples", "40", "--write-predictions", "q.csv", "--json"];
    done(folder, &part);
    let labels = std::fs::read_to_string(folder.join("q.csv")).expect("written");
    let labels: Vec<&str> = labels.lines().skip(1).map(|l| l.split(',').nth(1).expect("a field")).collect();
    assert_eq!(labels, [["0"; 20], ["1"; 20]].concat());
    let lines = |out: &[u8]| -> Vec<(u64, f64, String)> {
        let line = |l: &str| {
            let l: serde_json::Value = serde_json::from_str(l).expect("JSON");
            assert!(l["latency_ms"].as_f64().expect("a number") > 0.0);
            let class = l["class"].as_str().expect("a class").to_owned();
            (l["first_sample"].as_u64().expect("a number"), l["start_s"].as_f64().expect("a number"), class)
        };
        text(out).lines().map(line).collect()
    };
    let follow = |from: &'static str| ["infer", "net.bsnn", "--recipe", "r.toml", "--json", "--follow", from];
    let fast = lines(&done(folder, &follow("files/ann_fast_1.csv")).stdout);
    assert_eq!(fast.len(), (640 - 33) / 8 + 1);
    assert!(
        fast.iter().enumerate().all(|(i, (first, s, _))| *first == 8 * i as u64 && (*s - 0.16 * i as f64).abs() < 1e-9)
    );
    let slow = std::fs::read(folder.join("files/ann_slow_1.csv")).expect("readable");
    let mut piped = command(folder, &follow("-"));
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    piped.stdin.take().expect("a pipe").write_all(&slow).expect("the program reads");
    let slow = lines(&piped.wait_with_output().expect("the program ends").stdout);
    let classes: Vec<String> = fast.into_iter().chain(slow).map(|(_, _, class)| class).collect();
    assert_eq!(classes, predicted);
    std::fs::write(folder.join("cut.csv"), "a,b\n1,2\n3\n").expect("writable");
    let out = command(folder, &follow("cut.csv")).output().expect("the program starts");
    assert_eq!(
        (out.status.code(), text(&out.stderr).contains("cut.csv: line 3")),
        (Some(2), true),
        "{}",
        text(&out.stderr)
    );

    let bench = ["bench", "net.bsnn", "--recipe", "r.toml", "--batch", "4", "--reps", "1", "--json"];
    let bench = report(&done(folder, &bench));
    assert_eq!(
        (&bench["layers"][1]["layer"], &bench["images"]),
        (&"blocks.0".into(), &"4 test images of sensors".into())
    );
    assert!(text(&done(folder, &["inspect", "net.bsnn"]).stdout).contains("2x1x33"));
    // An encoding of another length than T is an error that says so.
    let wrong = recipe.replace("[network]", "encode = { kind = 'direct', steps = 11, segments = true }\n[network]");
    std::fs::write(folder.join("w.toml"), wrong).expect("writable");
    let out = command(folder, &["train", "w.toml", "--out", "other"]).output().expect("the program starts");
    assert!(text(&out.stderr).contains("network.T = 11"), "{}", text(&out.stderr));
}

#[test]
fn real_valued_samples_export_as_a_packed_file_and_as_a_graph_of_prepared_windows() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folder = dir.path();
    std::fs::create_dir(folder.join("files")).expect("writable");
    for who in ["ann", "ben"] {
        for (label, period) in [("slow", 16.0), ("fast", 5.0)] {
            let row = |i: u32| format!("{:.4}\n", (f64::from(i) * std::f64::consts::TAU / period).sin());
            let rows: String = (0..640).map(row).collect();
            std::fs::write(folder.join(format!("files/{label}_{who}.csv")), format!("a\n{rows}")).expect("writable");
        }
    }
    let recipe = "name = 'mel'\n[data]\nset = 'sensors'\npath = 'files'\n[data.sensors]\nrate_hz = 1000.0\n\
                  labels = { from = 'name', pattern = '{label}_{group}.csv' }\nwindow = { length = 128 }\n\
                  split = { by = 'group', test = ['ann'] }\n\
                  features = { kind = 'mel', frame = 32, hop = 16, mels = 6 }\n[network]\nlayers = '4-6'\nT = 2\n\
                  [train]\nepochs = 1\nbatch_size = 4\n";
    std::fs::write(folder.join("r.toml"), recipe).expect("writable");
    done(folder, &["train", "r.toml", "--out", "run", "--quiet", "--threads", "1"]);
    done(folder, &["export", "run", "-o", "net.bsnn"]);
    done(folder, &["verify", "run", "net.bsnn", "--samples", "0", "--threads", "1"]);
    done(folder, &["infer", "net.bsnn", "--recipe", "r.toml"]);
    // That a graph of such values computes what the packed file computes is tested in `bitspike-onnx`; here, that it is this one.
    let said = done(folder, &["export", "run", "--onnx", "net.onnx"]);
    assert!(text(&said.stdout).contains("prepared windows in"), "{}", text(&said.stdout));
    let file = std::fs::read(folder.join("net.bsnn")).expect("written above");
    let model = bitspike::format::Model::parse(&file).expect("a network");
    let expected = bitspike::onnx::of(&model, bitspike::onnx::Input::Values).expect("it has a graph");
    assert!(std::fs::read(folder.join("net.onnx")).expect("written above") == expected);
    // What the page on other runtimes feeds it with: the same values, as many as the samples have.
    done(folder, &["infer", "net.bsnn", "--recipe", "r.toml", "--write-inputs", "net.f32"]);
    let inputs = std::fs::metadata(folder.join("net.f32")).expect("written above").len();
    let samples = 2 * (640 / 128) as u64;
    assert_eq!(inputs, 4 * samples * model.network().input_len() as u64);
}
