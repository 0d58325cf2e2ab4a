//! Plain columns of Parquet files, batch by batch, with sizes checked before memory is asked for
//!
//! ```text
//! file → footer: columns, row groups → chosen columns, page by page → batch of cells
//! ```
//!
//! - [`Reader`] reads columns of numbers, truth values, times and text that are neither nested nor repeated; memory does not
//!   grow with the file, but with its largest page and dictionary.
//! - The format itself is decoded by the crate `parquet`. It trusts some lengths that a file states, and on damaged files it
//!   may panic. So what it would reserve memory or stack for is checked first (the schema of the footer, sizes of pages,
//!   dictionaries and packed integers), and a panic within it becomes an [`Error`].
//! - Encodings: plain, dictionary, run lengths, byte streams, packed differences. Not the one that shares prefixes of text, with
//!   which a small page can stand for gigabytes.
//! - Compression: none, Snappy, gzip, LZ4. Pages of all chosen columns that are in memory at a time are at most what
//!   [`bitspike_files::most`] lets the file become. The crate unpacks gzip whatever a header says, so larger pages of it are
//!   unpacked twice: to be counted, and then to be read.
//!
//! Errors say row group and row, not a byte: the crate does not tell it.

#![forbid(unsafe_code)]

mod error;
mod pages;
mod source;
mod thrift;

pub use error::Error;
pub use source::ReadSeek;

use pages::Pages;
use parquet::basic::{Compression, ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;
use source::{Packing, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Rows decoded at a time.
const ROWS: usize = 1 << 13;

/// Unit of a column of timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Truth values.
    Bool,
    /// Whole numbers.
    Whole,
    /// Whole numbers without a sign, which in the file may fill all bits.
    Unsigned,
    /// Floating-point numbers.
    Real,
    /// Times with a unit of their own.
    Timestamp(Unit),
    /// Text.
    Text,
    /// What is not read: decimals, dates, 96-bit times, bytes, nested and repeated columns.
    Other,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; parts of a nested one are joined by dots.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number, or a time in the unit of its column.
    Whole(i64),
    /// A floating-point number, or a whole one without a sign beyond 63 bits.
    Real(f64),
    /// Text.
    Text(&'a str),
}

/// Values of a column without those that are null, and for each row whether it has one.
#[derive(Debug)]
struct Values {
    content: Content,
    /// 0 for null; empty if no value can be.
    levels: Vec<i16>,
    /// Row to place in `content`.
    places: Vec<usize>,
}

#[derive(Debug)]
enum Content {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
}

/// A chosen column while it is read.
struct Chosen {
    /// Index in the file.
    index: usize,
    kind: Kind,
    nullable: bool,
    reader: Option<ColumnReader>,
    values: Values,
}

/// Reads chosen columns of a file, a batch of rows at a time.
pub struct Reader {
    source: Arc<Source>,
    meta: ParquetMetaData,
    columns: Vec<Column>,
    chosen: Vec<Chosen>,
    /// Row group of the batch, its first row within the group, rows of the batch.
    group: usize,
    first: u64,
    rows: usize,
    /// Row groups opened, and rows left in the last one.
    opened: usize,
    left: u64,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("columns", &self.columns)
            .field("row_groups", &self.meta.num_row_groups())
            .finish()
    }
}

/// Calls into the crate `parquet`, whose panics on damaged input become errors. What it worked on is not used again.
fn guarded<T>(call: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the decoder gave up".to_owned()),
    }
}

impl Reader {
    /// Reads the footer. No column is chosen yet.
    ///
    /// # Errors
    /// `Io`, `NotParquet`, `Footer`; `Unsupported` for encrypted files.
    pub fn new(file: Box<dyn ReadSeek>) -> Result<Self, Error> {
        let (source, footer, offset) = Source::open(file)?;
        let damaged = |reason| Error::Footer { offset, reason };
        thrift::check_schema(&footer).map_err(damaged)?;
        let meta = guarded(|| ParquetMetaDataReader::decode_metadata(&footer)).map_err(damaged)?;
        let schema = meta.file_metadata().schema_descr();
        let column = |c: &Arc<ColumnDescriptor>| Column { name: c.path().parts().join("."), kind: kind(c) };
        let columns: Vec<_> = schema.columns().iter().map(column).collect();
        for (group, rows) in meta.row_groups().iter().enumerate() {
            if rows.num_columns() != columns.len() || rows.num_rows() < 0 {
                let (found, rows) = (rows.num_columns(), rows.num_rows());
                let expected = columns.len();
                return Err(damaged(format!("row group {group} has {rows} rows, {found} of {expected} columns")));
            }
        }
        let source = Arc::new(source);
        Ok(Self { source, meta, columns, chosen: vec![], group: 0, first: 0, rows: 0, opened: 0, left: 0 })
    }

