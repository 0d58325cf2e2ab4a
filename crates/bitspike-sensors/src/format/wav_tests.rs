use super::*;
use crate::Recording;
use hound::SampleFormat;
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
    audio("a.wav".as_ref(), bytes, WavFormat::default(), Known::default()).map(|d| d.recording)
}

/// A file of chunks, with sizes in the byte order of `id`.
fn chunks(id: &[u8; 4], list: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let size = |n: usize| if id == b"RIFX" { (n as u32).to_be_bytes() } else { (n as u32).to_le_bytes() };
    let mut body = b"WAVE".to_vec();
    for (id, content) in list {
        body.extend(id.iter().chain(&size(content.len())).chain(content));
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [&id[..], &size(body.len()), &body].concat()
}

/// Content of a chunk `fmt `; with valid bits it is the long one.
fn fmt(code: u16, channels: u16, bytes: u16, bits: u16, valid: Option<u16>) -> Vec<u8> {
    let mut out = Vec::new();
    let (code, sub) = if valid.is_some() { (0xfffe, code) } else { (code, 0) };
    [code, channels].iter().for_each(|v| out.extend(v.to_le_bytes()));
    out.extend(8000u32.to_le_bytes());
    out.extend((8000 * u32::from(bytes * channels)).to_le_bytes());
    [bytes * channels, bits].iter().for_each(|v| out.extend(v.to_le_bytes()));
    if let Some(valid) = valid {
        [22, valid].iter().for_each(|v| out.extend(v.to_le_bytes()));
        out.extend(4u32.to_le_bytes());
        out.extend(sub.to_le_bytes());
        out.extend(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    }
    out
}

fn simple(fmt: Vec<u8>, data: &[u8]) -> Vec<u8> {
    chunks(b"RIFF", &[(b"fmt ", fmt), (b"data", data.to_vec())])
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
    let bytes =
        b"RIFF\x27\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x03\0\0\0\x00\x80\xc0";
    assert_eq!(plain(bytes).unwrap().values, [-1.0, 0.0, 0.5]);
}

#[test]
fn channels_are_parted_or_averaged() {
    let bytes = wav(16, SampleFormat::Int, 2, &[16384i16, 0, -16384, 0]);
    let got = plain(&bytes).unwrap();
    assert_eq!((got.channels.join(","), &got.values[..]), ("left,right".into(), &[0.5, -0.5, 0.0, 0.0][..]));
    let got = audio("a".as_ref(), &bytes, WavFormat { mono: true }, Known::default()).unwrap().recording;
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

#[test]
fn every_coding() {
    let f32s: Vec<u8> = [0.5f32, -1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s: Vec<u8> = [0.5f64, -1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let rows: [(Vec<u8>, &[u8], [f32; 2]); 13] = [
        (fmt(1, 1, 1, 8, None), &[192, 0], [0.5, -1.0]),
        (fmt(1, 1, 2, 16, None), &[0, 0x40, 0, 0x80], [0.5, -1.0]),
        (fmt(1, 1, 2, 12, None), &[0, 0x40, 0, 0x80], [0.5, -1.0]),
        (fmt(1, 1, 3, 24, None), &[0, 0, 0x40, 0, 0, 0x80], [0.5, -1.0]),
        // 24 bits in 4 bytes, to the left and to the right; without and with the long header.
        (fmt(1, 1, 4, 24, None), &[0, 0, 0, 0x40, 0, 0, 0, 0x80], [0.5, -1.0]),
        (fmt(1, 1, 4, 32, Some(24)), &[0, 0, 0, 0x40, 0, 0, 0, 0x80], [0.5, -1.0]),
        (fmt(1, 1, 4, 32, Some(24)), &[1, 0, 0x40, 0, 0, 0, 0x80, 0xff], [0.500_000_1, -1.0]),
        (fmt(1, 1, 3, 24, Some(20)), &[0, 0, 0x40, 0, 0, 0x80], [0.5, -1.0]),
        (fmt(1, 1, 4, 32, Some(0)), &[0, 0, 0, 0x40, 0, 0, 0, 0x80], [0.5, -1.0]),
        (fmt(3, 1, 4, 32, None), &f32s, [0.5, -1.0]),
        (fmt(3, 1, 8, 64, Some(64)), &f64s, [0.5, -1.0]),
        (fmt(6, 1, 1, 8, None), &[0xd5, 0x2a], [8.0 / 32_768.0, -32_256.0 / 32_768.0]),
        (fmt(7, 1, 1, 8, None), &[0x80, 0x00], [32_124.0 / 32_768.0, -32_124.0 / 32_768.0]),
    ];
    for (i, (fmt, data, want)) in rows.into_iter().enumerate() {
        let got = plain(&simple(fmt, data)).unwrap_or_else(|e| panic!("{i}: {e}"));
        assert_eq!(got.values, want, "{i}");
    }
    for code in [2, 0x11, 0x55, 0x1234] {
        let e = plain(&simple(fmt(code, 1, 1, 8, None), &[0, 0])).unwrap_err();
        assert!(matches!(e, SensorError::Unsupported { .. }) && e.hint().contains("ffmpeg"), "{e}");
    }
    for bad in
        [fmt(1, 0, 2, 16, None), fmt(1, 1, 9, 72, None), fmt(3, 1, 2, 16, None), vec![1, 0], fmt(1, 2000, 2, 16, None)]
    {
        assert!(matches!(plain(&simple(bad, &[0; 8])), Err(SensorError::Binary { .. })));
    }
}

#[test]
fn chunks_in_any_order_and_byte_order() {
    let data = vec![0, 0x40, 0, 0x80];
    let before = [(b"JUNK", vec![1; 7]), (b"bext", vec![b'x'; 603]), (b"fmt ", fmt(1, 1, 2, 16, None))];
    let list = before.iter().cloned().chain([(b"data", data.clone()), (b"LIST", vec![0; 3])]);
    let whole = chunks(b"RIFF", &list.collect::<Vec<_>>());
    assert_eq!(plain(&whole).unwrap().values, [0.5, -1.0]);
    // The byte after the odd sizes left out.
    let mut packed = whole[..12].to_vec();
    packed.extend(b"JUNK\x07\0\0\0\x01\x01\x01\x01\x01\x01\x01");
    packed.extend(b"fmt \x10\0\0\0");
    packed.extend(fmt(1, 1, 2, 16, None));
    packed.extend(b"data\x04\0\0\0\0\x40\0\x80");
    assert_eq!(plain(&packed).unwrap().values, [0.5, -1.0]);
    let mut big = fmt(1, 1, 2, 16, None);
    [0..2, 2..4, 4..8, 8..12, 12..14, 14..16].into_iter().for_each(|r: std::ops::Range<usize>| big[r].reverse());
    let file = chunks(b"RIFX", &[(b"fmt ", big), (b"data", vec![0x40, 0, 0x80, 0])]);
    assert_eq!(plain(&file).unwrap().values, [0.5, -1.0]);
    let none = chunks(b"RIFF", &[(b"data", data)]);
    assert!(matches!(plain(&none), Err(SensorError::Binary { what: "chunk", .. })));
}

#[test]
fn sizes_of_streams_and_of_64_bits() {
    let whole = simple(fmt(1, 1, 2, 16, None), &[0, 0x40, 0, 0x80]);
    let with = |riff: u32, data: u32, tail: &[u8]| {
        let mut bytes = whole.clone();
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        bytes[40..44].copy_from_slice(&data.to_le_bytes());
        bytes.extend(tail);
        bytes
    };
    for (riff, data, tail) in [(!0, !0, &[][..]), (0, 0, &[]), (36, 0, &[]), (!0, 0x7fff_ffff, &[]), (0, !0, &[9])] {
        assert_eq!(plain(&with(riff, data, tail)).unwrap().values, [0.5, -1.0], "{riff:#x} {data:#x}");
    }
    let e = plain(&with(40, 100, &[])).unwrap_err();
    assert!(matches!(e, SensorError::Truncated { what: "samples", offset: 44, expected: 100, found: 4, .. }), "{e}");
    let empty = simple(fmt(1, 1, 2, 16, None), &[]);
    assert!(matches!(plain(&empty), Err(SensorError::Empty { .. })));
    let empty = chunks(b"RIFF", &[(b"fmt ", fmt(1, 1, 2, 16, None)), (b"data", vec![]), (b"LIST", vec![0; 4])]);
    assert!(matches!(plain(&empty), Err(SensorError::Empty { .. })));
    for id in [b"RF64", b"BW64"] {
        let sizes: Vec<u8> = [100u64, 4, 2].iter().flat_map(|v| v.to_le_bytes()).chain([0; 4]).collect();
        let mut wide =
            chunks(id, &[(b"ds64", sizes), (b"fmt ", fmt(1, 1, 2, 16, None)), (b"data", vec![0, 0x40, 0, 0x80])]);
        let at = wide.len() - 8;
        wide[at..at + 4].copy_from_slice(&[0xff; 4]);
        wide.extend(b"LIST\x02\0\0\0ab");
        assert_eq!(plain(&wide).unwrap().values, [0.5, -1.0]);
    }
}

#[test]
fn other_kinds_are_named() {
    for (bytes, text) in [(&b"caff\0\x01"[..], "Core Audio"), (b"\0\0\0\x20ftypM4A ", "MP4"), (b"riff....", "Wave64")] {
        let e = plain(bytes).unwrap_err();
        assert!(e.to_string().contains(text) && e.hint().contains("ffmpeg"), "{e}");
    }
    assert!(matches!(plain(b"hello"), Err(SensorError::Binary { what: "audio", .. })));
}

#[cfg(feature = "audio")]
#[test]
fn compressed_audio_is_cut_with_an_error() {
    for bytes in [&b"fLaC"[..], b"OggS", b"ID3\x04\0\0\0\0\0\0", &[0xff, 0xfb, 0x90, 0x64], b"fLaC\0\0\0\x22"] {
        let e = plain(bytes).unwrap_err();
        assert!(matches!(e, SensorError::Audio { .. }), "{e}");
    }
}
