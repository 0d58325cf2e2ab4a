//! A step of Adam with decoupled weight decay.
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²   (old m and v are 0 at the first step)
//! w ← (1 − lr · decay) w − lr · (m / (1 − β₁ᵏ)) / (sqrt(v / (1 − β₂ᵏ)) + ε)   at step k
//! ```
//!
//! Shapes: w, m, v, g `[M]`. Source: Loshchilov and Hutter, ICLR 2019. On the CPU backend it is one pass
//! (`bitspike_kernels::adamw`), with the bits of the composed form.

use super::prim::Val;
use crate::shape::require_one_length;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

pub use bitspike_kernels::adamw::AdamwParams;

/// Weight, first and second moment.
type Three<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// Backend extension of the step; use [`adamw_step`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait AdamwOps: Backend {
    /// See [`adamw_step`]; `first` ignores `m` and `v`.
    fn bitspike_adamw(
        w: FloatTensor<Self>,
        m: FloatTensor<Self>,
        v: FloatTensor<Self>,
        g: FloatTensor<Self>,
        first: bool,
        p: AdamwParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::<Self>(w, m, v, g, first, p)
    }
}

/// The new weight and moments; `None` are the moments before the first step. On the CPU they take the memory of `g`, `m` and
/// `v`, where nobody else holds these.
///
/// ```
/// use bitspike_nn::ops::adamw::{AdamwParams, adamw_step};
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let ones = || Tensor::<1>::ones([1], &device);
/// let (w, (m, v)) = adamw_step(ones(), None, ones(), AdamwParams::new([0.5, 0.75], 0.0, 0.25, 0.0, 1));
/// let value = |t: Tensor<1>| t.into_scalar::<f32>();
/// assert_eq!((value(w), value(m), value(v)), (0.75, 0.5, 0.25));
/// ```
///
/// # Panics
/// If the tensors are not of one length.
#[track_caller]
pub fn adamw_step(
    w: Tensor<1>,
    moments: Option<(Tensor<1>, Tensor<1>)>,
    g: Tensor<1>,
    p: AdamwParams,
) -> (Tensor<1>, (Tensor<1>, Tensor<1>)) {
    let (m, v) = moments.as_ref().map_or((None, None), |(m, v)| (Some(m), Some(v)));
    require_one_length("adamw_step", &[("w", Some(&w)), ("m", m), ("v", v), ("g", Some(&g))]);
    let first = moments.is_none();
    let (m, v) = moments.unwrap_or_else(|| (g.clone(), g.clone()));
    let (w, m, v) = <Dispatch as AdamwOps>::bitspike_adamw(
        w.into_dispatch(),
        m.into_dispatch(),
        v.into_dispatch(),
        g.into_dispatch(),
        first,
        p,
    );
    (Tensor::from_dispatch(w), (Tensor::from_dispatch(m), Tensor::from_dispatch(v)))
}

pub(crate) fn composed<B: Backend>(
    w: FloatTensor<B>,
    m: FloatTensor<B>,
    v: FloatTensor<B>,
    g: FloatTensor<B>,
    first: bool,
    p: AdamwParams,
) -> Three<B> {
    let (w, g) = (Val::<B>(w), Val::<B>(g));
    let moment = |old: FloatTensor<B>, new: Val<B>, share: [f32; 2]| match first {
        true => new * share[1],
        false => Val::<B>(old) * share[0] + new * share[1],
    };
    let m = moment(m, g.clone(), p.first);
    let v = moment(v, g.clone() * g, p.second);
    let change = (m.clone() / p.correction[0]) / ((v.clone() / p.correction[1]).sqrt() + p.epsilon);
    ((w * p.keep - change * p.lr).0, m.0, v.0)
}

impl<B: Backend, C: CheckpointStrategy> AdamwOps for Autodiff<B, C> {}
composed_backends!(trait AdamwOps);
