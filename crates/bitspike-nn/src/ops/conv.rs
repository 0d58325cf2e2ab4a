//! 2-D convolution with real or binary weights, over all time steps.
//!
//! ```text
//! W_eff = W                       real
//! W_eff = a · sign(W)             binary; sign(0) = +1; a = 1, or mean|W| per output channel
//! y[t]  = conv2d(x[t], W_eff)     no bias: a batch norm follows
//! dW    = dW_eff                  real
//! dW    = dW_eff · 1[|W| ≤ 1]     binary: straight-through; the scale a has no factor of its own here
//! ```
//!
//! Shapes: x `[T, N, C_in, H, W]`, weight `[C_out, C_in, K, K]` → y `[T, N, C_out, H', W']`.
//!
//! The latent weight is kept for the optimiser; only its sign enters the product. In front of a batch norm a positive
//! scale leaves the forward result unchanged but scales the gradient.
//!
//! Source: straight-through estimator, Courbariaux et al., 2016; `mean_abs` scale, XNOR-Net, Rastegari et al., 2016.

use super::prim::Val;
use crate::shape::require;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::{Tensor, ops::ConvOptions};
use serde::{Deserialize, Serialize};

/// Scale in front of the sign of a binary weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WeightScale {
    /// No scale: weights are −1 and +1.
    #[default]
    None,
    /// Mean of |W| per output channel.
    MeanAbs,
}

/// How exactly the CPU kernels compute gradients. Forward results do not depend on it, and other backends ignore it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Sums of `f32`.
    #[default]
    Exact,
    /// The gradients of binary layers from sums of four rounded to 8 bits, without bias.
    Fast,
}

/// How the stored weight enters the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// As it is.
    Real,
    /// By its sign, times a scale.
    Binary(WeightScale),
}

/// Parameters of [`conv`] that are not learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvParams {
    /// Step of the window in both directions.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
    /// Real or binary weights.
    pub weight: WeightKind,
    /// How exactly gradients are computed, where there is a choice.
    pub precision: Precision,
}

impl ConvParams {
    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.padding; 2], [1; 2], 1)
    }

    /// Output height or width for an input of `size` and a kernel of `kernel`.
    pub fn output(&self, size: usize, kernel: usize) -> usize {
        (size + 2 * self.padding - kernel) / self.stride + 1
    }
}

/// What a backend does for the convolution.
pub trait ConvKernel: Backend {
    /// State kept between forward and backward.
    type ConvState: Clone + Send + std::fmt::Debug + 'static;

    /// The product, and the state for [`conv_backward`](Self::conv_backward) when `save` is set.
    fn conv_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        p: ConvParams,
        save: bool,
    ) -> (FloatTensor<Self>, Option<Self::ConvState>);

    /// Gradients of the input and of the stored weight, each only where asked for.
    fn conv_backward(
        state: Self::ConvState,
        grad: FloatTensor<Self>,
        x_grad: bool,
        weight_grad: bool,
    ) -> (Option<FloatTensor<Self>>, Option<FloatTensor<Self>>);
}

/// Backend extension of the convolution; use [`conv`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait ConvOps: Backend {
    /// See [`conv`].
    fn bitspike_conv(x: FloatTensor<Self>, weight: FloatTensor<Self>, p: ConvParams) -> FloatTensor<Self>;
}

/// Convolves every time step of every sample; formulas and shapes in the [module documentation](self).
///
/// ```
/// use bitspike_nn::ops::conv::{ConvParams, Precision, WeightKind, WeightScale, conv};
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let spikes = Tensor::<5>::ones([1, 1, 3, 1, 1], &device);
/// let latent = Tensor::<1>::from_floats([0.3, -0.1, 0.0], &device).reshape([1, 3, 1, 1]);
/// let weight = WeightKind::Binary(WeightScale::None);
/// let p = ConvParams { stride: 1, padding: 0, weight, precision: Precision::Exact };
/// assert_eq!(conv(spikes, latent, p).into_data().try_to_vec::<f32>().unwrap(), [1.0]); // +1 −1 +1
/// ```
///
/// # Panics
/// If the shapes do not fit; the message has them.
#[track_caller]
pub fn conv(x: Tensor<5>, weight: Tensor<4>, p: ConvParams) -> Tensor<5> {
    check("conv", x.dims(), weight.dims(), &p);
    Tensor::from_dispatch(<Dispatch as ConvOps>::bitspike_conv(x.into_dispatch(), weight.into_dispatch(), p))
}

/// Refuses shapes that do not fit.
#[track_caller]
pub(crate) fn check(layer: &str, x: [usize; 5], weight: [usize; 4], p: &ConvParams) {
    let given = [("x [T, N, C_in, H, W]", &x[..]), ("weight [C_out, C_in, K, K]", &weight[..])];
    let ([_, _, c, h, w], [_, c_in, rows, k], padding) = (x, weight, p.padding);
    require(c == c_in, layer, format_args!("x has {c} channels, the weight takes {c_in}"), &given);
    require(rows == k, layer, format_args!("the kernel is {rows} by {k}, a square one is expected"), &given);
    require(p.stride > 0, layer, format_args!("the stride is 0"), &given);
    let fits = k > 0 && h.min(w) + 2 * padding >= k;
    require(
        fits,
        layer,
        format_args!("a kernel of {k} by {k} does not fit {h} by {w} with a padding of {padding}"),
        &given,
    );
}

