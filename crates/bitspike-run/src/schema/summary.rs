//! `summary.json`: the outcome of a run, written when it ends.

use serde::{Deserialize, Serialize};

use super::{SCHEMA, Status};
use crate::number;

/// `summary.json`: the outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this layout, [`SCHEMA`].
    pub schema: u32,
    /// The run's name.
    pub name: String,
    /// Training method.
    pub method: String,
    /// Seed.
    pub seed: u64,
    /// How the run ended.
    pub status: Status,
    /// Epochs completed.
    pub epochs: u64,
    /// Optimiser steps done.
    pub steps: u64,
    /// Accuracy of the last epoch's network on the test set, fraction; absent if it was not evaluated.
    #[serde(with = "number::optional", default)]
    pub test_accuracy: Option<f64>,
    /// Loss of the last epoch's network on the test set, nats; absent if it was not evaluated.
    #[serde(with = "number::optional", default)]
    pub test_loss: Option<f64>,
    /// Samples those two were measured on.
    pub test_samples: u64,
    /// Samples of each class (rows) that were taken for each (columns), in the order of `run.json`'s classes; empty with more than
    /// twenty classes. On the test part, or on the validation part if the test part was not evaluated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u64>>,
    /// Best accuracy of any epoch, on `evaluated_on`, fraction; absent if never evaluated.
    /// Schema 1: `best_accuracy`.
    #[serde(with = "number::optional", default, alias = "best_accuracy")]
    pub best_held_out_accuracy: Option<f64>,
    /// The epoch that reached it, from 1; the first of equals.
    #[serde(default)]
    pub best_epoch: Option<u64>,
    /// What `best_held_out_accuracy` was measured on: `test` or `validation`. A best epoch picked on the test set is an
    /// optimistic figure, and reports say so.
    pub evaluated_on: String,
    /// What was evaluated, where it is not the trained weights themselves: `averaged with decay 0.999`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Wall time of the training in all epochs, without evaluation, over every resume, seconds.
    #[serde(with = "number")]
    pub train_seconds: f64,
    /// Sign changes per binary weight over the whole run.
    #[serde(with = "number")]
    pub flips_per_weight: f64,
    /// Share of the run's flips that were undone within 10 steps.
    #[serde(with = "number")]
    pub back_10: f64,
    /// Share of the run's flips that were undone within 100 steps.
    #[serde(with = "number")]
    pub back_100: f64,
    /// Share of the run's flips that were undone by the end of their epoch.
    #[serde(with = "number")]
    pub back_epoch: f64,
    /// Weights whose sign at the end differs from the start of the run, per flip of the run.
    #[serde(with = "number")]
    pub flip_efficiency: f64,
    /// Share of signs equal to those the run started with.
    #[serde(with = "number")]
    pub unchanged_since_start: f64,
    /// Spikes per neuron and time step in evaluation, mean over the spiking layers, fraction.
    #[serde(with = "number")]
    pub firing_rate: f64,
    /// Weights stored as one bit.
    pub binary_weights: u64,
    /// Parameters stored as 32-bit floats.
    pub real_parameters: u64,
    /// Size in bytes, 1 bit per binary weight and 32 bits per real parameter.
    pub bytes_1bit: u64,
    /// Size in bytes with every parameter as float32.
    pub bytes_f32: u64,
    /// Energy estimate; absent if it was not computed.
    #[serde(default)]
    pub energy: Option<Energy>,
    /// SHA-256 of all parameters and running statistics at the end and of the figures of this file without name and wall times: runs of
    /// equal bits have equal ones. Empty in files of before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// Wall time per sample in evaluation by the trainer, all time steps, milliseconds.
    #[serde(with = "number")]
    pub eval_milliseconds_per_sample: f64,
}

impl Default for Summary {
    /// Zeros and absences, with the current schema.
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            name: String::new(),
            method: String::new(),
            seed: 0,
            status: Status::default(),
            epochs: 0,
            steps: 0,
            test_accuracy: None,
            test_loss: None,
            test_samples: 0,
            confusion: Vec::new(),
            best_held_out_accuracy: None,
            best_epoch: None,
            evaluated_on: String::new(),
            weights: None,
            train_seconds: 0.0,
            flips_per_weight: 0.0,
            back_10: 0.0,
            back_100: 0.0,
            back_epoch: 0.0,
            flip_efficiency: 0.0,
            unchanged_since_start: 0.0,
            firing_rate: 0.0,
            binary_weights: 0,
            real_parameters: 0,
            bytes_1bit: 0,
            bytes_f32: 0,
            energy: None,
            content: String::new(),
            eval_milliseconds_per_sample: 0.0,
        }
    }
}

/// An energy *estimate* for one sample over all time steps, picojoules. No joule here was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Arithmetic only: cost per MAC · MACs of the real layers + cost per SOP · synaptic operations, pJ.
    #[serde(with = "number")]
    pub compute_pj: f64,
    /// The same with memory traffic: every weight and neuron state read and written, pJ.
    #[serde(with = "number")]
    pub with_memory_pj: f64,
    /// The comparison: a network of the same shape without spikes, weights of the same width, pJ.
    #[serde(with = "number")]
    pub quantised_ann_pj: f64,
    /// Layers counted as multiply-accumulate.
    pub mac_layers: Vec<String>,
    /// Layers counted as synaptic operations.
    pub spiking_layers: Vec<String>,
    /// The constants and conventions in words: pJ per operation and per byte, process node, whether the first layer
    /// counts once or T times.
    pub assumptions: String,
}
