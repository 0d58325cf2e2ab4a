//! A stream of bytes with a window of bounded size and a known offset, from which the decoders read.

use crate::EventError;
use bitspike_files::Beyond;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes asked from the system at a time. More than the second-level cache holds: on Zen 4 the system then copies a file in
/// the page cache at 20 GB/s, against 12 into a buffer of 128 KiB, and decoding from the third level costs less than that.
const CHUNK: usize = 1 << 20;
/// The same for the first time, four times as many each time after: many recordings are small, and a buffer has to be cleared.
const FIRST: usize = 1 << 14;

/// Bytes of a cache line. Reading into memory that does not begin with one takes up to three times as long on Zen 3.
const LINE: usize = 64;

/// Bytes that the system keeps files in.
const PAGE: usize = 1 << 12;

/// What a reader can be made of when the format needs to jump.
pub(crate) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// Source of bytes: a stream, or something in which one can jump.
enum Bytes {
    Stream(Box<dyn Read + Send>),
    Seekable(Box<dyn ReadSeek>),
}

/// Buffered input. `offset` is that of the first byte of [`Input::data`].
pub(crate) struct Input {
    bytes: Bytes,
    path: PathBuf,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    ended: bool,
}

impl Input {
    pub(crate) fn stream(path: &Path, reader: Box<dyn Read + Send>) -> Self {
        Self::new(path, Bytes::Stream(reader))
    }

    pub(crate) fn seekable(path: &Path, reader: Box<dyn ReadSeek>) -> Self {
        Self::new(path, Bytes::Seekable(reader))
    }

    fn new(path: &Path, bytes: Bytes) -> Self {
        Self { bytes, path: path.into(), buffer: Vec::new(), start: 0, end: 0, offset: 0, ended: false }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes read and not yet consumed.
    pub(crate) fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset in the file of the first byte of `data`.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }

    /// Reads until at least `min` bytes are in `data` or the input ends; returns how many are there.
    pub(crate) fn fill(&mut self, min: usize) -> Result<usize, EventError> {
        if self.end - self.start >= min || self.ended {
            return Ok(self.end - self.start);
        }
        let left = self.end - self.start;
        let room = (4 * self.buffer.len()).clamp(FIRST, CHUNK);
        if self.buffer.len() < left + room + 2 * LINE {
            self.buffer.resize(left + room + 2 * LINE, 0);
        }
        // What is left goes right in front of a cache line, and the next bytes into it.
        let to = self.buffer.as_ptr().align_offset(LINE).min(LINE) + left.next_multiple_of(LINE) - left;
        self.buffer.copy_within(self.start..self.end, to);
        (self.start, self.end) = (to, to + left);
        while self.end - self.start < min && !self.ended {
            // Grows in steps, as bytes arrive: a length that lies in a file cannot reserve memory.
            if self.buffer.len() - self.end < CHUNK / 2 && self.end - self.start > left {
                self.buffer.resize(self.end + CHUNK, 0);
            }
            // Whole pages, so that the next read begins with one.
            let pages = (self.buffer.len() - self.end) / PAGE * PAGE;
            let room = &mut self.buffer[self.end..self.end + pages];
            let read = match &mut self.bytes {
                Bytes::Stream(r) => r.read(room),
                Bytes::Seekable(r) => r.read(room),
            };
            match read {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = self.offset + (self.end - self.start) as u64;
                    return Err(EventError::Io { path: self.path.clone(), offset, source });
                }
            }
        }
        Ok(self.end - self.start)
    }

    /// Reads whole records of `size` bytes: how many bytes of `data` are whole records, or why there are none.
    /// `Ok(0)` is the end of the input.
    pub(crate) fn records(&mut self, size: usize, what: &'static str) -> Result<usize, EventError> {
        let have = self.fill(size)?;
        if have >= size {
            return Ok(have - have % size);
        }
        if have == 0 { Ok(0) } else { Err(self.truncated(what, size as u64)) }
    }

    /// Makes sure that `n` bytes are in `data`.
    pub(crate) fn need(&mut self, n: usize, what: &'static str) -> Result<(), EventError> {
        if self.fill(n)? < n { Err(self.truncated(what, n as u64)) } else { Ok(()) }
    }

    /// Leaves out `n` bytes.
    pub(crate) fn skip(&mut self, n: u64, what: &'static str) -> Result<(), EventError> {
        let (from, mut left) = (self.offset, n);
        while left > 0 {
            let have = self.fill(1)?;
            if have == 0 {
                let found = self.offset - from;
                return Err(EventError::Truncated { path: self.path.clone(), what, offset: from, expected: n, found });
            }
            let step = left.min(have as u64);
            self.consume(step as usize);
            left -= step;
        }
        Ok(())
    }

    /// The next text line without its end, if one that starts with `mark` and holds only text begins here. Binary data
    /// may start with the same byte, so a line with control bytes in it is data.
    pub(crate) fn header_line(&mut self, mark: &[u8], max: usize) -> Result<Option<String>, EventError> {
        let mut want = mark.len();
        loop {
            let have = self.fill(want)?;
            let data = self.data();
            if !data.starts_with(mark) {
                return Ok(None);
            }
            let text = data.iter().take(max).position(|b| *b < 9 || (*b > 13 && *b < 32));
            let end = data.iter().take(max).position(|b| *b == b'\n');
            match (end, text) {
                (Some(e), t) if t.is_none_or(|t| t > e) => {
                    let line = String::from_utf8_lossy(&data[..e]).trim_end_matches('\r').to_owned();
                    self.consume(e + 1);
                    return Ok(Some(line));
                }
                (_, Some(_)) => return Ok(None),
                _ if have >= max => return Ok(None),
                _ if have < want => return Err(self.truncated("header line", have as u64 + 1)),
                _ => want = (have + 1).max(256).min(max),
            }
        }
    }

    /// Gives the source back, at its start, to decoders that jump.
    pub(crate) fn into_seekable(self, format: &'static str) -> Result<Box<dyn ReadSeek>, EventError> {
        match self.bytes {
            Bytes::Seekable(mut r) => match r.seek(SeekFrom::Start(0)) {
                Ok(_) => Ok(r),
                Err(source) => Err(EventError::Io { path: self.path, offset: 0, source }),
            },
            Bytes::Stream(_) => Err(EventError::NeedsFile { path: self.path, format }),
        }
    }

    pub(crate) fn truncated(&self, what: &'static str, expected: u64) -> EventError {
        let found = (self.end - self.start) as u64;
        EventError::Truncated { path: self.path.clone(), what, offset: self.offset, expected, found }
    }

    /// A wrong value `at` bytes after the first byte of `data`.
    pub(crate) fn wrong(
        &self,
        at: usize,
        what: &'static str,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> EventError {
        EventError::Value {
            path: self.path.clone(),
            offset: self.offset + at as u64,
            what,
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    /// More than a file may ask for, `at` bytes after the first byte of `data`.
    pub(crate) fn beyond(&self, at: usize, source: Beyond) -> EventError {
        EventError::Beyond { path: self.path.clone(), offset: self.offset + at as u64, source: Box::new(source) }
    }

    pub(crate) fn unsupported(&self, what: String, instead: &'static str) -> EventError {
        EventError::Unsupported { path: self.path.clone(), offset: self.offset, what, instead }
    }
}

/// Little-endian numbers. Callers pass slices of at least the size.
pub(crate) fn u16_le(b: &[u8]) -> u16 {
    u16::from_le_bytes([b[0], b[1]])
}
pub(crate) fn u32_le(b: &[u8]) -> u32 {
    u32::from_le_bytes([b[0], b[1], b[2], b[3]])
}
pub(crate) fn u32_be(b: &[u8]) -> u32 {
    u32::from_be_bytes([b[0], b[1], b[2], b[3]])
}
pub(crate) fn u64_le(b: &[u8]) -> u64 {
    u64::from(u32_le(b)) | u64::from(u32_le(&b[4..])) << 32
}

/// Unrolls a counter of `bits` bits into 64: a step back by more than half its range is an overflow, a smaller one is
/// what the file says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unroll {
    last: u64,
    base: i64,
}

