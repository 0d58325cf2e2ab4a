//! The file as the crate `parquet` asks for it, with what it is about to unpack held against what is there.

use crate::Error;
use crate::thrift::{PageSizes, page_header};
use bitspike_files::{Beyond, FLOOR};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use std::collections::BTreeMap;
use std::io::{BufReader, Error as IoError, ErrorKind, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a reader can be made of.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

const MAGIC: &[u8] = b"PAR1";
/// Bytes that a page may have more than its compression allows: small ones are mostly header.
const SLACK: u64 = 64;
/// Bytes of a page header that are looked at first, and at most: statistics may have long texts in them.
const HEADERS: [usize; 2] = [512, 1 << 20];

/// A file that several columns are read from.
#[derive(Clone)]
pub(crate) struct Source {
    file: Arc<Mutex<Shared>>,
    length: u64,
    /// Where the footer starts.
    data_end: u64,
    /// Index of the column, and how its pages are packed.
    column: usize,
    packing: Packing,
}

/// By how much a page may grow when it is unpacked, and whether that is to be counted, because the crate does not stop there.
#[derive(Clone, Copy)]
pub(crate) struct Packing {
    pub(crate) ratio: u64,
    pub(crate) gzip: bool,
}

struct Shared {
    file: Box<dyn ReadSeek>,
    /// An error of the system, or a bound behind one, which the crate would turn into text.
    error: Option<IoError>,
    /// Pages of each column that are in memory: the first of its part of a row group, which may be a dictionary, and the last.
    pages: BTreeMap<usize, [PageSizes; 2]>,
}

impl Source {
    /// The file, its footer without length and magic, and where the footer starts.
    pub(crate) fn open(mut file: Box<dyn ReadSeek>) -> std::result::Result<(Self, Vec<u8>, u64), Error> {
        let length = file.seek(SeekFrom::End(0)).map_err(Error::Io)?;
        let mut ends = [[0u8; 8]; 2];
        let shown = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
        let short =
            |found: String| Error::NotParquet { offset: 0, expected: "a Parquet file of at least 12 bytes", found };
        if length < 12 {
            return Err(short(format!("{length} bytes")));
        }
        for (end, at) in ends.iter_mut().zip([0, length - 8]) {
            file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(end)).map_err(Error::Io)?;
        }
        let [first, last] = &ends;
        if &first[..4] != MAGIC {
            return Err(Error::NotParquet { offset: 0, expected: "PAR1", found: shown(&first[..4]) });
        }
        if &last[4..] == b"PARE" {
            return Err(Error::Unsupported {
                column: String::new(),
                what: "an encrypted footer".into(),
                instead: "write the file without encryption",
            });
        }
        if &last[4..] != MAGIC {
            let expected = "PAR1, the end of a whole Parquet file";
            return Err(Error::NotParquet { offset: length - 4, expected, found: shown(&last[4..]) });
        }
        let size = u64::from(u32::from_le_bytes([last[0], last[1], last[2], last[3]]));
        let Some(data_end) = (length - 12).checked_sub(size).map(|rest| rest + 4) else {
            let reason = format!("it claims {size} bytes of a file of {length}");
            return Err(Error::Footer { offset: length - 8, reason });
        };
        let mut footer = Vec::new();
        file.seek(SeekFrom::Start(data_end)).map_err(Error::Io)?;
        file.by_ref().take(size).read_to_end(&mut footer).map_err(Error::Io)?;
        let file = Arc::new(Mutex::new(Shared { file, error: None, pages: BTreeMap::new() }));
        let packing = Packing { ratio: 1, gzip: false };
        Ok((Self { file, length, data_end, column: 0, packing }, footer, data_end))
    }

    /// The same for a column that begins.
    pub(crate) fn of_column(&self, column: usize, packing: Packing) -> Self {
        self.shared().pages.remove(&column);
        Self { column, packing, ..self.clone() }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a page that is about to be read; all that are in memory are no more than the file may become.
    fn hold(&self, page: PageSizes) -> std::result::Result<(), Beyond> {
        let mut shared = self.shared();
        let pages = shared.pages.entry(self.column).or_default();
        pages[usize::from(pages[0] != PageSizes::default())] = page;
        let held = shared.pages.values().flatten().fold(0u64, |sum, p| sum.saturating_add(p.unpacked));
        let remedy = "if the file is meant to be so, write it again with smaller pages, or without compression";
        Beyond::check_growth("bytes of pages", self.length, held, remedy).inspect_err(|e| {
            shared.error = Some(IoError::new(ErrorKind::InvalidData, e.clone()));
        })
    }

    /// Whether the gzip stream of the page that was noted last unpacks to more than its header claims. Small ones are let pass:
    /// they cannot become much.
    fn lies(&self, packed: &[u8]) -> bool {
        if !self.packing.gzip || (packed.len() as u64).saturating_mul(self.packing.ratio) <= FLOOR {
            return false;
        }
        let page =
            self.shared().pages.get(&self.column).map_or(PageSizes::default(), |[first, last]| {
                if *last == PageSizes::default() { *first } else { *last }
            });
        let packed = packed.get(usize::try_from(page.levels).unwrap_or(usize::MAX)..).unwrap_or_default();
        // What cannot be unpacked is damage that the crate reports.
        let most = page.unpacked.saturating_sub(page.levels);
        let mut counted = MultiGzDecoder::new(packed).take(most.saturating_add(1));
        std::io::copy(&mut counted, &mut std::io::sink()).is_ok_and(|n| n > most)
    }

    /// Where columns end.
    pub(crate) fn data_end(&self) -> u64 {
        self.data_end
    }

    /// The error of the system that the last call met.
    pub(crate) fn take_error(&self) -> Option<IoError> {
        self.shared().error.take()
    }

    /// Reads up to `n` bytes.
    fn read(&self, start: u64, n: usize) -> std::io::Result<Vec<u8>> {
        // Memory for what is there, whatever is asked for.
        let there = self.length.saturating_sub(start);
        let mut shared = self.shared();
        let mut bytes = Vec::with_capacity(n.min(usize::try_from(there).unwrap_or(usize::MAX)));
        let read = shared.file.seek(SeekFrom::Start(start));
        match read.and_then(|_| shared.file.by_ref().take(n as u64).read_to_end(&mut bytes)) {
            Ok(_) => Ok(bytes),
            Err(e) => {
                let (kind, text) = (e.kind(), e.to_string());
                shared.error = Some(e);
                Err(IoError::new(kind, text))
            }
        }
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.length
    }
}

/// Bytes from a place on.
pub(crate) struct From {
    source: Source,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.source.read(self.at, buffer.len())?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl ChunkReader for Source {
    type T = BufReader<From>;

    /// The crate calls this at the header of a page.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let wrong = |text: String| Err(ParquetError::General(format!("page at byte {start}: {text}")));
        let mut sizes = None;
        for most in HEADERS {
            if sizes.is_none() {
                sizes = page_header(&self.read(start, most)?);
            }
        }
        let Some(page @ PageSizes { unpacked, packed, .. }) = sizes else {
            return wrong("its header cannot be read".to_owned());
        };
        let most = packed.saturating_mul(self.packing.ratio).saturating_add(SLACK);
        if unpacked > most || start.saturating_add(packed) > self.data_end {
            return wrong(format!(
                "its header claims {unpacked} bytes packed in {packed}, columns end at byte {}",
                self.data_end
            ));
        }
        if let Err(beyond) = self.hold(page) {
            return wrong(beyond.to_string());
        }
        Ok(BufReader::with_capacity(512, From { source: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.read(start, length)?;
        if self.lies(&bytes) {
            let text = format!("page at byte {start}: gzip data that is more than its header claims");
            return Err(ParquetError::General(text));
        }
        if bytes.len() == length {
            return Ok(bytes.into());
        }
        let text = format!("byte {start}: expected {length} bytes, found {}", bytes.len());
        Err(ParquetError::EOF(text))
    }
}
