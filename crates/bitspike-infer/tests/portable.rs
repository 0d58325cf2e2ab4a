//! The portable code against the obviously right twin, to the last bit.

mod common;

use bitspike_format::{IntegerLayerSpec, LayerSpec, Model, WordLengths, example, quantise, write, write_integers};
use bitspike_infer::{InferError, reset, run, run_words, step, step_words, steps_done};
use common::{Collect, random, twin};
use proptest::prelude::*;

/// Runs a description both ways and compares spikes of all layers and logits.
fn check(spec: &bitspike_format::ModelSpec, frames: &[f32]) -> Result<usize, TestCaseError> {
    same(spec, &write(spec).unwrap(), &twin(spec, frames, spec.steps), frames)
}

fn same(
    spec: &bitspike_format::ModelSpec,
    bytes: &[u8],
    expected: &common::Outcome,
    frames: &[f32],
) -> Result<usize, TestCaseError> {
    let model = Model::parse(bytes).unwrap();
    // What the arena held before must not matter.
    let mut arena = vec![0xA5A5_A5A5; run_words(&model).unwrap()];
    let (mut logits, mut seen) = (vec![0.0; spec.classes], Collect(Vec::new()));
    run(&model, &mut arena, frames, &mut logits, &mut seen).unwrap();
    let with_spikes = |all: &[Vec<common::Map>]| all.iter().filter(|l| !l.is_empty()).cloned().collect::<Vec<_>>();
    prop_assert_eq!(with_spikes(&seen.0), with_spikes(&expected.spikes));
    prop_assert_eq!(&logits, &expected.logits);

    let mut arena = vec![0x5A5A_5A5A; step_words(&model).unwrap()];
    let mut seen = Collect(Vec::new());
    reset(&model, &mut arena).unwrap();
    let len = model.network().input.len();
    for t in 0..spec.steps {
        let frame = if frames.len() == len { frames } else { &frames[t * len..(t + 1) * len] };
        step(&model, &mut arena, frame, &mut logits, &mut seen).unwrap();
        prop_assert_eq!(steps_done(&arena), t + 1);
    }
    prop_assert_eq!(with_spikes(&seen.0), with_spikes(&expected.spikes));
    prop_assert_eq!(&logits, &expected.logits);
    Ok(expected.spikes.iter().flatten().flat_map(|m| &m.values).filter(|v| **v > 0.0).count())
}

proptest! {
    #![proptest_config(common::cases(200))]

    #[test]
    fn chains_agree_with_the_twin(seed in any::<u64>()) {
        let (spec, frames) = random(seed, false);
        check(&spec, &frames)?;
    }

    #[test]
    fn residual_chains_agree_with_the_twin(seed in any::<u64>()) {
        let (spec, frames) = random(seed, true);
        check(&spec, &frames)?;
    }

    #[test]
    fn integer_chains_agree_with_the_twin(seed in any::<u64>()) {
        check_integers(seed, false)?;
    }

    #[test]
    fn integer_residual_chains_agree_with_the_twin(seed in any::<u64>()) {
        check_integers(seed, true)?;
    }
}

proptest! {
    #![proptest_config(common::cases(300))]

    #[test]
    fn kernels_that_are_not_square_agree_with_the_twin(seed in any::<u64>(), residual in any::<bool>()) {
        let (spec, frames) = common::random_rows(seed, residual);
        check(&spec, &frames)?;
    }

    #[test]
    fn integer_kernels_that_are_not_square_agree_with_the_twin(seed in any::<u64>(), residual in any::<bool>()) {
        let (spec, frames) = common::random_rows_integers(seed, residual);
        check_integer_spec(&spec, &frames)?;
    }
}

