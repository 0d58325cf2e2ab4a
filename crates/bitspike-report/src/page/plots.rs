//! The plots of result, accuracy and cost, and what all sections share: which figure, on which axes, in which words.
//! Those of flips are in `plots_flips`, those of spikes and gates in `plots_spikes`.

use bitspike_run::LayerRecord;

use super::{
    curves::{indices, over_epochs, values},
    layers,
    parts::PageFigure,
};
use crate::{
    Comparison, Figure, Spread, fmt,
    svg::{Axis, BarGroup, ForestRow, LinePlot, Point, Scatter, Series, bars, forest},
    tables,
};

pub(super) const HEIGHT: f64 = 290.0;

/// Differences to the baseline with their intervals.
pub(crate) fn result(c: &Comparison) -> Vec<PageFigure> {
    let rows: Vec<ForestRow> = c
        .methods
        .iter()
        .enumerate()
        .filter_map(|(index, method)| {
            let difference = c.to_baseline(Figure::Accuracy, &method.label)?;
            let scaled = |value: f64| value * 100.0;
            Some(ForestRow {
                index,
                label: method.label.clone(),
                values: difference.values.iter().copied().map(scaled).collect(),
                mean: scaled(difference.spread.mean),
                interval: difference.interval_95.map(|(low, high)| (scaled(low), scaled(high))),
                told: difference.verdict.short().into(),
            })
        })
        .collect();
    let baseline = c.baseline.as_deref().unwrap_or_default();
    let unit = format!("points of {} accuracy above {baseline}", c.accuracy_on);
    let caption = "Solid marker: mean difference. Line: its 95 % interval over seeds. Small circles: one seed each. \
                   An interval across zero cannot tell the two apart.";
    let plot = forest(&rows, &unit, HEIGHT, "Accuracy differences to the baseline with 95 % intervals");
    let figure = PageFigure::new(&format!("Difference to {baseline}"), caption, plot, Vec::new());
    figure.into_iter().chain(flips_against_accuracy(c)).collect()
}

/// A plot over epochs.
pub(super) fn epochs(
    title: &str,
    caption: &str,
    y: Axis,
    series: Vec<Series>,
    level: Option<(f64, String)>,
) -> Option<PageFigure> {
    let legend = indices(&series);
    let plot = LinePlot { x: Axis::epochs(), y, series, level, names: Vec::new(), height: HEIGHT };
    PageFigure::new(title, caption, plot.draw(&format!("{title} over epochs")), legend)
}

