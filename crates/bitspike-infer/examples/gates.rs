//! What a gate per element costs: VGG-11 (T = 4, made-up weights) with it and with a gate per sample, with floats and with
//! integers, one image after the other on one thread: `cargo run --release -p bitspike-infer --example gates [RUNS [PATH]]`.
//!
//! The four networks take turns, so that whatever else the machine does meets all of them.
#![allow(clippy::print_stdout)]

use bitspike_format::{Model, WordLengths, example, quantise, write, write_integers};
use bitspike_infer::fast::{Engine, KernelPath};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let runs: usize = args.next().map_or(Ok(200), |runs| runs.parse())?;
    let only: Option<KernelPath> = args.next().map(|path| path.parse()).transpose()?;
    let mut files = Vec::new();
    for gate in [&example::sample_gate as example::GateOf<'_>, &example::element_gate] {
        let spec = example::vgg11(gate);
        files.push(write(&spec)?);
        files.push(write_integers(&quantise(&spec, &WordLengths::default())?.0)?);
    }
    let models = files.iter().map(|file| Model::parse(file)).collect::<Result<Vec<_>, _>>()?;
    let image: Vec<f32> = example::Numbers::new(9).take(3 * 32 * 32).into_iter().map(|v| 1.7 * v).collect();
    let fast = |path: &KernelPath| only.map_or(*path != KernelPath::Portable, |only| only == *path);
    for path in KernelPath::available().into_iter().filter(fast) {
        let engines = models.iter().map(|model| Engine::with_path(model, path)).collect::<Result<Vec<_>, _>>()?;
        let mut workspaces: Vec<_> = engines.iter().map(Engine::workspace).collect();
        let mut times = vec![Vec::new(); engines.len()];
        for _ in 0..runs {
            for ((engine, workspace), times) in engines.iter().zip(&mut workspaces).zip(&mut times) {
                let start = Instant::now();
                engine.run(workspace, &image, &mut [0.0; 10], &mut ())?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        for (i, numbers) in ["floats", "integers"].into_iter().enumerate() {
            for (what, at) in [("least", 0), ("median", runs / 2)] {
                let (sample, element) = (times[i][at], times[i + 2][at]);
                let ratio = element / sample;
                println!("{path}, {numbers}, {what}: per sample {sample:.3} ms, per element {element:.3}: {ratio:.3}");
            }
        }
    }
    Ok(())
}
