//! Events into frames `[T, C, H, W]` for a network.
//!
//! Three kinds. Counts: channel 0 is OFF, channel 1 is ON, each value the number of events in the bin. Voxel grid (Zhu
//! et al. 2019, "Unsupervised Event-based Learning of Optical Flow"): one channel, polarity ±1 shared between the two
//! bins next to the event in proportion to its distance in time. Time surface (Lagorce et al. 2017, "HOTS"): channels
//! as for counts, `exp((t_last − t_end) / τ)` with the last event of the pixel up to the end of the bin.
//!
//! Bins divide the recording's time, or its events in file order, into T equal parts. Events need not be sorted.

use crate::{Event, EventError};

/// How a recording is divided into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SplitBy {
    /// T parts of the same duration, from the earliest event to the latest.
    Time,
    /// T parts with the same number of events, as nearly as that goes.
    Count,
}

/// What is put into frames.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FrameKind {
    /// Events counted, two channels.
    Counts,
    /// Polarity interpolated in time, one channel.
    VoxelGrid,
    /// Recency of the last event, two channels.
    TimeSurface {
        /// Time constant of forgetting, in microseconds.
        tau_us: f64,
    },
}

impl FrameKind {
    /// Number of channels.
    pub const fn channels(self) -> usize {
        match self {
            Self::VoxelGrid => 1,
            Self::Counts | Self::TimeSurface { .. } => 2,
        }
    }
}

/// Shape and kind of frames.
///
/// ```
/// use bitspike_events::{Event, FrameKind, Framing, SplitBy};
/// let events = [Event::new(0, 0, 0, true), Event::new(10, 1, 0, false), Event::new(99, 1, 0, true)];
/// let f = Framing { bins: 2, width: 2, height: 1, by: SplitBy::Time, kind: FrameKind::Counts };
/// // [T, C, H, W]: bin 0 has OFF at x = 1 and ON at x = 0, bin 1 has ON at x = 1.
/// assert_eq!(f.frames(&events)?, [0., 1., 1., 0., 0., 0., 0., 1.]);
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Framing {
    /// T, the number of bins.
    pub bins: usize,
    /// Columns of the sensor.
    pub width: u16,
    /// Rows of the sensor.
    pub height: u16,
    /// How the recording is divided. A voxel grid divides by time.
    pub by: SplitBy,
    /// What is put into the bins.
    pub kind: FrameKind,
}

impl Framing {
    /// Number of values: T·C·H·W.
    pub fn len(&self) -> usize {
        self.bins * self.kind.channels() * usize::from(self.height) * usize::from(self.width)
    }

    /// Whether frames have no values at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frames of a recording. Shape `[T, C, H, W]`; all zero for no events.
    ///
    /// # Errors
    /// `Option` for no bins, no pixels or a time constant that is not positive; `Outside` for an event beyond the sensor.
    pub fn frames(&self, events: &[Event]) -> Result<Vec<f32>, EventError> {
        let (first, last) = (events.iter().map(|e| e.t).min(), events.iter().map(|e| e.t).max());
        self.frames_within(events, first.zip(last).unwrap_or((0, 0)))
    }

