//! CSV: text with a separator, one row per time, fields quoted after RFC 4180. See `text.rs` for encodings and `rows.rs` for
//! lines.
//!
//! - The first line of the table names the columns, unless `header = false`. Lines that begin with `comment` are left out; if
//!   the first other line has a number or a date in it and the last comment before it as many fields, that is the header.
//! - Every line has as many fields as the header has; empty ones beyond it, as a separator at the end of a line makes, do not
//!   count. A column without a name must be empty or count the rows.
//! - Numbers as `1`, `-1.5e3`; with `decimal = ","` also `-1,5e3`. Infinite values and ones beyond `f32` are errors.
//! - A cut within the last number cannot be noticed, only one that changes the number of fields.

use super::rows::{Row, Rows};
use super::stamp::{self, Stamp};
use super::table::{Role, Roles, Table};
use super::{Decoded, Known, number, text};
use crate::{CsvFormat, Oddity, RowKind, SensorError};
use std::borrow::Cow;
use std::io::BufRead;
use std::path::Path;

/// A number with a point for the decimal sign; with another decimal sign, a point is no part of a number.
pub(crate) fn plain<'a>(text: &'a str, format: &CsvFormat) -> Cow<'a, str> {
    match format.decimal {
        ',' => Cow::Owned(text.replace('.', "_").replace(',', ".")),
        _ => Cow::Borrowed(text),
    }
}

/// The names of the columns, and the line that they are at.
pub(crate) struct Header {
    pub(crate) columns: Vec<String>,
    pub(crate) line: u64,
}

/// Reads the header, so that the next row is the first of the table; `None` if the text has no line. Both rows are read into `row`.
pub(crate) fn header<R: BufRead>(
    path: &Path,
    rows: &mut Rows<R>,
    row: &mut Row,
    format: &CsvFormat,
) -> Result<Option<Header>, SensorError> {
    if !format.header {
        return Ok(Some(Header { columns: format.columns.clone(), line: 1 + format.skip_lines }));
    }
    let Some(mut line) = rows.next(path, row)? else { return Ok(None) };
    if format.rows == RowKind::Times {
        super::check_channels(path, format!("line {line}"), row.len())?;
    }
    let data = row.iter().any(|f| number(&plain(f, format)).is_some() || stamp::is_date(f));
    let mut names: Vec<String> = row.iter().map(String::from).collect();
    let mut in_comment = false;
    if data && let Some((at, comment)) = rows.comment() {
        let mut names_in = Row::default();
        let mut one = Rows::new(path, comment.as_bytes(), &CsvFormat { skip_lines: 0, ..format.clone() })?;
        one.next(path, &mut names_in)?;
        row.trim_end(names_in.len());
        if names_in.len() == row.len() {
            names = names_in.iter().map(String::from).collect();
            rows.again(line);
            (in_comment, line) = (true, at);
        }
    }
    let mut columns = names;
    while columns.last().is_some_and(String::is_empty) && format.columns.len() < columns.len() {
        columns.pop();
    }
    if !format.columns.is_empty() {
        let same = |(given, found): (&String, &String)| found.is_empty() || given == found;
        if format.columns.len() != columns.len() || !format.columns.iter().zip(&columns).all(same) {
            let (expected, found) = (format!("{:?}", format.columns), format!("{columns:?}"));
            let e = SensorError::text(path, line, 0, "header", expected, found);
            return Err(e.with_remedy(
                "correct data.sensors.format.columns; if this line is no header, set header = false, or skip_lines",
            ));
        }
        columns.clone_from(&format.columns);
    }
    let numbers = !in_comment && !columns.is_empty() && columns.iter().all(|c| number(&plain(c, format)).is_some());
    if numbers && format.columns.is_empty() {
        let found = format!("only numbers, as {:?}", columns[0]);
        let e = SensorError::text(path, line, 0, "header", "names of the columns", found);
        return Err(e.with_remedy(
            "set data.sensors.format.header = false and columns = [...] for a table without a header, or rows = \"series\" where \
             each row is a recording; if they are names, give them in columns",
        ));
    }
    Ok(Some(Header { columns, line }))
}

/// Checks the number of fields of a row.
pub(crate) fn check_width(
    path: &Path,
    line: u64,
    row: &mut Row,
    columns: &[String],
    format: &CsvFormat,
) -> Result<(), SensorError> {
    row.trim_end(columns.len());
    if row.len() == columns.len() {
        return Ok(());
    }
    let only = columns.len() == 1 && row.len() > 1 || row.len() == 1 && columns.len() > 1;
    let remedy = match row.get(columns.len()) {
        _ if only => {
            "the header and this line have other separators, or lines before the table: set data.sensors.format.skip_lines, \
             comment or separator"
                .to_owned()
        }
        Some(_) if row.len() == columns.len() + 1 && row.get(0).is_some_and(|f| f.parse::<i64>().is_ok()) => {
            "if the first field numbers the rows and has no name: set data.sensors.format.header = false, skip_lines, and columns \
             with a name for each; else correct the line, or set decimal = \",\" with another separator"
                .to_owned()
        }
        Some(_) if row.len() == columns.len() + 1 => "name all columns, also the last, with data.sensors.format.columns".into(),
        _ => format!(
            "correct the line; if it is a line before or after the table, set data.sensors.format.skip_lines or comment; the \
             separator is {:?}",
            format.separator
        ),
    };
    let (expected, found) = (format!("{} fields", columns.len()), format!("{} fields", row.len()));
    Err(SensorError::text(path, line, 0, "row", expected, found).with_remedy(remedy))
}

