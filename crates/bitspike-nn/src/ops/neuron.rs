//! Spiking neuron over all time steps.
//!
//! ```text
//! u[0] = x[0]
//! u[t] = λ (u[t-1] − V_th s[t-1]) + x[t]        soft reset
//! u[t] = λ u[t-1] (1 − s[t-1]) + x[t]           hard reset
//! s[t] = 1 if u[t] ≥ V_th else 0
//! ```
//!
//! Backward, with h(v) the [surrogate](super::surrogate) of ∂s/∂v at v = u − V_th:
//!
//! ```text
//! ds[t] = dy[t] + du[t+1] · ∂u[t+1]/∂s[t]       the second term only without detach_reset
//! du[t] = ds[t] h(u[t] − V_th) + du[t+1] · ∂u[t+1]/∂u[t]
//! dx[t] = du[t],   dλ = Σ du[t] · ∂u[t]/∂λ
//! ```
//!
//! Shapes: x `[T, N, C, H, W]`, λ `[1]` → s `[T, N, C, H, W]`. An input of `[1, N, C, H, W]` is the same current at every
//! one of `steps` steps (direct coding); its gradient is the sum over the steps.
//!
//! Source: LIF as in BSO (Liang et al., ICML 2025, eq. 2-3); learned λ as in PLIF (Fang et al., ICCV 2021).

use super::prim::Val;
use super::surrogate::Surrogate;
use crate::shape::require;
use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What a spike does to the membrane potential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reset {
    /// The threshold is subtracted.
    #[default]
    Soft,
    /// The potential is set to zero.
    Hard,
}

/// Parameters of [`neuron`] that are not learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuronParams {
    /// Number of time steps T of the output.
    pub steps: usize,
    /// Firing threshold V_th.
    pub v_threshold: f32,
    /// What a spike does to the potential.
    pub reset: Reset,
    /// Treat the spike in the reset as a constant for the gradient.
    pub detach_reset: bool,
    /// Shape of the surrogate derivative.
    pub surrogate: Surrogate,
    /// Width k of the surrogate.
    pub width: f32,
}

/// What a backend does for the neuron: forward with the state its own backward needs.
pub trait NeuronKernel: Backend {
    /// State kept between forward and backward.
    type NeuronState: Clone + Send + std::fmt::Debug + 'static;

    /// Spikes, and the state for [`neuron_backward`](Self::neuron_backward) when `save` is set.
    fn neuron_forward(
        x: FloatTensor<Self>,
        decay: FloatTensor<Self>,
        p: NeuronParams,
        save: bool,
    ) -> (FloatTensor<Self>, Option<Self::NeuronState>);

    /// Gradients of the input, and of λ when `decay_grad` is set.
    fn neuron_backward(
        state: Self::NeuronState,
        grad: FloatTensor<Self>,
        decay_grad: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>);
}

/// Backend extension of the neuron; use [`neuron`].
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    LibTorch: cfg(feature = "tch"),
    Cube: cfg(feature = "cube"),
    Autodiff
)]
pub trait NeuronOps: Backend {
    /// See [`neuron`].
    fn bitspike_neuron(x: FloatTensor<Self>, decay: FloatTensor<Self>, p: NeuronParams) -> FloatTensor<Self>;
}

/// Runs spiking neurons over `p.steps` time steps; formulas and shapes in the [module documentation](self).
///
/// ```
/// use bitspike_nn::ops::neuron::{NeuronParams, Reset, neuron};
/// use bitspike_nn::ops::surrogate::Surrogate;
/// use burn::tensor::{Device, Tensor};
/// let device = Device::default();
/// let x = Tensor::<5>::full([1, 1, 1, 1, 1], 0.7, &device); // constant current
/// let decay = Tensor::<1>::full([1], 0.5, &device);
/// let p = NeuronParams {
///     steps: 4, v_threshold: 1.0, reset: Reset::Soft, detach_reset: true, surrogate: Surrogate::Triangle, width: 1.0,
/// };
/// let s = neuron(x, decay, p); // u = 0.7, 1.05, 0.725, 1.0625
/// assert_eq!(s.into_data().try_to_vec::<f32>().unwrap(), [0.0, 1.0, 0.0, 1.0]);
/// ```
///
/// # Panics
/// If x has neither one time step nor as many as `p.steps`, or λ more than one value.
#[track_caller]
pub fn neuron(x: Tensor<5>, decay: Tensor<1>, p: NeuronParams) -> Tensor<5> {
    check("neuron", x.dims(), decay.dims(), &p);
    Tensor::from_dispatch(<Dispatch as NeuronOps>::bitspike_neuron(x.into_dispatch(), decay.into_dispatch(), p))
}

/// Refuses shapes that do not fit.
#[track_caller]
pub(crate) fn check(layer: &str, x: [usize; 5], decay: [usize; 1], p: &NeuronParams) {
    let given = [("x [1 or T, N, C, H, W]", &x[..]), ("decay [1]", &decay[..])];
    let (t, steps) = (x[0], p.steps);
    require(
        t == 1 || t == steps,
        layer,
        format_args!("x has {t} time steps, the neuron {steps} (1 or {steps})"),
        &given,
    );
    require(decay == [1], layer, format_args!("one leak is expected"), &given);
}

/// State of the composed neuron.
#[derive(Clone, Debug)]
pub struct ComposedNeuronState<F> {
    membrane: F,
    decay: F,
    broadcast: bool,
    p: NeuronParams,
}

