//! The little of ZIP that npz needs: the list of members, and a stream of each, stored or deflated.
//!
//! The list is at the end of the file, so a file cut off anywhere has none. Members are checked against their CRC-32.
//! Source: PKWARE's APPNOTE 6.3, with the 64-bit extension that NumPy writes.

use crate::EventError;
use crate::input::{ReadSeek, u16_le, u32_le, u64_le};
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::{BufReader, Read, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";
/// Larger lists of members are taken for damage.
const MAX_LIST: u64 = 1 << 24;

type Shared = Arc<Mutex<Box<dyn ReadSeek>>>;

/// A member as listed.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    header: u64,
}

pub(crate) struct Archive {
    path: PathBuf,
    file: Shared,
    pub(crate) members: Vec<Member>,
}

/// A part of the file as a stream; several of them share the file.
struct Section {
    file: Shared,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let want = buf.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        // A panic of another holder cannot leave the file in a state that matters: every use seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let n = file.read(&mut buf[..want])?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Content of a member, checked at its end.
pub(crate) struct Content {
    bytes: Box<dyn Read + Send>,
    crc: Crc,
    expected: u32,
    left: u64,
}

impl Read for Content {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let want = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let n = self.bytes.read(&mut buf[..want])?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.crc.update(&buf[..n]);
        self.left -= n as u64;
        if self.left == 0 && self.crc.sum() != self.expected {
            let found = self.crc.sum();
            return Err(std::io::Error::other(format!("CRC-32 is {found:08x}, listed {:08x}", self.expected)));
        }
        Ok(n)
    }
}

impl Archive {
    pub(crate) fn open(path: &Path, mut file: Box<dyn ReadSeek>) -> Result<Self, EventError> {
        let io = |offset| move |source| EventError::Io { path: path.into(), offset, source };
        let length = file.seek(SeekFrom::End(0)).map_err(io(0))?;
        let tail_at = length.saturating_sub(22 + 65_535 + 20);
        let tail = bytes(path, &mut file, tail_at, length - tail_at)?;
        // The end record is the last one: its comment, of the stated length, ends the file.
        let end = (0..tail.len().saturating_sub(21)).rev().find(|&i| {
            tail[i..].starts_with(b"PK\x05\x06") && i + 22 + usize::from(u16_le(&tail[i + 20..])) == tail.len()
        });
        let Some(end) = end else {
            return Err(EventError::Truncated {
                path: path.into(),
                what: "zip archive with its list of members",
                offset: 0,
                expected: length + 22,
                found: length,
            });
        };
        let (mut size, mut at) = (u64::from(u32_le(&tail[end + 12..])), u64::from(u32_le(&tail[end + 16..])));
        if let Some(locator) = end.checked_sub(20).map(|i| &tail[i..])
            && locator.starts_with(b"PK\x06\x07")
        {
            let record = bytes(path, &mut file, u64_le(&locator[8..]), 56)?;
            (size, at) = (u64_le(&record[40..]), u64_le(&record[48..]));
        }
        if size > MAX_LIST {
            return Err(value(path, tail_at + end as u64 + 12, "zip list size", format!("at most {MAX_LIST}"), size));
        }
        let list = bytes(path, &mut file, at, size)?;
        let members = members(path, at, &list)?;
        Ok(Self { path: path.into(), file: Arc::new(Mutex::new(file)), members })
    }

    /// The content of a member and the offset where it is stored.
    pub(crate) fn content(&self, member: &Member) -> Result<(Content, u64), EventError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let local = bytes(&self.path, &mut file, member.header, 30)?;
        if !local.starts_with(MAGIC) {
            return Err(value(
                &self.path,
                member.header,
                "zip member",
                "PK 3 4".into(),
                format!("{:02x?}", &local[..4]),
            ));
        }
        let at = member.header + 30 + u64::from(u16_le(&local[26..])) + u64::from(u16_le(&local[28..]));
        drop(file);
        let end = at.checked_add(member.packed).ok_or_else(|| {
            value(&self.path, member.header, "zip member size", "less than 2^64".into(), member.packed)
        })?;
        let section = Section { file: self.file.clone(), at, end };
        let bytes: Box<dyn Read + Send> = match member.method {
            0 => Box::new(BufReader::with_capacity(1 << 16, section)),
            8 => Box::new(DeflateDecoder::new(BufReader::with_capacity(1 << 16, section))),
            m => {
                return Err(EventError::Unsupported {
                    path: self.path.clone(),
                    offset: member.header,
                    what: format!("zip compression {m} of {} is not read", member.name),
                    instead: "write with numpy.savez or numpy.savez_compressed",
                });
            }
        };
        Ok((Content { bytes, crc: Crc::new(), expected: member.crc, left: member.size }, at))
    }
}

/// Parses the list of members.
fn members(path: &Path, at: u64, list: &[u8]) -> Result<Vec<Member>, EventError> {
    let (mut all, mut i) = (Vec::new(), 0);
    let cut = |i: usize, expected: usize| EventError::Truncated {
        path: path.into(),
        what: "zip list of members",
        offset: at + i as u64,
        expected: expected as u64,
        found: (list.len() - i) as u64,
    };
    while i < list.len() {
        let h = list.get(i..i + 46).ok_or_else(|| cut(i, 46))?;
        if !h.starts_with(b"PK\x01\x02") {
            return Err(value(path, at + i as u64, "zip list entry", "PK 1 2".into(), format!("{:02x?}", &h[..4])));
        }
        let [name, extra, comment] = [28, 30, 32].map(|o| usize::from(u16_le(&h[o..])));
        let whole = 46 + name + extra + comment;
        let entry = list.get(i..i + whole).ok_or_else(|| cut(i, whole))?;
        let [mut packed, mut size, mut header] = [20, 24, 42].map(|o| u64::from(u32_le(&h[o..])));
        // The 64-bit extension holds, in this order, those of the three that do not fit into 32 bits.
        let mut extras = &entry[46 + name..46 + name + extra];
        while let [a, b, c, d, rest @ ..] = extras {
            let (id, length) = (u16_le(&[*a, *b]), usize::from(u16_le(&[*c, *d])));
            let Some(body) = rest.get(..length) else { break };
            if id == 1 {
                let mut numbers = body.chunks_exact(8).map(u64_le);
                for v in [&mut size, &mut packed, &mut header] {
                    if *v == u64::from(u32::MAX) {
                        *v = numbers.next().ok_or_else(|| cut(i, whole))?;
                    }
                }
            }
            extras = &rest[length..];
        }
        all.push(Member {
            name: String::from_utf8_lossy(&entry[46..46 + name]).into_owned(),
            method: u16_le(&h[10..]),
            crc: u32_le(&h[16..]),
            packed,
            size,
            header,
        });
        i += whole;
    }
    Ok(all)
}

/// Reads `n` bytes at `at`; callers bound `n`.
fn bytes(path: &Path, file: &mut Box<dyn ReadSeek>, at: u64, n: u64) -> Result<Vec<u8>, EventError> {
    let io = |source| EventError::Io { path: path.into(), offset: at, source };
    file.seek(SeekFrom::Start(at)).map_err(io)?;
    let mut all = Vec::new();
    file.take(n).read_to_end(&mut all).map_err(io)?;
    if (all.len() as u64) < n {
        let found = all.len() as u64;
        return Err(EventError::Truncated { path: path.into(), what: "zip record", offset: at, expected: n, found });
    }
    Ok(all)
}

fn value(path: &Path, offset: u64, what: &'static str, expected: String, found: impl ToString) -> EventError {
    EventError::Value { path: path.into(), offset, what, expected, found: found.to_string() }
}
