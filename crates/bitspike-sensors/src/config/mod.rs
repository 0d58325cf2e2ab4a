//! The configuration of a sensor data set, as typed structs with defaults.
//!
//! Every table refuses unknown keys. Keys with a unit in their name (`length_s`) stand beside the same key in samples
//! (`length`); only one of the two may be given. File names and labels are compared with patterns in which `*` stands
//! for any characters.

mod encode;
mod format;
mod lines;
mod source;
mod split;

pub use encode::*;
pub use format::*;
pub use source::*;
pub use split::*;

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// More texts that stand for a missing value, as `"OVER"`; those that are numbers, as `"-999"`, also in binary files.
    pub missing_markers: Vec<String>,
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
    /// At least so many windows of the training part are held out for validation; 0 for none. Whole groups or recordings, or
    /// the ends of those that are cut in time: see `hold_out.rs`. In a recipe this is `data.validation`.
    #[serde(skip)]
    pub validation: usize,
    /// What is computed from a window before it is normalised.
    pub features: Features,
    /// How features are brought to one scale.
    pub normalise: Normalise,
    /// Bound of normalised features: what lies beyond ± it is set to it. [`ROBUST_CLIP`] with `normalise = "robust"`
    /// and none otherwise, unless given; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// How features become inputs of a spiking network.
    pub encode: Encode,
}

/// What to do where a value is missing: an empty field, one of [`MISSING_TEXTS`](crate::MISSING_TEXTS) or of
/// `missing_markers`, or a NaN in a binary file.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Bound of features normalised by `robust`, in distances between their quartiles. Bell-shaped noise comes to 4 of them once
/// in 10^7 samples; what a loose contact or an overflow writes, as 9999 or 65535, comes to hundreds.
pub const ROBUST_CLIP: f32 = 20.0;

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
        if self.clip.is_some_and(|c| !(c.is_finite() && c >= 0.0)) {
            return bad("clip", "at least 0", &self.clip);
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

    /// The bound of normalised features; infinite for none.
    pub fn bound(&self) -> f32 {
        match (self.clip, self.normalise) {
            (Some(0.0), _) => f32::INFINITY,
            (Some(bound), _) => bound,
            (None, Normalise::Robust) => ROBUST_CLIP,
            (None, _) => f32::INFINITY,
        }
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
                let value = |s: char| {
                    s.is_alphanumeric() || "+-. ".contains(s) || [c.separator, c.quote, c.decimal].contains(&s)
                };
                for (key, text) in [("format.comment", &c.comment), ("format.row_end", &c.row_end)] {
                    // Else rows would be taken for comments, or ends of values for those of rows.
                    if text.chars().any(value) {
                        let expected =
                            "neither letters, digits, signs and blanks nor separator, quote and decimal sign";
                        return Err(SensorError::config(key, expected, format!("{text:?}")));
                    }
                }
                let series = c.rows == RowKind::Series;
                if series && c.time_column.is_some() {
                    return Err(SensorError::config("format.time_column", "none with rows = \"series\"", "one"));
                }
                if !c.header && c.columns.is_empty() && !series {
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
mod tests;
