//! `[window]` and `[split]`: how recordings are cut, and what is held out.

use serde::{Deserialize, Serialize};

/// How recordings are cut into windows. See `window.rs`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FileSplit {
    /// Name of the split, for reports; made up from its keys if empty.
    pub name: String,
    /// Patterns of paths below the folder. Required.
    pub train: Vec<String>,
    /// Patterns of paths below the folder. Required.
    pub test: Vec<String>,
}
