//! Ridge regression to one-hot classes, λ by the exact error of leaving each window out.
//!
//! Features are brought to mean 0 and standard deviation 1 on the training part (one that does not vary becomes 0). With X `[n, d]` of
//! them and Y `[n, k]` one-hot less its mean ȳ:
//!
//! ```text
//! W = (XᵀX + λI)⁻¹ XᵀY = Xᵀ(XXᵀ + λI)⁻¹Y          scores = xW + ȳ, class = argmax, the first of equals
//! error of window i, had it been left out:
//!   n > d:  (Y − XW)ᵢ / (1 − 1/n − xᵢᵀ(XᵀX + λI)⁻¹xᵢ)
//!   else:   αᵢ / Pᵢᵢ,  α = (XXᵀ + λI)⁻¹Y,  P = (XXᵀ + λI)⁻¹ − 11ᵀ/(nλ)
//! ```
//!
//! λ is the one of [`LAMBDAS`] with the least sum of squares of these. This is the identity of Allen (1974) that scikit-learn's
//! `RidgeClassifierCV` uses too, with the free constant counted as a parameter. 11ᵀ/(nλ) is the share of that constant; c·11ᵀ/n is
//! added to XXᵀ, of which 1 is an eigenvector of value 0, since else the difference would cancel for a small λ.
//!
//! The smaller of both systems is solved, in `f64`. Besides X in `f32` there are two square matrices of min(n, d) rows in memory, and
//! pieces of X. Of more than [`LEFT_OUT`] windows so many, spread evenly, are left out in the first form.

use crate::linear::{add_gram, factor, invert, multiply};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

/// The values of λ that are tried.
pub(crate) const LAMBDAS: [f64; 9] = [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5];

/// Windows of which the error is computed where there are more windows than features.
const LEFT_OUT: usize = 2048;

/// Rows or columns of X in `f64` at a time.
const PIECE: usize = 512;

/// A fitted linear classifier.
pub(crate) struct Ridge {
    /// `[d, k]`, for features as they come.
    weights: Array2<f32>,
    /// `[k]`.
    constants: Array1<f32>,
    lambda: f64,
}

/// X in pieces.
struct Standard<'a> {
    x: ArrayView2<'a, f32>,
    mean: Array1<f64>,
    /// 1 / standard deviation, or 0.
    factor: Array1<f64>,
}

impl<'a> Standard<'a> {
    fn fit(x: ArrayView2<'a, f32>) -> Self {
        let (n, d) = (x.nrows() as f64, x.ncols());
        let (mut mean, mut square) = (Array1::<f64>::zeros(d), Array1::<f64>::zeros(d));
        for row in x.rows() {
            mean.zip_mut_with(&row, |m, v| *m += f64::from(*v));
        }
        mean /= n;
        for row in x.rows() {
            ndarray::Zip::from(&mut square).and(&row).and(&mean).for_each(|s, v, m| *s += (f64::from(*v) - m).powi(2));
        }
        // Rounding leaves a constant feature with a spread of some 1e-16 of its size.
        let inverse = |(s, m): (&f64, &f64)| {
            let deviation = (s / n).sqrt();
            if deviation > 1e-9 * m.abs().max(1e-300) { 1.0 / deviation } else { 0.0 }
        };
        let factor = square.iter().zip(&mean).map(inverse).collect();
        Self { x, mean, factor }
    }

    fn standardised(&self, x: ArrayView2<f32>, columns: std::ops::Range<usize>) -> Array2<f64> {
        let mut out = x.mapv(f64::from);
        for mut row in out.rows_mut() {
            let scale = self.mean.slice(s![columns.clone()]).into_iter().zip(self.factor.slice(s![columns.clone()]));
            row.iter_mut().zip(scale).for_each(|(v, (m, f))| *v = (*v - m) * f);
        }
        out
    }

    fn rows(&self, rows: std::ops::Range<usize>) -> Array2<f64> {
        self.standardised(self.x.slice(s![rows, ..]), 0..self.x.ncols())
    }

    fn columns(&self, columns: std::ops::Range<usize>) -> Array2<f64> {
        self.standardised(self.x.slice(s![.., columns.clone()]), columns)
    }
}

