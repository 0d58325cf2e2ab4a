//! Sign flips of binary weights: how many, how many are undone, how many were useful.
//!
//! ```text
//! flip ratio F   = share of signs changed by a step
//! back-flip@k    = share of flips undone within k steps
//! back-flip@epoch= share of flips undone within the epoch
//! efficiency     = weights whose sign differs between start and end of the epoch / flips in it
//! unchanged      = share of signs equal to those at the start of training (C2I is one minus this)
//! ```
//!
//! A weight is positive where it is at least zero, so −0.0 is positive: the sign the forward pass uses.
//!
//! The tracker takes plain values, so it watches the weights of any framework:
//!
//! ```
//! use bitspike_flips::FlipTracker;
//! let mut flips = FlipTracker::new();
//! flips.observe_values("conv", &[0.5, -0.1, 0.2]); // the signs it starts from
//! flips.observe_values("conv", &[0.5, 0.1, 0.2]);
//! flips.observe_values("conv", &[0.5, -0.2, -0.1]);
//! let report = flips.end_epoch();
//! assert_eq!((report.total.flips, report.total.undone_in_epoch), (3, 1));
//! ```
//!
//! Tensors and modules of Burn go through `bitspike_train::measure::flips`.

#![forbid(unsafe_code)]

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Steps within which an undone flip counts as a back-flip.
pub const HORIZONS: [u32; 2] = [10, 100];

/// Steps after which the codes of [`LayerHistory::recent`] repeat, and the largest of them: more than twice the longest horizon, since codes are dropped only
/// every so many steps.
pub const WHEEL: u32 = 250;

/// Weights that one thread takes at a time, a multiple of 64.
const BLOCK: usize = 1 << 16;

/// Counts of one layer, or of all, over an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlipCounts {
    /// Binary weights.
    pub weights: u64,
    /// Steps observed.
    pub steps: u64,
    /// Flips.
    pub flips: u64,
    /// Flips undone within each of [`HORIZONS`].
    pub undone: [u64; 2],
    /// Flips undone within the epoch.
    pub undone_in_epoch: u64,
    /// Weights whose sign at the end of the epoch differs from its start.
    pub changed_in_epoch: u64,
    /// Weights whose sign differs from the start of training.
    pub changed_since_start: u64,
}

impl FlipCounts {
    /// Mean share of signs that a step changes.
    pub fn ratio(&self) -> f64 {
        share(self.flips, self.weights * self.steps)
    }

    /// Flips per binary weight.
    pub fn per_weight(&self) -> f64 {
        share(self.flips, self.weights)
    }

    /// Share of flips undone within `HORIZONS[i]` steps.
    pub fn back(&self, i: usize) -> f64 {
        share(self.undone[i], self.flips)
    }

    /// Share of flips undone within the epoch.
    pub fn back_epoch(&self) -> f64 {
        share(self.undone_in_epoch, self.flips)
    }

    /// Weights that end the epoch changed, per flip.
    pub fn efficiency(&self) -> f64 {
        share(self.changed_in_epoch, self.flips)
    }

    /// Share of signs equal to those at the start of training.
    pub fn unchanged_since_start(&self) -> f64 {
        1.0 - share(self.changed_since_start, self.weights)
    }

    /// Adds another layer over the same steps.
    fn add_layer(&mut self, o: &Self) {
        self.add_flips(o);
        self.weights += o.weights;
        self.steps = self.steps.max(o.steps);
        self.changed_since_start += o.changed_since_start;
    }

    /// Appends the next epoch of the same weights: the distance from the start is a state, not a sum.
    pub fn append_epoch(&mut self, o: &Self) {
        self.add_flips(o);
        self.weights = o.weights;
        self.steps += o.steps;
        self.changed_since_start = o.changed_since_start;
    }

