//! Whether anything was learned at all, before anything is said about it.
//!
//! Three signs that it was not, each of figures that a run folder has:
//!
//! | sign | threshold | why there |
//! |---|---|---|
//! | few steps | fewer than [`FEW_STEPS`] = 100 | flips are watched over windows of 10 and 100 steps: with fewer, the second window was never seen whole; and momentum 0.9 and batch norm remember about 10 steps each |
//! | a guess | accuracy ≤ p + max(2·√(p(1 − p)/N), (1 − p)/20) | p is the share of the most frequent class in the N evaluated samples, what always naming it reaches. Two standard errors cannot be told from it; a twentieth of what is left above it is no use even if they can |
//! | signs of the start | share of signs unchanged ≥ [`UNCHANGED`] = 0.9 | sign patterns of start and end then correlate by 2·0.9 − 1 = 0.8, so 64 % of the pattern is that of the random start, and what was learned sits in the real parameters. Signs drawn anew agree in 50 % |
//!
//! The thresholds are ours; nothing in the literature sets them.

use bitspike_run::{RunInfo, Summary};

use crate::{Comparison, MethodResult, fmt};

/// Fewer optimiser steps than this are a trial of the installation.
pub const FEW_STEPS: u64 = 100;

/// From this share of unchanged signs on, the binary weights are those of the start.
pub const UNCHANGED: f64 = 0.9;

/// What speaks against a run, or against the mean of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub steps: u64,
    pub accuracy: Option<f64>,
    /// Samples that `accuracy` was measured on, and of them the most frequent class; 0 if not known.
    pub samples: u64,
    pub most_frequent: u64,
    /// Absent without binary weights.
    pub unchanged: Option<f64>,
}

impl Facts {
    pub(crate) fn of(info: &RunInfo, summary: &Summary) -> Self {
        let data = &info.dataset;
        let on_test = summary.test_accuracy.is_some();
        let (samples, most_frequent) = match on_test || summary.evaluated_on == "test" {
            true => (data.test_samples, data.test_most_frequent),
            false => (data.validation_samples, data.validation_most_frequent),
        };
        Self {
            steps: summary.steps,
            accuracy: summary.test_accuracy.or(summary.best_held_out_accuracy).filter(|a| a.is_finite()),
            samples,
            most_frequent,
            unchanged: (summary.binary_weights > 0 && summary.unchanged_since_start.is_finite())
                .then_some(summary.unchanged_since_start),
        }
    }

    pub(crate) fn few_steps(&self) -> bool {
        self.steps < FEW_STEPS
    }

    /// The share of the most frequent class, if the accuracy is no better.
    pub(crate) fn guess(&self) -> Option<f64> {
        if self.samples == 0 || self.most_frequent == 0 {
            return None;
        }
        let (n, p) = (self.samples as f64, self.most_frequent as f64 / self.samples as f64);
        let margin = (2.0 * (p * (1.0 - p) / n).sqrt()).max((1.0 - p) / 20.0);
        (self.accuracy? <= p + margin).then_some(p)
    }

    pub(crate) fn signs_of_the_start(&self) -> bool {
        self.unchanged.is_some_and(|share| share >= UNCHANGED)
    }
}

/// A sentence with its remedy for each sign that nothing was learned; `who` are labels with their facts.
pub(crate) fn sentences(who: &[(&str, Facts)]) -> Vec<String> {
    let named = |of: &dyn Fn(&Facts) -> bool| -> Vec<&str> {
        who.iter().filter(|(_, facts)| of(facts)).map(|(label, _)| *label).collect()
    };
    let figures = |of: &dyn Fn(&Facts) -> Option<f64>| -> String {
        let mut all: Vec<String> = who.iter().filter_map(|(_, f)| Some(fmt::percent(of(f)?, 1))).collect();
        all.dedup();
        fmt::list(&all)
    };
    let mut out = Vec::new();
    let few = named(&|f| f.few_steps());
    if let Some(steps) = who.iter().filter(|(_, f)| f.few_steps()).map(|(_, f)| f.steps).max() {
        out.push(format!(
            "Nothing can be concluded about {}: {steps} steps are too few to learn in, at least {FEW_STEPS} are needed and \
             thousands are usual. Raise train.epochs, or lower train.batch_size.",
            fmt::list(&few)
        ));
    }
    let guess = named(&|f| f.guess().is_some());
    if let Some(p) = who.iter().find_map(|(_, f)| f.guess()) {
        out.push(format!(
            "{} learned nothing that can be used: accuracy {} %, and always naming the most frequent class gives {} %. Check labels \
             and classes with `bitspike data inspect`, train longer, or change optim.lr.",
            fmt::list(&guess),
            figures(&|f| f.guess().and(f.accuracy)),
            fmt::percent(p, 1)
        ));
    }
    let signs = named(&|f| f.signs_of_the_start());
    if !signs.is_empty() {
        out.push(format!(
            "The binary weights of {} are nearly those of its start ({} % of the signs unchanged): what was learned sits \
             in the real parameters, and nothing follows about flips. Train longer, or raise optim.lr or optim.lr_binary_mult \
             (with optim.binary_step = \"relative\"), until at least one sign in ten has changed.",
            fmt::list(&signs),
            figures(&|f| f.unchanged.filter(|_| f.signs_of_the_start()))
        ));
    }
    out
}

