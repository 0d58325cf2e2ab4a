//! Permutations between channels-first and channels-last order.
//!
//! Shapes: `[N, C, HW]` ↔ `[N, HW, C]`; both are `N` matrix transpositions, done in blocks so that reads and writes
//! stay in the first-level cache.

#[cfg(test)]
mod tests;
pub(crate) mod transpose;

use crate::error::{KernelError, check_len, product};
use crate::par::{self, Level};

/// Permutes `x` `[N, C, HW]` to `y` `[N, HW, C]`.
///
/// # Errors
/// [`KernelError`] if a length is wrong.
///
/// # Example
/// ```
/// let mut y = [0.0; 6];
/// bitspike_kernels::layout::nchw_to_nhwc(&[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], 1, 2, 3, &mut y).unwrap();
/// assert_eq!(y, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
/// ```
pub fn nchw_to_nhwc(x: &[f32], n: usize, c: usize, hw: usize, y: &mut [f32]) -> Result<(), KernelError> {
    transpose("layout::nchw_to_nhwc", x, n, c, hw, y)
}

/// Permutes `x` `[N, HW, C]` to `y` `[N, C, HW]`: the inverse of [`nchw_to_nhwc`].
///
/// # Errors
/// [`KernelError`] if a length is wrong.
///
/// # Example
/// ```
/// let mut y = [0.0; 6];
/// bitspike_kernels::layout::nhwc_to_nchw(&[1.0, 10.0, 2.0, 20.0, 3.0, 30.0], 1, 2, 3, &mut y).unwrap();
/// assert_eq!(y, [1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
/// ```
pub fn nhwc_to_nchw(x: &[f32], n: usize, c: usize, hw: usize, y: &mut [f32]) -> Result<(), KernelError> {
    transpose("layout::nhwc_to_nchw", x, n, hw, c, y)
}

/// `n` matrices `[rows, columns]` to `[columns, rows]`.
fn transpose(
    op: &'static str,
    x: &[f32],
    n: usize,
    rows: usize,
    columns: usize,
    y: &mut [f32],
) -> Result<(), KernelError> {
    let len = product(op, &[n, rows, columns])?;
    check_len(op, "x", len, x.len())?;
    check_len(op, "y", len, y.len())?;
    if len == 0 {
        return Ok(());
    }
    if rows == 1 || columns == 1 {
        y.copy_from_slice(x);
        return Ok(());
    }
    // A task is a band of output rows, that is of input columns, of one matrix.
    let band = (par::CHUNK / rows).next_multiple_of(transpose::TILE).max(transpose::TILE).min(columns);
    let bands = columns.div_ceil(band);
    let level = Level::selected();
    let items: Vec<(usize, &mut [f32])> =
        y.chunks_mut(rows * columns).flat_map(|y| y.chunks_mut(band * rows)).enumerate().collect();
    par::for_each(len, items, |(i, y)| {
        let matrix = &x[i / bands * rows * columns..][..rows * columns];
        transpose::band(level, matrix, columns, i % bands * band, y, rows);
    });
    Ok(())
}
