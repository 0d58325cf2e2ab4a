//! Binary convolution, batch norm, pooling, gate and neuron as one operation.
//!
//! ```text
//! s' = neuron(gate(avg_pool(batch_norm(conv(s, W)))))        pooling and gate where there are any
//! ```
//!
//! The formulas, gradients and sources are those of [`conv`], [`norm`](super::norm), [`pool`](super::pool),
//! [`gate`](super::gate) and [`neuron`]; the composed form is exactly that chain. On the CPU backend the
//! chain runs fused: the sums of the convolution are kept as 16-bit integers, everything after it is one pass over all
//! time steps, and nothing else is kept for the backward pass.
//!
//! Shapes: s `[T, N, C_in, H, W]`, W `[C_out, C_in, K, K]`, γ, β `[C_out]`, α `[T, 1]` or `[T, C_out]`, λ `[1]` → s'
//! `[T, N, C_out, H', W']`.

use super::conv::{self, ConvKernel, ConvOps, ConvParams};
use super::gate::{GateKernel, GateOps, GateParams};
use super::neuron::{self, NeuronKernel, NeuronOps, NeuronParams};
use super::norm::{NormKernel, NormOps};
use super::pool::{PoolKernel, PoolKind, PoolOps};
use crate::shape::{require, require_per_channel, require_per_step};
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Elements of dY that the fused form has at hand at a time, where it can compute it in parts: 16 MiB. It is the largest tensor of a
/// network, and a part is still in the cache when its products are made.
pub(crate) const PART: usize = 4 << 20;

/// Parameters of [`block`] that are not learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockParams {
    /// The convolution.
    pub conv: ConvParams,
    /// ε of the batch norm.
    pub epsilon: f32,
    /// A 2×2 average pooling behind the batch norm.
    pub pool: bool,
    /// The gate, if there is one.
    pub gate: Option<GateParams>,
    /// The neuron.
    pub neuron: NeuronParams,
    /// Fused: convolve again in the backward pass instead of keeping the sums; less memory, more time, the same bits.
    pub recompute: bool,
}

/// s, W, γ, β, α and λ, in this order. Without a gate α is not used.
pub type BlockInputs<B> = [FloatTensor<B>; 6];

/// What a fused forward pass gives.
pub struct BlockForward<B: BlockKernel> {
    /// s'.
    pub spikes: FloatTensor<B>,
    /// Mean of the batch, `[C_out]`.
    pub mean: FloatTensor<B>,
    /// Biased variance of the batch, `[C_out]`.
    pub var: FloatTensor<B>,
    /// Pooled means of the gate, `[T, N or 1, C or 1]`; α without a gate.
    pub means: FloatTensor<B>,
    /// State for [`BlockKernel::block_backward`], when asked for.
    pub state: Option<B::BlockState>,
}

/// What a backend does for the block: the fused form, where it has one.
pub trait BlockKernel: Backend {
    /// State kept between forward and backward.
    type BlockState: Clone + Send + std::fmt::Debug + 'static;

    /// The fused forward pass; `None` where this backend, or these arguments, have none.
    fn block_forward(inputs: &BlockInputs<Self>, p: &BlockParams, save: bool) -> Option<BlockForward<Self>>;

    /// Gradients of the inputs, each only where `wanted`.
    fn block_backward(
        state: Self::BlockState,
        grad: FloatTensor<Self>,
        wanted: [bool; 6],
    ) -> [Option<FloatTensor<Self>>; 6];

    /// The fused pass with running statistics; `None` as above. `fixed` is mean, variance and gate means.
    fn block_evaluate(
        inputs: &BlockInputs<Self>,
        fixed: &[FloatTensor<Self>; 3],
        gate_is_fixed: bool,
        p: &BlockParams,
    ) -> Option<(FloatTensor<Self>, FloatTensor<Self>)>;
}

