//! T-BSO as tensor operations: [`tbso`](super::tbso) on whatever device the weights are.
//!
//! Formula and source there; r₁ = 1 − β₁ is `optim.flip_rate`, γ is `optim.flip_threshold`, r₂ = 1 − β₂ is
//! `optim.flip_moment_rate`. The learning-rate schedule acts on r₁ and r₂; the authors divide r₁, r₂ and γ by 10 every 50
//! epochs instead.

use super::flip::momentum;
use super::{MOMENT, Optimizer};
use burn::tensor::Tensor;

/// ε under the root.
const EPSILON: f32 = 1e-10;

/// `scale` is the scheduled share of the top learning rate.
pub(super) fn step(optimizer: &mut Optimizer, name: &str, w: Tensor<1>, g: Tensor<1>, scale: f64) -> Tensor<1> {
    let (t, steps) = optimizer.time;
    let (rate, moment_rate) = (optimizer.config.flip_rate * scale, optimizer.config.flip_moment_rate * scale);
    let square = (g.clone() * g.clone()).mean();
    let (m, w) = momentum(optimizer, name, w, g, rate);
    let moments = optimizer.take(MOMENT, name).unwrap_or_else(|| Tensor::zeros([steps], &w.device()));
    let v = moments.clone().narrow(0, t, 1) * (1.0 - moment_rate) + square * moment_rate;
    let threshold = (v.clone() + EPSILON).sqrt() * optimizer.config.flip_threshold;
    #[allow(clippy::single_range_in_vec_init)]
    let moments = moments.slice_assign([t..t + 1], v);
    let flips = (w.clone() * m.clone()).greater(threshold.expand([w.dims()[0]]));
    optimizer.keep("flip", name, m);
    optimizer.keep(MOMENT, name, moments);
    w.clone().mask_where(flips, w.neg())
}

#[cfg(test)]
mod tests {
    use super::super::tbso::{Tbso, TbsoParams};
    use super::super::{BinaryRule, OptimConfig, Optimizer};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn agrees_with_the_scalar_rule() {
        let device = Device::default();
        let (steps, count) = (3, 37);
        let p = TbsoParams { one_minus_beta1: 0.1, one_minus_beta2: 0.05, gamma: 0.05, epsilon: 1e-10 };
        let config = OptimConfig {
            binary_rule: BinaryRule::Online,
            flip_rate: p.one_minus_beta1,
            flip_moment_rate: p.one_minus_beta2,
            flip_threshold: p.gamma,
            ..OptimConfig::default()
        };
        let (mut optimizer, mut twin) = (Optimizer::new(config), Tbso::new(count, steps));
        let value = |i: usize| ((i * 7919 % 101) as f32 - 50.0) / 100.0;
        let start: Vec<f32> = (0..count).map(|i| if i % 3 == 0 { -0.2 } else { 0.1 }).collect();
        let mut w = Tensor::<1>::from_floats(start.as_slice(), &device);
        let mut expected: Vec<f32> = start.iter().map(|w| w.signum()).collect();
        let mut flips = 0;
        for i in 0..30 {
            let t = i % steps;
            let g: Vec<f32> = (0..count).map(|j| value(i * count + j)).collect();
            flips += twin.step(&p, t, &g, &mut expected);
            optimizer.set_time(t, steps);
            w = super::step(&mut optimizer, "w", w, Tensor::from_floats(g.as_slice(), &device), 1.0);
            assert_eq!(w.clone().into_data().try_to_vec::<f32>().unwrap(), expected, "update {i}");
        }
        assert!(flips > count, "{flips}");
    }
}
