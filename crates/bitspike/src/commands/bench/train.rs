//! `bitspike bench train`: a training step and inference of one network, as a table or a line of JSON.

use super::against;
use crate::args::{BenchArgs, Net, What};
use crate::commands::shared::threads;
use crate::error::CliError;
use crate::output;
use bitspike_nn::network::{Head, NetworkConfig, Pooling};
use bitspike_train::device::Device;
use bitspike_train::measure::bench::{Spread, StepTimes, measure};
use bitspike_train::recipe::{Recipe, TrainConfig};
use bitspike_train::run::machine::{cpu_features, cpu_name, kernels, peak_resident_bytes};
use serde::Serialize;

/// Channels, rows and columns of the images, and classes: those of CIFAR-10.
const INPUT: [usize; 3] = [3, 32, 32];
const CLASSES: usize = 10;

/// A network to measure.
pub struct Job {
    /// Its name, `layers` if it was given as text.
    pub net: &'static str,
    /// What is trained.
    pub recipe: Recipe,
}

/// What `--json` prints.
#[derive(Serialize)]
pub struct Line {
    bench: &'static str,
    pub mode: &'static str,
    net: &'static str,
    layers: String,
    #[serde(rename = "T")]
    steps: usize,
    batch: usize,
    threads: usize,
    precision: &'static str,
    recompute: bool,
    method: &'static str,
    device: String,
    kernel: String,
    reps: usize,
    firing_rate: f64,
    firing_rate_after: f64,
    pub train_step_s: f64,
    train_step_min_s: f64,
    train_step_max_s: f64,
    samples_per_s: f64,
    forward_s: f64,
    backward_s: f64,
    optimizer_s: f64,
    flips_s: f64,
    pub infer_batch_s: f64,
    infer_batch_min_s: f64,
    infer_batch_max_s: f64,
    pub infer_1_s: f64,
    infer_1_min_s: f64,
    infer_1_max_s: f64,
    train_peak_rss_mb: Option<u64>,
    pub peak_rss_mb: Option<u64>,
    version: &'static str,
    cpu: String,
    cpu_features: Vec<String>,
}

/// The networks that the arguments ask for.
pub fn jobs(args: &BenchArgs) -> Result<Vec<Job>, CliError> {
    let job = |net, layers: &str| -> Result<Job, CliError> {
        let layers = layers.parse().map_err(|e| CliError::Usage(format!("--layers: {e}")))?;
        let network = NetworkConfig {
            layers,
            steps: args.steps,
            head: Head::Average,
            pooling: Pooling::Current,
            ..NetworkConfig::default()
        };
        let train = TrainConfig { batch_size: args.batch, recompute: args.recompute, ..TrainConfig::default() };
        let recipe = Recipe {
            method: args.method.parse()?,
            precision: args.precision.precision(),
            network,
            train,
            ..Recipe::default()
        };
        // Before anything is measured: a network that does not fit the images.
        recipe.network_options().plan(INPUT, CLASSES)?;
        Ok(Job { net, recipe })
    };
    let named = |net: Net| job(net.name(), net.layers());
    match (&args.layers, args.net, &args.what) {
        (Some(layers), _, _) => Ok(vec![job("layers", layers)?]),
        (None, Some(net), _) => Ok(vec![named(net)?]),
        // The larger one last: the peak of memory is that of the process so far.
        (None, None, What::All) => Ok(vec![named(Net::Small)?, named(Net::Vgg11)?]),
        (None, None, _) => Ok(vec![named(Net::Vgg11)?]),
    }
}

/// Measures one network and prints it, with the other framework beside it if there is one.
pub fn run(args: &BenchArgs, job: &Job, device: &Device) -> Result<(), CliError> {
    // First the others: a process started from one that has grown may count that size as its own.
    let others = match args.against {
        Some(framework) => against::run(framework, args, job)?,
        None => Vec::new(),
    };
    if !args.run.quiet {
        output::note(&format!(
            "measuring {} (T {}, batch {}), {} steps",
            job.net,
            args.steps,
            args.batch,
            args.reps + 1
        ));
    }
    let times = measure(&job.recipe, INPUT, CLASSES, args.rate.into(), args.reps, device)?;
    let line = line(args, job, device, &times);
    if args.run.json {
        output::json(&line)?;
    } else {
        output::result(&table(&line, &times))?;
    }
    against::show(&line, &others, args.run.json)
}

