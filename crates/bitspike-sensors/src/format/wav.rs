//! WAV: uncompressed audio of any depth, integer, floating-point, A-law or µ-law, any number of channels; and which reader an
//! audio file gets.
//!
//! ```text
//! 'RIFF' | size | 'WAVE' | chunks: id (4) | size (u32) | content | a byte of 0 after an odd size
//! 'fmt ': code u16 | channels u16 | rate u32 | bytes/s u32 | frame u16 | bits u16 | more u16 | valid bits u16 | mask u32 | GUID
//! ```
//!
//! - `RIFX` has big-endian numbers, `RF64` and `BW64` sizes of 64 bits in a chunk `ds64`. Chunks come in any order; unknown ones
//!   are skipped, also where the byte after an odd size was left out.
//! - A size of the samples of 0 or 0xffffffff, as of a stream, is the rest of the file; a frame cut off at its end is left out.
//!   Any other size that the file does not have is an error.
//! - Samples are those of `pcm.rs`. With `mono` the channels are averaged. The content decides, not the name: AIFF, FLAC, Ogg Vorbis
//!   and MP3 are known by their first bytes.
//!
//! Sources: Microsoft and IBM, Multimedia Programming Interface 1.0 (1991); WAVEFORMATEXTENSIBLE; EBU Tech 3306 (RF64).

use super::chunks::{MAX_CHANNELS, Numbers};
use super::pcm::{self, Coding, Layout};
use super::{Decoded, Known, aiff};
use crate::{SensorError, WavFormat};
use std::path::Path;