/// The error for a text in a channel, with what it most likely is.
pub(crate) fn not_a_number(
    path: &Path,
    line: u64,
    field: u64,
    columns: &[String],
    text: &str,
    format: &CsvFormat,
) -> SensorError {
    let column = columns.get((field as usize).saturating_sub(1)).map_or("", String::as_str);
    let point = text.replacen(',', ".", 1);
    let end = text.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
    let remedy = if text.parse::<f64>().is_ok_and(|v| !v.is_finite() || (v as f32).is_infinite()) {
        format!("if {text:?} stands for a missing value, add it to data.sensors.missing_markers")
    } else if format.decimal == '.' && point != text && point.parse::<f64>().is_ok() {
        "set data.sensors.format.decimal = \",\"".to_owned()
    } else if format.decimal == ',' && text.parse::<f64>().is_ok() {
        "set data.sensors.format.decimal = \".\"".to_owned()
    } else if stamp::is_date(text) {
        format!("set data.sensors.format.time_column = {column:?}")
    } else if end.len() < text.len() && end.parse::<f64>().is_ok() && text.len() - end.len() <= 2 {
        format!("if every row ends so, set data.sensors.format.row_end = {:?}", &text[end.len()..])
    } else if columns.len() == 1 {
        format!(
            "see data.sensors.format: separator (now {:?}), skip_lines for lines before the table, comment, encoding",
            format.separator
        )
    } else {
        format!(
            "if column {column:?} holds labels, set data.sensors.format.label_column = {column:?} and labels = {{ from = \
             \"inside\" }}; if it is no channel, name the others in data.sensors.channels; if {text:?} stands for a missing value, \
             add it to data.sensors.missing_markers"
        )
    };
    SensorError::text(path, line, field, "value", "a finite number", format!("{text:?}")).with_remedy(remedy)
}

/// The error for a text that is no time.
pub(crate) fn not_a_time(path: &Path, line: u64, field: u64, text: &str) -> SensorError {
    let e = SensorError::text(path, line, field, "time", "a number, or a date and time of day", format!("{text:?}"));
    e.with_remedy(match stamp::is_date(text) {
        true => "set data.sensors.format.date_order = \"dmy\" or \"mdy\"",
        false => "correct the line, or data.sensors.format.time_column",
    })
}

/// A label as it is compared: `1.0` and `1.000e+00` are 1.
pub(crate) fn label(text: &str) -> Cow<'_, str> {
    let real = text.contains(['.', 'e', 'E']);
    match text.parse::<f64>() {
        Ok(v) if real && v.fract() == 0.0 && v.abs() < 1e15 => Cow::Owned(format!("{}", v as i64)),
        _ => Cow::Borrowed(text),
    }
}

pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    format: &CsvFormat,
    known: Known<'_>,
) -> Result<(Vec<Decoded>, Vec<Oddity>), SensorError> {
    let text = text::decode(path, bytes, format.encoding)?;
    let mut rows = Rows::new(path, text.as_bytes(), format)?;
    let mut row = Row::default();
    let Some(Header { columns, line }) = header(path, &mut rows, &mut row, format)? else {
        return Ok((vec![], vec![]));
    };
    let roles = Roles {
        time: format.time_column.as_deref(),
        unit: format.time_unit,
        faults: format.time_faults,
        label: format.label_column.as_deref(),
        group: format.group_column.as_deref(),
    };
    let mut table = Table::new(path, line, &columns, roles, known)?;
    while let Some(line) = rows.next(path, &mut row)? {
        check_width(path, line, &mut row, &columns, format)?;
        let (mut label_at, mut group_at) = (None, None);
        for (i, text) in row.iter().enumerate() {
            let field = i as u64 + 1;
            match table.roles[i] {
                Role::Channel(c) => {
                    let value = number(&plain(text, format));
                    if value.is_none() && !known.markers.text(text) {
                        return Err(not_a_number(path, line, field, &columns, text, format));
                    }
                    table.value(c, value, line)?;
                }
                Role::Time => match Stamp::parse(&plain(text, format), text, format.time_unit, format.date_order) {
                    Some(stamp) => table.time(stamp),
                    None => return Err(not_a_time(path, line, field, text)),
                },
                Role::Label | Role::Group if text.is_empty() => {
                    let e = SensorError::text(path, line, field, "label or group", "a name", "nothing");
                    return Err(e.with_remedy("correct the line, or leave the file out with data.sensors.exclude"));
                }
                Role::Label => label_at = Some(label(text)),
                Role::Group => group_at = Some(label(text)),
                Role::Nameless(k) => table.nameless(k, text, line)?,
                Role::Unused => {}
            }
        }
        table.row(line, label_at.as_deref(), group_at.as_deref());
    }
    table.finish()
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
