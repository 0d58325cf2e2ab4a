//! A file is accepted as written and in no other form.

mod common;

use bitspike_format::{
    FormatError, GateSpec, Kind, LayerSpec, Model, Neuron, Pool, QuantiseError, Reset, ResidualSpec, Section,
    WordLengths, WriteError, example, quantise, write, write_integers,
};
use common::{TABLE, reseal};
use proptest::prelude::*;

/// Changes bytes and makes all checksums fit again: what a hostile writer would do.
fn forged(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut bytes);
    reseal(&mut bytes);
    bytes
}

/// A file of version 2 with gates, poolings and a head of one-byte weights.
fn integers() -> Vec<u8> {
    write_integers(&quantise(&example::tiny_spec(), &WordLengths::new(7, 8, 16)).unwrap().0).unwrap()
}

/// A residual network with integers.
fn integer_residual() -> Vec<u8> {
    let gate = example::sample_gate;
    let spec = example::residual("3-3-5", [2, 4, 4], 2, bitspike_format::Features::Flatten, &gate);
    write_integers(&quantise(&spec, &WordLengths::default()).unwrap().0).unwrap()
}

/// A signal, with kernels and a pooling of one row: a file of version 3.
fn signal_spec() -> bitspike_format::ModelSpec {
    let features = bitspike_format::Features::Flatten;
    example::one_row(example::chain("3-5-P", [2, 1, 9], 2, features, Pool::Spikes, &example::sample_gate))
}

fn signal() -> Vec<u8> {
    write(&signal_spec()).unwrap()
}

/// The same with integers.
fn integer_signal() -> Vec<u8> {
    write_integers(&quantise(&signal_spec(), &WordLengths::default()).unwrap().0).unwrap()
}

/// A network with a gate per element: a file of version 4.
fn element_spec() -> bitspike_format::ModelSpec {
    example::chain("3-5-P", [2, 4, 4], 2, bitspike_format::Features::Flatten, Pool::Current, &example::element_gate)
}

/// A residual signal with hard gates per sample and integers: a file of version 4 with all that older versions have.
fn integer_hard_signal() -> Vec<u8> {
    let gate = |_: usize, channels: usize, _: &mut example::Numbers| GateSpec::Sample {
        alpha: vec![0.5; 2 * channels],
        per_channel: true,
        inside: true,
        hard: true,
    };
    let spec = example::one_row(example::residual("3-3", [2, 1, 9], 2, bitspike_format::Features::Flatten, &gate));
    write_integers(&quantise(&spec, &WordLengths::default()).unwrap().0).unwrap()
}

/// Files of every version, and of every kind of layer.
fn files() -> [Vec<u8>; 7] {
    let element = write(&element_spec()).unwrap();
    [example::tiny(), integers(), integer_residual(), signal(), integer_signal(), element, integer_hard_signal()]
}

#[test]
fn every_flipped_bit_is_refused() {
    for bytes in files() {
        let accepted: Vec<_> = (0..8 * bytes.len())
            .filter(|bit| {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                Model::parse(&damaged).is_ok()
            })
            .collect();
        assert!(accepted.is_empty(), "bits {accepted:?}");
    }
}

