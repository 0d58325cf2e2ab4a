//! Single files through `inspect`: PNG, JPEG, IDX, CIFAR or nothing known.
#![no_main]

use bitspike_data::inspect_bytes;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(seen) = inspect_bytes(Path::new("fuzz"), bytes) {
        assert_eq!(seen.files[0].bytes, bytes.len() as u64);
    }
});
