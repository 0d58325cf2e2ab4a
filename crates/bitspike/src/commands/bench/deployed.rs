//! `bitspike bench FILE.bsnn`: latency, throughput, time per layer and energy of a deployed file.

use crate::args::BenchArgs;
use crate::commands::export;
use crate::commands::infer::{Rates, engine, names, test_set};
use crate::commands::shared::read_bytes;
use crate::commands::times::Times;
use crate::error::CliError;
use crate::output;
use crate::rapl::Meter;
use bitspike_data::evenly;
use bitspike_format::{Map, Model, example::Numbers};
use bitspike_infer::Observer;
use bitspike_infer::fast::Engine;
use bitspike_train::measure::bench::Spread;
use bitspike_train::measure::energy::{costs, estimate_costs};
use bitspike_train::run::machine::{cpu_name, peak_resident_bytes};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Energy is counted over at least so long.
const ENERGY_SECONDS: f64 = 1.0;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    bench: &'static str,
    model: String,
    images: String,
    kernels: &'static str,
    batch: usize,
    reps: usize,
    batch1_ms: Times,
    throughput: Vec<Throughput>,
    layers: Vec<Layer>,
    energy_measured: Option<Energy>,
    energy_not_measured: Option<String>,
    energy_estimate: bitspike_run::Energy,
    flash_bytes: usize,
    arena_bytes_run: usize,
    peak_rss_mb: Option<u64>,
    version: &'static str,
    cpu: String,
}

#[derive(Serialize)]
struct Throughput {
    threads: usize,
    batch_ms_median: f64,
    batch_ms_min: f64,
    batch_ms_max: f64,
    images_per_second: f64,
}

#[derive(Serialize)]
struct Layer {
    layer: String,
    ms: f64,
    share: f64,
    firing_rate: Option<f64>,
    additions: f64,
    estimated_uj: f64,
}

#[derive(Serialize)]
struct Energy {
    millijoules_per_image: f64,
    images: usize,
    seconds: f64,
    threads: usize,
    idle_watts: f64,
    zones: Vec<String>,
}

/// Time from what was seen last, added to the layer that is seen next.
struct Laps {
    last: Instant,
    seconds: Vec<f64>,
}

impl Observer for Laps {
    fn spikes(&mut self, layer: usize, _: usize, _: &Map, _: &[u32]) {
        let now = Instant::now();
        self.seconds[layer] += (now - self.last).as_secs_f64();
        self.last = now;
    }
}

pub fn run(args: &BenchArgs, path: &Path) -> Result<(), CliError> {
    let file = read_bytes(path)?;
    let model = Model::parse(&file).map_err(|source| CliError::Format { path: path.to_owned(), source })?;
    let (images, inputs) = images(args, &model)?;
    let engine = engine(&model, args.kernels.as_deref())?;
    let (batch1, layers) = one_by_one(&model, &engine, &inputs, args.reps)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = args.run.threads.unwrap_or(cores).min(args.batch);
    let mut throughput = vec![batches(&model, &engine, &inputs, args.batch, args.reps, 1)?];
    if most > 1 {
        throughput.push(batches(&model, &engine, &inputs, args.batch, args.reps, most)?);
    }
    let measured = energy(&model, &engine, &inputs, most)?;
    let rates = rates(&model, &engine, &inputs)?;
    let costs = costs(&model, &rates);
    let steps = model.network().steps as f64;
    let total: f64 = layers.iter().sum();
    let lines = names(&model).into_iter().zip(&layers).zip(&costs).enumerate().map(|(i, ((layer, s), cost))| Layer {
        layer,
        ms: 1e3 * s,
        share: s / total,
        firing_rate: rates.get(i).copied().flatten(),
        additions: cost.rate.map_or(0.0, |rate| rate * cost.repeats * cost.macs),
        estimated_uj: 1e-6 * estimate_costs(std::slice::from_ref(cost), steps).with_memory_pj,
    });
    let (energy_measured, energy_not_measured) = match measured {
        Ok(energy) => (Some(energy), None),
        Err(reason) => (None, Some(reason)),
    };
    let report = Report {
        bench: "deployed",
        model: path.display().to_string(),
        images,
        kernels: engine.path().name(),
        batch: args.batch,
        reps: args.reps,
        batch1_ms: batch1,
        throughput,
        layers: lines.collect(),
        energy_measured,
        energy_not_measured,
        energy_estimate: estimate_costs(&costs, steps),
        flash_bytes: model.file_bytes(),
        arena_bytes_run: 4 * bitspike_infer::run_words(&model)?,
        peak_rss_mb: peak_resident_bytes().map(|b| b >> 20),
        version: env!("CARGO_PKG_VERSION"),
        cpu: cpu_name(),
    };
    if args.run.json { output::json(&report) } else { output::result(&text(&report)) }
}

