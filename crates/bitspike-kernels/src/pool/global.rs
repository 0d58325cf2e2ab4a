//! Global average pooling.

use super::KernelError;
use crate::error::{check_len, check_nonzero, product};
use crate::par::{self, Level, columns};

/// Computes the mean of every channel over all pixels of a map; sums are in `f64`.
///
/// Shapes: `x` `[N, HW, C]` → `y` `[N, C]`.
///
/// # Errors
/// [`KernelError`] if a length is wrong or a size is 0.
///
/// # Example
/// ```
/// let mut y = [0.0; 2];
/// bitspike_kernels::pool::global_avg_forward(&[1.0, 10.0, 3.0, 30.0], 1, 2, 2, &mut y).unwrap();
/// assert_eq!(y, [2.0, 20.0]);
/// ```
pub fn global_avg_forward(x: &[f32], n: usize, hw: usize, c: usize, y: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "pool::global_avg_forward";
    check(OP, n, hw, c, ("x", x.len()), ("y", y.len()))?;
    let level = Level::selected();
    let items = y.chunks_mut(c).zip(x.chunks(hw * c)).collect();
    par::for_each(x.len(), items, |(y, x): (&mut [f32], &[f32])| {
        let mut sums = vec![0.0; c * par::repeats(c)];
        columns::add_columns(level, x, &mut sums);
        let sums = par::fold_columns(std::iter::once(&sums[..]), c);
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = (sum / hw as f64) as f32;
        }
    });
    Ok(())
}

/// Computes the gradient of [`global_avg_forward`]: every pixel gets `dy / HW`.
///
/// Shapes: `dy` `[N, C]` → `dx` `[N, HW, C]`.
///
/// # Errors
/// [`KernelError`] if a length is wrong or a size is 0.
///
/// # Example
/// ```
/// let mut dx = [0.0; 4];
/// bitspike_kernels::pool::global_avg_backward(&[1.0, 3.0], 1, 2, 2, &mut dx).unwrap();
/// assert_eq!(dx, [0.5, 1.5, 0.5, 1.5]);
/// ```
pub fn global_avg_backward(dy: &[f32], n: usize, hw: usize, c: usize, dx: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "pool::global_avg_backward";
    check(OP, n, hw, c, ("dx", dx.len()), ("dy", dy.len()))?;
    let len = dx.len();
    let items = dx.chunks_mut(hw * c).zip(dy.chunks(c)).collect();
    par::for_each(len, items, |(dx, dy): (&mut [f32], &[f32])| {
        let share: Vec<f32> = dy.iter().map(|dy| dy / hw as f32).collect();
        dx.chunks_mut(c).for_each(|dx| dx.copy_from_slice(&share));
    });
    Ok(())
}

fn check(
    op: &'static str,
    n: usize,
    hw: usize,
    c: usize,
    map: (&'static str, usize),
    pooled: (&'static str, usize),
) -> Result<(), KernelError> {
    for (name, size) in [("n", n), ("hw", hw), ("c", c)] {
        check_nonzero(op, name, size)?;
    }
    check_len(op, map.0, product(op, &[n, hw, c])?, map.1)?;
    check_len(op, pooled.0, product(op, &[n, c])?, pooled.1)
}
