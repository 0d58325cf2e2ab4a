//! T-BSO: flips binary weights from a momentum of gradients, without latent weights.
//!
//! ```text
//! at every time step t:   M ← β₁ M + (1 − β₁) G[t]
//!                         v[t] ← β₂ v[t] + (1 − β₂) · mean(G[t]²)
//!                         w ← −w where w · M > γ sqrt(v[t] + ε)
//! ```
//!
//! Source: Liang et al., "Binary Spiking Online Optimization Algorithm", ICML 2025. This is the update rule alone.

/// Constants of the rule. The authors use γ = 5e-7, 1 − β₁ = 1e-3, 1 − β₂ = 1e-5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TbsoParams {
    /// 1 − β₁.
    pub one_minus_beta1: f64,
    /// 1 − β₂.
    pub one_minus_beta2: f64,
    /// γ.
    pub gamma: f64,
    /// ε.
    pub epsilon: f64,
}

/// State of one weight tensor: M, and v per time step.
#[derive(Clone, Debug, PartialEq)]
pub struct Tbso {
    /// Momentum M, one value per weight.
    pub momentum: Vec<f32>,
    /// Second moment v, one value per time step.
    pub second_moment: Vec<f64>,
}

impl Tbso {
    /// Zero state for `weights` weights and `steps` time steps.
    pub fn new(weights: usize, steps: usize) -> Self {
        Self { momentum: vec![0.0; weights], second_moment: vec![0.0; steps] }
    }

    /// Takes the gradient of time step `t` and flips weights of −1 and +1 in place; returns how many.
    ///
    /// # Panics
    /// If the lengths of weights, gradient and state differ, or `t` is not a step of the state.
    ///
    /// ```
    /// use bitspike_train::optim::tbso::{Tbso, TbsoParams};
    /// let p = TbsoParams { one_minus_beta1: 1.0, one_minus_beta2: 1.0, gamma: 0.5, epsilon: 0.0 };
    /// let mut w = [1.0, 1.0];
    /// assert_eq!(Tbso::new(2, 1).step(&p, 0, &[1.0, -1.0], &mut w), 1);
    /// assert_eq!(w, [-1.0, 1.0]); // a positive gradient pushes a positive weight down
    /// ```
    pub fn step(&mut self, p: &TbsoParams, t: usize, grad: &[f32], weights: &mut [f32]) -> usize {
        assert!(grad.len() == weights.len() && grad.len() == self.momentum.len(), "lengths differ");
        let square = grad.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>() / grad.len().max(1) as f64;
        let v = &mut self.second_moment[t];
        *v = (1.0 - p.one_minus_beta2) * *v + p.one_minus_beta2 * square;
        let threshold = p.gamma * (*v + p.epsilon).sqrt();
        let mut flips = 0;
        for ((m, &g), w) in self.momentum.iter_mut().zip(grad).zip(weights) {
            *m = ((1.0 - p.one_minus_beta1) * f64::from(*m) + p.one_minus_beta1 * f64::from(g)) as f32;
            if f64::from(*w * *m) > threshold {
                *w = -*w;
                flips += 1;
            }
        }
        flips
    }
}
