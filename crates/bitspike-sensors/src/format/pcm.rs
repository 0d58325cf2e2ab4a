//! Samples of uncompressed audio: bytes to numbers between -1 and 1.
//!
//! ```text
//! signed of n bits       count / 2^(n−1)
//! unsigned of 8 bits     (count − 128) / 128
//! A-law, µ-law           the 13 and 14 bits of ITU-T G.711, as 16 bits, / 2^15
//! ```
//!
//! Fewer bits than their bytes hold stand to the left, with zeros behind them, as Microsoft's and Apple's formats say; full
//! scale is then that of the bytes. Some programs put them to the right: where the bits behind are not all zero and
//! every count fits into the valid bits, these are full scale.

use super::npy::fill_all;
use super::{Decoded, Known, Place, stem};
use crate::{Missing, Recording, SensorError, WavFormat};
use std::path::Path;

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Bytes of a sample and valid bits.
    Signed {
        bytes: usize,
        valid: u32,
    },
    Unsigned8,
    Float32,
    Float64,
    Alaw,
    Ulaw,
}

impl Coding {
    pub(super) fn size(self) -> usize {
        match self {
            Self::Signed { bytes, .. } => bytes,
            Self::Unsigned8 | Self::Alaw | Self::Ulaw => 1,
            Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// What a header says about the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) coding: Coding,
    pub(super) big_endian: bool,
    pub(super) channels: usize,
    pub(super) rate_hz: f64,
    /// Offset of the first sample.
    pub(super) offset: usize,
}

/// A signed count of 1 to 8 bytes.
fn signed(bytes: &[u8], big: bool) -> i64 {
    let join = |v: u64, b: &u8| v << 8 | u64::from(*b);
    let v = if big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) };
    let shift = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    ((v << shift) as i64) >> shift
}

/// A-law after G.711, as 16 bits.
fn alaw(byte: u8) -> i16 {
    let v = byte ^ 0x55;
    let (exponent, mantissa) = ((v >> 4) & 7, i16::from(v & 15) << 4);
    let magnitude = match exponent {
        0 => mantissa + 8,
        e => (mantissa + 0x108) << (e - 1),
    };
    if v & 0x80 == 0 { -magnitude } else { magnitude }
}

/// µ-law after G.711, as 16 bits.
fn ulaw(byte: u8) -> i16 {
    let v = !byte;
    let magnitude = (((i16::from(v & 15) << 3) + 0x84) << ((v >> 4) & 7)) - 0x84;
    if v & 0x80 == 0 { magnitude } else { -magnitude }
}

/// Full scale of signed counts: that of the bytes, or of the valid bits if they stand to the right.
fn full_scale(samples: &[u8], bytes: usize, valid: u32, big: bool) -> f64 {
    let bits = 8 * bytes as u32;
    let (behind, limit) = (bits.saturating_sub(valid), 1i64 << (valid.clamp(1, 63) - 1));
    let counts = || samples.chunks_exact(bytes).map(|b| signed(b, big));
    let right = behind > 0
        && valid > 0
        && counts().any(|v| v & ((1i64 << behind.min(62)) - 1) != 0)
        && counts().all(|v| (-limit..limit).contains(&v));
    2f64.powi(if right { valid } else { bits } as i32 - 1)
}

