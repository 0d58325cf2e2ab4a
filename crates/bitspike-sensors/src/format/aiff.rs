//! AIFF and AIFF-C: uncompressed audio with big-endian numbers.
//!
//! ```text
//! 'FORM' | size | 'AIFF' or 'AIFC' | chunks
//! 'COMM': channels u16 | frames u32 | bits u16 | rate, 80 bits of floating point | in AIFF-C: coding (4) | its name
//! 'SSND': offset u32 | block u32 | samples
//! ```
//!
//! Codings: NONE and twos (big-endian), sowt (little-endian), in24, in32, fl32, fl64, alaw, ulaw, raw (8 bits without a sign). Chunks
//! come in any order. Samples are those of `pcm.rs`. Source: Apple, Audio Interchange File Format 1.3 (1989) and AIFF-C.

use super::chunks::{MAX_CHANNELS, Numbers};
use super::pcm::{self, Coding, Layout};
use super::{Decoded, Known};
use crate::{SensorError, WavFormat};
use std::path::Path;

struct Common {
    coding: Coding,
    big: bool,
    channels: usize,
    frames: u64,
    rate_hz: f64,
}

/// A number of 80 bits: sign and exponent, and 64 bits of which the first is 1 before the point.
fn extended(head: u16, bits: u64) -> f64 {
    bits as f64 * 2f64.powi(i32::from(head & 0x7fff) - 16_383 - 63)
}

fn common(n: Numbers<'_>, at: usize, size: usize, aifc: bool) -> Result<Common, SensorError> {
    const WHAT: &str = "COMM chunk";
    let (channels, frames) = (usize::from(n.u16(at, WHAT)?), n.u32(at + 2, WHAT)?);
    let bits = n.u16(at + 6, WHAT)?;
    let (high, low) = (n.u32(at + 10, WHAT)?, n.u32(at + 14, WHAT)?);
    let rate_hz = extended(n.u16(at + 8, WHAT)?, u64::from(high) << 32 | u64::from(low));
    if !((1..=MAX_CHANNELS).contains(&channels) && rate_hz.is_finite() && rate_hz > 0.0) {
        let expected = format!("1 to {MAX_CHANNELS} and above 0");
        return Err(n.bad(at, "channels and rate", &expected, format!("{channels} and {rate_hz}")));
    }
    let id = if aifc && size >= 22 { n.id(at + 18)? } else { *b"NONE" };
    let bytes = usize::from(bits).div_ceil(8);
    let signed = |bytes: usize| Coding::Signed { bytes, valid: u32::from(bits) };
    let (coding, big) = match &id.map(|b| b.to_ascii_lowercase()) {
        b"none" | b"twos" | b"sowt" if (1..=4).contains(&bytes) => (signed(bytes), !id.eq_ignore_ascii_case(b"sowt")),
        b"none" | b"twos" | b"sowt" => return Err(n.bad(at + 6, "bits per sample", "1 to 32", bits.to_string())),
        b"in24" => (Coding::Signed { bytes: 3, valid: 24 }, true),
        b"in32" => (Coding::Signed { bytes: 4, valid: 32 }, true),
        b"fl32" => (Coding::Float32, true),
        b"fl64" => (Coding::Float64, true),
        b"alaw" => (Coding::Alaw, true),
        b"ulaw" => (Coding::Ulaw, true),
        b"raw " => (Coding::Unsigned8, true),
        _ => {
            return Err(SensorError::Unsupported {
                path: n.path.into(),
                place: format!("byte {}", at + 18),
                what: format!("AIFF-C coding {}", id.escape_ascii()),
                instead: "convert it to uncompressed WAV, as with: ffmpeg -i FILE -c:a pcm_s16le NEW.wav",
            });
        }
    };
    Ok(Common { coding, big, channels, frames: u64::from(frames), rate_hz })
}

