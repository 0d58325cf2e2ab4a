//! Pictures of a recording: frames of ON and OFF, side by side as PNG or one after the other as GIF.
//!
//! ```text
//! frame i of N   events from begin + i·(span − window)/(N − 1), for `window`; of a single frame the middle
//! cell           a pixel of the sensor, or a square of pixels of a large sensor, whose events are added
//! tint           0 without events; from one event, 6, to `clip` events, 14, in equal steps
//! ```
//!
//! ON is blue and OFF is orange on white, which the common kinds of colour blindness tell apart; a cell with both is
//! darker than either. `clip` is the 95th percentile of the counts that are not 0, over all frames, so a few hot pixels
//! do not make everything else pale. Below each frame stands its time after the first event.
//!
//! Only the frames are in memory, not the events: a recording of any length is drawn in two passes, one for the range of
//! its times and one for its events.

mod draw;
mod font;

use crate::{Event, EventError, EventReader, Summary};

/// Length of a frame unless another is given: longer ones smear what moves.
const WINDOW_US: i64 = 100_000;

/// Share of cells with events whose counts are told apart.
const PERCENTILE: f64 = 0.95;

/// Most memory for counts, in cells of two polarities: 512 MiB.
const MAX_CELLS: usize = 1 << 27;

/// What is drawn.
///
/// ```
/// use bitspike_events::PictureOptions;
/// let o = PictureOptions::default().with_frames(20).with_window_us(10_000);
/// assert_eq!((o.frames, o.window_us, o.from_us), (20, Some(10_000), 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureOptions {
    /// Number of frames, spread evenly.
    pub frames: usize,
    /// Microseconds whose events a frame shows; without it what one frame covers if they follow each other without a gap,
    /// but at most 100 ms.
    pub window_us: Option<i64>,
    /// Begin of the part that is drawn, in microseconds after the first event.
    pub from_us: i64,
    /// Its end; without it, that of the recording.
    pub to_us: Option<i64>,
    /// Longest side of a frame in cells; pixels of larger sensors are added in squares.
    pub max_side: u32,
}

impl Default for PictureOptions {
    fn default() -> Self {
        Self { frames: 8, window_us: None, from_us: 0, to_us: None, max_side: 320 }
    }
}

impl PictureOptions {
    /// Sets [`PictureOptions::frames`].
    #[must_use]
    pub fn with_frames(mut self, frames: usize) -> Self {
        self.frames = frames;
        self
    }

    /// Sets [`PictureOptions::window_us`].
    #[must_use]
    pub fn with_window_us(mut self, us: i64) -> Self {
        self.window_us = Some(us);
        self
    }

    /// Sets [`PictureOptions::from_us`] and [`PictureOptions::to_us`].
    #[must_use]
    pub fn with_part_us(mut self, from: i64, to: Option<i64>) -> Self {
        (self.from_us, self.to_us) = (from, to);
        self
    }

    /// Sets [`PictureOptions::max_side`].
    #[must_use]
    pub fn with_max_side(mut self, cells: u32) -> Self {
        self.max_side = cells;
        self
    }
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureFrame {
    /// Begin, in microseconds of the file.
    pub start_us: i64,
    /// End, which does not belong to it; at most the largest 64-bit number.
    pub end_us: i64,
    /// Events in it.
    pub events: u64,
}

/// Counts of events in frames, ready to be drawn.
///
/// ```
/// use bitspike_events::{Event, EventReader, Format, Picture, PictureOptions, ReadOptions};
/// let csv = b"t_us,x,y,p\n0,0,0,1\n10,1,0,0\n19,1,1,1\n".to_vec();
/// let open = || EventReader::from_bytes("tiny.csv".as_ref(), csv.clone(), &ReadOptions::default());
/// let summary = open()?.summarise()?;
/// let picture = Picture::new(&mut open()?, &summary, &PictureOptions::default().with_frames(2))?;
/// let events: Vec<u64> = picture.frames().iter().map(|f| f.events).collect();
/// assert_eq!(events, [1, 2]);
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Picture {
    frames: Vec<PictureFrame>,
    /// Microseconds of a frame.
    window: u64,
    /// Time of the first event.
    origin: i64,
    /// Width and height of a frame in cells, and pixels along the side of a cell.
    size: (usize, usize),
    cell: u32,
    /// Counts as `[frame, row, column, (OFF, ON)]`, at most 65535.
    counts: Vec<u16>,
    clip: u16,
}

impl Picture {
    /// Counts the events of `reader`, which stands at its start; `summary` is that of the same recording.
    ///
    /// # Errors
    /// `Option` for numbers out of range and a recording without events; those of [`EventReader::read`].
    pub fn new(reader: &mut EventReader, summary: &Summary, options: &PictureOptions) -> Result<Self, EventError> {
        let mut picture = Self::empty(reader.geometry(), summary, options)?;
        let mut batch = vec![Event::default(); 1 << 14];
        loop {
            match reader.read(&mut batch)? {
                0 => break,
                n => batch[..n].iter().for_each(|e| picture.count(e)),
            }
        }
        picture.clip = percentile(&picture.counts);
        Ok(picture)
    }

