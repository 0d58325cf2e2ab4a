//! From what the trainer knows to what the run folder keeps.

use crate::measure::evaluate::Evaluation;
use crate::measure::flips::{FlipCounts, FlipReport};
use crate::param::{ParamVisitor, host, layer_of, plain, snapshot, visit};
use crate::recipe::Recipe;
use crate::run::checkpoint::Progress;
use bitspike_nn::network::Summary as Size;
use bitspike_run::{Energy, EpochRecord, FlipTotals, LayerInfo, LayerRecord, NetworkInfo, Status, Summary};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Layers and sizes of a network of `steps` time steps.
pub fn network_info(s: Size, steps: usize) -> NetworkInfo {
    NetworkInfo {
        binary_weights: s.binary_weights,
        real_parameters: s.real_parameters,
        bytes_1bit: s.bytes_1bit(),
        bytes_f32: s.bytes_f32(),
        t: steps,
        layers: s
            .layers
            .into_iter()
            .map(|l| LayerInfo {
                name: l.name,
                kind: l.kind.to_owned(),
                binary: l.binary,
                shape: l.shape,
                weights: l.weights,
                macs: l.macs,
                output: l.output,
            })
            .collect(),
    }
}

fn flip_totals(c: &FlipCounts) -> FlipTotals {
    FlipTotals {
        flips: c.flips,
        per_weight: c.per_weight(),
        ratio_mean: c.ratio(),
        back_10: c.back(0),
        back_100: c.back(1),
        back_epoch: c.back_epoch(),
        efficiency: c.efficiency(),
        unchanged_since_start: c.unchanged_since_start(),
    }
}

/// α and mean γ of every layer.
#[derive(Default)]
struct Scales {
    alpha: BTreeMap<String, Vec<f64>>,
    gamma: BTreeMap<String, f64>,
}

impl ParamVisitor for Scales {
    fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
        let values = || host(plain(param.val()));
        let mean = |v: &[f32]| v.iter().map(|&x| f64::from(x)).sum::<f64>() / v.len().max(1) as f64;
        match name.rsplit('.').next() {
            // Per channel α is shown by its mean over channels.
            Some("alpha") => {
                let (steps, v) = (param.val().dims()[0].max(1), values());
                let rows = v.chunks((v.len() / steps).max(1)).map(mean).collect();
                self.alpha.insert(layer_of(name).to_owned(), rows);
            }
            Some("gamma") if !name.contains(".shortcut.") => {
                self.gamma.insert(layer_of(name).to_owned(), mean(&values()));
            }
            _ => {}
        }
    }
}

/// The record of the epoch that was just trained, and of its evaluation with the name of the part, if it was evaluated.
pub fn epoch_record<M: Module>(
    network: &M,
    progress: &Progress,
    evaluation: Option<(&str, &Evaluation)>,
    flips: &FlipReport,
    lr: f64,
) -> EpochRecord {
    let (evaluated_on, evaluation) = evaluation.unzip();
    let activities = evaluation.map(|e| &e.layers);
    let mut scales = Scales::default();
    visit(network, &mut scales);
    let mut names: Vec<&String> =
        scales.gamma.keys().chain(activities.into_iter().flatten().map(|l| l.0)).chain(flips.layers.keys()).collect();
    names.sort_by_key(|n| layer_order(n));
    names.dedup();
    let layers = names.into_iter().map(|name| {
        let counts = flips.layers.get(name);
        let activity = activities.and_then(|layers| layers.get(name));
        let means = progress.diagnostics.layer(name);
        let of = |f: fn(&crate::measure::diagnose::LayerMeans) -> f64| means.as_ref().map_or(f64::NAN, f);
        LayerRecord {
            name: name.clone(),
            binary: counts.is_some(),
            weights: counts.map_or(0, |c| c.weights),
            flips: counts.map_or(0, |c| c.flips),
            flip_ratio: counts.map_or(0.0, FlipCounts::ratio),
            flip_ratio_predicted: means.and_then(|m| m.predicted),
            back_10: counts.map_or(0.0, |c| c.back(0)),
            back_100: counts.map_or(0.0, |c| c.back(1)),
            grad_mean: of(|m| m.grad_mean),
            grad_std: of(|m| m.grad_std),
            grad_cosine: means.and_then(|m| m.cosine),
            near_flip: if counts.is_some() { of(|m| m.near_flip) } else { 0.0 },
            saturated: if counts.is_some() { of(|m| m.saturated) } else { 0.0 },
            gate_mean: activity.and_then(|a| a.gate_mean),
            gate_std: activity.and_then(|a| a.gate_std),
            alpha: scales.alpha.get(name).cloned(),
            gamma_mean: scales.gamma.get(name).copied(),
            firing_rate: activity.filter(|a| a.neurons > 0).map(|a| a.mean_rate()),
            firing_rate_t: activity.map(|a| a.firing_rate.clone()).unwrap_or_default(),
        }
    });
    let sums = &progress.sums;
    EpochRecord {
        epoch: progress.epoch + 1,
        step: progress.step,
        lr,
        train_loss: sums.loss / sums.samples.max(1) as f64,
        train_accuracy: sums.correct as f64 / sums.samples.max(1) as f64,
        held_out_loss: evaluation.map(|e| e.loss),
        held_out_accuracy: evaluation.map(Evaluation::accuracy),
        evaluated_on: evaluated_on.unwrap_or_default().to_owned(),
        seconds: sums.seconds,
        samples: sums.samples,
        flips: flip_totals(&flips.total),
        firing_rate: evaluation.map_or(f64::NAN, Evaluation::firing_rate),
        layers: layers.collect(),
    }
}

