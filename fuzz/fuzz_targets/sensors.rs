//! Recordings of sensors, read as the format that the first byte names.
#![no_main]

use bitspike_sensors::{CsvFormat, Format, Missing, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let csv = CsvFormat { time_column: (first & 8 != 0).then(|| "t".into()), ..CsvFormat::default() };
    let format = match first % 5 {
        0 => Format::Csv(csv),
        1 => Format::Ts(Default::default()),
        2 => Format::Npy(Default::default()),
        3 => Format::Wav(Default::default()),
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
