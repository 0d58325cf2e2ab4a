//! `bitspike eval`: accuracy, loss and firing rates of a run.

use super::shared::{OpenedRun, device, open_run, threads};
use crate::args::EvalArgs;
use crate::error::CliError;
use crate::output;
use bitspike_train::measure::confusion::Confusion;
use bitspike_train::measure::evaluate::evaluate;
use bitspike_train::measure::worst::{self, Wrong};
use bitspike_train::run::eval_loader;
use serde::Serialize;
use std::collections::BTreeMap;

/// What `--json` prints.
#[derive(Serialize)]
struct Scores<'a> {
    run: String,
    method: String,
    seed: u64,
    checkpoint: String,
    split: String,
    /// What was evaluated, where it is not the trained weights themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<String>,
    accuracy: f64,
    loss: f64,
    samples: u64,
    epochs: u64,
    steps: u64,
    flips: u64,
    flips_per_weight: f64,
    firing_rate: f64,
    firing_rates: BTreeMap<String, f64>,
    /// Of each class in order.
    recall: Vec<Option<f64>>,
    balanced_accuracy: Option<f64>,
    macro_f1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion: Option<Confusion>,
    /// Recordings with wrong windows, the worst first.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    wrong: &'a [Wrong<'a>],
    binary_weights: u64,
    real_parameters: u64,
    bytes_1bit: u64,
    bytes_f32: u64,
    milliseconds_per_sample: f64,
}

pub fn run(args: &EvalArgs) -> Result<bool, CliError> {
    let device = device(&args.run)?;
    rayon::ThreadPoolBuilder::new().num_threads(threads(&args.run)).build_global()?;
    let OpenedRun { recipe, data, checkpoint, plan, network } = open_run(&args.run_folder, &args.checkpoint, &device)?;
    let set = match args.split.as_str() {
        "train" => data.train.clone(),
        "validation" => data.validation.clone().ok_or_else(|| {
            CliError::Usage("--split validation: this run holds out no samples (data.validation is 0)".to_owned())
        })?,
        _ => data.test.clone(),
    };
    let loader = eval_loader(&recipe, &data, set)?;
    let set = loader.set().clone();
    let e = evaluate(&network, &loader, recipe.train.loss, &device)?;
    let wrong = worst::worst(&set, &e.predictions);
    let (size, progress) = (plan.summary(), &checkpoint.progress);
    let result = Scores {
        run: args.run_folder.display().to_string(),
        method: recipe.method.to_string(),
        seed: recipe.seed,
        checkpoint: args.checkpoint.clone(),
        split: args.split.clone(),
        weights: recipe.weights(),
        accuracy: e.accuracy(),
        loss: e.loss,
        samples: e.samples,
        epochs: progress.epoch,
        steps: progress.step,
        flips: progress.flips.flips,
        flips_per_weight: progress.flips.per_weight(),
        firing_rate: e.firing_rate(),
        recall: e.confusion.recall(),
        balanced_accuracy: e.confusion.balanced_accuracy(),
        macro_f1: e.confusion.macro_f1(),
        confusion: e.confusion.shown().is_some().then(|| e.confusion.clone()),
        wrong: &wrong,
        firing_rates: e.layers.iter().map(|(name, l)| (name.clone(), l.mean_rate())).collect(),
        binary_weights: size.binary_weights,
        real_parameters: size.real_parameters,
        bytes_1bit: size.bytes_1bit(),
        bytes_f32: size.bytes_f32(),
        milliseconds_per_sample: 1e3 * e.seconds / e.samples.max(1) as f64,
    };
    if args.run.json {
        output::json(&result)?;
    } else {
        let rates: Vec<String> = result.firing_rates.iter().map(|(n, r)| format!("{n} {r:.3}")).collect();
        output::result(&format!(
            "{} seed {}, {} checkpoint (epoch {}{}), {} part: accuracy {:.2} %, loss {:.4}, {} samples\n\
             firing rate {:.3} ({}); {} in 1-bit form, {} in float32; {:.3} ms per sample in batches of {}\n{}{}",
            result.method,
            result.seed,
            result.checkpoint,
            result.epochs,
            result.weights.as_ref().map_or_else(String::new, |weights| format!(", {weights}")),
            result.split,
            100.0 * result.accuracy,
            result.loss,
            result.samples,
            result.firing_rate,
            rates.join(", "),
            super::shared::bytes(result.bytes_1bit),
            super::shared::bytes(result.bytes_f32),
            result.milliseconds_per_sample,
            recipe.train.eval_batch_size,
            e.confusion.text(&data.test.classes),
            worst::text(&wrong)
        ))?;
    }
    Ok(args.min_accuracy.is_none_or(|min| result.accuracy >= min))
}