    fn add_flips(&mut self, o: &Self) {
        self.flips += o.flips;
        for (a, b) in self.undone.iter_mut().zip(o.undone) {
            *a += b;
        }
        self.undone_in_epoch += o.undone_in_epoch;
        self.changed_in_epoch += o.changed_in_epoch;
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Flips of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlipReport {
    /// All layers together.
    pub total: FlipCounts,
    /// Each layer.
    pub layers: BTreeMap<String, FlipCounts>,
}

/// Signs and history of one layer; bits are packed 64 to a word, 1 for a sign of +1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerHistory {
    /// Counts of the running epoch.
    pub counts: FlipCounts,
    /// Signs now.
    pub signs: Vec<u64>,
    /// Signs at the start of training.
    pub start: Vec<u64>,
    /// Signs at the start of the epoch.
    pub epoch_start: Vec<u64>,
    /// Weights that flipped in this epoch.
    pub flipped: Vec<u64>,
    /// Step of each weight's last flip as 1 + step mod 250, 0 if none within the longest of [`HORIZONS`] (or not long before: it is
    /// cleared now and then). A byte in place of a number: a network has as many of these as weights.
    pub recent: Vec<u8>,
    /// Steps observed since the start of training, counted from 1.
    pub step: u32,
}

/// Watches the signs of named weights; the example is in the [module documentation](self).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlipTracker {
    layers: BTreeMap<String, LayerHistory>,
}

impl FlipTracker {
    /// Watches nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the weights of a layer: the first time keeps their signs, each later time counts one step. Returns the flips.
    ///
    /// # Panics
    /// If the number of weights of a layer changes.
    pub fn observe_values(&mut self, layer: &str, weights: &[f32]) -> u64 {
        let Some(history) = self.layers.get_mut(layer) else {
            self.layers.insert(layer.to_owned(), LayerHistory::begin(weights));
            return 0;
        };
        assert_eq!(history.recent.len(), weights.len(), "{layer}: the number of weights changed");
        history.observe(weights)
    }

    /// Counts of the running epoch, without ending it.
    pub fn report(&self) -> FlipReport {
        let mut report = FlipReport::default();
        for (name, history) in &self.layers {
            let mut counts = history.counts.clone();
            counts.changed_in_epoch = differing(&history.signs, &history.epoch_start);
            counts.changed_since_start = differing(&history.signs, &history.start);
            report.total.add_layer(&counts);
            report.layers.insert(name.clone(), counts);
        }
        report
    }

    /// Ends the epoch: returns its counts and starts the next one.
    pub fn end_epoch(&mut self) -> FlipReport {
        let report = self.report();
        for history in self.layers.values_mut() {
            history.epoch_start.clone_from(&history.signs);
            history.flipped.fill(0);
            history.counts = FlipCounts { weights: history.counts.weights, ..FlipCounts::default() };
        }
        report
    }

    /// The history of every layer, for a checkpoint.
    pub fn layers(&self) -> &BTreeMap<String, LayerHistory> {
        &self.layers
    }

    /// A tracker with the histories of a checkpoint.
    pub fn from_layers(layers: BTreeMap<String, LayerHistory>) -> Self {
        Self { layers }
    }
}

impl LayerHistory {
    fn begin(weights: &[f32]) -> Self {
        let signs = pack(weights);
        Self {
            counts: FlipCounts { weights: weights.len() as u64, ..FlipCounts::default() },
            start: signs.clone(),
            epoch_start: signs.clone(),
            flipped: vec![0; signs.len()],
            signs,
            recent: vec![0; weights.len()],
            step: 0,
        }
    }

    /// Takes the history of a file that has the step of each weight's last flip, 0 for none.
    pub fn set_last_flips(&mut self, last: &[u32], epoch_step: u32) {
        let recent = |l: u32| l != 0 && self.step.checked_sub(l).is_some_and(|age| age <= HORIZONS[1]);
        self.recent = last.iter().map(|&l| if recent(l) { code(l) } else { 0 }).collect();
        let bits = |last: &[u32]| last.iter().rev().fold(0, |bits, &l| bits << 1 | u64::from(l > epoch_step));
        self.flipped = last.chunks(64).map(bits).collect();
    }

