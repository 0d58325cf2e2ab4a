//! [Batch norm and affine map](crate::ops::norm) by `bitspike_kernels::norm`.

use super::{Buffer, ChannelsLast, contiguous, fused, parameter, tensor};
use crate::ops::norm::{
    ComposedNormState, NormGradients, NormKernel, Normalised, composed_affine, composed_affine_backward,
    composed_backward, composed_forward,
};
use bitspike_kernels::norm as kernel;
use burn::backend::Flex;
use burn_flex::FlexTensor;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub enum NormState {
    /// The input and its statistics.
    Fused(FusedNormState),
    /// State of the composed body.
    Composed(ComposedNormState<FlexTensor>),
}

/// State of the fused batch norm.
#[derive(Clone, Debug)]
pub struct FusedNormState {
    x: ChannelsLast,
    mean: Vec<f32>,
    var: Vec<f32>,
    gamma: FlexTensor,
    epsilon: f32,
}

const CHECKED: &str = "the tensor is not empty, parameters have one value per channel and ε was checked";

/// A parameter with one value per channel.
fn per_channel(v: &FlexTensor, c: usize) -> Option<FlexTensor> {
    parameter(v).filter(|v| contiguous(v).len() == c)
}

fn forward(
    x: &FlexTensor,
    gamma: &FlexTensor,
    beta: &FlexTensor,
    epsilon: f32,
    save: bool,
) -> Option<(Normalised<Flex>, Option<NormState>)> {
    let usable = epsilon > 0.0 && epsilon.is_finite();
    if !(fused() && usable) {
        return None;
    }
    let x = ChannelsLast::new(x)?;
    let (sizes, c) = (x.sizes, x.sizes.c);
    let (gamma, beta) = (per_channel(gamma, c)?, per_channel(beta, c)?);
    let (mean, var) = kernel::statistics(x.values(), c).expect(CHECKED);
    let mut y = Buffer::new(sizes.len());
    kernel::forward(x.values(), c, &mean, &var, contiguous(&gamma), contiguous(&beta), epsilon, &mut y).expect(CHECKED);
    let out =
        (ChannelsLast::from_values(y, sizes).into_tensor(), tensor(mean.clone(), &[c]), tensor(var.clone(), &[c]));
    Some((out, save.then_some(NormState::Fused(FusedNormState { x, mean, var, gamma, epsilon }))))
}

fn backward(state: &FusedNormState, grad: &FlexTensor) -> NormGradients<Flex> {
    let FusedNormState { x, mean, var, gamma, epsilon } = state;
    let (sizes, c) = (x.sizes, x.sizes.c);
    let grad = ChannelsLast::new(grad).expect("the gradient has the element type and the shape of the result");
    let (mut dx, mut d_gamma, mut d_beta) = (Buffer::new(sizes.len()), vec![0.0; c], vec![0.0; c]);
    kernel::backward(
        x.values(),
        grad.values(),
        c,
        mean,
        var,
        contiguous(gamma),
        *epsilon,
        &mut dx,
        &mut d_gamma,
        &mut d_beta,
    )
    .expect(CHECKED);
    (ChannelsLast::from_values(dx, sizes).into_tensor(), tensor(d_gamma, &[c]), tensor(d_beta, &[c]))
}

fn affine(x: &FlexTensor, scale: &FlexTensor, shift: &FlexTensor) -> Option<FlexTensor> {
    if !fused() {
        return None;
    }
    let x = ChannelsLast::new(x)?;
    let (sizes, c) = (x.sizes, x.sizes.c);
    let (scale, shift) = (per_channel(scale, c)?, per_channel(shift, c)?);
    let mut y = Buffer::new(sizes.len());
    kernel::affine(x.values(), c, contiguous(&scale), contiguous(&shift), &mut y).expect(CHECKED);
    Some(ChannelsLast::from_values(y, sizes).into_tensor())
}

fn affine_backward(x: &FlexTensor, scale: &FlexTensor, grad: &FlexTensor) -> Option<NormGradients<Flex>> {
    if !fused() {
        return None;
    }
    let (x, grad) = (ChannelsLast::new(x)?, ChannelsLast::new(grad)?);
    let (sizes, c) = (x.sizes, x.sizes.c);
    let scale = per_channel(scale, c)?;
    let (mut dx, mut d_scale, mut d_shift) = (Buffer::new(sizes.len()), vec![0.0; c], vec![0.0; c]);
    kernel::affine_backward(x.values(), grad.values(), c, contiguous(&scale), &mut dx, &mut d_scale, &mut d_shift)
        .expect(CHECKED);
    Some((ChannelsLast::from_values(dx, sizes).into_tensor(), tensor(d_scale, &[c]), tensor(d_shift, &[c])))
}

impl NormKernel for Flex {
    type NormState = NormState;

    fn norm_forward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
        save: bool,
    ) -> (Normalised<Self>, Option<NormState>) {
        forward(&x, &gamma, &beta, epsilon, save).unwrap_or_else(|| {
            let (out, state) = composed_forward::<Self>(x, gamma, beta, epsilon, save);
            (out, state.map(NormState::Composed))
        })
    }

    fn norm_backward(state: NormState, grad: FlexTensor) -> NormGradients<Self> {
        match state {
            NormState::Fused(state) => backward(&state, &grad),
            NormState::Composed(state) => composed_backward::<Self>(state, grad),
        }
    }

    fn affine_forward(x: FlexTensor, scale: FlexTensor, shift: FlexTensor) -> FlexTensor {
        affine(&x, &scale, &shift).unwrap_or_else(|| composed_affine::<Self>(x, scale, shift))
    }

    fn affine_backward(x: FlexTensor, scale: FlexTensor, grad: FlexTensor) -> NormGradients<Self> {
        affine_backward(&x, &scale, &grad).unwrap_or_else(|| composed_affine_backward::<Self>(x, scale, grad))
    }
}
