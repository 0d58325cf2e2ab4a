//! Recordings of sensors, read as the format that the first byte names, as a whole or as a stream.
#![no_main]

use bitspike_fuzz::quiet;
use bitspike_sensors::{
    CsvFormat, Fitted, Format, Missing, RowKind, Scaler, SensorConfig, Streamed, TimeFaults, Window, decode,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    quiet();
    let Some((first, rest)) = bytes.split_first() else { return };
    let csv = CsvFormat {
        time_column: (first & 8 != 0).then(|| "t".into()),
        time_faults: if first & 32 != 0 { TimeFaults::Cut } else { TimeFaults::Error },
        separator: if first & 64 != 0 { ' ' } else { ',' },
        ..CsvFormat::default()
    };
    if first & 128 != 0 {
        return stream(first & 1 != 0, csv, rest);
    }
    let series = CsvFormat { rows: RowKind::Series, label_column: Some("first".into()), ..CsvFormat::default() };
    let format = match first & 7 {
        0 => Format::Csv(csv),
        6 => Format::Csv(CsvFormat { header: false, ..series }),
        1 => Format::Ts(Default::default()),
        2 => Format::Npy(Default::default()),
        3 => Format::Audio(Default::default()),
        4 => Format::Parquet(Default::default()),
        _ => Format::Raw(Default::default()),
    };
    let missing = if first & 16 != 0 { Missing::Error } else { Missing::Linear };
    match decode("fuzz".as_ref(), rest, &format, missing) {
        Ok(found) => {
            assert!(found.iter().all(|r| !r.is_empty() && r.values.iter().all(|v| v.is_finite())));
        }
        Err(e) => assert!(!e.hint().is_empty()),
    }
});

/// Windows of two samples of a channel `a`, or of counts.
fn stream(raw: bool, csv: CsvFormat, bytes: &[u8]) {
    let format = if raw { Format::Raw(Default::default()) } else { Format::Csv(csv) };
    let channels = vec![if raw { "x".into() } else { "a".into() }];
    let scaler = Scaler { centre: vec![0.0], scale: vec![1.0] };
    let fitted = Fitted { channels, window: 2, rate_hz: Some(10.0), scaler };
    let window = Window { length: Some(2), hop: Some(3), ..Default::default() };
    let config = SensorConfig { path: ".".into(), missing: Missing::Hold, format, window, ..Default::default() };
    let windows = Streamed::new("fuzz".as_ref(), bytes, &config, fitted);
    let all = windows.and_then(|mut windows| {
        while let Some(window) = windows.next()? {
            assert_eq!(window.input.len(), 2);
        }
        Ok(())
    });
    if let Err(e) = all {
        assert!(!e.hint().is_empty());
    }
}
