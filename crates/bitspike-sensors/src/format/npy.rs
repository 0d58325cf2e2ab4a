//! NumPy `.npy`: one array of numbers with one or two axes.
//!
//! ```text
//! 93 'NUMPY' | major, minor | header length: u16 (version 1) or u32 (2, 3), little-endian | header | numbers
//! header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 100), }
//! ```
//!
//! Read: integers of 1 to 8 bytes and floating-point numbers of 4 and 8, both byte orders, rows or columns first. The
//! file must end with the array. Source: NumPy's format specification, versions 1 to 3.

use super::{Decoded, Known, Place, fill::fill, stem};
use crate::{Axes, Missing, NpyFormat, Recording, SensorError};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What a header says.
#[derive(Debug, PartialEq)]
struct Head {
    kind: u8,
    size: usize,
    big: bool,
    fortran: bool,
    shape: Vec<usize>,
}

impl Head {
    /// Parses the dictionary; `Err` says what is not as expected.
    fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
        let after = |key: &str| {
            let rest = text.split_once(key)?.1.trim_start().strip_prefix(':')?;
            Some(rest.trim_start())
        };
        let descr = after("'descr'").and_then(|r| r.strip_prefix('\'')?.split_once('\''));
        let (descr, _) = descr.ok_or(("descr", "one type of number, as '<f4'"))?;
        let bytes = descr.as_bytes();
        let (order, kind, size) = match bytes {
            [order @ (b'<' | b'>' | b'|' | b'='), kind, size @ b'1'..=b'8'] => {
                (*order, *kind, usize::from(size - b'0'))
            }
            _ => return Err(("descr", "a type of number, as '<f4'")),
        };
        let fits = match kind {
            b'i' | b'u' => matches!(size, 1 | 2 | 4 | 8),
            b'f' => matches!(size, 4 | 8),
            _ => false,
        };
        if !fits {
            return Err(("descr", "i1 to i8, u1 to u8, f4 or f8"));
        }
        let fortran = match after("'fortran_order'") {
            Some(r) if r.starts_with("False") => false,
            Some(r) if r.starts_with("True") => true,
            _ => return Err(("fortran_order", "True or False")),
        };
        let shape = after("'shape'").and_then(|r| r.strip_prefix('(')?.split_once(')'));
        let (shape, _) = shape.ok_or(("shape", "a tuple"))?;
        let axes = shape.split(',').map(str::trim).filter(|a| !a.is_empty());
        let shape: Option<Vec<usize>> = axes.map(|a| a.parse().ok()).collect();
        let shape = shape.ok_or(("shape", "whole numbers"))?;
        Ok(Self { kind, size, big: order == b'>', fortran, shape })
    }

    /// A number of `self.size` bytes.
    fn number(&self, bytes: &[u8]) -> f64 {
        let mut w = [0u8; 8];
        match self.big {
            true => bytes.iter().rev().zip(&mut w).for_each(|(b, w)| *w = *b),
            false => bytes.iter().zip(&mut w).for_each(|(b, w)| *w = *b),
        }
        let raw = u64::from_le_bytes(w);
        match (self.kind, self.size) {
            (b'f', 4) => f64::from(f32::from_bits(raw as u32)),
            (b'f', _) => f64::from_bits(raw),
            // Shifted up and down to extend the sign.
            (b'i', size) => ((raw << (64 - 8 * size)) as i64 >> (64 - 8 * size)) as f64,
            _ => raw as f64,
        }
    }
}

