//! What stands in the way of comparing a set of runs, in sentences.

use std::collections::BTreeMap;

use bitspike_run::Classics;

use crate::{Comparison, fmt, load::Loaded};

/// Every reason to distrust the comparison, the gravest first.
pub(crate) fn collect(c: &Comparison, other_baselines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    differing(c, &mut out);
    unfinished(c, &mut out);
    if !other_baselines.is_empty() {
        let chosen = c.baseline.as_deref().unwrap_or_default();
        out.push(format!("The baseline has several recipes; {chosen} was taken, not {}.", fmt::list(other_baselines)));
    } else if c.baseline.is_none() && c.methods.len() > 1 {
        out.push(format!("No run of the baseline {}: no differences are given.", crate::BASELINE));
    }
    for run in c.runs.iter().zip(&c.loaded).filter(|(_, loaded)| loaded.torn) {
        out.push(format!("The last metrics line of {} was cut short and left out.", run.1.folder_name()));
    }
    let picked_on_test = c.loaded.iter().any(|run| run.epochs.iter().any(|epoch| epoch.evaluated_on == "test"));
    if picked_on_test {
        out.push(
            "Epochs were evaluated on the test set: the best-epoch accuracy is picked on it and therefore optimistic. \
             The final accuracy is not picked."
                .into(),
        );
    }
    out
}

/// Why classifiers cannot stand beside these runs: another part, other files.
pub(crate) fn of_classics(c: &Comparison, classics: &Classics) -> Option<String> {
    let run = c.loaded.iter().find(|run| run.finished()).or(c.loaded.first())?;
    let data = &run.info.dataset;
    let samples = if c.accuracy_on == "validation" { data.validation_samples } else { data.test_samples };
    let (same_part, same_files) = (classics.evaluated_on == c.accuracy_on, classics.data == hashes(run));
    let what = match (same_part && classics.samples == samples, same_files) {
        (true, true) => return None,
        (false, _) => format!(
            "on {} {} samples, the runs on {} {}",
            classics.samples, classics.evaluated_on, samples, c.accuracy_on
        ),
        (true, false) => "on other data files than the runs".into(),
    };
    Some(format!("Classifiers without a network were tried {what}, and are left out."))
}

/// Hashes of the data files of a run, sorted.
fn hashes(run: &Loaded) -> Vec<&str> {
    let mut hashes: Vec<&str> = run.info.dataset.files.iter().map(|file| file.sha256.as_str()).collect();
    hashes.sort_unstable();
    hashes
}

/// Facts that should be the same in all runs and are not.
fn differing(c: &Comparison, out: &mut Vec<String>) {
    let fact = |name: &str, consequence: &str, of: &dyn Fn(&Loaded) -> String, out: &mut Vec<String>| {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for run in c.loaded.iter().filter(|run| run.finished()) {
            values.entry(of(run)).or_default().push(run.folder_name());
        }
        if values.len() > 1 {
            let parts: Vec<String> = values
                .iter()
                .map(|(value, runs)| match runs.as_slice() {
                    [only] => format!("{value} ({only})"),
                    [first, ..] => format!("{value} ({first} and {} more)", runs.len() - 1),
                    [] => value.clone(),
                })
                .collect();
            out.push(format!("{name} differs between runs: {}. {consequence}", parts.join("; ")));
        }
    };
    let data = "Their accuracies are not comparable.";
    fact("The data set", data, &|run| run.info.dataset.name.clone(), out);
    fact("The split", data, &|run| run.info.dataset.split.clone(), out);
    fact(
        "The content of the data files",
        data,
        &|run| hashes(run).iter().map(|hash| hash.chars().take(8).collect::<String>()).collect::<Vec<_>>().join("+"),
        out,
    );
    fact(
        "The number of samples",
        data,
        &|run| {
            let data = &run.info.dataset;
            format!("{} training, {} test", fmt::count(data.train_samples), fmt::count(data.test_samples))
        },
        out,
    );
    fact(
        "What accuracy was measured on",
        data,
        &|run| match run.summary.as_ref().and_then(|summary| summary.test_accuracy) {
            Some(_) => "test".into(),
            None => run.last_evaluated().map_or("nothing".into(), |(_, on)| on.to_owned()),
        },
        out,
    );
    fact("The number of time steps T", data, &|run| run.info.network.t.to_string(), out);
    fact(
        "The network",
        data,
        &|run| {
            // Weights of any width: the full-precision network is the same network with float weights.
            let layers = &run.info.network.layers;
            let weights = layers.iter().map(|layer| layer.weights).sum();
            format!("{} layers, {} weights", layers.len(), fmt::count(weights))
        },
        out,
    );
    let length = "Longer training alone changes accuracy and flips.";
    fact("The number of epochs", length, &|run| run.epochs.len().to_string(), out);
    let version = "A difference may come from the program.";
    fact("The program version", version, &|run| run.info.versions.get("bitspike").cloned().unwrap_or_default(), out);
    let machine = "Times are not comparable.";
    fact(
        "The computer",
        machine,
        &|run| format!("{} with {} threads, {}", run.info.machine.cpu, run.info.machine.threads, run.info.device),
        out,
    );
}

fn unfinished(c: &Comparison, out: &mut Vec<String>) {
    for run in c.runs.iter().filter(|run| !run.counted) {
        let state = match run.status {
            bitspike_run::Status::Finished => "is marked finished but has no summary".to_owned(),
            bitspike_run::Status::Running => "has not finished (or was killed)".to_owned(),
            other => format!("is {other}"),
        };
        out.push(format!(
            "{} with seed {} {state} after {}: it is in no mean.",
            run.label,
            run.seed,
            fmt::plural(run.epochs as usize, "epoch")
        ));
    }
}
