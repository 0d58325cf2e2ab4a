//! What the gradients of binary weights look like, sampled every few steps and averaged over an epoch.

use crate::measure::flips::predicted_ratio;
use crate::optim::{Optimizer, OptimizerKind};
use crate::param::{ParamVisitor, Role, host, layer_of, plain, visit};
use burn::module::{Module, Param};
use burn::tensor::{Gradients, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sums over the samples of an epoch for one layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerSums {
    samples: u64,
    grad_mean: f64,
    grad_std: f64,
    cosine: f64,
    cosines: u64,
    predicted: f64,
    predictions: u64,
    near_flip: f64,
    saturated: f64,
}

/// Means over the samples of an epoch for one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerMeans {
    /// Mean of the gradient.
    pub grad_mean: f64,
    /// Deviation of the gradient over the layer's weights.
    pub grad_std: f64,
    /// Cosine between the gradients of two neighbouring samples.
    pub cosine: Option<f64>,
    /// Share of weights that a step is expected to flip.
    pub predicted: Option<f64>,
    /// Share of weights with |w| < lr · rms(velocity).
    pub near_flip: f64,
    /// Share of weights with |w| > 1, which get no gradient.
    pub saturated: f64,
}

/// Gradient diagnostics of the running epoch, by layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diagnostics {
    layers: BTreeMap<String, LayerSums>,
    /// Gradients of the last sample of this epoch, for the cosine; a checkpoint keeps them beside the other tensors.
    #[serde(skip)]
    pub(crate) last: BTreeMap<String, Vec<f32>>,
}

impl Diagnostics {
    /// Takes a sample. Call before the optimiser's step.
    pub fn sample<M: Module>(&mut self, module: &M, grads: &Gradients, optimizer: &Optimizer, lr: f64) {
        visit(module, &mut Sample { to: self, grads, optimizer, lr });
    }

    /// Means of a layer, if it was sampled.
    pub fn layer(&self, name: &str) -> Option<LayerMeans> {
        let s = self.layers.get(name)?;
        let n = s.samples as f64;
        let over = |sum: f64, count: u64| (count > 0).then(|| sum / count as f64);
        Some(LayerMeans {
            grad_mean: s.grad_mean / n,
            grad_std: s.grad_std / n,
            cosine: over(s.cosine, s.cosines),
            predicted: over(s.predicted, s.predictions),
            near_flip: s.near_flip / n,
            saturated: s.saturated / n,
        })
    }
}

struct Sample<'a> {
    to: &'a mut Diagnostics,
    grads: &'a Gradients,
    optimizer: &'a Optimizer,
    lr: f64,
}

impl ParamVisitor for Sample<'_> {
    fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
        let role = Role::of(name);
        let (Role::Binary | Role::Weight, value) = (role, param.val()) else { return };
        let Some(grad) = value.grad(self.grads) else { return };
        let layer = layer_of(name).to_owned();
        let (w, g) = (host(plain(value)), host(grad));
        let n = g.len().max(1) as f64;
        let mean = g.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = g.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let sums = self.to.layers.entry(layer.clone()).or_default();
        sums.samples += 1;
        sums.grad_mean += mean;
        sums.grad_std += var.sqrt();
        if role == Role::Binary {
            let config = self.optimizer.config();
            let (lr, _) = config.group(role, self.lr);
            // The theory is that of SGD with momentum.
            let sgd = config.kind == OptimizerKind::Sgd;
            // What the optimiser divides the gradient by.
            let size = if config.unit_gradient() { (mean.powi(2) + var).sqrt() } else { 1.0 };
            let predict = || predicted_ratio(&w, mean / size, var.sqrt() / size, lr, config.momentum);
            if let Some(p) = sgd.then(predict).flatten() {
                sums.predicted += p;
                sums.predictions += 1;
            }
            if let Some(v) = self.optimizer.velocity(name) {
                let v = host(v.clone());
                let rms = (v.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n).sqrt();
                sums.near_flip += w.iter().filter(|w| f64::from(w.abs()) < lr * rms).count() as f64 / n;
            }
            sums.saturated += w.iter().filter(|w| w.abs() > 1.0).count() as f64 / n;
            let last = self.to.last.get(&layer).filter(|last| last.len() == g.len());
            if let Some(c) = last.and_then(|last| cosine(last, &g)) {
                sums.cosine += c;
                sums.cosines += 1;
            }
            self.to.last.insert(layer, g);
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let norm = (aa * bb).sqrt();
    (norm > 0.0).then(|| ab / norm)
}
