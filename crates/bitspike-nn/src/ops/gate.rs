//! The gate of the Adaptive Gradient Modulation Mechanism (AGMM): the one place where α\[t\] is multiplied.
//!
//! ```text
//! m[t] = mean of x[t] over the pool
//! y[t] = α[t] · σ(m[t]) · x[t]                  default
//! y[t] = σ(α[t] · m[t]) · x[t]                  alpha_inside
//! y[t] = x[t], and dx[t] = α[t] σ(m[t]) dy[t]   apply = gradient (the forward value passes unchanged)
//! ```
//!
//! σ is the logistic function, or, with `function = hard`, its value and slope at 0 as a straight line that is cut off:
//!
//! ```text
//! h(x) = min(max(x / 4 + 1/2, 0), 1)        h'(x) = 1/4 for |x| < 2, else 0 (so also at both corners)
//! ```
//!
//! The slope is σ'(0) = 1/4, so that both functions start alike, and a power of two, so that a device multiplies exactly, in floats and
//! in integers, without an exponential. The hard function is our reconstruction; the paper has σ.
//!
//! Backward of the default, with g = σ(m), g' its derivative (g (1 − g), or that of h) and P elements in the pool of an element:
//!
//! ```text
//! dx = α g dy + α g' / P · Σ_pool dy x           the second term is absent with detach_gate
//! dα[t] = Σ dy g x
//! ```
//!
//! Shapes: x `[T, N, C, H, W]`, α `[T, 1]` or `[T, C]` → y as x, and the pooled means m as `[T, N or 1, C or 1]`.
//!
//! Source: Liang et al., "Towards Accurate Binary Spiking Neural Networks: Learning with Adaptive Gradient Modulation
//! Mechanism", AAAI 2025. **Known from the paper:** a forward gate from a time-dependent factor α\[t\] and σ(E(X\[t\])), right
//! after every pair of binary convolution and batch norm. **Our reconstruction:** over what the mean is taken, the shape and
//! start of α, and every option here; the backward formulas are our algebra.

use super::prim::Val;
use crate::shape::require_per_step;
use bitspike_kernels::gate::{HARD_CORNER, HARD_SLOPE};
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Over which elements the mean of the gate is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GatePool {
    /// Channels, height and width: one gate per sample and time step.
    #[default]
    Chw,
    /// Height and width: one gate per sample, time step and channel.
    Hw,
    /// The whole batch: one gate per time step; a running mean stands in at evaluation.
    Nchw,
    /// No mean: each element is its own gate, σ(x)·x.
    None,
    /// The constant ½ (times α): the control every claim about the gate has to beat.
    Const,
}

/// The function of the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GateFunction {
    /// The logistic function.
    #[default]
    Sigmoid,
    /// In three straight pieces: min(max(x/4 + ½, 0), 1).
    Hard,
}

/// Where the gate acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GateApply {
    /// On the value, and through it on the gradient.
    #[default]
    Forward,
    /// On the gradient only: the deployed network is the baseline network.
    Gradient,
}

/// Parameters of [`gate`] that are not learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateParams {
    /// Over which elements the mean is taken.
    pub pool: GatePool,
    /// The function, σ.
    pub function: GateFunction,
    /// σ(α m) in place of α σ(m).
    pub alpha_inside: bool,
    /// No gradient through the mean.
    pub detach_gate: bool,
    /// Value or gradient.
    pub apply: GateApply,
}

impl GateParams {
    fn axes(&self) -> &'static [usize] {
        match self.pool {
            GatePool::Chw => &[2, 3, 4],
            GatePool::Hw => &[3, 4],
            GatePool::Nchw | GatePool::None | GatePool::Const => &[1, 2, 3, 4],
        }
    }
}

/// What a backend does for the gate.
pub trait GateKernel: Backend {
    /// State kept between forward and backward.
    type GateState: Clone + Send + std::fmt::Debug + 'static;

    /// The gated value and the pooled means, and the state for [`gate_backward`](Self::gate_backward).
    fn gate_forward(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        p: GateParams,
        save: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, Option<Self::GateState>);

