//! Convolution layers: [`BinaryConv2d`] with 1-bit weights, [`RealConv2d`] with float weights, [`Conv2d`] for either.
//!
//! Formulas in [`ops::conv`](crate::ops::conv). Shapes: x `[T, N, C_in, H, W]` → y `[T, N, C_out, H', W']`. No bias: a batch
//! norm follows. Start: normal with deviation sqrt(2 / (K² C_out)) (He et al., 2015, fan-out).

use super::Estimator;
use crate::Init;
use crate::ops::conv::{ConvParams, Precision, WeightKind, WeightScale, check, conv};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Geometry of a convolution layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Channels in and out.
    pub channels: [usize; 2],
    /// Width of the kernel.
    pub kernel: usize,
    /// Height of the kernel: as its width, or 1 for signals, whose maps have one row.
    pub rows: usize,
    /// Step of the window.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
    /// How exactly gradients are computed, where there is a choice.
    pub precision: Precision,
}

impl Conv2dConfig {
    /// A kernel of odd size with padding that keeps height and width at stride 1.
    pub fn same(channels: [usize; 2], kernel: usize) -> Self {
        Self { channels, kernel, rows: kernel, stride: 1, padding: kernel / 2, precision: Precision::Exact }
    }

    /// A kernel of one row, for maps of one row: the other rows of a square one would only ever meet zeros.
    pub fn one_row(self) -> Self {
        Self { rows: 1, ..self }
    }

    /// Weights of one channel in and one out.
    pub fn kernel_len(&self) -> usize {
        self.rows * self.kernel
    }

    /// Sets the stride.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Sets how exactly gradients are computed.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    fn params(&self, weight: WeightKind) -> ConvParams {
        ConvParams { stride: self.stride, padding: self.padding, weight, precision: self.precision }
    }

    fn weight(&self, init: &Init, name: &str, device: &Device) -> Param<Tensor<4>> {
        let [c_in, c_out] = self.channels;
        let std = (2.0 / (self.kernel_len() * c_out) as f64).sqrt();
        Param::from_tensor(init.normal(name, [c_out, c_in, self.rows, self.kernel], std, device))
    }

    /// A layer with 1-bit weights; `path` is its place in the network and picks its random stream.
    ///
    /// ```
    /// use bitspike_nn::{Init, layers::Conv2dConfig, ops::conv::WeightScale};
    /// use burn::tensor::{Device, Tensor};
    /// let device = Device::default();
    /// let conv = Conv2dConfig::same([8, 16], 3).init_binary(WeightScale::None, &Init::new(0), "conv", &device);
    /// assert_eq!(conv.forward(Tensor::ones([2, 1, 8, 5, 5], &device)).dims(), [2, 1, 16, 5, 5]);
    /// ```
    pub fn init_binary(&self, scale: WeightScale, init: &Init, path: &str, device: &Device) -> BinaryConv2d {
        let latent = self.weight(init, &format!("{path}.weight"), device);
        let params = self.params(WeightKind::Binary(scale));
        BinaryConv2d { latent, params, estimator: Estimator::Ste, progress: 0.0 }
    }

    /// A layer with float weights; it starts from the values a binary layer at `path` would start from.
    pub fn init_real(&self, init: &Init, path: &str, device: &Device) -> RealConv2d {
        let weight = self.weight(init, &format!("{path}.weight"), device);
        RealConv2d { weight, params: self.params(WeightKind::Real) }
    }
}

/// Convolution with 1-bit weights.
#[derive(Module, Debug)]
pub struct BinaryConv2d {
    /// The real weight whose sign is used, `[C_out, C_in, K, K]` or `[C_out, C_in, 1, K]`; with an estimator, the sign of [`weight`](Self::weight).
    pub latent: Param<Tensor<4>>,
    #[module(skip)]
    params: ConvParams,
    #[module(skip)]
    estimator: Estimator,
    #[module(skip)]
    progress: f64,
}

impl BinaryConv2d {
    /// Sets the estimator of the gradient of the sign.
    pub fn with_estimator(self, estimator: Estimator) -> Self {
        Self { estimator, ..self }
    }

    /// Tells the estimator how far training is, from 0 to 1.
    pub fn set_progress(&mut self, progress: f64) {
        self.progress = progress;
    }

    /// What the sign is taken of, `[C_out, C_in, K, K]`: the latent weight as the estimator sees it.
    pub fn weight(&self) -> Tensor<4> {
        square(self.estimator.proxy(self.latent.val(), self.progress))
    }

