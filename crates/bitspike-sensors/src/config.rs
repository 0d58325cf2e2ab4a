//! The configuration of a sensor data set, as typed structs with defaults.
//!
//! Every table refuses unknown keys. Keys with a unit in their name (`length_s`) stand beside the same key in samples
//! (`length`); only one of the two may be given. File names and labels are compared with patterns in which `*` stands
//! for any characters.

use crate::SensorError;
use crate::glob::Pattern;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Everything that turns a folder of recordings into arrays.
///
/// ```
/// use bitspike_sensors::{Encode, SensorConfig, Split};
/// let config: SensorConfig = toml::from_str(r#"
///     path = "recordings"
///     format = { kind = "csv", separator = ";" }
///     labels = { from = "name", pattern = "{label}_{group}_{take}.csv" }
///     window = { length = 128, hop = 64 }
///     split = { by = "group", test = ["anna"] }
///     encode = { kind = "delta", steps = 8, threshold = 0.25 }
/// "#).unwrap();
/// config.validate().unwrap();
/// assert!(matches!(config.encode, Encode::Delta(d) if d.steps == 8));
/// assert!(matches!(config.split, Split::Group(g) if g.test == ["anna"]));
/// assert!(toml::from_str::<SensorConfig>("paht = 'x'").is_err());
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SensorConfig {
    /// Folder of the recordings; folders below it are searched too. Required.
    pub path: PathBuf,
    /// Patterns of paths below `path` that are read; none for every file with the extension of the format.
    pub files: Vec<String>,
    /// Patterns of paths below `path` that are left out.
    pub exclude: Vec<String>,
    /// Channels to use, in this order; none for all.
    pub channels: Vec<String>,
    /// Unit of a channel by its name, as `{ ax = "g" }`. Only handed on.
    pub units: BTreeMap<String, String>,
    /// Samples per second. Needed for lengths in seconds and for mel features where the files do not say; where they
    /// do, it must agree with them to 1 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<f64>,
    /// What to do where a value is missing.
    pub missing: Missing,
    /// Names of the classes in the order of their numbers; none for the labels found, sorted (by value if all of them
    /// are whole numbers).
    pub classes: Vec<String>,
    /// Renames labels: pattern to class. With an entry here, every label needs exactly one class.
    pub label_map: BTreeMap<String, String>,
    /// Renames groups: pattern to group, by the same rule.
    pub group_map: BTreeMap<String, String>,
    /// Format of the files.
    pub format: Format,
    /// Where labels and groups come from.
    pub labels: Labels,
    /// How recordings are cut.
    pub window: Window,
    /// What is held out for the test.
    pub split: Split,
    /// What is computed from a window before it is normalised.
    pub features: Features,
    /// How features are brought to one scale.
    pub normalise: Normalise,
    /// How features become inputs of a spiking network.
    pub encode: Encode,
}

/// What to do where a value is missing: an empty field, `NaN`, `NA`, `null`, `none`, `?` or `-`, in any case of
/// letters, or a NaN in a binary file.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Missing {
    /// An error with the place. The default.
    #[default]
    Error,
    /// The last value before it; the first value after it at the start.
    Hold,
    /// On the straight line between its neighbours; as `hold` at start and end.
    Linear,
    /// This value.
    Value(f32),
}

/// The format of the files: `format.kind`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// Text with a separator, one row per time.
    Csv(CsvFormat),
    /// Parquet, one row per time. Needs the feature `parquet` of this crate.
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

/// Where labels and groups come from: `labels.from`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "from", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Labels {
    /// From the folders of a file.
    Folder(FolderLabels),
    /// From the file name.
    Name(NameLabels),
    /// From a table of the files.
    Index(IndexLabels),
    /// From inside the files: `.ts`, or CSV and Parquet with `label_column`. The group is the file, without
    /// `group_column`.
    Inside(InsideLabels),
}

impl Default for Labels {
    fn default() -> Self {
        Self::Folder(FolderLabels::default())
    }
}

/// Folders as labels and groups, counted from the top: 0 is the first below `path`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FolderLabels {
    /// Which folder is the label.
    pub label_depth: usize,
    /// Which folder is the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_depth: Option<usize>,
}

/// Fields of the file name as label and group.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct NameLabels {
    /// As `{label}_{group}_{take}.wav`; with `/` it is held against the whole path below the folder. `{label}` is
    /// required, `{group}` is the group, other fields mean nothing.
    pub pattern: String,
}

