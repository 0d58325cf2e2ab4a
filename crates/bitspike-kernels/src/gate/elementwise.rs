//! The gate per element: `y = α σ(x) x`, or `σ(α x) x` with `alpha_inside`, with the function of the gate for σ.

use super::params::{Alpha, Apply, Function, GateParams, GateShape};
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
        forward_slab(level, x, &alpha, p.alpha_inside, p.function == Function::Hard, y);
    });
}

multiversioned! {
    fn forward_slab(x: &[f32], alpha: &[f32], inside: bool, hard: bool, y: &mut [f32]) {
        match (inside, hard) {
            (false, false) => forward_rows::<false, false>(x, alpha, y),
            (false, true) => forward_rows::<false, true>(x, alpha, y),
            (true, false) => forward_rows::<true, false>(x, alpha, y),
            (true, true) => forward_rows::<true, true>(x, alpha, y),
        }
    }
}

#[inline(always)]
fn forward_rows<const INSIDE: bool, const HARD: bool>(x: &[f32], alpha: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks(alpha.len()).zip(y.chunks_mut(alpha.len())) {
        for ((x, a), y) in x.iter().zip(alpha).zip(y) {
            let g = math::gate::<HARD>(if INSIDE { *a * *x } else { *x });
            *y = if INSIDE { g } else { *a * g } * *x;
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
        let variant = [p.alpha_inside, p.function == Function::Hard];
        backward_slab(level, x, dy, &alpha, variant, through_mean, dx, &mut sums);
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
    /// `sums` takes `∂L/∂α` under each position of the pattern; `variant` is whether `α` is inside and whether the function is hard.
    fn backward_slab(
        x: &[f32],
        dy: &[f32],
        alpha: &[f32],
        variant: [bool; 2],
        through_mean: bool,
        dx: &mut [f32],
        sums: &mut [f64],
    ) {
        match variant {
            [false, false] => backward_rows::<false, false>(x, dy, alpha, through_mean, dx, sums),
            [false, true] => backward_rows::<false, true>(x, dy, alpha, through_mean, dx, sums),
            [true, false] => backward_rows::<true, false>(x, dy, alpha, through_mean, dx, sums),
            [true, true] => backward_rows::<true, true>(x, dy, alpha, through_mean, dx, sums),
        }
    }
}

#[inline(always)]
fn backward_rows<const INSIDE: bool, const HARD: bool>(
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
            let argument = if INSIDE { a * x } else { x };
            let g = math::gate::<HARD>(argument);
            let slope = math::gate_slope::<HARD>(argument, g) * x;
            let factor = if INSIDE { g } else { a * g };
            *dx = (factor + through_mean * (a * slope)) * dy;
            *by_alpha = if INSIDE { slope } else { g } * (dy * x);
        }
        for (sum, by_alpha) in sums.iter_mut().zip(&row[..x.len()]) {
            *sum += f64::from(*by_alpha);
        }
    }
}
