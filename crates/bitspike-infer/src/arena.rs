//! How much memory a network needs, from its shapes alone.
//!
//! ```text
//! run:   spikes of even layers | spikes of odd layers | scratch               for all T
//! step:  2 words | sums of logits | potentials | the same three parts          for one step
//! ```
//!
//! Everything is counted in words of 32 bits; potentials and currents are `f32` in the bits of a word.

use crate::InferError;
use bitspike_format::{Block, Features, Gate, Layer, Map, Model};

/// Words in front of the sums of logits: a mark, and the number of steps done.
pub(crate) const FRONT: usize = 2;

/// Sizes of the three parts that both ways to run have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) even: usize,
    pub(crate) odd: usize,
    pub(crate) scratch: usize,
}

impl Parts {
    /// For `steps` time steps at once; `None` where a size overflows.
    pub(crate) fn new(model: &Model<'_>, steps: usize) -> Option<Self> {
        let mut parts = Self::default();
        for (i, layer) in model.layers().enumerate() {
            let out = match layer.output() {
                Some(map) => signal(&map)?.checked_mul(steps)?,
                None => 0,
            };
            let part = if i % 2 == 0 { &mut parts.even } else { &mut parts.odd };
            *part = out.max(*part);
            parts.scratch = scratch(&layer, steps)?.max(parts.scratch);
        }
        Some(parts)
    }

    pub(crate) fn total(&self) -> Option<usize> {
        self.even.checked_add(self.odd)?.checked_add(self.scratch)
    }
}

/// Words of a signal at one step.
fn signal(map: &Map) -> Option<usize> {
    Some(if map.planes == 0 { map.len() } else { map.bit_words() })
}

/// Words for the factors of a gate, and for the sums behind them.
pub(crate) fn gate_words(gate: &Gate<'_>, c_in: usize, c_out: usize, steps: usize) -> Option<usize> {
    match gate {
        Gate::None | Gate::Fixed(_) | Gate::Element { .. } => Some(0),
        Gate::Sample { .. } => c_in.checked_add(c_out)?.checked_add(steps.checked_mul(gate_width(gate, c_out))?),
    }
}

/// Factors of a step: one, or one per channel.
pub(crate) fn gate_width(gate: &Gate<'_>, c_out: usize) -> usize {
    match gate {
        Gate::Sample { alpha, per_channel, .. } if *per_channel || alpha.channels > 1 => c_out,
        _ => 1,
    }
}

/// Words of a block per step: the spikes under every current that is gated by itself, and the bits of a word.
pub(crate) fn block_words(b: &Block<'_>) -> usize {
    currents(b) + 1
}

/// Currents that a neuron sees, of which each is gated by itself: those of a window, or one.
pub(crate) fn currents(b: &Block<'_>) -> usize {
    let area = |[rows, columns]: [usize; 2]| rows * columns;
    area(b.seen()).checked_div(area(b.sums())).unwrap_or(1)
}

fn scratch(layer: &Layer<'_>, steps: usize) -> Option<usize> {
    match layer {
        Layer::Block(b) => {
            let gate = gate_words(&b.gate, b.conv.input.channels, b.conv.channels, steps)?;
            steps.checked_mul(block_words(b))?.checked_add(gate)
        }
        Layer::Residual(r) => {
            let gate = gate_words(&r.gate, r.conv.input.channels, r.conv.channels, 1)?;
            gate.checked_add(r.conv.input.bit_words())?.checked_add(r.conv.input.channels)
        }
        Layer::Neurons(_) => Some(0),
        Layer::Head(h) => {
            let classes = h.classes().checked_mul(2)?;
            classes.checked_add(if h.features == Features::Average { h.input.channels } else { 0 })
        }
    }
}

/// Potentials that a layer keeps between steps.
pub(crate) fn potentials(layer: &Layer<'_>) -> usize {
    match layer {
        Layer::Block(Block { neuron: None, .. }) | Layer::Head(_) => 0,
        Layer::Block(b) => b.neurons().len(),
        Layer::Residual(r) => r.conv.input.len(),
        Layer::Neurons(n) => n.input.len(),
    }
}

/// Whether layers carry currents, so that layer by layer over T would keep T maps of floats: such networks run step by step.
pub(crate) fn by_steps(model: &Model<'_>) -> bool {
    model.layers().any(|layer| layer.output().is_some_and(|map| map.planes == 0))
}

/// Words that [`run`](crate::run()) needs for this network.
///
/// # Errors
/// [`InferError::TooLarge`] where they are more than can be addressed.
pub fn run_words(model: &Model<'_>) -> Result<usize, InferError> {
    if by_steps(model) {
        return step_words(model);
    }
    Parts::new(model, model.network().steps).and_then(|parts| parts.total()).ok_or(InferError::TooLarge)
}

/// Words that [`step`](crate::step()) needs for this network.
///
/// # Errors
/// [`InferError::TooLarge`] where they are more than can be addressed.
pub fn step_words(model: &Model<'_>) -> Result<usize, InferError> {
    let words = || {
        let kept = kept_words(model)?;
        kept.checked_add(Parts::new(model, 1)?.total()?)
    };
    words().ok_or(InferError::TooLarge)
}

/// Words whose content must live from step to step.
pub(crate) fn kept_words(model: &Model<'_>) -> Option<usize> {
    model
        .layers()
        .try_fold(FRONT.checked_add(model.network().classes)?, |sum: usize, layer| sum.checked_add(potentials(&layer)))
}

/// Most sums that make a current: a window of 2×2.
pub(crate) const WINDOW: usize = 4;
