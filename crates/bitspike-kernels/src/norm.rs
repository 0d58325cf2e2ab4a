//! Batch normalisation and per-channel affine maps over channels-last rows.
//!
//! With mean `μ`, biased variance `v`, `r = 1/√(v + ε)` and `x̂ = (x - μ) r`, per channel over `R` rows:
//!
//! ```text
//! y     = γ x̂ + β
//! dβ    = Σ dy          dγ = Σ dy x̂
//! dx    = γ r (dy - dβ/R - x̂ dγ/R)
//! ```
//!
//! In a time-major network the rows are `T·N·H·W`: one set of statistics for all time steps (tdBN multiplies `γ` by the
//! threshold, which the caller does). Sums are added in `f64` in an order that does not depend on the threads.
//!
//! Shapes: `x`, `y`, `dx`, `dy` `[R, C]`; everything per channel `[C]`.

pub mod reference;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use crate::error::{KernelError, check_len, check_nonzero, check_range};
use crate::par::Level;

/// Computes mean and biased variance of every channel.
///
/// One pass; the values are shifted by the first row before they are squared and added in `f64`, so a mean much larger
/// than the spread costs no accuracy.
///
/// # Errors
/// [`KernelError`] if `x` is empty or not a multiple of `c`.
///
/// # Example
/// ```
/// let (mean, var) = bitspike_kernels::norm::statistics(&[1.0, 10.0, 3.0, 10.0], 2).unwrap();
/// assert_eq!((mean, var), (vec![2.0, 10.0], vec![1.0, 0.0]));
/// ```
pub fn statistics(x: &[f32], c: usize) -> Result<(Vec<f32>, Vec<f32>), KernelError> {
    const OP: &str = "norm::statistics";
    let rows = row_count(OP, x.len(), c)?;
    check_nonzero(OP, "x", rows)?;
    let shift = &x[..c];
    let (sum, squares) = rows::column_sums(Level::selected(), x, None, c, shift);
    Ok(rows::moments(rows as f64, &sum, &squares, shift))
}

/// Computes `y = γ (x - μ)/√(v + ε) + β`.
///
/// # Errors
/// [`KernelError`] if a length is wrong or `eps` is not above 0.
///
/// # Example
/// ```
/// let mut y = [0.0; 2];
/// bitspike_kernels::norm::forward(&[1.0, 5.0], 1, &[3.0], &[3.0], &[2.0], &[0.5], 1.0, &mut y).unwrap();
/// assert_eq!(y, [-1.5, 2.5]);
/// ```
#[allow(clippy::too_many_arguments)]
pub fn forward(
    x: &[f32],
    c: usize,
    mean: &[f32],
    var: &[f32],
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
    y: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "norm::forward";
    row_count(OP, x.len(), c)?;
    check_channels(OP, c, &[("mean", mean), ("var", var), ("gamma", gamma), ("beta", beta)])?;
    check_len(OP, "y", x.len(), y.len())?;
    let scale = scales(OP, var, gamma, eps)?;
    rows::shifted_affine(Level::selected(), x, c, mean, &scale, beta, y);
    Ok(())
}

/// Computes the gradients of [`forward`], through mean and variance as well.
///
/// Outputs: `dx` `[R, C]`, `dgamma` `[C]`, `dbeta` `[C]`; all are overwritten.
///
/// # Errors
/// [`KernelError`] if a length is wrong, `x` is empty or `eps` is not above 0.
///
/// # Example
/// ```
/// use bitspike_kernels::norm;
/// let (x, dy) = ([1.0, 2.0, 4.0], [1.0, 1.0, 1.0]);
/// let (mean, var) = norm::statistics(&x, 1).unwrap();
/// let (mut dx, mut dgamma, mut dbeta) = ([0.0; 3], [0.0], [0.0]);
/// norm::backward(&x, &dy, 1, &mean, &var, &[1.0], 1e-5, &mut dx, &mut dgamma, &mut dbeta).unwrap();
/// assert_eq!(dbeta, [3.0]);
/// assert!(dx.iter().all(|d| d.abs() < 1e-6)); // adding a constant to y is undone by the mean
/// ```
#[allow(clippy::too_many_arguments)]
pub fn backward(
    x: &[f32],
    dy: &[f32],
    c: usize,
    mean: &[f32],
    var: &[f32],
    gamma: &[f32],
    eps: f32,
    dx: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "norm::backward";
    let rows = row_count(OP, x.len(), c)?;
    check_nonzero(OP, "x", rows)?;
    check_channels(OP, c, &[("mean", mean), ("var", var), ("gamma", gamma), ("dgamma", dgamma), ("dbeta", dbeta)])?;
    check_len(OP, "dy", x.len(), dy.len())?;
    check_len(OP, "dx", x.len(), dx.len())?;
    let scale = scales(OP, var, gamma, eps)?;
    let level = Level::selected();
    let (sum, product) = rows::column_sums(level, x, Some(dy), c, mean);
    let found = rows::Gradient::new(rows as f64, &sum, &product, var, gamma, eps);
    dgamma.copy_from_slice(&found.gamma);
    dbeta.copy_from_slice(&found.beta);
    let constant: Vec<f32> = found.constant.iter().map(|v| *v as f32).collect();
    rows::input_gradient(level, x, dy, c, mean, &scale, &found.by_x, &constant, dx);
    Ok(())
}

