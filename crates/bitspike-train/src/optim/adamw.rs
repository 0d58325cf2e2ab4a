//! Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
//! w ← w − lr · decay · w − lr · m̂ / (sqrt(v̂) + ε),   m̂ = m / (1 − β₁ᵏ),  v̂ = v / (1 − β₂ᵏ)  at step k
//! ```

use super::Optimizer;
use bitspike_nn::ops::adamw::{AdamwParams, adamw_step};
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
    let p = AdamwParams::new(config.betas, config.epsilon, lr, decay, optimizer.steps);
    let moments = optimizer.take("first", name).zip(optimizer.take("second", name));
    let (w, (m, v)) = adamw_step(w, moments, g, p);
    optimizer.keep("first", name, m);
    optimizer.keep("second", name, v);
    w
}
