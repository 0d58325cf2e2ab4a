//! [Convolution](crate::ops::conv) by `bitspike_kernels::conv_binary` and `conv_real`.
//!
//! Between forward and backward a layer with binary weights keeps its input as bits, a thirty-second of the floats, as
//! long as the input is made of spikes, or of quarters after an average pooling. Any other input (an image, a current)
//! is kept as it is and multiplied by the effective weight in floats.

use super::{Buffer, ChannelsLast, Sizes, contiguous, fused, memory, parameter};
use crate::ops::conv::{
    ComposedConvState, ConvKernel, ConvParams, Precision, WeightKind, WeightScale, composed_backward, composed_forward,
};
use bitspike_kernels::bits::{PackedSigns, PackedSpikes};
use bitspike_kernels::shape::ConvShape;
use bitspike_kernels::{conv_binary, conv_real};
use burn::backend::Flex;
use burn::tensor::DType;
use burn_flex::FlexTensor;
use std::sync::Arc;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub enum ConvState {
    /// Input and weight in the form the kernels take.
    Fused(Box<FusedConvState>),
    /// State of the composed body.
    Composed(Box<ComposedConvState<FlexTensor>>),
}

/// State of the fused convolution.
#[derive(Clone, Debug)]
pub struct FusedConvState {
    x: Input,
    weight: Weight,
    shape: ConvShape,
    input: Sizes,
    precision: Precision,
}

#[derive(Clone, Debug)]
enum Input {
    Bits(Arc<PackedSpikes>),
    Floats(ChannelsLast),
}

#[derive(Clone, Debug)]
enum Weight {
    Real(FlexTensor),
    Binary {
        signs: PackedSigns,
        scale: Option<Vec<f32>>,
        /// The latent weight, for the mask of the straight-through estimator.
        latent: FlexTensor,
    },
}

/// Sums of integers below this are exact in `f32`.
const EXACT: usize = 1 << 24;
const CHECKED: &str = "the sizes were checked and all lengths come from them";

pub(super) fn conv_shape(x: &Sizes, weight: &[usize], p: &ConvParams) -> Option<ConvShape> {
    let &[c_out, c_in, kh, kw] = weight else { return None };
    let shape = ConvShape { n: x.t * x.n, h: x.h, w: x.w, c_in, c_out, kh, kw, stride: p.stride, padding: p.padding };
    (c_in == x.c && shape.checked().is_ok()).then_some(shape)
}

/// The scale per output channel, where there is one: the mean of |w|.
pub(super) fn scales(kind: WeightScale, latent: &[f32], c_out: usize) -> Option<Vec<f32>> {
    let mean = |w: &[f32]| (w.iter().map(|w| f64::from(w.abs())).sum::<f64>() / w.len() as f64) as f32;
    (kind == WeightScale::MeanAbs).then(|| latent.chunks(latent.len() / c_out).map(mean).collect())
}

/// The input as bits, if they stand for it exactly: those that came with it, or packed from its values.
pub(super) fn input_bits(x: &FlexTensor, s: &ConvShape) -> Option<Arc<PackedSpikes>> {
    let dims = [s.n, s.h, s.w, s.c_in];
    if let Some(bits) = memory::attached(&x.permute(&super::TO_LAST)).filter(|bits| bits.dims() == dims) {
        return Some(bits);
    }
    let x = ChannelsLast::new(x)?;
    PackedSpikes::pack(x.values(), s.n, s.h, s.w, s.c_in).map(Arc::new)
}

/// [`input_bits`], if their sums are exact too.
fn bits(x: &FlexTensor, s: &ConvShape) -> Option<Arc<PackedSpikes>> {
    input_bits(x, s).filter(|packed| s.c_in * s.kh * s.kw < EXACT >> packed.planes())
}

/// Straight-through: the sign passes no gradient where |w| > 1.
pub(super) fn straight_through(latent: &[f32], dw: &mut [f32]) {
    let outside = |w: f32| w.is_nan() || w.abs() > 1.0;
    dw.iter_mut().zip(latent).filter(|(_, w)| outside(**w)).for_each(|(d, _)| *d = 0.0);
}

/// A seed for rounding a gradient: a function of its values, so that a resumed run rounds as an unbroken one.
pub(super) fn seed_of(dy: &[f32]) -> u64 {
    const SAMPLES: usize = 64;
    let step = dy.len().div_ceil(SAMPLES).max(1);
    let mix = |h: u64, v: &f32| (h ^ u64::from(v.to_bits())).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    dy.iter().step_by(step).fold(dy.len() as u64, mix)
}

