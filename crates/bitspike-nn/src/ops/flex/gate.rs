//! [AGMM gate](crate::ops::gate) by `bitspike_kernels::gate`.

use super::{Buffer, ChannelsLast, Sizes, contiguous, fused, parameter, tensor};
use crate::ops::gate::{
    ComposedGateState, GateApply, GateFunction, GateKernel, GateParams, GatePool, composed_backward, composed_forward,
    composed_scale,
};
use bitspike_kernels::gate as kernel;
use bitspike_kernels::norm;
use burn::backend::Flex;
use burn_flex::FlexTensor;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub enum GateState {
    /// The input, its means and α.
    Fused(FusedGateState),
    /// State of the composed body.
    Composed(ComposedGateState<FlexTensor>),
}

/// State of the fused gate.
#[derive(Clone, Debug)]
pub struct FusedGateState {
    /// `None` where the gradient does not depend on x.
    x: Option<ChannelsLast>,
    sizes: Sizes,
    means: Vec<f32>,
    alpha: FlexTensor,
    p: GateParams,
}

const CHECKED: &str = "the tensor is not empty, α has one value per step or one per step and channel";

pub(super) fn kernel_params(p: &GateParams) -> kernel::GateParams {
    kernel::GateParams {
        pool: match p.pool {
            GatePool::Chw => kernel::Pool::Chw,
            GatePool::Hw => kernel::Pool::Hw,
            GatePool::Nchw => kernel::Pool::Nchw,
            GatePool::None => kernel::Pool::None,
            GatePool::Const => kernel::Pool::Const,
        },
        function: match p.function {
            GateFunction::Sigmoid => kernel::Function::Sigmoid,
            GateFunction::Hard => kernel::Function::Hard,
        },
        apply: match p.apply {
            GateApply::Forward => kernel::Apply::Forward,
            GateApply::Gradient => kernel::Apply::Gradient,
        },
        alpha_inside: p.alpha_inside,
        detach_gate: p.detach_gate,
    }
}

fn kernel_shape(s: &Sizes) -> kernel::GateShape {
    kernel::GateShape { t: s.t, n: s.n, hw: s.h * s.w, c: s.c }
}

/// A factor `[T, 1]` or `[T, C]` for a tensor of these sizes.
pub(super) fn per_step(v: &FlexTensor, sizes: &Sizes) -> Option<FlexTensor> {
    let v = parameter(v)?;
    let fits = matches!(v.layout().shape()[..], [t, c] if t == sizes.t && (c == 1 || c == sizes.c));
    fits.then_some(v)
}

/// The pooled means that the caller sees, `[T, N or 1, C or 1]`.
fn pooled_means(x: &ChannelsLast, pool: GatePool, means: &[f32]) -> FlexTensor {
    if pool != GatePool::None {
        return means_tensor(pool, &x.sizes, means);
    }
    // The gate has no pooled mean; what is reported is the mean of everything it was computed from.
    let mut means = vec![0.0; x.sizes.t];
    kernel::means(kernel::Pool::Nchw, &kernel_shape(&x.sizes), x.values(), &mut means).expect(CHECKED);
    tensor(means, &[x.sizes.t, 1, 1])
}

/// The means of a gate with a pool, as the kernels write them, as a tensor; zero for the constant gate, which has none.
pub(super) fn means_tensor(pool: GatePool, sizes: &Sizes, means: &[f32]) -> FlexTensor {
    let Sizes { t, n, c, .. } = *sizes;
    match pool {
        GatePool::Chw => tensor(means.to_vec(), &[t, n, 1]),
        GatePool::Hw => tensor(means.to_vec(), &[t, n, c]),
        GatePool::Nchw => tensor(means.to_vec(), &[t, 1, 1]),
        GatePool::Const | GatePool::None => tensor(vec![0.0; t], &[t, 1, 1]),
    }
}

