//! Damaged files: whatever the bytes, a reader gives recordings that keep their promises, or a typed error.

use bitspike_sensors::{
    Axes, CsvFormat, Format, Missing, NpyFormat, RawFormat, RawNumber, RowKind, SensorError, TimeFaults, TimeUnit,
    TsFormat, WavFormat, decode,
};
use proptest::prelude::*;
use std::io::Cursor;

/// A small file of each format, and whether every cut of it must be an error.
fn samples() -> Vec<(&'static str, Format, Vec<u8>, bool)> {
    let csv = Format::Csv(CsvFormat {
        time_column: Some("t".into()),
        time_unit: TimeUnit::Ms,
        label_column: Some("what".into()),
        skip_lines: 1,
        ..CsvFormat::default()
    });
    let csv_text = "made by hand\nt,\"a\",b,what\n0,1.5,-2e3,\"x, y\"\n10,0,NaN,\"x, y\"\n20,3,4,z\n";
    let ts = "# c\n@problemName d\n@equalLength true\n@dimensions 2\n@seriesLength 2\n@classLabel true a b\n@data\n\
              1,2:3,4:a\n5,?:7,8:b\n";
    let mut npy = b"\x93NUMPY\x01\0".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    (0..6).for_each(|i| npy.extend((i as f32).to_le_bytes()));
    let wav = |bits, sample_format| {
        let spec = hound::WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: bits, sample_format };
        let mut out = Cursor::new(vec![]);
        let mut writer = hound::WavWriter::new(&mut out, spec).unwrap();
        for i in 0..6 {
            match sample_format {
                hound::SampleFormat::Int => writer.write_sample(i * 20).unwrap(),
                hound::SampleFormat::Float => writer.write_sample(i as f32 / 8.0).unwrap(),
            }
        }
        writer.finalize().unwrap();
        out.into_inner()
    };
    let utf16: Vec<u8> = "\u{feff}# c\nt;a\n22:13:20,5;1,5\n22:13:21,5;N/A\n22:13:22,5;3\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let dates = CsvFormat {
        separator: ';',
        decimal: ',',
        time_column: Some("t".into()),
        time_faults: TimeFaults::Cut,
        ..CsvFormat::default()
    };
    let series = CsvFormat {
        separator: ' ',
        rows: RowKind::Series,
        header: false,
        label_column: Some("first".into()),
        row_end: ";".into(),
        ..CsvFormat::default()
    };
    let mut aiff = b"FORM\0\0\0\x36AIFCCOMM\0\0\0\x18\0\x01\0\0\0\x03\0\x10\x40\x0b\xfa\0\0\0\0\0\0\0sowt\0\0".to_vec();
    aiff.extend(b"SSND\0\0\0\x0e\0\0\0\0\0\0\0\0\x01\x02\x03\x04\x05\x06");
    let raw = RawFormat { number: RawNumber::F32le, columns: vec!["x".into(), "y".into()], scale: 2.0 };
    vec![
        ("csv", csv, csv_text.into(), false),
        ("ts", Format::Ts(TsFormat {}), ts.into(), false),
        ("npy", Format::Npy(NpyFormat { axes: Axes::Cl }), npy, true),
        ("wav 8", Format::Wav(WavFormat { mono: true }), wav(8, hound::SampleFormat::Int), true),
        ("wav 24", Format::Wav(WavFormat::default()), wav(24, hound::SampleFormat::Int), true),
        ("wav f32", Format::Wav(WavFormat::default()), wav(32, hound::SampleFormat::Float), true),
        ("raw", Format::Raw(raw), [1f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect(), false),
        ("utf-16", Format::Csv(dates), utf16, false),
        ("series", Format::Csv(series), b" 1 0.5  2e1 NaN 3;\n 2  1 2 NaN NaN ;\n".to_vec(), false),
        ("aiff", Format::Audio(WavFormat::default()), aiff, true),
    ]
}

/// Reads, and holds what came out against what the documentation promises.
fn check(name: &str, format: &Format, bytes: &[u8], missing: Missing) -> Result<(), SensorError> {
    let found = decode("sample.x".as_ref(), bytes, format, missing)?;
    assert!(!found.is_empty(), "{name}");
    for r in found {
        assert!(!r.is_empty() && r.values.len() == r.len() * r.channels.len(), "{name}: {r:?}");
        assert!(r.values.iter().all(|v| v.is_finite()), "{name}: {r:?}");
        assert!(r.rate_hz.is_none_or(|r| r.is_finite() && r > 0.0), "{name}: {r:?}");
    }
    Ok(())
}

#[test]
fn whole_files_are_read() {
    for (name, format, bytes, _) in samples() {
        check(name, &format, &bytes, Missing::Linear).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn cut_off_at_every_byte() {
    for (name, format, bytes, strict) in samples() {
        for n in 0..bytes.len() {
            for missing in [Missing::Error, Missing::Hold] {
                let result = check(name, &format, &bytes[..n], missing);
                assert!(!strict || result.is_err(), "{name} cut at {n}");
                if let Err(e) = result {
                    let text = e.to_string();
                    assert!(text.contains("sample.x"), "{name} cut at {n}: {text}");
                    let placed =
                        ["line", "byte", "no sample in it", "no value at all"].iter().any(|w| text.contains(w));
                    assert!(placed && !e.hint().is_empty(), "{name} cut at {n}: {text}");
                }
            }
        }
    }
}

#[test]
fn a_cut_text_loses_rows_but_changes_none_before_the_last() {
    let (_, format, bytes, _) = samples().swap_remove(1);
    let whole = decode("s".as_ref(), &bytes, &format, Missing::Hold).unwrap();
    for n in 0..bytes.len() {
        if let Ok(part) = decode("s".as_ref(), &bytes[..n], &format, Missing::Hold) {
            let sure = part.len() - 1;
            assert_eq!(part[..sure], whole[..sure], "{n}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_bytes(which in 0usize..10, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (name, format, mut bytes, _) = samples().swap_remove(which);
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        _ = check(name, &format, &bytes, Missing::Hold);
        _ = check(name, &format, &bytes, Missing::Error);
    }

    #[test]
    fn moved_and_doubled_bytes(which in 0usize..10, a: prop::sample::Index, b: prop::sample::Index, to: prop::sample::Index) {
        let (name, format, mut bytes, _) = samples().swap_remove(which);
        let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
        let part = bytes[a.min(b)..a.max(b)].to_vec();
        let at = to.index(bytes.len());
        bytes.splice(at..at, part);
        _ = check(name, &format, &bytes, Missing::Value(0.0));
    }

    #[test]
    fn any_bytes(which in 0usize..10, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (name, format, ..) = samples().swap_remove(which);
        _ = check(name, &format, &bytes, Missing::Linear);
    }

    #[test]
    fn text_that_is_nearly_right(which in 0usize..2, text in "[-@a-b,:;.\"0-9e\n?# ]{0,80}") {
        let (name, format, bytes, _) = samples().swap_remove(which);
        let head = String::from_utf8(bytes).unwrap();
        let head = if which == 0 { &head[..27] } else { head.split_once("@data\n").unwrap().0 };
        let all = if which == 0 { format!("{head}{text}") } else { format!("{head}@data\n{text}") };
        _ = check(name, &format, all.as_bytes(), Missing::Hold);
    }
}
