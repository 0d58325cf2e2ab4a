//! Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²
//! w ← w − lr · decay · w − lr · m̂ / (sqrt(v̂) + ε),   m̂ = m / (1 − β₁ᵏ),  v̂ = v / (1 − β₂ᵏ)  at step k
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
    let [b1, b2] = optimizer.config.betas;
    let moment = |old: Option<Tensor<1>>, new: Tensor<1>, b: f64| match old {
        None => new * (1.0 - b),
        Some(old) => old * b + new * (1.0 - b),
    };
    let m = moment(optimizer.take("first", name), g.clone(), b1);
    let v = moment(optimizer.take("second", name), g.clone() * g, b2);
    optimizer.keep("first", name, m.clone());
    optimizer.keep("second", name, v.clone());
    let k = optimizer.steps as i32;
    let (c1, c2) = (1.0 - b1.powi(k), 1.0 - b2.powi(k));
    let change = (m / c1) / ((v / c2).sqrt() + optimizer.config.epsilon);
    w.clone() * (1.0 - lr * decay) - change * lr
}
