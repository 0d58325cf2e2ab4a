//! The backward pass: `dz` and its sums, then `dx` from `dz` and `x`.

use super::forward::Current;
use super::source::Source;
use super::{
    BlockParams, BlockShape, BlockState, KernelError, OutputGradients, WeightGradients, Weights, check_present,
};
use crate::error::check_len;
use crate::gate::Pool;
use crate::gate::params::Means;
use crate::neuron::{Input, tile};
use crate::norm::{rows, scales};
use crate::par::{self, Level, columns};
use crate::recycle::Recycled;
use std::ops::Range;

/// Computes the gradients of [`forward`](super::forward).
///
/// `current` is the current that [`forward`](super::forward) wrote; without it the current is computed again from `x`,
/// which is not possible if there was a residual. `dresidual` receives the gradient of the residual, which is that of
/// the current.
///
/// Shapes: `x`, `dx` `[T, N, H, W, C]`; `current`, the incoming gradients and `dresidual` `[T, N, H', W', C]`.
///
/// # Errors
/// [`KernelError`] if a length or a parameter is wrong, or the current is needed and missing.
///
/// # Example
/// ```
/// use bitspike_kernels::block::{BlockParams, BlockShape, OutputGradients, Outputs, Weights, backward, forward};
/// let params = BlockParams { eps: 1e-5, pool: false, gate: None, neuron: None };
/// let shape = BlockShape { t: 1, n: 1, h: 1, w: 2, c: 1 };
/// let weights = Weights { gamma: &[1.0], beta: &[0.0], alpha: &[] };
/// let (x, mut z, mut dx) = ([3.0, 5.0], [0.0; 2], [0.0; 2]);
/// let outputs = Outputs { current: Some(&mut z), ..Outputs::default() };
/// let state = forward(&params, &shape, &weights, &x, None, outputs).unwrap();
/// let gradients = OutputGradients { current: Some(&[1.0, 1.0]), ..OutputGradients::default() };
/// let found = backward(&params, &shape, &weights, &state, &x, None, gradients, &mut dx, None, false).unwrap();
/// assert_eq!(found.beta, [2.0]);
/// assert_eq!(dx, [0.0, 0.0]); // a constant added to z is undone by the mean
/// ```
#[allow(clippy::too_many_arguments)]
pub fn backward<'a>(
    p: &BlockParams,
    shape: &BlockShape,
    weights: &Weights<'_>,
    state: &BlockState,
    x: impl Into<Source<'a>>,
    current: Option<&[f32]>,
    gradients: OutputGradients<'_>,
    dx: &mut [f32],
    dresidual: Option<&mut [f32]>,
    decay_gradient: bool,
) -> Result<WeightGradients, KernelError> {
    const OP: &str = "block::backward";
    let x = x.into();
    let (block, scale) = prepared(OP, p, shape, weights, state, x)?;
    let len = block.pooled.check(OP)?;
    let length = |v: Option<&[f32]>| v.map(<[f32]>::len);
    let needs_current = current.is_some() || (state.residual && p.neuron.is_some());
    let needs_gradient = gradients.current.is_some() || p.neuron.is_none();
    check_len(OP, "dx", shape.len(), dx.len())?;
    check_present(OP, "current", needs_current, len, length(current))?;
    check_present(OP, "gradients.spikes", p.neuron.is_some(), len, length(gradients.spikes))?;
    check_present(OP, "gradients.current", needs_gradient, len, length(gradients.current))?;
    check_present(OP, "dresidual", dresidual.is_some(), len, dresidual.as_ref().map(|d| d.len()))?;

    // dz is kept where it is wanted anyway, or in dx, which has its size unless there is a pooling.
    let wanted = tile::Wanted { broadcast: false, decay: decay_gradient };
    let mut own;
    let apart = match dresidual {
        Some(dz) => Some(dz),
        None if p.pool => {
            own = Recycled::<f32>::new(len);
            Some(&mut *own)
        }
        None => None,
    };
    let gradients = Gradients::Of(gradients);
    let (sums, solved);
    match apart {
        Some(dz) => {
            sums = current_gradient(&block, x, current, gradients, wanted, dz);
            solved = solve(&block, weights, state, &scale, &sums);
            input_gradient(&block, x, dz, &solved, 0, dx);
        }
        None => {
            sums = current_gradient(&block, x, current, gradients, wanted, dx);
            solved = solve(&block, weights, state, &scale, &sums);
            input_gradient_in_place(&block, x, &solved, dx);
        }
    }
    Ok(solved.weights(decay_gradient, &sums))
}

