//! `bitspike infer --follow`: windows of a stream, classified as they come.
//!
//! Of events: windows follow each other from the first event's time. A window ends when an event of a later one arrives, or the
//! stream ends; events that arrive after their window was classified are counted, not used.
//!
//! Of sensors: windows are those of [`bitspike_sensors::Streamed`], with channels, rate, centre and scale from the file.
//!
//! Latency is the time from the window's end being known to its class: frames or inputs, and inference.

use super::infer::engine;
use super::shared::recipe;
use super::times::Times;
use crate::args::{InferArgs, RecipeArgs};
use crate::error::CliError;
use crate::output;
use bitspike_data::SetName;
use bitspike_events::dataset::{EventConfig, Framer};
use bitspike_events::{Event, EventReader};
use bitspike_format::{Model, Network};
use bitspike_infer::best;
use bitspike_infer::fast::{Engine, Workspace};
use bitspike_sensors::{Encoded, Encoder, Fitted, Scaler, SensorConfig, Streamed};
use bitspike_train::recipe::Recipe;
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

/// A line of `--json`, of events.
#[derive(Serialize)]
struct EventLine<'a> {
    start_us: i64,
    events: usize,
    #[serde(flatten)]
    answer: &'a Answer,
}

/// A line of `--json`, of sensors.
#[derive(Serialize)]
struct SensorLine<'a> {
    first_sample: u64,
    start_s: Option<f64>,
    #[serde(flatten)]
    answer: &'a Answer,
}

/// What the network says of a window.
#[derive(Serialize)]
struct Answer {
    class: String,
    /// Logit of the class less that of the second.
    margin: f32,
    latency_ms: f64,
}

/// Events read at a time; a pipe gives what it has.
const BATCH: usize = 4096;

pub fn run(args: &InferArgs, model: &Model<'_>, source: &Path) -> Result<bool, CliError> {
    let recipe = recipe(&RecipeArgs { recipe: args.recipe.clone(), ..RecipeArgs::default() }, None)?;
    let classifier = Classifier::new(args, model)?;
    let piped = source.to_str() == Some("-");
    match recipe.data.set {
        SetName::Sensors if args.window_ms.is_some() => {
            Err(usage("--window-ms is of event streams; windows of sensors are as long as in training"))
        }
        SetName::Sensors if piped => sensors(classifier, &recipe, Path::new("standard input"), std::io::stdin().lock()),
        SetName::Sensors => {
            let file = File::open(source).map_err(|e| CliError::Read { path: source.to_owned(), source: e })?;
            sensors(classifier, &recipe, source, BufReader::new(file))
        }
        _ => events(args, classifier, &recipe, source, piped),
    }
}

fn usage(text: &str) -> CliError {
    CliError::Usage(text.to_owned())
}

/// The network, and what it took so far.
struct Classifier<'m> {
    model: &'m Model<'m>,
    engine: Engine<'m>,
    workspace: Workspace,
    classes: Vec<String>,
    json: bool,
    latencies: Vec<f64>,
}

impl<'m> Classifier<'m> {
    fn new(args: &InferArgs, model: &'m Model<'m>) -> Result<Self, CliError> {
        let engine = engine(model, args.kernels.as_deref())?;
        Ok(Self {
            model,
            workspace: engine.workspace(),
            engine,
            classes: classes(model),
            json: args.json,
            latencies: Vec::new(),
        })
    }

    /// The class of an input, of which something was known from `begin` on.
    fn classify(&mut self, begin: Instant, input: &[f32]) -> Result<Answer, CliError> {
        let mut logits = vec![0.0; self.model.network().classes];
        self.engine.run(&mut self.workspace, input, &mut logits, &mut ())?;
        let latency_ms = 1e3 * begin.elapsed().as_secs_f64();
        let class = best(&logits);
        let top = logits[class];
        let others = logits.iter().enumerate().filter(|(k, _)| *k != class).map(|(_, v)| *v);
        let margin = top - others.fold(f32::NEG_INFINITY, f32::max);
        let class = self.classes[class].clone();
        self.latencies.push(latency_ms);
        Ok(Answer { class, margin, latency_ms })
    }

