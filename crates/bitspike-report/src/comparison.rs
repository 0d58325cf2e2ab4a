//! Runs side by side: grouped by method, averaged over seeds, paired with the baseline.

use std::path::{Path, PathBuf};

use bitspike_run::{Classics, Energy, Status};
use serde::Serialize;

use crate::{Difference, Figure, ReportError, Spread, caveats, conclude, group, learned, load::Loaded};

/// The method that others are compared with unless another is named.
pub const BASELINE: &str = "bsnn";

/// Runs side by side.
///
/// Only finished runs count in means and differences; the others are listed with their status. Runs of one method
/// whose recipes differ in more than the seed form groups of their own, `agmm (lr=0.1)`.
///
/// ```no_run
/// use bitspike_report::{Comparison, html, text};
/// let comparison = Comparison::from_runs(&["runs/bsnn-1".into(), "runs/agmm-1".into()])?;
/// println!("{}", text(&comparison));
/// bitspike_report::write(&comparison, std::path::Path::new("report.html"), html)?;
/// # Ok::<(), bitspike_report::ReportError>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Version of this layout in JSON.
    pub schema: u32,
    /// What follows from the figures, in words.
    pub conclusion: Conclusion,
    /// Label of the baseline; absent if no run is one.
    pub baseline: Option<String>,
    /// What accuracies were measured on: `test` or `validation`.
    pub accuracy_on: String,
    /// The accuracy to reach: mean over the baseline's seeds of its best epoch's accuracy, fraction.
    pub target_accuracy: Option<f64>,
    /// One entry per method, baseline first.
    pub methods: Vec<MethodResult>,
    /// Every method's differences to the baseline.
    pub differences: Vec<Difference>,
    /// Classifiers without a network on the same data, if they were run.
    pub classics: Option<Classics>,
    /// What stands in the way of comparing these runs.
    pub caveats: Vec<String>,
    /// One entry per run, in the order of `methods`, then by seed.
    pub runs: Vec<RunResult>,
    /// The runs as read, in the order of `runs`.
    #[serde(skip)]
    pub(crate) loaded: Vec<Loaded>,
}

/// What follows from the figures, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conclusion {
    /// One or two sentences.
    pub headline: String,
    /// Further sentences.
    pub points: Vec<String>,
}

/// One method over its seeds. Means are over finished runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodResult {
    /// The method, and what sets the group apart if the method has several.
    pub label: String,
    /// The method as `run.json` has it.
    pub method: String,
    /// Seeds of the finished runs, ascending.
    pub seeds: Vec<u64>,
    /// Runs that have not finished; in no mean.
    pub unfinished: usize,
    /// Final accuracy, fraction.
    pub accuracy: Option<Spread>,
    /// Accuracy of the best epoch, fraction.
    pub best_accuracy: Option<Spread>,
    /// First epoch that reached the target accuracy, per finished run; absent for runs that never did.
    pub epochs_to_target: Vec<Option<u64>>,
    /// Sign changes per binary weight over the run.
    pub flips_per_weight: Option<Spread>,
    /// Share of flips undone within 10 steps.
    pub back_10: Option<Spread>,
    /// Share of flips undone within 100 steps.
    pub back_100: Option<Spread>,
    /// Share of flips undone by the end of their epoch.
    pub back_epoch: Option<Spread>,
    /// Weights that end an epoch changed, per flip.
    pub flip_efficiency: Option<Spread>,
    /// Share of signs equal to those at the start.
    pub unchanged_since_start: Option<Spread>,
    /// Spikes per neuron and time step.
    pub firing_rate: Option<Spread>,
    /// Size with one bit per binary weight, bytes.
    pub bytes_1bit: u64,
    /// Size with every parameter as float32, bytes.
    pub bytes_f32: u64,
    /// Energy estimate per sample, arithmetic only, pJ.
    pub energy_compute_pj: Option<Spread>,
    /// Energy estimate per sample, with memory traffic, pJ.
    pub energy_with_memory_pj: Option<Spread>,
    /// Energy estimate of a quantised network without spikes, pJ.
    pub energy_quantised_ann_pj: Option<Spread>,
    /// Training time with evaluation, seconds.
    pub train_seconds: Option<Spread>,
    /// Measured time per sample in evaluation, milliseconds.
    pub eval_milliseconds_per_sample: Option<Spread>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunResult {
    /// Label of its group.
    pub label: String,
    /// The method as `run.json` has it.
    pub method: String,
    /// Seed.
    pub seed: u64,
    /// The run's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// How it ended.
    pub status: Status,
    /// Whether it counts in means: only finished runs do.
    pub counted: bool,
    /// Epochs in its metrics.
    pub epochs: u64,
    /// Final accuracy, fraction; for an unfinished run that of its last evaluated epoch.
    pub accuracy: Option<f64>,
    /// What `accuracy` was measured on.
    pub accuracy_on: Option<String>,
    /// Accuracy of the best epoch, fraction.
    pub best_accuracy: Option<f64>,
    /// That epoch, from 1.
    pub best_epoch: Option<u64>,
    /// First epoch that reached the target accuracy.
    pub epochs_to_target: Option<u64>,
    /// Sign changes per binary weight over the run.
    pub flips_per_weight: Option<f64>,
    /// Share of flips undone within 10 steps.
    pub back_10: Option<f64>,
    /// Share of flips undone within 100 steps.
    pub back_100: Option<f64>,
    /// Share of flips undone by the end of their epoch.
    pub back_epoch: Option<f64>,
    /// Weights that end an epoch changed, per flip.
    pub flip_efficiency: Option<f64>,
    /// Share of signs equal to those at the start.
    pub unchanged_since_start: Option<f64>,
    /// Spikes per neuron and time step.
    pub firing_rate: Option<f64>,
    /// Energy estimate.
    pub energy: Option<Energy>,
    /// Training time with evaluation, seconds.
    pub train_seconds: Option<f64>,
    /// Measured time per sample in evaluation, milliseconds.
    pub eval_milliseconds_per_sample: Option<f64>,
}