/// Ranges of [`PIECE`] below `n`.
fn pieces(n: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..n).step_by(PIECE).map(move |from| from..(from + PIECE).min(n))
}

/// A solution for one λ: W or α, and the sum of squares of the errors of windows that were left out.
struct Solution {
    values: Array2<f64>,
    error: f64,
    lambda: f64,
}

impl Ridge {
    /// Fits features `[n, d]`, n above 0, with a class each, λ out of `lambdas`, each above 0.
    pub(crate) fn fit(x: ArrayView2<f32>, labels: &[u32], classes: usize, lambdas: &[f64]) -> Self {
        let n = x.nrows();
        let mut y = Array2::zeros((n, classes));
        labels.iter().enumerate().for_each(|(i, l)| y[[i, *l as usize]] = 1.0);
        let share = y.mean_axis(Axis(0)).expect("there is a row");
        y -= &share;
        let x = Standard::fit(x);
        let w = if n > x.x.ncols() { by_features(&x, &y, lambdas) } else { by_windows(&x, &y, lambdas) };

        let mut constants = share;
        let mut weights = Array2::<f32>::zeros(w.values.dim());
        for (f, row) in w.values.rows().into_iter().enumerate() {
            for (c, v) in row.iter().enumerate() {
                weights[[f, c]] = (v * x.factor[f]) as f32;
                constants[c] -= x.mean[f] * f64::from(weights[[f, c]]);
            }
        }
        Self { weights, constants: constants.mapv(|v| v as f32), lambda: w.lambda }
    }

    /// Scores `[n, k]` of features `[n, d]`: about 1 for the class and 0 for the others.
    pub(crate) fn scores(&self, x: ArrayView2<f32>) -> Array2<f32> {
        let weights = self.weights.mapv(f64::from);
        let mut out = Array2::zeros((x.nrows(), self.constants.len()));
        for rows in pieces(x.nrows()) {
            let piece = x.slice(s![rows.clone(), ..]).mapv(f64::from);
            let mut scores = Array2::zeros((rows.len(), self.constants.len()));
            multiply(1.0, piece.view(), weights.view(), 0.0, scores.view_mut());
            scores += &self.constants.mapv(f64::from);
            out.slice_mut(s![rows, ..]).assign(&scores.mapv(|v| v as f32));
        }
        out
    }

    /// The λ that was chosen.
    pub(crate) fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Numbers of the model, d·k + k; as many multiply-adds has a window.
    pub(crate) fn parameters(&self) -> usize {
        self.weights.len() + self.constants.len()
    }
}

/// The λ with the least error. `solve` gives values and error for a matrix L⁻¹ of A + λI = LLᵀ.
fn best(a: &Array2<f64>, lambdas: &[f64], solve: impl Fn(f64, &Array2<f64>) -> (Array2<f64>, f64)) -> Solution {
    let mut best: Option<Solution> = None;
    for &lambda in lambdas {
        let mut l = a.clone();
        l.diag_mut().iter_mut().for_each(|v| *v += lambda);
        factor(l.view_mut());
        invert(l.view_mut());
        let (values, error) = solve(lambda, &l);
        if best.as_ref().is_none_or(|b| error < b.error) {
            best = Some(Solution { values, error, lambda });
        }
    }
    best.expect("there is a λ")
}

/// (LLᵀ)⁻¹B from L⁻¹.
fn solved(inverse: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let (mut half, mut whole) = (Array2::zeros(b.dim()), Array2::zeros(b.dim()));
    multiply(1.0, inverse.view(), b.view(), 0.0, half.view_mut());
    multiply(1.0, inverse.t(), half.view(), 0.0, whole.view_mut());
    whole
}

