//! What rounding to integers changes: little, with the usual word lengths.
#![cfg(feature = "std")]

use bitspike_format::{
    Features, GateSpec, Model, ModelSpec, Pool, WordLengths, example, quantise, write, write_integers,
};
use bitspike_infer::InferError;
use bitspike_infer::compare::Comparison;

/// Largest share of spikes of a layer that differ, share of equal predictions, and spikes per value, over 60 samples.
fn compare(spec: &ModelSpec, words: &WordLengths) -> (f64, f64) {
    let (integers, _) = quantise(spec, words).unwrap();
    let (real, integer) = (write(spec).unwrap(), write_integers(&integers).unwrap());
    assert!(integer.len() < real.len(), "{} {}", integer.len(), real.len());
    let (real, integer) = (Model::parse(&real).unwrap(), Model::parse(&integer).unwrap());
    let mut comparison = Comparison::new(&real, &integer).unwrap();
    let values: usize = spec.input.iter().product();
    for sample in example::Numbers::new(3).take(60 * values).chunks(values) {
        comparison.add(&sample.iter().map(|v| 1.7 * v).collect::<Vec<_>>()).unwrap();
    }
    let share = comparison.layers.iter().map(|l| l.different as f64 / l.values.max(1) as f64).fold(0.0, f64::max);
    assert_eq!(comparison.layers[0].different, 0, "the first layer is the same");
    (share, comparison.same_predictions as f64 / comparison.samples as f64)
}

fn networks() -> Vec<ModelSpec> {
    let fixed = |steps: usize, channels: usize, numbers: &mut example::Numbers| {
        GateSpec::Fixed(numbers.take(steps * channels).into_iter().map(|v| 1.0 + 0.3 * v).collect())
    };
    let none = |_: usize, _: usize, _: &mut example::Numbers| GateSpec::None;
    let mut specs = Vec::new();
    for gate in [&none as example::GateOf<'_>, &fixed, &example::sample_gate, &example::element_gate] {
        for pool in [Pool::Current, Pool::Spikes, Pool::MaxSpikes] {
            specs.push(example::chain("32-P-64-P-96-64", [3, 16, 16], 4, Features::Average, pool, gate));
        }
        specs.push(example::residual("32-32-64-64", [3, 16, 16], 4, Features::Average, gate));
    }
    specs
}

#[test]
fn sixteen_bits_change_less_than_one_spike_in_two_hundred() {
    let rows: Vec<_> = networks().iter().map(|spec| compare(spec, &WordLengths::default())).collect();
    let failed: Vec<_> = rows.iter().filter(|(share, same)| *share >= 5e-3 || *same < 0.95).collect();
    assert!(failed.is_empty(), "share of spikes and of predictions: {rows:?}");
    assert!(rows.iter().any(|(share, _)| *share > 0.0), "rounding that changes nothing at all is no rounding");
}

#[test]
fn six_bits_change_more_than_sixteen() {
    for spec in networks() {
        let (coarse, fine) = (compare(&spec, &WordLengths::new(6, 8, 6)), compare(&spec, &WordLengths::default()));
        assert!(coarse.0 > fine.0 && coarse.0 < 0.2, "{coarse:?} {fine:?}");
    }
}

#[test]
fn files_of_other_shapes_are_not_compared() {
    let bytes = [example::tiny(), write(&networks()[0]).unwrap()];
    let [a, b] = bytes.each_ref().map(|bytes| Model::parse(bytes).unwrap());
    assert!(matches!(Comparison::new(&a, &b), Err(InferError::Input { .. })));
}
