//! Batch norm over time, and the per-channel affine map it becomes at evaluation.
//!
//! ```text
//! μ_c = mean of x over T, N, H, W          v_c = biased variance over the same
//! x̂ = (x − μ_c) / sqrt(v_c + ε)            y = γ_c x̂ + β_c
//! dγ_c = Σ dy x̂,  dβ_c = Σ dy
//! dx = γ_c / sqrt(v_c + ε) · (dy − dβ_c / M − x̂ dγ_c / M),   M = T·N·H·W
//! ```
//!
//! Shapes: x `[T, N, C, H, W]`, γ, β `[C]` → y `[T, N, C, H, W]`, μ, v `[C]`.
//!
//! Source: Ioffe and Szegedy, 2015; statistics over time as in tdBN (Zheng et al., AAAI 2021), which also multiplies by V_th.

use super::prim::Val;
use crate::shape::require_per_channel;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

const REDUCED: [usize; 4] = [0, 1, 3, 4];

/// The three results of a batch norm: y, mean, biased variance.
pub type Normalised<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// Gradients of x, γ (or scale) and β (or shift).
pub type NormGradients<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// What a backend does for the batch norm and the affine map.
pub trait NormKernel: Backend {
    /// State kept between forward and backward of the batch norm.
    type NormState: Clone + Send + std::fmt::Debug + 'static;

    /// Normalises with the statistics of `x`; returns y, mean and biased variance.
    fn norm_forward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
        save: bool,
    ) -> (Normalised<Self>, Option<Self::NormState>);

    /// Gradients of x, γ and β.
    fn norm_backward(state: Self::NormState, grad: FloatTensor<Self>) -> NormGradients<Self>;

    /// y = scale_c x + shift_c.
    fn affine_forward(x: FloatTensor<Self>, scale: FloatTensor<Self>, shift: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_affine::<Self>(x, scale, shift)
    }

    /// Gradients of x, scale and shift.
    fn affine_backward(x: FloatTensor<Self>, scale: FloatTensor<Self>, grad: FloatTensor<Self>) -> NormGradients<Self> {
        composed_affine_backward::<Self>(x, scale, grad)
    }
}

/// Backend extension of the batch norm; use [`batch_norm`] and [`affine`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait NormOps: Backend {
    /// See [`batch_norm`].
    fn bitspike_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`affine`].
    fn bitspike_affine(x: FloatTensor<Self>, scale: FloatTensor<Self>, shift: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Normalises with the statistics of `x` and returns y, the mean and the biased variance (both `[C]`, not tracked).
///
/// ```
/// use bitspike_nn::ops::norm::batch_norm;
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let x = Tensor::<1>::from_floats([1.0, 3.0], &device).reshape([2, 1, 1, 1, 1]);
/// let (y, mean, var) = batch_norm(x, Tensor::ones([1], &device), Tensor::zeros([1], &device), 1e-5);
/// assert_eq!((mean.into_scalar::<f32>(), var.into_scalar::<f32>()), (2.0, 1.0));
/// assert!((y.into_data().try_to_vec::<f32>().unwrap()[1] - 1.0).abs() < 1e-4);
/// ```
///
/// # Panics
/// If γ or β has not one value per channel.
#[track_caller]
pub fn batch_norm(x: Tensor<5>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f32) -> (Tensor<5>, Tensor<1>, Tensor<1>) {
    require_per_channel("batch_norm", x.dims(), &[("gamma [C]", gamma.dims()[0]), ("beta [C]", beta.dims()[0])]);
    let (y, mean, var) = <Dispatch as NormOps>::bitspike_batch_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
    );
    (Tensor::from_dispatch(y), Tensor::from_dispatch(mean), Tensor::from_dispatch(var))
}

/// y = scale_c x + shift_c: the batch norm at evaluation, or any map folded into it. Shapes as [`batch_norm`].
///
/// # Panics
/// If scale or shift has not one value per channel.
#[track_caller]
pub fn affine(x: Tensor<5>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<5> {
    require_per_channel("affine", x.dims(), &[("scale [C]", scale.dims()[0]), ("shift [C]", shift.dims()[0])]);
    Tensor::from_dispatch(<Dispatch as NormOps>::bitspike_affine(
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
    ))
}

/// State of the composed batch norm.
#[derive(Clone, Debug)]
pub struct ComposedNormState<F> {
    normalised: F,
    /// γ / sqrt(v + ε), shaped `[1, 1, C, 1, 1]`.
    slope: F,
}

fn per_channel<B: Backend>(v: FloatTensor<B>) -> Val<B> {
    let v = Val::<B>(v);
    let c = v.dims()[0];
    v.reshape(&[1, 1, c, 1, 1])
}

fn vector<B: Backend>(v: Val<B>) -> FloatTensor<B> {
    let c = v.dims()[2];
    v.reshape(&[c]).0
}

pub(crate) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f32,
    save: bool,
) -> (Normalised<B>, Option<ComposedNormState<FloatTensor<B>>>) {
    let x = Val::<B>(x);
    let mean = x.clone().mean_keep(&REDUCED);
    let centred = x - mean.clone();
    let var = (centred.clone() * centred.clone()).mean_keep(&REDUCED);
    let inv = (var.clone() + epsilon).sqrt().recip();
    let normalised = centred * inv.clone();
    let gamma = per_channel::<B>(gamma);
    let y = normalised.clone() * gamma.clone() + per_channel::<B>(beta);
    let state = save.then(|| ComposedNormState { normalised: normalised.0, slope: (gamma * inv).0 });
    ((y.0, vector(mean), vector(var)), state)
}

