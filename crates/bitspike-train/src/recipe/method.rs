//! Training methods by name: what each changes in a recipe, and nothing else.

use crate::optim::{BinaryRule, OptimConfig};
use bitspike_nn::layers::{AgmmConfig, AlphaShape, Estimator, EvalGate};
use bitspike_nn::ops::gate::{GateApply, GateFunction, GatePool};
use serde::{Deserialize, Serialize};

/// Flips per step, as a moving average, above which `freeze` freezes a weight when the recipe says nothing.
const FREEZE_ABOVE: f64 = 0.02;

/// A training method: the value of `method`.
///
/// No method needs inputs of binary layers to be 0 and 1. AGMM, the controls and Freeze scale the current or the steps of a
/// weight; ReCU, EDE and Q-SNN change what the sign is taken of (and Q-SNN the loss, by firing rates of neurons); Bop and BSO
/// flip by the gradient alone, whatever it was made from; T-BSO sums its inputs over time, real numbers. So every method takes
/// every pooling and every network. The exception is T-BSO, which takes chains only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The same spiking network with float weights: the upper landmark.
    FullPrecision,
    /// The baseline binary spiking network: sign and straight-through gradient, no gate.
    Bsnn,
    /// The gate of the `[agmm]` table.
    #[default]
    Agmm,
    /// AGMM with one gate per sample and time step: `agmm.pool = "chw"` and σ.
    AgmmChw,
    /// AGMM with one gate per channel: `agmm.pool = "hw"` and σ.
    AgmmHw,
    /// AGMM with a gate of its own for every current, and σ in place of its hard form: `agmm.pool = "none"`.
    AgmmElement,
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
    /// Binary weights without latent values, flipped by a momentum of their gradient (Helwegen et al., NeurIPS 2019).
    Bop,
    /// The same rule with the constants of BSO (Liang et al., ICML 2025).
    Bso,
    /// Online training without latent weights: an update after every time step (Liang et al., ICML 2025).
    TBso,
    /// Standardised weights and a regulariser of the firing rate (Wei et al., ACM MM 2024).
    QSnn,
    /// The baseline with the rectified clamp of ReCU (Xu et al., ICCV 2021).
    Recu,
    /// The baseline with the error decay estimator of IR-Net (Qin et al., CVPR 2020).
    Ede,
    /// The baseline with weights frozen that flip too often (Nagel et al., ICML 2022).
    Freeze,
}

impl Method {
    /// Every method, in the order of tables.
    pub const ALL: [Self; 18] = [
        Self::FullPrecision,
        Self::Bsnn,
        Self::Agmm,
        Self::AgmmChw,
        Self::AgmmHw,
        Self::AgmmElement,
        Self::AgmmGradient,
        Self::AgmmFixed,
        Self::ConstGate,
        Self::LowLr,
        Self::LowLrQuarter,
        Self::Bop,
        Self::Bso,
        Self::TBso,
        Self::QSnn,
        Self::Recu,
        Self::Ede,
        Self::Freeze,
    ];

    /// The methods of `compare` without `--methods`.
    pub const COMPARED: [Self; 4] = [Self::FullPrecision, Self::Bsnn, Self::Agmm, Self::LowLr];