/// As [`backward`] of a block that ends in its only output, the neuron's spikes, but `dx` is handed to `take` in parts of up to
/// `maps` maps `[H, W, C]`, in order, and `gradient`, that of the spikes, is overwritten by that of the current: memory for one part
/// is enough. The numbers are the same bits.
///
/// Shapes: `x` `[T, N, H, W, C]`, `gradient` `[T, N, H', W', C]`; a part is `[maps, H, W, C]`, map `t N + n` being sample n at
/// step t.
///
/// # Errors
/// As [`backward`]; also a block without a neuron or with a residual.
///
/// # Example
/// ```
/// use bitspike_kernels::block::{BlockParams, BlockShape, Outputs, Weights, backward_in_parts, forward};
/// use bitspike_kernels::neuron::NeuronParams;
/// let params = BlockParams { eps: 1e-5, pool: false, gate: None, neuron: Some(NeuronParams::default()) };
/// let shape = BlockShape { t: 2, n: 3, h: 1, w: 2, c: 1 };
/// let weights = Weights { gamma: &[2.0], beta: &[0.0], alpha: &[] };
/// let (x, mut spikes, mut parts) = ([0.5; 12], [0.0; 12], Vec::new());
/// let outputs = Outputs { spikes: Some(&mut spikes), ..Outputs::default() };
/// let state = forward(&params, &shape, &weights, &x, None, outputs).unwrap();
/// let take = |maps: std::ops::Range<usize>, dx: &[f32]| parts.push((maps, dx.len()));
/// backward_in_parts(&params, &shape, &weights, &state, &x, &mut [1.0; 12], false, 4, take).unwrap();
/// assert_eq!(parts, [(0..4, 8), (4..6, 4)]);
/// ```
#[allow(clippy::too_many_arguments)]
pub fn backward_in_parts<'a>(
    p: &BlockParams,
    shape: &BlockShape,
    weights: &Weights<'_>,
    state: &BlockState,
    x: impl Into<Source<'a>>,
    gradient: &mut [f32],
    decay_gradient: bool,
    maps: usize,
    mut take: impl FnMut(Range<usize>, &[f32]),
) -> Result<WeightGradients, KernelError> {
    const OP: &str = "block::backward_in_parts";
    let x = x.into();
    let (block, scale) = prepared(OP, p, shape, weights, state, x)?;
    if p.neuron.is_none() || state.residual {
        let what = "parts are for a block with a neuron and without a residual";
        return Err(KernelError::Unsupported { op: OP, what, instead: "call `backward`" });
    }
    check_len(OP, "gradient", block.pooled.check(OP)?, gradient.len())?;

    let wanted = tile::Wanted { broadcast: false, decay: decay_gradient };
    let sums = current_gradient(&block, x, None, Gradients::InPlace, wanted, gradient);
    let solved = solve(&block, weights, state, &scale, &sums);
    let (all, maps) = (shape.t * shape.n, maps.max(1));
    let mut dx = Recycled::<f32>::new(maps.min(all) * shape.slab());
    for from in (0..all).step_by(maps) {
        let here = from..(from + maps).min(all);
        let dx = &mut dx[..here.len() * shape.slab()];
        let dz = &gradient[from * block.pooled.slab()..][..here.len() * block.pooled.slab()];
        input_gradient(&block, x, dz, &solved, from, dx);
        take(here, dx);
    }
    Ok(solved.weights(decay_gradient, &sums))
}

