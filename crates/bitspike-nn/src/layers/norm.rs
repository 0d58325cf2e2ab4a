//! Batch norm over time as a Burn module, and tdBN.
//!
//! Formulas and shapes in [`ops::norm`](crate::ops::norm). On an autodiff device the statistics of the batch are used and the
//! running ones move by `momentum` towards them (variance unbiased, as PyTorch keeps it); elsewhere the running statistics
//! are used, as one affine map per channel. tdBN (Zheng et al., AAAI 2021) multiplies γ by V_th.

use crate::ops::norm::{affine, batch_norm};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Configuration of the batch norm: the `[norm]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormConfig {
    /// Added to the variance.
    pub epsilon: f64,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
    /// Multiply γ by V_th (tdBN).
    pub threshold_dependent: bool,
}

impl Default for NormConfig {
    fn default() -> Self {
        Self { epsilon: 1e-5, momentum: 0.1, threshold_dependent: false }
    }
}

impl NormConfig {
    /// Builds the layer; `v_threshold` counts for tdBN only.
    pub fn init(&self, channels: usize, v_threshold: f64, device: &Device) -> TimeBatchNorm {
        TimeBatchNorm {
            gamma: Param::from_tensor(Tensor::ones([channels], device)),
            beta: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            epsilon: self.epsilon as f32,
            momentum: self.momentum as f32,
            factor: if self.threshold_dependent { v_threshold as f32 } else { 1.0 },
        }
    }
}

/// Batch norm with statistics over T, N, H and W together.
#[derive(Module, Debug)]
pub struct TimeBatchNorm {
    /// Slope, `[C]`.
    pub gamma: Param<Tensor<1>>,
    /// Offset, `[C]`.
    pub beta: Param<Tensor<1>>,
    /// Running mean, `[C]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance, `[C]`.
    pub running_var: RunningState<Tensor<1>>,
    #[module(skip)]
    epsilon: f32,
    #[module(skip)]
    momentum: f32,
    #[module(skip)]
    factor: f32,
}

impl TimeBatchNorm {
    /// Normalises. `repeats` is how many equal time steps each step of `x` stands for: with a static image the stem computes
    /// one step for all T, which changes nothing but the count behind the unbiased variance.
    pub fn forward(&self, x: Tensor<5>, repeats: usize) -> Tensor<5> {
        if !x.device().is_autodiff() {
            let (scale, shift) = self.folded();
            return affine(x, scale, shift);
        }
        let [t, n, _, h, w] = x.dims();
        let (y, mean, var) = batch_norm(x, self.slope(), self.beta.val(), self.epsilon);
        self.keep(mean, var, t * n * h * w * repeats);
        y
    }

    /// γ, times V_th in tdBN.
    pub(crate) fn slope(&self) -> Tensor<1> {
        if self.factor == 1.0 { self.gamma.val() } else { self.gamma.val() * self.factor }
    }

    pub(crate) fn epsilon(&self) -> f32 {
        self.epsilon
    }

    /// Moves the running statistics towards those of a batch of `count` values per channel.
    pub(crate) fn keep(&self, mean: Tensor<1>, var: Tensor<1>, count: usize) {
        let count = count as f32;
        self.update(&self.running_mean, mean.detach());
        self.update(&self.running_var, var.detach() * (count / (count - 1.0).max(1.0)));
    }

    fn update(&self, running: &RunningState<Tensor<1>>, value: Tensor<1>) {
        running.update(running.value_sync() * (1.0 - self.momentum) + value * self.momentum);
        // An update waits for the next one to take effect; whoever reads the module next must see this one.
        running.value_sync();
    }

    /// Scale and shift per channel that the layer is at evaluation, both `[C]`.
    pub fn folded(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.slope() / (self.running_var.value() + self.epsilon).sqrt();
        let shift = self.beta.val() - self.running_mean.value() * scale.clone();
        (scale, shift)
    }
}
