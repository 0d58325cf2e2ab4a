//! The graph of a network computes what the packed runtime computes.

mod common;

use bitspike_format::example::{chain, element_gate, sample_gate};
use bitspike_format::{
    Features, GateSpec, LayerSpec, Model, Neuron, Pool, Reset, WordLengths, quantise, write, write_integers,
};
use bitspike_nir::{Interpreter, Layout, NirError, Op, Options, Value, export};
use common::{KINDS, exact, input, network, run, with_neurons};
use proptest::prelude::*;

const BOTH: Options = Options { weights: Layout::Scaled, soft_reset: true };

/// The node whose values are those that a layer of the file gives.
fn node(graph: &bitspike_nir::Graph, layer: usize, last: bool) -> String {
    let name = match layer {
        _ if last => "last".to_owned(),
        0 => "stem".to_owned(),
        i => format!("blocks_{}", i - 1),
    };
    let has = |part: &str| graph.nodes.iter().any(|n| n.name == format!("{name}_{part}"));
    // A pooling of spikes stands behind the neurons, one of the current in front of them.
    let neurons = if has("lif") { "lif" } else { "if" };
    let at = |part: &str| graph.nodes.iter().position(|n| n.name == format!("{name}_{part}"));
    if at("pool") > at(neurons) { format!("{name}_pool") } else { format!("{name}_{neurons}") }
}

fn check(kind: &str, seed: u64, neuron: Neuron, weights: Layout) -> Result<(), TestCaseError> {
    let spec = exact(with_neurons(network(kind, seed), neuron));
    let bytes = write(&spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let graph = export(&model, &Options { weights, soft_reset: true }).unwrap();
    let frames = input(&spec, seed, Some(1.0 / 8.0));
    let seen = run(&model, &frames);
    let mut network = Interpreter::new(&graph).unwrap();
    let mut spikes = 0.0;
    for t in 0..spec.steps {
        let _ = network.step(&frames).unwrap();
        for (layer, values) in seen.values.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
            let name = node(&graph, layer, matches!(spec.layers[layer], LayerSpec::Neurons(_)));
            prop_assert_eq!(network.value(&name).unwrap(), &values[t][..], "{} of {} at step {}", name, kind, t);
            spikes += values[t].iter().sum::<f64>();
        }
    }
    // Without spikes little was compared; few networks have none.
    prop_assume!(spikes > 0.0);
    let logits: Vec<f32> = network.run(&frames, spec.steps).unwrap().iter().map(|v| *v as f32).collect();
    prop_assert_eq!(logits, seen.logits, "{}", kind);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_spike_and_logit_is_that_of_the_runtime(
        kind in 0..KINDS.len(),
        seed in 0u64..1000,
        decay in prop::sample::select(vec![0.0f32, 0.5, 1.0]),
        threshold in prop::sample::select(vec![0.5f32, 1.0]),
        soft: bool,
        signs: bool,
    ) {
        let reset = if soft { Reset::Soft } else { Reset::Hard };
        let weights = if signs { Layout::Signs } else { Layout::Scaled };
        check(KINDS[kind], seed, Neuron { decay, threshold, reset }, weights)?;
    }
}

#[test]
fn networks_with_any_numbers_agree_within_rounding() {
    for kind in KINDS {
        for seed in 0..6 {
            for weights in [Layout::Scaled, Layout::Signs] {
                let neuron = Neuron { decay: 0.37, threshold: 0.83, reset: Reset::Hard };
                let spec = with_neurons(network(kind, seed), neuron);
                let bytes = write(&spec).unwrap();
                let model = Model::parse(&bytes).unwrap();
                let graph = export(&model, &Options { weights, ..BOTH }).unwrap();
                let frames = input(&spec, seed, None);
                let seen = run(&model, &frames);
                let logits = Interpreter::new(&graph).unwrap().run(&frames, spec.steps).unwrap();
                for (a, b) in logits.iter().zip(&seen.logits) {
                    assert!(
                        (a - f64::from(*b)).abs() < 1e-5,
                        "{kind} {seed} {weights:?}: {logits:?}, {:?}",
                        seen.logits
                    );
                }
            }
        }
    }
}

