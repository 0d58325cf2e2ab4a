//! Linear layers: [`BinaryLinear`] with 1-bit weights, and the real [`Classifier`] at the end of a network.
//!
//! ```text
//! binary: y = x · (a sign(W))ᵀ        gradients and scale as in ops::conv
//! real:   y = x · Wᵀ + b
//! ```
//!
//! Shapes: x `[T, N, K]`, W `[O, K]` → y `[T, N, O]`. Start: uniform in ±1/sqrt(K), bias likewise (PyTorch's default), and He
//! fan-out for the binary one.

use crate::Init;
use crate::ops::conv::{ConvParams, Precision, WeightKind, WeightScale, conv};
use crate::shape::require;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Linear map with 1-bit weights and no bias.
#[derive(Module, Debug)]
pub struct BinaryLinear {
    /// The real weight whose sign is used, `[O, K]`.
    pub latent: Param<Tensor<2>>,
    #[module(skip)]
    scale: WeightScale,
}

impl BinaryLinear {
    /// A layer from `inputs` to `outputs` features.
    ///
    /// ```
    /// use bitspike_nn::{Init, layers::BinaryLinear, ops::conv::WeightScale};
    /// use burn::tensor::{Device, Tensor};
    /// let device = Device::default();
    /// let layer = BinaryLinear::new(6, 4, WeightScale::None, &Init::new(0), "fc", &device);
    /// assert_eq!(layer.forward(Tensor::ones([2, 3, 6], &device)).dims(), [2, 3, 4]);
    /// ```
    pub fn new(inputs: usize, outputs: usize, scale: WeightScale, init: &Init, path: &str, device: &Device) -> Self {
        let std = (2.0 / outputs as f64).sqrt();
        let latent = init.normal(&format!("{path}.weight"), [outputs, inputs], std, device);
        Self { latent: Param::from_tensor(latent), scale }
    }

    /// The product; shapes in [`ops::conv`](crate::ops::conv).
    ///
    /// # Panics
    /// If x has not as many features as the weight.
    #[track_caller]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        check("BinaryLinear", x.dims(), self.latent.dims());
        binary_linear(x, self.latent.val(), self.scale)
    }
}

/// x times the transposed binary weight: a 1×1 convolution on a 1×1 map, so it shares that operation's kernels.
///
/// # Panics
/// If x has not as many features as the weight.
#[track_caller]
pub fn binary_linear(x: Tensor<3>, latent: Tensor<2>, scale: WeightScale) -> Tensor<3> {
    check("binary_linear", x.dims(), latent.dims());
    let ([t, n, k], [o, _]) = (x.dims(), latent.dims());
    let p = ConvParams { stride: 1, padding: 0, weight: WeightKind::Binary(scale), precision: Precision::Exact };
    conv(x.reshape([t, n, k, 1, 1]), latent.reshape([o, k, 1, 1]), p).reshape([t, n, o])
}

/// Refuses shapes that do not fit.
#[track_caller]
fn check(layer: &str, x: [usize; 3], weight: [usize; 2]) {
    let given = [("x [T, N, K]", &x[..]), ("weight [O, K]", &weight[..])];
    require(x[2] == weight[1], layer, format_args!("x has {} features, the weight takes {}", x[2], weight[1]), &given);
}

/// The last layer: real weights and bias, applied to every time step.
#[derive(Module, Debug)]
pub struct Classifier {
    /// `[O, K]`.
    pub weight: Param<Tensor<2>>,
    /// `[O]`.
    pub bias: Param<Tensor<1>>,
}

impl Classifier {
    /// A classifier from `inputs` features to `classes`.
    pub fn new(inputs: usize, classes: usize, init: &Init, path: &str, device: &Device) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        Self {
            weight: Param::from_tensor(init.uniform(&format!("{path}.weight"), [classes, inputs], bound, device)),
            bias: Param::from_tensor(init.uniform(&format!("{path}.bias"), [classes], bound, device)),
        }
    }

    /// Logits `[T, N, classes]` for features `[T, N, K]`.
    ///
    /// # Panics
    /// If x has not as many features as the weight.
    #[track_caller]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        check("Classifier", x.dims(), self.weight.dims());
        let [t, n, k] = x.dims();
        let o = self.bias.dims()[0];
        let y = x.reshape([t * n, k]).matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze::<2>();
        y.reshape([t, n, o])
    }
}
