//! `bitspike infer --follow`: windows of an event stream, classified as they come.
//!
//! Windows follow each other from the first event's time. A window ends when an event of a later one arrives, or the stream
//! ends; events that arrive after their window was classified are counted, not used. Latency is the time from the window's end
//! being known to its class: framing and inference.

use super::infer::engine;
use super::recipe;
use super::times::Times;
use crate::args::{InferArgs, RecipeArgs};
use crate::error::CliError;
use crate::output;
use bitspike_events::dataset::Framer;
use bitspike_events::{Event, EventReader};
use bitspike_format::Model;
use bitspike_infer::best;
use bitspike_infer::fast::{Engine, Workspace};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    start_us: i64,
    events: usize,
    class: &'a str,
    /// Logit of the class less that of the second.
    margin: f32,
    latency_ms: f64,
}

/// Events read at a time; a pipe gives what it has.
const BATCH: usize = 4096;

pub fn run(args: &InferArgs, model: &Model<'_>, source: &Path) -> Result<bool, CliError> {
    let n = model.network();
    let recipe = recipe(&RecipeArgs { recipe: args.recipe.clone(), ..RecipeArgs::default() }, None)?;
    let usage = |text: &str| CliError::Usage(text.to_owned());
    let config = recipe.data.event_config(n.steps).ok_or_else(|| usage("--follow: the recipe's data are no events"))?;
    let window = args.window_ms.or(config.options.window_ms).filter(|ms| *ms > 0);
    let window = window.ok_or_else(|| usage("--follow: give --window-ms N, or data.events.window_ms in the recipe"))?;
    let options = config.read_options()?;
    let mut reader = match source.to_str() {
        Some("-") => EventReader::from_stream(Path::new("standard input"), std::io::stdin(), &options)?,
        _ => EventReader::open(source, &options)?,
    };
    let told = reader.geometry().map(|(width, height)| [height as usize, width as usize]);
    let sensor = config.set.sensor().or(config.options.sensor).or(told);
    let sensor = sensor.ok_or_else(|| usage("--follow: the stream does not say its size; set data.events.sensor"))?;
    let framer = Framer::new(&config, sensor)?;
    let shape = [n.input.channels, n.input.rows, n.input.columns];
    if framer.shape() != shape || !n.sequence {
        let found = framer.shape();
        return Err(CliError::Usage(format!("the file takes frames of {shape:?}; the recipe makes {found:?}")));
    }
    let classes: Vec<&str> =
        model.meta().lines().filter_map(|l| l.strip_prefix("class.")?.split_once('=')).map(|(_, name)| name).collect();
    let engine = engine(model, args.kernels.as_deref())?;
    let mut follow = Follow {
        model,
        framer,
        workspace: engine.workspace(),
        engine,
        classes,
        json: args.json,
        window: i64::from(window) * 1000,
        start: None,
        events: Vec::new(),
        latencies: Vec::new(),
        late: 0,
    };
    let mut batch = vec![Event::default(); BATCH];
    loop {
        let count = reader.read(&mut batch)?;
        if count == 0 {
            break;
        }
        batch[..count].iter().try_for_each(|event| follow.take(*event))?;
    }
    follow.finish()?;
    Ok(true)
}

struct Follow<'a, 'm> {
    model: &'a Model<'m>,
    framer: Framer,
    engine: Engine<'m>,
    workspace: Workspace,
    classes: Vec<&'a str>,
    json: bool,
    /// Microseconds.
    window: i64,
    /// Of the window that is being filled.
    start: Option<i64>,
    events: Vec<Event>,
    latencies: Vec<f64>,
    late: u64,
}

impl Follow<'_, '_> {
    fn take(&mut self, event: Event) -> Result<(), CliError> {
        let start = *self.start.get_or_insert(event.t);
        if event.t < start {
            self.late += 1;
            return Ok(());
        }
        if event.t - start >= self.window {
            self.classify(start)?;
            // Windows without events are passed over.
            self.start = Some(start + (event.t - start) / self.window * self.window);
        }
        self.events.push(event);
        Ok(())
    }

    /// Classifies the window from `start` on and empties it.
    fn classify(&mut self, start: i64) -> Result<(), CliError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let (begin, n) = (Instant::now(), self.model.network());
        let frames = self.framer.frames(&self.events, (start, start + self.window))?;
        let input: Vec<f32> = frames.iter().enumerate().map(|(k, v)| n.pixel(n.channel(k), *v)).collect();
        let mut logits = vec![0.0; n.classes];
        self.engine.run(&mut self.workspace, &input, &mut logits, &mut ())?;
        let latency_ms = 1e3 * begin.elapsed().as_secs_f64();
        let class = best(&logits);
        let top = logits[class];
        let others = logits.iter().enumerate().filter(|(k, _)| *k != class).map(|(_, v)| *v);
        let margin = top - others.fold(f32::NEG_INFINITY, f32::max);
        let number = class.to_string();
        let class = self.classes.get(class).copied().unwrap_or(&number);
        let line = Line { start_us: start, events: self.events.len(), class, margin, latency_ms };
        if self.json {
            output::json(&line)?;
        } else {
            output::result(&format!(
                "{:>12.3} s  {:>8} events  {:20} margin {:>7.3}  {:.2} ms",
                1e-6 * start as f64,
                line.events,
                line.class,
                line.margin,
                line.latency_ms
            ))?;
        }
        self.latencies.push(latency_ms);
        self.events.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), CliError> {
        if let Some(start) = self.start {
            self.classify(start)?;
        }
        if self.json {
            return Ok(());
        }
        let (count, times) = (self.latencies.len(), Times::of(self.latencies));
        output::result(&format!(
            "{count} windows; latency median {:.2} ms, p95 {:.2}; {} late events",
            times.median, times.p95, self.late
        ))
    }
}
