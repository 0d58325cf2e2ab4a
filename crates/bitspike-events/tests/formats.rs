//! Every format on small fabricated files: content, cuts at every byte, arbitrary bytes, and what is wrong in a file.

mod common;

use bitspike_events::{Columns, ErrorKind, Event, EventError, EventReader, Format, ReadOptions, TimeUnit};
use common::{aedat2, aedat4, drain, evt21, open, plain, read, samples, written};
use proptest::prelude::*;

#[test]
fn every_format_holds_the_same_events() {
    for s in samples(40) {
        assert_eq!(read(&s), s.events, "{}", s.name);
        let (events, error) = drain(&s.bytes, (!s.detected).then_some(s.format));
        assert!(error.is_none(), "{}: {error:?}", s.name);
        assert_eq!(events, s.events, "{} by its content", s.name);
    }
}

#[test]
fn the_sensor_size_is_known_where_the_file_says_it() {
    for s in samples(3) {
        let expected = match (s.format, s.name) {
            (_, "aedat2 DAVIS") | (Format::Mat, _) => Some((240, 180)),
            (Format::Dat | Format::Evt3 | Format::Aedat2 | Format::Aedat4 | Format::Es, _) => Some((128, 128)),
            _ => None,
        };
        assert_eq!(open(&s, &s.bytes).unwrap().geometry(), expected, "{}", s.name);
    }
}

/// A cut gives a typed error, with an offset within the file, or the whole events before it where no format could
/// tell: at the end of a record of a format without a length, or after a packet.
#[test]
fn every_cut_is_an_error_or_whole_events() {
    for s in samples(24) {
        let mut silent = Vec::new();
        for cut in 0..s.bytes.len() {
            let (events, error) = drain(&s.bytes[..cut], Some(s.format));
            assert_eq!(events, s.events[..events.len()], "{} cut at {cut}: wrong events", s.name);
            match error {
                Some(e) => {
                    assert!(e.kind() == ErrorKind::Corrupt || s.data_at > cut, "{} cut at {cut}: {e}", s.name);
                    assert!(e.offset().is_none_or(|o| o <= cut as u64), "{} cut at {cut}: {e}", s.name);
                    assert!(!e.hint().is_empty());
                }
                None => silent.push(cut),
            }
        }
        for cut in silent {
            let record_end = s.record.is_some_and(|r| cut >= s.data_at && (cut - s.data_at) % r == 0);
            let ok = match (s.format, s.name) {
                _ if record_end => true,
                // Text headers: what is left is a file with no events, or a header that says less.
                (Format::Dat | Format::Evt2 | Format::Evt21 | Format::Evt3 | Format::Aedat2 | Format::Bin40, _) => {
                    cut < s.data_at
                }
                // Between packets, or after the header.
                (Format::Aedat3, _) => [0, 36].contains(&(cut - s.data_at)),
                // After any event, and within the bytes that only pass time.
                (Format::Es, _) => cut >= s.data_at,
                (Format::Csv, _) => s.bytes[cut - 1] == b'\n',
                _ => false,
            };
            assert!(ok, "{} cut at {cut} of {} goes unnoticed", s.name, s.bytes.len());
        }
    }
}

#[test]
fn a_cut_between_packets_is_seen_if_the_header_says_where_they_end() {
    let events = plain(10);
    let (whole, at) = aedat4(&events, 0, false);
    assert_eq!(drain(&whole, None).0, events);
    // After the packet that holds no events, and after the first half of the events.
    let second = at + 8 + 10;
    let third = second + 8 + u32::from_le_bytes(whole[second + 4..second + 8].try_into().unwrap()) as usize;
    for (cut, n) in [(second, 0), (third, 5)] {
        let (got, error) = drain(&whole[..cut], None);
        assert!(error.is_none() && got == events[..n], "without a data table the cut cannot be seen");
        let (got, error) = drain(&aedat4(&events, 0, true).0[..cut], None);
        assert!(matches!(error, Some(EventError::Truncated { offset, .. }) if offset == cut as u64), "{error:?}");
        assert_eq!(got, events[..n]);
    }
}

