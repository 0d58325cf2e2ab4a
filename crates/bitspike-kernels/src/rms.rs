//! A tensor brought to a stated root mean square, in place.
//!
//! ```text
//! y = x · (size / sqrt(mean(x²)))        zeros stay zeros
//! ```
//!
//! Shapes: x `[M]`. Squares are summed in f64, in an order that depends on M alone. Multiplying x by a power of two changes no
//! bit of y, as long as no element leaves the range of normal numbers: every step before the last is then off by that power
//! exactly. The rule of binary weights rests on this.

use crate::par::{self, Level, multiversioned};

/// Sums that run side by side within a chunk, so that they vectorise without changing the order.
const LANES: usize = 8;

/// Scales `x` so that its root mean square is `size`.
///
/// # Example
/// ```
/// let mut x = [3.0, -4.0, 0.0, 0.0]; // root mean square 2.5
/// bitspike_kernels::rms::scale_to(5.0, &mut x);
/// assert_eq!(x, [6.0, -8.0, 0.0, 0.0]);
/// ```
pub fn scale_to(size: f32, x: &mut [f32]) {
    let rms = root_mean_square(x);
    if rms == 0.0 {
        return;
    }
    let (level, factor) = (Level::selected(), (f64::from(size) / rms) as f32);
    let items: Vec<&mut [f32]> = x.chunks_mut(par::CHUNK).collect();
    par::for_each(items.iter().map(|c| c.len()).sum(), items, |chunk: &mut [f32]| multiply(level, factor, chunk));
}

/// sqrt(mean(x²)); 0 for an empty slice.
pub fn root_mean_square(x: &[f32]) -> f64 {
    let level = Level::selected();
    let sums = par::map(x.len(), x.chunks(par::CHUNK).collect(), |chunk: &[f32]| {
        let mut lanes = [0.0; LANES];
        squares(level, chunk, &mut lanes);
        lanes.iter().sum::<f64>()
    });
    (sums.iter().sum::<f64>() / x.len().max(1) as f64).sqrt()
}

multiversioned! {
    fn squares(x: &[f32], lanes: &mut [f64; LANES]) {
        let mut rows = x.chunks_exact(LANES);
        for row in &mut rows {
            for (sum, v) in lanes.iter_mut().zip(row) {
                *sum += f64::from(*v) * f64::from(*v);
            }
        }
        for (sum, v) in lanes.iter_mut().zip(rows.remainder()) {
            *sum += f64::from(*v) * f64::from(*v);
        }
    }
}

multiversioned! {
    fn multiply(factor: f32, x: &mut [f32]) {
        for v in x {
            *v *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::par::testing::noise;

    const SIZES: [usize; 6] = [1, 7, 16, 1000, par::CHUNK + 3, 5 * par::CHUNK];

    #[test]
    fn every_level_gives_the_same_bits_and_the_size_asked_for() {
        for len in SIZES {
            let x = noise(len, 1e-4, 3);
            let naive = (x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / len as f64).sqrt();
            let mut seen: Vec<Vec<f32>> = Vec::new();
            for level in Level::available() {
                let mut y = x.clone();
                level.force(|| scale_to(0.5, &mut y));
                assert!(y.iter().zip(&x).all(|(y, x)| (f64::from(*y) - f64::from(*x) * 0.5 / naive).abs() < 1e-6));
                seen.push(y);
            }
            assert!(seen.iter().all(|y| *y == seen[0]), "{len}");
        }
    }

    #[test]
    fn a_power_of_two_in_front_changes_no_bit() {
        for len in SIZES {
            let x = noise(len, 1.0, 5);
            for power in [-40, -3, 1, 17] {
                let (mut a, mut b) = (x.clone(), x.iter().map(|v| v * 2f32.powi(power)).collect::<Vec<_>>());
                scale_to(1.0, &mut a);
                scale_to(1.0, &mut b);
                assert_eq!(a, b, "{len} values times 2^{power}");
            }
        }
    }

    #[test]
    fn zeros_and_nothing_stay() {
        let mut x = [0.0, -0.0];
        scale_to(1.0, &mut x);
        assert_eq!(x, [0.0, 0.0]);
        scale_to(1.0, &mut []);
        assert_eq!(root_mean_square(&[]), 0.0);
    }
}
