//! The plots of the section on flips.

use bitspike_run::{EpochRecord, LayerRecord};

use super::{
    curves::{indices, over_epochs, values},
    layers,
    parts::{Content, PageFigure},
    plots::{HEIGHT, by_layer, epochs},
};
use crate::{
    Comparison, Spread,
    svg::{Axis, BarGroup, LinePlot, Point, Scatter, bars, heat},
};

fn binary_flip_ratio(layer: &LayerRecord) -> Option<f64> {
    layer.binary.then_some(layer.flip_ratio)
}

/// Flips over epochs, over layers, undone, and against accuracy.
pub(crate) fn flips(c: &Comparison) -> Vec<PageFigure> {
    let percent = |value: f64| value * 100.0;
    // A network without binary weights has no flips to draw.
    let binary =
        |epoch: &EpochRecord, value: f64| epoch.layers.iter().any(|layer| layer.binary).then_some(percent(value));
    let ratio = over_epochs(c, |epoch| binary(epoch, epoch.flips.ratio_mean));
    let ratio_axis = Axis::log_if_wide("signs changed per step, %", values(&ratio));
    let back = over_epochs(c, |epoch| binary(epoch, epoch.flips.back_10));
    let unchanged = over_epochs(c, |epoch| binary(epoch, epoch.flips.unchanged_since_start));
    let mut out: Vec<PageFigure> = [
        epochs(
            "Flip ratio",
            "Share of binary signs that one step changes, mean over the epoch.",
            ratio_axis,
            ratio,
            None,
        ),
        epochs(
            "Flips undone within 10 steps",
            "Share of the epoch's flips that turned back: motion without progress.",
            Axis::linear("undone within 10 steps, %"),
            back,
            None,
        ),
        undone(c),
        epochs(
            "Signs as at the start",
            "Share of binary weights whose sign equals the one they started with. One half is what chance would leave.",
            Axis::linear("unchanged since start, %"),
            unchanged,
            None,
        ),
        flips_by_layer(c),
        by_layer(
            c,
            "Flip ratio by layer, last epoch",
            "Share of the layer's signs that one step changes. Band: lowest to highest seed.",
            "signs changed per step, %",
            true,
            |layer| binary_flip_ratio(layer).map(percent),
        ),
        predicted(c),
        by_layer(
            c,
            "One step from flipping, by layer",
            "Last epoch: share of weights with |w| below the learning rate times the root mean square of the velocity.",
            "|w| < lr · rms(velocity), %",
            true,
            |layer| layer.binary.then_some(percent(layer.near_flip)),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let names = layers::names(c, &binary_flip_ratio);
    let panels = heat(&layers::fields(c, &names, &binary_flip_ratio), "Flip ratio by layer and epoch");
    if !panels.is_empty() && c.loaded.iter().any(|run| run.epochs.len() > 1) {
        out.push(PageFigure {
            title: "Flip ratio by layer and epoch".into(),
            caption: "Darker (in dark mode: lighter) is more; the scale is logarithmic and the same for all methods. \
                      Mean over seeds."
                .into(),
            content: Content::Panels(panels),
            legend: Vec::new(),
            wide: true,
        });
    }
    out
}

/// Flips per weight over the whole run, by layer.
fn flips_by_layer(c: &Comparison) -> Option<PageFigure> {
    let names = layers::names(c, &binary_flip_ratio);
    let series = layers::totals(c, &names);
    let unit = "flips per weight, whole run";
    let y = Axis::log_if_wide(unit, values(&series));
    let y = if y.log { y } else { y.including(0.0) };
    let legend = indices(&series);
    let plot = LinePlot { x: Axis::linear(""), y, series, level: None, names, height: HEIGHT };
    PageFigure::new(
        "Flips per weight by layer",
        "Whole run, input side at the left. Band: lowest to highest seed.",
        plot.draw("Flips per weight by layer over the whole run"),
        legend,
    )
}

/// Bars: undone within 10 steps, 100 steps, the epoch.
fn undone(c: &Comparison) -> Option<PageFigure> {
    let scaled = |spread: Option<Spread>| {
        spread.map(|s| Spread { mean: s.mean * 100.0, min: s.min * 100.0, max: s.max * 100.0, ..s })
    };
    let group = |name: &str, pick: fn(&crate::MethodResult) -> Option<Spread>| BarGroup {
        name: name.into(),
        bars: c.methods.iter().enumerate().map(|(index, m)| (index, m.label.clone(), scaled(pick(m)))).collect(),
    };
    let groups = [
        group("in 10 steps", |method| method.back_10),
        group("in 100 steps", |method| method.back_100),
        group("in the epoch", |method| method.back_epoch),
        group("efficiency", |method| method.flip_efficiency),
    ];
    let legend = (0..c.methods.len()).filter(|index| c.methods[*index].back_10.is_some()).collect();
    PageFigure::new(
        "Flips undone, and flips that lasted",
        "Over the whole run. Efficiency: weights that end changed, per flip. Whiskers: lowest to highest seed.",
        bars(&groups, "share of flips, %", HEIGHT, "Share of flips undone within 10 steps, 100 steps and the epoch"),
        legend,
    )
}

/// Flip ratio predicted from gradient statistics against what was counted, by layer, last epoch.
fn predicted(c: &Comparison) -> Option<PageFigure> {
    let mut points = Vec::new();
    for (index, method) in c.methods.iter().enumerate() {
        for run in layers::members(c, &method.label) {
            for layer in run.epochs.last().iter().flat_map(|epoch| &epoch.layers) {
                let (Some(x), Some(y)) = (layer.flip_ratio_predicted, binary_flip_ratio(layer)) else { continue };
                let told = format!("{}, seed {}, {}", method.label, run.info.seed, layer.name);
                points.push(Point { index, x: x * 100.0, y: y * 100.0, told });
            }
        }
    }
    let mut legend: Vec<usize> = points.iter().map(|point| point.index).collect();
    legend.dedup();
    let both = || points.iter().flat_map(|point| [point.x, point.y]);
    let plot = Scatter {
        x: Axis::log_if_wide("predicted from the gradient, % per step", both()),
        y: Axis::log_if_wide("counted, % per step", both()),
        points: points.clone(),
        diagonal: true,
        height: HEIGHT,
    };
    PageFigure::new(
        "Flip ratio, predicted and counted",
        "One mark per binary layer and run, last epoch. On the dashed line the gradient's mean and variance explain \
         the flips.",
        plot.draw("Predicted against counted flip ratio by layer"),
        legend,
    )
}
