//! Gates whose mean is pooled: one factor per sample (and channel), so both passes are maps by a pattern of factors.
//!
//! A slab is one sample at one time step, `[HW, C]`; slabs are the unit of parallel work. A slab has one gate, or one
//! per channel as soon as its mean or its `α` has a value per channel.

use super::params::{Alpha, Apply, Function, GateParams, GateShape, Means, Pool};
use crate::par::{self, Level, columns, math, multiversioned};

/// The gates of a slab, one or `C`.
pub(crate) struct Gates {
    /// `k`, the factor in front of `X`.
    pub(crate) factor: Vec<f32>,
    /// `∂y/∂m` divided by `X`.
    by_mean: Vec<f32>,
    /// `∂y/∂α` divided by `X`.
    by_alpha: Vec<f32>,
}

impl Gates {
    /// The gates of step `t` and sample `n`.
    pub(crate) fn new(
        level: Level,
        p: &GateParams,
        c: usize,
        alpha: Alpha<'_>,
        means: Means<'_>,
        (t, n): (usize, usize),
    ) -> Self {
        let count = if alpha.per_step == 1 && means.strides[2] == 0 { 1 } else { c };
        let alpha: Vec<f32> = (0..count).map(|c| alpha.at(t, c)).collect();
        let mean: Vec<f32> = (0..count).map(|c| means.at(t, n, c)).collect();
        let mut gates = Self { factor: vec![0.0; count], by_mean: vec![0.0; count], by_alpha: vec![0.0; count] };
        let variant = [p.alpha_inside, p.function == Function::Hard];
        fill(level, variant, &alpha, &mean, &mut gates.factor, &mut gates.by_mean, &mut gates.by_alpha);
        gates
    }

    /// The factors as a pattern.
    fn pattern(&self) -> Vec<f32> {
        par::repeated(&self.factor, par::repeats(self.factor.len()))
    }

    /// The contributions of a slab to the gradients of its means and of `α`, from `Σ dY · X` under each gate.
    pub(crate) fn sums(&self, products: &[f64], alpha_per_step: usize) -> SlabSums {
        let by_mean = self.by_mean.iter().zip(products).map(|(d, product)| f64::from(*d) * product).collect();
        let by_alpha = self.by_alpha.iter().zip(products).map(|(d, product)| f64::from(*d) * product);
        let by_alpha = if alpha_per_step == 1 { vec![by_alpha.sum()] } else { by_alpha.collect() };
        SlabSums { by_mean, by_alpha }
    }
}

/// What a slab contributes to the gradients of its means and of `α`.
pub(crate) struct SlabSums {
    /// Per gate.
    pub(crate) by_mean: Vec<f64>,
    /// As many as `α` has for a step.
    pub(crate) by_alpha: Vec<f64>,
}

multiversioned! {
    /// `variant` is whether `α` is inside and whether the function is hard.
    fn fill(
        variant: [bool; 2],
        alpha: &[f32],
        mean: &[f32],
        factor: &mut [f32],
        by_mean: &mut [f32],
        by_alpha: &mut [f32],
    ) {
        let [inside, hard] = variant;
        for ((((a, m), factor), by_mean), by_alpha) in alpha.iter().zip(mean).zip(factor).zip(by_mean).zip(by_alpha) {
            let argument = if inside { *a * *m } else { *m };
            let (g, slope) = if hard {
                (math::hard(argument), math::hard_slope(argument))
            } else {
                let g = math::sigmoid(argument);
                (g, g * (1.0 - g))
            };
            *factor = if inside { g } else { *a * g };
            *by_mean = *a * slope;
            *by_alpha = if inside { *m * slope } else { g };
        }
    }
}

/// Slabs of a mutable tensor with their `(t, n)`.
fn slabs<'a>(shape: &GateShape, y: &'a mut [f32]) -> impl Iterator<Item = ((usize, usize), &'a mut [f32])> {
    let n = shape.n;
    y.chunks_mut(shape.slab()).enumerate().map(move |(i, y)| ((i / n, i % n), y))
}

/// The slab of `(t, n)`.
fn slab_of<'a>(shape: &GateShape, x: &'a [f32], (t, n): (usize, usize)) -> &'a [f32] {
    &x[(t * shape.n + n) * shape.slab()..][..shape.slab()]
}

/// Sums of a slab over `c` interleaved columns.
fn column_sums(level: Level, c: usize, x: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; c * par::repeats(c)];
    columns::add_columns(level, x, &mut sums);
    par::fold_columns(std::iter::once(&sums[..]), c)
}

/// `Σ a b` of a slab over `c` interleaved columns.
fn column_products(level: Level, c: usize, a: &[f32], b: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; c * par::repeats(c)];
    columns::add_column_products(level, a, b, &mut sums);
    par::fold_columns(std::iter::once(&sums[..]), c)
}

/// Writes the means of `pool`.
pub(super) fn means(shape: &GateShape, pool: Pool, x: &[f32], means: &mut [f32]) {
    let level = Level::selected();
    match pool {
        Pool::None | Pool::Const => {}
        Pool::Chw | Pool::Hw => {
            let items = means.chunks_mut(means_per_slab(shape, pool)).zip(x.chunks(shape.slab())).collect();
            par::for_each(x.len(), items, |(means, x)| slab_means(level, x, means));
        }
        Pool::Nchw => {
            let items = x.chunks(shape.slab()).collect();
            let sums = par::map(x.len(), items, |x| column_sums(level, 1, x)[0]);
            for (mean, sums) in means.iter_mut().zip(sums.chunks(shape.n)) {
                *mean = (sums.iter().sum::<f64>() / (shape.n * shape.slab()) as f64) as f32;
            }
        }
    }
}

