//! Parquet: one row per time, plain columns.
//!
//! Numbers and booleans are channels, null is a missing value; strings, numbers and booleans may be labels. Timestamps of
//! Parquet have their own unit, other times that of `time_unit`. Decoded by `bitspike-parquet`, which names compressions and
//! encodings that are read; others (Zstandard, Brotli) are an error. Not read: nested and repeated columns. Lines in errors
//! are rows from 1, fields are columns from 1.

use super::stamp::Stamp;
use super::table::{Role, Roles, Table};
use super::{Decoded, Known, csv};
use crate::{DateOrder, Oddity, ParquetFormat, SensorError};
use bitspike_files::Beyond;
use bitspike_parquet::{Cell, Error, Kind, Reader, Unit};
use std::path::Path;

/// The error of the library with the path; `line` is the row that it was met at, from 1.
fn damaged(path: &Path, line: u64, e: Error) -> SensorError {
    let path = path.to_path_buf();
    let (expected, what) = (String::from("a whole Parquet file"), "Parquet");
    match e {
        Error::Io(source) => SensorError::io(&path, source),
        Error::NotParquet { offset, expected, found } => {
            SensorError::Binary { path, offset, what, expected: expected.into(), found }
        }
        Error::Footer { offset, reason } => {
            SensorError::Binary { path, offset, what: "footer", expected, found: reason }
        }
        Error::Unsupported { column, what, instead } => {
            let place = if column.is_empty() { "byte 0".into() } else { format!("column {column:?}") };
            SensorError::Unsupported { path, place, what, instead }
        }
        e @ Error::Data { .. } => SensorError::text(&path, line, 0, "rows", "rows that can be decoded", e.to_string()),
        other => SensorError::Binary { path, offset: 0, what, expected, found: other.to_string() },
    }
}

pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    format: &ParquetFormat,
    known: Known<'_>,
) -> Result<(Vec<Decoded>, Vec<Oddity>), SensorError> {
    let file = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let mut reader = Reader::new(file).map_err(|e| damaged(path, 0, e))?;
    let roles = Roles {
        time: format.time_column.as_deref(),
        unit: format.time_unit,
        faults: format.time_faults,
        label: format.label_column.as_deref(),
        group: format.group_column.as_deref(),
    };
    // The row numbers that pandas writes have a name, but no meaning.
    let name = |c: &bitspike_parquet::Column| match c.name.starts_with("__index_level_") {
        true if !known.channels.contains(&c.name)
            && ![&roles.time, &roles.label, &roles.group].contains(&&Some(&*c.name)) =>
        {
            String::new()
        }
        _ => c.name.clone(),
    };
    let columns: Vec<String> = reader.columns().iter().map(name).collect();
    let mut table = Table::new(path, 0, &columns, roles, known)?;
    let used: Vec<(usize, Role, Kind)> = table
        .roles
        .iter()
        .zip(reader.columns())
        .enumerate()
        .filter(|(_, (role, _))| !matches!(role, Role::Unused | Role::Nameless(_)))
        .map(|(i, (role, column))| (i, *role, column.kind))
        .collect();
    let indices: Vec<usize> = used.iter().map(|u| u.0).collect();
    reader.choose(&indices).map_err(|e| damaged(path, 0, e))?;
    // In memory a row has its number, its time, and four bytes for each channel; in the file run lengths may stand for any
    // number of rows.
    let row = 8 + size_of::<Stamp>() as u64 + 4 * used.len() as u64;
    let held = reader.stated_rows().saturating_mul(row);
    let remedy = "if the file is meant to be so, export it as CSV, or cut it into several";
    Beyond::check_growth("bytes of rows", bytes.len() as u64, held, remedy)
        .map_err(|e| SensorError::beyond(path, "the footer", e))?;
    let mut line = 0;
    while reader.next_batch().map_err(|e| damaged(path, line + 1, e))? {
        for row in 0..reader.rows() {
            line += 1;
            let (mut label, mut group) = (None, None);
            for (k, &(index, role, kind)) in used.iter().enumerate() {
                let (cell, field) = (reader.cell(k, row), index as u64 + 1);
                let bad = |what, expected: &str| SensorError::text(path, line, field, what, expected, shown(cell));
                match role {
                    // A time among the channels is more likely a column that was not named than a signal.
                    Role::Channel(_) if matches!(kind, Kind::Timestamp(_)) => {
                        let remedy = format!("set data.sensors.format.time_column = {:?}", columns[index]);
                        return Err(bad("value", "a finite number").with_remedy(remedy));
                    }
                    Role::Channel(c) => match (cell, number(cell)) {
                        (Cell::Null, _) => table.value(c, None, line)?,
                        (_, Some(v)) if v.is_nan() => table.value(c, None, line)?,
                        (_, Some(v)) if (v as f32).is_finite() => table.value(c, Some(v), line)?,
                        (Cell::Text(text), _) if known.markers.text(text) => table.value(c, None, line)?,
                        (cell, _) => {
                            let csv = crate::CsvFormat::default();
                            return Err(csv::not_a_number(path, line, field, &columns, &shown(cell), &csv));
                        }
                    },
                    Role::Time => {
                        let per_second = match kind {
                            Kind::Timestamp(Unit::Millis) => 1e3,
                            Kind::Timestamp(Unit::Micros) => 1e6,
                            Kind::Timestamp(Unit::Nanos) => 1e9,
                            _ => format.time_unit.per_second(),
                        };
                        let stamp = match cell {
                            Cell::Whole(t) => Some(Stamp::whole_number(t, per_second as i64)),
                            Cell::Real(t) => Some(t / per_second).filter(|t| t.is_finite()).and_then(Stamp::real),
                            Cell::Text(text) => Stamp::parse(text, text, format.time_unit, DateOrder::Ymd),
                            Cell::Null | Cell::Bool(_) => None,
                        };
                        table.time(stamp.ok_or_else(|| bad("time", "a number, a timestamp, or a date"))?);
                    }
                    Role::Label | Role::Group => {
                        let text = Some(shown(cell)).filter(|t| cell != Cell::Null && !t.is_empty());
                        let text = text.ok_or_else(|| bad("label or group", "a name or number"))?;
                        *(if role == Role::Label { &mut label } else { &mut group }) = Some(text);
                    }
                    Role::Unused | Role::Nameless(_) => {}
                }
            }
            table.row(line, label.as_deref(), group.as_deref());
        }
    }
    table.finish()
}