pub(crate) fn composed_backward<B: Backend>(
    state: ComposedNormState<FloatTensor<B>>,
    grad: FloatTensor<B>,
) -> NormGradients<B> {
    let (x_hat, grad) = (Val::<B>(state.normalised), Val::<B>(grad));
    let d = x_hat.dims();
    let inv_count = 1.0 / REDUCED.iter().map(|&a| d[a]).product::<usize>() as f32;
    let d_gamma = (grad.clone() * x_hat.clone()).sum_keep(&REDUCED);
    let d_beta = grad.clone().sum_keep(&REDUCED);
    let dx = Val::<B>(state.slope) * (grad - d_beta.clone() * inv_count - x_hat * d_gamma.clone() * inv_count);
    (dx.0, vector(d_gamma), vector(d_beta))
}

pub(crate) fn composed_affine<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    shift: FloatTensor<B>,
) -> FloatTensor<B> {
    (Val::<B>(x) * per_channel::<B>(scale) + per_channel::<B>(shift)).0
}

pub(crate) fn composed_affine_backward<B: Backend>(
    x: FloatTensor<B>,
    scale: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> NormGradients<B> {
    let (x, grad) = (Val::<B>(x), Val::<B>(grad));
    let d_scale = (grad.clone() * x).sum_keep(&REDUCED);
    let d_shift = grad.clone().sum_keep(&REDUCED);
    ((grad * per_channel::<B>(scale)).0, vector(d_scale), vector(d_shift))
}

#[derive(Debug)]
struct NormBackward;

impl<B: NormKernel> Backward<B, 3> for NormBackward {
    type State = B::NormState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (dx, dg, db) = B::norm_backward(ops.state, grad);
        for (node, grad) in ops.parents.into_iter().zip([dx, dg, db]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

#[derive(Debug)]
struct AffineBackward;

impl<B: NormKernel> Backward<B, 3> for AffineBackward {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let (dx, ds, db) = B::affine_backward(ops.state.0, ops.state.1, grad);
        for (node, grad) in ops.parents.into_iter().zip([dx, ds, db]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B: NormKernel, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn bitspike_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let prep = NormBackward.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (x, gamma, beta) = (x.into_primitive(), gamma.into_primitive(), beta.into_primitive());
        let (y, mean, var) = match prep {
            OpsKind::Tracked(prep) => {
                let ((y, mean, var), state) = B::norm_forward(x, gamma, beta, epsilon, true);
                (prep.finish(state.expect("norm_forward keeps its state when asked to"), y), mean, var)
            }
            OpsKind::UnTracked(prep) => {
                let ((y, mean, var), _) = B::norm_forward(x, gamma, beta, epsilon, false);
                (prep.finish(y), mean, var)
            }
        };
        (y, Self::from_inner(mean), Self::from_inner(var))
    }

    fn bitspike_affine(x: FloatTensor<Self>, scale: FloatTensor<Self>, shift: FloatTensor<Self>) -> FloatTensor<Self> {
        let prep = AffineBackward.prepare::<C>([x.node(), scale.node(), shift.node()]).compute_bound().stateful();
        let (x, scale, shift) = (x.into_primitive(), scale.into_primitive(), shift.into_primitive());
        match prep {
            OpsKind::Tracked(prep) => prep.finish((x.clone(), scale.clone()), B::affine_forward(x, scale, shift)),
            OpsKind::UnTracked(prep) => prep.finish(B::affine_forward(x, scale, shift)),
        }
    }
}

/// Implements the batch norm by its composed body on a backend.
macro_rules! composed_norm {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl NormKernel for $backend {
            type NormState = ComposedNormState<FloatTensor<Self>>;

            fn norm_forward(
                x: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                epsilon: f32,
                save: bool,
            ) -> (Normalised<Self>, Option<Self::NormState>) {
                composed_forward::<Self>(x, gamma, beta, epsilon, save)
            }

            fn norm_backward(state: Self::NormState, grad: FloatTensor<Self>) -> NormGradients<Self> {
                composed_backward::<Self>(state, grad)
            }
        }
    };
}

/// Routes the extension to a backend's own kernels.
macro_rules! norm_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl NormOps for $backend {
            fn bitspike_batch_norm(
                x: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                epsilon: f32,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                Self::norm_forward(x, gamma, beta, epsilon, false).0
            }

            fn bitspike_affine(
                x: FloatTensor<Self>,
                scale: FloatTensor<Self>,
                shift: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                Self::affine_forward(x, scale, shift)
            }
        }
    };
}
backends!(norm_ops);
composed_backends!(composed_norm);
