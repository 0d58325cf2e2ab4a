//! Scalar twins of the neuron kernels: one neuron at a time, written as the formulas read.

use super::{NeuronParams, Reset};

/// Spikes and membrane of `x` `[T, M]`.
///
/// # Panics
/// If `x` does not have `t` rows.
#[must_use]
pub fn forward(p: &NeuronParams, x: &[f32], t: usize) -> (Vec<f32>, Vec<f32>) {
    let m = x.len() / t;
    let (mut spikes, mut membrane) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    for i in 0..m {
        let mut after = 0.0;
        for k in 0..t {
            let u = p.decay * after + x[k * m + i];
            let s = if u >= p.v_threshold { 1.0 } else { 0.0 };
            (membrane[k * m + i], spikes[k * m + i]) = (u, s);
            after = match p.reset {
                Reset::Soft => u - p.v_threshold * s,
                Reset::Hard => u * (1.0 - s),
            };
        }
    }
    (spikes, membrane)
}

/// Gradient of the input and of the decay; see [`super::backward`].
///
/// # Panics
/// If the slices do not have `t` rows.
#[must_use]
pub fn backward(p: &NeuronParams, membrane: &[f32], grad_spikes: &[f32], t: usize) -> (Vec<f32>, f32) {
    let m = membrane.len() / t;
    let (mut dx, mut decay_gradient) = (vec![0.0; membrane.len()], 0.0f64);
    for i in 0..m {
        let mut later = 0.0f32;
        for k in (0..t).rev() {
            let (u, g) = (membrane[k * m + i], grad_spikes[k * m + i]);
            let s = if u >= p.v_threshold { 1.0 } else { 0.0 };
            // Derivatives of the potential after the reset with respect to u (spike fixed) and to the spike.
            let (after, by_u, by_s) = match p.reset {
                Reset::Soft => (u - p.v_threshold * s, 1.0, -p.v_threshold),
                Reset::Hard => (u * (1.0 - s), 1.0 - s, -u),
            };
            decay_gradient += f64::from(later) * f64::from(after);
            let by_s = if p.detach_reset { 0.0 } else { by_s };
            let surrogate = p.surrogate.derivative(u - p.v_threshold);
            later = p.decay * later * by_u + (g + p.decay * later * by_s) * surrogate;
            dx[k * m + i] = later;
        }
    }
    (dx, decay_gradient as f32)
}
