//! File formats, one per file. Each parser takes the bytes of a file (plain or gzip) and the path for its messages.

pub mod cifar;
pub mod folder;
pub mod idx;
pub(crate) mod image_file;
