//! Mean and standard deviation per channel.
//!
//! With x the N·T·H·W values of a channel: mean = Σx / n, std = √(Σx² / n − mean²) (population). Bytes count as p / 255; their
//! sums are taken over the integers p and p², so the result does not depend on the order of summation. Floats are summed in
//! double precision in file order, Σ(x − mean)² in a second pass. Of images that stay in their files the first 1,024 count: all
//! would take as long as an epoch. Samples of a folder are in turn of all classes, so these are too.

use crate::set::Values;
use crate::{DataError, SampleSet};
use rayon::prelude::*;

/// Images in files that are looked at.
const LOOKED_AT: usize = 1024;

/// Mean and population standard deviation per channel, of `p / 255` for bytes; of images in files those of the first 1,024.
///
/// Returns `(mean, std)`, each of length C.
///
/// ```
/// use bitspike_data::{SampleSet, channel_stats};
/// let set = SampleSet::new([1, 1, 2], vec![0, 255], vec![0], vec!["a".into()]).unwrap();
/// assert_eq!(channel_stats(&set).unwrap(), (vec![0.5], vec![0.5]));
/// ```
///
/// # Errors
/// [`DataError`] if an image file is gone or damaged.
pub fn channel_stats(set: &SampleSet) -> Result<(Vec<f32>, Vec<f32>), DataError> {
    let [c, h, w] = set.shape;
    // An empty shape cannot be built by `SampleSet::new`; the fields are public, so chunks of 0 are avoided here.
    let plane = (h * w).max(1);
    Ok(match &set.values {
        Values::Bytes(values) => {
            let mut histogram = vec![[0u64; 256]; c];
            count(values, plane, &mut histogram);
            histogram.iter().map(moments).unzip()
        }
        Values::Drawn(drawn) => {
            let (mut histogram, mut sample) = (vec![[0u64; 256]; c], Vec::new());
            for n in 0..drawn.samples() {
                drawn.draw(n, 0, 0, &mut sample);
                count(&sample, plane, &mut histogram);
            }
            histogram.iter().map(moments).unzip()
        }
        Values::Files(files) => {
            let looked = files.samples().min(LOOKED_AT);
            let parts: Vec<Result<Vec<[u64; 256]>, DataError>> = (0..looked)
                .into_par_iter()
                .map_init(Vec::new, |image, n| {
                    let mut histogram = vec![[0u64; 256]; c];
                    files.read(n, |_| None, image)?;
                    count(image, plane, &mut histogram);
                    Ok(histogram)
                })
                .collect();
            // In sample order, so that the same error is reported whatever the thread count.
            let mut histogram = vec![[0u64; 256]; c];
            for part in parts {
                for (sums, counts) in histogram.iter_mut().zip(part?) {
                    sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
                }
            }
            histogram.iter().map(moments).unzip()
        }
        Values::Floats(values) => {
            let n = (values.len() / c.max(1)).max(1) as f64;
            let sums = |f: &dyn Fn(usize, f64) -> f64| {
                let mut sums = vec![0.0; c];
                for (i, plane) in values.chunks_exact(plane).enumerate() {
                    sums[i % c] += plane.iter().map(|&x| f(i % c, f64::from(x))).sum::<f64>();
                }
                sums.into_iter().map(|s| s / n).collect::<Vec<f64>>()
            };
            let mean = sums(&|_, x| x);
            let var = sums(&|c, x| (x - mean[c]).powi(2));
            (mean.iter().map(|&m| m as f32).collect(), var.iter().map(|v| v.sqrt() as f32).collect())
        }
    })
}

/// Counts the bytes of whole frames, channel by channel.
fn count(values: &[u8], plane: usize, histogram: &mut [[u64; 256]]) {
    let c = histogram.len();
    for (i, plane) in values.chunks_exact(plane).enumerate() {
        let counts = &mut histogram[i % c];
        for &p in plane {
            counts[usize::from(p)] += 1;
        }
    }
}

fn moments(counts: &[u64; 256]) -> (f32, f32) {
    let (mut n, mut s1, mut s2) = (0u128, 0u128, 0u128);
    for (p, &k) in counts.iter().enumerate() {
        let (p, k) = (p as u128, u128::from(k));
        n += k;
        s1 += k * p;
        s2 += k * p * p;
    }
    if n == 0 {
        return (0.0, 0.0);
    }
    // n²·var = n·Σp² − (Σp)², an integer that is never negative: no cancellation.
    let var = (n * s2 - s1 * s1) as f64 / (n as f64 * n as f64);
    ((s1 as f64 / n as f64 / 255.0) as f32, (var.sqrt() / 255.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_by_hand() {
        // Channel 0: 0, 10, 20, 30: mean 15, variance 125. Channel 1: constant 51 = 255/5.
        let pixels = vec![0, 10, 51, 51, 20, 30, 51, 51];
        let set = SampleSet::new([2, 1, 2], pixels, vec![0, 0], vec!["a".into()]).unwrap();
        let (mean, std) = channel_stats(&set).unwrap();
        assert_eq!(mean, [(15.0f64 / 255.0) as f32, 0.2]);
        assert_eq!(std, [(125f64.sqrt() / 255.0) as f32, 0.0]);
    }

    #[test]
    fn agrees_with_the_direct_sum() {
        let pixels: Vec<u8> = (0..3 * 5 * 7 * 4u32).map(|i| (i * i % 251) as u8).collect();
        let set = SampleSet::new([3, 5, 7], pixels, vec![0; 4], vec!["a".into()]).unwrap();
        let (mean, std) = channel_stats(&set).unwrap();
        for ch in 0..3 {
            let xs: Vec<f64> = (0..4)
                .flat_map(|n| set.image(n).unwrap()[ch * 35..(ch + 1) * 35].to_vec())
                .map(|p| f64::from(p) / 255.0)
                .collect();
            let m = xs.iter().sum::<f64>() / xs.len() as f64;
            let v = xs.iter().map(|x| (x - m).powi(2)).sum::<f64>() / xs.len() as f64;
            assert!((f64::from(mean[ch]) - m).abs() < 1e-7 && (f64::from(std[ch]) - v.sqrt()).abs() < 1e-7);
        }
    }
    #[test]
    fn floats_count_as_they_are() {
        let values = Values::Floats(vec![1.0, 3.0, -2.0, -2.0, 5.0, 7.0, -2.0, -2.0]);
        let set = SampleSet::sequences(2, [2, 1, 2], values, vec![0], vec!["a".into()]).unwrap();
        assert_eq!(channel_stats(&set).unwrap(), (vec![4.0, -2.0], vec![5f32.sqrt(), 0.0]));
    }
}
