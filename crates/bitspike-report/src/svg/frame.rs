//! The frame of a plot: axes, grid, labels.

use super::{WIDTH, px, scale::Scale};

/// An axis before its range is fixed.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// Logarithmic.
    pub log: bool,
    /// Values that must be in view beside the data.
    pub include: Vec<f64>,
    /// Whole numbers only (epochs): ticks below 1 apart make no sense.
    pub whole: bool,
}

impl Axis {
    pub fn linear(label: &str) -> Self {
        Self { label: label.into(), log: false, include: Vec::new(), whole: false }
    }

    /// Epochs from 1.
    pub fn epochs() -> Self {
        Self { label: "epoch".into(), log: false, include: Vec::new(), whole: true }
    }

    /// Logarithmic if the values are positive and span more than a factor of 30.
    pub fn log_if_wide(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let positive: Vec<f64> = values.filter(|value| *value > 0.0 && value.is_finite()).collect();
        let low = positive.iter().copied().fold(f64::INFINITY, f64::min);
        let high = positive.iter().copied().fold(0.0, f64::max);
        Self { log: high > 30.0 * low, ..Self::linear(label) }
    }

    pub fn including(mut self, value: f64) -> Self {
        self.include.push(value);
        self
    }

    /// Whether a value has a place on this axis.
    pub fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// The range of values with a little air, mapped to `from..to`. No values give 0 to 1.
    fn scale(&self, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.chain(self.include.iter().copied()).filter(|value| self.shows(*value)) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = if self.log { (0.1, 1.0) } else { (0.0, 1.0) };
        }
        if self.log {
            let air = (high / low).powf(0.05).max(1.1);
            (low, high) = (low / air, high * air);
        } else if self.whole {
            if low == high {
                (low, high) = (low - 0.5, high + 0.5);
            }
        } else {
            let span = if high > low { high - low } else { high.abs().max(1e-6) };
            // An included end (zero, say) is where the axis starts; it needs no air.
            let pinned = |value: f64| self.include.contains(&value);
            let (bottom, top) = (pinned(low), pinned(high));
            low -= if bottom && high > low { 0.0 } else { span * 0.06 };
            high += if top && high > low { 0.0 } else { span * 0.06 };
            if high == low {
                high = low + span;
            }
        }
        Scale { low, high, from, to, log: self.log, whole: self.whole }
    }
}

/// Least room at the left; longer tick labels get more.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 40.0;

/// A plot being written.
pub(crate) struct Frame {
    pub x: Scale,
    pub y: Scale,
    left: f64,
    height: f64,
    body: String,
}

