//! Freezes latent weights that oscillate.
//!
//! ```text
//! f ← (1 − μ) f + μ · [the step changed the sign];   e ← (1 − μ) e + μ · sign(w);   μ = 0.01
//! where f > limit:  w ← sign(e) · |w|, and never again changed
//! ```
//!
//! Source: iterative weight freezing, Nagel et al., "Overcoming Oscillations in Quantization-Aware Training", ICML 2022, for
//! one-bit weights: the integer there is the sign here. Their limit follows a schedule; ours is constant.

use super::{Optimizer, sign};
use burn::tensor::Tensor;

/// Share of the newest step in the moving averages.
const MOMENTUM: f64 = 0.01;
/// Value of f that marks a frozen weight; an average of flips is at most 1.
const FROZEN: f64 = 2.0;

/// The weights after a step from `old` to `new`.
pub(super) fn step(optimizer: &mut Optimizer, name: &str, old: Tensor<1>, new: Tensor<1>) -> Tensor<1> {
    let limit = optimizer.config.freeze_above;
    let before = sign(old.clone());
    let (rate, mean) = match (optimizer.take("flip_rate", name), optimizer.take("mean_sign", name)) {
        (Some(rate), Some(mean)) => (rate, mean),
        _ => (old.zeros_like(), before.clone()),
    };
    let frozen = rate.clone().greater_equal_elem(FROZEN);
    let new = new.mask_where(frozen.clone(), old);
    let now = sign(new.clone());
    let flipped = (before * now.clone()).lower_elem(0.0).float();
    let moved = rate.clone() * (1.0 - MOMENTUM) + flipped * MOMENTUM;
    let mean = mean * (1.0 - MOMENTUM) + now * MOMENTUM;
    let freeze = moved.clone().greater_elem(limit).bool_and(frozen.clone().bool_not());
    let kept = sign(mean.clone()) * new.clone().abs();
    optimizer.keep("flip_rate", name, moved.mask_fill(freeze.clone(), FROZEN).mask_where(frozen, rate));
    optimizer.keep("mean_sign", name, mean);
    new.mask_where(freeze, kept)
}

#[cfg(test)]
mod tests {
    use super::super::{OptimConfig, Optimizer};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn a_weight_that_oscillates_is_frozen_at_its_usual_sign_and_others_move_on() {
        let device = Device::default();
        let mut optimizer = Optimizer::new(OptimConfig { freeze_above: 0.025, ..OptimConfig::default() });
        let tensor = |v: [f32; 2]| Tensor::<1>::from_floats(v, &device);
        let mut w = tensor([0.1, 0.1]);
        let mut seen = Vec::new();
        for step in 0..6 {
            // The first weight is pushed to the other side at every step, the second drifts.
            let [a, b]: [f32; 2] = w.clone().into_data().try_to_vec::<f32>().unwrap().try_into().unwrap();
            let target = if a > 0.0 { -0.1 } else { 0.1 };
            w = super::step(&mut optimizer, "w", w, tensor([target, b + 0.01]));
            let values = w.clone().into_data().try_to_vec::<f32>().unwrap();
            assert!((values[1] - 0.1 - 0.01 * (step + 1) as f32).abs() < 1e-6, "the second is free");
            seen.push(values[0]);
        }
        // Averages of 0.01, 0.0199, 0.0297: frozen by the third flip, at +, where the mean of its signs is.
        assert_eq!(seen, [-0.1, 0.1, 0.1, 0.1, 0.1, 0.1]);
    }
}
