//! Latency of VGG-11 (T = 4, made-up weights) on one thread, and throughput: `cargo run --release --example latency [file]`.
//!
//! In the environment: `NO_GATE` leaves the gate out, `ELEMENT` takes one per element, `RESIDUAL` takes a residual network instead,
//! `INTEGERS` rounds to integers.
#![allow(clippy::print_stdout)]

use bitspike_format::{Features, GateSpec, Map, Model, WordLengths, example, quantise, write, write_integers};
use bitspike_infer::Observer;
use bitspike_infer::fast::{Engine, KernelPath};
use std::time::Instant;

/// Counts spikes per layer.
struct Rates(Vec<(u64, u64)>);

impl Observer for Rates {
    fn spikes(&mut self, layer: usize, _: usize, map: &Map, words: &[u32]) {
        self.0.resize(self.0.len().max(layer + 1), (0, 0));
        let (spikes, all) = &mut self.0[layer];
        *spikes += words.iter().map(|w| u64::from(w.count_ones())).sum::<u64>();
        *all += map.len() as u64;
    }
}

/// Least time from layer to layer.
struct Times {
    last: Instant,
    least: Vec<f64>,
}

impl Observer for Times {
    fn spikes(&mut self, layer: usize, step: usize, _: &Map, _: &[u32]) {
        if step == 0 {
            let now = Instant::now();
            self.least.resize(self.least.len().max(layer + 1), f64::INFINITY);
            self.least[layer] = self.least[layer].min((now - self.last).as_secs_f64() * 1e3);
            self.last = now;
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let set = |name| std::env::var_os(name).is_some();
    let none = |_: usize, _: usize, _: &mut example::Numbers| GateSpec::None;
    let gate: example::GateOf<'_> = match (set("NO_GATE"), set("ELEMENT")) {
        (true, _) => &none,
        (_, true) => &example::element_gate,
        _ => &example::sample_gate,
    };
    let spec = if set("RESIDUAL") {
        example::residual("64-64-64-128-128-256-256", [3, 32, 32], 4, Features::Average, gate)
    } else {
        example::vgg11(gate)
    };
    let bytes = match std::env::args().nth(1) {
        Some(file) => std::fs::read(file)?,
        None if set("INTEGERS") => write_integers(&quantise(&spec, &WordLengths::default())?.0)?,
        None => write(&spec)?,
    };
    let model = Model::parse(&bytes)?;
    let n = *model.network();
    let image: Vec<f32> = example::Numbers::new(9).take(n.input.len()).into_iter().map(|v| 1.7 * v).collect();
    let mut logits = vec![0.0; n.classes];
    for path in KernelPath::ALL.into_iter().filter(|p| p.is_available()) {
        let engine = Engine::with_path(&model, path)?;
        let mut workspace = engine.workspace();
        let mut rates = Rates(Vec::new());
        engine.run(&mut workspace, &image, &mut logits, &mut rates)?;
        let rates: Vec<_> = rates.0.iter().map(|(s, all)| format!("{:.3}", *s as f64 / *all as f64)).collect();
        println!("{}: firing rates {}", path.name(), rates.join(" "));
        let runs = if path == KernelPath::Portable { 5 } else { 200 };
        let mut times: Vec<f64> = (0..runs)
            .map(|_| {
                let start = Instant::now();
                engine.run(&mut workspace, &image, &mut logits, &mut ()).map(|()| start.elapsed().as_secs_f64() * 1e3)
            })
            .collect::<Result<_, _>>()?;
        times.sort_by(f64::total_cmp);
        println!("  one image: min {:.3} ms, median {:.3}, max {:.3}", times[0], times[runs / 2], times[runs - 1]);
        let mut layers = Times { last: Instant::now(), least: Vec::new() };
        for _ in 0..runs {
            layers.last = Instant::now();
            engine.run(&mut workspace, &image, &mut logits, &mut layers)?;
        }
        let least: Vec<_> = layers.least.iter().map(|t| format!("{t:.3}")).collect();
        println!("  least per layer, ms: {} (sum {:.3})", least.join(" "), layers.least.iter().sum::<f64>());
        if path == KernelPath::best() {
            let inputs = image.repeat(32);
            let mut logits = vec![0.0; 32 * n.classes];
            for threads in [1, 0] {
                let start = Instant::now();
                engine.run_batch(&inputs, &mut logits, threads)?;
                println!("  32 images, {threads} threads (0: all): {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(())
}
