//! The table of a recipe that names a data set of events and says how it becomes frames.

use super::split::Split;
use crate::error::option;
use crate::{Camera, EventError, Format, ReadOptions, TimeUnit};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which data set of events: the value of `set`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventSetName {
    /// N-MNIST: digits before a moving camera, 34 x 34, 60,000 + 10,000 recordings (Orchard et al. 2015).
    NMnist,
    /// CIFAR10-DVS: 10 classes of 1,000 recordings, 128 x 128 (Li et al. 2017).
    #[serde(rename = "cifar10-dvs")]
    Cifar10Dvs,
    /// DVS128 Gesture: 11 gestures of 29 people, 128 x 128 (Amir et al. 2017).
    #[serde(rename = "dvs128-gesture")]
    Dvs128Gesture,
    /// N-Caltech101: 101 classes, up to 240 x 180 (Orchard et al. 2015).
    #[serde(rename = "n-caltech101")]
    NCaltech101,
    /// ASL-DVS: 24 letters of sign language, 240 x 180 (Bi et al. 2019).
    AslDvs,
    /// Spiking Heidelberg Digits: 20 spoken digits, 700 channels (Cramer et al. 2020).
    Shd,
    /// Spiking Speech Commands: 35 spoken words, 700 channels (Cramer et al. 2020).
    Ssc,
    /// A folder of classes of event files, of any format that is read.
    EventFolder,
    /// Long recordings, one class a file, cut into windows of time.
    EventWindows,
}

impl EventSetName {
    /// Every set, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::NMnist,
        Self::Cifar10Dvs,
        Self::Dvs128Gesture,
        Self::NCaltech101,
        Self::AslDvs,
        Self::Shd,
        Self::Ssc,
        Self::EventFolder,
        Self::EventWindows,
    ];

    /// The name as written in a recipe.
    ///
    /// ```
    /// assert_eq!(bitspike_events::dataset::EventSetName::NMnist.as_str(), "n-mnist");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NMnist => "n-mnist",
            Self::Cifar10Dvs => "cifar10-dvs",
            Self::Dvs128Gesture => "dvs128-gesture",
            Self::NCaltech101 => "n-caltech101",
            Self::AslDvs => "asl-dvs",
            Self::Shd => "shd",
            Self::Ssc => "ssc",
            Self::EventFolder => "event-folder",
            Self::EventWindows => "event-windows",
        }
    }

    /// Height and width of the sensor, where the set has only one.
    pub const fn sensor(self) -> Option<[usize; 2]> {
        match self {
            Self::NMnist => Some([34, 34]),
            Self::Cifar10Dvs | Self::Dvs128Gesture => Some([128, 128]),
            Self::NCaltech101 | Self::AslDvs => Some([180, 240]),
            Self::Shd | Self::Ssc => Some([1, 700]),
            Self::EventFolder | Self::EventWindows => None,
        }
    }

    /// Channels of its frames: OFF and ON, or one where events have no polarity.
    pub const fn channels(self) -> usize {
        match self {
            Self::Shd | Self::Ssc => 1,
            _ => 2,
        }
    }
}

impl std::fmt::Display for EventSetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a recording is divided by into its time steps.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Binning {
    /// Parts of the same duration.
    #[default]
    Time,
    /// Parts with the same number of events.
    Count,
}

/// What stands in a frame.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Values {
    /// 1 where at least one event fell, else 0: spikes.
    #[default]
    Binary,
    /// Number of events, 255 for more.
    Counts,
}

