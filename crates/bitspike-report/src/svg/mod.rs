//! Writes plots as SVG text: no fonts embedded, no scripts, colours by CSS class so that one plot serves light and
//! dark pages.
//!
//! Classes: `mK` is method K's colour (0 to 7, see `page/style.css`), used as `stroke` by lines and `fill` by markers.
//! A method is also told by its dash and its marker, so nothing rests on colour alone.

mod bars;
mod forest;
mod frame;
mod heat;
mod lines;
mod marker;
mod scale;
mod scatter;

pub(crate) use bars::{BarGroup, bars};
pub(crate) use forest::{ForestRow, forest};
pub(crate) use frame::{Axis, escape};
pub(crate) use heat::{HeatPanel, heat};
pub(crate) use lines::{LinePlot, Series};
pub(crate) use marker::legend_key;
pub(crate) use scatter::{Point, Scatter};

/// Distinct colours; further methods start over with other dashes and markers.
pub(crate) const COLOURS: usize = 8;

/// Width of every plot in its own units; the page scales it.
pub(crate) const WIDTH: f64 = 480.0;

/// Writes a coordinate with at most one decimal.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
