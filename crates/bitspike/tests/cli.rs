//! The program as its users run it: exit codes, streams, messages, interruption.

use std::path::Path;
use std::process::{Command, Output};

/// A recipe that trains in about a second.
const SMALL: &str = "name = 'small'\n[data]\ntrain_limit = 256\ntest_limit = 100\n[network]\nlayers = '8-P-16'\n\
                     [train]\nepochs = 2\nbatch_size = 32\nlog_every = 2\ndiagnose_every = 3\n";

fn bitspike(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bitspike")).current_dir(folder).args(args).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder(recipe: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("r.toml"), recipe).expect("writable");
    dir
}

#[test]
fn help_teaches_and_version_answers() {
    let dir = folder("");
    let help = bitspike(dir.path(), &["--help"]);
    assert!(help.status.success());
    for word in ["compare", "train", "inspect", "Exit codes"] {
        assert!(text(&help.stdout).contains(word), "no {word:?} in --help");
    }
    assert!(text(&bitspike(dir.path(), &["--version"]).stdout).starts_with("bitspike "));
    assert!(text(&bitspike(dir.path(), &["completions", "bash"]).stdout).contains("complete"));
    assert!(bitspike(dir.path(), &["man", "man1"]).status.success());
    for (page, word) in [("bitspike.1", "compare"), ("bitspike-train.1", "resume"), ("bitspike-data-inspect.1", "path")]
    {
        let page = std::fs::read_to_string(dir.path().join("man1").join(page)).expect(page);
        assert!(page.starts_with(".ie") && page.to_lowercase().contains(word), "{page}");
    }
    let schema = text(&bitspike(dir.path(), &["recipe", "--schema"]).stdout);
    assert!(schema.contains("\"$schema\"") && schema.contains("v_threshold"), "{schema}");
    assert!(text(&bitspike(dir.path(), &["methods"]).stdout).contains("const-gate"));
}

