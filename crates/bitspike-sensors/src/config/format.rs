//! `[format]`: how files are to be read.

use serde::{Deserialize, Serialize};

/// Extensions of audio files.
pub(crate) const AUDIO_EXTENSIONS: [&str; 9] = ["wav", "wave", "aif", "aiff", "aifc", "flac", "ogg", "oga", "mp3"];

/// The format of the files: `format.kind`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// Text with a separator, one row per time.
    Csv(CsvFormat),
    /// Parquet, one row per time. Needs the feature `parquet` of this crate, which is on by default.
    Parquet(ParquetFormat),
    /// One NumPy array per file.
    Npy(NpyFormat),
    /// WAV audio: the files `*.wav`. As `audio`, it goes by the content.
    Wav(WavFormat),
    /// Audio files of every kind that is read: WAV, AIFF, FLAC, Ogg Vorbis, MP3.
    Audio(WavFormat),
    /// Numbers without a header.
    Raw(RawFormat),
    /// `.ts` of the UCR/UEA archives: many recordings per file.
    Ts(TsFormat),
}

impl Default for Format {
    fn default() -> Self {
        Self::Csv(CsvFormat::default())
    }
}

impl Format {
    /// Name of the kind, as in `format.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Parquet(_) => "parquet",
            Self::Npy(_) => "npy",
            Self::Wav(_) => "wav",
            Self::Audio(_) => "audio",
            Self::Raw(_) => "raw",
            Self::Ts(_) => "ts",
        }
    }

    /// Extensions of the files that are read without `files`.
    pub fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Csv(_) => &["csv"],
            Self::Parquet(_) => &["parquet"],
            Self::Npy(_) => &["npy"],
            Self::Wav(_) => &["wav"],
            Self::Audio(_) => &AUDIO_EXTENSIONS,
            Self::Raw(_) => &["raw"],
            Self::Ts(_) => &["ts"],
        }
    }
}

/// Text with a separator. See `format/csv.rs` for how it is read.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CsvFormat {
    /// Character between fields, one byte. A blank stands for any number of blanks and tabs.
    pub separator: char,
    /// Character around fields that hold a separator, one byte.
    pub quote: char,
    /// Decimal sign: `.` or `,`.
    pub decimal: char,
    /// How characters are written as bytes.
    pub encoding: Encoding,
    /// Lines before the table that are left out.
    pub skip_lines: u64,
    /// Lines that begin with this are left out; empty for none. Where the first other line holds values, the last one before
    /// it names the columns.
    pub comment: String,
    /// What ends a row besides the end of its line, as `;`; empty for nothing.
    pub row_end: String,
    /// What a row is.
    pub rows: RowKind,
    /// Whether the first line of the table names the columns.
    pub header: bool,
    /// Names of all columns, in order. Required without a header; with one, the header must be the same, but for columns
    /// that it gives no name.
    pub columns: Vec<String>,
    /// Column of times, from which the rate is taken: numbers, or dates and times of day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Unit of times that are numbers.
    pub time_unit: TimeUnit,
    /// Order of day, month and year in dates.
    pub date_order: DateOrder,
    /// What to do where times repeat, go back or leave a gap.
    pub time_faults: TimeFaults,
    /// Column of labels: a new recording begins where it changes. Needs `labels.from = "inside"`. Of `rows = "series"` also
    /// `first`, `last`, or its number from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Column of groups, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self {
            separator: ',',
            quote: '"',
            decimal: '.',
            encoding: Encoding::Auto,
            skip_lines: 0,
            comment: "#".into(),
            row_end: String::new(),
            rows: RowKind::Times,
            header: true,
            columns: vec![],
            time_column: None,
            time_unit: TimeUnit::S,
            date_order: DateOrder::Ymd,
            time_faults: TimeFaults::Error,
            label_column: None,
            group_column: None,
        }
    }
}

/// How characters are written as bytes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// After a byte-order mark; UTF-16 also by the zeros of its digits and separators; else UTF-8.
    #[default]
    Auto,
    /// UTF-8.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le")]
    Utf16le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16be,
    /// Latin-1, with the additions of Windows-1252.
    #[serde(rename = "latin-1", alias = "windows-1252")]
    Latin1,
}

/// What a row of a text is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RowKind {
    /// All channels at one time.
    #[default]
    Times,
    /// A recording of one channel, `x0`: all its values in turn.
    Series,
}

/// Order of day, month and year in dates.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DateOrder {
    /// `2023-11-14`; with dots also `14.11.2023`, and with a name of the month `14-Nov-2023`, which cannot be mistaken.
    #[default]
    Ymd,
    /// `14/11/2023`.
    Dmy,
    /// `11/14/2023`.
    Mdy,
}

/// What to do where times repeat, go back or leave a gap.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TimeFaults {
    /// An error with the place.
    #[default]
    Error,
    /// A new recording begins where time goes back or leaves a gap.
    Cut,
    /// Rows are taken as if they were evenly spaced.
    Ignore,
}

/// Parquet with plain columns.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ParquetFormat {
    /// Column of times, from which the rate is taken. Timestamps of Parquet have their own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Unit of times that are plain numbers.
    pub time_unit: TimeUnit,
    /// What to do where times repeat, go back or leave a gap.
    pub time_faults: TimeFaults,
    /// Column of labels: a new recording begins where it changes. Needs `labels.from = "inside"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Column of groups, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
}

/// Unit of a column of times.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TimeUnit {
    /// Seconds.
    #[default]
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl TimeUnit {
    /// How many make a second.
    pub(crate) fn per_second(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e3,
            Self::Us => 1e6,
            Self::Ns => 1e9,
        }
    }
}

/// NumPy arrays of one or two axes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NpyFormat {
    /// Meaning of the axes of a two-dimensional array. One with a single axis is one channel.
    pub axes: Axes,
}

/// Axes of a two-dimensional array.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Axes {
    /// Rows are times, columns are channels: `[L, C]`.
    #[default]
    #[serde(rename = "LC")]
    Lc,
    /// Rows are channels: `[C, L]`.
    #[serde(rename = "CL")]
    Cl,
}

/// Audio; integers are divided by 2^(bits-1).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WavFormat {
    /// Averages the channels to one.
    pub mono: bool,
}

/// Numbers without a header; several channels alternate.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RawFormat {
    /// Type and byte order of the numbers.
    pub number: RawNumber,
    /// Names of the channels.
    pub columns: Vec<String>,
    /// Factor from counts to values; an index may have its own for each file.
    pub scale: f64,
}

impl Default for RawFormat {
    fn default() -> Self {
        Self { number: RawNumber::I16le, columns: vec!["x".into()], scale: 1.0 }
    }
}

/// Type and byte order of numbers without a header.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RawNumber {
    /// 8 bits, unsigned.
    U8,
    /// 8 bits, signed.
    I8,
    /// 16 bits, signed, little-endian.
    #[default]
    I16le,
    /// 16 bits, signed, big-endian.
    I16be,
    /// 32 bits, signed, little-endian.
    I32le,
    /// 32 bits, floating-point, little-endian.
    F32le,
}

/// `.ts` files; everything is in their headers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TsFormat {}