/// Accuracy and loss over epochs.
pub(crate) fn accuracy(c: &Comparison) -> Vec<PageFigure> {
    let percent = |value: f64| value * 100.0;
    let reached = over_epochs(c, |epoch| epoch.held_out_accuracy.map(percent));
    let level = c.target_accuracy.map(|target| {
        (
            percent(target),
            format!("{}'s best, {} %", c.baseline.as_deref().unwrap_or("baseline"), fmt::percent(target, 2)),
        )
    });
    let on = c
        .loaded
        .iter()
        .find_map(|run| run.last_evaluated().map(|(_, on)| on.to_owned()))
        .unwrap_or_else(|| c.accuracy_on.clone());
    let mut parts = Vec::new();
    if c.methods.iter().any(|method| method.seeds.len() > 1) {
        parts.push("Line: mean over seeds. Band: lowest to highest seed.");
    }
    if reached.iter().any(|series| !series.thin.is_empty()) {
        parts.push("Thin lines: single runs.");
    }
    if c.target_accuracy.is_some() {
        parts.push("Dashed level: mean of the baseline's best epochs.");
    }
    let caption = parts.join(" ");
    let loss = over_epochs(c, |epoch| Some(epoch.train_loss));
    let loss_axis = Axis::log_if_wide("training loss, nats", values(&loss));
    let test_loss = over_epochs(c, |epoch| epoch.held_out_loss);
    let test_loss_axis = Axis::log_if_wide(&format!("{on} loss, nats"), values(&test_loss));
    let accuracy = format!("{on} accuracy, %");
    let second = match later_half(&reached) {
        Some(later) => epochs(
            &format!("{} accuracy, second half", tables::capital(&on)),
            "The same curves, drawn larger where they end.",
            Axis::linear(&accuracy),
            later,
            level.clone(),
        ),
        None => epochs(
            "Training accuracy",
            "Mean over the epoch, augmented samples and weights that move meanwhile.",
            Axis::linear("training accuracy, %"),
            over_epochs(c, |epoch| Some(percent(epoch.train_accuracy))),
            None,
        ),
    };
    [
        epochs(&format!("{} accuracy", tables::capital(&on)), &caption, Axis::linear(&accuracy), reached, level),
        second,
        epochs("Training loss", "Mean over the epoch, augmented samples.", loss_axis, loss, None),
        epochs(
            &format!("{} loss", tables::capital(&on)),
            "After each evaluated epoch. A rise while the training loss falls is overfitting.",
            test_loss_axis,
            test_loss,
            None,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The second half of curves of at least eight epochs; a run that ended before it is left out.
fn later_half(series: &[Series]) -> Option<Vec<Series>> {
    let last =
        series.iter().flat_map(|s| s.points.iter().chain(s.thin.iter().flatten())).map(|p| p.0).fold(0.0, f64::max);
    if last < 8.0 {
        return None;
    }
    let keep = |points: &[(f64, f64)]| points.iter().copied().filter(|p| p.0 > last / 2.0).collect::<Vec<_>>();
    Some(
        series
            .iter()
            .map(|s| Series {
                points: keep(&s.points),
                band: s.band.iter().copied().filter(|b| b.0 > last / 2.0).collect(),
                thin: s.thin.iter().map(|line| keep(line)).filter(|line| !line.is_empty()).collect(),
                ..s.clone()
            })
            .filter(|s| !s.points.is_empty() || !s.thin.is_empty())
            .collect(),
    )
}

/// A figure by layer in the last epoch.
pub(super) fn by_layer(
    c: &Comparison,
    title: &str,
    caption: &str,
    unit: &str,
    log: bool,
    figure: impl Fn(&LayerRecord) -> Option<f64>,
) -> Option<PageFigure> {
    let names = layers::names(c, &figure);
    let series = layers::profile(c, &names, &figure);
    let y = if log { Axis::log_if_wide(unit, values(&series)) } else { Axis::linear(unit).including(0.0) };
    let legend = indices(&series);
    let plot = LinePlot { x: Axis::linear(""), y, series, level: None, names, height: HEIGHT };
    PageFigure::new(title, caption, plot.draw(title), legend)
}

/// Every counted run: flips per weight against accuracy.
fn flips_against_accuracy(c: &Comparison) -> Option<PageFigure> {
    let index_of = |label: &str| c.methods.iter().position(|method| method.label == label);
    let points: Vec<Point> = c
        .runs
        .iter()
        .filter(|run| run.counted)
        .filter_map(|run| {
            let (x, y) = (run.flips_per_weight?, run.accuracy? * 100.0);
            let told =
                format!("{}, seed {}: {} flips per weight, {y:.2} %", run.label, run.seed, fmt::significant(x, 3));
            Some(Point { index: index_of(&run.label)?, x, y, told })
        })
        .collect();
    let mut legend: Vec<usize> = points.iter().map(|point| point.index).collect();
    legend.dedup();
    if points.len() < 2 {
        return None; // one point shows no relation
    }
    let plot = Scatter {
        x: Axis::linear("flips per binary weight, whole run"),
        y: Axis::linear(&format!("{} accuracy, %", c.accuracy_on)),
        points,
        diagonal: false,
        height: HEIGHT,
    };
    PageFigure::new(
        "Flips against accuracy",
        "One mark per finished run. Fewer flips are worth something only if accuracy does not fall with them.",
        plot.draw("Flips per weight against accuracy, one mark per run"),
        legend,
    )
}

/// Energy estimates as bars.
pub(crate) fn cost(c: &Comparison) -> Vec<PageFigure> {
    // One unit for all bars: the largest decides.
    let all = c.methods.iter().flat_map(|m| [m.energy_compute_pj, m.energy_with_memory_pj, m.energy_quantised_ann_pj]);
    let largest = all.flatten().map(|spread| spread.max).fold(0.0, f64::max);
    let units = [(1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ")];
    let (unit, name) = units.into_iter().find(|(unit, _)| largest >= *unit).unwrap_or((1.0, "pJ"));
    let scaled = |s: Spread| Spread { mean: s.mean / unit, min: s.min / unit, max: s.max / unit, ..s };
    let group = |name: &str, pick: fn(&crate::MethodResult) -> Option<Spread>| BarGroup {
        name: name.into(),
        bars: c.methods.iter().enumerate().map(|(index, m)| (index, m.label.clone(), pick(m).map(scaled))).collect(),
    };
    let groups = [
        group("compute only", |method| method.energy_compute_pj),
        group("with memory", |method| method.energy_with_memory_pj),
        group("no spikes", |method| method.energy_quantised_ann_pj),
    ];
    let legend = (0..c.methods.len()).filter(|index| c.methods[*index].energy_compute_pj.is_some()).collect();
    let plot = bars(&groups, &format!("{name} per sample, estimated"), HEIGHT, "Energy estimates per sample");
    PageFigure::new(
        "Energy estimate",
        "Arithmetic alone; with memory traffic; and a network of the same shape and weight width without spikes, \
         which a spiking network has to beat.",
        plot,
        legend,
    )
    .into_iter()
    .chain(size_against_accuracy(c))
    .collect()
}

/// Estimated energy with memory against accuracy, one mark per counted run.
fn size_against_accuracy(c: &Comparison) -> Option<PageFigure> {
    let unit = 1e6;
    let points: Vec<Point> = c
        .runs
        .iter()
        .filter(|run| run.counted)
        .filter_map(|run| {
            let (x, y) = (run.energy.as_ref()?.with_memory_pj / unit, run.accuracy? * 100.0);
            let index = c.methods.iter().position(|method| method.label == run.label)?;
            Some(Point {
                index,
                x,
                y,
                told: format!("{}, seed {}: {} µJ, {y:.2} %", run.label, run.seed, fmt::significant(x, 3)),
            })
        })
        .collect();
    let mut legend: Vec<usize> = points.iter().map(|point| point.index).collect();
    legend.dedup();
    if points.len() < 2 {
        return None;
    }
    let plot = Scatter {
        x: Axis::linear("µJ per sample with memory, estimated"),
        y: Axis::linear(&format!("{} accuracy, %", c.accuracy_on)),
        points,
        diagonal: false,
        height: HEIGHT,
    };
    PageFigure::new(
        "Energy estimate against accuracy",
        "One mark per finished run; up and to the left is better.",
        plot.draw("Energy estimate against accuracy"),
        legend,
    )
}
