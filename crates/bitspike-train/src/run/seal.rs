//! The checksum of a checkpoint: its last tensor, `seal.crc32c`, four bytes, the CRC-32C of everything before them.
//!
//! safetensors writes tensors by size of element, then by name, so the seal is last among the bytes: every other tensor of
//! bytes is a `flips....recent`. A CRC finds every damage of up to 32 bits in a row; it is no defence against intent.

use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;

pub(crate) const META: &str = "bitspike";
/// Name of the tensor.
pub(crate) const NAME: &str = "seal.crc32c";
/// The format of checkpoints that brought the seal.
const SINCE: u64 = 3;

/// A tensor to be written.
pub(crate) struct Raw {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl safetensors::View for Raw {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The tensor, to be closed once the file is made.
pub(crate) fn tensor() -> (String, Raw) {
    (NAME.to_owned(), Raw { dtype: Dtype::U8, shape: vec![4], bytes: vec![0; 4] })
}

/// Writes the checksum.
pub(crate) fn close(file: &mut [u8]) {
    if let Some((content, seal)) = file.split_last_chunk_mut::<4>() {
        *seal = bitspike_run::crc32c(content).to_le_bytes();
    }
}

/// Whether the file has a checksum. Checkpoints of older formats and files from elsewhere have none.
///
/// # Errors
/// What is wrong: a checksum that is not that of the content, or one that should be there and is not.
pub(crate) fn check(bytes: &[u8], file: &SafeTensors<'_>) -> Result<bool, String> {
    if file.tensor(NAME).is_ok() {
        let (content, seal) = bytes.split_last_chunk::<4>().ok_or("shorter than its checksum")?;
        return match bitspike_run::crc32c(content) == u32::from_le_bytes(*seal) {
            true => Ok(true),
            false => Err("its checksum is not that of its content".to_owned()),
        };
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let json = header.metadata().as_ref().and_then(|m| m.get(META));
    let json = json.and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
    // The metadata of exported parameters has a format too, and no progress.
    match json.filter(|json| json.get("progress").is_some()).and_then(|json| json["format"].as_u64()) {
        Some(format) if format >= SINCE => Err(format!("its checksum, the tensor {NAME}, is missing")),
        _ => Ok(false),
    }
}
