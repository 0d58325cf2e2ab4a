//! `[format]`: how files are to be read.

use serde::{Deserialize, Serialize};

/// The format of the files: `format.kind`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// Text with a separator, one row per time.
    Csv(CsvFormat),
    /// Parquet, one row per time. Needs the feature `parquet` of this crate, which is on by default.
    Parquet(ParquetFormat),
    /// One NumPy array per file.
    Npy(NpyFormat),
    /// WAV audio.
    Wav(WavFormat),
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
    /// Extension of the files that are read without `files`.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Parquet(_) => "parquet",
            Self::Npy(_) => "npy",
            Self::Wav(_) => "wav",
            Self::Raw(_) => "raw",
            Self::Ts(_) => "ts",
        }
    }
}

/// Text with a separator. See `format/csv.rs` for how it is read.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct CsvFormat {
    /// Character between fields, one byte.
    pub separator: char,
    /// Character around fields that hold a separator, one byte.
    pub quote: char,
    /// Decimal sign: `.` or `,`.
    pub decimal: char,
    /// Lines before the table that are left out.
    pub skip_lines: u64,
    /// Whether the first line of the table names the columns.
    pub header: bool,
    /// Names of all columns, in order. Required without a header; with one, the header must be the same.
    pub columns: Vec<String>,
    /// Column of times, from which the rate is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Unit of the times.
    pub time_unit: TimeUnit,
    /// Column of labels: a new recording begins where it changes. Needs `labels.from = "inside"`.
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
            skip_lines: 0,
            header: true,
            columns: vec![],
            time_column: None,
            time_unit: TimeUnit::S,
            label_column: None,
            group_column: None,
        }
    }
}

/// Parquet with plain columns.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ParquetFormat {
    /// Column of times, from which the rate is taken. Timestamps of Parquet have their own unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Unit of times that are plain numbers.
    pub time_unit: TimeUnit,
    /// Column of labels: a new recording begins where it changes. Needs `labels.from = "inside"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Column of groups, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
}

/// Unit of a column of times.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[serde(deny_unknown_fields, default)]
pub struct NpyFormat {
    /// Meaning of the axes of a two-dimensional array. One with a single axis is one channel.
    pub axes: Axes,
}

/// Axes of a two-dimensional array.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// WAV audio; integers are divided by 2^(bits-1).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct WavFormat {
    /// Averages the channels to one.
    pub mono: bool,
}

/// Numbers without a header; several channels alternate.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
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
#[serde(deny_unknown_fields, default)]
pub struct TsFormat {}