/// How recordings are split and how they become frames: the table `[data.events]` of a recipe.
///
/// ```
/// use bitspike_events::dataset::{EventOptions, Split};
/// let o: EventOptions = toml::from_str("split = 'first-60'\nsize = [34, 34]").unwrap();
/// assert_eq!((o.split, o.size), (Some(Split::First(60)), Some([34, 34])));
/// assert!(toml::from_str::<EventOptions>("splits = 'official'").is_err());
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EventOptions {
    /// How it is split. Without it the official split, and `by-time` for `event-windows`; sets without an official one
    /// need the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Seed of the split `random-A-B`.
    pub split_seed: u64,
    /// Duration of a window of `event-windows`, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u32>,
    /// Time left out between the training and the test windows of a recording, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<u32>,
    /// Share of a recording's time that is for training, in (0, 1); 0.7 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_part: Option<f64>,
    /// What a recording is divided by.
    pub by: Binning,
    /// What stands in a frame.
    pub values: Values,
    /// `[height, width]` of frames, at most those of the sensor: pixels that fall together are added. The sensor's if
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// `[height, width]` of the sensor, for `event-folder` and `event-windows` of files that do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<[usize; 2]>,
    /// Format of the files of `event-folder` and `event-windows`, by short name, instead of telling it by the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Camera of AEDAT 2.0 files that do not name theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// Columns of CSV files without a first line that names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// Unit of the times in CSV, npz and npy files: `s`, `ms`, `us`, `ns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<String>,
    /// Folder in which frames are kept for the next time; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
}

