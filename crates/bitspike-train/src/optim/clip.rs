//! Clipping of gradients by their global norm, as PyTorch's `clip_grad_norm_`.
//!
//! ```text
//! n = sqrt(sum over all trained parameters of g²);   g ← g · min(1, limit / (n + 1e-6))
//! ```
//!
//! Latent weights, real ones and α count alike, each with the gradient of the loss, before weight decay and learning rates.
//! The step of latent weights under the rule [`relative`](super::relative) does not depend on the size of their gradient, so
//! the limit does not shorten it. The sum is taken on the host in double precision, parameter by parameter in the order of the
//! module, so it does not depend on the number of threads. Source: Pascanu, Mikolov, Bengio, ICML 2013.

use crate::param::{self, ParamVisitor};
use burn::module::{Module, Param};
use burn::tensor::{Gradients, Tensor};

/// Added to the norm, as in PyTorch.
const EPSILON: f64 = 1e-6;

/// What every gradient is multiplied by; `None` if their norm is within `limit`, or `limit` is 0.
///
/// A norm that is no number gives a factor that is none: the next loss then says so.
pub(super) fn factor<M: Module>(module: &M, grads: &Gradients, limit: f64) -> Option<f64> {
    if limit == 0.0 {
        return None;
    }
    let factor = limit / (norm(module, grads) + EPSILON);
    let within = factor >= 1.0;
    (!within).then_some(factor)
}

fn norm<M: Module>(module: &M, grads: &Gradients) -> f64 {
    struct Squares<'a>(f64, &'a Gradients);
    impl ParamVisitor for Squares<'_> {
        fn visit<const D: usize>(&mut self, _: &str, param: &Param<Tensor<D>>) {
            if let Some(grad) = param.val().grad(self.1) {
                self.0 += param::host(grad).into_iter().map(|g| f64::from(g) * f64::from(g)).sum::<f64>();
            }
        }
    }
    let mut squares = Squares(0.0, grads);
    param::visit(module, &mut squares);
    squares.0.sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::{BinaryStep, OptimConfig, Optimizer};
    use burn::module::{Module, Param};
    use burn::tensor::{Device, Tensor};

    #[derive(Module, Debug)]
    struct Net {
        weight: Param<Tensor<1>>,
        latent: Param<Tensor<2>>,
        unused: Param<Tensor<1>>,
    }

    /// Gradients 3 and (0, 4): norm 5.
    fn moved(clip_norm: f64) -> ([f32; 3], [f32; 1]) {
        let device = Device::default().autodiff();
        let net = Net {
            weight: Param::from_tensor(Tensor::zeros([1], &device)),
            latent: Param::from_tensor(Tensor::zeros([1, 2], &device)),
            unused: Param::from_tensor(Tensor::ones([1], &device)),
        };
        let loss = (net.weight.val() * 3.0).sum() + net.latent.val().slice([0..1, 1..2]).sum() * 4.0;
        let config =
            OptimConfig { weight_decay: 0.0, clip_norm, binary_step: BinaryStep::Absolute, ..OptimConfig::default() };
        let net = Optimizer::new(config).step(net, &mut loss.backward(), 1.0);
        let host = |t: Tensor<1>| t.into_data().try_to_vec::<f32>().unwrap();
        let both = [host(net.weight.val()), host(net.latent.val().reshape([2]))].concat();
        (both.try_into().unwrap(), host(net.unused.val()).try_into().unwrap())
    }

    #[test]
    fn gradients_are_scaled_together_to_the_limit() {
        for (limit, scale) in [(0.0, 1.0), (5.1, 1.0), (2.5, 0.5), (0.5, 0.1)] {
            let (found, unused) = moved(limit);
            let expected = [-3.0 * scale, 0.0, -4.0 * scale];
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{limit}: {found:?}");
            assert_eq!(unused, [1.0]);
        }
        assert_eq!(moved(5.1), moved(0.0), "a limit that is not reached changes no bit");
    }
}
