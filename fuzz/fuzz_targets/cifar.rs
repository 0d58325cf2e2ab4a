//! CIFAR files: whatever the bytes, a typed error or whole records with labels in range.
#![no_main]

use bitspike_data::format::cifar::{CifarKind, parse};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    for (kind, classes) in [(CifarKind::Cifar10, 10), (CifarKind::Cifar100, 100)] {
        if let Ok(r) = parse(Path::new("fuzz"), bytes, kind) {
            assert_eq!(r.pixels.len(), r.labels.len() * 3072);
            assert!(!r.labels.is_empty() && r.labels.iter().all(|l| *l < classes));
        }
    }
});
