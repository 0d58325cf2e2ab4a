//! Text, one event per line, columns and unit of time declared.
//!
//! Columns are named by the first line or by [`ReadOptions::columns`](crate::ReadOptions): t, x, y, p (also `timestamp`,
//! `time`, `polarity`, `pol`, `on`), in any order; others are left out. The unit is part of the name, as in `t_us`, or
//! an option; it is never guessed. Separators are comma, semicolon, tab or spaces. Empty lines and lines that start
//! with `#` are left out. p is 0, -1 or false for OFF, 1 or true for ON. Times may have fractions and are rounded to
//! microseconds. The last line must end with a line feed: without it a number that was cut off would look whole.

use super::Decode;
use crate::input::Input;
use crate::{Event, EventError, ReadOptions, TimeUnit};
use bitspike_files::Beyond;

/// A longer line is not text with events.
const MAX_LINE: usize = 1 << 12;

/// A column that is read, or one that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    T(Option<TimeUnit>),
    X,
    Y,
    P,
    Other,
}

impl Column {
    pub(super) fn named(name: &str) -> Self {
        let name = name.trim().trim_matches('"').to_ascii_lowercase();
        // t_us, t[us], t (us), timestamp_ns, ...
        let mut parts = name.split(|c: char| "_ []()".contains(c)).filter(|s| !s.is_empty());
        match (parts.next(), parts.next()) {
            (Some("t" | "ts" | "time" | "timestamp"), unit) => Self::T(unit.and_then(TimeUnit::named)),
            (Some("x"), None) => Self::X,
            (Some("y"), None) => Self::Y,
            (Some("p" | "pol" | "polarity" | "on"), None) => Self::P,
            _ => Self::Other,
        }
    }

    pub(super) fn list(line: &str) -> Vec<Self> {
        fields(line).map(Self::named).collect()
    }
}

/// The fields of a line: by comma, semicolon or tab if there is one, otherwise by spaces.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let separator = [',', ';', '\t'].into_iter().find(|s| line.contains(*s));
    line.split(move |c: char| separator.map_or(c == ' ', |s| c == s))
        .map(str::trim)
        .filter(move |f| separator.is_some() || !f.is_empty())
}

/// Whether all four columns are there.
pub(super) fn complete(columns: &[Column]) -> bool {
    let has = |f: fn(&Column) -> bool| columns.iter().filter(|c| f(c)).count() == 1;
    has(|c| matches!(c, Column::T(_)))
        && has(|c| *c == Column::X)
        && has(|c| *c == Column::Y)
        && has(|c| *c == Column::P)
}

/// Whether the content starts with a line that names the four columns.
pub(crate) fn plausible(data: &[u8]) -> bool {
    let mut lines = data.split(|b| *b == b'\n').map(|l| l.trim_ascii());
    let first = lines.find(|l| !l.is_empty() && !l.starts_with(b"#"));
    first.and_then(|l| std::str::from_utf8(l).ok()).is_some_and(|l| complete(&Column::list(l)))
}

pub(crate) struct Csv {
    columns: Vec<Column>,
    unit: TimeUnit,
}

impl Csv {
    pub(crate) fn new(input: &mut Input, options: &ReadOptions) -> Result<Self, EventError> {
        let columns = match &options.columns {
            Some(names) => {
                let columns = Column::list(names);
                if !complete(&columns) {
                    return Err(EventError::Option {
                        key: "columns",
                        expected: "t, x, y and p once each, as in \"t,x,y,p\"".into(),
                        found: format!("{names:?}"),
                    });
                }
                // A first line of names is allowed and left out.
                if let Some((length, line)) = line(input)?
                    && complete(&Column::list(&line))
                {
                    input.consume(length);
                }
                columns
            }
            None => {
                let Some((length, line)) = line(input)? else {
                    return Err(input.truncated("CSV line with the names of columns", 8));
                };
                let columns = Column::list(&line);
                if !complete(&columns) {
                    return Err(EventError::Option {
                        key: "columns",
                        expected: "the names of the columns, as the file's first line does not give them".into(),
                        found: format!("{line:?}"),
                    });
                }
                input.consume(length);
                columns
            }
        };
        let named = columns.iter().find_map(|c| if let Column::T(u) = c { *u } else { None });
        let Some(unit) = options.time_unit.or(named) else {
            return Err(EventError::Option {
                key: "time_unit",
                expected: "s, ms, us or ns, here or in the name of the column, as in t_us".into(),
                found: "nothing".into(),
            });
        };
        Ok(Self { columns, unit })
    }

