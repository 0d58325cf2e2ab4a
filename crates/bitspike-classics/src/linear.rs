//! Products and Cholesky's decomposition of matrices in `f64`, by halves.
//!
//! ```text
//! [A11    ]   [L11    ] [L11ᵀ L21ᵀ]     L11 L11ᵀ = A11,  L21 L11ᵀ = A21,  L22 L22ᵀ = A22 − L21 L21ᵀ
//! [A21 A22] = [L21 L22] [     L22ᵀ]     L⁻¹ = [L11⁻¹ 0; −L22⁻¹ L21 L11⁻¹  L22⁻¹]
//! ```
//!
//! Halving ends at blocks of [`LEAF`], so that nearly all of the work is products. Work is cut by shapes and never by the number of threads,
//! and no sum is cut: the result has the same bits on any number of threads.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};

/// Rows from which on a matrix is halved.
const LEAF: usize = 64;

/// Multiply-adds below which a product stays on one thread.
const GRAIN: usize = 1 << 22;

/// C ← αAB + βC. A is `[n, m]`, B `[m, k]`, C `[n, k]`.
pub(crate) fn multiply(alpha: f64, a: ArrayView2<f64>, b: ArrayView2<f64>, beta: f64, mut c: ArrayViewMut2<f64>) {
    let (n, k) = c.dim();
    if n < 2 * LEAF || n * k * a.ncols() < GRAIN {
        return general_mat_mul(alpha, &a, &b, beta, &mut c);
    }
    let ((upper, lower), (c1, c2)) = (a.split_at(Axis(0), n / 2), c.split_at(Axis(0), n / 2));
    rayon::join(|| multiply(alpha, upper, b, beta, c1), || multiply(alpha, lower, b, beta, c2));
}

/// C ← C + αAAᵀ in the lower half and on the diagonal; what is above it is undefined. A is `[n, m]`, C `[n, n]`.
pub(crate) fn add_gram(alpha: f64, a: ArrayView2<f64>, mut c: ArrayViewMut2<f64>) {
    let n = a.nrows();
    if n <= 2 * LEAF {
        return general_mat_mul(alpha, &a, &a.t(), 1.0, &mut c);
    }
    let (a1, a2) = a.split_at(Axis(0), n / 2);
    let (upper, lower) = c.split_at(Axis(0), n / 2);
    let (c1, _) = upper.split_at(Axis(1), n / 2);
    let (c21, c2) = lower.split_at(Axis(1), n / 2);
    rayon::join(
        || rayon::join(|| add_gram(alpha, a1, c1), || add_gram(alpha, a2, c2)),
        || multiply(alpha, a2, a1.t(), 1.0, c21),
    );
}

/// L of A = LLᵀ in place of the lower half of A, which has to be positive definite but for rounding.
pub(crate) fn factor(mut a: ArrayViewMut2<f64>) {
    let n = a.nrows();
    if n <= LEAF {
        for i in 0..n {
            for j in 0..=i {
                let sum = a[[i, j]] - (0..j).map(|m| a[[i, m]] * a[[j, m]]).sum::<f64>();
                // The floor is for what rounding may do to a number that is positive by its meaning.
                a[[i, j]] = if i == j { sum.max(1e-300).sqrt() } else { sum / a[[j, j]] };
            }
        }
        return;
    }
    let (a1, lower) = a.split_at(Axis(0), n / 2);
    let (mut a11, _) = a1.split_at(Axis(1), n / 2);
    let (mut a21, mut a22) = lower.split_at(Axis(1), n / 2);
    factor(a11.view_mut());
    divide(a21.view_mut(), a11.view());
    add_gram(-1.0, a21.view(), a22.view_mut());
    factor(a22);
}

