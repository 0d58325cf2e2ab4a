//! `bitspike bench --against torch`: the same work by a PyTorch script, one process per mode, and the ratios.
//!
//! The script takes `--net` or `--layers`, `--T`, `--batch`, `--threads`, `--reps`, `--modes`, and `--method` where it is
//! not `agmm`; it prints a JSON object with `mode`, `train_step_s`, `infer_batch_s`, `infer_1_s`, `peak_rss_mb`.

use super::train::{Job, Line};
use crate::args::{Against, BenchArgs};
use crate::commands::shared::threads;
use crate::error::{CliError, TorchError};
use crate::output;
use bitspike_train::recipe::method::Method;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Output};

/// What the script prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Other {
    mode: String,
    train_step_s: f64,
    infer_batch_s: f64,
    infer_1_s: f64,
    peak_rss_mb: Option<f64>,
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

/// How many times as long, or as much, the other takes.
#[derive(Serialize)]
struct Ratio<'a> {
    bench: &'static str,
    mode: &'a str,
    against: &'static str,
    train_step: f64,
    infer_batch: f64,
    infer_1: f64,
    peak_rss: Option<f64>,
}

/// Runs the script once per mode. A mode that fails is reported and left out; if none is left, that is an error.
pub fn run(framework: Against, args: &BenchArgs, job: &Job) -> Result<Vec<Other>, CliError> {
    // `check` of the command lets nothing else through to training.
    if framework != Against::Torch {
        return Ok(Vec::new());
    }
    check(&args.python, &args.torch_script)?;
    let (mut others, mut failed) = (Vec::new(), None);
    for mode in args.modes.iter().map(|m| m.trim()).filter(|m| !m.is_empty()) {
        if !args.run.quiet {
            output::note(&format!("running {} --modes {mode}", args.torch_script.display()));
        }
        match run_mode(args, job, mode) {
            Ok(other) => others.push(other),
            Err(e) => {
                output::note(&format!("warning: {e}"));
                failed = Some(e);
            }
        }
    }
    match (others.is_empty(), failed) {
        (true, Some(e)) => Err(e.into()),
        (true, None) => Err(CliError::Usage("--modes names no mode".to_owned())),
        _ => Ok(others),
    }
}

/// Python, torch and the script are there.
fn check(python: &Path, script: &Path) -> Result<(), TorchError> {
    let output = start(Command::new(python).args(["-c", "import torch"]), python)?;
    if !output.status.success() {
        return Err(TorchError::NoTorch { python: python.to_owned(), reason: last_line(&output.stderr) });
    }
    if script.is_file() { Ok(()) } else { Err(TorchError::NoScript { path: script.to_owned() }) }
}

fn start(command: &mut Command, python: &Path) -> Result<Output, TorchError> {
    command.output().map_err(|source| TorchError::Python { python: python.to_owned(), source })
}

fn run_mode(args: &BenchArgs, job: &Job, mode: &str) -> Result<Other, TorchError> {
    let mut command = Command::new(&args.python);
    command.arg(&args.torch_script);
    match &args.layers {
        Some(layers) => command.args(["--layers", layers]),
        None => command.args(["--net", job.net]),
    };
    let numbers =
        [("--T", args.steps), ("--batch", args.batch), ("--threads", threads(&args.run)), ("--reps", args.reps)];
    for (flag, value) in numbers {
        command.args([flag, &value.to_string()]);
    }
    if job.recipe.method != Method::Agmm {
        command.args(["--method", job.recipe.method.as_str()]);
    }
    let output = start(command.args(["--modes", mode]), &args.python)?;
    let script = args.torch_script.clone();
    if !output.status.success() {
        let (status, reason) = (output.status.to_string(), last_line(&output.stderr));
        return Err(TorchError::Failed { script, mode: mode.to_owned(), status, reason });
    }
    figures(&output.stdout).map_err(|reason| TorchError::NoFigures { script, mode: mode.to_owned(), reason })
}

