//! Mean, spread, and the 95 % t interval of paired differences.
//!
//! With differences d_1..d_n over the same seeds: mean m, sample standard deviation s (divisor n - 1), and
//! m ± t(n-1)·s/√n, where t(df) is the two-sided 95 % quantile of Student's distribution. The interval covers the
//! noise between seeds. It does not cover which samples happen to be in the test set.

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
        let half = t_95(self.n.checked_sub(1)?)? * self.std? / (self.n as f64).sqrt();
        Some((self.mean - half, self.mean + half))
    }
}

/// Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom (any statistics table; R: `qt(0.975, df)`).
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The quantile for `df` degrees of freedom. Above 30 the value of the next lower tabulated df, so that the interval
/// is never too narrow.
fn t_95(df: usize) -> Option<f64> {
    match df {
        0 => None,
        1..=30 => Some(T_95[df - 1]),
        31..=39 => Some(2.042),
        40..=59 => Some(2.021),
        60..=119 => Some(2.000),
        _ => Some(1.980),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Student's density integrated over [-t, t] by Simpson's rule must be 95 %.
    #[test]
    fn the_table_holds_the_quantiles() {
        for df in 1..=30_usize {
            let nu = df as f64;
            let density = |x: f64| (1.0 + x * x / nu).powf(-(nu + 1.0) / 2.0);
            // The density's constant by the substitution x = √ν·tan θ: ∫ = √ν ∫ cos^(ν-1) θ dθ over (-π/2, π/2).
            let simpson = |f: &dyn Fn(f64) -> f64, a: f64, b: f64| {
                let n = 20_000;
                let h = (b - a) / f64::from(n);
                (0..=n)
                    .map(|i| {
                        let weight = if i == 0 || i == n {
                            1.0
                        } else if i % 2 == 1 {
                            4.0
                        } else {
                            2.0
                        };
                        weight * f(a + f64::from(i) * h)
                    })
                    .sum::<f64>()
                    * h
                    / 3.0
            };
            let half_pi = std::f64::consts::FRAC_PI_2;
            let whole = nu.sqrt() * simpson(&|theta| theta.cos().max(0.0).powf(nu - 1.0), -half_pi, half_pi);
            let t = t_95(df).unwrap();
            let inside = simpson(&density, -t, t) / whole;
            assert!((inside - 0.95).abs() < 1e-4, "df {df}: {inside}");
        }
    }

    #[test]
    fn beyond_the_table_the_quantile_never_grows_and_never_undercuts_the_normal() {
        let mut last = t_95(1).unwrap();
        for df in 2..500 {
            let t = t_95(df).unwrap();
            assert!(t <= last && t >= 1.96, "df {df}");
            last = t;
        }
        assert_eq!(t_95(0), None);
    }

    #[test]
    fn intervals() {
        assert_eq!(Spread::of([1.0]).unwrap().interval_95(), None);
        assert_eq!(Spread::of([f64::NAN]), None);
        // R: t.test(c(0.3, 0.5, 0.1)): 95 percent interval -0.1968275 0.7968275
        let (low, high) = Spread::of([0.3, 0.5, 0.1]).unwrap().interval_95().unwrap();
        assert!((low + 0.1968275).abs() < 1e-4 && (high - 0.7968275).abs() < 1e-4, "{low} {high}");
    }
}