/// A table with one row for each file. Rows without a file are an error, as are files without a row.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct IndexLabels {
    /// Path of the table below the folder.
    pub index: String,
    /// Character between fields.
    pub separator: char,
    /// Column of paths, relative to the table.
    pub file: String,
    /// Column of labels.
    pub label: String,
    /// Column of groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Column of samples per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<String>,
    /// Column of factors from counts to values, for raw files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// Column of samples per channel, which are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<String>,
}

impl Default for IndexLabels {
    fn default() -> Self {
        Self {
            index: "index.csv".into(),
            separator: ',',
            file: "file".into(),
            label: "label".into(),
            group: None,
            rate_hz: None,
            scale: None,
            samples: None,
        }
    }
}

/// Labels inside the files have no keys here.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct InsideLabels {}

/// How recordings are cut into windows. See `window.rs`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Samples of a window. Without it, all recordings must be of one length, which is the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// The same in seconds, rounded to samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_s: Option<f64>,
    /// Samples from the start of one window to the next; the length if there is no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop: Option<usize>,
    /// The same in seconds, rounded to samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_s: Option<f64>,
    /// What becomes of recordings shorter than a window.
    pub short: Short,
    /// Keeps only the first so many windows of a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// What becomes of a recording that is shorter than a window.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Short {
    /// An error that names it.
    #[default]
    Refuse,
    /// Zeros after its end, before normalisation.
    PadZero,
    /// Its last value after its end.
    PadEdge,
}

/// What is held out for the test: `split.by`. Never a random choice of windows, which would put near-copies on both
/// sides.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "by", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Split {
    /// Whole recordings.
    Recording(RecordingSplit),
    /// Whole groups: no group is on both sides.
    Group(GroupSplit),
    /// The end of every recording.
    Time(TimeSplit),
    /// Parts that come as files.
    Files(FileSplit),
}

impl Default for Split {
    fn default() -> Self {
        Self::Recording(RecordingSplit::default())
    }
}

/// Holds out whole recordings: those named, or a share of each class.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingSplit {
    /// Name of the split, for reports; made up from its keys if empty.
    pub name: String,
    /// Patterns of recording names. If there are none, `test_share` decides.
    pub test: Vec<String>,
    /// Share of the recordings of each class, rounded, at least one and not all.
    pub test_share: f64,
    /// Decides with the name of a recording whether it belongs to the share.
    pub seed: u64,
    /// Patterns of recordings that are cut in time instead, for classes of which there is only one recording.
    pub cut: Vec<String>,
    /// For these, the share before the cut.
    pub cut_share: f64,
    /// For these, the samples left out after the cut; the window's length if there is no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_gap: Option<usize>,
}

impl Default for RecordingSplit {
    fn default() -> Self {
        Self { name: String::new(), test: vec![], test_share: 0.2, seed: 0, cut: vec![], cut_share: 0.8, cut_gap: None }
    }
}

/// Holds out whole groups.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct GroupSplit {
    /// Name of the split, for reports; made up from its keys if empty.
    pub name: String,
    /// Patterns of the groups held out; each must match. Required.
    pub test: Vec<String>,
}

/// Cuts every recording in time: the first share trains, the rest tests. Weaker than the others: both parts have the
/// same persons and machines.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TimeSplit {
    /// Name of the split, for reports; made up from its keys if empty.
    pub name: String,
    /// Share of each recording before the cut.
    pub share: f64,
    /// Samples left out after the cut; the window's length if there is no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<usize>,
}

impl Default for TimeSplit {
    fn default() -> Self {
        Self { name: String::new(), share: 0.8, gap: None }
    }
}

/// Parts that come as files. Every file belongs to one of them.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct FileSplit {
    /// Name of the split, for reports; made up from its keys if empty.
    pub name: String,
    /// Patterns of paths below the folder. Required.
    pub train: Vec<String>,
    /// Patterns of paths below the folder. Required.
    pub test: Vec<String>,
}

/// What is computed from a window: `features.kind`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Features {
    /// The samples themselves: `[C, 1, L]`.
    Raw(RawFeatures),
    /// Logarithmic mel spectrogram: `[C, mels, frames]`. See `encode/mel.rs`.
    Mel(MelFeatures),
}

impl Default for Features {
    fn default() -> Self {
        Self::Raw(RawFeatures::default())
    }
}

/// Samples as they are have no keys.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RawFeatures {}

