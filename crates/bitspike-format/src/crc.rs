//! CRC-32C (Castagnoli), the checksum of every section.
//!
//! Polynomial 0x1EDC6F41, bits reflected, start and final xor 0xFFFFFFFF: the CRC of iSCSI, with hardware instructions on
//! many processors. Four bits at a time with a table of 64 bytes, because flash is scarcer than the one pass over a file.

const TABLE: [u32; 16] = table();

const fn table() -> [u32; 16] {
    const REFLECTED: u32 = 0x82F6_3B78;
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 4 {
            crc = if crc & 1 == 1 { crc >> 1 ^ REFLECTED } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

/// The checksum of `bytes`.
///
/// ```
/// assert_eq!(bitspike_format::crc32c(b"123456789"), 0xE306_9283);
/// ```
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| crc >> 4 ^ TABLE[(crc & 15) as usize];
    !bytes.iter().fold(!0, |crc, byte| step(step(crc ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn published_vectors() {
        // RFC 3720, appendix B.4.
        let ascending: [u8; 32] = core::array::from_fn(|i| i as u8);
        let descending: [u8; 32] = core::array::from_fn(|i| 31 - i as u8);
        let rows: [(&[u8], u32); 5] = [
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
            (&descending, 0x113F_DB5C),
            (&[], 0),
        ];
        for (bytes, expected) in rows {
            assert_eq!(crc32c(bytes), expected, "{bytes:?}");
        }
    }
}