impl Comparison {
    /// Reads run folders and compares them; the baseline is the method [`BASELINE`] if there is one.
    ///
    /// # Errors
    /// [`ReportError::NoRuns`], [`ReportError::Run`] for a folder that cannot be read, [`ReportError::Duplicate`] for
    /// two finished runs of the same method, recipe and seed.
    pub fn from_runs(paths: &[PathBuf]) -> Result<Self, ReportError> {
        if paths.is_empty() {
            return Err(ReportError::NoRuns);
        }
        let mut unique: Vec<&Path> = Vec::new();
        for path in paths {
            if !unique.contains(&path.as_path()) {
                unique.push(path);
            }
        }
        let loaded = unique.into_iter().map(Loaded::read).collect::<Result<Vec<_>, _>>()?;
        let labels = group::labels(&loaded);
        let mut pairs: Vec<(String, Loaded)> = labels.into_iter().zip(loaded).collect();
        let (baseline, ambiguous) = choose_baseline(&pairs);
        // Baseline first, then the method this tool is about, then by name.
        let rank = |label: &str, method: &str| {
            (Some(label) != baseline.as_deref(), method != BASELINE, !method.starts_with("agmm"))
        };
        pairs.sort_by(|(left, a), (right, b)| {
            let key = |label: &str, run: &Loaded| (rank(label, &run.info.method), label.to_owned(), run.info.seed);
            key(left, a).cmp(&key(right, b)).then_with(|| a.path.cmp(&b.path))
        });
        refuse_duplicates(&pairs)?;

        let baseline_best = pairs
            .iter()
            .filter(|(label, run)| Some(label) == baseline.as_ref() && run.finished())
            .filter_map(|(_, run)| Some(run.best_evaluated()?.1));
        let target_accuracy = Spread::of(baseline_best).map(|spread| spread.mean);
        let runs: Vec<RunResult> = pairs.iter().map(|(label, run)| run_result(label, run, target_accuracy)).collect();
        let loaded: Vec<Loaded> = pairs.into_iter().map(|(_, run)| run).collect();
        let methods = methods(&runs, &loaded);
        let accuracy_on = runs
            .iter()
            .find(|run| run.counted && run.accuracy_on.is_some())
            .or_else(|| runs.iter().find(|run| run.accuracy_on.is_some()))
            .and_then(|run| run.accuracy_on.clone())
            .unwrap_or_else(|| "test".into());
        let differences = differences(&methods, &runs, baseline.as_deref());
        let mut comparison = Self {
            schema: 1,
            conclusion: Conclusion::default(),
            baseline,
            accuracy_on,
            target_accuracy,
            methods,
            differences,
            classics: None,
            caveats: Vec::new(),
            runs,
            loaded,
        };
        comparison.caveats = caveats::collect(&comparison, &ambiguous);
        comparison.conclusion = conclude::conclude(&comparison);
        Ok(comparison)
    }

