//! The forward pass: sums per slab, then everything else in one pass.

use super::source::{self, Source};
use super::{BlockParams, BlockShape, BlockState, Fixed, KernelError, Outputs, Weights, check_present};
use crate::bits::{WORD, pack_spikes};
use crate::error::check_len;
use crate::gate::params::{Alpha, Means};
use crate::gate::pooled::Gates;
use crate::gate::{GateParams, GateShape, Pool};
use crate::neuron::{Input, tile};
use crate::norm::{rows, scales};
use crate::par::{self, Level, columns};
use crate::pool::{PoolShape, average};
use std::ops::Range;

/// Computes spikes, current or both, with the statistics of this batch.
///
/// Shapes: `x` `[T, N, H, W, C]`; `residual`, `outputs` `[T, N, H', W', C]`.
///
/// # Errors
/// [`KernelError`] if a length or a parameter is wrong, or the gate is one per element, or pooling meets an odd size.
///
/// # Example
/// ```
/// use bitspike_kernels::block::{BlockParams, BlockShape, Outputs, Weights, forward};
/// use bitspike_kernels::neuron::NeuronParams;
/// let params = BlockParams { eps: 1e-5, pool: false, gate: None, neuron: Some(NeuronParams::default()) };
/// let shape = BlockShape { t: 1, n: 1, h: 1, w: 2, c: 1 };
/// let weights = Weights { gamma: &[2.0], beta: &[0.0], alpha: &[] };
/// let mut spikes = [0.0; 2];
/// let outputs = Outputs { spikes: Some(&mut spikes), ..Outputs::default() };
/// let state = forward(&params, &shape, &weights, &[3.0, 5.0], None, outputs).unwrap();
/// assert_eq!((state.mean[0], state.var[0]), (4.0, 1.0));
/// assert_eq!(spikes, [0.0, 1.0]); // the currents are about -2 and 2
/// ```
pub fn forward<'a>(
    p: &BlockParams,
    shape: &BlockShape,
    weights: &Weights<'_>,
    x: impl Into<Source<'a>>,
    residual: Option<&[f32]>,
    outputs: Outputs<'_>,
) -> Result<BlockState, KernelError> {
    const OP: &str = "block::forward";
    let x = x.into();
    let pooled = p.check(OP, shape, weights, x)?;
    check_outputs(OP, p, &pooled, residual, &outputs)?;
    let level = Level::selected();
    let (mean, var, slab_means) = statistics(level, shape, x);
    let scale = scales(OP, &var, weights.gamma, p.eps)?;
    let gate_means = match &p.gate {
        Some(gate) => means_of_gate(gate.pool, &pooled, &slab_means, &mean, &scale, weights.beta),
        None => Vec::new(),
    };
    let means = p.gate.as_ref().map(|gate| Means::of_pool(&pooled, gate.pool, &gate_means));
    let current = Current::new(OP, level, p, shape, weights, x, &mean, &scale, means)?;
    run(&current, x, residual, outputs);
    Ok(BlockState { mean, var, gate_means, slab_means, residual: residual.is_some() })
}

/// Computes spikes, current or both, with given statistics: the forward pass of evaluation.
///
/// Shapes as in [`forward`]. Returns the means of the gates that were computed from the samples, as
/// [`GateShape::means_len`] says; empty where none were.
///
/// # Errors
/// As [`forward`].
///
/// # Example
/// ```
/// use bitspike_kernels::block::{BlockParams, BlockShape, Fixed, Outputs, Weights, evaluate};
/// let params = BlockParams { eps: 1.0, pool: false, gate: None, neuron: None };
/// let shape = BlockShape { t: 1, n: 1, h: 1, w: 2, c: 1 };
/// let weights = Weights { gamma: &[2.0], beta: &[0.5], alpha: &[] };
/// let mut current = [0.0; 2];
/// let outputs = Outputs { current: Some(&mut current), ..Outputs::default() };
/// let fixed = Fixed { mean: &[3.0], var: &[3.0], gate_means: None };
/// evaluate(&params, &shape, &weights, &fixed, &[1.0, 5.0], None, outputs).unwrap();
/// assert_eq!(current, [-1.5, 2.5]);
/// ```
pub fn evaluate<'a>(
    p: &BlockParams,
    shape: &BlockShape,
    weights: &Weights<'_>,
    fixed: &Fixed<'_>,
    x: impl Into<Source<'a>>,
    residual: Option<&[f32]>,
    outputs: Outputs<'_>,
) -> Result<Vec<f32>, KernelError> {
    const OP: &str = "block::evaluate";
    let x = x.into();
    let pooled = p.check(OP, shape, weights, x)?;
    check_outputs(OP, p, &pooled, residual, &outputs)?;
    check_len(OP, "mean", shape.c, fixed.mean.len())?;
    check_len(OP, "var", shape.c, fixed.var.len())?;
    let level = Level::selected();
    let scale = scales(OP, fixed.var, weights.gamma, p.eps)?;
    let mut own = Vec::new();
    let means = match (p.value_gate(), fixed.gate_means) {
        (None, _) => None,
        (Some(gate), Some(_)) if gate.pool == Pool::Const => Some(Means::of_pool(&pooled, Pool::Const, &[])),
        (Some(_), Some(given)) => Some(Means::fixed(OP, &pooled, given)?),
        (Some(gate), None) => {
            if gate.pool != Pool::Const {
                let (_, _, slab_means) = statistics(level, shape, x);
                own = means_of_gate(gate.pool, &pooled, &slab_means, fixed.mean, &scale, weights.beta);
            }
            Some(Means::of_pool(&pooled, gate.pool, &own))
        }
    };
    let current = Current::new(OP, level, p, shape, weights, x, fixed.mean, &scale, means)?;
    run(&current, x, residual, outputs);
    drop(current);
    Ok(own)
}