/// Computes `y = scale · x + shift` per channel: batch norm with fixed statistics, folded.
///
/// # Errors
/// [`KernelError`] if a length is wrong.
///
/// # Example
/// ```
/// let mut y = [0.0; 2];
/// bitspike_kernels::norm::affine(&[1.0, 2.0], 2, &[2.0, 3.0], &[0.5, 0.0], &mut y).unwrap();
/// assert_eq!(y, [2.5, 6.0]);
/// ```
pub fn affine(x: &[f32], c: usize, scale: &[f32], shift: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "norm::affine";
    row_count(OP, x.len(), c)?;
    check_channels(OP, c, &[("scale", scale), ("shift", shift)])?;
    check_len(OP, "y", x.len(), y.len())?;
    rows::affine(Level::selected(), x, c, scale, shift, y);
    Ok(())
}

/// Computes the gradients of [`affine`]: `dx = scale · dy`, `dscale = Σ dy x`, `dshift = Σ dy`.
///
/// # Errors
/// [`KernelError`] if a length is wrong.
///
/// # Example
/// ```
/// let (mut dx, mut dscale, mut dshift) = ([0.0; 2], [0.0], [0.0]);
/// bitspike_kernels::norm::affine_backward(
///     &[1.0, 2.0], &[1.0, 3.0], 1, &[2.0], &mut dx, &mut dscale, &mut dshift).unwrap();
/// assert_eq!((dx, dscale, dshift), ([2.0, 6.0], [7.0], [4.0]));
/// ```
pub fn affine_backward(
    x: &[f32],
    dy: &[f32],
    c: usize,
    scale: &[f32],
    dx: &mut [f32],
    dscale: &mut [f32],
    dshift: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "norm::affine_backward";
    row_count(OP, x.len(), c)?;
    check_channels(OP, c, &[("scale", scale), ("dscale", dscale), ("dshift", dshift)])?;
    check_len(OP, "dy", x.len(), dy.len())?;
    check_len(OP, "dx", x.len(), dx.len())?;
    let (level, zero) = (Level::selected(), vec![0.0; c]);
    let (sum, product) = rows::column_sums(level, x, Some(dy), c, &zero);
    for k in 0..c {
        (dscale[k], dshift[k]) = (product[k] as f32, sum[k] as f32);
    }
    rows::scaled(level, dy, c, scale, dx);
    Ok(())
}

/// Folds batch norm with fixed statistics into the `(scale, shift)` of [`affine`].
///
/// `scale = γ/√(v + ε)`, `shift = β - μ scale`.
///
/// # Errors
/// [`KernelError`] if the lengths differ or `eps` is not above 0.
///
/// # Example
/// ```
/// let folded = bitspike_kernels::norm::fold(&[3.0], &[3.0], &[2.0], &[0.5], 1.0).unwrap();
/// assert_eq!(folded, (vec![1.0], vec![-2.5]));
/// ```
pub fn fold(
    mean: &[f32],
    var: &[f32],
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
) -> Result<(Vec<f32>, Vec<f32>), KernelError> {
    const OP: &str = "norm::fold";
    check_channels(OP, mean.len(), &[("var", var), ("gamma", gamma), ("beta", beta)])?;
    check_eps(OP, eps)?;
    let folded = mean.iter().zip(var).zip(gamma.iter().zip(beta)).map(|((mean, var), (gamma, beta))| {
        let scale = f64::from(*gamma) / (f64::from(*var) + f64::from(eps)).sqrt();
        (scale as f32, (f64::from(*beta) - f64::from(*mean) * scale) as f32)
    });
    Ok(folded.unzip())
}

/// `γ/√(v + ε)` per channel.
pub(crate) fn scales(op: &'static str, var: &[f32], gamma: &[f32], eps: f32) -> Result<Vec<f32>, KernelError> {
    check_eps(op, eps)?;
    let scale = |(var, gamma): (&f32, &f32)| (f64::from(*gamma) / (f64::from(*var) + f64::from(eps)).sqrt()) as f32;
    Ok(var.iter().zip(gamma).map(scale).collect())
}

fn check_eps(op: &'static str, eps: f32) -> Result<(), KernelError> {
    check_range(op, "eps", eps.into(), eps > 0.0 && eps.is_finite(), "above 0 and finite")
}

/// `R` from the length of an `[R, C]` slice.
fn row_count(op: &'static str, len: usize, c: usize) -> Result<usize, KernelError> {
    check_nonzero(op, "c", c)?;
    if len.is_multiple_of(c) {
        return Ok(len / c);
    }
    Err(KernelError::Multiple { op, name: "x", multiple_of: c, found: len })
}

fn check_channels(op: &'static str, c: usize, slices: &[(&'static str, &[f32])]) -> Result<(), KernelError> {
    slices.iter().try_for_each(|(name, slice)| check_len(op, name, c, slice.len()))
}
