//! Mean, spread, intervals of differences, and Holm's correction.
//!
//! With differences d_1..d_n over the same seeds: mean m, sample standard deviation s (divisor n − 1), and
//! m ± t(n − 1)·s/√n, where t(ν) is the two-sided 95 % quantile of Student's distribution. The interval covers the
//! noise between seeds. It does not cover which samples happen to be in the test set.
//!
//! Welch's interval (Biometrika 34, 1947) needs no pairs: with means m, deviations s and counts n of two methods,
//!
//! ```text
//! m₁ − m₂ ± t(ν) √(v₁ + v₂),   v = s²/n,   ν = (v₁ + v₂)² / (v₁²/(n₁ − 1) + v₂²/(n₂ − 1))
//! ```
//!
//! Holm's correction (Scandinavian Journal of Statistics 6, 1979) keeps the chance of one false claim among k comparisons at the
//! level of one: the smallest p times k, the next times k − 1, and so on, none less than the one before, none above 1.

use crate::student::{quantile_95, two_sided};
use serde::Serialize;

/// Mean and spread of one figure over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many values.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n - 1); absent for one value.
    pub std: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Spread {
    /// The spread of the values that are finite; `None` if there are none.
    ///
    /// ```
    /// use bitspike_report::Spread;
    /// let spread = Spread::of([0.5, 0.7, f64::NAN]).unwrap();
    /// assert_eq!((spread.n, spread.min, spread.max), (2, 0.5, 0.7));
    /// assert!((spread.std.unwrap() - 0.02_f64.sqrt()).abs() < 1e-12);
    /// ```
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            n,
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    /// The 95 % t interval of the mean; absent for one value.
    pub fn interval_95(&self) -> Option<(f64, f64)> {
        let half = quantile_95(self.n as f64 - 1.0)? * self.std? / (self.n as f64).sqrt();
        Some((self.mean - half, self.mean + half))
    }

    /// Two-sided p of the mean being zero; absent for one value, and if all values are the same.
    pub fn p(&self) -> Option<f64> {
        two_sided(self.mean / (self.std? / (self.n as f64).sqrt()), self.n as f64 - 1.0)
    }
}

/// The difference of two means by Welch's t.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Welch {
    /// First mean minus second.
    pub mean: f64,
    /// The 95 % interval.
    pub interval_95: (f64, f64),
    /// Degrees of freedom ν.
    pub df: f64,
    /// Two-sided p of no difference.
    pub p: f64,
    /// `p` after Holm's correction, where several differences were corrected together.
    pub holm: Option<f64>,
}

impl Welch {
    /// `None` if one of the two has a single value, or if nothing varies.
    ///
    /// ```
    /// use bitspike_report::{Spread, Welch};
    /// let [a, b] = [[0.3, 0.5, 0.4], [0.1, 0.2, 0.3]].map(|v| Spread::of(v).unwrap());
    /// assert!((Welch::of(&a, &b).unwrap().df - 4.0).abs() < 1e-9); // equal deviations and counts: n₁ + n₂ − 2
    /// ```
    pub fn of(a: &Spread, b: &Spread) -> Option<Self> {
        let part = |s: &Spread| Some((s.std?.powi(2) / s.n as f64, s.n as f64 - 1.0));
        let ((v1, n1), (v2, n2)) = (part(a)?, part(b)?);
        let (mean, squared) = (a.mean - b.mean, v1 + v2);
        let df = squared * squared / (v1 * v1 / n1 + v2 * v2 / n2);
        let half = quantile_95(df)? * squared.sqrt();
        let p = two_sided(mean / squared.sqrt(), df)?;
        Some(Self { mean, interval_95: (mean - half, mean + half), df, p, holm: None })
    }
}

