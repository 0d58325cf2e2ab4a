//! The fast kernels against the portable code, to the last bit.
#![cfg(feature = "std")]

mod common;

use bitspike_format::{Model, WordLengths, example, quantise, write, write_integers};
use bitspike_infer::fast::{Engine, KernelPath};
use bitspike_infer::{run, run_words};
use common::{Collect, random};
use proptest::prelude::*;

fn check(spec: &bitspike_format::ModelSpec, frames: &[f32]) -> Result<(), TestCaseError> {
    same(spec, &write(spec).unwrap(), frames)
}

fn check_integers(spec: &bitspike_format::IntegerSpec, frames: &[f32]) -> Result<(), TestCaseError> {
    same(&spec.network, &write_integers(spec).unwrap(), frames)
}

fn same(spec: &bitspike_format::ModelSpec, bytes: &[u8], frames: &[f32]) -> Result<(), TestCaseError> {
    let model = Model::parse(bytes).unwrap();
    let mut arena = vec![0; run_words(&model).unwrap()];
    let (mut logits, mut seen) = (vec![0.0; spec.classes], Collect(Vec::new()));
    run(&model, &mut arena, frames, &mut logits, &mut seen).unwrap();
    for path in KernelPath::ALL.into_iter().filter(|p| p.is_available()) {
        let engine = Engine::with_path(&model, path).unwrap();
        let mut workspace = engine.workspace();
        // Twice: what an inference leaves behind must not matter to the next.
        for _ in 0..2 {
            let (mut fast, mut spikes) = (vec![0.0; spec.classes], Collect(Vec::new()));
            engine.run(&mut workspace, frames, &mut fast, &mut spikes).unwrap();
            prop_assert_eq!(&spikes.0, &seen.0, "{}", path.name());
            prop_assert_eq!(&fast, &logits, "{}", path.name());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::cases(200))]

    #[test]
    fn chains(seed in any::<u64>()) {
        let (spec, frames) = random(seed, false);
        check(&spec, &frames)?;
    }

    #[test]
    fn residual_chains(seed in any::<u64>()) {
        let (spec, frames) = random(seed, true);
        check(&spec, &frames)?;
    }

    #[test]
    fn kernels_that_are_not_square(seed in any::<u64>(), residual in any::<bool>()) {
        let (spec, frames) = common::random_rows(seed, residual);
        check(&spec, &frames)?;
    }

    #[test]
    fn integer_kernels_that_are_not_square(seed in any::<u64>(), residual in any::<bool>()) {
        let (spec, frames) = common::random_rows_integers(seed, residual);
        check_integers(&spec, &frames)?;
    }

    #[test]
    fn chains_of_integers(seed in any::<u64>()) {
        let (spec, frames) = common::random_integers(seed, false);
        check_integers(&spec, &frames)?;
    }

    #[test]
    fn residual_chains_of_integers(seed in any::<u64>()) {
        let (spec, frames) = common::random_integers(seed, true);
        check_integers(&spec, &frames)?;
    }
}

#[test]
fn wide_layers_of_a_small_network() {
    // Small enough for an emulator: registers of 128 and of 256 channels, counts of one plane and of many.
    for pool in [bitspike_format::Pool::Current, bitspike_format::Pool::Spikes] {
        for gate in [&example::sample_gate as example::GateOf<'_>, &example::element_gate] {
            let features = bitspike_format::Features::Average;
            let spec = example::chain("130-P-300", [1, 4, 4], 2, features, pool, gate);
            let frame = example::Numbers::new(5).take(16).into_iter().map(|v| 2.0 * v).collect::<Vec<_>>();
            check(&spec, &frame).unwrap();
        }
    }
}

