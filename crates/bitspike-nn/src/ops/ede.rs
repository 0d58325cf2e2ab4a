//! The curve of the estimator EDE: what the sign is taken of, with its own gradient.
//!
//! ```text
//! v = tanh(t w)      dw = dv · k t (1 − v²),   k = max(1/t, 1)
//! ```
//!
//! Shapes: w of any shape → v as w. Source: IR-Net, Qin et al., CVPR 2020. On the CPU backend each direction is one pass
//! (`bitspike_kernels::ede`).

use super::prim::Val;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// What a backend does for the curve.
pub trait EdeKernel: Backend {
    /// v.
    fn ede_forward(w: FloatTensor<Self>, t: f32) -> FloatTensor<Self> {
        composed_forward::<Self>(w, t)
    }

    /// Gradient of w, from v and its gradient.
    fn ede_backward(v: FloatTensor<Self>, grad: FloatTensor<Self>, t: f32) -> FloatTensor<Self> {
        composed_backward::<Self>(v, grad, t)
    }
}

/// Backend extension of the curve; use [`ede`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait EdeOps: Backend {
    /// See [`ede`].
    fn bitspike_ede(w: FloatTensor<Self>, t: f32) -> FloatTensor<Self>;
}

/// The curve of weights at steepness `t` > 0; formulas in the [module documentation](self).
///
/// ```
/// use bitspike_nn::ops::ede::ede;
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default().autodiff();
/// let w = Tensor::<1>::from_floats([0.0, -50.0], &device).require_grad();
/// let v = ede(w.clone(), 0.5);
/// assert_eq!(v.clone().into_data().try_to_vec::<f32>().unwrap(), [0.0, -1.0]);
/// let dw = w.grad(&v.sum().backward()).unwrap();
/// assert_eq!(dw.into_data().try_to_vec::<f32>().unwrap(), [1.0, 0.0]); // k t = 2 · ½ at zero
/// ```
pub fn ede<const D: usize>(w: Tensor<D>, t: f32) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as EdeOps>::bitspike_ede(w.into_dispatch(), t))
}

pub(crate) fn composed_forward<B: Backend>(w: FloatTensor<B>, t: f32) -> FloatTensor<B> {
    (Val::<B>(w) * t).tanh().0
}

pub(crate) fn composed_backward<B: Backend>(v: FloatTensor<B>, grad: FloatTensor<B>, t: f32) -> FloatTensor<B> {
    let v = Val::<B>(v);
    (Val::<B>(grad) * ((v.clone() * v * -1.0 + 1.0) * t.max(1.0))).0
}

#[derive(Debug)]
struct EdeBackward;

impl<B: EdeKernel> Backward<B, 1> for EdeBackward {
    type State = (FloatTensor<B>, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [w] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = w {
            let (v, t) = ops.state;
            grads.register::<B>(node.id, B::ede_backward(v, grad, t));
        }
    }
}

impl<B: EdeKernel, C: CheckpointStrategy> EdeOps for Autodiff<B, C> {
    fn bitspike_ede(w: FloatTensor<Self>, t: f32) -> FloatTensor<Self> {
        let prep = EdeBackward.prepare::<C>([w.node()]).compute_bound().stateful();
        let v = B::ede_forward(w.into_primitive(), t);
        match prep {
            OpsKind::Tracked(prep) => prep.finish((v.clone(), t), v),
            OpsKind::UnTracked(prep) => prep.finish(v),
        }
    }
}

/// Routes the extension to a backend's own kernels.
macro_rules! ede_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl EdeOps for $backend {
            fn bitspike_ede(w: FloatTensor<Self>, t: f32) -> FloatTensor<Self> {
                Self::ede_forward(w, t)
            }
        }
    };
}
backends!(ede_ops);
composed_backends!(trait EdeKernel);
