//! Estimators of the gradient of the sign: what stands between the latent weight and its sign.
//!
//! The operation takes sign(v) of a proxy v and passes its gradient where |v| ≤ 1 ([`ops::conv`](crate::ops::conv)). An
//! estimator is how v is made from the latent weight w, row by row of an output channel, at progress p from 0 to 1:
//!
//! ```text
//! ste            v = w
//! standardized   v = (w − mean(w)) / std(w)                                                     (Q-SNN)
//! recu           z = standardized(w), Q = −mean|z| · ln(2 − 2τ), sign(z), ∂ = 1[|z| ≤ Q]         (ReCU)
//!                τ = 0.85^(1 − p) · 0.99^p
//! ede            sign(w), ∂ = k t (1 − tanh²(t w)), t = 10^(2 p − 1), k = max(1/t, 1)            (IR-Net)
//! ```
//!
//! Sources: Wei et al., "Q-SNNs", ACM MM 2024; Xu et al., "ReCU: Reviving the Dead Weights", ICCV 2021; Qin et al., "Forward
//! and Backward Information Retention", CVPR 2020. Reconstructed by us: that the mean of |z| is taken per output channel, that
//! τ goes from 0.85 to 0.99 geometrically, and that Q-SNN's clipping is |v| ≤ 1.
//!
//! Standardised weights change sign when the mean of their row moves: the weight of the network is [`Estimator::rows`], not
//! the sign of the latent value.

use crate::ops::ede::ede;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which estimator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// Straight-through.
    #[default]
    Ste,
    /// Straight-through behind a standardisation of every output channel.
    Standardized,
    /// Rectified clamp: weights beyond a quantile are clamped, so that they stay within reach of a flip.
    Recu,
    /// Error decay: an approximation of the sign that starts flat and becomes steep.
    Ede,
}

/// Variance below which a row counts as constant.
const EPSILON: f64 = 1e-12;

impl Estimator {
    /// Whether the sign of the proxy is that of the latent weight.
    pub fn keeps_signs(self) -> bool {
        matches!(self, Self::Ste | Self::Ede)
    }

    /// The proxy of weights `[C_out, ...]`, such as `[C_out, C_in, K, K]`.
    pub fn proxy<const D: usize>(self, latent: Tensor<D>, progress: f64) -> Tensor<D> {
        if self == Self::Ste {
            return latent;
        }
        let (shape, rows) = (latent.shape(), latent.dims()[0]);
        let columns = shape.num_elements() / rows;
        self.rows(latent.reshape([rows, columns]), progress).reshape(shape)
    }

    /// The proxy of rows `[C_out, K]` at `progress` from 0 (start of training) to 1.
    ///
    /// ```
    /// use bitspike_nn::layers::Estimator;
    /// use burn::tensor::{Device, Tensor};
    /// let w = Tensor::<2>::from_floats([[0.1, 0.2, 0.3, 0.4]], &Device::default());
    /// let v = Estimator::Standardized.rows(w, 0.0).into_data().try_to_vec::<f32>().unwrap();
    /// assert!(v[0] < 0.0 && v[3] > 0.0 && v.iter().sum::<f32>().abs() < 1e-5);
    /// ```
    pub fn rows(self, w: Tensor<2>, progress: f64) -> Tensor<2> {
        match self {
            Self::Ste => w,
            Self::Standardized => standardized(w),
            Self::Recu => {
                let z = standardized(w);
                let tau = 0.85f64.powf(1.0 - progress) * 0.99f64.powf(progress);
                let bound = z.clone().detach().abs().mean_dim(1) * -(2.0 - 2.0 * tau).ln();
                let inside = z.clone().detach().abs().lower_equal(bound).float();
                // Half of the unit interval: the operation itself then passes every gradient.
                with_gradient(z.clone().detach().clamp(-0.5, 0.5), z * inside)
            }
            Self::Ede => ede(w, 10f64.powf(2.0 * progress - 1.0) as f32),
        }
    }
}

fn standardized(w: Tensor<2>) -> Tensor<2> {
    let centred = w.clone() - w.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    centred / (variance + EPSILON).sqrt()
}

