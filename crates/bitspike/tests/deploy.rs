//! From a trained run to a deployed file, as users do it: `export`, `verify`, `infer`, `inspect`.

use std::path::Path;
use std::process::{Command, Output};

/// A recipe that trains in about a second.
const SMALL: &str = "name = 'small'\n[data]\ntrain_limit = 256\ntest_limit = 60\n[network]\nlayers = '8-P-16-P-12'\n\
                     [train]\nepochs = 1\nbatch_size = 32\nlog_every = 100\ndiagnose_every = 100\n";

fn bitspike(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bitspike")).current_dir(folder).args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(out: &Output) -> serde_json::Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", text(&out.stdout), text(&out.stderr)))
}

/// A folder with a recipe and a run of it with some keys set.
fn trained(sets: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("r.toml"), SMALL).expect("writable");
    let mut args = vec!["train", "r.toml", "--out", "run", "--quiet", "--threads", "1"];
    for set in sets {
        args.extend(["--set", set]);
    }
    let out = bitspike(dir.path(), &args);
    assert!(out.status.success(), "{sets:?}: {}", text(&out.stderr));
    dir
}

/// The first of n samples of the test part that [`SMALL`] has.
fn first(n: usize) -> usize {
    bitspike_data::evenly(n, 60)[0]
}