    /// The frames of a part of a recording, of which first and last microsecond are given instead of being those of the
    /// events.
    ///
    /// # Errors
    /// As [`Framing::frames`], and `Option` for an event before or after that part.
    pub fn frames_within(&self, events: &[Event], (first, last): (i64, i64)) -> Result<Vec<f32>, EventError> {
        self.check(events)?;
        if let Some(e) = events.iter().find(|e| e.t < first || e.t > last) {
            let expected = format!("{first} to {last}");
            return Err(EventError::Option { key: "time of an event", expected, found: e.t.to_string() });
        }
        let mut out = vec![0.0; self.len()];
        if events.is_empty() {
            return Ok(out);
        }
        let [plane, frame] = self.strides();
        let span = i128::from(last) - i128::from(first) + 1;
        let pixel = |e: &Event| usize::from(e.y) * usize::from(self.width) + usize::from(e.x);
        let bin = |i: usize, e: &Event| match self.by {
            // Both quotients are below T: the numerators are below T times the denominators.
            SplitBy::Time => ((i128::from(e.t) - i128::from(first)) * self.bins as i128 / span) as usize,
            SplitBy::Count => (i as u128 * self.bins as u128 / events.len() as u128) as usize,
        };
        match self.kind {
            FrameKind::Counts => {
                for (i, e) in events.iter().enumerate() {
                    out[bin(i, e) * frame + usize::from(e.p) * plane + pixel(e)] += 1.0;
                }
            }
            FrameKind::VoxelGrid => {
                // The first event lies in the middle of the first bin, the last in the middle of the last.
                let scale = (self.bins - 1) as f64 / ((span - 1).max(1)) as f64;
                for e in events {
                    let at = (i128::from(e.t) - i128::from(first)) as f64 * scale;
                    let (low, part) = ((at as usize).min(self.bins - 1), at.fract() as f32);
                    let sign = if e.p { 1.0 } else { -1.0 };
                    out[low * frame + pixel(e)] += sign * (1.0 - part);
                    if low + 1 < self.bins {
                        out[(low + 1) * frame + pixel(e)] += sign * part;
                    }
                }
            }
            FrameKind::TimeSurface { tau_us } => {
                // Latest event per bin and pixel, then what is known at the end of each bin.
                let mut latest: Vec<Option<i64>> = vec![None; out.len()];
                let mut ends = vec![first; self.bins];
                for (i, e) in events.iter().enumerate() {
                    let b = bin(i, e);
                    let at = &mut latest[b * frame + usize::from(e.p) * plane + pixel(e)];
                    *at = (*at).max(Some(e.t));
                    ends[b] = ends[b].max(e.t);
                }
                for b in 0..self.bins {
                    if b > 0 {
                        ends[b] = ends[b].max(ends[b - 1]);
                    }
                    if self.by == SplitBy::Time {
                        ends[b] = (i128::from(first) + span * (b as i128 + 1) / self.bins as i128 - 1) as i64;
                    }
                    for k in b * frame..(b + 1) * frame {
                        if b > 0 {
                            latest[k] = latest[k].max(latest[k - frame]);
                        }
                        if let Some(t) = latest[k] {
                            out[k] = ((i128::from(t) - i128::from(ends[b])) as f64 / tau_us).exp() as f32;
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    fn strides(&self) -> [usize; 2] {
        let plane = usize::from(self.height) * usize::from(self.width);
        [plane, plane * self.kind.channels()]
    }

    fn check(&self, events: &[Event]) -> Result<(), EventError> {
        let wrong = |key, expected: &str, found: String| EventError::Option { key, expected: expected.into(), found };
        if self.bins == 0 {
            return Err(wrong("bins", "at least 1", "0".into()));
        }
        if self.width == 0 || self.height == 0 {
            return Err(wrong("size", "at least 1 x 1", format!("{} x {}", self.width, self.height)));
        }
        if let FrameKind::TimeSurface { tau_us } = self.kind
            && !(tau_us > 0.0 && tau_us.is_finite())
        {
            return Err(wrong("tau_us", "a positive number", tau_us.to_string()));
        }
        inside(events, self.width, self.height)
    }
}

/// Checks that all events lie on the sensor.
pub(crate) fn inside(events: &[Event], width: u16, height: u16) -> Result<(), EventError> {
    match events.iter().position(|e| e.x >= width || e.y >= height) {
        Some(index) => {
            Err(EventError::Outside { index, place: (events[index].x, events[index].y), size: (width, height) })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(bins: usize, by: SplitBy, kind: FrameKind) -> Framing {
        Framing { bins, width: 4, height: 3, by, kind }
    }

    fn events() -> Vec<Event> {
        (0..100i64).map(|i| Event::new(i * i, (i % 4) as u16, (i % 3) as u16, i % 5 < 2)).collect()
    }

    #[test]
    fn counts_hold_every_event_once_in_parts_of_equal_time_or_number() {
        for bins in [1, 3, 10, 1000] {
            for by in [SplitBy::Time, SplitBy::Count] {
                let f = framing(bins, by, FrameKind::Counts);
                let out = f.frames(&events()).unwrap();
                assert_eq!(out.len(), f.len());
                assert_eq!(out.iter().sum::<f32>(), 100.0, "{bins} {by:?}");
                let per_bin: Vec<f32> = out.chunks(24).map(|c| c.iter().sum()).collect();
                if by == SplitBy::Count && bins == 10 {
                    assert!(per_bin.iter().all(|n| *n == 10.0), "{per_bin:?}");
                }
                if by == SplitBy::Time && bins == 3 {
                    // i² < 9802 / 3 up to 57, < 2·9802/3 up to 80.
                    assert_eq!(per_bin, [58.0, 23.0, 19.0]);
                }
            }
        }
        let on: f32 = framing(1, SplitBy::Time, FrameKind::Counts).frames(&events()).unwrap()[12..].iter().sum();
        assert_eq!(on, 40.0, "the second channel is ON");
    }

    #[test]
    fn a_voxel_grid_shares_polarity_between_neighbours_in_time() {
        let f = framing(3, SplitBy::Time, FrameKind::VoxelGrid);
        let e = [Event::new(0, 0, 0, true), Event::new(25, 1, 0, false), Event::new(100, 2, 0, true)];
        let out = f.frames(&e).unwrap();
        assert_eq!((out[0], out[1], out[12 + 1], out[24 + 2]), (1.0, -0.5, -0.5, 1.0));
        let total: f32 = f.frames(&events()).unwrap().iter().sum();
        assert!((total - (40.0 - 60.0)).abs() < 1e-3, "sum of polarities is kept: {total}");
    }

    #[test]
    fn a_time_surface_forgets() {
        let f = framing(2, SplitBy::Time, FrameKind::TimeSurface { tau_us: 50.0 });
        let e = [Event::new(0, 0, 0, true), Event::new(30, 0, 0, true), Event::new(99, 1, 0, false)];
        let out = f.frames(&e).unwrap();
        let [plane, frame] = f.strides();
        assert!((out[plane] - (-19.0f32 / 50.0).exp()).abs() < 1e-6, "seen at 30, bin ends at 49");
        assert!((out[frame + plane] - (-69.0f32 / 50.0).exp()).abs() < 1e-6, "still known in the next bin");
        assert_eq!(out[frame + 1], 1.0, "an event at the very end");
        assert!(out.iter().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn extreme_times_and_no_events_do_no_harm() {
        for kind in [FrameKind::Counts, FrameKind::VoxelGrid, FrameKind::TimeSurface { tau_us: 1.0 }] {
            let f = framing(4, SplitBy::Time, kind);
            assert!(f.frames(&[]).unwrap().iter().all(|v| *v == 0.0));
            let e = [Event::new(i64::MIN, 0, 0, true), Event::new(i64::MAX, 3, 2, true)];
            assert!(f.frames(&e).unwrap().iter().all(|v| v.is_finite()));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let f = framing(1, SplitBy::Time, FrameKind::Counts);
        let outside = f.frames(&[Event::new(0, 0, 0, true), Event::new(0, 4, 2, true)]).unwrap_err();
        assert_eq!(outside.to_string(), "event 1: place: expected below (4, 3), found (4, 2)");
        assert!(framing(0, SplitBy::Time, FrameKind::Counts).frames(&[]).is_err());
        assert!(framing(1, SplitBy::Time, FrameKind::TimeSurface { tau_us: f64::NAN }).frames(&[]).is_err());
    }
}
