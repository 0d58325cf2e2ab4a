//! Spiking neurons over all time steps: forward with saved membrane, backward through time.
//!
//! With decay `λ`, threshold `V` and input `x`, for `t = 0 .. T`:
//!
//! ```text
//! u[0] = x[0]
//! u[t] = λ (u[t-1] - V s[t-1]) + x[t]      soft reset (default)
//! u[t] = λ  u[t-1] (1 - s[t-1]) + x[t]     hard reset, to 0
//! s[t] = 1 if u[t] >= V, else 0
//! ```
//!
//! LIF has `λ = 1 - 1/τ`, IF has `λ = 1`; PLIF learns `λ`, for which [`backward`] returns the gradient. The spike has
//! no useful derivative; the [`Surrogate`] stands in for `∂s/∂v`, `v = u - V`.
//!
//! Shapes: `x`, spikes and membrane are `[T, M]`, time-major and contiguous, `M` being any number of neurons; the
//! `broadcast` variants take one `[M]` input that is the same at every step (direct coding of a static image).
//!
//! Source: LIF with soft reset as in BSO (Liang et al., ICML 2025), eq. 2-3.

pub mod reference;
mod surrogate;
#[cfg(test)]
mod tests;
pub(crate) mod tile;

use crate::error::{KernelError, check_len, check_nonzero, check_range, product};
pub use surrogate::{Surrogate, SurrogateKind};

use crate::par::{self, Level};

/// What happens to the membrane potential after a spike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reset {
    /// The threshold is subtracted, so that what exceeded it is kept.
    #[default]
    Soft,
    /// The potential is set to zero.
    Hard,
}

/// The parameters of a layer of neurons.
///
/// ```
/// use bitspike_kernels::neuron::NeuronParams;
/// let params = NeuronParams { decay: 1.0, ..NeuronParams::default() }; // integrate-and-fire
/// assert_eq!(params.v_threshold, 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuronParams {
    /// `λ`, the share of the potential kept from one step to the next, `0 ..= 1`; default 0.5.
    pub decay: f32,
    /// `V`, the potential at which a neuron fires, above 0; default 1.
    pub v_threshold: f32,
    /// What a spike does to the potential; default soft.
    pub reset: Reset,
    /// Whether the spike inside the reset is a constant for the gradient; default true.
    pub detach_reset: bool,
    /// What stands in for the derivative of the spike; default triangle of width 1.
    pub surrogate: Surrogate,
}

impl Default for NeuronParams {
    fn default() -> Self {
        Self { decay: 0.5, v_threshold: 1.0, reset: Reset::Soft, detach_reset: true, surrogate: Surrogate::default() }
    }
}

impl NeuronParams {
    pub(crate) fn check(&self, op: &'static str) -> Result<(), KernelError> {
        let (decay, threshold, width) = (self.decay, self.v_threshold, self.surrogate.width);
        check_range(op, "decay", decay.into(), (0.0..=1.0).contains(&decay), "between 0 and 1")?;
        let positive = |v: f32| v > 0.0 && v.is_finite();
        check_range(op, "v_threshold", threshold.into(), positive(threshold), "above 0 and finite")?;
        check_range(op, "surrogate.width", width.into(), positive(width), "above 0 and finite")
    }
}

/// Where a kernel finds the input of step `t`.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// `[T, M]`: one row per step.
    PerStep(&'a [f32]),
    /// `[M]`: the same row at every step.
    Constant(&'a [f32]),
}

impl<'a> Input<'a> {
    /// Row `t`, columns `from .. from + len`.
    #[inline(always)]
    fn row(self, t: usize, m: usize, from: usize, len: usize) -> &'a [f32] {
        match self {
            Self::PerStep(x) => &x[t * m + from..][..len],
            Self::Constant(x) => &x[from..][..len],
        }
    }
}

