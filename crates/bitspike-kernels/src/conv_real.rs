//! Convolution with real weights: full-precision networks, the first layer, real inputs of binary layers.
//!
//! ```text
//! y[n, oy, ox, co] = sum over ky, kx, ci of x[n, oy s + ky - p, ox s + kx - p, ci] w[co, ci, ky, kx]
//! ```
//!
//! Shapes: x `[N, H, W, Ci]`, w `[Co, Ci, Kh, Kw]`, y `[N, OH, OW, Co]`; x is zero outside its borders.
//! Sums are kept in `f32` in a fixed order: the result has the same bits whatever the number of threads, and differs
//! between code paths by rounding only. The scalar twins are in [`mod@reference`].
//!
//! ```
//! use bitspike_kernels::{conv_real, shape::ConvShape};
//! let s = ConvShape { n: 1, h: 3, w: 3, c_in: 1, c_out: 1, kh: 3, kw: 3, stride: 1, padding: 1 };
//! let mut y = [0.0; 9];
//! conv_real::forward(&s, &[1.0; 9], &[1.0; 9], &mut y)?;
//! assert_eq!(y, [4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
//! # Ok::<(), bitspike_kernels::KernelError>(())
//! ```

pub(crate) mod gather;
pub(crate) mod geometry;
pub(crate) mod lanes;
pub(crate) mod outer;
#[doc(hidden)]
pub mod reference;
pub(crate) mod window;
pub(crate) mod winograd;

#[cfg(test)]
pub(crate) mod tests;

use crate::dispatch::{KernelPath, require, selected};
use crate::error::{KernelError, check_len};
pub use crate::shape::ConvShape;
use gather::Packed;
use geometry::Plan;
use window::Dense;

/// y = x * w.
///
/// Shapes: x `[N, H, W, Ci]`, w `[Co, Ci, Kh, Kw]`, y `[N, OH, OW, Co]`.
///
/// # Errors
/// Sizes or slice lengths that do not fit together.
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    forward_with_path(selected(), s, x, w, y)
}

/// [`forward`] on a given code path.
///
/// # Errors
/// As [`forward`]; also a path the processor lacks.
pub fn forward_with_path(
    path: KernelPath,
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_real::forward";
    let (path, len) = (require(path)?, s.checked()?);
    check_len(OP, "x", len.x, x.len())?;
    check_len(OP, "w", len.w, w.len())?;
    check_len(OP, "y", len.y, y.len())?;
    let taps = s.kh * s.kw;
    let packed = Packed::new(s.c_out, s.c_in, taps, |co, ci, tap| w[(co * s.c_in + ci) * taps + tap]);
    let source = Dense { values: x, height: s.h, width: s.w, channels: s.c_in, scale: None };
    gather::gather(path, &Plan::forward(s), &source, &packed, y);
    Ok(())
}

/// dx, the gradient of the input: `dx[p] = sum of dy[q] w[co, ci, k]` over the outputs q that read p with tap k.
///
/// Shapes: dy `[N, OH, OW, Co]`, w `[Co, Ci, Kh, Kw]`, dx `[N, H, W, Ci]`.
///
/// # Errors
/// Sizes or slice lengths that do not fit together.
pub fn grad_input(s: &ConvShape, dy: &[f32], w: &[f32], dx: &mut [f32]) -> Result<(), KernelError> {
    grad_input_with_path(selected(), s, dy, w, dx)
}

/// [`grad_input`] on a given code path.
///
/// # Errors
/// As [`grad_input`]; also a path the processor lacks.
pub fn grad_input_with_path(
    path: KernelPath,
    s: &ConvShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_real::grad_input";
    let (path, len) = (require(path)?, s.checked()?);
    check_len(OP, "dy", len.y, dy.len())?;
    check_len(OP, "w", len.w, w.len())?;
    check_len(OP, "dx", len.x, dx.len())?;
    let taps = s.kh * s.kw;
    let packed = Packed::new(s.c_in, s.c_out, taps, |ci, co, tap| w[(co * s.c_in + ci) * taps + taps - 1 - tap]);
    let source = Dense { values: dy, height: s.out_h(), width: s.out_w(), channels: s.c_out, scale: None };
    gather::gather(path, &Plan::input_gradient(s), &source, &packed, dx);
    Ok(())
}

/// dw, the gradient of the weights: `dw[co, ci, k] = sum over pixels p of dy[p, co] x[p s + k - padding, ci]`.
///
/// Shapes: x `[N, H, W, Ci]`, dy `[N, OH, OW, Co]`, dw `[Co, Ci, Kh, Kw]`.
///
/// # Errors
/// Sizes or slice lengths that do not fit together.
pub fn grad_weight(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) -> Result<(), KernelError> {
    grad_weight_with_path(selected(), s, x, dy, dw)
}

/// [`grad_weight`] on a given code path.
///
/// # Errors
/// As [`grad_weight`]; also a path the processor lacks.
pub fn grad_weight_with_path(
    path: KernelPath,
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_real::grad_weight";
    let (path, len) = (require(path)?, s.checked()?);
    check_len(OP, "x", len.x, x.len())?;
    check_len(OP, "dy", len.y, dy.len())?;
    check_len(OP, "dw", len.w, dw.len())?;
    let source = Dense { values: x, height: s.h, width: s.w, channels: s.c_in, scale: None };
    outer::grad_weight(path, s, &source, dy, None, dw);
    Ok(())
}
