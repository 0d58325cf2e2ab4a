//! CRC-32C as the TFRecord framing wants it.
//!
//! TFRecord stores a *masked* CRC, because a CRC over data that itself holds CRCs is weak:
//! mask(c) = rotate_right(c, 15) + 0xA282EAD8.

use crc32c::crc32c;

/// The masked CRC that stands in a TFRecord.
pub(crate) fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
    #[test]
    fn known_check_values() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, crc) in [
            (&b"123456789"[..], 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&descending, 0x113F_DB5C),
            (b"", 0),
        ] {
            assert_eq!(crc32c(bytes), crc, "{bytes:?}");
        }
    }
}