/// Computes spikes, and the membrane potential before the reset if `saved` is given.
///
/// Shapes: `x` `[T, M]` → `spikes` `[T, M]`, `saved` `[T, M]`. The backward pass needs `saved` and nothing else.
///
/// # Errors
/// [`KernelError`] if a length or a parameter is wrong.
///
/// # Example
/// ```
/// use bitspike_kernels::neuron::{NeuronParams, forward};
/// let x = [0.75, 0.75, 0.75]; // one neuron, three steps
/// let (mut spikes, mut membrane) = ([0.0; 3], [0.0; 3]);
/// forward(&NeuronParams::default(), &x, 3, &mut spikes, Some(&mut membrane)).unwrap();
/// assert_eq!(membrane, [0.75, 1.125, 0.8125]);
/// assert_eq!(spikes, [0.0, 1.0, 0.0]);
/// ```
pub fn forward(
    p: &NeuronParams,
    x: &[f32],
    t: usize,
    spikes: &mut [f32],
    saved: Option<&mut [f32]>,
) -> Result<(), KernelError> {
    const OP: &str = "neuron::forward";
    let m = neurons(OP, "x", x.len(), t)?;
    run_forward(OP, p, Input::PerStep(x), t, m, spikes, saved)
}

/// Like [`forward`] with an input that is the same at every step.
///
/// Shapes: `x` `[M]` → `spikes` `[T, M]`, `saved` `[T, M]`.
///
/// # Errors
/// [`KernelError`] if a length or a parameter is wrong.
///
/// # Example
/// ```
/// use bitspike_kernels::neuron::{NeuronParams, forward_broadcast};
/// let mut spikes = [0.0; 3];
/// forward_broadcast(&NeuronParams::default(), &[0.75], 3, &mut spikes, None).unwrap();
/// assert_eq!(spikes, [0.0, 1.0, 0.0]);
/// ```
pub fn forward_broadcast(
    p: &NeuronParams,
    x: &[f32],
    t: usize,
    spikes: &mut [f32],
    saved: Option<&mut [f32]>,
) -> Result<(), KernelError> {
    const OP: &str = "neuron::forward_broadcast";
    check_nonzero(OP, "t", t)?;
    run_forward(OP, p, Input::Constant(x), t, x.len(), spikes, saved)
}

/// Computes the gradient of the input from the saved membrane; of the decay too when `decay_gradient` asks for it.
///
/// With `G[t] = ∂L/∂u[t]`, which is also `∂L/∂x[t]`, and the surrogate `h[t]` at `u[t] - V`:
///
/// ```text
/// soft:  G[t] = λ G[t+1]            + (grad_spikes[t] - λ V    G[t+1]) h[t]
/// hard:  G[t] = λ (1 - s[t]) G[t+1] + (grad_spikes[t] - λ u[t] G[t+1]) h[t]
/// ```
///
/// where the second `G[t+1]` is dropped if `detach_reset`; `∂L/∂λ = Σ G[t+1] r[t]` with `r[t]` the potential after the
/// reset, added in `f64` in a fixed order.
///
/// Shapes: `membrane` and `grad_spikes` `[T, M]` → `dx` `[T, M]`.
///
/// # Errors
/// [`KernelError`] if a length or a parameter is wrong.
///
/// # Example
/// ```
/// use bitspike_kernels::neuron::{NeuronParams, backward};
/// let membrane = [0.75, 1.125];
/// let mut dx = [0.0; 2];
/// let decay = backward(&NeuronParams::default(), &membrane, &[1.0, 1.0], 2, &mut dx, true).unwrap();
/// assert_eq!(dx, [0.875 * 0.5 + 0.75, 0.875]);
/// assert_eq!(decay, Some(0.875 * 0.75));
/// ```
pub fn backward(
    p: &NeuronParams,
    membrane: &[f32],
    grad_spikes: &[f32],
    t: usize,
    dx: &mut [f32],
    decay_gradient: bool,
) -> Result<Option<f32>, KernelError> {
    const OP: &str = "neuron::backward";
    p.check(OP)?;
    let m = neurons(OP, "membrane", membrane.len(), t)?;
    check_len(OP, "grad_spikes", membrane.len(), grad_spikes.len())?;
    check_len(OP, "dx", membrane.len(), dx.len())?;
    let level = Level::selected();
    let wanted = tile::Wanted { broadcast: false, decay: decay_gradient };
    let items = par::column_tiles(dx, m, tile::TILE).into_iter().enumerate().collect();
    let sums = par::map(membrane.len(), items, |(i, mut dx)| {
        let columns = |values| tile::Columns { values, m, from: i * tile::TILE };
        let saved = tile::Saved { membrane: columns(membrane), grad_spikes: columns(grad_spikes), steps: t };
        tile::backward(level, p, saved, wanted, &mut dx)
    });
    Ok(decay_gradient.then(|| sums.iter().sum::<f64>() as f32))
}

