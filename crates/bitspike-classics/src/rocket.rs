//! Random convolutions with a fixed set of kernels: the transform of MiniRocket.
//!
//! Own code from the description in A. Dempster, D. F. Schmidt, G. I. Webb, *MiniRocket: A Very Fast (Almost) Deterministic Transform
//! for Time Series Classification*, KDD 2021. Of x `[C, T]`, each channel at mean 0 and standard deviation 1 of the training part (ours;
//! the paper takes values as they are):
//!
//! ```text
//! kernels     the 84 of length 9 with three weights of 2 and six of −1
//! dilations   ⌊2^e⌋, e evenly from 0 to log2((T − 1) / 8) in 32 steps, each with as many features as steps fall on it
//! channels    of each dilation and kernel a random subset: ⌊2^u⌋ of them, u uniform in [0, log2(min(C, 9) + 1))
//! y[t]        = Σ channels Σⱼ wⱼ x[t + (j − 4) d], with zeros beyond the ends
//! bias        a quantile of y of a random training window; quantiles are i·φ mod 1, φ the golden ratio, i = 1, 2, ...
//! feature     share of the t with y[t] > bias: of all t where number of dilation + number of kernel is even, of those within the ends else
//! ```
//!
//! Since the weights are few, y[t] = 3 (x[t + a] + x[t + b] + x[t + c]) − Σⱼ x[t + (j − 4) d], where the last sum is the same for all
//! kernels.

use crate::{ClassicError, Windows};
use bitspike_random::Random;
use ndarray::Array2;
use rayon::prelude::*;
use std::ops::Range;

/// Kernels: 9 over 3.
pub(crate) const KERNELS: usize = 84;

/// Weights of a kernel.
pub(crate) const LENGTH: usize = 9;

/// Steps of the exponent of the dilation.
const STEPS: usize = 32;

/// Where a kernel has its weights of 2.
fn kernels() -> impl Iterator<Item = [usize; 3]> {
    (0..LENGTH).flat_map(|a| (a + 1..LENGTH).flat_map(move |b| (b + 1..LENGTH).map(move |c| [a, b, c])))
}

/// One dilation with one kernel.
struct Convolution {
    kernel: [usize; 3],
    channels: Vec<usize>,
    /// The t that count.
    range: Range<usize>,
    biases: Vec<f32>,
}

/// A fitted transform.
pub(crate) struct Rocket {
    channels: usize,
    length: usize,
    /// Mean and 1 / standard deviation of each channel.
    scale: Vec<(f32, f32)>,
    /// Dilations, each with a convolution of every kernel.
    dilations: Vec<(usize, Vec<Convolution>)>,
    features: usize,
}

/// Memory of a thread.
struct Scratch {
    /// `[C, T + 8·dilation]`: a window between zeros.
    padded: Vec<f32>,
    /// `[C, T]`: the negative sum over all weights of a kernel.
    sums: Vec<f32>,
    /// `[T]`.
    y: Vec<f32>,
}

/// Dilations with the features that a kernel has at each, `per` in all.
fn dilations(length: usize, per: usize) -> Vec<(usize, usize)> {
    let steps = per.min(STEPS);
    let most = ((length - 1) as f64 / (LENGTH - 1) as f64).log2();
    let mut out: Vec<(usize, usize)> = Vec::new();
    for i in 0..steps {
        let exponent = if steps > 1 { most * i as f64 / (steps - 1) as f64 } else { 0.0 };
        // The last power would otherwise fall below its whole number.
        let dilation = (exponent.exp2() + 1e-9) as usize;
        match out.last_mut() {
            Some((last, count)) if *last == dilation => *count += 1,
            _ => out.push((dilation, 1)),
        }
    }
    out.iter_mut().for_each(|(_, count)| *count = *count * per / steps);
    let left = per - out.iter().map(|(_, count)| count).sum::<usize>();
    let dilations = out.len();
    (0..left).for_each(|i| out[i % dilations].1 += 1);
    out
}

