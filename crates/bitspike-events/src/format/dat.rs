//! Prophesee DAT, change-detection events.
//!
//! Text lines that start with `% `, one byte of event type, one byte of event size, then records, little-endian:
//!
//! ```text
//! offset  Version 2 (type 0 or 12, size 8)         no version or Version 1 (type 0, size 8)
//! 0       time in µs, 32 bits                      the same
//! 4       x bits 0-13, y bits 14-27, p bits 28-31  x bits 0-8, y bits 9-16, p bit 17
//! ```
//!
//! The 32-bit time overflows after 71.6 minutes and is unrolled. Source: Prophesee's description of the format.

use super::{Decode, prophesee_header};
use crate::input::{Input, Unroll};
use crate::{Columns, Event, EventError};

pub(crate) struct Dat {
    time: Unroll,
    old: bool,
    geometry: Option<(u32, u32)>,
}

impl Dat {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        let header = prophesee_header(input)?;
        input.need(2, "DAT event type and size")?;
        let (kind, size) = (input.data()[0], input.data()[1]);
        if !matches!(kind, 0 | 12) {
            return Err(input.unsupported(
                format!("DAT events of type {kind} are not read"),
                "types 0 and 12, change-detection events, are read; export those",
            ));
        }
        if size != 8 {
            return Err(input.wrong(1, "DAT event size", "8", size));
        }
        input.consume(2);
        let old = header.value("version").is_none_or(|v| v.trim() == "1");
        let side = |key| header.value(key).and_then(|v| v.trim().parse().ok());
        let geometry = side("width").zip(side("height")).or(header.geometry);
        Ok(Self { time: Unroll::default(), old, geometry })
    }
}

/// Events looked at together; small enough to be still in the nearest cache when they are decoded.
const BLOCK: usize = 256;
/// The same, for columns.
const WIDE: usize = 16;

/// The two words of a record.
#[inline]
fn halves(record: &[u8; 8]) -> (u32, u32) {
    let both = u64::from_le_bytes(*record);
    (both as u32, (both >> 32) as u32)
}

/// An event of version 2.
#[inline]
fn event(t: i64, w: u32) -> Event {
    // Both places from one word, side by side as they are stored: one store instead of two.
    let place = w & 0x3fff | w << 2 & 0x3fff_0000;
    Event { t, x: place as u16, y: (place >> 16) as u16, p: w >> 28 != 0 }
}

/// An event of version 1.
#[inline]
fn old_event(t: i64, w: u32) -> Event {
    Event { t, x: (w & 0x1ff) as u16, y: (w >> 9 & 0xff) as u16, p: w >> 17 & 1 != 0 }
}

impl Decode for Dat {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let have = input.records(8, "DAT event")?;
        let n = (have / 8).min(out.len());
        let mut time = self.time;
        let records = &input.data().as_chunks::<8>().0[..n];
        if self.old {
            for (e, r) in out.iter_mut().zip(records) {
                let (now, w) = halves(r);
                let t = time.time(now.into(), 32);
                *e = old_event(t, w);
            }
        } else {
            for (events, part) in out[..n].chunks_mut(BLOCK).zip(records.chunks(BLOCK)) {
                // Almost every block has times that do not fall: then one base holds for all of it, and events do not
                // wait for each other. A block where one falls is done again with the overflows looked at.
                let (base, mut last, mut fell) = (time.base(), time.last(), false);
                for (e, r) in events.iter_mut().zip(part) {
                    let (now, w) = halves(r);
                    fell |= u64::from(now) < last;
                    last = now.into();
                    *e = event(base.wrapping_add(now.into()), w);
                }
                if !time.rose_to(last, fell) {
                    for (e, r) in events.iter_mut().zip(part) {
                        e.t = time.time(halves(r).0.into(), 32);
                    }
                }
            }
        }
        self.time = time;
        input.consume(8 * n);
        Ok(n)
    }

    fn decode_columns(&mut self, input: &mut Input, out: &mut Columns) -> Result<usize, EventError> {
        let have = input.records(8, "DAT event")?;
        let n = (have / 8).min(out.capacity());
        let mut time = self.time;
        let records = &input.data().as_chunks::<8>().0[..n];
        let mut i = 0;
        while i < n {
            if !self.old
                && let Some(block) = records[i..].first_chunk::<WIDE>()
                && let Some(t) = out.t[i..].first_chunk_mut::<WIDE>()
                && let Some(x) = out.x[i..].first_chunk_mut::<WIDE>()
                && let Some(y) = out.y[i..].first_chunk_mut::<WIDE>()
                && let Some(p) = out.p[i..].first_chunk_mut::<WIDE>()
            {
                // Arrays of known size and one column at a time become vector instructions.
                let now = block.map(|r| i64::from(halves(&r).0));
                let w = block.map(|r| halves(&r).1);
                // The sign of all steps together: negative if a time fell.
                let first = now[0].wrapping_sub(time.last() as i64);
                let steps = (1..WIDE).fold(first, |all, k| all | now[k].wrapping_sub(now[k - 1]));
                let base = time.base();
                if time.rose_to(now[WIDE - 1] as u64, steps < 0) {
                    *t = now.map(|now| base.wrapping_add(now));
                } else {
                    *t = now.map(|now| time.time(now as u64, 32));
                }
                *x = w.map(|w| (w & 0x3fff) as u16);
                *y = w.map(|w| (w >> 14 & 0x3fff) as u16);
                *p = w.map(|w| w >> 28 != 0);
                i += WIDE;
                continue;
            }
            let (now, w) = halves(&records[i]);
            let t = time.time(now.into(), 32);
            let e = if self.old { old_event(t, w) } else { event(t, w) };
            out.set(i, e);
            i += 1;
        }
        self.time = time;
        input.consume(8 * n);
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        self.geometry
    }
}
