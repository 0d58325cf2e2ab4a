//! The gate of Adaptive Gradient Modulation (AGMM): forward and backward, all variants.
//!
//! ```text
//! m = mean of X over its pool        g = σ(m)             y = α[t] · g · X     (default)
//!                                    g = σ(α[t] · m)      y = g · X            (alpha_inside)
//! ```
//!
//! σ is the logistic function, or its hard form `min(max(x / 4 + 1/2, 0), 1)`. With `N` elements in a pool, `k` the factor in
//! front of `X` (`α g` or `g`) and `σ'` the derivative where g was taken, `g (1 - g)`, or for the hard form 1/4 between its corners
//! ±2 and 0 at them and beyond:
//!
//! ```text
//! dX   = k dY + (α σ' / N) Σ_pool(dY · X)          the second term is dropped by detach_gate
//! dα   = Σ g dY X        or, with alpha_inside,    Σ m σ' dY X
//! ```
//!
//! With [`Apply::Gradient`] the value passes unchanged, `y = X`, and only its gradient is multiplied: `dX = k dY`,
//! `dα = 0`.
//!
//! Shapes: `X` `[T, N, HW, C]` channels-last; `α` `[T]` or `[T, C]`; means as [`GateShape::means_len`] says.
//!
//! Source: the factor `α[t]` and `σ(E(X[t]))` are stated by Liang et al., AAAI 2025 (arXiv 2502.14344). How the mean
//! is pooled, the shape of `α` and every option here are our reconstruction, and the gradients are derived from it.

mod elementwise;
pub(crate) mod params;
pub(crate) mod pooled;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::error::{KernelError, check_len};
pub use bitspike_format::math::{HARD_CORNER, HARD_SLOPE};
pub use params::{Apply, Function, GateParams, GateShape, Pool};

use crate::par::Level;
use params::{Alpha, Means};

/// Computes the gated value and the means that the backward pass needs.
///
/// Shapes: `x` `[T, N, HW, C]`, `alpha` `[T]` or `[T, C]` → `y` like `x`, `means` of
/// [`GateShape::means_len`] elements. With [`Apply::Gradient`] `y` is a copy of `x`; [`means`] alone saves that copy.
///
/// # Errors
/// [`KernelError`] if a length is wrong or a size is 0.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateParams, GateShape, forward};
/// let shape = GateShape { t: 1, n: 1, hw: 2, c: 1 };
/// let (mut y, mut means) = ([0.0; 2], [0.0; 1]);
/// forward(&GateParams::default(), &shape, &[1.0, -1.0], &[2.0], &mut y, &mut means).unwrap();
/// assert_eq!((y, means), ([1.0, -1.0], [0.0])); // α = 2 undoes σ(0)
/// ```
pub fn forward(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    alpha: &[f32],
    y: &mut [f32],
    means: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "gate::forward";
    let len = shape.check(OP)?;
    check_len(OP, "x", len, x.len())?;
    check_len(OP, "y", len, y.len())?;
    check_len(OP, "means", shape.means_len(p.pool), means.len())?;
    let alpha = Alpha::new(OP, shape, alpha)?;
    if p.apply == Apply::Gradient {
        pooled::means(shape, p.pool, x, means);
        y.copy_from_slice(x);
    } else if p.pool == Pool::None {
        elementwise::forward(p, shape, x, alpha, y);
    } else {
        pooled::forward(p, shape, x, alpha, y, means);
    }
    Ok(())
}

/// Computes the means only: all that [`Apply::Gradient`] has to do in the forward pass.
///
/// Shapes: `x` `[T, N, HW, C]` → `means` of [`GateShape::means_len`] elements.
///
/// # Errors
/// [`KernelError`] if a length is wrong or a size is 0.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateShape, Pool, means};
/// let shape = GateShape { t: 1, n: 2, hw: 2, c: 1 };
/// let mut found = [0.0; 2];
/// means(Pool::Chw, &shape, &[1.0, 2.0, 3.0, 5.0], &mut found).unwrap();
/// assert_eq!(found, [1.5, 4.0]);
/// ```
pub fn means(pool: Pool, shape: &GateShape, x: &[f32], means: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "gate::means";
    check_len(OP, "x", shape.check(OP)?, x.len())?;
    check_len(OP, "means", shape.means_len(pool), means.len())?;
    pooled::means(shape, pool, x, means);
    Ok(())
}

