//! Lines over epochs or over layers: a mean per method, its band, its single runs.

use super::{
    COLOURS,
    frame::{Axis, Frame, escape},
    marker::{dash_attribute, marker},
    px,
};

/// One method's line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// Which method: colour, dash, marker.
    pub index: usize,
    /// Its label, shown when a marker is pointed at.
    pub label: String,
    /// The line.
    pub points: Vec<(f64, f64)>,
    /// Lowest and highest value beside the line, drawn as a band.
    pub band: Vec<(f64, f64, f64)>,
    /// Single runs, drawn thin.
    pub thin: Vec<Vec<(f64, f64)>>,
}

/// Lines in one frame.
#[derive(Clone, Debug)]
pub(crate) struct LinePlot {
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// A level to compare with: value and words.
    pub level: Option<(f64, String)>,
    /// Names for the horizontal places 0, 1, 2 … instead of numbers.
    pub names: Vec<String>,
    pub height: f64,
}

impl LinePlot {
    /// Draws it; `None` if there is nothing to draw.
    pub fn draw(&self, about: &str) -> Option<String> {
        let shown = |point: &&(f64, f64)| self.y.shows(point.1);
        let points = || self.series.iter().flat_map(|s| s.points.iter().chain(s.thin.iter().flatten())).filter(shown);
        points().next()?;
        let bands = self.series.iter().flat_map(|s| s.band.iter().flat_map(|(_, low, high)| [*low, *high]));
        let ys = points().map(|point| point.1).chain(self.level.iter().map(|level| level.0)).chain(bands);
        let mut frame = if self.names.is_empty() {
            Frame::new(self.height, &self.x, points().map(|point| point.0), &self.y, ys)
        } else {
            Frame::with_names(self.height, &self.names, &self.x.label, &self.y, ys)
        };
        if let Some((value, _)) = &self.level {
            let ((left, right), at) = (frame.sides(), frame.y.at(*value));
            frame.push(&format!("<path class=\"level\" d=\"M{} {}H{}\"/>", px(left), px(at), px(right)));
        }
        for series in &self.series {
            self.band(&mut frame, series);
        }
        for series in &self.series {
            let class = series.index % COLOURS;
            for thin in &series.thin {
                let d = self.path(&frame, thin);
                frame.push(&format!("<path class=\"thin m{class}\" d=\"{d}\"/>"));
            }
        }
        for series in &self.series {
            self.line(&mut frame, series);
        }
        // Its words come last, above the lines, with a halo from the style sheet.
        if let Some((value, words)) = &self.level {
            let at = frame.y.at(*value);
            frame.text(frame.sides().0 + 4.0, at - 5.0, "note", "start", &escape(words));
        }
        Some(frame.finish(about))
    }

    fn band(&self, frame: &mut Frame, series: &Series) {
        let shown: Vec<_> = series.band.iter().filter(|b| self.y.shows(b.1) && self.y.shows(b.2)).collect();
        if shown.len() < 2 {
            return;
        }
        let place = |x: f64, y: f64| format!("{} {}", px(frame.x.at(x)), px(frame.y.at(y)));
        let there: Vec<String> = shown.iter().map(|(x, _, high)| place(*x, *high)).collect();
        let back: Vec<String> = shown.iter().rev().map(|(x, low, _)| place(*x, *low)).collect();
        let d = format!("M{}L{}z", there.join("L"), back.join("L"));
        frame.push(&format!("<path class=\"band f{}\" d=\"{d}\"/>", series.index % COLOURS));
    }

    fn line(&self, frame: &mut Frame, series: &Series) {
        let d = self.path(frame, &series.points);
        let class = series.index % COLOURS;
        frame.push(&format!("<path class=\"line m{class}\" {}d=\"{d}\"/>", dash_attribute(series.index)));
        let shown: Vec<_> = series.points.iter().filter(|point| self.y.shows(point.1)).collect();
        // About eight markers a line; neighbours start at different points so that they do not hide each other.
        let all = shown.len() <= 20 || !self.names.is_empty();
        let every = if all { 1 } else { shown.len().div_ceil(8) };
        let offset = if all { 0 } else { series.index * every / 4 % every };
        for (x, y) in shown.into_iter().skip(offset).step_by(every) {
            let name = if self.names.is_empty() {
                format!("{} {x}", self.x.label)
            } else {
                self.names.get(*x as usize).cloned().unwrap_or_default()
            };
            let mark = marker(series.index, frame.x.at(*x), frame.y.at(*y), 3.0);
            let told = format!("{}, {name}: {}", series.label, crate::fmt::significant(*y, 4));
            frame.push(&format!("<g><title>{}</title>{mark}</g>", escape(&told)));
        }
    }

    /// A polyline; it breaks where a value has no place, and a lone point becomes a dot by the round line ends.
    fn path(&self, frame: &Frame, points: &[(f64, f64)]) -> String {
        let mut d = String::new();
        let mut pen_down = false;
        for (x, y) in points {
            if self.y.shows(*y) {
                d.push(if pen_down { 'L' } else { 'M' });
                d.push_str(&format!("{} {}", px(frame.x.at(*x)), px(frame.y.at(*y))));
            }
            pen_down = self.y.shows(*y);
        }
        d
    }
}
