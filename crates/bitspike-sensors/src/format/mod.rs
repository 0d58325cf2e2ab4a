//! File formats: bytes to recordings. Each file states the layout, its rules and its source at the top.

mod csv;
mod fill;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod raw;
mod table;
mod ts;
mod wav;

pub(crate) use csv::{builder as csv_builder, check_utf8, plain as plain_number, skip_bom};

use crate::{Format, Missing, Recording, SensorError};
use std::path::Path;

/// What is known about a file before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// Channels to use; none for all.
    pub(crate) channels: &'a [String],
    /// What to do where a value is missing.
    pub(crate) missing: Missing,
    /// Factor from counts to values, for raw files, in place of the format's.
    pub(crate) scale: Option<f64>,
}

/// The recordings in the bytes of a file. Label and group are there only if the file has them; names are the file's
/// name without extension, with `#n` if the file can hold several.
///
/// Channels: names as in the file, `x0`, `x1`, ... in `.ts` and `.npy`, `mono`, or `left` and `right`, or `c0`, ... in
/// WAV. No recording is empty and all its values are finite.
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
    let mut found = match format {
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
        Format::Npy(c) => vec![npy::read(path, bytes, *c, known)?],
        Format::Wav(c) => vec![wav::read(path, bytes, *c, known)?],
        Format::Raw(c) => vec![raw::read(path, bytes, c, known)?],
        Format::Ts(_) => ts::read(path, bytes, known)?,
    };
    if found.is_empty() || found.iter().any(Recording::is_empty) {
        return Err(SensorError::Empty { place: path.display().to_string(), what: "no sample in it".into() });
    }
    for r in &mut found {
        let have = r.channels.join(", ");
        r.select(known.channels).map_err(|name| SensorError::Recording {
            recording: path.display().to_string(),
            what: "channel",
            expected: format!("{name:?}"),
            found: have,
        })?;
    }
    Ok(found)
}

/// The name of a file without folder and extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a text stands for a missing value.
pub(crate) fn is_missing(text: &str) -> bool {
    const NAMES: [&str; 7] = ["", "nan", "na", "null", "none", "?", "-"];
    NAMES.iter().any(|n| n.eq_ignore_ascii_case(text))
}

/// A number of a text file as `f32`: finite, or `None`.
pub(crate) fn number(text: &str) -> Option<f32> {
    text.parse::<f64>().ok().map(|v| v as f32).filter(|v| v.is_finite())
}
