//! The AGMM gate as a Burn module: configuration, learned α, running means for evaluation.
//!
//! Formula, shapes, and what of it is our reconstruction: [`ops::gate`](crate::ops::gate).
//!
//! At evaluation (on a device without autodiff) the gate is computed from the sample (`eval_gate = "sample"`), or from a
//! running mean of m per layer and step (`"ema"`), which makes it a constant that folds into the batch norm exactly. The pool
//! `nchw` mixes samples, so it always evaluates by its running mean: a prediction must not depend on its neighbours.

use crate::ops::gate::{GateApply, GateFunction, GateParams, GatePool, gate, scale_steps};
use crate::shape::require_per_step;
use bitspike_kernels::gate::HARD_SLOPE;
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor, activation::sigmoid};
use serde::{Deserialize, Serialize};

/// Shape of α, and whether it is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum AlphaShape {
    /// Learned, one per layer and time step.
    #[default]
    Step,
    /// Learned, one per layer, time step and channel.
    StepChannel,
    /// Kept at its start.
    Fixed,
}

/// Where the gate stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GatePosition {
    /// Right after the batch norm.
    #[default]
    AfterNorm,
    /// Between convolution and batch norm.
    BeforeNorm,
}

/// What the gate is computed from at evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EvalGate {
    /// From the sample itself.
    #[default]
    Sample,
    /// From a running mean per layer and step.
    Ema,
}

/// Configuration of the gate: the `[agmm]` table of a recipe. Every default is the first value of the method's table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AgmmConfig {
    /// Over which elements the mean is taken.
    pub pool: GatePool,
    /// The gate of the pool `const`, between 0 and 1 as every σ; no other pool uses it.
    pub constant: f64,
    /// The function: σ, or its hard form, which a device computes per element too.
    pub gate: GateFunction,
    /// Shape of α.
    pub alpha: AlphaShape,
    /// Start of α. 1 halves activations and gradients at the start, since σ(0) = ½; 2 starts neutral.
    pub alpha_init: f64,
    /// σ(α m) in place of α σ(m).
    pub alpha_inside: bool,
    /// No gradient through the mean.
    pub detach_gate: bool,
    /// Act on the value, or on the gradient only.
    pub apply: GateApply,
    /// After or before the batch norm.
    pub position: GatePosition,
    /// What evaluation uses.
    pub eval_gate: EvalGate,
    /// Share of the new batch in the running means.
    pub ema_momentum: f64,
}

impl Default for AgmmConfig {
    fn default() -> Self {
        Self {
            pool: GatePool::None,
            constant: 0.5,
            gate: GateFunction::Hard,
            alpha: AlphaShape::Step,
            alpha_init: 1.0,
            alpha_inside: false,
            detach_gate: false,
            apply: GateApply::Forward,
            position: GatePosition::AfterNorm,
            eval_gate: EvalGate::Sample,
            ema_momentum: 0.1,
        }
    }
}