    /// The product; shapes in [`ops::conv`](crate::ops::conv).
    ///
    /// # Panics
    /// If the shape does not fit; the message has it and that of the weight.
    #[track_caller]
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let weight = self.weight();
        check("BinaryConv2d", x.dims(), weight.dims(), &self.params);
        conv(x, weight, self.params)
    }

    /// The parameters that are not learned.
    pub fn params(&self) -> &ConvParams {
        &self.params
    }
}

/// A kernel of one row as a square one with equal rows, of which all but the middle one meet padding alone: the product, its
/// gradients and the mean of |W| are those of the row.
fn square(weight: Tensor<4>) -> Tensor<4> {
    let [_, _, rows, columns] = weight.dims();
    if rows == columns { weight } else { weight.repeat_dim(2, columns / rows) }
}

/// Convolution with float weights.
#[derive(Module, Debug)]
pub struct RealConv2d {
    /// The weight, `[C_out, C_in, K, K]` or `[C_out, C_in, 1, K]`.
    pub weight: Param<Tensor<4>>,
    #[module(skip)]
    params: ConvParams,
}

impl RealConv2d {
    /// The product; shapes in [`ops::conv`](crate::ops::conv).
    ///
    /// # Panics
    /// If the shape does not fit; the message has it and that of the weight.
    #[track_caller]
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let weight = self.weight();
        check("RealConv2d", x.dims(), weight.dims(), &self.params);
        conv(x, weight, self.params)
    }

    /// The weight as it enters the product, `[C_out, C_in, K, K]`.
    pub fn weight(&self) -> Tensor<4> {
        square(self.weight.val())
    }

    /// The parameters that are not learned.
    pub fn params(&self) -> &ConvParams {
        &self.params
    }
}

/// A convolution whose weights are one or the other, by configuration.
// The variants differ in size by nothing that matters: both hold one parameter.
#[derive(Module, Debug)]
pub enum Conv2d {
    /// 1-bit weights.
    Binary(BinaryConv2d),
    /// Float weights.
    Real(RealConv2d),
}

impl Conv2d {
    /// As [`BinaryConv2d::set_progress`]; nothing for float weights.
    pub fn set_progress(&mut self, progress: f64) {
        if let Self::Binary(conv) = self {
            conv.set_progress(progress);
        }
    }

    /// The product; shapes in [`ops::conv`](crate::ops::conv).
    ///
    /// # Panics
    /// If the shape does not fit; the message has it and that of the weight.
    #[track_caller]
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        match self {
            Self::Binary(conv) => conv.forward(x),
            Self::Real(conv) => conv.forward(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::ops::ConvOptions;

    fn host<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().try_to_vec::<f32>().unwrap()
    }

    /// A kernel of one row on a map of one row is a one-dimensional convolution, gradient and all.
    #[test]
    fn one_row_is_a_convolution_in_one_dimension() {
        let device = Device::default().autodiff();
        let config = Conv2dConfig::same([5, 7], 3).one_row();
        for scale in [WeightScale::None, WeightScale::MeanAbs] {
            let layer = config.init_binary(scale, &Init::new(1), "conv", &device);
            let x = Init::new(2).uniform::<5>("x", [2, 3, 5, 1, 11], 1.0, &device).greater_elem(0.0).float();
            let y = layer.forward(x.clone());
            assert_eq!(y.dims(), [2, 3, 7, 1, 11]);
            // The same by Burn's own convolution, of the signs as a leaf.
            let latent = layer.latent.val();
            let size = match scale {
                WeightScale::None => Tensor::ones([7, 1, 1, 1], &device),
                WeightScale::MeanAbs => {
                    latent.clone().detach().abs().reshape([7, 15]).mean_dim(1).reshape([7, 1, 1, 1])
                }
            };
            let signs = (latent.clone().detach().greater_equal_elem(0.0).float() * 2.0 - 1.0) * size;
            let signs = Tensor::from_inner(signs.inner()).require_grad();
            let options = ConvOptions::new([1, 1], [0, 1], [1, 1], 1);
            let direct = burn::tensor::module::conv2d(x.reshape([6, 5, 1, 11]), signs.clone(), None, options);
            let close = |a: Vec<f32>, b: Vec<f32>| {
                assert_eq!(a.len(), b.len());
                assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0)), "{scale:?}");
            };
            close(host(y.clone()), host(direct.clone()));
            let weights = Init::new(3).normal::<1>("w", [2 * 3 * 7 * 11], 1.0, &device);
            let loss = |y: Tensor<1>| (y * weights.clone()).sum().backward();
            let (ours, theirs) = (loss(y.reshape([-1])), loss(direct.reshape([-1])));
            close(host(latent.grad(&ours).unwrap()), host(signs.grad(&theirs).unwrap()));
        }
    }
}
