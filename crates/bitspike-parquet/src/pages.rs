//! Pages of a column, checked before the crate `parquet` reserves memory for their values.

use crate::source::Source;
use crate::thrift::delta_header;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::SerializedPageReader;

/// Most miniblocks in a block of packed integers; writers use 4 to 8.
const MINIBLOCKS: u64 = 1 << 10;

/// The pages of a column chunk.
pub(crate) struct Pages {
    inner: SerializedPageReader<Source>,
    kind: Type,
    /// Values that may still come.
    left: u64,
    /// A dictionary has come.
    dictionary: bool,
}

fn wrong<T>(text: String) -> Result<T> {
    Err(ParquetError::General(text))
}

impl Pages {
    pub(crate) fn new(inner: SerializedPageReader<Source>, chunk: &ColumnChunkMetaData) -> Self {
        // Not negative: checked with the places of columns.
        Self { inner, kind: chunk.column_type(), left: chunk.num_values().unsigned_abs(), dictionary: false }
    }

    fn check(&mut self, page: &Page) -> Result<()> {
        let (n, bytes) = (u64::from(page.num_values()), page.buffer().len() as u64);
        if let Page::DictionaryPage { .. } = page {
            // Bytes that a value has at least.
            let each = match self.kind {
                Type::INT64 | Type::DOUBLE => 8,
                Type::BOOLEAN => 1,
                _ => 4,
            };
            self.dictionary = true;
            return if n * each <= bytes {
                Ok(())
            } else {
                wrong(format!("a dictionary of {n} values in {bytes} bytes"))
            };
        }
        if n == 0 || n > self.left {
            return wrong(format!("a page of {n} values where the column has {} left", self.left));
        }
        self.left -= n;
        match page.encoding() {
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY if !self.dictionary => {
                wrong("a page that needs a dictionary, and none before it".to_owned())
            }
            Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY | Encoding::RLE => Ok(()),
            Encoding::BYTE_STREAM_SPLIT => Ok(()),
            Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => self.check_delta(page, n),
            other => wrong(format!("encoding {other} is not read")),
        }
    }

    /// The header of packed integers claims no more values than the page.
    fn check_delta(&self, page: &Page, n: u64) -> Result<()> {
        let levels = match page {
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize)
            }
            // Levels of version 1 begin with their length, but only where there are any: both places are tried.
            Page::DataPage { buf, .. } => {
                let length = buf.get(..4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize);
                return match [0, length.saturating_add(4)].map(|at| buf.get(at..).and_then(delta_header)) {
                    [a, b] if a.is_some_and(|a| fits(a, n)) || b.is_some_and(|b| fits(b, n)) => Ok(()),
                    _ => wrong("packed integers that are more than the page has".to_owned()),
                };
            }
            Page::DictionaryPage { .. } => 0,
        };
        match page.buffer().get(levels..).and_then(delta_header) {
            Some(header) if fits(header, n) => Ok(()),
            _ => wrong("packed integers that are more than the page has".to_owned()),
        }
    }
}

fn fits((count, miniblocks): (u64, u64), n: u64) -> bool {
    count <= n && miniblocks <= MINIBLOCKS
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}
