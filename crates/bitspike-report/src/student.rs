//! Student's t distribution with any number of degrees of freedom ν > 0.
//!
//! P(|T| > t) = I_x(ν/2, ½) with x = ν/(ν + t²), where I is the regularised incomplete beta function:
//!
//! ```text
//! I_x(a, b) = xᵃ (1 − x)ᵇ / (a B(a, b)) · 1/(1 + d₁/(1 + d₂/(1 + …)))
//! d₂ₘ = m (b − m) x / ((a + 2m − 1)(a + 2m)),    d₂ₘ₊₁ = −(a + m)(a + b + m) x / ((a + 2m)(a + 2m + 1))
//! ```
//!
//! The continued fraction (DLMF 8.17.22) converges fast for x < (a + 1)/(a + b + 2); beyond it I_x(a, b) = 1 − I_{1−x}(b, a).
//! ln Γ is Lanczos' approximation with g = 7 and nine terms, which is within 1e-13.

/// P(|T| > |t|) for ν = `df`; `None` if that is no number.
pub(crate) fn two_sided(t: f64, df: f64) -> Option<f64> {
    if !t.is_finite() || !df.is_finite() || df <= 0.0 {
        return None;
    }
    let (x, rest) = (df / (df + t * t), t * t / (df + t * t));
    Some(incomplete_beta(x, rest, df / 2.0, 0.5).clamp(0.0, 1.0))
}

/// The t with P(|T| ≤ t) = 0.95, by bisection: P is monotone in t.
pub(crate) fn quantile_95(df: f64) -> Option<f64> {
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, df)? > 0.05 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        match two_sided(middle, df)? > 0.05 {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(0.5 * (low + high))
}

/// I_x(a, b), with `rest` = 1 − x given apart since it may be small.
fn incomplete_beta(x: f64, rest: f64, a: f64, b: f64) -> f64 {
    match x <= (a + 1.0) / (a + b + 2.0) {
        true => fraction(x, rest, a, b),
        false => 1.0 - fraction(rest, x, b, a),
    }
}

/// The continued fraction with the factor in front.
fn fraction(x: f64, rest: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() + b * rest.ln() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    // Lentz' way to evaluate a continued fraction from its front.
    let keep = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / keep(1.0 - (a + b) * x / (a + 1.0)));
    let mut value = d;
    for m in 1..1000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for term in [even, odd] {
            d = 1.0 / keep(1.0 + term * d);
            c = keep(1.0 + term / c);
            last = c * d;
            value *= last;
        }
        if (last - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * value
}

fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS.iter().zip(1..).fold(0.999_999_999_999_809_9, |s, (c, i)| s + c / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Closed forms: ν = 1 is Cauchy's distribution, ν = 2 has P(|T| > t) = 1 − t/√(2 + t²).
    #[test]
    fn closed_forms() {
        for i in 0..200 {
            let t = 0.05 * f64::from(i);
            let cauchy = 1.0 - 2.0 * t.atan() / std::f64::consts::PI;
            let two = 1.0 - t / (2.0 + t * t).sqrt();
            assert!((two_sided(t, 1.0).unwrap() - cauchy).abs() < 1e-12, "{t}");
            assert!((two_sided(-t, 2.0).unwrap() - two).abs() < 1e-12, "{t}");
        }
        assert_eq!(two_sided(f64::NAN, 3.0), None);
        assert_eq!(two_sided(1.0, 0.0), None);
    }

    /// Student's density integrated over [−t, t] by Simpson's rule, for odd and broken degrees of freedom.
    #[test]
    fn the_integral_of_the_density() {
        let simpson = |f: &dyn Fn(f64) -> f64, a: f64, b: f64| {
            let n = 20_000;
            let h = (b - a) / f64::from(n);
            let weight = |i: i32| if i == 0 || i == n { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
            (0..=n).map(|i| weight(i) * f(a + f64::from(i) * h)).sum::<f64>() * h / 3.0
        };
        for df in [3.0, 3.9, 7.0, 17.776, 30.0, 99.5] {
            let density = |x: f64| (1.0 + x * x / df).powf(-(df + 1.0) / 2.0);
            // The constant by x = √ν tan θ: ∫ = √ν ∫ cos^(ν−1) θ dθ over (−π/2, π/2).
            let half_pi = std::f64::consts::FRAC_PI_2;
            let whole = df.sqrt() * simpson(&|theta| theta.cos().max(0.0).powf(df - 1.0), -half_pi, half_pi);
            for t in [0.1, 1.0, 2.5, 6.0] {
                let outside = 1.0 - simpson(&density, -t, t) / whole;
                assert!((two_sided(t, df).unwrap() - outside).abs() < 1e-7, "ν = {df}, t = {t}");
            }
            let t = quantile_95(df).unwrap();
            assert!((two_sided(t, df).unwrap() - 0.05).abs() < 1e-12, "ν = {df}");
        }
    }

    /// Of any table: R's `qt(0.975, df)`.
    #[test]
    fn quantiles_of_the_tables() {
        for (df, t) in [(1.0, 12.706_205), (2.0, 4.302_653), (5.0, 2.570_582), (30.0, 2.042_272), (1e6, 1.959_966)] {
            assert!((quantile_95(df).unwrap() - t).abs() < 1e-5, "{df}: {:?}", quantile_95(df));
        }
        assert_eq!(quantile_95(0.0), None);
    }
}