/// Backend extension of the block; use [`block`] and [`block_evaluate`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
#[allow(clippy::too_many_arguments)]
pub trait BlockOps: Backend {
    /// See [`block`].
    fn bitspike_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        decay: FloatTensor<Self>,
        p: BlockParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// See [`block_evaluate`].
    fn bitspike_block_evaluate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        decay: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        var: FloatTensor<Self>,
        gate_means: FloatTensor<Self>,
        gate_is_fixed: bool,
        p: BlockParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// The learned tensors of a block.
#[derive(Clone, Debug)]
pub struct BlockWeights {
    /// Latent weight, `[C_out, C_in, K, K]`.
    pub weight: Tensor<4>,
    /// γ, `[C_out]`.
    pub gamma: Tensor<1>,
    /// β, `[C_out]`.
    pub beta: Tensor<1>,
    /// α, `[T, 1]` or `[T, C_out]`; anything of that shape without a gate.
    pub alpha: Tensor<2>,
    /// λ, `[1]`.
    pub decay: Tensor<1>,
}

/// Spikes with the statistics of this batch; also its mean and biased variance `[C_out]` and the pooled means of the gate
/// `[T, N or 1, C or 1]`, which are not tracked (the last is without meaning if there is no gate).
///
/// ```
/// use bitspike_nn::ops::block::{BlockParams, BlockWeights, block};
/// use bitspike_nn::ops::conv::{ConvParams, Precision, WeightKind, WeightScale};
/// use bitspike_nn::ops::neuron::{NeuronParams, Reset};
/// use bitspike_nn::ops::surrogate::Surrogate;
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let weight = WeightKind::Binary(WeightScale::None);
/// let p = BlockParams {
///     conv: ConvParams { stride: 1, padding: 1, weight, precision: Precision::Exact },
///     epsilon: 1e-5,
///     pool: true,
///     gate: None,
///     neuron: NeuronParams {
///         steps: 2, v_threshold: 1.0, reset: Reset::Soft, detach_reset: true, surrogate: Surrogate::Triangle, width: 1.0,
///     },
///     recompute: false,
/// };
/// let w = BlockWeights {
///     weight: Tensor::ones([8, 4, 3, 3], &device),
///     gamma: Tensor::ones([8], &device),
///     beta: Tensor::zeros([8], &device),
///     alpha: Tensor::ones([2, 1], &device),
///     decay: Tensor::full([1], 0.5, &device),
/// };
/// let (spikes, mean, _, _) = block(Tensor::ones([2, 3, 4, 6, 6], &device), w, p);
/// assert_eq!((spikes.dims(), mean.dims()), ([2, 3, 8, 3, 3], [8]));
/// ```
///
/// # Panics
/// If the shapes do not fit; the message has them.
#[track_caller]
pub fn block(x: Tensor<5>, w: BlockWeights, p: BlockParams) -> (Tensor<5>, Tensor<1>, Tensor<1>, Tensor<3>) {
    check(x.dims(), &w, &p, None);
    let (spikes, mean, var, means) = <Dispatch as BlockOps>::bitspike_block(
        x.into_dispatch(),
        w.weight.into_dispatch(),
        w.gamma.into_dispatch(),
        w.beta.into_dispatch(),
        w.alpha.into_dispatch(),
        w.decay.into_dispatch(),
        p,
    );
    let means = if p.gate.is_some() {
        Tensor::from_dispatch(means)
    } else {
        Tensor::<2>::from_dispatch(means).unsqueeze_dim(1)
    };
    (Tensor::from_dispatch(spikes), Tensor::from_dispatch(mean), Tensor::from_dispatch(var), means)
}

/// Running statistics of a block.
#[derive(Clone, Debug)]
pub struct BlockStatistics {
    /// Mean, `[C_out]`.
    pub mean: Tensor<1>,
    /// Variance, `[C_out]`.
    pub var: Tensor<1>,
    /// Running means of the gate, `[T, 1]` or `[T, C_out]`; `None` where the gate is computed from the sample.
    pub gate_means: Option<Tensor<2>>,
}

/// Spikes with running statistics, and the pooled means of a gate that is computed from the sample (without meaning
/// otherwise). Shapes as in [`block`].
///
/// # Panics
/// If the shapes do not fit; the message has them.
#[track_caller]
pub fn block_evaluate(x: Tensor<5>, w: BlockWeights, s: BlockStatistics, p: BlockParams) -> (Tensor<5>, Tensor<3>) {
    check(x.dims(), &w, &p, Some(&s));
    let sampled = p.gate.is_some() && s.gate_means.is_none();
    let gate_is_fixed = s.gate_means.is_some();
    let gate_means = s.gate_means.unwrap_or_else(|| w.alpha.clone());
    let (spikes, means) = <Dispatch as BlockOps>::bitspike_block_evaluate(
        x.into_dispatch(),
        w.weight.into_dispatch(),
        w.gamma.into_dispatch(),
        w.beta.into_dispatch(),
        w.alpha.into_dispatch(),
        w.decay.into_dispatch(),
        s.mean.into_dispatch(),
        s.var.into_dispatch(),
        gate_means.into_dispatch(),
        gate_is_fixed,
        p,
    );
    let means = if sampled { Tensor::from_dispatch(means) } else { Tensor::<2>::from_dispatch(means).unsqueeze_dim(1) };
    (Tensor::from_dispatch(spikes), means)
}

/// Refuses shapes that do not fit: those of each operation of the chain, at the shape that reaches it.
#[track_caller]
fn check(x: [usize; 5], w: &BlockWeights, p: &BlockParams, s: Option<&BlockStatistics>) {
    let weight = w.weight.dims();
    conv::check("block: conv", x, weight, &p.conv);
    let [t, n, _, h, width] = x;
    let size = |n: usize| p.conv.output(n, weight[2]) / if p.pool { 2 } else { 1 };
    let y = [t, n, weight[0], size(h), size(width)];
    require(
        y[3] > 0 && y[4] > 0,
        "block: pool",
        format_args!("no window of 2 by 2 fits"),
        &[("x [T, N, C_in, H, W]", &x)],
    );
    require_per_channel("block: norm", y, &[("gamma [C]", w.gamma.dims()[0]), ("beta [C]", w.beta.dims()[0])]);
    require_per_step("block: gate", y, "alpha [T, 1 or C]", w.alpha.dims());
    neuron::check("block: neuron", y, w.decay.dims(), &p.neuron);
    // A block has no direct coding: its spikes are of all T steps.
    let rule = format_args!("x has {t} time steps, the neuron {}", p.neuron.steps);
    require(t == p.neuron.steps, "block: neuron", rule, &[("x [T, N, C_in, H, W]", &x)]);
    if let Some(s) = s {
        require_per_channel("block: norm", y, &[("mean [C]", s.mean.dims()[0]), ("var [C]", s.var.dims()[0])]);
        if let Some(means) = &s.gate_means {
            require_per_step("block: gate", y, "gate_means [T, 1 or C]", means.dims());
        }
    }
}

/// The operations a block is a chain of.
trait Chain: ConvOps + NormOps + PoolOps + GateOps + NeuronOps {}
impl<B: ConvOps + NormOps + PoolOps + GateOps + NeuronOps> Chain for B {}

/// The composed definition.
fn composed<B: Chain>(
    [x, weight, gamma, beta, alpha, decay]: BlockInputs<B>,
    p: &BlockParams,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let y = B::bitspike_conv(x, weight, p.conv);
    let (mut y, mean, var) = B::bitspike_batch_norm(y, gamma, beta, p.epsilon);
    if p.pool {
        y = B::bitspike_pool(y, PoolKind::Average, 2);
    }
    let (y, means) = match p.gate {
        Some(gate) => B::bitspike_gate(y, alpha, gate),
        None => (y, alpha),
    };
    (B::bitspike_neuron(y, decay, p.neuron), mean, var, means)
}

/// The composed definition with running statistics.
fn composed_evaluate<B: Chain>(
    [x, weight, gamma, beta, alpha, decay]: BlockInputs<B>,
    [mean, var, gate_means]: [FloatTensor<B>; 3],
    gate_is_fixed: bool,
    p: &BlockParams,
) -> (FloatTensor<B>, FloatTensor<B>) {
    use super::gate::{GateApply, GatePool, function_of};
    use super::prim::Val;
    let y = B::bitspike_conv(x, weight, p.conv);
    let scale = Val::<B>(gamma) * (Val::<B>(var) + p.epsilon).sqrt().recip();
    let shift = Val::<B>(beta) - Val::<B>(mean) * scale.clone();
    let mut y = B::bitspike_affine(y, scale.0, shift.0);
    if p.pool {
        y = B::bitspike_pool(y, PoolKind::Average, 2);
    }
    let (y, means) = match p.gate.filter(|g| g.apply == GateApply::Forward) {
        None => (y, alpha),
        Some(gate) if !gate_is_fixed => B::bitspike_gate(y, alpha, gate),
        Some(gate) => {
            let (a, m) = (Val::<B>(alpha.clone()), Val::<B>(gate_means));
            let factor = match (gate.pool, gate.alpha_inside) {
                (GatePool::Const, _) => a * 0.5,
                (_, true) => function_of(gate.function, a * m),
                (_, false) => a * function_of(gate.function, m),
            };
            (B::bitspike_scale_steps(y, factor.0), alpha)
        }
    };
    (B::bitspike_neuron(y, decay, p.neuron), means)
}

#[derive(Debug)]
struct BlockBackward;

impl<B: BlockKernel> Backward<B, 6> for BlockBackward {
    type State = B::BlockState;