fn check_outputs(
    op: &'static str,
    p: &BlockParams,
    pooled: &GateShape,
    residual: Option<&[f32]>,
    outputs: &Outputs<'_>,
) -> Result<(), KernelError> {
    let len = pooled.check(op)?;
    let has_current = outputs.current.is_some() || p.neuron.is_none();
    check_present(op, "spikes", p.neuron.is_some(), len, outputs.spikes.as_ref().map(|s| s.len()))?;
    if let Some(bits) = &outputs.bits {
        let words = if p.neuron.is_some() { len / pooled.c * pooled.c.div_ceil(WORD) } else { 0 };
        check_len(op, "bits", words, bits.len())?;
    }
    check_present(op, "current", has_current, len, outputs.current.as_ref().map(|s| s.len()))?;
    check_present(op, "residual", residual.is_some(), len, residual.map(<[f32]>::len))
}

/// Mean and variance per channel, and the mean of every slab per channel.
fn statistics(level: Level, shape: &BlockShape, x: Source<'_>) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    match x {
        Source::Floats(x) => statistics_of_floats(level, shape, x),
        Source::Counts { values, factor } => statistics_of_counts(level, shape, values, factor),
    }
}

/// [`statistics`] of integer sums, which are exact up to the last division.
fn statistics_of_counts(level: Level, shape: &BlockShape, x: &[i16], factor: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let (c, hw) = (shape.c, shape.h * shape.w);
    let slabs = par::map(x.len(), x.chunks(shape.slab()).collect(), |x| {
        let (mut sum, mut squares) = (vec![0i64; c], vec![0i64; c]);
        source::sums(level, x, &mut sum, &mut squares);
        (sum, squares)
    });
    let (mut sum, mut squares) = (vec![0i64; c], vec![0i64; c]);
    for (slab, slab_squares) in &slabs {
        sum.iter_mut().zip(slab).for_each(|(sum, s)| *sum += s);
        squares.iter_mut().zip(slab_squares).for_each(|(sum, s)| *sum += s);
    }
    let rows = (shape.t * shape.n * hw) as f64;
    let of_channel = |k: usize| {
        let (f, mean) = (f64::from(factor[k]), sum[k] as f64 / rows);
        ((f * mean) as f32, (f * f * (squares[k] as f64 / rows - mean * mean).max(0.0)) as f32)
    };
    let (mean, var) = (0..c).map(of_channel).unzip();
    let slab_mean = |(sum, factor): (&i64, &f32)| *sum as f64 / hw as f64 * f64::from(*factor);
    let slab_means = slabs.iter().flat_map(|(sum, _)| sum.iter().zip(factor).map(slab_mean)).collect();
    (mean, var, slab_means)
}

