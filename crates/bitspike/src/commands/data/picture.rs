//! `bitspike data inspect --picture`: an event recording as PNG or GIF.

use crate::args::PictureArgs;
use crate::error::CliError;
use bitspike_events::{EventReader, Picture, PictureOptions, Summary};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where to, and in which format.
pub struct PictureFile {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Gif,
}

/// What was drawn.
pub struct Drawn {
    file: PathBuf,
    picture: Picture,
    /// Frames in a second, of an animation.
    fps: Option<f64>,
}

/// The file to draw into; an extension that is neither of both is an error before anything is read.
pub fn file(args: &PictureArgs) -> Result<Option<PictureFile>, CliError> {
    let Some(path) = &args.picture else { return Ok(None) };
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let kind = match extension.as_deref() {
        Some("png") => Kind::Png,
        Some("gif") => Kind::Gif,
        _ => return Err(CliError::Usage(format!("--picture {}: expected .png or .gif", path.display()))),
    };
    if kind == Kind::Png && args.fps.is_some() {
        return Err(CliError::Usage("--fps is for an animation: --picture FILE.gif".to_owned()));
    }
    Ok(Some(PictureFile { path: path.clone(), kind }))
}

/// Microseconds of milliseconds on the command line.
fn micros(flag: &str, ms: f64) -> Result<i64, CliError> {
    let us = (ms * 1e3).round();
    // 2^53: beyond it, microseconds are not exact. NaN fails the comparison.
    if us.abs() <= 9e15 {
        Ok(us as i64)
    } else {
        Err(CliError::Usage(format!("{flag} is {ms}; expected a number of milliseconds")))
    }
}

/// Reads the recording once more and draws it.
pub fn draw(reader: &mut EventReader, s: &Summary, file: &PictureFile, a: &PictureArgs) -> Result<Drawn, CliError> {
    let frames = a.frames.unwrap_or(if file.kind == Kind::Gif { 50 } else { 8 });
    // Frames that share a picture are smaller than one that has it to itself.
    let side = match (file.kind, frames) {
        (Kind::Gif, _) => 640,
        (Kind::Png, 1) => 1280,
        (Kind::Png, _) => 320,
    };
    let from = a.from_ms.map_or(Ok(0), |ms| micros("--from-ms", ms))?;
    let to = a.to_ms.map(|ms| micros("--to-ms", ms)).transpose()?;
    let mut o = PictureOptions::default().with_frames(frames).with_max_side(side).with_part_us(from, to);
    if let Some(ms) = a.window_ms {
        o = o.with_window_us(micros("--window-ms", ms)?);
    }
    let picture = Picture::new(reader, s, &o)?;
    let fps = match file.kind {
        Kind::Png => None,
        Kind::Gif => Some(a.fps.unwrap_or(10.0)),
    };
    match fps {
        None => picture.write_png(&file.path)?,
        Some(fps) => picture.write_gif(&file.path, fps)?,
    }
    Ok(Drawn { file: file.path.clone(), picture, fps })
}

impl Drawn {
    fn path(&self) -> &Path {
        &self.file
    }

    /// Times of frames, colours.
    pub fn text(&self) -> String {
        let frames = self.picture.frames();
        let [Some(first), Some(last)] = [frames.first(), frames.last()] else { return String::new() };
        let ms = |us: i64| us as f64 / 1e3;
        let mut text =
            format!("{}: {} frames of {} ms", self.path().display(), frames.len(), ms(first.end_us - first.start_us));
        if frames.len() > 1 {
            let step = (last.start_us as f64 - first.start_us as f64) / (frames.len() - 1) as f64;
            text += &format!(", one every {:.3} ms", step / 1e3);
            if let Some(fps) = self.fps {
                text += &format!(", shown at {:.3} times their speed", step * fps / 1e6);
            }
        }
        let cell = self.picture.pixels_per_cell();
        let square = if cell > 1 { format!("{cell} x {cell} pixels") } else { "a pixel".to_owned() };
        let clip = self.picture.clip();
        text + &format!("; ON blue, OFF orange, full colour from {clip} events of {square}\n")
    }

    /// The same as `picture` of `--json`.
    pub fn json(&self) -> serde_json::Value {
        let frames: Vec<_> = self
            .picture
            .frames()
            .iter()
            .map(|f| json!({ "start_us": f.start_us, "end_us": f.end_us, "events": f.events }))
            .collect();
        json!({
            "path": self.path(), "frames": frames, "frames_per_second": self.fps,
            "pixels_per_cell": self.picture.pixels_per_cell(), "clip": self.picture.clip(),
        })
    }
}
