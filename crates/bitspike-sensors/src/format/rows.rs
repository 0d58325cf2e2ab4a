//! Lines of a text as fields between separators, after RFC 4180.
//!
//! - Blanks around fields are left out; lines without a character too. A field in quotes may hold separators, doubled quotes
//!   and line ends. With a blank for the separator, fields stand between any number of blanks and tabs.
//! - Lines count from 1. A line and the fields of a row have an upper bound, so that a stream without a line end takes no more
//!   memory than that.

use crate::{CsvFormat, MISSING_TEXTS, SensorError};
use bitspike_files::Beyond;
use std::io::{BufRead, Read};
use std::path::Path;

/// Most bytes of a row, or of a case of `.ts`: a series of [`MAX_FIELDS`] values of 15 characters.
pub(crate) const MAX_ROW: u64 = 64 << 20;
/// Most lines of a row, which a field in quotes may fill.
const MAX_LINES: u64 = 1000;
/// Most fields of a row: a series of an hour at a thousand samples a second. Columns of a table are far fewer.
const MAX_FIELDS: usize = 4 << 20;
/// Most bytes of a field: numbers, dates and names have fewer.
const MAX_FIELD: usize = 64 << 10;

/// What helps with rows that are too long.
const CUT: &str = "see data.sensors.format.separator, quote and skip_lines; else cut the recording into several";

/// The fields of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    text: String,
    /// End of each field in `text`.
    ends: Vec<usize>,
    /// Bytes of the longest field.
    longest: usize,
}

impl Row {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.text.len() + size_of_val(&self.ends[..])
    }

    /// The field, if there is one.
    pub(crate) fn get(&self, i: usize) -> Option<&str> {
        let end = *self.ends.get(i)?;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        Some(self.text[start..end].trim())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|i| self.get(i).unwrap_or_default())
    }

    /// Leaves out empty fields at the end beyond `keep`: what a separator at the end of a line makes.
    pub(crate) fn trim_end(&mut self, keep: usize) {
        while self.len() > keep && self.get(self.len() - 1) == Some("") {
            self.ends.pop();
        }
    }

    /// Splits `line`; true if a quote is still open at its end.
    fn split(&mut self, line: &str, separator: char, quote: char) -> bool {
        self.text.clear();
        self.ends.clear();
        self.longest = 0;
        let blanks = separator == ' ';
        let is_separator = |c: char| if blanks { c == ' ' || c == '\t' } else { c == separator };
        let mut chars = line.chars().peekable();
        loop {
            // Blanks before a field; a separator that is one is none of them.
            while chars.peek().is_some_and(|c| c.is_whitespace() && (blanks || !is_separator(*c))) {
                chars.next();
            }
            if blanks && chars.peek().is_none() {
                break;
            }
            if chars.peek() == Some(&quote) {
                chars.next();
                loop {
                    match chars.next() {
                        None => return true,
                        Some(c) if c == quote && chars.peek() == Some(&quote) => {
                            chars.next();
                            self.text.push(quote);
                        }
                        Some(c) if c == quote => break,
                        Some(c) => self.text.push(c),
                    }
                }
            }
            let (mut more, start) = (false, self.ends.last().copied().unwrap_or(0));
            for c in chars.by_ref() {
                if is_separator(c) {
                    more = true;
                    break;
                }
                self.text.push(c);
            }
            self.longest = self.longest.max(self.text.len() - start);
            self.ends.push(self.text.len());
            if !more || self.ends.len() > MAX_FIELDS {
                break;
            }
        }
        false
    }
}

/// Rows of a text.
pub(crate) struct Rows<R> {
    input: R,
    separator: char,
    quote: char,
    comment: String,
    row_end: String,
    /// Lines read so far.
    line: u64,
    bytes: Vec<u8>,
    /// The last comment before the first row.
    last_comment: Option<(u64, String)>,
    begun: bool,
    /// The line of a row that is given again.
    again: Option<u64>,
}

