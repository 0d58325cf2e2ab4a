//! A baseline without a neural network: simple statistics of a window, and a linear classifier.
//!
//! Features of each channel of a window of L raw samples, in this order: mean, standard deviation, root mean square,
//! share of zero crossings of the signal less its mean, and the natural logarithm of the energy in 8 bands of the
//! spectrum, each with the same number of bins of 1..L/2 (of the signal less its mean; floor 1e-12). Each feature is
//! brought to mean 0 and standard deviation 1 on the training part; beyond the range it has there it is clamped, as a
//! constant offset of one microphone would otherwise outweigh everything else. Then two classifiers:
//!
//! ```text
//! ridge:    W = (XᵀX + λI)⁻¹ XᵀY,  Y one-hot, X with a column of ones that λ leaves alone, λ = 1; class = argmax xW
//! centroid: class of the nearest mean of the training samples of a class
//! ```
//!
//! Both are solved in `f64`, without random numbers; ties go to the first class. A network that does not beat them has
//! learned nothing that was worth its while.

use crate::{Origin, Prepared};
use rayon::prelude::*;
use rustfft::{FftPlanner, num_complex::Complex};

const BANDS: usize = 8;
const LAMBDA: f64 = 1.0;

/// Correct answers on the test part.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Score {
    /// Windows with the right class.
    pub correct: usize,
    /// Windows.
    pub total: usize,
    /// Mean over the classes of the test part of the share that is right.
    pub balanced: f64,
}

impl Score {
    /// Share of windows with the right class.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.total as f64
    }
}

/// What the baseline reaches.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Baseline {
    /// Features of a window.
    pub features: usize,
    /// Ridge regression to one-hot classes.
    pub ridge: Score,
    /// Nearest class mean.
    pub centroid: Score,
    /// Always the most frequent class of the training part.
    pub majority: Score,
}

impl Prepared {
    /// Fits the baseline on the training part and evaluates it on the test part.
    pub fn baseline(&self) -> Baseline {
        let k = self.classes.len();
        let statistics = |part: &[Origin]| -> Vec<Vec<f64>> {
            let one = |o: &Origin| self.window(o).chunks(self.cut.length).flat_map(statistics_of_channel).collect();
            part.par_iter().map(one).collect()
        };
        let (mut train, mut test) = (statistics(&self.train), statistics(&self.test));
        let class = |part: &[Origin]| part.iter().map(|o| self.labels[o.recording] as usize).collect::<Vec<_>>();
        let (y, want) = (class(&self.train), class(&self.test));
        standardise(&mut train, &mut test);

        let weights = ridge(&train, &y, k);
        let by_ridge =
            |x: &Vec<f64>| argmax((0..k).map(|c| weights.iter().zip(with_one(x)).map(|(w, v)| w[c] * v).sum()));
        let centroids = centroids(&train, &y, k);
        let by_centroid = |x: &Vec<f64>| {
            let distance = |m: &Vec<f64>| -m.iter().zip(x).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            argmax(centroids.iter().map(distance))
        };
        let most = argmax((0..k).map(|c| y.iter().filter(|l| **l == c).count() as f64));
        Baseline {
            features: train.first().map_or(0, Vec::len),
            ridge: score(test.iter().map(by_ridge), &want, k),
            centroid: score(test.iter().map(by_centroid), &want, k),
            majority: score(test.iter().map(|_| most), &want, k),
        }
    }
}