    fn observe(&mut self, weights: &[f32]) -> u64 {
        self.step += 1;
        self.counts.steps += 1;
        let now = code(self.step);
        if self.step.is_multiple_of(HORIZONS[1]) {
            // So that none is older than 200 steps when it is looked at.
            self.recent.iter_mut().filter(|last| age(now, **last) > HORIZONS[1]).for_each(|last| *last = 0);
        }
        let words = BLOCK / 64;
        let layer = self.signs.par_chunks_mut(words).zip(self.flipped.par_chunks_mut(words));
        let blocks = weights.par_chunks(BLOCK).zip(layer).zip(self.recent.par_chunks_mut(BLOCK));
        let none = || (0, [0; 2], 0);
        // Whole numbers: whatever the order of the blocks, their sum is the same.
        let add = |a: Found, b: Found| (a.0 + b.0, [a.1[0] + b.1[0], a.1[1] + b.1[1]], a.2 + b.2);
        let found = blocks.map(|((weights, (signs, flipped)), recent)| block(now, weights, signs, flipped, recent));
        let (flips, undone, undone_in_epoch) = found.reduce(none, add);
        self.counts.undone.iter_mut().zip(undone).for_each(|(sum, undone)| *sum += undone);
        self.counts.undone_in_epoch += undone_in_epoch;
        self.counts.flips += flips;
        flips
    }
}

/// Flips, those undone within each of [`HORIZONS`], and those undone within the epoch.
type Found = (u64, [u64; 2], u64);

/// Takes the signs of a block of weights and counts what has changed; `now` is the code of this step.
fn block(now: u8, weights: &[f32], signs: &mut [u64], flipped: &mut [u64], recent: &mut [u8]) -> Found {
    let (mut flips, mut undone, mut in_epoch) = (0, [0; 2], 0);
    let words = signs.iter_mut().zip(flipped).zip(recent.chunks_mut(64));
    for (weights, ((signs, flipped), recent)) in weights.chunks(64).zip(words) {
        let word = word(weights);
        let mut changed = word ^ *signs;
        *signs = word;
        flips += u64::from(changed.count_ones());
        in_epoch += u64::from((changed & *flipped).count_ones());
        *flipped |= changed;
        while changed != 0 {
            let last = std::mem::replace(&mut recent[changed.trailing_zeros() as usize], now);
            changed &= changed - 1;
            if last != 0 {
                let age = age(now, last);
                undone.iter_mut().zip(HORIZONS).for_each(|(sum, horizon)| *sum += u64::from(age <= horizon));
            }
        }
    }
    (flips, undone, in_epoch)
}

/// A step as [`LayerHistory::recent`] has it.
fn code(step: u32) -> u8 {
    (1 + step % WHEEL) as u8
}

/// Steps from one code to a later one, up to [`WHEEL`].
fn age(now: u8, last: u8) -> u32 {
    (WHEEL + u32::from(now) - u32::from(last)) % WHEEL
}

/// Bits of up to 64 weights: 1 where the weight is at least zero. NaN counts as negative.
fn word(weights: &[f32]) -> u64 {
    weights.iter().enumerate().fold(0, |bits, (i, &w)| bits | (u64::from(w >= 0.0) << i))
}

fn pack(weights: &[f32]) -> Vec<u64> {
    weights.chunks(64).map(word).collect()
}

fn differing(a: &[u64], b: &[u64]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
}

/// Share of weights a step of SGD is expected to flip: P(flip | w) = Q((|w|/η − μ sign w)/σ), the mean over `weights`.
///
/// With momentum β the effective gradient has mean μ/(1−β) and variance σ²/(1−β²). Derived for normal gradients.
pub fn predicted_ratio(weights: &[f32], mean: f64, std: f64, lr: f64, momentum: f64) -> Option<f64> {
    let (mu, sigma) = (mean / (1.0 - momentum), std / (1.0 - momentum * momentum).sqrt());
    if weights.is_empty() || lr <= 0.0 || sigma.is_nan() || sigma <= 0.0 {
        return None;
    }
    // At most 4096 weights, evenly spread: the mean is wanted to a few per cent, not to the last digit.
    let stride = weights.len().div_ceil(4096);
    let sample = weights.iter().step_by(stride).map(|&w| f64::from(w));
    let (sum, count) = sample.fold((0.0, 0u32), |(sum, n), w| {
        let sign = if w >= 0.0 { 1.0 } else { -1.0 };
        (sum + normal_tail((w.abs() / lr - mu * sign) / sigma), n + 1)
    });
    Some(sum / f64::from(count))
}

