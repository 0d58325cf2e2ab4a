//! Points in a plane.

use super::{
    frame::{Axis, Frame, escape},
    marker::marker,
    px,
};

/// One point.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// Which method.
    pub index: usize,
    pub x: f64,
    pub y: f64,
    /// What is told when it is pointed at.
    pub told: String,
}

/// Points in one frame.
#[derive(Clone, Debug)]
pub(crate) struct Scatter {
    pub x: Axis,
    pub y: Axis,
    pub points: Vec<Point>,
    /// Draw the line x = y.
    pub diagonal: bool,
    pub height: f64,
}

impl Scatter {
    /// Draws it; `None` if there is nothing to draw.
    pub fn draw(&self, about: &str) -> Option<String> {
        let shown: Vec<&Point> =
            self.points.iter().filter(|point| self.x.shows(point.x) && self.y.shows(point.y)).collect();
        shown.first()?;
        let (xs, ys) = (shown.iter().map(|point| point.x), shown.iter().map(|point| point.y));
        let mut frame = Frame::new(self.height, &self.x, xs, &self.y, ys);
        if self.diagonal {
            let (low, high) = (frame.x.low.max(frame.y.low), frame.x.high.min(frame.y.high));
            if low < high {
                let (a, b) = ((frame.x.at(low), frame.y.at(low)), (frame.x.at(high), frame.y.at(high)));
                frame.push(&format!("<path class=\"level\" d=\"M{} {}L{} {}\"/>", px(a.0), px(a.1), px(b.0), px(b.1)));
            }
        }
        let radius = if shown.len() > 40 { 3.0 } else { 4.6 };
        for point in shown {
            let mark = marker(point.index, frame.x.at(point.x), frame.y.at(point.y), radius);
            frame.push(&format!("<g class=\"point\"><title>{}</title>{mark}</g>", escape(&point.told)));
        }
        Some(frame.finish(about))
    }
}