/// The features of one channel.
fn statistics_of_channel(x: &[f32]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let centred: Vec<f64> = x.iter().map(|v| f64::from(*v) - mean).collect();
    let std = (centred.iter().map(|v| v * v).sum::<f64>() / n).sqrt();
    let rms = (x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / n).sqrt();
    let crossings = centred.windows(2).filter(|w| (w[0] < 0.0) != (w[1] < 0.0)).count() as f64 / n;
    let mut spectrum: Vec<Complex<f64>> = centred.iter().map(|v| Complex::new(*v, 0.0)).collect();
    FftPlanner::new().plan_fft_forward(x.len()).process(&mut spectrum);
    let bins = x.len() / 2;
    let mut out = vec![mean, std, rms, crossings];
    for b in 0..BANDS {
        let (from, to) = (1 + b * bins / BANDS, 1 + (b + 1) * bins / BANDS);
        let energy: f64 = spectrum.get(from..to).unwrap_or_default().iter().map(|z| z.norm_sqr()).sum();
        out.push((energy / n).max(1e-12).ln());
    }
    out
}

/// Mean 0 and standard deviation 1 of each feature on the training part, test values clamped to its range; features that
/// do not vary become 0.
fn standardise(train: &mut [Vec<f64>], test: &mut [Vec<f64>]) {
    let n = train.len() as f64;
    for f in 0..train.first().map_or(0, Vec::len) {
        let mean = train.iter().map(|x| x[f]).sum::<f64>() / n;
        let std = (train.iter().map(|x| (x[f] - mean).powi(2)).sum::<f64>() / n).sqrt();
        // Rounding leaves a constant feature with a spread of some 1e-16 of its size.
        let factor = if std > 1e-9 * mean.abs().max(1e-300) { 1.0 / std } else { 0.0 };
        let low = train.iter().map(|x| x[f]).fold(f64::INFINITY, f64::min);
        let high = train.iter().map(|x| x[f]).fold(f64::NEG_INFINITY, f64::max);
        train.iter_mut().chain(test.iter_mut()).for_each(|x| x[f] = (x[f].clamp(low, high) - mean) * factor);
    }
}

fn with_one(x: &[f64]) -> impl Iterator<Item = f64> + '_ {
    x.iter().copied().chain([1.0])
}

/// Weights `[features + 1][classes]`.
fn ridge(x: &[Vec<f64>], y: &[usize], k: usize) -> Vec<Vec<f64>> {
    let d = x.first().map_or(0, Vec::len) + 1;
    let (mut a, mut b) = (vec![vec![0.0; d]; d], vec![vec![0.0; k]; d]);
    for (x, y) in x.iter().zip(y) {
        for (i, v) in with_one(x).enumerate() {
            a[i].iter_mut().zip(with_one(x)).for_each(|(a, w)| *a += v * w);
            b[i][*y] += v;
        }
    }
    (0..d - 1).for_each(|i| a[i][i] += LAMBDA);
    solve(a, b)
}

/// X of A·X = B for a symmetric positive definite A, by Cholesky's A = L·Lᵀ. A is `[n][n]`, of which the lower half is read; B
/// and X are `[n][columns]`.
///
/// ```
/// use bitspike_sensors::solve;
/// let x = solve(vec![vec![4.0, 2.0], vec![2.0, 5.0]], vec![vec![8.0], vec![12.0]]);
/// assert!((x[0][0] - 1.0).abs() < 1e-12 && (x[1][0] - 2.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// If a row is shorter than A or B says.
pub fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let d = a.len();
    for i in 0..d {
        for j in 0..=i {
            let sum = a[i][j] - (0..j).map(|m| a[i][m] * a[j][m]).sum::<f64>();
            // Positive by λ and by the count of samples; the floor is for what rounding may do to it.
            a[i][j] = if i == j { sum.max(1e-12).sqrt() } else { sum / a[j][j] };
        }
    }
    for c in 0..b.first().map_or(0, Vec::len) {
        for i in 0..d {
            b[i][c] = (b[i][c] - (0..i).map(|m| a[i][m] * b[m][c]).sum::<f64>()) / a[i][i];
        }
        for i in (0..d).rev() {
            b[i][c] = (b[i][c] - (i + 1..d).map(|m| a[m][i] * b[m][c]).sum::<f64>()) / a[i][i];
        }
    }
    b
}

