//! CSV: text in UTF-8 with a separator, one row per time, fields quoted after RFC 4180.
//!
//! - The first line of the table names the columns, unless `header = false`. Every line has as many fields.
//! - Blanks around fields are left out; lines without any character too. A byte-order mark is skipped.
//! - Numbers as `1`, `-1.5e3`; with `decimal = ","` also `-1,5e3`. Infinite values and ones beyond `f32` are errors.
//! - A cut within the last number cannot be noticed, only one that changes the number of fields.

use super::table::{Role, Roles, Table};
use super::{Known, is_missing, number};
use crate::{CsvFormat, Recording, SensorError};
use std::borrow::Cow;
use std::path::Path;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The text without a byte-order mark.
pub(crate) fn skip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// The bytes as text; else the line of the first byte that is none.
pub(crate) fn check_utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, SensorError> {
    std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        SensorError::text(
            path,
            1 + bytes[..at].iter().filter(|b| **b == b'\n').count() as u64,
            0,
            "text",
            "UTF-8",
            format!("byte {:#04x}", bytes[at]),
        )
    })
}

/// What splits lines into fields.
pub(crate) fn builder(format: &CsvFormat) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(format.separator as u8).quote(format.quote as u8);
    builder.has_headers(false).flexible(true).trim(csv::Trim::All);
    builder
}

/// A number with a point for the decimal sign; with another decimal sign, a point is no part of a number.
pub(crate) fn plain<'a>(text: &'a str, format: &CsvFormat) -> Cow<'a, str> {
    match format.decimal {
        ',' => Cow::Owned(text.replace('.', "_").replace(',', ".")),
        _ => Cow::Borrowed(text),
    }
}

pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    format: &CsvFormat,
    known: Known<'_>,
) -> Result<Vec<Recording>, SensorError> {
    let bad = |line, field, what, expected: String, found: String| {
        SensorError::text(path, line, field, what, expected, found)
    };
    let mut text = check_utf8(path, skip_bom(bytes))?;
    for skipped in 0..format.skip_lines {
        text = match text.split_once('\n') {
            Some((_, rest)) => rest,
            None => {
                let expected = format!("{} lines before the table", format.skip_lines);
                return Err(bad(skipped + 1, 0, "skip_lines", expected, "the end of the file".into()));
            }
        };
    }
    let mut rows = builder(format).from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    let mut next = |row: &mut csv::StringRecord| -> Result<Option<u64>, SensorError> {
        match rows.read_record(row) {
            Ok(false) => Ok(None),
            // The position of a record is where reading began: blank lines before it count to it.
            Ok(true) => {
                let p = row.position();
                let at = p.map_or(0, |p| p.byte() as usize);
                let blank = text[at..].bytes().take_while(|b| matches!(b, b'\n' | b'\r'));
                let blank = blank.filter(|b| *b == b'\n').count() as u64;
                Ok(Some(p.map_or(0, |p| p.line()) + blank + format.skip_lines))
            }
            Err(e) => {
                let line = e.position().map_or(0, |p| p.line()) + format.skip_lines;
                Err(bad(line, 0, "row", "separated fields".into(), e.to_string()))
            }
        }
    };
    let (columns, line) = match format.header {
        false => (format.columns.clone(), 1 + format.skip_lines),
        true => {
            let Some(line) = next(&mut row)? else { return Ok(vec![]) };
            let header: Vec<String> = row.iter().map(String::from).collect();
            if !format.columns.is_empty() && format.columns != header {
                return Err(bad(line, 0, "header", format!("{:?}", format.columns), format!("{header:?}")));
            }
            (header, line)
        }
    };
    let roles = Roles {
        time: format.time_column.as_deref(),
        unit: format.time_unit,
        label: format.label_column.as_deref(),
        group: format.group_column.as_deref(),
    };
    let mut table = Table::new(path, line, &columns, roles, known)?;
    while let Some(line) = next(&mut row)? {
        if row.len() != columns.len() {
            return Err(bad(line, 0, "row", format!("{} fields", columns.len()), format!("{} fields", row.len())));
        }
        let (mut label, mut group) = (None, None);
        for (i, text) in row.iter().enumerate() {
            let field = i as u64 + 1;
            let plain = || plain(text, format);
            match table.roles[i] {
                Role::Channel(c) if is_missing(text) => table.value(c, None, line, field)?,
                Role::Channel(c) => match number(&plain()) {
                    Some(v) => table.value(c, Some(v), line, field)?,
                    None => return Err(bad(line, field, "value", "a finite number".into(), format!("{text:?}"))),
                },
                Role::Time => match plain().parse::<f64>().ok().filter(|t| t.is_finite()) {
                    Some(t) => table.time(t, line, field)?,
                    None => return Err(bad(line, field, "time", "a finite number".into(), format!("{text:?}"))),
                },
                Role::Label | Role::Group if text.is_empty() => {
                    return Err(bad(line, field, "label or group", "a name".into(), "nothing".into()));
                }
                Role::Label => label = Some(text),
                Role::Group => group = Some(text),
                Role::Unused => {}
            }
        }
        table.row(label, group);
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Missing, TimeUnit};

    fn read(text: &str, format: CsvFormat) -> Result<Vec<Recording>, SensorError> {
        super::read("a.csv".as_ref(), text.as_bytes(), &format, Known::default())
    }

    #[test]
    fn quotes_blanks_bom_and_blank_lines() {
        let got = read("\u{feff}\"a\", b\r\n\r\n\"1\" ,2\r\n3,\"4\"", CsvFormat::default()).unwrap();
        assert_eq!(got[0].channels, ["a", "b"]);
        assert_eq!(got[0].values, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn decimal_comma_and_preamble() {
        let format = CsvFormat { separator: ';', decimal: ',', skip_lines: 2, ..CsvFormat::default() };
        let got = read("Device 7\nfirmware 1.2\nx;y\n1,5;-2,5e1\n", format.clone()).unwrap();
        assert_eq!(got[0].values, [1.5, -25.0]);
        let e = read("Device 7\nfirmware 1.2\nx;y\n\n1.5;2\n", format.clone()).unwrap_err();
        assert_eq!(e.to_string(), "a.csv: line 5, field 1: value: expected a finite number, found \"1.5\"");
        let e = read("one", format).unwrap_err();
        assert!(matches!(e, SensorError::Text { line: 1, what: "skip_lines", .. }), "{e}");
    }

    #[test]
    fn places_of_errors() {
        let rows = [
            ("a,b\n1,2\n3\n", 3, 0, "row"),
            ("a,b\n1,2\n3,4,5\n", 3, 0, "row"),
            ("a,b\n1,x\n", 2, 2, "value"),
            ("a,b\ninf,1\n", 2, 1, "value"),
            ("a,b\n1e39,1\n", 2, 1, "value"),
            ("a,a\n1,1\n", 1, 2, "column"),
        ];
        for (text, want_line, want_field, want) in rows {
            match read(text, CsvFormat::default()) {
                Err(SensorError::Text { line, field, what, .. }) => {
                    assert_eq!((line, field, what), (want_line, want_field, want), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        let e = super::read("a".as_ref(), b"a\n1\n\xff\n", &CsvFormat::default(), Known::default()).unwrap_err();
        assert!(matches!(e, SensorError::Text { line: 3, what: "text", .. }), "{e}");
        assert!(read("", CsvFormat::default()).unwrap().is_empty());
    }

    #[test]
    fn declared_columns_are_the_header() {
        let columns = vec!["a".to_string(), "b".to_string()];
        let with = CsvFormat { columns: columns.clone(), ..CsvFormat::default() };
        assert!(read("a,b\n1,2\n", with.clone()).is_ok());
        assert!(matches!(read("a,c\n1,2\n", with), Err(SensorError::Text { line: 1, what: "header", .. })));
        let without = CsvFormat { columns, header: false, ..CsvFormat::default() };
        assert_eq!(read("1,2\n3,4\n", without).unwrap()[0].values, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn missing_values() {
        let text = "a,b\n1,NaN\n,2\n3,?\n";
        let e = read(text, CsvFormat::default()).unwrap_err();
        assert!(matches!(&e, SensorError::MissingText { line: 2, field: 2, channel, .. } if channel == "b"), "{e}");
        let known = Known { missing: Missing::Linear, ..Known::default() };
        let got = super::read("a".as_ref(), text.as_bytes(), &CsvFormat::default(), known).unwrap();
        assert_eq!(got[0].values, [1.0, 2.0, 3.0, 2.0, 2.0, 2.0]);
        let e = super::read("a".as_ref(), b"a,b\n1,\n", &CsvFormat::default(), known).unwrap_err();
        assert!(matches!(e, SensorError::NothingToFill { .. }), "{e}");
    }

    #[test]
    fn times_give_the_rate() {
        let format = CsvFormat { time_column: Some("t".into()), time_unit: TimeUnit::Ms, ..CsvFormat::default() };
        let got = read("t,x\n0,1\n3,2\n7,3\n10,4\n", format.clone()).unwrap();
        assert_eq!((got[0].rate_hz, got[0].channels.len()), (Some(300.0), 1));
        let e = read("t,x\n0,1\n3,2\n3,3\n", format.clone()).unwrap_err();
        assert!(matches!(e, SensorError::Text { line: 4, field: 1, what: "time", .. }), "{e}");
        let e = read("t,x\n0,1\n3,2\n6,3\n12,4\n", format).unwrap_err();
        assert!(matches!(e, SensorError::Text { line: 5, what: "time step", .. }), "{e}");
    }

    #[test]
    fn labels_inside_cut_the_file() {
        let format =
            CsvFormat { label_column: Some("l".into()), group_column: Some("g".into()), ..CsvFormat::default() };
        let got = read("x,l,g\n1,a,p\n2,a,p\n3,b,p\n4,b,q\n", format.clone()).unwrap();
        let got: Vec<_> = got
            .iter()
            .map(|r| (r.name.as_str(), r.label.as_deref().unwrap(), r.group.as_deref().unwrap(), r.values.clone()))
            .collect();
        let want = [("a#0", "a", "p", vec![1.0, 2.0]), ("a#1", "b", "p", vec![3.0]), ("a#2", "b", "q", vec![4.0])];
        assert_eq!(got, want);
        assert!(matches!(read("x,l,g\n1,,p\n", format), Err(SensorError::Text { line: 2, field: 2, .. })));
    }

    #[test]
    fn channels_leave_text_columns_alone() {
        let channels = ["y".to_string()];
        let known = Known { channels: &channels, ..Known::default() };
        let got = super::read("a".as_ref(), b"note,y\nhello,1\n", &CsvFormat::default(), known).unwrap();
        assert_eq!(got[0].values, [1.0]);
        let e = super::read("a".as_ref(), b"note,z\nhello,1\n", &CsvFormat::default(), known).unwrap_err();
        assert!(matches!(e, SensorError::Text { what: "columns", .. }), "{e}");
    }
}
