//! Stochastic gradient descent with momentum and coupled weight decay, as in PyTorch.
//!
//! ```text
//! g ← g + decay · w;   v ← momentum · v + g  (v = g at the first step);   w ← w − lr · v
//! ```

use super::Optimizer;
use burn::tensor::Tensor;

pub(super) fn step(
    optimizer: &mut Optimizer,
    name: &str,
    w: Tensor<1>,
    g: Tensor<1>,
    lr: f64,
    decay: f64,
) -> Tensor<1> {
    let g = if decay == 0.0 { g } else { g + w.clone() * decay };
    let v = match optimizer.take("velocity", name) {
        None => g,
        Some(v) => v * optimizer.config.momentum + g,
    };
    optimizer.keep("velocity", name, v.clone());
    w - v * lr
}
