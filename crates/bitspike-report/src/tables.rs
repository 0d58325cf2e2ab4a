//! The tables, once, for every form of output.

use crate::{Comparison, Difference, Figure, MethodResult, Spread, fmt};

/// A table of finished cells. The first column is text, the others are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// How to read it, one or two sentences.
    pub note: String,
}

/// Stands for a figure that is not there.
pub(crate) const ABSENT: &str = "–";

impl Table {
    /// Drops columns, after the first, in which nothing is present.
    fn without_empty_columns(mut self) -> Self {
        let keep: Vec<bool> = (0..self.columns.len())
            .map(|column| column == 0 || self.rows.iter().any(|row| row[column] != ABSENT))
            .collect();
        for row in self.rows.iter_mut().chain([&mut self.columns]) {
            let mut column = 0;
            row.retain(|_| {
                column += 1;
                keep[column - 1]
            });
        }
        self
    }
}

/// `87.81 ± 0.12`, or the bare mean of one value.
pub(crate) fn mean_std(spread: Option<Spread>, write: impl Fn(f64) -> String) -> String {
    match spread {
        Some(Spread { mean, std: Some(std), .. }) => format!("{} ± {}", write(mean), write(std)),
        Some(Spread { mean, .. }) => write(mean),
        None => ABSENT.into(),
    }
}

pub(crate) fn mean(spread: Option<Spread>, write: impl Fn(f64) -> String) -> String {
    spread.map_or(ABSENT.into(), |spread| write(spread.mean))
}

/// `+0.12 to +0.34`, in points.
pub(crate) fn interval(difference: Option<&Difference>) -> String {
    difference.and_then(|difference| difference.interval_95).map_or(ABSENT.into(), |(low, high)| {
        format!("{} to {}", fmt::signed(low * 100.0, 2), fmt::signed(high * 100.0, 2))
    })
}

