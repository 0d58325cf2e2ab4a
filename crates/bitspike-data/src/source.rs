//! Reading files: bytes, hash, and gzip with a bound on what it may unpack to.

use crate::{DataError, SourceFile};
use bitspike_files::Beyond;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file in memory, with its provenance.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: std::borrow::Cow<'static, [u8]>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = bitspike_files::read(path).map_err(|e| DataError::io(path, e))?;
        Ok(Self { path: path.into(), bytes: bytes.into() })
    }

    /// A text, whose lines have at most so many bytes.
    pub(crate) fn read_text(path: &Path, longest: u64) -> Result<Self, DataError> {
        let bytes = bitspike_files::read_text(path, longest).map_err(|e| DataError::io(path, e))?;
        Ok(Self { path: path.into(), bytes: bytes.into() })
    }

    pub(crate) fn embedded(name: &str, bytes: &'static [u8]) -> Self {
        Self { path: PathBuf::from(format!("embedded:{name}")), bytes: bytes.into() }
    }

    pub(crate) fn record(&self) -> SourceFile {
        SourceFile { path: self.path.clone(), bytes: self.bytes.len() as u64, sha256: sha256_hex(&self.bytes) }
    }
}

/// SHA-256 as lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// True if the bytes begin like a gzip stream. The content decides, not the file name: unpacked files that kept their
/// `.gz` name are common.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Of what unpacks to more than it may.
const UNPACK: &str =
    "if the file is meant to be so, unpack it first, as with gunzip; else it is damaged or made to do harm";

/// The content, plain or gzip, read front to back.
pub(crate) struct Content<'a> {
    path: &'a Path,
    bytes: Bytes<'a>,
    /// Length of the file.
    packed: u64,
    /// Offset of the next byte in the uncompressed content.
    pub(crate) offset: u64,
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Gzip(Box<MultiGzDecoder<&'a [u8]>>),
}

impl<'a> Content<'a> {
    pub(crate) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        let packed = bytes.len() as u64;
        let bytes = match is_gzip(bytes) {
            true => Bytes::Gzip(Box::new(MultiGzDecoder::new(bytes))),
            false => Bytes::Plain(bytes),
        };
        Self { path, bytes, packed, offset: 0 }
    }

    fn beyond(&self, source: Beyond) -> DataError {
        DataError::Beyond { path: self.path.into(), offset: self.offset, source: Box::new(source) }
    }

    /// Checks that what the file says it holds may take so many bytes of memory, before any are asked for.
    pub(crate) fn may_hold(&self, what: &'static str, bytes: u64) -> Result<(), DataError> {
        match self.bytes {
            Bytes::Plain(_) => Ok(()),
            Bytes::Gzip(_) => {
                Beyond::check_growth(what, self.packed, bytes, UNPACK).map_err(|source| self.beyond(source))
            }
        }
    }

    /// Reads at most `limit` bytes. Memory grows with what is really there, not with what a header claims.
    pub(crate) fn take(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        let mut out = Vec::new();
        let result = match &mut self.bytes {
            Bytes::Plain(left) => {
                // Callers hold what is read: a copy, of the right size.
                let (now, rest) = left.split_at(left.len().min(usize::try_from(limit).unwrap_or(usize::MAX)));
                (out, *left) = (now.to_vec(), rest);
                Ok(0)
            }
            Bytes::Gzip(decoder) => {
                let most = bitspike_files::most(self.packed).saturating_sub(self.offset).saturating_add(1);
                decoder.take(limit.min(most)).read_to_end(&mut out)
            }
        };
        self.offset += out.len() as u64;
        match (result, &self.bytes) {
            (Ok(_), Bytes::Gzip(_)) if self.offset > bitspike_files::most(self.packed) => {
                Err(self.beyond(Beyond::grown("unpacked bytes", self.packed, UNPACK)))
            }
            (Ok(_), _) => Ok(out),
            (Err(e), _) => Err(DataError::Gzip { path: self.path.into(), decoded: self.offset, reason: e.to_string() }),
        }
    }

    /// Reads exactly `expected` bytes, or says what is truncated.
    pub(crate) fn exact(&mut self, what: &'static str, expected: u64) -> Result<Vec<u8>, DataError> {
        self.may_hold("unpacked bytes", self.offset.saturating_add(expected))?;
        let offset = self.offset;
        let short = |found| DataError::Truncated { path: self.path.into(), what, offset, expected, found };
        if let Bytes::Plain(left) = self.bytes
            && (left.len() as u64) < expected
        {
            return Err(short(left.len() as u64));
        }
        let out = self.take(expected)?;
        match out.len() as u64 {
            found if found < expected => Err(short(found)),
            _ => Ok(out),
        }
    }

    /// Checks that nothing follows. For gzip this also reads and checks the checksum at the end.
    pub(crate) fn end(mut self) -> Result<(), DataError> {
        let offset = self.offset;
        if self.take(1)?.is_empty() {
            return Ok(());
        }
        Err(DataError::Trailing { path: self.path.into(), offset })
    }
}

/// SHA-256 and length of the uncompressed content.
///
/// Official sets are recognised by it: packed again with another gzip, a file changes while its content does not.
pub(crate) fn content_sha256(path: &Path, bytes: &[u8]) -> Result<(u64, String), DataError> {
    if !is_gzip(bytes) {
        return Ok((bytes.len() as u64, sha256_hex(bytes)));
    }
    let mut content = Content::new(path, bytes);
    let mut hasher = Sha256::new();
    loop {
        let part = content.take(1 << 20)?;
        if part.is_empty() {
            return Ok((content.offset, hex(&hasher.finalize())));
        }
        hasher.update(&part);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;

    pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    }

    #[test]
    fn sha256_of_abc() {
        // FIPS 180-4 example.
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let p = Path::new("x");
        assert_eq!(content_sha256(p, b"abc").unwrap(), content_sha256(p, &gz(b"abc")).unwrap());
    }

    #[test]
    fn every_cut_of_a_gzip_stream_is_an_error() {
        let whole = gz(b"some text that is compressed");
        for cut in 2..whole.len() {
            let got = content_sha256(Path::new("x"), &whole[..cut]);
            assert!(matches!(got, Err(DataError::Gzip { .. })), "cut {cut}: {got:?}");
        }
    }

    #[test]
    fn a_flipped_checksum_is_an_error() {
        let mut bytes = gz(b"some text");
        let at = bytes.len() - 8;
        bytes[at] ^= 1;
        assert!(matches!(content_sha256(Path::new("x"), &bytes), Err(DataError::Gzip { .. })));
    }

    #[test]
    fn memory_is_bounded_by_the_limit() {
        // One mebibyte of zeros packs into about a kilobyte; only the ten bytes asked for are produced.
        let bomb = gz(&vec![0; 1 << 20]);
        let mut c = Content::new(Path::new("x"), &bomb);
        assert_eq!(c.exact("head", 10).unwrap(), [0; 10]);
        assert!(matches!(c.end(), Err(DataError::Trailing { offset: 10, .. })));
    }
}