    /// The name as written in a recipe.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullPrecision => "full-precision",
            Self::Bsnn => "bsnn",
            Self::Agmm => "agmm",
            Self::AgmmChw => "agmm-chw",
            Self::AgmmHw => "agmm-hw",
            Self::AgmmElement => "agmm-element",
            Self::AgmmGradient => "agmm-gradient",
            Self::AgmmFixed => "agmm-fixed",
            Self::ConstGate => "const-gate",
            Self::LowLr => "low-lr",
            Self::LowLrQuarter => "low-lr-quarter",
            Self::Bop => "bop",
            Self::Bso => "bso",
            Self::TBso => "t-bso",
            Self::QSnn => "q-snn",
            Self::Recu => "recu",
            Self::Ede => "ede",
            Self::Freeze => "freeze",
        }
    }

    /// What it is, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::FullPrecision => "the same spiking network with float weights",
            Self::Bsnn => "baseline binary spiking network: sign and straight-through gradient",
            Self::Agmm => "the AGMM gate as the [agmm] table says",
            Self::AgmmChw => "AGMM with one gate per sample and time step (pool = chw, gate = sigmoid)",
            Self::AgmmHw => "AGMM with one gate per channel (pool = hw, gate = sigmoid)",
            Self::AgmmElement => "AGMM per current with the true sigmoid (pool = none, gate = sigmoid); not exported",
            Self::AgmmGradient => "AGMM on the gradient only: the deployed network is the baseline network",
            Self::AgmmFixed => "AGMM with alpha kept at its start",
            Self::ConstGate => "control: the constant gate 1/2, not learned",
            Self::LowLr => "control: baseline with half the learning rate on binary weights",
            Self::LowLrQuarter => "control: baseline with a quarter of the learning rate on binary weights",
            Self::Bop => "no latent weights: flips where a momentum of the gradient passes optim.flip_threshold",
            Self::Bso => "no latent weights: the rule of bop with the constants of BSO, gradients over all time steps",
            Self::TBso => "no latent weights, trained online: flips after every time step; memory does not grow with T",
            Self::QSnn => "standardised weights and a firing-rate regulariser",
            Self::Recu => "baseline with the ReCU estimator: weights far out are clamped",
            Self::Ede => "baseline with the EDE estimator of IR-Net: tanh that becomes steep",
            Self::Freeze => "baseline that freezes weights which flip too often",
        }
    }

    /// Whether weights are float.
    pub fn full_precision(self) -> bool {
        self == Self::FullPrecision
    }

    /// The gate this method trains with, from the recipe's `[agmm]` table.
    pub fn gate(self, table: &AgmmConfig) -> Option<AgmmConfig> {
        let base = table.clone();
        let sigmoid = AgmmConfig { gate: GateFunction::Sigmoid, ..table.clone() };
        match self {
            Self::Agmm => Some(base),
            Self::AgmmChw => Some(AgmmConfig { pool: GatePool::Chw, ..sigmoid }),
            Self::AgmmHw => Some(AgmmConfig { pool: GatePool::Hw, ..sigmoid }),
            Self::AgmmElement => Some(AgmmConfig { pool: GatePool::None, eval_gate: EvalGate::Sample, ..sigmoid }),
            Self::AgmmGradient => Some(AgmmConfig { apply: GateApply::Gradient, ..base }),
            Self::AgmmFixed => Some(AgmmConfig { alpha: AlphaShape::Fixed, ..base }),
            Self::ConstGate => {
                Some(AgmmConfig { pool: GatePool::Const, alpha: AlphaShape::Fixed, alpha_inside: false, ..sigmoid })
            }
            _ => None,
        }
    }

    /// The estimator of the gradient of the sign, from that of the recipe's `[network]` table.
    pub fn estimator(self, table: Estimator) -> Estimator {
        match self {
            Self::QSnn => Estimator::Standardized,
            Self::Recu => Estimator::Recu,
            Self::Ede => Estimator::Ede,
            _ => table,
        }
    }

    /// How binary weights are updated.
    pub(crate) fn rule(self, optim: &mut OptimConfig) {
        match self {
            Self::Bop => optim.binary_rule = BinaryRule::Flip,
            Self::Bso => {
                optim.binary_rule = BinaryRule::Flip;
                (optim.flip_rate, optim.flip_threshold) = (1e-3, 5e-7);
            }
            Self::TBso => {
                optim.binary_rule = BinaryRule::Online;
                (optim.flip_rate, optim.flip_threshold, optim.flip_moment_rate) = (1e-3, 5e-7, 1e-5);
            }
            Self::Freeze if optim.freeze_above == 0.0 => optim.freeze_above = FREEZE_ABOVE,
            _ => {}
        }
    }

    /// Weight of the firing-rate regulariser this method brings along.
    pub(crate) fn rate_weight(self) -> Option<f64> {
        (self == Self::QSnn).then_some(5e-3)
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
