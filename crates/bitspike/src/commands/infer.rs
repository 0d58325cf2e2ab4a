//! `bitspike infer`: a deployed file over a data set, and `inspect` of one.

use super::shared::{bytes, recipe};
use super::times::Times;
use crate::args::{InferArgs, RecipeArgs};
use crate::error::CliError;
use crate::output;
use crate::rapl::Meter;
use bitspike_cpu::Setting;
use bitspike_data::{DataSet, evenly};
use bitspike_format::{Map, Model};
use bitspike_infer::fast::Engine;
use bitspike_infer::{Observer, best};
use bitspike_run::{Energy, atomic_write, write_json_atomic, write_text_atomic};
use bitspike_train::measure::confusion::Confusion;
use bitspike_train::measure::energy::{LayerCost, costs, estimate_costs};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// What `infer --json` prints.
#[derive(Serialize)]
struct Scores {
    model: String,
    data: String,
    kernels: &'static str,
    samples: usize,
    accuracy: f64,
    /// Of each class in order.
    recall: Vec<Option<f64>>,
    balanced_accuracy: Option<f64>,
    macro_f1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion: Option<Confusion>,
    firing_rates: Vec<(String, f64)>,
    sop_per_inference: f64,
    energy: Energy,
    energy_measured_mj: Option<f64>,
    energy_not_measured: Option<String>,
    batch1_ms_median: f64,
    batch1_ms_p95: f64,
    batch1_ms_min: f64,
    images_per_second: f64,
}

/// Spikes (as shares of one where they were averaged) and values of every layer.
pub(super) struct Rates(pub(super) Vec<(f64, f64)>);

impl Rates {
    /// Spikes per value and step of every layer that was seen.
    pub(super) fn shares(&self) -> Vec<Option<f64>> {
        self.0.iter().map(|(s, all)| (*all > 0.0).then(|| s / all)).collect()
    }
}

impl Observer for Rates {
    fn spikes(&mut self, layer: usize, _: usize, map: &Map, words: &[u32]) {
        self.0.resize(self.0.len().max(layer + 1), (0.0, 0.0));
        let plane = words.len() / map.planes.max(1);
        for (p, words) in words.chunks_exact(plane.max(1)).enumerate() {
            let ones: u64 = words.iter().map(|w| u64::from(w.count_ones())).sum();
            self.0[layer].0 += (ones << p) as f64 * f64::from(map.unit());
        }
        self.0[layer].1 += map.len() as f64;
    }
}

/// The engine on the kernels of that name, or on the best of this processor.
pub(super) fn engine<'m>(model: &Model<'m>, kernels: Option<&str>) -> Result<Engine<'m>, CliError> {
    let setting = match kernels {
        Some(name) => Setting::parse(name).map_err(|e| CliError::Usage(format!("--kernels: {e}")))?,
        None => Setting::from_env()?,
    };
    Ok(Engine::with_path(model, setting.path())?)
}

/// A data set whose samples the file takes.
pub(super) fn test_set(model: &Model<'_>, args: &RecipeArgs) -> Result<DataSet, CliError> {
    let n = model.network();
    let data = bitspike_data::load_frames(&recipe(args, None)?.data, n.steps)?;
    let (set, shape) = (&data.test, [n.input.channels, n.input.rows, n.input.columns]);
    if set.shape != shape || set.classes.len() != n.classes {
        return Err(CliError::Usage(format!(
            "the file takes frames of {shape:?} and knows {} classes; {} has {:?} and {}",
            n.classes,
            data.name,
            set.shape,
            set.classes.len()
        )));
    }
    if n.sequence != (data.steps() > 1) {
        let what = |sequence| if sequence { "sequences of frames" } else { "single images" };
        let (file, set) = (what(n.sequence), what(data.steps() > 1));
        let todo = "--recipe names the recipe that it was trained with, for data.views has to be the same";
        return Err(CliError::Usage(format!("the file takes {file}; {} has {set}; {todo}", data.name)));
    }
    Ok(data)
}

