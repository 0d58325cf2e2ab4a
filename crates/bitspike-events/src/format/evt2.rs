//! EVT 2.0, 32-bit little-endian words after text lines that start with `% `; and EVT 2.1, 64-bit words.
//!
//! ```text
//! EVT 2.0: type 31-28                            EVT 2.1: type 63-60
//!  0 OFF   time low 27-22, x 21-11, y 10-0        0 OFF   time low 59-54, x 53-43, y 42-32, mask 31-0
//!  1 ON    the same                               1 ON    the same; bit i of the mask is an event at x + i
//!  8       time high 27-0                         8       time high 59-32
//!  A E F   trigger, other, continued: left out    the same
//! ```
//!
//! Time in µs is `high << 6 | low`. Its 34 bits overflow after 4.8 hours and are unrolled. Events before the first
//! time high have an unknown time and are left out. A word of another type is an error. EVT 2.1 comes in two orders: little-endian
//! words, or (`endianness=legacy`) the two halves of a word exchanged, each little-endian; files that do not say which
//! are recognised by the types of their first words. Source: Prophesee's description of the formats.

use super::{Decode, prophesee_header};
use crate::input::{Input, Unroll, u32_le, u64_le};
use crate::{Columns, Event, EventError};

/// What a time high carries, with its own overflow.
#[derive(Clone, Copy, Default)]
struct High {
    unroll: Unroll,
    base: i64,
    known: bool,
}

impl High {
    #[inline]
    fn set(&mut self, value: u32) {
        self.base = self.unroll.time(u64::from(value & 0x0fff_ffff) << 6, 34);
        self.known = true;
    }
}

pub(crate) struct Evt2 {
    high: High,
    geometry: Option<(u32, u32)>,
}

impl Evt2 {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        let geometry = prophesee_header(input)?.geometry;
        Ok(Self { high: High::default(), geometry })
    }
}

/// Words looked at together.
const BLOCK: usize = 16;

/// An event of EVT 2.0.
#[inline]
fn event(base: i64, w: u32) -> Event {
    // Both places from one word, side by side as they are stored: one store instead of two.
    let place = w >> 11 & 0x7ff | w << 16 & 0x07ff_0000;
    Event { t: base | i64::from(w >> 22 & 0x3f), x: place as u16, y: (place >> 16) as u16, p: w >> 28 != 0 }
}

impl Decode for Evt2 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            let have = input.records(4, "EVT2 word")?;
            if have == 0 {
                return Ok(0);
            }
            let mut high = self.high;
            // At most one event a word, so this many words fit.
            let words = (have / 4).min(out.len());
            let mut bad = None;
            // As arrays, because a word put together from bytes of a slice is loaded byte by byte.
            let data = &input.data().as_chunks::<4>().0[..words];
            let mut done = 0;
            while done < words {
                // Nearly all words are events. A block of nothing else is found by its top bits and done without
                // looking at each.
                if high.known
                    && let Some(block) = data.get(done..done + BLOCK)
                    && block.iter().fold(0, |all, r| all | u32::from_le_bytes(*r)) >> 29 == 0
                {
                    for (e, r) in out[n..n + BLOCK].iter_mut().zip(block) {
                        *e = event(high.base, u32::from_le_bytes(*r));
                    }
                    (n, done) = (n + BLOCK, done + BLOCK);
                    continue;
                }
                let end = (done + BLOCK).min(words);
                for r in &data[done..end] {
                    let w = u32::from_le_bytes(*r);
                    match w >> 28 {
                        0 | 1 if high.known => {
                            out[n] = event(high.base, w);
                            n += 1;
                        }
                        8 => high.set(w),
                        0 | 1 | 0xa | 0xe | 0xf => {}
                        kind => {
                            bad = Some((done, kind));
                            break;
                        }
                    }
                    done += 1;
                }
                if bad.is_some() {
                    break;
                }
            }
            self.high = high;
            match bad {
                // Events before the wrong word are delivered first; it is met again by the next call.
                Some((i, _)) if i > 0 => input.consume(4 * i),
                Some((_, kind)) => return Err(input.wrong(3, "EVT2 word type", "0, 1, 8, 10, 14 or 15", kind)),
                None => input.consume(4 * words),
            }
        }
        Ok(n)
    }

    fn decode_columns(&mut self, input: &mut Input, out: &mut Columns) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            let have = input.records(4, "EVT2 word")?;
            if have == 0 {
                return Ok(0);
            }
            let mut high = self.high;
            let words = (have / 4).min(out.capacity());
            let data = &input.data().as_chunks::<4>().0[..words];
            let (mut done, mut bad) = (0, None);
            while done < words && bad.is_none() {
                if high.known
                    && let Some(block) = data.get(done..).and_then(|d| d.first_chunk::<BLOCK>())
                    && let Some(t) = out.t[n..].first_chunk_mut::<BLOCK>()
                    && let Some(x) = out.x[n..].first_chunk_mut::<BLOCK>()
                    && let Some(y) = out.y[n..].first_chunk_mut::<BLOCK>()
                    && let Some(p) = out.p[n..].first_chunk_mut::<BLOCK>()
                {
                    // Arrays of known size and one column at a time become vector instructions.
                    let w = block.map(u32::from_le_bytes);
                    if w.iter().fold(0, |all, w| all | w) >> 29 == 0 {
                        *t = w.map(|w| high.base | i64::from(w >> 22 & 0x3f));
                        *x = w.map(|w| (w >> 11 & 0x7ff) as u16);
                        *y = w.map(|w| (w & 0x7ff) as u16);
                        *p = w.map(|w| w >> 28 != 0);
                        (n, done) = (n + BLOCK, done + BLOCK);
                        continue;
                    }
                }
                for r in &data[done..(done + BLOCK).min(words)] {
                    let w = u32::from_le_bytes(*r);
                    match w >> 28 {
                        0 | 1 if high.known => {
                            out.set(n, event(high.base, w));
                            n += 1;
                        }
                        8 => high.set(w),
                        0 | 1 | 0xa | 0xe | 0xf => {}
                        kind => {
                            bad = Some((done, kind));
                            break;
                        }
                    }
                    done += 1;
                }
            }
            self.high = high;
            match bad {
                // Events before the wrong word are delivered first; it is met again by the next call.
                Some((i, _)) if i > 0 => input.consume(4 * i),
                Some((_, kind)) => return Err(input.wrong(3, "EVT2 word type", "0, 1, 8, 10, 14 or 15", kind)),
                None => input.consume(4 * words),
            }
        }
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}

