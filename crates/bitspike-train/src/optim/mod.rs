//! Optimisers with a learning rate and weight decay per kind of parameter, and learning-rate schedules.

mod adamw;
mod clip;
mod flip;
mod freeze;
mod online;
pub mod relative;
mod schedule;
mod sgd;
pub mod tbso;

use crate::param::{self, ParamMapper, Role};
use bitspike_nn::ops::rms::scale_to_rms;
use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use schedule::{Schedule, ScheduleKind};

/// Which optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent with momentum.
    #[default]
    Sgd,
    /// Adam with decoupled weight decay. It divides by the size of the gradient, so it cancels a constant gate.
    Adamw,
}

/// How binary weights are updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BinaryRule {
    /// A real latent weight is trained like every other; its sign is the weight.
    #[default]
    Latent,
    /// No latent weight: a weight flips when a momentum of its gradient says so. Formula in `optim/flip.rs`.
    Flip,
    /// The same, with a threshold per layer and time step, and an update after every time step: online training, whose memory
    /// does not grow with T. Formula in `optim/tbso.rs`.
    Online,
}

/// What the learning rate of latent weights is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BinaryStep {
    /// To the size of the weights at the start and to that of their gradient, layer by layer. Formula in [`relative`].
    #[default]
    Relative,
    /// To nothing: the step is lr · g, as for real weights. How often signs change then depends on the starting values.
    Absolute,
}

/// Configuration of the optimiser: the `[optim]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OptimConfig {
    /// Which optimiser.
    pub kind: OptimizerKind,
    /// Learning rate at the top of the schedule.
    pub lr: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Nesterov's momentum, in SGD.
    pub nesterov: bool,
    /// Weight decay of weights, binary and real; norm, bias and α have none. That of binary ones is in the unit of their step.
    pub weight_decay: f64,
    /// Factor on the learning rate of binary weights: the control experiment of every gate.
    pub lr_binary_mult: f64,
    /// What the learning rate of latent weights is relative to.
    pub binary_step: BinaryStep,
    /// Largest norm of all gradients together, which are scaled down to it; 0 for no limit. Formula in `optim/clip.rs`.
    pub clip_norm: f64,
    /// How binary weights are updated.
    pub binary_rule: BinaryRule,
    /// Rules `flip` and `online`: share of the new gradient in the momentum, at the top of the schedule.
    pub flip_rate: f64,
    /// Rule `flip`: momentum above which a weight flips. Rule `online`: the same in units of the gradient's root mean square.
    pub flip_threshold: f64,
    /// Rule `online`: share of the new mean square of the gradient in its moving average, at the top of the schedule.
    pub flip_moment_rate: f64,
    /// Rule `latent`: flips per step, as a moving average over 100 steps, above which a weight is frozen; 0 for never.
    pub freeze_above: f64,
    /// Factor on the learning rate of α.
    pub lr_alpha_mult: f64,
    /// First and second moment decay of AdamW.
    pub betas: [f64; 2],
    /// Added to the denominator of AdamW.
    pub epsilon: f64,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Sgd,
            lr: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-4,
            lr_binary_mult: 1.0,
            binary_step: BinaryStep::Relative,
            clip_norm: 0.0,
            binary_rule: BinaryRule::Latent,
            flip_rate: 1e-3,
            flip_threshold: 1e-6,
            flip_moment_rate: 1e-5,
            freeze_above: 0.0,
            lr_alpha_mult: 1.0,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
        }
    }
}

impl OptimConfig {
    /// Learning rate and weight decay of a parameter, for a scheduled learning rate; of binary weights by the rule
    /// [`relative`] for gradients divided by their root mean square.
    pub fn group(&self, role: Role, lr: f64) -> (f64, f64) {
        let decay = if role.decays() { self.weight_decay } else { 0.0 };
        match role {
            Role::Binary if self.unit_gradient() => {
                (lr * self.lr_binary_mult * relative::STEP * relative::UNIT, decay * relative::DECAY / relative::UNIT)
            }
            Role::Binary => (lr * self.lr_binary_mult, decay),
            Role::Alpha => (lr * self.lr_alpha_mult, decay),
            _ => (lr, decay),
        }
    }
}

/// Kind of the state that has one number per time step: second moments of the rule `online`.
pub(crate) const MOMENT: &str = "moment";

/// An optimiser with its state, by parameter name.
///
/// ```
/// use bitspike_train::optim::{OptimConfig, Optimizer};
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Tensor};
/// #[derive(Module, Debug)]
/// struct Net { weight: Param<Tensor<1>> }
/// let device = Device::default().autodiff();
/// let net = Net { weight: Param::from_tensor(Tensor::from_floats([1.0], &device)) };
/// let mut optimizer = Optimizer::new(OptimConfig { lr: 0.5, weight_decay: 0.0, ..Default::default() });
/// let mut grads = (net.weight.val() * 2.0).sum().backward();
/// let net = optimizer.step(net, &mut grads, 0.5);
/// assert_eq!(net.weight.val().into_data().try_to_vec::<f32>().unwrap(), [0.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Optimizer {
    config: OptimConfig,
    /// Flat state tensors: `velocity.<name>` for SGD, `first.<name>` and `second.<name>` for AdamW, those of the rules in
    /// `flip.rs` and `freeze.rs`.
    state: BTreeMap<String, Tensor<1>>,
    steps: u64,
    /// Time step of the next update, and T, for the rule `online`.
    time: (usize, usize),
}

