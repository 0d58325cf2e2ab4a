//! Maximum pooling.

use super::{KernelError, PoolShape};
use crate::error::check_len;
use crate::par::{self, Level, multiversioned};

/// Computes the maximum of every window and where it is.
///
/// Shapes: `x` `[N, H, W, C]` → `y`, `argmax` `[N, OH, OW, C]`. `argmax` counts row by row within the window,
/// `ky · k + kx`. Of equal values the first counts; NaN counts as larger than everything.
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0 or the window does not fit.
///
/// # Example
/// ```
/// use bitspike_kernels::pool::{PoolShape, max_forward};
/// let shape = PoolShape { n: 1, h: 2, w: 2, c: 1, k: 2, stride: 2 };
/// let (mut y, mut argmax) = ([0.0], [0]);
/// max_forward(&shape, &[0.0, 1.0, 3.0, 3.0], &mut y, &mut argmax).unwrap();
/// assert_eq!((y, argmax), ([3.0], [2]));
/// ```
pub fn max_forward(shape: &PoolShape, x: &[f32], y: &mut [f32], argmax: &mut [u8]) -> Result<(), KernelError> {
    const OP: &str = "pool::max_forward";
    let (input, output) = shape.check(OP)?;
    check_len(OP, "x", input, x.len())?;
    check_len(OP, "y", output, y.len())?;
    check_len(OP, "argmax", output, argmax.len())?;
    let (level, shape) = (Level::selected(), *shape);
    let rows = y.chunks_mut(shape.out_row()).zip(argmax.chunks_mut(shape.out_row()));
    par::for_each(input, rows.enumerate().collect(), |(i, (y, argmax)): (usize, (&mut [f32], &mut [u8]))| {
        let (n, oy) = (i / shape.out_h(), i % shape.out_h());
        let window_rows = &x[(n * shape.h + oy * shape.stride) * shape.row()..][..shape.k * shape.row()];
        forward_row(level, &shape, window_rows, y, argmax);
    });
    Ok(())
}

multiversioned! {
    /// One output row from the `k` input rows under it.
    fn forward_row(shape: &PoolShape, x: &[f32], y: &mut [f32], argmax: &mut [u8]) {
        let c = shape.c;
        for (ox, (y, argmax)) in y.chunks_exact_mut(c).zip(argmax.chunks_exact_mut(c)).enumerate() {
            let from = ox * shape.stride * c;
            y.copy_from_slice(&x[from..][..c]);
            argmax.fill(0);
            for (ky, x) in x.chunks_exact(shape.row()).enumerate() {
                for (kx, x) in x[from..][..shape.k * c].chunks_exact(c).enumerate() {
                    // At most 15 · 15, see PoolShape::check.
                    let here = (ky * shape.k + kx) as u8;
                    for ((x, y), argmax) in x.iter().zip(&mut *y).zip(&mut *argmax) {
                        // A NaN already found stays: it compares false with everything.
                        let larger = *x > *y || (x.is_nan() && !y.is_nan());
                        *y = if larger { *x } else { *y };
                        *argmax = if larger { here } else { *argmax };
                    }
                }
            }
        }
    }
}

/// Computes the gradient of [`max_forward`]: `dy` goes to the pixel that was the maximum.
///
/// Shapes: `argmax`, `dy` `[N, OH, OW, C]` → `dx` `[N, H, W, C]`.
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0 or the window does not fit.
///
/// # Example
/// ```
/// use bitspike_kernels::pool::{PoolShape, max_backward};
/// let shape = PoolShape { n: 1, h: 2, w: 2, c: 1, k: 2, stride: 2 };
/// let mut dx = [9.0; 4];
/// max_backward(&shape, &[2], &[1.5], &mut dx).unwrap();
/// assert_eq!(dx, [0.0, 0.0, 1.5, 0.0]);
/// ```
pub fn max_backward(shape: &PoolShape, argmax: &[u8], dy: &[f32], dx: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "pool::max_backward";
    let (input, output) = shape.check(OP)?;
    check_len(OP, "argmax", output, argmax.len())?;
    check_len(OP, "dy", output, dy.len())?;
    check_len(OP, "dx", input, dx.len())?;
    let (level, shape) = (Level::selected(), *shape);
    let items = dx.chunks_mut(shape.row()).enumerate().collect();
    par::for_each(input, items, |(i, dx): (usize, &mut [f32])| {
        let (n, iy) = (i / shape.h, i % shape.h);
        dx.fill(0.0);
        for oy in shape.windows_over(iy, shape.out_h()) {
            let from = (n * shape.out_h() + oy) * shape.out_row();
            let (argmax, dy) = (&argmax[from..][..shape.out_row()], &dy[from..][..shape.out_row()]);
            backward_row(level, &shape, iy - oy * shape.stride, argmax, dy, dx);
        }
    });
    Ok(())
}

multiversioned! {
    /// Adds to one input row, row `ky` of the window, what one output row sends to it.
    fn backward_row(shape: &PoolShape, ky: usize, argmax: &[u8], dy: &[f32], dx: &mut [f32]) {
        let c = shape.c;
        for (ox, (argmax, dy)) in argmax.chunks_exact(c).zip(dy.chunks_exact(c)).enumerate() {
            let under = &mut dx[ox * shape.stride * c..][..shape.k * c];
            for (kx, dx) in under.chunks_exact_mut(c).enumerate() {
                let here = (ky * shape.k + kx) as u8;
                for ((dx, argmax), dy) in dx.iter_mut().zip(argmax).zip(dy) {
                    *dx += if *argmax == here { *dy } else { 0.0 };
                }
            }
        }
    }
}
