//! A recording as it comes, row by row: windows of the last samples, encoded as those of a set that was read whole.
//!
//! - CSV and raw numbers can be read so; the other formats have their length at the start or their index at the end.
//! - The window with number n holds the samples `n · hop .. n · hop + length`, counted from the start of the stream. What is
//!   left at the end is no window.
//! - `missing = "hold"` takes the last value of the channel; rows before every channel had one are left out. `"linear"` would
//!   have to look ahead and is refused.
//! - With a column of times and a known rate, a step that differs from `1 / rate` by more than half of it is a gap: the window at
//!   hand is dropped and the next begins behind it. Samples are counted on.
//! - Labels, groups and columns that are no channels are not looked at.

use crate::apply::Inputs;
use crate::format::csv::{Header, check_width, header, not_a_number, not_a_time, plain};
use crate::format::rows::{Row, Rows as Lines};
use crate::format::stamp::Stamp;
use crate::format::text::Transcoded;
use crate::format::{Markers, number};
use crate::{CsvFormat, Encoded, Encoder, Format, Missing, RawFormat, RowKind, Scaler, SensorConfig, SensorError};
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// What was fitted on a training part, and is to be used for recordings that come later.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Names of the channels, in the order of the network's.
    pub channels: Vec<String>,
    /// Samples of a window.
    pub window: usize,
    /// Samples per second, if known.
    pub rate_hz: Option<f64>,
    /// Centre and scale per row of features.
    pub scaler: Scaler,
}

/// A window of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamWindow {
    /// Number of its first sample, from 0 at the start of the stream.
    pub first: u64,
    /// `[T, C, H, W]`, with [`Encoder::stored_steps`] for T.
    pub input: Encoded,
}

/// Windows of a stream.
///
/// ```
/// use bitspike_sensors::{Encoded, Fitted, Scaler, SensorConfig, Streamed};
/// let config: SensorConfig = toml::from_str("path = '.'\nwindow = { length = 2, hop = 1 }").unwrap();
/// let scaler = Scaler { centre: vec![1.0], scale: vec![2.0] };
/// let fitted = Fitted { channels: vec!["a".into()], window: 2, rate_hz: None, scaler };
/// let mut windows = Streamed::new("standard input".as_ref(), &b"a,b\n1,x\n3,y\n5,z\n"[..], &config, fitted)?;
/// let first = windows.next()?.unwrap();
/// assert_eq!((first.first, first.input), (0, Encoded::Floats(vec![0.0, 1.0])));
/// assert_eq!(windows.next()?.unwrap().input, Encoded::Floats(vec![1.0, 2.0]));
/// assert!(windows.next()?.is_none());
/// # Ok::<(), bitspike_sensors::SensorError>(())
/// ```
pub struct Streamed<R> {
    rows: Rows<R>,
    inputs: Inputs,
    missing: Missing,
    /// Samples since the last window's start, row by row, each of every channel.
    held: Vec<f32>,
    /// Rows to leave out before the next window, where windows are further apart than they are long.
    skip: usize,
    /// Samples that were read.
    samples: u64,
    last: Vec<Option<f32>>,
    time: Option<Stamp>,
    windows: u64,
    gaps: u64,
}

impl<R: BufRead> Streamed<R> {
    /// Reads the header, if there is one. `name` stands for the stream in errors.
    ///
    /// # Errors
    /// [`SensorError`] where configuration, what was fitted and header contradict each other, or the format is not one that
    /// can be read as it comes.
    pub fn new(name: &Path, input: R, config: &SensorConfig, fitted: Fitted) -> Result<Self, SensorError> {
        let inputs = Inputs::new(config, fitted)?;
        if config.missing == Missing::Linear {
            let expected = "\"hold\", a value or \"error\": a stream cannot look ahead";
            return Err(SensorError::config("missing", expected, "\"linear\""));
        }
        let channels = &inputs.fitted.channels;
        let last = vec![None; channels.len()];
        let rows = Rows::new(name, input, config, channels)?;
        Ok(Self {
            rows,
            missing: config.missing,
            held: Vec::new(),
            skip: 0,
            samples: 0,
            last,
            time: None,
            windows: 0,
            gaps: 0,
            inputs,
        })
    }