#[test]
fn wide_layers_and_every_block_width() {
    use bitspike_format::{Features, GateSpec, Pool};
    let none = |_: usize, _: usize, _: &mut example::Numbers| GateSpec::None;
    for (text, pool) in [
        ("32-128-P-256-192", Pool::Current),
        ("128-160-P-96-P", Pool::Spikes),
        ("64-64-P-64", Pool::MaxSpikes),
        // Sums of this layer could leave 16 bits: it runs by the portable code.
        ("4096-32", Pool::None),
    ] {
        for gate in [&none as example::GateOf<'_>, &example::sample_gate, &example::element_gate] {
            let spec = example::chain(text, [2, 6, 7], 3, Features::Average, pool, gate);
            let frame = example::Numbers::new(5).take(2 * 6 * 7).into_iter().map(|v| 2.0 * v).collect::<Vec<_>>();
            check(&spec, &frame).unwrap();
            let (spec, _) = quantise(&spec, &WordLengths::default()).unwrap();
            check_integers(&spec, &frame).unwrap();
        }
    }
}

#[test]
fn wide_layers_of_signals() {
    use bitspike_format::{Features, Pool};
    for (text, pool) in [
        ("32-128-P-256-192", Pool::Current),
        ("130-P-300-P", Pool::Spikes),
        ("64-64-P-64", Pool::MaxSpikes),
        // Sums of this layer could leave 16 bits: it runs by the portable code.
        ("11000-32-P", Pool::Current),
    ] {
        for columns in [4, 33] {
            for gate in [&example::sample_gate as example::GateOf<'_>, &example::element_gate] {
                let spec = example::chain(text, [6, 1, columns], 3, Features::Average, pool, gate);
                let spec = example::one_row(spec);
                let frame = example::Numbers::new(5).take(6 * columns).into_iter().map(|v| 2.0 * v).collect::<Vec<_>>();
                check(&spec, &frame).unwrap();
                let (spec, _) = quantise(&spec, &WordLengths::default()).unwrap();
                check_integers(&spec, &frame).unwrap();
            }
        }
    }
}

#[test]
fn wide_residual_layers() {
    let none = |_: usize, _: usize, _: &mut example::Numbers| bitspike_format::GateSpec::None;
    for (text, size) in [("64-64-128-128-300", 8), ("33-33-65", 12), ("40-160", 6), ("3700-32", 4)] {
        for gate in [&none as example::GateOf<'_>, &example::sample_gate, &example::element_gate] {
            for features in [bitspike_format::Features::Average, bitspike_format::Features::Flatten] {
                let spec = example::residual(text, [2, size, size], 3, features, gate);
                let frame = example::Numbers::new(5).take(2 * size * size);
                check(&spec, &frame.into_iter().map(|v| 1.7 * v).collect::<Vec<_>>()).unwrap();
            }
        }
    }
}

#[test]
fn vgg11_agrees_and_fires() {
    let frame: Vec<f32> = example::Numbers::new(9).take(3 * 32 * 32).into_iter().map(|v| 1.7 * v).collect();
    for gate in [&example::sample_gate as example::GateOf<'_>, &example::element_gate] {
        check(&example::vgg11(gate), &frame).unwrap();
    }
}

#[test]
fn batches_do_not_depend_on_threads() {
    let spec = example::chain(
        "8-16-P-16",
        [2, 6, 7],
        3,
        bitspike_format::Features::Average,
        bitspike_format::Pool::Current,
        &example::sample_gate,
    );
    let bytes = write(&spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let engine = Engine::new(&model).unwrap();
    let values = model.network().input.len() * if spec.sequence { spec.steps } else { 1 };
    let inputs = example::Numbers::new(2).take(7 * values);
    let run = |threads| {
        let mut logits = vec![0.0; 7 * spec.classes];
        engine.run_batch(&inputs, &mut logits, threads).unwrap();
        logits
    };
    let alone = run(1);
    assert!(alone.chunks(spec.classes).any(|l| l != &alone[..spec.classes]), "samples differ");
    for threads in [0, 2, 3, 7, 20] {
        assert_eq!(run(threads), alone, "{threads} threads");
    }
    assert!(engine.run_batch(&inputs[1..], &mut vec![0.0; 7 * spec.classes], 1).is_err());
    assert!(engine.run_batch(&inputs, &mut vec![0.0; 6 * spec.classes], 1).is_err());
}
