//! The network itself.

use super::block::{BiRealBlock, VggBlock};
use super::config::Plan;
use super::observer::Observer;
use super::residual::ResidualChain;
use super::spikformer::Spikformer;
use super::types::{Head, Structure};
use crate::Init;
use crate::layers::{Classifier, Neuron, RealConv2d, TimeBatchNorm};
use crate::ops::pool::{global_avg_pool, stem_max_pool};
use crate::shape::require;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// The blocks of any structure.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Blocks {
    /// A chain; the first block is the stem.
    Vgg(VggChain),
    /// A residual chain.
    BiReal(BiRealChain),
    /// Blocks of two convolutions.
    Residual(ResidualChain),
    /// Blocks of attention.
    Spikformer(Spikformer),
}

/// Stem and blocks of the VGG family.
#[derive(Module, Debug)]
pub struct VggChain {
    /// First layer, real weights.
    pub stem: VggBlock,
    /// The others.
    pub blocks: Vec<VggBlock>,
}

/// Stem, blocks and last neurons of the Bi-Real family.
#[derive(Module, Debug)]
pub struct BiRealChain {
    /// First convolution, real weights.
    pub stem: BiRealStem,
    /// The blocks.
    pub blocks: Vec<BiRealBlock>,
    /// The neurons in front of the classifier.
    pub last: Neuron,
}

/// First convolution and batch norm of the Bi-Real family.
#[derive(Module, Debug)]
pub struct BiRealStem {
    /// The convolution.
    pub conv: RealConv2d,
    /// Its batch norm.
    pub norm: TimeBatchNorm,
    /// Followed by a 3×3 maximum with stride 2.
    #[module(skip)]
    pub pooled: bool,
}

/// A spiking network made from a [`Plan`].
///
/// ```
/// use bitspike_nn::Init;
/// use bitspike_nn::network::{Ignore, Network, NetworkOptions};
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let plan = NetworkOptions::default().plan([1, 12, 12], 10).unwrap();
/// let network = Network::new(&plan, &Init::new(0), &device);
/// let logits = network.forward(Tensor::ones([1, 3, 1, 12, 12], &device), &mut Ignore);
/// assert_eq!(logits.dims(), [2, 3, 10]);
/// ```
#[derive(Module, Debug)]
pub struct Network {
    /// Stem and blocks.
    pub body: Blocks,
    /// The classifier, real weights.
    pub head: Classifier,
    #[module(skip)]
    flatten: bool,
    #[module(skip)]
    steps: usize,
}

impl Network {
    /// Builds the network with starting values from `init`.
    pub fn new(plan: &Plan, init: &Init, device: &Device) -> Self {
        let o = &plan.options;
        let (stem, rest) = plan.convs.split_first().expect("a plan has a stem");
        let body = match plan.structure {
            Structure::Vgg => Blocks::Vgg(VggChain {
                stem: VggBlock::new(&plan.options, stem, init, device),
                blocks: rest.iter().map(|c| VggBlock::new(&plan.options, c, init, device)).collect(),
            }),
            Structure::BiReal { pooled_stem } => Blocks::BiReal(BiRealChain {
                stem: BiRealStem {
                    conv: stem.conv.init_real(init, "stem.conv", device),
                    norm: o.norm.init(stem.conv.channels[1], o.network.steps, o.neuron.v_threshold, device),
                    pooled: pooled_stem,
                },
                blocks: rest.iter().map(|c| BiRealBlock::new(&plan.options, c, init, device)).collect(),
                last: o.neuron.init(o.network.steps, device),
            }),
            Structure::Residual { junction, pooled_stem, blocks } => {
                Blocks::Residual(ResidualChain::new(plan, (junction, pooled_stem, blocks), init, device))
            }
            Structure::Spikformer { blocks, heads } => {
                Blocks::Spikformer(Spikformer::new(plan, blocks, heads, init, device))
            }
        };
        Self {
            body,
            head: Classifier::new(plan.features, plan.classes, init, "head", device),
            flatten: plan.head == Head::Flatten,
            steps: o.network.steps,
        }
    }

    /// Tells the estimators of the sign how far training is, from 0 to 1. Only their gradients depend on it.
    pub fn set_progress(&mut self, progress: f64) {
        match &mut self.body {
            Blocks::Vgg(chain) => chain.blocks.iter_mut().for_each(|b| b.conv.set_progress(progress)),
            Blocks::BiReal(chain) => chain.blocks.iter_mut().for_each(|b| b.conv.set_progress(progress)),
            Blocks::Residual(chain) => chain.blocks.iter_mut().for_each(|b| b.set_progress(progress)),
            Blocks::Spikformer(network) => network.set_progress(progress),
        }
    }

    /// Logits `[T, N, classes]` for a static image `[1, N, C, H, W]` or a sequence `[T, N, C, H, W]`.
    ///
    /// # Panics
    /// If x has neither one time step nor T, or other channels or features than the plan; the message has the shapes.
    #[track_caller]
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<3> {
        let (dims, steps) = (x.dims(), self.steps);
        let rule = format_args!("x has {} time steps, the network {steps} (1 or {steps})", dims[0]);
        require(dims[0] == 1 || dims[0] == steps, "Network", rule, &[("x [1 or T, N, C, H, W]", &dims)]);
        let spikes = match &self.body {
            Blocks::Vgg(chain) => {
                let mut s = chain.stem.forward(x, observer);
                for block in &chain.blocks {
                    s = block.forward(s, observer);
                }
                s
            }
            Blocks::BiReal(chain) => {
                let repeats = self.steps / x.dims()[0];
                let mut current = chain.stem.norm.forward(chain.stem.conv.forward(x), repeats);
                if chain.stem.pooled {
                    current = stem_max_pool(current);
                }
                for block in &chain.blocks {
                    current = block.forward(current, observer);
                }
                let s = chain.last.forward(current);
                observer.spikes("last", &s);
                s
            }
            Blocks::Residual(chain) => chain.forward(x, observer),
            Blocks::Spikformer(network) => network.forward(x, observer),
        };
        self.classify(spikes)
    }

    /// Logits `[T, N, classes]` of the last spikes `[T, N, C, H, W]`.
    pub(super) fn classify(&self, spikes: Tensor<5>) -> Tensor<3> {
        let [t, n, c, h, w] = spikes.dims();
        let features = if self.flatten { spikes.reshape([t, n, c * h * w]) } else { global_avg_pool(spikes) };
        self.head.forward(features)
    }
}
