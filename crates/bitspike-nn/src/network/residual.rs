//! Residual networks whose blocks have two convolutions; formulas at [`ResidualBlock`].

use super::config::Plan;
use super::observer::Observer;
use super::types::Junction;
use super::unit::{Unit, add};
use crate::Init;
use crate::layers::Neuron;
use crate::ops::pool::stem_max_pool;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// A block of two convolutions and a shortcut: standard, SEW or membrane.
///
/// With L(x) = gate(BN(conv(x))), N the neurons, and S the shortcut, which is the identity where the shapes are equal:
///
/// ```text
/// standard   y = N(L₂(N(L₁(x))) + S(x))        x, y spikes        S = L, 1×1, binary      stem N(L(x))
/// SEW        y = N(L₂(N(L₁(x)))) + S(x)        x, y counts        S = N∘L, 1×1, binary    stem N(L(x))
/// membrane   y = L₂(N(L₁(N(x)))) + S(x)        x, y currents      S = BN∘conv, 1×1, real  stem L(x)    end N
/// ```
///
/// The first convolution of a block and the 1×1 of its shortcut have the block's stride. A standard identity shortcut adds
/// spikes to a current. SEW adds spikes to spikes (the paper's ADD), so that what goes on is a count: 0 to 3 in ResNet-18, since
/// a shortcut with neurons starts again at 1. Binary convolutions take counts up to 4 as three bit planes, exactly; larger
/// ones as floats (`bitspike_kernels::bits::PackedSpikes`). The stem of ImageNet networks ends in a 3×3 maximum with
/// stride 2, of spikes where it has neurons.
///
/// Shapes: x `[1 or T, N, C, H, W]` → `[T, N, C', H', W']`.
///
/// Sources: standard, He et al., CVPR 2016, with neurons as in Zheng et al. (tdBN), AAAI 2021; SEW, Fang et al., "Deep
/// Residual Learning in Spiking Neural Networks", NeurIPS 2021; membrane, Hu et al., "Advancing Spiking Neural Networks Toward
/// Deep Residual Learning", TNNLS 2024 (arXiv 2112.08954).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The first convolution.
    pub first: Unit,
    /// The second.
    pub second: Unit,
    /// The shortcut where shapes change; otherwise it is the identity.
    pub shortcut: Option<Unit>,
    #[module(skip)]
    place: (String, Junction),
}

impl ResidualBlock {
    fn new(plan: &Plan, name: String, junction: Junction, init: &Init, device: &Device) -> Self {
        let unit = |part| plan.conv(&format!("{name}.{part}")).map(|conv| Unit::new(&plan.options, conv, init, device));
        Self {
            first: unit("first").expect("a plan has both convolutions of a block"),
            second: unit("second").expect("a plan has both convolutions of a block"),
            shortcut: unit("shortcut"),
            place: (name, junction),
        }
    }

    /// Formulas and shapes at [`ResidualBlock`].
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let (name, junction) = &self.place;
        let Self { first, second, .. } = self;
        match junction {
            Junction::Current => {
                let s = first.spikes(x.clone(), observer);
                let y = second.current(s, observer);
                let around = self.around(x, |unit, x| unit.current(x, observer));
                second.fire(add(y, around), observer)
            }
            Junction::Spikes => {
                let s = first.spikes(x.clone(), observer);
                let y = second.spikes(s, observer);
                let around = self.around(x, |unit, x| unit.spikes(x, observer));
                let sum = add(y, around);
                observer.counts(name, &sum);
                sum
            }
            Junction::Membrane => {
                let s = first.fire(x.clone(), observer);
                let y = first.current(s, observer);
                let s = second.fire(y, observer);
                let y = second.current(s, observer);
                add(y, self.around(x, |unit, x| unit.current(x, observer)))
            }
        }
    }

    fn around(&self, x: Tensor<5>, f: impl FnOnce(&Unit, Tensor<5>) -> Tensor<5>) -> Tensor<5> {
        match &self.shortcut {
            None => x,
            Some(unit) => f(unit, x),
        }
    }

    pub(super) fn set_progress(&mut self, progress: f64) {
        let units = [&mut self.first, &mut self.second].into_iter().chain(&mut self.shortcut);
        units.for_each(|unit| unit.conv.set_progress(progress));
    }
}

/// Stem, blocks, and for membrane shortcuts the last neurons.
#[derive(Module, Debug)]
pub struct ResidualChain {
    /// The first convolution, real weights.
    pub stem: Unit,
    /// The blocks.
    pub blocks: Vec<ResidualBlock>,
    /// The neurons in front of the classifier, where the last block has none at its end.
    pub last: Option<Neuron>,
    #[module(skip)]
    pooled_stem: bool,
}

impl ResidualChain {
    pub(crate) fn new(
        plan: &Plan,
        (junction, pooled_stem, blocks): (Junction, bool, usize),
        init: &Init,
        device: &Device,
    ) -> Self {
        let o = &plan.options;
        let block = |i| ResidualBlock::new(plan, format!("blocks.{i}"), junction, init, device);
        Self {
            stem: Unit::new(&plan.options, &plan.convs[0], init, device),
            blocks: (0..blocks).map(block).collect(),
            last: (junction == Junction::Membrane).then(|| o.neuron.init(o.network.steps, device)),
            pooled_stem,
        }
    }

    /// What the classifier sees: spikes, or counts.
    pub fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<5> {
        let mut x = self.stem.spikes(x, observer);
        if self.pooled_stem {
            x = stem_max_pool(x);
        }
        for block in &self.blocks {
            x = block.forward(x, observer);
        }
        let Some(last) = &self.last else { return x };
        let s = last.forward(x);
        observer.spikes("last", &s);
        s
    }
}