    /// The columns of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Rows that the footer states.
    pub fn stated_rows(&self) -> u64 {
        // Checked in `new`; a sum beyond 64 bits is damage that reading will find.
        self.meta.row_groups().iter().fold(0u64, |n, g| n.saturating_add(g.num_rows().unsigned_abs()))
    }

    /// Chooses the columns that are read, from the first row; in cells they are counted in this order.
    ///
    /// # Errors
    /// `Unsupported` for a kind or compression that is not read, `Footer` for places of columns that cannot be.
    pub fn choose(&mut self, columns: &[usize]) -> Result<(), Error> {
        self.chosen.clear();
        (self.group, self.first, self.rows, self.opened, self.left) = (0, 0, 0, 0, 0);
        for &index in columns {
            let Some(column) = self.columns.get(index) else { continue };
            let descriptor = self.meta.file_metadata().schema_descr().column(index);
            let unsupported = |what: String, instead| Error::Unsupported { column: column.name.clone(), what, instead };
            let content = match (column.kind, descriptor.physical_type()) {
                (Kind::Other, _) => {
                    let what = "a column that is nested, repeated, or of a type that is not read".to_owned();
                    return Err(unsupported(what, "write it as a plain column of numbers, truth values or text"));
                }
                (_, Type::BOOLEAN) => Content::Bool(vec![]),
                (_, Type::INT32) => Content::Int32(vec![]),
                (_, Type::INT64) => Content::Int64(vec![]),
                (_, Type::FLOAT) => Content::Float(vec![]),
                (_, Type::DOUBLE) => Content::Double(vec![]),
                _ => Content::Text(vec![]),
            };
            for group in self.meta.row_groups() {
                let chunk = group.column(index);
                if ratio(chunk.compression()).is_none() {
                    let name = chunk.compression().to_string();
                    let name = name.split('(').next().unwrap_or_default();
                    let instead = "write it again with another compression, as in pyarrow: \
                                   pq.write_table(pq.read_table(FILE), NEW, compression=\"snappy\")";
                    return Err(unsupported(format!("compression {name}"), instead));
                }
                self.check_place(chunk, &column.name)?;
            }
            self.chosen.push(Chosen {
                index,
                kind: column.kind,
                nullable: descriptor.max_def_level() > 0,
                reader: None,
                values: Values { content, levels: vec![], places: vec![] },
            });
        }
        Ok(())
    }

    /// The bytes of a column lie within the file.
    fn check_place(&self, chunk: &ColumnChunkMetaData, name: &str) -> Result<(), Error> {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let end = start.checked_add(chunk.compressed_size()).filter(|_| start >= 0 && chunk.compressed_size() >= 0);
        let inside = end.is_some_and(|e| e.unsigned_abs() <= self.source.data_end());
        if inside && chunk.file_path().is_none() && chunk.num_values() >= 0 {
            return Ok(());
        }
        let reason = format!(
            "column {name:?} starts at byte {start} and has {} bytes, {} values; columns end at byte {}",
            chunk.compressed_size(),
            chunk.num_values(),
            self.source.data_end()
        );
        Err(Error::Footer { offset: self.source.data_end(), reason })
    }

    /// Reads the next rows; `false` at the end.
    ///
    /// # Errors
    /// `Data` for damage, `Io`, also with [`bitspike_files::Beyond`] behind it. After an error the reader is at its end.
    pub fn next_batch(&mut self) -> Result<bool, Error> {
        let done = self.advance();
        if !matches!(done, Ok(true)) {
            self.rows = 0;
            self.left = 0;
            self.opened = self.meta.num_row_groups();
            self.chosen.iter_mut().for_each(|c| c.reader = None);
        }
        done
    }