    fn empty(geometry: Option<(u32, u32)>, s: &Summary, o: &PictureOptions) -> Result<Self, EventError> {
        let wrong = |key, expected: String, found: String| Err(EventError::Option { key, expected, found });
        let (Some((first, last)), Some(x), Some(y)) = (s.t, s.x, s.y) else {
            return wrong("picture", "a recording with events".into(), "none".into());
        };
        // The sensor, or what the events need if they lie beyond it.
        let (w, h) = geometry.unwrap_or((1, 1));
        let (w, h) = (w.max(u32::from(x.1) + 1), h.max(u32::from(y.1) + 1));
        let cell = w.max(h).div_ceil(o.max_side.max(1));
        let size = (w.div_ceil(cell) as usize, h.div_ceil(cell) as usize);
        let most = MAX_CELLS / (size.0 * size.1).max(1);
        if !(1..=most).contains(&o.frames) {
            let expected = format!("1 to {most} frames of {} x {} cells", size.0, size.1);
            return wrong("frames", expected, o.frames.to_string());
        }
        // In 128 bits: times of a file may span all 64.
        let (origin, end) = (i128::from(first), i128::from(last) - i128::from(first) + 1);
        let (from, to) = (i128::from(o.from_us), o.to_us.map_or(end, |t| i128::from(t).min(end)));
        if from < 0 || from >= to {
            let expected = format!("a begin of the part from 0 and before its end, {} ms", to as f64 / 1e3);
            return wrong("from-ms", expected, format!("{} ms", from as f64 / 1e3));
        }
        let (span, n) = (to - from, o.frames as i128);
        let window = match o.window_us {
            Some(us) if us < 1 => return wrong("window-ms", "at least 0.001".into(), (us as f64 / 1e3).to_string()),
            Some(us) => i128::from(us).min(span),
            // Rounded up, so that no event falls between two frames.
            None => ((span + n - 1) / n).min(WINDOW_US.into()),
        };
        let frame = |i: i128| {
            let start = if n == 1 { (span - window) / 2 } else { i * (span - window) / (n - 1) };
            // Within the times of the file, so they fit; the end may be one beyond the last.
            let fit = |t: i128| t.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            let start = origin + from + start;
            PictureFrame { start_us: fit(start), end_us: fit(start + window), events: 0 }
        };
        let frames: Vec<_> = (0..n).map(frame).collect();
        let counts = vec![0; frames.len() * size.0 * size.1 * 2];
        // Given in 63 bits, or short.
        let window = window as u64;
        Ok(Self { frames, window, origin: first, size, cell, counts, clip: 1 })
    }

    fn count(&mut self, e: &Event) {
        let after = self.frames.partition_point(|f| f.start_us <= e.t);
        let (x, y) = ((u32::from(e.x) / self.cell) as usize, (u32::from(e.y) / self.cell) as usize);
        let (w, h) = self.size;
        // All are as long, so the frames with this event are the last ones before it.
        for i in (0..after).rev() {
            let frame = &mut self.frames[i];
            // Not by the end, which may be beyond 64 bits.
            if e.t.abs_diff(frame.start_us) >= self.window {
                break;
            }
            frame.events += 1;
            if let Some(c) = self.counts.get_mut(((i * h + y) * w + x) * 2 + usize::from(e.p)) {
                *c = c.saturating_add(1);
            }
        }
    }

    /// The frames, in order of time.
    pub fn frames(&self) -> &[PictureFrame] {
        &self.frames
    }

    /// Pixels of the sensor along the side of a cell.
    pub fn pixels_per_cell(&self) -> u32 {
        self.cell
    }