pub(crate) fn composed_forward<B: Backend>(
    x: FloatTensor<B>,
    decay: FloatTensor<B>,
    p: NeuronParams,
    save: bool,
) -> (FloatTensor<B>, Option<ComposedNeuronState<FloatTensor<B>>>) {
    let (x, decay_in) = (Val::<B>(x), decay);
    let decay = Val::<B>(decay_in.clone()).reshape(&[1, 1, 1, 1, 1]);
    let broadcast = x.dims()[0] == 1 && p.steps > 1;
    let (mut spikes, mut membrane) = (Vec::with_capacity(p.steps), Vec::with_capacity(p.steps));
    let mut last: Option<(Val<B>, Val<B>)> = None;
    for t in 0..p.steps {
        let current = x.step(if broadcast { 0 } else { t });
        let u = match last {
            None => current,
            Some((u, s)) => decay.clone() * after_reset(u, s, &p) + current,
        };
        let s = u.at_least(p.v_threshold);
        spikes.push(s.clone());
        membrane.push(u.clone());
        last = Some((u, s));
    }
    let state =
        save.then(|| ComposedNeuronState { membrane: Val::<B>::cat(membrane).0, decay: decay_in, broadcast, p });
    (Val::<B>::cat(spikes).0, state)
}

/// The potential that is carried over: u − V_th s, or u (1 − s).
fn after_reset<B: Backend>(u: Val<B>, s: Val<B>, p: &NeuronParams) -> Val<B> {
    match p.reset {
        Reset::Soft => u - s * p.v_threshold,
        Reset::Hard => u * (s * -1.0 + 1.0),
    }
}

pub(crate) fn composed_backward<B: Backend>(
    state: ComposedNeuronState<FloatTensor<B>>,
    grad: FloatTensor<B>,
    decay_grad: bool,
) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
    let p = state.p;
    let (membrane, grad) = (Val::<B>(state.membrane), Val::<B>(grad));
    let decay = Val::<B>(state.decay).reshape(&[1, 1, 1, 1, 1]);
    let mut dx: Vec<Val<B>> = Vec::with_capacity(p.steps);
    let mut d_decay: Option<Val<B>> = None;
    let mut later: Option<Val<B>> = None; // du[t+1]
    for t in (0..p.steps).rev() {
        let u = membrane.step(t);
        let s = u.at_least(p.v_threshold);
        let carried = later.map(|du| {
            if decay_grad {
                let part = (du.clone() * after_reset(u.clone(), s.clone(), &p)).sum_keep(&[0, 1, 2, 3, 4]);
                d_decay = Some(match d_decay.take() {
                    None => part,
                    Some(sum) => sum + part,
                });
            }
            decay.clone() * du
        });
        let mut ds = grad.step(t);
        if let (Some(c), false) = (&carried, p.detach_reset) {
            ds = ds
                - match p.reset {
                    Reset::Soft => c.clone() * p.v_threshold,
                    Reset::Hard => c.clone() * u.clone(),
                };
        }
        let mut du = ds * p.surrogate.composed(u + -p.v_threshold, p.width);
        if let Some(c) = carried {
            du = du
                + match p.reset {
                    Reset::Soft => c,
                    Reset::Hard => c * (s * -1.0 + 1.0),
                };
        }
        dx.push(du.clone());
        later = Some(du);
    }
    dx.reverse();
    let dx = Val::<B>::cat(dx);
    let dx = if state.broadcast { dx.sum_keep(&[0]) } else { dx };
    let d_decay = decay_grad.then(|| match d_decay {
        Some(sum) => sum.reshape(&[1]).0,
        None => (decay * 0.0).reshape(&[1]).0,
    });
    (dx.0, d_decay)
}

#[derive(Debug)]
struct NeuronBackward;

impl<B: NeuronKernel> Backward<B, 2> for NeuronBackward {
    type State = B::NeuronState;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, decay] = ops.parents;
        let grad = grads.consume::<B>(&ops.node);
        let (dx, d_decay) = B::neuron_backward(ops.state, grad, decay.is_some());
        if let Some(node) = x {
            grads.register::<B>(node.id, dx);
        }
        if let (Some(node), Some(d)) = (decay, d_decay) {
            grads.register::<B>(node.id, d);
        }
    }
}

impl<B: NeuronKernel, C: CheckpointStrategy> NeuronOps for Autodiff<B, C> {
    fn bitspike_neuron(x: FloatTensor<Self>, decay: FloatTensor<Self>, p: NeuronParams) -> FloatTensor<Self> {
        match NeuronBackward.prepare::<C>([x.node(), decay.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (s, state) = B::neuron_forward(x.into_primitive(), decay.into_primitive(), p, true);
                prep.finish(state.expect("neuron_forward keeps its state when asked to"), s)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::neuron_forward(x.into_primitive(), decay.into_primitive(), p, false).0)
            }
        }
    }
}

/// Implements the neuron by its composed body on a backend.
macro_rules! composed_neuron {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl NeuronKernel for $backend {
            type NeuronState = ComposedNeuronState<FloatTensor<Self>>;

            fn neuron_forward(
                x: FloatTensor<Self>,
                decay: FloatTensor<Self>,
                p: NeuronParams,
                save: bool,
            ) -> (FloatTensor<Self>, Option<Self::NeuronState>) {
                composed_forward::<Self>(x, decay, p, save)
            }

            fn neuron_backward(
                state: Self::NeuronState,
                grad: FloatTensor<Self>,
                decay_grad: bool,
            ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
                composed_backward::<Self>(state, grad, decay_grad)
            }
        }
    };
}
/// Routes the extension to a backend's own kernels.
macro_rules! neuron_ops {
    ($(#[$m:meta])* $backend:ty) => {
        $(#[$m])*
        impl NeuronOps for $backend {
            fn bitspike_neuron(x: FloatTensor<Self>, decay: FloatTensor<Self>, p: NeuronParams) -> FloatTensor<Self> {
                Self::neuron_forward(x, decay, p, false).0
            }
        }
    };
}
backends!(neuron_ops);
composed_backends!(composed_neuron);
