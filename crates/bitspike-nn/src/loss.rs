//! Losses over the time steps of the logits.
//!
//! ```text
//! tet:         mean over t of CE(logits[t], label)         (Deng et al., ICLR 2022)
//! mean-output: CE(mean over t of logits[t], label)
//! mixed:       CE(z, y) becomes w · CE(z, label) + (1 − w) · CE(z, second label), the cross entropy with a soft label
//! smoothed:    CE(z, y) becomes (1 − ε) · CE(z, y) − ε · mean over classes of log softmax(z)   (Szegedy et al., CVPR 2016)
//! weighted:    log softmax(z)[k] becomes w_k · log softmax(z)[k], with a weight for each class k
//! ```
//!
//! Shapes: logits `[T, N, K]`, labels and w `[N]` → a scalar, the mean over the batch.

use crate::shape::require;
use burn::tensor::{Int, Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

/// Which loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Temporal efficient training: the mean of the cross entropies of every step.
    #[default]
    Tet,
    /// Cross entropy of the mean output.
    MeanOutput,
}

/// What the outputs should be.
#[derive(Clone, Debug)]
pub struct Targets {
    labels: Tensor<1, Int>,
    second: Option<(Tensor<1, Int>, Tensor<1>)>,
    /// ε.
    smoothing: f64,
    /// `[K]`.
    weights: Option<Tensor<1>>,
}

impl Targets {
    /// Samples of two classes: `own` is the weight of `labels`, `second` has the rest. Shapes: all `[N]`.
    ///
    /// ```
    /// use bitspike_nn::{Loss, Targets};
    /// use burn::tensor::{Device, Int, Tensor};
    /// let device = Device::default();
    /// let logits = Tensor::<3>::from_floats([[[2.0, 0.0]]], &device);
    /// let class = |k: i32| Tensor::<1, Int>::from_ints([k], &device);
    /// let mixed = Targets::mixed(class(0), class(1), Tensor::from_floats([0.75], &device));
    /// let loss: f32 = Loss::MeanOutput.forward(logits, mixed).into_scalar();
    /// assert!((loss - (2f32.exp() + 1.0).ln() + 0.75 * 2.0).abs() < 1e-6);
    /// ```
    pub fn mixed(labels: Tensor<1, Int>, second: Tensor<1, Int>, own: Tensor<1>) -> Self {
        Self { second: Some((second, own)), ..labels.into() }
    }

    /// The same with label smoothing: a share `epsilon` of every target, mixed ones too, is spread evenly over all classes. 0
    /// leaves it out, and the loss with the bits it has without.
    ///
    /// ```
    /// use bitspike_nn::{Loss, Targets};
    /// use burn::tensor::{Device, Int, Tensor};
    /// let device = Device::default();
    /// let logits = Tensor::<3>::from_floats([[[2.0, 0.0]]], &device);
    /// let smoothed = Targets::from(Tensor::<1, Int>::from_ints([0], &device)).smoothed(0.5);
    /// let loss: f32 = Loss::MeanOutput.forward(logits, smoothed).into_scalar();
    /// assert!((loss - (2f32.exp() + 1.0).ln() + 0.75 * 2.0).abs() < 1e-6); // ¾ of one class, ¼ of the other
    /// ```
    pub fn smoothed(self, epsilon: f64) -> Self {
        Self { smoothing: epsilon, ..self }
    }

    /// The same with a weight for each class, `[K]`: where classes have unequal numbers of samples.
    ///
    /// ```
    /// use bitspike_nn::{Loss, Targets};
    /// use burn::tensor::{Device, Int, Tensor};
    /// let device = Device::default();
    /// let targets = Targets::from(Tensor::<1, Int>::from_ints([0, 1], &device));
    /// let weighted = targets.weighted(Tensor::from_floats([0.5, 3.0], &device));
    /// let loss: f32 = Loss::MeanOutput.forward(Tensor::<3>::zeros([1, 2, 2], &device), weighted).into_scalar();
    /// assert!((loss - 3.5 / 2.0 * 2f32.ln()).abs() < 1e-6);
    /// ```
    pub fn weighted(self, weights: Tensor<1>) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// Every target `t` times, one set after the other.
    fn repeat(self, t: usize) -> Self {
        let second = self.second.map(|(second, own)| (second.repeat_dim(0, t), own.repeat_dim(0, t)));
        Self { labels: self.labels.repeat_dim(0, t), second, ..self }
    }
}

impl From<Tensor<1, Int>> for Targets {
    fn from(labels: Tensor<1, Int>) -> Self {
        Self { labels, second: None, smoothing: 0.0, weights: None }
    }
}

impl Loss {
    /// The loss, a tensor of one element, for classes `[N]` or [`Targets`].
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
    ///
    /// # Panics
    /// If there is not one target per sample.
    #[track_caller]
    pub fn forward(self, logits: Tensor<3>, targets: impl Into<Targets>) -> Tensor<1> {
        let ([t, n, k], targets) = (logits.dims(), targets.into());
        let second = targets.second.as_ref().map_or([n; 2], |(second, own)| [second.dims()[0], own.dims()[0]]);
        for (name, len) in [("labels [N]", targets.labels.dims()[0]), ("second [N]", second[0]), ("own [N]", second[1])]
        {
            let rule = format_args!("logits are of {n} samples, {name} has {len}");
            require(len == n, "Loss", rule, &[("logits [T, N, K]", &[t, n, k]), (name, &[len])]);
        }
        let weights = targets.weights.as_ref().map_or(k, |w| w.dims()[0]);
        let rule = format_args!("logits are of {k} classes, weights [K] has {weights}");
        require(weights == k, "Loss", rule, &[("logits [T, N, K]", &[t, n, k]), ("weights [K]", &[weights])]);
        match self {
            Self::Tet => cross_entropy(logits.reshape([t * n, k]), targets.repeat(t)),
            Self::MeanOutput => cross_entropy(mean_output(logits), targets),
        }
    }
}

