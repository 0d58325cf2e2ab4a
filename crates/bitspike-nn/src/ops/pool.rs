//! 2-D pooling over all time steps, and the global average in front of the classifier.
//!
//! ```text
//! average: y[i, j] = mean of the k×k window      max: y[i, j] = largest of the window
//! ```
//!
//! Windows do not overlap; rows and columns that do not fill a window are dropped. Shapes: x `[T, N, C, H, W]` →
//! `[T, N, C, H/k, W/k]`; [`global_avg_pool`] → `[T, N, C]`.
//!
//! The mean of k² spikes is a multiple of 1/k²: with k = 2 the next binary convolution sees 0, ¼, ½, ¾, 1, which are three bit
//! planes. Pooling the current in front of the neuron, or taking the maximum of spikes, keeps its input binary.

use super::prim::Val;
use crate::shape::require;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Shape, Tensor};

/// Which value stands for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The mean.
    Average,
    /// The largest.
    Max,
}

/// What a backend does for pooling.
pub trait PoolKernel: Backend {
    /// State kept between forward and backward.
    type PoolState: Clone + Send + std::fmt::Debug + 'static;

    /// Pools windows of k×k.
    fn pool_forward(
        x: FloatTensor<Self>,
        kind: PoolKind,
        k: usize,
        save: bool,
    ) -> (FloatTensor<Self>, Option<Self::PoolState>);

    /// Gradient of x.
    fn pool_backward(state: Self::PoolState, grad: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Mean over height and width.
    fn global_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_global::<Self>(x)
    }

    /// Gradient of x, of the given shape.
    fn global_backward(shape: Shape, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed_global_backward::<Self>(shape, grad)
    }
}

/// Backend extension of pooling; use [`avg_pool`], [`max_pool`] and [`global_avg_pool`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait PoolOps: Backend {
    /// See [`avg_pool`] and [`max_pool`].
    fn bitspike_pool(x: FloatTensor<Self>, kind: PoolKind, k: usize) -> FloatTensor<Self>;

    /// See [`global_avg_pool`].
    fn bitspike_global_pool(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// Mean of windows of k×k; shapes in the [module documentation](self).
///
/// # Panics
/// If no window of k×k fits.
#[track_caller]
pub fn avg_pool(x: Tensor<5>, k: usize) -> Tensor<5> {
    check("avg_pool", x.dims(), k);
    Tensor::from_dispatch(<Dispatch as PoolOps>::bitspike_pool(x.into_dispatch(), PoolKind::Average, k))
}

/// Maximum of windows of k×k; shapes in the [module documentation](self).
///
/// # Panics
/// If no window of k×k fits.
#[track_caller]
pub fn max_pool(x: Tensor<5>, k: usize) -> Tensor<5> {
    check("max_pool", x.dims(), k);
    Tensor::from_dispatch(<Dispatch as PoolOps>::bitspike_pool(x.into_dispatch(), PoolKind::Max, k))
}

/// Refuses sizes that do not fit.
#[track_caller]
fn check(layer: &str, x: [usize; 5], k: usize) {
    let fits = k > 0 && x[3].min(x[4]) >= k;
    let rule = format_args!("a window of {k} by {k} does not fit {} by {}", x[3], x[4]);
    require(fits, layer, rule, &[("x [T, N, C, H, W]", &x)]);
}

/// Maximum of windows of 3×3 with stride 2 and a border that never wins, the pooling behind the stem of ImageNet networks:
/// `[T, N, C, H, W]` → `[T, N, C, ⌈H/2⌉, ⌈W/2⌉]`. It runs by the backend's own operation, once per network.
///
/// ```
/// use bitspike_nn::ops::pool::stem_max_pool;
/// use burn::tensor::{Device, Tensor};
/// let x = Tensor::<1>::from_floats([-4., -3., -2., -9., -8., -7., -6., -5., -1.], &Device::default());
/// let y = stem_max_pool(x.reshape([1, 1, 1, 3, 3]));
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [-3., -2., -5., -1.]);
/// ```
pub fn stem_max_pool(x: Tensor<5>) -> Tensor<5> {
    let [t, n, c, h, w] = x.dims();
    let options = MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]);
    let y = max_pool2d(x.reshape([t * n, c, h, w]), options);
    let [_, _, h, w] = y.dims();
    y.reshape([t, n, c, h, w])
}

/// Mean over height and width: `[T, N, C, H, W]` → `[T, N, C]`.
pub fn global_avg_pool(x: Tensor<5>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as PoolOps>::bitspike_global_pool(x.into_dispatch()))
}

/// State of the composed pooling.
#[derive(Debug)]
pub struct ComposedPoolState<B: Backend> {
    x: FloatTensor<B>,
    indices: Option<burn::backend::tensor::IntTensor<B>>,
    k: usize,
}