/// Which recordings, how they are split into training and test part, and how they become frames `[T, C, H, W]`.
///
/// Order of operations: list the files, split, keep the first `train_limit` and `test_limit`.
///
/// ```
/// use bitspike_events::dataset::{EventConfig, EventOptions, EventSetName, Split};
/// let mut c = EventConfig::new(EventSetName::NMnist, "N-MNIST");
/// c.options = EventOptions { split: Some(Split::First(60)), ..EventOptions::default() };
/// assert!(c.validate().is_ok());
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EventConfig {
    /// Which data set.
    pub set: EventSetName,
    /// Folder with its files.
    pub path: PathBuf,
    /// Keep only the first n training samples of the list. It is an error if there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// Keep only the first n test samples of the list. It is an error if there are fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// At least so many training samples, after `train_limit`, are put at the end of the list for validation. See
    /// [`Listing::validation`](super::Listing::validation).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub validation: usize,
    /// T, the number of time steps.
    #[serde(default = "eight")]
    pub steps: usize,
    /// Everything else.
    #[serde(default)]
    pub options: EventOptions,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

const fn eight() -> usize {
    8
}

/// Largest accepted number of steps.
pub const MAX_STEPS: usize = 1024;
/// Largest accepted side of a sensor.
pub const MAX_SIDE: usize = 1 << 15;

impl EventConfig {
    /// A set in a folder, everything else at its default.
    pub fn new(set: EventSetName, path: impl Into<PathBuf>) -> Self {
        Self {
            set,
            path: path.into(),
            train_limit: None,
            test_limit: None,
            validation: 0,
            steps: eight(),
            options: EventOptions::default(),
        }
    }

    /// Checks what can be checked without looking at files.
    ///
    /// # Errors
    /// `Option` of [`EventError`], naming the key.
    pub fn validate(&self) -> Result<(), EventError> {
        let set = self.set;
        for (key, limit) in [("train_limit", self.train_limit), ("test_limit", self.test_limit)] {
            if limit == Some(0) {
                return option(key, "at least 1, or no such key", 0);
            }
        }
        if !(1..=MAX_STEPS).contains(&self.steps) {
            return option("steps", format!("1 to {MAX_STEPS}"), self.steps);
        }
        for (key, size) in [("size", self.options.size), ("sensor", self.options.sensor)] {
            if let Some(s) = size.filter(|s| s.iter().any(|n| !(1..=MAX_SIDE).contains(n))) {
                return option(key, format!("[height, width], each 1 to {MAX_SIDE}"), format!("{s:?}"));
            }
        }
        if let (Some(size), Some(sensor)) = (self.options.size, set.sensor().or(self.options.sensor)) {
            smaller(size, sensor)?;
        }
        let own = matches!(set, EventSetName::EventFolder | EventSetName::EventWindows);
        let told = [
            ("sensor", self.options.sensor.map(|s| format!("{s:?}"))),
            ("format", self.options.format.clone()),
            ("camera", self.options.camera.clone()),
            ("columns", self.options.columns.clone()),
            ("time_unit", self.options.time_unit.clone()),
        ];
        if let Some((key, Some(v))) = told.into_iter().find(|(_, v)| !own && v.is_some()) {
            return option(key, format!("no such key for {set}"), v);
        }
        let windows = set == EventSetName::EventWindows;
        let of_windows = [
            ("window_ms", self.options.window_ms.map(f64::from)),
            ("gap_ms", self.options.gap_ms.map(f64::from)),
            ("train_part", self.options.train_part),
        ];
        if let Some((key, Some(v))) = of_windows.into_iter().find(|(_, v)| !windows && v.is_some()) {
            return option(key, format!("no such key for {set}"), v);
        }
        if windows && self.options.window_ms.is_none_or(|w| w == 0) {
            let found = self.options.window_ms.map_or("no such key".into(), |w| w.to_string());
            return option("window_ms", "a duration of at least 1", found);
        }
        if let Some(part) = self.options.train_part.filter(|p| !(*p > 0.0 && *p < 1.0)) {
            return option("train_part", "a number between 0 and 1", part);
        }
        self.split()?;
        self.read_options().map(|_| ())
    }

    /// The split in force.
    pub(crate) fn split(&self) -> Result<Split, EventError> {
        use EventSetName as N;
        let default = match self.set {
            N::NMnist | N::Dvs128Gesture | N::Shd | N::Ssc | N::EventFolder => Some(Split::Official),
            N::EventWindows => Some(Split::ByTime),
            N::Cifar10Dvs | N::NCaltech101 | N::AslDvs => None,
        };
        let Some(split) = self.options.split.or(default) else {
            return option("split", "first-N, last-N or random-A-B: this set has no official split", "no such key");
        };
        let fits = match split {
            Split::Official => default == Some(Split::Official),
            Split::OfficialValid => self.set == N::Ssc,
            Split::ByTime => self.set == N::EventWindows,
            Split::First(_) | Split::Last(_) | Split::Random(..) => self.set != N::EventWindows,
        };
        if fits { Ok(split) } else { option("split", format!("one that {} has", self.set), split) }
    }

    /// How files are opened.
    ///
    /// # Errors
    /// `Option` of [`EventError`] for a name that is not known.
    pub fn read_options(&self) -> Result<ReadOptions, EventError> {
        use EventSetName as N;
        let mut o = ReadOptions { columns: self.options.columns.clone(), ..ReadOptions::default() };
        o.format = match (&self.options.format, self.set) {
            (Some(name), _) => Some(match Format::named(name) {
                Some(f) => f,
                None => return option("format", Format::ALL.map(Format::name).join(", "), name),
            }),
            (None, N::NMnist | N::NCaltech101) => Some(Format::Bin40),
            (None, N::Dvs128Gesture) => Some(Format::Aedat3),
            (None, N::AslDvs) => Some(Format::Mat),
            _ => None,
        };
        if let Some(name) = &self.options.camera {
            o.camera = Camera::ALL.into_iter().find(|c| c.name() == name);
            if o.camera.is_none() {
                return option("camera", Camera::ALL.map(Camera::name).join(", "), name);
            }
        }
        if let Some(name) = &self.options.time_unit {
            o.time_unit = TimeUnit::named(name);
            if o.time_unit.is_none() {
                return option("time_unit", "s, ms, us or ns", name);
            }
        }
        Ok(o)
    }
}

/// Frames cannot be larger than the sensor.
pub(crate) fn smaller(size: [usize; 2], sensor: [usize; 2]) -> Result<(), EventError> {
    if size.iter().zip(sensor).all(|(a, b)| *a <= b) {
        return Ok(());
    }
    option("size", format!("at most the sensor's {sensor:?}"), format!("{size:?}"))
}
