//! IDX files: whatever the bytes, a typed error or content that agrees with its header.
#![no_main]

use bitspike_data::format::idx::{parse_images, parse_labels};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(i) = parse_images(Path::new("fuzz"), bytes) {
        assert_eq!(i.pixels.len(), i.count * i.height * i.width);
    }
    if let Ok(labels) = parse_labels(Path::new("fuzz"), bytes, 10) {
        assert!(!labels.is_empty() && labels.iter().all(|l| *l < 10));
    }
});