impl<B: Backend> Clone for ComposedPoolState<B> {
    fn clone(&self) -> Self {
        Self { x: self.x.clone(), indices: self.indices.clone(), k: self.k }
    }
}

fn flat<B: Backend>(x: FloatTensor<B>) -> (FloatTensor<B>, [usize; 2]) {
    let x = Val::<B>(x);
    let d = x.dims();
    (x.reshape(&[d[0] * d[1], d[2], d[3], d[4]]).0, [d[0], d[1]])
}

fn unflat<B: Backend>(y: FloatTensor<B>, [t, n]: [usize; 2]) -> FloatTensor<B> {
    let y = Val::<B>(y);
    let d = y.dims();
    y.reshape(&[t, n, d[1], d[2], d[3]]).0
}

pub(crate) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    kind: PoolKind,
    k: usize,
    save: bool,
) -> (FloatTensor<B>, Option<ComposedPoolState<B>>) {
    let (x, tn) = flat::<B>(x);
    match kind {
        PoolKind::Average => {
            let y = B::avg_pool2d(x.clone(), [k; 2], [k; 2], [0; 2], true, false);
            (unflat::<B>(y, tn), save.then_some(ComposedPoolState { x, indices: None, k }))
        }
        PoolKind::Max => {
            let index = Val::<B>(x.clone()).int_dtype();
            let r = B::max_pool2d_with_indices(x.clone(), [k; 2], [k; 2], [0; 2], [1; 2], false, index);
            let state = save.then_some(ComposedPoolState { x, indices: Some(r.indices), k });
            (unflat::<B>(r.output, tn), state)
        }
    }
}

pub(crate) fn composed_backward<B: Backend>(state: ComposedPoolState<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    let (grad, tn) = flat::<B>(grad);
    let k = state.k;
    let dx = match state.indices {
        None => B::avg_pool2d_backward(state.x, grad, [k; 2], [k; 2], [0; 2], true, false),
        Some(indices) => {
            B::max_pool2d_with_indices_backward(state.x, [k; 2], [k; 2], [0; 2], [1; 2], false, grad, indices).x_grad
        }
    };
    unflat::<B>(dx, tn)
}

pub(crate) fn composed_global<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let x = Val::<B>(x);
    let d = x.dims();
    x.mean_keep(&[3, 4]).reshape(&d[..3]).0
}

pub(crate) fn composed_global_backward<B: Backend>(shape: Shape, grad: FloatTensor<B>) -> FloatTensor<B> {
    let d = shape.to_vec();
    let share = 1.0 / (d[3] * d[4]) as f32;
    (Val::<B>(grad) * share).reshape(&[d[0], d[1], d[2], 1, 1]).expand(&d).0
}

#[derive(Debug)]
struct PoolBackward;

impl<B: PoolKernel> Backward<B, 1> for PoolBackward {
    type State = B::PoolState;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = x {
            grads.register::<B>(node.id, B::pool_backward(ops.state, grad));
        }
    }
}

#[derive(Debug)]
struct GlobalBackward;

impl<B: PoolKernel> Backward<B, 1> for GlobalBackward {
    type State = Shape;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        if let Some(node) = x {
            grads.register::<B>(node.id, B::global_backward(ops.state, grad));
        }
    }
}

impl<B: PoolKernel, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn bitspike_pool(x: FloatTensor<Self>, kind: PoolKind, k: usize) -> FloatTensor<Self> {
        match PoolBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (y, state) = B::pool_forward(x.into_primitive(), kind, k, true);
                prep.finish(state.expect("pool_forward keeps its state when asked to"), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::pool_forward(x.into_primitive(), kind, k, false).0),
        }
    }

    fn bitspike_global_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match GlobalBackward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let x = x.into_primitive();
                prep.finish(x.shape(), B::global_forward(x))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::global_forward(x.into_primitive())),
        }
    }
}

/// Implements pooling by its composed body on a backend.
macro_rules! composed_pool {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl PoolKernel for $backend {
            type PoolState = ComposedPoolState<Self>;

            fn pool_forward(
                x: FloatTensor<Self>,
                kind: PoolKind,
                k: usize,
                save: bool,
            ) -> (FloatTensor<Self>, Option<Self::PoolState>) {
                composed_forward::<Self>(x, kind, k, save)
            }

            fn pool_backward(state: Self::PoolState, grad: FloatTensor<Self>) -> FloatTensor<Self> {
                composed_backward::<Self>(state, grad)
            }
        }
    };
}

/// Routes the extension to a backend's own kernels.
macro_rules! pool_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl PoolOps for $backend {
            fn bitspike_pool(x: FloatTensor<Self>, kind: PoolKind, k: usize) -> FloatTensor<Self> {
                Self::pool_forward(x, kind, k, false).0
            }

            fn bitspike_global_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::global_forward(x)
            }
        }
    };
}
backends!(pool_ops);
composed_backends!(composed_pool);
