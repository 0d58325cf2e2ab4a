//! The `[data]` and `[augment]` tables of a recipe, as typed structs with defaults.

use crate::DataError;
use crate::augment::SignalAugment;
use bitspike_events::dataset::{DemoConfig, EventConfig, EventOptions, EventSetName};
use bitspike_sensors::SensorConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which data set: the value of `data.set`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SetName {
    /// 8,000 + 2,000 images of Fashion-MNIST carried inside the program (MIT licence). The default.
    #[default]
    FashionMnistMini,
    /// Fashion-MNIST, 60,000 + 10,000 grey images 28x28, ten kinds of clothes; IDX files.
    FashionMnist,
    /// MNIST, 60,000 + 10,000 grey images 28x28, ten digits; IDX files.
    Mnist,
    /// CIFAR-10, 50,000 + 10,000 colour images 32x32, ten classes; binary version.
    Cifar10,
    /// CIFAR-100, 50,000 + 10,000 colour images 32x32, the 100 fine classes; binary version.
    Cifar100,
    /// `train/<class>/*.png` and `test/<class>/*.png` (also JPEG; `val/` is accepted for `test/`).
    ImageFolder,
    /// Recordings that a simulated event camera makes of `fashion-mnist-mini`.
    EventsDemo,
    /// N-MNIST, digits before a moving event camera.
    NMnist,
    /// CIFAR10-DVS; it has no official split.
    #[serde(rename = "cifar10-dvs")]
    Cifar10Dvs,
    /// DVS128 Gesture, 11 gestures of 29 people.
    #[serde(rename = "dvs128-gesture")]
    Dvs128Gesture,
    /// N-Caltech101; it has no official split.
    #[serde(rename = "n-caltech101")]
    NCaltech101,
    /// ASL-DVS, 24 letters of sign language; it has no official split.
    AslDvs,
    /// Spiking Heidelberg Digits.
    Shd,
    /// Spiking Speech Commands.
    Ssc,
    /// A folder of classes of event files, of any format that is read.
    EventFolder,
    /// Long event recordings, one class a file, cut into windows of time.
    EventWindows,
    /// Recordings of sensors or audio, cut into windows and encoded.
    Sensors,
}

impl SetName {
    /// Every set, in the order of the documentation.
    pub const ALL: [SetName; 17] = [
        Self::FashionMnistMini,
        Self::FashionMnist,
        Self::Mnist,
        Self::Cifar10,
        Self::Cifar100,
        Self::ImageFolder,
        Self::EventsDemo,
        Self::NMnist,
        Self::Cifar10Dvs,
        Self::Dvs128Gesture,
        Self::NCaltech101,
        Self::AslDvs,
        Self::Shd,
        Self::Ssc,
        Self::EventFolder,
        Self::EventWindows,
        Self::Sensors,
    ];

    /// The name as written in a recipe.
    ///
    /// ```
    /// assert_eq!(bitspike_data::SetName::FashionMnistMini.as_str(), "fashion-mnist-mini");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FashionMnistMini => "fashion-mnist-mini",
            Self::FashionMnist => "fashion-mnist",
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::ImageFolder => "image-folder",
            Self::EventsDemo => "events-demo",
            Self::NMnist => "n-mnist",
            Self::Cifar10Dvs => "cifar10-dvs",
            Self::Dvs128Gesture => "dvs128-gesture",
            Self::NCaltech101 => "n-caltech101",
            Self::AslDvs => "asl-dvs",
            Self::Shd => "shd",
            Self::Ssc => "ssc",
            Self::EventFolder => "event-folder",
            Self::EventWindows => "event-windows",
            Self::Sensors => "sensors",
        }
    }

    /// Whether samples are frames of events.
    ///
    /// ```
    /// use bitspike_data::SetName;
    /// assert!(SetName::EventsDemo.is_events() && SetName::NMnist.is_events() && !SetName::Mnist.is_events());
    /// ```
    pub fn is_events(self) -> bool {
        self == Self::EventsDemo || self.events().is_some()
    }

    /// The set of event recordings with this name, if it is one.
    pub(crate) fn events(self) -> Option<EventSetName> {
        EventSetName::ALL.into_iter().find(|set| set.as_str() == self.as_str())
    }

    /// Whether the files are looked for in a folder that the recipe has to name.
    pub(crate) fn needs_path(self) -> bool {
        matches!(self, Self::ImageFolder | Self::EventFolder | Self::EventWindows | Self::Sensors)
    }
}