/// Names and kinds of all columns.
pub(crate) fn columns(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Kind)>, SensorError> {
    let reader = Reader::new(Box::new(std::io::Cursor::new(bytes.to_vec()))).map_err(|e| damaged(path, 0, e))?;
    Ok(reader.columns().iter().map(|c| (c.name.clone(), c.kind)).collect())
}

/// A number, if the cell is one.
fn number(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Bool(b) => Some(f64::from(u8::from(b))),
        Cell::Whole(v) => Some(v as f64),
        Cell::Real(v) => Some(v),
        Cell::Null | Cell::Text(_) => None,
    }
}

/// As text.
fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => "null".into(),
        Cell::Bool(b) => b.to_string(),
        Cell::Whole(v) => v.to_string(),
        Cell::Real(v) => v.to_string(),
        Cell::Text(s) => s.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Missing, Recording};
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// Columns x: 1.5, null, 3.5; n: 1, 2, 3; t: 0, 10, 20 ms; l: a, a, b.
    fn file(compression: Compression) -> Vec<u8> {
        let schema = "message m { optional double x; required int32 n; required int64 t (TIMESTAMP(MILLIS,true)); \
                      required binary l (STRING); }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut out = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut out, schema, properties).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        let mut next = |write: &dyn Fn(&mut parquet::file::writer::SerializedColumnWriter<'_>)| {
            let mut column = rows.next_column().unwrap().unwrap();
            write(&mut column);
            column.close().unwrap();
        };
        next(&|c| _ = c.typed::<DoubleType>().write_batch(&[1.5, 3.5], Some(&[1, 0, 1]), None).unwrap());
        next(&|c| _ = c.typed::<Int32Type>().write_batch(&[1, 2, 3], None, None).unwrap());
        next(&|c| _ = c.typed::<Int64Type>().write_batch(&[0, 10, 20], None, None).unwrap());
        next(&|c| {
            let l = ["a", "a", "b"].map(ByteArray::from);
            c.typed::<ByteArrayType>().write_batch(&l, None, None).unwrap();
        });
        rows.close().unwrap();
        writer.close().unwrap();
        out
    }

    fn read(path: &str, bytes: &[u8], format: &ParquetFormat, known: Known<'_>) -> Result<Vec<Recording>, SensorError> {
        Ok(super::read(path.as_ref(), bytes, format, known)?.0.into_iter().map(|d| d.recording).collect())
    }

    fn format() -> ParquetFormat {
        ParquetFormat { time_column: Some("t".into()), label_column: Some("l".into()), ..ParquetFormat::default() }
    }

    #[test]
    fn columns_and_their_roles() {
        let gzip = Compression::GZIP(Default::default());
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, gzip] {
            let bytes = file(compression);
            let known = Known { missing: Missing::Hold, ..Known::default() };
            let got = read("a.parquet", &bytes, &format(), known).unwrap();
            let text: Vec<_> = got.iter().map(|r| (r.name.as_str(), r.label.as_deref(), &r.values[..])).collect();
            let want = [("a#0", Some("a"), &[1.5, 1.5, 1.0, 2.0][..]), ("a#1", Some("b"), &[3.5, 3.0][..])];
            assert_eq!(text, want, "{compression}");
            assert_eq!(got[0].rate_hz, Some(100.0));
            let e = read("a.parquet", &bytes, &format(), Known::default()).unwrap_err();
            assert!(matches!(&e, SensorError::MissingText { line: 2, field: 1, .. }), "{e}");
        }
        let e = read("a", &file(gzip), &ParquetFormat::default(), Known::default()).unwrap_err();
        assert!(matches!(&e, SensorError::Text { line: 1, field: 3, what: "value", .. }), "{e}");
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = file(Compression::SNAPPY);
        for n in 0..bytes.len() {
            assert!(read("a", &bytes[..n], &format(), Known::default()).is_err(), "{n}");
        }
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..2000, to: u8) {
            let mut bytes = file(Compression::UNCOMPRESSED);
            let n = bytes.len();
            bytes[at % n] = to;
            _ = read("a", &bytes, &format(), Known { missing: Missing::Hold, ..Known::default() });
        }
    }
}
