//! `bitspike predict`: class and probabilities of recordings and images that no data set holds.

use super::follow::{classes, fits, fitted, framer, pixels, values};
use super::infer::engine;
use super::shared::recipe;
use crate::args::{PredictArgs, RecipeArgs};
use crate::error::CliError;
use crate::output;
use bitspike_data::SetName;
use bitspike_events::{Event, EventReader};
use bitspike_format::{Model, Network};
use bitspike_infer::best;
use bitspike_sensors::{SensorConfig, windows_of};
use bitspike_train::recipe::Recipe;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What is said of an input: the mean of the probabilities of its windows.
#[derive(Serialize)]
struct Answer {
    input: String,
    class: String,
    probability: f64,
    probabilities: BTreeMap<String, f64>,
    windows: Vec<WindowAnswer>,
}

#[derive(Serialize)]
struct WindowAnswer {
    /// Name of the recording within the file, and where the window begins: a sample, or microseconds of events.
    recording: String,
    first: i64,
    class: String,
    probability: f64,
    #[serde(skip)]
    shares: Vec<f64>,
}

/// A window as the network takes it.
struct Input {
    recording: String,
    first: i64,
    values: Vec<f32>,
}

pub fn run(args: &PredictArgs) -> Result<bool, CliError> {
    let file = super::shared::read_bytes(&args.model)?;
    let model = Model::parse(&file).map_err(|source| CliError::Format { path: args.model.clone(), source })?;
    let recipe = match &args.recipe {
        Some(path) => Some(recipe(&RecipeArgs { recipe: Some(path.clone()), ..RecipeArgs::default() }, None)?),
        None => None,
    };
    let engine = engine(&model, args.kernels.as_deref())?;
    let mut workspace = engine.workspace();
    let classes = classes(&model);
    let name = |class: usize| classes[class].clone();
    if args.csv {
        let names = (0..classes.len()).map(|c| format!(",{}", quoted(&name(c)))).collect::<String>();
        output::result(&format!("input,recording,first,class,probability{names}"))?;
    }
    for path in &args.inputs {
        let mut windows = Vec::new();
        for input in inputs(&model, recipe.as_ref(), path)? {
            let mut logits = vec![0.0; model.network().classes];
            engine.run(&mut workspace, &input.values, &mut logits, &mut ())?;
            let shares = shares(&logits);
            let class = best(&logits);
            let (class, probability) = (name(class), shares[class]);
            windows.push(WindowAnswer { recording: input.recording, first: input.first, class, probability, shares });
        }
        let mean: Vec<f64> = (0..model.network().classes)
            .map(|c| windows.iter().map(|w| w.shares[c]).sum::<f64>() / windows.len().max(1) as f64)
            .collect();
        let top = (0..mean.len()).fold(0, |top, c| if mean[c] > mean[top] { c } else { top });
        let answer = Answer {
            input: path.display().to_string(),
            class: name(top),
            probability: mean[top],
            probabilities: mean.iter().enumerate().map(|(c, p)| (name(c), *p)).collect(),
            windows,
        };
        if args.json {
            output::json(&answer)?;
        } else if args.csv {
            output::result(&csv(&answer))?;
        } else {
            output::result(&text(&answer, args.windows))?;
        }
    }
    Ok(true)
}

/// Softmax.
fn shares(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f64> = logits.iter().map(|v| f64::from(v - top).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|v| v / sum).collect()
}

fn text(answer: &Answer, each: bool) -> String {
    let of = if answer.windows.len() == 1 { String::new() } else { format!("  {} windows", answer.windows.len()) };
    let mut text = format!("{}  {}  {:.1} %{of}", answer.input, answer.class, 100.0 * answer.probability);
    if each {
        for w in &answer.windows {
            text += &format!("\n  {} {:>10}  {}  {:.1} %", w.recording, w.first, w.class, 100.0 * w.probability);
        }
    }
    text
}