/// Images of a data set, or made-up ones; what they are, and their values.
fn images(args: &BenchArgs, model: &Model<'_>) -> Result<(String, Vec<f32>), CliError> {
    let n = model.network();
    if args.data.is_none() && args.data_dir.is_none() && args.recipe.is_none() {
        let mut numbers = Numbers::new(1);
        // Bytes from 0 to 255.
        let byte = |v: f32| (127.5 + 127.5 * v).round() as u8;
        let values = (0..args.batch * n.input_len()).map(|i| n.pixel(n.channel(i), byte(numbers.draw())));
        return Ok((format!("{} random images", args.batch), values.collect()));
    }
    let keys = crate::args::RecipeArgs {
        recipe: args.recipe.clone(),
        data: args.data.clone(),
        data_dir: args.data_dir.clone(),
        ..Default::default()
    };
    let data = test_set(model, &keys)?;
    let samples = evenly(args.batch, data.test.len());
    let values = export::inputs(model, &data.test, &samples)?;
    let count = samples.len();
    Ok((format!("{count} test images of {}", data.name), values))
}

/// Times of one image at a time, and the median seconds of every layer.
fn one_by_one(
    model: &Model<'_>,
    engine: &Engine<'_>,
    inputs: &[f32],
    reps: usize,
) -> Result<(Times, Vec<f64>), CliError> {
    let (n, mut workspace) = (model.network(), engine.workspace());
    let mut logits = vec![0.0; n.classes];
    let images = || inputs.chunks_exact(n.input_len());
    for image in images() {
        engine.run(&mut workspace, image, &mut logits, &mut ())?;
    }
    let layers = model.layers().count();
    let (mut times, mut laps) = (Vec::new(), vec![Vec::new(); layers]);
    for _ in 0..reps {
        for image in images() {
            let start = Instant::now();
            engine.run(&mut workspace, image, &mut logits, &mut ())?;
            times.push(1e3 * start.elapsed().as_secs_f64());
            // Looking costs time, so layers are timed in a run of their own.
            let mut seen = Laps { last: Instant::now(), seconds: vec![0.0; layers] };
            engine.run(&mut workspace, image, &mut logits, &mut seen)?;
            seen.seconds[layers - 1] += seen.last.elapsed().as_secs_f64();
            laps.iter_mut().zip(seen.seconds).for_each(|(all, s)| all.push(s));
        }
    }
    Ok((Times::of(times), laps.into_iter().map(|s| Spread::of(s).median).collect()))
}

fn batches(
    model: &Model<'_>,
    engine: &Engine<'_>,
    inputs: &[f32],
    batch: usize,
    reps: usize,
    threads: usize,
) -> Result<Throughput, CliError> {
    let n = model.network();
    // A data set may have fewer images than a batch.
    let inputs: Vec<f32> = inputs.iter().copied().cycle().take(batch * n.input_len()).collect();
    let mut logits = vec![0.0; batch * n.classes];
    let mut once = || -> Result<f64, CliError> {
        let start = Instant::now();
        engine.run_batch(&inputs, &mut logits, threads)?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    };
    once()?;
    let times = Spread::of((0..reps).map(|_| once()).collect::<Result<_, _>>()?);
    Ok(Throughput {
        threads,
        batch_ms_median: times.median,
        batch_ms_min: times.min,
        batch_ms_max: times.max,
        images_per_second: 1e3 * batch as f64 / times.median,
    })
}