pub(crate) struct Evt21 {
    high: High,
    /// The halves of a word are exchanged.
    legacy: bool,
    /// Mask bits of the word at the front that did not fit into the caller's batch.
    left: Option<u32>,
    geometry: Option<(u32, u32)>,
}

/// How many of the first words have a known type, read in one of the two orders.
fn plausible(data: &[u8], legacy: bool) -> usize {
    let top = if legacy { 3 } else { 7 };
    data.chunks_exact(8).take(512).filter(|w| matches!(w[top] >> 4, 0 | 1 | 8 | 0xa | 0xe | 0xf)).count()
}

impl Evt21 {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        let header = prophesee_header(input)?;
        let legacy = match header.option("endianness") {
            Some(e) => e == "legacy",
            None => {
                input.fill(512 * 8)?;
                // In a file that begins with a time high, as cameras write it, the order is certain.
                let first = |at: usize| input.data().get(at).is_some_and(|b| b >> 4 == 8);
                let (le, old) = (plausible(input.data(), false), plausible(input.data(), true));
                old > le || (old == le && first(3) && !first(7))
            }
        };
        Ok(Self { high: High::default(), legacy, left: None, geometry: header.geometry })
    }
}

impl Decode for Evt21 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            let have = input.records(8, "EVT2.1 word")?;
            if have == 0 {
                return Ok(0);
            }
            let (mut used, mut bad) = (0, None);
            for r in input.data()[..have].chunks_exact(8) {
                if n == out.len() {
                    break;
                }
                let w = if self.legacy { u64_le(r).rotate_left(32) } else { u64_le(r) };
                let kind = (w >> 60) as u32;
                if kind < 2 && self.high.known {
                    let mut mask = self.left.take().unwrap_or(w as u32);
                    let (x, y) = ((w >> 43 & 0x7ff) as u16, (w >> 32 & 0x7ff) as u16);
                    let t = self.high.base | (w >> 54 & 0x3f) as i64;
                    while mask != 0 && n < out.len() {
                        // x < 2^11 and 31 more: no overflow.
                        out[n] = Event { t, x: x + mask.trailing_zeros() as u16, y, p: kind != 0 };
                        mask &= mask - 1;
                        n += 1;
                    }
                    if mask != 0 {
                        self.left = Some(mask);
                        break;
                    }
                } else if kind == 8 {
                    self.high.set((w >> 32) as u32);
                } else if kind > 1 && !matches!(kind, 0xa | 0xe | 0xf) {
                    bad = Some(kind);
                    break;
                }
                used += 8;
            }
            if let (Some(kind), true) = (bad, used == 0 && n == 0) {
                let at = if self.legacy { 3 } else { 7 };
                return Err(input.wrong(at, "EVT2.1 word type", "0, 1, 8, 10, 14 or 15", kind));
            }
            input.consume(used);
        }
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}

/// Whether bytes without a header look like EVT 2.0: known types only, time highs that never fall.
pub(crate) fn headerless(data: &[u8]) -> bool {
    let (mut last, mut highs, mut events) = (0, 0, 0);
    for w in data.chunks_exact(4).take(8192).map(u32_le) {
        match w >> 28 {
            0 | 1 => events += 1,
            8 if w & 0x0fff_ffff >= last => (last, highs) = (w & 0x0fff_ffff, highs + 1),
            0xa | 0xe | 0xf => {}
            _ => return false,
        }
    }
    highs >= 2 && events > 0 && last > 0
}
