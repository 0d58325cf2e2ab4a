//! `.ts` of the UCR and UEA archives (sktime, aeon): a header of `@` lines, then one case per line.
//!
//! ```text
//! # comment
//! @problemName Demo
//! @univariate false
//! @dimensions 2
//! @classLabel true walk run
//! @data
//! 1.0,2.0,3.0:4.0,5.0,6.0:walk
//! ```
//!
//! Dimensions stand between `:`, values between `,`, the label is last. Keys in any case of letters. What a header says
//! about dimensions, equal length and labels is checked; several published files state `@missing` and `@univariate`
//! wrongly or not at all, so these two are not. A value may be missing (`?`, `NaN`). All dimensions of a case have one
//! length here. Not read: time stamps, `@targetLabel` (regression).
//! Field numbers count values over all dimensions of a line; the label is the last. Source: the aeon documentation.

use super::{Decoded, Known, Place, check_utf8, fill::fill, number, skip_bom, stem};
use crate::{Missing, Recording, SensorError};
use std::path::Path;

#[derive(Default)]
struct Header {
    dimensions: Option<usize>,
    length: Option<usize>,
    equal: Option<bool>,
    /// `None`: not said; an empty list: there are no labels.
    classes: Option<Vec<String>>,
}

pub(super) fn read(path: &Path, bytes: &[u8], known: Known<'_>) -> Result<Vec<Decoded>, SensorError> {
    let bad =
        |line, field, what, expected: &str, found: &str| SensorError::text(path, line, field, what, expected, found);
    let unsupported = |line, what: &str, instead| SensorError::Unsupported {
        path: path.into(),
        place: format!("line {line}"),
        what: what.into(),
        instead,
    };
    let text = check_utf8(path, skip_bom(bytes))?;
    let (mut header, mut in_data, mut out, mut last) = (Header::default(), false, Vec::new(), 0);
    for (line, row) in text.lines().enumerate().map(|(i, l)| (i as u64 + 1, l.trim())) {
        last = line;
        if row.is_empty() || row.starts_with('#') || row.starts_with('%') {
            continue;
        }
        if in_data {
            out.push(case(path, line, row, &mut header, out.len(), known)?);
            continue;
        }
        let mut words = row.split_whitespace();
        let key = words.next().unwrap_or("").to_ascii_lowercase();
        let value = words.next();
        let flag = || match value.map(str::to_ascii_lowercase).as_deref() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(bad(line, 2, "header", "true or false", value.unwrap_or("nothing"))),
        };
        let count = || {
            let n = value.and_then(|v| v.parse::<usize>().ok()).filter(|n| *n > 0);
            n.ok_or_else(|| bad(line, 2, "header", "a number above 0", value.unwrap_or("nothing")))
        };
        match key.as_str() {
            "@problemname" => {}
            "@missing" => _ = flag()?,
            "@univariate" => _ = flag()?,
            "@timestamps" => {
                if flag()? {
                    return Err(unsupported(line, "cases with time stamps", "export the values without time stamps"));
                }
            }
            "@dimensions" | "@dimension" => header.dimensions = Some(count()?),
            "@serieslength" => header.length = Some(count()?),
            "@equallength" => header.equal = Some(flag()?),
            "@classlabel" => {
                let has = flag()?;
                let names: Vec<String> = words.map(String::from).collect();
                if has == names.is_empty() {
                    return Err(bad(line, 3, "header", "labels after true, none after false", row));
                }
                header.classes = Some(names);
            }
            "@targetlabel" => {
                return Err(unsupported(line, "numbers to predict", "use a set with @classLabel"));
            }
            "@data" => in_data = true,
            _ => return Err(bad(line, 1, "header", "a key of the format, then @data", row)),
        }
    }
    match in_data {
        true => Ok(out),
        false => Err(bad(last + 1, 0, "header", "@data", "the end of the file")),
    }
}