/// A combination of gate options that has no meaning.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AgmmError {
    /// Two keys contradict each other.
    #[error("agmm.{key}: {found} cannot be used with {with}: {reason}")]
    Combination {
        /// The key to change.
        key: &'static str,
        /// Its value.
        found: &'static str,
        /// The key and value it contradicts.
        with: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl AgmmConfig {
    /// Refuses combinations without meaning.
    ///
    /// # Errors
    /// [`AgmmError::Combination`] names both keys and the reason.
    pub fn check(&self) -> Result<(), AgmmError> {
        let refuse = |key, found, with, reason| Err(AgmmError::Combination { key, found, with, reason });
        match self.pool {
            GatePool::Const if self.alpha_inside => {
                refuse("alpha_inside", "true", "pool = \"const\"", "σ(α·m) needs a mean m; the constant gate has none")
            }
            GatePool::None if self.eval_gate == EvalGate::Ema => refuse(
                "eval_gate",
                "\"ema\"",
                "pool = \"none\"",
                "an element-wise gate has no mean that could be kept; use eval_gate = \"sample\"",
            ),
            _ => Ok(()),
        }
    }

    /// Builds the gate of one layer for T = `steps`.
    ///
    /// ```
    /// use bitspike_nn::layers::AgmmConfig;
    /// use burn::tensor::{Device, Tensor};
    /// let device = Device::default();
    /// let gate = AgmmConfig::default().init(2, 16, &device);
    /// let x = Tensor::ones([2, 4, 16, 8, 8], &device);
    /// let (y, means) = gate.forward(x);
    /// assert_eq!((y.dims(), means.dims()), ([2, 4, 16, 8, 8], [2, 1, 1]));
    /// ```
    pub fn init(&self, steps: usize, channels: usize, device: &Device) -> Agmm {
        let width = if self.alpha == AlphaShape::StepChannel { channels } else { 1 };
        let alpha = Param::from_tensor(Tensor::full([steps, width], self.alpha_init as f32, device));
        let kept = if self.pool == GatePool::Hw { channels } else { 1 };
        Agmm {
            alpha: if self.alpha == AlphaShape::Fixed { alpha.set_require_grad(false) } else { alpha },
            running_means: RunningState::new(Tensor::zeros([steps, kept], device)),
            params: GateParams {
                pool: self.pool,
                function: self.gate,
                alpha_inside: self.alpha_inside,
                detach_gate: self.detach_gate,
                apply: self.apply,
            },
            constant: self.constant as f32,
            eval_gate: self.eval_gate,
            momentum: self.ema_momentum as f32,
        }
    }
}

/// The gate of one layer.
#[derive(Module, Debug)]
pub struct Agmm {
    /// α, `[T, 1]` or `[T, C]`.
    pub alpha: Param<Tensor<2>>,
    /// Running pooled means, `[T, 1]` or `[T, C]`.
    pub running_means: RunningState<Tensor<2>>,
    #[module(skip)]
    params: GateParams,
    #[module(skip)]
    constant: f32,
    #[module(skip)]
    eval_gate: EvalGate,
    #[module(skip)]
    momentum: f32,
}

impl Agmm {
    /// The gated value, and the pooled means m behind the gate (the gate is σ(m) or its hard form; not tracked).
    ///
    /// Shapes: x `[T, N, C, H, W]` → y as x, m `[T, N or 1, C or 1]`.
    ///
    /// # Panics
    /// If x has not the T, or the channels, that the gate was made for.
    #[track_caller]
    pub fn forward(&self, x: Tensor<5>) -> (Tensor<5>, Tensor<3>) {
        require_per_step("Agmm", x.dims(), "alpha [T, 1 or C]", self.alpha.dims());
        require_per_step("Agmm", x.dims(), "running_means [T, 1 or C]", self.running_means.value().dims());
        if x.device().is_autodiff() {
            let (y, means) = gate(x, self.strength(), self.params);
            self.keep(means.clone());
            return (y, means);
        }
        let kept = || self.kept_means().unsqueeze_dim(1);
        match self.fixed_factor() {
            // Modulation of the gradient costs nothing here: the network is the baseline network.
            _ if self.params.apply == GateApply::Gradient => (x, kept()),
            Some(factor) => (scale_steps(x, factor), kept()),
            None => gate(x, self.strength(), self.params),
        }
    }

    /// α as the operations take it. They know the constant ½ only; another one, c, is α twice c times as large, the same bits
    /// as α c since ½ and 2 are powers of two.
    pub(crate) fn strength(&self) -> Tensor<2> {
        let twice = 2.0 * self.constant;
        if self.params.pool != GatePool::Const || twice == 1.0 { self.alpha.val() } else { self.alpha.val() * twice }
    }

    /// The means whose σ is the gate where it does not depend on the sample.
    fn kept_means(&self) -> Tensor<2> {
        let kept = self.running_means.value();
        if self.params.pool != GatePool::Const {
            return kept;
        }
        Tensor::full(kept.dims(), (self.constant / (1.0 - self.constant)).ln(), &kept.device())
    }

    /// Moves the running means towards those of a batch.
    pub(crate) fn keep(&self, means: Tensor<3>) {
        let batch = means.detach().mean_dim(1).squeeze_dim::<2>(1);
        let kept = self.running_means.value_sync();
        self.running_means.update(kept * (1.0 - self.momentum) + batch * self.momentum);
        // An update waits for the next one to take effect; whoever reads the module next must see this one.
        self.running_means.value_sync();
    }

    /// The running means, where the gate is a constant at evaluation (whatever they are, it then ignores the sample).
    pub(crate) fn fixed_means(&self) -> Option<Tensor<2>> {
        self.fixed_factor().map(|_| self.kept_means())
    }

    /// The factor `[T, 1 or C]` that the gate is at evaluation, if it is a constant there: then it folds into the batch norm.
    pub fn fixed_factor(&self) -> Option<Tensor<2>> {
        let p = &self.params;
        let alpha = || self.strength();
        let constant = p.pool == GatePool::Const || p.pool == GatePool::Nchw || self.eval_gate == EvalGate::Ema;
        match p.apply {
            GateApply::Gradient => Some(Tensor::ones([alpha().dims()[0], 1], &alpha().device())),
            GateApply::Forward if !constant => None,
            GateApply::Forward if p.pool == GatePool::Const => Some(alpha() * 0.5),
            GateApply::Forward if p.alpha_inside => Some(self.function(alpha() * self.running_means.value())),
            GateApply::Forward => Some(alpha() * self.function(self.running_means.value())),
        }
    }

    fn function(&self, x: Tensor<2>) -> Tensor<2> {
        match self.params.function {
            GateFunction::Sigmoid => sigmoid(x),
            GateFunction::Hard => (x * HARD_SLOPE + 0.5).clamp(0.0, 1.0),
        }
    }

    /// The parameters that are not learned.
    pub fn params(&self) -> &GateParams {
        &self.params
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_gate_says_its_constant() {
        let host = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        let device = Device::default();
        for (constant, alpha) in [(0.5, 1.0), (0.35, 1.0), (0.7, 3.0)] {
            let config = AgmmConfig { pool: GatePool::Const, constant, alpha_init: alpha, ..AgmmConfig::default() };
            let gate = config.init(2, 3, &device);
            assert_eq!(host(gate.fixed_factor().unwrap()), [constant as f32 * alpha as f32; 2]);
            for g in host(sigmoid(gate.fixed_means().unwrap())) {
                assert!((f64::from(g) - constant).abs() < 1e-6, "{g} of {constant}");
            }
            let x = Tensor::<5>::ones([2, 1, 3, 1, 1], &device);
            let (y, means) = gate.forward(x);
            assert_eq!(host(y.reshape([2, 3])), [constant as f32 * alpha as f32; 6]);
            assert_eq!(means.dims(), [2, 1, 1]);
        }
        // Other pools have no constant.
        let config = AgmmConfig { constant: 0.25, ..AgmmConfig::default() };
        assert_eq!(host(config.init(2, 3, &device).strength()), [1.0; 2]);
    }
}
