//! Stochastic gradient descent with momentum and coupled weight decay, as in PyTorch.
//!
//! ```text
//! g ← g + decay · w;   v ← momentum · v + g  (v = g at the first step);   w ← w − lr · v
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
    let p = SgdParams { lr: lr as f32, momentum: optimizer.config.momentum as f32, decay: decay as f32 };
    let (w, v) = sgd_step(w, optimizer.take("velocity", name), g, p);
    optimizer.keep("velocity", name, v);
    w
}