    fn backward(self, ops: Ops<Self::State, 6>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let wanted = std::array::from_fn(|i| ops.parents[i].is_some());
        let found = B::block_backward(ops.state, grad, wanted);
        for (node, grad) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(grad)) = (node, grad) {
                grads.register::<B>(node.id, grad);
            }
        }
    }
}

impl<B, C> BlockOps for Autodiff<B, C>
where
    B: BlockKernel + ConvKernel + NormKernel + PoolKernel + GateKernel + NeuronKernel,
    C: CheckpointStrategy,
{
    fn bitspike_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        decay: FloatTensor<Self>,
        p: BlockParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [x, weight, gamma, beta, alpha, decay];
        let nodes = std::array::from_fn(|i| inputs[i].node());
        let inner = inputs.clone().map(|v| v.into_primitive());
        let out = match BlockBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => B::block_forward(&inner, &p, true).map(|f| {
                let state = f.state.expect("block_forward keeps its state when asked to");
                (prep.finish(state, f.spikes), f.mean, f.var, f.means)
            }),
            OpsKind::UnTracked(prep) => {
                B::block_forward(&inner, &p, false).map(|f| (prep.finish(f.spikes), f.mean, f.var, f.means))
            }
        };
        match out {
            Some((spikes, mean, var, means)) => {
                (spikes, Self::from_inner(mean), Self::from_inner(var), Self::from_inner(means))
            }
            None => composed::<Self>(inputs, &p),
        }
    }

    /// Differentiated by the tape: this path is taken at evaluation, where nothing is tracked.
    fn bitspike_block_evaluate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        decay: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        var: FloatTensor<Self>,
        gate_means: FloatTensor<Self>,
        gate_is_fixed: bool,
        p: BlockParams,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed_evaluate::<Self>([x, weight, gamma, beta, alpha, decay], [mean, var, gate_means], gate_is_fixed, &p)
    }
}