#[test]
fn vectors_of_evt2_1_are_unpacked_in_any_order_of_halves() {
    let mut events: Vec<Event> = (0..32).map(|i| Event::new(1000, 40 + i, 7, true)).collect();
    events.extend((0..32).filter(|i| i % 5 == 0).map(|i| Event::new(1003, 90 + i, 8, false)));
    for (header, legacy) in [
        ("evt 2.1", false),
        ("evt 2.1", true),
        ("format EVT21;endianness=legacy;height=9;width=130", true),
        ("format EVT21;endianness=little;height=9;width=130", false),
    ] {
        let (bytes, at) = evt21(&events, header, legacy);
        assert_eq!(bytes.len() - at, 8 * 3, "one time high, two vectors");
        assert_eq!(drain(&bytes, None).0, events, "{header}, halves exchanged: {legacy}");
    }
}

#[test]
fn vectors_of_evt3_continue_where_the_last_ended() {
    let mut b = b"% evt 3.0\n".to_vec();
    // Time high 1, low 2, row 5, base 10 ON, 12 bits, 12 bits, 8 bits, then a single event OFF.
    for w in [0x8001u16, 0x6002, 0x0005, 0x380a, 0x4801, 0x4002, 0x5081, 0x2003] {
        b.extend_from_slice(&w.to_le_bytes());
    }
    let t = 4096 + 2;
    let on = [10, 21, 23, 34, 41].map(|x| Event::new(t, x, 5, true));
    let (events, error) = drain(&b, None);
    assert!(error.is_none());
    assert_eq!(events, [&on[..], &[Event::new(t, 3, 5, false)]].concat());
}

#[test]
fn times_that_overflow_are_unrolled() {
    let highs = |highs: &[u16]| {
        let mut b = b"% evt 3.0\n".to_vec();
        for h in highs {
            for w in [0x8000 | h, 0x6001, 0x0000, 0x2000] {
                b.extend_from_slice(&w.to_le_bytes());
            }
        }
        drain(&b, None).0.iter().map(|e| e.t).collect::<Vec<_>>()
    };
    assert_eq!(highs(&[4095, 0, 1]), [(4095 << 12) + 1, (4096 << 12) + 1, (4097 << 12) + 1]);
    assert_eq!(highs(&[5, 4, 5]), [(5 << 12) + 1, (4 << 12) + 1, (5 << 12) + 1], "a small step back is no overflow");

    let mut dat = b"% Version 2\n\x0c\x08".to_vec();
    for t in [u32::MAX - 1, 3] {
        dat.extend_from_slice(&t.to_le_bytes());
        dat.extend_from_slice(&[1, 0, 0, 0x10]);
    }
    assert_eq!(drain(&dat, None).0.iter().map(|e| e.t).collect::<Vec<_>>(), [(1 << 32) - 2, (1 << 32) + 3]);

    let mut evt2 = b"% evt 2.0\n".to_vec();
    for w in [0x8fff_ffffu32, 0, 0x8000_0000, 0x1000_0000] {
        evt2.extend_from_slice(&w.to_le_bytes());
    }
    assert_eq!(drain(&evt2, None).0.iter().map(|e| e.t).collect::<Vec<_>>(), [(1 << 34) - 64, 1 << 34]);

    // N-MNIST's mark adds 2^13; 127 µs of Event Stream are a byte.
    let marked = [1, 1, 0, 0, 5, 9, 240, 0, 0, 0, 1, 1, 0, 0, 6];
    assert_eq!(drain(&marked, Some(Format::Bin40)).0.iter().map(|e| e.t).collect::<Vec<_>>(), [5, 8192 + 6]);
    let mut es = written(&[], Format::Es);
    es.extend_from_slice(&[0xff, 0xfe, 0xff, 0x03, 1, 0, 0, 0]);
    assert_eq!(drain(&es, None).0, [Event::new(255, 1, 127, true)]);

    // AEDAT 3.1 counts overflows of 31 bits in the packet.
    let mut s = samples(2).into_iter().find(|s| s.name == "aedat3").unwrap();
    let at = s.data_at + 36 + 12;
    s.bytes[at] = 2;
    assert_eq!(read(&s)[0].t, (2 << 31) + s.events[0].t);
}