    /// Gradients of x and α.
    fn gate_backward(state: Self::GateState, grad: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// x times a factor `[T, 1]` or `[T, C]`.
    fn scale_steps(x: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_scale::<Self>(x, factor)
    }
}

/// Backend extension of the gate; use [`gate`] and [`scale_steps`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait GateOps: Backend {
    /// See [`gate`].
    fn bitspike_gate(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        p: GateParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// See [`scale_steps`].
    fn bitspike_scale_steps(x: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Applies the gate and returns the gated value and the pooled means m (not tracked).
///
/// ```
/// use bitspike_nn::ops::gate::{GateParams, gate};
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let x = Tensor::<1>::from_floats([3.0, -3.0], &device).reshape([1, 1, 2, 1, 1]);
/// let (y, m) = gate(x, Tensor::ones([1, 1], &device), GateParams::default());
/// assert_eq!(m.into_data().try_to_vec::<f32>().unwrap(), [0.0]); // so the gate is σ(0) = ½
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.5, -1.5]);
/// ```
///
/// # Panics
/// If α does not fit x; the message has both shapes.
#[track_caller]
pub fn gate(x: Tensor<5>, alpha: Tensor<2>, p: GateParams) -> (Tensor<5>, Tensor<3>) {
    require_per_step("gate", x.dims(), "alpha [T, 1 or C]", alpha.dims());
    let (y, means) = <Dispatch as GateOps>::bitspike_gate(x.into_dispatch(), alpha.into_dispatch(), p);
    (Tensor::from_dispatch(y), Tensor::from_dispatch(means))
}

/// x times a factor per time step, `[T, 1]`, or per time step and channel, `[T, C]`: a gate whose means are fixed.
///
/// # Panics
/// If the factor does not fit x; the message has both shapes.
#[track_caller]
pub fn scale_steps(x: Tensor<5>, factor: Tensor<2>) -> Tensor<5> {
    require_per_step("scale_steps", x.dims(), "factor [T, 1 or C]", factor.dims());
    Tensor::from_dispatch(<Dispatch as GateOps>::bitspike_scale_steps(x.into_dispatch(), factor.into_dispatch()))
}

/// State of the composed gate.
#[derive(Clone, Debug)]
pub struct ComposedGateState<F> {
    x: F,
    alpha: F,
    p: GateParams,
}

/// Everything forward and backward share: α and the gate g, both broadcastable against x.
struct Parts<B: Backend> {
    alpha: Val<B>,
    /// m, x itself, or zero; σ is taken of it, or of it times α when α is inside.
    inner: Val<B>,
    g: Val<B>,
    /// The derivative of σ there.
    slope: Val<B>,
}

/// The function of the gate at a value.
pub(crate) fn function_of<B: Backend>(function: GateFunction, x: Val<B>) -> Val<B> {
    match function {
        GateFunction::Sigmoid => x.sigmoid(),
        GateFunction::Hard => (x * HARD_SLOPE + 0.5).clamp(0.0, 1.0),
    }
}

/// Its derivative, where it is g.
fn slope_of<B: Backend>(function: GateFunction, x: &Val<B>, g: &Val<B>) -> Val<B> {
    match function {
        GateFunction::Sigmoid => g.clone() * (g.clone() * -1.0 + 1.0),
        GateFunction::Hard => x.abs_below(HARD_CORNER) * HARD_SLOPE,
    }
}

fn parts<B: Backend>(x: &Val<B>, alpha: FloatTensor<B>, p: &GateParams) -> Parts<B> {
    let alpha = per_step::<B>(alpha);
    let inner = match p.pool {
        GatePool::None => x.clone(),
        GatePool::Const => x.clone().mean_keep(p.axes()) * 0.0,
        _ => x.clone().mean_keep(p.axes()),
    };
    let argument = if p.alpha_inside { inner.clone() * alpha.clone() } else { inner.clone() };
    let g = function_of(p.function, argument.clone());
    let slope = slope_of(p.function, &argument, &g);
    Parts { alpha, inner, g, slope }
}

fn per_step<B: Backend>(alpha: FloatTensor<B>) -> Val<B> {
    let alpha = Val::<B>(alpha);
    let d = alpha.dims();
    alpha.reshape(&[d[0], 1, d[1], 1, 1])
}

/// Sums a value down to the shape of α.
fn to_alpha<B: Backend>(v: Val<B>, channels: usize) -> FloatTensor<B> {
    let t = v.dims()[0];
    let axes: &[usize] = if channels == 1 { &[1, 2, 3, 4] } else { &[1, 3, 4] };
    v.sum_keep(axes).reshape(&[t, channels]).0
}

pub(crate) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    alpha: FloatTensor<B>,
    p: GateParams,
    save: bool,
) -> (FloatTensor<B>, FloatTensor<B>, Option<ComposedGateState<FloatTensor<B>>>) {
    let state = save.then(|| ComposedGateState { x: x.clone(), alpha: alpha.clone(), p });
    let x = Val::<B>(x);
    let Parts { alpha, inner, g, .. } = parts(&x, alpha, &p);
    let means = if p.pool == GatePool::None { inner.mean_keep(p.axes()) } else { inner };
    let d = means.dims();
    let means = means.reshape(&d[..3]).0;
    let y = match (p.apply, p.alpha_inside) {
        (GateApply::Gradient, _) => x,
        (GateApply::Forward, true) => g * x,
        (GateApply::Forward, false) => alpha * g * x,
    };
    (y.0, means, state)
}

