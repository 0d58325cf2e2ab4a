//! A sweep point by point: every method beside the baseline that was trained at the same point of the grid.
//!
//! A point is what a label has in brackets, `lr=0.1` of `agmm (lr=0.1)`. There are points if the baseline was trained at two or
//! more; otherwise one baseline stands for all, and the other tables say everything.

use crate::{Comparison, Figure, MethodResult, Spread, fmt, tables};
use tables::{ABSENT, Table};

/// What sets a group of its method apart.
fn point(method: &MethodResult) -> Option<&str> {
    method.label.strip_prefix(&method.method)?.strip_prefix(" (")?.strip_suffix(')')
}

/// Points at which the baseline was trained, each with the methods there, the baseline first.
fn groups(c: &Comparison) -> Vec<(&str, Vec<&MethodResult>)> {
    let Some(base) = c.methods.iter().find(|m| Some(&m.label) == c.baseline.as_ref()) else { return Vec::new() };
    let usable = || c.methods.iter().filter(|m| m.accuracy.is_some());
    let mut out: Vec<(&str, Vec<&MethodResult>)> =
        usable().filter(|m| m.method == base.method).filter_map(|m| Some((point(m)?, vec![m]))).collect();
    for (at, methods) in &mut out {
        methods.extend(usable().filter(|m| m.method != base.method && point(m) == Some(at)));
    }
    out.retain(|(_, methods)| methods.len() > 1);
    if out.len() < 2 { Vec::new() } else { out }
}

/// Accuracy and flips of every method, and their differences to the baseline of the same point.
pub(crate) fn table(c: &Comparison) -> Option<Table> {
    let groups = groups(c);
    let base = groups.first()?.1[0].method.clone();
    let rows = groups.iter().flat_map(|(at, methods)| {
        let against = methods[0];
        let target = against.best_accuracy.map(|best| best.mean);
        methods.iter().map(move |method| {
            let difference = c.difference(Figure::Accuracy, &method.label, &against.label);
            let difference = difference.filter(|_| method.label != against.label);
            vec![
                (*at).to_owned(),
                method.method.clone(),
                tables::mean_std(method.accuracy, |value| fmt::percent(value, 2)),
                difference.as_ref().map_or(ABSENT.into(), |d| fmt::signed(d.spread.mean * 100.0, 2)),
                tables::interval(difference.as_ref()),
                tables::mean(method.flips_per_weight, |value| fmt::significant(value, 3)),
                tables::mean(method.back_10, |value| fmt::percent(value, 1)),
                target.map_or(ABSENT.into(), |target| reached(c, method, target)),
            ]
        })
    });
    Some(Table {
        title: "At each point of the grid".into(),
        columns: [
            "at",
            "method",
            &format!("{} accuracy, %", c.accuracy_on),
            &format!("minus {base}"),
            "95 % interval",
            "flips per weight",
            "undone in 10, %",
            &format!("epochs to {base}'s best"),
        ]
        .map(str::to_owned)
        .into(),
        rows: rows.collect(),
        note: format!(
            "Differences in points, to {base} at the same point, paired by seed. {base}'s best: the mean over its seeds at that \
             point of the best epoch's accuracy."
        ),
    })
}

/// Mean of the first epochs that reached an accuracy, and how many runs did.
fn reached(c: &Comparison, method: &MethodResult, target: f64) -> String {
    let runs = c.loaded_of(&method.label).filter(|(run, _)| run.counted);
    let epochs: Vec<Option<u64>> = runs.map(|(_, loaded)| loaded.first_epoch_at(target)).collect();
    let found: Vec<f64> = epochs.iter().flatten().map(|epoch| *epoch as f64).collect();
    match Spread::of(found.iter().copied()) {
        None => "not reached".into(),
        Some(spread) if found.len() == epochs.len() => fmt::significant(spread.mean, 2),
        Some(spread) => format!("{} ({} of {})", fmt::significant(spread.mean, 2), found.len(), epochs.len()),
    }
}

/// A method against all others of the same point, a sentence for each.
pub(crate) fn sentences(c: &Comparison, method: &str) -> Vec<String> {
    let sentence = |(at, methods): (&str, Vec<&MethodResult>)| {
        let focus = methods.iter().find(|m| m.method == method)?;
        let others = methods.iter().filter(|m| m.method != method);
        let parts: Vec<String> = others
            .filter_map(|other| {
                let d = c.difference(Figure::Accuracy, &focus.label, &other.label)?;
                let interval = d.interval_95.map_or(String::new(), |(low, high)| {
                    format!(" [{}, {}]", fmt::signed(low * 100.0, 2), fmt::signed(high * 100.0, 2))
                });
                let mean = fmt::signed(d.spread.mean * 100.0, 2);
                Some(format!("{mean}{interval} points against {}, {}", other.method, d.verdict.short()))
            })
            .collect();
        (!parts.is_empty()).then(|| format!("At {at}, {method} in accuracy: {}.", parts.join("; ")))
    };
    groups(c).into_iter().filter_map(sentence).collect()
}