impl Frame {
    /// Fixes the ranges and draws grid and axes.
    pub fn new(height: f64, x: &Axis, xs: impl Iterator<Item = f64>, y: &Axis, ys: impl Iterator<Item = f64>) -> Self {
        let scale_y = y.scale(ys, height - BOTTOM, TOP);
        let left = room_for_ticks(&scale_y);
        let scale_x = x.scale(xs, left + 4.0, WIDTH - RIGHT);
        let mut frame = Self { x: scale_x, y: scale_y, left, height, body: String::new() };
        frame.horizontal_grid(&y.label);
        let ticks = scale_x.ticks(6);
        // Long labels (0.0005) would run into each other: every second is enough then.
        let widest = ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0) as f64 * 8.5;
        let room = (WIDTH - RIGHT - left) / ticks.len().max(1) as f64;
        let every = if widest > room { 2 } else { 1 };
        for (value, label) in ticks.into_iter().step_by(every) {
            frame.x_tick(scale_x.at(value), &label);
        }
        frame.x_title(&x.label);
        frame
    }

    /// A frame whose horizontal axis has names instead of numbers: one place each. Names are slanted where they
    /// would meet.
    pub fn with_names(height: f64, names: &[String], x_label: &str, y: &Axis, ys: impl Iterator<Item = f64>) -> Self {
        let count = names.len().max(1) as f64;
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(16) as f64;
        let slanted = longest * 6.4 > (WIDTH - RIGHT - LEFT) / count - 4.0;
        let title = if x_label.is_empty() { 14.0 } else { 0.0 };
        let extra = if slanted { (longest * 4.6 - title).max(0.0) } else { 0.0 };
        // The names take their room from the plot area, so that plots side by side keep one height.
        let y_scale = y.scale(ys, height - BOTTOM - extra, TOP);
        let left = room_for_ticks(&y_scale);
        let x = Scale { low: -0.5, high: count - 0.5, from: left + 4.0, to: WIDTH - RIGHT, log: false, whole: true };
        let mut frame = Self { x, y: y_scale, left, height, body: String::new() };
        frame.horizontal_grid(&y.label);
        let every = (14.0 * count / (WIDTH - RIGHT - left)).ceil().max(1.0) as usize;
        for (index, name) in names.iter().enumerate().step_by(every) {
            let (at, base) = (x.at(index as f64), y_scale.from + 16.0);
            let name = escape(&cut(name, 16));
            if slanted {
                frame.push(&format!(
                    "<text class=\"tick\" transform=\"translate({} {}) rotate(-45)\" text-anchor=\"end\">{name}</text>",
                    px(at + 4.0),
                    px(base - 2.0)
                ));
            } else {
                frame.text(at, base, "tick", "middle", &name);
            }
        }
        frame.x_title(x_label);
        frame
    }

    fn horizontal_grid(&mut self, label: &str) {
        let (left, right) = (self.left, WIDTH - RIGHT);
        for (value, text) in self.y.ticks(5) {
            let at = self.y.at(value);
            self.push(&format!("<path class=\"gl\" d=\"M{} {}H{}\"/>", px(left), px(at), px(right)));
            self.text(left - 6.0, at + 4.0, "tick", "end", &text);
        }
        self.push(&format!("<path class=\"axis\" d=\"M{} {}H{}\"/>", px(left), px(self.y.from), px(right)));
        // Above the axis and level: a turned label is hard to read.
        self.text(2.0, 14.0, "label", "start", &escape(label));
    }

    fn x_tick(&mut self, at: f64, label: &str) {
        let y = self.y.from;
        self.push(&format!("<path class=\"axis\" d=\"M{} {}v4\"/>", px(at), px(y)));
        self.text(at, y + 17.0, "tick", "middle", label);
    }

    fn x_title(&mut self, label: &str) {
        let (x, y) = ((self.left + WIDTH - RIGHT) / 2.0, self.height - 6.0);
        self.text(x, y, "label", "middle", &escape(label));
    }

    /// Adds text; `text` must be escaped.
    pub fn text(&mut self, x: f64, y: f64, class: &str, anchor: &str, text: &str) {
        self.push(&format!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{text}</text>",
            px(x),
            px(y)
        ));
    }

    /// Adds markup.
    pub fn push(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    /// Left and right end of the plot area.
    pub fn sides(&self) -> (f64, f64) {
        (self.left, WIDTH - RIGHT)
    }

    /// The finished plot; `about` is read out instead of it.
    pub fn finish(self, about: &str) -> String {
        wrap(self.height, about, &self.body)
    }
}

/// Room at the left for the labels of the vertical axis.
fn room_for_ticks(y: &Scale) -> f64 {
    let widest = y.ticks(5).iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    LEFT.max(12.0 + 8.0 * widest as f64)
}

/// The `svg` element around a plot.
pub(crate) fn wrap(height: f64, about: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        px(WIDTH),
        px(height),
        escape(about)
    )
}

/// At most `most` characters, the cut marked.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most - 1).chain(std::iter::once('…')).collect()
}

/// Makes text safe in HTML and SVG, in content and in attribute values between double quotes.
///
/// Control characters other than line ends and tabs are not allowed in either and become a question mark.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}
