//! Scalar twins of the normalisation kernels: one channel at a time, in `f64`.

/// One channel of `[R, C]` rows.
fn column(x: &[f32], c: usize, k: usize) -> Vec<f64> {
    x.iter().skip(k).step_by(c).map(|v| f64::from(*v)).collect()
}

/// Mean and biased variance per channel, in two passes.
#[must_use]
pub fn statistics(x: &[f32], c: usize) -> (Vec<f32>, Vec<f32>) {
    let per_channel = (0..c).map(|k| {
        let column = column(x, c, k);
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        let var = column.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        (mean as f32, var as f32)
    });
    per_channel.unzip()
}

/// See [`super::forward`].
#[must_use]
pub fn forward(x: &[f32], mean: &[f32], var: &[f32], gamma: &[f32], beta: &[f32], eps: f32) -> Vec<f32> {
    let c = mean.len();
    let value = |(i, x): (usize, &f32)| {
        let k = i % c;
        let normal = (f64::from(*x) - f64::from(mean[k])) / (f64::from(var[k]) + f64::from(eps)).sqrt();
        (f64::from(gamma[k]) * normal + f64::from(beta[k])) as f32
    };
    x.iter().enumerate().map(value).collect()
}

/// `(dx, dgamma, dbeta)`; see [`super::backward`].
#[must_use]
pub fn backward(
    x: &[f32],
    dy: &[f32],
    mean: &[f32],
    var: &[f32],
    gamma: &[f32],
    eps: f32,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let c = mean.len();
    let (mut dx, mut dgamma, mut dbeta) = (vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]);
    for k in 0..c {
        let (x, dy) = (column(x, c, k), column(dy, c, k));
        let (n, r) = (x.len() as f64, 1.0 / (f64::from(var[k]) + f64::from(eps)).sqrt());
        let normal: Vec<f64> = x.iter().map(|x| (x - f64::from(mean[k])) * r).collect();
        let b: f64 = dy.iter().sum();
        let g: f64 = dy.iter().zip(&normal).map(|(dy, normal)| dy * normal).sum();
        for i in 0..x.len() {
            dx[i * c + k] = (f64::from(gamma[k]) * r * (dy[i] - b / n - normal[i] * g / n)) as f32;
        }
        (dgamma[k], dbeta[k]) = (g as f32, b as f32);
    }
    (dx, dgamma, dbeta)
}
