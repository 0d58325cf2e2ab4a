//! What the figures say, in words. No sentence claims more than the interval beside it.

use crate::{Comparison, Conclusion, Difference, Figure, MethodResult, Verdict, fmt, learned, points, tables};

/// Headline and points.
pub(crate) fn conclude(c: &Comparison) -> Conclusion {
    let Some(focus) = focus(c) else {
        return Conclusion {
            headline: "No run has finished, so there is nothing to conclude yet.".into(),
            points: Vec::new(),
        };
    };
    // The two that the first sentence is about, then the others.
    let who: Vec<&MethodResult> =
        base_of(c).filter(|base| base.label != focus.label).into_iter().chain([focus]).collect();
    let doubts = learned::doubts(c, &who);
    let learned = doubts.is_empty();
    let rest: Vec<&MethodResult> = c.methods.iter().filter(|m| who.iter().all(|w| w.label != m.label)).collect();
    let mut points = Vec::new();
    let headline = match c.to_baseline(Figure::Accuracy, &focus.label) {
        Some(difference) => {
            if learned {
                flips(c, focus, &mut points);
            }
            spikes(c, focus, &mut points);
            reach(c, focus, &mut points);
            tested(c, &mut points);
            match points::sentences(c, &focus.method) {
                each if each.is_empty() => others(c, focus, &mut points),
                each => points.extend(each),
            }
            versus(c, focus, difference)
        }
        None => {
            by_itself(focus, learned, &mut points);
            alone(c, focus)
        }
    };
    points.extend(learned::doubts(c, &rest));
    let headline = beside_classics(c, headline, &mut points);
    // What speaks against any conclusion comes before it.
    let mut doubts = doubts.into_iter();
    match doubts.next() {
        None => Conclusion { headline, points },
        Some(first) => Conclusion { headline: first, points: doubts.chain([headline]).chain(points).collect() },
    }
}

/// Whether a network beats the classifiers without one; if none does, that comes first.
fn beside_classics(c: &Comparison, headline: String, points: &mut Vec<String>) -> String {
    let Some(classic) = c.classics.as_ref().and_then(|classics| classics.best()) else { return headline };
    let Some((network, accuracy)) = tables::best_network(c) else { return headline };
    let (mine, theirs) = (fmt::percent(accuracy, 2), fmt::percent(classic.accuracy, 2));
    let (network, on) = (&network.label, &c.accuracy_on);
    if accuracy > classic.accuracy {
        let much = fmt::signed((accuracy - classic.accuracy) * 100.0, 2);
        let text = format!(
            "{network} is above the best classifier without a network, {} ({}): {mine} % against {theirs} % {on} accuracy, {much} points.",
            classic.name, classic.about
        );
        points.insert(0, text);
        return headline;
    }
    points.insert(0, headline);
    format!(
        "No network here beats {} ({}): it reaches {theirs} % {on} accuracy, the best network, {network}, {mine} %.",
        classic.name, classic.about
    )
}

/// The method the headline is about: AGMM if it is there, else the most accurate that is not the baseline.
fn focus(c: &Comparison) -> Option<&MethodResult> {
    let usable = || c.methods.iter().filter(|method| method.accuracy.is_some());
    let compared = || usable().filter(|method| c.baseline.as_ref() != Some(&method.label));
    let accuracy = |method: &&MethodResult| method.accuracy.map_or(f64::NEG_INFINITY, |spread| spread.mean);
    compared()
        .find(|method| method.method.starts_with("agmm"))
        .or_else(|| compared().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))))
        .or_else(|| usable().next())
}

fn mean_accuracy(method: &MethodResult) -> String {
    method.accuracy.map_or("–".into(), |spread| fmt::percent(spread.mean, 2))
}

/// `+0.31 points (95 % interval −0.10 to +0.72, 3 seeds)`.
fn points_of(difference: &Difference) -> String {
    let seeds = fmt::plural(difference.seeds.len(), "seed");
    let mean = fmt::signed(difference.spread.mean * 100.0, 2);
    match difference.interval_95 {
        Some((low, high)) => format!(
            "{mean} points (95 % interval {} to {}, {seeds})",
            fmt::signed(low * 100.0, 2),
            fmt::signed(high * 100.0, 2)
        ),
        None => format!("{mean} points ({seeds}, no interval)"),
    }
}