/// The system of d rows.
fn by_features(x: &Standard, y: &Array2<f64>, lambdas: &[f64]) -> Solution {
    let (n, d) = x.x.dim();
    let (mut gram, mut xy) = (Array2::zeros((d, d)), Array2::zeros((d, y.ncols())));
    for rows in pieces(n) {
        let piece = x.rows(rows.clone());
        add_gram(1.0, piece.t(), gram.view_mut());
        multiply(1.0, piece.t(), y.slice(s![rows, ..]), 1.0, xy.view_mut());
    }
    let count = n.min(LEFT_OUT);
    let left_out: Vec<usize> = (0..count).map(|i| i * n / count).collect();
    best(&gram, lambdas, |_, inverse| {
        let w = solved(inverse, &xy);
        let mut error = 0.0;
        for piece in left_out.chunks(PIECE) {
            let rows = x.standardised(x.x.select(Axis(0), piece).view(), 0..d);
            let (mut z, mut fitted) = (Array2::zeros((piece.len(), d)), Array2::zeros((piece.len(), y.ncols())));
            multiply(1.0, rows.view(), inverse.t(), 0.0, z.view_mut());
            multiply(1.0, rows.view(), w.view(), 0.0, fitted.view_mut());
            for (at, i) in piece.iter().enumerate() {
                let rest = 1.0 - 1.0 / n as f64 - z.row(at).dot(&z.row(at));
                let squares = y.row(*i).iter().zip(fitted.row(at)).map(|(y, f)| (y - f).powi(2)).sum::<f64>();
                error += squares / rest.max(1e-9).powi(2);
            }
        }
        (w, error)
    })
}