/// A logarithmic mel spectrogram.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct MelFeatures {
    /// Samples of a frame.
    pub frame: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Points of the Fourier transform, at least `frame`; 0 for `frame`.
    pub fft: usize,
    /// Number of bands.
    pub mels: usize,
    /// Lowest frequency.
    pub low_hz: f64,
    /// Highest frequency; half the rate if there is no such key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_hz: Option<f64>,
    /// Which mel scale.
    pub scale: MelScale,
    /// Energy below which the logarithm is not taken.
    pub floor: f64,
    /// Where the bands stand in the shape.
    pub bands: Bands,
}

impl Default for MelFeatures {
    fn default() -> Self {
        Self {
            frame: 256,
            hop: 128,
            fft: 0,
            mels: 40,
            low_hz: 0.0,
            high_hz: None,
            scale: MelScale::Htk,
            floor: 1e-10,
            bands: Bands::Height,
        }
    }
}

/// Where mel bands stand in the shape.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bands {
    /// `[C, mels, frames]`: a picture.
    #[default]
    Height,
    /// `[C·mels, 1, frames]`: a series of many channels.
    Channels,
}

/// A mel scale.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MelScale {
    /// `2595·log10(1 + f/700)`.
    #[default]
    Htk,
    /// Linear below 1000 Hz, logarithmic above (Slaney's Auditory Toolbox).
    Slaney,
}

/// How features are brought to one scale, fitted on the training part only. Raw samples have one scale per channel, mel
/// features one per channel and band. See `normalise.rs`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Normalise {
    /// Not at all.
    None,
    /// `(x − mean) / standard deviation`. The default.
    #[default]
    MeanStd,
    /// `(x − median) / interquartile range`.
    Robust,
    /// `(x − min) / (max − min)`, within 0 and 1 on the training part.
    MinMax,
}

/// How features `[C, R, L]` become inputs `[T, C', H, W]`: `encode.kind`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encode {
    /// The values themselves. See `encode/direct.rs`.
    Direct(DirectEncode),
    /// Random spikes, as many as the value. See `encode/rate.rs`.
    Rate(RateEncode),
    /// One spike, the earlier the larger the value. See `encode/latency.rs`.
    Latency(LatencyEncode),
    /// Spikes where the signal has moved. See `encode/delta.rs`.
    Delta(DeltaEncode),
    /// Several bell curves for each value. See `encode/population.rs`.
    Population(PopulationEncode),
}

impl Default for Encode {
    fn default() -> Self {
        Self::Direct(DirectEncode::default())
    }
}

/// Values as they are.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DirectEncode {
    /// Time steps T.
    pub steps: usize,
    /// False: the whole window at every step. True: the window cut into T parts, one for each step.
    pub segments: bool,
}

impl Default for DirectEncode {
    fn default() -> Self {
        Self { steps: 4, segments: false }
    }
}

/// Random spikes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RateEncode {
    /// Time steps T.
    pub steps: usize,
    /// Probability of a spike per unit of the value.
    pub gain: f32,
    /// A second set of channels for negative values.
    pub signed: bool,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for RateEncode {
    fn default() -> Self {
        Self { steps: 8, gain: 1.0, signed: false, seed: 0 }
    }
}

/// One spike for each value.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyEncode {
    /// Time steps T.
    pub steps: usize,
    /// Values below have no spike.
    pub silent_below: f32,
}

impl Default for LatencyEncode {
    fn default() -> Self {
        Self { steps: 8, silent_below: 0.0 }
    }
}

/// Spikes where the signal has moved.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DeltaEncode {
    /// Time steps T, a divisor of the length: each step has the next L/T columns.
    pub steps: usize,
    /// Distance between levels, in units of the normalised features.
    pub threshold: f32,
    /// Largest count of crossed levels in one place; 1 for plain spikes.
    pub max_count: u8,
}

impl Default for DeltaEncode {
    fn default() -> Self {
        Self { steps: 8, threshold: 0.5, max_count: 1 }
    }
}

/// Several bell curves for each value.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PopulationEncode {
    /// Time steps T.
    pub steps: usize,
    /// Curves for each value, at least 3.
    pub fields: usize,
    /// Low end of the range, in units of the normalised features.
    pub low: f32,
    /// High end of the range.
    pub high: f32,
    /// Narrowness of the curves.
    pub beta: f32,
    /// What is handed on.
    pub output: PopulationOutput,
    /// With `output = "latency"`, activations below have no spike.
    pub silent_below: f32,
}

impl Default for PopulationEncode {
    fn default() -> Self {
        Self {
            steps: 8,
            fields: 6,
            low: -2.0,
            high: 2.0,
            beta: 1.5,
            output: PopulationOutput::Latency,
            silent_below: 0.1,
        }
    }
}

/// What the bell curves hand on.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PopulationOutput {
    /// One spike each, the earlier the larger the activation.
    #[default]
    Latency,
    /// The activations at every step.
    Values,
}

