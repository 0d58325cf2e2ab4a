//! One event, and what is counted over many.

use sha2::{Digest, Sha256};

/// A change of brightness at one pixel.
///
/// Every reader delivers the same convention: `t` in microseconds as the file counts them, unrolled where the format's
/// counter overflows; `x` to the right and `y` downwards from the top left pixel; `p` true for ON (brighter).
///
/// ```
/// use bitspike_events::Event;
/// let e = Event { t: 654, x: 7, y: 15, p: true };
/// assert_eq!(size_of_val(&e), 16);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// Microseconds.
    pub t: i64,
    /// Column, from the left.
    pub x: u16,
    /// Row, from the top.
    pub y: u16,
    /// ON (brighter) or OFF (darker).
    pub p: bool,
}

impl Event {
    /// An event from its four values.
    pub const fn new(t: i64, x: u16, y: u16, p: bool) -> Self {
        Self { t, x, y, p }
    }
}

/// A stretch of time without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// Its length in microseconds.
    pub us: i64,
    /// Time of the event before it.
    pub from: i64,
    /// Number, from 0, of the event after it, in file order.
    pub event: u64,
}

/// Gaps that are remembered.
const GAPS: usize = 5;

/// Figures about a stream of events, gathered batch by batch.
///
/// ```
/// use bitspike_events::{Event, Summary};
/// let mut s = Summary::new();
/// s.add(&[Event::new(5, 1, 2, true), Event::new(9, 3, 0, false)]);
/// assert_eq!((s.events, s.on, s.t_first, s.t_last), (2, 1, Some(5), Some(9)));
/// assert_eq!((s.x, s.y), (Some((1, 3)), Some((0, 2))));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Number of events.
    pub events: u64,
    /// Of these, ON.
    pub on: u64,
    /// Time of the first event in file order.
    pub t_first: Option<i64>,
    /// Time of the last event in file order.
    pub t_last: Option<i64>,
    /// Smallest and largest time.
    pub t: Option<(i64, i64)>,
    /// Smallest and largest column.
    pub x: Option<(u16, u16)>,
    /// Smallest and largest row.
    pub y: Option<(u16, u16)>,
    /// Events earlier than the one before them.
    pub backward: u64,
    /// Largest step of time from one event to the next, in microseconds.
    pub longest_gap: i64,
    /// The longest such steps, up to five, the longest first and of equal ones the first in the file.
    pub gaps: Vec<Gap>,
    /// Sum of all times, wrapping as two's complement.
    pub sum_t: i64,
    /// Sum of all columns.
    pub sum_x: u64,
    /// Sum of all rows.
    pub sum_y: u64,
    hash: Sha256,
}

impl Default for Summary {
    fn default() -> Self {
        Self::new()
    }
}

