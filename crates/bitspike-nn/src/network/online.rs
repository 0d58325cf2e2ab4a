//! Online training: a network one time step after the other, with nothing kept of earlier steps but their sums.
//!
//! ```text
//! a[t] = λ a[t-1] + x[t]                            presynaptic trace of a convolution's input
//! u[t] = λ reset(u[t-1], s[t-1]) + current[t]       u[t-1] and s[t-1] as constants
//! G[t] = ∂L[t]/∂W with x[t] in its product replaced by a[t]
//! ```
//!
//! λ is the leak of the block's neurons. Back-propagation goes through the layers of one step and never through time, so the
//! memory of training does not grow with T. Batch norm takes the statistics of one step; the running statistics that
//! evaluation uses move at every step.
//!
//! Sources: the gradient with a trace is that of Liang et al., "Binary Spiking Online Optimization Algorithm", ICML 2025, and
//! of OTTT, Xiao et al., NeurIPS 2022. Reconstructed by us: the batch norm of one step, and a trace in front of the first
//! layer too.
//!
//! Shapes: frame `[1, N, C, H, W]` → logits `[1, N, classes]`.

use super::block::{VggBlock, halve};
use super::model::{Blocks, Network, VggChain};
use super::types::Pooling;
use crate::layers::Conv2d;
use crate::ops::conv::conv;
use crate::ops::neuron::{NeuronParams, Reset, neuron};
use burn::tensor::Tensor;

/// What a layer carries from one time step to the next; every tensor is a constant for the gradient.
#[derive(Clone, Debug, Default)]
struct LayerState {
    trace: Option<Tensor<5>>,
    /// λ times the membrane after its reset.
    carried: Option<Tensor<5>>,
}

/// State of a network between time steps; the default is that before the first one.
#[derive(Clone, Debug, Default)]
pub struct OnlineState(Vec<LayerState>);

impl Network {
    /// Whether [`step_online`](Self::step_online) can run this network: a chain (`vgg`) without gates and with a batch norm
    /// that treats all steps alike.
    pub fn trains_online(&self) -> bool {
        match &self.body {
            Blocks::Vgg(chain) => blocks(chain).all(|b| b.gate.is_none() && b.norm.is_joint()),
            _ => false,
        }
    }

    /// One time step on an autodiff device; formulas and shapes in the source's head.
    ///
    /// ```
    /// use bitspike_nn::Init;
    /// use bitspike_nn::network::{Network, NetworkOptions, OnlineState};
    /// use burn::tensor::{Device, Tensor};
    /// let device = Device::default().autodiff();
    /// let plan = NetworkOptions::default().plan([1, 12, 12], 10).unwrap();
    /// let network = Network::new(&plan, &Init::new(0), &device);
    /// let mut state = OnlineState::default();
    /// for _ in 0..3 {
    ///     let logits = network.step_online(Tensor::ones([1, 2, 1, 12, 12], &device), &mut state);
    ///     assert_eq!(logits.dims(), [1, 2, 10]);
    /// }
    /// ```
    ///
    /// # Panics
    /// If [`trains_online`](Self::trains_online) is false.
    pub fn step_online(&self, frame: Tensor<5>, state: &mut OnlineState) -> Tensor<3> {
        let Blocks::Vgg(chain) = &self.body else { panic!("no chain: ask trains_online first") };
        state.0.resize_with(chain.blocks.len() + 1, LayerState::default);
        let mut x = frame;
        for (block, state) in blocks(chain).zip(&mut state.0) {
            x = block_step(block, x, state);
        }
        self.classify(x)
    }
}

fn blocks(chain: &VggChain) -> impl Iterator<Item = &VggBlock> {
    std::iter::once(&chain.stem).chain(&chain.blocks)
}