/// Q(z), the upper tail of the standard normal: Abramowitz and Stegun 26.2.17, absolute error below 7.5e-8.
fn normal_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let poly = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .iter()
        .fold(0.0, |acc, c| acc * t + c);
    let tail = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly * t;
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_counted_history() {
        let mut t = FlipTracker::new();
        for w in [[1.0, 1.0, -1.0], [-1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [1.0, -1.0, -1.0]] {
            t.observe_values("a", &w);
        }
        let r = t.end_epoch().total;
        // Weight 0 flips and flips back, weight 1 flips and stays, weight 2 never moves.
        assert_eq!((r.flips, r.undone, r.undone_in_epoch, r.changed_in_epoch), (3, [1, 1], 1, 1));
        assert_eq!((r.weights, r.steps), (3, 3));
        assert!((r.ratio() - 1.0 / 3.0).abs() < 1e-12);
        // In the next epoch weight 1 goes back: undone within ten steps, but not within one epoch.
        t.observe_values("a", &[1.0, 1.0, -1.0]);
        let r = t.end_epoch().total;
        assert_eq!((r.flips, r.undone, r.undone_in_epoch, r.changed_since_start), (1, [1, 1], 0, 0));
    }

    /// Counts by the definition, from the step of every flip.
    #[test]
    fn counts_are_those_of_whole_step_numbers() {
        let (n, mut state) = (150, 7u64);
        let mut weights: Vec<f32> = vec![1.0; n];
        let (mut tracker, mut last, mut step) = (FlipTracker::new(), vec![0u32; n], 0u32);
        tracker.observe_values("a", &weights);
        let (mut all, mut long_ago) = (0, 0);
        for length in [1, 37, 260, 99, 640, 201] {
            let (epoch_step, mut want) = (step, (0, [0; 2], 0));
            for _ in 0..length {
                step += 1;
                for (i, (weight, last)) in weights.iter_mut().zip(&mut last).enumerate() {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // Some weights flip every few steps, some every few hundred, so that ages are of every length.
                    if !(state >> 33).is_multiple_of(2 + 5 * i as u64) {
                        continue;
                    }
                    *weight = -*weight;
                    want.0 += 1;
                    if *last != 0 {
                        let age = step - *last;
                        want.1[0] += u64::from(age <= 10);
                        want.1[1] += u64::from(age <= 100);
                        want.2 += u64::from(*last > epoch_step);
                        long_ago += u64::from(age > 250);
                    }
                    *last = step;
                }
                tracker.observe_values("a", &weights);
                // A history read from a file with whole numbers goes on in the same way.
                let mut again = tracker.layers["a"].clone();
                again.set_last_flips(&last, epoch_step);
                assert_eq!(again.flipped, tracker.layers["a"].flipped);
                if step.is_multiple_of(3) {
                    tracker = FlipTracker::from_layers([("a".to_owned(), again)].into());
                }
            }
            let r = tracker.end_epoch().total;
            assert_eq!((r.flips, r.undone, r.undone_in_epoch), want, "epoch of {length} steps");
            all += r.flips;
        }
        assert!(all > 1000 && long_ago > 50, "{all} flips, {long_ago} of them long after the last");
    }

    #[test]
    fn zero_and_negative_zero_are_positive() {
        let mut t = FlipTracker::new();
        t.observe_values("a", &[0.0, -0.0, -1e-30]);
        assert_eq!(t.observe_values("a", &[1.0, 1.0, -1.0]), 0);
    }

    #[test]
    fn prediction_matches_simulation() {
        // Weights and gradients of a fixed pseudo-random stream; one plain SGD step each.
        let mut state = 1u64;
        let mut unit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let mut normal = || (-2.0 * unit().ln()).sqrt() * (2.0 * std::f64::consts::PI * unit()).cos();
        let n = 200_000;
        let weights: Vec<f32> = (0..n).map(|_| (0.05 * normal()) as f32).collect();
        let (mu, sigma, lr) = (0.02, 0.3, 0.1);
        let flips =
            weights.iter().filter(|&&w| (w >= 0.0) != (f64::from(w) - lr * (mu + sigma * normal()) >= 0.0)).count();
        let observed = flips as f64 / n as f64;
        let predicted = predicted_ratio(&weights, mu, sigma, lr, 0.0).unwrap();
        assert!((observed / predicted - 1.0).abs() < 0.05, "observed {observed}, predicted {predicted}");
    }

    #[test]
    fn tail_of_the_normal() {
        for (z, q) in [(0.0, 0.5), (1.0, 0.158_655_254), (-1.0, 0.841_344_746), (3.0, 0.001_349_898)] {
            assert!((normal_tail(z) - q).abs() < 1e-7, "Q({z})");
        }
    }
}