/// Accuracy, the difference to the baseline, and how fast it was reached.
pub(crate) fn outcome(c: &Comparison) -> Table {
    let target = c.target_accuracy.map_or("target".into(), |target| format!("{} %", fmt::percent(target, 2)));
    let against = c.baseline.as_deref().unwrap_or("baseline");
    let rows = c.methods.iter().map(|method| {
        let difference = c.to_baseline(Figure::Accuracy, &method.label);
        let range = match method.accuracy {
            Some(spread) if spread.n > 1 => format!("{}..{}", fmt::percent(spread.min, 2), fmt::percent(spread.max, 2)),
            _ => ABSENT.into(),
        };
        vec![
            method.label.clone(),
            seeds(method.seeds.len(), method.unfinished),
            mean_std(method.accuracy, |value| fmt::percent(value, 2)),
            range,
            difference.map_or(ABSENT.into(), |difference| fmt::signed(difference.spread.mean * 100.0, 2)),
            interval(difference),
            if c.target_accuracy.is_some() && !method.epochs_to_target.is_empty() {
                epochs_to_target(method)
            } else {
                ABSENT.into()
            },
        ]
    });
    Table {
        title: "Accuracy".into(),
        columns: [
            "method",
            "seeds",
            &format!("{} accuracy, %", c.accuracy_on),
            "range, %",
            &format!("vs {against}, points"),
            "95 % interval",
            &format!("epochs to {target}"),
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note: accuracy_note(c),
    }
    .without_empty_columns()
}

/// The method with the greatest mean accuracy, the first of equals.
pub(crate) fn best_network(c: &Comparison) -> Option<(&MethodResult, f64)> {
    let known = c.methods.iter().filter_map(|method| Some((method, method.accuracy?.mean)));
    known.reduce(|best, other| if other.1 > best.1 { other } else { best })
}

/// Classifiers without a network beside the best network.
pub(crate) fn classics(c: &Comparison) -> Option<Table> {
    let classics = c.classics.as_ref().filter(|classics| !classics.classics.is_empty())?;
    let best = best_network(c);
    let rows = classics.classics.iter().map(|classic| {
        vec![
            classic.name.clone(),
            fmt::percent(classic.accuracy, 2),
            best.map_or(ABSENT.into(), |(_, network)| fmt::signed((network - classic.accuracy) * 100.0, 2)),
            fmt::bytes(classic.bytes),
            fmt::count(classic.operations),
            fmt::duration(classic.train_seconds),
        ]
    });
    let above =
        best.map_or("best network above, points".into(), |(method, _)| format!("{} above, points", method.label));
    let about: Vec<String> =
        classics.classics.iter().map(|classic| format!("{}: {}", classic.name, classic.about)).collect();
    Some(Table {
        title: "Without a network".into(),
        columns: [
            "classifier",
            &format!("{} accuracy, %", classics.evaluated_on),
            &above,
            "size",
            "multiply-adds, est.",
            "training",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note: format!(
            "{}. Multiply-adds are of one sample, with features; a comparison counts as one. Sizes: 4 bytes a number.",
            about.join("; ")
        ),
    })
}

fn accuracy_note(c: &Comparison) -> String {
    let mut note = String::from("Mean over seeds ± sample standard deviation, of the network after the last epoch.");
    if !c.differences.is_empty() {
        note.push_str(" Differences are paired by seed; the interval is Student's t and covers seed noise only.");
    }
    let compared = c.differences.iter().filter(|difference| difference.figure == Figure::Accuracy).count();
    if compared > 1 {
        note.push_str(&format!(
            " Among {compared} intervals one in twenty misses by chance alone: read the largest difference with care, and \
             p values after Holm's correction."
        ));
    }
    // One standard error of a share p measured on N samples is √(p(1 − p)/N).
    let samples = c.loaded.iter().find(|run| run.finished()).map(|run| match c.accuracy_on.as_str() {
        "validation" => run.info.dataset.validation_samples,
        _ => run.info.dataset.test_samples,
    });
    let accuracy = c.methods.iter().find_map(|method| method.accuracy);
    if let (Some(samples @ 1..), Some(spread)) = (samples, accuracy) {
        let p = spread.mean.clamp(0.0, 1.0);
        note.push_str(&format!(
            " {} {} samples alone give one accuracy a standard error of {} points.",
            fmt::count(samples),
            c.accuracy_on,
            fmt::significant((p * (1.0 - p) / samples as f64).sqrt() * 100.0, 2)
        ));
    }
    note
}

/// Accuracy against the baseline by the paired t and by Welch's, corrected for the number of comparisons; with two seeds or more.
pub(crate) fn tested(c: &Comparison) -> Option<Table> {
    let all: Vec<&Difference> =
        c.differences.iter().filter(|d| d.figure == Figure::Accuracy && d.p.is_some()).collect();
    let against = &all.first()?.against;
    let points =
        |(low, high): (f64, f64)| format!("{} to {}", fmt::signed(low * 100.0, 2), fmt::signed(high * 100.0, 2));
    let rows = all.iter().map(|d| {
        let welch = d.welch.as_ref();
        vec![
            d.method.clone(),
            fmt::signed(d.spread.mean * 100.0, 2),
            d.interval_95.map_or(ABSENT.into(), points),
            fmt::p(d.p),
            fmt::p(d.holm),
            welch.map_or(ABSENT.into(), |w| points(w.interval_95)),
            fmt::p(welch.map(|w| w.p)),
            fmt::p(welch.and_then(|w| w.holm)),
        ]
    });
    Some(Table {
        title: "Accuracy tested".into(),
        columns: [
            "method",
            &format!("minus {against}"),
            "paired 95 %",
            "p",
            "p, Holm",
            "Welch 95 %",
            "Welch p",
            "Welch p, Holm",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note: format!(
            "{} accuracy, differences in points. Paired: by seed, Student's t. Welch: of the two means and deviations, without \
             pairs. With few seeds a paired spread can be small by accident, so a difference stands if both say so. Holm: corrected \
             for {}.",
            capital(&c.accuracy_on),
            fmt::plural(all.len(), "comparison")
        ),
    })
}

fn seeds(counted: usize, unfinished: usize) -> String {
    match unfinished {
        0 => counted.to_string(),
        n => format!("{counted} of {}", counted + n),
    }
}

/// `7`, `7, 9` or `9 (1 of 3)` or `not reached`.
fn epochs_to_target(method: &crate::MethodResult) -> String {
    let mut epochs: Vec<u64> = method.epochs_to_target.iter().flatten().copied().collect();
    epochs.sort_unstable();
    let all = method.epochs_to_target.len();
    let text = match epochs.as_slice() {
        [] => return "not reached".into(),
        [first, .., last] if first != last => format!("{first}..{last}"),
        [first, ..] => first.to_string(),
    };
    if epochs.len() == all { text } else { format!("{text} ({} of {all})", epochs.len()) }
}

/// Flips and spikes.
pub(crate) fn flips(c: &Comparison) -> Table {
    let percent = |spread| mean(spread, |value| fmt::percent(value, 1));
    let rows = c.methods.iter().map(|method| {
        vec![
            method.label.clone(),
            match method.flips_per_weight {
                Some(Spread { mean, std: Some(std), .. }) => fmt::mean_std(mean, std, 3),
                spread => mean(spread, |value| fmt::significant(value, 3)),
            },
            percent(method.back_10),
            percent(method.back_100),
            percent(method.back_epoch),
            percent(method.flip_efficiency),
            percent(method.unchanged_since_start),
            mean_std(method.firing_rate, |value| fmt::percent(value, 2)),
        ]
    });
    Table {
        title: "Flips and spikes".into(),
        columns: [
            "method",
            "flips per weight",
            "undone in 10, %",
            "in 100, %",
            "in epoch, %",
            "efficiency, %",
            "unchanged, %",
            "firing rate, %",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note: "Over the whole run. Fewer flips alone prove nothing, a frozen network has none: read them together \
               with accuracy and with the share that is undone."
            .into(),
    }
    .without_empty_columns()
}

/// Size, energy and time.
pub(crate) fn cost(c: &Comparison) -> Table {
    let energy = |spread| mean(spread, fmt::energy);
    let size = |bytes: u64| if bytes == 0 { ABSENT.into() } else { fmt::bytes(bytes) };
    let rows = c.methods.iter().map(|method| {
        vec![
            method.label.clone(),
            size(method.bytes_1bit),
            size(method.bytes_f32),
            energy(method.energy_compute_pj),
            energy(method.energy_with_memory_pj),
            energy(method.energy_quantised_ann_pj),
            mean(method.train_seconds, fmt::duration),
            mean(method.eval_milliseconds_per_sample, |value| format!("{} ms", fmt::significant(value, 3))),
        ]
    });
    Table {
        title: "Size, energy and time".into(),
        columns: [
            "method",
            "1-bit size",
            "float32 size",
            "compute, est.",
            "with memory, est.",
            "no spikes, est.",
            "training",
            "per sample",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note:
            "Sizes: 1 bit per binary weight, 32 bits for every other parameter; 1 MB = 1,000,000 bytes. Energies are \
               estimates per sample, none was measured. Times were measured in the trainer."
                .into(),
    }
    .without_empty_columns()
}

/// Accuracy of every method minus that of every other; for three to six methods, beyond which nobody reads it.
pub(crate) fn pairs(c: &Comparison) -> Option<Table> {
    let usable: Vec<&str> = c.methods.iter().filter(|m| m.accuracy.is_some()).map(|m| m.label.as_str()).collect();
    if !(3..=6).contains(&usable.len()) {
        return None;
    }
    let cell = |row: &str, column: &str| {
        if row == column {
            return "·".to_owned();
        }
        let Some(difference) = c.difference(Figure::Accuracy, row, column) else { return ABSENT.into() };
        let mean = fmt::signed(difference.spread.mean * 100.0, 2);
        match difference.interval_95 {
            Some((low, high)) => {
                format!("{mean} [{}, {}]", fmt::signed(low * 100.0, 2), fmt::signed(high * 100.0, 2))
            }
            None => mean,
        }
    };
    // The last row and the first column would only repeat the others with the opposite sign.
    let (columns, rows) = (&usable[..usable.len() - 1], &usable[1..]);
    Some(Table {
        title: "Every pair".into(),
        columns: std::iter::once("method".to_owned())
            .chain(columns.iter().map(|label| format!("minus {label}")))
            .collect(),
        rows: rows
            .iter()
            .enumerate()
            .map(|(index, row)| {
                let cells = columns.iter().enumerate().map(
                    |(at, column)| {
                        if at > index { String::new() } else { cell(row, column) }
                    },
                );
                std::iter::once((*row).to_owned()).chain(cells).collect()
            })
            .collect(),
        note: format!("{} accuracy, row minus column, in points, with the 95 % interval.", capital(&c.accuracy_on)),
    })
}

/// Every run.
pub(crate) fn runs(c: &Comparison) -> Table {
    let percent = |value: Option<f64>| value.map_or(ABSENT.into(), |value| fmt::percent(value, 2));
    let rows = c.runs.iter().zip(&c.loaded).map(|(run, loaded)| {
        let best = match (run.best_accuracy, run.best_epoch) {
            (Some(accuracy), Some(epoch)) => format!("{} (epoch {epoch})", fmt::percent(accuracy, 2)),
            _ => ABSENT.into(),
        };
        vec![
            run.label.clone(),
            run.seed.to_string(),
            run.status.to_string(),
            run.epochs.to_string(),
            percent(run.accuracy),
            best,
            run.flips_per_weight.map_or(ABSENT.into(), |value| fmt::significant(value, 3)),
            run.train_seconds.map_or(ABSENT.into(), fmt::duration),
            loaded.folder_name(),
        ]
    });
    Table {
        title: "Runs".into(),
        columns: [
            "method",
            "seed",
            "status",
            "epochs",
            "final, %",
            "best, %",
            "flips per weight",
            "training",
            "folder",
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note: match c.runs.iter().filter(|run| !run.counted).count() {
            0 => "Every run has finished.".into(),
            n => format!(
                "{} not finished; such a run shows its last evaluated epoch and is in no mean.",
                if n == 1 { "One run has".into() } else { format!("{n} runs have") }
            ),
        },
    }
    .without_empty_columns()
}

pub(crate) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}
