//! A file is described as it was: the description, written again, is the same bytes.

use bitspike_format::{
    Features, FeedSpec, GateSpec, Model, ModelSpec, Pool, WordLengths, example, quantise, write, write_integers,
};

/// Makes the gate of a layer.
type Gate = Box<dyn Fn(usize, usize, &mut example::Numbers) -> GateSpec>;

/// Every gate.
fn gates() -> [(&'static str, Gate); 5] {
    let none = |_: usize, _: usize, _: &mut example::Numbers| GateSpec::None;
    let fixed = |t: usize, c: usize, n: &mut example::Numbers| GateSpec::Fixed(n.take(t * c));
    let inside = |t: usize, c: usize, n: &mut example::Numbers| GateSpec::Sample {
        alpha: n.take(t * c),
        per_channel: true,
        inside: true,
        hard: true,
    };
    [
        ("none", Box::new(none)),
        ("fixed", Box::new(fixed)),
        ("sample", Box::new(example::sample_gate)),
        ("inside", Box::new(inside)),
        ("element", Box::new(example::element_gate)),
    ]
}

fn again(name: &str, spec: &ModelSpec) {
    let bytes = write(spec).unwrap();
    let described = ModelSpec::of(&Model::parse(&bytes).unwrap()).unwrap();
    assert!(write(&described).unwrap() == bytes, "{name}");
}

#[test]
fn a_description_written_again_is_the_same_file() {
    for (name, gate) in &gates() {
        for features in [Features::Flatten, Features::Average] {
            for pool in [Pool::Current, Pool::Spikes, Pool::MaxSpikes] {
                let mut spec = example::chain("5-33-P-12-P", [3, 9, 7], 3, features, pool, gate);
                again(name, &spec);
                (spec.sequence, spec.normalise) = (true, Some((vec![0.5, 0.4, 0.3], vec![0.25, 0.3, 0.2])));
                spec.meta = vec![("name".into(), "a=b".into()), ("empty".into(), String::new())];
                again(name, &spec);
                again(name, &example::one_row(example::chain("5-33-P", [3, 1, 21], 2, features, pool, gate)));
            }
            again(name, &example::residual("6-6-10", [2, 8, 6], 3, features, gate));
        }
    }
    let names = FeedSpec { classes: vec!["x".into(); 10], signal: None };
    again("names", &ModelSpec { feed: Some(names), ..example::tiny_spec() });
}

#[test]
fn integers_have_no_description_in_reals() {
    let bytes = write_integers(&quantise(&example::tiny_spec(), &WordLengths::default()).unwrap().0).unwrap();
    assert_eq!(ModelSpec::of(&Model::parse(&bytes).unwrap()), None);
}
