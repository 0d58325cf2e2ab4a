//! Figures by layer: the last epoch's profile, and the field over all epochs.

use std::collections::BTreeMap;

use bitspike_run::LayerRecord;

use crate::{
    Comparison, Spread,
    load::Loaded,
    svg::{HeatPanel, Series},
};

/// Runs a layer figure is made from: the counted ones, or all if none has finished.
pub(crate) fn members<'a>(c: &'a Comparison, label: &'a str) -> Vec<&'a Loaded> {
    let some_counted = c.runs.iter().any(|run| run.label == label && run.counted);
    c.loaded_of(label).filter(|(run, _)| run.counted || !some_counted).map(|(_, loaded)| loaded).collect()
}

/// Names of the layers that have the figure in any run, in network order.
pub(crate) fn names(c: &Comparison, figure: &impl Fn(&LayerRecord) -> Option<f64>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for layer in c.loaded.iter().filter_map(|run| run.epochs.last()).flat_map(|epoch| &epoch.layers) {
        if figure(layer).is_some() && !names.contains(&layer.name) {
            names.push(layer.name.clone());
        }
    }
    names
}

/// One series per method: the figure of each layer in the last epoch, mean over seeds with a band.
pub(crate) fn profile(c: &Comparison, names: &[String], figure: &impl Fn(&LayerRecord) -> Option<f64>) -> Vec<Series> {
    per_layer(c, names, |run, name| run.epochs.last()?.layers.iter().find(|layer| layer.name == name).and_then(figure))
}

/// One series per method: flips per weight of each layer over the whole run, mean over seeds with a band.
pub(crate) fn totals(c: &Comparison, names: &[String]) -> Vec<Series> {
    per_layer(c, names, |run, name| {
        let layers = run.epochs.iter().filter_map(|epoch| epoch.layers.iter().find(|layer| layer.name == name));
        let (flips, weights) = layers.fold((0.0, 0), |(flips, _), layer| (flips + layer.flips as f64, layer.weights));
        (weights > 0).then(|| flips / weights as f64)
    })
}

fn per_layer(c: &Comparison, names: &[String], value: impl Fn(&Loaded, &str) -> Option<f64>) -> Vec<Series> {
    let mut out = Vec::new();
    for (index, method) in c.methods.iter().enumerate() {
        let runs = members(c, &method.label);
        let at = |name: &String| Spread::of(runs.iter().filter_map(|run| value(run, name)));
        let spreads: Vec<(f64, Spread)> =
            names.iter().enumerate().filter_map(|(place, name)| Some((place as f64, at(name)?))).collect();
        if spreads.is_empty() {
            continue;
        }
        let band = spreads.iter().map(|(place, spread)| (*place, spread.min, spread.max));
        out.push(Series {
            index,
            label: method.label.clone(),
            points: spreads.iter().map(|(place, spread)| (*place, spread.mean)).collect(),
            band: if runs.len() > 1 { band.collect() } else { Vec::new() },
            thin: Vec::new(),
        });
    }
    out
}

/// One field per method: the figure of each layer in each epoch, mean over seeds.
pub(crate) fn fields(
    c: &Comparison,
    names: &[String],
    figure: &impl Fn(&LayerRecord) -> Option<f64>,
) -> Vec<HeatPanel> {
    let mut out = Vec::new();
    for method in &c.methods {
        let mut cells: BTreeMap<u64, BTreeMap<&str, Vec<f64>>> = BTreeMap::new();
        for epoch in members(c, &method.label).into_iter().flat_map(|run| &run.epochs) {
            for layer in &epoch.layers {
                if let Some(value) = figure(layer) {
                    cells.entry(epoch.epoch).or_default().entry(&layer.name).or_default().push(value);
                }
            }
        }
        let (Some(first), Some(last)) = (cells.keys().next().copied(), cells.keys().last().copied()) else { continue };
        let row = |name: &String| {
            let cell = |epoch: &BTreeMap<&str, Vec<f64>>| {
                let values = epoch.get(name.as_str()).into_iter().flatten().copied();
                Spread::of(values).map_or(f64::NAN, |spread| spread.mean)
            };
            cells.values().map(cell).collect()
        };
        out.push(HeatPanel {
            title: method.label.clone(),
            rows: names.to_vec(),
            values: names.iter().map(row).collect(),
            epochs: (first, last),
        });
    }
    out
}
