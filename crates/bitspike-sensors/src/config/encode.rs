//! `[features]`, `normalise` and `[encode]`: from a window to inputs.

use serde::{Deserialize, Serialize};

/// What is computed from a window: `features.kind`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RawFeatures {}

/// A logarithmic mel spectrogram.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// What energies are measured by.
    pub level: Level,
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
            level: Level::Absolute,
            bands: Bands::Height,
        }
    }
}

/// What the energies of a spectrogram are measured by.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Level {
    /// The unit of the samples: loud and soft sounds differ.
    #[default]
    Absolute,
    /// The frames of the window that are not silent beside its loudest: loud and soft sounds are alike.
    Window,
}

/// Where mel bands stand in the shape.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