#[test]
fn events_without_a_time_are_left_out() {
    let mut b = b"% evt 3.0\n".to_vec();
    for w in [0x0001u16, 0x2001, 0x3001, 0x4fff, 0x8001, 0x6000, 0x2007] {
        b.extend_from_slice(&w.to_le_bytes());
    }
    assert_eq!(drain(&b, None).0, [Event::new(4096, 7, 1, false)]);
    let mut b = b"% evt 2.0\n".to_vec();
    for w in [0x1000_0801u32, 0x8000_0001, 0x1000_0801] {
        b.extend_from_slice(&w.to_le_bytes());
    }
    assert_eq!(drain(&b, None).0, [Event::new(64, 1, 1, true)]);
}

#[test]
fn wrong_files_name_the_place_and_the_reason() {
    let bad_word = [b"% evt 2.0\n".as_slice(), &[0, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0x50]].concat();
    let bad_place = [written(&[], Format::Es), vec![0, 200, 0, 0, 0]].concat();
    let [dvs, davis] = ["DVS128", "DAVIS240C"].map(|c| aedat2(&[], c).0);
    let off_sensor = [davis, vec![0, 0xff, 0x00, 0, 0, 0, 0, 9]].concat();
    let mut cut_text = written(&plain(2), Format::Csv);
    cut_text.pop();
    let unknown_chip = String::from_utf8(dvs).unwrap().replace("DVS128", "Cochlea").into_bytes();
    let cases: Vec<(&str, Vec<u8>, Option<Format>, &str)> = vec![
        ("word", bad_word, None, "test: byte 21: EVT2 word type: expected 0, 1, 8, 10, 14 or 15, found 5"),
        ("place", bad_place, None, "test: byte 21: place of an event: expected below (128, 128), found (200, 0)"),
        (
            "sensor",
            off_sensor,
            None,
            "test: byte 52: AEDAT 2.0 address: expected a place within 240 x 180 of Davis240, found 0x00ff0000",
        ),
        ("chip", unknown_chip, None, "test: byte 45: AEDAT 2.0 of the chip \"net.example.Cochlea\" is not read"),
        (
            "no chip",
            b"#!AER-DAT2.0\r\n\x00\x01\x00\x00\x00\x00\x00\x01".to_vec(),
            None,
            "test: byte 14: AEDAT 2.0 address: expected 16 bits (no AEChip line, so DVS128; name the camera if it is \
             another), found 0x00010000",
        ),
        (
            "colour",
            b"Event Stream\x02\x00\x00\x04\x40\x01\xf0\x00".to_vec(),
            None,
            "test: byte 0: Event Stream of type 4 (colour) is not read",
        ),
        ("text", cut_text, None, "test: CSV line with its line feed starts at byte 21 and needs 12 bytes, found 11"),
        ("value", b"t_us,x,y,p\n5,1,-2,1\n".to_vec(), None, "test: byte 11: y: expected 0 to 65535, found \"-2\""),
        (
            "columns",
            b"t_us,x,y,p\n5,1,2\n".to_vec(),
            None,
            "test: byte 11: line: expected as many columns as are named, found 3 columns, 4 named",
        ),
        ("empty", Vec::new(), None, "test: byte 0: no known event format, found an empty file"),
        ("noise", vec![0x13; 9], None, "test: byte 0: no known event format, found 13 13 13 13 13 13 13 13 13"),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, format, expected) in cases {
        match drain(&bytes, format).1 {
            Some(e) if e.to_string() == expected => {}
            other => wrong.push(format!(
                "{name}: expected {expected}\n   found {}",
                other.map_or("no error".into(), |e| e.to_string())
            )),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn text_needs_its_columns_and_unit_declared() {
    let read = |text: &str, o: &ReadOptions| {
        EventReader::from_bytes("x.csv".as_ref(), text.into(), o).and_then(|mut r| r.read_all())
    };
    let default = ReadOptions::default();
    let expected = [Event::new(1_500_000, 3, 4, true), Event::new(2_000_001, 0, 9, false)];
    for text in [
        "# a comment\n\nx,y,p,t_s\n3,4,1,1.5\n0,9,0,2.000001\n",
        "timestamp [ms];polarity;extra;y;x\n1500;True;abc;4;3\n2000.001;-1;;9;0\n",
        "t_ns x y on\r\n1500000000 3 4 1\r\n2000001000  0 9 0\r\n",
    ] {
        assert_eq!(read(text, &default).unwrap(), expected, "{text}");
    }
    let no_unit = read("t,x,y,p\n1,2,3,1\n", &default).unwrap_err();
    assert!(matches!(no_unit, EventError::Option { key: "time_unit", .. }), "{no_unit}");
    let o = default.clone().with_format(Format::Csv).with_columns("-,x,y,p,t").with_time_unit(TimeUnit::Seconds);
    assert_eq!(read("7,3,4,1,1.5\n8,0,9,0,2.000001\n", &o).unwrap(), expected);
    let no_names = read("1,2,3,1\n", &default.clone().with_format(Format::Csv)).unwrap_err();
    assert!(matches!(no_names, EventError::Option { key: "columns", .. }), "{no_names}");
    let twice = read("1\n", &default.with_format(Format::Csv).with_columns("t_us,x,x,p")).unwrap_err();
    assert!(matches!(twice, EventError::Option { key: "columns", .. }), "{twice}");
}

#[test]
fn a_stream_reads_like_a_file_but_for_formats_that_jump() {
    for s in samples(30) {
        let options = ReadOptions::default().with_format(s.format);
        let stream = std::io::Cursor::new(s.bytes.clone());
        match EventReader::from_stream("-".as_ref(), stream, &options) {
            Ok(mut r) => assert_eq!(r.read_all().unwrap(), s.events, "{}", s.name),
            Err(e) => {
                let jumps = matches!(s.format, Format::Npz | Format::Parquet);
                assert!(jumps && matches!(e, EventError::NeedsFile { .. }), "{}: {e}", s.name);
            }
        }
    }
}

/// Columns against rows: every format, batches of every size, and damaged files to the same error.
#[test]
fn columns_are_the_same_events_as_rows() {
    for s in samples(700) {
        let mut r = bitspike_events::random(5, 5);
        for round in 0..6 {
            let mut bytes = s.bytes.clone();
            for _ in 0..round {
                let at = s.data_at.min(bytes.len() - 1);
                let at = at + r.below((bytes.len() - at) as u64) as usize;
                bytes[at] = r.next_u64() as u8;
            }
            for capacity in [1, 7, 16, 300, 5000] {
                let (Ok(mut rows), Ok(mut columns)) = (open(&s, &bytes), open(&s, &bytes)) else { continue };
                let (mut batch, mut by_rows) = (vec![Event::default(); capacity], Vec::new());
                let row_error = loop {
                    match rows.read(&mut batch) {
                        Ok(0) => break None,
                        Ok(n) => by_rows.extend_from_slice(&batch[..n]),
                        Err(e) => break Some(e.to_string()),
                    }
                };
                let (mut batch, mut by_columns) = (Columns::new(capacity), Vec::new());
                let column_error = loop {
                    match columns.read_columns(&mut batch) {
                        Ok(0) => break None,
                        Ok(n) => {
                            assert_eq!((batch.len(), batch.t().len(), batch.p().len()), (n, n, n));
                            by_columns.extend(
                                (0..n).map(|i| Event::new(batch.t()[i], batch.x()[i], batch.y()[i], batch.p()[i])),
                            );
                        }
                        Err(e) => break Some(e.to_string()),
                    }
                };
                assert!(batch.is_empty());
                assert!(by_columns == by_rows, "{} round {round}, batches of {capacity}", s.name);
                assert_eq!(column_error, row_error, "{} round {round}, batches of {capacity}", s.name);
            }
        }
    }
}

#[test]
fn columns_unroll_overflows_within_a_block() {
    let times = [5u32, 9, u32::MAX - 3, u32::MAX, 2, 1, 40, 7];
    let mut bytes = b"% Version 2\n\x00\x08".to_vec();
    for k in 0..40usize {
        bytes.extend_from_slice(&times[k * 3 % 8].to_le_bytes());
        bytes.extend_from_slice(&(((k as u32 % 2) << 28) | (3 << 14) | 9).to_le_bytes());
    }
    let read = || EventReader::from_bytes("t".as_ref(), bytes.clone(), &ReadOptions::default()).unwrap();
    let (rows, mut batch) = (read().read_all().unwrap(), Columns::new(64));
    assert_eq!(read().read_columns(&mut batch).unwrap(), 40);
    assert_eq!(batch.t(), rows.iter().map(|e| e.t).collect::<Vec<_>>());
    assert!(batch.t()[39] > 1 << 32);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]

    /// Whatever the bytes: events or a typed error, never a panic or a hang.
    #[test]
    fn arbitrary_bytes_end_in_events_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        drain(&bytes, None);
        for format in Format::ALL {
            let (events, _) = drain(&bytes, Some(format));
            // No format packs more than 32 events into a word of 8 bytes, 12 into one of 2.
            prop_assert!(events.len() <= bytes.len() * 6 || format == Format::Aedat4);
        }
    }

    /// The three decoders with ways of their own for long runs: words in the mixture that sensors write, and in worse ones,
    /// by batches too small for those ways, by large ones, and as columns.
    #[test]
    fn long_runs_are_decoded_as_word_by_word(
        seed in any::<u64>(), length in 0usize..900, worse in 0u64..4, format in 0usize..3, capacity in 60usize..900
    ) {
        let mut r = bitspike_events::random(seed, 1);
        let format = [Format::Evt2, Format::Evt3, Format::Dat][format];
        let mut bytes = match format {
            Format::Evt2 => b"% evt 2.0\n\x07\x00\x00\x80".to_vec(),
            Format::Evt3 => b"% evt 3.0\n\x07\x80".to_vec(),
            _ => b"% Version 2\n\x00\x08".to_vec(),
        };
        let mut time = r.next_u64() as u32;
        for _ in 0..length {
            let (any, kind) = (r.next_u64(), r.below(20));
            match format {
                Format::Evt2 => {
                    let kind = if kind < worse { [8, 10, 14][any as usize % 3] } else { any as u32 >> 31 };
                    bytes.extend_from_slice(&(kind << 28 | any as u32 & 0x0fff_ffff).to_le_bytes());
                }
                Format::Evt3 => {
                    let kind = if kind < worse { [3, 4, 5, 6, 7, 8, 10][any as usize % 7] } else { [0, 2, 2][any as usize % 3] };
                    bytes.extend_from_slice(&(kind << 12 | (any >> 32) as u16 & 0xfff).to_le_bytes());
                    if kind == 3 && any & 1 << 50 != 0 {
                        let three = [4 << 12 | (any >> 20) as u16 & 0xfff, 4 << 12 | (any >> 8) as u16 & 0x11, 5 << 12];
                        three.iter().for_each(|w: &u16| bytes.extend_from_slice(&w.to_le_bytes()));
                    }
                }
                _ => {
                    time = if kind < worse { any as u32 } else { time.wrapping_add(any as u32 >> 28) };
                    bytes.extend_from_slice(&time.to_le_bytes());
                    bytes.extend_from_slice(&((any >> 32) as u32).to_le_bytes());
                }
            }
        }
        let options = ReadOptions::default();
        let read = |capacity: usize| {
            let mut reader = EventReader::from_bytes("t".as_ref(), bytes.clone(), &options).unwrap();
            let (mut all, mut batch) = (Vec::new(), vec![Event::default(); capacity]);
            while let n @ 1.. = reader.read(&mut batch).unwrap() {
                all.extend_from_slice(&batch[..n]);
            }
            all
        };
        let expected = read(1);
        prop_assert!(read(capacity) == expected, "rows of {}", format.name());
        let mut reader = EventReader::from_bytes("t".as_ref(), bytes.clone(), &options).unwrap();
        let (mut all, mut batch) = (Vec::new(), Columns::new(capacity));
        while let n @ 1.. = reader.read_columns(&mut batch).unwrap() {
            all.extend((0..n).map(|i| Event::new(batch.t()[i], batch.x()[i], batch.y()[i], batch.p()[i])));
        }
        prop_assert!(all == expected, "columns of {}", format.name());
    }

    /// Real files with a few bytes changed reach deeper.
    #[test]
    fn damaged_files_end_in_events_or_an_error(
        which in 0usize..18, hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)
    ) {
        let all = samples(12);
        let mut bytes = all[which % all.len()].bytes.clone();
        for (at, value) in hits {
            let i = at.index(bytes.len());
            bytes[i] = value;
        }
        drain(&bytes, Some(all[which % all.len()].format));
        drain(&bytes, None);
    }
}