/// The block of the forward pass, with its arguments checked, and the scale of its batch norm.
fn prepared<'a>(
    op: &'static str,
    p: &'a BlockParams,
    shape: &'a BlockShape,
    weights: &'a Weights<'_>,
    state: &'a BlockState,
    x: Source<'a>,
) -> Result<(Current<'a>, Vec<f32>), KernelError> {
    let pooled = p.check(op, shape, weights, x)?;
    check_len(op, "state.mean", shape.c, state.mean.len())?;
    check_len(op, "state.var", shape.c, state.var.len())?;
    check_len(op, "state.slab_means", shape.t * shape.n * shape.c, state.slab_means.len())?;
    let means = p.gate.as_ref().map_or(0, |gate| pooled.means_len(gate.pool));
    check_len(op, "state.gate_means", means, state.gate_means.len())?;
    let scale = scales(op, &state.var, weights.gamma, p.eps)?;
    let means = p.gate.as_ref().map(|gate| Means::of_pool(&pooled, gate.pool, &state.gate_means));
    let block = Current::new(op, Level::selected(), p, shape, weights, x, &state.mean, &scale, means)?;
    Ok((block, scale))
}

/// The incoming gradients, or that of the spikes where `dz` will stand.
#[derive(Clone, Copy)]
enum Gradients<'a> {
    Of(OutputGradients<'a>),
    InPlace,
}

/// What one sample contributes.
struct SampleSums {
    /// `Σ dz` and `Σ dz (x - μ)` per step and channel, `[T][2][C]`.
    per_step: Vec<[Vec<f64>; 2]>,
    decay: f64,
}

/// Writes `dz` and adds up its sums, one sample at a time.
fn current_gradient(
    block: &Current<'_>,
    x: Source<'_>,
    current: Option<&[f32]>,
    gradients: Gradients<'_>,
    wanted: tile::Wanted,
    dz: &mut [f32],
) -> Vec<SampleSums> {
    let (level, shape, slab, width) = (block.level, block.shape, block.pooled.slab(), block.mean.len());
    let (m, steps) = (shape.n * slab, shape.t);
    let samples: Vec<_> = par::column_tiles(dz, m, slab).into_iter().enumerate().collect();
    par::map(shape.len(), samples, |(n, mut dz)| {
        let (factors, piece) = (block.factors(n), block.piece());
        let [mut z, mut membrane, mut spikes] = [0; 3].map(|_| vec![0.0; steps * piece]);
        let mut incoming = if let Gradients::InPlace = gradients { vec![0.0; steps * piece] } else { Vec::new() };
        let mut scratch = block.scratch();
        let mut sums = vec![vec![0.0; 2 * width]; steps];
        let mut decay = 0.0;
        for from in (0..slab).step_by(piece) {
            let len = piece.min(slab - from);
            let at = |t: usize| t * m + n * slab + from;
            let mut dz: Vec<_> = dz.iter_mut().map(|row| &mut row[from..][..len]).collect();
            let grad_spikes = match gradients {
                Gradients::Of(of) => of.spikes.map(|values| tile::Columns { values, m, from: at(0) }),
                Gradients::InPlace => {
                    incoming.chunks_mut(len).zip(&dz).for_each(|(copy, row)| copy.copy_from_slice(row));
                    Some(tile::Columns { values: &incoming, m: len, from: 0 })
                }
            };
            if let Some((neuron, grad_spikes)) = block.p.neuron.as_ref().zip(grad_spikes) {
                let input = match current {
                    Some(current) => {
                        for t in 0..steps {
                            z[t * len..][..len].copy_from_slice(&current[at(t)..][..len]);
                        }
                        Input::PerStep(&z)
                    }
                    None => {
                        for (t, factor) in factors.iter().enumerate() {
                            let x = block.input(x, (t, n), from, len, &mut scratch);
                            block.write(x, factor, &mut z[t * len..][..len]);
                        }
                        Input::PerStep(&z)
                    }
                };
                let mut spikes: Vec<_> = spikes[..steps * len].chunks_mut(len).collect();
                let mut rows: Vec<_> = membrane[..steps * len].chunks_mut(len).collect();
                tile::forward(level, neuron, input, len, 0, &mut spikes, &mut rows);
                let membrane = tile::Columns { values: &membrane, m: len, from: 0 };
                let saved = tile::Saved { membrane, grad_spikes, steps };
                decay += tile::backward(level, neuron, saved, wanted, &mut dz);
            } else {
                dz.iter_mut().for_each(|row| row.fill(0.0));
            }
            for (t, dz) in dz.iter_mut().enumerate() {
                if let Gradients::Of(OutputGradients { current: Some(gradient), .. }) = gradients {
                    columns::add(level, &gradient[at(t)..][..len], dz);
                }
                let (sum, product) = sums[t].split_at_mut(width);
                let x = block.input(x, (t, n), from, len, &mut scratch);
                rows::sums_of_two(level, x, dz, &block.mean, sum, product);
            }
        }
        let fold = |sums: &[f64]| par::fold_columns(std::iter::once(sums), shape.c);
        let per_step = sums.iter().map(|s| [fold(&s[..width]), fold(&s[width..])]).collect();
        SampleSums { per_step, decay }
    })
}