impl Rocket {
    /// Fits `per` features of each kernel to the windows of the training part.
    pub(crate) fn fit(train: &Windows, per: usize, seed: u64) -> Result<Self, ClassicError> {
        let (channels, length) = (train.channels(), train.length());
        if length < LENGTH {
            return Err(ClassicError::Short { found: length, least: LENGTH });
        }
        let scale = (0..channels).into_par_iter().map(|c| scale(train, c)).collect();
        let mut out = Self { channels, length, scale, dilations: Vec::new(), features: KERNELS * per };
        let mut random = Random::keyed([seed, 0x726f_636b]);
        let most = (channels.min(LENGTH) + 1) as f64;
        let mut count = 0;
        for (at, (dilation, features)) in dilations(length, per).into_iter().enumerate() {
            let one = |(i, kernel)| {
                let mut all: Vec<usize> = (0..channels).collect();
                let take = ((random.unit() * most.log2()).exp2() as usize).min(channels);
                (0..take).for_each(|j| all.swap(j, j + random.below((channels - j) as u64) as usize));
                all.truncate(take);
                let ends = 4 * dilation;
                let range = if (at + i) % 2 == 0 { 0..length } else { ends..length - ends };
                let window = random.below(train.len() as u64) as usize;
                (Convolution { kernel, channels: all, range, biases: vec![0.0; features] }, window)
            };
            let (mut convolutions, windows): (Vec<Convolution>, Vec<usize>) = kernels().enumerate().map(one).unzip();
            let fit = |(i, (convolution, window)): (usize, (&mut Convolution, usize))| {
                let mut scratch = out.scratch();
                out.dilate(train.window(window), dilation, &mut scratch);
                let mut y = out.convolve(convolution, dilation, &mut scratch)[convolution.range.clone()].to_vec();
                y.sort_by(f32::total_cmp);
                for (j, bias) in convolution.biases.iter_mut().enumerate() {
                    let golden = (1.0 + 5f64.sqrt()) / 2.0;
                    *bias = quantile(&y, ((count + i * features + j + 1) as f64 * golden).fract());
                }
            };
            convolutions.par_iter_mut().zip(windows).enumerate().for_each(fit);
            count += KERNELS * features;
            out.dilations.push((dilation, convolutions));
        }
        Ok(out)
    }

    fn scratch(&self) -> Scratch {
        let y = vec![0.0; self.length];
        Scratch { padded: Vec::new(), sums: vec![0.0; self.channels * self.length], y }
    }

    /// Lays a window between zeros and sums over the weights that all kernels have.
    fn dilate(&self, window: &[f32], dilation: usize, scratch: &mut Scratch) {
        let (ends, row) = (4 * dilation, self.length + 8 * dilation);
        scratch.padded.clear();
        scratch.padded.resize(self.channels * row, 0.0);
        for (c, (x, to)) in window.chunks(self.length).zip(scratch.padded.chunks_mut(row)).enumerate() {
            let (mean, factor) = self.scale[c];
            to[ends..ends + self.length].iter_mut().zip(x).for_each(|(to, v)| *to = (v - mean) * factor);
        }
        scratch.sums.fill(0.0);
        for (sums, x) in scratch.sums.chunks_mut(self.length).zip(scratch.padded.chunks(row)) {
            for j in 0..LENGTH {
                sums.iter_mut().zip(&x[j * dilation..]).for_each(|(s, v)| *s -= v);
            }
        }
    }

    /// y of a window that was dilated.
    fn convolve<'a>(&self, convolution: &Convolution, dilation: usize, scratch: &'a mut Scratch) -> &'a [f32] {
        let (n, row) = (self.length, self.length + 8 * dilation);
        scratch.y.fill(0.0);
        for &c in &convolution.channels {
            let x = &scratch.padded[c * row..(c + 1) * row];
            let [a, b, c2] = convolution.kernel.map(|j| &x[j * dilation..j * dilation + n]);
            let sums = &scratch.sums[c * n..(c + 1) * n];
            let terms = a.iter().zip(b).zip(c2).zip(sums);
            scratch.y.iter_mut().zip(terms).for_each(|(y, (((a, b), c), s))| *y += 3.0 * (a + b + c) + s);
        }
        &scratch.y
    }

    /// Features `[N, D]`, each between 0 and 1.
    pub(crate) fn features(&self, windows: &Windows) -> Result<Array2<f32>, ClassicError> {
        windows.like(self.channels, self.length)?;
        let mut out = Array2::zeros((windows.len(), self.features));
        let rows = out.as_slice_mut().expect("a new array is in order").par_chunks_mut(self.features);
        rows.enumerate().for_each_init(
            || self.scratch(),
            |scratch, (i, row)| {
                let mut at = 0;
                for (dilation, convolutions) in &self.dilations {
                    self.dilate(windows.window(i), *dilation, scratch);
                    for convolution in convolutions {
                        let y = &self.convolve(convolution, *dilation, scratch)[convolution.range.clone()];
                        for bias in &convolution.biases {
                            let above: u32 = y.iter().map(|v| u32::from(v > bias)).sum();
                            row[at] = above as f32 / y.len() as f32;
                            at += 1;
                        }
                    }
                }
            },
        );
        Ok(out)
    }

    /// Numbers that are kept: biases, channels of the convolutions, scale.
    pub(crate) fn parameters(&self) -> usize {
        self.features + self.each().map(|(_, c)| c.channels.len()).sum::<usize>() + 2 * self.channels
    }

    /// Multiply-adds of a window: 9 for the sum of a dilation and channel, 4 for a channel of a convolution, 1 for a comparison with a bias; at
    /// each t.
    pub(crate) fn operations(&self) -> u64 {
        let n = self.length as u64;
        let sums = (self.dilations.len() * self.channels * LENGTH) as u64 * n;
        let one =
            |(_, c): (usize, &Convolution)| 4 * c.channels.len() as u64 * n + (c.range.len() * c.biases.len()) as u64;
        sums + self.each().map(one).sum::<u64>()
    }

    fn each(&self) -> impl Iterator<Item = (usize, &Convolution)> {
        self.dilations.iter().flat_map(|(d, all)| all.iter().map(|c| (*d, c)))
    }
}

