//! The curve of the estimator EDE, forward and backward.
//!
//! ```text
//! v = tanh(t w)      dw = dv · k t (1 − v²),   k = max(1/t, 1), so k t = max(1, t)
//! ```
//!
//! Shapes: all `[M]`; t > 0. The sign of v is that of w wherever t w is not below the smallest normal number. Source: Qin et al.,
//! "Forward and Backward Information Retention for Accurate Binary Neural Networks", CVPR 2020.

use crate::error::{KernelError, check_len};
use crate::par::math::exp;
use crate::par::{self, Level, multiversioned};

/// Writes tanh(t w) to `v`, to within 4e-7 of the value.
///
/// # Errors
/// [`KernelError`] if the lengths differ.
///
/// # Example
/// ```
/// use bitspike_kernels::ede::{backward, forward};
/// let (mut v, mut g) = ([0.0; 2], [1.0; 2]);
/// forward(2.0, &[0.0, -50.0], &mut v).unwrap();
/// backward(2.0, &v, &mut g).unwrap();
/// assert_eq!((v, g), ([0.0, -1.0], [2.0, 0.0]));
/// ```
pub fn forward(t: f32, w: &[f32], v: &mut [f32]) -> Result<(), KernelError> {
    check_len("ede::forward", "v", w.len(), v.len())?;
    let level = Level::selected();
    let items = w.chunks(par::CHUNK).zip(v.chunks_mut(par::CHUNK)).collect();
    par::for_each(w.len(), items, |(w, v): (_, &mut [f32])| curve(level, t, w, v));
    Ok(())
}

/// Turns the gradient of v into that of w, in place.
///
/// # Errors
/// [`KernelError`] if the lengths differ.
pub fn backward(t: f32, v: &[f32], g: &mut [f32]) -> Result<(), KernelError> {
    check_len("ede::backward", "g", v.len(), g.len())?;
    let level = Level::selected();
    let items = v.chunks(par::CHUNK).zip(g.chunks_mut(par::CHUNK)).collect();
    par::for_each(v.len(), items, |(v, g): (_, &mut [f32])| slope(level, t.max(1.0), v, g));
    Ok(())
}

multiversioned! {
    fn curve(t: f32, w: &[f32], v: &mut [f32]) {
        for (v, w) in v.iter_mut().zip(w) {
            *v = tanh(t * *w);
        }
    }
}

multiversioned! {
    fn slope(kt: f32, v: &[f32], g: &mut [f32]) {
        for (g, v) in g.iter_mut().zip(v) {
            *g *= kt * (1.0 - *v * *v);
        }
    }
}

/// Near zero, where 1 − 2/(e²ˣ + 1) would lose the digits and at last the sign: a convergent of Lambert's continued fraction.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let (a, x2) = (x.abs(), x * x);
    let near = x * (945.0 + x2 * (105.0 + x2)) / (945.0 + x2 * (420.0 + x2 * 15.0));
    let far = (1.0 - 2.0 / (exp(2.0 * a) + 1.0)).copysign(x);
    if a < 0.5 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::par::testing::noise;

    #[test]
    fn tanh_is_that_of_double_precision() {
        for i in -40_000..=40_000 {
            let x = i as f32 * 3e-4;
            let want = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) - want).abs() <= 4e-7 * want.abs(), "{x}: {} {want}", tanh(x));
        }
        for x in [1e-30f32, 1e-8, 0.499_999, 0.5, 9.0, 1e4, f32::INFINITY] {
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() <= 4e-7 * f64::from(x).tanh(), "{x}");
            assert_eq!(tanh(-x), -tanh(x), "{x}");
        }
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    fn every_level_equals_the_definition() {
        for len in [1, 7, 16, 1000, par::CHUNK + 3] {
            let (w, dv) = (noise(len, 1.0, 1), noise(len, 1.0, 2));
            for t in [0.1f32, 1.0, 10.0] {
                let curve: Vec<f32> = w.iter().map(|w| tanh(t * w)).collect();
                let slopes: Vec<f32> = curve.iter().zip(&dv).map(|(v, g)| g * (t.max(1.0) * (1.0 - v * v))).collect();
                for level in Level::available() {
                    let (mut v, mut g) = (vec![0.0; len], dv.clone());
                    level.force(|| forward(t, &w, &mut v).and_then(|()| backward(t, &v, &mut g))).unwrap();
                    assert_eq!((&v, &g), (&curve, &slopes), "{level:?}, {len}, t = {t}");
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert!(forward(1.0, &[0.0; 2], &mut [0.0; 1]).is_err());
        assert!(backward(1.0, &[0.0; 2], &mut [0.0; 1]).is_err());
    }
}
