//! The plots of the section on spikes, gates and scales.

use bitspike_run::{EpochRecord, LayerRecord};

use super::{
    curves::{indices, over_epochs, over_layers_in_time},
    layers,
    parts::PageFigure,
    plots::{HEIGHT, by_layer, epochs},
};
use crate::{
    Comparison, Spread,
    svg::{Axis, LinePlot, Series},
};

/// Firing rates, gate, α, γ.
pub(crate) fn spikes(c: &Comparison) -> Vec<PageFigure> {
    let percent = |value: f64| value * 100.0;
    let rate = over_epochs(c, |epoch| Some(percent(epoch.firing_rate)).filter(|rate| *rate > 0.0));
    let per_layer = |pick: fn(&LayerRecord) -> Option<f64>| {
        move |epoch: &EpochRecord| epoch.layers.iter().filter_map(pick).collect::<Vec<f64>>()
    };
    let gate = over_layers_in_time(c, per_layer(|layer| layer.gate_mean));
    let alpha = over_layers_in_time(c, |epoch| {
        epoch.layers.iter().filter_map(|layer| layer.alpha.as_ref()).flatten().copied().collect()
    });
    let gamma = over_layers_in_time(c, per_layer(|layer| layer.gamma_mean));
    [
        epochs(
            "Firing rate",
            "Spikes per neuron and time step, mean over spiking layers.",
            Axis::linear("firing rate, %"),
            rate,
            None,
        ),
        by_layer(
            c,
            "Firing rate by layer",
            "Last epoch, the neurons behind each layer, input side at the left.",
            "firing rate, %",
            false,
            |layer| layer.firing_rate.map(percent),
        ),
        epochs(
            "Gate",
            "Line: mean of the gate over gated layers. Band: lowest to highest layer and seed.",
            Axis::linear("gate"),
            gate,
            None,
        ),
        epochs("α", "Line: mean over layers and time steps. Band: lowest to highest.", Axis::linear("α"), alpha, None),
        alpha_by_step(c),
        epochs(
            "Batch norm scale γ",
            "Line: mean over layers. Band: lowest to highest. A γ that grows can undo a gate that shrinks: read the \
             three together.",
            Axis::linear("γ"),
            gamma,
            None,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// α over the time steps of a sample, last epoch.
fn alpha_by_step(c: &Comparison) -> Option<PageFigure> {
    let mut series = Vec::new();
    let mut steps = 0;
    for (index, method) in c.methods.iter().enumerate() {
        let mut by_step: Vec<Vec<f64>> = Vec::new();
        for run in layers::members(c, &method.label) {
            for alpha in run.epochs.last().iter().flat_map(|e| &e.layers).filter_map(|layer| layer.alpha.as_ref()) {
                by_step.resize(by_step.len().max(alpha.len()), Vec::new());
                alpha.iter().zip(&mut by_step).for_each(|(value, step)| step.push(*value));
            }
        }
        steps = steps.max(by_step.len());
        let spreads: Vec<(f64, Spread)> = by_step
            .into_iter()
            .enumerate()
            .filter_map(|(step, values)| Some((step as f64, Spread::of(values)?)))
            .collect();
        if !spreads.is_empty() {
            series.push(Series {
                index,
                label: method.label.clone(),
                points: spreads.iter().map(|(step, spread)| (*step, spread.mean)).collect(),
                band: spreads.iter().map(|(step, spread)| (*step, spread.min, spread.max)).collect(),
                thin: Vec::new(),
            });
        }
    }
    if steps < 2 {
        return None;
    }
    let legend = indices(&series);
    let plot = LinePlot {
        x: Axis::linear("time step t"),
        y: Axis::linear("α[t]"),
        series,
        level: None,
        names: (1..=steps).map(|step| step.to_string()).collect(),
        height: HEIGHT,
    };
    PageFigure::new(
        "α by time step",
        "Last epoch. Line: mean over layers. Band: lowest to highest layer and seed.",
        plot.draw("α by time step"),
        legend,
    )
}
