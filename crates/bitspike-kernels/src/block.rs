//! Batch norm, average pooling, gate, shortcut and neuron in one pass over the output of a convolution.
//!
//! ```text
//! y = γ (x - μ)/√(v + ε) + β          statistics of the batch, see `norm`
//! p = 2×2 average of y                if `pool`
//! z = k p (+ residual)                k the factor of the gate, see `gate`; 1 without one
//! s = neuron(z)                       see `neuron`; left out without one
//! ```
//!
//! The result is that of [`norm`](crate::norm), [`pool`](crate::pool), [`gate`](crate::gate) and
//! [`neuron`](crate::neuron) one after the other, which the tests hold against it; only where the current lies within
//! rounding of the threshold may a spike differ. What is saved is time and memory: `x` is read twice (sums per sample
//! and channel give both the statistics and the means of the gates) and nothing between `x` and the spikes is kept,
//! because the backward pass computes the membrane again from `x`.
//!
//! Backward, with `dz` the gradient at the neuron's input: `Σ dz` and `Σ dz (x - μ)` per sample, step and channel give
//! the gradients of the gate, `γ` and `β`; `dx` is then `dz` and `x` times one coefficient each plus a constant.
//!
//! Shapes: `x` `[T, N, H, W, C]`, everything after the pooling `[T, N, H', W', C]`; `γ`, `β` `[C]`, `α` `[T]` or
//! `[T, C]`.

mod backward;
mod forward;
mod source;
#[cfg(test)]
mod tests;

use crate::error::{KernelError, check_len, check_range};
pub use backward::{backward, backward_in_parts};
pub use forward::{evaluate, forward};
pub use source::Source;

use crate::gate::{Apply, GateParams, GateShape, Pool};
use crate::neuron::NeuronParams;

/// Which operations a block consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockParams {
    /// `ε` of the batch norm, above 0.
    pub eps: f32,
    /// Whether a 2×2 average pooling stands between batch norm and gate.
    pub pool: bool,
    /// The gate, if there is one; every variant but [`Pool::None`].
    pub gate: Option<GateParams>,
    /// The neuron, if the block ends in one.
    pub neuron: Option<NeuronParams>,
}

/// The sizes of `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockShape {
    /// Time steps.
    pub t: usize,
    /// Samples.
    pub n: usize,
    /// Rows of a map.
    pub h: usize,
    /// Columns of a map.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

/// What a block has learned.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `γ`, `[C]`.
    pub gamma: &'a [f32],
    /// `β`, `[C]`.
    pub beta: &'a [f32],
    /// `α`, `[T]` or `[T, C]`; empty without a gate.
    pub alpha: &'a [f32],
}

/// Where a block writes; at least one of the two.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// The spikes; present exactly if the block has a neuron.
    pub spikes: Option<&'a mut [f32]>,
    /// The spikes as bits, `[T, N, H', W', ceil(C / 32)]`, as [`PackedSpikes`](crate::bits::PackedSpikes) keeps them.
    pub bits: Option<&'a mut [u32]>,
    /// `z`, the current in front of the neuron; needed for a shortcut around the next block.
    pub current: Option<&'a mut [f32]>,
}

/// What [`forward`] computed on the way: small beside `x`, and all that [`backward`] needs beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockState {
    /// `μ`, `[C]`.
    pub mean: Vec<f32>,
    /// `v`, biased, `[C]`.
    pub var: Vec<f32>,
    /// The means of the gates, as [`GateShape::means_len`] says; empty without a gate.
    pub gate_means: Vec<f32>,
    /// Mean of `x` per step, sample and channel, `[T, N, C]`.
    slab_means: Vec<f64>,
    /// Whether a residual was added, so that the current cannot be computed again from `x`.
    residual: bool,
}