#[test]
fn every_truncation_and_every_extension_is_refused() {
    for bytes in files() {
        for length in 0..bytes.len() {
            let error = Model::parse(&bytes[..length]).unwrap_err();
            assert!(matches!(error, FormatError::TooShort { .. }), "{length} bytes: {error}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let (stated, found) = (bytes.len(), bytes.len() + 1);
        assert_eq!(Model::parse(&longer).unwrap_err(), FormatError::Length { stated, found });
    }
}

#[test]
fn errors_say_what_and_where() {
    let bytes = example::tiny();
    let with = |i: usize, v: u8| forged(bytes.clone(), |b| b[i] = v);
    let mut newer = bytes.clone();
    newer[8] = 6;
    let mut swapped = bytes.clone();
    swapped[12..16].reverse();
    let mut damaged = bytes.clone();
    let reals = u32::from_le_bytes(bytes[TABLE + 36..TABLE + 40].try_into().unwrap()) as usize;
    damaged[reals] ^= 1;
    let layers = 96;
    let rows: Vec<(Vec<u8>, &str, Kind)> = vec![
        (b"PK\x03\x04 is a zip file".to_vec(), "starts with", Kind::Corrupt),
        (newer, "version 6; this reads versions 1 to 5", Kind::Unsupported),
        (swapped, "endianness mark", Kind::Unsupported),
        (with(layers, 0), "network, T: expected 1 to 1024, found 0", Kind::Corrupt),
        (with(layers + 10, 2), "section LAYERS has 112 bytes; its layers need 80", Kind::Corrupt),
        (with(layers + 16, 9), "layer 0, kind: expected 1 to 5, found 9", Kind::Corrupt),
        (with(layers + 16 + 8, 3), "layer 0, c_in: expected what the layer before gives, found 3", Kind::Corrupt),
        (with(layers + 48 + 5, 2), "layer 1, kernel: expected 1, 3, 5 or 7, found 2", Kind::Corrupt),
        (with(layers + 48 + 2, 0), "section REALS", Kind::Corrupt),
        (with(layers + 48 + 31, 1), "layer 1, zero: expected 0, found 1", Kind::Corrupt),
    ];
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|(bytes, text, kind)| {
            let error = Model::parse(bytes).unwrap_err();
            let ok = error.to_string().contains(text) && error.kind() == *kind && !error.hint().is_empty();
            (!ok).then(|| format!("expected {text:?}, found {error}"))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let error = Model::parse(&damaged).unwrap_err();
    assert!(matches!(error, FormatError::Checksum { section: Section::Reals, .. }), "{error}");
}

#[test]
fn errors_in_integers_say_what_and_where() {
    let bytes = integers();
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()) as usize;
    let (layers, start) = (u32_at(TABLE + 4), u32_at(TABLE + 64 + 4));
    let with = |i: usize, v: &[u8]| forged(bytes.clone(), |b| b[i..i + v.len()].copy_from_slice(v));
    let (block, head) = (layers + 48, layers + 80);
    let rows: Vec<(Vec<u8>, &str)> = vec![
        // The same bytes as a file of version 1 have a section too many.
        (with(8, &[1]), "header, byte 10: expected 4, found 5"),
        (with(layers + 12, &[1]), "network, flags: expected 4 to 7 in a file with integers, found 1"),
        (forged(example::tiny(), |b| b[96 + 12] = 5), "network, flags: expected 0 to 3, found 5"),
        (with(layers + 16 + 25, &[1]), "layer 0, zero: expected 0, found 1"),
        (with(block + 16, &32769u32.to_le_bytes()), "layer 1, decay: expected 0 to 2^15, found 32769"),
        (with(block + 20, &[0; 4]), "layer 1, threshold: expected 1 to 2^30, found 0"),
        (with(block + 25, &[25]), "layer 1, shift: expected 0 to 24, found 25"),
        (with(block + 26, &[3]), "layer 1, word: expected 1 or 2, found 3"),
        (with(block + 27, &[1]), "a field this kind does not use"),
        (with(block + 3, &[1]), "layer 1, alpha, integer 2"),
        (with(block + 2, &[1]), "layer 1: byte 10 of INTEGERS stands between arrays"),
        (with(head + 20, &f32::NAN.to_le_bytes()), "layer 2, threshold: expected in a head the unit"),
        // Five slopes of one byte and three of padding, then five offsets and two α.
        (with(start + 5, &[1]), "layer 1: byte 5 of INTEGERS stands between arrays and is not zero"),
        (with(start + 8, &i32::MIN.to_le_bytes()), "layer 1, slope, integer 0: expected |A| times"),
        (with(start + 28, &(1i32 << 21).to_le_bytes()), "layer 1, alpha, integer 0: expected at most 2^20"),
        (with(start + 36 + 200, &i32::MAX.to_le_bytes()), "layer 2, bias, integer 0: expected sums"),
    ];
    all_refused(&rows);
    let bytes = integer_residual();
    let layers = u32::from_le_bytes(bytes[TABLE + 4..TABLE + 8].try_into().unwrap()) as usize;
    let other = forged(bytes, |b| b[layers + 48 + 25] ^= 1);
    assert!(Model::parse(&other).unwrap_err().to_string().contains("layer 1, shift: expected that of the stem"));
}

/// Files that are no models, each with a part of what is said about it.
fn all_refused(rows: &[(Vec<u8>, &str)]) {
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|(bytes, text)| match Model::parse(bytes) {
            Ok(_) => Some(format!("expected {text:?}, accepted")),
            Err(error) => (!error.to_string().contains(text)).then(|| format!("expected {text:?}, found {error}")),
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn errors_in_rows_of_kernels_say_what_and_where() {
    let u32_at = |bytes: &[u8], i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()) as usize;
    let layers = u32_at(&signal(), TABLE + 4);
    let with = |i: usize, v: u8| forged(signal(), |b| b[i] = v);
    let (stem, block, head) = (layers + 16, layers + 48, layers + 80);
    // All kernels square, but written as version 3.
    let square = forged(example::tiny(), |b| {
        b[8] = 3;
        (b[stem + 28], b[stem + 29], b[block + 28], b[block + 29]) = (3, 1, 3, 1);
    });
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (with(8, 1), "layer 0, zero: expected 0, found 1"),
        (with(8, 2), "header, byte 10: expected 5, found 4"),
        (with(10, 6), "header, byte 10: expected 4, found 6"),
        (with(layers + 12, 4), "network, flags: expected 0 to 3, found 4"),
        (forged(integer_signal(), |b| b[layers + 16 + 12] = 0), "4 to 7 in a file with integers, found 0"),
        (with(block + 28, 2), "layer 1, kernel_rows: expected 1, 3, 5 or 7, found 2"),
        (with(block + 28, 0), "layer 1, kernel_rows: expected 1, 3, 5 or 7, found 0"),
        (with(block + 29, 1), "layer 1, padding_rows: expected less than the rows of the kernel, found 1"),
        (with(block + 28, 3), "layer 1, kernel: expected no larger than the padded map, found 3"),
        (with(block + 30, 1), "layer 1, zero: expected 0, found 1"),
        (with(block + 31, 1), "layer 1, zero: expected 0, found 1"),
        (with(head + 28, 1), "layer 2, a field this kind does not use: expected 0, found 1"),
        // More rows than columns take more weights than there are.
        (forged(signal(), |b| (b[block + 28], b[block + 29]) = (3, 1)), "section SIGNS"),
        (square, "network, version: expected 1 or 2, since all kernels and windows are square, found 3"),
    ];
    all_refused(&rows);
}

#[test]
fn signals_are_read_as_they_were_written() {
    for (bytes, integer) in [(signal(), false), (integer_signal(), true)] {
        let model = Model::parse(&bytes).unwrap();
        assert_eq!((bytes[8], model.is_integer()), (3, integer));
        let bitspike_format::Layer::Block(block) = model.layers().nth(1).unwrap() else { panic!("a block") };
        assert_eq!((block.conv.kernel, block.conv.padding, block.window()), ([1, 3], [0, 1], [1, 2]));
        let out = block.output();
        // Nine columns make four windows of two spikes, whose counts need two planes.
        assert_eq!((out.rows, out.columns, out.planes, out.largest(), out.unit()), (1, 4, 2, 2, 0.5));
        assert_eq!(model.binary_weights(), 3 * 3 * 5);
    }
    // Kernels of one row on a map of several, and square ones on a map of one row, whose windows have one row.
    let mut spec = example::one_row(example::tiny_spec());
    assert_eq!(write(&spec).unwrap()[8], 3);
    let features = bitspike_format::Features::Average;
    spec = example::chain("3-5-P", [2, 1, 4], 2, features, Pool::Current, &example::sample_gate);
    assert_eq!(write(&spec).unwrap()[8], 3);
    spec = example::chain("3-5", [2, 1, 4], 2, features, Pool::Current, &example::sample_gate);
    assert_eq!(write(&spec).unwrap()[8], 1);
}

#[test]
fn errors_in_hard_gates_say_what_and_where() {
    let bytes = write(&element_spec()).unwrap();
    let layers = u32::from_le_bytes(bytes[TABLE + 4..TABLE + 8].try_into().unwrap()) as usize;
    let with = |i: usize, v: u8| forged(bytes.clone(), |b| b[i] = v);
    let (stem, block) = (layers + 16, layers + 48);
    // The gate and its flags, in a file of version 3 whose kernels have rows.
    let before = |gate: u8, flags: u8| forged(signal(), |b| (b[block + 2], b[block + 3]) = (gate, flags));
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (with(8, 3), "layer 1, gate: expected 0 to 3, found 4"),
        (with(8, 1), "layer 0, zero: expected 0, found"),
        (with(block + 2, 5), "layer 1, gate: expected 0 to 4, found 5"),
        (with(block + 3, 4), "layer 1, gate_flags: expected flags that this gate has, found 4"),
        (with(block + 3, 8), "layer 1, gate_flags: expected flags that this gate has, found 8"),
        (with(stem + 2, 4), "layer 0, gate: expected 0 after a real convolution, found 4"),
        // α per channel takes more numbers than there are.
        (with(block + 3, 1), "section REALS"),
        // A gate per sample with the logistic function needs no version 4.
        (with(block + 2, 2), "network, version: expected 1 to 3, since no gate has the hard function, found 4"),
        (before(4, 0), "layer 1, gate: expected 0 to 3, found 4"),
        (before(2, 4), "layer 1, gate_flags: expected flags that this gate has, found 4"),
        // Its table of sections has an entry more.
        (forged(integer_hard_signal(), |b| b[block + 16 + 3] = 8), "layer 1, gate_flags"),
    ];
    all_refused(&rows);
}

#[test]
fn hard_gates_are_read_as_they_were_written() {
    let bytes = write(&element_spec()).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let bitspike_format::Layer::Block(block) = model.layers().nth(1).unwrap() else { panic!("a block") };
    let bitspike_format::Gate::Element { alpha, inside: false } = block.gate else { panic!("{:?}", block.gate) };
    let LayerSpec::Block(b) = &element_spec().layers[1] else { panic!("a block") };
    assert!(alpha.values.iter().eq(b.gate.alpha().unwrap().iter().copied()));
    // Every output of a window has its own gate, and a neuron sees all four.
    assert_eq!(
        (bytes[8], block.sums(), block.seen(), block.totals().rows, block.neurons().rows),
        (4, [1, 1], [2, 2], 4, 2)
    );
    let bytes = integer_hard_signal();
    let model = Model::parse(&bytes).unwrap();
    let bitspike_format::Layer::Residual(r) = model.layers().nth(1).unwrap() else { panic!("a residual block") };
    let gate = r.integer.unwrap().gate.unwrap();
    assert_eq!((bytes[8], model.is_integer(), r.conv.kernel), (4, true, [1, 3]));
    assert_eq!((gate.per_channel, gate.inside, gate.hard, gate.element, gate.channels), (true, true, true, false, 3));
    assert_eq!(gate.alpha.iter().collect::<Vec<_>>(), [1 << 13; 6]);
}

#[test]
fn what_has_no_integer_form_is_refused() {
    let mut spec = example::tiny_spec();
    let error = quantise(&spec, &WordLengths::new(3, 8, 8)).unwrap_err();
    assert_eq!(error.to_string(), "word length of slope: expected 4 to 16 bits, found 3");
    let LayerSpec::Block(b) = &mut spec.layers[1] else { panic!() };
    b.slope[0] = 1e9;
    let error = quantise(&spec, &WordLengths::default()).unwrap_err();
    assert!(error.to_string().starts_with("layer 1, slope: expected slopes"), "{error}");
    assert!(!error.hint().is_empty());
    let LayerSpec::Block(b) = &mut spec.layers[1] else { panic!() };
    b.slope.truncate(1);
    assert!(matches!(quantise(&spec, &WordLengths::default()), Err(QuantiseError::Write(WriteError::Length { .. }))));
}

#[test]
fn integers_stand_for_the_numbers_they_were() {
    let spec = example::tiny_spec();
    let (integers, rounding) = quantise(&spec, &WordLengths::default()).unwrap();
    let bytes = write_integers(&integers).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let layers: Vec<_> = model.layers().collect();
    let (LayerSpec::Block(b), bitspike_format::Layer::Block(block)) = (&spec.layers[1], layers[1]) else { panic!() };
    let integer = block.integer.unwrap();
    let one = f64::from(1u32 << integer.shift);
    for c in 0..5 {
        let (a, offset) = integer.affine(0, c).unwrap();
        // The quarter of the pooled current is in A.
        assert!((f64::from(a) / one - f64::from(b.slope[c]) / 4.0).abs() <= 0.5 / one);
        assert!((f64::from(offset) / one - f64::from(b.offset[c])).abs() <= 0.5 / one);
    }
    assert_eq!(block.neuron, b.neuron);
    assert!(rounding.to_string().contains("layer 1: ") && rounding.layers[0].slope < 2e-5, "{rounding}");
}

#[test]
fn reals_must_be_finite_and_signs_must_be_padded_with_zeros() {
    let bytes = example::tiny();
    let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()) as usize;
    let (signs, reals) = (u32_at(TABLE + 16 + 4), u32_at(TABLE + 32 + 4));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let bad = forged(bytes.clone(), |b| b[reals + 16..reals + 20].copy_from_slice(&value.to_le_bytes()));
        assert!(matches!(Model::parse(&bad).unwrap_err(), FormatError::Real { index: 4, .. }));
    }
    let negative = forged(bytes.clone(), |b| b[reals + 8..reals + 12].copy_from_slice(&(-1f32).to_le_bytes()));
    assert!(matches!(Model::parse(&negative).unwrap_err(), FormatError::Real { index: 2, .. }));
    // Three channels: bits 3 to 31 of every word are padding.
    let padded = forged(bytes.clone(), |b| b[signs + 4 * 7] |= 8);
    assert_eq!(Model::parse(&padded).unwrap_err(), FormatError::SignPadding { layer: 1, word: 7 });
}

