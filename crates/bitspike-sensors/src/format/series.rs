//! Text with a recording in each row: a channel `x0` of which all values stand one after the other, and a label and group.
//!
//! ```text
//! 1   0.12  0.34  0.31      UCR: the label first
//! 0.12, 0.34, 0.31, 1.0     exports of ECG: the label last
//! ```
//!
//! Values that are missing at the end of a row end the series, as archives pad series of different lengths. `label_column` and
//! `group_column` are `first`, `last`, the number of a field from 1, or its name in the header. Fields in errors are those of the
//! line.

use super::csv::{Header, header, label, not_a_number, plain};
use super::rows::{Row, Rows};
use super::{Decoded, Known, Place, fill::fill, number, stem, text};
use crate::{CsvFormat, Missing, Oddity, Recording, SensorError};
use std::path::Path;

/// Where a column stands in a row of so many fields, from 0.
fn position(name: Option<&str>, columns: &[String], fields: usize) -> Option<usize> {
    let name = name?;
    columns.iter().position(|c| c == name).or(match name {
        "first" => Some(0),
        "last" => fields.checked_sub(1),
        number => number.parse::<usize>().ok()?.checked_sub(1),
    })
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
    let Some(Header { columns, .. }) = header(path, &mut rows, &mut row, format)? else {
        return Ok((vec![], vec![]));
    };
    let mut out: Vec<Decoded> = Vec::new();
    while let Some(line) = rows.next(path, &mut row)? {
        row.trim_end(1);
        let at = |name: &Option<String>| position(name.as_deref(), &columns, row.len());
        let (label_at, group_at) = (at(&format.label_column), at(&format.group_column));
        let named = |name: &Option<String>, at: Option<usize>| match (name, at.and_then(|i| row.get(i))) {
            (None, _) => Ok(None),
            (Some(_), Some(text)) if !text.is_empty() => Ok(Some(label(text).into_owned())),
            (Some(name), _) => {
                let field = at.map_or(0, |i| i as u64 + 1);
                let e = SensorError::text(path, line, field, "label or group", format!("one in {name:?}"), "none");
                Err(e.with_remedy(
                    "data.sensors.format.label_column and group_column are \"first\", \"last\", a number from 1, or a name of the \
                     header",
                ))
            }
        };
        let (label, group) = (named(&format.label_column, label_at)?, named(&format.group_column, group_at)?);
        let mut values = Vec::with_capacity(row.len());
        let (mut end, mut missing, mut start) = (0, None, None);
        for (i, text) in row.iter().enumerate().filter(|(i, _)| Some(*i) != label_at && Some(*i) != group_at) {
            let field = i as u64 + 1;
            let v = number(&plain(text, format));
            match v.filter(|v| !known.markers.number(*v)) {
                Some(v) => {
                    values.push(v as f32);
                    end = values.len();
                }
                None if v.is_some() || known.markers.text(text) => {
                    missing = missing.or(Some((field, values.len())));
                    values.push(f32::NAN);
                }
                None => {
                    let e = not_a_number(path, line, field, &columns, text, format);
                    let end = i == 0 || i + 1 == row.len();
                    return Err(if end && format.label_column.is_none() {
                        let which = if i == 0 { "first" } else { "last" };
                        e.with_remedy(format!(
                            "if this is the label, set data.sensors.format.label_column = {which:?} and labels = {{ from = \"inside\" }}"
                        ))
                    } else {
                        e
                    });
                }
            }
            start = start.or(Some(field));
        }
        if let Some((field, at)) = missing.filter(|(_, at)| *at < end && known.missing == Missing::Error) {
            let channel = format!("x0, value {}", at + 1);
            return Err(SensorError::MissingText { path: path.into(), line, field, channel });
        }
        values.truncate(end);
        let name = format!("{}#{}", stem(path), out.len());
        if values.is_empty() {
            let expected = "at least one value";
            return Err(SensorError::text(path, line, 0, "series", expected, "none"));
        }
        // Holds a value, so it can be filled.
        fill(&mut values, known.missing);
        let place = Place::Line { line, field: start.unwrap_or(1), channel: 0 };
        let channels = vec!["x0".to_owned()];
        out.push(Decoded { recording: Recording { name, channels, rate_hz: None, values, label, group }, place });
    }
    Ok((out, vec![]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RowKind;

    fn series(text: &str, label: Option<&str>, separator: char) -> Result<Vec<Recording>, SensorError> {
        let format = CsvFormat {
            rows: RowKind::Series,
            header: false,
            separator,
            label_column: label.map(String::from),
            ..CsvFormat::default()
        };
        let found = read("a.tsv".as_ref(), text.as_bytes(), &format, Known::default())?.0;
        Ok(found.into_iter().map(|d| d.recording).collect())
    }

    #[test]
    fn label_first_last_or_none() {
        let got = series("1\t0.5\t1\n2\t3\t4\t5\n", Some("first"), '\t').unwrap();
        let got: Vec<_> = got.iter().map(|r| (r.label.as_deref().unwrap(), r.values.clone())).collect();
        assert_eq!(got, [("1", vec![0.5, 1.0]), ("2", vec![3.0, 4.0, 5.0])]);
        let got = series("0.5,1,walk\n3,4,2.000e+00\n", Some("last"), ',').unwrap();
        assert_eq!((got[0].label.as_deref(), got[1].label.as_deref()), (Some("walk"), Some("2")));
        let got = series("  1 2  3\n 4   5 6 \n", None, ' ').unwrap();
        assert_eq!((got.len(), &got[1].values[..]), (2, &[4.0, 5.0, 6.0][..]));
    }

    #[test]
    fn padding_ends_a_series_and_gaps_are_missing() {
        assert_eq!(series("1,2,3,NaN,NaN\n", Some("first"), ',').unwrap()[0].values, [2.0, 3.0]);
        let e = series("1,2,NaN,3\n", Some("first"), ',').unwrap_err();
        assert!(matches!(e, SensorError::MissingText { line: 1, field: 3, .. }), "{e}");
        let e = series("walk,2,3\n", None, ',').unwrap_err();
        assert!(e.hint().contains("label_column = \"first\""), "{}", e.hint());
        assert!(matches!(series("1,2\n3,NaN\n", Some("first"), ','), Err(SensorError::Text { line: 2, .. })));
        assert!(series("1,2\n", Some("7"), ',').is_err());
    }
}
