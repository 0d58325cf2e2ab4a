//! Grouped bars from zero, with whiskers over the seeds.

use super::{
    COLOURS,
    frame::{Axis, Frame, escape},
    px,
};
use crate::Spread;

/// Bars that stand together.
#[derive(Clone, Debug)]
pub(crate) struct BarGroup {
    /// The name below.
    pub name: String,
    /// Method, its label, and its value.
    pub bars: Vec<(usize, String, Option<Spread>)>,
}

/// Draws the groups; `None` if no bar has a value.
pub(crate) fn bars(groups: &[BarGroup], y_label: &str, height: f64, about: &str) -> Option<String> {
    let spreads = || groups.iter().flat_map(|group| group.bars.iter().filter_map(|bar| bar.2));
    spreads().next()?;
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    let axis = Axis::linear(y_label).including(0.0);
    let mut frame = Frame::with_names(height, &names, "", &axis, spreads().map(|spread| spread.max));
    for (place, group) in groups.iter().enumerate() {
        let slot = 0.8 / group.bars.len().max(1) as f64;
        for (position, (index, label, spread)) in group.bars.iter().enumerate() {
            let Some(spread) = spread else { continue };
            let left = frame.x.at(place as f64 - 0.4 + slot * (position as f64 + 0.1));
            let right = frame.x.at(place as f64 - 0.4 + slot * (position as f64 + 0.9));
            // Wide bars look heavy; a few methods get slim ones.
            let (middle, half) = ((left + right) / 2.0, ((right - left) / 2.0).min(14.0));
            let (top, base) = (frame.y.at(spread.mean), frame.y.at(0.0));
            let whisker = if spread.n > 1 {
                format!(
                    "<path class=\"whisker\" d=\"M{} {}V{}\"/>",
                    px(middle),
                    px(frame.y.at(spread.min)),
                    px(frame.y.at(spread.max))
                )
            } else {
                String::new()
            };
            let told = format!("{label}, {}: {}", group.name, crate::fmt::significant(spread.mean, 4));
            frame.push(&format!(
                "<g><title>{}</title><path class=\"bar f{}\" d=\"M{} {}V{}H{}V{}z\"/>{whisker}</g>",
                escape(&told),
                index % COLOURS,
                px(middle - half),
                px(base),
                px(top),
                px(middle + half),
                px(base)
            ));
        }
    }
    Some(frame.finish(about))
}
