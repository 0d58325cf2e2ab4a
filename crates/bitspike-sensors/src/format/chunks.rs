//! What files of chunks share: numbers in a byte order, where the next chunk begins, how many channels are believed.

use crate::SensorError;
use std::path::Path;

/// More channels than this are taken for damage.
pub(super) const MAX_CHANNELS: usize = 1024;

/// Numbers of a file in its byte order.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: &'a [u8],
    pub(super) big: bool,
}

impl Numbers<'_> {
    pub(super) fn take<const N: usize>(&self, at: usize, what: &'static str) -> Result<[u8; N], SensorError> {
        let found = self.bytes.get(at..).and_then(|b| b.get(..N)).and_then(|b| b.try_into().ok());
        found.ok_or_else(|| self.short(at, what, N as u64))
    }

    pub(super) fn short(&self, at: usize, what: &'static str, expected: u64) -> SensorError {
        let found = self.bytes.len().saturating_sub(at) as u64;
        SensorError::Truncated { path: self.path.into(), what, offset: at as u64, expected, found }
    }

    pub(super) fn u16(&self, at: usize, what: &'static str) -> Result<u16, SensorError> {
        let b = self.take(at, what)?;
        Ok(if self.big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
    }

    pub(super) fn u32(&self, at: usize, what: &'static str) -> Result<u32, SensorError> {
        let b = self.take(at, what)?;
        Ok(if self.big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }

    pub(super) fn u64(&self, at: usize, what: &'static str) -> Result<u64, SensorError> {
        let b = self.take(at, what)?;
        Ok(if self.big { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) })
    }

    pub(super) fn id(&self, at: usize) -> Result<[u8; 4], SensorError> {
        self.take(at, "chunk")
    }

    pub(super) fn bad(&self, at: usize, what: &'static str, expected: &str, found: String) -> SensorError {
        SensorError::Binary { path: self.path.into(), offset: at as u64, what, expected: expected.into(), found }
    }

    /// Where the chunk after one that ends at `end` begins: at an even offset, but where the byte before it was left out.
    pub(super) fn next_chunk(&self, end: usize) -> usize {
        let looks = |at: usize| {
            let id = self.bytes.get(at..at.saturating_add(4));
            id.is_some_and(|id| id.iter().all(|b| b.is_ascii_alphanumeric() || *b == b' '))
        };
        let padded = end.saturating_add(end % 2);
        if padded != end && !looks(padded) && looks(end) { end } else { padded }
    }
}
