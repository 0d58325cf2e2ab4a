//! `.bsnn` files: whatever the bytes, a typed error or a network that can be walked to its head and, if it is small, run.
//! Checksums are made to fit, else nothing behind them would be reached; of files with integers or a feed, which have a section more, too. What the
//! portable code and the fast engine make of a file must be the same.
#![no_main]

use bitspike_format::{Layer, Map, Model, crc32c};
use bitspike_infer::fast::Engine;
use bitspike_infer::{Digest, Observer, run, run_words};
use libfuzzer_sys::fuzz_target;

/// Offsets in `docs/reference/format.md`.
const TABLE: usize = 28;
const CHECKSUM: usize = 92;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut bytes = bytes.to_vec();
    // Layers with integers have a section more, and so has what the network is fed with.
    let (version, sections) = (bytes.get(8).copied(), bytes.get(10).copied());
    let feed = version >= Some(5);
    let integers = version == Some(2) || (version >= Some(3) && sections == Some(if feed { 6 } else { 5 }));
    let checksum = CHECKSUM + 16 * (usize::from(integers) + usize::from(feed));
    if bytes.len() < checksum + 4 {
        return;
    }
    let length = bytes.len() as u32;
    bytes[16..20].copy_from_slice(&length.to_le_bytes());
    for entry in (TABLE..checksum).step_by(16) {
        let field = |i: usize| u32::from_le_bytes(bytes[entry + i..entry + i + 4].try_into().unwrap()) as usize;
        let (start, length) = (field(4), field(8));
        if let Some(body) = bytes.get(start..start.saturating_add(length)) {
            let crc = crc32c(body);
            bytes[entry + 12..entry + 16].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let crc = crc32c(&bytes[..checksum]);
    bytes[checksum..checksum + 4].copy_from_slice(&crc.to_le_bytes());
    check(&bytes);
});

fn check(bytes: &[u8]) {
    if let Ok(model) = Model::parse(bytes) {
        assert!(matches!(model.layers().last(), Some(Layer::Head(_))));
        assert!(model.layers().count() >= 2 && model.binary_weights() <= 8 * bytes.len() as u64);
        let n = model.network();
        if n.input.len() < 1 << 12 && n.steps < 8 && run_words(&model).is_ok_and(|words| words < 1 << 16) {
            let mut arena = vec![0xA5A5_A5A5; run_words(&model).unwrap()];
            let (mut logits, mut other) = (vec![0.0; n.classes], vec![0.0; n.classes]);
            let (mut seen, mut fast) = (Layers::default(), Layers::default());
            let input = vec![0.7; n.input.len()];
            run(&model, &mut arena, &input, &mut logits, &mut seen).unwrap();
            let engine = Engine::new(&model).unwrap();
            engine.run(&mut engine.workspace(), &input, &mut other, &mut fast).unwrap();
            assert_eq!(seen.0, fast.0);
            let bits = |logits: &[f32]| logits.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            // The bits of a NaN are not defined.
            assert!(logits.iter().any(|v| v.is_nan()) || bits(&logits) == bits(&other));
        }
    }
}

/// A digest per layer: the order of steps and layers is not the same everywhere.
#[derive(Default)]
struct Layers(Vec<Digest>);

impl Observer for Layers {
    fn spikes(&mut self, layer: usize, step: usize, map: &Map, words: &[u32]) {
        self.0.resize(self.0.len().max(layer + 1), Digest::default());
        self.0[layer].spikes(layer, step, map, words);
    }
}