    fn advance(&mut self) -> Result<bool, Error> {
        self.first += self.rows as u64;
        self.rows = 0;
        while self.left == 0 {
            if self.opened == self.meta.num_row_groups() || self.chosen.is_empty() {
                return Ok(false);
            }
            (self.group, self.first) = (self.opened, 0);
            self.left = self.meta.row_group(self.group).num_rows().unsigned_abs();
            self.opened += 1;
            for c in 0..self.chosen.len() {
                let reader = self.open(self.chosen[c].index).map_err(|e| self.damage(c, e))?;
                self.chosen[c].reader = Some(reader);
            }
        }
        // At most ROWS.
        let rows = self.left.min(ROWS as u64) as usize;
        for c in 0..self.chosen.len() {
            self.chosen[c].fill(rows).map_err(|e| self.damage(c, e))?;
        }
        self.rows = rows;
        self.left -= rows as u64;
        Ok(true)
    }

    fn open(&self, index: usize) -> Result<ColumnReader, String> {
        let group = self.meta.row_group(self.group);
        let (chunk, source) = (group.column(index), Arc::clone(&self.source));
        let gzip = matches!(chunk.compression(), Compression::GZIP(_));
        let packing = Packing { ratio: ratio(chunk.compression()).unwrap_or(1), gzip };
        let rows = usize::try_from(group.num_rows()).map_err(|e| e.to_string())?;
        guarded(|| {
            let inner = SerializedPageReader::new(Arc::new(source.of_column(index, packing)), chunk, rows, None)?;
            let pages = Pages::new(inner, chunk);
            Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
        })
    }

    fn damage(&self, chosen: usize, reason: String) -> Error {
        if let Some(error) = self.source.take_error() {
            return Error::Io(error);
        }
        let column = self.chosen.get(chosen).and_then(|c| self.columns.get(c.index));
        let column = column.map_or_else(String::new, |c| c.name.clone());
        Error::Data { group: self.group, row: self.first, column, reason }
    }

    /// Number of rows in the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Row group of the batch, and its first row within the group.
    pub fn position(&self) -> (usize, u64) {
        (self.group, self.first)
    }

    /// The value of a row of the batch in a chosen column; null if there is no such row or column.
    pub fn cell(&self, chosen: usize, row: usize) -> Cell<'_> {
        match self.chosen.get(chosen) {
            Some(c) if row < self.rows => c.cell(row),
            _ => Cell::Null,
        }
    }
}