fn versus(c: &Comparison, focus: &MethodResult, difference: &Difference) -> String {
    let Some(base) = c.methods.iter().find(|method| method.label == difference.against) else {
        return alone(c, focus);
    };
    let (name, against, on) = (&focus.label, &base.label, &c.accuracy_on);
    let figures = format!(
        "{} % against {} % {on} accuracy, {}",
        mean_accuracy(focus),
        mean_accuracy(base),
        points_of(difference)
    );
    match difference.verdict {
        Verdict::BeyondNoise if difference.spread.mean > 0.0 => {
            format!("{name} is more accurate than {against} by more than seed noise: {figures}.")
        }
        Verdict::BeyondNoise => format!("{name} is less accurate than {against} by more than seed noise: {figures}."),
        Verdict::WithinNoise => format!("{name} and {against} cannot be told apart by accuracy: {figures}."),
        Verdict::TwoSeeds => {
            format!("Two seeds are too few to tell {name} from {against} by accuracy with any confidence: {figures}.")
        }
        Verdict::OneSeed => format!("One seed in common cannot tell {name} from {against} by accuracy: {figures}."),
    }
}

fn alone(c: &Comparison, method: &MethodResult) -> String {
    let seeds = fmt::plural(method.seeds.len(), "seed");
    let spread = method.accuracy.filter(|spread| spread.n > 1).map_or(String::new(), |spread| {
        format!(", from {} to {} %", fmt::percent(spread.min, 2), fmt::percent(spread.max, 2))
    });
    let why = match (&c.baseline, c.methods.len()) {
        (Some(baseline), 2..) if *baseline != method.label => {
            format!(" No seed is shared with {baseline}, so no difference is given.")
        }
        _ => String::new(),
    };
    format!("{} reaches {} % {} accuracy ({seeds}{spread}).{why}", method.label, mean_accuracy(method), c.accuracy_on)
}

/// `x % less`, `y % more`, or `as much` within half a per cent.
fn relative(method: f64, base: f64) -> Option<(String, bool)> {
    let change = (base > 0.0).then(|| method / base - 1.0)?;
    match change {
        _ if change.abs() < 0.005 => None,
        _ if change < 0.0 => Some((format!("{} % less", fmt::significant(-change * 100.0, 2)), true)),
        _ => Some((format!("{} % more", fmt::significant(change * 100.0, 2)), false)),
    }
}

fn base_of(c: &Comparison) -> Option<&MethodResult> {
    c.methods.iter().find(|method| Some(&method.label) == c.baseline.as_ref())
}

fn flips(c: &Comparison, focus: &MethodResult, out: &mut Vec<String>) {
    let Some(base) = base_of(c) else { return };
    let (Some(mine), Some(theirs)) = (focus.flips_per_weight, base.flips_per_weight) else { return };
    let Some(difference) = c.to_baseline(Figure::FlipsPerWeight, &focus.label) else { return };
    let numbers =
        format!("{} against {} flips per weight", fmt::significant(mine.mean, 3), fmt::significant(theirs.mean, 3));
    let mut text = match relative(mine.mean, theirs.mean) {
        Some((much, _)) => format!(
            "{} flips signs {much} than {} ({numbers}), a difference {}.",
            focus.label,
            base.label,
            difference.verdict.phrase()
        ),
        None => format!("{} flips signs as often as {} ({numbers}).", focus.label, base.label),
    };
    if let (Some(mine), Some(theirs)) = (focus.back_10, base.back_10) {
        text.push_str(&format!(
            " Of its flips {} % are undone within 10 steps, against {} %.",
            fmt::percent(mine.mean, 1),
            fmt::percent(theirs.mean, 1)
        ));
    }
    out.push(text);
}

fn spikes(c: &Comparison, focus: &MethodResult, out: &mut Vec<String>) {
    let Some(base) = base_of(c) else { return };
    let (Some(mine), Some(theirs)) = (focus.firing_rate, base.firing_rate) else { return };
    let Some(difference) = c.to_baseline(Figure::FiringRate, &focus.label) else { return };
    let numbers = format!("firing rate {} against {} %", fmt::percent(mine.mean, 1), fmt::percent(theirs.mean, 1));
    out.push(match relative(mine.mean, theirs.mean) {
        Some((much, _)) => format!(
            "{} spikes {much} than {} ({numbers}), a difference {}.",
            focus.label,
            base.label,
            difference.verdict.phrase()
        ),
        None => format!("{} spikes as much as {} ({numbers}).", focus.label, base.label),
    });
}