    /// The count from which a colour does not get stronger.
    pub fn clip(&self) -> u16 {
        self.clip
    }
}

/// The smallest count that is not below 95 % of those that are not 0; 1 if all are 0.
fn percentile(counts: &[u16]) -> u16 {
    let mut histogram = vec![0u64; 1 << 16];
    counts.iter().filter(|c| **c > 0).for_each(|c| histogram[usize::from(*c)] += 1);
    let total: u64 = histogram.iter().sum();
    let mut below = 0;
    for (count, n) in histogram.iter().enumerate() {
        below += n;
        if below > 0 && below as f64 >= PERCENTILE * total as f64 {
            return count as u16;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadOptions;
    use proptest::prelude::*;

    fn picture(events: &[Event], o: &PictureOptions) -> Result<Picture, EventError> {
        let mut text = "t_us,x,y,p\n".to_string();
        events.iter().for_each(|e| text += &format!("{},{},{},{}\n", e.t, e.x, e.y, u8::from(e.p)));
        let mut s = Summary::new();
        s.add(events);
        let mut reader = EventReader::from_bytes("a.csv".as_ref(), text.into_bytes(), &ReadOptions::default()).unwrap();
        Picture::new(&mut reader, &s, o)
    }

    fn event() -> impl Strategy<Value = Event> {
        (-500i64..500, 0u16..9, 0u16..7, any::<bool>()).prop_map(|(t, x, y, p)| Event { t, x, y, p })
    }

    proptest! {
        #[test]
        fn counts_are_those_of_every_event_looked_at_for_every_frame(
            events in prop::collection::vec(event(), 1..200), frames in 1usize..9, window in prop::option::of(1i64..1200),
            from in 0i64..3, max_side in 1u32..10,
        ) {
            let o = PictureOptions { frames, window_us: window, from_us: from, to_us: None, max_side };
            let Ok(got) = picture(&events, &o) else { return Ok(()) };
            let (w, h) = got.size;
            prop_assert!(w.max(h) <= max_side as usize);
            for (i, f) in got.frames.iter().enumerate() {
                let inside: Vec<_> = events.iter().filter(|e| (f.start_us..f.end_us).contains(&e.t)).collect();
                prop_assert_eq!(f.events, inside.len() as u64);
                for (at, c) in got.counts[i * w * h * 2..][..w * h * 2].iter().enumerate() {
                    let n = inside.iter().filter(|e| {
                        let (x, y) = (usize::from(e.x) / got.cell as usize, usize::from(e.y) / got.cell as usize);
                        (y * w + x) * 2 + usize::from(e.p) == at
                    });
                    prop_assert_eq!(usize::from(*c), n.count());
                }
            }
        }

        #[test]
        fn frames_without_a_window_leave_no_event_out(
            events in prop::collection::vec(event(), 1..200), frames in 1usize..40,
        ) {
            let got = picture(&events, &PictureOptions::default().with_frames(frames)).unwrap();
            let at = |t: i64| got.frames.iter().any(|f| (f.start_us..f.end_us).contains(&t));
            prop_assert!(events.iter().all(|e| at(e.t)), "{:?}", got.frames);
        }
    }

    #[test]
    fn a_hot_pixel_does_not_set_the_clip() {
        let mut events: Vec<Event> = (0..100).map(|i| Event::new(i, i as u16, 0, true)).collect();
        events.extend((0..1000).map(|i| Event::new(100 + i, 7, 3, false)));
        let got = picture(&events, &PictureOptions::default().with_frames(1)).unwrap();
        assert_eq!((got.clip, *got.counts.iter().max().unwrap()), (1, 1000));
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let one = [Event::new(i64::MIN, 65535, 65535, true), Event::new(i64::MAX, 0, 0, true)];
        assert_eq!(picture(&one, &PictureOptions::default()).unwrap().frames[7].events, 1);
        let key = |events: &[Event], o: PictureOptions| match picture(events, &o) {
            Err(EventError::Option { key, .. }) => key,
            other => panic!("{other:?}"),
        };
        let o = PictureOptions::default();
        assert_eq!(key(&[], o), "picture");
        assert_eq!(key(&one, o.with_frames(0)), "frames");
        assert_eq!(key(&one, o.with_frames(1 << 20)), "frames");
        assert_eq!(key(&one, o.with_window_us(0)), "window-ms");
        assert_eq!(key(&one, o.with_part_us(-1, None)), "from-ms");
        assert_eq!(key(&one, o.with_part_us(5, Some(5))), "from-ms");
        assert_eq!(key(&one[..1], o.with_part_us(1, None)), "from-ms");
    }
}