pub fn run(args: &InferArgs) -> Result<bool, CliError> {
    let file = super::shared::read_bytes(&args.model)?;
    let model = Model::parse(&file).map_err(|source| CliError::Format { path: args.model.clone(), source })?;
    if let Some(source) = &args.follow {
        return super::follow::run(args, &model, source);
    }
    args.write_confusion.as_deref().map(is_json).transpose()?;
    let data = RecipeArgs {
        recipe: args.recipe.clone(),
        data: args.data.clone(),
        data_dir: args.data_dir.clone(),
        ..RecipeArgs::default()
    };
    let data = test_set(&model, &data)?;
    let (n, set) = (model.network(), &data.test);
    let chosen = evenly(if args.samples == 0 { set.len() } else { args.samples }, set.len());
    let (samples, labels) = (chosen.len(), chosen.iter().map(|at| set.labels[*at]).collect::<Vec<_>>());
    let engine = engine(&model, args.kernels.as_deref())?;
    let inputs = super::export::inputs(&model, set, &chosen)?;
    let mut logits = vec![0.0; samples * n.classes];
    let mut all = || {
        let start = Instant::now();
        engine.run_batch(&inputs, &mut logits, args.threads.unwrap_or(0))?;
        Ok::<_, CliError>(start.elapsed().as_secs_f64())
    };
    let (seconds, measured) = match Meter::open() {
        Ok(meter) => meter.measure(all),
        Err(reason) => (all(), Err(reason)),
    };
    let seconds = seconds?;
    if let Some(path) = &args.write_inputs {
        atomic_write(path, |out| inputs.iter().try_for_each(|v| out.write_all(&v.to_le_bytes())))?;
    }
    if let Some(path) = &args.write_predictions {
        write_text_atomic(path, &predictions(&logits, n.classes, &chosen, &labels))?;
    }
    let predicted = logits.chunks_exact(n.classes).map(best);
    let confusion = Confusion::of(n.classes, labels.iter().map(|label| *label as usize).zip(predicted));
    if let Some(path) = &args.write_confusion {
        match is_json(path)? {
            true => write_json_atomic(path, &confusion.named(&set.classes))?,
            false => write_text_atomic(path, &confusion.csv(&set.classes))?,
        }
    }
    // Rates, and one image at a time, on some of them.
    let (mut rates, mut workspace, mut one) = (Rates(Vec::new()), engine.workspace(), vec![0.0; n.classes]);
    let mut times = Vec::new();
    for (i, at) in evenly(500, samples).into_iter().enumerate() {
        let image = &inputs[at * n.input_len()..][..n.input_len()];
        engine.run(&mut workspace, image, &mut one, &mut rates)?;
        if i < 100 {
            let start = Instant::now();
            engine.run(&mut workspace, image, &mut one, &mut ())?;
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
    }
    let times = Times::of(times);
    let rates = rates.shares();
    let costs = costs(&model, &rates);
    let sops = costs.iter().filter_map(|c| c.rate.map(|r| r * c.repeats * c.macs)).sum();
    let scores = Scores {
        model: args.model.display().to_string(),
        data: data.name.clone(),
        kernels: engine.path().name(),
        samples,
        accuracy: confusion.correct() as f64 / samples.max(1) as f64,
        recall: confusion.recall(),
        balanced_accuracy: confusion.balanced_accuracy(),
        macro_f1: confusion.macro_f1(),
        confusion: confusion.shown().is_some().then(|| confusion.clone()),
        firing_rates: names(&model).into_iter().zip(&rates).filter_map(|(n, r)| Some((n, (*r)?))).collect(),
        sop_per_inference: sops,
        energy: estimate_costs(&costs, n.steps as f64),
        energy_measured_mj: measured.as_ref().ok().map(|m| 1e3 * m.joules / samples.max(1) as f64),
        energy_not_measured: measured.err(),
        batch1_ms_median: times.median,
        batch1_ms_p95: times.p95,
        batch1_ms_min: times.min,
        images_per_second: samples as f64 / seconds.max(1e-9),
    };
    let measured = match (scores.energy_measured_mj, &scores.energy_not_measured) {
        (Some(mj), _) => format!("measured: {mj:.4} mJ (RAPL counters; everything on the processor, idle power too)"),
        (None, reason) => format!("measured: no; {}", reason.as_deref().unwrap_or_default()),
    };
    if args.json {
        output::json(&scores)?;
    } else {
        let rates: Vec<String> = scores.firing_rates.iter().map(|(n, r)| format!("{n} {r:.3}")).collect();
        output::result(&format!(
            "{} on {} test images of {}: accuracy {:.2} %\n{}\
             firing rates {}; {:.3e} additions per spike and image\n\
             one image on one thread, {} kernels: median {:.3} ms, p95 {:.3}, min {:.3}; together {:.0} images/s\n\
             energy per image, {}\n\
             energy per image, estimates, not measurements: {:.3} uJ compute only; {:.3} uJ with memory traffic; \
             {:.3} uJ the same network without spikes\n{}",
            scores.model,
            scores.samples,
            scores.data,
            100.0 * scores.accuracy,
            confusion.text(&set.classes),
            rates.join(", "),
            scores.sop_per_inference,
            scores.kernels,
            scores.batch1_ms_median,
            scores.batch1_ms_p95,
            scores.batch1_ms_min,
            scores.images_per_second,
            measured,
            scores.energy.compute_pj * 1e-6,
            scores.energy.with_memory_pj * 1e-6,
            scores.energy.quantised_ann_pj * 1e-6,
            scores.energy.assumptions
        ))?;
    }
    Ok(args.min_accuracy.is_none_or(|min| scores.accuracy >= min))
}

/// Whether a confusion matrix is written as JSON; else it is CSV.
fn is_json(path: &Path) -> Result<bool, CliError> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Ok(true),
        Some("csv") => Ok(false),
        _ => Err(CliError::Usage(format!(
            "--write-confusion {}: expected a name that ends in .csv or .json",
            path.display()
        ))),
    }
}

