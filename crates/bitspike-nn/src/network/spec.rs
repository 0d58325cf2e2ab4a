//! Networks as text: `"64-128-P-256-256-P"` and `"16-4x16-4x32"`.
//!
//! Parts are separated by `-`. A number is a convolution with that many output channels, `NxC` is N of them, `P` is a 2×2
//! pooling. The first number is the stem (real weights).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// One part of a network text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A convolution with this many output channels.
    Conv(usize),
    /// A 2×2 pooling.
    Pool,
}

/// A parsed network text.
///
/// ```
/// use bitspike_nn::network::{LayerSpec, Part};
/// let spec: LayerSpec = "32-2x64-P".parse().unwrap();
/// assert_eq!(spec.parts(), [Part::Conv(32), Part::Conv(64), Part::Conv(64), Part::Pool]);
/// assert!("32-Q".parse::<LayerSpec>().unwrap_err().to_string().contains("part 2"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSpec {
    text: String,
    parts: Vec<Part>,
}

/// What is wrong with a network text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A part is neither a number, `NxC`, nor `P`.
    #[error(
        "part {index} is {found:?}; expected a channel count such as 64, a repeat such as 4x64, or P for a pooling"
    )]
    Part {
        /// Position, from 1.
        index: usize,
        /// The text found.
        found: String,
    },
    /// The first part must be the stem.
    #[error("the network starts with {found:?}; its first part must be the channel count of the stem")]
    Stem {
        /// The text found.
        found: String,
    },
    /// Two poolings in a row, or more layers than anyone can mean.
    #[error("{reason}")]
    Shape {
        /// What is wrong.
        reason: String,
    },
}

impl LayerSpec {
    /// The parts in order, repeats written out.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

const MAX_CHANNELS: usize = 65_536;
const MAX_LAYERS: usize = 1_000;

impl FromStr for LayerSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut parts = Vec::new();
        for (index, raw) in text.split('-').map(str::trim).enumerate() {
            let bad = || SpecError::Part { index: index + 1, found: raw.to_owned() };
            let count = |s: &str| s.parse::<usize>().ok().filter(|c| (1..=MAX_CHANNELS).contains(c)).ok_or_else(bad);
            match raw.split_once('x') {
                _ if raw.eq_ignore_ascii_case("p") => parts.push(Part::Pool),
                None => parts.push(Part::Conv(count(raw)?)),
                Some((times, channels)) => {
                    let (times, channels) = (count(times)?, count(channels)?);
                    if parts.len() + times > MAX_LAYERS {
                        let reason = format!("more than {MAX_LAYERS} layers");
                        return Err(SpecError::Shape { reason });
                    }
                    parts.extend(std::iter::repeat_n(Part::Conv(channels), times));
                }
            }
        }
        if !matches!(parts.first(), Some(Part::Conv(_))) {
            let found = text.split('-').next().unwrap_or_default().to_owned();
            return Err(SpecError::Stem { found });
        }
        if let Some(at) = parts.windows(2).position(|w| w == [Part::Pool, Part::Pool]) {
            return Err(SpecError::Shape { reason: format!("two poolings in a row at part {}", at + 2) });
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl fmt::Display for LayerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for LayerSpec {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for LayerSpec {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