/// State of the composed convolution.
#[derive(Clone, Debug)]
pub struct ComposedConvState<F> {
    x: F,
    weight: F,
    p: ConvParams,
}

/// The weight that enters the product.
fn effective<B: Backend>(weight: Val<B>, kind: WeightKind) -> Val<B> {
    match kind {
        WeightKind::Real => weight,
        WeightKind::Binary(scale) => {
            let sign = weight.at_least(0.0) * 2.0 + -1.0;
            match scale {
                WeightScale::None => sign,
                WeightScale::MeanAbs => sign * weight.abs().mean_keep(&[1, 2, 3]),
            }
        }
    }
}

fn merge_time<B: Backend>(x: FloatTensor<B>) -> (Val<B>, [usize; 2]) {
    let x = Val::<B>(x);
    let d = x.dims();
    (x.reshape(&[d[0] * d[1], d[2], d[3], d[4]]), [d[0], d[1]])
}

fn split_time<B: Backend>(y: FloatTensor<B>, [t, n]: [usize; 2]) -> FloatTensor<B> {
    let y = Val::<B>(y);
    let d = y.dims();
    y.reshape(&[t, n, d[1], d[2], d[3]]).0
}

pub(crate) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    p: ConvParams,
    save: bool,
) -> (FloatTensor<B>, Option<ComposedConvState<FloatTensor<B>>>) {
    let state = save.then(|| ComposedConvState { x: x.clone(), weight: weight.clone(), p });
    let (x, tn) = merge_time::<B>(x);
    let y = B::conv2d(x.0, effective(Val::<B>(weight), p.weight).0, None, p.options());
    (split_time::<B>(y, tn), state)
}

pub(crate) fn composed_backward<B: Backend>(
    state: ComposedConvState<FloatTensor<B>>,
    grad: FloatTensor<B>,
    x_grad: bool,
    weight_grad: bool,
) -> (Option<FloatTensor<B>>, Option<FloatTensor<B>>) {
    let p = state.p;
    let (x, tn) = merge_time::<B>(state.x);
    let (grad, _) = merge_time::<B>(grad);
    let weight = Val::<B>(state.weight);
    let w_eff = effective(weight.clone(), p.weight);
    let dx = x_grad.then(|| {
        let dx = B::conv2d_x_backward(x.0.clone(), w_eff.0.clone(), grad.0.clone(), p.options());
        split_time::<B>(dx, tn)
    });
    let dw = weight_grad.then(|| {
        let dw = Val::<B>(B::conv2d_weight_backward(x.0, w_eff.0, grad.0, p.options()));
        match p.weight {
            WeightKind::Real => dw.0,
            WeightKind::Binary(_) => (dw * weight.abs_at_most(1.0)).0,
        }
    });
    (dx, dw)
}

#[derive(Debug)]
struct ConvBackward;

impl<B: ConvKernel> Backward<B, 2> for ConvBackward {
    type State = B::ConvState;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (dx, dw) = B::conv_backward(ops.state, grad, x.is_some(), weight.is_some());
        for (node, grad) in [(x, dx), (weight, dw)] {
            if let (Some(node), Some(grad)) = (node, grad) {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B: ConvKernel, C: CheckpointStrategy> ConvOps for Autodiff<B, C> {
    fn bitspike_conv(x: FloatTensor<Self>, weight: FloatTensor<Self>, p: ConvParams) -> FloatTensor<Self> {
        match ConvBackward.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (y, state) = B::conv_forward(x.into_primitive(), weight.into_primitive(), p, true);
                prep.finish(state.expect("conv_forward keeps its state when asked to"), y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::conv_forward(x.into_primitive(), weight.into_primitive(), p, false).0)
            }
        }
    }
}

/// Implements the convolution by its composed body on a backend.
macro_rules! composed_conv {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl ConvKernel for $backend {
            type ConvState = ComposedConvState<FloatTensor<Self>>;

            fn conv_forward(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                p: ConvParams,
                save: bool,
            ) -> (FloatTensor<Self>, Option<Self::ConvState>) {
                composed_forward::<Self>(x, weight, p, save)
            }

            fn conv_backward(
                state: Self::ConvState,
                grad: FloatTensor<Self>,
                x_grad: bool,
                weight_grad: bool,
            ) -> (Option<FloatTensor<Self>>, Option<FloatTensor<Self>>) {
                composed_backward::<Self>(state, grad, x_grad, weight_grad)
            }
        }
    };
}
/// Routes the extension to a backend's own kernels.
macro_rules! conv_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl ConvOps for $backend {
            fn bitspike_conv(x: FloatTensor<Self>, weight: FloatTensor<Self>, p: ConvParams) -> FloatTensor<Self> {
                Self::conv_forward(x, weight, p, false).0
            }
        }
    };
}
backends!(conv_ops);
composed_backends!(composed_conv);