impl std::fmt::Display for SetName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the time steps of a static image show: the value of `data.views`.
///
/// Repeating the image gives the later steps nothing new to see. `mirrored` makes a sequence of it, in which every second
/// frame is the image mirrored left-right; summed over the steps, the outputs judge both views, as test-time augmentation
/// does with two passes, at the cost of the T steps that are there anyway. Ours; mirrored views in evaluation are old practice
/// (Krizhevsky et al., NIPS 2012).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Views {
    /// Every step sees the same image. The default.
    #[default]
    Same,
    /// The steps 2, 4, ... see it mirrored left-right.
    Mirrored,
}

/// The `[data]` table of a recipe: which samples, how many, and what is held out.
///
/// Order of operations: read the files, keep the first `train_limit` and `test_limit` samples, then take `validation`
/// samples from the end of what is left of the training part. File order is the order of the official files; of
/// `image-folder` it is round robin over the classes (first file of each class, second file of each class, ...), so
/// that a prefix or suffix is balanced as far as the folders allow.
///
/// ```
/// use bitspike_data::{DataConfig, SetName};
/// let cfg: DataConfig = toml::from_str("set = 'cifar10'\ntrain_limit = 5000\nvalidation = 500").unwrap();
/// assert_eq!((cfg.set, cfg.train_limit, cfg.validation), (SetName::Cifar10, Some(5000), 500));
/// assert!(toml::from_str::<DataConfig>("sett = 'cifar10'").is_err());
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Which data set.
    pub set: SetName,
    /// Folder with the files. Without it [`search_path`](crate::search_path) is used. Required for
    /// `image-folder`, `event-folder`, `event-windows` and `sensors`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Keep only the first n training samples in file order. It is an error if there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// Keep only the first n test samples in file order. It is an error if there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Samples held out from the training part (after `train_limit`) for validation; 0 for none: the last ones, and of windows
    /// that are cut from longer recordings at least so many, in whole groups or recordings.
    pub validation: usize,
    /// `[height, width]` to which the images of an `image-folder` are scaled and centre-cropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// Pixels on top of `size` that an image of an `image-folder` covers before its middle is cut out.
    pub margin: usize,
    /// Leave the images of an `image-folder` in their files until a batch needs them.
    pub on_demand: bool,
    /// Channels of an `image-folder`: 3 (default) or 1 (grey, Rec. 709 luma).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// What the time steps of a static image show; for sets of images.
    pub views: Views,
    /// How event recordings are split and become frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<EventOptions>,
    /// The camera of `events-demo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulate: Option<DemoConfig>,
    /// How recordings of sensors are read, cut, split, normalised and encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensors: Option<SensorConfig>,
}

impl DataConfig {
    /// The configuration of a set of event recordings with samples of `steps` frames; `None` for other sets.
    pub fn event_config(&self, steps: usize) -> Option<EventConfig> {
        let mut config = EventConfig::new(self.set.events()?, self.path.clone().unwrap_or_default());
        (config.steps, config.options) = (steps, self.events.clone().unwrap_or_default());
        (config.train_limit, config.test_limit, config.validation) =
            (self.train_limit, self.test_limit, self.validation);
        Some(config)
    }

    /// Checks that a folder is named, where one has to be: only reading needs it.
    ///
    /// # Errors
    /// [`DataError::Config`] for `data.path`.
    pub(crate) fn require_path(&self) -> Result<(), DataError> {
        if !self.set.needs_path() || self.path.is_some() {
            return Ok(());
        }
        let holds = if self.set == SetName::ImageFolder { "train/ and test/" } else { "the recordings" };
        let expected = format!("the folder that holds {holds} (--data-dir names it as well)");
        Err(DataError::Config { key: "data.path", expected, found: "no such key".into() })
    }

