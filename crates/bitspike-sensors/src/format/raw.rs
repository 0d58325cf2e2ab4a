//! Numbers without a header: `value = scale · count`, channels alternating sample by sample.

use super::npy::fill_all;
use super::{Decoded, Known, Markers, Place, stem};
use crate::{Missing, RawFormat, RawNumber, Recording, SensorError};
use std::path::Path;

impl RawNumber {
    /// Bytes of a number.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16le | Self::I16be => 2,
            Self::I32le | Self::F32le => 4,
        }
    }

    /// The number in `self.size()` bytes.
    fn get(self, b: &[u8]) -> f64 {
        match (self, b) {
            (Self::U8, [a]) => f64::from(*a),
            (Self::I8, [a]) => f64::from(*a as i8),
            (Self::I16le, [a, b]) => f64::from(i16::from_le_bytes([*a, *b])),
            (Self::I16be, [a, b]) => f64::from(i16::from_be_bytes([*a, *b])),
            (Self::I32le, [a, b, c, d]) => f64::from(i32::from_le_bytes([*a, *b, *c, *d])),
            (Self::F32le, [a, b, c, d]) => f64::from(f32::from_le_bytes([*a, *b, *c, *d])),
            _ => unreachable!("chunks have the size of a number"),
        }
    }

    /// The number in `self.size()` bytes at an offset, scaled; `None` for a NaN or another mark of a missing value, which is held
    /// against the number in the file.
    pub(crate) fn value(
        self,
        path: &Path,
        b: &[u8],
        scale: f64,
        markers: &Markers,
        offset: u64,
    ) -> Result<Option<f32>, SensorError> {
        let count = self.get(b);
        if markers.number(count) {
            return Ok(None);
        }
        let v = scale * count;
        let v32 = v as f32;
        if v32.is_infinite() {
            let (path, expected, found) = (path.into(), "a finite number".into(), v.to_string());
            return Err(SensorError::Binary { path, offset, what: "value", expected, found });
        }
        Ok(Some(v32).filter(|v| !v.is_nan()))
    }
}

pub(super) fn read(path: &Path, bytes: &[u8], format: &RawFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    let (c, size) = (format.columns.len().max(1), format.number.size());
    let tail = bytes.len() % (c * size);
    if tail != 0 {
        return Err(SensorError::Truncated {
            path: path.into(),
            what: "last sample",
            offset: (bytes.len() - tail) as u64,
            expected: (c * size) as u64,
            found: tail as u64,
        });
    }
    let (n, scale) = (bytes.len() / (c * size), known.scale.unwrap_or(format.scale));
    let mut values = vec![0f32; n * c];
    for (k, chunk) in bytes.chunks_exact(size).enumerate() {
        let offset = (k * size) as u64;
        let v = format.number.value(path, chunk, scale, known.markers, offset)?;
        if v.is_none() && known.missing == Missing::Error {
            let channel = format.columns[k % c].clone();
            return Err(SensorError::MissingBinary { path: path.into(), offset, channel });
        }
        values[(k % c) * n + k / c] = v.unwrap_or(f32::NAN);
    }
    if n > 0 {
        fill_all(path, &format.columns, &mut values, known.missing)?;
    }
    let channels = format.columns.clone();
    let place = Place::Bytes { first: 0, sample: (c * size) as u64, channel: size as u64 };
    Ok(Decoded {
        recording: Recording { name: stem(path), channels, rate_hz: None, values, label: None, group: None },
        place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(number: RawNumber, columns: &[&str]) -> RawFormat {
        RawFormat { number, columns: columns.iter().map(|c| c.to_string()).collect(), scale: 0.5 }
    }

    #[test]
    fn numbers_channels_and_scale() {
        let rows: [(RawNumber, Vec<u8>, f32); 6] = [
            (RawNumber::U8, vec![255], 127.5),
            (RawNumber::I8, vec![255], -0.5),
            (RawNumber::I16le, vec![0xfe, 0xff], -1.0),
            (RawNumber::I16be, vec![0x01, 0x00], 128.0),
            (RawNumber::I32le, vec![0, 0, 1, 0], 32768.0),
            (RawNumber::F32le, 3f32.to_le_bytes().to_vec(), 1.5),
        ];
        for (number, bytes, want) in rows {
            let got = read("a".as_ref(), &bytes, &format(number, &["x"]), Known::default()).unwrap().recording;
            assert_eq!(got.values, [want], "{number:?}");
        }
        let known = Known { scale: Some(2.0), ..Known::default() };
        let got = read("a.raw".as_ref(), &[1, 2, 3, 4], &format(RawNumber::I8, &["x", "y"]), known).unwrap().recording;
        assert_eq!((got.name.as_str(), &got.values[..]), ("a", &[2.0, 6.0, 4.0, 8.0][..]));
    }

    #[test]
    fn odd_ends_and_values_that_are_none() {
        let two = format(RawNumber::I16le, &["x", "y"]);
        for n in [1, 2, 3, 5] {
            let e = read("a".as_ref(), &vec![0; n], &two, Known::default()).unwrap_err();
            assert!(matches!(e, SensorError::Truncated { offset, .. } if offset == (n / 4 * 4) as u64), "{n}: {e}");
        }
        let nan = [0f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
        let e = read("a".as_ref(), &nan, &format(RawNumber::F32le, &["x"]), Known::default()).unwrap_err();
        assert!(matches!(e, SensorError::MissingBinary { offset: 4, .. }), "{e}");
    }
}
