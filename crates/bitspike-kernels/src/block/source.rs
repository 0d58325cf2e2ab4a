//! The output of the convolution as a block reads it: floats, or the integer sums of a binary convolution.

use crate::error::{KernelError, check_len};
use crate::par::multiversioned;

/// `x` of a block, `[T, N, H, W, C]`.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// As it is.
    Floats(&'a [f32]),
    /// `x = factor[c] * values`: the sums of [`forward_counts`](crate::conv_binary::forward_counts), half the memory.
    Counts {
        /// The sums.
        values: &'a [i16],
        /// Unit of the spikes times scale of the weights, `[C]`.
        factor: &'a [f32],
    },
}

impl<'a> From<&'a [f32]> for Source<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::Floats(values)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Source<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Self::Floats(values)
    }
}

impl<'a> From<&'a Vec<f32>> for Source<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Self::Floats(values)
    }
}

impl Source<'_> {
    pub(super) fn check(&self, op: &'static str, len: usize, c: usize) -> Result<(), KernelError> {
        match self {
            Self::Floats(x) => check_len(op, "x", len, x.len()),
            Self::Counts { values, factor } => {
                check_len(op, "x", len, values.len())?;
                check_len(op, "factor", c, factor.len())
            }
        }
    }
}

multiversioned! {
    /// `y = factor x`; `factor` is a pattern that is laid over `x` again and again.
    pub(super) fn convert(x: &[i16], factor: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(factor.len()).zip(y.chunks_mut(factor.len())) {
            for ((x, factor), y) in x.iter().zip(factor).zip(y) {
                *y = f32::from(*x) * *factor;
            }
        }
    }
}

/// Rows whose squares are added in 32 bits: 15-bit values squared, so only a few.
const LARGE_ROWS: usize = 2;
/// The same for values below 2^12.
const SMALL_ROWS: usize = 64;

multiversioned! {
    /// Adds `x` and its square per column of `sum.len()` channels, exactly.
    pub(super) fn sums(x: &[i16], sum: &mut [i64], squares: &mut [i64]) {
        let c = sum.len();
        let (mut part, mut part_squares) = (vec![0i32; c], vec![0i32; c]);
        for x in x.chunks(SMALL_ROWS * c) {
            let small = x.iter().fold(0u16, |m, v| m | v.unsigned_abs()) < 1 << 12;
            for x in x.chunks(c * if small { SMALL_ROWS } else { LARGE_ROWS }) {
                for x in x.chunks_exact(c) {
                    for ((x, sum), squares) in x.iter().zip(&mut part).zip(&mut part_squares) {
                        let x = i32::from(*x);
                        *sum += x;
                        *squares += x * x;
                    }
                }
                for (sum, part) in sum.iter_mut().zip(&mut part) {
                    *sum += i64::from(std::mem::take(part));
                }
                for (sum, part) in squares.iter_mut().zip(&mut part_squares) {
                    *sum += i64::from(std::mem::take(part));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::par::Level;

    #[test]
    fn sums_are_exact_up_to_the_largest_magnitude() {
        for level in Level::available() {
            for (value, rows) in [(i16::MAX, 9), (-i16::MAX, 130), (4095, 200), (4096, 200), (-1, 1)] {
                let x = vec![value; rows * 3];
                let (mut sum, mut squares) = ([1i64; 3], [2i64; 3]);
                sums(level, &x, &mut sum, &mut squares);
                let v = i64::from(value);
                assert_eq!((sum, squares), ([1 + v * rows as i64; 3], [2 + v * v * rows as i64; 3]));
            }
        }
    }
}
