//! `bitspike verify`: a deployed file against the trained network.

use super::{OpenedRun, device, open_run, threads};
use crate::args::VerifyArgs;
use crate::error::CliError;
use crate::output;
use bitspike_format::Model;
use bitspike_train::eval_loader;
use bitspike_train::verify::verify;
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    samples: u64,
    same_predictions: u64,
    trainer_accuracy: f64,
    deployed_accuracy: f64,
    largest_logit_difference: f32,
    paths_agree: u64,
    layers: Vec<Layer>,
    first_difference: Option<String>,
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
    let file = super::read_bytes(&args.model)?;
    let model = Model::parse(&file).map_err(|source| CliError::Format { path: args.model.clone(), source })?;
    let OpenedRun { recipe, data, network, .. } = open_run(&args.run_folder, &args.checkpoint, &device)?;
    let loader = eval_loader(&recipe, &data, data.test.clone())?;
    let samples = if args.samples == 0 { data.test.len() } else { args.samples };
    let a = verify(&model, &network, &loader, samples, &device)?;
    let share = |n: u64| n as f64 / a.samples.max(1) as f64;
    let report = Report {
        samples: a.samples,
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
        first_difference: a.first.as_ref().map(|d| {
            let [c, y, x] = d.at;
            format!(
                "sample {}, layer {}, step {}, channel {c}, row {y}, column {x}: {} in the trainer, {} deployed",
                d.sample, d.layer, d.step, d.trainer, d.deployed
            )
        }),
    };
    let ok = a.predictions() >= args.min_agreement && a.paths_agree == a.samples;
    if args.run.json {
        output::json(&report)?;
        return Ok(ok);
    }
    let mut text = format!(
        "{} test images: {} predictions agree; accuracy {:.2} % trained, {:.2} % deployed; largest difference of a logit {:.2e}\n\
         portable, stepwise and fast runtime: the same bits in {} of {} samples\n\n{:12} {:>12} {:>10} {:>14} {:>14} {:>14}\n",
        report.samples,
        report.same_predictions,
        100.0 * report.trainer_accuracy,
        100.0 * report.deployed_accuracy,
        report.largest_logit_difference,
        report.paths_agree,
        report.samples,
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
    text += &match &report.first_difference {
        Some(first) => format!(
            "first difference: {first}\nfolding rounds: a spike may differ where a potential lies within rounding of its threshold"
        ),
        None => "no spike differs".to_owned(),
    };
    output::result(&text)?;
    Ok(ok)
}
