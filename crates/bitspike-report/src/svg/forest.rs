//! Differences with their intervals, one row per method, beside a line at zero.

use super::{
    COLOURS, WIDTH,
    frame::{cut, escape, wrap},
    marker::marker,
    px,
    scale::Scale,
};

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct ForestRow {
    /// Which method.
    pub index: usize,
    pub label: String,
    /// One value per seed.
    pub values: Vec<f64>,
    pub mean: f64,
    pub interval: Option<(f64, f64)>,
    /// The numbers in words, at the right.
    pub told: String,
}

/// Draws the rows; `None` if there are none. `unit` names the axis; the plot grows beyond `height` if the rows need it.
///
/// An interval much wider than the data (two seeds) is cut at the frame, marked by an arrow head.
pub(crate) fn forest(rows: &[ForestRow], unit: &str, height: f64, about: &str) -> Option<String> {
    let values = || rows.iter().flat_map(|row| row.values.iter().copied().chain([row.mean, 0.0]));
    let largest = values().fold(0.0, |most: f64, value| most.max(value.abs()));
    rows.first()?;
    // In view: zero, every seed, and intervals up to four times the largest value.
    let reach = if largest > 0.0 { largest * 4.0 } else { 1.0 };
    let ends = || rows.iter().filter_map(|row| row.interval).flat_map(|(low, high)| [low.max(-reach), high.min(reach)]);
    let low = values().chain(ends()).fold(0.0, f64::min);
    let high = values().chain(ends()).fold(0.0, f64::max);
    let air = ((high - low) * 0.06).max(1e-9);
    let (left, right, top) = (110.0, WIDTH - 14.0, 14.0);
    let row_height = ((height - top - 40.0) / rows.len() as f64).max(44.0);
    let x = Scale { low: low - air, high: high + air, from: left, to: right, log: false, whole: false };
    let bottom = top + row_height * rows.len() as f64;
    let mut body = String::new();
    for (value, label) in x.ticks(6) {
        let at = px(x.at(value));
        let class = if value == 0.0 { "zero" } else { "gl" };
        body.push_str(&format!("<path class=\"{class}\" d=\"M{at} {}V{}\"/>", px(top), px(bottom)));
        body.push_str(&format!(
            "<text class=\"tick\" x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            px(bottom + 16.0)
        ));
    }
    for (position, row) in rows.iter().enumerate() {
        let y = top + row_height * (position as f64 + 0.55);
        body.push_str(&draw_row(row, &x, y));
    }
    body.push_str(&format!(
        "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        px((left + right) / 2.0),
        px(bottom + 34.0),
        escape(unit)
    ));
    Some(wrap(bottom + 40.0, about, &body))
}

fn draw_row(row: &ForestRow, x: &Scale, y: f64) -> String {
    let class = row.index % COLOURS;
    let mut out = format!(
        "<text class=\"name\" x=\"2\" y=\"{}\">{}</text><text class=\"note\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        px(y + 4.0),
        escape(&cut(&row.label, 15)),
        px(x.to),
        px(y - 12.0),
        escape(&row.told)
    );
    if let Some((low, high)) = row.interval {
        let (from, to) = (x.at(low.max(x.low)), x.at(high.min(x.high)));
        out.push_str(&format!("<path class=\"line m{class}\" d=\"M{} {y}H{}\"/>", px(from), px(to), y = px(y)));
        let mut end = |at: f64, cut: bool, towards: f64| {
            out.push_str(&match cut {
                true => format!(
                    "<path class=\"line m{class}\" d=\"M{0} {1}l{2} -4m0 8l{3} -4\"/>",
                    px(at),
                    px(y),
                    px(-towards * 6.0),
                    px(towards * 6.0)
                ),
                false => format!("<path class=\"line m{class}\" d=\"M{} {}v8\"/>", px(at), px(y - 4.0)),
            });
        };
        end(from, low < x.low, -1.0);
        end(to, high > x.high, 1.0);
    }
    for value in &row.values {
        out.push_str(&format!(
            "<circle class=\"seed m{class}\" cx=\"{}\" cy=\"{}\" r=\"2.6\"/>",
            px(x.at(*value)),
            px(y + 9.0)
        ));
    }
    out.push_str(&marker(row.index, x.at(row.mean), y, 5.0));
    out
}
