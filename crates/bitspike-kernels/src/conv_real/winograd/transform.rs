//! The three linear maps of Winograd's F(4x4, 3x3), sixteen channels at a time.
//!
//! In one dimension, 4 outputs `y[i] = sum over k < 3 of d[i + k] g[k]` of 6 inputs d and 3 taps g are
//!
//! ```text
//! y = A' [(G g) o (B' d)]          (o: element by element)
//! ```
//!
//! with 6 instead of 12 multiplications; in two dimensions every map is applied along both axes. The construction is
//! Cook and Toom's, transposed: point p gives the row `(1, p, p^2, p^3)` of A, the coefficients of the polynomial
//! `N_p(x) = product over the other points q of (x - q)` as row of B', and `(1, p, p^2) / N_p(p)` as row of G; the point
//! at infinity gives the leading coefficients, and the product over all finite points as row of B'.
//!
//! The points are 0, 1, -1, 1/2, -2 and infinity, where the usual choice has 2 for 1/2. All numbers in A' and B' are
//! then short binary fractions between 1/8 and 8, and -2 and 1/2 = -1 / -2 balance each other: the rounding error is a
//! little more than half of that of the usual points.
//!
//! ```text
//!      | 1 -3/2   -2  3/2    1    0 |         |   1    0    0 |
//!      | 0   -1  1/2  5/2    1    0 |         | 1/3  1/3  1/3 |        | 1   1   1    1   1   0 |
//! B' = | 0    1 -5/2  1/2    1    0 |     G = |-1/3  1/3 -1/3 |   A' = | 0   1  -1  1/2  -2   0 |
//!      | 0   -2   -1    2    1    0 |         |-16 -8 -4 / 15 |        | 0   1   1  1/4   4   0 |
//!      | 0  1/2   -1 -1/2    1    0 |         |  1 -2  4 / 15 |        | 0   1  -1  1/8  -8   1 |
//!      | 0    1 -3/2   -2  3/2    1 |         |   0    0    1 |
//! ```
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016 (tiles, batched
//! products); points after B. Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for
//! Deep Neural Networks", ACM TOMS 2020.

use super::Line;
use crate::conv_real::lanes::Lanes;

/// Output pixels of a tile along one axis.
pub(crate) const TILE: usize = 4;
/// Input pixels of a tile along one axis.
pub(crate) const PATCH: usize = 6;
/// Products per tile, source and destination channel.
pub(crate) const PRODUCTS: usize = PATCH * PATCH;

/// B' of one row or column: 14 operations.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn data_row<V: Lanes>([x0, x1, x2, x3, x4, x5]: [V; PATCH]) -> [V; PATCH] {
    // SAFETY: passed on from the caller.
    unsafe {
        // All rows but the first and the last are combinations of two differences.
        let (a, b) = (x3.sub(x1), x4.sub(x2));
        let (even, odd) = (b.add_scaled(1.5, x3), a.add_scaled(1.5, x2));
        [
            x0.sub(x2).add(b).add_scaled(1.5, a),
            even.add(odd),
            even.sub(odd),
            b.add_scaled(2.0, a),
            b.add_scaled(-0.5, a),
            x5.sub(x3).sub(a).add_scaled(1.5, b),
        ]
    }
}

/// B' d B: writes factor k of sixteen channels to `out + k * stride`. Pixel `[row][column]` of the patch starts at
/// `pixels[row][column] + channel`.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; the pointers lead to 16 readable or writable values.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(always)]
pub(super) unsafe fn data<V: Lanes>(
    pixels: &[[*const f32; PATCH]; PATCH],
    channel: usize,
    out: *mut Line,
    stride: usize,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        // Rows are written out: vectors in arrays that loops or closures fill are kept in memory by the compiler.
        let rows = [
            data_row(row::<V>(&pixels[0], channel)),
            data_row(row::<V>(&pixels[1], channel)),
            data_row(row::<V>(&pixels[2], channel)),
            data_row(row::<V>(&pixels[3], channel)),
            data_row(row::<V>(&pixels[4], channel)),
            data_row(row::<V>(&pixels[5], channel)),
        ];
        for j in 0..PATCH {
            let column = data_row([rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]]);
            for i in 0..PATCH {
                column[i].store(out.add((i * PATCH + j) * stride).cast());
            }
        }
    }
}