/// State of a backend that has no fused form.
#[derive(Clone, Debug)]
pub enum NoState {}

/// Gives a backend the composed form only.
macro_rules! composed_block {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl BlockKernel for $backend {
            type BlockState = NoState;

            fn block_forward(_: &BlockInputs<Self>, _: &BlockParams, _: bool) -> Option<BlockForward<Self>> {
                None
            }

            fn block_backward(
                state: NoState,
                _: FloatTensor<Self>,
                _: [bool; 6],
            ) -> [Option<FloatTensor<Self>>; 6] {
                match state {}
            }

            fn block_evaluate(
                _: &BlockInputs<Self>,
                _: &[FloatTensor<Self>; 3],
                _: bool,
                _: &BlockParams,
            ) -> Option<(FloatTensor<Self>, FloatTensor<Self>)> {
                None
            }
        }
    };
}

/// Routes the extension to a backend's fused form, or to the chain.
macro_rules! block_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl BlockOps for $backend {
            fn bitspike_block(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                alpha: FloatTensor<Self>,
                decay: FloatTensor<Self>,
                p: BlockParams,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let inputs = [x, weight, gamma, beta, alpha, decay];
                match Self::block_forward(&inputs, &p, false) {
                    Some(f) => (f.spikes, f.mean, f.var, f.means),
                    None => composed::<Self>(inputs, &p),
                }
            }

            fn bitspike_block_evaluate(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                alpha: FloatTensor<Self>,
                decay: FloatTensor<Self>,
                mean: FloatTensor<Self>,
                var: FloatTensor<Self>,
                gate_means: FloatTensor<Self>,
                gate_is_fixed: bool,
                p: BlockParams,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                let (inputs, fixed) = ([x, weight, gamma, beta, alpha, decay], [mean, var, gate_means]);
                match Self::block_evaluate(&inputs, &fixed, gate_is_fixed, &p) {
                    Some(found) => found,
                    None => composed_evaluate::<Self>(inputs, fixed, gate_is_fixed, &p),
                }
            }
        }
    };
}
backends!(block_ops);
composed_backends!(composed_block);