#[test]
fn sizes_are_those_of_the_arithmetic() {
    let without = |_: usize, _: usize, _: &mut example::Numbers| GateSpec::None;
    let bytes = write(&example::vgg11(&without)).unwrap();
    let model = Model::parse(&bytes).unwrap();
    assert_eq!((model.binary_weights(), model.real_parameters()), (9_216_000, 12_362));
    let arithmetic = 9_216_000 / 8 + 4 * 12_362;
    assert!(bytes.len() >= arithmetic && bytes.len() - arithmetic < 1024, "{} bytes for {arithmetic}", bytes.len());
}

#[test]
fn what_was_written_is_read() {
    let spec = example::tiny_spec();
    let bytes = write(&spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let layers: Vec<_> = model.layers().collect();
    let (LayerSpec::Block(b), bitspike_format::Layer::Block(block)) = (&spec.layers[1], layers[1]) else { panic!() };
    let bitspike_format::WeightSpec::Signs(latent) = &b.weights else { panic!() };
    let bitspike_format::Weights::Signs(words) = block.conv.weights else { panic!() };
    for co in 0..5 {
        for ci in 0..3 {
            for tap in 0..9 {
                let bit = words.get(co * 9 + tap).unwrap() >> ci & 1;
                assert_eq!(bit == 1, latent[(co * 3 + ci) * 9 + tap] >= 0.0, "{co} {ci} {tap}");
            }
        }
    }
    assert!(block.affine.slope.iter().eq(b.slope.iter().copied()));
    assert!(block.affine.offset.iter().eq(b.offset.iter().copied()));
    assert_eq!(block.output(), layers[2].head_input());
    assert_eq!(model.network().pixel(0, 255), 2.0);
    assert_eq!(model.network().pixel(1, 0), -0.5);
}

trait HeadInput {
    fn head_input(&self) -> bitspike_format::Map;
}

impl HeadInput for bitspike_format::Layer<'_> {
    fn head_input(&self) -> bitspike_format::Map {
        match self {
            bitspike_format::Layer::Head(head) => head.input,
            other => panic!("{other:?} is not a head"),
        }
    }
}