    /// Checks what can be checked without reading a file.
    ///
    /// # Errors
    /// [`DataError::Config`] naming the key.
    pub fn validate(&self) -> Result<(), DataError> {
        let bad = |key, expected: &str, found: String| Err(DataError::Config { key, expected: expected.into(), found });
        if self.train_limit == Some(0) {
            return bad("data.train_limit", "at least 1, or no such key", "0".into());
        }
        if self.test_limit == Some(0) {
            return bad("data.test_limit", "at least 1, or no such key", "0".into());
        }
        if let Some(limit) = self.train_limit.filter(|&n| n <= self.validation) {
            return bad(
                "data.validation",
                &format!("less than data.train_limit = {limit}"),
                self.validation.to_string(),
            );
        }
        let set = self.set;
        if self.views != Views::Same && (set.is_events() || set == SetName::Sensors) {
            return bad("data.views", &format!("no such key for {set}, which has frames of its own"), "a value".into());
        }
        if self.events.is_some() && set.events().is_none() {
            return bad("data.events", &format!("no such table for {set}"), "a table".into());
        }
        if self.simulate.is_some() && set != SetName::EventsDemo {
            return bad("data.simulate", &format!("no such table for {set}"), "a table".into());
        }
        if self.sensors.is_some() && set != SetName::Sensors {
            return bad("data.sensors", &format!("no such table for {set}"), "a table".into());
        }
        if set == SetName::Sensors {
            self.validate_sensors()?;
        }
        if let Some(config) = self.event_config(1) {
            config.validate()?;
        }
        match self.set {
            SetName::ImageFolder => {
                if let Some(size) = self.size.filter(|s| s.iter().any(|n| !(1..=MAX_SIDE).contains(n))) {
                    return bad("data.size", &format!("[height, width], each 1 to {MAX_SIDE}"), format!("{size:?}"));
                }
                if self.margin > 0 && self.size.is_none() {
                    return bad("data.margin", "0 without data.size, which it is on top of", self.margin.to_string());
                }
                if self.margin > MAX_SIDE {
                    return bad("data.margin", &format!("0 to {MAX_SIDE}"), self.margin.to_string());
                }
                if let Some(c) = self.channels.filter(|c| ![1, 3].contains(c)) {
                    return bad("data.channels", "1 or 3", c.to_string());
                }
                if self.on_demand && self.views != Views::Same {
                    return bad("data.on_demand", "false with data.views: frames are made in memory", "true".into());
                }
            }
            set => {
                if let Some(size) = self.size {
                    return bad("data.size", &format!("no such key for {set}"), format!("{size:?}"));
                }
                if let Some(c) = self.channels {
                    return bad("data.channels", &format!("no such key for {set}"), c.to_string());
                }
                if self.margin > 0 {
                    return bad("data.margin", &format!("no such key for {set}"), self.margin.to_string());
                }
                if self.on_demand {
                    return bad(
                        "data.on_demand",
                        &format!("false for {set}, which is read into memory"),
                        "true".into(),
                    );
                }
                let embedded = matches!(set, SetName::FashionMnistMini | SetName::EventsDemo);
                if let Some(path) = self.path.as_ref().filter(|_| embedded) {
                    return bad("data.path", "no such key: the set is embedded", path.display().to_string());
                }
            }
        }
        Ok(())
    }

    /// What can be checked of `sensors` without reading a file.
    fn validate_sensors(&self) -> Result<(), DataError> {
        let bad = |key, expected: &str, found: String| Err(DataError::Config { key, expected: expected.into(), found });
        let Some(sensors) = &self.sensors else {
            return bad("data.sensors", "a table that says how files are read", "no such table".into());
        };
        if !sensors.path.as_os_str().is_empty() {
            let found = sensors.path.display().to_string();
            return bad("data.sensors.path", "no such key: data.path names the folder", found);
        }
        for (key, limit) in [("data.train_limit", self.train_limit), ("data.test_limit", self.test_limit)] {
            if let Some(limit) = limit {
                return bad(key, "no such key for sensors: see window.limit", limit.to_string());
            }
        }
        // Any folder will do as long as nothing is read.
        let path = self.path.clone().unwrap_or_else(|| ".".into());
        Ok(SensorConfig { path, ..sensors.clone() }.validate()?)
    }
}

/// Largest accepted image height or width, in pixels.
pub const MAX_SIDE: usize = 4096;

/// Learned augmentation policy: the value of `augment.auto_augment`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AutoAugment {
    /// No policy.
    #[default]
    None,
    /// The CIFAR-10 policy of Cubuk et al. 2018, 25 sub-policies.
    Cifar10,
    /// One operation at a random strength (Müller and Hutter, ICCV 2021).
    Trivial,
}

/// How pixels become floats: the value of `augment.normalize`.
///
/// With pixel p in 0..=255 and channel c: `x = (p / 255 − mean[c]) / std[c]`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Normalize {
    /// Mean and standard deviation per channel, computed on the training part in use. The default.
    #[default]
    DataSet,
    /// `x = p / 255`.
    None,
    /// Given numbers, one per channel, in units of `p / 255`.
    Fixed {
        /// Mean per channel.
        mean: Vec<f32>,
        /// Standard deviation per channel, above 0.
        std: Vec<f32>,
    },
}