fn line(args: &BenchArgs, job: &Job, device: &Device, t: &StepTimes) -> Line {
    Line {
        bench: "train",
        mode: "bitspike",
        net: job.net,
        layers: job.recipe.network.layers.to_string(),
        steps: args.steps,
        batch: args.batch,
        threads: threads(&args.run),
        precision: args.precision.name(),
        recompute: args.recompute,
        method: job.recipe.method.as_str(),
        device: args.run.device.clone(),
        kernel: kernels(device).to_owned(),
        reps: args.reps,
        firing_rate: t.rates[0],
        firing_rate_after: t.rates[1],
        train_step_s: t.train_step.median,
        train_step_min_s: t.train_step.min,
        train_step_max_s: t.train_step.max,
        samples_per_s: args.batch as f64 / t.train_step.median,
        forward_s: t.forward.median,
        backward_s: t.backward.median,
        optimizer_s: t.optimizer.median,
        flips_s: t.flips.median,
        infer_batch_s: t.infer_batch.median,
        infer_batch_min_s: t.infer_batch.min,
        infer_batch_max_s: t.infer_batch.max,
        infer_1_s: t.infer_1.median,
        infer_1_min_s: t.infer_1.min,
        infer_1_max_s: t.infer_1.max,
        // 2^20 bytes, as tools for processes count.
        train_peak_rss_mb: t.train_peak.map(|bytes| bytes >> 20),
        peak_rss_mb: peak_resident_bytes().map(|bytes| bytes >> 20),
        version: env!("CARGO_PKG_VERSION"),
        cpu: cpu_name(),
        cpu_features: cpu_features(),
    }
}

fn table(l: &Line, t: &StepTimes) -> String {
    let row = |name: &str, s: Spread, more: String| {
        format!("{name:22} {:>10.2} {:>10.2} {:>10.2}  {more}", 1e3 * s.median, 1e3 * s.min, 1e3 * s.max)
            .trim_end()
            .to_owned()
            + "\n"
    };
    let none = String::new;
    let mut text = format!(
        "{} ({}) | method {} | T = {}, batch {} | precision {} | {} thread(s), kernels {}\n{}, bitspike {}\n\n{:22} {:>10} {:>10} {:>10}  of {} repetitions\n",
        l.net,
        l.layers,
        l.method,
        l.steps,
        l.batch,
        if l.recompute { format!("{}, recompute", l.precision) } else { l.precision.to_owned() },
        l.threads,
        l.kernel,
        l.cpu,
        l.version,
        "milliseconds",
        "median",
        "min",
        "max",
        l.reps
    );
    text += &row("training step", t.train_step, format!("{:.1} samples/s", l.samples_per_s));
    text += &row("  forward", t.forward, none());
    text += &row("  loss and backward", t.backward, none());
    text += &row("  optimiser", t.optimizer, none());
    text += &row("  flip tracking", t.flips, none());
    let rate = |n: usize, s: f64| format!("{:.1} samples/s", n as f64 / s);
    text += &row("inference, batch", t.infer_batch, rate(l.batch, l.infer_batch_s));
    text += &row("inference, 1 sample", t.infer_1, rate(1, l.infer_1_s));
    let memory = |mb: Option<u64>| mb.map_or_else(|| "not known on this system".to_owned(), |mb| format!("{mb} MiB"));
    let (train, all) = (memory(l.train_peak_rss_mb), memory(l.peak_rss_mb));
    text +=
        &format!("firing rate {:.1} %, {:.1} % after the steps\n", 100.0 * l.firing_rate, 100.0 * l.firing_rate_after);
    text + &format!("peak memory of the process: {all}; after the training steps: {train}\n")
}