    /// Parses a line, or says which value is wrong: its name, what is expected, what is there.
    fn event(&self, line: &str) -> Result<Event, (&'static str, &'static str, String)> {
        let (mut e, mut seen) = (Event::default(), 0);
        for (column, field) in self.columns.iter().zip(fields(line)) {
            seen += 1;
            let wrong = |what, expected| (what, expected, format!("{field:?}"));
            match column {
                Column::T(_) => {
                    let t = match field.parse::<i64>() {
                        Ok(i) => self.unit.of_integer(i),
                        Err(_) => field.parse::<f64>().ok().and_then(|f| self.unit.of_float(f)),
                    };
                    e.t = t.ok_or_else(|| wrong("t", "a time that fits into 64 bits of µs"))?;
                }
                Column::X => e.x = field.parse().map_err(|_| wrong("x", "0 to 65535"))?,
                Column::Y => e.y = field.parse().map_err(|_| wrong("y", "0 to 65535"))?,
                Column::P => {
                    e.p = match field {
                        "0" | "-1" | "false" | "False" => false,
                        "1" | "true" | "True" => true,
                        _ => return Err(wrong("p", "0, -1, 1, false or true")),
                    }
                }
                Column::Other => {}
            }
        }
        let found = fields(line).count();
        if seen < self.columns.len() || found > seen {
            return Err((
                "line",
                "as many columns as are named",
                format!("{found} columns, {} named", self.columns.len()),
            ));
        }
        Ok(e)
    }
}

/// The next line that is neither empty nor a comment, with its length; earlier ones are consumed.
fn line(input: &mut Input) -> Result<Option<(usize, String)>, EventError> {
    let mut want = 1;
    loop {
        let have = input.fill(want)?;
        if have == 0 {
            return Ok(None);
        }
        let Some(end) = input.data().iter().take(MAX_LINE).position(|b| *b == b'\n') else {
            if have >= MAX_LINE {
                let remedy = "the file has no line ends, or is no list of events: name its format";
                let e = Beyond::at("bytes of a line", MAX_LINE as u64, "no event takes more", remedy);
                return Err(input.beyond(0, e));
            }
            if have < want {
                return Err(input.truncated("CSV line with its line feed", have as u64 + 1));
            }
            want = have + 1;
            continue;
        };
        let text = input.data()[..end].trim_ascii();
        if !text.is_empty() && !text.starts_with(b"#") {
            return match std::str::from_utf8(text) {
                Ok(s) => Ok(Some((end + 1, s.to_owned()))),
                Err(_) => Err(input.wrong(0, "CSV line", "UTF-8", "other bytes")),
            };
        }
        input.consume(end + 1);
        want = 1;
    }
}

impl Decode for Csv {
    fn decode(&mut self, input: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n < out.len() {
            // An error after whole lines is met again by the next call, which then has none before it.
            let (length, text) = match line(input) {
                Ok(Some(l)) => l,
                Ok(None) => break,
                Err(_) if n > 0 => break,
                Err(e) => return Err(e),
            };
            match self.event(&text) {
                Ok(e) => out[n] = e,
                Err(_) if n > 0 => break,
                Err((what, expected, found)) => return Err(input.wrong(0, what, expected, found)),
            }
            n += 1;
            input.consume(length);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_units() {
        for (name, column) in [
            ("t_us", Column::T(Some(TimeUnit::Micros))),
            ("timestamp [ns]", Column::T(Some(TimeUnit::Nanos))),
            ("T", Column::T(None)),
            ("polarity", Column::P),
            ("\"x\"", Column::X),
            ("x_raw", Column::Other),
            ("", Column::Other),
        ] {
            assert_eq!(Column::named(name), column, "{name}");
        }
    }

    #[test]
    fn fields_by_any_separator() {
        for line in ["1,2,,3", "1;2;;3", "1\t2\t\t3", "1, 2, , 3"] {
            assert_eq!(fields(line).collect::<Vec<_>>(), ["1", "2", "", "3"]);
        }
        assert_eq!(fields("1  2 3").collect::<Vec<_>>(), ["1", "2", "3"]);
    }
}
