//! Training methods by name: what each changes in a recipe, and nothing else.

use bitspike_nn::layers::{AgmmConfig, AlphaShape};
use bitspike_nn::ops::gate::{GateApply, GatePool};
use serde::{Deserialize, Serialize};

/// A training method: the value of `method`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The same spiking network with float weights: the upper landmark.
    FullPrecision,
    /// The baseline binary spiking network: sign and straight-through gradient, no gate.
    Bsnn,
    /// The gate of the `[agmm]` table.
    #[default]
    Agmm,
    /// AGMM with one gate per channel: `agmm.pool = "hw"`.
    AgmmHw,
    /// AGMM on the gradient only: `agmm.apply = "gradient"`.
    AgmmGradient,
    /// AGMM with α kept at its start: `agmm.alpha = "fixed"`.
    AgmmFixed,
    /// Control: the constant gate ½, not learned.
    ConstGate,
    /// Control: the baseline with half the learning rate on binary weights.
    LowLr,
    /// Control: the baseline with a quarter of the learning rate on binary weights.
    LowLrQuarter,
}

impl Method {
    /// Every method, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::FullPrecision,
        Self::Bsnn,
        Self::Agmm,
        Self::AgmmHw,
        Self::AgmmGradient,
        Self::AgmmFixed,
        Self::ConstGate,
        Self::LowLr,
        Self::LowLrQuarter,
    ];

    /// The methods of `compare` without `--methods`.
    pub const COMPARED: [Self; 4] = [Self::FullPrecision, Self::Bsnn, Self::Agmm, Self::LowLr];

    /// The name as written in a recipe.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullPrecision => "full-precision",
            Self::Bsnn => "bsnn",
            Self::Agmm => "agmm",
            Self::AgmmHw => "agmm-hw",
            Self::AgmmGradient => "agmm-gradient",
            Self::AgmmFixed => "agmm-fixed",
            Self::ConstGate => "const-gate",
            Self::LowLr => "low-lr",
            Self::LowLrQuarter => "low-lr-quarter",
        }
    }

    /// What it is, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::FullPrecision => "the same spiking network with float weights",
            Self::Bsnn => "baseline binary spiking network: sign and straight-through gradient",
            Self::Agmm => "the AGMM gate as the [agmm] table says",
            Self::AgmmHw => "AGMM with one gate per channel (pool = hw)",
            Self::AgmmGradient => "AGMM on the gradient only: the deployed network is the baseline network",
            Self::AgmmFixed => "AGMM with alpha kept at its start",
            Self::ConstGate => "control: the constant gate 1/2, not learned",
            Self::LowLr => "control: baseline with half the learning rate on binary weights",
            Self::LowLrQuarter => "control: baseline with a quarter of the learning rate on binary weights",
        }
    }

    /// Whether weights are float.
    pub fn full_precision(self) -> bool {
        self == Self::FullPrecision
    }

    /// The gate this method trains with, from the recipe's `[agmm]` table.
    pub fn gate(self, table: &AgmmConfig) -> Option<AgmmConfig> {
        let base = table.clone();
        match self {
            Self::FullPrecision | Self::Bsnn | Self::LowLr | Self::LowLrQuarter => None,
            Self::Agmm => Some(base),
            Self::AgmmHw => Some(AgmmConfig { pool: GatePool::Hw, ..base }),
            Self::AgmmGradient => Some(AgmmConfig { apply: GateApply::Gradient, ..base }),
            Self::AgmmFixed => Some(AgmmConfig { alpha: AlphaShape::Fixed, ..base }),
            Self::ConstGate => {
                Some(AgmmConfig { pool: GatePool::Const, alpha: AlphaShape::Fixed, alpha_inside: false, ..base })
            }
        }
    }

    /// Factor this method puts on the learning rate of binary weights.
    pub fn lr_binary_mult(self) -> f64 {
        match self {
            Self::LowLr => 0.5,
            Self::LowLrQuarter => 0.25,
            _ => 1.0,
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown method {found:?}; did you mean {nearest:?}? Methods: {all}")]
pub struct UnknownMethod {
    /// The name found.
    pub found: String,
    /// The most similar method.
    pub nearest: String,
    /// All of them.
    pub all: String,
}

impl std::str::FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(s: &str) -> Result<Self, UnknownMethod> {
        Self::ALL.into_iter().find(|m| m.as_str() == s).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            let distance = |name: &&str| strsim::damerau_levenshtein(s, name);
            UnknownMethod {
                found: s.to_owned(),
                nearest: names.into_iter().min_by_key(distance).unwrap_or_default().to_owned(),
                all: names.join(", "),
            }
        })
    }
}