fn forward(
    x: &FlexTensor,
    alpha: &FlexTensor,
    p: &GateParams,
    save: bool,
) -> Option<(FlexTensor, FlexTensor, Option<GateState>)> {
    if !fused() {
        return None;
    }
    let x = ChannelsLast::new(x)?;
    let sizes = x.sizes;
    let alpha = per_step(alpha, &sizes)?;
    let (shape, params) = (kernel_shape(&sizes), kernel_params(p));
    let mut means = vec![0.0; shape.means_len(params.pool)];
    let y = match p.apply {
        GateApply::Gradient => {
            kernel::means(params.pool, &shape, x.values(), &mut means).expect(CHECKED);
            x.clone()
        }
        GateApply::Forward => {
            let mut y = Buffer::new(sizes.len());
            kernel::forward(&params, &shape, x.values(), contiguous(&alpha), &mut y, &mut means).expect(CHECKED);
            ChannelsLast::from_values(y, sizes)
        }
    };
    let shown = pooled_means(&x, p.pool, &means);
    let needs_x = p.apply == GateApply::Forward || p.pool == GatePool::None;
    let state = save.then(|| GateState::Fused(FusedGateState { x: needs_x.then_some(x), sizes, means, alpha, p: *p }));
    Some((y.into_tensor(), shown, state))
}

fn backward(state: &FusedGateState, grad: &FlexTensor) -> (FlexTensor, FlexTensor) {
    let FusedGateState { x, sizes, means, alpha, p } = state;
    let grad = ChannelsLast::new(grad).expect("the gradient has the element type and the shape of the result");
    // With apply = gradient and known means the kernel looks at the length of x only.
    let x = x.as_ref().unwrap_or(&grad);
    let (mut dx, mut d_alpha) = (Buffer::new(sizes.len()), vec![0.0; contiguous(alpha).len()]);
    kernel::backward(
        &kernel_params(p),
        &kernel_shape(sizes),
        x.values(),
        means,
        contiguous(alpha),
        grad.values(),
        &mut dx,
        &mut d_alpha,
    )
    .expect(CHECKED);
    (ChannelsLast::from_values(dx, *sizes).into_tensor(), tensor(d_alpha, alpha.layout().shape()))
}

/// One affine map per time step, without an offset.
fn scale_steps(x: &FlexTensor, factor: &FlexTensor) -> Option<FlexTensor> {
    if !fused() {
        return None;
    }
    let x = ChannelsLast::new(x)?;
    let (sizes, c) = (x.sizes, x.sizes.c);
    let factor = per_step(factor, &sizes)?;
    let (zero, mut y) = (vec![0.0; c], Buffer::new(sizes.len()));
    let factors = contiguous(&factor);
    let (step, width) = (sizes.n * sizes.step(), factors.len() / sizes.t);
    for ((x, y), factor) in x.values().chunks(step).zip(y.chunks_mut(step)).zip(factors.chunks(width)) {
        let scale = factor.repeat(c / width);
        norm::affine(x, c, &scale, &zero, y).expect("a step has a multiple of C elements and one factor per channel");
    }
    Some(ChannelsLast::from_values(y, sizes).into_tensor())
}

impl GateKernel for Flex {
    type GateState = GateState;

    fn gate_forward(
        x: FlexTensor,
        alpha: FlexTensor,
        p: GateParams,
        save: bool,
    ) -> (FlexTensor, FlexTensor, Option<GateState>) {
        forward(&x, &alpha, &p, save).unwrap_or_else(|| {
            let (y, means, state) = composed_forward::<Self>(x, alpha, p, save);
            (y, means, state.map(GateState::Composed))
        })
    }

    fn gate_backward(state: GateState, grad: FlexTensor) -> (FlexTensor, FlexTensor) {
        match state {
            GateState::Fused(state) => backward(&state, &grad),
            GateState::Composed(state) => composed_backward::<Self>(state, grad),
        }
    }

    fn scale_steps(x: FlexTensor, factor: FlexTensor) -> FlexTensor {
        scale_steps(&x, &factor).unwrap_or_else(|| composed_scale::<Self>(x, factor))
    }
}