/// B ← BL⁻ᵀ. B is `[rows, n]`, L `[n, n]`, of which the lower half is read.
fn divide(mut b: ArrayViewMut2<f64>, l: ArrayView2<f64>) {
    let n = l.nrows();
    if n <= LEAF {
        for mut row in b.rows_mut() {
            for j in 0..n {
                let sum = (0..j).map(|m| row[m] * l[[j, m]]).sum::<f64>();
                row[j] = (row[j] - sum) / l[[j, j]];
            }
        }
        return;
    }
    let (l1, lower) = l.split_at(Axis(0), n / 2);
    let (l21, l22) = lower.split_at(Axis(1), n / 2);
    let (mut b1, mut b2) = b.split_at(Axis(1), n / 2);
    divide(b1.view_mut(), l1.split_at(Axis(1), n / 2).0);
    multiply(-1.0, b1.view(), l21.t(), 1.0, b2.view_mut());
    divide(b2, l22);
}

/// L⁻¹ in place of the lower half of L; what is above the diagonal becomes 0.
pub(crate) fn invert(mut l: ArrayViewMut2<f64>) {
    let n = l.nrows();
    if n <= LEAF {
        // Column by column from the right: below the diagonal −L⁻¹[i, j+1..] L[j+1.., j] / L[j, j].
        for j in (0..n).rev() {
            let d = 1.0 / l[[j, j]];
            for i in (j + 1..n).rev() {
                let sum = (j + 1..=i).map(|m| l[[i, m]] * l[[m, j]]).sum::<f64>();
                l[[i, j]] = -sum * d;
            }
            l[[j, j]] = d;
            (0..j).for_each(|i| l[[i, j]] = 0.0);
        }
        return;
    }
    let (upper, lower) = l.split_at(Axis(0), n / 2);
    let (mut l11, mut zero) = upper.split_at(Axis(1), n / 2);
    let (mut l21, mut l22) = lower.split_at(Axis(1), n / 2);
    zero.fill(0.0);
    invert(l11.view_mut());
    invert(l22.view_mut());
    let mut half = Array2::zeros(l21.dim());
    multiply(1.0, l21.view(), l11.view(), 0.0, half.view_mut());
    multiply(-1.0, l22.view(), half.view(), 0.0, l21.view_mut());
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspike_random::Random;
    use proptest::prelude::*;

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut random = Random::keyed([seed, 0]);
        Array2::from_shape_fn((rows, columns), |_| random.unit() - 0.5)
    }

    fn close(a: &Array2<f64>, b: &Array2<f64>, bound: f64) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() <= bound)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn decomposition_and_inverse_multiply_back(n in 1usize..300, seed in 0u64..1000) {
            let x = random(n, n + 3, seed);
            let mut a = Array2::eye(n);
            add_gram(1.0, x.view(), a.view_mut());
            let whole = &Array2::<f64>::eye(n) + &x.dot(&x.t());
            let lower = |m: &Array2<f64>| Array2::from_shape_fn((n, n), |(i, j)| if j <= i { m[[i, j]] } else { 0.0 });
            prop_assert!(close(&lower(&a), &lower(&whole), 1e-9));
            factor(a.view_mut());
            let l = lower(&a);
            prop_assert!(close(&l.dot(&l.t()), &whole, 1e-9));
            invert(a.view_mut());
            prop_assert!(close(&a.dot(&l), &Array2::eye(n), 1e-9));
        }

        #[test]
        fn products_equal_plain_sums(n in 1usize..400, m in 1usize..70, k in 1usize..200, seed in 0u64..1000) {
            let (a, b, c) = (random(n, m, seed), random(m, k, seed + 1), random(n, k, seed + 2));
            let mut got = c.clone();
            multiply(-2.0, a.view(), b.view(), 0.5, got.view_mut());
            for i in [0, n / 2, n - 1] {
                for j in [0, k / 2, k - 1] {
                    let want = -2.0 * (0..m).map(|x| a[[i, x]] * b[[x, j]]).sum::<f64>() + 0.5 * c[[i, j]];
                    prop_assert!((got[[i, j]] - want).abs() < 1e-12);
                }
            }
        }
    }
}