/// The last line of JSON; other lines are progress of libraries.
fn figures(stdout: &[u8]) -> Result<Other, String> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().rev().find(|l| l.trim_start().starts_with('{')).ok_or("no line starts with {")?;
    let other: Other = serde_json::from_str(line).map_err(|e| format!("{e} in {line:?}"))?;
    let all = [other.train_step_s, other.infer_batch_s, other.infer_1_s];
    if all.iter().all(|s| s.is_finite() && *s > 0.0) {
        Ok(other)
    } else {
        Err(format!("no positive times in {line:?}"))
    }
}

pub(super) fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it wrote nothing").trim().to_owned()
}

fn ratio<'a>(ours: &Line, other: &'a Other) -> Ratio<'a> {
    let peak = ours.peak_rss_mb.filter(|mb| *mb > 0).zip(other.peak_rss_mb);
    Ratio {
        bench: "ratio",
        mode: &other.mode,
        against: "torch",
        train_step: other.train_step_s / ours.train_step_s,
        infer_batch: other.infer_batch_s / ours.infer_batch_s,
        infer_1: other.infer_1_s / ours.infer_1_s,
        peak_rss: peak.map(|(ours, other)| other / ours as f64),
    }
}

/// The others beside ours: as a table, or as two lines of JSON each, figures and ratios.
pub fn show(ours: &Line, others: &[Other], json: bool) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Tagged<'a> {
        bench: &'static str,
        #[serde(flatten)]
        other: &'a Other,
    }
    if others.is_empty() {
        return Ok(());
    }
    if json {
        for other in others {
            output::json(&Tagged { bench: "torch", other })?;
            output::json(&ratio(ours, other))?;
        }
        return Ok(());
    }
    let number = |v: Option<f64>, digits: usize| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
    let mut text = format!(
        "\n{:20} {:>12} {:>7} {:>12} {:>7} {:>12} {:>7} {:>9} {:>7}\n",
        "", "train ms", "times", "batch ms", "times", "1 sample ms", "times", "peak MiB", "times"
    );
    let mut row = |name: String, values: [Option<f64>; 4], r: [Option<f64>; 4]| {
        text += &format!("{name:20}");
        for (i, (value, ratio)) in values.into_iter().zip(r).enumerate() {
            let (value, width) = if i < 3 { (number(value.map(|v| 1e3 * v), 2), 12) } else { (number(value, 0), 9) };
            text += &format!(" {value:>width$} {:>7}", number(ratio, 2));
        }
        text += "\n";
    };
    let values = |t, b, o, m| [Some(t), Some(b), Some(o), m];
    let peak = ours.peak_rss_mb.map(|mb| mb as f64);
    row(ours.mode.to_owned(), values(ours.train_step_s, ours.infer_batch_s, ours.infer_1_s, peak), [Some(1.0); 4]);
    for o in others {
        let r = ratio(ours, o);
        row(
            format!("torch {}", o.mode),
            values(o.train_step_s, o.infer_batch_s, o.infer_1_s, o.peak_rss_mb),
            values(r.train_step, r.infer_batch, r.infer_1, r.peak_rss),
        );
    }
    output::result(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_the_last_line_of_json_with_positive_times() {
        let line =
            r#"{"mode":"eager","train_step_s":0.5,"infer_batch_s":0.2,"infer_1_s":0.1,"peak_rss_mb":300,"torch":"2"}"#;
        let other = figures(format!("warming up\n{line}\n\n").as_bytes()).unwrap();
        assert_eq!((other.mode.as_str(), other.peak_rss_mb), ("eager", Some(300.0)));
        assert_eq!(other.more["torch"], "2");
        for (bad, part) in [
            ("nothing".to_owned(), "starts with {"),
            (r#"{"mode":"eager"}"#.to_owned(), "train_step_s"),
            (line.replace("0.5", "-1"), "positive"),
        ] {
            let reason = figures(bad.as_bytes()).unwrap_err();
            assert!(reason.contains(part), "{bad}: {reason}");
        }
    }
}
