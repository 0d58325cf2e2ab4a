//! Parts that blocks share: a convolution with its norm, gate and neurons, and the whole of them as one operation.

use super::config::{ConvPlan, NetworkOptions};
use super::observer::Observer;
use crate::Init;
use crate::layers::{Agmm, BinaryConv2d, Conv2d, GatePosition, Neuron, NormConfig, NormKind, TimeBatchNorm};
use crate::ops::block::{BlockParams, BlockStatistics, BlockWeights, block, block_evaluate};
use crate::ops::gate::GatePool;
use crate::shape::in_order;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Convolution, batch norm and gate, with neurons or without; the block that owns it says where they stand.
///
/// Shapes: x `[1 or T, N, C_in, H, W]` → `[T, N, C_out, H', W']`.
#[derive(Module, Debug)]
pub struct Unit {
    /// The convolution.
    pub conv: Conv2d,
    /// Its batch norm.
    pub norm: TimeBatchNorm,
    /// The gate, after binary convolutions of an AGMM network.
    pub gate: Option<Agmm>,
    /// The neurons.
    pub neuron: Option<Neuron>,
    #[module(skip)]
    place: Place,
}

/// What a unit knows of its place.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    steps: usize,
    gate_before_norm: bool,
    /// Convolution to neuron is the chain that [`block`] is.
    whole: bool,
    /// Less memory for more time, see [`BlockParams`].
    recompute: bool,
}

impl Unit {
    /// The unit at a place of a network, with starting values from `init`.
    pub fn new(o: &NetworkOptions, conv: &ConvPlan, init: &Init, device: &Device) -> Self {
        let channels = conv.conv.channels[1];
        let steps = o.network.steps;
        let gate = o.gate.as_ref().filter(|_| conv.binary);
        let in_order = gate.is_none_or(|g| g.position == GatePosition::AfterNorm && g.pool != GatePool::None);
        Self {
            conv: build_conv(o, conv, init, device),
            norm: build_norm(o, conv, device),
            gate: gate.map(|g| g.init(steps, channels, device)),
            neuron: conv.neurons.then(|| o.neuron.init(steps, device)),
            place: Place {
                name: conv.name.clone(),
                steps,
                gate_before_norm: gate.is_some_and(|g| g.position == GatePosition::BeforeNorm),
                whole: conv.binary && in_order && o.norm.kind == NormKind::Joint,
                recompute: o.recompute,
            },
        }
    }

    /// Convolution, batch norm and gate.
    pub fn current(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let place = &self.place;
        let repeats = place.steps / x.dims()[0];
        let mut y = self.conv.forward(x);
        if place.gate_before_norm {
            y = apply_gate(&self.gate, y, &place.name, observer);
        }
        y = self.norm.forward(y, repeats);
        if place.gate_before_norm { y } else { apply_gate(&self.gate, y, &place.name, observer) }
    }

    /// The neurons, for a current; without any, the current itself.
    pub fn fire(&self, current: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let Some(neuron) = &self.neuron else { return current };
        let s = neuron.forward(current);
        observer.spikes(&self.place.name, &s);
        s
    }

    /// [`current`](Self::current), then [`fire`](Self::fire).
    pub fn spikes(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let place = &self.place;
        let all_steps = x.dims()[0] == place.steps;
        if let (Conv2d::Binary(conv), Some(neuron), true) = (&self.conv, &self.neuron, place.whole && all_steps) {
            let (norm, gate, recompute) = (&self.norm, self.gate.as_ref(), place.recompute);
            let whole = Whole { conv, norm, gate, neuron, pool: false, recompute };
            return whole.forward(x, &place.name, observer);
        }
        let current = self.current(x, observer);
        self.fire(current, observer)
    }
}

/// Binary convolution, batch norm, average pooling, gate and neurons as one operation.
pub(super) struct Whole<'a> {
    pub conv: &'a BinaryConv2d,
    pub norm: &'a TimeBatchNorm,
    pub gate: Option<&'a Agmm>,
    pub neuron: &'a Neuron,
    pub pool: bool,
    pub recompute: bool,
}

