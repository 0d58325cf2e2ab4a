//! The loops over a tile of neurons, in pieces whose state stays in the first-level cache over all time steps.

use super::{Input, NeuronParams, Reset, SurrogateKind, surrogate};
use crate::par::{math, multiversioned};

/// Neurons per tile, the unit of parallel work.
pub(super) const TILE: usize = 8192;

/// Neurons that go through all time steps together: state, surrogate and the rows of one step fit a first-level cache,
/// and short enough that the next piece of every row is already on its way from memory.
pub(super) const PIECE: usize = 512;

multiversioned! {
    /// Forward over columns `from ..`; `spikes` (and `saved`, unless empty) hold one row per step.
    pub(crate) fn forward(
        p: &NeuronParams,
        x: Input<'_>,
        m: usize,
        from: usize,
        spikes: &mut [&mut [f32]],
        saved: &mut [&mut [f32]],
    ) {
        let (mut state, mut scratch) = ([0.0f32; PIECE], [0.0f32; PIECE]);
        let columns = spikes[0].len();
        for start in (0..columns).step_by(PIECE) {
            let len = PIECE.min(columns - start);
            let state = &mut state[..len];
            state.fill(0.0);
            for (t, spikes) in spikes.iter_mut().enumerate() {
                let spikes = &mut spikes[start..][..len];
                let x = x.row(t, m, from + start, len);
                let membrane = match saved.get_mut(t) {
                    Some(row) => &mut row[start..][..len],
                    None => &mut scratch[..len],
                };
                match p.reset {
                    Reset::Soft => forward_step::<true>(p.decay, p.v_threshold, x, state, membrane, spikes),
                    Reset::Hard => forward_step::<false>(p.decay, p.v_threshold, x, state, membrane, spikes),
                }
            }
        }
    }
}

/// One step; `state` is the potential after the reset.
#[inline(always)]
fn forward_step<const SOFT: bool>(
    decay: f32,
    threshold: f32,
    x: &[f32],
    state: &mut [f32],
    membrane: &mut [f32],
    spikes: &mut [f32],
) {
    let rows = x.iter().zip(state).zip(membrane).zip(spikes);
    for (((x, state), membrane), spike) in rows {
        let u = decay * *state + *x;
        let s = if u >= threshold { 1.0 } else { 0.0 };
        *membrane = u;
        *spike = s;
        *state = after_reset::<SOFT>(u, s, threshold);
    }
}

/// The potential after the reset.
#[inline(always)]
fn after_reset<const SOFT: bool>(u: f32, s: f32, threshold: f32) -> f32 {
    if SOFT { u - threshold * s } else { u * (1.0 - s) }
}

/// The columns `from ..` of an `[T, m]` tensor.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) m: usize,
    pub(crate) from: usize,
}

impl<'a> Columns<'a> {
    #[inline(always)]
    fn row(&self, t: usize, start: usize, len: usize) -> &'a [f32] {
        &self.values[t * self.m + self.from + start..][..len]
    }
}

/// What the backward pass of a tile reads.
#[derive(Clone, Copy)]
pub(crate) struct Saved<'a> {
    /// `u` before the reset, `[T, M]`.
    pub(crate) membrane: Columns<'a>,
    /// `[T, M]`.
    pub(crate) grad_spikes: Columns<'a>,
    /// `T`.
    pub(crate) steps: usize,
}

/// What it is asked for beside `dx`.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Add the gradients of all steps into one row.
    pub(crate) broadcast: bool,
    /// Compute the gradient of the decay.
    pub(crate) decay: bool,
}

multiversioned! {
    /// Backward over a tile; `dx` holds one row per step, or one row in all if `broadcast`.
    ///
    /// Returns this tile's part of the decay's gradient, 0 unless asked for.
    pub(crate) fn backward(p: &NeuronParams, saved: Saved<'_>, wanted: Wanted, dx: &mut [&mut [f32]]) -> f64 {
        let k = p.surrogate.width;
        match p.surrogate.kind {
            SurrogateKind::Triangle => by_reset(p, surrogate::triangle(k), saved, wanted, dx),
            SurrogateKind::Rectangle => by_reset(p, surrogate::rectangle(k), saved, wanted, dx),
            SurrogateKind::Sigmoid => by_reset(p, surrogate::sigmoid(k), saved, wanted, dx),
            SurrogateKind::Atan => by_reset(p, surrogate::atan(k), saved, wanted, dx),
        }
    }
}

