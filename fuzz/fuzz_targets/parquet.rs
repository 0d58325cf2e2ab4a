//! Parquet files column by column: whatever the bytes, a typed error or cells of the kind that the columns state.
#![no_main]

use bitspike_fuzz::quiet;
use bitspike_parquet::{Cell, Kind, Reader};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    quiet();
    let Ok(mut reader) = Reader::new(Box::new(Cursor::new(bytes.to_vec()))) else { return };
    let kinds: Vec<Kind> = reader.columns().iter().map(|c| c.kind).collect();
    let all: Vec<usize> = (0..kinds.len()).collect();
    // All columns at once, and each alone: one that is not read must not keep the others from being read.
    for chosen in std::iter::once(&all[..]).chain(all.chunks(1)) {
        if reader.choose(chosen).is_err() {
            continue;
        }
        let mut rows = 0;
        while let Ok(true) = reader.next_batch() {
            assert!(reader.rows() > 0);
            for row in 0..reader.rows() {
                for (at, column) in chosen.iter().enumerate() {
                    let (cell, kind) = (reader.cell(at, row), kinds[*column]);
                    let fits = match cell {
                        Cell::Null => true,
                        Cell::Bool(_) => kind == Kind::Bool,
                        Cell::Whole(_) => matches!(kind, Kind::Whole | Kind::Unsigned | Kind::Timestamp(_)),
                        Cell::Real(_) => matches!(kind, Kind::Real | Kind::Unsigned),
                        Cell::Text(_) => kind == Kind::Text,
                    };
                    assert!(fits, "{cell:?} in a column of {kind:?}");
                }
            }
            rows += reader.rows();
            // Runs of equal values make a small file stand for very many rows; some of them are enough.
            if rows > 1 << 16 {
                break;
            }
        }
    }
});
