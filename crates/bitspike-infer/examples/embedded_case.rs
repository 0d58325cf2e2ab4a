//! Writes a case for `embedded/`: a model, samples, what the host makes of them, and the same as C.
//!
//! `embedded_case FOLDER [KIND | MODEL.bsnn SAMPLES.f32]`; without a model, a small network with made-up weights, of one of the
//! kinds `chain` (the default), `residual`, `signal`, `element` (gates per element), `integers`, `residual-integers`,
//! `signal-integers` and `element-integers`.
#![allow(clippy::print_stdout)]

use bitspike_format::{Features, Model, Pool, WordLengths, example, quantise, write, write_integers};
use bitspike_infer::{Digest, run, run_words};
use std::fmt::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let folder = args.first().ok_or("usage: embedded_case FOLDER [KIND | MODEL.bsnn SAMPLES.f32]")?;
    let (bytes, samples) = match &args[1..] {
        [model, samples] => (std::fs::read(model)?, std::fs::read(samples)?),
        kind => {
            let gate = example::sample_gate;
            let (kind, shape) = (kind.first().map_or("chain".into(), |kind| kind.to_string_lossy()), [1, 12, 12]);
            let spec = match kind.trim_end_matches("-integers") {
                "chain" | "integers" => {
                    example::chain("16-32-P-40-P", shape, 3, Features::Average, Pool::Spikes, &gate)
                }
                "element" => {
                    let gate = example::element_gate;
                    example::chain("16-32-P-40-P", shape, 3, Features::Average, Pool::Current, &gate)
                }
                "signal" => {
                    let text = "16-32-P-40-P";
                    example::one_row(example::chain(text, [3, 1, 48], 3, Features::Average, Pool::Spikes, &gate))
                }
                "residual" => example::residual("16-16-40", shape, 3, Features::Average, &gate),
                other => return Err(format!("unknown kind {other:?}").into()),
            };
            let values = example::Numbers::new(1).take(200 * 144);
            let bytes = if kind.ends_with("integers") {
                write_integers(&quantise(&spec, &WordLengths::default())?.0)?
            } else {
                write(&spec)?
            };
            (bytes, values.iter().flat_map(|v| (1.7 * v).to_le_bytes()).collect())
        }
    };
    let model = Model::parse(&bytes)?;
    let n = model.network();
    let inputs = n.input.len() * if n.sequence { n.steps } else { 1 };
    let values: Vec<f32> = samples.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let words = run_words(&model)?;
    let (mut arena, mut logits, mut expected) = (vec![0; words], vec![0.0; n.classes], String::new());
    for sample in values.chunks_exact(inputs) {
        let mut digest = Digest::default();
        run(&model, &mut arena, sample, &mut logits, &mut digest)?;
        write!(expected, "{:08x} {:08x} ", digest.spikes, digest.hash)?;
        logits.iter().try_for_each(|l| write!(expected, "{:08x} ", l.to_bits()))?;
        expected.push('\n');
    }
    std::fs::create_dir_all(folder)?;
    let constants = format!(
        "pub const ARENA_WORDS: usize = {words};\npub const INPUTS: usize = {inputs};\npub const CLASSES: usize = {};\n",
        n.classes
    );
    let c = bitspike_infer::c99::export(&model, "net", &values)?;
    for (name, content) in [
        ("case.rs", constants.as_bytes()),
        ("model.bsnn", &bytes),
        ("samples.f32", &samples),
        ("expected.txt", expected.as_bytes()),
        ("net.h", c.header.as_bytes()),
        ("net.c", c.source.as_bytes()),
        ("net_test.c", c.test.as_bytes()),
    ] {
        std::fs::write(folder.join(name), content)?;
    }
    println!("{} samples, model {} bytes, arena {} bytes", values.len() / inputs, bytes.len(), 4 * words);
    Ok(())
}