fn reach(c: &Comparison, focus: &MethodResult, out: &mut Vec<String>) {
    let (Some(base), Some(target)) = (base_of(c), c.target_accuracy) else { return };
    out.push(format!(
        "The accuracy to reach is {} %, the mean of {}'s best epochs. {}: {}. {}: {}.",
        fmt::percent(target, 2),
        base.label,
        focus.label,
        reached(focus),
        base.label,
        reached(base)
    ));
}

/// `reached after 7, 8 and 8 epochs`, `reached by 1 of 3 runs, after 7 epochs`, `not reached`.
fn reached(method: &MethodResult) -> String {
    let all = method.epochs_to_target.len();
    let mut epochs: Vec<u64> = method.epochs_to_target.iter().flatten().copied().collect();
    epochs.sort_unstable();
    let list = fmt::list(&epochs.iter().map(u64::to_string).collect::<Vec<_>>());
    let noun = if epochs == [1] { "epoch" } else { "epochs" };
    match epochs.len() {
        0 => "not reached".into(),
        n if n == all => format!("reached after {list} {noun}"),
        n => format!("reached by {n} of {all} runs, after {list} {noun}"),
    }
}

/// Which differences to the baseline stand after correction for their number, where there are several.
fn tested(c: &Comparison, out: &mut Vec<String>) {
    let three = |d: &&Difference| d.figure == Figure::Accuracy && d.seeds.len() > 2 && d.p.is_some();
    let all: Vec<&Difference> = c.differences.iter().filter(three).collect();
    if all.len() < 2 || points::table(c).is_some() {
        return;
    }
    let stand: Vec<&str> = all.iter().filter(|d| d.stands()).map(|d| d.method.as_str()).collect();
    out.push(format!(
        "Corrected for {} comparisons with {} (Holm), paired and Welch's test both find a difference in accuracy for {}.",
        all.len(),
        all[0].against,
        if stand.is_empty() { "none".into() } else { fmt::list(&stand) }
    ));
}

/// The focus against every other method: a learned gate that does not beat a constant one has shown nothing.
///
/// Up to three others get a sentence each; more are gathered by verdict.
fn others(c: &Comparison, focus: &MethodResult, out: &mut Vec<String>) {
    let differences: Vec<Difference> = c
        .methods
        .iter()
        .filter(|method| method.label != focus.label && Some(&method.label) != c.baseline.as_ref())
        .filter_map(|method| c.difference(Figure::Accuracy, &focus.label, &method.label))
        .collect();
    if differences.len() <= 3 {
        out.extend(differences.iter().map(|difference| {
            format!(
                "{} against {} in accuracy: {}, a difference {}.",
                focus.label,
                difference.against,
                points_of(difference),
                difference.verdict.phrase()
            )
        }));
        return;
    }
    for verdict in [Verdict::BeyondNoise, Verdict::WithinNoise, Verdict::TwoSeeds, Verdict::OneSeed] {
        let parts: Vec<String> = differences
            .iter()
            .filter(|difference| difference.verdict == verdict)
            .map(|d| format!("{} ({})", d.against, fmt::signed(d.spread.mean * 100.0, 2)))
            .collect();
        if !parts.is_empty() {
            out.push(format!(
                "{} against others in accuracy, points, each a difference {}: {}.",
                focus.label,
                verdict.phrase(),
                fmt::list(&parts)
            ));
        }
    }
}

/// Flips, spikes and size of a method that is compared with nothing.
fn by_itself(method: &MethodResult, learned: bool, out: &mut Vec<String>) {
    if let (true, Some(flips), Some(back)) = (learned, method.flips_per_weight, method.back_10) {
        out.push(format!(
            "It flipped each binary weight {} times on average; {} % of the flips were undone within 10 steps.",
            fmt::significant(flips.mean, 3),
            fmt::percent(back.mean, 1)
        ));
    }
    if let Some(rate) = method.firing_rate {
        out.push(format!("Its neurons spike in {} % of the time steps.", fmt::percent(rate.mean, 1)));
    }
    if method.bytes_1bit > 0 {
        out.push(format!(
            "The network takes {} at 1 bit per binary weight, {} in float32.",
            fmt::bytes(method.bytes_1bit),
            fmt::bytes(method.bytes_f32)
        ));
    }
}