#[test]
fn errors_have_exit_code_two_and_say_what_to_do() {
    let dir = folder("[optim]\nlearning_rat = 1\n");
    std::fs::write(dir.path().join("ok.toml"), SMALL).unwrap();
    std::fs::create_dir(dir.path().join("full")).unwrap();
    std::fs::write(dir.path().join("full/file"), "x").unwrap();
    let rows: &[(&[&str], &str)] = &[
        (&["train", "r.toml"], "r.toml:2"),
        (&["train", "missing.toml"], "missing.toml"),
        (&["train", "ok.toml", "--set", "network.T=0"], "--set network.T=0"),
        (&["train", "ok.toml", "--method", "agm"], "agm"),
        (&["train", "ok.toml", "--device", "gpu"], "cpu"),
        (&["train", "ok.toml", "--device", "cuda"], "--features cuda"),
        (&["train", "ok.toml", "--threads", "0"], "--threads"),
        (&["train", "ok.toml", "--out", "full"], "full"),
        (
            &["train", "ok.toml", "--data", "cifar10", "--data-dir", "nowhere", "--set", "data.train_limit=10"],
            "nowhere",
        ),
        (&["train", "ok.toml", "--batch-size", "4096"], "256"),
        (&["train", "ok.toml", "--set", "train.test=never"], "data.validation"),
        (&["train", "--resume", "nowhere"], "nowhere"),
        (&["eval", "nowhere"], "nowhere"),
        (&["compare", "ok.toml", "--methods", "bsnn,amgg"], "did you mean \"agmm\""),
        (&["compare", "ok.toml", "--seeds", "none"], "--seeds"),
        (&["inspect", "ok.toml", "--set", "network.layers=8-P-8-P-8-P-8-P-8-P-8"], "pool"),
        (&["data", "inspect", "r.toml"], "r.toml"),
        (&["report", "full"], "full"),
        (&["bench", "train", "--net", "vgg12"], "vgg11"),
        (&["bench", "train", "--net", "tiny"], "small"),
        (&["bench", "train", "--layers", "8-Q"], "--layers: part 2"),
        (&["bench", "train", "--layers", "8-P-8-P-8-P-8-P-8-P-8-P"], "pool"),
        (&["bench", "train", "--method", "agm"], "did you mean \"agmm\""),
        (&["bench", "train", "--batch", "0"], "--batch is 0"),
        (&["bench", "train", "--T", "0"], "--T is 0"),
        (&["bench", "train", "--reps", "0"], "--reps is 0"),
        (&["bench", "train", "--threads", "0"], "--threads"),
        (&["bench", "train", "binary.fwd"], "bitspike bench kernels binary.fwd"),
        (&["bench", "train", "--against", "torch", "--python", "no-such-python"], "no-such-python"),
        (&["bench", "kernels", "--rate", "1.5"], "--rate is 1.5"),
        (&["bench", "kernels", "--images", "0"], "--images is 0"),
        (&["nonsense"], "nonsense"),
    ];
    let mut wrong = Vec::new();
    for (args, part) in rows {
        let out = bitspike(dir.path(), args);
        let message = text(&out.stderr);
        if out.status.code() != Some(2) || !message.contains(part) || !out.stdout.is_empty() {
            wrong.push(format!("{args:?}: code {:?}, stderr {message:?}", out.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(std::fs::read_to_string(dir.path().join("full/file")).unwrap(), "x");
}

#[test]
fn a_run_says_which_kernels_ran() {
    let dir = folder(SMALL);
    let mut accuracy = std::collections::BTreeMap::new();
    for (value, device, expected) in [
        ("portable", "cpu", "portable"),
        (" Portable", "cpu", "portable"),
        ("composed", "cpu", "composed"),
        ("Composed", "cpu", "composed"),
        #[cfg(feature = "ndarray")]
        ("", "ndarray", "composed"),
    ] {
        let run = format!("run-{}", accuracy.len());
        let args = ["train", "r.toml", "--epochs", "1", "--out", &run, "--device", device];
        let out = Command::new(env!("CARGO_BIN_EXE_bitspike"))
            .env("BITSPIKE_KERNEL", value)
            .current_dir(dir.path())
            .args(args)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert!(text(&out.stderr).contains(&format!("kernels: {expected},")), "{value:?}: {}", text(&out.stderr));
        let info = std::fs::read_to_string(dir.path().join(&run).join("run.json")).unwrap();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["machine"]["kernel_path"], expected, "{value:?} on {device}");
        accuracy.insert(run, expected);
    }
    let wrong = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bitspike"));
        let out = command.env("BITSPIKE_KERNEL", "avx3").current_dir(dir.path()).args(args).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(text(&out.stderr).contains("avx3"), "{args:?}: {}", text(&out.stderr));
    };
    wrong(&["train", "r.toml", "--out", "none"]);
    wrong(&["eval", "run-0"]);
    wrong(&["bench", "kernels", "binary.fwd16", "--images", "1", "--reps", "1"]);
}

#[test]
fn a_damaged_run_is_refused_by_every_command_and_named_by_verify_run() {
    let dir = folder(SMALL);
    let out = bitspike(dir.path(), &["train", "r.toml", "--epochs", "1", "--out", "run"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let whole = bitspike(dir.path(), &["verify-run", "run"]);
    assert!(whole.status.success() && text(&whole.stdout).contains("the run is whole"), "{}", text(&whole.stdout));
    let readers: [(&str, &[&[&str]]); 5] = [
        ("run.json", &[&["eval", "run"], &["report", "run"], &["export", "run", "-o", "x.bsnn"], &["inspect", "run"]]),
        (
            "recipe.toml",
            &[&["eval", "run"], &["report", "run"], &["export", "run", "-o", "x.bsnn"], &["inspect", "run"]],
        ),
        ("summary.json", &[&["report", "run"]]),
        ("metrics.jsonl", &[&["report", "run"]]),
        (
            "checkpoints/last.safetensors",
            &[
                &["eval", "run"],
                &["export", "run", "-o", "x.bsnn"],
                &["train", "--resume", "run"],
                &["train", "r.toml", "--out", "next", "--set", "init.from=\"run\""],
            ],
        ),
    ];
    for (file, commands) in readers {
        let path = dir.path().join("run").join(file);
        let bytes = std::fs::read(&path).unwrap();
        let mut damaged = bytes.clone();
        // A digit or letter of a text stays one.
        damaged[bytes.len() / 2] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        for command in commands {
            let out = bitspike(dir.path(), command);
            assert_eq!(out.status.code(), Some(2), "{command:?} with a damaged {file}");
            assert!(text(&out.stderr).contains(file), "{command:?}: {}", text(&out.stderr));
        }
        let out = bitspike(dir.path(), &["verify-run", "run", "--json"]);
        assert_eq!(out.status.code(), Some(1));
        let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        let wrong = found["files"].as_array().unwrap().iter().filter(|row| row["state"] == "wrong");
        assert_eq!(wrong.map(|row| &row["file"]).collect::<Vec<_>>(), [file]);
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(!dir.path().join("x.bsnn").exists() && !dir.path().join("next").exists());
    // A run of an older version: a note, no refusal.
    let path = dir.path().join("run/recipe.toml");
    let recipe = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        recipe.lines().filter(|l| !l.starts_with("# crc32c")).map(|l| format!("{l}\n")).collect::<String>(),
    )
    .unwrap();
    let out = bitspike(dir.path(), &["eval", "run"]);
    assert!(out.status.success() && text(&out.stderr).contains("no checksum in recipe.toml"), "{}", text(&out.stderr));
    let out = bitspike(dir.path(), &["verify-run", "run"]);
    assert!(out.status.success() && text(&out.stdout).contains("no checksum"), "{}", text(&out.stdout));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_or_may_not_be_read_comes_with_a_hint() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(SMALL);
    let out = bitspike(dir.path(), &["train", "r.toml", "--epochs", "1", "--out", "run"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    std::fs::create_dir(dir.path().join("taken")).unwrap();
    let refused = |args: &[&str], path: &str, hint: &str| {
        let out = bitspike(dir.path(), args);
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {message}");
        let (facts, advice) = message.split_once("hint: ").unwrap_or((message.as_str(), ""));
        assert!(facts.contains(path) && advice.contains(hint), "{args:?}: {message}");
    };
    // Files that would be written where a folder is, or where no folder is.
    for option in ["-o", "--onnx", "--safetensors"] {
        refused(&["export", "run", option, "taken"], "taken", "name a file");
        refused(&["export", "run", option, "nowhere/x"], "nowhere/x", "make that folder first");
    }
    refused(&["report", "run", "--out", "taken"], "taken", "name a file");
    refused(&["report", "run", "--out", "r.toml/x"], "r.toml/x", "is a file");
    assert_eq!(std::fs::read_dir(dir.path().join("taken")).unwrap().count(), 0);
    // A checkpoint that may not be read, that is a folder, that is not there.
    let last = dir.path().join("run/checkpoints/last.safetensors");
    let readers: [&[&str]; 3] = [&["eval", "run"], &["export", "run", "-o", "x.bsnn"], &["train", "--resume", "run"]];
    let all = |hint: &str| readers.iter().for_each(|args| refused(args, "last.safetensors", hint));
    std::fs::set_permissions(&last, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    if std::fs::File::open(&last).is_err() {
        all("whether it may be read");
    }
    std::fs::remove_file(&last).unwrap();
    all("--checkpoint");
    std::fs::create_dir(&last).unwrap();
    all("move it away");
}

#[test]
fn train_eval_and_inspect_agree() {
    let dir = folder(SMALL);
    let out = bitspike(dir.path(), &["train", "r.toml", "--out", "run", "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("kernels: "), "{}", text(&out.stderr));
    let trained: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    let out = bitspike(dir.path(), &["eval", "run", "--json"]);
    let evaluated: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    assert_eq!(trained["test_accuracy"], evaluated["accuracy"]);
    assert_eq!(evaluated["samples"], 100);
    assert_eq!(trained["confusion"], evaluated["confusion"]);
    let right: u64 = (0..10).map(|i| trained["confusion"][i][i].as_u64().unwrap()).sum();
    assert_eq!(trained["test_accuracy"], right as f64 / 100.0);
    for key in ["loss", "flips", "firing_rates", "bytes_1bit", "bytes_f32"] {
        assert!(!evaluated[key].is_null(), "eval --json has no {key}");
    }
    let out = bitspike(dir.path(), &["inspect", "run", "--json"]);
    let inspected: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    assert_eq!(inspected["bytes_1bit"], evaluated["bytes_1bit"]);
    assert!(inspected["training_bytes"].as_u64().unwrap() > 100_000);
    // An accuracy nobody reaches: a failed check, not an error.
    let out = bitspike(dir.path(), &["eval", "run", "--min-accuracy", "1.01"]);
    assert_eq!(out.status.code(), Some(1));
    // A second start in the same folder destroys nothing.
    let out = bitspike(dir.path(), &["train", "r.toml", "--out", "run"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(bitspike(dir.path(), &["eval", "run"]).status.success());
}

/// The first line says that nothing was learned and what to do; of flips nothing is said.
#[test]
fn train_says_first_that_nothing_was_learned() {
    let dir = folder(SMALL);
    let out = bitspike(dir.path(), &["train", "r.toml", "--out", "run"]);
    let shown = text(&out.stdout);
    assert!(shown.starts_with("Nothing can be concluded about agmm: 16 steps are too few"), "{shown}");
    assert!(!shown.contains("flips per weight") && shown.contains("recall, %: T-shirt"), "{shown}");
    let out = bitspike(dir.path(), &["train", "r.toml", "--out", "json", "--json"]);
    assert!(text(&out.stderr).contains("warning: Nothing can be concluded"), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout).lines().count(), 1);
}

/// `train.test` decides how often the test part is looked at: with `never` not once, with `end` once.
#[test]
fn the_test_part_is_evaluated_when_the_recipe_says() {
    let dir = folder(SMALL);
    let train = |out: &str, sets: &[&str]| {
        let mut args = vec!["train", "r.toml", "--json", "--quiet", "--out", out];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        let done = bitspike(dir.path(), &args);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let metrics = std::fs::read_to_string(dir.path().join(out).join("metrics.jsonl")).unwrap();
        let epochs = metrics.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        let epochs: Vec<_> = epochs.filter(|r| r["kind"] == "epoch").collect();
        (serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap(), epochs)
    };
    let (summary, epochs) = train("never", &["train.test=never", "data.validation=56"]);
    assert!(summary["test_accuracy"].is_null() && summary["test_samples"] == 0, "{summary}");
    assert!(summary["firing_rate"].as_f64().unwrap() > 0.0 && summary["evaluated_on"] == "validation", "{summary}");
    assert!(epochs.iter().all(|e| e["evaluated_on"] == "validation" && e["held_out_accuracy"].is_number()));
    let (summary, epochs) = train("end", &["train.test=end"]);
    assert!(summary["best_held_out_accuracy"].is_null() && summary["test_samples"] == 100, "{summary}");
    assert!(epochs.len() == 2 && epochs.iter().all(|e| e["evaluated_on"] == "" && e["held_out_accuracy"].is_null()));
    let (auto, _) = train("auto", &[]);
    assert_eq!(summary["test_accuracy"], auto["test_accuracy"], "evaluating does not change training");
}

/// The sizes of a published network can be looked up before its data are fetched; those of a set of one's own cannot.
#[test]
fn inspect_needs_no_files_of_published_sets() {
    let dir = folder("[network]\nname = 'resnet19'\n[data]\npath = 'nowhere'\nset = 'cifar100'\n");
    let out = bitspike(dir.path(), &["inspect", "r.toml", "--json"]);
    assert!(text(&out.stderr).contains("files not found"), "{}", text(&out.stderr));
    let inspected: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    assert_eq!((inspected["classes"].as_u64(), inspected["data"].as_str()), (Some(100), Some("cifar100")));
    let out = bitspike(dir.path(), &["inspect", "r.toml", "--data", "image-folder", "--data-dir", "elsewhere"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("elsewhere"), "{}", text(&out.stderr));
}

/// Every T has frames of its own, read for its runs; a second time nothing is left to do.
#[test]
fn a_sweep_goes_over_the_time_steps_of_event_frames() {
    let dir = folder(
        "name = 'e'\n[data]\nset = 'events-demo'\ntrain_limit = 40\ntest_limit = 20\n[augment]\nevent_mix = 0.5\n\
         [network]\nlayers = '4-P-4'\n[train]\nepochs = 1\nbatch_size = 20\n",
    );
    let args =
        ["sweep", "r.toml", "--grid", "network.T=1,3", "--methods", "bsnn", "--seeds", "2", "--out", "s", "--quiet"];
    // A budget looks at the network of every point with the frames of that point.
    for budget in [&[][..], &["--max-flash", "1MiB"]] {
        let out = bitspike(dir.path(), &[&args[..], budget].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert!(text(&out.stdout).contains("bsnn (T=3)"), "{}", text(&out.stdout));
    }
    for (steps, seed) in [(1, 1), (1, 2), (3, 1), (3, 2)] {
        let run = dir.path().join(format!("s/network.T={steps}/bsnn-seed{seed}"));
        let recipe = std::fs::read_to_string(run.join("recipe.toml")).unwrap();
        assert!(recipe.contains(&format!("T = {steps}\n")), "{recipe}");
        assert!(run.join("summary.json").is_file());
    }
}

/// What does not fit is not trained, and what was trained is weighed against what it costs.
#[test]
fn a_sweep_keeps_to_a_budget() {
    let dir = folder(SMALL);
    let sweep = |flash: &str| {
        let args = ["sweep", "r.toml", "--grid", "network.width=0.5,1.0,4.0", "--max-flash", flash, "--out", "s"];
        bitspike(dir.path(), &[&args[..], &["--methods", "bsnn", "--seeds", "1", "--lr", "0.1"]].concat())
    };
    let out = sweep("200KiB");
    let (said, table) = (text(&out.stderr), text(&out.stdout));
    assert!(out.status.success() && said.contains("network.width=4.0: left out, beyond flash 204."), "{said}");
    assert!(dir.path().join("s/network.width=1.0").is_dir() && !dir.path().join("s/network.width=4.0").exists());
    assert!(table.contains("width=1.0"), "{table}");
    let none = sweep("1KiB");
    assert!(
        none.status.code() == Some(2) && text(&none.stderr).contains("the smallest takes"),
        "{}",
        text(&none.stderr)
    );
}

#[test]
fn a_recipe_without_its_folder_is_shown_and_not_trained() {
    let dir = folder("[data]\nset = 'event-windows'\n[data.events]\nwindow_ms = 100\n");
    let shown = bitspike(dir.path(), &["recipe", "r.toml"]);
    assert!(shown.status.success() && text(&shown.stdout).contains("event-windows"), "{}", text(&shown.stderr));
    let trained = bitspike(dir.path(), &["train", "r.toml", "--out", "run"]);
    assert_eq!(trained.status.code(), Some(2));
    assert!(text(&trained.stderr).contains("--data-dir"), "{}", text(&trained.stderr));
    assert!(!dir.path().join("run").exists());
}

#[test]
fn compare_writes_table_page_and_json_and_keeps_finished_runs() {
    let dir = folder(SMALL);
    let args = ["compare", "r.toml", "--methods", "bsnn,agmm", "--seeds", "1,3", "--out", "c"];
    let out = bitspike(dir.path(), &args);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    assert!(shown.starts_with("Nothing can be concluded about bsnn and agmm: 16 steps are too few"), "{shown}");
    assert!(shown.contains("train.epochs") && !shown.contains("flips signs"), "{shown}");
    let page = std::fs::read_to_string(dir.path().join("c/report.html")).expect("the page");
    assert!(
        page.contains("<svg") && !page.contains("http://") && !page.contains("src=\"http"),
        "a self-contained page"
    );
    let again = bitspike(dir.path(), &[&args[..], &["--json"]].concat());
    assert!(text(&again.stderr).contains("kept"), "{}", text(&again.stderr));
    let lines: Vec<serde_json::Value> =
        text(&again.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let pairs: Vec<_> = lines.iter().map(|l| (l["method"].as_str().unwrap(), l["seed"].as_u64().unwrap())).collect();
    assert_eq!(pairs, [("bsnn", 1), ("agmm", 1), ("bsnn", 3), ("agmm", 3)]);
    let other = bitspike(dir.path(), &[&args[..], &["--lr", "0.01"]].concat());
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("another recipe"), "{}", text(&other.stderr));
}

/// Three machines with folders of their own, copied into one, leave what one machine does: the same table, the same files
/// to deploy. What belongs to another comparison is refused.
#[test]
fn parts_of_a_comparison_are_the_comparison() {
    let dir = folder(&SMALL.replace("epochs = 2", "epochs = 1"));
    let run = |more: &[&str]| {
        let args = ["compare", "r.toml", "--methods", "bsnn,agmm", "--seeds", "2", "--quiet"];
        bitspike(dir.path(), &[&args[..], more].concat())
    };
    let whole = run(&["--out", "whole"]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let merged = dir.path().join("merged");
    std::fs::create_dir(&merged).unwrap();
    for (part, runs) in [("1/3", 2), ("2/3", 1), ("3/3", 1)] {
        let own = format!("own{}", &part[..1]);
        let out = run(&["--out", &own, "--part", part]);
        assert!(out.status.success() && out.stdout.is_empty(), "{}", text(&out.stderr));
        assert!(
            text(&out.stderr).contains(&format!("{} of 4 runs are not finished", 4 - runs)),
            "{}",
            text(&out.stderr)
        );
        let made: Vec<_> = std::fs::read_dir(dir.path().join(&own)).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(made.len(), runs, "{made:?}");
        for run in made {
            std::fs::rename(&run, merged.join(run.file_name().unwrap())).unwrap();
        }
    }
    let last = run(&["--out", "merged", "--part", "3/3"]);
    assert!(last.status.success() && merged.join("report.html").exists(), "{}", text(&last.stderr));
    // Times differ, and with them the last columns.
    let timeless = |shown: &[u8]| -> Vec<String> {
        let figures = |line: &str| line.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
        text(shown).lines().filter(|l| l.starts_with("bsnn") || l.starts_with("agmm")).map(figures).collect()
    };
    assert!(timeless(&whole.stdout).len() >= 2 && timeless(&whole.stdout) == timeless(&last.stdout));
    for run in ["bsnn-seed1", "agmm-seed1", "bsnn-seed2", "agmm-seed2"] {
        // Checkpoints have the time that was taken; files made of them do not.
        let file = |home: &str| {
            let out = bitspike(dir.path(), &["export", &format!("{home}/{run}"), "-o", "net.bsnn"]);
            assert!(out.status.success(), "{}", text(&out.stderr));
            std::fs::read(dir.path().join("net.bsnn")).expect("the file")
        };
        assert!(file("whole") == file("merged"), "{run}");
    }
    let other = run(&["--out", "merged", "--lr", "0.01", "--part", "1/3"]);
    assert!(
        other.status.code() == Some(2) && text(&other.stderr).contains("another recipe"),
        "{}",
        text(&other.stderr)
    );
    for bad in ["0/3", "4/3", "3", "a/b", "1/0"] {
        let out = run(&["--part", bad]);
        assert!(out.status.code() == Some(2) && text(&out.stderr).contains("2/8"), "{bad}: {}", text(&out.stderr));
    }
}

/// Each method chooses its point on the validation part; what was chosen is trained on everything, and the test part is looked at
/// once. A second time nothing is left to do.
#[test]
fn a_sweep_chooses_on_the_validation_part() {
    let dir = folder(&SMALL.replace("epochs = 2", "epochs = 1"));
    let args = ["sweep", "r.toml", "--grid", "optim.lr=0.0001,0.1", "--methods", "bsnn,agmm", "--out", "s"];
    let select = ["--select", "validation", "--select-seeds", "1", "--seeds", "3", "--set", "data.validation=56"];
    let out = bitspike(dir.path(), &[&args[..], &select[..6]].concat());
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("data.validation"), "{}", text(&out.stderr));
    assert_eq!(bitspike(dir.path(), &[&args[..], &select[2..4]].concat()).status.code(), Some(2), "without --select");
    let run = |more: &[&str]| {
        let out = bitspike(dir.path(), &[&args[..], &select, more].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        out
    };
    let shown = text(&run(&[]).stdout);
    assert!(shown.starts_with("Chosen by accuracy on the validation part"), "{shown}");
    assert!(shown.contains("Welch 95 %") && shown.contains("p, Holm"), "{shown}");
    let records = |run: &Path| -> Vec<serde_json::Value> {
        let lines = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let records = lines.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        records.filter(|r| r["kind"] == "epoch").collect()
    };
    let json = |path: std::path::PathBuf| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let mut best = std::collections::BTreeMap::new();
    for method in ["bsnn", "agmm"] {
        let of = |lr: &str| {
            let run = dir.path().join(format!("s/select/optim.lr={lr}/{method}-seed1"));
            assert!(json(run.join("summary.json"))["test_accuracy"].is_null(), "the test part was not looked at");
            records(&run).last().unwrap()["held_out_accuracy"].as_f64().unwrap()
        };
        let lr = if of("0.1") > of("0.0001") { "0.1" } else { "0.0001" };
        best.insert(method, lr);
        for seed in 1..=3 {
            let run = dir.path().join(format!("s/final/optim.lr={lr}/{method}-seed{seed}"));
            let (info, summary) = (json(run.join("run.json")), json(run.join("summary.json")));
            let data = &info["dataset"];
            assert_eq!((&data["train_samples"], &data["validation_samples"]), (&256.into(), &0.into()));
            assert!(summary["test_accuracy"].is_number());
            assert!(records(&run).iter().all(|r| r["held_out_accuracy"].is_null()));
        }
        assert!(shown.contains(&format!("{method}: optim.lr={lr} with")), "{shown}");
    }
    let csv = std::fs::read_to_string(dir.path().join("s/runs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7);
    let at = |name: &str| csv.lines().next().unwrap().split(',').position(|h| h == name).unwrap();
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let folder = format!("s/final/optim.lr={}/{}-seed{}", best[cells[0]], cells[0], cells[at("seed")]);
        assert_eq!(cells[at("folder")], folder);
        let summary = json(dir.path().join(folder).join("summary.json"));
        assert_eq!(cells[at("accuracy")].parse().ok(), summary["test_accuracy"].as_f64());
        assert_eq!(cells[at("accuracy_on")], "test");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("s/select/runs.csv")).unwrap().lines().count(), 5);
    assert!(dir.path().join("s/report.html").is_file());
    let again = run(&["--json"]);
    assert_eq!(text(&again.stderr).matches("finished earlier, kept").count(), 4 + 6, "{}", text(&again.stderr));
    assert_eq!(text(&again.stdout).lines().count(), 6);
}

#[test]
fn as_many_runs_at_a_time_as_memory_allows() {
    let dir = folder(SMALL);
    let run = |memory: &str| {
        let args =
            ["compare", "r.toml", "--methods", "bsnn", "--seeds", "3", "--threads", "3", "--out", "c", "--memory"];
        bitspike(dir.path(), &[&args[..], &[memory]].concat())
    };
    let little = run("1kB");
    assert_eq!(little.status.code(), Some(2), "{}", text(&little.stderr));
    assert!(text(&little.stderr).contains("1000 are allowed"), "{}", text(&little.stderr));
    assert!(text(&little.stderr).contains("--memory"), "{}", text(&little.stderr));
    assert!(!dir.path().join("c").exists());
    let need = text(&little.stderr).split("needs about ").nth(1).and_then(|t| t.split(' ').next()).unwrap().to_owned();
    let enough = run(&need);
    assert!(enough.status.success(), "{}", text(&enough.stderr));
    assert!(text(&enough.stderr).contains("1 at a time with 3 thread(s)"), "{}", text(&enough.stderr));
    assert!(!run("much").status.success());
}

#[cfg(unix)]
#[test]
fn sigterm_saves_and_resume_goes_on() {
    let dir = folder(&SMALL.replace("epochs = 2", "epochs = 500"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_bitspike"))
        .current_dir(dir.path())
        .args(["train", "r.toml", "--out", "run"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Wait for the first epoch, then ask it to stop.
    let metrics = dir.path().join("run/metrics.jsonl");
    while !std::fs::read_to_string(&metrics).is_ok_and(|t| t.contains("\"epoch\",")) {
        assert!(child.try_wait().expect("its state").is_none(), "the program ended early");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    let out = child.wait_with_output().expect("it ends");
    assert_eq!(out.status.code(), Some(2));
    let message = text(&out.stderr);
    assert!(message.contains("bitspike train --resume run"), "{message}");
    let info = std::fs::read_to_string(dir.path().join("run/run.json")).unwrap();
    assert!(info.contains("interrupted"));
    assert!(bitspike(dir.path(), &["eval", "run"]).status.success(), "the checkpoint is whole");
}

#[test]
fn bench_train_prints_one_line_of_json_with_positive_times() {
    let dir = folder("");
    let args = ["bench", "train", "--net", "small", "--batch", "1", "--T", "1", "--reps", "1", "--json", "--quiet"];
    let out = bitspike(dir.path(), &args);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    let times = [
        "train_step_s",
        "train_step_min_s",
        "train_step_max_s",
        "forward_s",
        "backward_s",
        "optimizer_s",
        "flips_s",
        "infer_batch_s",
        "infer_1_s",
        "samples_per_s",
    ];
    let wrong: Vec<_> = times.into_iter().filter(|key| line[key].as_f64().is_none_or(|v| v <= 0.0)).collect();
    assert!(wrong.is_empty(), "{wrong:?} in {line}");
    let words = [("net", "small"), ("precision", "exact"), ("method", "agmm"), ("version", env!("CARGO_PKG_VERSION"))];
    assert!(words.iter().all(|(key, word)| line[key] == *word), "{line}");
    assert!(["T", "batch", "reps"].iter().all(|key| line[key] == 1), "{line}");
    assert!(line["threads"].as_u64() >= Some(1) && line["kernel"].is_string() && line["cpu"].is_string(), "{line}");
    assert_eq!(line["peak_rss_mb"].as_u64().is_some_and(|mb| mb > 0), cfg!(target_os = "linux"), "{line}");
}

#[test]
fn bench_kernels_prints_what_the_filter_lets_through() {
    let dir = folder("");
    let args = ["bench", "kernels", "--json", "--images", "1", "--reps", "1"];
    let out = bitspike(dir.path(), &[&args[..], &["binary.fwd16", "32-64"]].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    assert_eq!((&line["kernel"], &line["shape"]), (&"binary.fwd16".into(), &"32-64 14x14 k3 s1 n1".into()));
    for key in ["median_s", "min_s", "max_s", "gops", "peak_gops", "share_of_peak"] {
        assert!(line[key].as_f64().is_some_and(|v| v > 0.0), "{key} in {line}");
    }
    let out = bitspike(dir.path(), &[&args[..], &["ternary"]].concat());
    assert_eq!(out.status.code(), Some(2));
    let message = text(&out.stderr);
    assert!(
        message.contains("ternary") && message.contains("binary.dx") && message.contains("neuron.fwd"),
        "{message}"
    );
}

/// A stand-in for Python that answers as the script does.
#[cfg(unix)]
#[test]
fn bench_against_prints_figures_and_ratios_and_says_what_is_missing() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder("");
    let program = |name: &str, body: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let figures = r#"{"mode":"eager","train_step_s":9e9,"infer_batch_s":9e9,"infer_1_s":9e9,"peak_rss_mb":9000000}"#;
    program("python", &format!("[ \"$1\" = -c ] || {{ [ \"$3\" = small ] && echo '{figures}'; }}"));
    program("no-torch", "echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1");
    program("failing", "[ \"$1\" = -c ] || { echo 'it broke' >&2; exit 3; }");
    std::fs::write(dir.path().join("bench.py"), "").unwrap();
    let run = |python: &str, script: &str| {
        let args = ["bench", "train", "--net", "small", "--batch", "1", "--T", "1", "--reps", "1", "--json"];
        let more = ["--against", "torch", "--modes", "eager", "--torch-script", script, "--python", python];
        bitspike(dir.path(), &[&args[..], &more].concat())
    };
    let out = run("./python", "bench.py");
    assert!(out.status.success(), "{}", text(&out.stderr));
    let lines: Vec<serde_json::Value> =
        text(&out.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let kinds: Vec<_> = lines.iter().map(|l| l["bench"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["train", "torch", "ratio"]);
    let expected = 9e9 / lines[0]["train_step_s"].as_f64().unwrap();
    assert!((lines[2]["train_step"].as_f64().unwrap() / expected - 1.0).abs() < 1e-9, "{lines:?}");
    for (python, script, part) in [
        ("./no-torch", "bench.py", "No module named 'torch'"),
        ("./python", "missing.py", "missing.py"),
        ("./failing", "bench.py", "it broke"),
    ] {
        let out = run(python, script);
        let message = text(&out.stderr);
        assert!(out.status.code() == Some(2) && message.contains(part), "{python} {script}: {message}");
        assert!(out.stdout.is_empty(), "{python} {script}");
    }
}

/// From a folder to a comparison, no editor opened; nothing is written twice or over something else.
#[test]
fn new_writes_a_recipe_that_compare_takes() {
    let dir = folder("");
    std::fs::create_dir(dir.path().join("moves")).unwrap();
    for person in ["s01", "s02", "s03", "s04"] {
        for (label, step) in [("walk", 2), ("run", 5)] {
            let rows: String = (0..500).map(|i| format!("{},{},{}\n", i * 20, i * step % 11, i % 7)).collect();
            let file = dir.path().join(format!("moves/{person}_{label}_1.csv"));
            std::fs::write(file, format!("time_ms,ax,ay\n{rows}")).unwrap();
        }
    }
    let out = bitspike(dir.path(), &["new", "moves"]);
    let (said, result) = (text(&out.stderr), text(&out.stdout));
    assert!(out.status.success() && result.starts_with("moves.toml is written"), "{said}{result}");
    for row in [
        "class                         train validation       test",
        "run                              12          6          6",
    ] {
        assert!(said.contains(row), "{row}: {said}");
    }
    let recipe = std::fs::read_to_string(dir.path().join("moves.toml")).unwrap();
    for line in ["preset = \"motion\"", "pattern = \"{group}_{label}_{f2}.csv\"", "test = [\"s04\"]", "length_s = 2.56"]
    {
        assert!(recipe.contains(line), "{line}: {recipe}");
    }
    let again = bitspike(dir.path(), &["new", "moves"]);
    assert!(again.status.code() == Some(2) && text(&again.stderr).contains("--force"));
    let wrong = bitspike(dir.path(), &["new", "moves", "--force", "--labels", "{label}-{group}.csv"]);
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).contains("s01_run_1.csv"), "{}", text(&wrong.stderr));
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let none = bitspike(dir.path(), &["new", "empty"]);
    assert!(none.status.code() == Some(2), "{}", text(&none.stderr));
    assert_eq!(std::fs::read_to_string(dir.path().join("moves.toml")).unwrap(), recipe);
    // For a small device a narrower network, which fits by what export says; for one that is too small, none.
    let tight =
        bitspike(dir.path(), &["new", "moves", "--out", "tight.toml", "--max-flash", "8KiB", "--max-ram", "8KiB"]);
    assert!(tight.status.success(), "{}", text(&tight.stderr));
    let narrow = std::fs::read_to_string(dir.path().join("tight.toml")).unwrap();
    assert!(narrow.starts_with(&recipe) && narrow.contains("[network]\nwidth = 0."), "{narrow}");
    let trained = ["train", "tight.toml", "--set", "train.min_steps=0", "--epochs", "1", "--out", "tight", "--quiet"];
    assert!(bitspike(dir.path(), &trained).status.success());
    let exported = bitspike(dir.path(), &["export", "tight", "-o", "tight.bsnn", "--c", "c"]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    assert!(std::fs::metadata(dir.path().join("tight.bsnn")).unwrap().len() <= 8 << 10);
    let none = bitspike(dir.path(), &["new", "moves", "--out", "none.toml", "--max-flash", "100B"]);
    assert!(none.status.code() == Some(2) && text(&none.stderr).contains("the narrowest"), "{}", text(&none.stderr));
    assert!(!dir.path().join("none.toml").exists());
    let small = [
        "--set",
        "train.min_steps=0",
        "--epochs",
        "1",
        "--set",
        "network.layers=4-P-4",
        "--methods",
        "agmm",
        "--seeds",
        "1",
    ];
    let out = bitspike(dir.path(), &[&["compare", "moves.toml", "--quiet"], &small[..]].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(dir.path().join("runs/compare-moves/report.html").is_file());
    let page = std::fs::read_to_string(dir.path().join("runs/compare-moves/report.html")).unwrap();
    assert!(text(&out.stdout).contains("rocket") && page.contains("most-frequent"), "{}", text(&out.stdout));
    let out = bitspike(dir.path(), &["inspect", "moves.toml"]);
    assert!(text(&out.stderr).contains("validation       test"), "{}", text(&out.stderr));
    // What is said of the test part's files one by one is what is said of the test part.
    let run = "runs/compare-moves/agmm-seed1";
    let ok = |args: &[&str]| {
        let out = bitspike(dir.path(), args);
        assert!(out.status.success(), "{}", text(&out.stderr));
        text(&out.stdout)
    };
    ok(&["export", run, "-o", "m.bsnn"]);
    ok(&["infer", "m.bsnn", "--recipe", "moves.toml", "--write-predictions", "p.csv"]);
    let told = std::fs::read_to_string(dir.path().join("p.csv")).unwrap();
    let names = ["run", "walk"];
    let told: Vec<&str> =
        told.lines().skip(1).map(|l| names[l.split(',').nth(2).unwrap().parse::<usize>().unwrap()]).collect();
    let files = ["predict", "m.bsnn", "moves/s04_run_1.csv", "moves/s04_walk_1.csv", "--recipe", "moves.toml"];
    let csv = ok(&[&files[..], &["--csv"]].concat());
    assert_eq!(csv.lines().next(), Some("input,recording,first,class,probability,run,walk"));
    let found: Vec<&str> = csv.lines().skip(1).map(|l| l.split(',').nth(3).unwrap()).collect();
    assert_eq!(found, told);
    assert_eq!(ok(&files).lines().count(), 2);
    let answer: serde_json::Value =
        serde_json::from_str(ok(&[&files[..3], &files[4..], &["--json"]].concat()).trim()).unwrap();
    let sum: f64 = answer["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && answer["windows"].as_array().unwrap().len() == 6, "{answer}");
    let none = bitspike(dir.path(), &["predict", "m.bsnn", "moves/s04_run_1.csv"]);
    assert!(none.status.code() == Some(2) && text(&none.stderr).contains("--recipe"), "{}", text(&none.stderr));
}

#[test]
fn data_commands_see_what_is_wrong() {
    let dir = folder("");
    let labels = [0u8, 0, 8, 1, 0, 0, 0, 3, 1, 2, 0];
    std::fs::write(dir.path().join("train-labels-idx1-ubyte"), labels).unwrap();
    let out = bitspike(dir.path(), &["data", "inspect", "train-labels-idx1-ubyte", "--json"]);
    let seen: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    assert_eq!(seen["parts"][0]["samples"], 3);
    std::fs::write(dir.path().join("cut-idx1-ubyte"), &labels[..10]).unwrap();
    let out = bitspike(dir.path(), &["data", "inspect", "cut-idx1-ubyte"]);
    assert_eq!(out.status.code(), Some(2));
    let message = text(&out.stderr);
    assert!(
        message.contains("cut-idx1-ubyte") && message.contains("byte 8") && message.contains("needs 3"),
        "{message}"
    );
    let out = bitspike(dir.path(), &["data", "verify", "train-labels-idx1-ubyte"]);
    assert!(out.status.code() == Some(0) || out.status.code() == Some(1), "{}", text(&out.stderr));
}

/// Recordings of event cameras: figures, damage, and conversion there and back.
#[test]
fn data_commands_read_event_recordings() {
    let dir = folder("");
    let rows: String = (0..200).map(|i| format!("{},{},{},{}\n", 10 * i, i % 34, i % 29, i % 2)).collect();
    std::fs::write(dir.path().join("a.csv"), format!("t_us,x,y,p\n{rows}")).unwrap();
    let figures = |file: &str| {
        let out = bitspike(dir.path(), &["data", "inspect", file, "--json"]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()
    };
    let a = figures("a.csv");
    assert_eq!((&a["events"], &a["on"], &a["t_last"]), (&200.into(), &100.into(), &1990.into()));
    assert_eq!((&a["x_max"], &a["y_max"], &a["steps_back"]), (&33.into(), &28.into(), &0.into()));
    for to in ["b.raw", "b.es", "b.npz", "b.csv"] {
        let out = bitspike(dir.path(), &["data", "convert", "a.csv", to]);
        assert!(out.status.success(), "{to}: {}", text(&out.stderr));
        assert_eq!(figures(to)["sha256_txyp_le_i64"], a["sha256_txyp_le_i64"], "{to}");
        assert!(bitspike(dir.path(), &["data", "verify", to]).status.success());
    }
    let whole = std::fs::read(dir.path().join("b.es")).unwrap();
    std::fs::write(dir.path().join("cut.es"), &whole[..whole.len() - 2]).unwrap();
    let out = bitspike(dir.path(), &["data", "verify", "cut.es"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("after 199 events"), "{}", text(&out.stdout));
    assert_eq!(text(&out.stdout).lines().next().unwrap().matches("cut.es").count(), 1, "{}", text(&out.stdout));
    for (args, word) in [
        (&["data", "convert", "cut.es", "c.npz"][..], "byte"),
        (&["data", "convert", "a.csv", "c.dat"], ".npz"),
        (&["data", "inspect", "a.csv", "--format", "evt4"], "evt21"),
    ] {
        let out = bitspike(dir.path(), args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(text(&out.stderr).contains(word), "{args:?}: {}", text(&out.stderr));
    }
    assert!(!dir.path().join("c.npz").exists(), "a failed conversion leaves no file");
}

/// A picture, an animation, the longest gaps.
#[test]
fn data_inspect_draws_event_recordings() {
    let dir = folder("");
    let rows: String =
        (0..200).map(|i| format!("{},{},{},{}\n", 10 * i + i / 100 * 5000, i % 34, i % 29, i % 2)).collect();
    std::fs::write(dir.path().join("a.csv"), format!("t_us,x,y,p\n{rows}")).unwrap();
    let inspect = |more: &[&str]| bitspike(dir.path(), &[&["data", "inspect", "a.csv"][..], more].concat());
    let out = inspect(&["--picture", "a.png", "--frames", "4", "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let seen: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    let gap = serde_json::json!({ "us": 5010, "from_us": 990, "event": 100 });
    assert_eq!((&seen["gaps"][0], seen["gaps"].as_array().unwrap().len()), (&gap, 5));
    let events: Vec<_> = seen["picture"]["frames"].as_array().unwrap().iter().map(|f| f["events"].as_u64()).collect();
    assert_eq!(events, [100, 0, 0, 100].map(Some));
    assert!(std::fs::read(dir.path().join("a.png")).unwrap().starts_with(b"\x89PNG"));
    let out = inspect(&["--picture", "a.gif", "--window-ms", "0.5", "--from-ms", "5", "--fps", "20"]);
    let message = text(&out.stdout);
    assert!(message.contains("50 frames of 0.5 ms") && message.contains("no event for     5010 us"), "{message}");
    assert!(std::fs::read(dir.path().join("a.gif")).unwrap().starts_with(b"GIF89a"));
    for (args, word) in [
        (&["--picture", "b.jpg"][..], ".gif"),
        (&["--picture", "b.png", "--fps", "3"], "--fps"),
        (&["--picture", "b.gif", "--fps", "300"], "fps"),
        (&["--picture", "b.png", "--frames", "0"], "frames"),
        (&["--picture", "b.png", "--from-ms", "9000"], "from-ms"),
        (&["--picture", "b.png", "--window-ms", "nan"], "--window-ms"),
        (&["--frames", "3"], "--picture"),
    ] {
        let out = inspect(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(text(&out.stderr).contains(word), "{args:?}: {}", text(&out.stderr));
    }
    std::fs::write(dir.path().join("labels"), [0u8, 0, 8, 1, 0, 0, 0, 1, 1]).unwrap();
    let out = bitspike(dir.path(), &["data", "inspect", "labels", "--picture", "b.png"]);
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("no event recording"), "{}", text(&out.stderr));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().starts_with("b.")), "{left:?}");
}

/// Figures of reading, and their ratios to a reader that a stand-in for Python pretends to be.
#[cfg(unix)]
#[test]
fn bench_events_measures_and_compares() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder("");
    let rows: String = (0..500).map(|i| format!("{i},{},{},{}\n", i % 34, i % 29, i % 2)).collect();
    std::fs::write(dir.path().join("a.csv"), format!("t,x,y,p\n{rows}")).unwrap();
    std::fs::write(dir.path().join("rivals.py"), "").unwrap();
    let program = |name: &str, body: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let none = r#"{"reader":"b","installed":false,"missing":"not installed"}"#;
    let slow = r#"{"reader":"a, whole","installed":true,"version":"1.2","events":500,"seconds":[5.0,7.0,6.0]}"#;
    program(
        "python",
        &format!("[ \"$1\" = -c ] || {{ [ \"$2 $3 $4\" = \"read csv a.csv\" ]; echo '{slow}'; echo '{none}'; }}"),
    );
    program("empty", &format!("[ \"$1\" = -c ] || echo '{none}'"));
    program("failing", "[ \"$1\" = -c ] || { echo 'it broke' >&2; exit 3; }");
    let run = |more: &[&str]| {
        let args = ["bench", "events", "a.csv", "--time-unit", "us", "--reps", "1"];
        bitspike(dir.path(), &[&args[..], more].concat())
    };
    let against = |python| ["--json", "--against", "python", "--events-script", "rivals.py", "--python", python];
    let out = run(&against("./python"));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let lines: Vec<serde_json::Value> =
        text(&out.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let kinds: Vec<_> = lines.iter().map(|l| l["bench"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["events", "events", "python", "ratio", "python"]);
    assert_eq!(
        (&lines[0]["as"], &lines[1]["as"], &lines[0]["format"]),
        (&"rows".into(), &"columns".into(), &"csv".into())
    );
    for line in &lines[..2] {
        let bytes = line["bytes"].as_f64().unwrap() / line["seconds"].as_f64().unwrap();
        assert!((line["bytes_per_second"].as_f64().unwrap() / bytes - 1.0).abs() < 1e-9 && line["events"] == 500);
    }
    let expected = 6.0 / lines[0]["seconds"].as_f64().unwrap();
    assert!((lines[3]["rows"].as_f64().unwrap() / expected - 1.0).abs() < 1e-9, "{lines:?}");
    let out = run(&["--quiet"]);
    assert!(text(&out.stdout).contains("bitspike columns"), "{}", text(&out.stdout));
    for (args, part) in [
        (&against("./empty")[..], "has none of the readers b"),
        (&against("./failing"), "it broke"),
        (&against("./missing"), "cannot be started"),
        (&["--against", "python", "--events-script", "no.py", "--python", "./python"], "no.py is not a file"),
        (&["--against", "torch"], "--against python"),
        (&["--threads", "2"], "one thread"),
    ] {
        let out = run(args);
        let message = text(&out.stderr);
        assert!(out.status.code() == Some(2) && message.contains(part), "{args:?}: {message}");
        assert!(out.stdout.is_empty(), "{args:?}");
    }
    for (args, part) in [
        (&["bench", "events"][..], "no recording"),
        (&["bench", "train", "--format", "csv"], "bench events"),
        (&["bench", "kernels", "--against", "python"], "bench events"),
    ] {
        let out = bitspike(dir.path(), args);
        assert!(out.status.code() == Some(2) && text(&out.stderr).contains(part), "{args:?}: {}", text(&out.stderr));
    }
}
