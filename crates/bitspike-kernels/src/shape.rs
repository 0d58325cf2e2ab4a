//! Sizes of a convolution.

use crate::error::{KernelError, check_nonzero};

/// Sizes of one two-dimensional convolution with symmetric zero padding and one group.
///
/// Shapes: x `[n, h, w, c_in]`, weights `[c_out, c_in, kh, kw]`, y `[n, out_h, out_w, c_out]`; activations are
/// channels-last and contiguous. In a time-major network `n` is the number of time steps times the batch.
///
/// ```
/// use bitspike_kernels::shape::ConvShape;
/// let s = ConvShape { n: 2, h: 7, w: 9, c_in: 3, c_out: 8, kh: 3, kw: 3, stride: 2, padding: 1 };
/// assert_eq!((s.out_h(), s.out_w()), (4, 5));
/// assert_eq!(s.checked().unwrap().y, 2 * 4 * 5 * 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Number of images (time steps times batch).
    pub n: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Input channels.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// Kernel height.
    pub kh: usize,
    /// Kernel width.
    pub kw: usize,
    /// Step of the window, the same along both axes.
    pub stride: usize,
    /// Zero rows and columns on every side.
    pub padding: usize,
}

/// Slice lengths that belong to a [`ConvShape`], in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvLengths {
    /// Length of the input, `n * h * w * c_in`.
    pub x: usize,
    /// Length of the weights, `c_out * c_in * kh * kw`.
    pub w: usize,
    /// Length of the output, `n * out_h * out_w * c_out`.
    pub y: usize,
}

fn output_extent(input: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (input + 2 * padding).checked_sub(kernel).map_or(0, |d| d / stride.max(1) + 1)
}

impl ConvShape {
    /// Output height, `(h + 2 padding - kh) / stride + 1`; 0 when the kernel does not fit.
    #[must_use]
    pub fn out_h(&self) -> usize {
        output_extent(self.h, self.kh, self.stride, self.padding)
    }

    /// Output width, `(w + 2 padding - kw) / stride + 1`; 0 when the kernel does not fit.
    #[must_use]
    pub fn out_w(&self) -> usize {
        output_extent(self.w, self.kw, self.stride, self.padding)
    }

    /// Multiply-accumulates of one forward pass, `n * out_h * out_w * c_out * c_in * kh * kw`; borders count as full.
    #[must_use]
    pub fn macs(&self) -> u64 {
        [self.n, self.out_h(), self.out_w(), self.c_out, self.c_in, self.kh, self.kw]
            .iter()
            .map(|&v| v as u64)
            .product()
    }

    /// Checks the sizes and gives the lengths of the three slices.
    ///
    /// # Errors
    /// A zero size, a kernel larger than the padded input, or a product that does not fit the address space.
    pub fn checked(&self) -> Result<ConvLengths, KernelError> {
        let fields = [
            ("n", self.n),
            ("h", self.h),
            ("w", self.w),
            ("c_in", self.c_in),
            ("c_out", self.c_out),
            ("kh", self.kh),
            ("kw", self.kw),
            ("stride", self.stride),
        ];
        fields.iter().try_for_each(|&(field, v)| check_nonzero("convolution", field, v))?;
        // Padding enters sums with both axes; one bound here keeps every later sum far from overflow.
        const EXTENT: usize = 1 << 30;
        let extents = [self.h, self.w, self.kh, self.kw, self.stride, self.padding];
        if extents.iter().any(|&v| v > EXTENT) {
            return Err(KernelError::TooLarge { what: "an extent", limit: "2^30" });
        }
        for (axis, input, kernel) in [("rows", self.h, self.kh), ("columns", self.w, self.kw)] {
            let padded = input + 2 * self.padding;
            if kernel > padded {
                return Err(KernelError::KernelTooLarge { axis, kernel, padded });
            }
        }
        let product = |what, sizes: &[usize]| {
            sizes
                .iter()
                .try_fold(1usize, |a, &b| a.checked_mul(b))
                .filter(|&v| v <= isize::MAX as usize / 64)
                .ok_or(KernelError::TooLarge { what, limit: "the address space" })
        };
        let padded = [self.n, self.h + 2 * self.padding, self.w + 2 * self.padding, self.c_in];
        product("the padded input", &padded)?;
        Ok(ConvLengths {
            x: product("the input", &[self.n, self.h, self.w, self.c_in])?,
            w: product("the weight", &[self.c_out, self.c_in, self.kh, self.kw])?,
            y: product("the output", &[self.n, self.out_h(), self.out_w(), self.c_out])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: ConvShape = ConvShape { n: 1, h: 5, w: 4, c_in: 2, c_out: 3, kh: 3, kw: 3, stride: 1, padding: 0 };

    #[test]
    fn output_extent_follows_the_formula() {
        let rows: [(usize, usize, usize, usize, usize); 6] =
            [(5, 3, 1, 1, 5), (5, 3, 2, 1, 3), (8, 1, 2, 0, 4), (7, 5, 1, 2, 7), (3, 3, 1, 0, 1), (2, 3, 1, 0, 0)];
        let wrong: Vec<_> = rows.iter().filter(|&&(i, k, s, p, o)| output_extent(i, k, s, p) != o).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn bad_sizes_are_named() {
        let empty = ConvShape { c_in: 0, ..BASE }.checked();
        assert!(matches!(empty, Err(KernelError::Range { name: "c_in", .. })), "{empty:?}");
        assert_eq!(
            ConvShape { kw: 5, ..BASE }.checked(),
            Err(KernelError::KernelTooLarge { axis: "columns", kernel: 5, padded: 4 })
        );
        let huge = ConvShape { n: usize::MAX / 2, ..BASE };
        assert!(matches!(huge.checked(), Err(KernelError::TooLarge { .. })));
        let far = ConvShape { padding: usize::MAX / 2, ..BASE };
        assert!(matches!(far.checked(), Err(KernelError::TooLarge { .. })));
    }

    #[test]
    fn lengths_match_the_products() {
        assert_eq!(BASE.checked(), Ok(ConvLengths { x: 40, w: 54, y: 18 }));
        assert_eq!(BASE.macs(), 18 * 18);
    }
}