impl Optimizer {
    /// An optimiser without state.
    pub fn new(config: OptimConfig) -> Self {
        Self { config, state: BTreeMap::new(), steps: 0, time: (0, 1) }
    }

    /// The configuration.
    pub fn config(&self) -> &OptimConfig {
        &self.config
    }

    /// Brings the latent weights of a module to the unit of the rule [`relative`], where that holds: once, in front of the
    /// first step. Signs stay, so outputs do too, but for `weight_scale = "mean-abs"` without a norm behind it.
    pub fn prepare<M: Module>(&self, module: M) -> M {
        if self.config.relative() { relative::to_unit(module) } else { module }
    }

    /// Updates every trained parameter of a module at learning rate `lr`.
    ///
    /// Takes the gradients of the parameters out of `grads`, so that their memory can hold the new values.
    pub fn step<M: Module>(&mut self, module: M, grads: &mut Gradients, lr: f64) -> M {
        self.steps += 1;
        let scale = clip::factor(&module, grads, self.config.clip_norm);
        param::map(module, &mut Step { optimizer: self, grads, lr, scale })
    }

    /// Says which of `steps` time steps the next gradients are of; only the rule `online` asks.
    pub fn set_time(&mut self, t: usize, steps: usize) {
        self.time = (t, steps);
    }

    /// Number of steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The momentum of a parameter, flat; `None` before its first step and for AdamW.
    pub fn velocity(&self, name: &str) -> Option<&Tensor<1>> {
        self.state.get(&format!("velocity.{name}"))
    }

    /// The state as named flat arrays, for a checkpoint.
    pub fn state(&self) -> impl Iterator<Item = (&str, TensorData)> {
        self.state.iter().map(|(name, t)| (name.as_str(), t.clone().into_data()))
    }

    /// A state with one number per time step that has not `steps` of them, and how many it has.
    pub(crate) fn other_steps(&self, steps: usize) -> Option<(&str, usize)> {
        let moments = self.state.iter().filter(|(name, _)| name.split('.').next() == Some(MOMENT));
        moments.map(|(name, t)| (name.as_str(), t.dims()[0])).find(|(_, n)| *n != steps)
    }

    /// Puts back a state from a checkpoint.
    pub fn restore(&mut self, steps: u64, state: impl IntoIterator<Item = (String, TensorData)>, device: &Device) {
        self.steps = steps;
        self.state = state.into_iter().map(|(name, data)| (name, Tensor::from_data(data, device))).collect();
    }

    fn take(&mut self, kind: &str, name: &str) -> Option<Tensor<1>> {
        self.state.remove(&format!("{kind}.{name}"))
    }

    fn keep(&mut self, kind: &str, name: &str, value: Tensor<1>) {
        self.state.insert(format!("{kind}.{name}"), value);
    }
}

/// −1 or +1; zero counts as plus.
fn sign(w: Tensor<1>) -> Tensor<1> {
    w.greater_equal_elem(0.0).float() * 2.0 - 1.0
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    grads: &'a mut Gradients,
    lr: f64,
    /// Factor on every gradient, if their norm is clipped.
    scale: Option<f64>,
}

impl ParamMapper for Step<'_> {
    fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
        let grad = value.grad_remove(self.grads)?;
        let grad = if let Some(scale) = self.scale { grad * scale } else { grad };
        let (lr, decay) = self.optimizer.config.group(Role::of(name), self.lr);
        let shape = value.shape();
        let count = shape.num_elements();
        let (w, g) = (param::plain(value.clone()).reshape([count]), grad.reshape([count]));
        let config = &self.optimizer.config;
        let binary = Role::of(name) == Role::Binary;
        // The schedule acts on the rates: with a rate of 0 a momentum stands still.
        let share = self.lr / config.lr;
        match config.binary_rule {
            BinaryRule::Flip if binary => {
                let rate = config.flip_rate * share;
                return Some(flip::step(self.optimizer, name, w, g, rate).reshape(shape));
            }
            BinaryRule::Online if binary => {
                return Some(online::step(self.optimizer, name, w, g, share).reshape(shape));
            }
            _ => {}
        }
        let g = if binary && config.unit_gradient() { scale_to_rms(g, 1.0) } else { g };
        let freeze = binary && config.freeze_above > 0.0;
        let old = freeze.then(|| w.clone());
        let new = match config.kind {
            OptimizerKind::Sgd => sgd::step(self.optimizer, name, w, g, lr, decay),
            OptimizerKind::Adamw => adamw::step(self.optimizer, name, w, g, lr, decay),
        };
        let new = match old {
            Some(old) => freeze::step(self.optimizer, name, old, new),
            None => new,
        };
        Some(new.reshape(shape))
    }
}
