//! Networks as text: `"64-128-P-256-256-P"` and `"16-4x16-4x32"`.
//!
//! Parts are separated by `-`. A number is a convolution with that many output channels, 3×3 unless `cK` says another odd size,
//! as `64c5` for 5×5; `FC512` is a dense layer with so many outputs; `NxC` is N of either; `P` is a 2×2 pooling. The first number is
//! the stem (real weights). Behind a dense layer only dense layers can stand.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// One part of a network text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A convolution with this many output channels, 3×3, or the stem in the size of its network.
    Conv(usize),
    /// A convolution with this many output channels and a square kernel of this side.
    Sized(usize, usize),
    /// A dense layer with this many outputs, on every spike of the map in front.
    Dense(usize),
    /// A 2×2 pooling.
    Pool,
}

/// A parsed network text.
///
/// ```
/// use bitspike_nn::network::{LayerSpec, Part};
/// let spec: LayerSpec = "32-2x64-P".parse().unwrap();
/// assert_eq!(spec.parts(), [Part::Conv(32), Part::Conv(64), Part::Conv(64), Part::Pool]);
/// let spec: LayerSpec = "32c5-P-FC512".parse().unwrap();
/// assert_eq!(spec.parts(), [Part::Sized(32, 5), Part::Pool, Part::Dense(512)]);
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
        "part {index} is {found:?}; expected a channel count such as 64, with the side of its kernel 64c5 (odd, 1 to {MAX_KERNEL}), a \
         dense layer such as FC512, a repeat such as 4x64, or P for a pooling"
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
const MAX_KERNEL: usize = 31;

impl FromStr for LayerSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut parts = Vec::new();
        for (index, raw) in text.split('-').map(str::trim).enumerate() {
            let bad = || SpecError::Part { index: index + 1, found: raw.to_owned() };
            let count = |s: &str| s.parse::<usize>().ok().filter(|c| (1..=MAX_CHANNELS).contains(c)).ok_or_else(bad);
            let layer = |s: &str| -> Result<Part, SpecError> {
                if let Some(outputs) = s.strip_prefix("FC").or_else(|| s.strip_prefix("fc")) {
                    return Ok(Part::Dense(count(outputs)?));
                }
                let Some((channels, side)) = s.split_once('c') else { return Ok(Part::Conv(count(s)?)) };
                let side = count(side)?;
                let fits = side % 2 == 1 && side <= MAX_KERNEL;
                if fits { Ok(Part::Sized(count(channels)?, side)) } else { Err(bad()) }
            };
            match raw.split_once('x') {
                _ if raw.eq_ignore_ascii_case("p") => parts.push(Part::Pool),
                None => parts.push(layer(raw)?),
                Some((times, one)) => {
                    let (times, one) = (count(times)?, layer(one)?);
                    if parts.len() + times > MAX_LAYERS {
                        let reason = format!("more than {MAX_LAYERS} layers");
                        return Err(SpecError::Shape { reason });
                    }
                    parts.extend(std::iter::repeat_n(one, times));
                }
            }
        }
        if !matches!(parts.first(), Some(Part::Conv(_) | Part::Sized(..))) {
            let found = text.split('-').next().unwrap_or_default().to_owned();
            return Err(SpecError::Stem { found });
        }
        if let Some(at) = parts.windows(2).position(|w| w == [Part::Pool, Part::Pool]) {
            return Err(SpecError::Shape { reason: format!("two poolings in a row at part {}", at + 2) });
        }
        let dense = |part: &Part| matches!(part, Part::Dense(_));
        if let Some(at) = parts.windows(2).position(|w| dense(&w[0]) && !dense(&w[1])) {
            let reason = format!(
                "part {} of the layers written out stands behind a dense layer, which leaves no map; only FC can",
                at + 2
            );
            return Err(SpecError::Shape { reason });
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

#[cfg(feature = "schema")]
impl schemars::JsonSchema for LayerSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LayerSpec".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "Layers as text, such as 64-P-2x128-P" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_and_dense_layers_are_read_and_what_makes_no_sense_is_named() {
        let parts = |text: &str| text.parse::<LayerSpec>().map(|spec| spec.parts().to_vec());
        assert_eq!(
            parts("16c7-2x64c1-P-8-2xFC10-fc4").unwrap(),
            [
                Part::Sized(16, 7),
                Part::Sized(64, 1),
                Part::Sized(64, 1),
                Part::Pool,
                Part::Conv(8),
                Part::Dense(10),
                Part::Dense(10),
                Part::Dense(4)
            ]
        );
        for (text, expected) in [
            ("8-8c4", "part 2 is \"8c4\""),
            ("8-8c33", "odd, 1 to 31"),
            ("8-8c", "part 2"),
            ("8-c3", "part 2"),
            ("8-FC", "part 2"),
            ("8-FC0", "part 2"),
            ("8-0xFC4", "part 2"),
            ("FC8-8", "starts with \"FC8\""),
            ("8-FC8-8", "part 3"),
            ("8-FC8-P", "behind a dense layer"),
        ] {
            let error = parts(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