#[test]
fn residual_chains_are_read() {
    let mut numbers = example::Numbers::new(3);
    let neuron = Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Hard };
    let mut stem = example::block(&mut numbers, [1, 4], true, GateSpec::None, Pool::None);
    stem.neuron = None;
    let same = example::block(&mut numbers, [4, 4], false, GateSpec::Fixed(vec![0.5, 0.75]), Pool::None);
    let mut wider = example::block(&mut numbers, [4, 6], false, GateSpec::None, Pool::None);
    wider.stride = 2;
    let projection = Some((numbers.take(24), numbers.take(6), numbers.take(6)));
    let mut spec =
        example::chain("4-4", [1, 8, 8], 2, bitspike_format::Features::Average, Pool::None, &|_, _, _| GateSpec::None);
    let mut head = spec.layers.pop().unwrap();
    if let LayerSpec::Head(head) = &mut head {
        head.weights = numbers.take(60);
    }
    spec.layers = vec![
        LayerSpec::Block(stem),
        LayerSpec::Residual(ResidualSpec { block: same, projection: None }),
        LayerSpec::Residual(ResidualSpec { block: wider.clone(), projection }),
        LayerSpec::Neurons(neuron),
        head,
    ];
    let bytes = write(&spec).unwrap();
    assert_eq!(Model::parse(&bytes).unwrap().layers().count(), 5);
    // Without its projection the wider block has no shortcut that fits.
    spec.layers[2] = LayerSpec::Residual(ResidualSpec { block: wider, projection: None });
    let error = write(&spec).unwrap_err();
    assert!(error.to_string().contains("layer 2, projected"), "{error}");
}

