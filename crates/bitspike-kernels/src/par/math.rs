//! Exponential, logistic function and dot products written so that the compiler vectorises them.
//!
//! Only `+ - * /`, comparisons and bit moves are used: the same bits on every processor and vector width, which the
//! platform's `exp` does not promise. Exponential and logistic function are those of deployed files.

pub(crate) use bitspike_format::math::{exp, hard, hard_slope, sigmoid};

/// The function of a gate at `x`.
#[inline(always)]
pub(crate) fn gate<const HARD: bool>(x: f32) -> f32 {
    if HARD { hard(x) } else { sigmoid(x) }
}

/// The derivative of the function of a gate at `x`, where it is `g`.
#[inline(always)]
pub(crate) fn gate_slope<const HARD: bool>(x: f32, g: f32) -> f32 {
    if HARD { hard_slope(x) } else { g * (1.0 - g) }
}

/// `sum a * b`, the products exact and added in `f64` in a fixed order.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0f64; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[lane] += f64::from(*a) * f64::from(*b);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_sigmoid_at_the_edges() {
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1.3e-38 && exp(f32::INFINITY) > 1e38);
        assert_eq!(sigmoid(f32::INFINITY), 1.0);
        assert!(sigmoid(f32::NEG_INFINITY) < 1e-37);
        assert_eq!(sigmoid(0.0), 0.5);
    }

    #[test]
    fn sigmoid_matches_the_formula_in_f64() {
        for i in -2000..=2000 {
            let x = i as f32 * 0.01;
            let want = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x)) - want).abs() <= 4e-7 * want, "{x}");
        }
    }

    #[test]
    fn dot_is_exact_for_small_integers() {
        let a: Vec<f32> = (0..37).map(|i| i as f32).collect();
        assert_eq!(dot(&a, &a), (0..37).map(|i| f64::from(i * i)).sum::<f64>());
    }
}
