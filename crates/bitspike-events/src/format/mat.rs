//! The MATLAB files of ASL-DVS: variables `ts`, `x`, `y`, `pol` of a DAVIS240C.
//!
//! MAT-file level 5: 128 bytes of text and version, then elements, in the byte order that the last two bytes say (`IM`
//! is little-endian):
//!
//! ```text
//! element   type u32, size u32, data, padded to 8 bytes; or, if the upper half of the type is not 0, size in that half
//!           and up to 4 bytes of data in the second word
//! type 15   compressed (zlib), holds one element; not padded
//! type 14   matrix: elements flags (class in the lowest byte), dimensions, name, real part
//! numbers   types 1-7, 9, 12, 13: i8 u8 i16 u16 i32 u32 f32, f64, i64 u64; any of them whatever the class
//! ```
//!
//! Times are microseconds. Rows count from the bottom of 180, as Tonic reads them, and are turned. The file is read
//! whole: samples are of 0.1 s. Source: MathWorks' description of MAT-files, level 5.

use super::Decode;
use crate::input::Input;
use crate::{Event, EventError};
use bitspike_files::Beyond;
use std::io::Read;

pub(crate) const MAGIC: &[u8] = b"MATLAB 5.0 MAT-file";
/// Most events; a sample of ASL-DVS has some 28,000. They bound the file, a variable, and with it what is unpacked.
const MAX_EVENTS: usize = 1 << 22;
const MAX_VARIABLE: usize = 8 * MAX_EVENTS + (1 << 10);
const MAX_FILE: usize = 4 * MAX_VARIABLE;
const REASON: &str = "a sample of ASL-DVS has a hundredth";
const REMEDY: &str = "save the events as npz";
const SIZE: (u16, u16) = (240, 180);

pub(crate) struct Mat {
    events: Vec<Event>,
    next: usize,
}

/// Type, data and offset of an element.
type Element<'a> = (u32, &'a [u8], usize);

/// Reads elements, of bytes that start at an offset of the file (of the packed part, inside one).
struct Elements<'a> {
    data: &'a [u8],
    at: usize,
    offset: usize,
    big: bool,
}

impl<'a> Elements<'a> {
    fn u32(&self, at: usize) -> Option<u32> {
        let b: [u8; 4] = self.data.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    /// The next element; `None` at the end.
    fn next(&mut self, input: &Input) -> Result<Option<Element<'a>>, EventError> {
        let (at, left) = (self.at, self.data.len() - self.at);
        if left == 0 {
            return Ok(None);
        }
        let cut = |needed: usize| EventError::Truncated {
            path: input.path().into(),
            what: "MAT element",
            offset: (self.offset + at) as u64,
            expected: needed as u64,
            found: left as u64,
        };
        let (Some(first), Some(second)) = (self.u32(at), self.u32(at + 4)) else { return Err(cut(8)) };
        let (kind, from, size, whole) = match first >> 16 {
            0 => (first, at + 8, second as usize, 8usize.saturating_add(second as usize)),
            n => (first & 0xffff, at + 4, (n as usize).min(4), 8),
        };
        let Some(data) = from.checked_add(size).and_then(|to| self.data.get(from..to)) else { return Err(cut(whole)) };
        let padded = if kind == 15 { whole } else { whole.next_multiple_of(8) };
        self.at = (at + padded).min(self.data.len());
        Ok(Some((kind, data, self.offset + at)))
    }
}

impl Mat {
    pub(crate) fn new(input: &mut Input) -> Result<Self, EventError> {
        input.need(128, "MAT header")?;
        if !input.data().starts_with(MAGIC) {
            let found = String::from_utf8_lossy(&input.data()[..19]).into_owned();
            return Err(input.wrong(0, "MAT header", String::from_utf8_lossy(MAGIC), found));
        }
        let big = match &input.data()[126..128] {
            b"IM" => false,
            b"MI" => true,
            other => return Err(input.wrong(126, "MAT byte order", "IM or MI", format!("{other:02x?}"))),
        };
        if input.fill(MAX_FILE + 1)? > MAX_FILE {
            return Err(input.beyond(0, Beyond::at("bytes of a MAT file", MAX_FILE as u64, REASON, REMEDY)));
        }
        let mut file = Elements { data: &input.data()[128..], at: 0, offset: 128, big };
        let mut columns: [Option<Vec<f64>>; 4] = [const { None }; 4];
        while let Some((kind, data, offset)) = file.next(input)? {
            let mut unpacked = Vec::new();
            let (kind, data, offset) = if kind == 15 {
                let packed = |reason: String| EventError::Compressed {
                    path: input.path().into(),
                    offset: offset as u64,
                    codec: "zlib",
                    reason,
                };
                let mut zlib = flate2::read::ZlibDecoder::new(data).take(MAX_VARIABLE as u64 + 1);
                if zlib.read_to_end(&mut unpacked).map_err(|e| packed(e.to_string()))? > MAX_VARIABLE {
                    let e = Beyond::at("bytes of a MAT variable", MAX_VARIABLE as u64, REASON, REMEDY);
                    return Err(input.beyond(offset, e));
                }
                let mut inner = Elements { data: &unpacked, at: 0, offset: 0, big };
                inner.next(input)?.ok_or_else(|| packed("nothing in it".into()))?
            } else {
                (kind, data, offset)
            };
            if kind == 14 {
                variable(input, &mut Elements { data, at: 0, offset, big }, &mut columns)?;
            }
        }
        let names = ["ts", "x", "y", "pol"];
        let Some(missing) = columns.iter().position(Option::is_none) else {
            let [t, x, y, p] = columns.map(Option::unwrap_or_default);
            return Self::events(input, [&t, &x, &y, &p]);
        };
        Err(input.unsupported(
            format!("MAT file without the variable {}", names[missing]),
            "the files of ASL-DVS have ts, x, y, pol; save others as npz",
        ))
    }

