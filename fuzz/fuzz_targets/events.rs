//! Event files, told by their content or read as a format that the first byte names.
#![no_main]

use bitspike_events::{Event, EventReader, Format, ReadOptions, TimeUnit};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut options = ReadOptions::default().with_time_unit(TimeUnit::Micros);
    options.format = Format::ALL.get(usize::from(*first)).copied();
    let Ok(mut reader) = EventReader::from_bytes(Path::new("fuzz"), rest.to_vec(), &options) else { return };
    let mut batch = [Event::default(); 61];
    loop {
        match reader.read(&mut batch) {
            Ok(0) => return,
            Ok(n) => assert!(n <= batch.len()),
            Err(e) => {
                assert!(!e.hint().is_empty());
                assert_eq!(reader.read(&mut batch).unwrap(), 0, "after an error the reader is at its end");
                return;
            }
        }
    }
});