fn statistics_of_floats(level: Level, shape: &BlockShape, x: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let (c, hw) = (shape.c, shape.h * shape.w);
    let shift = par::repeated(&x[..c], par::repeats(c));
    let sums = par::map(x.len(), x.chunks(shape.slab()).collect(), |x| {
        let mut sums = vec![0.0; 2 * shift.len()];
        let (sum, squares) = sums.split_at_mut(shift.len());
        rows::sums_of_one(level, x, &shift, sum, squares);
        [par::fold_columns(std::iter::once(&*sum), c), par::fold_columns(std::iter::once(&*squares), c)]
    });
    let sum = par::fold_columns(sums.iter().map(|s| &s[0][..]), c);
    let squares = par::fold_columns(sums.iter().map(|s| &s[1][..]), c);
    let (mean, var) = rows::moments((shape.t * shape.n * hw) as f64, &sum, &squares, &x[..c]);
    let slab_mean = |(sum, shift): (&f64, &f32)| sum / hw as f64 + f64::from(*shift);
    let slab_means = sums.iter().flat_map(|s| s[0].iter().zip(&x[..c]).map(slab_mean)).collect();
    (mean, var, slab_means)
}

/// The means of the normalised values: a mean goes through an affine map, and through a pooling of whole windows.
fn means_of_gate(
    pool: Pool,
    pooled: &GateShape,
    slab_means: &[f64],
    mean: &[f32],
    scale: &[f32],
    beta: &[f32],
) -> Vec<f32> {
    let c = pooled.c;
    let normal = |slab: &[f64]| -> Vec<f64> {
        let normal = |k: usize| (slab[k] - f64::from(mean[k])) * f64::from(scale[k]) + f64::from(beta[k]);
        (0..c).map(normal).collect()
    };
    let whole = |slab: &[f64]| normal(slab).iter().sum::<f64>() / c as f64;
    let slabs = slab_means.chunks(c);
    match pool {
        Pool::Hw => slabs.flat_map(normal).map(|m| m as f32).collect(),
        Pool::Chw => slabs.map(|slab| whole(slab) as f32).collect(),
        Pool::Nchw => {
            let of_step = |step: &[f64]| (step.chunks(c).map(whole).sum::<f64>() / pooled.n as f64) as f32;
            slab_means.chunks(c * pooled.n).map(of_step).collect()
        }
        Pool::None | Pool::Const => Vec::new(),
    }
}

/// Memory of one thread for pieces of `x`.
pub(super) struct Scratch {
    pooled: Vec<f32>,
    pub(super) converted: Vec<f32>,
}

/// How the current is computed from `x`: shared by both passes.
pub(super) struct Current<'a> {
    pub(super) level: Level,
    pub(super) p: &'a BlockParams,
    pub(super) shape: &'a BlockShape,
    pub(super) pooled: GateShape,
    /// The factor of integer sums as a pattern; empty for floats.
    factor: Vec<f32>,
    /// `μ`, `γ/√(v + ε)` and `β` as patterns.
    pub(super) mean: Vec<f32>,
    scale: Vec<f32>,
    beta: Vec<f32>,
    /// The gate with its `α` and means.
    pub(super) gate: Option<(&'a GateParams, Alpha<'a>, Means<'a>)>,
}

