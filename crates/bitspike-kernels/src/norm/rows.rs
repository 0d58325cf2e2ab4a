//! Parallel passes over `[R, C]` rows: per-channel sums and per-channel maps.
//!
//! Rows of few channels are treated as rows of `C · repeats` virtual channels, so that inner loops stay long; the last
//! virtual row may be shorter, and every loop ends at the shortest operand.

use crate::par::{self, Level, columns, multiversioned};

/// Rows added per step of the sums: fewer passes over the accumulators.
const ROWS: usize = 4;

/// `(Σ a, Σ a (x - shift))` per channel, where `a` is `dy`, or `x - shift` itself if there is no `dy`.
pub(super) fn column_sums(
    level: Level,
    x: &[f32],
    dy: Option<&[f32]>,
    c: usize,
    shift: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let width = c * par::repeats(c);
    let shift = par::repeated(shift, par::repeats(c));
    // Long enough that the accumulators, two f64 per channel, are small beside the data.
    let block = width * (2 * par::CHUNK / width).max(16 * ROWS);
    let items: Vec<_> = (0..x.len()).step_by(block).map(|from| from..x.len().min(from + block)).collect();
    let partials = par::map(x.len(), items, |range| {
        let mut sums = vec![0.0; 2 * width];
        let (sum, product) = sums.split_at_mut(width);
        match dy {
            Some(dy) => sums_of_two(level, &x[range.clone()], &dy[range], &shift, sum, product),
            None => sums_of_one(level, &x[range], &shift, sum, product),
        }
        sums
    });
    let sum = par::fold_columns(partials.iter().map(|p| &p[..width]), c);
    (sum, par::fold_columns(partials.iter().map(|p| &p[width..]), c))
}

multiversioned! {
    pub(crate) fn sums_of_one(x: &[f32], shift: &[f32], sum: &mut [f64], squares: &mut [f64]) {
        let width = shift.len();
        let many = x.len() / (ROWS * width) * (ROWS * width);
        for x in x[..many].chunks_exact(ROWS * width) {
            let (x, x2) = x.split_at(2 * width);
            let ((x0, x1), (x2, x3)) = (x.split_at(width), x2.split_at(width));
            for i in 0..width {
                let s = f64::from(shift[i]);
                let d = [f64::from(x0[i]) - s, f64::from(x1[i]) - s, f64::from(x2[i]) - s, f64::from(x3[i]) - s];
                sum[i] += (d[0] + d[1]) + (d[2] + d[3]);
                squares[i] += (d[0] * d[0] + d[1] * d[1]) + (d[2] * d[2] + d[3] * d[3]);
            }
        }
        for x in x[many..].chunks(width) {
            for (((x, shift), sum), squares) in x.iter().zip(shift).zip(&mut *sum).zip(&mut *squares) {
                let d = f64::from(*x) - f64::from(*shift);
                *sum += d;
                *squares += d * d;
            }
        }
    }
}

multiversioned! {
    pub(crate) fn sums_of_two(x: &[f32], dy: &[f32], shift: &[f32], sum: &mut [f64], product: &mut [f64]) {
        let width = shift.len();
        let many = x.len() / (ROWS * width) * (ROWS * width);
        for (x, g) in x[..many].chunks_exact(ROWS * width).zip(dy.chunks_exact(ROWS * width)) {
            let ((x, x2), (g, g2)) = (x.split_at(2 * width), g.split_at(2 * width));
            let ((x0, x1), (x2, x3)) = (x.split_at(width), x2.split_at(width));
            let ((g0, g1), (g2, g3)) = (g.split_at(width), g2.split_at(width));
            for i in 0..width {
                let s = f64::from(shift[i]);
                let g = [f64::from(g0[i]), f64::from(g1[i]), f64::from(g2[i]), f64::from(g3[i])];
                let d = [f64::from(x0[i]) - s, f64::from(x1[i]) - s, f64::from(x2[i]) - s, f64::from(x3[i]) - s];
                sum[i] += (g[0] + g[1]) + (g[2] + g[3]);
                product[i] += (g[0] * d[0] + g[1] * d[1]) + (g[2] * d[2] + g[3] * d[3]);
            }
        }
        for (x, dy) in x[many..].chunks(width).zip(dy[many..].chunks(width)) {
            for ((((x, g), shift), sum), product) in x.iter().zip(dy).zip(shift).zip(&mut *sum).zip(&mut *product) {
                *sum += f64::from(*g);
                *product += f64::from(*g) * (f64::from(*x) - f64::from(*shift));
            }
        }
    }
}

/// Mean and biased variance from the sums of `x - shift` and of its square over `rows` rows.
pub(crate) fn moments(rows: f64, sum: &[f64], squares: &[f64], shift: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let moments = sum.iter().zip(squares).zip(shift).map(|((sum, squares), shift)| {
        let mean = sum / rows;
        ((f64::from(*shift) + mean) as f32, (squares / rows - mean * mean).max(0.0) as f32)
    });
    moments.unzip()
}

