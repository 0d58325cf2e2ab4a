//! The gate per element: `y = α σ(x) x`, or `σ(α x) x` with `alpha_inside`.

use super::params::{Alpha, Apply, GateParams, GateShape};
use crate::par::{self, Level, math, multiversioned};

/// `α` of a step as a pattern over channels.
fn alpha_pattern(shape: &GateShape, alpha: Alpha<'_>, t: usize) -> Vec<f32> {
    let of_step: Vec<f32> = (0..shape.c).map(|c| alpha.at(t, c)).collect();
    par::repeated(&of_step, par::repeats(shape.c))
}

pub(super) fn forward(p: &GateParams, shape: &GateShape, x: &[f32], alpha: Alpha<'_>, y: &mut [f32]) {
    let level = Level::selected();
    let items = x.chunks(shape.slab()).zip(y.chunks_mut(shape.slab())).enumerate().collect();
    par::for_each(x.len(), items, |(i, (x, y)): (usize, (&[f32], &mut [f32]))| {
        let alpha = alpha_pattern(shape, alpha, i / shape.n);
        forward_slab(level, x, &alpha, p.alpha_inside, y);
    });
}

multiversioned! {
    fn forward_slab(x: &[f32], alpha: &[f32], inside: bool, y: &mut [f32]) {
        for (x, y) in x.chunks(alpha.len()).zip(y.chunks_mut(alpha.len())) {
            let row = x.iter().zip(alpha).zip(y);
            if inside {
                row.for_each(|((x, a), y)| *y = math::sigmoid(*a * *x) * *x);
            } else {
                row.for_each(|((x, a), y)| *y = *a * math::sigmoid(*x) * *x);
            }
        }
    }
}

pub(super) fn backward(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    alpha: Alpha<'_>,
    dy: &[f32],
    dx: &mut [f32],
    dalpha: &mut [f32],
) {
    let level = Level::selected();
    let through_mean = !p.detach_gate && p.apply == Apply::Forward;
    let slabs = x.chunks(shape.slab()).zip(dy.chunks(shape.slab())).zip(dx.chunks_mut(shape.slab()));
    let items: Vec<_> = slabs.enumerate().collect();
    let sums = par::map(x.len(), items, |(i, ((x, dy), dx))| {
        let alpha = alpha_pattern(shape, alpha, i / shape.n);
        let mut sums = vec![0.0; alpha.len()];
        backward_slab(level, x, dy, &alpha, p.alpha_inside, through_mean, dx, &mut sums);
        par::fold_columns(std::iter::once(&sums[..]), shape.c)
    });
    let per_step = alpha.per_step;
    for (dalpha, sums) in dalpha.chunks_mut(per_step).zip(sums.chunks(shape.n)) {
        let total = par::fold_columns(sums.iter().map(Vec::as_slice), per_step);
        for (dalpha, total) in dalpha.iter_mut().zip(total) {
            *dalpha = if p.apply == Apply::Gradient { 0.0 } else { total as f32 };
        }
    }
}

multiversioned! {
    /// `sums` takes `∂L/∂α` under each position of the pattern.
    fn backward_slab(
        x: &[f32],
        dy: &[f32],
        alpha: &[f32],
        inside: bool,
        through_mean: bool,
        dx: &mut [f32],
        sums: &mut [f64],
    ) {
        if inside {
            backward_rows::<true>(x, dy, alpha, through_mean, dx, sums);
        } else {
            backward_rows::<false>(x, dy, alpha, through_mean, dx, sums);
        }
    }
}

#[inline(always)]
fn backward_rows<const INSIDE: bool>(
    x: &[f32],
    dy: &[f32],
    alpha: &[f32],
    through_mean: bool,
    dx: &mut [f32],
    sums: &mut [f64],
) {
    let width = alpha.len();
    let through_mean = if through_mean { 1.0 } else { 0.0 };
    // dα of a row, kept apart so that the first loop has one width of numbers.
    let mut row = vec![0.0f32; width];
    for ((x, dy), dx) in x.chunks(width).zip(dy.chunks(width)).zip(dx.chunks_mut(width)) {
        for ((((x, dy), dx), a), by_alpha) in x.iter().zip(dy).zip(dx).zip(alpha).zip(&mut row) {
            let (x, dy, a) = (*x, *dy, *a);
            let g = math::sigmoid(if INSIDE { a * x } else { x });
            let slope = g * (1.0 - g) * x;
            let factor = if INSIDE { g } else { a * g };
            *dx = (factor + through_mean * (a * slope)) * dy;
            *by_alpha = if INSIDE { slope } else { g } * (dy * x);
        }
        for (sum, by_alpha) in sums.iter_mut().zip(&row[..x.len()]) {
            *sum += f64::from(*by_alpha);
        }
    }
}