fn centroids(x: &[Vec<f64>], y: &[usize], k: usize) -> Vec<Vec<f64>> {
    let mut sums = vec![vec![0.0; x.first().map_or(0, Vec::len)]; k];
    let mut counts = vec![0usize; k];
    for (x, y) in x.iter().zip(y) {
        counts[*y] += 1;
        sums[*y].iter_mut().zip(x).for_each(|(s, v)| *s += v);
    }
    for (sum, n) in sums.iter_mut().zip(counts) {
        sum.iter_mut().for_each(|s| *s /= n.max(1) as f64);
    }
    sums
}

/// The first of the largest.
fn argmax(values: impl Iterator<Item = f64>) -> usize {
    values.enumerate().fold((0, f64::NEG_INFINITY), |best, (i, v)| if v > best.1 { (i, v) } else { best }).0
}

fn score(got: impl Iterator<Item = usize>, want: &[usize], k: usize) -> Score {
    let (mut right, mut all) = (vec![0usize; k], vec![0usize; k]);
    for (got, want) in got.zip(want) {
        all[*want] += 1;
        right[*want] += usize::from(got == *want);
    }
    let shares: Vec<f64> = (0..k).filter(|c| all[*c] > 0).map(|c| right[c] as f64 / all[c] as f64).collect();
    let balanced = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    Score { correct: right.iter().sum(), total: want.len(), balanced }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_hand() {
        // 1, 3, 1, 3, ... : mean 2, std 1, rms sqrt(5), all energy in the last bin: |X|² = 16², divided by n = 16.
        let x: Vec<f32> = (0..16).map(|i| if i % 2 == 0 { 1.0 } else { 3.0 }).collect();
        let got = statistics_of_channel(&x);
        assert_eq!(got.len(), 4 + BANDS);
        assert_eq!((got[0], got[1], got[3]), (2.0, 1.0, 15.0 / 16.0));
        assert!((got[2] - 5f64.sqrt()).abs() < 1e-12);
        assert!((got[11] - 16f64.ln()).abs() < 1e-9, "{got:?}");
        assert!(got[4..11].iter().all(|v| *v < -20.0), "{got:?}");
        // Shorter than the bands: no panic.
        assert_eq!(statistics_of_channel(&[1.0]).len(), 12);
    }

    #[test]
    fn features_are_scaled_by_the_training_part_and_clamped_to_it() {
        // Mean 3, standard deviation 2; the second feature does not vary.
        let (mut train, mut test) = (vec![vec![1.0, 7.0], vec![5.0, 7.0]], vec![vec![2.0, 9.0], vec![99.0, 7.0]]);
        standardise(&mut train, &mut test);
        assert_eq!((train, test), (vec![vec![-1.0, 0.0], vec![1.0, 0.0]], vec![vec![-0.5, 0.0], vec![1.0, 0.0]]));
    }

    #[test]
    fn solve_solves() {
        let a = vec![vec![4.0, 2.0, 0.0], vec![2.0, 5.0, 1.0], vec![0.0, 1.0, 3.0]];
        let x = solve(a.clone(), vec![vec![8.0, 1.0], vec![15.0, 0.0], vec![11.0, 2.0]]);
        // The first column is that of (1, 2, 3).
        for (row, b) in a.iter().zip([[8.0, 1.0], [15.0, 0.0], [11.0, 2.0]]) {
            for c in 0..2 {
                let sum: f64 = row.iter().zip(&x).map(|(a, x)| a * x[c]).sum();
                assert!((sum - b[c]).abs() < 1e-12);
            }
        }
        assert!((x[0][0] - 1.0).abs() < 1e-12 && (x[2][0] - 3.0).abs() < 1e-12);
    }

    #[test]
    fn scores_and_ties() {
        let s = score([0, 0, 1, 1].into_iter(), &[0, 1, 1, 1], 3);
        assert_eq!((s.correct, s.total, s.accuracy()), (3, 4, 0.75));
        assert!((s.balanced - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert_eq!(argmax([1.0, 2.0, 2.0].into_iter()), 1);
    }
}
