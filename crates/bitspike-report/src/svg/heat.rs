//! A figure over layers and epochs as a field of shades.

use super::{
    WIDTH,
    frame::{cut, escape, wrap},
    px,
};
use crate::fmt;

/// Shades, from class `h0` (least) to `h8` (most).
const SHADES: usize = 9;
/// More columns than this are averaged in pairs, triples and so on.
const COLUMNS: usize = 48;

/// One field: a method.
#[derive(Clone, Debug)]
pub(crate) struct HeatPanel {
    pub title: String,
    /// Layer names, first at the top.
    pub rows: Vec<String>,
    /// Values by row and column; NaN for none.
    pub values: Vec<Vec<f64>>,
    /// First and last column's epoch.
    pub epochs: (u64, u64),
}

/// Draws each panel as a plot of its own, all with one scale: `(title, svg)`. Values that are not positive get no
/// shade. `percent` values are fractions shown as per cent.
pub(crate) fn heat(panels: &[HeatPanel], about: &str) -> Vec<(String, String)> {
    let positive =
        || panels.iter().flat_map(|p| p.values.iter().flatten().copied()).filter(|v| *v > 0.0 && v.is_finite());
    let (low, high) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
    if low > high {
        return Vec::new();
    }
    // At most three decades, so that a nearly frozen layer does not use up all shades.
    let low = low.max(high * 1e-3);
    let shade = |value: f64| {
        if !(value > 0.0 && value.is_finite()) {
            return None;
        }
        let share = if high > low { (value / low).ln() / (high / low).ln() } else { 1.0 };
        Some(((share * SHADES as f64).floor().max(0.0) as usize).min(SHADES - 1))
    };
    panels
        .iter()
        .map(|panel| {
            let svg = draw(panel, &shade, (low, high), &format!("{about}, {}", panel.title));
            (panel.title.clone(), svg)
        })
        .collect()
}

fn draw(panel: &HeatPanel, shade: &dyn Fn(f64) -> Option<usize>, ends: (f64, f64), about: &str) -> String {
    let columns = panel.values.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let merge = columns.div_ceil(COLUMNS);
    let shown = columns.div_ceil(merge);
    let longest = panel.rows.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(4, 16);
    let (left, right, top) = (12.0 + longest as f64 * 7.8, WIDTH - 10.0, 6.0);
    let (cell_width, cell_height) = ((right - left) / shown as f64, 15.0);
    let mut paths = vec![String::new(); SHADES];
    let mut body = String::new();
    for (row, (name, values)) in panel.rows.iter().zip(&panel.values).enumerate() {
        let y = top + row as f64 * cell_height;
        body.push_str(&format!(
            "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            px(left - 6.0),
            px(y + 11.5),
            escape(&cut(name, 16))
        ));
        let shades: Vec<Option<usize>> = values.chunks(merge).map(|cells| shade(mean(cells))).collect();
        // Neighbours of one shade become one rectangle.
        let mut start = 0;
        for run in shades.chunk_by(|a, b| a == b) {
            if let Some(class) = run[0] {
                let (from, to) = (left + start as f64 * cell_width, left + (start + run.len()) as f64 * cell_width);
                paths[class].push_str(&format!(
                    "M{} {}H{}v{}H{}z",
                    px(from),
                    px(y),
                    px(to),
                    px(cell_height - 1.0),
                    px(from)
                ));
            }
            start += run.len();
        }
    }
    for (class, d) in paths.iter().enumerate().filter(|(_, d)| !d.is_empty()) {
        body.push_str(&format!("<path class=\"h{class}\" d=\"{d}\"/>"));
    }
    let bottom = top + panel.rows.len() as f64 * cell_height;
    let text = |x: f64, anchor: &str, class: &str, text: String| {
        format!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{text}</text>",
            px(x),
            px(bottom + 15.0)
        )
    };
    body.push_str(&text(left, "start", "tick", panel.epochs.0.to_string()));
    body.push_str(&text((left + right) / 2.0, "middle", "label", "epoch".into()));
    body.push_str(&text(right, "end", "tick", panel.epochs.1.to_string()));
    body.push_str(&shade_key(left, right, bottom + 26.0, ends));
    wrap(bottom + 54.0, about, &body)
}

/// The row of shades with the values at its ends.
fn shade_key(left: f64, right: f64, y: f64, ends: (f64, f64)) -> String {
    let width = (right - left).min(220.0) / SHADES as f64;
    let mut out = String::new();
    for class in 0..SHADES {
        let x = left + class as f64 * width;
        out.push_str(&format!("<path class=\"h{class}\" d=\"M{} {}h{w}v9h-{w}z\"/>", px(x), px(y), w = px(width)));
    }
    let percent = |value: f64| format!("{} %", fmt::significant(value * 100.0, 2));
    let end = left + SHADES as f64 * width;
    out.push_str(&format!("<text class=\"tick\" x=\"{}\" y=\"{}\">{}</text>", px(left), px(y + 22.0), percent(ends.0)));
    out.push_str(&format!(
        "<text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        px(end),
        px(y + 22.0),
        percent(ends.1)
    ));
    out
}

/// Mean of the values that are there; NaN if there are none.
fn mean(values: &[f64]) -> f64 {
    let there: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    there.iter().sum::<f64>() / there.len() as f64
}
