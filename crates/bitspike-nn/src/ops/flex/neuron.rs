//! [Neuron](crate::ops::neuron) by `bitspike_kernels::neuron`.

use super::{Buffer, ChannelsLast, Sizes, contiguous, fused, parameter, tensor};
use crate::ops::neuron::{ComposedNeuronState, NeuronKernel, NeuronParams, Reset, composed_backward, composed_forward};
use crate::ops::surrogate::Surrogate;
use bitspike_kernels::neuron as kernel;
use burn::backend::Flex;
use burn_flex::FlexTensor;

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub enum NeuronState {
    /// The membrane potential, or what it follows from.
    Fused(FusedNeuronState),
    /// State of the composed body.
    Composed(ComposedNeuronState<FlexTensor>),
}

/// State of the fused neuron.
#[derive(Clone, Debug)]
pub struct FusedNeuronState {
    params: kernel::NeuronParams,
    kept: Kept,
    steps: usize,
}

/// What the membrane potential is known from.
#[derive(Clone, Debug)]
enum Kept {
    /// The potential before the reset, `[T, N, H, W, C]`.
    Membrane(ChannelsLast),
    /// The input that was the same at all steps, `[1, N, H, W, C]`: a T-th of the memory, and the potential follows from it.
    Input(ChannelsLast),
}

const CHECKED: &str = "the parameters were checked and all lengths come from one shape";

/// The parameters of the kernel; `None` if one is outside its range (a λ that has become NaN, for instance).
pub(super) fn kernel_params(decay: &FlexTensor, p: &NeuronParams) -> Option<kernel::NeuronParams> {
    let decay = *contiguous(&parameter(decay)?).first()?;
    let positive = |v: f32| v > 0.0 && v.is_finite();
    if !(0.0..=1.0).contains(&decay) || !positive(p.v_threshold) || !positive(p.width) {
        return None;
    }
    Some(kernel::NeuronParams {
        decay,
        v_threshold: p.v_threshold,
        reset: match p.reset {
            Reset::Soft => kernel::Reset::Soft,
            Reset::Hard => kernel::Reset::Hard,
        },
        detach_reset: p.detach_reset,
        surrogate: kernel::Surrogate {
            kind: match p.surrogate {
                Surrogate::Triangle => kernel::SurrogateKind::Triangle,
                Surrogate::Rectangle => kernel::SurrogateKind::Rectangle,
                Surrogate::Sigmoid => kernel::SurrogateKind::Sigmoid,
                Surrogate::Atan => kernel::SurrogateKind::Atan,
            },
            width: p.width,
        },
    })
}

fn forward(
    x: &FlexTensor,
    decay: &FlexTensor,
    p: &NeuronParams,
    save: bool,
) -> Option<(FlexTensor, Option<NeuronState>)> {
    if !fused() {
        return None;
    }
    let params = kernel_params(decay, p)?;
    let x = ChannelsLast::new(x)?;
    let (input, steps) = (x.sizes, p.steps);
    if steps == 0 || (input.t != 1 && input.t != steps) {
        return None;
    }
    let output = Sizes { t: steps, ..input };
    let mut spikes = Buffer::new(output.len());
    let kept = if input.t == steps {
        let mut membrane = save.then(|| Buffer::new(output.len()));
        kernel::forward(&params, x.values(), steps, &mut spikes, membrane.as_deref_mut()).expect(CHECKED);
        membrane.map(|membrane| Kept::Membrane(ChannelsLast::from_values(membrane, output)))
    } else {
        kernel::forward_broadcast(&params, x.values(), steps, &mut spikes, None).expect(CHECKED);
        save.then_some(Kept::Input(x))
    };
    let state = kept.map(|kept| NeuronState::Fused(FusedNeuronState { params, kept, steps }));
    Some((ChannelsLast::from_values(spikes, output).into_tensor(), state))
}

fn backward(state: FusedNeuronState, grad: &FlexTensor, decay_grad: bool) -> (FlexTensor, Option<FlexTensor>) {
    let FusedNeuronState { params, kept, steps } = state;
    let grad = ChannelsLast::new(grad).expect("the gradient has the element type and the shape of the spikes");
    let (input, mut dx, d_decay);
    match kept {
        Kept::Membrane(membrane) => {
            (input, dx) = (membrane.sizes, Buffer::new(membrane.sizes.len()));
            d_decay = kernel::backward(&params, membrane.values(), grad.values(), steps, &mut dx, decay_grad);
        }
        Kept::Input(x) => {
            (input, dx) = (x.sizes, Buffer::new(x.sizes.len()));
            d_decay = kernel::backward_broadcast(&params, x.values(), grad.values(), steps, &mut dx, decay_grad);
        }
    }
    let d_decay = d_decay.expect(CHECKED);
    (ChannelsLast::from_values(dx, input).into_tensor(), d_decay.map(|d| tensor(vec![d], &[1])))
}

impl NeuronKernel for Flex {
    type NeuronState = NeuronState;

    fn neuron_forward(
        x: FlexTensor,
        decay: FlexTensor,
        p: NeuronParams,
        save: bool,
    ) -> (FlexTensor, Option<NeuronState>) {
        forward(&x, &decay, &p, save).unwrap_or_else(|| {
            let (spikes, state) = composed_forward::<Self>(x, decay, p, save);
            (spikes, state.map(NeuronState::Composed))
        })
    }

    fn neuron_backward(state: NeuronState, grad: FlexTensor, decay_grad: bool) -> (FlexTensor, Option<FlexTensor>) {
        match state {
            NeuronState::Fused(state) => backward(state, &grad, decay_grad),
            NeuronState::Composed(state) => composed_backward::<Self>(state, grad, decay_grad),
        }
    }
}