#[test]
fn a_potential_at_the_threshold_is_a_spike_in_both() {
    // One neuron whose current is the threshold.
    let mut spec = with_neurons(network("one-step", 1), Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Hard });
    for b in common::blocks(&mut spec) {
        b.slope.iter_mut().for_each(|a| *a = 0.0);
        b.offset.iter_mut().for_each(|b| *b = 1.0);
    }
    let bytes = write(&spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let graph = export(&model, &BOTH).unwrap();
    let mut twin = Interpreter::new(&graph).unwrap();
    twin.step(&[0.0; 32]).unwrap();
    assert!(twin.value("stem_lif").unwrap().iter().all(|s| *s == 1.0));
    // Signs cannot be 0 in any unit.
    let error = export(&model, &Options { weights: Layout::Signs, soft_reset: false }).unwrap_err();
    assert!(error.to_string().starts_with("blocks.0: channel 0 with a slope of 0"), "{error}");
}

#[test]
fn weights_are_plus_and_minus_one_and_the_scale_is_told() {
    let spec = with_neurons(network("signal", 3), Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Hard });
    let bytes = write(&spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    for (weights, one) in [(Layout::Signs, true), (Layout::Scaled, false)] {
        let graph = export(&model, &Options { weights, soft_reset: false }).unwrap();
        let node = graph.nodes.iter().find(|n| n.name == "blocks_0_conv").unwrap();
        let Op::Conv2d(conv) = &node.op else { panic!("{node:?}") };
        let Some((_, Value::Numbers(scale))) = node.metadata.iter().find(|(key, _)| key == "scale") else { panic!() };
        assert_eq!(node.metadata[0], ("bits".to_owned(), Value::Number(1.0)));
        for (o, weights) in conv.weight.values.chunks_exact(4 * 9).enumerate() {
            let size = if one { 1.0 } else { scale[o] };
            assert!(weights.iter().all(|w| w.abs() == size), "{weights:?}");
        }
    }
}

#[test]
fn what_nir_cannot_say_is_refused_by_layer() {
    let hard = Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Hard };
    let of = |gate: bitspike_format::example::GateOf<'_>, pool| {
        write(&with_neurons(chain("4-6-8-P", [2, 4, 4], 2, Features::Flatten, pool, gate), hard)).unwrap()
    };
    let differs = |steps: usize, _: usize, _: &mut bitspike_format::example::Numbers| {
        GateSpec::Fixed((0..steps).map(|t| 1.0 + t as f32).collect())
    };
    let none = |_: usize, _: usize, _: &mut bitspike_format::example::Numbers| GateSpec::None;
    let soft = write(&chain("4-6", [2, 4, 4], 2, Features::Flatten, Pool::None, &none)).unwrap();
    let integers = quantise(&network("current", 0), &WordLengths::default()).unwrap().0;
    let cases: [(Vec<u8>, &str, &str, &str); 6] = [
        (of(&sample_gate, Pool::Current), "blocks.0", "a gate per sample", "bsnn"),
        (of(&element_gate, Pool::Current), "blocks.0", "a gate per element", "bsnn"),
        (of(&differs, Pool::Current), "blocks.0", "differs from step to step", "ema"),
        (of(&none, Pool::MaxSpikes), "blocks.1", "a maximum of spikes", "network.pooling"),
        (soft, "stem", "subtract their threshold", "--nir-soft-reset"),
        (write_integers(&integers).unwrap(), "stem", "integers after the first layer", "--integer"),
    ];
    for (bytes, layer, what, remedy) in cases {
        let error = export(&Model::parse(&bytes).unwrap(), &Options::default()).unwrap_err();
        assert!(matches!(&error, NirError::Layer { layer: found, .. } if found == layer), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.hint().unwrap().contains(remedy), "{:?}", error.hint());
    }
}
