//! WAV: uncompressed audio of 8, 16, 24 or 32 bits, integer or floating-point, any number of channels.
//!
//! Integers are divided by 2^(bits-1), so that full scale is -1 to 1; 8-bit samples are unsigned in the file and turned
//! by 128. With `mono` the channels are averaged. Headers and samples are decoded by the crate `hound`; the offset in an
//! error is how far it had read.

use super::npy::fill_all;
use super::{Known, stem};
use crate::{Missing, Recording, SensorError, WavFormat};
use hound::{SampleFormat, WavReader};
use std::cell::Cell;
use std::io::Read;
use std::path::Path;

/// Bytes that count how many were read.
struct Counted<'a> {
    rest: &'a [u8],
    read: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.rest.read(into)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

pub(super) fn read(path: &Path, bytes: &[u8], format: WavFormat, known: Known<'_>) -> Result<Recording, SensorError> {
    let at = Cell::new(0);
    let bad = |what, expected: &str, found: String| SensorError::Binary {
        path: path.into(),
        offset: at.get(),
        what,
        expected: expected.into(),
        found,
    };
    let wrong = |e: hound::Error| match e {
        hound::Error::Unsupported => SensorError::Unsupported {
            path: path.into(),
            place: format!("byte {}", at.get()),
            what: "a WAV file of another kind".into(),
            instead: "convert it to PCM of 8, 16, 24 or 32 bits, or 32-bit floating-point",
        },
        e => bad("WAV", "uncompressed audio", e.to_string()),
    };
    let mut reader = WavReader::new(Counted { rest: bytes, read: &at }).map_err(wrong)?;
    let (spec, c) = (reader.spec(), usize::from(reader.spec().channels));
    if c == 0 || spec.sample_rate == 0 {
        let found = format!("{c} and {}", spec.sample_rate);
        return Err(bad("channels and rate", "at least 1 each", found));
    }
    let frame = u64::from(spec.bits_per_sample.div_ceil(8)) * u64::from(spec.channels);
    let claimed = u64::from(reader.duration()) * frame;
    let left = bytes.len() as u64 - at.get();
    // Known before a sample is read, so that a recorder's unfinished header is not taken for memory to reserve.
    if claimed > left {
        return Err(SensorError::Truncated {
            path: path.into(),
            what: "samples",
            offset: at.get(),
            expected: claimed,
            found: left,
        });
    }
    let mut turns: Vec<f32> = Vec::with_capacity(reader.len() as usize);
    match spec.sample_format {
        SampleFormat::Float => {
            for v in reader.samples::<f32>() {
                let v = v.map_err(wrong)?;
                if v.is_infinite() {
                    return Err(bad("value", "a finite number", v.to_string()));
                }
                if v.is_nan() && known.missing == Missing::Error {
                    let offset = at.get() - 4;
                    let channel = (turns.len() % c).to_string();
                    return Err(SensorError::MissingBinary { path: path.into(), offset, channel });
                }
                turns.push(v);
            }
        }
        SampleFormat::Int => {
            if !(1..=32).contains(&spec.bits_per_sample) {
                return Err(bad("bits per sample", "1 to 32", spec.bits_per_sample.to_string()));
            }
            let full = 2f64.powi(i32::from(spec.bits_per_sample) - 1);
            for v in reader.samples::<i32>() {
                turns.push((f64::from(v.map_err(wrong)?) / full) as f32);
            }
        }
    }
    let mut channels: Vec<String> = match c {
        1 => vec!["mono".into()],
        2 => vec!["left".into(), "right".into()],
        _ => (0..c).map(|i| format!("c{i}")).collect(),
    };
    let mut values: Vec<f32> = (0..c).flat_map(|k| turns.iter().skip(k).step_by(c)).copied().collect();
    if !turns.len().is_multiple_of(c) {
        return Err(bad("samples", &format!("a multiple of {c} channels"), turns.len().to_string()));
    }
    fill_all(path, &channels, &mut values, known.missing)?;
    if format.mono && c > 1 {
        let n = values.len() / c;
        let sum = |i: usize| (0..c).map(|k| f64::from(values[k * n + i])).sum::<f64>();
        values = (0..n).map(|i| (sum(i) / c as f64) as f32).collect();
        channels = vec!["mono".into()];
    }
    let rate_hz = Some(f64::from(spec.sample_rate));
    Ok(Recording { name: stem(path), channels, rate_hz, values, label: None, group: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn wav<S: hound::Sample + Copy>(bits: u16, sample_format: SampleFormat, channels: u16, samples: &[S]) -> Vec<u8> {
        let spec = hound::WavSpec { channels, sample_rate: 8000, bits_per_sample: bits, sample_format };
        let mut out = Cursor::new(vec![]);
        let mut writer = hound::WavWriter::new(&mut out, spec).unwrap();
        samples.iter().for_each(|s| writer.write_sample(*s).unwrap());
        writer.finalize().unwrap();
        out.into_inner()
    }

    fn plain(bytes: &[u8]) -> Result<Recording, SensorError> {
        read("a.wav".as_ref(), bytes, WavFormat::default(), Known::default())
    }

    #[test]
    fn every_depth_has_the_same_full_scale() {
        for bits in [8u16, 16, 24, 32] {
            let full = 1i64 << (bits - 1);
            let samples = [(-full) as i32, 0, (full / 2) as i32];
            let got = plain(&wav(bits, SampleFormat::Int, 1, &samples)).unwrap();
            assert_eq!((&got.values[..], got.rate_hz), (&[-1.0, 0.0, 0.5][..], Some(8000.0)), "{bits}");
        }
        let got = plain(&wav(32, SampleFormat::Float, 1, &[0.25f32, -1.5])).unwrap();
        assert_eq!(got.values, [0.25, -1.5]);
    }

    #[test]
    fn bytes_written_by_hand() {
        // RIFF header of 44 bytes after Microsoft's layout: PCM, 1 channel, 8000 Hz, 8 bits; samples 0, 128, 192.
        let bytes = b"RIFF\x27\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x03\0\0\0\x00\x80\xc0";
        assert_eq!(plain(bytes).unwrap().values, [-1.0, 0.0, 0.5]);
    }

    #[test]
    fn channels_are_parted_or_averaged() {
        let bytes = wav(16, SampleFormat::Int, 2, &[16384i16, 0, -16384, 0]);
        let got = plain(&bytes).unwrap();
        assert_eq!((got.channels.join(","), &got.values[..]), ("left,right".into(), &[0.5, -0.5, 0.0, 0.0][..]));
        let got = read("a".as_ref(), &bytes, WavFormat { mono: true }, Known::default()).unwrap();
        assert_eq!((got.channels.join(","), &got.values[..]), ("mono".into(), &[0.25, -0.25][..]));
    }

    #[test]
    fn every_cut_is_an_error() {
        for bytes in [
            wav(16, SampleFormat::Int, 2, &[1i16, 2, 3, 4]),
            wav(24, SampleFormat::Int, 1, &[1i32, 2]),
            wav(32, SampleFormat::Float, 1, &[1f32, 2.0]),
        ] {
            assert!(plain(&bytes).is_ok());
            for n in 0..bytes.len() {
                assert!(plain(&bytes[..n]).is_err(), "{n}");
            }
        }
    }

    #[test]
    fn unfinished_header_and_values_that_are_none() {
        let mut bytes = wav(16, SampleFormat::Int, 1, &[1i16, 2]);
        bytes[40..44].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
        assert!(matches!(plain(&bytes), Err(SensorError::Truncated { what: "samples", offset: 44, .. })));
        let bytes = wav(32, SampleFormat::Float, 1, &[1f32, f32::NAN]);
        let e = plain(&bytes).unwrap_err();
        assert!(matches!(e, SensorError::MissingBinary { offset, .. } if offset == bytes.len() as u64 - 4), "{e}");
        let e = plain(&wav(32, SampleFormat::Float, 1, &[f32::INFINITY])).unwrap_err();
        assert!(matches!(e, SensorError::Binary { what: "value", .. }), "{e}");
    }
}