impl Summary {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self {
            events: 0,
            on: 0,
            t_first: None,
            t_last: None,
            t: None,
            x: None,
            y: None,
            backward: 0,
            longest_gap: 0,
            gaps: Vec::with_capacity(GAPS + 1),
            sum_t: 0,
            sum_x: 0,
            sum_y: 0,
            hash: Sha256::new(),
        }
    }

    /// Counts a batch.
    pub fn add(&mut self, batch: &[Event]) {
        // The hash is fed in blocks: one call per number costs more than the hash itself.
        let mut block = [0u8; 32 * 128];
        for part in batch.chunks(128) {
            for (e, row) in part.iter().zip(block.chunks_exact_mut(32)) {
                row[..8].copy_from_slice(&e.t.to_le_bytes());
                row[8..16].copy_from_slice(&i64::from(e.x).to_le_bytes());
                row[16..24].copy_from_slice(&i64::from(e.y).to_le_bytes());
                row[24..].copy_from_slice(&i64::from(e.p).to_le_bytes());
            }
            self.hash.update(&block[..32 * part.len()]);
            part.iter().for_each(|e| self.count(e));
        }
    }

    fn count(&mut self, e: &Event) {
        if let Some(last) = self.t_last {
            self.backward += u64::from(e.t < last);
            let us = e.t.saturating_sub(last);
            if us > 0 && (self.gaps.len() < GAPS || self.gaps.last().is_some_and(|g| us > g.us)) {
                let at = self.gaps.partition_point(|g| g.us >= us);
                self.gaps.insert(at, Gap { us, from: last, event: self.events });
                self.gaps.truncate(GAPS);
                self.longest_gap = self.gaps[0].us;
            }
        }
        self.events += 1;
        self.on += u64::from(e.p);
        self.t_first = self.t_first.or(Some(e.t));
        self.t_last = Some(e.t);
        widen(&mut self.t, e.t);
        widen(&mut self.x, e.x);
        widen(&mut self.y, e.y);
        self.sum_t = self.sum_t.wrapping_add(e.t);
        self.sum_x += u64::from(e.x);
        self.sum_y += u64::from(e.y);
    }

    /// SHA-256, in hexadecimal, of all events as rows of four little-endian 64-bit integers: t, x, y, p.
    pub fn sha256(&self) -> String {
        use std::fmt::Write as _;
        self.hash.clone().finalize().iter().fold(String::with_capacity(64), |mut s, b| {
            // Writing to a String cannot fail.
            let _ = write!(s, "{b:02x}");
            s
        })
    }

    /// Events per second of recorded time, when the times span more than a moment.
    pub fn rate(&self) -> Option<f64> {
        let (low, high) = self.t?;
        let span = high.checked_sub(low).filter(|s| *s > 0)?;
        Some(self.events as f64 * 1e6 / span as f64)
    }
}

fn widen<T: Copy + Ord>(range: &mut Option<(T, T)>, v: T) {
    *range = Some(match *range {
        Some((low, high)) => (low.min(v), high.max(v)),
        None => (v, v),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_of_rows_and_not_of_batches() {
        let events: Vec<Event> = (0..300).map(|i| Event::new(i * 7, i as u16, 300 - i as u16, i % 3 == 0)).collect();
        let (mut whole, mut parts) = (Summary::new(), Summary::new());
        whole.add(&events);
        events.chunks(7).for_each(|c| parts.add(c));
        assert_eq!(whole.sha256(), parts.sha256());
        let mut rows = Sha256::new();
        for e in &events {
            for v in [e.t, e.x.into(), e.y.into(), e.p.into()] {
                rows.update(v.to_le_bytes());
            }
        }
        let expected: String = rows.finalize().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(whole.sha256(), expected);
    }

    #[test]
    fn backward_steps_and_gaps_are_counted() {
        let mut s = Summary::new();
        s.add(&[Event::new(10, 0, 0, true), Event::new(4, 0, 0, true), Event::new(104, 0, 0, false)]);
        assert_eq!((s.backward, s.longest_gap, s.t, s.t_first), (1, 100, Some((4, 104)), Some(10)));
        assert_eq!(s.gaps, [Gap { us: 100, from: 4, event: 2 }]);
        assert_eq!(s.rate(), Some(3e6 / 100.0));
        assert_eq!(Summary::new().rate(), None);
    }

    #[test]
    fn the_longest_gaps_are_those_of_a_sorted_list() {
        let steps = [3, 0, 9, 1, 9, 4, -2, 8, 2, 7, 4];
        let mut t = 50;
        let events: Vec<Event> = std::iter::once(0)
            .chain(steps)
            .map(|d| {
                t += d;
                Event { t, ..Event::default() }
            })
            .collect();
        let mut all: Vec<Gap> = (1..events.len())
            .map(|i| Gap { us: events[i].t - events[i - 1].t, from: events[i - 1].t, event: i as u64 })
            .collect();
        all.sort_by_key(|g| -g.us);
        let mut s = Summary::new();
        events.chunks(3).for_each(|c| s.add(c));
        assert_eq!((&s.gaps[..], s.longest_gap), (&all[..5], 9));
    }
}