/// The gradients of the weights, and the coefficients of `dx = by_dz dz + by_x (x - μ) + constant`.
struct Solved {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    alpha: Vec<f32>,
    /// Per step, sample and channel.
    by_dz: Vec<f32>,
    constant: Vec<f32>,
    /// Per channel.
    by_x: Vec<f32>,
}

impl Solved {
    fn weights(self, decay: bool, sums: &[SampleSums]) -> WeightGradients {
        let decay = decay.then(|| sums.iter().map(|s| s.decay).sum::<f64>() as f32);
        WeightGradients { gamma: self.gamma, beta: self.beta, alpha: self.alpha, decay }
    }
}

/// From the sums to every gradient: first through the gate, then through the batch norm.
fn solve(block: &Current<'_>, weights: &Weights<'_>, state: &BlockState, scale: &[f32], sums: &[SampleSums]) -> Solved {
    let (shape, c) = (block.shape, block.shape.c);
    let (hw, slabs) = (block.pooled.hw as f64, shape.t * shape.n);
    let (mut factor, mut shift) = (vec![1.0f64; slabs * c], vec![0.0f64; slabs * c]);
    let mut alpha = vec![0.0f64; weights.alpha.len()];
    for t in 0..shape.t {
        let mut of_batch = 0.0;
        for (n, sample) in sums.iter().enumerate() {
            let Some((gates, params)) = block.gates((t, n)).zip(block.p.gate) else { break };
            let slab = (t * shape.n + n) * c;
            let one_for_all = gates.factor.len() == 1;
            for (k, factor) in factor[slab..][..c].iter_mut().enumerate() {
                *factor = f64::from(gates.factor[if one_for_all { 0 } else { k }]);
            }
            if block.p.value_gate().is_none() {
                continue; // only the gradient is multiplied: nothing flows into the mean or into α
            }
            // Σ dz y, with y = scale (x - μ) + β.
            let [sum, product] = &sample.per_step[t];
            let by_y = |k: usize| f64::from(scale[k]) * product[k] + f64::from(weights.beta[k]) * sum[k];
            let by_y: Vec<f64> = if one_for_all { vec![(0..c).map(by_y).sum()] } else { (0..c).map(by_y).collect() };
            let per_step = weights.alpha.len() / shape.t;
            let found = gates.sums(&by_y, per_step);
            for (alpha, d) in alpha[t * per_step..].iter_mut().zip(&found.by_alpha) {
                *alpha += d;
            }
            if params.detach_gate {
                continue;
            }
            match params.pool {
                Pool::Chw => shift[slab..][..c].fill(found.by_mean.iter().sum::<f64>() / (hw * c as f64)),
                Pool::Hw => {
                    for (shift, d) in shift[slab..][..c].iter_mut().zip(&found.by_mean) {
                        *shift = d / hw;
                    }
                }
                Pool::Nchw => of_batch += found.by_mean.iter().sum::<f64>() / (hw * c as f64 * shape.n as f64),
                Pool::None | Pool::Const => {}
            }
        }
        if of_batch != 0.0 {
            shift[t * shape.n * c..][..shape.n * c].fill(of_batch);
        }
    }
    // Σ dy and Σ dy (x - μ) with dy = factor dz + shift.
    let (mut sum, mut product) = (vec![0.0; c], vec![0.0; c]);
    for t in 0..shape.t {
        for (n, sample) in sums.iter().enumerate() {
            let slab = (t * shape.n + n) * c;
            let [dz, dz_x] = &sample.per_step[t];
            for k in 0..c {
                let x = state.slab_means[slab + k] - f64::from(state.mean[k]);
                sum[k] += factor[slab + k] * dz[k] + hw * shift[slab + k];
                product[k] += factor[slab + k] * dz_x[k] + hw * shift[slab + k] * x;
            }
        }
    }
    let gradient = rows::Gradient::new(
        slabs as f64 * (shape.h * shape.w) as f64,
        &sum,
        &product,
        &state.var,
        weights.gamma,
        block.p.eps,
    );
    // Every pixel under a 2×2 average gets a quarter of its gradient.
    let share = if block.p.pool { 0.25 } else { 1.0 };
    let by_dz = factor.iter().enumerate().map(|(i, f)| (share * f * f64::from(scale[i % c])) as f32).collect();
    let constant = |(i, s): (usize, &f64)| (share * s * f64::from(scale[i % c]) + gradient.constant[i % c]) as f32;
    Solved {
        constant: shift.iter().enumerate().map(constant).collect(),
        by_dz,
        by_x: gradient.by_x,
        gamma: gradient.gamma,
        beta: gradient.beta,
        alpha: alpha.into_iter().map(|a| a as f32).collect(),
    }
}

