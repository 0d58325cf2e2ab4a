//! Filters that leave out events: refractory time, background activity, hot pixels.
//!
//! The first two go with the stream, batch by batch; hot pixels need the whole recording.

use crate::frames::inside;
use crate::{Event, EventError};

/// Last time of an event per pixel.
#[derive(Clone, Debug)]
struct Last {
    width: u16,
    height: u16,
    t: Vec<Option<i64>>,
}

impl Last {
    fn new(width: u16, height: u16) -> Self {
        Self { width, height, t: vec![None; usize::from(width) * usize::from(height)] }
    }

    fn at(&self, x: u16, y: u16) -> usize {
        usize::from(y) * usize::from(self.width) + usize::from(x)
    }
}

/// Leaves out events that follow a kept one of the same pixel within a time.
///
/// ```
/// use bitspike_events::{Event, Refractory};
/// let mut batch: Vec<Event> = [0, 40, 100, 140].map(|t| Event::new(t, 0, 0, true)).to_vec();
/// Refractory::new(1, 1, 100).filter(&mut batch)?;
/// assert_eq!(batch.iter().map(|e| e.t).collect::<Vec<_>>(), [0, 100]);
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Refractory {
    last: Last,
    period_us: i64,
}

impl Refractory {
    /// For a sensor of `width` x `height` pixels.
    pub fn new(width: u16, height: u16, period_us: i64) -> Self {
        Self { last: Last::new(width, height), period_us }
    }

    /// Filters a batch in place; the next batch continues the stream.
    ///
    /// # Errors
    /// `Outside` for an event beyond the sensor; nothing is changed then.
    pub fn filter(&mut self, batch: &mut Vec<Event>) -> Result<(), EventError> {
        inside(batch, self.last.width, self.last.height)?;
        batch.retain(|e| {
            let at = self.last.at(e.x, e.y);
            // A time before the last one is no refractory time; it is let through.
            let keep = self.last.t[at].is_none_or(|t| !(0..self.period_us).contains(&e.t.saturating_sub(t)));
            if keep {
                self.last.t[at] = Some(e.t);
            }
            keep
        });
        Ok(())
    }
}

/// Leaves out events without another event at one of the eight neighbouring pixels shortly before (Delbruck 2008,
/// "Frame-free dynamic digital vision").
#[derive(Clone, Debug)]
pub struct BackgroundActivity {
    last: Last,
    window_us: i64,
}

impl BackgroundActivity {
    /// For a sensor of `width` x `height` pixels.
    pub fn new(width: u16, height: u16, window_us: i64) -> Self {
        Self { last: Last::new(width, height), window_us }
    }

    /// Filters a batch in place; the next batch continues the stream.
    ///
    /// # Errors
    /// `Outside` for an event beyond the sensor; nothing is changed then.
    pub fn filter(&mut self, batch: &mut Vec<Event>) -> Result<(), EventError> {
        inside(batch, self.last.width, self.last.height)?;
        batch.retain(|e| {
            let near = |v: u16, side: u16| v.saturating_sub(1)..=(v.saturating_add(1)).min(side - 1);
            let supported = near(e.y, self.last.height).any(|y| {
                near(e.x, self.last.width).any(|x| {
                    let other = self.last.t[self.last.at(x, y)];
                    (x, y) != (e.x, e.y) && other.is_some_and(|t| (0..=self.window_us).contains(&e.t.saturating_sub(t)))
                })
            });
            let at = self.last.at(e.x, e.y);
            // Events that are left out support their neighbours all the same, or nothing could ever begin.
            self.last.t[at] = Some(e.t);
            supported
        });
        Ok(())
    }
}

/// Leaves out all events of pixels with more than `factor` times the mean number of events per active pixel, and
/// returns these pixels as (x, y), by row.
///
/// # Errors
/// `Outside` for an event beyond the sensor; `Option` for a factor that is not positive.
pub fn remove_hot_pixels(
    events: &mut Vec<Event>,
    width: u16,
    height: u16,
    factor: f64,
) -> Result<Vec<(u16, u16)>, EventError> {
    inside(events, width, height)?;
    if factor.is_nan() || factor <= 0.0 {
        let (expected, found) = ("a positive number".into(), factor.to_string());
        return Err(EventError::Option { key: "factor", expected, found });
    }
    let mut counts = vec![0u64; usize::from(width) * usize::from(height)];
    let at = |e: &Event| usize::from(e.y) * usize::from(width) + usize::from(e.x);
    events.iter().for_each(|e| counts[at(e)] += 1);
    let active = counts.iter().filter(|n| **n > 0).count().max(1);
    let limit = factor * events.len() as f64 / active as f64;
    let hot = |n: u64| n as f64 > limit;
    events.retain(|e| !hot(counts[at(e)]));
    let columns = usize::from(width);
    let pixels = counts.iter().enumerate().filter(|(_, n)| hot(**n));
    Ok(pixels.map(|(i, _)| ((i % columns) as u16, (i / columns) as u16)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_continue_the_stream() {
        let mut r = crate::random(3, 0);
        let mut at = |n| r.below(n) as u16;
        let events: Vec<Event> = (0..500).map(|i| Event::new(i * 13, at(8), at(8), true)).collect();
        let run = |size: usize, background: bool| {
            let (mut r, mut b) = (Refractory::new(8, 8, 300), BackgroundActivity::new(8, 8, 60));
            let mut all = Vec::new();
            for part in events.chunks(size) {
                let mut batch = part.to_vec();
                if background {
                    b.filter(&mut batch).unwrap()
                } else {
                    r.filter(&mut batch).unwrap()
                }
                all.extend(batch);
            }
            all
        };
        for background in [false, true] {
            let whole = run(500, background);
            assert!(!whole.is_empty() && whole.len() < 500, "{}", whole.len());
            assert_eq!(run(7, background), whole);
        }
    }

    #[test]
    fn a_lone_event_goes_and_neighbours_stay() {
        let mut batch = vec![
            Event::new(0, 0, 0, true),
            Event::new(5, 4, 4, true),
            Event::new(6, 4, 4, true),
            Event::new(9, 1, 1, true),
            Event::new(60, 0, 0, true),
        ];
        BackgroundActivity::new(5, 5, 10).filter(&mut batch).unwrap();
        assert_eq!(batch, [Event::new(9, 1, 1, true)], "the same pixel is no neighbour, and 51 µs are too long");
    }

    #[test]
    fn hot_pixels_are_found_and_removed() {
        let mut events: Vec<Event> = (0..40).map(|i| Event::new(i, (i % 8) as u16, (i / 8) as u16, true)).collect();
        events.extend((0..60).map(|i| Event::new(i, 2, 3, false)));
        assert_eq!(remove_hot_pixels(&mut events, 8, 5, 10.0).unwrap(), [(2, 3)]);
        assert_eq!(events.len(), 39);
        assert!(remove_hot_pixels(&mut events, 8, 5, f64::NAN).is_err());
        assert!(remove_hot_pixels(&mut events, 8, 2, 3.0).is_err());
    }
}