/// Stem, patch splitting, blocks by number, then the rest.
fn layer_order(name: &str) -> (u8, usize, String) {
    match name.split_once('.') {
        Some(("blocks", rest)) => {
            let number = rest.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
            (1, number, rest.to_owned())
        }
        _ if name == "stem" => (0, 0, String::new()),
        Some(("embed", rest)) => (0, 1, rest.to_owned()),
        _ => (2, 0, name.to_owned()),
    }
}

/// The outcome of a finished run. `last` is the evaluation after the last epoch, on the test part if `tested`.
pub fn summary(
    recipe: &Recipe,
    size: &Size,
    progress: &Progress,
    last: &Evaluation,
    tested: bool,
    energy: Energy,
    evaluated_on: &str,
) -> Summary {
    let flips = &progress.flips;
    Summary {
        name: recipe.name.clone(),
        method: recipe.method.to_string(),
        seed: recipe.seed,
        status: Status::Finished,
        epochs: progress.epoch,
        steps: progress.step,
        test_accuracy: tested.then(|| last.accuracy()),
        test_loss: tested.then_some(last.loss),
        test_samples: if tested { last.samples } else { 0 },
        confusion: last.confusion.shown().map(<[_]>::to_vec).unwrap_or_default(),
        best_held_out_accuracy: progress.best.map(|b| b.0),
        best_epoch: progress.best.map(|b| b.1),
        evaluated_on: evaluated_on.to_owned(),
        weights: recipe.weights(),
        train_seconds: progress.seconds,
        flips_per_weight: flips.per_weight(),
        back_10: flips.back(0),
        back_100: flips.back(1),
        back_epoch: flips.back_epoch(),
        flip_efficiency: if flips.flips == 0 { 0.0 } else { flips.changed_since_start as f64 / flips.flips as f64 },
        unchanged_since_start: flips.unchanged_since_start(),
        firing_rate: last.firing_rate(),
        binary_weights: size.binary_weights,
        real_parameters: size.real_parameters,
        bytes_1bit: size.bytes_1bit(),
        bytes_f32: size.bytes_f32(),
        energy: Some(energy),
        eval_milliseconds_per_sample: 1e3 * last.seconds / last.samples.max(1) as f64,
        ..Summary::default()
    }
}

/// What makes runs of equal bits equal: the SHA-256 of [`Summary::content`].
pub fn content<M: Module>(networks: &[&M], summary: &Summary) -> String {
    let mut hash = Sha256::new();
    for network in networks {
        for (name, data) in snapshot(*network) {
            hash.update(name.as_bytes());
            hash.update([0]);
            data.shape().iter().for_each(|d| hash.update((*d as u64).to_le_bytes()));
            let values = data.try_to_vec::<f32>().expect("parameters are f32");
            values.iter().for_each(|v| hash.update(v.to_le_bytes()));
        }
    }
    let figures = Summary {
        name: String::new(),
        content: String::new(),
        train_seconds: 0.0,
        eval_milliseconds_per_sample: 0.0,
        ..summary.clone()
    };
    hash.update(serde_json::to_vec(&figures).expect("plain numbers and names"));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
