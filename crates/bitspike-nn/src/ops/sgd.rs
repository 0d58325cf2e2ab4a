//! A step of stochastic gradient descent with momentum.
//!
//! ```text
//! g ← g + decay · w;   v ← momentum · v + g  (v = g at the first step);   w ← w − lr · v
//!                                                                           nesterov:  w ← w − lr · (g + momentum · v)
//! ```
//!
//! Shapes: w, v, g `[M]`. Source: PyTorch's SGD with coupled weight decay. On the CPU backend it is one pass
//! (`bitspike_kernels::sgd`), with the bits of the composed form.

use super::prim::Val;
use crate::shape::require_one_length;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

pub use bitspike_kernels::sgd::SgdParams;

/// Backend extension of the step; use [`sgd_step`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait SgdOps: Backend {
    /// See [`sgd_step`]; `first` ignores `v`.
    fn bitspike_sgd(
        w: FloatTensor<Self>,
        v: FloatTensor<Self>,
        g: FloatTensor<Self>,
        first: bool,
        p: SgdParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::<Self>(w, v, g, first, p)
    }
}

/// The new weight and velocity; `None` is the velocity before the first step. On the CPU they take the memory of `g` and
/// `v`, where nobody else holds these.
///
/// ```
/// use bitspike_nn::ops::sgd::{SgdParams, sgd_step};
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let ones = || Tensor::<1>::ones([1], &device);
/// let (w, v) = sgd_step(ones(), None, ones(), SgdParams { lr: 0.5, momentum: 0.9, decay: 0.0, nesterov: false });
/// assert_eq!((w.into_scalar::<f32>(), v.into_scalar::<f32>()), (0.5, 1.0));
/// ```
///
/// # Panics
/// If the tensors are not of one length.
#[track_caller]
pub fn sgd_step(w: Tensor<1>, v: Option<Tensor<1>>, g: Tensor<1>, p: SgdParams) -> (Tensor<1>, Tensor<1>) {
    require_one_length("sgd_step", &[("w", Some(&w)), ("v", v.as_ref()), ("g", Some(&g))]);
    let (first, v) = (v.is_none(), v.unwrap_or_else(|| g.clone()));
    let (w, v) = <Dispatch as SgdOps>::bitspike_sgd(w.into_dispatch(), v.into_dispatch(), g.into_dispatch(), first, p);
    (Tensor::from_dispatch(w), Tensor::from_dispatch(v))
}

pub(crate) fn composed<B: Backend>(
    w: FloatTensor<B>,
    v: FloatTensor<B>,
    g: FloatTensor<B>,
    first: bool,
    p: SgdParams,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let (w, g) = (Val::<B>(w), Val::<B>(g));
    let g = if p.decay == 0.0 { g } else { g + w.clone() * p.decay };
    let v = if first { g.clone() } else { Val::<B>(v) * p.momentum + g.clone() };
    let step = if p.nesterov { g + v.clone() * p.momentum } else { v.clone() };
    ((w - step * p.lr).0, v.0)
}

impl<B: Backend, C: CheckpointStrategy> SgdOps for Autodiff<B, C> {}
composed_backends!(trait SgdOps);
