//! Binary weights without latent values: a weight flips when a momentum of its gradient says so.
//!
//! ```text
//! m ← (1 − r) · m + r · g;   w ← −w where w · m > threshold,   w = ±1
//! ```
//!
//! Bop (Helwegen et al., NeurIPS 2019) writes the condition as |m| > threshold and sign(m) = sign(w), which is the same. It
//! is also the rule of BSO (Liang et al., ICML 2025) with 1 − β₁ in place of r and the gradient of all time steps at once.
//! The weights start from the signs of the initial values. The learning-rate schedule acts on r; BSO's own decays, all
//! constants by 10 every 50 epochs, are not used.

use super::{Optimizer, sign};
use burn::tensor::Tensor;

/// The momentum after a gradient, and the weights it acts on: on the first one, real starting values become signs.
pub(super) fn momentum(
    optimizer: &mut Optimizer,
    name: &str,
    w: Tensor<1>,
    g: Tensor<1>,
    rate: f64,
) -> (Tensor<1>, Tensor<1>) {
    match optimizer.take("flip", name) {
        Some(m) => (m * (1.0 - rate) + g * rate, w),
        None => (g * rate, sign(w)),
    }
}

pub(super) fn step(optimizer: &mut Optimizer, name: &str, w: Tensor<1>, g: Tensor<1>, rate: f64) -> Tensor<1> {
    let (m, w) = momentum(optimizer, name, w, g, rate);
    let flips = (w.clone() * m.clone()).greater_elem(optimizer.config.flip_threshold);
    optimizer.keep("flip", name, m);
    w.clone().mask_where(flips, w.neg())
}

#[cfg(test)]
mod tests {
    use super::super::{BinaryRule, OptimConfig, Optimizer};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn a_weight_flips_once_its_momentum_passes_the_threshold() {
        let device = Device::default();
        let config = OptimConfig {
            binary_rule: BinaryRule::Flip,
            flip_rate: 0.5,
            flip_threshold: 0.6,
            lr: 1.0,
            ..OptimConfig::default()
        };
        let mut optimizer = Optimizer::new(config);
        let mut w = Tensor::<1>::from_floats([0.03, -0.2, 0.0, -0.1], &device);
        let g = || Tensor::<1>::from_floats([1.0, 1.0, -1.0, -1.0], &device);
        let mut seen = Vec::new();
        for _ in 0..2 {
            w = super::step(&mut optimizer, "w", w, g(), 0.5);
            seen.push(w.clone().into_data().try_to_vec::<f32>().unwrap());
        }
        // m is 0.5 after one step and 0.75 after two, with the sign of g: only weights of the same sign flip.
        assert_eq!(seen, [[1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]]);
    }
}