    fn show(&self, when: &str, answer: &Answer, line: &impl Serialize) -> Result<(), CliError> {
        let Answer { class, margin, latency_ms } = answer;
        match self.json {
            true => output::json(line),
            false => output::result(&format!("{when}  {class:20} margin {margin:>7.3}  {latency_ms:.2} ms")),
        }
    }

    fn finish(self, left_out: &str) -> Result<bool, CliError> {
        if !self.json {
            let (count, times) = (self.latencies.len(), Times::of(self.latencies));
            let (median, p95) = (times.median, times.p95);
            output::result(&format!("{count} windows; latency median {median:.2} ms, p95 {p95:.2}; {left_out}"))?;
        }
        Ok(true)
    }
}

fn sensors(mut classifier: Classifier<'_>, recipe: &Recipe, name: &Path, from: impl BufRead) -> Result<bool, CliError> {
    let (model, n) = (classifier.model, classifier.model.network());
    // Nothing is read from the folder of the recordings, so any will do.
    let config = SensorConfig { path: ".".into(), ..recipe.data.sensors.clone().unwrap_or_default() };
    let fitted = fitted(model)?;
    let rate = fitted.rate_hz;
    let mut windows = Streamed::new(name, from, &config, fitted)?;
    fits(n, windows.encoder())?;
    while let Some(window) = windows.next()? {
        let begin = Instant::now();
        let input = values(n, &window.input);
        let answer = classifier.classify(begin, &input)?;
        let start_s = rate.map(|rate| window.first as f64 / rate);
        let when = match start_s {
            Some(s) => format!("{s:>12.3} s"),
            None => format!("sample {:>10}", window.first),
        };
        let line = SensorLine { first_sample: window.first, start_s, answer: &answer };
        classifier.show(&when, &answer, &line)?;
    }
    let gaps = windows.gaps();
    classifier.finish(&format!("{gaps} gaps in time"))
}

/// Whether the network takes what an encoder makes.
pub(super) fn fits(n: &Network<'_>, encoder: &Encoder) -> Result<(), CliError> {
    let (shape, steps) = (encoder.shape(), encoder.stored_steps());
    let takes = [n.input.channels, n.input.rows, n.input.columns];
    if shape != takes || n.sequence != (steps > 1) || (n.sequence && steps != n.steps) {
        let steps_taken = if n.sequence { n.steps } else { 1 };
        return Err(CliError::Usage(format!(
            "the file takes {steps_taken} frames of {takes:?}; the recipe makes {steps} of {shape:?}"
        )));
    }
    Ok(())
}

/// An encoded window as the network takes it.
pub(super) fn values(n: &Network<'_>, input: &Encoded) -> Vec<f32> {
    match input {
        Encoded::Bytes(v) => pixels(n, v),
        Encoded::Floats(v) => v.iter().enumerate().map(|(k, v)| n.value(n.channel(k), *v)).collect(),
    }
}

/// Bytes as the network takes them.
pub(super) fn pixels(n: &Network<'_>, bytes: &[u8]) -> Vec<f32> {
    bytes.iter().enumerate().map(|(k, byte)| n.pixel(n.channel(k), *byte)).collect()
}

/// Names of all classes as the file has them; the number of one that it does not name.
pub(super) fn classes(model: &Model<'_>) -> Vec<String> {
    let name = |class: usize| model.meta_value(&format!("class.{class}")).map(str::to_owned);
    (0..model.network().classes).map(|class| name(class).unwrap_or_else(|| class.to_string())).collect()
}

