//! The little of FlatBuffers that AEDAT4 needs: a root table, its scalar fields, one string, one vector of structs.
//!
//! Every access is checked; `None` is a position outside the buffer. Layout: the root table's position (32 bits) at 0,
//! an identifier of four bytes at 4; a table begins with the signed distance to its vtable, which holds its own size,
//! the table's size and a 16-bit offset per field (0: absent). Source: the FlatBuffers internals document.

use crate::input::{u16_le, u32_le};

/// A table within a buffer.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
    vtable: usize,
    fields: usize,
}

fn u32_at(b: &[u8], at: usize) -> Option<usize> {
    b.get(at..at.checked_add(4)?).map(|s| u32_le(s) as usize)
}

fn u16_at(b: &[u8], at: usize) -> Option<usize> {
    b.get(at..at.checked_add(2)?).map(|s| usize::from(u16_le(s)))
}

impl<'a> Table<'a> {
    /// The root table of a buffer without size prefix.
    pub(crate) fn root(buffer: &'a [u8], identifier: &[u8; 4]) -> Option<Self> {
        if buffer.get(4..8)? != identifier {
            return None;
        }
        let at = u32_at(buffer, 0)?;
        let distance = i64::from(u32_at(buffer, at)? as u32 as i32);
        let vtable = usize::try_from(at as i64 - distance).ok()?;
        let fields = u16_at(buffer, vtable)?.checked_sub(4)? / 2;
        Some(Self { buffer, at, vtable, fields })
    }

    /// Position of a field: `Some(None)` if it has its default value, `None` if the buffer is damaged.
    fn field(&self, n: usize) -> Option<Option<usize>> {
        if n >= self.fields {
            return Some(None);
        }
        let offset = u16_at(self.buffer, self.vtable + 4 + 2 * n)?;
        if offset == 0 { Some(None) } else { Some(Some(self.at.checked_add(offset)?)) }
    }

    pub(crate) fn i32(&self, n: usize, default: i32) -> Option<i32> {
        match self.field(n)? {
            Some(at) => u32_at(self.buffer, at).map(|v| v as u32 as i32),
            None => Some(default),
        }
    }

    pub(crate) fn i64(&self, n: usize, default: i64) -> Option<i64> {
        match self.field(n)? {
            Some(at) => self.buffer.get(at..at.checked_add(8)?).map(|s| crate::input::u64_le(s) as i64),
            None => Some(default),
        }
    }

    /// A string, or a vector of structs of `size` bytes, as bytes; empty if absent.
    pub(crate) fn vector(&self, n: usize, size: usize) -> Option<std::ops::Range<usize>> {
        let Some(at) = self.field(n)? else { return Some(0..0) };
        let from = at.checked_add(u32_at(self.buffer, at)?)?;
        let length = u32_at(self.buffer, from)?.checked_mul(size)?;
        let first = from.checked_add(4)?;
        let range = first..first.checked_add(length)?;
        self.buffer.get(range.clone()).map(|_| range)
    }
}