/// The gradient of batch norm in closed form: `dx = γ r dy + by_x (x - μ) + constant`, `r = 1/√(v + ε)`.
pub(crate) struct Gradient {
    pub(crate) by_x: Vec<f32>,
    pub(crate) constant: Vec<f64>,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

impl Gradient {
    /// From `Σ dy` and `Σ dy (x - μ)` per channel over `rows` rows.
    pub(crate) fn new(rows: f64, sum: &[f64], product: &[f64], var: &[f32], gamma: &[f32], eps: f32) -> Self {
        let c = sum.len();
        let (mut by_x, mut constant) = (vec![0.0; c], vec![0.0; c]);
        let (mut dgamma, mut dbeta) = (vec![0.0; c], vec![0.0; c]);
        for k in 0..c {
            let r = 1.0 / (f64::from(var[k]) + f64::from(eps)).sqrt();
            let a = f64::from(gamma[k]) * r;
            dgamma[k] = (product[k] * r) as f32;
            dbeta[k] = sum[k] as f32;
            by_x[k] = (-a * r * r * product[k] / rows) as f32;
            constant[k] = -a * sum[k] / rows;
        }
        Self { by_x, constant, gamma: dgamma, beta: dbeta }
    }
}

/// Cuts `y` into chunks of whole virtual rows and hands each to `f` with the range it covers.
fn for_chunks(y: &mut [f32], width: usize, f: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync + Send) {
    let len = y.len();
    let chunk = width * (par::CHUNK / width).max(1);
    let items = y.chunks_mut(chunk).enumerate().collect();
    par::for_each(len, items, |(i, y): (usize, &mut [f32])| f(i * chunk..i * chunk + y.len(), y));
}

/// `y = (x - mean) scale + shift`.
pub(super) fn shifted_affine(
    level: Level,
    x: &[f32],
    c: usize,
    mean: &[f32],
    scale: &[f32],
    shift: &[f32],
    y: &mut [f32],
) {
    let [mean, scale, shift] = [mean, scale, shift].map(|v| par::repeated(v, par::repeats(c)));
    for_chunks(y, mean.len(), |range, y| shifted_affine_chunk(level, &x[range], &mean, &scale, &shift, y));
}

multiversioned! {
    fn shifted_affine_chunk(x: &[f32], mean: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(mean.len()).zip(y.chunks_mut(mean.len())) {
            for ((((x, y), mean), scale), shift) in x.iter().zip(y).zip(mean).zip(scale).zip(shift) {
                *y = (*x - *mean) * *scale + *shift;
            }
        }
    }
}

/// `y = x scale + shift`.
pub(super) fn affine(level: Level, x: &[f32], c: usize, scale: &[f32], shift: &[f32], y: &mut [f32]) {
    let [scale, shift] = [scale, shift].map(|v| par::repeated(v, par::repeats(c)));
    for_chunks(y, scale.len(), |range, y| columns::affine(level, &x[range], &scale, &shift, y));
}

/// `y = x scale`.
pub(super) fn scaled(level: Level, x: &[f32], c: usize, scale: &[f32], y: &mut [f32]) {
    let scale = par::repeated(scale, par::repeats(c));
    for_chunks(y, scale.len(), |range, y| columns::scale(level, &x[range], &scale, y));
}

/// `dx = by_dy dy + by_x (x - mean) + constant`.
#[allow(clippy::too_many_arguments)]
pub(super) fn input_gradient(
    level: Level,
    x: &[f32],
    dy: &[f32],
    c: usize,
    mean: &[f32],
    by_dy: &[f32],
    by_x: &[f32],
    constant: &[f32],
    dx: &mut [f32],
) {
    let per_channel = [mean, by_dy, by_x, constant].map(|v| par::repeated(v, par::repeats(c)));
    for_chunks(dx, per_channel[0].len(), |range, dx| {
        input_gradient_chunk(level, &x[range.clone()], &dy[range], &per_channel, dx);
    });
}

multiversioned! {
    pub(crate) fn input_gradient_chunk(x: &[f32], dy: &[f32], per_channel: &[Vec<f32>; 4], dx: &mut [f32]) {
        let [mean, by_dy, by_x, constant] = per_channel;
        let width = mean.len();
        for ((x, dy), dx) in x.chunks(width).zip(dy.chunks(width)).zip(dx.chunks_mut(width)) {
            let per_channel = mean.iter().zip(by_dy).zip(by_x).zip(constant);
            for (((x, dy), dx), (((mean, by_dy), by_x), constant)) in x.iter().zip(dy).zip(dx).zip(per_channel) {
                *dx = *by_dy * *dy + (*by_x * (*x - *mean) + *constant);
            }
        }
    }
}