impl Chosen {
    /// Decodes exactly so many rows.
    fn fill(&mut self, rows: usize) -> Result<(), String> {
        let Values { content, levels, places } = &mut self.values;
        levels.clear();
        places.clear();
        let Some(reader) = &mut self.reader else { return Err("no reader".to_owned()) };
        let nullable = self.nullable;
        macro_rules! read {
            ($reader:expr, $values:expr) => {{
                $values.clear();
                let levels = nullable.then_some(&mut *levels);
                let n = guarded(|| $reader.read_records(rows, levels, None, $values))?;
                (n.0, $values.len())
            }};
        }
        let (records, values) = match (reader, content) {
            (ColumnReader::BoolColumnReader(r), Content::Bool(v)) => read!(r, v),
            (ColumnReader::Int32ColumnReader(r), Content::Int32(v)) => read!(r, v),
            (ColumnReader::Int64ColumnReader(r), Content::Int64(v)) => read!(r, v),
            (ColumnReader::FloatColumnReader(r), Content::Float(v)) => read!(r, v),
            (ColumnReader::DoubleColumnReader(r), Content::Double(v)) => read!(r, v),
            (ColumnReader::ByteArrayColumnReader(r), Content::Text(v)) => {
                let n = read!(r, v);
                if let Some(at) = v.iter().position(|b| b.as_utf8().is_err()) {
                    return Err(format!("value {at} of the batch: expected UTF-8, found other bytes"));
                }
                n
            }
            _ => return Err("a column of another type than the footer says".to_owned()),
        };
        let filled = if nullable { levels.iter().filter(|l| **l != 0).count() } else { rows };
        if records != rows || values != filled || (nullable && levels.len() != rows) {
            return Err(format!("expected {rows} more rows, found {records} with {values} values"));
        }
        if nullable {
            let mut next = 0;
            places.extend(levels.iter().map(|l| {
                let place = next;
                next += usize::from(*l != 0);
                place
            }));
        }
        Ok(())
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        let v = &self.values;
        let at = match (v.levels.get(row), v.places.get(row)) {
            (Some(0), _) => return Cell::Null,
            (Some(_), Some(place)) => *place,
            _ => row,
        };
        let unsigned = self.kind == Kind::Unsigned;
        let cell = match &v.content {
            Content::Bool(v) => v.get(at).map(|v| Cell::Bool(*v)),
            // The same bits without a sign.
            Content::Int32(v) if unsigned => v.get(at).map(|v| Cell::Whole((*v as u32).into())),
            Content::Int32(v) => v.get(at).map(|v| Cell::Whole((*v).into())),
            Content::Int64(v) if unsigned => {
                v.get(at).map(|v| if *v < 0 { Cell::Real(*v as u64 as f64) } else { Cell::Whole(*v) })
            }
            Content::Int64(v) => v.get(at).map(|v| Cell::Whole(*v)),
            Content::Float(v) => v.get(at).map(|v| Cell::Real((*v).into())),
            Content::Double(v) => v.get(at).map(|v| Cell::Real(*v)),
            // Checked when it was read.
            Content::Text(v) => v.get(at).map(|v| Cell::Text(v.as_utf8().unwrap_or_default())),
        };
        cell.unwrap_or(Cell::Null)
    }
}

/// By how much a page may grow when it is unpacked; `None` for a compression that is not read. Copies of Snappy make 64
/// bytes of 3, bytes of a length in LZ4 stand for 255, 258 bytes of gzip need 2 bits.
fn ratio(compression: Compression) -> Option<u64> {
    match compression {
        Compression::UNCOMPRESSED => Some(1),
        Compression::SNAPPY => Some(22),
        Compression::LZ4 | Compression::LZ4_RAW => Some(256),
        Compression::GZIP(_) => Some(1033),
        _ => None,
    }
}

/// What a column holds, by its type and what the schema says about the type.
fn kind(c: &ColumnDescriptor) -> Kind {
    if c.path().parts().len() != 1 || c.max_rep_level() != 0 || c.max_def_level() > 1 {
        return Kind::Other;
    }
    use ConvertedType as Old;
    use parquet::basic::TimeUnit as Of;
    match (c.physical_type(), c.logical_type_ref(), c.converted_type()) {
        (Type::BOOLEAN, None, _) => Kind::Bool,
        (Type::INT64, Some(LogicalType::Timestamp(t)), _) => Kind::Timestamp(match t.unit {
            Of::MILLIS => Unit::Millis,
            Of::MICROS => Unit::Micros,
            Of::NANOS => Unit::Nanos,
        }),
        (Type::INT64, None, Old::TIMESTAMP_MILLIS) => Kind::Timestamp(Unit::Millis),
        (Type::INT64, None, Old::TIMESTAMP_MICROS) => Kind::Timestamp(Unit::Micros),
        (Type::INT32 | Type::INT64, Some(LogicalType::Integer(i)), _) => {
            if i.is_signed {
                Kind::Whole
            } else {
                Kind::Unsigned
            }
        }
        (Type::INT32 | Type::INT64, None, Old::UINT_8 | Old::UINT_16 | Old::UINT_32 | Old::UINT_64) => Kind::Unsigned,
        (Type::INT32 | Type::INT64, None, Old::NONE | Old::INT_8 | Old::INT_16 | Old::INT_32 | Old::INT_64) => {
            Kind::Whole
        }
        (Type::FLOAT | Type::DOUBLE, None, _) => Kind::Real,
        (Type::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum), _) => Kind::Text,
        (Type::BYTE_ARRAY, None, Old::UTF8 | Old::ENUM) => Kind::Text,
        _ => Kind::Other,
    }
}

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