/// Energy counted while batches run, or why it cannot be counted.
fn energy(
    model: &Model<'_>,
    engine: &Engine<'_>,
    inputs: &[f32],
    threads: usize,
) -> Result<Result<Energy, String>, CliError> {
    let meter = match Meter::open() {
        Ok(meter) => meter,
        Err(reason) => return Ok(Err(reason)),
    };
    let wait = std::time::Duration::from_secs_f64(ENERGY_SECONDS);
    let idle = meter.measure(|| std::thread::sleep(wait)).1;
    let (batch, classes) = (inputs.len() / model.network().input_len(), model.network().classes);
    let mut logits = vec![0.0; batch * classes];
    let (images, measured) = meter.measure(|| {
        let (start, mut images) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < ENERGY_SECONDS {
            engine.run_batch(inputs, &mut logits, threads)?;
            images += batch;
        }
        Ok::<_, CliError>(images)
    });
    let images = images?;
    Ok(idle.and_then(|idle| {
        let measured = measured?;
        Ok(Energy {
            millijoules_per_image: 1e3 * measured.joules / images as f64,
            images,
            seconds: measured.seconds,
            threads,
            idle_watts: idle.joules / idle.seconds,
            zones: measured.zones,
        })
    }))
}

fn rates(model: &Model<'_>, engine: &Engine<'_>, inputs: &[f32]) -> Result<Vec<Option<f64>>, CliError> {
    let (mut rates, mut workspace) = (Rates(Vec::new()), engine.workspace());
    let mut logits = vec![0.0; model.network().classes];
    for image in inputs.chunks_exact(model.network().input_len()) {
        engine.run(&mut workspace, image, &mut logits, &mut rates)?;
    }
    Ok(rates.shares())
}

fn text(r: &Report) -> String {
    let mut text = format!(
        "{}: {}, {} kernels, {}, bitspike {}\n\
         one image, one thread: median {:.3} ms (min {:.3}, p95 {:.3}, max {:.3})\n",
        r.model,
        r.images,
        r.kernels,
        r.cpu,
        r.version,
        r.batch1_ms.median,
        r.batch1_ms.min,
        r.batch1_ms.p95,
        r.batch1_ms.max
    );
    for t in &r.throughput {
        text += &format!(
            "{} images, {} thread{}: median {:.2} ms (min {:.2}, max {:.2}), {:.0} images/s\n",
            r.batch,
            t.threads,
            if t.threads == 1 { "" } else { "s" },
            t.batch_ms_median,
            t.batch_ms_min,
            t.batch_ms_max,
            t.images_per_second
        );
    }
    text += &format!(
        "\n{:12} {:>10} {:>7} {:>12} {:>14} {:>16}\n",
        "layer", "ms", "share", "firing rate", "additions", "estimated uJ"
    );
    for l in &r.layers {
        let rate = l.firing_rate.map_or("-".to_owned(), |rate| format!("{rate:.3}"));
        text += &format!(
            "{:12} {:>10.4} {:>5.1} % {rate:>12} {:>14.0} {:>16.3}\n",
            l.layer,
            l.ms,
            100.0 * l.share,
            l.additions,
            l.estimated_uj
        );
    }
    text += "(times are measured, of one image; of a residual network, stem and head stand in the line of the first block)\n\n";
    text += &match (&r.energy_measured, &r.energy_not_measured) {
        (Some(e), _) => format!(
            "energy, measured: {:.4} mJ per image with {} threads, idle power included ({:.1} W idle), over {} images in \
             {:.1} s; counters: {}\n",
            e.millijoules_per_image,
            e.threads,
            e.idle_watts,
            e.images,
            e.seconds,
            e.zones.join(", ")
        ),
        (None, reason) => format!("energy: not measured: {}\n", reason.as_deref().unwrap_or_default()),
    };
    text += &format!(
        "energy, estimates, not measurements: {:.3} uJ compute only; {:.3} uJ with memory traffic; {:.3} uJ the same network \
         without spikes\n{}\n",
        r.energy_estimate.compute_pj * 1e-6,
        r.energy_estimate.with_memory_pj * 1e-6,
        r.energy_estimate.quantised_ann_pj * 1e-6,
        r.energy_estimate.assumptions
    );
    text
}