pub(super) fn read(path: &Path, bytes: &[u8], format: NpyFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    let short = |what, offset: usize, expected: u64| SensorError::Truncated {
        path: path.into(),
        what,
        offset: offset as u64,
        expected,
        found: bytes.len().saturating_sub(offset) as u64,
    };
    let bad = |offset: usize, what, expected: &str, found: String| SensorError::Binary {
        path: path.into(),
        offset: offset as u64,
        what,
        expected: expected.into(),
        found,
    };
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(bad(0, "magic", "\\x93NUMPY", magic.escape_ascii().to_string()));
    }
    let &[major, _] = bytes.get(6..8).ok_or_else(|| short("magic and version", 0, 8))? else { unreachable!("2 bytes") };
    let (start, length) = match (major, bytes.get(8..10), bytes.get(8..12)) {
        (1, Some(&[a, b]), _) => (10, usize::from(u16::from_le_bytes([a, b]))),
        (2 | 3, _, Some(&[a, b, c, d])) => (12, u32::from_le_bytes([a, b, c, d]) as usize),
        (1, ..) => return Err(short("header length", 8, 2)),
        (2 | 3, ..) => return Err(short("header length", 8, 4)),
        _ => return Err(bad(6, "version", "1, 2 or 3", major.to_string())),
    };
    let header = bytes[start..].get(..length).ok_or_else(|| short("header", start, length as u64))?;
    let text =
        std::str::from_utf8(header).map_err(|e| bad(start + e.valid_up_to(), "header", "text", "other".into()))?;
    let head =
        Head::parse(text).map_err(|(what, expected)| bad(start, what, expected, format!("{:?}", text.trim_end())))?;
    let (c, n) = match (head.shape.as_slice(), format.axes) {
        ([n], _) => (1, *n),
        ([n, c], Axes::Lc) => (*c, *n),
        ([c, n], Axes::Cl) => (*c, *n),
        (shape, _) => {
            return Err(SensorError::Unsupported {
                path: path.into(),
                place: format!("byte {start}"),
                what: format!("an array with {} axes", shape.len()),
                instead: "save one array of one or two axes for each recording",
            });
        }
    };
    let data = start + length;
    let needed = c.checked_mul(n).and_then(|m| m.checked_mul(head.size));
    let needed = needed.ok_or_else(|| bad(start, "shape", "a size that fits", format!("{:?}", head.shape)))?;
    let found = bytes.len() - data;
    if found < needed {
        return Err(short("array", data, needed as u64));
    }
    if found > needed {
        return Err(bad(data + needed, "end", "the end of the file", format!("{} bytes more", found - needed)));
    }
    if needed == 0 {
        return Err(SensorError::Empty { place: path.display().to_string(), what: "no sample in it".into() });
    }
    super::check_channels(path, format!("byte {start}"), c)?;
    let channels: Vec<String> = (0..c).map(|i| format!("x{i}")).collect();
    // One axis, or channels first in memory: as [C, L] row-major and [L, C] column-major.
    let channels_first = c == 1 || (format.axes == Axes::Cl) != head.fortran;
    let mut values = Vec::with_capacity(c * n);
    for (ch, name) in channels.iter().enumerate() {
        for i in 0..n {
            let k = if channels_first { ch * n + i } else { i * c + ch };
            let at = data + k * head.size;
            let v = head.number(&bytes[at..at + head.size]);
            let v = if known.markers.number(v) { f64::NAN } else { v };
            if v.is_nan() && known.missing == Missing::Error {
                let channel = name.clone();
                return Err(SensorError::MissingBinary { path: path.into(), offset: at as u64, channel });
            }
            let v32 = v as f32;
            if v32.is_infinite() {
                return Err(bad(at, "value", "a finite number", v.to_string()));
            }
            values.push(v32);
        }
    }
    fill_all(path, &channels, &mut values, known.missing)?;
    let (along, across) = ((head.size * if channels_first { 1 } else { c }) as u64, head.size as u64);
    let channel = if channels_first { across * n as u64 } else { across };
    let place = Place::Bytes { first: data as u64, sample: along, channel };
    Ok(Decoded {
        recording: Recording { name: stem(path), channels, rate_hz: None, values, label: None, group: None },
        place,
    })
}

