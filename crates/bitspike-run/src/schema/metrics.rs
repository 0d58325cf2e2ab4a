//! `metrics.jsonl`: one [`Record`] per line.

use serde::{Deserialize, Serialize};

use crate::number;

/// One line of `metrics.jsonl`; the key `kind` says which: `{"kind":"step","step":10,...}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// End of an epoch.
    Epoch(EpochRecord),
    /// Progress within an epoch, written every so many steps.
    Step(StepRecord),
    /// Something worth knowing in words: a warning, a resume.
    Note(NoteRecord),
}

impl Record {
    /// Optimiser steps done when the record was made. Resuming drops records later than the checkpoint by it.
    pub fn step(&self) -> u64 {
        match self {
            Self::Epoch(record) => record.step,
            Self::Step(record) => record.step,
            Self::Note(record) => record.step,
        }
    }
}

/// A remark in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRecord {
    /// Optimiser steps done so far.
    pub step: u64,
    /// Epoch under way, from 1; 0 before the first.
    pub epoch: u64,
    /// The remark, one sentence.
    pub text: String,
}

/// Progress within an epoch. Loss and accuracy are those of this step's batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Optimiser steps done so far, over all epochs.
    pub step: u64,
    /// Epoch under way, from 1.
    pub epoch: u64,
    /// Training loss, nats.
    #[serde(with = "number")]
    pub loss: f64,
    /// Training accuracy, fraction.
    #[serde(with = "number")]
    pub accuracy: f64,
    /// Learning rate of this step.
    #[serde(with = "number")]
    pub lr: f64,
    /// Training samples per second of wall time.
    #[serde(with = "number")]
    pub samples_per_second: f64,
}

/// One epoch: training, evaluation, flips, spikes, and every layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch just completed, from 1.
    pub epoch: u64,
    /// Optimiser steps done so far, over all epochs.
    pub step: u64,
    /// Learning rate of the epoch's last step.
    #[serde(with = "number")]
    pub lr: f64,
    /// Mean training loss over the epoch, nats.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Training accuracy over the epoch (augmented samples, moving weights), fraction.
    #[serde(with = "number")]
    pub train_accuracy: f64,
    /// Loss on the held-out samples named by `evaluated_on`, nats; absent if not evaluated this epoch.
    /// Schema 1: `test_loss`.
    #[serde(with = "number::optional", default, alias = "test_loss")]
    pub held_out_loss: Option<f64>,
    /// Accuracy on the held-out samples named by `evaluated_on`, fraction; absent if not evaluated this epoch.
    /// Schema 1: `test_accuracy`.
    #[serde(with = "number::optional", default, alias = "test_accuracy")]
    pub held_out_accuracy: Option<f64>,
    /// What the two above were measured on: `test` or `validation`; empty if not evaluated this epoch.
    pub evaluated_on: String,
    /// Wall time of the epoch's training, without evaluation, seconds.
    #[serde(with = "number")]
    pub seconds: f64,
    /// Training samples seen in the epoch.
    pub samples: u64,
    /// Sign flips over all binary layers.
    pub flips: FlipTotals,
    /// Spikes per neuron and time step on the evaluated samples, every neuron counting the same, fraction.
    #[serde(with = "number")]
    pub firing_rate: f64,
    /// Every layer with a batch norm or neurons, input first.
    pub layers: Vec<LayerRecord>,
}

/// Sign flips of the binary weights in one epoch, over all binary layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlipTotals {
    /// Sign changes in this epoch; a weight can count many times.
    pub flips: u64,
    /// Sign changes per binary weight in this epoch: `flips` / binary weights.
    #[serde(with = "number")]
    pub per_weight: f64,
    /// Share of signs that one step changes, mean over the epoch's steps.
    #[serde(with = "number")]
    pub ratio_mean: f64,
    /// Share of this epoch's flips that were undone within 10 steps.
    #[serde(with = "number")]
    pub back_10: f64,
    /// Share of this epoch's flips that were undone within 100 steps.
    #[serde(with = "number")]
    pub back_100: f64,
    /// Share of this epoch's flips that were undone by the end of the epoch.
    #[serde(with = "number")]
    pub back_epoch: f64,
    /// Weights whose sign at the epoch's end differs from its start, per flip.
    #[serde(with = "number")]
    pub efficiency: f64,
    /// Share of signs equal to those the run started with.
    #[serde(with = "number")]
    pub unchanged_since_start: f64,
}

/// One layer in one epoch. For a real layer (`binary` false) the flip figures are 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Name, as in [`super::LayerInfo`].
    pub name: String,
    /// True if the weights are -1 and +1.
    pub binary: bool,
    /// Number of binary weights; 0 for a real layer.
    pub weights: u64,
    /// Sign changes in this epoch.
    pub flips: u64,
    /// Share of signs that one step changes, mean over the epoch's steps.
    #[serde(with = "number")]
    pub flip_ratio: f64,
    /// The same share as predicted from gradient mean and variance (normal tail); absent if not computed.
    #[serde(with = "number::optional", default)]
    pub flip_ratio_predicted: Option<f64>,
    /// Share of this epoch's flips that were undone within 10 steps.
    #[serde(with = "number")]
    pub back_10: f64,
    /// Share of this epoch's flips that were undone within 100 steps.
    #[serde(with = "number")]
    pub back_100: f64,
    /// Mean of the weight gradient over weights and sampled steps.
    #[serde(with = "number")]
    pub grad_mean: f64,
    /// Standard deviation of the weight gradient over weights, mean over sampled steps.
    #[serde(with = "number")]
    pub grad_std: f64,
    /// Cosine between the weight gradients of neighbouring sampled steps, mean over the epoch; absent if not computed.
    #[serde(with = "number::optional", default)]
    pub grad_cosine: Option<f64>,
    /// Share of weights one step from flipping: |w| < lr · rms(velocity), mean over sampled steps.
    #[serde(with = "number")]
    pub near_flip: f64,
    /// Share of latent weights with |w| > 1, which get no gradient, mean over sampled steps.
    #[serde(with = "number")]
    pub saturated: f64,
    /// Mean of the gate over samples and time steps; absent without a gate.
    #[serde(with = "number::optional", default)]
    pub gate_mean: Option<f64>,
    /// Standard deviation of the gate over samples and time steps; absent without a gate.
    #[serde(with = "number::optional", default)]
    pub gate_std: Option<f64>,
    /// α per time step (mean over channels if per channel), at the epoch's end; absent without a gate.
    #[serde(with = "number::optional_list", default)]
    pub alpha: Option<Vec<f64>>,
    /// Mean of the batch norm scale γ, at the epoch's end; absent without batch norm.
    #[serde(with = "number::optional", default)]
    pub gamma_mean: Option<f64>,
    /// Spikes per neuron and time step of the neurons behind this layer, fraction; absent if none follow.
    #[serde(with = "number::optional", default)]
    pub firing_rate: Option<f64>,
    /// The same for each time step; empty if no neurons follow.
    #[serde(with = "number::list", default)]
    pub firing_rate_t: Vec<f64>,
}
