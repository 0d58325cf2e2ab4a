//! AEDAT 2.0, cameras DVS128 and DAVIS.
//!
//! `#!AER-DAT2.0`, more lines that start with `#`, then 8 bytes per event, big-endian: address, time in µs. A line with
//! control bytes in it is data that happens to start with `#`.
//!
//! ```text
//! DVS128  bit 0 p (0 is ON), bits 1-7 column from the right, bits 8-14 row from the bottom; bit 15 special, left out
//! DAVIS   bit 31 image or motion sample, bit 10 external: left out; bit 11 p (1 is ON), bits 12-21 column from the
//!         right, bits 22-30 row from the bottom
//! ```
//!
//! The camera is the one named by the header's `AEChip` line; without that line DVS128, as in CIFAR10-DVS, and
//! an address beyond 16 bits is an error that asks for the camera. The 32-bit time overflows after 71.6 minutes and is
//! unrolled. Source: iniVation's description of AEDAT 2 and the address masks of jAER.

use super::{Camera, Decode};
use crate::input::{Input, Unroll, u32_be};
use crate::{Event, EventError};

pub(crate) const MAGIC: &[u8] = b"#!AER-DAT2.0";
/// A longer line is not one of a header.
const MAX_LINE: usize = 1 << 16;

pub(crate) struct Aedat2 {
    time: Unroll,
    camera: Camera,
    /// The camera was told by the header or the caller.
    told: bool,
}

impl Aedat2 {
    pub(crate) fn new(input: &mut Input, camera: Option<Camera>) -> Result<Self, EventError> {
        let mut told = camera;
        while let Some(line) = input.header_line(b"#", MAX_LINE)? {
            if camera.is_none()
                && let Some(chip) = line.split("AEChip:").nth(1)
            {
                told = Camera::of_chip(chip);
                if told.is_none() {
                    return Err(input.unsupported(
                        format!("AEDAT 2.0 of the chip {:?} is not read", chip.trim()),
                        "DVS128 and DAVIS are known; name the camera if it uses one of these address layouts",
                    ));
                }
            }
            if line.starts_with("#End Of ASCII Header") {
                break;
            }
        }
        Ok(Self { time: Unroll::default(), camera: told.unwrap_or(Camera::Dvs128), told: told.is_some() })
    }
}

impl Decode for Aedat2 {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        let (w, h) = self.camera.size();
        while n == 0 {
            let have = input.records(8, "AEDAT 2.0 event")?;
            let records = (have / 8).min(out.len());
            if records == 0 {
                return Ok(0);
            }
            let (mut used, mut bad) = (0, None);
            for r in input.data()[..8 * records].chunks_exact(8) {
                let a = u32_be(r);
                let (event, x, y, p) = match self.camera {
                    Camera::Dvs128 => (a & 0x8000 == 0, a >> 1 & 0x7f, a >> 8 & 0x7f, a & 1 == 0),
                    _ => (a & 0x8000_0400 == 0, a >> 12 & 0x3ff, a >> 22 & 0x1ff, a & 0x800 != 0),
                };
                let unknown = self.camera == Camera::Dvs128 && !self.told && a > 0xffff;
                if event && (x >= w || y >= h) || unknown {
                    bad = Some((unknown, a));
                    break;
                }
                // The counter also runs through what is left out.
                let t = self.time.time(u32_be(&r[4..]).into(), 32);
                // Both differences are below 1024: checked above.
                out[n] = Event { t, x: (w - 1 - x.min(w - 1)) as u16, y: (h - 1 - y.min(h - 1)) as u16, p };
                n += usize::from(event);
                used += 8;
            }
            match bad {
                Some((unknown, address)) if used == 0 => {
                    let expected = if unknown {
                        "16 bits (no AEChip line, so DVS128; name the camera if it is another)".into()
                    } else {
                        format!("a place within {w} x {h} of {:?}", self.camera)
                    };
                    return Err(input.wrong(0, "AEDAT 2.0 address", expected, format!("0x{address:08x}")));
                }
                _ => input.consume(used),
            }
        }
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        Some(self.camera.size())
    }
}
