//! The step of binary weights in units of the weights themselves (`optim.binary_step = "relative"`, the default).
//!
//! ```text
//! at the start:   V ← V · UNIT / rms(V)                          over the weights of a layer
//! every step:     ĝ = g / rms(g);   η = lr · lr_binary_mult · STEP
//!                 SGD:     v ← β v + ĝ + weight_decay · DECAY · V/UNIT;   V/UNIT ← V/UNIT − η v
//!                 AdamW:   as for every other weight, since it divides by the size of the gradient already
//! ```
//!
//! rms(x) = sqrt(mean(x²)). Shapes: V, g of any shape. **Ours**: the gradient of a sign does not know the size of the latent
//! weight behind it, and a batch norm behind a layer makes its size depend on width, depth and place. So a learning rate by
//! itself says nothing about how often signs change; the ratio of step and weight does. Here that ratio is η for a weight and a
//! gradient of usual size, in every layer. Related: LARS (You et al., 2017) multiplies a step by ‖V‖/‖g‖ as it stands; adaptive
//! gradient scaling of OvSW (Xiang et al., ECCV 2024) does so where ‖g‖/‖V‖ is small. Here the unit is that of the start, so
//! that weights may grow and signs settle.
//!
//! Law: with every latent weight of a layer times a power of two at the start, a run has the same signs at every step.
//!
//! What a weight was taught is forgotten at η · weight_decay · DECAY / (1 − β) per step. That has to be in units of the weights
//! too: as small as for real weights it does nothing, weights grow, and signs settle before they are right.
//!
//! UNIT only says where V stands in the window 1[|V| ≤ 1] of the straight-through gradient: 16 units from its edge.

use super::{BinaryRule, BinaryStep, OptimConfig, OptimizerKind};
use crate::param::{self, ParamMapper, Role};
use bitspike_nn::ops::rms::scale_to_rms;
use burn::module::Module;
use burn::tensor::Tensor;

/// Root mean square of the latent weights of a layer at the start.
pub const UNIT: f64 = 1.0 / 16.0;

/// Units by which a learning rate of 1 moves a weight whose gradient has the usual size. Measured: with it 0.1, which suits
/// the other parameters, suits the binary ones too (docs/concepts/method.md).
pub const STEP: f64 = 1.0 / 16.0;

/// Factor on `weight_decay`. Measured: with the usual 1e-4 a weight forgets within 625 steps at a learning rate of 0.1
/// (docs/concepts/method.md).
pub const DECAY: f64 = 256.0;

impl OptimConfig {
    /// Whether this rule holds: there are latent weights, and their step is relative.
    pub(super) fn relative(&self) -> bool {
        self.binary_rule == BinaryRule::Latent && self.binary_step == BinaryStep::Relative
    }

    /// Whether the gradient of binary weights is divided by its root mean square in front of the optimiser.
    pub(crate) fn unit_gradient(&self) -> bool {
        self.relative() && self.kind == OptimizerKind::Sgd
    }
}

/// Brings the latent weights of every layer to [`UNIT`].
pub(super) fn to_unit<M: Module>(module: M) -> M {
    struct ToUnit;
    impl ParamMapper for ToUnit {
        fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
            if Role::of(name) != Role::Binary {
                return None;
            }
            let shape = value.shape();
            let flat = param::plain(value.clone()).reshape([shape.num_elements()]);
            Some(scale_to_rms(flat, UNIT as f32).reshape(shape))
        }
    }
    param::map(module, &mut ToUnit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Optimizer;
    use burn::module::Param;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Net {
        latent: Param<Tensor<1>>,
    }

    /// Without a gradient w ← w (1 − η · weight_decay · DECAY), by hand.
    #[test]
    fn a_weight_without_a_gradient_is_forgotten() {
        let device = Device::default().autodiff();
        let net = Net { latent: Param::from_tensor(Tensor::from_floats([0.5, -0.25], &device)) };
        let config = OptimConfig { lr: 1.0, momentum: 0.0, weight_decay: 1.0 / 64.0, ..OptimConfig::default() };
        let mut optimizer = Optimizer::new(config);
        let loss = (net.latent.val() * 0.0).sum();
        let net = optimizer.step(net, &mut loss.backward(), 1.0);
        assert_eq!(net.latent.val().into_data().try_to_vec::<f32>().unwrap(), [0.375, -0.1875]);
    }
}
