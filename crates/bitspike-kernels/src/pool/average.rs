//! Average pooling.

use super::{KernelError, PoolShape};
use crate::error::check_len;
use crate::par::{self, Level, multiversioned};

/// Computes the mean of every window.
///
/// Shapes: `x` `[N, H, W, C]` → `y` `[N, OH, OW, C]`. The values of a window are added row by row and divided once.
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0 or the window does not fit.
///
/// # Example
/// ```
/// use bitspike_kernels::pool::{PoolShape, avg_forward};
/// let shape = PoolShape { n: 1, h: 2, w: 2, c: 1, k: 2, stride: 2 };
/// let mut y = [0.0];
/// avg_forward(&shape, &[1.0, 0.0, 1.0, 1.0], &mut y).unwrap();
/// assert_eq!(y, [0.75]);
/// ```
pub fn avg_forward(shape: &PoolShape, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "pool::avg_forward";
    let (input, output) = shape.check(OP)?;
    check_len(OP, "x", input, x.len())?;
    check_len(OP, "y", output, y.len())?;
    let (level, shape) = (Level::selected(), *shape);
    let items = y.chunks_mut(shape.out_row()).enumerate().collect();
    par::for_each(input, items, |(i, y): (usize, &mut [f32])| {
        let (n, oy) = (i / shape.out_h(), i % shape.out_h());
        let window_rows = &x[(n * shape.h + oy * shape.stride) * shape.row()..][..shape.k * shape.row()];
        if shape.k == 2 {
            forward_row_of_two(level, &shape, window_rows, y);
        } else {
            forward_row(level, &shape, window_rows, y);
        }
    });
    Ok(())
}

multiversioned! {
    /// One output row from the `k` input rows under it.
    fn forward_row(shape: &PoolShape, x: &[f32], y: &mut [f32]) {
        let area = (shape.k * shape.k) as f32;
        for (ox, y) in y.chunks_exact_mut(shape.c).enumerate() {
            y.fill(0.0);
            for x in x.chunks_exact(shape.row()) {
                let x = &x[ox * shape.stride * shape.c..][..shape.k * shape.c];
                for x in x.chunks_exact(shape.c) {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y += *x;
                    }
                }
            }
            y.iter_mut().for_each(|y| *y /= area);
        }
    }
}

multiversioned! {
    /// The same for `k = 2`, in one pass.
    pub(crate) fn forward_row_of_two(shape: &PoolShape, x: &[f32], y: &mut [f32]) {
        let c = shape.c;
        let (upper, lower) = x.split_at(shape.row());
        for (ox, y) in y.chunks_exact_mut(c).enumerate() {
            let from = ox * shape.stride * c;
            let (a, b) = upper[from..][..2 * c].split_at(c);
            let (d, e) = lower[from..][..2 * c].split_at(c);
            for ((((y, a), b), d), e) in y.iter_mut().zip(a).zip(b).zip(d).zip(e) {
                *y = (((*a + *b) + *d) + *e) / 4.0;
            }
        }
    }
}

/// Computes the gradient of [`avg_forward`]: every pixel gets `dy / k²` of each window over it.
///
/// Shapes: `dy` `[N, OH, OW, C]` → `dx` `[N, H, W, C]`; pixels under no window get 0.
///
/// # Errors
/// [`KernelError`] if a length is wrong, a size is 0 or the window does not fit.
///
/// # Example
/// ```
/// use bitspike_kernels::pool::{PoolShape, avg_backward};
/// let shape = PoolShape { n: 1, h: 2, w: 2, c: 1, k: 2, stride: 2 };
/// let mut dx = [0.0; 4];
/// avg_backward(&shape, &[1.0], &mut dx).unwrap();
/// assert_eq!(dx, [0.25; 4]);
/// ```
pub fn avg_backward(shape: &PoolShape, dy: &[f32], dx: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "pool::avg_backward";
    let (input, output) = shape.check(OP)?;
    check_len(OP, "dy", output, dy.len())?;
    check_len(OP, "dx", input, dx.len())?;
    let (level, shape) = (Level::selected(), *shape);
    let items = dx.chunks_mut(shape.row()).enumerate().collect();
    par::for_each(input, items, |(i, dx): (usize, &mut [f32])| {
        let (n, iy) = (i / shape.h, i % shape.h);
        let windows = shape.windows_over(iy, shape.out_h());
        let dy = &dy[(n * shape.out_h() + windows.start.min(windows.end)) * shape.out_row()..];
        backward_row(level, &shape, &dy[..windows.len() * shape.out_row()], dx);
    });
    Ok(())
}

multiversioned! {
    /// One input row from the output rows whose windows cover it.
    fn backward_row(shape: &PoolShape, dy: &[f32], dx: &mut [f32]) {
        let area = (shape.k * shape.k) as f32;
        let apart = shape.stride >= shape.k;
        if !apart || dy.is_empty() {
            dx.fill(0.0);
        } else {
            // Windows do not overlap: every pixel is written once, or is in a gap.
            let covered = shape.out_row() / shape.c * shape.stride * shape.c;
            dx[covered.min(shape.row())..].fill(0.0);
        }
        for dy in dy.chunks_exact(shape.out_row()) {
            for (ox, dy) in dy.chunks_exact(shape.c).enumerate() {
                let reach = if apart { shape.stride } else { shape.k } * shape.c;
                let from = ox * shape.stride * shape.c;
                let under = &mut dx[from..(from + reach).min(shape.row())];
                for (kx, dx) in under.chunks_exact_mut(shape.c).enumerate() {
                    if kx >= shape.k {
                        dx.fill(0.0);
                    } else if apart {
                        dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = *dy / area);
                    } else {
                        dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += *dy / area);
                    }
                }
            }
        }
    }
}