impl Whole<'_> {
    /// Spikes of the layer `name` for spikes of all T steps.
    pub fn forward(&self, x: Tensor<5>, name: &str, observer: &mut dyn Observer) -> Tensor<5> {
        let s = self.run(x, name, observer);
        observer.spikes(name, &s);
        s
    }

    fn run(&self, x: Tensor<5>, name: &str, observer: &mut dyn Observer) -> Tensor<5> {
        let (device, steps) = (x.device(), self.neuron.params().steps);
        let params = BlockParams {
            conv: *self.conv.params(),
            epsilon: self.norm.epsilon(),
            pool: self.pool,
            gate: self.gate.map(|g| *g.params()),
            neuron: *self.neuron.params(),
            recompute: self.recompute,
        };
        let weights = BlockWeights {
            weight: self.conv.weight(),
            gamma: self.norm.slope(),
            beta: self.norm.beta.val(),
            alpha: self.gate.map_or_else(|| Tensor::ones([steps, 1], &device), Agmm::strength),
            decay: self.neuron.decay(&device),
        };
        if device.is_autodiff() {
            let [t, n, _, h, w] = x.dims();
            let p = &params.conv;
            let kernel = weights.weight.dims()[2];
            let count = t * n * p.output(h, kernel) * p.output(w, kernel);
            let (s, mean, var, means) = block(x, weights, params);
            self.norm.keep(mean, var, count);
            if let Some(gate) = self.gate {
                gate.keep(means.clone());
                observer.gate(name, &means);
            }
            return s;
        }
        let statistics = BlockStatistics {
            mean: self.norm.running_mean.value(),
            var: self.norm.running_var.value(),
            gate_means: self.gate.and_then(Agmm::fixed_means),
        };
        let kept = statistics.gate_means.clone();
        let (s, means) = block_evaluate(x, weights, statistics, params);
        if self.gate.is_some() {
            observer.gate(name, &kept.map_or(means, |kept| kept.unsqueeze_dim(1)));
        }
        s
    }
}

/// The sum of two tensors of which one may have one step for all.
pub(super) fn add(a: Tensor<5>, b: Tensor<5>) -> Tensor<5> {
    channels_first(add_last(channels_last(a), channels_last(b)))
}

/// [`add`] for `[T, N, H, W, C]`. The gradient of a tensor with one step is a sum over all.
pub(super) fn add_last(a: Tensor<5>, b: Tensor<5>) -> Tensor<5> {
    in_order(a + b)
}

/// `[T, N, C, H, W]` seen as `[T, N, H, W, C]`, which is its order in memory on the CPU backend: there the sum of two such
/// views, and of their gradients, is contiguous and copies nothing.
pub(super) fn channels_last(x: Tensor<5>) -> Tensor<5> {
    x.permute([0, 1, 3, 4, 2])
}

/// The inverse of [`channels_last`].
pub(super) fn channels_first(x: Tensor<5>) -> Tensor<5> {
    x.permute([0, 1, 4, 2, 3])
}

pub(super) fn build_conv(o: &NetworkOptions, conv: &ConvPlan, init: &Init, device: &Device) -> Conv2d {
    let path = format!("{}.conv", conv.name);
    match conv.binary {
        true => {
            let network = &o.network;
            let layer = conv.conv.init_binary(network.weight_scale, init, &path, device);
            Conv2d::Binary(layer.with_estimator(o.estimator))
        }
        false => Conv2d::Real(conv.conv.init_real(init, &path, device)),
    }
}

/// The norm behind a convolution.
pub(super) fn build_norm(o: &NetworkOptions, conv: &ConvPlan, device: &Device) -> TimeBatchNorm {
    let build = if conv.binary { NormConfig::init_behind_binary } else { NormConfig::init };
    build(&o.norm, conv.conv.channels[1], o.network.steps, o.neuron.v_threshold, device)
}

pub(super) fn apply_gate(gate: &Option<Agmm>, x: Tensor<5>, name: &str, observer: &mut dyn Observer) -> Tensor<5> {
    match gate {
        None => x,
        Some(gate) => {
            let (y, means) = gate.forward(x);
            observer.gate(name, &means);
            y
        }
    }
}
