//! Spiking neurons IF, LIF and PLIF as a Burn module.
//!
//! The equations are those of [`ops::neuron`](crate::ops::neuron) with λ = 1 − 1/τ: LIF has a fixed τ, IF has λ = 1, PLIF
//! learns λ = σ(`decay_logit`), one number per layer, from its starting value. The layer keeps no state between calls: a
//! sequence goes in whole, so there is no reset to forget.
//!
//! Shapes: current `[T or 1, N, C, H, W]` → spikes `[T, N, C, H, W]`.

use crate::ops::neuron::{NeuronParams, Reset, check, neuron};
use crate::ops::surrogate::Surrogate;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation::sigmoid};
use serde::{Deserialize, Serialize};

/// Which neuron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NeuronKind {
    /// Leaky integrate and fire with a fixed time constant.
    #[default]
    Lif,
    /// Integrate and fire: no leak.
    If,
    /// LIF whose leak is learned.
    Plif,
}

/// Configuration of a neuron layer: the `[neuron]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NeuronConfig {
    /// Which neuron.
    pub kind: NeuronKind,
    /// Membrane time constant in steps; λ = 1 − 1/τ. At least 1. Not used by IF.
    pub tau: f64,
    /// Firing threshold V_th, above 0.
    pub v_threshold: f64,
    /// What a spike does to the potential.
    pub reset: Reset,
    /// Treat the spike in the reset as a constant for the gradient.
    pub detach_reset: bool,
    /// Shape of the surrogate derivative.
    pub surrogate: Surrogate,
    /// Width k of the surrogate; its own default if absent.
    pub width: Option<f64>,
}

impl Default for NeuronConfig {
    fn default() -> Self {
        Self {
            kind: NeuronKind::Lif,
            tau: 2.0,
            v_threshold: 1.0,
            reset: Reset::Soft,
            detach_reset: true,
            surrogate: Surrogate::Triangle,
            width: None,
        }
    }
}

impl NeuronConfig {
    /// λ of the first step of training.
    pub fn decay(&self) -> f64 {
        match self.kind {
            NeuronKind::If => 1.0,
            NeuronKind::Lif | NeuronKind::Plif => 1.0 - 1.0 / self.tau,
        }
    }

    /// Builds the layer for T = `steps`.
    ///
    /// ```
    /// use bitspike_nn::layers::NeuronConfig;
    /// use burn::tensor::{Device, Tensor};
    /// let device = Device::default();
    /// let lif = NeuronConfig::default().init(4, &device);
    /// let current = Tensor::full([1, 2, 3, 5, 5], 1.5, &device);
    /// assert_eq!(lif.forward(current).dims(), [4, 2, 3, 5, 5]);
    /// ```
    pub fn init(&self, steps: usize, device: &Device) -> Neuron {
        let decay_logit = (self.kind == NeuronKind::Plif).then(|| {
            // λ of exactly 0 or 1 has no finite logit: the nearest one that still learns.
            let decay = self.decay().clamp(0.01, 0.99);
            Param::from_tensor(Tensor::from_floats([(decay / (1.0 - decay)).ln() as f32], device))
        });
        Neuron {
            decay_logit,
            decay: self.decay() as f32,
            params: NeuronParams {
                steps,
                v_threshold: self.v_threshold as f32,
                reset: self.reset,
                detach_reset: self.detach_reset,
                surrogate: self.surrogate,
                width: self.width.unwrap_or(self.surrogate.default_width()) as f32,
            },
        }
    }
}

/// A layer of spiking neurons.
#[derive(Module, Debug)]
pub struct Neuron {
    /// λ = σ of this, for PLIF only.
    pub decay_logit: Option<Param<Tensor<1>>>,
    #[module(skip)]
    decay: f32,
    #[module(skip)]
    params: NeuronParams,
}

impl Neuron {
    /// Spikes for a current; shapes in [`ops::neuron`](crate::ops::neuron).
    ///
    /// # Panics
    /// If the current has neither one time step nor T.
    #[track_caller]
    pub fn forward(&self, current: Tensor<5>) -> Tensor<5> {
        let decay = self.decay(&current.device());
        check("Neuron", current.dims(), decay.dims(), &self.params);
        neuron(current, decay, self.params)
    }

    /// λ as a number; of PLIF, what it has learned so far.
    pub fn leak(&self) -> f32 {
        self.decay_logit.as_ref().map_or(self.decay, |logit| sigmoid(logit.val()).into_scalar())
    }

    /// λ, `[1]`.
    pub(crate) fn decay(&self, device: &Device) -> Tensor<1> {
        match &self.decay_logit {
            Some(logit) => sigmoid(logit.val()),
            None => Tensor::full([1], self.decay, device),
        }
    }

    /// The parameters that are not learned.
    pub fn params(&self) -> &NeuronParams {
        &self.params
    }
}