/// Computes the gradients of [`forward`] with respect to `x` and `alpha`.
///
/// Shapes: `x`, `dy` `[T, N, HW, C]`, `means` as written by [`forward`] → `dx` like `x`, `dalpha` like `alpha`.
///
/// # Errors
/// [`KernelError`] if a length is wrong or a size is 0.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateParams, GateShape, backward};
/// let shape = GateShape { t: 1, n: 1, hw: 2, c: 1 };
/// let (mut dx, mut dalpha) = ([0.0; 2], [0.0]);
/// let (x, dy) = ([1.0, -1.0], [1.0, 0.0]);
/// backward(&GateParams::default(), &shape, &x, &[0.0], &[2.0], &dy, &mut dx, &mut dalpha).unwrap();
/// assert_eq!((dx, dalpha), ([1.25, 0.25], [0.5]));
/// ```
#[allow(clippy::too_many_arguments)]
pub fn backward(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    means: &[f32],
    alpha: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dalpha: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "gate::backward";
    check_len(OP, "means", shape.means_len(p.pool), means.len())?;
    let alpha = check_backward(OP, shape, x, alpha, dy, dx, dalpha)?;
    if p.pool == Pool::None {
        elementwise::backward(p, shape, x, alpha, dy, dx, dalpha);
    } else {
        let found = Means::of_pool(shape, p.pool, means);
        pooled::backward(p, shape, x, found, !p.detach_gate, alpha, dy, dx, dalpha);
    }
    Ok(())
}

/// Computes the factor of every step and channel when the means are given: `k` of the module's formulas.
///
/// A network whose gates use running means is an affine map: this factor folds into the batch norm before it.
///
/// Shapes: `means` `[T]` or `[T, C]`, `alpha` `[T]` or `[T, C]` → `[T, C]`. Only `t` and `c` of the shape are used, and
/// only `alpha_inside` and `pool` of the parameters ([`Pool::Const`] ignores the means).
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0, or the pool is [`Pool::None`], which has no means.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateParams, GateShape, fixed_factors};
/// let shape = GateShape { t: 1, n: 1, hw: 1, c: 2 };
/// let k = fixed_factors(&GateParams::default(), &shape, &[0.0], &[1.0, 3.0]).unwrap();
/// assert_eq!(k, [0.5, 1.5]);
/// ```
pub fn fixed_factors(p: &GateParams, shape: &GateShape, means: &[f32], alpha: &[f32]) -> Result<Vec<f32>, KernelError> {
    const OP: &str = "gate::fixed_factors";
    shape.check(OP)?;
    let (means, alpha) = (fixed_means(OP, p, shape, means)?, Alpha::new(OP, shape, alpha)?);
    let of_step = |t| {
        let factor = pooled::Gates::new(Level::selected(), p, shape.c, alpha, means, (t, 0)).factor;
        factor.repeat(shape.c / factor.len())
    };
    Ok((0..shape.t).flat_map(of_step).collect())
}