impl Encode {
    /// Time steps T.
    pub fn steps(&self) -> usize {
        match self {
            Self::Direct(c) => c.steps,
            Self::Rate(c) => c.steps,
            Self::Latency(c) => c.steps,
            Self::Delta(c) => c.steps,
            Self::Population(c) => c.steps,
        }
    }
}

/// More steps than this are taken for a mistake.
const MAX_STEPS: usize = 4096;

impl SensorConfig {
    /// Checks what can be checked without reading a file.
    ///
    /// # Errors
    /// [`SensorError::Config`] naming the key.
    pub fn validate(&self) -> Result<(), SensorError> {
        let bad = |key: &str, expected: &str, found: &dyn std::fmt::Debug| {
            Err(SensorError::config(key, expected, format!("{found:?}")))
        };
        if self.path.as_os_str().is_empty() {
            return bad("path", "the folder of the recordings", &self.path);
        }
        unique("channels", &self.channels)?;
        unique("classes", &self.classes)?;
        if self.rate_hz.is_some_and(|r| !(r.is_finite() && r > 0.0)) {
            return bad("rate_hz", "above 0", &self.rate_hz);
        }
        if let Missing::Value(v) = self.missing
            && !v.is_finite()
        {
            return bad("missing", "a finite value", &v);
        }
        self.check_format()?;
        self.check_labels()?;
        self.window.check()?;
        self.split.check()?;
        self.check_encode()
    }