    /// What encodes the windows.
    pub fn encoder(&self) -> &Encoder {
        &self.inputs.encoder
    }

    /// Gaps so far.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Reads until a window is full; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`SensorError`] with line and field, or byte offset. The stream is not to be read on after one.
    #[allow(clippy::should_implement_trait, reason = "errors come in between")]
    pub fn next(&mut self) -> Result<Option<StreamWindow>, SensorError> {
        let (c, cut) = (self.inputs.fitted.channels.len(), self.inputs.cut);
        let mut row = vec![None; c];
        while self.held.len() < c * cut.length {
            let Some(at) = self.rows.next(&mut row)? else { return Ok(None) };
            if self.is_gap(at.time) {
                self.gaps += 1;
                self.held.clear();
                self.skip = 0;
            }
            let mut complete = true;
            for (k, (value, last)) in row.iter_mut().zip(&mut self.last).enumerate() {
                match (self.missing, *value) {
                    (_, Some(v)) => *last = Some(v),
                    (Missing::Hold, None) => *value = *last,
                    (Missing::Value(v), None) => *value = Some(v),
                    _ => return Err(self.rows.missing(&at, k, &self.inputs.fitted.channels[k])),
                }
                complete &= value.is_some();
            }
            if !complete {
                continue;
            }
            self.samples += 1;
            if self.skip > 0 {
                self.skip -= 1;
            } else {
                self.held.extend(row.iter().flatten());
            }
        }
        let x: Vec<f32> = (0..c).flat_map(|k| self.held[k..].iter().step_by(c).copied()).collect();
        let window =
            StreamWindow { first: self.samples - cut.length as u64, input: self.inputs.input(x, self.windows)? };
        self.held.drain(..c * cut.hop.min(cut.length));
        self.skip = cut.hop.saturating_sub(cut.length);
        self.windows += 1;
        Ok(Some(window))
    }

    fn is_gap(&mut self, time: Option<Stamp>) -> bool {
        let (Some(now), Some(rate)) = (time, self.inputs.fitted.rate_hz) else { return false };
        let before = self.time.replace(now);
        before.is_some_and(|before| (now.since(before) * rate - 1.0).abs() > 0.5)
    }
}

/// Where a row stands, and when it was.
struct At {
    /// Line of a text, or byte offset.
    place: u64,
    time: Option<Stamp>,
}

/// Rows of a stream.
struct Rows<R> {
    name: PathBuf,
    markers: Markers,
    kind: Kind<R>,
}

enum Kind<R> {
    Csv {
        lines: Box<Lines<Transcoded<R>>>,
        format: Box<CsvFormat>,
        columns: Vec<String>,
        /// Columns of the channels, in their order.
        fields: Vec<usize>,
        time: Option<usize>,
        row: Row,
    },
    Raw {
        input: R,
        format: RawFormat,
        fields: Vec<usize>,
        offset: u64,
    },
}