/// A line per image: its number in the test part, label, prediction, logits, the last with as many digits as make the same float again.
fn predictions(logits: &[f32], classes: usize, samples: &[usize], labels: &[u32]) -> String {
    let mut text = "sample,label,predicted".to_owned();
    text.extend((0..classes).map(|class| format!(",logit{class}")));
    for ((logits, label), i) in logits.chunks_exact(classes).zip(labels).zip(samples) {
        text += &format!("\n{i},{label},{}", best(logits));
        text.extend(logits.iter().map(|v| format!(",{v:?}")));
    }
    text + "\n"
}

/// Names of the layers, as the trainer has them.
pub(super) fn names(model: &Model<'_>) -> Vec<String> {
    let last = model.layers().count().saturating_sub(1);
    let name = |(i, l)| bitspike_format::layer_name(i, last, matches!(l, bitspike_format::Layer::Neurons(_)));
    model.layers().enumerate().map(name).collect()
}

/// What `inspect FILE.bsnn --json` prints.
#[derive(Serialize)]
struct Inspected {
    file: String,
    flash_bytes: usize,
    arena_bytes_run: usize,
    arena_bytes_step: usize,
    binary_weights: u64,
    real_parameters: u64,
    t: usize,
    input: [usize; 3],
    classes: usize,
    layers: Vec<InspectedLayer>,
    meta: Vec<(String, String)>,
}

#[derive(Serialize)]
struct InspectedLayer {
    name: String,
    binary: bool,
    weight_bytes: f64,
    macs: f64,
    repeats: f64,
    neurons: f64,
}

/// `bitspike inspect FILE.bsnn`.
pub(super) fn inspect(path: &Path, json: bool) -> Result<bool, CliError> {
    let file = super::shared::read_bytes(path)?;
    let model = Model::parse(&file).map_err(|source| CliError::Format { path: path.to_owned(), source })?;
    let n = model.network();
    let layer = |(name, c): (String, LayerCost)| InspectedLayer {
        name,
        binary: c.binary,
        weight_bytes: c.weight_bytes,
        macs: c.macs,
        repeats: c.repeats,
        neurons: c.neurons,
    };
    let report = Inspected {
        file: path.display().to_string(),
        flash_bytes: model.file_bytes(),
        arena_bytes_run: 4 * bitspike_infer::run_words(&model)?,
        arena_bytes_step: 4 * bitspike_infer::step_words(&model)?,
        binary_weights: model.binary_weights(),
        real_parameters: model.real_parameters(),
        t: n.steps,
        input: [n.input.channels, n.input.rows, n.input.columns],
        classes: n.classes,
        layers: names(&model).into_iter().zip(costs(&model, &[])).map(layer).collect(),
        meta: model.meta().lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect(),
    };
    if json {
        output::json(&report)?;
        return Ok(true);
    }
    let [c, h, w] = report.input;
    let mut text = format!(
        "{}: {} in flash; memory of an inference {} for whole images, {} step by step\n\
         {c}x{h}x{w}, {} classes, T = {}; {} binary weights and {} real parameters\n\n\
         {:12} {:>5} {:>12} {:>14} {:>4} {:>10}\n",
        report.file,
        bytes(report.flash_bytes as u64),
        bytes(report.arena_bytes_run as u64),
        bytes(report.arena_bytes_step as u64),
        report.classes,
        report.t,
        report.binary_weights,
        report.real_parameters,
        "layer",
        "bits",
        "weights, B",
        "MAC per step",
        "x",
        "neurons"
    );
    for l in &report.layers {
        let bits = if l.binary { 1 } else { 32 };
        text += &format!(
            "{:12} {bits:>5} {:>12} {:>14} {:>4} {:>10}\n",
            l.name, l.weight_bytes, l.macs, l.repeats, l.neurons
        );
    }
    text += "\nadditions per spike and energy depend on the firing rates: `bitspike infer` measures them\n";
    for (key, value) in report.meta.iter().filter(|(k, _)| !k.starts_with("class.")) {
        text += &format!("{key} = {value}\n");
    }
    output::result(&text)?;
    Ok(true)
}
