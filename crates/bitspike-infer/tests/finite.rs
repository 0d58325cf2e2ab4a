//! Every way to run a network refuses NaN and infinities, names the first, and leaves everything as it was.

use bitspike_format::{Features, Model, ModelSpec, Pool, WordLengths, example, quantise, write, write_integers};
use bitspike_infer::{InferError, reset, run, run_words, step, step_words, steps_done};

/// Chains and residual networks, of images and of sequences, with floats and with integers.
fn files() -> Vec<Vec<u8>> {
    let gate = &example::element_gate;
    let chain = example::chain("8-8-P-16", [2, 4, 5], 3, Features::Flatten, Pool::Current, gate);
    let residual = example::residual("8-8", [2, 4, 5], 3, Features::Average, gate);
    let both = [chain, residual];
    let sequences = both.clone().map(|spec| ModelSpec { sequence: true, ..spec });
    let integers = |spec| write_integers(&quantise(spec, &WordLengths::default()).unwrap().0).unwrap();
    both.iter().chain(&sequences).flat_map(|spec| [write(spec).unwrap(), integers(spec)]).collect()
}

/// Values of a sample.
fn values(model: &Model<'_>) -> usize {
    let n = model.network();
    n.input.len() * if n.sequence { n.steps } else { 1 }
}

/// Inputs of so many values with one that is not finite, and its place.
fn spoiled(len: usize) -> impl Iterator<Item = (Vec<f32>, usize)> {
    let values = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    values.into_iter().flat_map(move |value| {
        [0, 1, len / 2, len - 1].into_iter().map(move |index| {
            let mut input = example::Numbers::new(3).take(len);
            input[index] = value;
            // Not the first one.
            input[len - 1] = if index + 1 < len { f32::NAN } else { value };
            (input, index)
        })
    })
}

#[test]
fn run_refuses_them() {
    for bytes in files() {
        let model = Model::parse(&bytes).unwrap();
        let mut arena = vec![7; run_words(&model).unwrap()];
        for (input, index) in spoiled(values(&model)) {
            let mut logits = [0.5; 10];
            let found = run(&model, &mut arena, &input, &mut logits, &mut ());
            assert_eq!(found, Err(InferError::NotFinite { index }));
            assert!(logits == [0.5; 10] && arena.iter().all(|w| *w == 7));
        }
    }
}

#[test]
fn a_stream_goes_on_after_a_refused_frame() {
    for bytes in files() {
        let model = Model::parse(&bytes).unwrap();
        let frame = example::Numbers::new(3).take(model.network().input.len());
        let mut arena = vec![0; step_words(&model).unwrap()];
        let mut logits = [0.5; 10];
        reset(&model, &mut arena).unwrap();
        step(&model, &mut arena, &frame, &mut logits, &mut ()).unwrap();
        let before = (arena.clone(), logits);
        for (frame, index) in spoiled(frame.len()) {
            let found = step(&model, &mut arena, &frame, &mut logits, &mut ());
            assert_eq!(found, Err(InferError::NotFinite { index }));
            assert_eq!((&arena, logits), (&before.0, before.1));
        }
        step(&model, &mut arena, &frame, &mut logits, &mut ()).unwrap();
        assert_eq!(steps_done(&arena), 2);
    }
}

#[test]
fn the_largest_numbers_are_finite() {
    for bytes in files() {
        let model = Model::parse(&bytes).unwrap();
        let mut arena = vec![0; run_words(&model).unwrap().max(step_words(&model).unwrap())];
        let input = vec![f32::MAX; values(&model)];
        run(&model, &mut arena, &input, &mut [0.0; 10], &mut ()).unwrap();
        reset(&model, &mut arena).unwrap();
        step(&model, &mut arena, &input[..model.network().input.len()], &mut [0.0; 10], &mut ()).unwrap();
    }
}

#[cfg(feature = "std")]
#[test]
fn the_engine_refuses_them() {
    use bitspike_infer::fast::{Engine, KernelPath};
    for bytes in files() {
        let model = Model::parse(&bytes).unwrap();
        let len = values(&model);
        for path in KernelPath::available() {
            let engine = Engine::with_path(&model, path).unwrap();
            let mut workspace = engine.workspace();
            for (input, index) in spoiled(len) {
                let mut logits = [0.5; 10];
                let found = engine.run(&mut workspace, &input, &mut logits, &mut ());
                assert_eq!((found, logits), (Err(InferError::NotFinite { index }), [0.5; 10]), "{path}");
            }
            for (inputs, index) in spoiled(5 * len) {
                for threads in [1, 3] {
                    let mut logits = [0.5; 5 * 10];
                    let found = engine.run_batch(&inputs, &mut logits, threads);
                    assert_eq!((found, logits), (Err(InferError::NotFinite { index }), [0.5; 5 * 10]), "{path}");
                }
            }
        }
    }
}

#[cfg(feature = "std")]
#[test]
fn comparisons_and_samples_of_exports_are_refused() {
    use bitspike_infer::c99::{ExportError, export};
    use bitspike_infer::compare::Comparison;
    for bytes in files() {
        let model = Model::parse(&bytes).unwrap();
        let mut comparison = Comparison::new(&model, &model).unwrap();
        for (input, index) in spoiled(values(&model)) {
            let error = InferError::NotFinite { index };
            assert_eq!(comparison.add(&input), Err(error));
            assert_eq!(export(&model, "net", &input), Err(ExportError::Infer(error)));
        }
        assert_eq!(comparison.samples, 0);
    }
}