impl<R: BufRead> Rows<R> {
    /// Rows of UTF-8 without a byte-order mark, after the lines to be skipped.
    pub(crate) fn new(path: &Path, mut input: R, format: &CsvFormat) -> Result<Self, SensorError> {
        for skipped in 0..format.skip_lines {
            if input.skip_until(b'\n').map_err(|source| SensorError::Io { path: path.into(), source })? == 0 {
                let expected = format!("{} lines before the table", format.skip_lines);
                let e = SensorError::text(path, skipped + 1, 0, "skip_lines", expected, "the end of the file");
                return Err(
                    e.with_remedy("set data.sensors.format.skip_lines to the number of lines before the header")
                );
            }
        }
        Ok(Self {
            input,
            separator: format.separator,
            quote: format.quote,
            comment: format.comment.clone(),
            row_end: format.row_end.clone(),
            line: format.skip_lines,
            bytes: vec![],
            last_comment: None,
            begun: false,
            again: None,
        })
    }

    /// The last comment before the first row, with its line: it may be the header.
    pub(crate) fn comment(&self) -> Option<(u64, &str)> {
        self.last_comment.as_ref().map(|(line, text)| (*line, text.as_str()))
    }

    /// Makes the next call of [`Rows::next`] give this line, and leave the row as it is: for a row that was read too early.
    pub(crate) fn again(&mut self, line: u64) {
        self.again = Some(line);
    }

    /// Reads the next row and gives the line that it begins at; `None` at the end.
    pub(crate) fn next(&mut self, path: &Path, row: &mut Row) -> Result<Option<u64>, SensorError> {
        if let Some(line) = self.again.take() {
            return Ok(Some(line));
        }
        loop {
            self.bytes.clear();
            if !self.more(path, self.line + 1)? {
                return Ok(None);
            }
            let first = self.line;
            let text = line_text(path, first, &self.bytes)?;
            // `#N/A` in the first field begins no comment.
            let field = || text.split(self.separator).next().unwrap_or_default().trim();
            let value = |field: &str| MISSING_TEXTS.iter().any(|m| !m.is_empty() && m.eq_ignore_ascii_case(field));
            if !self.comment.is_empty() && text.trim_start().starts_with(&self.comment) && !value(field()) {
                if !self.begun {
                    self.last_comment = Some((first, text.trim_start()[self.comment.len()..].trim().to_owned()));
                }
                continue;
            }
            if text.is_empty() || (self.separator == ' ' && text.trim().is_empty()) {
                continue;
            }
            self.begun = true;
            while row.split(strip(line_text(path, first, &self.bytes)?, &self.row_end), self.separator, self.quote) {
                // Only a line with a quote can close the field.
                let mut from = self.bytes.len();
                while from == self.bytes.len() || !self.bytes[from..].contains(&(self.quote as u8)) {
                    from = self.bytes.len();
                    let found = match self.line - first {
                        MAX_LINES.. => format!("none in {MAX_LINES} lines"),
                        _ if !self.more(path, first)? => "the end of the file".into(),
                        _ => continue,
                    };
                    let expected = format!("a second {:?}", self.quote);
                    let e = SensorError::text(path, first, 0, "quotes", expected, found);
                    return Err(
                        e.with_remedy("correct the line, or set data.sensors.format.quote to another character")
                    );
                }
            }
            let line = |e| SensorError::beyond(path, format!("line {first}"), e);
            Beyond::check("fields of a row", row.len() as u64, MAX_FIELDS as u64, "no series is longer", CUT)
                .map_err(line)?;
            let (longest, most) = (row.longest as u64, MAX_FIELD as u64);
            Beyond::check("bytes of a field", longest, most, "no number, date or name is longer", CUT).map_err(line)?;
            return Ok(Some(first));
        }
    }