/// p values after Holm's correction, in the order given.
pub(crate) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut corrected, mut least) = (vec![0.0; p.len()], 0.0_f64);
    for (done, index) in order.into_iter().enumerate() {
        least = least.max(((p.len() - done) as f64 * p[index]).min(1.0));
        corrected[index] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student's own data on two drugs, `sleep` in R.
    const SLEEP: [[f64; 10]; 2] =
        [[0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]];

    #[test]
    fn intervals() {
        assert_eq!(Spread::of([1.0]).unwrap().interval_95(), None);
        assert_eq!(Spread::of([f64::NAN]), None);
        // R: t.test(c(0.3, 0.5, 0.1)): 95 percent interval -0.1968275 0.7968275
        let (low, high) = Spread::of([0.3, 0.5, 0.1]).unwrap().interval_95().unwrap();
        assert!((low + 0.1968275).abs() < 1e-6 && (high - 0.7968275).abs() < 1e-6, "{low} {high}");
        // R: with(sleep, t.test(extra[group == 1], extra[group == 2], paired = TRUE)): p-value = 0.002833,
        // 95 percent interval -2.4598858 -0.7001142
        let paired = Spread::of(SLEEP[0].iter().zip(SLEEP[1]).map(|(a, b)| a - b)).unwrap();
        let (low, high) = paired.interval_95().unwrap();
        assert!((low + 2.4598858).abs() < 1e-6 && (high + 0.7001142).abs() < 1e-6, "{low} {high}");
        assert!((paired.p().unwrap() - 0.002833).abs() < 1e-6, "{:?}", paired.p());
        assert_eq!(Spread::of([0.5, 0.5]).unwrap().p(), None, "nothing varies");
    }

    #[test]
    fn welch_is_that_of_r() {
        // R: t.test(extra ~ group, data = sleep): df = 17.776, p-value = 0.07939, 95 percent interval -3.3654832 0.2054832
        let [a, b] = SLEEP.map(|values| Spread::of(values).unwrap());
        let w = Welch::of(&a, &b).unwrap();
        let (low, high) = w.interval_95;
        assert!((low + 3.3654832).abs() < 1e-6 && (high - 0.2054832).abs() < 1e-6, "{low} {high}");
        assert!((w.df - 17.776).abs() < 1e-3 && (w.p - 0.07939).abs() < 1e-5, "{w:?}");
        // The other way round it is the same with the opposite sign.
        let other = Welch::of(&b, &a).unwrap();
        assert!((other.mean + w.mean).abs() < 1e-12 && (other.p - w.p).abs() < 1e-12);
        // 69.03 ± 0.45 against 67.36 ± 0.53, three seeds each, by hand: ν = 3.9, t(ν) = 2.81, √((0.45² + 0.53²)/3) = 0.40.
        let spread = |mean, std| Spread { n: 3, mean, std: Some(std), min: mean, max: mean };
        let (low, high) = Welch::of(&spread(69.03, 0.45), &spread(67.36, 0.53)).unwrap().interval_95;
        assert!((low - 0.54).abs() < 0.01 && (high - 2.80).abs() < 0.01, "{low} {high}");
        let constant = Spread::of([1.0, 1.0]).unwrap();
        assert_eq!(Welch::of(&constant, &constant), None);
        assert_eq!(Welch::of(&a, &Spread::of([1.0]).unwrap()), None);
    }

    #[test]
    fn holm_by_hand() {
        // Sorted 0.005·4 = 0.02, 0.01·3 = 0.03, 0.03·2 = 0.06, 0.04·1 = 0.04 but not less than 0.06.
        let close = |found: Vec<f64>, wanted: &[f64]| {
            let near = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(found.len() == wanted.len() && near, "{found:?}");
        };
        close(holm(&[0.01, 0.04, 0.03, 0.005]), &[0.03, 0.06, 0.06, 0.02]);
        close(holm(&[0.5, 0.6, 0.7]), &[1.0, 1.0, 1.0]);
        close(holm(&[0.02]), &[0.02]);
        close(holm(&[]), &[]);
    }

    /// Whatever the p values: not below them, not above Bonferroni's, in the same order.
    #[test]
    fn holm_lies_between_nothing_and_bonferroni() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        };
        for n in [1, 2, 3, 5, 8, 13] {
            for _ in 0..50 {
                let p: Vec<f64> = (0..n).map(|_| draw().powi(3)).collect();
                let h = holm(&p);
                for i in 0..n {
                    assert!(h[i] >= p[i] && h[i] <= (n as f64 * p[i]).min(1.0), "{p:?} {h:?}");
                    assert!((0..n).all(|j| p[i] > p[j] || h[i] <= h[j]), "{p:?} {h:?}");
                }
                let smallest = (0..n).min_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
                assert!((h[smallest] - (n as f64 * p[smallest]).min(1.0)).abs() < 1e-12);
            }
        }
    }
}