impl<'a> Current<'a> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        op: &'static str,
        level: Level,
        p: &'a BlockParams,
        shape: &'a BlockShape,
        weights: &Weights<'a>,
        x: Source<'_>,
        mean: &[f32],
        scale: &[f32],
        means: Option<Means<'a>>,
    ) -> Result<Self, KernelError> {
        let pooled = shape.pooled(p.pool);
        let gate = match (&p.gate, means) {
            (Some(gate), Some(means)) => Some((gate, Alpha::new(op, &pooled, weights.alpha)?, means)),
            _ => None,
        };
        let [mean, scale, beta] = [mean, scale, weights.beta].map(|v| par::repeated(v, par::repeats(shape.c)));
        let factor = match x {
            Source::Floats(_) => Vec::new(),
            Source::Counts { factor, .. } => par::repeated(factor, par::repeats(shape.c)),
        };
        Ok(Self { level, p, shape, pooled, factor, mean, scale, beta, gate })
    }

    /// The gates of a step and sample.
    pub(super) fn gates(&self, at: (usize, usize)) -> Option<Gates> {
        self.gate.map(|(gate, alpha, means)| Gates::new(self.level, gate, self.shape.c, alpha, means, at))
    }

    /// The factors in front of the normalised values of sample `n`, one pattern per step.
    pub(super) fn factors(&self, n: usize) -> Vec<Vec<f32>> {
        let width = self.mean.len();
        let of_step = |t| match self.gates((t, n)).filter(|_| self.p.value_gate().is_some()) {
            Some(gates) => par::repeated(&gates.factor, width / gates.factor.len()),
            None => vec![1.0; width],
        };
        (0..self.shape.t).map(of_step).collect()
    }

    /// Columns of a pooled slab that are worked on together: some whole pixels; one row of the map if pooled.
    pub(super) fn piece(&self) -> usize {
        const PIECE: usize = 1024;
        let c = self.shape.c;
        if self.p.pool { self.shape.w / 2 * c } else { (c * (PIECE / c).max(4)).min(self.shape.slab()) }
    }

    /// `x` of columns `from .. from + len` of step `t`, sample `n`; averaged if there is a pooling.
    pub(super) fn input<'b>(
        &self,
        x: Source<'b>,
        (t, n): (usize, usize),
        from: usize,
        len: usize,
        scratch: &'b mut Scratch,
    ) -> &'b [f32] {
        let slab = (t * self.shape.n + n) * self.shape.slab();
        if !self.p.pool {
            return self.floats(x, slab + from..slab + from + len, &mut scratch.converted);
        }
        let BlockShape { h, w, c, .. } = *self.shape;
        let shape = PoolShape { n: 1, h, w, c, k: 2, stride: 2 };
        let start = slab + from / len * 2 * w * c;
        let rows = self.floats(x, start..start + 2 * w * c, &mut scratch.converted);
        let pooled = &mut scratch.pooled[..len];
        average::forward_row_of_two(self.level, &shape, rows, pooled);
        pooled
    }

    /// Some elements of `x` as floats, converted into `scratch` where they are not; the range starts at a pixel.
    pub(super) fn floats<'b>(&self, x: Source<'b>, range: Range<usize>, scratch: &'b mut [f32]) -> &'b [f32] {
        match x {
            Source::Floats(x) => &x[range],
            Source::Counts { values, .. } => {
                let scratch = &mut scratch[..range.len()];
                source::convert(self.level, &values[range], &self.factor, scratch);
                scratch
            }
        }
    }

    pub(super) fn scratch(&self) -> Scratch {
        let piece = self.piece();
        Scratch { pooled: vec![0.0; piece], converted: vec![0.0; if self.p.pool { 4 * piece } else { piece }] }
    }

    /// `z = (γ (x - μ)/√(v + ε) + β) k`.
    pub(super) fn write(&self, x: &[f32], factor: &[f32], z: &mut [f32]) {
        columns::gated_norm(self.level, x, &self.mean, &self.scale, &self.beta, factor, z);
    }
}

/// Everything after the statistics, one sample at a time through all steps.
fn run(current: &Current<'_>, x: Source<'_>, residual: Option<&[f32]>, outputs: Outputs<'_>) {
    let (level, shape, slab) = (current.level, current.shape, current.pooled.slab());
    let all = shape.n * slab;
    let spikes = sample_rows(outputs.spikes, shape.n, slab);
    let currents = sample_rows(outputs.current, shape.n, slab);
    let (c, words) = (shape.c, shape.c.div_ceil(WORD));
    let bits = sample_rows(outputs.bits, shape.n, slab / c * words);
    let samples: Vec<_> = spikes.into_iter().zip(currents).zip(bits).enumerate().collect();
    par::for_each(shape.len(), samples, |(n, ((mut spikes, mut currents), mut bits))| {
        let (factors, piece) = (current.factors(n), current.piece());
        let (mut z, mut scratch) = (vec![0.0; shape.t * piece], current.scratch());
        for from in (0..slab).step_by(piece) {
            let len = piece.min(slab - from);
            for (t, factor) in factors.iter().enumerate() {
                let z = &mut z[t * len..][..len];
                current.write(current.input(x, (t, n), from, len, &mut scratch), factor, z);
                if let Some(residual) = residual {
                    columns::add(level, &residual[t * all + n * slab + from..][..len], z);
                }
                if let Some(row) = currents.get_mut(t) {
                    row[from..][..len].copy_from_slice(z);
                }
            }
            if let Some(neuron) = &current.p.neuron {
                let mut rows: Vec<_> = spikes.iter_mut().map(|row| &mut row[from..][..len]).collect();
                tile::forward(level, neuron, Input::PerStep(&z), len, 0, &mut rows, &mut []);
                for (bits, spikes) in bits.iter_mut().zip(&rows) {
                    pack_spikes(spikes, c, &mut bits[from / c * words..][..len / c * words]);
                }
            }
        }
    });
}

/// The rows of every sample, one per step; none if there is nothing to write.
fn sample_rows<V>(out: Option<&mut [V]>, n: usize, slab: usize) -> Vec<Vec<&mut [V]>> {
    match out {
        Some(out) => par::column_tiles(out, n * slab, slab),
        None => (0..n).map(|_| Vec::new()).collect(),
    }
}
