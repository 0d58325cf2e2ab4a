//! Batch norm over time as a Burn module: joint statistics, tdBN, BNTT, TEBN.
//!
//! ```text
//! joint   y[t] = γ x̂[t] + β            x̂ with mean and variance over T, N, H, W          (tdBN: γ times V_th)
//! bntt    y[t] = γ[t] x̂[t]             x̂[t] with mean and variance over N, H, W at t     (Kim and Panda, 2021)
//! tebn    y[t] = p[t] (γ x̂[t] + β)     as joint, p[t] learned, 1 at the start             (Duan et al., NeurIPS 2022)
//! ```
//!
//! The normalisation itself and its shapes are in [`ops::norm`](crate::ops::norm). On an autodiff device the statistics of the
//! batch are used and the running ones move by `momentum` towards them (variance unbiased, as PyTorch keeps it); elsewhere
//! the running statistics are used, as one affine map per channel, and per step where they differ. tdBN: Zheng et al., AAAI
//! 2021.

use crate::ops::norm::{affine, batch_norm};
use crate::shape::{in_order, require, require_per_channel};
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// How a batch norm treats time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// One set of statistics for all steps.
    #[default]
    Joint,
    /// Statistics and slope of every step, no offset.
    Bntt,
    /// One set of statistics, and a learned factor per step.
    Tebn,
}

/// Configuration of the batch norm: the `[norm]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NormConfig {
    /// How it treats time.
    pub kind: NormKind,
    /// Added to the variance.
    pub epsilon: f64,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
    /// Multiply γ by V_th (tdBN).
    pub threshold_dependent: bool,
    /// Start of γ in the norms behind binary convolutions, where a gate would stand; every other norm starts at 1.
    pub gamma_init: f64,
}

impl Default for NormConfig {
    fn default() -> Self {
        Self { kind: NormKind::Joint, epsilon: 1e-5, momentum: 0.1, threshold_dependent: false, gamma_init: 1.0 }
    }
}

impl NormConfig {
    /// Builds the layer for `steps` time steps with γ = 1; `v_threshold` counts for tdBN only.
    pub fn init(&self, channels: usize, steps: usize, v_threshold: f64, device: &Device) -> TimeBatchNorm {
        self.init_from(1.0, channels, steps, v_threshold, device)
    }

    /// The same behind a binary layer: γ starts at `gamma_init`.
    ///
    /// ```
    /// use bitspike_nn::layers::NormConfig;
    /// use burn::tensor::Device;
    /// let config = NormConfig { gamma_init: 0.5, ..NormConfig::default() };
    /// let norm = config.init_behind_binary(2, 1, 1.0, &Device::default());
    /// assert_eq!(norm.gamma.val().into_data().try_to_vec::<f32>().unwrap(), [0.5, 0.5]);
    /// ```
    pub fn init_behind_binary(
        &self,
        channels: usize,
        steps: usize,
        v_threshold: f64,
        device: &Device,
    ) -> TimeBatchNorm {
        self.init_from(self.gamma_init, channels, steps, v_threshold, device)
    }

    fn init_from(&self, gamma: f64, channels: usize, steps: usize, v_threshold: f64, device: &Device) -> TimeBatchNorm {
        let sets = if self.kind == NormKind::Bntt { steps } else { 1 };
        let values = channels * sets;
        TimeBatchNorm {
            gamma: Param::from_tensor(Tensor::full([values], gamma as f32, device)),
            beta: Param::from_tensor(Tensor::zeros([values], device)),
            time_scale: (self.kind == NormKind::Tebn).then(|| Param::from_tensor(Tensor::ones([steps], device))),
            running_mean: RunningState::new(Tensor::zeros([values], device)),
            running_var: RunningState::new(Tensor::ones([values], device)),
            sets,
            epsilon: self.epsilon as f32,
            momentum: self.momentum as f32,
            factor: if self.threshold_dependent { v_threshold as f32 } else { 1.0 },
        }
    }

    /// Learned numbers of a layer.
    pub fn parameters(&self, channels: usize, steps: usize) -> u64 {
        let count = match self.kind {
            NormKind::Joint => 2 * channels,
            NormKind::Bntt => channels * steps,
            NormKind::Tebn => 2 * channels + steps,
        };
        count as u64
    }
}

/// Batch norm over time.
#[derive(Module, Debug)]
pub struct TimeBatchNorm {
    /// Slope, `[C]`; of BNTT `[T C]`, step by step.
    pub gamma: Param<Tensor<1>>,
    /// Offset, as long; not used by BNTT.
    pub beta: Param<Tensor<1>>,
    /// TEBN: factor of every step, `[T]`.
    pub time_scale: Option<Param<Tensor<1>>>,
    /// Running mean, as long as the slope.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance, as long as the slope.
    pub running_var: RunningState<Tensor<1>>,
    /// Sets of statistics: 1, or T.
    #[module(skip)]
    sets: usize,
    #[module(skip)]
    epsilon: f32,
    #[module(skip)]
    momentum: f32,
    #[module(skip)]
    factor: f32,
}

impl TimeBatchNorm {
    /// Normalises. `repeats` is how many equal time steps each step of `x` stands for: with a static image the stem computes
    /// one step for all T. The joint norm gives one step for them, the others, whose steps differ, all T.
    ///
    /// # Panics
    /// If x has other channels or, where steps differ, neither one time step nor T.
    #[track_caller]
    pub fn forward(&self, x: Tensor<5>, repeats: usize) -> Tensor<5> {
        self.check(x.dims());
        let y = if self.sets > 1 { self.step_by_step(x) } else { self.joint(x, repeats) };
        let Some(scale) = &self.time_scale else { return y };
        let [steps] = scale.dims();
        // In the order of memory on the CPU, where the product then copies nothing.
        let y = in_order(y.permute([0, 1, 3, 4, 2]));
        let y = if y.dims()[0] == steps { y } else { y.repeat_dim(0, steps) };
        in_order(y * scale.val().reshape([steps, 1, 1, 1, 1])).permute([0, 1, 4, 2, 3])
    }

