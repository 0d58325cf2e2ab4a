//! Average, maximum and global average pooling over channels-last maps, forward and backward.
//!
//! A window of `k × k` pixels moves by `stride`; there is no padding, and rows and columns that do not fill a window
//! are left out, as PyTorch does by default: `out = floor((in - k) / stride) + 1`.
//!
//! Shapes: `x` `[N, H, W, C]` → `y` `[N, OH, OW, C]`; in a time-major network `N` is time steps times batch.

pub(crate) mod average;
mod global;
mod maximum;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::error::{KernelError, check_nonzero, check_range, product};
pub use average::{avg_backward, avg_forward};
pub use global::{global_avg_backward, global_avg_forward};
pub use maximum::{max_backward, max_forward};

/// The sizes of a pooling: `n` maps of `h × w` pixels and `c` channels, a `k × k` window that moves by `stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolShape {
    /// Maps.
    pub n: usize,
    /// Rows of a map.
    pub h: usize,
    /// Columns of a map.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Rows and columns of the window, at most 15.
    pub k: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
}

impl PoolShape {
    /// Rows of the output; 0 if the window does not fit.
    #[must_use]
    pub fn out_h(&self) -> usize {
        self.out(self.h)
    }

    /// Columns of the output; 0 if the window does not fit.
    #[must_use]
    pub fn out_w(&self) -> usize {
        self.out(self.w)
    }

    fn out(&self, size: usize) -> usize {
        if size < self.k || self.stride == 0 { 0 } else { (size - self.k) / self.stride + 1 }
    }

    /// Elements of input and output; refuses empty or uncountable shapes and windows that do not fit.
    fn check(&self, op: &'static str) -> Result<(usize, usize), KernelError> {
        let sizes = [("n", self.n), ("h", self.h), ("w", self.w), ("c", self.c), ("stride", self.stride)];
        for (name, size) in sizes {
            check_nonzero(op, name, size)?;
        }
        // The position of a maximum in its window is kept in one byte.
        check_range(op, "k", self.k as f64, (1..=15).contains(&self.k), "between 1 and 15")?;
        check_range(op, "k", self.k as f64, self.k <= self.h.min(self.w), "at most the height and the width")?;
        let input = product(op, &[self.n, self.h, self.w, self.c])?;
        Ok((input, product(op, &[self.n, self.out_h(), self.out_w(), self.c])?))
    }

    /// Elements of an input row.
    fn row(&self) -> usize {
        self.w * self.c
    }

    /// Elements of an output row.
    fn out_row(&self) -> usize {
        self.out_w() * self.c
    }

    /// The windows that cover position `at` of an axis with `out` windows.
    fn windows_over(&self, at: usize, out: usize) -> std::ops::Range<usize> {
        let first = (at + 1).saturating_sub(self.k).div_ceil(self.stride);
        first..(at / self.stride + 1).min(out)
    }
}
