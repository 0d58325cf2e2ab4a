//! File formats: bytes to recordings. Each file states the layout, its rules and its source at the top.

mod aiff;
mod chunks;
pub(crate) mod clock;
#[cfg(feature = "audio")]
mod codec;
pub(crate) mod csv;
mod fill;
pub(crate) mod missing;
mod npy;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
mod pcm;
mod raw;
pub(crate) mod rows;
mod series;
pub(crate) mod stamp;
mod table;
pub(crate) mod text;
mod ts;
mod wav;

pub use missing::MISSING_TEXTS;
pub(crate) use missing::Markers;
pub(crate) use text::{check_utf8, skip_bom};

use crate::{Format, Missing, Oddity, Recording, RowKind, SensorError};
use bitspike_files::Beyond;
use std::path::Path;

/// What is known about a file before it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Channels to use; none for all.
    pub(crate) channels: &'a [String],
    /// What to do where a value is missing.
    pub(crate) missing: Missing,
    /// What stands for a missing value.
    pub(crate) markers: &'a Markers,
    /// Factor from counts to values, for raw files, in place of the format's.
    pub(crate) scale: Option<f64>,
}

impl Default for Known<'_> {
    fn default() -> Self {
        static NONE: std::sync::LazyLock<Markers> = std::sync::LazyLock::new(Markers::default);
        Self { channels: &[], missing: Missing::default(), markers: &NONE, scale: None }
    }
}

/// Where the samples of a recording stand in its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// A line for each sample, a field for each channel.
    Lines { lines: Vec<u64>, fields: Vec<u64> },
    /// All in one line: the first field, and fields from one channel to the next.
    Line { line: u64, field: u64, channel: u64 },
    /// Bytes: the first, and those from one sample and from one channel to the next.
    Bytes { first: u64, sample: u64, channel: u64 },
    /// Packed: only the number of the sample is known.
    Packed,
}

impl Place {
    /// As errors say it.
    pub(crate) fn at(&self, channel: usize, sample: usize) -> String {
        match self {
            Self::Lines { lines, fields } => {
                let of = |list: &[u64], i: usize| list.get(i).copied().unwrap_or(0);
                format!("line {}, field {}", of(lines, sample), of(fields, channel))
            }
            Self::Line { line, field, channel: step } => {
                format!("line {line}, field {}", field + step * channel as u64 + sample as u64)
            }
            Self::Bytes { first, sample: s, channel: c } => {
                format!("byte {}", first + s * sample as u64 + c * channel as u64)
            }
            Self::Packed => format!("sample {sample}"),
        }
    }

    /// After channels were put into another order: the old place of each.
    fn select(&mut self, order: &[usize]) {
        if let Self::Lines { fields, .. } = self {
            *fields = order.iter().map(|c| fields.get(*c).copied().unwrap_or(0)).collect();
        }
    }
}

/// A recording and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) recording: Recording,
    pub(crate) place: Place,
}

/// The recordings in the bytes of a file. Label and group are there only if the file has them; names are the file's
/// name without extension, with `#n` if the file can hold several.
///
/// Channels: names as in the file, `x0`, `x1`, ... in `.ts` and `.npy`, `mono`, or `left` and `right`, or `c0`, ... in
/// audio. No recording is empty and all its values are finite.
///
/// ```
/// use bitspike_sensors::{CsvFormat, Format, Missing, decode};
/// let csv = Format::Csv(CsvFormat::default());
/// let found = decode("walk.csv".as_ref(), b"ax,ay\n1,4\n2,5\n3,6\n", &csv, Missing::Error)?;
/// assert_eq!((found[0].name.as_str(), found[0].channel(1)), ("walk", &[4.0, 5.0, 6.0][..]));
/// let e = decode("walk.csv".as_ref(), b"ax,ay\n1,\n", &csv, Missing::Error).unwrap_err();
/// assert_eq!(e.to_string(), "walk.csv: line 2, field 2: no value for channel ay");
/// # Ok::<(), bitspike_sensors::SensorError>(())
/// ```
///
/// # Errors
/// [`SensorError`] with line and field, or byte offset.
pub fn decode(path: &Path, bytes: &[u8], format: &Format, missing: Missing) -> Result<Vec<Recording>, SensorError> {
    decode_known(path, bytes, format, Known { missing, ..Known::default() })
}