#[test]
fn descriptions_that_are_no_network_are_refused_by_layer() {
    let spec = example::tiny_spec;
    let block = |spec: &mut bitspike_format::ModelSpec, change: &dyn Fn(&mut bitspike_format::BlockSpec)| {
        if let LayerSpec::Block(b) = &mut spec.layers[1] {
            change(b);
        }
    };
    let mut rows: Vec<(WriteError, &str)> = Vec::new();
    let mut row = |change: &dyn Fn(&mut bitspike_format::ModelSpec), text| {
        let mut spec = spec();
        change(&mut spec);
        rows.push((write(&spec).unwrap_err(), text));
    };
    row(&|s| block(s, &|b| b.slope.truncate(2)), "layer 1, slope: expected 5 elements, found 2");
    row(&|s| block(s, &|b| b.channels = 70_000), "layer 1, c_out: 70000 does not fit the field");
    row(&|s| block(s, &|b| b.neuron = None), "layer 1, reset");
    row(&|s| block(s, &|b| b.offset[0] = f32::INFINITY), "expected a finite number");
    row(&|s| block(s, &|b| b.gate = GateSpec::Fixed(vec![1.0; 3])), "layer 1, factor: expected 10 elements, found 3");
    row(&|s| s.layers.truncate(2), "a head at the end");
    row(&|s| s.steps = 0, "alpha");
    row(&|s| s.meta.push(("a=b".into(), String::new())), "meta key \"a=b\"");
    let failed: Vec<_> = rows.iter().filter(|(e, text)| !e.to_string().contains(text)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..8),
        truncate in 0usize..4096,
        resealed in any::<bool>(),
        which in 0usize..7,
    ) {
        let mut bytes = files()[which].clone();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if truncate < bytes.len() && truncate % 7 == 0 {
            bytes.truncate(truncate.max(112));
        }
        if resealed {
            reseal(&mut bytes);
        }
        if let Ok(model) = Model::parse(&bytes) {
            // Whatever was accepted can be walked to its head.
            let last = model.layers().last();
            prop_assert!(matches!(last, Some(bitspike_format::Layer::Head(_))));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Model::parse(&bytes).is_err());
    }
}
