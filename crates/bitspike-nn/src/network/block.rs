//! The two kinds of block; formulas in the [module documentation](super).

use super::config::{ConvPlan, NetworkOptions};
use super::observer::Observer;
use super::types::Pooling;
use super::unit::{Whole, add_last, apply_gate, build_conv, build_norm, channels_first, channels_last};
use crate::Init;
use crate::layers::Conv2dConfig;
use crate::layers::{Agmm, Conv2d, GatePosition, Neuron, RealConv2d, TimeBatchNorm};
use crate::ops::pool::{avg_pool, max_pool};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Convolution, batch norm, gate, pooling and neuron in a chain. The stem of the VGG family is one too, with real weights.
#[derive(Module, Debug)]
pub struct VggBlock {
    /// The convolution.
    pub conv: Conv2d,
    /// Its batch norm.
    pub norm: TimeBatchNorm,
    /// The gate, after binary convolutions of an AGMM network.
    pub gate: Option<Agmm>,
    /// The neurons.
    pub neuron: Neuron,
    #[module(skip)]
    place: Place,
}

/// What a block knows of its place: name, pooling and the order of gate and pooling.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    pooling: Option<Pooling>,
    gate_before_norm: bool,
    gate_after_pool: bool,
    /// Convolution to neuron is the chain that [`block`] is.
    whole: bool,
    /// Less memory for more time, see [`BlockParams`].
    recompute: bool,
    /// A dense layer: the map that comes in is one place with as many channels.
    flattens: bool,
}

impl VggBlock {
    /// The block at a place of a network, with starting values from `init`.
    pub fn new(o: &NetworkOptions, conv: &ConvPlan, init: &Init, device: &Device) -> Self {
        let channels = conv.conv.channels[1];
        let gate = o.gate.as_ref().filter(|_| conv.binary);
        let gate_after_pool = o.network.pooling == Pooling::Current && o.gate_after_pool(conv);
        Self {
            conv: build_conv(o, conv, init, device),
            norm: build_norm(o, conv, device),
            gate: gate.map(|g| g.init(o.network.steps, channels, device)),
            neuron: o.neuron.init(o.network.steps, device),
            place: Place {
                name: conv.name.clone(),
                pooling: conv.pooled.then_some(o.network.pooling),
                gate_before_norm: gate.is_some_and(|g| g.position == GatePosition::BeforeNorm),
                gate_after_pool,
                whole: o.fuses(conv),
                recompute: o.recompute,
                flattens: conv.flattens.is_some(),
            },
        }
    }

    /// Spikes `[T, N, C_out, H', W']` for spikes (or an image) `[1 or T, N, C_in, H, W]`.
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let place = &self.place;
        let x = self.input(x);
        let repeats = self.neuron.params().steps / x.dims()[0];
        if let (Conv2d::Binary(conv), true, 1) = (&self.conv, place.whole, repeats) {
            let whole = Whole {
                conv,
                norm: &self.norm,
                gate: self.gate.as_ref(),
                neuron: &self.neuron,
                pool: place.pooling.is_some(),
                recompute: place.recompute,
            };
            return whole.forward(x, &place.name, observer);
        }
        let mut x = self.conv.forward(x);
        if place.gate_before_norm {
            x = apply_gate(&self.gate, x, &place.name, observer);
        }
        x = self.norm.forward(x, repeats);
        let after_pool = place.pooling.is_some() && place.gate_after_pool;
        if !place.gate_before_norm && !after_pool {
            x = apply_gate(&self.gate, x, &place.name, observer);
        }
        if place.pooling == Some(Pooling::Current) {
            x = halve(x, Pooling::Current);
        }
        if !place.gate_before_norm && after_pool {
            x = apply_gate(&self.gate, x, &place.name, observer);
        }
        let s = self.neuron.forward(x);
        observer.spikes(&place.name, &s);
        match place.pooling {
            Some(Pooling::Current) | None => s,
            Some(pooling) => halve(s, pooling),
        }
    }
}

/// Average or maximum of 2×2 windows; of 1×2 windows where the map has one row. A last odd row or column is left out.
pub(super) fn halve(x: Tensor<5>, pooling: Pooling) -> Tensor<5> {
    let [t, n, c, h, w] = x.dims();
    let maximum = pooling == Pooling::MaxSpikes;
    if h > 1 {
        return if maximum { max_pool(x, 2) } else { avg_pool(x, 2) };
    }
    let pairs = x.narrow(4, 0, w / 2 * 2).reshape([t, n, c, w / 2, 2]);
    let halved = if maximum { pairs.max_dim(4) } else { pairs.mean_dim(4) };
    halved.reshape([t, n, c, 1, w / 2])
}