/// Whole samples of all channels in turn to a recording.
pub(super) fn recording(
    path: &Path,
    samples: &[u8],
    layout: Layout,
    format: WavFormat,
    known: Known<'_>,
) -> Result<Decoded, SensorError> {
    let Layout { coding, big_endian: big, channels: c, rate_hz, offset } = layout;
    let size = coding.size();
    let scale = match coding {
        Coding::Signed { bytes, valid } => full_scale(samples, bytes, valid, big),
        _ => 1.0,
    };
    let float = |b: &[u8]| match (b, big) {
        (&[p, q, r, s], true) => f64::from(f32::from_be_bytes([p, q, r, s])),
        (&[p, q, r, s], false) => f64::from(f32::from_le_bytes([p, q, r, s])),
        (b, true) => b.try_into().map_or(f64::NAN, f64::from_be_bytes),
        (b, false) => b.try_into().map_or(f64::NAN, f64::from_le_bytes),
    };
    let frames = samples.len() / (size * c);
    let mut values = vec![0f32; frames * c];
    for (i, b) in samples.chunks_exact(size).take(frames * c).enumerate() {
        let v = match coding {
            Coding::Signed { .. } => signed(b, big) as f64 / scale,
            Coding::Unsigned8 => (f64::from(b[0]) - 128.0) / 128.0,
            Coding::Alaw => f64::from(alaw(b[0])) / 32_768.0,
            Coding::Ulaw => f64::from(ulaw(b[0])) / 32_768.0,
            Coding::Float32 | Coding::Float64 => float(b),
        };
        let at = (offset + i * size) as u64;
        if v.is_nan() && known.missing == Missing::Error {
            let channel = names(c)[i % c].clone();
            return Err(SensorError::MissingBinary { path: path.into(), offset: at, channel });
        }
        if (v as f32).is_infinite() {
            let (path, expected, found) = (path.into(), "a finite number".into(), v.to_string());
            return Err(SensorError::Binary { path, offset: at, what: "value", expected, found });
        }
        values[(i % c) * frames + i / c] = v as f32;
    }
    let place = Place::Bytes { first: offset as u64, sample: (size * c) as u64, channel: size as u64 };
    finish(path, values, c, rate_hz, place, format, known)
}

/// Names of so many channels.
fn names(c: usize) -> Vec<String> {
    match c {
        1 => vec!["mono".into()],
        2 => vec!["left".into(), "right".into()],
        _ => (0..c).map(|i| format!("c{i}")).collect(),
    }
}

/// `[C, L]` of any audio to a recording: missing values filled, channels averaged if that is wanted.
pub(super) fn finish(
    path: &Path,
    mut values: Vec<f32>,
    c: usize,
    rate_hz: f64,
    place: Place,
    format: WavFormat,
    known: Known<'_>,
) -> Result<Decoded, SensorError> {
    if values.is_empty() {
        return Err(SensorError::Empty { place: path.display().to_string(), what: "no sample in it".into() });
    }
    let mut channels = names(c);
    fill_all(path, &channels, &mut values, known.missing)?;
    if format.mono && c > 1 {
        let n = values.len() / c;
        let sum = |i: usize| (0..c).map(|k| f64::from(values[k * n + i])).sum::<f64>();
        values = (0..n).map(|i| (sum(i) / c as f64) as f32).collect();
        channels = names(1);
    }
    let (name, rate_hz) = (stem(path), Some(rate_hz));
    Ok(Decoded { recording: Recording { name, channels, rate_hz, values, label: None, group: None }, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_every_size() {
        for n in 1..=8 {
            let v = -5i64;
            assert_eq!(signed(&v.to_le_bytes()[..n], false), v);
            assert_eq!(signed(&v.to_be_bytes()[8 - n..], true), v);
        }
    }

    /// Values of the tables of G.711 (A-law 13 bits and µ-law 14 bits, shifted to 16).
    #[test]
    fn companded_codes() {
        assert_eq!([0xd5, 0x55, 0xaa, 0x2a, 0x80].map(alaw), [8, -8, 32_256, -32_256, 5504]);
        assert_eq!([0xff, 0x7f, 0x80, 0x00, 0xef].map(ulaw), [0, 0, 32_124, -32_124, 132]);
        // Every code has a negative twin, and they grow with the code.
        for code in 0..128u8 {
            assert_eq!(alaw(code), -alaw(code | 0x80));
            assert_eq!(ulaw(code), -ulaw(code | 0x80));
        }
    }

    #[test]
    fn valid_bits_left_or_right() {
        // 20 valid bits in 24: left with zeros behind, then right.
        let left: Vec<u8> =
            [1i32 << 22, -(1 << 23), 1 << 4].iter().flat_map(|v| v.to_le_bytes()[..3].to_vec()).collect();
        assert_eq!(full_scale(&left, 3, 20, false), 2f64.powi(23));
        let right: Vec<u8> = [1i32 << 18, -(1 << 19), 1].iter().flat_map(|v| v.to_le_bytes()[..3].to_vec()).collect();
        assert_eq!(full_scale(&right, 3, 20, false), 2f64.powi(19));
        assert_eq!(full_scale(&[1, 2, 3], 3, 24, false), 2f64.powi(23));
    }
}
