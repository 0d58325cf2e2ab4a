//! Maps values to places, and chooses ticks.

use crate::fmt;

/// Linear or logarithmic map from a range of values to a range of places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
    pub log: bool,
    /// Whole numbers: no tick between them.
    pub whole: bool,
}

impl Scale {
    /// The place of a value.
    pub fn at(&self, value: f64) -> f64 {
        let (low, high, value) =
            if self.log { (self.low.ln(), self.high.ln(), value.ln()) } else { (self.low, self.high, value) };
        self.from + (value - low) / (high - low) * (self.to - self.from)
    }

    /// Ticks with their labels: steps of 1, 2 or 5 times a power of ten, or decades.
    pub fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        if self.log {
            return log_ticks(self.low, self.high, about);
        }
        let step = nice_step(self.high - self.low, about);
        linear_ticks(self.low, self.high, if self.whole { step.max(1.0) } else { step })
    }
}

/// The step of 1, 2 or 5 times a power of ten that gives at most `about` intervals.
pub(crate) fn nice_step(span: f64, about: usize) -> f64 {
    let raw = span / about.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let multiple = [1.0, 2.0, 5.0, 10.0].into_iter().find(|multiple| multiple * power >= raw * (1.0 - 1e-9));
    multiple.unwrap_or(10.0) * power
}

fn linear_ticks(low: f64, high: f64, step: f64) -> Vec<(f64, String)> {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    (first..=last)
        .map(|index| {
            let value = index as f64 * step;
            let text = if decimals > 5 { fmt::significant(value, 2) } else { format!("{value:.decimals$}") };
            (value, text.replacen('-', "−", 1))
        })
        .collect()
}

/// Decades; with fewer than three of them also 2 and 5.
fn log_ticks(low: f64, high: f64, about: usize) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let inside = |value: f64| value >= low * (1.0 - 1e-9) && value <= high * (1.0 + 1e-9);
    let mut values: Vec<f64> = (first..=last).map(|power| 10_f64.powi(power)).filter(|value| inside(*value)).collect();
    if values.len() < 3 {
        values = (first..=last)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|multiple| multiple * 10_f64.powi(power)))
            .filter(|value| inside(*value))
            .collect();
    }
    let every = values.len().div_ceil(about.max(1)).max(1);
    values.into_iter().step_by(every).map(|value| (value, plain(value))).collect()
}

/// A power of ten and its double and fivefold without trailing zeros.
fn plain(value: f64) -> String {
    if (1e-4..1e6).contains(&value) {
        let text = format!("{value:.5}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        fmt::significant(value, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, about: usize) -> Vec<String> {
        scale.ticks(about).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let linear = |low, high| Scale { low, high, from: 0.0, to: 1.0, log: false, whole: false };
        let log = |low, high| Scale { low, high, from: 0.0, to: 1.0, log: true, whole: false };
        assert_eq!(labels(linear(0.0, 10.0), 5), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(linear(-0.5, 0.5), 4), ["−0.5", "0.0", "0.5"]);
        assert_eq!(labels(linear(86.3, 88.1), 4), ["86.5", "87.0", "87.5", "88.0"]);
        let epochs = Scale { low: 1.0, high: 3.0, from: 0.0, to: 1.0, log: false, whole: true };
        assert_eq!(labels(epochs, 6), ["1", "2", "3"]);
        assert_eq!(labels(log(0.001, 1.0), 6), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(log(0.3, 6.0), 6), ["0.5", "1", "2", "5"]);
        assert_eq!(labels(log(1e-6, 1e6), 4).len(), 4);
    }

    #[test]
    fn places() {
        let scale = Scale { low: 1.0, high: 100.0, from: 0.0, to: 200.0, log: true, whole: false };
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
        let down = Scale { low: 0.0, high: 4.0, from: 100.0, to: 0.0, log: false, whole: false };
        assert_eq!((down.at(0.0), down.at(1.0), down.at(4.0)), (100.0, 75.0, 0.0));
    }
}