/// Like [`backward`] for [`forward_broadcast`]: the membrane follows from the one input row and is computed again, a piece at a time;
/// the gradient of that row is the sum over the steps.
///
/// Shapes: `x` `[M]`, `grad_spikes` `[T, M]` → `dx` `[M]`.
///
/// # Errors
/// [`KernelError`] if a length or a parameter is wrong.
///
/// # Example
/// ```
/// use bitspike_kernels::neuron::{NeuronParams, backward_broadcast};
/// let mut dx = [0.0; 1];
/// // The membrane is 0.75, then 1.125.
/// backward_broadcast(&NeuronParams::default(), &[0.75], &[1.0, 1.0], 2, &mut dx, false).unwrap();
/// assert_eq!(dx, [0.875 * 0.5 + 0.75 + 0.875]);
/// ```
pub fn backward_broadcast(
    p: &NeuronParams,
    x: &[f32],
    grad_spikes: &[f32],
    t: usize,
    dx: &mut [f32],
    decay_gradient: bool,
) -> Result<Option<f32>, KernelError> {
    const OP: &str = "neuron::backward_broadcast";
    p.check(OP)?;
    check_nonzero(OP, "t", t)?;
    let m = x.len();
    check_len(OP, "grad_spikes", product(OP, &[t, m])?, grad_spikes.len())?;
    check_len(OP, "dx", m, dx.len())?;
    let level = Level::selected();
    let wanted = tile::Wanted { broadcast: true, decay: decay_gradient };
    let items = dx.chunks_mut(tile::TILE).enumerate().collect();
    let sums = par::map(grad_spikes.len(), items, |(i, dx): (usize, &mut [f32])| {
        let [mut membrane, mut spikes] = [0; 2].map(|_| vec![0.0; t * tile::PIECE.min(dx.len())]);
        let mut decay = 0.0;
        for (j, dx) in dx.chunks_mut(tile::PIECE).enumerate() {
            let (len, from) = (dx.len(), i * tile::TILE + j * tile::PIECE);
            let [mut u, mut s] = [&mut membrane, &mut spikes].map(|v| v.chunks_mut(len).take(t).collect::<Vec<_>>());
            tile::forward(level, p, Input::Constant(x), m, from, &mut s, &mut u);
            let membrane = tile::Columns { values: &membrane, m: len, from: 0 };
            let grad_spikes = tile::Columns { values: grad_spikes, m, from };
            decay += tile::backward(level, p, tile::Saved { membrane, grad_spikes, steps: t }, wanted, &mut [dx]);
        }
        decay
    });
    Ok(decay_gradient.then(|| sums.iter().sum::<f64>() as f32))
}

/// Counts the elements that are not zero: the spikes of a 0/1 tensor.
///
/// ```
/// assert_eq!(bitspike_kernels::neuron::count_spikes(&[0.0, 1.0, 1.0]), 2);
/// ```
#[must_use]
pub fn count_spikes(spikes: &[f32]) -> u64 {
    let level = Level::selected();
    let chunks = spikes.chunks(par::CHUNK).collect();
    par::map(spikes.len(), chunks, |chunk| u64::from(tile::count(level, chunk))).iter().sum()
}

/// `M` from the length of a `[T, M]` slice.
fn neurons(op: &'static str, name: &'static str, len: usize, t: usize) -> Result<usize, KernelError> {
    check_nonzero(op, "t", t)?;
    if len.is_multiple_of(t) {
        Ok(len / t)
    } else {
        Err(KernelError::Multiple { op, name, multiple_of: t, found: len })
    }
}

fn run_forward(
    op: &'static str,
    p: &NeuronParams,
    x: Input<'_>,
    t: usize,
    m: usize,
    spikes: &mut [f32],
    saved: Option<&mut [f32]>,
) -> Result<(), KernelError> {
    p.check(op)?;
    let all = product(op, &[t, m])?;
    check_len(op, "spikes", all, spikes.len())?;
    if let Some(saved) = &saved {
        check_len(op, "saved", all, saved.len())?;
    }
    let level = Level::selected();
    let spikes = par::column_tiles(spikes, m, tile::TILE);
    let saved = match saved {
        Some(saved) => par::column_tiles(saved, m, tile::TILE),
        None => spikes.iter().map(|_| Vec::new()).collect(),
    };
    let items = spikes.into_iter().zip(saved).enumerate().collect();
    par::for_each(all, items, |(i, (mut spikes, mut saved))| {
        tile::forward(level, p, x, m, i * tile::TILE, &mut spikes, &mut saved);
    });
    Ok(())
}
