//! LZ4 frames, unpacked into a buffer that is used again.
//!
//! `04 22 4d 18`, flags, block size, optional length (8 bytes) and dictionary (4), a check byte; then blocks: size (32
//! bits, the highest: stored), data, optional checksum; a size of 0, and an optional checksum of the content. Source:
//! the LZ4 frame format description 1.6. A decoder that keeps its buffers from packet to packet is the reason for this
//! file: packets are small, and buffers of the largest block size for each cost more than the unpacking.

use crate::input::u32_le;
use std::hash::Hasher as _;
use twox_hash::XxHash32;

/// Blocks may refer to this many bytes before them.
const WINDOW: usize = 1 << 16;

/// Unpacks one frame to the front of `out`, which grows as needed; returns the length, or `None` if that is beyond `limit`.
pub(crate) fn unpack(data: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<Option<usize>, String> {
    let cut = || "the frame ends too early".to_string();
    let take = |at: usize, n: usize| at.checked_add(n).and_then(|e| data.get(at..e)).ok_or_else(cut);
    if take(0, 4)? != [0x04, 0x22, 0x4d, 0x18] {
        return Err(format!("not a frame, begins with {:02x?}", &data[..4]));
    }
    let (flags, size) = (take(4, 1)?[0], take(5, 1)?[0] >> 4 & 7);
    if flags >> 6 != 1 || flags & 1 != 0 || size < 4 {
        return Err(format!("flags {flags:02x}, block size {size}: version 1 without a dictionary is known"));
    }
    let (linked, block_sums, sum) = (flags & 0x20 == 0, flags & 0x10 != 0, flags & 4 != 0);
    let mut at = 6 + if flags & 8 != 0 { 8 } else { 0 };
    let check = take(at, 1)?[0];
    if (XxHash32::oneshot(0, &data[4..at]) >> 8) as u8 != check {
        return Err("the check byte of the frame does not fit".into());
    }
    at += 1;
    // 64 KiB, 256 KiB, 1 MiB or 4 MiB.
    let most = 1usize << (8 + 2 * size);
    let mut length = 0;
    loop {
        let head = u32_le(take(at, 4)?);
        at += 4;
        if head == 0 {
            break;
        }
        let (stored, packed) = (head >> 31 != 0, (head & 0x7fff_ffff) as usize);
        let block = take(at, packed)?;
        at += packed;
        if block_sums {
            if XxHash32::oneshot(0, block) != u32_le(take(at, 4)?) {
                return Err("the checksum of a block does not fit".into());
            }
            at += 4;
        }
        // A byte of LZ4 holds at most 255: more room is never needed.
        let room = if stored { packed } else { most.min(packed.saturating_mul(255)) };
        if stored && packed > most {
            return Err(format!("a block of {packed} bytes where blocks have at most {most}"));
        }
        if length > limit {
            return Ok(None);
        }
        if out.len() < length + room {
            out.resize(length + room, 0);
        }
        let (before, target) = out.split_at_mut(length);
        let target = &mut target[..room];
        if stored {
            target.copy_from_slice(block);
            length += packed;
        } else {
            let done = if linked && length > 0 {
                let window = &before[length.saturating_sub(WINDOW)..];
                lz4_flex::block::decompress_into_with_dict(block, target, window)
            } else {
                lz4_flex::block::decompress_into(block, target)
            };
            length += done.map_err(|e| e.to_string())?;
        }
    }
    if sum {
        let mut hash = XxHash32::with_seed(0);
        hash.write(&out[..length]);
        if hash.finish() as u32 != u32_le(take(at, 4)?) {
            return Err("the checksum of the content does not fit".into());
        }
    }
    Ok(Some(length).filter(|n| *n <= limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write as _;

    #[test]
    fn frames_of_every_kind_are_unpacked_and_cuts_are_seen() {
        // Repeats itself over more than a block, with stretches that do not pack.
        let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8;
        let content: Vec<u8> =
            (0..200_000).map(|i| if i % 70_000 < 30_000 { noise(i) } else { (i / 9) as u8 }).collect();
        let mut out = Vec::new();
        for mode in [BlockMode::Independent, BlockMode::Linked] {
            for sums in [false, true] {
                let info = FrameInfo::new()
                    .block_mode(mode)
                    .block_size(BlockSize::Max64KB)
                    .block_checksums(sums)
                    .content_checksum(sums);
                let mut e = FrameEncoder::with_frame_info(info, Vec::new());
                e.write_all(&content).unwrap();
                let packed = e.finish().unwrap();
                let n = unpack(&packed, &mut out, 1 << 20).unwrap().unwrap();
                assert!(out[..n] == content, "{mode:?}, checksums {sums}");
                assert_eq!(unpack(&packed, &mut out, n - 1), Ok(None), "beyond the limit");
                for cut in (0..packed.len()).step_by(997) {
                    assert!(unpack(&packed[..cut], &mut out, 1 << 20).is_err(), "{mode:?} cut at {cut}");
                }
                if sums {
                    let mut bad = packed.clone();
                    bad[packed.len() / 2] ^= 1;
                    assert!(unpack(&bad, &mut out, 1 << 20).is_err());
                }
            }
        }
    }
}
