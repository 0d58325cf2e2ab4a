//! The functions of a gate, made of single operations: the same bits on every processor.
//!
//! Only `+ − · /`, comparisons and bit moves, each rounded by itself. The trainer's kernels and the runtime
//! both call them, so a gate has the same bits in either.

/// `e^x` within 2 ulp for −87.3 ≤ x ≤ 88.3; arguments outside count as the ends of that range, NaN stays NaN.
///
/// `x = n ln 2 + r` with |r| ≤ ln 2 / 2, a polynomial in r, then n added to the exponent.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.3;
    const HIGHEST: f32 = 88.3;
    // Adding 1.5 · 2^23 rounds to the nearest integer and leaves that integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts; the first has so few bits that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < LOWEST { LOWEST } else { x };
    let x = if x > HIGHEST { HIGHEST } else { x };
    let shifted = x * core::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let p = (p * (r * r) + r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    p * f32::from_bits(exponent.wrapping_add(127) << 23)
}

/// `1 / (1 + e^−x)`.
///
/// ```
/// assert_eq!(bitspike_format::math::sigmoid(0.0), 0.5);
/// ```
#[inline(always)]
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Slope of [`hard`] between its corners: that of the logistic function at 0, and a power of two, so that devices with floats and
/// with integers multiply by it exactly.
pub const HARD_SLOPE: f32 = 0.25;
/// Where the corners of [`hard`] are: at ±2.
pub const HARD_CORNER: f32 = 2.0;

/// `min(max(x / 4 + 1/2, 0), 1)`: the logistic function in three straight pieces, with its value and slope at 0. NaN stays NaN.
///
/// ```
/// use bitspike_format::math::hard;
/// assert_eq!([-3.0, -1.0, 0.0, 1.0, 3.0].map(hard), [0.0, 0.25, 0.5, 0.75, 1.0]);
/// ```
#[inline(always)]
#[must_use]
pub fn hard(x: f32) -> f32 {
    let g = x * HARD_SLOPE + 0.5;
    let g = if g < 0.0 { 0.0 } else { g };
    if g > 1.0 { 1.0 } else { g }
}

/// Derivative of [`hard`]: 1/4 between the corners, 0 at the corners and beyond them.
#[inline(always)]
#[must_use]
pub fn hard_slope(x: f32) -> f32 {
    if -HARD_CORNER < x && x < HARD_CORNER { HARD_SLOPE } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{exp, hard, hard_slope, sigmoid};

    #[test]
    fn exp_is_within_2_ulp() {
        let mut worst = 0.0f64;
        for i in (-87_300..=88_300).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let x = i as f32 * 1e-3;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - want).abs() / (want * f64::from(f32::EPSILON)));
        }
        assert!(worst <= 2.0, "worst error {worst} ulp");
    }

    #[test]
    fn hard_is_the_line_between_its_corners() {
        for i in -8000..=8000 {
            let x = i as f32 / 1024.0;
            let want = (f64::from(x) / 4.0 + 0.5).clamp(0.0, 1.0);
            assert_eq!(f64::from(hard(x)), want, "{x}");
            assert_eq!(hard_slope(x), if x.abs() < 2.0 { 0.25 } else { 0.0 }, "{x}");
        }
        assert!(hard(f32::NAN).is_nan());
        assert_eq!([f32::NEG_INFINITY, f32::INFINITY].map(hard), [0.0, 1.0]);
        assert!(hard(-2.0).is_sign_positive());
    }

    #[test]
    fn bits_that_must_never_change() {
        // A file's predictions depend on every bit of this function.
        let rows =
            [(0.0, 0x3f00_0000), (1.0, 0x3f3b_26a8), (-1.0, 0x3e89_b2b1), (0.1, 0x3f06_6509), (-7.5, 0x3a10_e858)];
        let found: Vec<_> = rows.iter().map(|(x, _)| (*x, sigmoid(*x).to_bits())).collect();
        assert_eq!(found, rows, "{found:x?}");
    }
}