#[test]
fn random_signals_do_spike_and_are_pooled() {
    let (mut silent, mut halves, mut rows) = (0, 0, 0);
    for seed in 0..80 {
        let (spec, frames) = common::random_rows(seed, false);
        silent += usize::from(check(&spec, &frames).unwrap() == 0);
        let bytes = write(&spec).unwrap();
        let model = Model::parse(&bytes).unwrap();
        halves += usize::from(model.layers().filter_map(|l| l.output()).any(|map| map.planes == 2));
        rows += usize::from(spec.input[1] == 1);
    }
    assert!(silent < 8 && halves > 10 && rows > 40, "{silent} {halves} {rows}");
}

fn check_integers(seed: u64, residual: bool) -> Result<usize, TestCaseError> {
    let (spec, frames) = common::random_integers(seed, residual);
    check_integer_spec(&spec, &frames)
}

fn check_integer_spec(spec: &bitspike_format::IntegerSpec, frames: &[f32]) -> Result<usize, TestCaseError> {
    let expected = common::integer_twin(spec, frames, spec.network.steps);
    same(&spec.network, &write_integers(spec).unwrap(), &expected, frames)
}

#[test]
fn random_networks_with_integers_do_spike() {
    for residual in [false, true] {
        let silent = (0..40).filter(|seed| check_integers(*seed, residual).unwrap() == 0);
        assert!(silent.count() < 4);
    }
}

#[test]
fn random_networks_do_spike() {
    // Comparing silence with silence would prove nothing.
    let silent = (0..40).filter(|seed| {
        let (spec, frames) = random(*seed, false);
        check(&spec, &frames).unwrap() == 0
    });
    assert!(silent.count() < 4);
}

#[test]
fn the_edge_of_the_threshold_fires() {
    // One input, one channel: u is exactly the threshold, and just below it.
    let mut spec = example::chain(
        "1-1",
        [1, 1, 1],
        1,
        bitspike_format::Features::Flatten,
        bitspike_format::Pool::None,
        &|_, _, _| bitspike_format::GateSpec::None,
    );
    for (slope, fires) in [(1.0f32, 1.0), (1.0f32.next_down(), 0.0)] {
        for layer in &mut spec.layers[..2] {
            if let LayerSpec::Block(b) = layer {
                (b.kernel, b.padding, b.offset[0]) = ([1, 1], [0, 0], 0.0);
                b.slope[0] = if matches!(b.weights, bitspike_format::WeightSpec::Real(_)) { 1.0 } else { slope };
                let (bitspike_format::WeightSpec::Real(w) | bitspike_format::WeightSpec::Signs(w)) = &mut b.weights;
                *w = vec![1.0];
            }
        }
        let bytes = write(&spec).unwrap();
        let model = Model::parse(&bytes).unwrap();
        let mut arena = vec![0; run_words(&model).unwrap()];
        let (mut logits, mut seen) = (vec![0.0; 10], Collect(Vec::new()));
        run(&model, &mut arena, &[1.0], &mut logits, &mut seen).unwrap();
        assert_eq!((seen.0[0][0].values[0], seen.0[1][0].values[0]), (1.0, fires));
    }
}

#[test]
fn the_edge_of_the_integer_threshold_fires() {
    // One input, one channel, one spike: u = A + B is exactly Θ, and one less.
    let none = |_: usize, _: usize, _: &mut example::Numbers| bitspike_format::GateSpec::None;
    let (features, pool) = (bitspike_format::Features::Flatten, bitspike_format::Pool::None);
    let mut spec = example::chain("1-1", [1, 1, 1], 1, features, pool, &none);
    for layer in &mut spec.layers[..2] {
        if let LayerSpec::Block(b) = layer {
            (b.kernel, b.padding, b.offset[0], b.slope[0]) = ([1, 1], [0, 0], 0.25, 0.75);
            let (bitspike_format::WeightSpec::Real(w) | bitspike_format::WeightSpec::Signs(w)) = &mut b.weights;
            *w = vec![1.0];
        }
    }
    for (more, fires) in [(0, 1.0), (-1, 0.0), (1, 1.0)] {
        let (mut spec, _) = quantise(&spec, &WordLengths::default()).unwrap();
        let IntegerLayerSpec::Block(b) = &mut spec.layers[1] else { panic!() };
        assert_eq!(b.slope[0] + b.offset[0], b.neuron.threshold);
        b.offset[0] += more;
        let bytes = write_integers(&spec).unwrap();
        let model = Model::parse(&bytes).unwrap();
        let mut arena = vec![0; run_words(&model).unwrap()];
        let (mut logits, mut seen) = (vec![0.0; 10], Collect(Vec::new()));
        run(&model, &mut arena, &[1.0], &mut logits, &mut seen).unwrap();
        assert_eq!((seen.0[0][0].values[0], seen.0[1][0].values[0]), (1.0, fires), "{more}");
    }
}