/// What speaks against a conclusion about some methods: of each the mean over seeds of what was measured, and the fewest steps.
pub(crate) fn doubts(c: &Comparison, methods: &[&MethodResult]) -> Vec<String> {
    let facts = |method: &MethodResult| -> Option<Facts> {
        let counted = c.loaded_of(&method.label).filter(|(run, _)| run.counted);
        let all = counted.filter_map(|(_, run)| Some(Facts::of(&run.info, run.summary.as_ref()?)));
        let fewest = all.min_by_key(|facts| facts.steps)?;
        let accuracy = method.accuracy.map(|spread| spread.mean);
        Some(Facts { accuracy, unchanged: method.unchanged_since_start.map(|spread| spread.mean), ..fewest })
    };
    let who: Vec<(&str, Facts)> = methods.iter().filter_map(|m| Some((m.label.as_str(), facts(m)?))).collect();
    sentences(&who)
}

/// What speaks against drawing any conclusion from a finished run: a sentence each, with its remedy; none if nothing does.
///
/// The thresholds are documented where they are defined, in `learned.rs`, and in `docs/concepts/method.md`.
///
/// ```
/// use bitspike_run::{RunInfo, Summary};
/// let summary = Summary { method: "agmm".into(), steps: 24, ..Summary::default() };
/// let doubts = bitspike_report::nothing_learned(&RunInfo::default(), &summary);
/// assert!(doubts[0].starts_with("Nothing can be concluded about agmm: 24 steps"));
/// ```
pub fn nothing_learned(info: &RunInfo, summary: &Summary) -> Vec<String> {
    sentences(&[(summary.method.as_str(), Facts::of(info, summary))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts { steps: 1000, accuracy: Some(0.9), samples: 1000, most_frequent: 100, unchanged: Some(0.7) }
    }

    #[test]
    fn a_trained_network_raises_no_doubt() {
        assert_eq!(sentences(&[("agmm", good())]), Vec::<String>::new());
        // Facts that are not known, of old runs or of networks without binary weights, are none.
        let unknown = Facts { samples: 0, most_frequent: 0, accuracy: None, unchanged: None, ..good() };
        assert_eq!(sentences(&[("full-precision", unknown)]), Vec::<String>::new());
    }

    #[test]
    fn each_threshold_is_where_it_is_said_to_be() {
        assert!(Facts { steps: 99, ..good() }.few_steps() && !Facts { steps: 100, ..good() }.few_steps());
        let signs = |share| Facts { unchanged: Some(share), ..good() }.signs_of_the_start();
        assert!(signs(0.9) && signs(1.0) && !signs(0.899));
        let guess = |accuracy, samples, most_frequent| {
            Facts { accuracy: Some(accuracy), samples, most_frequent, ..good() }.guess().is_some()
        };
        // Ten balanced classes, many samples: a twentieth of 90 points above 10 %.
        assert!(guess(0.144, 1_000_000, 100_000) && !guess(0.146, 1_000_000, 100_000));
        // 80 of 100 in one class: two standard errors are 8 points.
        assert!(guess(0.879, 100, 80) && !guess(0.881, 100, 80));
        // A set of one class cannot be learned.
        assert!(guess(1.0, 100, 100));
    }

    #[test]
    fn every_doubt_names_who_how_much_and_what_to_do() {
        let bad = Facts { steps: 20, accuracy: Some(0.1), unchanged: Some(0.99), ..good() };
        let found = sentences(&[("bsnn", bad), ("agmm", Facts { unchanged: Some(0.98), ..good() })]);
        assert_eq!(found.len(), 3, "{found:?}");
        for (sentence, words) in found.iter().zip([
            ["about bsnn:", "20 steps", "train.epochs"],
            ["bsnn learned nothing", "gives 10.0 %", "optim.lr"],
            ["of bsnn and agmm are", "99.0 and 98.0 %", "optim.lr_binary_mult"],
        ]) {
            words.iter().for_each(|word| assert!(sentence.contains(word), "{word:?} in {sentence}"));
        }
    }
}