/// One case. Fills in what the header does not say from the first one.
fn case(
    path: &Path,
    line: u64,
    row: &str,
    header: &mut Header,
    index: usize,
    known: Known<'_>,
) -> Result<Decoded, SensorError> {
    let bad =
        |field, what, expected: String, found: String| SensorError::text(path, line, field, what, expected, found);
    super::check_channels(path, format!("line {line}"), row.bytes().filter(|b| *b == b':').count())?;
    let mut parts: Vec<&str> = row.split(':').map(str::trim).collect();
    let classes = header.classes.as_deref().unwrap_or_default();
    let label = if classes.is_empty() { None } else { parts.pop().map(String::from) };
    let want = *header.dimensions.get_or_insert(parts.len());
    if parts.len() != want || want == 0 {
        return Err(bad(0, "case", format!("{} dimensions", want.max(1)), parts.len().to_string()));
    }
    let (mut values, mut field, mut length) = (Vec::new(), 0u64, None);
    let name = format!("{}#{index}", stem(path));
    for (d, part) in parts.iter().enumerate() {
        let start = values.len();
        for text in part.split(',').map(str::trim) {
            field += 1;
            let v = number(text);
            let missing = v.map_or_else(|| known.markers.text(text), |v| known.markers.number(v));
            match v {
                _ if missing && known.missing == Missing::Error => {
                    let channel = format!("x{d}");
                    return Err(SensorError::MissingText { path: path.into(), line, field, channel });
                }
                _ if missing => values.push(f32::NAN),
                Some(v) => values.push(v as f32),
                None => return Err(bad(field, "value", "a finite number".into(), format!("{text:?}"))),
            }
        }
        let n = values.len() - start;
        if *length.get_or_insert(n) != n {
            let expected = format!("{} values as in the first dimension", length.unwrap_or(n));
            return Err(bad(field, "length", expected, format!("{n} in dimension {d}")));
        }
        if !fill(&mut values[start..], known.missing) {
            return Err(SensorError::NothingToFill { path: path.into(), recording: name, channel: format!("x{d}") });
        }
    }
    let n = length.unwrap_or(0);
    // Files of unequal length sometimes state a length too; it binds only where they say that all are equal.
    if header.equal == Some(true) && *header.length.get_or_insert(n) != n {
        let expected = format!("{} values, as all", header.length.unwrap_or(n));
        return Err(bad(field, "length", expected, n.to_string()));
    }
    if let Some(l) = label.as_ref().filter(|l| !classes.contains(*l)) {
        return Err(bad(field + 1, "label", format!("one of {}", classes.join(" ")), format!("{l:?}")));
    }
    let channels = (0..parts.len()).map(|d| format!("x{d}")).collect();
    let place = Place::Line { line, field: 1, channel: n as u64 };
    Ok(Decoded { recording: Recording { name, channels, rate_hz: None, values, label, group: None }, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# c\n@problemName D\n@univariate false\n@dimensions 2\n@CLASSLABEL true a b\n@data\n";

    fn read(text: &str) -> Result<Vec<Recording>, SensorError> {
        let found = super::read("d.ts".as_ref(), text.as_bytes(), Known::default())?;
        Ok(found.into_iter().map(|d| d.recording).collect())
    }

    #[test]
    fn cases_of_unequal_length() {
        let got = read(&format!("{HEAD}1,2:3,4:a\r\n5:6:b\n")).unwrap();
        let got: Vec<_> = got.iter().map(|r| (r.name.as_str(), r.label.as_deref(), r.values.clone())).collect();
        assert_eq!(got, [("d#0", Some("a"), vec![1.0, 2.0, 3.0, 4.0]), ("d#1", Some("b"), vec![5.0, 6.0])]);
        let got = read("@classLabel false\n@data\n1,2\n").unwrap();
        assert_eq!((got[0].label.as_deref(), got[0].channels.len()), (None, 1));
    }

    #[test]
    fn places_of_errors() {
        let rows = [
            (format!("{HEAD}1:2:c\n"), 7, 3, "label"),
            (format!("{HEAD}1,2:3:a\n"), 7, 3, "length"),
            (format!("{HEAD}1:2:3:a\n"), 7, 0, "case"),
            (format!("{HEAD}1:x:a\n"), 7, 2, "value"),
            (format!("{HEAD}1:1e39:a\n"), 7, 2, "value"),
            ("@equalLength true\n@classLabel true a\n@data\n1,2:a\n1:a\n".into(), 5, 1, "length"),
            ("@equalLength true\n@seriesLength 3\n@classLabel true a\n@data\n1,2:a\n".into(), 5, 2, "length"),
            ("@classLabel true\n@data\n".into(), 1, 3, "header"),
            ("@classLabel false a\n@data\n".into(), 1, 3, "header"),
            ("@dimensions 0\n@data\n".into(), 1, 2, "header"),
            ("@equalLength yes\n@data\n".into(), 1, 2, "header"),
            ("@what 1\n@data\n".into(), 1, 1, "header"),
            ("1,2:a\n".into(), 1, 1, "header"),
            ("@problemName x\n".into(), 2, 0, "header"),
            (String::new(), 1, 0, "header"),
        ];
        for (text, want_line, want_field, want) in rows {
            match read(&text) {
                Err(SensorError::Text { line, field, what, .. }) => {
                    assert_eq!((line, field, what), (want_line, want_field, want), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(read("@timestamps true\n@data\n"), Err(SensorError::Unsupported { .. })));
        assert!(matches!(read("@targetLabel true\n@data\n"), Err(SensorError::Unsupported { .. })));
    }

    #[test]
    fn missing_values() {
        let text = format!("{HEAD}1,?:3,4:a\n");
        assert!(matches!(read(&text), Err(SensorError::MissingText { line: 7, field: 2, .. })));
        let known = Known { missing: Missing::Hold, ..Known::default() };
        assert_eq!(
            super::read("d".as_ref(), text.as_bytes(), known).unwrap()[0].recording.values,
            [1.0, 1.0, 3.0, 4.0]
        );
    }
}
