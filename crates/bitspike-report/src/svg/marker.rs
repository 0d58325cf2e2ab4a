//! What tells one method from another beside its colour: dash and marker.

use super::{COLOURS, px};

/// The dash of method `index`; empty for a solid line.
pub(crate) fn dash(index: usize) -> &'static str {
    ["", "", "7 3", "2 3", "9 3 2 3", "4 2", "1 2.5", "12 4"][index % COLOURS]
}

/// The marker of method `index` around a point, radius in plot units.
pub(crate) fn marker(index: usize, x: f64, y: f64, radius: f64) -> String {
    let (class, r) = (index % COLOURS, radius);
    let path = |d: String| format!("<path class=\"f{class}\" d=\"{d}\"/>");
    // Beyond the eighth method colours repeat, so the shapes shift by one.
    match (index + index / COLOURS) % COLOURS {
        0 => format!("<circle class=\"f{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>", px(x), px(y), px(r)),
        1 => path(format!("M{} {}h{s}v{s}h-{s}z", px(x - r * 0.9), px(y - r * 0.9), s = px(r * 1.8))),
        2 => path(format!("M{} {}l{} {}h-{}z", px(x), px(y - r * 1.2), px(r * 1.15), px(r * 2.0), px(r * 2.3))),
        3 => path(format!("M{} {}l{r} {r}l-{r} {r}l-{r} -{r}z", px(x), px(y - r * 1.25), r = px(r * 1.25))),
        4 => path(format!("M{} {}l{} -{}h-{}z", px(x), px(y + r * 1.2), px(r * 1.15), px(r * 2.0), px(r * 2.3))),
        5 => path(plus(x, y, r)),
        6 => format!("<circle class=\"o{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>", px(x), px(y), px(r * 0.85)),
        _ => format!(
            "<path class=\"o{class}\" d=\"M{} {}h{s}v{s}h-{s}z\"/>",
            px(x - r * 0.75),
            px(y - r * 0.75),
            s = px(r * 1.5)
        ),
    }
}

fn plus(x: f64, y: f64, r: f64) -> String {
    let (arm, half) = (px(r * 0.8), r * 0.4);
    format!(
        "M{} {}h{w}v{arm}h{arm}v{w}h-{arm}v{arm}h-{w}v-{arm}h-{arm}v-{w}h{arm}z",
        px(x - half),
        px(y - half - r * 0.8),
        w = px(half * 2.0)
    )
}

/// A short piece of the method's line with its marker, for a legend.
pub(crate) fn legend_key(index: usize) -> String {
    let class = index % COLOURS;
    format!(
        "<svg class=\"key\" viewBox=\"0 0 30 12\" aria-hidden=\"true\"><path class=\"line m{class}\" {}d=\"M1 6H29\"/>{}</svg>",
        dash_attribute(index),
        marker(index, 15.0, 6.0, 3.4)
    )
}

/// `stroke-dasharray="…" ` or nothing.
pub(crate) fn dash_attribute(index: usize) -> String {
    match dash(index) {
        "" => String::new(),
        dash => format!("stroke-dasharray=\"{dash}\" "),
    }
}
