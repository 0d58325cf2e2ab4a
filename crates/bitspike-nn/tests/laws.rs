//! Laws that hold between configurations.

mod common;

use bitspike_nn::layers::{AgmmConfig, AlphaShape};
use bitspike_nn::network::{Family, Ignore, Network, NetworkConfig, NetworkOptions};
use bitspike_nn::ops::gate::{GateApply, GatePool};
use bitspike_nn::ops::neuron::{NeuronParams, Reset, neuron};
use bitspike_nn::ops::surrogate::Surrogate;
use bitspike_nn::{Init, Loss};
use burn::tensor::{Int, Tensor, TensorData};
use common::*;

const CLASSES: usize = 10;
const IMAGE: [usize; 5] = [1, 4, 3, 12, 12];

fn options(family: Family, gate: Option<AgmmConfig>) -> NetworkOptions {
    let layers = if family == Family::Vgg { "8-P-16-16" } else { "8-2x8-16" }.parse().unwrap();
    NetworkOptions {
        network: NetworkConfig { family, layers, steps: 3, ..NetworkConfig::default() },
        gate,
        ..NetworkOptions::default()
    }
}

/// Gradients of the parameters, by name.
type Gradients = Vec<(String, Vec<f32>)>;

/// Logits, and the gradients of input and parameters of one step; `x` is `[1 or T, N, C, H, W]`.
fn run(options: &NetworkOptions, x: &[f32], dims: [usize; 5]) -> (Vec<f32>, Vec<f32>, Gradients) {
    let plan = options.plan([dims[2], dims[3], dims[4]], CLASSES).unwrap();
    let network = Network::new(&plan, &Init::new(3), &device());
    let (leaf, x) = input(x, dims, Memory::ChannelsFirst, &device());
    let labels: Vec<i32> = (0..dims[1]).map(|i| (i * 3 % CLASSES) as i32).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [dims[1]]), &device());
    let logits = network.forward(x, &mut Ignore);
    let grads = Loss::Tet.forward(logits.clone(), labels).backward();
    (host(logits), grad(&leaf, &grads), gradients(&network, &grads))
}

fn image() -> Vec<f32> {
    Stream(21).vec(IMAGE.iter().product(), -1.0, 1.0)
}

/// 2 · σ(0) = 1: nothing is left of the gate.
#[test]
fn a_constant_gate_with_alpha_two_is_the_baseline_bit_for_bit() {
    for family in [Family::Vgg, Family::BiReal] {
        let gate =
            AgmmConfig { pool: GatePool::Const, alpha: AlphaShape::Fixed, alpha_init: 2.0, ..AgmmConfig::default() };
        let baseline = run(&options(family, None), &image(), IMAGE);
        let gated = run(&options(family, Some(gate)), &image(), IMAGE);
        check_equal("logits", &gated.0, &baseline.0).unwrap();
        check_equal("input", &gated.1, &baseline.1).unwrap();
        assert_eq!(gated.2.len(), baseline.2.len(), "a fixed α has no gradient");
        for ((name, a), (other, b)) in gated.2.iter().zip(&baseline.2) {
            assert_eq!(name, other);
            check_equal(name, a, b).unwrap();
        }
    }
}

/// The constant c is α twice c times the constant ½, and γ started at c is a gate of c as far as the value goes.
#[test]
fn constants_of_the_gate_are_factors_of_alpha_and_of_the_start_of_gamma() {
    let gate = |constant, alpha_init| {
        let alpha = AlphaShape::Fixed;
        Some(AgmmConfig { pool: GatePool::Const, alpha, constant, alpha_init, ..AgmmConfig::default() })
    };
    for family in [Family::Vgg, Family::BiReal] {
        let quarter = run(&options(family, gate(0.25, 1.0)), &image(), IMAGE);
        let half = run(&options(family, gate(0.5, 0.5)), &image(), IMAGE);
        assert_eq!(quarter.0, half.0, "logits");
        assert_eq!(quarter.2, half.2, "gradients");
        let mut small = options(family, None);
        small.norm.gamma_init = 0.25;
        let small = run(&small, &image(), IMAGE);
        // Powers of two: the same bits.
        assert_eq!(quarter.0, small.0, "logits");
        assert_ne!(run(&options(family, None), &image(), IMAGE).0, small.0);
        for ((name, gated), (_, plain)) in quarter.2.iter().zip(&small.2) {
            // The slope of a gated norm gets a quarter of the gradient; other norms and layers get the same one.
            let behind = name.contains("blocks.") && !name.contains("shortcut");
            let factor = if behind && (name.ends_with("gamma") || name.ends_with("beta")) { 0.25 } else { 1.0 };
            let expected: Vec<f32> = plain.iter().map(|g| g * factor).collect();
            check_close(name, gated, &expected, 1e-5, 1e-6).unwrap();
        }
    }
}

