//! Reading files: bytes, hash, and gzip with a bound on what it may unpack to.

use crate::{DataError, SourceFile};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file in memory, with its provenance.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: std::borrow::Cow<'static, [u8]>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = fs::read(path).map_err(|source| DataError::Io { path: path.into(), source })?;
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

/// The content, plain or gzip, read front to back.
pub(crate) struct Content<'a> {
    path: &'a Path,
    reader: Box<dyn Read + 'a>,
    gzip: bool,
    /// Offset of the next byte in the uncompressed content.
    pub(crate) offset: u64,
}

impl<'a> Content<'a> {
    pub(crate) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        let gzip = is_gzip(bytes);
        let reader: Box<dyn Read> =
            if gzip { Box::new(flate2::read::MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
        Self { path, reader, gzip, offset: 0 }
    }

    /// Reads at most `limit` bytes. Memory grows with what is really there, not with what a header claims.
    pub(crate) fn take(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        let mut out = Vec::new();
        let result = (&mut self.reader).take(limit).read_to_end(&mut out);
        self.offset += out.len() as u64;
        match result {
            Ok(_) => Ok(out),
            Err(e) if self.gzip => {
                Err(DataError::Gzip { path: self.path.into(), decoded: self.offset, reason: e.to_string() })
            }
            Err(source) => Err(DataError::Io { path: self.path.into(), source }),
        }
    }

    /// Reads exactly `expected` bytes, or says what is truncated.
    pub(crate) fn exact(&mut self, what: &'static str, expected: u64) -> Result<Vec<u8>, DataError> {
        let offset = self.offset;
        let out = self.take(expected)?;
        let found = out.len() as u64;
        if found < expected {
            return Err(DataError::Truncated { path: self.path.into(), what, offset, expected, found });
        }
        Ok(out)
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