/// Fills every channel of `[C, L]`.
pub(super) fn fill_all(
    path: &Path,
    channels: &[String],
    values: &mut [f32],
    missing: Missing,
) -> Result<(), SensorError> {
    let n = values.len() / channels.len();
    for (name, part) in channels.iter().zip(values.chunks_mut(n.max(1))) {
        if !fill(part, missing) {
            let (recording, channel) = (stem(path), name.clone());
            return Err(SensorError::NothingToFill { path: path.into(), recording, channel });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut out = [MAGIC, &[1, 0], &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat();
        out.extend_from_slice(data);
        out
    }

    fn lc(bytes: &[u8]) -> Result<Recording, SensorError> {
        read("a.npy".as_ref(), bytes, NpyFormat::default(), Known::default()).map(|d| d.recording)
    }

    #[test]
    fn types_and_byte_orders() {
        let rows: [(&str, Vec<u8>); 9] = [
            ("|i1", vec![0xff, 2]),
            ("|u1", vec![255, 2]),
            ("<i2", vec![0xff, 0xff, 2, 0]),
            (">i2", vec![0xff, 0xff, 0, 2]),
            ("<u2", vec![0xff, 0xff, 2, 0]),
            ("<i4", [(-1i32).to_le_bytes(), 2i32.to_le_bytes()].concat()),
            (">i8", [(-1i64).to_be_bytes(), 2i64.to_be_bytes()].concat()),
            ("<f4", [(-1f32).to_le_bytes(), 2f32.to_le_bytes()].concat()),
            (">f8", [(-1f64).to_be_bytes(), 2f64.to_be_bytes()].concat()),
        ];
        for (descr, data) in rows {
            let want = match descr {
                "|u1" => 255.0,
                "<u2" => 65535.0,
                _ => -1.0,
            };
            let got = lc(&npy(descr, "False", "(2,)", &data)).unwrap_or_else(|e| panic!("{descr}: {e}"));
            assert_eq!(got.values, [want, 2.0], "{descr}");
        }
    }

    #[test]
    fn axes_and_orders() {
        // [[1, 2, 3], [4, 5, 6]] row-major is 123456, column-major 142536.
        let rows = [
            (Axes::Cl, "False", [1, 2, 3, 4, 5, 6], 2, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (Axes::Cl, "True", [1, 4, 2, 5, 3, 6], 2, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (Axes::Lc, "False", [1, 2, 3, 4, 5, 6], 3, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
            (Axes::Lc, "True", [1, 4, 2, 5, 3, 6], 3, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        ];
        for (axes, fortran, data, channels, want) in rows {
            let got = read("a".as_ref(), &npy("|u1", fortran, "(2, 3)", &data), NpyFormat { axes }, Known::default());
            let got = got.unwrap().recording;
            assert_eq!((got.channels.len(), &got.values[..]), (channels, &want[..]), "{axes:?} {fortran}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let nan = f32::NAN.to_le_bytes();
        assert!(matches!(lc(&npy("<f4", "False", "(1,)", &nan)), Err(SensorError::MissingBinary { .. })));
        let inf = f32::INFINITY.to_le_bytes();
        assert!(matches!(lc(&npy("<f4", "False", "(1,)", &inf)), Err(SensorError::Binary { what: "value", .. })));
        assert!(matches!(lc(&npy("<f4", "False", "(1,2,3)", &[])), Err(SensorError::Unsupported { .. })));
        assert!(matches!(lc(&npy("<f4", "False", "(0,)", &[])), Err(SensorError::Empty { .. })));
        assert!(matches!(lc(&npy("|u1", "False", "(1,)", &[1, 2])), Err(SensorError::Binary { what: "end", .. })));
        let huge = npy("<f8", "False", "(99999999999, 99999999999)", &[]);
        assert!(matches!(lc(&huge), Err(SensorError::Binary { what: "shape", .. })));
        for descr in ["<c8", "|O", "<U3", "<f2", "", "<i3"] {
            assert!(matches!(lc(&npy(descr, "False", "(1,)", &[0; 8])), Err(SensorError::Binary { .. })), "{descr}");
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let whole = npy("<i2", "False", "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 0]);
        assert!(lc(&whole).is_ok());
        for n in 0..whole.len() {
            let e = lc(&whole[..n]).unwrap_err();
            assert!(matches!(e, SensorError::Truncated { .. }), "{n}: {e}");
        }
    }
}
