//! A tensor brought to a stated root mean square.
//!
//! ```text
//! y = x · (size / sqrt(mean(x²)))        zeros stay zeros
//! ```
//!
//! Shapes: x `[M]` → y `[M]`. No gradient: optimisers use it. On the CPU backend it is a pass for the sum, in f64, and one
//! for the product (`bitspike_kernels::rms`).

use super::prim::Val;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Added to the root mean square, so that zeros divide by something; far below any gradient.
const TINY: f32 = 1e-30;

/// Backend extension of the scaling; use [`scale_to_rms`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait RmsOps: Backend {
    /// See [`scale_to_rms`].
    fn bitspike_scale_to_rms(x: FloatTensor<Self>, size: f32) -> FloatTensor<Self> {
        composed::<Self>(x, size)
    }
}

/// `x` times the number that makes its root mean square `size`. On the CPU the result takes the memory of `x`, where nobody
/// else holds it.
///
/// ```
/// use bitspike_nn::ops::rms::scale_to_rms;
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_floats([3.0, -4.0, 0.0, 0.0], &Device::default()); // root mean square 2.5
/// assert_eq!(scale_to_rms(x, 5.0).into_data().try_to_vec::<f32>().unwrap(), [6.0, -8.0, 0.0, 0.0]);
/// ```
pub fn scale_to_rms(x: Tensor<1>, size: f32) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as RmsOps>::bitspike_scale_to_rms(x.into_dispatch(), size))
}

pub(crate) fn composed<B: Backend>(x: FloatTensor<B>, size: f32) -> FloatTensor<B> {
    let x = Val::<B>(x);
    let mean = (x.clone() * x.clone()).mean_keep(&[0]);
    (x * size / (mean.sqrt() + TINY)).0
}

impl<B: Backend, C: CheckpointStrategy> RmsOps for Autodiff<B, C> {}
composed_backends!(trait RmsOps);