/// The system of n rows.
fn by_windows(x: &Standard, y: &Array2<f64>, lambdas: &[f64]) -> Solution {
    let (n, d) = x.x.dim();
    let mut gram = Array2::zeros((n, n));
    for columns in pieces(d) {
        add_gram(1.0, x.columns(columns).view(), gram.view_mut());
    }
    // Of the order of the eigenvalues, so that it spoils none of them.
    let constant = (gram.diag().sum() / n as f64).max(1.0);
    gram += constant / n as f64;
    let alpha = best(&gram, lambdas, |lambda, inverse| {
        let alpha = solved(inverse, y);
        let of_constant = 1.0 / (n as f64 * (constant + lambda));
        let error = |i: usize| {
            let p = inverse.column(i).dot(&inverse.column(i)) - of_constant;
            alpha.row(i).dot(&alpha.row(i)) / p.max(1e-300).powi(2)
        };
        let error = (0..n).map(error).sum();
        (alpha, error)
    });
    let mut w = Array2::zeros((d, y.ncols()));
    for columns in pieces(d) {
        let piece = x.columns(columns.clone());
        multiply(1.0, piece.t(), alpha.values.view(), 0.0, w.slice_mut(s![columns, ..]));
    }
    Solution { values: w, ..alpha }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspike_random::Random;
    use proptest::prelude::*;

    fn data(n: usize, d: usize, k: usize, seed: u64) -> (Array2<f32>, Vec<u32>) {
        let mut random = Random::keyed([seed, 1]);
        let labels: Vec<u32> = (0..n).map(|i| (i % k) as u32).collect();
        let x = Array2::from_shape_fn((n, d), |(i, j)| {
            (random.unit() - 0.5 + if j % k == labels[i] as usize { 0.3 } else { 0.0 }) as f32 * (1 + j % 4) as f32
        });
        (x, labels)
    }

    /// Plain Gauss with pivots.
    fn gauss(mut a: Array2<f64>, mut b: Array2<f64>) -> Array2<f64> {
        let n = a.nrows();
        for j in 0..n {
            let p = (j..n).max_by(|p, q| a[[*p, j]].abs().total_cmp(&a[[*q, j]].abs())).unwrap();
            for c in 0..n {
                a.swap([j, c], [p, c]);
            }
            for c in 0..b.ncols() {
                b.swap([j, c], [p, c]);
            }
            for i in (0..n).filter(|i| *i != j) {
                let f = a[[i, j]] / a[[j, j]];
                for c in j..n {
                    a[[i, c]] -= f * a[[j, c]];
                }
                for c in 0..b.ncols() {
                    b[[i, c]] -= f * b[[j, c]];
                }
            }
        }
        Array2::from_shape_fn(b.dim(), |(i, c)| b[[i, c]] / a[[i, i]])
    }

    /// Weights `[d + 1, k]` of standardised features and the constant, which λ leaves alone, solved as they stand.
    fn direct(x: &Array2<f64>, y: &Array2<f64>, lambda: f64) -> Array2<f64> {
        let (n, d) = x.dim();
        let one = Array2::from_shape_fn((n, d + 1), |(i, j)| if j < d { x[[i, j]] } else { 1.0 });
        let mut a = one.t().dot(&one);
        (0..d).for_each(|j| a[[j, j]] += lambda);
        gauss(a, one.t().dot(y))
    }

    fn one_hot(labels: &[u32], k: usize) -> Array2<f64> {
        Array2::from_shape_fn((labels.len(), k), |(i, c)| f64::from(u8::from(labels[i] as usize == c)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn both_forms_equal_a_direct_solution(n in 5usize..60, d in 1usize..50, k in 2usize..5, seed in 0u64..1000, e in -2i32..3) {
            let lambda = 10f64.powi(e);
            let (x, labels) = data(n, d, k, seed);
            let standard = Standard::fit(x.view());
            let w = direct(&standard.rows(0..n), &one_hot(&labels, k), lambda);
            let got = Ridge::fit(x.view(), &labels, k, &[lambda]);
            prop_assert_eq!(got.lambda(), lambda);
            let scores = got.scores(x.view());
            for i in 0..n {
                for c in 0..k {
                    let row = standard.rows(i..i + 1);
                    let want = (0..d).map(|j| row[[0, j]] * w[[j, c]]).sum::<f64>() + w[[d, c]];
                    prop_assert!((f64::from(scores[[i, c]]) - want).abs() < 1e-4, "{} {want}", scores[[i, c]]);
                }
            }
        }

        #[test]
        fn errors_equal_those_of_leaving_each_window_out(n in 6usize..30, d in 1usize..40, seed in 0u64..1000, e in -2i32..4) {
            let (k, lambda) = (3, 10f64.powi(e));
            let (x, labels) = data(n, d, k, seed);
            let standard = Standard::fit(x.view());
            let (all, y) = (standard.rows(0..n), one_hot(&labels, k));
            let mut want = 0.0;
            for out in 0..n {
                let rest: Vec<usize> = (0..n).filter(|i| *i != out).collect();
                let w = direct(&all.select(Axis(0), &rest), &y.select(Axis(0), &rest), lambda);
                for c in 0..k {
                    let fitted = (0..d).map(|j| all[[out, j]] * w[[j, c]]).sum::<f64>() + w[[d, c]];
                    want += (y[[out, c]] - fitted).powi(2);
                }
            }
            let centred = &y - &y.mean_axis(Axis(0)).unwrap();
            for got in [by_features(&standard, &centred, &[lambda]), by_windows(&standard, &centred, &[lambda])] {
                prop_assert!((got.error - want).abs() < 1e-6 * want, "{} {want}", got.error);
            }
        }
    }

    #[test]
    fn the_lambda_of_the_least_error_is_chosen() {
        for (n, d) in [(40, 30), (30, 40)] {
            let (x, labels) = data(n, d, 2, 1);
            let standard = Standard::fit(x.view());
            let y = one_hot(&labels, 2);
            let y = &y - &y.mean_axis(Axis(0)).unwrap();
            let error = |l: &&f64| by_windows(&standard, &y, &[**l]).error;
            let least = LAMBDAS.iter().min_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
            assert_eq!(Ridge::fit(x.view(), &labels, 2, &LAMBDAS).lambda(), *least);
        }
        // Classes without noise: a small one.
        let x = Array2::from_shape_fn((40, 1), |(i, _)| (i % 2) as f32);
        let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
        assert_eq!(Ridge::fit(x.view(), &labels, 2, &LAMBDAS).lambda(), 1e-3);
    }

    #[test]
    fn constant_features_and_few_windows_do_no_harm() {
        let x = Array2::from_shape_fn((2, 3), |(i, j)| if j == 1 { i as f32 } else { 7.7 });
        let scores = Ridge::fit(x.view(), &[0, 1], 2, &LAMBDAS).scores(x.view());
        assert!(scores.iter().all(|v| v.is_finite()) && scores[[0, 0]] > scores[[0, 1]]);
    }
}