fn block_step(block: &VggBlock, x: Tensor<5>, state: &mut LayerState) -> Tensor<5> {
    let x = block.input(x);
    let decay = block.neuron.decay(&x.device());
    let factor = decay.clone().detach().reshape([1, 1, 1, 1, 1]);
    let input = x.clone().detach();
    let trace = match state.trace.take() {
        Some(trace) => trace * factor.clone() + input,
        None => input,
    };
    let (weight, params) = match &block.conv {
        Conv2d::Binary(conv) => (conv.weight(), *conv.params()),
        Conv2d::Real(conv) => (conv.weight(), *conv.params()),
    };
    // The value and the input's gradient of the product with x, the weight's gradient of that with the trace.
    let traced = conv(trace.clone(), weight.clone(), params);
    let y = conv(x, weight.detach(), params) + (traced.clone() - traced.detach());
    state.trace = Some(trace.detach());
    let y = block.norm.forward(y, 1);
    let pooling = block.pooling();
    let current = if pooling == Some(Pooling::Current) { halve(y, Pooling::Current) } else { y };
    let u = match state.carried.take() {
        Some(carried) => current + carried,
        None => current,
    };
    let p = NeuronParams { steps: 1, ..*block.neuron.params() };
    let s = neuron(u.clone(), decay, p);
    let (u, fired) = (u.detach(), s.clone().detach());
    let rest = match p.reset {
        Reset::Soft => u - fired * p.v_threshold,
        Reset::Hard => u * (fired * -1.0 + 1.0),
    };
    state.carried = Some((rest * factor).detach());
    match pooling {
        Some(Pooling::Current) | None => s,
        Some(pooling) => halve(s, pooling),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Init;
    use crate::network::{Ignore, NetworkConfig, NetworkOptions};
    use burn::module::Module;
    use burn::tensor::Device;

    fn host<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().try_to_vec::<f32>().unwrap()
    }

    fn network(steps: usize, pooling: Pooling) -> Network {
        network_of("6-P-5-P-7", steps, pooling)
    }

    fn network_of(layers: &str, steps: usize, pooling: Pooling) -> Network {
        let config = NetworkConfig { layers: layers.parse().unwrap(), steps, pooling, ..NetworkConfig::default() };
        let options = NetworkOptions { network: config, ..NetworkOptions::default() };
        let plan = options.plan([2, 8, 8], 3).unwrap();
        Network::new(&plan, &Init::new(5), &Device::default().autodiff())
    }

    /// One step is the ordinary network at T = 1, gradient and all.
    #[test]
    fn one_step_is_the_network_with_one_time_step() {
        for pooling in [Pooling::Current, Pooling::Spikes, Pooling::MaxSpikes] {
            let net = network(1, pooling);
            let x = Init::new(1).normal::<5>("x", [1, 4, 2, 8, 8], 1.0, &Device::default().autodiff());
            let (a, b) = (net.forward(x.clone(), &mut Ignore), net.step_online(x, &mut OnlineState::default()));
            let close = |a: &[f32], b: &[f32]| {
                assert_eq!(a.len(), b.len());
                for (a, b) in a.iter().zip(b) {
                    assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{pooling:?}: {a} {b}");
                }
            };
            close(&host(a.clone()), &host(b.clone()));
            let weights = Init::new(2).normal::<3>("w", [1, 4, 3], 1.0, &Device::default().autodiff());
            let (ga, gb) = ((a * weights.clone()).sum().backward(), (b * weights).sum().backward());
            let Blocks::Vgg(chain) = &net.body else { unreachable!() };
            for block in blocks(chain) {
                match &block.conv {
                    Conv2d::Binary(c) => {
                        close(&host(c.latent.val().grad(&ga).unwrap()), &host(c.latent.val().grad(&gb).unwrap()));
                    }
                    Conv2d::Real(c) => {
                        close(&host(c.weight.val().grad(&ga).unwrap()), &host(c.weight.val().grad(&gb).unwrap()));
                    }
                }
            }
        }
    }

    /// With fixed statistics the spikes of a sequence do not depend on whether it goes in whole or in steps.
    #[test]
    fn steps_give_the_logits_of_the_sequence() {
        for layers in ["6-P-5-P-7", "6c5-P-5c1-FC9-FC4"] {
            sequence_in_steps(layers);
        }
    }

    fn sequence_in_steps(layers: &str) {
        let net = network_of(layers, 4, Pooling::Current).valid();
        let x = Init::new(1).normal::<5>("x", [4, 3, 2, 8, 8], 1.0, &Device::default());
        let whole = host(net.forward(x.clone(), &mut Ignore));
        let mut state = OnlineState::default();
        let mut steps = Vec::new();
        for t in 0..4 {
            steps.extend(host(net.step_online(x.clone().narrow(0, t, 1), &mut state)));
        }
        for (a, b) in whole.iter().zip(&steps) {
            assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a} {b}");
        }
    }

    /// The trace is λ x[0] + x[1]; the value ignores it, and the weight's gradient is linear in it.
    #[test]
    fn the_gradient_takes_the_trace() {
        let device = Device::default().autodiff();
        let net = network(2, Pooling::Current);
        let Blocks::Vgg(chain) = &net.body else { unreachable!() };
        let block = &chain.blocks[1];
        let Conv2d::Binary(binary) = &block.conv else { unreachable!() };
        let frame = |name: &str| Init::new(3).uniform::<5>(name, [1, 3, 5, 4, 4], 1.0, &device);
        let (past, now) = (frame("past"), frame("now"));
        let weights = Init::new(4).normal::<5>("w", [1, 3, 7, 4, 4], 1.0, &device);
        let run = |scale: f32| {
            let mut state = LayerState { trace: Some(past.clone() * scale), carried: None };
            let s = block_step(block, now.clone(), &mut state);
            let grads = (s.clone() * weights.clone()).sum().backward();
            (host(state.trace.unwrap()), host(s), host(binary.latent.val().grad(&grads).unwrap()))
        };
        let (none, one, two) = (run(0.0), run(1.0), run(2.0));
        assert_eq!(one.0, host(past.clone() * 0.5 + now.clone()));
        assert!(none.1 == one.1 && one.1 == two.1, "spikes depend on the trace");
        let mut moved = 0;
        for ((a, b), c) in none.2.iter().zip(&one.2).zip(&two.2) {
            assert!((c - a - 2.0 * (b - a)).abs() < 1e-3 * (b - a).abs().max(1.0), "{a} {b} {c}");
            moved += usize::from((b - a).abs() > 1e-4);
        }
        assert!(moved > none.2.len() / 2, "{moved} of {} gradients moved", none.2.len());
    }
}