#[test]
fn streams_do_not_touch_each_other_and_forget_on_reset() {
    let (spec, _) = random(7, false);
    let bytes = write(&spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let len = model.network().input.len();
    let frame = |k: usize| example::Numbers::new(k as u64).take(len);
    let alone = |frames: &[usize]| {
        let mut arena = vec![0; step_words(&model).unwrap()];
        let mut logits = vec![0.0; spec.classes];
        reset(&model, &mut arena).unwrap();
        frames.iter().for_each(|k| step(&model, &mut arena, &frame(*k), &mut logits, &mut ()).unwrap());
        logits
    };
    let (a, b) = (alone(&[1, 2, 3, 4, 5, 6]), alone(&[7, 8, 9, 1, 2, 3]));
    let mut arenas = [vec![1; step_words(&model).unwrap()], vec![2; step_words(&model).unwrap()]];
    let mut logits = [vec![0.0; spec.classes], vec![0.0; spec.classes]];
    for round in 0..2 {
        arenas.iter_mut().for_each(|arena| reset(&model, arena).unwrap());
        for (x, y) in [1, 2, 3, 4, 5, 6].into_iter().zip([7, 8, 9, 1, 2, 3]) {
            step(&model, &mut arenas[0], &frame(x), &mut logits[0], &mut ()).unwrap();
            step(&model, &mut arenas[1], &frame(y), &mut logits[1], &mut ()).unwrap();
        }
        assert_eq!(logits, [a.clone(), b.clone()], "round {round}");
    }
}

#[test]
fn wrong_lengths_are_refused_before_anything_is_computed() {
    let bytes = example::tiny();
    let model = Model::parse(&bytes).unwrap();
    let needed = run_words(&model).unwrap();
    let mut arena = vec![0; needed];
    let mut logits = [9.0; 10];
    let image = [0.0; 32];
    let run = |arena: &mut [u32], x: &[f32], l: &mut [f32]| run(&model, arena, x, l, &mut ());
    assert_eq!(run(&mut arena[1..], &image, &mut logits), Err(InferError::Arena { needed, found: needed - 1 }));
    assert_eq!(run(&mut arena, &image[1..], &mut logits), Err(InferError::Input { expected: 32, found: 31 }));
    assert_eq!(run(&mut arena, &image, &mut logits[1..]), Err(InferError::Logits { expected: 10, found: 9 }));
    assert_eq!(logits, [9.0; 10]);
    assert_eq!(run(&mut arena, &[0.5; 64], &mut logits), Ok(()));
    let mut arena = vec![0; step_words(&model).unwrap()];
    assert_eq!(step(&model, &mut arena, &image, &mut logits, &mut ()), Err(InferError::NotReset));
    assert!(matches!(reset(&model, &mut arena[1..]), Err(InferError::Arena { .. })));
}

#[test]
fn arenas_are_as_small_as_the_documentation_says() {
    let bytes = write(&example::vgg11(&example::sample_gate)).unwrap();
    let model = Model::parse(&bytes).unwrap();
    // Spikes of the first two layers for T = 4, and scratch for the widest gate.
    let (first, second) = (4 * 64 * 32 * 32 / 32, 4 * 128 * 16 * 16 / 32);
    let scratch = 2 * 4 + 512 + 512 + 4;
    assert_eq!(run_words(&model).unwrap(), first + second + scratch);
    assert!(step_words(&model).unwrap() < 1024 * 1024 / 4);
}
