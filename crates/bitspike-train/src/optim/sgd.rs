//! Stochastic gradient descent with momentum and coupled weight decay, as in PyTorch.
//!
//! ```text
//! g ← g + decay · w;   v ← momentum · v + g  (v = g at the first step);   w ← w − lr · v
//!                                                                           nesterov:  w ← w − lr · (g + momentum · v)
//! ```

use super::Optimizer;
use bitspike_nn::ops::sgd::{SgdParams, sgd_step};
use burn::tensor::Tensor;

pub(super) fn step(
    optimizer: &mut Optimizer,
    name: &str,
    w: Tensor<1>,
    g: Tensor<1>,
    lr: f64,
    decay: f64,
) -> Tensor<1> {
    let config = &optimizer.config;
    let p =
        SgdParams { lr: lr as f32, momentum: config.momentum as f32, decay: decay as f32, nesterov: config.nesterov };
    let (w, v) = sgd_step(w, optimizer.take("velocity", name), g, p);
    optimizer.keep("velocity", name, v);
    w
}

#[cfg(test)]
mod tests {
    use super::super::{OptimConfig, Optimizer};
    use burn::tensor::{Device, Tensor};

    /// torch.optim.SGD([1.0], lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True) with gradients 1, −2, 0.5, by hand in
    /// double precision.
    #[test]
    fn nesterov_has_the_formula_of_pytorch() {
        let device = Device::default();
        let mut optimizer = Optimizer::new(OptimConfig { nesterov: true, ..OptimConfig::default() });
        let (mut w, mut expected, mut v) = (Tensor::<1>::ones([1], &device), 1.0f64, None);
        for g in [1.0, -2.0, 0.5] {
            w = super::step(&mut optimizer, "w", w, Tensor::from_floats([g as f32], &device), 0.1, 0.1);
            let g = g + 0.1 * expected;
            let now = v.map_or(g, |v: f64| 0.9 * v + g);
            v = Some(now);
            expected -= 0.1 * (g + 0.9 * now);
            let found: f32 = w.clone().into_scalar();
            assert!((f64::from(found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
