//! The 40-bit records of N-MNIST and N-Caltech101, also `.bs2` of SLAYER. No header.
//!
//! ```text
//! byte 0   x
//! byte 1   y; 240 marks a time overflow, which adds 2^13 µs to all that follows and is no event
//! byte 2-4 p bit 23, time in µs bits 22-0, big-endian
//! ```
//!
//! A step of time back by more than half of the 23 bits is an overflow of those. Source: Orchard et al. 2015 and the
//! MATLAB reader published with the data.

use super::Decode;
use crate::input::{Input, Unroll};
use crate::{Event, EventError};

/// The row that marks an overflow.
pub(crate) const OVERFLOW_ROW: u8 = 240;
const OVERFLOW_US: i64 = 1 << 13;

#[derive(Default)]
pub(crate) struct Bin40 {
    time: Unroll,
    added: i64,
}

/// Whether the bytes look like these records: times that do not fall, over as many records as are there.
pub(crate) fn plausible(data: &[u8]) -> bool {
    let (mut time, mut added, mut last, mut records, mut on) = (Unroll::default(), 0, 0, 0, 0);
    for r in data.chunks_exact(5).take(4096) {
        if r[1] == OVERFLOW_ROW {
            added += OVERFLOW_US;
            continue;
        }
        let t = added + time.time(u64::from(u32::from_be_bytes([0, r[2] & 0x7f, r[3], r[4]])), 23);
        if t < last || t - last > 1 << 21 {
            return false;
        }
        last = t;
        records += 1;
        on += usize::from(r[2] >> 7);
    }
    // A few records can rise by chance, and a file of equal bytes always does.
    records >= 16 && on > 0 && on < records && last > 0
}

impl Decode for Bin40 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            let have = input.records(5, "40-bit event")?;
            let records = (have / 5).min(out.len());
            if records == 0 {
                return Ok(0);
            }
            for r in input.data()[..5 * records].chunks_exact(5) {
                if r[1] == OVERFLOW_ROW {
                    self.added = self.added.saturating_add(OVERFLOW_US);
                    continue;
                }
                let now = u32::from_be_bytes([0, r[2] & 0x7f, r[3], r[4]]);
                let t = self.time.time(now.into(), 23).saturating_add(self.added);
                out[n] = Event { t, x: r[0].into(), y: r[1].into(), p: r[2] >> 7 != 0 };
                n += 1;
            }
            input.consume(5 * records);
        }
        Ok(n)
    }
}
