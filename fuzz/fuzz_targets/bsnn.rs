//! `.bsnn` files: whatever the bytes, a typed error or a network that can be walked to its head and, if it is small, run.
//! Checksums are made to fit, else nothing behind them would be reached.
#![no_main]

use bitspike_format::{Layer, Model, crc32c};
use bitspike_infer::{run, run_words};
use libfuzzer_sys::fuzz_target;

/// Offsets in `docs/format.md`.
const TABLE: usize = 28;
const CHECKSUM: usize = 92;

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut bytes = bytes.to_vec();
    if bytes.len() < CHECKSUM + 4 {
        return;
    }
    let length = bytes.len() as u32;
    bytes[16..20].copy_from_slice(&length.to_le_bytes());
    for entry in (TABLE..CHECKSUM).step_by(16) {
        let field = |i: usize| u32::from_le_bytes(bytes[entry + i..entry + i + 4].try_into().unwrap()) as usize;
        let (start, length) = (field(4), field(8));
        if let Some(body) = bytes.get(start..start.saturating_add(length)) {
            let checksum = crc32c(body);
            bytes[entry + 12..entry + 16].copy_from_slice(&checksum.to_le_bytes());
        }
    }
    let checksum = crc32c(&bytes[..CHECKSUM]);
    bytes[CHECKSUM..CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
    check(&bytes);
});

fn check(bytes: &[u8]) {
    if let Ok(model) = Model::parse(bytes) {
        assert!(matches!(model.layers().last(), Some(Layer::Head(_))));
        assert!(model.layers().count() >= 2 && model.binary_weights() <= 8 * bytes.len() as u64);
        let n = model.network();
        if n.input.len() < 1 << 12 && n.steps < 8 && run_words(&model).is_ok_and(|words| words < 1 << 16) {
            let mut arena = vec![0xA5A5_A5A5; run_words(&model).unwrap()];
            let mut logits = vec![0.0; n.classes];
            run(&model, &mut arena, &vec![0.7; n.input.len()], &mut logits, &mut ()).unwrap();
        }
    }
}