pub(crate) fn composed_backward<B: Backend>(
    state: ComposedGateState<FloatTensor<B>>,
    grad: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let p = state.p;
    let (x, grad) = (Val::<B>(state.x), Val::<B>(grad));
    let channels = Val::<B>(state.alpha.clone()).dims()[1];
    let Parts { alpha, inner, g, slope } = parts(&x, state.alpha, &p);
    let direct = if p.alpha_inside { g.clone() } else { alpha.clone() * g.clone() };
    let through = grad.clone() * direct.clone();
    if p.apply == GateApply::Gradient {
        return (through.0, to_alpha(alpha * 0.0 * grad, channels));
    }
    let product = grad * x;
    // d(σ)/d(its argument), times d(argument)/d(m), is α times the slope in both forms of the gate.
    let dx = match p.pool {
        GatePool::Const => through,
        _ if p.detach_gate => through,
        GatePool::None => through + alpha.clone() * slope.clone() * product.clone(),
        _ => {
            let d = product.dims();
            let count: usize = p.axes().iter().map(|&a| d[a]).product();
            // With α per channel the pool mixes several α: each product carries its own.
            let weighted = if p.alpha_inside {
                product.clone() * (alpha.clone() * slope.clone())
            } else {
                product.clone() * alpha.clone() * slope.clone()
            };
            through + weighted.sum_keep(p.axes()) * (1.0 / count as f32)
        }
    };
    let d_alpha = if p.alpha_inside { product * inner * slope } else { product * g };
    (dx.0, to_alpha(d_alpha, channels))
}

pub(crate) fn composed_scale<B: Backend>(x: FloatTensor<B>, factor: FloatTensor<B>) -> FloatTensor<B> {
    (Val::<B>(x) * per_step::<B>(factor)).0
}

#[derive(Debug)]
struct GateBackward;

impl<B: GateKernel> Backward<B, 2> for GateBackward {
    type State = B::GateState;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, alpha] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (dx, d_alpha) = B::gate_backward(ops.state, grad);
        for (node, grad) in [(x, dx), (alpha, d_alpha)] {
            if let Some(node) = node {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B: GateKernel, C: CheckpointStrategy> GateOps for Autodiff<B, C> {
    fn bitspike_gate(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        p: GateParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prep = GateBackward.prepare::<C>([x.node(), alpha.node()]).compute_bound().stateful();
        let (x, alpha) = (x.into_primitive(), alpha.into_primitive());
        let (y, means) = match prep {
            OpsKind::Tracked(prep) => {
                let (y, means, state) = B::gate_forward(x, alpha, p, true);
                (prep.finish(state.expect("gate_forward keeps its state when asked to"), y), means)
            }
            OpsKind::UnTracked(prep) => {
                let (y, means, _) = B::gate_forward(x, alpha, p, false);
                (prep.finish(y), means)
            }
        };
        (y, Self::from_inner(means))
    }

    /// Differentiated by the tape: this path is taken at evaluation, where nothing is tracked.
    fn bitspike_scale_steps(x: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_scale::<Self>(x, factor)
    }
}

/// Implements the gate by its composed body on a backend.
macro_rules! composed_gate {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl GateKernel for $backend {
            type GateState = ComposedGateState<FloatTensor<Self>>;

            fn gate_forward(
                x: FloatTensor<Self>,
                alpha: FloatTensor<Self>,
                p: GateParams,
                save: bool,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, Option<Self::GateState>) {
                composed_forward::<Self>(x, alpha, p, save)
            }

            fn gate_backward(
                state: Self::GateState,
                grad: FloatTensor<Self>,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                composed_backward::<Self>(state, grad)
            }
        }
    };
}

/// Routes the extension to a backend's own kernels.
macro_rules! gate_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl GateOps for $backend {
            fn bitspike_gate(
                x: FloatTensor<Self>,
                alpha: FloatTensor<Self>,
                p: GateParams,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                let (y, means, _) = Self::gate_forward(x, alpha, p, false);
                (y, means)
            }

            fn bitspike_scale_steps(x: FloatTensor<Self>, factor: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::scale_steps(x, factor)
            }
        }
    };
}
backends!(gate_ops);
composed_backends!(composed_gate);
