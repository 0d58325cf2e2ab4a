//! Scalar twins of the gate: every element knows its pool, everything in `f64`.

use super::{Apply, Function, GateParams, GateShape, Pool};

/// The function of a gate and its derivative.
fn function(p: &GateParams, x: f64) -> (f64, f64) {
    match p.function {
        Function::Sigmoid => {
            let g = 1.0 / (1.0 + (-x).exp());
            (g, g * (1.0 - g))
        }
        Function::Hard => ((x / 4.0 + 0.5).clamp(0.0, 1.0), if x.abs() < 2.0 { 0.25 } else { 0.0 }),
    }
}

/// The pool of every element, and its mean.
fn pools(p: &GateParams, s: &GateShape, x: &[f32]) -> (Vec<usize>, Vec<f64>) {
    let slab = s.hw * s.c;
    let of = |i: usize| match p.pool {
        Pool::Chw => i / slab,
        Pool::Hw => i / slab * s.c + i % s.c,
        Pool::Nchw => i / (slab * s.n),
        Pool::None => i,
        Pool::Const => 0,
    };
    let ids: Vec<usize> = (0..x.len()).map(of).collect();
    let (mut sums, mut counts) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    for (id, x) in ids.iter().zip(x) {
        sums[*id] += f64::from(*x);
        counts[*id] += 1.0;
    }
    let mean = |id| if p.pool == Pool::Const { 0.0 } else { sums[id] / counts[id] };
    (ids.clone(), ids.into_iter().map(mean).collect())
}

/// The position of `α` for element `i`.
fn alpha_index(s: &GateShape, alpha: &[f32], i: usize) -> usize {
    let t = i / (s.n * s.hw * s.c);
    if alpha.len() == s.t { t } else { t * s.c + i % s.c }
}

/// See [`super::forward`].
#[must_use]
pub fn forward(p: &GateParams, s: &GateShape, x: &[f32], alpha: &[f32]) -> Vec<f32> {
    let (_, mean) = pools(p, s, x);
    let value = |i: usize| {
        let (x, a, m) = (f64::from(x[i]), f64::from(alpha[alpha_index(s, alpha, i)]), mean[i]);
        let g = function(p, if p.alpha_inside { a * m } else { m }).0;
        let gated = if p.alpha_inside { g * x } else { a * g * x };
        (if p.apply == Apply::Gradient { x } else { gated }) as f32
    };
    (0..x.len()).map(value).collect()
}

/// `(dx, dalpha)`; see [`super::backward`].
#[must_use]
pub fn backward(p: &GateParams, s: &GateShape, x: &[f32], alpha: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (ids, mean) = pools(p, s, x);
    let (mut dmean, mut count, mut dalpha) = (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; alpha.len()]);
    let mut factor = vec![0.0; x.len()];
    for i in 0..x.len() {
        let at = alpha_index(s, alpha, i);
        let (a, m, product) = (f64::from(alpha[at]), mean[i], f64::from(dy[i]) * f64::from(x[i]));
        let (g, slope) = function(p, if p.alpha_inside { a * m } else { m });
        factor[i] = if p.alpha_inside { g } else { a * g };
        dalpha[at] += product * if p.alpha_inside { m * slope } else { g };
        dmean[ids[i]] += product * a * slope;
        count[ids[i]] += 1.0;
    }
    let constant = p.detach_gate || p.pool == Pool::Const || p.apply == Apply::Gradient;
    let through_mean = |i: usize| if constant { 0.0 } else { dmean[ids[i]] / count[ids[i]] };
    let dx = (0..x.len()).map(|i| (factor[i] * f64::from(dy[i]) + through_mean(i)) as f32).collect();
    let kept = |d: f64| if p.apply == Apply::Gradient { 0.0 } else { d as f32 };
    (dx, dalpha.into_iter().map(kept).collect())
}