/// The value of one tensor with the gradient of another.
fn with_gradient(value: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
    value + (gradient.clone() - gradient.detach())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Values of the proxy and the gradient of its sum weighted by 1, 2, 3, ...
    fn run(estimator: Estimator, w: &[f32], progress: f64) -> (Vec<f32>, Vec<f32>) {
        let device = Device::default().autodiff();
        let w = Tensor::<1>::from_floats(w, &device).reshape([1, w.len()]).require_grad();
        let weights: Vec<f32> = (1..=w.dims()[1]).map(|i| i as f32).collect();
        let weights = Tensor::<1>::from_floats(weights.as_slice(), &device).unsqueeze::<2>();
        let v = estimator.rows(w.clone(), progress);
        let grads = (v.clone() * weights).sum().backward();
        let host = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
        (host(v.inner()), host(w.grad(&grads).unwrap()))
    }

    #[test]
    fn ede_has_the_gradient_of_its_formula() {
        let w = [-0.8, -0.05, 0.02, 0.6];
        for (progress, t, k) in [(0.0, 0.1f32, 10.0), (0.5, 1.0, 1.0), (1.0, 10.0, 1.0)] {
            let (v, g) = run(Estimator::Ede, &w, progress);
            for (i, &w) in w.iter().enumerate() {
                assert_eq!(v[i] > 0.0, w > 0.0);
                let expected = (i + 1) as f32 * k * t * (1.0 - (t * w).tanh().powi(2));
                // 1 − v² has lost the bits of v where v is near 1, and devices differ in the last bit of a tanh.
                let last_bit = (i + 1) as f32 * k * t * 2.0 * f32::EPSILON;
                assert!(
                    (g[i] - expected).abs() < (1e-4 * expected.abs()).max(last_bit),
                    "{progress} {i}: {} {expected}",
                    g[i]
                );
            }
        }
    }

    #[test]
    fn recu_lets_no_gradient_through_beyond_its_quantile() {
        // One weight far out: its own gradient is stopped, the others keep theirs through the standardisation.
        let mut w = vec![0.01f32, -0.01, 0.02, -0.02, 0.015, -0.015, 0.005, -0.005];
        w.push(0.5);
        let (v, _) = run(Estimator::Recu, &w, 0.0);
        assert!(v.iter().all(|v| v.abs() <= 0.5));
        // Finite differences of sum(i · clamp-like z): where |z| <= Q the function is z, beyond it is constant.
        let z = |w: &[f32]| {
            let n = w.len() as f64;
            let mean = w.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let var = w.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
            w.iter().map(|&v| (f64::from(v) - mean) / var.sqrt()).collect::<Vec<f64>>()
        };
        let start = z(&w);
        let q = -start.iter().map(|v| v.abs()).sum::<f64>() / start.len() as f64 * 0.3f64.ln();
        assert!(start[8] > q && start[..8].iter().all(|v| v.abs() < q));
        let f = |w: &[f32]| z(w)[..8].iter().enumerate().map(|(i, v)| (i + 1) as f64 * v).sum::<f64>();
        let (_, g) = run(Estimator::Recu, &w, 0.0);
        for i in 0..w.len() {
            let mut up = w.clone();
            up[i] += 1e-4;
            let mut down = w.clone();
            down[i] -= 1e-4;
            let expected = (f(&up) - f(&down)) / f64::from(up[i] - down[i]);
            assert!((f64::from(g[i]) - expected).abs() < 1e-2 * expected.abs().max(1.0), "{i}: {} {expected}", g[i]);
        }
    }

    #[test]
    fn standardized_rows_have_mean_0_and_variance_1() {
        let (v, g) = run(Estimator::Standardized, &[0.3, -0.1, 0.7, 0.2, 0.0], 0.0);
        let mean = v.iter().sum::<f32>() / 5.0;
        let var = v.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 5.0;
        assert!(mean.abs() < 1e-6 && (var - 1.0).abs() < 1e-4);
        // The gradient is orthogonal to shifts and to scaling of the row.
        assert!(g.iter().sum::<f32>().abs() < 1e-3);
        assert!(g.iter().zip(&v).map(|(g, v)| g * v).sum::<f32>().abs() < 1e-3);
    }
}
