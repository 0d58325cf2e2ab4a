//! Header, section table and checksums.

use crate::record::{ALIGN, ENDIAN, ENTRY, HEADER, MAGIC, at, front};
use crate::{FormatError, NEWEST, Section, VERSION, VERSION_FEED, VERSION_INTEGERS, VERSION_ROWS, crc32c};

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    match bytes.get(offset..).and_then(|b| b.first_chunk()) {
        Some(b) => u32::from_le_bytes(*b),
        None => 0,
    }
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    match bytes.get(offset..).and_then(|b| b.first_chunk()) {
        Some(b) => u16::from_le_bytes(*b),
        None => 0,
    }
}

/// Version; LAYERS, SIGNS, REALS and META; INTEGERS and FEED, which not every file has.
type Sections<'a> = (u16, [&'a [u8]; 4], [Option<&'a [u8]>; 2]);

/// Checks header and table; returns the sections.
pub(super) fn sections(bytes: &[u8]) -> Result<Sections<'_>, FormatError> {
    let (_, least) = front(4);
    if bytes.len() < least {
        return Err(match bytes.first_chunk() {
            Some(found) if *found != MAGIC => FormatError::Magic { found: *found },
            _ => FormatError::TooShort { needed: least, found: bytes.len() },
        });
    }
    match bytes.first_chunk() {
        Some(found) if *found != MAGIC => return Err(FormatError::Magic { found: *found }),
        _ => {}
    }
    let found = u32_at(bytes, at::ENDIAN);
    if found != ENDIAN {
        return Err(FormatError::Endianness { found });
    }
    let version = u16_at(bytes, at::VERSION);
    if !(VERSION..=NEWEST).contains(&version) {
        return Err(FormatError::Version { found: version });
    }
    let feed = version >= VERSION_FEED;
    // From version 3 on the number of sections says it.
    let with_integers = if feed { 6 } else { 5 };
    let integers =
        version == VERSION_INTEGERS || version >= VERSION_ROWS && u16_at(bytes, at::SECTIONS) == with_integers;
    let count = 4 + usize::from(integers) + usize::from(feed);
    let (checksum, mut end) = front(count);
    let (Some(before), Some(table)) = (bytes.get(..checksum), bytes.get(HEADER..checksum)) else {
        return Err(FormatError::TooShort { needed: end, found: bytes.len() });
    };
    if bytes.len() < end {
        return Err(FormatError::TooShort { needed: end, found: bytes.len() });
    }
    let (stated, computed) = (u32_at(bytes, checksum), crc32c(before));
    if stated != computed {
        return Err(FormatError::HeaderChecksum { stated, computed });
    }
    let field = |offset, expected, found| {
        if expected == found { Ok(()) } else { Err(FormatError::Header { offset, expected, found }) }
    };
    field(at::SECTIONS, count as u32, u32::from(u16_at(bytes, at::SECTIONS)))?;
    for offset in [at::ZERO, at::ZERO + 4] {
        field(offset, 0, u32_at(bytes, offset))?;
    }
    let stated = u32_at(bytes, at::LENGTH) as usize;
    if stated > bytes.len() {
        return Err(FormatError::TooShort { needed: stated, found: bytes.len() });
    }
    if stated < bytes.len() {
        return Err(FormatError::Length { stated, found: bytes.len() });
    }
    let mut out: [&[u8]; 6] = [&[]; 6];
    let there = |section: &Section| match section {
        Section::Integers => integers,
        Section::Feed => feed,
        _ => true,
    };
    let entries = table.chunks_exact(ENTRY).zip((HEADER..).step_by(ENTRY));
    let slots = Section::ALL.into_iter().zip(&mut out).filter(|(section, _)| there(section));
    for ((section, out), (entry, here)) in slots.zip(entries) {
        field(here, section.number(), u32_at(entry, 0))?;
        let start = end.checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        field(here + 4, u32::try_from(start).unwrap_or(u32::MAX), u32_at(entry, 4))?;
        let length = u32_at(entry, 8) as usize;
        let needed = start.saturating_add(length);
        let Some(body) = bytes.get(start..needed) else {
            return Err(FormatError::TooShort { needed, found: bytes.len() });
        };
        if let Some(i) = bytes.get(end..start).and_then(|gap| gap.iter().position(|b| *b != 0)) {
            return Err(FormatError::Padding { offset: end + i });
        }
        let (stated, computed) = (u32_at(entry, 12), crc32c(body));
        if stated != computed {
            return Err(FormatError::Checksum { section, stated, computed });
        }
        (*out, end) = (body, needed);
    }
    if end < bytes.len() {
        return Err(FormatError::Length { stated: end, found: bytes.len() });
    }
    let [layers, signs, reals, meta, body, last] = out;
    Ok((version, [layers, signs, reals, meta], [integers.then_some(body), feed.then_some(last)]))
}