    /// Appends a line to `bytes`; false at the end of the input. `first` is the line that the row began at.
    fn more(&mut self, path: &Path, first: u64) -> Result<bool, SensorError> {
        let left = MAX_ROW - self.bytes.len() as u64;
        let read = self.input.by_ref().take(left).read_until(b'\n', &mut self.bytes);
        let n = read.map_err(|source| SensorError::Io { path: path.into(), source })?;
        if n as u64 == left {
            let remedy =
                "the file has no line ends, or a quote is never closed: see data.sensors.format.separator and quote";
            let e = Beyond::at("bytes of a row", MAX_ROW, "no row of values is longer", remedy);
            return Err(SensorError::beyond(path, format!("line {first}"), e));
        }
        self.line += u64::from(n > 0);
        Ok(n > 0)
    }
}

/// A line as text, without its end.
fn line_text<'a>(path: &Path, line: u64, bytes: &'a [u8]) -> Result<&'a str, SensorError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|e| {
        let found = format!("byte {:#04x}", bytes[e.valid_up_to()]);
        SensorError::text(path, line, 0, "text", "UTF-8", found).with_remedy("set data.sensors.format.encoding")
    })
}

fn strip<'a>(text: &'a str, row_end: &str) -> &'a str {
    match row_end.is_empty() {
        true => text,
        false => text.trim_end().strip_suffix(row_end).unwrap_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str, format: &CsvFormat) -> Result<Vec<(u64, Vec<String>)>, SensorError> {
        let mut rows = Rows::new("a".as_ref(), text.as_bytes(), format)?;
        let (mut row, mut out) = (Row::default(), vec![]);
        while let Some(line) = rows.next("a".as_ref(), &mut row)? {
            out.push((line, row.iter().map(String::from).collect()));
        }
        Ok(out)
    }

    fn fields(text: &str, separator: char) -> Vec<Vec<String>> {
        let format = CsvFormat { separator, ..CsvFormat::default() };
        all(text, &format).unwrap().into_iter().map(|r| r.1).collect()
    }

    #[test]
    fn comments_and_what_looks_like_them() {
        let got = all("# a\n  # b\nx,y\n#N/A,1\n#1,2\n2,3\n", &CsvFormat::default()).unwrap();
        let lines: Vec<u64> = got.iter().map(|r| r.0).collect();
        assert_eq!(lines, [3, 4, 6]);
        let none = CsvFormat { comment: String::new(), ..CsvFormat::default() };
        assert_eq!(all("# a\nx\n", &none).unwrap().len(), 2);
    }

    #[test]
    fn quotes_and_lines() {
        let got = all("a, \"b, \"\"c\"\"\" ,d\r\n\n# no\n1,\"x\ny\",\n", &CsvFormat::default()).unwrap();
        let want = [(1, vec!["a", "b, \"c\"", "d"]), (4, vec!["1", "x\ny", ""])];
        assert_eq!(got, want.map(|(l, f)| (l, f.into_iter().map(String::from).collect())));
        let e = all("a\n\"b\nc\n", &CsvFormat::default()).unwrap_err();
        assert!(matches!(e, SensorError::Text { line: 2, what: "quotes", .. }), "{e}");
    }

    #[test]
    fn blanks_and_row_ends() {
        assert_eq!(fields("  1 2\t 3  \n   \n4\n", ' '), [vec!["1", "2", "3"], vec!["4"]]);
        assert_eq!(fields("1\t\t3\n", '\t'), [["1", "", "3"]]);
        let format = CsvFormat { row_end: ";".into(), ..CsvFormat::default() };
        assert_eq!(all("1,2;\n3,4 ; \n5,6\n", &format).unwrap()[1].1, ["3", "4"]);
    }

    proptest! {
        /// Fields written as RFC 4180 says come back.
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec("[a\", \n;]{0,4}", 1..5), 1..5)) {
            let quoted = |f: &String| format!("\"{}\"", f.replace('"', "\"\""));
            let text: String = rows.iter().map(|r| r.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect();
            let want: Vec<Vec<String>> = rows.iter().map(|r| r.iter().map(|f| f.trim().to_owned()).collect()).collect();
            prop_assert_eq!(fields(&text, ','), want);
        }
    }
}