/// Fixed statistics for [`evaluate`].
#[derive(Clone, Copy, Debug)]
pub struct Fixed<'a> {
    /// Running `μ`, `[C]`.
    pub mean: &'a [f32],
    /// Running `v`, `[C]`.
    pub var: &'a [f32],
    /// Running means of the gates, `[T]` or `[T, C]`; without them every sample has its own.
    pub gate_means: Option<&'a [f32]>,
}

/// The gradients that come in: as many as the block had outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputGradients<'a> {
    /// `∂L/∂s`.
    pub spikes: Option<&'a [f32]>,
    /// `∂L/∂z` through everything but the block's own neuron.
    pub current: Option<&'a [f32]>,
}

/// The gradients of what a block has learned.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightGradients {
    /// `∂L/∂γ`, `[C]`.
    pub gamma: Vec<f32>,
    /// `∂L/∂β`, `[C]`.
    pub beta: Vec<f32>,
    /// `∂L/∂α`, like `α`.
    pub alpha: Vec<f32>,
    /// `∂L/∂λ` of the neuron, if it was asked for.
    pub decay: Option<f32>,
}

impl BlockShape {
    /// Elements of `x`.
    fn len(&self) -> usize {
        self.t * self.n * self.h * self.w * self.c
    }

    /// Elements of one sample at one step.
    fn slab(&self) -> usize {
        self.h * self.w * self.c
    }

    /// The sizes that the gate and the neuron see.
    fn pooled(&self, pool: bool) -> GateShape {
        let hw = if pool { (self.h / 2) * (self.w / 2) } else { self.h * self.w };
        GateShape { t: self.t, n: self.n, hw, c: self.c }
    }
}

impl BlockParams {
    /// Refuses what the block does not do, and lengths that do not fit; returns the sizes after the pooling.
    fn check(
        &self,
        op: &'static str,
        shape: &BlockShape,
        weights: &Weights<'_>,
        x: Source<'_>,
    ) -> Result<GateShape, KernelError> {
        let whole = GateShape { t: shape.t, n: shape.n, hw: shape.h.saturating_mul(shape.w), c: shape.c };
        x.check(op, whole.check(op)?, shape.c)?;
        let even = shape.h.is_multiple_of(2) && shape.w.is_multiple_of(2);
        if self.pool && !even {
            let what = "pooling in a block needs an even height and width";
            return Err(KernelError::Unsupported {
                op,
                what,
                instead: "call `norm`, `pool`, `gate` and `neuron` instead",
            });
        }
        check_range(op, "eps", self.eps.into(), self.eps > 0.0 && self.eps.is_finite(), "above 0 and finite")?;
        check_len(op, "gamma", shape.c, weights.gamma.len())?;
        check_len(op, "beta", shape.c, weights.beta.len())?;
        match &self.gate {
            Some(GateParams { pool: Pool::None, .. }) => {
                let what = "a gate per element is not a factor per channel";
                return Err(KernelError::Unsupported { op, what, instead: "call `norm`, `gate` and `neuron` instead" });
            }
            Some(_) if weights.alpha.len() == shape.t => {}
            Some(_) => check_len(op, "alpha", shape.t * shape.c, weights.alpha.len())?,
            None => check_len(op, "alpha", 0, weights.alpha.len())?,
        }
        if let Some(neuron) = &self.neuron {
            neuron.check(op)?;
        }
        Ok(shape.pooled(self.pool))
    }

    /// The gate that multiplies the value; one that only modulates the gradient does not.
    fn value_gate(&self) -> Option<&GateParams> {
        self.gate.as_ref().filter(|gate| gate.apply == Apply::Forward)
    }
}

/// Refuses a slice that is there though it should not be, missing though it should, or of the wrong length.
fn check_present(
    op: &'static str,
    name: &'static str,
    wanted: bool,
    expected: usize,
    found: Option<usize>,
) -> Result<(), KernelError> {
    check_len(op, name, if wanted { expected } else { 0 }, found.unwrap_or(0))
}