#[test]
fn a_gate_on_the_gradient_leaves_the_forward_result_alone() {
    for family in [Family::Vgg, Family::BiReal] {
        for pool in [GatePool::Chw, GatePool::Hw, GatePool::Nchw, GatePool::None, GatePool::Const] {
            let gate = AgmmConfig { pool, apply: GateApply::Gradient, ..AgmmConfig::default() };
            let baseline = run(&options(family, None), &image(), IMAGE);
            let gated = run(&options(family, Some(gate)), &image(), IMAGE);
            check_equal("logits", &gated.0, &baseline.0).unwrap();
            let weight = |o: &[(String, Vec<f32>)]| {
                o.iter().find(|(n, _)| n.contains("stem") && n.contains("weight")).unwrap().1.clone()
            };
            assert_ne!(weight(&gated.2), weight(&baseline.2), "{pool:?}: the gradient is modulated");
            let alphas: Vec<_> = gated.2.iter().filter(|(n, _)| n.ends_with("alpha")).collect();
            assert!(!alphas.is_empty() && alphas.iter().all(|(_, g)| largest(g) == 0.0), "{pool:?}: α has no gradient");
        }
    }
}

#[test]
fn one_time_step_is_a_step_function() {
    let values = Stream(5).vec(2 * 3 * 4 * 5, -1.0, 2.0);
    for v_threshold in [0.5f32, 1.0, 1.25] {
        for reset in [Reset::Soft, Reset::Hard] {
            let mut values = values.clone();
            values[0] = v_threshold; // reaching it is enough
            let p = NeuronParams {
                steps: 1,
                v_threshold,
                reset,
                detach_reset: false,
                surrogate: Surrogate::Triangle,
                width: 1.0,
            };
            let (leaf, x) = input(&values, [1, 2, 3, 4, 5], Memory::ChannelsFirst, &device());
            let decay = tensor(&[0.5], [1], &device()).require_grad();
            let s = neuron(x, decay.clone(), p);
            let expected: Vec<f32> = values.iter().map(|x| f32::from(u8::from(*x >= v_threshold))).collect();
            assert_eq!(host(s.clone()), expected);
            let grads = s.sum().backward();
            let surrogate = |x: &f32| Surrogate::Triangle.derivative(f64::from(x - v_threshold), 1.0) as f32;
            let expected: Vec<f32> = values.iter().map(surrogate).collect();
            check_close("dx", &grad(&leaf, &grads), &expected, 1e-6, 0.0).unwrap();
            assert_eq!(grad(&decay, &grads), [0.0], "no earlier step, so λ plays no part");
        }
    }
}

#[test]
fn a_static_image_equals_its_repetition() {
    for family in [Family::Vgg, Family::BiReal] {
        let options = options(family, Some(AgmmConfig::default()));
        let steps = options.network.steps;
        let (image, repeated) = (image(), image().repeat(steps));
        let [_, n, c, h, w] = IMAGE;
        let once = run(&options, &image, IMAGE);
        let often = run(&options, &repeated, [steps, n, c, h, w]);
        check_close("logits", &once.0, &often.0, 1e-4, 0.0).unwrap();
        let summed: Vec<f32> =
            (0..image.len()).map(|i| (0..steps).map(|t| often.1[t * image.len() + i]).sum()).collect();
        check_close("input", &once.1, &summed, 1e-3, 0.0).unwrap();
        for ((name, a), (_, b)) in once.2.iter().zip(&often.2) {
            check_close(name, a, b, 1e-3, 0.0).unwrap();
        }
    }
}
