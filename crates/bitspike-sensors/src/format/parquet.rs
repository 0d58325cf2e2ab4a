//! Parquet: one row per time, plain columns.
//!
//! Numbers and booleans are channels, null is a missing value; strings, numbers and booleans may be labels. Timestamps of
//! Parquet have their own unit, other times that of `time_unit`. Compression: none, Snappy, gzip, LZ4 (raw); others
//! (Zstandard, Brotli) need a C compiler to build and are an error. Not read: nested and repeated columns. Lines in
//! errors are rows from 1, fields are columns. Decoded by the crate `parquet`.

use super::Known;
use super::table::{Role, Roles, Table};
use crate::{ParquetFormat, Recording, SensorError};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::path::Path;

/// A number, if the field is one.
fn number(field: &Field) -> Option<f64> {
    Some(match field {
        Field::Bool(b) => f64::from(u8::from(*b)),
        Field::Byte(v) => f64::from(*v),
        Field::Short(v) => f64::from(*v),
        Field::Int(v) => f64::from(*v),
        Field::Long(v) => *v as f64,
        Field::UByte(v) => f64::from(*v),
        Field::UShort(v) => f64::from(*v),
        Field::UInt(v) => f64::from(*v),
        Field::ULong(v) => *v as f64,
        Field::Float(v) => f64::from(*v),
        Field::Double(v) => *v,
        _ => return None,
    })
}

pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    format: &ParquetFormat,
    known: Known<'_>,
) -> Result<Vec<Recording>, SensorError> {
    // The library has asserts and unchecked sums in its decoders; on damaged files they must not end the program.
    let result = std::panic::catch_unwind(|| decode(path, bytes, format, known));
    result.unwrap_or_else(|_| Err(damaged(path, 0, "content", "a decoder that gave up".into())))
}

fn damaged(path: &Path, offset: u64, what: &'static str, found: String) -> SensorError {
    SensorError::Binary { path: path.into(), offset, what, expected: "Parquet".into(), found }
}

fn decode(path: &Path, bytes: &[u8], format: &ParquetFormat, known: Known<'_>) -> Result<Vec<Recording>, SensorError> {
    let footer = bytes.len().saturating_sub(8) as u64;
    let content = bytes::Bytes::copy_from_slice(bytes);
    let reader = SerializedFileReader::new(content).map_err(|e| damaged(path, footer, "footer", e.to_string()))?;
    let schema = reader.metadata().file_metadata().schema();
    let mut columns = Vec::new();
    for field in schema.get_fields() {
        if !field.is_primitive() || field.get_basic_info().repetition() == parquet::basic::Repetition::REPEATED {
            return Err(SensorError::Unsupported {
                path: path.into(),
                place: format!("column {:?}", field.name()),
                what: "a nested or repeated column".into(),
                instead: "write one plain column for each channel",
            });
        }
        columns.push(field.name().to_string());
    }
    let roles = Roles {
        time: format.time_column.as_deref(),
        unit: format.time_unit,
        label: format.label_column.as_deref(),
        group: format.group_column.as_deref(),
    };
    let mut table = Table::new(path, 0, &columns, roles, known)?;
    let rows = reader.get_row_iter(None).map_err(|e| damaged(path, 0, "rows", e.to_string()))?;
    for (line, row) in (1u64..).zip(rows) {
        let row = row.map_err(|e| damaged(path, 0, "rows", format!("row {line}: {e}")))?;
        let (mut label, mut group) = (None, None);
        for (i, (_, value)) in row.get_column_iter().enumerate() {
            let field = i as u64 + 1;
            let bad = |what, expected: &str| SensorError::text(path, line, field, what, expected, value.to_string());
            match table.roles.get(i).copied().unwrap_or(Role::Unused) {
                Role::Channel(c) if matches!(value, Field::Null) => table.value(c, None, line, field)?,
                Role::Channel(c) => match number(value) {
                    Some(v) if v.is_nan() => table.value(c, None, line, field)?,
                    Some(v) if (v as f32).is_finite() => table.value(c, Some(v as f32), line, field)?,
                    _ => return Err(bad("value", "a finite number")),
                },
                Role::Time => {
                    // The table divides by the unit of plain numbers, so the timestamps' own is taken to that.
                    let per = format.time_unit.per_second();
                    let t = match value {
                        Field::TimestampMillis(t) => Some(*t as f64 / 1e3 * per),
                        Field::TimestampMicros(t) => Some(*t as f64 / 1e6 * per),
                        other => number(other),
                    };
                    let t = t.filter(|t| t.is_finite()).ok_or_else(|| bad("time", "a finite number or timestamp"))?;
                    table.time(t, line, field)?;
                }
                role @ (Role::Label | Role::Group) => {
                    let text = match value {
                        Field::Str(s) => s.clone(),
                        other if number(other).is_some() => other.to_string(),
                        _ => return Err(bad("label or group", "a name or number")),
                    };
                    if text.is_empty() {
                        return Err(bad("label or group", "a name or number"));
                    }
                    *(if role == Role::Label { &mut label } else { &mut group }) = Some(text);
                }
                Role::Unused => {}
            }
        }
        table.row(label.as_deref(), group.as_deref());
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Missing;
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

    fn format() -> ParquetFormat {
        ParquetFormat { time_column: Some("t".into()), label_column: Some("l".into()), ..ParquetFormat::default() }
    }

    #[test]
    fn columns_and_their_roles() {
        let gzip = Compression::GZIP(Default::default());
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, gzip] {
            let bytes = file(compression);
            let known = Known { missing: Missing::Hold, ..Known::default() };
            let got = super::read("a.parquet".as_ref(), &bytes, &format(), known).unwrap();
            let text: Vec<_> = got.iter().map(|r| (r.name.as_str(), r.label.as_deref(), &r.values[..])).collect();
            let want = [("a#0", Some("a"), &[1.5, 1.5, 1.0, 2.0][..]), ("a#1", Some("b"), &[3.5, 3.0][..])];
            assert_eq!(text, want, "{compression}");
            assert_eq!(got[0].rate_hz, Some(100.0));
            let e = super::read("a.parquet".as_ref(), &bytes, &format(), Known::default()).unwrap_err();
            assert!(matches!(&e, SensorError::MissingText { line: 2, field: 1, .. }), "{e}");
        }
        let e = super::read("a".as_ref(), &file(gzip), &ParquetFormat::default(), Known::default()).unwrap_err();
        assert!(matches!(&e, SensorError::Text { line: 1, field: 3, what: "value", .. }), "{e}");
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = file(Compression::SNAPPY);
        for n in 0..bytes.len() {
            assert!(super::read("a".as_ref(), &bytes[..n], &format(), Known::default()).is_err(), "{n}");
        }
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..2000, to: u8) {
            let mut bytes = file(Compression::UNCOMPRESSED);
            let n = bytes.len();
            bytes[at % n] = to;
            _ = super::read("a".as_ref(), &bytes, &format(), Known { missing: Missing::Hold, ..Known::default() });
        }
    }
}