fn means_per_slab(shape: &GateShape, pool: Pool) -> usize {
    if pool == Pool::Hw { shape.c } else { 1 }
}

/// The mean of a slab, or its means per channel if `means` has room for them.
fn slab_means(level: Level, x: &[f32], means: &mut [f32]) {
    let (columns, rows) = (means.len(), x.len() / means.len());
    for (mean, sum) in means.iter_mut().zip(column_sums(level, columns, x)) {
        *mean = (sum / rows as f64) as f32;
    }
}

/// Value and means of a pooled or constant gate.
pub(super) fn forward(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    alpha: Alpha<'_>,
    y: &mut [f32],
    means: &mut [f32],
) {
    if !matches!(p.pool, Pool::Chw | Pool::Hw) {
        self::means(shape, p.pool, x, means);
        return scale(p, shape, x, alpha, Means::of_pool(shape, p.pool, means), y);
    }
    // Mean and value slab by slab: the second reading of X comes from the cache.
    let level = Level::selected();
    let items = slabs(shape, y).zip(means.chunks_mut(means_per_slab(shape, p.pool))).collect();
    par::for_each(x.len(), items, |((at, y), means): ((_, &mut [f32]), &mut [f32])| {
        let x = slab_of(shape, x, at);
        slab_means(level, x, means);
        let here = Means { values: means, strides: [0, 0, usize::from(p.pool == Pool::Hw)] };
        columns::scale(level, x, &Gates::new(level, p, shape.c, alpha, here, at).pattern(), y);
    });
}

/// `y = k x` with known means.
pub(super) fn scale(p: &GateParams, shape: &GateShape, x: &[f32], alpha: Alpha<'_>, means: Means<'_>, y: &mut [f32]) {
    let level = Level::selected();
    par::for_each(x.len(), slabs(shape, y).collect(), |(at, y)| {
        let gates = Gates::new(level, p, shape.c, alpha, means, at);
        columns::scale(level, slab_of(shape, x, at), &gates.pattern(), y);
    });
}

/// `dX` and `dα`; `through_mean` is false where the mean is a constant.
#[allow(clippy::too_many_arguments)]
pub(super) fn backward(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    means: Means<'_>,
    through_mean: bool,
    alpha: Alpha<'_>,
    dy: &[f32],
    dx: &mut [f32],
    dalpha: &mut [f32],
) {
    if p.apply == Apply::Gradient {
        dalpha.fill(0.0);
        return scale(p, shape, dy, alpha, means, dx);
    }
    let level = Level::selected();
    let through_mean = through_mean && p.pool != Pool::Const;
    let whole_batch = through_mean && p.pool == Pool::Nchw;
    // Slab by slab: the sums of dY X per gate, then dX while dY is still in the cache. A gate over the whole batch
    // needs the sums of all samples first.
    let sums = par::map(x.len(), slabs(shape, dx).collect(), |(at, dx)| {
        let (x, dy) = (slab_of(shape, x, at), slab_of(shape, dy, at));
        let gates = Gates::new(level, p, shape.c, alpha, means, at);
        let sums = gates.sums(&column_products(level, gates.factor.len(), dy, x), alpha.per_step);
        if !through_mean {
            columns::scale(level, dy, &gates.pattern(), dx);
        } else if p.pool == Pool::Hw {
            let by_mean: Vec<f32> = sums.by_mean.iter().map(|s| (s / shape.hw as f64) as f32).collect();
            input_gradient(level, dy, &gates, &by_mean, dx);
        } else if !whole_batch {
            let by_mean = (sums.by_mean.iter().sum::<f64>() / shape.slab() as f64) as f32;
            input_gradient(level, dy, &gates, &[by_mean], dx);
        }
        sums
    });
    for (dalpha, sums) in dalpha.chunks_mut(alpha.per_step).zip(sums.chunks(shape.n)) {
        let total = par::fold_columns(sums.iter().map(|s| &s.by_alpha[..]), alpha.per_step);
        for (dalpha, total) in dalpha.iter_mut().zip(total) {
            *dalpha = total as f32;
        }
    }
    if whole_batch {
        let of_step = |sums: &[SlabSums]| sums.iter().flat_map(|s| &s.by_mean).sum::<f64>();
        let by_mean: Vec<f64> = sums.chunks(shape.n).map(of_step).collect();
        par::for_each(x.len(), slabs(shape, dx).collect(), |(at, dx)| {
            let by_mean = (by_mean[at.0] / (shape.n * shape.slab()) as f64) as f32;
            let gates = Gates::new(level, p, shape.c, alpha, means, at);
            input_gradient(level, slab_of(shape, dy, at), &gates, &[by_mean], dx);
        });
    }
}

/// `dx = k dy + b`; `b` has one value, or one per gate.
fn input_gradient(level: Level, dy: &[f32], gates: &Gates, b: &[f32], dx: &mut [f32]) {
    let k = gates.pattern();
    let b = par::repeated(b, k.len() / b.len());
    columns::affine(level, dy, &k, &b, dx);
}