/// A line per window.
fn csv(answer: &Answer) -> String {
    let line = |w: &WindowAnswer| {
        let shares: String = w.shares.iter().map(|p| format!(",{p:.6}")).collect();
        let [input, recording, class] = [&answer.input, &w.recording, &w.class].map(|text| quoted(text));
        format!("{input},{recording},{},{class},{:.6}{shares}", w.first, w.probability)
    };
    answer.windows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A field of CSV.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// What of a file the network is shown.
fn inputs(model: &Model<'_>, recipe: Option<&Recipe>, path: &Path) -> Result<Vec<Input>, CliError> {
    let n = model.network();
    let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["png", "jpg", "jpeg"].contains(&end.as_str()) {
        if n.sequence {
            let text = format!("{}: the network takes sequences of frames, and this is one image", path.display());
            return Err(CliError::Usage(text));
        }
        let bytes = bitspike_data::read_image(path, [n.input.channels, n.input.rows, n.input.columns])?;
        return Ok(vec![Input { recording: String::new(), first: 0, values: pixels(n, &bytes) }]);
    }
    let recipe = recipe.ok_or_else(|| {
        CliError::Usage(format!(
            "{}: --recipe FILE says how recordings become windows; the run's recipe.toml is one",
            path.display()
        ))
    })?;
    match recipe.data.set {
        SetName::Sensors => sensors(model, recipe, path),
        set if set.is_events() => events(n, recipe, path),
        set => Err(CliError::Usage(format!(
            "{}: expected a PNG or JPEG image, as for data.set = \"{set}\"",
            path.display()
        ))),
    }
}

fn sensors(model: &Model<'_>, recipe: &Recipe, path: &Path) -> Result<Vec<Input>, CliError> {
    let n = model.network();
    // Nothing is read from the folder of the recordings, so any will do.
    let config = SensorConfig { path: ".".into(), ..recipe.data.sensors.clone().unwrap_or_default() };
    let (encoder, windows) = windows_of(path, &config, fitted(model)?)?;
    fits(n, &encoder)?;
    let input = |w: bitspike_sensors::RecordingWindow| Input {
        recording: w.recording,
        first: w.first as i64,
        values: values(n, &w.input),
    };
    Ok(windows.into_iter().map(input).collect())
}

/// A recording of events as a whole, or in windows where the recipe has such.
fn events(n: &Network<'_>, recipe: &Recipe, path: &Path) -> Result<Vec<Input>, CliError> {
    let config = recipe.data.event_config(n.steps);
    let config = config.ok_or_else(|| CliError::Usage("the recipe's data are no events".into()))?;
    let mut reader = EventReader::open(path, &config.read_options()?)?;
    let framer = framer(n, &config, reader.geometry())?;
    let (mut all, mut batch) = (Vec::new(), vec![Event::default(); 4096]);
    loop {
        match reader.read(&mut batch)? {
            0 => break,
            count => all.extend_from_slice(&batch[..count]),
        }
    }
    let (Some(first), Some(last)) = (all.iter().map(|e| e.t).min(), all.iter().map(|e| e.t).max()) else {
        return Err(CliError::Usage(format!("{}: no event in it", path.display())));
    };
    let length = config.options.window_ms.filter(|ms| *ms > 0).map_or(last + 1 - first, |ms| 1000 * i64::from(ms));
    let mut out = Vec::new();
    // What is left at the end is no window, unless it is all there is.
    let mut start = first;
    while start + length <= last + 1 || start == first {
        let part: Vec<Event> = all.iter().filter(|e| (start..start + length).contains(&e.t)).copied().collect();
        if !part.is_empty() {
            let frames = framer.frames(&part, (start, start + length))?;
            out.push(Input { recording: String::new(), first: start, values: pixels(n, &frames) });
        }
        start += length;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_together_one_and_fields_are_quoted() {
        let found = shares(&[0.0, 3f32.ln()]);
        assert!((found[0] - 0.25).abs() < 1e-6 && (found[1] - 0.75).abs() < 1e-6);
        assert_eq!(shares(&[900.0, -900.0]), [1.0, 0.0], "no overflow");
        assert_eq!([quoted("a"), quoted("a,\"b\"")], ["a".to_owned(), "\"a,\"\"b\"\"\"".to_owned()]);
    }
}
