//! Event Stream version 2, DVS streams (`.es`).
//!
//! `Event Stream`, three bytes of version, one byte of type (1 for DVS), width and height in 16 bits little-endian;
//! then per event:
//!
//! ```text
//! byte 0    p bit 0, step of time in µs bits 7-1; 0xff adds 127 µs and is no event, 0xfe is padding
//! byte 1-2  x, little-endian
//! byte 3-4  y, little-endian, from the bottom
//! ```
//!
//! Time only grows, in 64 bits. Source: the format's specification in the repository `neuromorphicsystems/event_stream`.

use super::Decode;
use crate::input::{Input, u16_le};
use crate::{Event, EventError};

pub(crate) const MAGIC: &[u8] = b"Event Stream";
/// Bytes before the first event.
pub(crate) const HEADER: usize = 20;
/// Type byte of a DVS stream.
pub(crate) const DVS: u8 = 1;

pub(crate) struct Es {
    t: i64,
    width: u16,
    height: u16,
}

impl Es {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        input.need(16, "Event Stream header")?;
        if input.data()[12] != 2 {
            let version = input.data()[12];
            return Err(input.wrong(12, "Event Stream version", "2", version));
        }
        let kind = input.data()[15];
        if kind != DVS {
            let name = ["generic", "DVS", "ATIS", "asynchronous ATIS", "colour"].get(usize::from(kind));
            return match name {
                Some(name) => Err(input.unsupported(
                    format!("Event Stream of type {kind} ({name}) is not read"),
                    "type 1 (DVS) is read; export the change detections as DVS events",
                )),
                None => Err(input.wrong(15, "Event Stream type", "0 to 4", kind)),
            };
        }
        input.need(HEADER, "Event Stream header")?;
        let (width, height) = (u16_le(&input.data()[16..]), u16_le(&input.data()[18..]));
        input.consume(HEADER);
        Ok(Self { t: 0, width, height })
    }
}

impl Decode for Es {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n == 0 {
            if input.fill(5)? == 0 {
                return Ok(0);
            }
            let data = input.data();
            let (mut used, mut wrong) = (0, false);
            while n < out.len() && used < data.len() {
                match data[used] {
                    0xff => {
                        self.t = self.t.saturating_add(127);
                        used += 1;
                    }
                    0xfe => used += 1,
                    first => {
                        let Some(at) = data.get(used + 1..used + 5) else { break };
                        let (x, y) = (u16_le(at), u16_le(&at[2..]));
                        if x >= self.width || y >= self.height {
                            wrong = true;
                            break;
                        }
                        self.t = self.t.saturating_add(i64::from(first >> 1));
                        out[n] = Event { t: self.t, x, y: self.height - 1 - y, p: first & 1 != 0 };
                        n += 1;
                        used += 5;
                    }
                }
            }
            if used == 0 && wrong {
                let at = format!("({}, {})", u16_le(&data[1..]), u16_le(&data[3..]));
                return Err(input.wrong(
                    1,
                    "place of an event",
                    format!("below ({}, {})", self.width, self.height),
                    at,
                ));
            }
            if used == 0 && n == 0 {
                return Err(input.truncated("Event Stream event", 5));
            }
            input.consume(used);
        }
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        Some((self.width.into(), self.height.into()))
    }
}