/// Compiles the loops once for each kind of reset.
#[inline(always)]
fn by_reset(
    p: &NeuronParams,
    h: impl Fn(f32) -> f32 + Copy,
    saved: Saved<'_>,
    wanted: Wanted,
    dx: &mut [&mut [f32]],
) -> f64 {
    match (p.reset, p.detach_reset) {
        (Reset::Soft, true) => backward_pieces::<true, true>(p, h, saved, wanted, dx),
        (Reset::Soft, false) => backward_pieces::<true, false>(p, h, saved, wanted, dx),
        (Reset::Hard, true) => backward_pieces::<false, true>(p, h, saved, wanted, dx),
        (Reset::Hard, false) => backward_pieces::<false, false>(p, h, saved, wanted, dx),
    }
}

#[inline(always)]
fn backward_pieces<const SOFT: bool, const DETACH: bool>(
    p: &NeuronParams,
    h: impl Fn(f32) -> f32 + Copy,
    saved: Saved<'_>,
    wanted: Wanted,
    dx: &mut [&mut [f32]],
) -> f64 {
    let (mut later, mut scratch) = ([0.0f32; PIECE], [0.0f32; PIECE]);
    let columns = dx[0].len();
    let mut decay_sum = 0.0;
    for start in (0..columns).step_by(PIECE) {
        let len = PIECE.min(columns - start);
        let (later, scratch) = (&mut later[..len], &mut scratch[..len]);
        later.fill(0.0);
        for t in (0..saved.steps).rev() {
            let (u, g) = (saved.membrane.row(t, start, len), saved.grad_spikes.row(t, start, len));
            if wanted.decay && t + 1 < saved.steps {
                reset_row::<SOFT>(p.v_threshold, u, scratch);
                decay_sum += math::dot(later, scratch);
            }
            let row = &mut dx[if wanted.broadcast { 0 } else { t }][start..][..len];
            if !wanted.broadcast || t + 1 == saved.steps {
                backward_step::<SOFT, DETACH>(p, h, u, g, later, row);
            } else {
                backward_step::<SOFT, DETACH>(p, h, u, g, later, scratch);
                row.iter_mut().zip(&*later).for_each(|(sum, g)| *sum += *g);
            }
        }
    }
    decay_sum
}

/// The potential after the reset of every neuron of a row.
#[inline(always)]
fn reset_row<const SOFT: bool>(threshold: f32, u: &[f32], reset: &mut [f32]) {
    for (reset, u) in reset.iter_mut().zip(u) {
        let s = if *u >= threshold { 1.0 } else { 0.0 };
        *reset = after_reset::<SOFT>(*u, s, threshold);
    }
}

/// One step back; `later` is `G[t+1]` and becomes `G[t]`, as does `dx`.
#[inline(always)]
fn backward_step<const SOFT: bool, const DETACH: bool>(
    p: &NeuronParams,
    surrogate: impl Fn(f32) -> f32 + Copy,
    u: &[f32],
    g: &[f32],
    later: &mut [f32],
    dx: &mut [f32],
) {
    let (decay, threshold) = (p.decay, p.v_threshold);
    for (((later, u), g), dx) in later.iter_mut().zip(u).zip(g).zip(dx) {
        let through_decay = decay * *later;
        let s = if *u >= threshold { 1.0 } else { 0.0 };
        let kept = if SOFT { through_decay } else { through_decay * (1.0 - s) };
        let lost = match (DETACH, SOFT) {
            (true, _) => 0.0,
            (false, true) => through_decay * threshold,
            (false, false) => through_decay * *u,
        };
        let now = kept + (*g - lost) * surrogate(*u - threshold);
        *later = now;
        *dx = now;
    }
}

multiversioned! {
    /// The number of elements that are not zero, of at most one chunk.
    pub(super) fn count(x: &[f32]) -> u32 {
        x.iter().map(|v| u32::from(*v != 0.0)).sum()
    }
}
