//! Files that were changed on purpose.

use bitspike_format::crc32c;

/// Offsets of the front, see `docs/reference/format.md`.
const CHECKSUM: usize = 92;
pub const TABLE: usize = 28;

/// Makes all checksums fit again: what a hostile writer would do.
pub fn reseal(bytes: &mut [u8]) {
    // Layers with integers have a section more, and so has what the network is fed with.
    let sections = match bytes[8] {
        0 | 1 => 4,
        2 => 5,
        3 | 4 => 4 + usize::from(bytes[10] == 5),
        5.. => 5 + usize::from(bytes[10] == 6),
    };
    let checksum = CHECKSUM + 16 * (sections - 4);
    let checksum = if bytes.len() >= checksum + 4 { checksum } else { CHECKSUM };
    let u32_at = |b: &[u8], i: usize| u32::from_le_bytes(b[i..i + 4].try_into().unwrap()) as usize;
    for entry in (TABLE..checksum).step_by(16) {
        let (start, length) = (u32_at(bytes, entry + 4), u32_at(bytes, entry + 8));
        if let Some(body) = bytes.get(start..start.saturating_add(length)) {
            let crc = crc32c(body);
            bytes[entry + 12..entry + 16].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let crc = crc32c(&bytes[..checksum]);
    bytes[checksum..checksum + 4].copy_from_slice(&crc.to_le_bytes());
}
