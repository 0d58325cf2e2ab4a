//! Turns epoch records into lines: per method a mean over seeds, a band from lowest to highest, and single runs.

use std::collections::BTreeMap;

use bitspike_run::EpochRecord;

use crate::{Comparison, Spread, svg::Series};

/// One series per method of a figure over epochs.
///
/// The mean is drawn where every counted run has a value, so that it never jumps because a run is missing; single
/// runs are drawn in full, unfinished ones too.
pub(crate) fn over_epochs(c: &Comparison, figure: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<Series> {
    let mut out = Vec::new();
    for (index, method) in c.methods.iter().enumerate() {
        let (mut by_epoch, mut counted, mut lines) = (BTreeMap::<u64, Vec<f64>>::new(), 0, Vec::new());
        for (run, loaded) in c.loaded_of(&method.label) {
            let line: Vec<(f64, f64)> = loaded
                .epochs
                .iter()
                .filter_map(|epoch| Some((epoch.epoch as f64, figure(epoch).filter(|value| value.is_finite())?)))
                .collect();
            if run.counted && !line.is_empty() {
                counted += 1;
                line.iter().for_each(|(epoch, value)| by_epoch.entry(*epoch as u64).or_default().push(*value));
            }
            lines.push(line);
        }
        let whole: Vec<(f64, Spread)> = by_epoch
            .into_iter()
            .filter(|(_, values)| values.len() == counted)
            .filter_map(|(epoch, values)| Some((epoch as f64, Spread::of(values)?)))
            .collect();
        let mut series = Series {
            index,
            label: method.label.clone(),
            points: whole.iter().map(|(epoch, spread)| (*epoch, spread.mean)).collect(),
            ..Series::default()
        };
        if counted > 1 {
            series.band = whole.iter().map(|(epoch, spread)| (*epoch, spread.min, spread.max)).collect();
        }
        lines.retain(|line| !line.is_empty());
        // Single runs explain a band of a few methods; of many they would only be a tangle.
        if lines.len() > counted.min(1) && (lines.len() <= 8 && c.methods.len() <= 5 || counted == 0) {
            series.thin = lines;
        }
        if !series.points.is_empty() || !series.thin.is_empty() {
            out.push(series);
        }
    }
    out
}

/// One series per method of a figure that is itself a mean over layers, with a band over the layers.
///
/// `values` gives all values of one epoch; the line is their mean, the band their lowest and highest, over the
/// counted runs together.
pub(crate) fn over_layers_in_time(c: &Comparison, values: impl Fn(&EpochRecord) -> Vec<f64>) -> Vec<Series> {
    let mut out = Vec::new();
    for (index, method) in c.methods.iter().enumerate() {
        let mut by_epoch = BTreeMap::<u64, Vec<f64>>::new();
        let some_counted = !method.seeds.is_empty();
        for (_, loaded) in c.loaded_of(&method.label).filter(|(run, _)| run.counted || !some_counted) {
            for epoch in &loaded.epochs {
                by_epoch.entry(epoch.epoch).or_default().extend(values(epoch));
            }
        }
        let spreads: Vec<(f64, Spread)> =
            by_epoch.into_iter().filter_map(|(epoch, values)| Some((epoch as f64, Spread::of(values)?))).collect();
        if !spreads.is_empty() {
            out.push(Series {
                index,
                label: method.label.clone(),
                points: spreads.iter().map(|(epoch, spread)| (*epoch, spread.mean)).collect(),
                band: spreads.iter().map(|(epoch, spread)| (*epoch, spread.min, spread.max)).collect(),
                thin: Vec::new(),
            });
        }
    }
    out
}

/// The methods in some series.
pub(crate) fn indices(series: &[Series]) -> Vec<usize> {
    series.iter().map(|series| series.index).collect()
}

/// All values in some series, lines and bands.
pub(crate) fn values(series: &[Series]) -> impl Iterator<Item = f64> {
    series.iter().flat_map(|series| {
        series.points.iter().map(|point| point.1).chain(series.thin.iter().flatten().map(|point| point.1))
    })
}
