//! Files that claim to be huge: the reader asks for no memory, whatever a number says.
//!
//! One test, because the allocator counts for the whole process.

mod common;

use bitspike_files::Peak;
use bitspike_format::{Model, example};
use common::{TABLE, reseal};

#[global_allocator]
static PEAK: Peak = Peak::new();

#[test]
fn no_number_of_a_file_reserves_memory() {
    let whole = example::tiny();
    assert!(Model::parse(&whole).is_ok());
    let mut refused = 0;
    for at in 0..whole.len() - 4 {
        for value in [u32::MAX, u32::MAX >> 1, 1 << 31, 1 << 16] {
            let mut bytes = whole.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            reseal(&mut bytes);
            let (read, peak) = PEAK.during(|| Model::parse(&bytes).map(|_| ()));
            // The reader asks for none; the thread of the test harness may for a few lines of text.
            assert!(peak < 4096, "{value:#x} at byte {at}: {peak} bytes, {read:?}");
            refused += usize::from(read.is_err());
        }
    }
    // All of the front at least: magic, versions, sizes and the table.
    assert!(refused >= 4 * TABLE, "{refused}");
}