    fn check_format(&self) -> Result<(), SensorError> {
        let byte = |key: &str, c: char| match c.is_ascii() && c != '\n' && c != '\r' {
            true => Ok(()),
            false => Err(SensorError::config(key, "one ASCII character", format!("{c:?}"))),
        };
        match &self.format {
            Format::Csv(c) => {
                byte("format.separator", c.separator)?;
                byte("format.quote", c.quote)?;
                if c.separator == c.quote || c.separator == c.decimal {
                    let found = format!("{:?}", c.separator);
                    return Err(SensorError::config("format.separator", "neither quote nor decimal", found));
                }
                if !matches!(c.decimal, '.' | ',') {
                    return Err(SensorError::config("format.decimal", "\".\" or \",\"", format!("{:?}", c.decimal)));
                }
                if !c.header && c.columns.is_empty() {
                    return Err(SensorError::config("format.columns", "the names of all columns", "none"));
                }
                unique("format.columns", &c.columns)
            }
            Format::Raw(r) => {
                if r.columns.is_empty() {
                    return Err(SensorError::config("format.columns", "at least one name", "none"));
                }
                if !(r.scale.is_finite() && r.scale != 0.0) {
                    return Err(SensorError::config("format.scale", "finite and not 0", r.scale));
                }
                unique("format.columns", &r.columns)
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet(_) => {
                let expected = "a program built with the feature `parquet`, or another format";
                Err(SensorError::config("format.kind", expected, "parquet"))
            }
            _ => Ok(()),
        }
    }

    fn check_labels(&self) -> Result<(), SensorError> {
        let columns = match &self.format {
            Format::Csv(c) => Some((c.label_column.is_some(), c.group_column.is_some())),
            Format::Parquet(c) => Some((c.label_column.is_some(), c.group_column.is_some())),
            Format::Ts(_) => None,
            _ => Some((false, false)),
        };
        let inside = matches!(self.labels, Labels::Inside(_));
        match columns {
            None if !inside => return Err(SensorError::config("labels.from", "\"inside\" for .ts files", "another")),
            Some((false, _)) if inside => {
                return Err(SensorError::config(
                    "format.label_column",
                    "a column, for labels.from = \"inside\"",
                    "none",
                ));
            }
            Some((true, _) | (_, true)) if !inside => {
                return Err(SensorError::config("labels.from", "\"inside\", for format.label_column", "another"));
            }
            _ => {}
        }
        match &self.labels {
            Labels::Name(n) => {
                let pattern = Pattern::new(&n.pattern, "labels.pattern")?;
                if !pattern.has("label") {
                    return Err(SensorError::config("labels.pattern", "a field {label}", format!("{:?}", n.pattern)));
                }
            }
            Labels::Index(i) if !i.separator.is_ascii() => {
                let found = format!("{:?}", i.separator);
                return Err(SensorError::config("labels.separator", "one ASCII character", found));
            }
            _ => {}
        }
        Ok(())
    }

    fn check_encode(&self) -> Result<(), SensorError> {
        if let Features::Mel(m) = &self.features {
            let checks = [
                ("features.frame", m.frame >= 2, "at least 2", m.frame),
                ("features.hop", m.hop >= 1, "at least 1", m.hop),
                ("features.fft", m.fft == 0 || (m.fft >= m.frame && m.fft <= 1 << 20), "0, or frame to 1048576", m.fft),
                ("features.frame", m.frame <= 1 << 20, "at most 1048576", m.frame),
                ("features.mels", (1..=1024).contains(&m.mels), "1 to 1024", m.mels),
            ];
            if let Some((key, _, expected, found)) = checks.iter().find(|c| !c.1) {
                return Err(SensorError::config(key, *expected, found));
            }
            if !(m.low_hz.is_finite() && m.low_hz >= 0.0) {
                return Err(SensorError::config("features.low_hz", "at least 0", m.low_hz));
            }
            if let Some(high) = m.high_hz.filter(|h| !(h.is_finite() && *h > m.low_hz)) {
                return Err(SensorError::config("features.high_hz", format!("above low_hz = {}", m.low_hz), high));
            }
            if !(m.floor.is_finite() && m.floor > 0.0) {
                return Err(SensorError::config("features.floor", "above 0", m.floor));
            }
        }
        let steps = self.encode.steps();
        if !(1..=MAX_STEPS).contains(&steps) {
            return Err(SensorError::config("encode.steps", format!("1 to {MAX_STEPS}"), steps));
        }
        let positive = |key, v: f32| match v.is_finite() && v > 0.0 {
            true => Ok(()),
            false => Err(SensorError::config(key, "above 0", v)),
        };
        let share = |key, v: f32| match (0.0..=1.0).contains(&v) {
            true => Ok(()),
            false => Err(SensorError::config(key, "0 to 1", v)),
        };
        match &self.encode {
            Encode::Direct(_) => Ok(()),
            Encode::Rate(r) => positive("encode.gain", r.gain),
            Encode::Latency(l) => share("encode.silent_below", l.silent_below),
            Encode::Delta(d) => {
                positive("encode.threshold", d.threshold)?;
                match d.max_count {
                    0 => Err(SensorError::config("encode.max_count", "at least 1", 0)),
                    _ => Ok(()),
                }
            }
            Encode::Population(p) => {
                if !(3..=256).contains(&p.fields) {
                    return Err(SensorError::config("encode.fields", "3 to 256", p.fields));
                }
                if !(p.low.is_finite() && p.high.is_finite() && p.low < p.high) {
                    return Err(SensorError::config("encode.high", format!("above low = {}", p.low), p.high));
                }
                positive("encode.beta", p.beta)?;
                share("encode.silent_below", p.silent_below)
            }
        }
    }
}

impl Window {
    fn check(&self) -> Result<(), SensorError> {
        for (name, samples, seconds) in [("length", self.length, self.length_s), ("hop", self.hop, self.hop_s)] {
            if let (Some(_), Some(s)) = (samples, seconds) {
                return Err(SensorError::config(
                    &format!("window.{name}_s"),
                    format!("no such key beside window.{name}"),
                    s,
                ));
            }
            if samples == Some(0) {
                return Err(SensorError::config(&format!("window.{name}"), "at least 1", 0));
            }
            if let Some(s) = seconds.filter(|s| !(s.is_finite() && *s > 0.0)) {
                return Err(SensorError::config(&format!("window.{name}_s"), "above 0", s));
            }
        }
        match self.limit {
            Some(0) => Err(SensorError::config("window.limit", "at least 1", 0)),
            _ => Ok(()),
        }
    }
}

impl Split {
    fn check(&self) -> Result<(), SensorError> {
        let share = |key, v: f64| match v > 0.0 && v < 1.0 {
            true => Ok(()),
            false => Err(SensorError::config(key, "between 0 and 1", v)),
        };
        let some = |key, list: &[String]| match list.is_empty() {
            false => Ok(()),
            true => Err(SensorError::config(key, "at least one pattern", "none")),
        };
        match self {
            Self::Recording(r) => {
                share("split.test_share", r.test_share)?;
                share("split.cut_share", r.cut_share)
            }
            Self::Group(g) => some("split.test", &g.test),
            Self::Time(t) => share("split.share", t.share),
            Self::Files(f) => {
                some("split.train", &f.train)?;
                some("split.test", &f.test)
            }
        }
    }
}

fn unique(key: &str, names: &[String]) -> Result<(), SensorError> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|n| !seen.insert(n.as_str())) {
        None => Ok(()),
        Some(twice) => Err(SensorError::config(key, "every name once", format!("{twice:?} twice"))),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