impl Unroll {
    /// The time of counter value `now`, below `2^bits`.
    #[inline]
    pub(crate) fn time(&mut self, now: u64, bits: u32) -> i64 {
        if now < self.last && self.last - now > 1 << (bits - 1) {
            // Saturating: gigabytes of nothing but overflows, made on purpose, must not end in a panic.
            self.base = self.base.saturating_add(1 << bits);
        }
        self.last = now;
        self.base.saturating_add(now as i64)
    }
}

impl Unroll {
    /// What to add to counter values as long as none is an overflow.
    #[inline(always)]
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// Takes a run of values of a 32-bit counter that all have the same top bit and end with `last`, if none of them is
    /// an overflow; otherwise leaves everything as it was.
    #[inline(always)]
    pub(crate) fn near(&mut self, top: bool, last: u32) -> bool {
        // Values with the same top bit are less than half the range apart. The sum with the largest counter must fit; it
        // always does short of files made to overflow.
        let fits = (self.last >> 31 != 0) == top && self.base <= i64::MAX >> 1;
        if fits {
            self.last = last.into();
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_is_unrolled_and_a_small_step_back_is_kept() {
        let mut u = Unroll::default();
        let got: Vec<i64> = [0u64, 250, 3, 1, 200, 190, 5].iter().map(|v| u.time(*v, 8)).collect();
        assert_eq!(got, [0, 250, 259, 257, 456, 446, 517]);
    }

    #[test]
    fn offsets_follow_what_is_consumed() {
        let mut i = Input::stream(Path::new("x"), Box::new(&b"# a\r\n# b\n#\x00\n"[..]));
        assert_eq!(i.header_line(b"#", 100).unwrap().as_deref(), Some("# a"));
        assert_eq!(i.header_line(b"#", 100).unwrap().as_deref(), Some("# b"));
        assert_eq!(i.offset(), 9);
        assert_eq!(i.header_line(b"#", 100).unwrap(), None, "control bytes: data");
        assert_eq!(i.records(2, "pair").unwrap(), 2);
        i.consume(2);
        assert!(matches!(i.records(2, "pair"), Err(EventError::Truncated { offset: 11, expected: 2, found: 1, .. })));
    }

    #[test]
    fn a_length_that_lies_does_not_reserve_memory() {
        let mut i = Input::stream(Path::new("x"), Box::new(std::io::repeat(0).take(10)));
        assert!(i.need(usize::MAX / 4, "packet").is_err());
        assert!(i.buffer.len() <= 2 * CHUNK);
    }
}