#[test]
fn every_exportable_option_keeps_its_predictions() {
    let rows: &[&[&str]] = &[
        &["method=bsnn"],
        &["method=agmm-chw", "network.T=3"],
        &["method=agmm-hw", "network.pooling=spikes"],
        &["method=agmm-chw", "agmm.alpha=step-channel", "agmm.alpha_inside=true", "network.pooling=max-spikes"],
        &["method=agmm"],
        &["method=agmm", "agmm.alpha_inside=true", "network.pooling=spikes"],
        &["method=agmm", "network.family=bi-real", "network.layers=8-8-16"],
        &["agmm.pool=chw", "agmm.alpha=step-channel"],
        &["agmm.pool=hw", "agmm.alpha_inside=true"],
        &["agmm.pool=chw", "agmm.eval_gate=ema"],
        &["method=agmm-chw", "agmm.eval_gate=ema"],
        &["agmm.pool=nchw", "network.head=average"],
        &["method=const-gate", "neuron.kind=if"],
        &["network.layers=6c5-P-8c5-P-10c1-FC24-2xFC12"],
        &["method=bsnn", "network.layers=6-P-8c7-P-FC24", "network.pooling=spikes", "network.weight_scale=mean-abs"],
        &["network.family=bi-real", "network.layers=6c5-8c1-12c5", "network.head=average"],
        &["train.ema=0.95", "agmm.pool=chw", "agmm.eval_gate=ema"],
        &["method=const-gate", "agmm.constant=0.35", "norm.gamma_init=0.5"],
        &["agmm.apply=gradient", "neuron.reset=hard"],
        &["network.weight_scale=mean-abs", "neuron.kind=plif", "norm.threshold_dependent=true"],
        &["network.family=bi-real", "network.layers=8-8-16", "network.head=average"],
        &["agmm.eval_gate=ema", "agmm.alpha=fixed", "agmm.position=before-norm", "agmm.pool=const"],
    ];
    let mut failed = Vec::new();
    for sets in rows {
        let dir = trained(sets);
        let out = bitspike(dir.path(), &["export", "run", "-o", "net.bsnn", "--json"]);
        if !out.status.success() {
            failed.push(format!("{sets:?}: {}", text(&out.stderr)));
            continue;
        }
        let verify = ["verify", "run", "net.bsnn", "--samples", "60", "--threads", "1", "--json"];
        let out = bitspike(dir.path(), &verify);
        let report = json(&out);
        let sum =
            |key: &str| -> u64 { report["layers"].as_array().unwrap().iter().map(|l| l[key].as_u64().unwrap()).sum() };
        // Rounding may move a spike, and what follows it in a sample; a wrong fold moves thousands.
        let ok = out.status.success()
            && report["paths_agree"] == 60
            && report["folded_agree"] == 60
            && report["same_predictions"] == 60
            && sum("trainer_spikes") > 1000
            && sum("different") * 1000 <= sum("values")
            // What differs first is within rounding of its threshold.
            && report["largest_distance_from_threshold"].as_f64().unwrap() < 1e-4;
        if !ok {
            failed.push(format!("{sets:?}: {report}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_cannot_be_exported_is_refused_with_layer_reason_and_remedy() {
    let rows: &[(&[&str], &str)] = &[
        (&["method=full-precision"], "blocks.0: method = \"full-precision\""),
        (&["method=agmm-element"], "agmm.pool = \"none\" with agmm.gate = \"sigmoid\""),
        (&["agmm.position=before-norm"], "agmm.position = \"before-norm\""),
        (&["agmm.pool=chw", "agmm.position=before-norm"], "agmm.position = \"before-norm\""),
    ];
    for (sets, message) in rows {
        let dir = trained(sets);
        let out = bitspike(dir.path(), &["export", "run", "-o", "net.bsnn"]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{sets:?}: {error}");
        assert!(error.contains(message) && error.contains("hint:"), "{sets:?}: {error}");
        assert!(!dir.path().join("net.bsnn").exists(), "nothing is written");
    }
}

#[test]
fn a_file_is_inspected_run_and_refused_when_damaged() {
    let dir = trained(&[]);
    let out = bitspike(dir.path(), &["export", "run", "-o", "net.bsnn", "--c", "c", "--c-samples", "2", "--json"]);
    let written = json(&out);
    let size = std::fs::metadata(dir.path().join("net.bsnn")).unwrap().len();
    assert_eq!(written["bytes"], size);
    for name in ["bsnn_model.h", "bsnn_model.c", "bsnn_model_test.c"] {
        assert!(dir.path().join("c").join(name).exists(), "{name}");
    }
    let inspected = json(&bitspike(dir.path(), &["inspect", "net.bsnn", "--json"]));
    assert_eq!((&inspected["flash_bytes"], &inspected["layers"][1]["binary"]), (&size.into(), &true.into()));
    assert!(text(&bitspike(dir.path(), &["inspect", "net.bsnn"]).stdout).contains("blocks.1"));

    let infer = ["infer", "net.bsnn", "--recipe", "r.toml", "--json"];
    let (one, portable) = (json(&bitspike(dir.path(), &infer)), {
        let mut args = infer.to_vec();
        args.extend(["--kernels", "portable", "--threads", "3"]);
        json(&bitspike(dir.path(), &args))
    });
    assert_eq!((&one["accuracy"], &one["sop_per_inference"]), (&portable["accuracy"], &portable["sop_per_inference"]));
    assert!(one["energy"]["with_memory_pj"].as_f64() > one["energy"]["compute_pj"].as_f64());
    let eval = json(&bitspike(dir.path(), &["eval", "run", "--json", "--threads", "1"]));
    assert_eq!(one["accuracy"], eval["accuracy"]);
    let high = ["infer", "net.bsnn", "--samples", "60", "--min-accuracy", "1.01"];
    assert_eq!(bitspike(dir.path(), &high).status.code(), Some(1));

    let mut bytes = std::fs::read(dir.path().join("net.bsnn")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(dir.path().join("net.bsnn"), bytes).unwrap();
    for args in [&["infer", "net.bsnn"][..], &["inspect", "net.bsnn"], &["verify", "run", "net.bsnn"]] {
        let out = bitspike(dir.path(), args);
        assert_eq!(out.status.code(), Some(2));
        assert!(text(&out.stderr).contains("checksum") && text(&out.stderr).contains("hint:"), "{}", text(&out.stderr));
    }
}

#[test]
fn other_forms_are_written_and_predictions_and_inputs_come_out() {
    let dir = trained(&[]);
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    // Without -o nothing else is written.
    let args = ["export", "run", "--onnx", "n.onnx", "--safetensors", "n.safetensors", "--json"];
    let written = json(&bitspike(dir.path(), &args));
    assert_eq!(written["onnx"]["bytes"], read("n.onnx").len());
    assert_eq!(written["safetensors"]["bytes"], read("n.safetensors").len());
    assert!(written["file"].is_null());
    assert_eq!(bitspike(dir.path(), &["export", "run"]).status.code(), Some(2));

    assert!(bitspike(dir.path(), &["export", "run", "-o", "net.bsnn"]).status.success());
    let args =
        ["infer", "net.bsnn", "--samples", "20", "--write-predictions", "p.csv", "--write-inputs", "x.f32", "--json"];
    let scores = json(&bitspike(dir.path(), &args));
    assert_eq!(read("x.f32").len(), 20 * 28 * 28 * 4);
    let csv = text(&read("p.csv"));
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0].len()), (20, 3 + 10));
    assert_eq!(bitspike(dir.path(), &["infer", "net.bsnn", "--write-confusion", "c.txt"]).status.code(), Some(2));
    let confused = ["infer", "net.bsnn", "--samples", "200", "--json", "--write-confusion"];
    let [csv_file, json_file] = ["c.csv", "c.json"].map(|file| {
        let scores = json(&bitspike(dir.path(), &[&confused[..], &[file]].concat()));
        let at = |i: usize, j: usize| scores["confusion"][i][j].as_u64().unwrap();
        let all: u64 = (0..100).map(|i| at(i / 10, i % 10)).sum();
        let right: u64 = (0..10).map(|i| at(i, i)).sum();
        assert_eq!((all, scores["accuracy"].as_f64()), (200, Some(right as f64 / 200.0)), "{scores}");
        let row: u64 = (0..10).map(|j| at(3, j)).sum();
        assert_eq!(scores["recall"][3].as_f64(), Some(at(3, 3) as f64 / row as f64));
        (scores["confusion"].clone(), text(&read(file)))
    });
    let written: serde_json::Value = serde_json::from_str(&json_file.1).unwrap();
    assert_eq!((&written["confusion"], written["classes"].as_array().unwrap().len()), (&json_file.0, 10));
    let third: Vec<&str> = csv_file.1.lines().nth(3).unwrap().split(',').collect();
    assert_eq!((csv_file.1.lines().count(), third.len()), (11, 15));
    assert!((0..10).all(|j| third[5 + j].parse().ok() == csv_file.0[2][j].as_u64()), "{third:?}");
    let shown = text(&bitspike(dir.path(), &["infer", "net.bsnn", "--samples", "200"]).stdout);
    assert!(shown.contains("rows: true, columns: predicted") && shown.contains("recall"), "{shown}");
    let samples: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(samples, bitspike_data::evenly(20, 2000), "spread over the test part");
    let correct = rows.iter().filter(|row| row[1] == row[2]).count();
    assert_eq!(scores["accuracy"], correct as f64 / 20.0);
    assert!(scores["energy_measured_mj"].is_number() != scores["energy_not_measured"].is_string(), "{scores}");
}

/// A run goes out as a NIR graph and comes back as the weights that another training starts from; a gate that NIR cannot say is
/// refused by layer, and what is no graph by what it is.
#[test]
fn a_nir_graph_goes_out_and_comes_back() {
    let dir = trained(&["method=bsnn", "neuron.reset=hard"]);
    let export = |more: &[&str]| bitspike(dir.path(), &[&["export", "run", "--nir", "net.nir"], more].concat());
    let out = export(&["--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let bytes = std::fs::read(dir.path().join("net.nir")).expect("the graph");
    assert_eq!(json(&out)["nir"]["bytes"], bytes.len());
    let out = export(&["--nir-weights", "signs"]);
    assert!(out.status.success() && text(&out.stdout).contains("binary weights as signs"), "{}", text(&out.stderr));
    assert!(export(&[]).status.success());
    let out = bitspike(dir.path(), &["import", "net.nir", "-o", "start"]);
    assert!(out.status.success() && text(&out.stdout).contains("8-P-16-P-12"), "{}", text(&out.stderr));
    let limits = ["data.train_limit=256", "data.test_limit=60"].map(|set| ["--set", set]).concat();
    let train = ["train", "start/recipe.toml", "--epochs", "1", "--out", "again", "--quiet"];
    let out = bitspike(dir.path(), &[&train[..], &limits].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    let gated = trained(&["method=agmm", "neuron.reset=hard"]);
    let out = bitspike(gated.path(), &["export", "run", "--nir", "net.nir"]);
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("gate"), "{}", text(&out.stderr));
    assert!(!gated.path().join("net.nir").exists());
    let out = bitspike(dir.path(), &["import", "r.toml", "-o", "other"]);
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("r.toml"), "{}", text(&out.stderr));
}

#[test]
fn a_file_is_benchmarked() {
    let dir = trained(&[]);
    assert!(bitspike(dir.path(), &["export", "run", "-o", "net.bsnn"]).status.success());
    let args = [
        "bench",
        "net.bsnn",
        "--data",
        "fashion-mnist-mini",
        "--batch",
        "8",
        "--reps",
        "2",
        "--threads",
        "2",
        "--json",
    ];
    let report = json(&bitspike(dir.path(), &args));
    let time = |v: &serde_json::Value| v.as_f64().unwrap();
    let one = &report["batch1_ms"];
    assert!(
        time(&one["min"]) > 0.0 && time(&one["min"]) <= time(&one["median"]) && time(&one["p95"]) <= time(&one["max"])
    );
    assert_eq!((&report["throughput"][0]["threads"], &report["throughput"][1]["threads"]), (&1.into(), &2.into()));
    let layers = report["layers"].as_array().unwrap();
    let names: Vec<&str> = layers.iter().map(|l| l["layer"].as_str().unwrap()).collect();
    assert_eq!(names, ["stem", "blocks.0", "blocks.1", "head"]);
    let shares: f64 = layers.iter().map(|l| time(&l["share"])).sum();
    assert!((shares - 1.0).abs() < 1e-6 && layers.iter().all(|l| time(&l["ms"]) > 0.0), "{report}");
    let estimated: f64 = layers.iter().map(|l| time(&l["estimated_uj"])).sum();
    assert!((estimated - 1e-6 * time(&report["energy_estimate"]["with_memory_pj"])).abs() < 1e-6 * estimated);
    assert!(report["energy_measured"].is_object() != report["energy_not_measured"].is_string(), "{report}");

    let out = bitspike(dir.path(), &["bench", "net.bsnn", "--batch", "4", "--reps", "1"]);
    assert!(text(&out.stdout).contains("4 random images") && text(&out.stdout).contains("estimates, not measurements"));
    for args in [&["bench", "net.bsn"][..], &["bench", "none.bsnn"], &["bench", "train", "--data", "cifar10"]] {
        assert_eq!(bitspike(dir.path(), args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn verify_notices_another_network() {
    let (one, other) = (trained(&[]), trained(&["seed=2"]));
    let path = other.path().join("run");
    assert!(bitspike(one.path(), &["export", "run", "-o", "net.bsnn"]).status.success());
    let args = ["verify", path.to_str().unwrap(), "net.bsnn", "--samples", "20", "--threads", "1"];
    let out = bitspike(one.path(), &args);
    assert_eq!(out.status.code(), Some(1));
    let found = text(&out.stdout);
    assert!(
        found.contains("FAILED") && found.contains(&format!("first difference: sample {}, layer stem", first(20))),
        "{found}"
    );

    let narrow = trained(&["network.layers=8-P-8-P-12"]);
    let path = narrow.path().join("run");
    let out = bitspike(one.path(), &["verify", path.to_str().unwrap(), "net.bsnn"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("another network"), "{}", text(&out.stderr));
}

#[test]
fn verify_notices_a_changed_parameter_that_changes_no_spike() {
    let dir = trained(&[]);
    assert!(bitspike(dir.path(), &["export", "run", "-o", "net.bsnn"]).status.success());
    let file = dir.path().join("net.bsnn");
    std::fs::write(&file, with_another_bias(std::fs::read(&file).unwrap())).unwrap();
    let out = bitspike(dir.path(), &["verify", "run", "net.bsnn", "--samples", "20", "--threads", "1", "--json"]);
    let report = json(&out);
    assert_eq!(out.status.code(), Some(1), "{report}");
    // The file is whole, and every spike is as trained: only the folded trainer's logits tell.
    assert_eq!(
        (&report["folded_agree"], &report["paths_agree"], &report["same_predictions"]),
        (&0.into(), &20.into(), &20.into())
    );
    let first = report["folded_first_difference"].as_str().unwrap();
    assert!(first.starts_with(&format!("sample {}, class 9: logit ", self::first(20))), "{first}");
}

/// The file with a bit of the last real parameter flipped, the bias of the last class, and its checksums made good again.
fn with_another_bias(mut bytes: Vec<u8>) -> Vec<u8> {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let entry = 28 + 2 * 16;
    let (from, len) = (word(&bytes, entry + 4), word(&bytes, entry + 8));
    bytes[from + len - 3] ^= 0x20;
    let sum = bitspike_format::crc32c(&bytes[from..from + len]);
    bytes[entry + 12..entry + 16].copy_from_slice(&sum.to_le_bytes());
    let front = 28 + 16 * usize::from(bytes[10]);
    let sum = bitspike_format::crc32c(&bytes[..front]);
    bytes[front..front + 4].copy_from_slice(&sum.to_le_bytes());
    assert!(bitspike_format::Model::parse(&bytes).is_ok(), "the file is whole");
    bytes
}