    fn events(input: &Input, columns: [&[f64]; 4]) -> Result<Self, EventError> {
        let n = columns.map(<[f64]>::len);
        if n.iter().any(|m| *m != n[0]) {
            return Err(input.wrong(0, "MAT variables ts, x, y, pol", "the same length", format!("{n:?}")));
        }
        let [t, x, y, p] = columns;
        let event = |i: usize| {
            let whole = |v: f64, below: f64| (v.fract() == 0.0 && v >= 0.0 && v < below).then_some(v);
            // 2^53: beyond it, f64 has no microseconds.
            Some(Event {
                t: whole(t[i], 9_007_199_254_740_992.0)? as i64,
                x: whole(x[i], SIZE.0.into())? as u16,
                y: SIZE.1 - 1 - whole(y[i], SIZE.1.into())? as u16,
                p: whole(p[i], 2.0)? == 1.0,
            })
        };
        let mut events = Vec::with_capacity(n[0]);
        for i in 0..n[0] {
            events.push(event(i).ok_or_else(|| {
                let found = format!("{}, {}, {}, {} in row {i}", t[i], x[i], y[i], p[i]);
                input.wrong(0, "MAT event", "whole numbers ts, x below 240, y below 180, pol 0 or 1", found)
            })?);
        }
        Ok(Self { events, next: 0 })
    }
}

/// Takes a matrix if it is one of the four.
fn variable(input: &Input, m: &mut Elements<'_>, columns: &mut [Option<Vec<f64>>; 4]) -> Result<(), EventError> {
    let mut parts = [(0, &m.data[..0], 0); 4];
    for part in &mut parts {
        let Some(found) = m.next(input)? else { return Ok(()) };
        *part = found;
    }
    let [_, _, (_, name, _), (kind, data, offset)] = parts;
    let place = match name {
        b"ts" => 0,
        b"x" => 1,
        b"y" => 2,
        b"pol" => 3,
        _ => return Ok(()),
    };
    let big = m.big;
    let size = match kind {
        1 | 2 => 1,
        3 | 4 => 2,
        5..=7 => 4,
        _ => 8,
    };
    Beyond::check("events", (data.len() / size) as u64, MAX_EVENTS as u64, REASON, REMEDY)
        .map_err(|e| input.beyond(offset, e))?;
    macro_rules! numbers {
        ($t:ty) => {
            data.as_chunks::<{ size_of::<$t>() }>()
                .0
                .iter()
                .map(|b| if big { <$t>::from_be_bytes(*b) } else { <$t>::from_le_bytes(*b) } as f64)
                .collect()
        };
    }
    columns[place] = Some(match kind {
        1 => numbers!(i8),
        2 => numbers!(u8),
        3 => numbers!(i16),
        4 => numbers!(u16),
        5 => numbers!(i32),
        6 => numbers!(u32),
        7 => numbers!(f32),
        9 => numbers!(f64),
        12 => numbers!(i64),
        13 => numbers!(u64),
        _ => {
            return Err(EventError::Value {
                path: input.path().into(),
                offset: offset as u64,
                what: "MAT type of numbers",
                expected: "1 to 7, 9, 12 or 13".into(),
                found: kind.to_string(),
            });
        }
    });
    Ok(())
}

impl Decode for Mat {
    fn decode(&mut self, _: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let left = &self.events[self.next..];
        let n = left.len().min(out.len());
        out[..n].copy_from_slice(&left[..n]);
        self.next += n;
        Ok(n)
    }

    fn geometry(&self) -> Option<(u32, u32)> {
        Some((SIZE.0.into(), SIZE.1.into()))
    }
}