/// Mean and 1 / standard deviation of a channel.
fn scale(windows: &Windows, channel: usize) -> (f32, f32) {
    let n = windows.length();
    let values = || (0..windows.len()).flat_map(|i| &windows.window(i)[channel * n..(channel + 1) * n]).copied();
    let count = (windows.len() * n) as f64;
    let mean = values().map(f64::from).sum::<f64>() / count;
    let deviation = (values().map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt();
    let factor = (1.0 / deviation) as f32;
    (mean as f32, if factor.is_normal() { factor } else { 1.0 })
}

/// Linear between order statistics.
fn quantile(sorted: &[f32], q: f64) -> f32 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at as usize;
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + (at - below as f64) as f32 * (above - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kernels_are_all_triples() {
        let all: Vec<[usize; 3]> = kernels().collect();
        assert_eq!((all.len(), all[0], all[83]), (KERNELS, [0, 1, 2], [6, 7, 8]));
        assert!(all.iter().all(|k| k[0] < k[1] && k[1] < k[2]) && all.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn dilations_reach_the_ends() {
        for length in [9, 10, 17, 24, 128, 361, 1460] {
            for per in [1, 5, 24, 119] {
                let all = dilations(length, per);
                assert_eq!(all.iter().map(|(_, count)| count).sum::<usize>(), per, "{length} {per}");
                assert!(all.iter().all(|(d, _)| (1..=(length - 1) / 8).contains(d)), "{length} {per} {all:?}");
                assert!(all.windows(2).all(|w| w[0].0 < w[1].0));
            }
        }
        assert_eq!(dilations(129, 119).last().unwrap().0, 16);
        assert_eq!(dilations(9, 119), [(1, 119)]);
    }

    #[test]
    fn quantiles_by_hand() {
        let x = [1.0, 2.0, 4.0];
        assert_eq!([0.0, 0.25, 0.5, 0.75].map(|q| quantile(&x, q)), [1.0, 1.5, 2.0, 3.0]);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
    }

    #[test]
    fn windows_that_do_not_fit_are_refused() {
        let short = Windows::new(&[0.5; 16], &[0, 1], 1, 8, 2).unwrap();
        assert_eq!(Rocket::fit(&short, 1, 0).err(), Some(ClassicError::Short { found: 8, least: 9 }));
        let rocket = Rocket::fit(&Windows::new(&[0.5; 18], &[0, 1], 1, 9, 2).unwrap(), 1, 0).unwrap();
        assert!(matches!(rocket.features(&short), Err(ClassicError::Shape { length: 8, expected_length: 9, .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// The formula as it stands, with nine weights, in `f64`. A value within 1e-4 of a bias may fall on either side.
        #[test]
        fn equals_the_formula(n in 1usize..6, c in 1usize..12, length in 9usize..70, per in 1usize..9, seed in 0u64..1000) {
            let mut random = Random::keyed([seed, 2]);
            let values: Vec<f32> = (0..n * c * length).map(|_| 3.0 * random.unit() as f32 - 1.0).collect();
            let labels = vec![0; n];
            let windows = Windows::new(&values, &labels, c, length, 1).unwrap();
            let rocket = Rocket::fit(&windows, per, seed).unwrap();
            let got = rocket.features(&windows).unwrap();
            prop_assert_eq!(got.dim(), (n, KERNELS * per));
            for i in 0..n {
                let x = |channel: usize, t: isize| match usize::try_from(t) {
                    Ok(t) if t < length => {
                        let (mean, factor) = rocket.scale[channel];
                        (f64::from(values[(i * c + channel) * length + t]) - f64::from(mean)) * f64::from(factor)
                    }
                    _ => 0.0,
                };
                let mut at = 0;
                for (d, convolution) in rocket.each() {
                    let mut weights = [-1.0; LENGTH];
                    convolution.kernel.iter().for_each(|j| weights[*j] = 2.0);
                    prop_assert!(!convolution.channels.is_empty() && !convolution.range.is_empty());
                    let y: Vec<f64> = convolution.range.clone().map(|t| {
                        let tap = |channel: usize, j: usize| weights[j] * x(channel, t as isize + (j as isize - 4) * d as isize);
                        convolution.channels.iter().map(|ch| (0..LENGTH).map(|j| tap(*ch, j)).sum::<f64>()).sum()
                    }).collect();
                    for bias in &convolution.biases {
                        let share = |slack: f64| y.iter().filter(|v| **v > f64::from(*bias) + slack).count() as f32 / y.len() as f32;
                        prop_assert!((share(1e-4)..=share(-1e-4)).contains(&got[[i, at]]));
                        at += 1;
                    }
                }
            }
        }
    }
}
