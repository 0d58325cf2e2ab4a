//! `bitspike data`: what files hold, and whether they are whole.

pub(super) mod events;
mod picture;
mod sensors;

use crate::args::{DataCommand, EventArgs};
use crate::error::CliError;
use crate::output;
use bitspike_data::{Inspection, Kind, Verification, inspect, verify_path};
use bitspike_events::EventError;
use bitspike_sensors::{Findings, NameLabels, examine_with};
use std::path::{Path, PathBuf};

pub fn run(command: &DataCommand) -> Result<bool, CliError> {
    match command {
        DataCommand::Inspect { path, events, picture, json } => {
            let file = picture::file(picture)?;
            match events::open(path, events) {
                Ok(Some(reader)) => {
                    let drawn = file.as_ref().map(|file| (file, picture, events));
                    return events::inspect(path, reader, drawn, *json).map(|()| true);
                }
                // CSV, NumPy and Parquet hold events or sensors: what is no table of events may be one of sensors.
                Err(e) => {
                    let other = file.is_none() && events.format.is_none();
                    // Columns that are not those of events are of sensors, and the error is theirs too.
                    let columns = matches!(e, CliError::Events(EventError::Option { .. }));
                    return match other.then(|| sensors::find(path)) {
                        Some(Ok(Some(found))) => sensors::show(&found, *json).map(|()| true),
                        Some(Err(found)) if columns => Err(found),
                        _ => Err(e),
                    };
                }
                Ok(None) => {}
            }
            // A path that is not there is told by what follows.
            if file.is_some() && path.exists() {
                let text = format!("{}: no event recording, and only those are drawn by --picture", path.display());
                return Err(CliError::Usage(text));
            }
            // A folder of images is one, whatever else lies in it.
            let images = if path.is_dir() { inspect(path).ok() } else { None };
            if images.is_none()
                && let Some(found) = sensors::find(path)?
            {
                return sensors::show(&found, *json).map(|()| true);
            }
            let found = images.map_or_else(|| inspect(path), Ok)?;
            if *json {
                output::json(&found)?
            } else {
                output::result(&inspection_text(&found))?
            }
            Ok(true)
        }
        DataCommand::Verify { path, events, json } => {
            if let Some(reader) = events::open(path, events)? {
                return events::verify(path, reader, *json);
            }
            let found = verify_path(path)?;
            if *json {
                output::json(&found)?
            } else {
                output::result(&verification_text(&found))?
            }
            Ok(found.ok)
        }
        DataCommand::Convert { from, to, events } => events::convert(from, to, events).map(|()| true),
    }
}

/// What a folder holds.
pub(super) enum Found {
    Sensors(Box<Findings>),
    /// With `train/CLASS` and `test/CLASS`, or a folder a class.
    Images(Box<Inspection>),
    Events,
}

/// What a folder holds: images if it is laid out so, else what its first file is.
pub(super) fn kind(folder: &Path, labels: Option<&str>) -> Result<Found, CliError> {
    if let Ok(found) = inspect(folder)
        && found.kind == Kind::ImageFolder
    {
        return Ok(Found::Images(Box::new(found)));
    }
    let events = |path: &Path| events::open(path, &EventArgs::default()).is_ok_and(|reader| reader.is_some());
    if first_file(folder)?.is_some_and(|path| events(&path)) {
        return Ok(Found::Events);
    }
    let names = labels.map(|pattern| NameLabels { pattern: pattern.to_owned() });
    match examine_with(folder, names.as_ref())? {
        Some(found) => Ok(Found::Sensors(Box::new(found))),
        None => Err(CliError::Usage(format!(
            "{}: no recordings of sensors, audio or events, and no folders of images. Recordings are files such as .csv, .wav or \
             .parquet; images lie in train/CLASS and test/CLASS. `bitspike data inspect FILE` says what a file is",
            folder.display()
        ))),
    }
}

/// The first file below a folder, by name; hidden ones are none.
fn first_file(folder: &Path) -> Result<Option<PathBuf>, CliError> {
    let read = |source| CliError::Read { path: folder.to_owned(), source };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(read)?
        .map(|e| Ok(e.map_err(read)?.path()))
        .collect::<Result<_, CliError>>()?;
    entries.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    entries.sort();
    for path in entries {
        if path.is_file() {
            return Ok(Some(path));
        }
        if path.is_dir()
            && let Some(found) = first_file(&path)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn inspection_text(i: &Inspection) -> String {
    let list = |v: &[f32]| v.iter().map(|x| format!("{x:.4}")).collect::<Vec<_>>().join(", ");
    let kind = serde_json::to_value(i.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let mut text = format!("{}: {}\n", i.path.display(), kind);
    for name in &i.recognised {
        text += &format!("  recognised as {name}\n");
    }
    for p in &i.parts {
        text += &format!("  {}: {} samples", p.name, p.samples);
        if let Some([c, h, w]) = p.shape {
            text += &format!(" of {c}x{h}x{w}");
        }
        if let Some([low, high]) = p.range {
            text += &format!(", values {low} to {high}, mean {}, deviation {}", list(&p.mean), list(&p.std));
        }
        text += "\n";
        for c in &p.classes {
            text += &format!("    {:20} {:>8}\n", c.class, c.samples);
        }
    }
    for f in &i.files {
        text += &format!("  {} {} bytes sha256 {}\n", f.path.display(), f.bytes, f.sha256);
    }
    for note in &i.notes {
        text += &format!("  note: {note}\n");
    }
    text
}

fn verification_text(v: &Verification) -> String {
    let mut text = String::new();
    for c in &v.checks {
        text += &match c.ok {
            true => format!("ok    {}: {}\n", c.what, c.found),
            false => format!("WRONG {}: expected {}, found {}\n", c.what, c.expected, c.found),
        };
    }
    for note in &v.notes {
        text += &format!("note: {note}\n");
    }
    let wrong = v.checks.iter().filter(|c| !c.ok).count();
    text += &match v.ok {
        true => format!("all {} checks hold\n", v.checks.len()),
        false => format!("{wrong} of {} checks failed\n", v.checks.len()),
    };
    text
}
