//! AEDAT 3.1, polarity events.
//!
//! Text lines that start with `#`, the last one `#!END-HEADER`, then packets, little-endian. The header of a packet:
//!
//! ```text
//! 0   type (1 is polarity; others are left out)   12  time overflows (each 2^31 µs)
//! 2   source                                      16  capacity
//! 4   size of an event (8)                        20  number of events
//! 8   offset of the time in an event (4)          24  number of valid ones
//! ```
//!
//! An event is valid bit 0, p bit 1, y bits 2-16, x bits 17-31, then the time, 31 bits. Events whose valid bit is 0 are
//! left out, unless the packet's header says that all are valid: some writers never set the bit. A cut between two
//! packets cannot be seen. Source: iniVation's description of AEDAT 3.

use super::Decode;
use crate::input::{Input, u16_le, u32_le};
use crate::{Event, EventError};

pub(crate) const MAGIC: &[u8] = b"#!AER-DAT3.";
const MAX_LINE: usize = 1 << 16;
const PACKET: usize = 28;

pub(crate) struct Aedat3 {
    /// Events left in the packet.
    left: u64,
    /// Time that the packet's overflows add.
    base: i64,
    all_valid: bool,
}

impl Aedat3 {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        loop {
            match input.header_line(b"#", MAX_LINE)? {
                Some(line) if line.starts_with("#!END-HEADER") => break,
                Some(line) if line.starts_with("#Format:") && !line.contains("RAW") => {
                    return Err(input.unsupported(
                        format!("AEDAT 3.1 with {line} is not read"),
                        "record or convert with Format: RAW",
                    ));
                }
                Some(_) => {}
                None => {
                    input.need(1, "AEDAT 3.1 header")?;
                    return Err(input.wrong(0, "AEDAT 3.1 header", "a line that ends it, #!END-HEADER", "data"));
                }
            }
        }
        Ok(Self { left: 0, base: 0, all_valid: false })
    }

    /// Reads packet headers up to one of events; false at the end of the input.
    fn packet(&mut self, input: &mut Input) -> Result<bool, EventError> {
        loop {
            if input.fill(PACKET)? == 0 {
                return Ok(false);
            }
            input.need(PACKET, "AEDAT 3.1 packet header")?;
            let field = |at| u32_le(&input.data()[at..]);
            let (kind, size, time, overflow, number, valid) =
                (u16_le(input.data()), field(4), field(8), field(12), field(20), field(24));
            for (at, what, v) in [(4, "size of an event", size), (20, "number of events", number)] {
                if v > i32::MAX as u32 {
                    return Err(input.wrong(at, what, "0 to 2147483647", v));
                }
            }
            if kind != 1 {
                input.skip(PACKET as u64 + u64::from(size) * u64::from(number), "AEDAT 3.1 packet")?;
                continue;
            }
            if size != 8 || time != 4 {
                return Err(input.wrong(
                    4,
                    "size of a polarity event and offset of its time",
                    "8, 4",
                    format!("{size}, {time}"),
                ));
            }
            if valid > number {
                return Err(input.wrong(24, "number of valid events", format!("0 to {number}"), valid));
            }
            input.consume(PACKET);
            (self.left, self.base, self.all_valid) = (number.into(), i64::from(overflow) << 31, valid == number);
            if number > 0 {
                return Ok(true);
            }
        }
    }
}

impl Decode for Aedat3 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            if self.left == 0 && !self.packet(input)? {
                return Ok(0);
            }
            input.need(8, "AEDAT 3.1 event")?;
            let records = (input.data().len() / 8).min(out.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (mut used, mut bad) = (0, false);
            for r in input.data()[..8 * records].chunks_exact(8) {
                let (d, t) = (u32_le(r), u32_le(&r[4..]));
                if t > i32::MAX as u32 {
                    bad = true;
                    break;
                }
                out[n] = Event {
                    t: self.base | i64::from(t),
                    x: (d >> 17) as u16,
                    y: (d >> 2 & 0x7fff) as u16,
                    p: d & 2 != 0,
                };
                n += usize::from(self.all_valid || d & 1 != 0);
                used += 8;
            }
            if bad && used == 0 {
                let t = u32_le(&input.data()[4..]);
                return Err(input.wrong(4, "time of an event", "0 to 2147483647", t));
            }
            input.consume(used);
            self.left -= used as u64 / 8;
        }
        Ok(n)
    }
}
