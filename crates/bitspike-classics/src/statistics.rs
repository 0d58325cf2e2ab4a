//! Simple statistics of a window.
//!
//! Of each channel x of L samples, with X the spectrum of x less its mean:
//!
//! ```text
//! mean, standard deviation, root mean square, share of zero crossings of x less its mean, least, greatest
//! 8 bands    ln max(Σ |X[f]|² / L, 1e-12) over as many f each of 1..L/2
//! 16 lines   √(|X[f]|² / L) at f = 1..16; 0 beyond L/2
//! ```
//!
//! Bands tell a texture, lines a shape. Computed in `f64`.
//!
//! Beyond the range that a feature has in the training part it is clamped: a constant offset of one microphone would otherwise outweigh
//! everything else.

use crate::Windows;
use ndarray::Array2;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner, num_complex::Complex};

const BANDS: usize = 8;
const LINES: usize = 16;

/// Features of a channel.
pub(crate) const EACH: usize = 6 + BANDS + LINES;

/// Statistics of the training part with the range of each feature.
pub(crate) struct Statistics {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Statistics {
    /// Fits the ranges; gives the features `[N, C · EACH]` too.
    pub(crate) fn fit(train: &Windows) -> (Self, Array2<f32>) {
        let x = features(train);
        let fold =
            |start: f32, f: fn(f32, f32) -> f32| x.columns().into_iter().map(move |c| c.fold(start, |a, b| f(a, *b)));
        let (low, high) = (fold(f32::INFINITY, f32::min).collect(), fold(f32::NEG_INFINITY, f32::max).collect());
        (Self { low, high }, x)
    }

    /// Features `[N, C · EACH]` within the ranges.
    pub(crate) fn features(&self, windows: &Windows) -> Array2<f32> {
        let mut x = features(windows);
        for mut row in x.rows_mut() {
            let range = self.low.iter().zip(&self.high);
            row.iter_mut().zip(range).for_each(|(v, (low, high))| *v = v.clamp(*low, *high));
        }
        x
    }

    /// Numbers that are kept: two of each feature.
    pub(crate) fn parameters(&self) -> usize {
        2 * self.low.len()
    }
}

/// Multiply-adds of a window: eight passes, a complex transform of ½ L log2 L butterflies of 5, and its squares.
pub(crate) fn operations(channels: usize, length: usize) -> u64 {
    let (c, l) = (channels as u64, length as u64);
    c * (8 * l + (2.5 * l as f64 * (l as f64).log2()).ceil() as u64 + l)
}

fn features(windows: &Windows) -> Array2<f32> {
    let d = windows.channels() * EACH;
    let fft = FftPlanner::new().plan_fft_forward(windows.length());
    let mut out = Array2::zeros((windows.len(), d));
    let rows = out.as_slice_mut().expect("a new array is in order").par_chunks_mut(d);
    rows.enumerate().for_each(|(i, row)| {
        let channels = windows.window(i).chunks(windows.length());
        channels.zip(row.chunks_mut(EACH)).for_each(|(x, to)| of_channel(x, fft.as_ref(), to));
    });
    out
}

fn of_channel(x: &[f32], fft: &dyn Fft<f64>, out: &mut [f32]) {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let mut spectrum: Vec<Complex<f64>> = x.iter().map(|v| Complex::new(f64::from(*v) - mean, 0.0)).collect();
    let variance = spectrum.iter().map(|v| v.re * v.re).sum::<f64>() / n;
    let square = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n;
    let crossings = spectrum.windows(2).filter(|w| (w[0].re < 0.0) != (w[1].re < 0.0)).count() as f64 / n;
    fft.process(&mut spectrum);
    let bins = x.len() / 2;
    let energy = |b: usize| {
        let band = spectrum.get(1 + b * bins / BANDS..1 + (b + 1) * bins / BANDS).unwrap_or_default();
        (band.iter().map(|z| z.norm_sqr()).sum::<f64>() / n).max(1e-12).ln()
    };
    let line = |f: usize| if f <= bins { (spectrum[f].norm_sqr() / n).sqrt() } else { 0.0 };
    let extreme = |f: fn(f32, f32) -> f32| f64::from(x.iter().copied().fold(x[0], f));
    let moments = [mean, variance.sqrt(), square.sqrt(), crossings, extreme(f32::min), extreme(f32::max)];
    let values = moments.into_iter().chain((0..BANDS).map(energy)).chain((1..=LINES).map(line));
    out.iter_mut().zip(values).for_each(|(to, v)| *to = v as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(x: &[f32]) -> Vec<f32> {
        features(&Windows::new(x, &[0], 1, x.len(), 1).unwrap()).into_raw_vec_and_offset().0
    }

    #[test]
    fn statistics_by_hand() {
        // 1, 3, 1, 3, ... : mean 2, std 1, rms sqrt(5), all energy in the last bin: |X|² = 16², divided by n = 16.
        let x: Vec<f32> = (0..16).map(|i| if i % 2 == 0 { 1.0 } else { 3.0 }).collect();
        let got = of(&x);
        assert_eq!(got.len(), EACH);
        assert_eq!((got[0], got[1], got[3], got[4], got[5]), (2.0, 1.0, 15.0 / 16.0, 1.0, 3.0));
        assert!((got[2] - 5f32.sqrt()).abs() < 1e-6);
        assert!((got[13] - 16f32.ln()).abs() < 1e-6, "{got:?}");
        assert!(got[6..13].iter().all(|v| *v < -20.0), "{got:?}");
        assert!((got[21] - 4.0).abs() < 1e-6 && got[14..21].iter().chain(&got[22..]).all(|v| *v < 1e-6), "{got:?}");
        // Shorter than the bands: no panic.
        assert_eq!(of(&[1.0]).len(), EACH);
    }

    #[test]
    fn features_are_clamped_to_the_range_of_the_training_part() {
        let (fitted, x) = Statistics::fit(&Windows::new(&[0.0, 2.0, 1.0, 5.0], &[0, 1], 1, 2, 2).unwrap());
        assert_eq!((x[[0, 0]], x[[1, 0]]), (1.0, 3.0));
        let test = fitted.features(&Windows::new(&[2.0, 2.0, 90.0, 98.0], &[0, 1], 1, 2, 2).unwrap());
        assert_eq!((test[[0, 0]], test[[1, 0]], test[[1, 1]]), (2.0, 3.0, 2.0));
    }
}
