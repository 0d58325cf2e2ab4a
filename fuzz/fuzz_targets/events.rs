//! Event files, told by their content or read as a format that the first byte names.
#![no_main]

use bitspike_events::{Columns, Event, EventReader, Format, ReadOptions, TimeUnit};
use bitspike_fuzz::quiet;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    quiet();
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut options = ReadOptions::default().with_time_unit(TimeUnit::Micros);
    options.format = Format::ALL.get(usize::from(*first)).copied();
    let open = || EventReader::from_bytes(Path::new("fuzz"), rest.to_vec(), &options);
    let (Ok(mut rows), Ok(mut columns)) = (open(), open()) else { return };
    // Small batches of rows go the careful way, large ones of columns the fast one.
    let (mut batch, mut events) = ([Event::default(); 61], Vec::new());
    let row_error = loop {
        match rows.read(&mut batch) {
            Ok(0) => break None,
            Ok(n) => events.extend_from_slice(&batch[..n]),
            Err(e) => {
                assert!(!e.hint().is_empty());
                assert_eq!(rows.read(&mut batch).unwrap(), 0, "after an error the reader is at its end");
                break Some(e.to_string());
            }
        }
    };
    let (mut batch, mut at) = (Columns::new(300), 0);
    let column_error = loop {
        match columns.read_columns(&mut batch) {
            Ok(0) => break None,
            Ok(n) => {
                for i in 0..n {
                    let e = Event::new(batch.t()[i], batch.x()[i], batch.y()[i], batch.p()[i]);
                    assert_eq!(Some(&e), events.get(at + i), "columns are the same events as rows");
                }
                at += n;
            }
            Err(e) => break Some(e.to_string()),
        }
    };
    assert_eq!((at, column_error), (events.len(), row_error));
});