/// Like [`forward`] with given means (running means at evaluation), which are constants.
///
/// Shapes: `x` `[T, N, HW, C]`, `means` `[T]` or `[T, C]` → `y` like `x`. With [`Apply::Gradient`] `y` is a copy.
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0, or the pool is [`Pool::None`], which has no means.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateParams, GateShape, forward_with_means};
/// let shape = GateShape { t: 1, n: 1, hw: 2, c: 1 };
/// let mut y = [0.0; 2];
/// forward_with_means(&GateParams::default(), &shape, &[1.0, 3.0], &[0.0], &[1.0], &mut y).unwrap();
/// assert_eq!(y, [0.5, 1.5]);
/// ```
pub fn forward_with_means(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    means: &[f32],
    alpha: &[f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "gate::forward_with_means";
    let len = shape.check(OP)?;
    check_len(OP, "x", len, x.len())?;
    check_len(OP, "y", len, y.len())?;
    let (means, alpha) = (fixed_means(OP, p, shape, means)?, Alpha::new(OP, shape, alpha)?);
    if p.apply == Apply::Gradient {
        y.copy_from_slice(x);
    } else {
        pooled::scale(p, shape, x, alpha, means, y);
    }
    Ok(())
}

/// Computes the gradients of [`forward_with_means`] with respect to `x` and `alpha`; the means get none.
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0, or the pool is [`Pool::None`], which has no means.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateParams, GateShape, backward_with_means};
/// let shape = GateShape { t: 1, n: 1, hw: 2, c: 1 };
/// let (mut dx, mut dalpha) = ([0.0; 2], [0.0]);
/// backward_with_means(
///     &GateParams::default(), &shape, &[1.0, 3.0], &[0.0], &[2.0], &[1.0, 1.0], &mut dx, &mut dalpha).unwrap();
/// assert_eq!((dx, dalpha), ([1.0, 1.0], [2.0]));
/// ```
#[allow(clippy::too_many_arguments)]
pub fn backward_with_means(
    p: &GateParams,
    shape: &GateShape,
    x: &[f32],
    means: &[f32],
    alpha: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dalpha: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "gate::backward_with_means";
    let alpha = check_backward(OP, shape, x, alpha, dy, dx, dalpha)?;
    let means = fixed_means(OP, p, shape, means)?;
    pooled::backward(p, shape, x, means, false, alpha, dy, dx, dalpha);
    Ok(())
}

/// Averages the means of a batch over its samples: what a running mean per step is moved towards.
///
/// Shapes: `means` as written by [`forward`] → `[T]` for `Chw` and `Nchw`, `[T, C]` for `Hw`, empty for the others.
///
/// # Errors
/// [`KernelError`] if a length is wrong or a size is 0.
///
/// # Example
/// ```
/// use bitspike_kernels::gate::{GateShape, Pool, step_means};
/// let shape = GateShape { t: 1, n: 2, hw: 9, c: 4 };
/// assert_eq!(step_means(Pool::Chw, &shape, &[1.0, 2.0]).unwrap(), [1.5]);
/// ```
pub fn step_means(pool: Pool, shape: &GateShape, means: &[f32]) -> Result<Vec<f32>, KernelError> {
    const OP: &str = "gate::step_means";
    shape.check(OP)?;
    check_len(OP, "means", shape.means_len(pool), means.len())?;
    let (channels, samples) = match pool {
        Pool::Chw => (1, shape.n),
        Pool::Hw => (shape.c, shape.n),
        Pool::Nchw => (1, 1),
        Pool::None | Pool::Const => return Ok(Vec::new()),
    };
    let of_step = |step: &[f32]| -> Vec<f32> {
        let sum = |c| step.iter().skip(c).step_by(channels).map(|m| f64::from(*m)).sum::<f64>();
        (0..channels).map(|c| (sum(c) / samples as f64) as f32).collect()
    };
    Ok(means.chunks(channels * samples).flat_map(of_step).collect())
}

/// The checks that both backward passes share.
fn check_backward<'a>(
    op: &'static str,
    shape: &GateShape,
    x: &[f32],
    alpha: &'a [f32],
    dy: &[f32],
    dx: &[f32],
    dalpha: &[f32],
) -> Result<Alpha<'a>, KernelError> {
    let len = shape.check(op)?;
    for (name, found) in [("x", x.len()), ("dy", dy.len()), ("dx", dx.len())] {
        check_len(op, name, len, found)?;
    }
    check_len(op, "dalpha", alpha.len(), dalpha.len())?;
    Alpha::new(op, shape, alpha)
}

/// Given means, unless the variant has none.
fn fixed_means<'a>(
    op: &'static str,
    p: &GateParams,
    shape: &GateShape,
    means: &'a [f32],
) -> Result<Means<'a>, KernelError> {
    match p.pool {
        Pool::Const => Ok(Means::of_pool(shape, Pool::Const, &[])),
        Pool::None => Err(KernelError::Unsupported {
            op,
            what: "a gate per element has no means to be given",
            instead: "call `forward` and `backward`, which need none for this pool",
        }),
        _ => Means::fixed(op, shape, means),
    }
}