/// What the file says of its sensors.
pub(super) fn fitted(model: &Model<'_>) -> Result<Fitted, CliError> {
    let need = |key| told(model, key).ok_or_else(|| not_told(key));
    let numbers = |key| -> Result<Vec<f32>, CliError> {
        need(key)?.split(',').map(|v| v.parse().map_err(|_| not_told(key))).collect()
    };
    Ok(Fitted {
        channels: need("channels")?.split(',').map(str::to_owned).collect(),
        window: need("window")?.parse().map_err(|_| not_told("window"))?,
        rate_hz: told(model, "rate_hz").map(|r| r.parse().map_err(|_| not_told("rate_hz"))).transpose()?,
        scaler: Scaler { centre: numbers("centre")?, scale: numbers("scale")? },
    })
}

fn not_told(key: &str) -> CliError {
    CliError::Usage(format!(
        "the file does not say sensors.{key}, or not as numbers: export it from a run on a data set `sensors`"
    ))
}

/// The value of a line `sensors.KEY=VALUE` of the file.
fn told<'m>(model: &Model<'m>, key: &str) -> Option<&'m str> {
    model.meta().lines().find_map(|line| line.strip_prefix("sensors.")?.strip_prefix(key)?.strip_prefix('='))
}

fn events(
    args: &InferArgs,
    classifier: Classifier<'_>,
    recipe: &Recipe,
    source: &Path,
    piped: bool,
) -> Result<bool, CliError> {
    let n = classifier.model.network();
    let config = recipe.data.event_config(n.steps);
    let config = config.ok_or_else(|| usage("--follow: the recipe's data are neither events nor sensors"))?;
    let window = args.window_ms.or(config.options.window_ms).filter(|ms| *ms > 0);
    let window = window.ok_or_else(|| usage("--follow: give --window-ms N, or data.events.window_ms in the recipe"))?;
    let options = config.read_options()?;
    let mut reader = match piped {
        true => EventReader::from_stream(Path::new("standard input"), std::io::stdin(), &options)?,
        false => EventReader::open(source, &options)?,
    };
    let framer = framer(n, &config, reader.geometry())?;
    let window = i64::from(window) * 1000;
    let mut follow = Follow { classifier, framer, window, start: None, events: Vec::new(), late: 0 };
    let mut batch = vec![Event::default(); BATCH];
    loop {
        let count = reader.read(&mut batch)?;
        if count == 0 {
            break;
        }
        batch[..count].iter().try_for_each(|event| follow.take(*event))?;
    }
    if let Some(start) = follow.start {
        follow.classify(start)?;
    }
    follow.classifier.finish(&format!("{} late events", follow.late))
}

/// What makes frames of events of a camera of that width and height, where the recording says it.
pub(super) fn framer(n: &Network<'_>, config: &EventConfig, told: Option<(u32, u32)>) -> Result<Framer, CliError> {
    let told = told.map(|(width, height)| [height as usize, width as usize]);
    let sensor = config.set.sensor().or(config.options.sensor).or(told);
    let sensor = sensor.ok_or_else(|| usage("the recording does not say the camera's size; set data.events.sensor"))?;
    let framer = Framer::new(config, sensor)?;
    let shape = [n.input.channels, n.input.rows, n.input.columns];
    if framer.shape() != shape || !n.sequence {
        let found = framer.shape();
        return Err(CliError::Usage(format!("the file takes frames of {shape:?}; the recipe makes {found:?}")));
    }
    Ok(framer)
}

struct Follow<'m> {
    classifier: Classifier<'m>,
    framer: Framer,
    /// Microseconds.
    window: i64,
    /// Of the window that is being filled.
    start: Option<i64>,
    events: Vec<Event>,
    late: u64,
}

impl Follow<'_> {
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
        let (begin, n) = (Instant::now(), self.classifier.model.network());
        let frames = self.framer.frames(&self.events, (start, start + self.window))?;
        let input = pixels(n, &frames);
        let answer = self.classifier.classify(begin, &input)?;
        let events = self.events.len();
        let when = format!("{:>12.3} s  {events:>8} events", 1e-6 * start as f64);
        self.classifier.show(&when, &answer, &EventLine { start_us: start, events, answer: &answer })?;
        self.events.clear();
        Ok(())
    }
}
