//! `bitspike verify`: a deployed file against the trained network.

use super::shared::{OpenedRun, device, open_run, threads};
use crate::args::VerifyArgs;
use crate::error::CliError;
use crate::output;
use bitspike_data::evenly;
use bitspike_format::Model;
use bitspike_train::deploy::export;
use bitspike_train::deploy::verify::{Difference, FoldedDifference, verify};
use bitspike_train::run::eval_loader;
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    samples: u64,
    /// The file has integers behind its first layer, which round: spikes differ from the folded network's.
    integers: bool,
    same_predictions: u64,
    trainer_accuracy: f64,
    deployed_accuracy: f64,
    largest_logit_difference: f32,
    paths_agree: u64,
    folded_agree: u64,
    folded_first_difference: Option<String>,
    layers: Vec<Layer>,
    different_samples: u64,
    first_difference: Option<String>,
    largest_distance_from_threshold: f32,
}

#[derive(Serialize)]
struct Layer {
    layer: String,
    values: u64,
    different: u64,
    equal_samples: u64,
    trainer_spikes: u64,
    deployed_spikes: u64,
}

pub fn run(args: &VerifyArgs) -> Result<bool, CliError> {
    let device = device(&args.run)?;
    rayon::ThreadPoolBuilder::new().num_threads(threads(&args.run)).build_global()?;
    let file = super::shared::read_bytes(&args.model)?;
    let model = Model::parse(&file).map_err(|source| CliError::Format { path: args.model.clone(), source })?;
    let OpenedRun { recipe, data, network, plan, .. } = open_run(&args.run_folder, &args.checkpoint, &device)?;
    let samples = if args.samples == 0 { data.test.len() } else { args.samples };
    let loader = eval_loader(&recipe, &data, data.test.clone())?.only(&evenly(samples, data.test.len()))?;
    let spec = export::describe(&recipe, &data, &plan, &network)?;
    let a = verify(&model, &network, &spec, &loader, &device)?;
    let share = |n: u64| n as f64 / a.samples.max(1) as f64;
    let integers = model.is_integer();
    let report = Report {
        samples: a.samples,
        integers,
        same_predictions: a.same_predictions,
        trainer_accuracy: share(a.trainer_correct),
        deployed_accuracy: share(a.deployed_correct),
        largest_logit_difference: a.largest_logit_difference,
        paths_agree: a.paths_agree,
        layers: a
            .layers
            .iter()
            .map(|l| Layer {
                layer: l.layer.clone(),
                values: l.values,
                different: l.different,
                equal_samples: l.equal_samples,
                trainer_spikes: l.trainer_spikes,
                deployed_spikes: l.deployed_spikes,
            })
            .collect(),
        folded_agree: a.folded_agree,
        folded_first_difference: a.first_folded.as_ref().map(|d| match d {
            FoldedDifference::Spike(d) => spike(d, "folded trainer"),
            FoldedDifference::Logit { sample, class, folded, deployed } => {
                format!("sample {sample}, class {class}: logit {folded:?} in the folded trainer, {deployed:?} deployed")
            }
        }),
        different_samples: a.different_samples,
        first_difference: a.first.as_ref().map(|d| spike(d, "trainer")),
        largest_distance_from_threshold: a.largest_distance,
    };
    let folded = integers || a.folded_agree == a.samples;
    let ok = a.predictions() >= args.min_agreement && a.paths_agree == a.samples && folded;
    if args.run.json {
        output::json(&report)?;
        return Ok(ok);
    }
    let mut text = format!(
        "{} test images; accuracy {:.2} % trained, {:.2} % deployed\n\
         {}\n\
         packed file, portable, stepwise and fast: the same bits in {} of {} samples\n\
         trainer and packed file: {} of {} predictions agree; largest difference of a logit {:.2e}\n\n{:12} {:>12} {:>10} {:>14} {:>14} {:>14}\n",
        report.samples,
        100.0 * report.trainer_accuracy,
        100.0 * report.deployed_accuracy,
        match integers {
            true => "integers behind the first layer: what they round is below".to_owned(),
            false => format!(
                "folded trainer and packed file: the same bits, every spike and logit, in {} of {} samples",
                report.folded_agree, report.samples
            ),
        },
        report.paths_agree,
        report.samples,
        report.same_predictions,
        report.samples,
        report.largest_logit_difference,
        "layer",
        "values",
        "different",
        "equal samples",
        "spikes trained",
        "deployed"
    );
    for l in &report.layers {
        text += &format!(
            "{:12} {:>12} {:>10} {:>14} {:>14} {:>14}\n",
            l.layer, l.values, l.different, l.equal_samples, l.trainer_spikes, l.deployed_spikes
        );
    }
    text += "\n";
    if let Some(first) = report.folded_first_difference.as_ref().filter(|_| !integers) {
        text += &format!(
            "FAILED: the file does not compute what the folded network computes\nfirst difference: {first}\n\
             the file is of another checkpoint or run, or one of the two is wrong\n"
        );
    }
    text += &match &report.first_difference {
        Some(first) if integers => format!(
            "first difference of trainer and file: {first}\n\
             spikes differ in {} of {} samples: slopes, offsets and potentials of the file are rounded to integers",
            report.different_samples, report.samples
        ),
        Some(first) => format!(
            "first difference of trainer and file: {first}\n\
             spikes differ in {} of {} samples; the first that differs in each has a potential within {:.1e} of its threshold\n\
             (folding rounds: a spike may differ where a potential lies that close to its threshold, and what follows it)",
            report.different_samples, report.samples, report.largest_distance_from_threshold
        ),
        None => "no spike of trainer and file differs".to_owned(),
    };
    output::result(&text)?;
    Ok(ok)
}

fn spike(d: &Difference, trainer: &str) -> String {
    let [c, y, x] = d.at;
    format!(
        "sample {}, layer {}, step {}, channel {c}, row {y}, column {x}: {} in the {trainer}, {} deployed",
        d.sample, d.layer, d.step, d.trainer, d.deployed
    )
}