pub(super) fn read(path: &Path, bytes: &[u8], format: WavFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    let n = Numbers { path, bytes, big: true };
    let kind = n.id(8)?;
    if kind != *b"AIFF" && kind != *b"AIFC" {
        return Err(n.bad(8, "kind", "AIFF or AIFC", kind.escape_ascii().to_string()));
    }
    let (mut at, mut described, mut samples) = (12, None, None);
    while described.is_none() || samples.is_none() {
        let (id, size) = (n.id(at)?, n.u32(at + 4, "chunk")? as usize);
        let (start, left) = (at + 8, bytes.len() - at - 8);
        match &id {
            b"COMM" => described = Some(common(n, start, size, kind == *b"AIFC")?),
            b"SSND" => samples = Some(start.saturating_add(8).saturating_add(n.u32(start, "SSND chunk")? as usize)),
            _ => {}
        }
        // The chunk of the samples may be the last and have an open size: frames are counted in the other.
        if size > left && !(id == *b"SSND" && described.is_some()) {
            return Err(n.short(start, "chunk", size as u64));
        }
        at = n.next_chunk(start.saturating_add(size));
    }
    let (Some(c), Some(start)) = (described, samples) else { return Err(n.short(at, "chunk", 8)) };
    let frame = c.coding.size() * c.channels;
    let left = bytes.len().saturating_sub(start);
    let length = match c.frames * frame as u64 {
        // What is written as it comes has no count, or all bits of one.
        0 => left - left % frame,
        _ if c.frames == 0xffff_ffff => left - left % frame,
        length if length <= left as u64 => length as usize,
        length => return Err(n.short(start, "samples", length)),
    };
    let layout =
        Layout { coding: c.coding, big_endian: c.big, channels: c.channels, rate_hz: c.rate_hz, offset: start };
    let samples = bytes.get(start..start + length).unwrap_or_default();
    pcm::recording(path, samples, layout, format, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 8000 Hz: 8000 = 1.953125 · 2^12, so the exponent is 16383 + 12 and the bits are 0xfa << 56.
    fn aiff(kind: &[u8; 4], channels: u16, frames: u32, bits: u16, coding: &[u8], samples: &[u8]) -> Vec<u8> {
        let mut common = [&channels.to_be_bytes()[..], &frames.to_be_bytes(), &bits.to_be_bytes()].concat();
        common.extend([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]);
        common.extend(coding);
        let chunk = |id: &[u8; 4], body: &[u8]| {
            let mut out = [&id[..], &(body.len() as u32).to_be_bytes(), body].concat();
            out.resize(out.len().next_multiple_of(2), 0);
            out
        };
        let body = [&kind[..], &chunk(b"NAME", b"odd"), &chunk(b"COMM", &common)].concat();
        let body = [body, chunk(b"SSND", &[&[0; 8][..], samples].concat())].concat();
        chunk(b"FORM", &body)
    }

    fn plain(bytes: &[u8]) -> Result<crate::Recording, SensorError> {
        read("a.aiff".as_ref(), bytes, WavFormat::default(), Known::default()).map(|d| d.recording)
    }

    #[test]
    fn codings() {
        type Case<'a> = (&'a [u8; 4], u16, &'a [u8], &'a [u8], [f32; 2]);
        let rows: [Case<'_>; 7] = [
            (b"AIFF", 16, b"", &[0x40, 0, 0x80, 0], [0.5, -1.0]),
            (b"AIFF", 24, b"", &[0x40, 0, 0, 0x80, 0, 0], [0.5, -1.0]),
            // 12 bits stand to the left in two bytes.
            (b"AIFF", 12, b"", &[0x40, 0, 0x80, 0], [0.5, -1.0]),
            (b"AIFC", 16, b"sowt\0\0", &[0, 0x40, 0, 0x80], [0.5, -1.0]),
            (b"AIFC", 32, b"fl32\0\0", &[0x3f, 0, 0, 0, 0xbf, 0x80, 0, 0], [0.5, -1.0]),
            (b"AIFC", 8, b"raw \0\0", &[192, 0], [0.5, -1.0]),
            (b"AIFF", 8, b"", &[64, 0x80], [0.5, -1.0]),
        ];
        for (kind, bits, coding, samples, want) in rows {
            let got =
                plain(&aiff(kind, 1, 2, bits, coding, samples)).unwrap_or_else(|e| panic!("{bits} {coding:?}: {e}"));
            assert_eq!((&got.values[..], got.rate_hz), (&want[..], Some(8000.0)), "{bits} {coding:?}");
        }
        let e = plain(&aiff(b"AIFC", 1, 2, 16, b"ima4\0\0", &[0; 4])).unwrap_err();
        assert!(matches!(e, SensorError::Unsupported { .. }), "{e}");
    }

    #[test]
    fn every_cut_is_an_error() {
        let whole = aiff(b"AIFF", 2, 2, 16, b"", &[0, 1, 0, 2, 0, 3, 0, 4]);
        assert!(plain(&whole).is_ok());
        for n in 0..whole.len() {
            assert!(plain(&whole[..n]).is_err(), "{n}");
        }
    }
}