    #[track_caller]
    fn check(&self, x: [usize; 5]) {
        require_per_channel("TimeBatchNorm", x, &[("gamma [C]", self.gamma.dims()[0] / self.sets)]);
        let steps = self.time_scale.as_ref().map_or(self.sets, |scale| scale.dims()[0]);
        let rule = format_args!("x has {} time steps, the norm {steps} (1 or {steps})", x[0]);
        let fits = self.is_joint() || x[0] == 1 || x[0] == steps;
        require(fits, "TimeBatchNorm", rule, &[("x [T, N, C, H, W]", &x)]);
    }

    fn joint(&self, x: Tensor<5>, repeats: usize) -> Tensor<5> {
        if !x.device().is_autodiff() {
            let (scale, shift) = self.folded();
            return affine(x, scale, shift);
        }
        let [t, n, _, h, w] = x.dims();
        let (y, mean, var) = batch_norm(x, self.slope(), self.beta.val(), self.epsilon);
        self.keep(mean, var, t * n * h * w * repeats);
        y
    }

    /// BNTT: every step by itself.
    fn step_by_step(&self, x: Tensor<5>) -> Tensor<5> {
        let [t, n, c, h, w] = x.dims();
        let step = |time: usize| x.clone().narrow(0, if t == 1 { 0 } else { time }, 1);
        let part = |values: &Tensor<1>, time: usize| values.clone().narrow(0, time * c, c);
        let slope = self.slope();
        let zero = Tensor::zeros([c], &x.device());
        let (mut steps, mut means, mut vars) = (Vec::new(), Vec::new(), Vec::new());
        let fixed = (!x.device().is_autodiff()).then(|| self.folded());
        for time in 0..self.sets {
            let y = match &fixed {
                Some((scale, shift)) => affine(step(time), part(scale, time), part(shift, time)),
                None => {
                    let (y, mean, var) = batch_norm(step(time), part(&slope, time), zero.clone(), self.epsilon);
                    means.push(mean);
                    vars.push(var);
                    y
                }
            };
            steps.push(y.permute([0, 1, 3, 4, 2]));
        }
        if fixed.is_none() {
            self.keep(Tensor::cat(means, 0), Tensor::cat(vars, 0), n * h * w);
        }
        Tensor::cat(steps, 0).permute([0, 1, 4, 2, 3])
    }

    /// Whether all steps are treated alike, so that the layer is one affine map per channel at evaluation.
    pub fn is_joint(&self) -> bool {
        self.sets == 1 && self.time_scale.is_none()
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

    /// Scale and shift that the normalisation is at evaluation, as long as the slope; TEBN multiplies by its factors after.
    pub fn folded(&self) -> (Tensor<1>, Tensor<1>) {
        let scale = self.slope() / (self.running_var.value() + self.epsilon).sqrt();
        let shift = self.beta.val() - self.running_mean.value() * scale.clone();
        (scale, shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Init;

    fn host<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().try_to_vec::<f32>().unwrap()
    }

    fn close(a: &[f32], b: &[f32]) {
        assert_eq!(a.len(), b.len());
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "element {i}: {a}, expected {b}");
        }
    }

    #[test]
    fn bntt_is_one_joint_norm_per_step() {
        let device = Device::default().autodiff();
        let x = Init::new(1).normal::<5>("x", [2, 3, 4, 3, 2], 1.0, &device);
        let config = NormConfig { kind: NormKind::Bntt, ..NormConfig::default() };
        let norm = config.init(4, 2, 1.0, &device);
        let y = norm.forward(x.clone(), 1);
        for t in 0..2 {
            let joint = NormConfig::default().init(4, 1, 1.0, &device);
            let alone = joint.forward(x.clone().narrow(0, t, 1), 1);
            close(&host(y.clone().narrow(0, t, 1)), &host(alone));
            close(&host(norm.running_mean.value().narrow(0, 4 * t, 4)), &host(joint.running_mean.value()));
            close(&host(norm.running_var.value().narrow(0, 4 * t, 4)), &host(joint.running_var.value()));
        }
        // A static image makes T steps, each with its own slope.
        assert_eq!(norm.forward(x.narrow(0, 0, 1), 2).dims(), [2, 3, 4, 3, 2]);
    }

    #[test]
    fn tebn_is_the_joint_norm_times_a_factor_per_step() {
        let device = Device::default().autodiff();
        let x = Init::new(1).normal::<5>("x", [2, 3, 4, 3, 2], 1.0, &device);
        let mut norm = NormConfig { kind: NormKind::Tebn, ..NormConfig::default() }.init(4, 2, 1.0, &device);
        norm.time_scale = Some(Param::from_tensor(Tensor::from_floats([0.5, 2.0], &device)));
        let joint = NormConfig::default().init(4, 2, 1.0, &device);
        let (y, plain) = (norm.forward(x.clone(), 1), joint.forward(x.clone(), 1));
        close(&host(y.clone().narrow(0, 0, 1)), &host(plain.clone().narrow(0, 0, 1) * 0.5));
        close(&host(y.narrow(0, 1, 1)), &host(plain.narrow(0, 1, 1) * 2.0));
        let y = norm.forward(x.narrow(0, 0, 1), 2);
        close(&host(y.clone().narrow(0, 0, 1) * 4.0), &host(y.narrow(0, 1, 1)));
    }
}