/// The patterns of a slab, in the order that the loop takes them.
fn patterns(block: &Current<'_>, solved: &Solved, slab: usize) -> [Vec<f32>; 4] {
    let c = block.shape.c;
    let widen = |v: &[f32]| par::repeated(v, par::repeats(c));
    let here = slab * c..(slab + 1) * c;
    [block.mean.clone(), widen(&solved.by_dz[here.clone()]), widen(&solved.by_x), widen(&solved.constant[here])]
}

/// `dx` from `dz` in a tensor of its own, both from map `first` on.
fn input_gradient(block: &Current<'_>, x: Source<'_>, dz: &[f32], solved: &Solved, first: usize, dx: &mut [f32]) {
    let (slab, pooled, row) = (block.shape.slab(), block.pooled.slab(), block.shape.w * block.shape.c);
    let elements = dx.len();
    let items: Vec<_> = (first..).zip(dz.chunks(pooled).zip(dx.chunks_mut(slab))).collect();
    par::for_each(elements, items, |(i, (dz, dx))| {
        let patterns = patterns(block, solved, i);
        let mut scratch = block.scratch();
        if !block.p.pool {
            let piece = block.piece();
            for (j, (dz, dx)) in dz.chunks(piece).zip(dx.chunks_mut(piece)).enumerate() {
                let from = i * slab + j * piece;
                let x = block.floats(x, from..from + dx.len(), &mut scratch.converted);
                rows::input_gradient_chunk(block.level, x, dz, &patterns, dx);
            }
            return;
        }
        let mut wide = vec![0.0; row];
        for (j, (dz, dx)) in dz.chunks(row / 2).zip(dx.chunks_mut(2 * row)).enumerate() {
            let from = i * slab + j * 2 * row;
            let x = block.floats(x, from..from + dx.len(), &mut scratch.converted);
            let c = block.shape.c;
            for (pair, dz) in wide.chunks_mut(2 * c).zip(dz.chunks(c)) {
                let (left, right) = pair.split_at_mut(c);
                left.copy_from_slice(dz);
                right.copy_from_slice(dz);
            }
            for (x, dx) in x.chunks(row).zip(dx.chunks_mut(row)) {
                rows::input_gradient_chunk(block.level, x, &wide, &patterns, dx);
            }
        }
    });
}

/// `dx` from `dz` that stands in `dx`.
fn input_gradient_in_place(block: &Current<'_>, x: Source<'_>, solved: &Solved, dx: &mut [f32]) {
    let slab = block.shape.slab();
    let items: Vec<_> = dx.chunks_mut(slab).enumerate().collect();
    par::for_each(block.shape.len(), items, |(i, dx)| {
        let patterns = patterns(block, solved, i);
        let (piece, mut scratch) = (block.piece(), block.scratch());
        let mut dz = vec![0.0; piece];
        for (j, dx) in dx.chunks_mut(piece).enumerate() {
            let from = i * slab + j * piece;
            let x = block.floats(x, from..from + dx.len(), &mut scratch.converted);
            let dz = &mut dz[..dx.len()];
            dz.copy_from_slice(dx);
            rows::input_gradient_chunk(block.level, x, dz, &patterns, dx);
        }
    });
}
