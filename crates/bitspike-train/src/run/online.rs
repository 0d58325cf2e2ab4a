//! Online training of a batch: every time step has a gradient of its own, and an update.
//!
//! ```text
//! for t in 1..=T:   L[t] = CE(logits[t], y) / T;   G[t] by [`Network::step_online`];   all parameters move by G[t]
//! ```
//!
//! The order of T-BSO (Liang et al., ICML 2025): a binary weight may flip between two time steps of a sample. That real
//! parameters move at every step too is our reading, as in the online variant of OTTT (Xiao et al., NeurIPS 2022); T steps of
//! a T-th of the gradient. Nothing of step t is kept at step t + 1 but traces, membranes and logits.

use crate::architecture::Spiking;
use crate::optim::Optimizer;
use bitspike_nn::network::OnlineState;
use bitspike_nn::{Loss, Targets};
use burn::tensor::{Gradients, Tensor};

/// What a batch came to.
pub(crate) struct Outcome<N> {
    pub network: N,
    /// `[T, N, classes]`, without gradients.
    pub logits: Tensor<3>,
    /// Mean over the time steps, each before its update.
    pub loss: f32,
}

/// Trains on a batch of images `[1 or T, N, C, H, W]`; `last` sees the gradients of the last time step before its update.
///
/// Stops in front of an update by a loss that is no number; the outcome then has that loss.
///
/// # Panics
/// If it is not the library's own network.
pub(crate) fn train_batch<N: Spiking>(
    mut network: N,
    images: &Tensor<5>,
    targets: &Targets,
    steps: usize,
    optimizer: &mut Optimizer,
    lr: f64,
    last: &mut dyn FnMut(&N, &Gradients, &Optimizer),
) -> Outcome<N> {
    let (frames, mut state) = (images.dims()[0], OnlineState::default());
    let (mut logits, mut sum) = (Vec::with_capacity(steps), 0.0);
    for t in 0..steps {
        let frame = images.clone().narrow(0, if frames == 1 { 0 } else { t }, 1);
        let own = network.online().expect("other networks are refused before");
        let out = own.step_online(frame, &mut state);
        let loss = Loss::Tet.forward(out.clone(), targets.clone());
        logits.push(out.inner());
        let mut grads = (loss.clone() / steps as f64).backward();
        sum += loss.into_scalar::<f32>() / steps as f32;
        if !sum.is_finite() {
            break;
        }
        if t + 1 == steps {
            last(&network, &grads, optimizer);
        }
        optimizer.set_time(t, steps);
        network = optimizer.step(network, &mut grads, lr);
    }
    Outcome { network, logits: Tensor::cat(logits, 0), loss: sum }
}