pub(crate) fn decode_known(
    path: &Path,
    bytes: &[u8],
    format: &Format,
    known: Known<'_>,
) -> Result<Vec<Recording>, SensorError> {
    Ok(decode_placed(path, bytes, format, known)?.0.into_iter().map(|d| d.recording).collect())
}

/// The recordings of a file with their places, and what is odd about it.
pub(crate) fn decode_placed(
    path: &Path,
    bytes: &[u8],
    format: &Format,
    known: Known<'_>,
) -> Result<(Vec<Decoded>, Vec<Oddity>), SensorError> {
    let (mut found, notes) = match format {
        Format::Csv(c) if c.rows == RowKind::Series => series::read(path, bytes, c, known)?,
        Format::Csv(c) => csv::read(path, bytes, c, known)?,
        #[cfg(feature = "parquet")]
        Format::Parquet(c) => parquet::read(path, bytes, c, known)?,
        #[cfg(not(feature = "parquet"))]
        Format::Parquet(_) => {
            return Err(SensorError::Unsupported {
                path: path.into(),
                place: "byte 0".into(),
                what: "Parquet is not built in".into(),
                instead: "build with the feature `parquet`, or export as CSV",
            });
        }
        Format::Npy(c) => (vec![npy::read(path, bytes, *c, known)?], vec![]),
        Format::Wav(c) | Format::Audio(c) => (vec![wav::audio(path, bytes, *c, known)?], vec![]),
        Format::Raw(c) => (vec![raw::read(path, bytes, c, known)?], vec![]),
        Format::Ts(_) => (ts::read(path, bytes, known)?, vec![]),
    };
    if found.is_empty() || found.iter().any(|d| d.recording.is_empty()) {
        return Err(SensorError::Empty { place: path.display().to_string(), what: "no sample in it".into() });
    }
    for d in &mut found {
        let have = d.recording.channels.clone();
        d.recording.select(known.channels).map_err(|name| SensorError::Recording {
            recording: path.display().to_string(),
            what: "channel",
            expected: format!("{name:?}"),
            found: have.join(", "),
        })?;
        let order: Vec<usize> =
            d.recording.channels.iter().map(|c| have.iter().position(|h| h == c).unwrap_or(0)).collect();
        d.place.select(&order);
    }
    Ok((found, notes))
}

/// The bytes of a file of this format. Of a text only so many as rows that are not too long have.
pub(crate) fn bytes(path: &Path, format: &Format) -> Result<Vec<u8>, SensorError> {
    let bytes = match format {
        Format::Csv(_) | Format::Ts(_) => bitspike_files::read_text(path, rows::MAX_ROW),
        _ => bitspike_files::read(path),
    };
    bytes.map_err(|e| SensorError::io(path, e))
}

/// More channels than a spreadsheet has columns are no recording.
pub(crate) const MAX_CHANNELS: u64 = 1 << 14;

/// Checks the number of channels or columns, before names for them are made.
pub(crate) fn check_channels(path: &Path, place: impl Into<String>, found: usize) -> Result<(), SensorError> {
    let (what, reason) = ("channels or columns", "as many as a spreadsheet has");
    let remedy = "check which axis or separator stands for channels; leave out columns that are not needed";
    Beyond::check(what, found as u64, MAX_CHANNELS, reason, remedy).map_err(|e| SensorError::beyond(path, place, e))
}

/// The name of a file without folder and extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A number of a text file: finite also as `f32`, or `None`.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|v| (*v as f32).is_finite())
}
