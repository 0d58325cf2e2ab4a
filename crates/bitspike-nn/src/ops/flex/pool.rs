//! [Pooling](crate::ops::pool) by `bitspike_kernels::pool`.

use super::{Buffer, ChannelsLast, Sizes, contiguous, fused, parameter, tensor};
use crate::ops::pool::{
    ComposedPoolState, PoolKernel, PoolKind, composed_backward, composed_forward, composed_global,
    composed_global_backward,
};
use bitspike_kernels::pool as kernel;
use burn::backend::Flex;
use burn::tensor::Shape;
use burn_flex::FlexTensor;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub enum PoolState {
    /// The sizes, and for the maximum where it was.
    Fused(FusedPoolState),
    /// State of the composed body.
    Composed(ComposedPoolState<Flex>),
}

/// State of the fused pooling.
#[derive(Clone, Debug)]
pub struct FusedPoolState {
    input: Sizes,
    k: usize,
    /// Position of the maximum in each window, `[T, N, H', W', C]`; `None` for the average.
    argmax: Option<Vec<u8>>,
}

/// Largest window of the kernels: its positions fit one byte.
const LARGEST: usize = 15;
const CHECKED: &str = "the window fits the map and all lengths come from one shape";

fn kernel_shape(s: &Sizes, k: usize) -> kernel::PoolShape {
    kernel::PoolShape { n: s.t * s.n, h: s.h, w: s.w, c: s.c, k, stride: k }
}

fn forward(x: &FlexTensor, kind: PoolKind, k: usize, save: bool) -> Option<(FlexTensor, Option<PoolState>)> {
    if !fused() {
        return None;
    }
    let x = ChannelsLast::new(x)?;
    let input = x.sizes;
    if !(1..=LARGEST.min(input.h).min(input.w)).contains(&k) {
        return None;
    }
    let (shape, output) = (kernel_shape(&input, k), Sizes { h: input.h / k, w: input.w / k, ..input });
    let mut y = Buffer::new(output.len());
    let argmax = match kind {
        PoolKind::Average => {
            kernel::avg_forward(&shape, x.values(), &mut y).expect(CHECKED);
            None
        }
        PoolKind::Max => {
            let mut argmax = vec![0; output.len()];
            kernel::max_forward(&shape, x.values(), &mut y, &mut argmax).expect(CHECKED);
            Some(argmax)
        }
    };
    let state = save.then_some(PoolState::Fused(FusedPoolState { input, k, argmax }));
    Some((ChannelsLast::from_values(y, output).into_tensor(), state))
}

fn backward(state: &FusedPoolState, grad: &FlexTensor) -> FlexTensor {
    let shape = kernel_shape(&state.input, state.k);
    let grad = ChannelsLast::new(grad).expect("the gradient has the element type and the shape of the result");
    let mut dx = Buffer::new(state.input.len());
    match &state.argmax {
        None => kernel::avg_backward(&shape, grad.values(), &mut dx),
        Some(argmax) => kernel::max_backward(&shape, argmax, grad.values(), &mut dx),
    }
    .expect(CHECKED);
    ChannelsLast::from_values(dx, state.input).into_tensor()
}

fn global_forward(x: &FlexTensor) -> Option<FlexTensor> {
    if !fused() {
        return None;
    }
    let x = ChannelsLast::new(x)?;
    let Sizes { t, n, c, h, w } = x.sizes;
    let mut y = vec![0.0; t * n * c];
    kernel::global_avg_forward(x.values(), t * n, h * w, c, &mut y).expect(CHECKED);
    Some(tensor(y, &[t, n, c]))
}

fn global_backward(shape: &Shape, grad: &FlexTensor) -> Option<FlexTensor> {
    if !fused() {
        return None;
    }
    let sizes = Sizes::of(shape).filter(|s| s.len() > 0)?;
    let grad = parameter(grad)?;
    let mut dx = Buffer::new(sizes.len());
    kernel::global_avg_backward(contiguous(&grad), sizes.t * sizes.n, sizes.h * sizes.w, sizes.c, &mut dx)
        .expect(CHECKED);
    Some(ChannelsLast::from_values(dx, sizes).into_tensor())
}

impl PoolKernel for Flex {
    type PoolState = PoolState;

    fn pool_forward(x: FlexTensor, kind: PoolKind, k: usize, save: bool) -> (FlexTensor, Option<PoolState>) {
        forward(&x, kind, k, save).unwrap_or_else(|| {
            let (y, state) = composed_forward::<Self>(x, kind, k, save);
            (y, state.map(PoolState::Composed))
        })
    }

    fn pool_backward(state: PoolState, grad: FlexTensor) -> FlexTensor {
        match state {
            PoolState::Fused(state) => backward(&state, &grad),
            PoolState::Composed(state) => composed_backward::<Self>(state, grad),
        }
    }

    fn global_forward(x: FlexTensor) -> FlexTensor {
        global_forward(&x).unwrap_or_else(|| composed_global::<Self>(x))
    }

    fn global_backward(shape: Shape, grad: FlexTensor) -> FlexTensor {
        global_backward(&shape, &grad).unwrap_or_else(|| composed_global_backward::<Self>(shape, grad))
    }
}