impl VggBlock {
    /// What is pooled behind this block, if anything is.
    pub(super) fn pooling(&self) -> Option<Pooling> {
        self.place.pooling
    }

    /// What the convolution takes: for a dense layer `[T, N, C, H, W]` as `[T, N, C·H·W, 1, 1]`.
    pub(super) fn input(&self, x: Tensor<5>) -> Tensor<5> {
        if !self.place.flattens {
            return x;
        }
        let [t, n, c, h, w] = x.dims();
        x.reshape([t, n, c * h * w, 1, 1])
    }
}

/// A shortcut that changes width and halves the map: average pooling, real 1×1 convolution, batch norm.
#[derive(Module, Debug)]
pub struct Shortcut {
    /// The 1×1 convolution.
    pub conv: RealConv2d,
    /// Its batch norm.
    pub norm: TimeBatchNorm,
}

impl Shortcut {
    fn forward(&self, x: Tensor<5>, repeats: usize) -> Tensor<5> {
        self.norm.forward(self.conv.forward(avg_pool(x, 2)), repeats)
    }
}

/// Neuron, binary convolution, batch norm and gate, with a shortcut around them.
#[derive(Module, Debug)]
pub struct BiRealBlock {
    /// The neurons in front.
    pub neuron: Neuron,
    /// The convolution.
    pub conv: Conv2d,
    /// Its batch norm.
    pub norm: TimeBatchNorm,
    /// The gate of an AGMM network.
    pub gate: Option<Agmm>,
    /// The shortcut where shapes change; otherwise it is the identity.
    pub shortcut: Option<Shortcut>,
    #[module(skip)]
    place: Place,
}

impl BiRealBlock {
    /// The block at a place of a network, with starting values from `init`.
    pub fn new(o: &NetworkOptions, conv: &ConvPlan, init: &Init, device: &Device) -> Self {
        let channels = conv.conv.channels[1];
        let gate = o.gate.as_ref().filter(|_| conv.binary);
        let shortcut = conv.projected.then(|| Shortcut {
            conv: Conv2dConfig::same(conv.conv.channels, 1).init_real(
                init,
                &format!("{}.shortcut.conv", conv.name),
                device,
            ),
            norm: o.norm.init(channels, o.network.steps, o.neuron.v_threshold, device),
        });
        Self {
            neuron: o.neuron.init(o.network.steps, device),
            conv: build_conv(o, conv, init, device),
            norm: build_norm(o, conv, device),
            gate: gate.map(|g| g.init(o.network.steps, channels, device)),
            shortcut,
            place: Place {
                name: conv.name.clone(),
                pooling: None,
                gate_before_norm: gate.is_some_and(|g| g.position == GatePosition::BeforeNorm),
                gate_after_pool: false,
                whole: false,
                recompute: false,
                flattens: false,
            },
        }
    }

    /// The current `[T, N, C_out, H', W']` for a current `[1 or T, N, C_in, H, W]`.
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let place = &self.place;
        let repeats = self.neuron.params().steps / x.dims()[0];
        let x = channels_last(x);
        let s = self.neuron.forward(channels_first(x.clone()));
        observer.spikes(&place.name, &s);
        let mut y = self.conv.forward(s);
        if place.gate_before_norm {
            y = apply_gate(&self.gate, y, &place.name, observer);
        }
        y = self.norm.forward(y, 1);
        if !place.gate_before_norm {
            y = apply_gate(&self.gate, y, &place.name, observer);
        }
        let around = match &self.shortcut {
            None => x,
            Some(shortcut) => channels_last(shortcut.forward(channels_first(x), repeats)),
        };
        channels_first(add_last(channels_last(y), around))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_is_halved_along_its_columns() {
        let device = Device::default();
        let x = Tensor::<1>::from_floats([1.0, 3.0, 0.0, 0.0, 9.0], &device).reshape([1, 1, 1, 1, 5]);
        let host = |t: Tensor<5>| t.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(host(halve(x.clone(), Pooling::Current)), [2.0, 0.0]);
        assert_eq!(host(halve(x, Pooling::MaxSpikes)), [3.0, 0.0]);
    }
}
