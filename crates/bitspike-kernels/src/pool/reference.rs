//! Scalar twins of the pooling kernels: one output element at a time.

use super::PoolShape;

/// The input positions under each output element, in window order.
fn windows(s: &PoolShape) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for n in 0..s.n {
        for oy in 0..s.out_h() {
            for ox in 0..s.out_w() {
                for c in 0..s.c {
                    let pixel = |i: usize| (oy * s.stride + i / s.k, ox * s.stride + i % s.k);
                    let at = |i| ((n * s.h + pixel(i).0) * s.w + pixel(i).1) * s.c + c;
                    all.push((0..s.k * s.k).map(at).collect());
                }
            }
        }
    }
    all
}

/// See [`super::avg_forward`].
#[must_use]
pub fn avg_forward(s: &PoolShape, x: &[f32]) -> Vec<f32> {
    let mean = |w: Vec<usize>| w.iter().map(|i| x[*i]).sum::<f32>() / (s.k * s.k) as f32;
    windows(s).into_iter().map(mean).collect()
}

/// See [`super::avg_backward`].
#[must_use]
pub fn avg_backward(s: &PoolShape, dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; s.n * s.h * s.w * s.c];
    for (window, dy) in windows(s).into_iter().zip(dy) {
        window.into_iter().for_each(|i| dx[i] += dy / (s.k * s.k) as f32);
    }
    dx
}

/// Maximum and its place; see [`super::max_forward`]. No NaN.
#[must_use]
pub fn max_forward(s: &PoolShape, x: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let first_largest = |w: Vec<usize>| {
        let best = (0..w.len()).rev().max_by(|a, b| x[w[*a]].total_cmp(&x[w[*b]])).unwrap_or(0);
        (x[w[best]], best as u8)
    };
    windows(s).into_iter().map(first_largest).unzip()
}

/// See [`super::max_backward`].
#[must_use]
pub fn max_backward(s: &PoolShape, argmax: &[u8], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; s.n * s.h * s.w * s.c];
    for ((window, argmax), dy) in windows(s).into_iter().zip(argmax).zip(dy) {
        dx[window[usize::from(*argmax)]] += dy;
    }
    dx
}
