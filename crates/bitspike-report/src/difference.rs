//! Paired differences: the same seed under two methods.
//!
//! Pairing takes out what the seed alone decides (initial weights, order of the samples), so it needs fewer runs than
//! a comparison of two means. With few seeds the paired spread can be small by accident; the comparison of two means by Welch's t
//! stands beside it for that reason.

use serde::Serialize;

use crate::{MethodResult, RunResult, Spread, Welch, stats::holm};

/// A figure of a run that differences are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Figure {
    /// Final accuracy, fraction.
    Accuracy,
    /// Sign changes per binary weight over the run.
    FlipsPerWeight,
    /// Share of flips undone within 10 steps.
    Back10,
    /// Spikes per neuron and time step.
    FiringRate,
    /// Energy estimate, arithmetic only, pJ per sample.
    EnergyCompute,
}

impl Figure {
    /// All figures that differences are made of.
    pub const ALL: [Self; 5] =
        [Self::Accuracy, Self::FlipsPerWeight, Self::Back10, Self::FiringRate, Self::EnergyCompute];

    /// The figure of a run; absent if the run does not have it or it is not finite.
    pub fn of(self, run: &RunResult) -> Option<f64> {
        match self {
            Self::Accuracy => run.accuracy,
            Self::FlipsPerWeight => run.flips_per_weight,
            Self::Back10 => run.back_10,
            Self::FiringRate => run.firing_rate,
            Self::EnergyCompute => run.energy.as_ref().map(|energy| energy.compute_pj),
        }
        .filter(|value| value.is_finite())
    }
}

/// Whether a difference can be told from the noise between seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// One seed in common: nothing can be said.
    OneSeed,
    /// Two seeds in common: the interval is printed, and too fragile to rest a claim on.
    TwoSeeds,
    /// The 95 % interval holds zero.
    WithinNoise,
    /// At least three seeds, and the 95 % interval leaves out zero.
    BeyondNoise,
}

impl Verdict {
    /// As the end of a sentence: "…, a difference".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::OneSeed => "that one seed in common cannot tell from noise",
            Self::TwoSeeds => "that two seeds in common cannot tell from noise with any confidence",
            Self::WithinNoise => "that cannot be told from seed noise",
            Self::BeyondNoise => "larger than seed noise",
        }
    }

    /// In two or three words.
    pub fn short(self) -> &'static str {
        match self {
            Self::OneSeed => "one seed: no interval",
            Self::TwoSeeds => "two seeds: too few",
            Self::WithinNoise => "within seed noise",
            Self::BeyondNoise => "beyond seed noise",
        }
    }
}

/// A paired difference, `method` minus `against`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What was compared.
    pub figure: Figure,
    /// Label of the method.
    pub method: String,
    /// Label of what it is compared with.
    pub against: String,
    /// Seeds both have finished.
    pub seeds: Vec<u64>,
    /// One difference per seed, in the figure's unit.
    pub values: Vec<f64>,
    /// Their mean and spread.
    pub spread: Spread,
    /// The 95 % t interval of the mean; absent for one seed.
    pub interval_95: Option<(f64, f64)>,
    /// Whether the difference can be told from seed noise.
    pub verdict: Verdict,
    /// Two-sided p of the paired t; absent for one seed.
    pub p: Option<f64>,
    /// `p` after Holm's correction for all differences to the baseline in this figure.
    pub holm: Option<f64>,
    /// The same difference without pairs, of all seeds of either method.
    pub welch: Option<Welch>,
}

impl Difference {
    /// Pairs the counted runs of two methods by seed; `None` if they have no seed in common.
    pub(crate) fn between(
        figure: Figure,
        method: &MethodResult,
        against: &MethodResult,
        runs: &[RunResult],
    ) -> Option<Self> {
        let value = |label: &str, seed: u64| {
            let run = runs.iter().find(|run| run.counted && run.label == label && run.seed == seed)?;
            figure.of(run)
        };
        let (seeds, values): (Vec<u64>, Vec<f64>) = method
            .seeds
            .iter()
            .filter_map(|seed| Some((*seed, value(&method.label, *seed)? - value(&against.label, *seed)?)))
            .unzip();
        let spread = Spread::of(values.iter().copied())?;
        let interval_95 = spread.interval_95();
        let verdict = match (spread.n, interval_95) {
            (2, _) => Verdict::TwoSeeds,
            (_, Some((low, high))) if low > 0.0 || high < 0.0 => Verdict::BeyondNoise,
            (_, Some(_)) => Verdict::WithinNoise,
            (_, None) => Verdict::OneSeed,
        };
        let all = |of: &MethodResult| Spread::of(of.seeds.iter().filter_map(|seed| value(&of.label, *seed)));
        let welch = Welch::of(&all(method)?, &all(against)?);
        let (method, against) = (method.label.clone(), against.label.clone());
        let p = spread.p();
        Some(Self { figure, method, against, seeds, values, spread, interval_95, verdict, p, holm: None, welch })
    }

    /// Corrects the p values of each figure for their number.
    pub(crate) fn correct(differences: &mut [Self]) {
        for figure in Figure::ALL {
            let mut these: Vec<&mut Self> = differences.iter_mut().filter(|d| d.figure == figure).collect();
            let mut paired: Vec<&mut Self> = these.iter_mut().map(|d| &mut **d).filter(|d| d.p.is_some()).collect();
            let corrected = holm(&paired.iter().filter_map(|d| d.p).collect::<Vec<_>>());
            paired.iter_mut().zip(corrected).for_each(|(d, p)| d.holm = Some(p));
            let mut welch: Vec<&mut Welch> = these.iter_mut().filter_map(|d| d.welch.as_mut()).collect();
            let corrected = holm(&welch.iter().map(|w| w.p).collect::<Vec<_>>());
            welch.iter_mut().zip(corrected).for_each(|(w, p)| w.holm = Some(p));
        }
    }

    /// Whether both tests find a difference, after correction.
    pub fn stands(&self) -> bool {
        let small = |p: Option<f64>| p.is_some_and(|p| p < 0.05);
        small(self.holm) && small(self.welch.and_then(|w| w.holm))
    }
}