    /// The same with classifiers that were run on the same data: they get a table, and the first sentence says it if no network beats them.
    ///
    /// They are left out, with a caveat, if they were run on another part or on other files than the runs.
    pub fn with_classics(mut self, classics: Classics) -> Self {
        match caveats::of_classics(&self, &classics) {
            Some(caveat) => self.caveats.push(caveat),
            None => {
                self.classics = Some(classics);
                self.conclusion = conclude::conclude(&self);
            }
        }
        self
    }

    /// The paired difference between any two methods; `None` without a seed in common.
    pub fn difference(&self, figure: Figure, method: &str, against: &str) -> Option<Difference> {
        let find = |label: &str| self.methods.iter().find(|method| method.label == label);
        Difference::between(figure, find(method)?, find(against)?, &self.runs)
    }

    /// The difference of a method to the baseline.
    pub fn to_baseline(&self, figure: Figure, method: &str) -> Option<&Difference> {
        self.differences.iter().find(|difference| difference.figure == figure && difference.method == method)
    }

    /// Why nothing follows about the flips of a method, with the remedy; nothing if it has learned.
    pub fn doubts(&self, method: &MethodResult) -> Vec<String> {
        learned::doubts(self, &[method])
    }

    /// The loaded runs of a group.
    pub(crate) fn loaded_of<'a>(&'a self, label: &'a str) -> impl Iterator<Item = (&'a RunResult, &'a Loaded)> {
        self.runs.iter().zip(&self.loaded).filter(move |(run, _)| run.label == label)
    }
}

/// The baseline's label, and the other labels that could have been meant.
fn choose_baseline(pairs: &[(String, Loaded)]) -> (Option<String>, Vec<String>) {
    let mut labels: Vec<(String, String, usize)> = Vec::new(); // label, method, runs
    for (label, run) in pairs {
        match labels.iter_mut().find(|(known, ..)| known == label) {
            Some((.., runs)) => *runs += 1,
            None => labels.push((label.clone(), run.info.method.clone(), 1)),
        }
    }
    labels.sort();
    if labels.iter().any(|(label, ..)| label == BASELINE) {
        return (Some(BASELINE.to_owned()), Vec::new());
    }
    labels.retain(|(_, method, _)| method == BASELINE);
    labels.sort_by_key(|(.., runs)| std::cmp::Reverse(*runs)); // stable: by label among equals
    let mut candidates = labels.into_iter().map(|(label, ..)| label);
    (candidates.next(), candidates.collect())
}

/// `pairs` must be sorted, so that equal label and seed are neighbours.
fn refuse_duplicates(pairs: &[(String, Loaded)]) -> Result<(), ReportError> {
    let finished: Vec<_> = pairs.iter().filter(|(_, run)| run.finished()).collect();
    for pair in finished.windows(2) {
        let [(label, first), (other, second)] = pair else { continue };
        if label == other && first.info.seed == second.info.seed {
            return Err(ReportError::Duplicate {
                label: label.clone(),
                seed: first.info.seed,
                first: first.path.clone(),
                second: second.path.clone(),
            });
        }
    }
    Ok(())
}