/// The `[augment]` table of a recipe. Everything except `normalize` acts on training samples only.
///
/// Order: random resized crop, random crop, flip, roll, NDA, AutoAugment (all on bytes), EventMix, normalisation, Cutout.
///
/// ```
/// use bitspike_data::{AugmentConfig, Normalize};
/// let cfg: AugmentConfig = toml::from_str("random_crop = 4\nflip = true\nnormalize = 'none'").unwrap();
/// assert_eq!((cfg.random_crop, cfg.flip, cfg.normalize), (4, true, Normalize::None));
/// let cfg: AugmentConfig = toml::from_str("normalize = { fixed = { mean = [0.5], std = [0.25] } }").unwrap();
/// assert_eq!(cfg.normalize, Normalize::Fixed { mean: vec![0.5], std: vec![0.25] });
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Smallest share of an image's area that a random resized crop keeps, up to 1; 0 = off. Usual for ImageNet: 0.08.
    pub random_resized_crop: f64,
    /// Pad with this many zero pixels on each side, then crop the original size at a random place; 0 = off.
    pub random_crop: usize,
    /// Mirror left-right with probability 1/2.
    pub flip: bool,
    /// Roll by up to so many pixels either way, in both directions; for event frames; 0 = off.
    pub roll: u16,
    /// Strength of NDA (Li et al., 2022), 0 to 1, for event frames: one of roll, rotation, shear and cutting out; 0 = off.
    pub nda: f64,
    /// Probability of a mix with another training sample by EventMix (Shen et al., 2023), for event frames; its label then
    /// counts for its share; 0 = off.
    pub event_mix: f64,
    /// a of MixUp (Zhang et al., 2018), for images: λ ~ Beta(a, a); 0 = off.
    pub mixup: f64,
    /// a of CutMix (Yun et al., 2019), for images; 0 = off. With both on, each sample takes either.
    pub cutmix: f64,
    /// Probability that a sample is mixed by MixUp or CutMix, where one is on.
    pub mix_probability: f64,
    /// Side in pixels of the square set to zero (after normalisation, so to the mean); 0 = off.
    pub cutout: usize,
    /// Learned policy.
    pub auto_augment: AutoAugment,
    /// How pixels become floats.
    pub normalize: Normalize,
    /// Of windows and spectrograms of sensors.
    pub signals: SignalAugment,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            random_resized_crop: 0.0,
            random_crop: 0,
            flip: false,
            roll: 0,
            nda: 0.0,
            event_mix: 0.0,
            mixup: 0.0,
            cutmix: 0.0,
            mix_probability: 1.0,
            cutout: 0,
            auto_augment: AutoAugment::None,
            normalize: Normalize::default(),
            signals: SignalAugment::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips() {
        for set in SetName::ALL {
            let text = format!("set = '{set}'");
            let cfg: DataConfig = toml::from_str(&text).unwrap();
            assert_eq!(cfg.set, set);
            assert_eq!(toml::from_str::<DataConfig>(&toml::to_string(&cfg).unwrap()).unwrap(), cfg);
        }
    }

    #[test]
    fn validate_names_the_key() {
        let rows = [
            ("train_limit = 0", "data.train_limit"),
            ("test_limit = 0", "data.test_limit"),
            ("train_limit = 5\nvalidation = 5", "data.validation"),
            ("set = 'image-folder'\npath = 'x'\nsize = [0, 4]", "data.size"),
            ("set = 'image-folder'\npath = 'x'\nsize = [4, 4097]", "data.size"),
            ("set = 'image-folder'\npath = 'x'\nchannels = 2", "data.channels"),
            ("set = 'image-folder'\nmargin = 2", "data.margin"),
            ("set = 'image-folder'\nsize = [4, 4]\nmargin = 4097", "data.margin"),
            ("set = 'image-folder'\non_demand = true\nviews = 'mirrored'", "data.on_demand"),
            ("set = 'cifar10'\nmargin = 2", "data.margin"),
            ("set = 'cifar10'\non_demand = true", "data.on_demand"),
            ("set = 'mnist'\nsize = [28, 28]", "data.size"),
            ("set = 'mnist'\nchannels = 1", "data.channels"),
            ("path = 'x'", "data.path"),
            ("set = 'events-demo'\nviews = 'mirrored'", "data.views"),
            ("set = 'sensors'\nviews = 'mirrored'", "data.views"),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .filter(|(text, want)| {
                let cfg: DataConfig = toml::from_str(text).unwrap();
                !matches!(cfg.validate(), Err(DataError::Config { key, .. }) if key == *want)
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(DataConfig::default().validate().is_ok());
        for set in SetName::ALL.into_iter().filter(|set| matches!(set, SetName::ImageFolder | SetName::EventFolder)) {
            let cfg = DataConfig { set, ..DataConfig::default() };
            assert!(cfg.validate().is_ok(), "{set} without a folder is a recipe, and no data");
            for result in [crate::load_frames(&cfg, 1).map(|_| ()), crate::verify(&cfg).map(|_| ())] {
                assert!(matches!(result, Err(DataError::Config { key: "data.path", .. })), "{set}: {result:?}");
            }
        }
    }

    #[test]
    fn unknown_keys_and_values_are_refused() {
        for text in ["flop = true", "normalize = 'dataset'", "normalize = { fixed = { mean = [0.1], sd = [1.0] } }"] {
            assert!(toml::from_str::<AugmentConfig>(text).is_err(), "{text}");
        }
        assert!(toml::from_str::<DataConfig>("set = 'imagenet'").is_err());
    }
}