fn forward(x: &FlexTensor, weight: &FlexTensor, p: &ConvParams, save: bool) -> Option<(FlexTensor, Option<ConvState>)> {
    if !fused() {
        return None;
    }
    let input = Sizes::of(x.layout().shape()).filter(|s| s.len() > 0 && x.dtype() == DType::F32)?;
    let stored = parameter(weight)?;
    let shape = conv_shape(&input, stored.layout().shape(), p)?;
    let output = Sizes { c: shape.c_out, h: shape.out_h(), w: shape.out_w(), ..input };
    let mut y = Buffer::new(output.len());
    let (x, weight) = match p.weight {
        WeightKind::Real => {
            let x = ChannelsLast::new(x)?;
            conv_real::forward(&shape, x.values(), contiguous(&stored), &mut y).expect(CHECKED);
            (Input::Floats(x), Weight::Real(stored))
        }
        WeightKind::Binary(kind) => {
            let latent = contiguous(&stored);
            let scale = scales(kind, latent, shape.c_out);
            let signs = PackedSigns::pack(latent, shape.c_out, shape.c_in, shape.kh, shape.kw).expect(CHECKED);
            let x = match bits(x, &shape) {
                Some(bits) => {
                    conv_binary::forward(&shape, &bits, &signs, scale.as_deref(), &mut y).expect(CHECKED);
                    Input::Bits(bits)
                }
                None => {
                    let x = ChannelsLast::new(x)?;
                    let mut effective = signs.unpack();
                    if let Some(scale) = &scale {
                        let rows = effective.chunks_mut(latent.len() / shape.c_out);
                        rows.zip(scale).for_each(|(row, a)| row.iter_mut().for_each(|w| *w *= a));
                    }
                    conv_real::forward(&shape, x.values(), &effective, &mut y).expect(CHECKED);
                    Input::Floats(x)
                }
            };
            (x, Weight::Binary { signs, scale, latent: stored })
        }
    };
    let state =
        save.then(|| ConvState::Fused(Box::new(FusedConvState { x, weight, shape, input, precision: p.precision })));
    Some((ChannelsLast::from_values(y, output).into_tensor(), state))
}

fn backward(
    state: &FusedConvState,
    grad: &FlexTensor,
    x_grad: bool,
    weight_grad: bool,
) -> (Option<FlexTensor>, Option<FlexTensor>) {
    let FusedConvState { x, weight, shape, input, precision } = state;
    let grad = ChannelsLast::new(grad).expect("the gradient has the element type and the shape of the result");
    let dy = grad.values();
    let dx = x_grad.then(|| {
        let mut dx = Buffer::new(input.len());
        match weight {
            Weight::Real(w) => conv_real::grad_input(shape, dy, contiguous(w), &mut dx),
            Weight::Binary { signs, scale, .. } if *precision == Precision::Exact => {
                conv_binary::grad_input(shape, dy, signs, scale.as_deref(), &mut dx)
            }
            Weight::Binary { signs, scale, .. } => {
                conv_binary::grad_input_fast(shape, dy, signs, scale.as_deref(), seed_of(dy), &mut dx)
            }
        }
        .expect(CHECKED);
        ChannelsLast::from_values(dx, *input).into_tensor()
    });
    let dw = weight_grad.then(|| {
        let ConvShape { c_out, c_in, kh, kw, .. } = *shape;
        let mut dw = Buffer::exact(c_out * c_in * kh * kw);
        match x {
            Input::Bits(x) if *precision == Precision::Exact => conv_binary::grad_weight(shape, x, dy, None, &mut dw),
            Input::Bits(x) => conv_binary::grad_weight_fast(shape, x, dy, None, seed_of(dy), &mut dw),
            Input::Floats(x) => conv_real::grad_weight(shape, x.values(), dy, &mut dw),
        }
        .expect(CHECKED);
        if let Weight::Binary { latent, .. } = weight {
            straight_through(contiguous(latent), &mut dw);
        }
        dw.into_tensor(&[c_out, c_in, kh, kw])
    });
    (dx, dw)
}

impl ConvKernel for Flex {
    type ConvState = ConvState;

    fn conv_forward(x: FlexTensor, weight: FlexTensor, p: ConvParams, save: bool) -> (FlexTensor, Option<ConvState>) {
        forward(&x, &weight, &p, save).unwrap_or_else(|| {
            let (y, state) = composed_forward::<Self>(x, weight, p, save);
            (y, state.map(|s| ConvState::Composed(Box::new(s))))
        })
    }

    fn conv_backward(
        state: ConvState,
        grad: FlexTensor,
        x_grad: bool,
        weight_grad: bool,
    ) -> (Option<FlexTensor>, Option<FlexTensor>) {
        match state {
            ConvState::Fused(state) => backward(&state, &grad, x_grad, weight_grad),
            ConvState::Composed(state) => composed_backward::<Self>(*state, grad, x_grad, weight_grad),
        }
    }
}