fn run_result(label: &str, run: &Loaded, target: Option<f64>) -> RunResult {
    let summary = run.summary.as_ref().filter(|_| run.finished());
    let of = |pick: fn(&bitspike_run::Summary) -> f64| summary.map(pick).filter(|value| value.is_finite());
    // A network without binary weights has no flips, which is not the same as none of them flipping.
    let flips_of = |pick| if summary.is_some_and(|summary| summary.binary_weights > 0) { of(pick) } else { None };
    let (accuracy, accuracy_on) = match summary.and_then(|summary| summary.test_accuracy) {
        Some(accuracy) => (Some(accuracy), Some("test".to_owned())),
        None => run.last_evaluated().map(|(accuracy, on)| (accuracy, on.to_owned())).unzip(),
    };
    let best = run.best_evaluated();
    RunResult {
        label: label.into(),
        method: run.info.method.clone(),
        seed: run.info.seed,
        name: run.info.name.clone(),
        folder: run.path.clone(),
        status: run.status(),
        counted: run.finished(),
        epochs: run.epochs.last().map_or(0, |epoch| epoch.epoch),
        accuracy,
        accuracy_on,
        best_accuracy: best.map(|(_, accuracy)| accuracy),
        best_epoch: best.map(|(epoch, _)| epoch),
        epochs_to_target: target.and_then(|target| run.first_epoch_at(target)),
        flips_per_weight: flips_of(|summary| summary.flips_per_weight),
        back_10: flips_of(|summary| summary.back_10),
        back_100: flips_of(|summary| summary.back_100),
        back_epoch: flips_of(|summary| summary.back_epoch),
        flip_efficiency: flips_of(|summary| summary.flip_efficiency),
        unchanged_since_start: flips_of(|summary| summary.unchanged_since_start),
        firing_rate: of(|summary| summary.firing_rate),
        energy: summary.and_then(|summary| summary.energy.clone()),
        train_seconds: of(|summary| summary.train_seconds),
        eval_milliseconds_per_sample: of(|summary| summary.eval_milliseconds_per_sample),
    }
}

/// `runs` must be sorted by label.
fn methods(runs: &[RunResult], loaded: &[Loaded]) -> Vec<MethodResult> {
    let mut start = 0;
    let mut out = Vec::new();
    for members in runs.chunk_by(|a, b| a.label == b.label) {
        let network = &loaded[start].info.network;
        start += members.len();
        let counted: Vec<&RunResult> = members.iter().filter(|run| run.counted).collect();
        let spread = |pick: fn(&RunResult) -> Option<f64>| Spread::of(counted.iter().filter_map(|run| pick(run)));
        out.push(MethodResult {
            label: members[0].label.clone(),
            method: members[0].method.clone(),
            seeds: counted.iter().map(|run| run.seed).collect(),
            unfinished: members.len() - counted.len(),
            accuracy: spread(|run| run.accuracy),
            best_accuracy: spread(|run| run.best_accuracy),
            epochs_to_target: counted.iter().map(|run| run.epochs_to_target).collect(),
            flips_per_weight: spread(|run| run.flips_per_weight),
            back_10: spread(|run| run.back_10),
            back_100: spread(|run| run.back_100),
            back_epoch: spread(|run| run.back_epoch),
            flip_efficiency: spread(|run| run.flip_efficiency),
            unchanged_since_start: spread(|run| run.unchanged_since_start),
            firing_rate: spread(|run| run.firing_rate),
            bytes_1bit: network.bytes_1bit,
            bytes_f32: network.bytes_f32,
            energy_compute_pj: spread(|run| run.energy.as_ref().map(|energy| energy.compute_pj)),
            energy_with_memory_pj: spread(|run| run.energy.as_ref().map(|energy| energy.with_memory_pj)),
            energy_quantised_ann_pj: spread(|run| run.energy.as_ref().map(|energy| energy.quantised_ann_pj)),
            train_seconds: spread(|run| run.train_seconds),
            eval_milliseconds_per_sample: spread(|run| run.eval_milliseconds_per_sample),
        });
    }
    out
}

fn differences(methods: &[MethodResult], runs: &[RunResult], baseline: Option<&str>) -> Vec<Difference> {
    let Some(against) = methods.iter().find(|method| Some(method.label.as_str()) == baseline) else {
        return Vec::new();
    };
    let others = methods.iter().filter(|method| method.label != against.label);
    let mut all: Vec<Difference> = others
        .flat_map(|method| Figure::ALL.map(|figure| Difference::between(figure, method, against, runs)))
        .flatten()
        .collect();
    Difference::correct(&mut all);
    all
}