impl<R: BufRead> Rows<R> {
    fn new(name: &Path, input: R, config: &SensorConfig, channels: &[String]) -> Result<Self, SensorError> {
        let io = |source| SensorError::Io { path: name.into(), source };
        let kind = match &config.format {
            Format::Csv(format) if format.rows == RowKind::Times => {
                let input = Transcoded::new(input, format.encoding).map_err(io)?;
                let mut lines = Box::new(Lines::new(name, input, format)?);
                let mut row = Row::default();
                let found = header(name, &mut lines, &mut row, format)?;
                let Header { columns, line } = found.unwrap_or(Header { columns: vec![], line: 1 + format.skip_lines });
                let at = |names: &[String]| {
                    positions(&columns, names)
                        .map_err(|e| SensorError::text(name, line, 0, "columns", e, format!("{columns:?}")))
                };
                let fields = at(channels)?;
                let time = at(format.time_column.as_slice())?.first().copied();
                Kind::Csv { lines, format: Box::new(format.clone()), columns, fields, time, row }
            }
            Format::Raw(format) => {
                let fields = positions(&format.columns, channels)
                    .map_err(|e| SensorError::config("format.columns", e, format!("{:?}", format.columns)))?;
                Kind::Raw { input, format: format.clone(), fields, offset: 0 }
            }
            other => {
                return Err(SensorError::Unsupported {
                    path: name.into(),
                    place: "the start".into(),
                    what: format!("{} cannot be read as it comes", other.kind()),
                    instead: "stream CSV lines or raw numbers, and say so in data.sensors.format",
                });
            }
        };
        Ok(Self { name: name.into(), markers: Markers::new(&config.missing_markers), kind })
    }

    /// The next row, a value or nothing for each channel.
    fn next(&mut self, row: &mut [Option<f32>]) -> Result<Option<At>, SensorError> {
        let (name, markers) = (&self.name, &self.markers);
        match &mut self.kind {
            Kind::Csv { lines, format, columns, fields, time, row: record } => {
                let Some(place) = lines.next(name, record)? else { return Ok(None) };
                check_width(name, place, record, columns, format)?;
                let text = |field: usize| record.get(field).unwrap_or_default();
                for (value, &field) in row.iter_mut().zip(&*fields) {
                    let text = text(field);
                    let v = number(&plain(text, format));
                    if v.is_none() && !markers.text(text) {
                        return Err(not_a_number(name, place, field as u64 + 1, columns, text, format));
                    }
                    *value = v.filter(|v| !markers.number(*v)).map(|v| v as f32);
                }
                let stamp = |field: usize| {
                    let text = text(field);
                    let stamp = Stamp::parse(&plain(text, format), text, format.time_unit, format.date_order);
                    stamp.ok_or_else(|| not_a_time(name, place, field as u64 + 1, text))
                };
                Ok(Some(At { place, time: time.map(stamp).transpose()? }))
            }
            Kind::Raw { input, format, fields, offset } => {
                let size = format.number.size();
                let (all, mut bytes) = (size * format.columns.len(), Vec::new());
                let have = input.by_ref().take(all as u64).read_to_end(&mut bytes);
                match have.map_err(|source| SensorError::Io { path: name.clone(), source })? {
                    0 => return Ok(None),
                    have if have < all => {
                        return Err(SensorError::Truncated {
                            path: name.clone(),
                            what: "last sample",
                            offset: *offset,
                            expected: all as u64,
                            found: have as u64,
                        });
                    }
                    _ => {}
                }
                for (value, &field) in row.iter_mut().zip(&*fields) {
                    let at = field * size;
                    *value =
                        format.number.value(name, &bytes[at..at + size], format.scale, markers, *offset + at as u64)?;
                }
                let place = *offset;
                *offset += all as u64;
                Ok(Some(At { place, time: None }))
            }
        }
    }

    /// A value that is missing and may not be.
    fn missing(&self, at: &At, channel: usize, name: &str) -> SensorError {
        let (path, channel_name) = (self.name.clone(), name.to_owned());
        match &self.kind {
            Kind::Csv { fields, .. } => {
                let field = fields[channel] as u64 + 1;
                SensorError::MissingText { path, line: at.place, field, channel: channel_name }
            }
            Kind::Raw { format, fields, .. } => {
                let offset = at.place + (fields[channel] * format.number.size()) as u64;
                SensorError::MissingBinary { path, offset, channel: channel_name }
            }
        }
    }
}

/// Where the names stand among the columns; `Err` is what was expected.
fn positions(columns: &[String], names: &[String]) -> Result<Vec<usize>, String> {
    let at = |name| columns.iter().position(|c| c == name).ok_or_else(|| format!("a column {name:?}"));
    names.iter().map(at).collect()
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
