//! EVT 3.0: 16-bit little-endian words that change a state, after text lines that start with `% `.
//!
//! ```text
//! type 15-12   payload
//!  0  row      y 10-0
//!  2  event    p 11, x 10-0
//!  3  vector   p 11, x 10-0: base of the vectors that follow
//!  4  12 bits  bit i is an event at base + i; then base += 12
//!  5   8 bits  the same with 8
//!  6  time     low 11-0
//!  8  time     high 11-0
//!  7 A E F     continued, trigger, other: left out
//! ```
//!
//! Time in µs is `high << 12 | low`. Its 24 bits overflow every 16.8 s: a time high smaller than the one before by more
//! than half its range starts the next turn. A time high keeps the low part until the time low that follows it. A time
//! low may be smaller than the one before; [`Evt3Time`] has another reading of that.
//! Events before the first time high have an unknown time and are left out. A word of another type is an error.
//! Source: Prophesee's description of the format.

use super::{Decode, prophesee_header};
use crate::input::{Input, Unroll};
use crate::{Event, EventError};

/// What a time low smaller than the one before it means in EVT 3.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evt3Time {
    /// Nothing but that value: time is `high << 12 | low`, and may step back. As Prophesee's own decoder has it.
    #[default]
    AsWritten,
    /// Another 4096 µs have passed, besides what time highs say, which makes recordings longer than they were. As the
    /// Python package `expelliarmus` 1.1 has it; for comparison with its decodes.
    LowTurns,
}

#[derive(Clone, Copy, Default)]
struct State {
    high: Unroll,
    base: i64,
    known: bool,
    t: i64,
    /// The last time low, and what turns of it have added.
    low: u16,
    turned: i64,
    y: u16,
    /// Column and polarity bit of the next vector.
    x: u16,
    p: bool,
}

pub(crate) struct Evt3 {
    state: State,
    /// Bits of the vector word at the front that did not fit into the caller's batch.
    left: Option<u16>,
    time: Evt3Time,
    geometry: Option<(u32, u32)>,
}

impl Evt3 {
    pub(crate) fn new(input: &mut Input, time: Evt3Time) -> Result<Self, EventError> {
        let geometry = prophesee_header(input)?.geometry;
        Ok(Self { state: State::default(), left: None, time, geometry })
    }
}

impl State {
    /// A time high or low.
    fn time(&mut self, w: u16, rule: Evt3Time) {
        let v = w & 0xfff;
        if w >> 12 == 8 {
            self.base = self.high.time(u64::from(v) << 12, 24);
            self.known = true;
        } else {
            if rule == Evt3Time::LowTurns && v < self.low {
                // 2^12 per two words of a file: no overflow.
                self.turned += 1 << 12;
            }
            self.low = v;
        }
        self.t = self.base.saturating_add(self.turned + i64::from(self.low));
    }
}

/// Writes the events of a vector's bits to the front of `out`, which has room for all of them, and returns how many.
/// `first` is the event of bit 0.
#[inline]
fn vector(out: &mut [Event], first: Event, mut mask: u32) -> usize {
    let mut n = 0;
    for e in out {
        if mask == 0 {
            break;
        }
        *e = Event { x: first.x.wrapping_add(mask.trailing_zeros() as u16), ..first };
        mask &= mask - 1;
        n += 1;
    }
    n
}

impl Decode for Evt3 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            let have = input.records(2, "EVT3 word")?;
            if have == 0 {
                return Ok(0);
            }
            let mut s = self.state;
            let (mut used, mut bad) = (0, None);
            let words = input.data()[..have].as_chunks::<2>().0;
            // Rows and single events are six words of seven, in an order that no predictor can guess. Both are done
            // without a branch: every word of the two kinds writes an event, and only a single event moves on.
            if s.known && self.left.is_none() {
                // In variables of their own: as parts of a struct that is lent out they would live in memory.
                let (mut t, mut y, mut x, mut p) = (s.t, s.y, s.x, s.p);
                // A vector of 32 bits is written whole, so the fast way ends where 32 no longer fit.
                while n + 32 <= out.len() {
                    let Some(r) = words.get(used) else { break };
                    let w = u16::from_le_bytes(*r);
                    if w & 0xd000 == 0 {
                        let (single, v) = (w & 0x2000 != 0, w & 0x7ff);
                        y = if single { y } else { v };
                        out[n] = Event { t, x: v, y, p: w & 0x800 != 0 };
                        n += usize::from(single);
                        used += 1;
                        continue;
                    }
                    match w >> 12 {
                        3 => {
                            (x, p) = (w & 0x7ff, w & 0x800 != 0);
                            // Sensors write vectors of 32 bits, in words of 12, 12 and 8.
                            if let Some([a, b, c]) = words.get(used + 1..used + 4)
                                && let [a, b, c] = [a, b, c].map(|w| u16::from_le_bytes(*w))
                                && (a >> 12, b >> 12, c >> 12) == (4, 4, 5)
                            {
                                let mask = u32::from(a & 0xfff) | u32::from(b & 0xfff) << 12 | u32::from(c) << 24;
                                n += vector(&mut out[n..n + 32], Event { t, x, y, p }, mask);
                                x = x.wrapping_add(32);
                                used += 3;
                            }
                        }
                        4 => {
                            n += vector(&mut out[n..n + 32], Event { t, x, y, p }, (w & 0xfff).into());
                            x = x.wrapping_add(12);
                        }
                        5 => {
                            n += vector(&mut out[n..n + 32], Event { t, x, y, p }, (w & 0xff).into());
                            x = x.wrapping_add(8);
                        }
                        6 | 8 => {
                            s.time(w, self.time);
                            t = s.t;
                        }
                        7 | 0xa | 0xe | 0xf => {}
                        // The careful way below reports it.
                        _ => break,
                    }
                    used += 1;
                }
                (s.y, s.x, s.p) = (y, x, p);
            }
            for r in &words[used..] {
                if n == out.len() {
                    break;
                }
                let w = u16::from_le_bytes(*r);
                match w >> 12 {
                    2 => {
                        out[n] = Event { t: s.t, x: w & 0x7ff, y: s.y, p: w & 0x800 != 0 };
                        n += usize::from(s.known);
                    }
                    0 => s.y = w & 0x7ff,
                    4 | 5 => {
                        let (all, width) = if w >> 12 == 4 { (w & 0xfff, 12) } else { (w & 0xff, 8) };
                        let mut mask = if s.known { self.left.take().unwrap_or(all) } else { 0 };
                        while mask != 0 && n < out.len() {
                            let x = s.x.wrapping_add(mask.trailing_zeros() as u16);
                            out[n] = Event { t: s.t, x, y: s.y, p: s.p };
                            mask &= mask - 1;
                            n += 1;
                        }
                        if mask != 0 {
                            self.left = Some(mask);
                            break;
                        }
                        // Only a damaged file gets to 65536; it must not end in a panic.
                        s.x = s.x.wrapping_add(width);
                    }
                    3 => (s.x, s.p) = (w & 0x7ff, w & 0x800 != 0),
                    6 | 8 => s.time(w, self.time),
                    7 | 0xa | 0xe | 0xf => {}
                    kind => {
                        bad = Some(kind);
                        break;
                    }
                }
                used += 1;
            }
            self.state = s;
            if let (Some(kind), true) = (bad, used == 0 && n == 0) {
                return Err(input.wrong(1, "EVT3 word type", "0, 2 to 8, 10, 14 or 15", kind));
            }
            input.consume(2 * used);
        }
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}