/// G of one row or column without its factors [`FACTORS`], so that small integers stay exact.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn kernel_row<V: Lanes>([g0, g1, g2]: [V; 3]) -> [V; PATCH] {
    // SAFETY: passed on from the caller.
    unsafe {
        let ends = g0.add(g2);
        [
            g0,
            ends.add(g1),
            ends.sub(g1),
            g2.add_scaled(2.0, g1).add_scaled(4.0, g0),
            g0.add_scaled(-2.0, g1).add_scaled(4.0, g2),
            g2,
        ]
    }
}

/// What the rows of [`kernel_row`] lack.
const FACTORS: [f64; PATCH] = [1.0, 1.0 / 3.0, -1.0 / 3.0, -4.0 / 15.0, 1.0 / 15.0, 1.0];

/// G g G': writes factor k of the nine taps `g[3 row + column]` to `out + k * stride`. Of signs, every factor is
/// rounded only once.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; the pointers lead to 16 writable values.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(always)]
pub(super) unsafe fn kernel<V: Lanes>(g: [V; 9], out: *mut Line, stride: usize) {
    // SAFETY: passed on from the caller.
    unsafe {
        let top = kernel_row([g[0], g[1], g[2]]);
        let middle = kernel_row([g[3], g[4], g[5]]);
        let bottom = kernel_row([g[6], g[7], g[8]]);
        for j in 0..PATCH {
            let column = kernel_row([top[j], middle[j], bottom[j]]);
            for i in 0..PATCH {
                let factor = (FACTORS[i] * FACTORS[j]) as f32;
                column[i].scale(factor).store(out.add((i * PATCH + j) * stride).cast());
            }
        }
    }
}

/// A' of one row or column: 12 operations.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn result_row<V: Lanes>([m0, m1, m2, m3, m4, m5]: [V; PATCH]) -> [V; TILE] {
    // SAFETY: passed on from the caller.
    unsafe {
        let (sum, difference) = (m1.add(m2), m1.sub(m2));
        [
            m0.add(sum).add(m3.add(m4)),
            difference.add_scaled(0.5, m3).add_scaled(-2.0, m4),
            sum.add_scaled(0.25, m3).add_scaled(4.0, m4),
            m5.add(difference).add_scaled(0.125, m3).add_scaled(-8.0, m4),
        ]
    }
}

/// A' m A: the tile `[column][row]` of the 36 sums of products, sum k at `m + k * stride`.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; the pointers lead to 16 readable values.
#[inline(always)]
pub(super) unsafe fn result<V: Lanes>(m: *const Line, stride: usize) -> [[V; TILE]; TILE] {
    // SAFETY: passed on from the caller.
    unsafe {
        let rows = [
            result_row(sums::<V>(m, stride)),
            result_row(sums::<V>(m.add(PATCH * stride), stride)),
            result_row(sums::<V>(m.add(2 * PATCH * stride), stride)),
            result_row(sums::<V>(m.add(3 * PATCH * stride), stride)),
            result_row(sums::<V>(m.add(4 * PATCH * stride), stride)),
            result_row(sums::<V>(m.add(5 * PATCH * stride), stride)),
        ];
        let column = |j: usize| [rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]];
        [result_row(column(0)), result_row(column(1)), result_row(column(2)), result_row(column(3))]
    }
}

/// Sixteen channels of a row of pixels.
///
/// # Safety
/// As [`data`].
#[inline(always)]
unsafe fn row<V: Lanes>(p: &[*const f32; PATCH], channel: usize) -> [V; PATCH] {
    // SAFETY: passed on from the caller.
    unsafe {
        [
            V::load(p[0].add(channel)),
            V::load(p[1].add(channel)),
            V::load(p[2].add(channel)),
            V::load(p[3].add(channel)),
            V::load(p[4].add(channel)),
            V::load(p[5].add(channel)),
        ]
    }
}

/// Six sums of products, `stride` apart.
///
/// # Safety
/// As [`result`].
#[inline(always)]
unsafe fn sums<V: Lanes>(m: *const Line, stride: usize) -> [V; PATCH] {
    // SAFETY: passed on from the caller.
    unsafe {
        [
            V::load(m.cast()),
            V::load(m.add(stride).cast()),
            V::load(m.add(2 * stride).cast()),
            V::load(m.add(3 * stride).cast()),
            V::load(m.add(4 * stride).cast()),
            V::load(m.add(5 * stride).cast()),
        ]
    }
}
