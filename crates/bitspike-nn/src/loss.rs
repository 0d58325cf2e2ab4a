//! Losses over the time steps of the logits.
//!
//! ```text
//! tet:         mean over t of CE(logits[t], label)         (Deng et al., ICLR 2022)
//! mean-output: CE(mean over t of logits[t], label)
//! ```
//!
//! Shapes: logits `[T, N, K]`, labels `[N]` → a scalar, the mean over the batch.

use burn::tensor::{Int, Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

/// Which loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Temporal efficient training: the mean of the cross entropies of every step.
    #[default]
    Tet,
    /// Cross entropy of the mean output.
    MeanOutput,
}

impl Loss {
    /// The loss, a tensor of one element.
    ///
    /// ```
    /// use bitspike_nn::Loss;
    /// use burn::tensor::{Device, Int, Tensor};
    /// let device = Device::default();
    /// let logits = Tensor::<3>::zeros([2, 3, 10], &device);
    /// let labels = Tensor::<1, Int>::from_ints([1, 0, 9], &device);
    /// let loss: f32 = Loss::Tet.forward(logits, labels).into_scalar();
    /// assert!((loss - 10f32.ln()).abs() < 1e-6);
    /// ```
    pub fn forward(self, logits: Tensor<3>, labels: Tensor<1, Int>) -> Tensor<1> {
        let [t, n, k] = logits.dims();
        match self {
            Self::Tet => cross_entropy(logits.reshape([t * n, k]), labels.repeat_dim(0, t)),
            Self::MeanOutput => cross_entropy(mean_output(logits), labels),
        }
    }
}

/// The mean over the time steps, `[T, N, K]` → `[N, K]`.
pub fn mean_output(logits: Tensor<3>) -> Tensor<2> {
    let [_, n, k] = logits.dims();
    logits.mean_dim(0).reshape([n, k])
}

fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let n = labels.dims()[0];
    log_softmax(logits, 1).gather(1, labels.reshape([n, 1])).mean().neg()
}