/// An audio file of any kind.
pub(super) fn audio(path: &Path, bytes: &[u8], format: WavFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    let unsupported = |what: &str, instead| {
        Err(SensorError::Unsupported { path: path.into(), place: "byte 0".into(), what: what.into(), instead })
    };
    let convert = "convert it to WAV, as with: ffmpeg -i FILE NEW.wav";
    match bytes {
        [b'R', b'I', b'F', b'F' | b'X', ..] | [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => {
            read(path, bytes, format, known)
        }
        [b'F', b'O', b'R', b'M', ..] => aiff::read(path, bytes, format, known),
        [b'f', b'L', b'a', b'C', ..] | [b'O', b'g', b'g', b'S', ..] | [b'I', b'D', b'3', ..] => {
            compressed(path, bytes, format, known)
        }
        // The 11 bits that an MPEG frame begins with, and a layer.
        [0xff, b, ..] if b & 0xe0 == 0xe0 && b & 0x06 != 0 => compressed(path, bytes, format, known),
        [b'r', b'i', b'f', b'f', ..] => unsupported("Sony Wave64", convert),
        [b'c', b'a', b'f', b'f', ..] => unsupported("Core Audio Format", convert),
        [b'.', b's', b'n', b'd', ..] => unsupported("Sun AU audio", convert),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => unsupported("MP4 or M4A", convert),
        // Also what is shorter: the reader says what it lacks.
        _ if [b"RIFF", b"RIFX"].iter().any(|m| m.starts_with(&bytes[..bytes.len().min(4)])) => {
            read(path, bytes, format, known)
        }
        _ => Err(SensorError::Binary {
            path: path.into(),
            offset: 0,
            what: "audio",
            expected: "RIFF, RIFX, RF64, FORM (AIFF), fLaC, OggS or an MP3 frame".into(),
            found: bytes[..bytes.len().min(4)].escape_ascii().to_string(),
        }),
    }
}

#[cfg(feature = "audio")]
fn compressed(path: &Path, bytes: &[u8], format: WavFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    super::codec::read(path, bytes, format, known)
}

#[cfg(not(feature = "audio"))]
fn compressed(path: &Path, _: &[u8], _: WavFormat, _: Known<'_>) -> Result<Decoded, SensorError> {
    let what = "FLAC, Ogg and MP3 are not built in".into();
    let instead = "build with the feature `audio`, or convert it to WAV, as with: ffmpeg -i FILE NEW.wav";
    Err(SensorError::Unsupported { path: path.into(), place: "byte 0".into(), what, instead })
}

/// What a chunk `fmt ` says.
struct Kind {
    coding: Coding,
    channels: usize,
    rate: u32,
}

fn kind(n: Numbers<'_>, at: usize, size: usize) -> Result<Kind, SensorError> {
    if size < 14 {
        return Err(n.bad(at, "fmt chunk", "at least 14 bytes", size.to_string()));
    }
    let mut code = n.u16(at, "fmt chunk")?;
    let (channels, rate) = (n.u16(at + 2, "fmt chunk")?, n.u32(at + 4, "fmt chunk")?);
    let frame = usize::from(n.u16(at + 12, "fmt chunk")?);
    let bits = if size >= 16 { n.u16(at + 14, "fmt chunk")? } else { 8 };
    let mut valid = bits;
    if code == 0xfffe && size >= 40 {
        // The first two bytes of the GUID are the code. Where no valid bits are given, all are.
        (valid, code) = (n.u16(at + 18, "fmt chunk")?, n.u16(at + 24, "fmt chunk")?);
        valid = if valid == 0 { bits } else { valid };
    }
    let c = usize::from(channels);
    if !(1..=MAX_CHANNELS).contains(&c) || rate == 0 {
        let expected = format!("1 to {MAX_CHANNELS} and at least 1");
        return Err(n.bad(at + 2, "channels and rate", &expected, format!("{channels} and {rate}")));
    }
    // Bytes of a sample: those of a frame, where it says so.
    let bytes = match frame % c {
        0 if frame > 0 && usize::from(bits) <= frame / c * 8 => frame / c,
        _ => usize::from(bits).div_ceil(8),
    };
    let coding = match (code, bytes) {
        (1, 1) => Coding::Unsigned8,
        (1, 2..=8) if (1..=8 * bytes as u32).contains(&u32::from(valid)) => {
            Coding::Signed { bytes, valid: u32::from(valid) }
        }
        (1, _) => {
            let found = format!("{valid} valid bits in {bytes} bytes");
            return Err(n.bad(at + 12, "bits per sample", "1 to 64, in their bytes", found));
        }
        (3, 4) => Coding::Float32,
        (3, 8) => Coding::Float64,
        (3, _) => return Err(n.bad(at + 14, "bits per sample", "32 or 64 of floating point", bits.to_string())),
        (6, 1) => Coding::Alaw,
        (7, 1) => Coding::Ulaw,
        (code, _) => {
            let name = match code {
                2 => "Microsoft ADPCM",
                0x11 => "IMA ADPCM",
                0x31 => "GSM 6.10",
                0x55 => "MP3 in WAV",
                _ => "a compression",
            };
            return Err(SensorError::Unsupported {
                path: n.path.into(),
                place: format!("byte {at}"),
                what: format!("{name} (code {code:#06x})"),
                instead: "convert it to uncompressed WAV, as with: ffmpeg -i FILE -c:a pcm_s16le NEW.wav",
            });
        }
    };
    Ok(Kind { coding, channels: c, rate })
}

fn read(path: &Path, bytes: &[u8], format: WavFormat, known: Known<'_>) -> Result<Decoded, SensorError> {
    let n = Numbers { path, bytes, big: bytes.get(3) == Some(&b'X') };
    let wide = bytes.starts_with(b"RF64") || bytes.starts_with(b"BW64");
    let riff = n.u32(4, "header")?;
    if n.id(8)? != *b"WAVE" {
        return Err(n.bad(8, "kind", "WAVE", bytes[8..12].escape_ascii().to_string()));
    }
    let (mut at, mut described, mut wide_size) = (12, None, None);
    loop {
        let (id, size) = (n.id(at)?, n.u32(at + 4, "chunk")?);
        let start = at + 8;
        let left = bytes.len() - start;
        if id == *b"data" {
            let Some(Kind { coding, channels, rate }) = described else {
                return Err(n.bad(at, "chunk", "fmt before data", "data".into()));
            };
            let size = match wide_size {
                Some(wide_size) if wide && size == u32::MAX => wide_size,
                _ => u64::from(size),
            };
            let frame = coding.size() * channels;
            let open = size_is_open(size) || (riff >= 0x7fff_ff00 && size >= 0x7fff_ff00);
            let length = match usize::try_from(size) {
                Ok(length) if length <= left && length > 0 => length,
                // Chunks that follow to the end of the file are no samples.
                Ok(0) if left > 0 && !ends_in_chunks(n, start) => left - left % frame,
                Ok(0) => 0,
                _ if open => left - left % frame,
                _ => return Err(n.short(start, "samples", size)),
            };
            if !length.is_multiple_of(frame) {
                let expected = format!("a multiple of {frame} bytes");
                return Err(n.bad(start, "samples", &expected, format!("{length} bytes")));
            }
            let layout = Layout { coding, big_endian: n.big, channels, rate_hz: f64::from(rate), offset: start };
            return pcm::recording(path, &bytes[start..start + length], layout, format, known);
        }
        if size as usize > left {
            return Err(n.short(start, "chunk", u64::from(size)));
        }
        match &id {
            b"fmt " => described = Some(kind(n, start, size as usize)?),
            b"ds64" => wide_size = Some(n.u64(start + 8, "ds64 chunk")?),
            _ => {}
        }
        at = n.next_chunk(start + size as usize);
    }
}

/// Whether a size of the samples stands for one that was not known.
fn size_is_open(size: u64) -> bool {
    size == 0 || size == 0xffff_ffff || size == u64::MAX
}

/// Whether whole chunks fill the file from `at`.
fn ends_in_chunks(n: Numbers<'_>, mut at: usize) -> bool {
    while at < n.bytes.len() {
        let (Ok(id), Ok(size)) = (n.id(at), n.u32(at + 4, "chunk")) else { return false };
        let end = (at + 8).saturating_add(size as usize);
        if !id.iter().all(|b| b.is_ascii_graphic() || *b == b' ') || end > n.bytes.len() {
            return false;
        }
        at = n.next_chunk(end);
    }
    true
}

#[cfg(test)]
#[path = "wav_tests.rs"]
mod tests;
