//! Evaluation: accuracy, loss, firing rates and gates over a data set.

use crate::architecture::Spiking;
use crate::measure::confusion::Confusion;
use bitspike_data::{Batch, DataError, Loader};
use bitspike_nn::network::Observer;
use bitspike_nn::{Loss, Targets};
use burn::tensor::{Device, Tensor, TensorData, activation::sigmoid};
use std::collections::BTreeMap;

/// What a layer did during an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerActivity {
    /// Spikes per neuron and time step, for each t.
    pub firing_rate: Vec<f64>,
    /// Neurons of a sample.
    pub neurons: u64,
    /// Mean of the gate σ(m).
    pub gate_mean: Option<f64>,
    /// Deviation of the gate over samples, steps and channels.
    pub gate_std: Option<f64>,
}

impl LayerActivity {
    /// Mean over t.
    pub fn mean_rate(&self) -> f64 {
        self.firing_rate.iter().sum::<f64>() / self.firing_rate.len().max(1) as f64
    }
}

/// The result of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Mean loss per sample.
    pub loss: f64,
    /// Correct predictions; the prediction is the class with the largest mean logit over t.
    pub correct: u64,
    /// Which class was taken for which.
    pub confusion: Confusion,
    /// Predicted class of every sample, in the order of the set.
    pub predictions: Vec<u32>,
    /// Samples.
    pub samples: u64,
    /// Seconds in the network, without loading.
    pub seconds: f64,
    /// Every layer with neurons.
    pub layers: BTreeMap<String, LayerActivity>,
    /// Mean of every sum of spikes that goes on instead of spikes (SEW, Spikformer): additions per weight.
    pub counts: BTreeMap<String, f64>,
}

impl Evaluation {
    /// Share of correct predictions.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }

    /// Spikes per neuron and time step over the whole network, every neuron counting the same.
    pub fn firing_rate(&self) -> f64 {
        let (spikes, neurons) =
            self.layers.values().fold((0.0, 0u64), |(s, n), l| (s + l.mean_rate() * l.neurons as f64, n + l.neurons));
        if neurons == 0 { 0.0 } else { spikes / neurons as f64 }
    }
}

/// Sums behind [`LayerActivity`].
#[derive(Default)]
struct Sums {
    spikes: Vec<f64>,
    samples: f64,
    neurons: u64,
    gates: [f64; 3],
}

#[derive(Default)]
struct Activity {
    layers: BTreeMap<String, Sums>,
    counts: BTreeMap<String, Sums>,
}

impl Sums {
    fn add(&mut self, spikes: &Tensor<5>) {
        let [t, n, c, h, w] = spikes.dims();
        let rates = crate::param::host(spikes.clone().reshape([t as i32, -1]).mean_dim(1));
        self.spikes.resize(t, 0.0);
        for (sum, rate) in self.spikes.iter_mut().zip(rates) {
            *sum += f64::from(rate) * n as f64;
        }
        self.samples += n as f64;
        self.neurons = (c * h * w) as u64;
    }
}

impl Observer for Activity {
    fn spikes(&mut self, layer: &str, spikes: &Tensor<5>) {
        self.layers.entry(layer.to_owned()).or_default().add(spikes);
    }

    fn counts(&mut self, name: &str, counts: &Tensor<5>) {
        self.counts.entry(name.to_owned()).or_default().add(counts);
    }

    fn gate(&mut self, layer: &str, means: &Tensor<3>) {
        let gates = crate::param::host(sigmoid(means.clone()));
        let sums = &mut self.layers.entry(layer.to_owned()).or_default().gates;
        for g in gates.into_iter().map(f64::from) {
            sums[0] += 1.0;
            sums[1] += g;
            sums[2] += g * g;
        }
    }
}

/// The frames of a batch `[T, N, C, H, W]`, T = 1 for static images, and what the outputs should be.
pub fn tensors(batch: Batch, device: &Device) -> (Tensor<5>, Targets) {
    let [c, h, w] = batch.shape;
    let images = Tensor::from_data(TensorData::new(batch.values, [batch.steps, batch.n, c, h, w]), device);
    let classes = |labels: Vec<i64>| Tensor::from_data(TensorData::new(labels, [batch.n]), device);
    let labels = classes(batch.labels);
    let targets = match batch.mixed {
        None => labels.into(),
        Some(mixed) => {
            let own = Tensor::from_data(TensorData::new(mixed.own, [batch.n]), device);
            Targets::mixed(labels, classes(mixed.labels), own)
        }
    };
    (images, targets)
}

/// Correct predictions for logits `[T, N, K]`.
pub fn count_correct(logits: Tensor<3>, labels: &[i64]) -> u64 {
    predictions(logits).into_iter().zip(labels).filter(|(p, l)| *p as i64 == **l).count() as u64
}

/// Classes predicted by logits `[T, N, K]`: largest mean over t, the first one of equals.
fn predictions(logits: Tensor<3>) -> Vec<usize> {
    let k = logits.dims()[2];
    let mean = crate::param::host(logits.mean_dim(0));
    let best = |row: &[f32]| {
        row.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, &v)| if v > b.1 { (i, v) } else { b }).0
    };
    mean.chunks_exact(k).map(best).collect()
}

/// Runs a network over a data set on a device without autodiff.
///
/// # Errors
/// [`DataError`] if an image file is gone or damaged.
pub fn evaluate(network: &impl Spiking, loader: &Loader, loss: Loss, device: &Device) -> Result<Evaluation, DataError> {
    let mut activity = Activity::default();
    let confusion = Confusion::of(loader.set().classes.len(), []);
    let mut result = Evaluation { confusion, ..Evaluation::default() };
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let (n, labels) = (batch.n, batch.labels.clone());
        let (images, targets) = tensors(batch, device);
        let start = std::time::Instant::now();
        let logits = network.forward(images, &mut activity);
        let value: f32 = loss.forward(logits.clone(), targets).into_scalar();
        result.seconds += start.elapsed().as_secs_f64();
        result.loss += f64::from(value) * n as f64;
        let predictions = predictions(logits);
        result.confusion.count(labels.iter().map(|label| *label as usize).zip(predictions.iter().copied()));
        result.predictions.extend(predictions.into_iter().map(|class| class as u32));
        result.samples += n as u64;
    }
    result.correct = result.confusion.correct();
    result.loss /= result.samples.max(1) as f64;
    result.layers = activity.layers.into_iter().map(|(name, s)| (name, s.finish())).collect();
    result.counts = activity.counts.into_iter().map(|(name, s)| (name, s.finish().mean_rate())).collect();
    Ok(result)
}

impl Sums {
    fn finish(self) -> LayerActivity {
        let [n, sum, squares] = self.gates;
        let mean = (n > 0.0).then(|| sum / n);
        LayerActivity {
            firing_rate: self.spikes.iter().map(|s| s / self.samples.max(1.0)).collect(),
            neurons: self.neurons,
            gate_mean: mean,
            gate_std: mean.map(|m| (squares / n - m * m).max(0.0).sqrt()),
        }
    }
}
