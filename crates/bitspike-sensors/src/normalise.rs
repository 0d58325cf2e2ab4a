//! One scale for every row of features, fitted on the training part only.
//!
//! ```text
//! y = (x − centre[row]) / scale[row]
//! mean-std: centre = mean,    scale = standard deviation (of the population)
//! robust:   centre = median,  scale = third − first quartile (linear between order statistics)
//! min-max:  centre = min,     scale = max − min
//! ```
//!
//! Then what lies beyond ± `clip` is set to it: 20 with `robust`, so that a glitch of 9999 is a peak among others, and none with the
//! others, whose scale a glitch spoils anyway.
//!
//! A row is a channel of raw samples, or a band of a channel of mel features. A row that does not vary has scale 1. The
//! fit is over the windows of the training part: a sample in two overlapping windows counts twice, padding does not
//! count. Sums are in `f64` and in the order of the windows.

use crate::Normalise;

/// What was fitted: per row a centre and a scale.
///
/// ```
/// use bitspike_sensors::{Normalise, Scaler};
/// let scaler = Scaler::fit(Normalise::MinMax, &[vec![2.0, 4.0], vec![7.0, 7.0]]);
/// let mut x = [3.0, 7.0];
/// scaler.apply(&mut x);
/// assert_eq!(x, [0.5, 0.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    /// What is subtracted.
    pub centre: Vec<f32>,
    /// What the rest is divided by; never 0.
    pub scale: Vec<f32>,
}

impl Scaler {
    /// Fits one centre and scale to each row.
    pub fn fit(rule: Normalise, rows: &[Vec<f32>]) -> Self {
        let (mut centre, mut scale) = (Vec::new(), Vec::new());
        for row in rows {
            let (c, s) = match rule {
                _ if row.is_empty() => (0.0, 1.0),
                Normalise::None => (0.0, 1.0),
                Normalise::MeanStd => mean_std(row),
                Normalise::Robust => {
                    let mut sorted = row.clone();
                    sorted.sort_by(f32::total_cmp);
                    (quantile(&sorted, 0.5), quantile(&sorted, 0.75) - quantile(&sorted, 0.25))
                }
                Normalise::MinMax => {
                    let low = row.iter().copied().fold(f32::INFINITY, f32::min);
                    let high = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    (f64::from(low), f64::from(high) - f64::from(low))
                }
            };
            centre.push(c as f32);
            // Also below the smallest normal f32, where a quotient would overflow.
            let s = s as f32;
            scale.push(if s.is_normal() && s > 0.0 { s } else { 1.0 });
        }
        Self { centre, scale }
    }

    /// Normalises `[rows, any]` in place.
    pub fn apply(&self, x: &mut [f32]) {
        let n = x.len().checked_div(self.centre.len()).unwrap_or(0);
        for ((part, c), s) in x.chunks_mut(n.max(1)).zip(&self.centre).zip(&self.scale) {
            part.iter_mut().for_each(|v| *v = ((f64::from(*v) - f64::from(*c)) / f64::from(*s)) as f32);
        }
    }
}

/// Sets what lies beyond ± a bound to it.
pub(crate) fn clip(x: &mut [f32], bound: f32) {
    if bound.is_finite() {
        x.iter_mut().for_each(|v| *v = v.clamp(-bound, bound));
    }
}

fn mean_std(row: &[f32]) -> (f64, f64) {
    let n = row.len() as f64;
    let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Quantile q of sorted values, linear between order statistics (type 7 of Hyndman and Fan 1996).
fn quantile(sorted: &[f32], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    f64::from(low) + (f64::from(high) - f64::from(low)) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Mean 4, variance (9+4+1+0+36)/5 = 10; quartiles of 1 2 3 4 10: 2 and 4.
        let row = vec![1.0, 2.0, 3.0, 4.0, 10.0];
        let fit = |rule| {
            let s = Scaler::fit(rule, std::slice::from_ref(&row));
            (s.centre[0], s.scale[0])
        };
        assert_eq!(fit(Normalise::MeanStd), (4.0, 10f32.sqrt()));
        assert_eq!(fit(Normalise::Robust), (3.0, 2.0));
        assert_eq!(fit(Normalise::MinMax), (1.0, 9.0));
        assert_eq!(fit(Normalise::None), (0.0, 1.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.25), 1.25);
    }

    #[test]
    fn rows_that_do_not_vary_have_scale_one() {
        for rule in [Normalise::MeanStd, Normalise::Robust, Normalise::MinMax] {
            let s = Scaler::fit(rule, &[vec![3.0; 4], vec![]]);
            assert_eq!((s.scale, s.centre[0]), (vec![1.0, 1.0], 3.0), "{rule:?}");
        }
    }

    #[test]
    fn each_row_has_its_own() {
        let s = Scaler { centre: vec![1.0, 10.0], scale: vec![2.0, 5.0] };
        let mut x = [1.0, 3.0, 10.0, 20.0];
        s.apply(&mut x);
        assert_eq!(x, [0.0, 1.0, 0.0, 2.0]);
    }
}