/// The mean over the time steps, `[T, N, K]` → `[N, K]`.
pub fn mean_output(logits: Tensor<3>) -> Tensor<2> {
    let [_, n, k] = logits.dims();
    logits.mean_dim(0).reshape([n, k])
}

fn cross_entropy(logits: Tensor<2>, targets: Targets) -> Tensor<1> {
    let n = targets.labels.dims()[0];
    let logs = log_softmax(logits, 1);
    let logs = match targets.weights {
        Some(weights) => logs * weights.unsqueeze(),
        None => logs,
    };
    let of = |labels: Tensor<1, Int>| logs.clone().gather(1, labels.reshape([n, 1]));
    let loss = match targets.second {
        None => of(targets.labels).mean().neg(),
        Some((second, own)) => {
            let own = own.reshape([n, 1]);
            let rest = own.clone().neg() + 1.0;
            (of(targets.labels) * own + of(second) * rest).mean().neg()
        }
    };
    let epsilon = targets.smoothing;
    if epsilon == 0.0 { loss } else { loss * (1.0 - epsilon) - logs.mean() * epsilon }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    const LOGITS: [f32; 12] = [0.5, -1.0, 2.0, 0.25, 1.5, -0.75, -0.5, 0.0, 1.0, 2.5, -2.0, 0.125];
    const WEIGHTS: [f64; 2] = [0.3, 0.85];

    /// T = 2, N = 2, K = 3; sample 0 is of 2 and 0, sample 1 of 1 and 1.
    fn run(loss: Loss, mixed: bool, smoothing: f64) -> (f64, Vec<f64>) {
        let device = Device::default().autodiff();
        let logits = Tensor::<3>::from_data(TensorData::new(LOGITS.to_vec(), [2, 2, 3]), &device).require_grad();
        let labels = Tensor::<1, Int>::from_ints([2, 1], &device);
        let targets = match mixed {
            false => Targets::from(labels),
            true => Targets::mixed(
                labels,
                Tensor::from_ints([0, 1], &device),
                Tensor::from_floats(WEIGHTS.map(|w| w as f32), &device),
            ),
        };
        let value = loss.forward(logits.clone(), targets.smoothed(smoothing));
        let grads = logits.grad(&value.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        (value.into_scalar::<f32>().into(), grads.into_iter().map(f64::from).collect())
    }

    fn softmax(z: &[f64]) -> Vec<f64> {
        let e: Vec<f64> = z.iter().map(|z| z.exp()).collect();
        e.iter().map(|x| x / e.iter().sum::<f64>()).collect()
    }

    /// The loss and its gradient, (softmax − soft label) over the number of rows, in double precision.
    #[test]
    fn soft_labels_have_their_loss_and_gradient() {
        let two = [[1.0 - WEIGHTS[0], 0.0, WEIGHTS[0]], [0.0, 1.0, 0.0]];
        let one = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
        let z = |t: usize, n: usize| LOGITS[(t * 2 + n) * 3..][..3].iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let mean = |n: usize| z(0, n).iter().zip(z(1, n)).map(|(a, b)| (a + b) / 2.0).collect::<Vec<_>>();
        let cases = [(true, 0.0), (true, 0.1), (false, 0.1), (false, 1.0)];
        for (loss, (mixed, epsilon)) in [Loss::Tet, Loss::MeanOutput].into_iter().flat_map(|l| cases.map(|c| (l, c))) {
            let soft = if mixed { two } else { one }.map(|row| row.map(|y| (1.0 - epsilon) * y + epsilon / 3.0));
            let rows: Vec<(usize, usize, Vec<f64>)> = match loss {
                Loss::Tet => (0..4).map(|i| (i / 2, i % 2, z(i / 2, i % 2))).collect(),
                Loss::MeanOutput => (0..2).map(|n| (0, n, mean(n))).collect(),
            };
            let (mut value, mut gradient) = (0.0, vec![0.0; 12]);
            for (t, n, row) in &rows {
                let p = softmax(row);
                for k in 0..3 {
                    value -= soft[*n][k] * p[k].ln() / rows.len() as f64;
                    let d = (p[k] - soft[*n][k]) / rows.len() as f64;
                    match loss {
                        Loss::Tet => gradient[(t * 2 + n) * 3 + k] = d,
                        // The mean over two steps hands half to each.
                        Loss::MeanOutput => (0..2).for_each(|t| gradient[(t * 2 + n) * 3 + k] = d / 2.0),
                    }
                }
            }
            let (found, grads) = run(loss, mixed, epsilon);
            assert!((found - value).abs() < 1e-6, "{loss:?}: {found} {value}");
            for (found, expected) in grads.iter().zip(&gradient) {
                assert!((found - expected).abs() < 1e-6, "{loss:?}: {grads:?} {gradient:?}");
            }
            // All of the target spread evenly is the same target, mixed or not.
            assert!(epsilon == 1.0 || run(loss, !mixed, epsilon).0 != found, "sample 0 is mixed");
        }
    }
}
