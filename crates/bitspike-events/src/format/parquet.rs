//! Parquet: one row an event, plain columns of t, x, y, p.
//!
//! Columns are found by name as in CSV (`t`, `t_us`, `timestamp`, `x`, `polarity`, ...), or named in the order of the file by
//! [`ReadOptions::columns`](crate::ReadOptions); others are left out. Timestamps of Parquet have their own unit; that of other
//! times is part of the name or an option, and never guessed. p is 0, -1 or false for OFF, 1 or true for ON. No value may be
//! null. The order of rows is kept. Decoded by `bitspike-parquet`, which names compressions and encodings that are read, a
//! batch of rows at a time; errors tell row group and row, both from 0.

use super::Decode;
use super::csv::{Column, complete};
use super::npy::{EXPECTED, NAMES, event, shown};
use crate::input::{Input, ReadSeek};
use crate::{Event, EventError, ReadOptions, TimeUnit};
use bitspike_parquet::{Cell, Error, Kind, Reader, Unit};
use std::path::{Path, PathBuf};

pub(crate) struct Parquet {
    path: PathBuf,
    reader: Reader,
    unit: TimeUnit,
    /// Next row of the batch.
    next: usize,
    /// An error of the library, met after events that were delivered first.
    error: Option<EventError>,
}

fn error(path: &Path, e: Error) -> EventError {
    let path = path.to_path_buf();
    match e {
        Error::Io(source) => EventError::io(&path, source),
        Error::NotParquet { offset, expected, found } => {
            EventError::Value { path, offset, what: "Parquet", expected: expected.into(), found }
        }
        Error::Unsupported { column, what, instead } => {
            let what = if column.is_empty() { what } else { format!("column {column:?}: {what}") };
            EventError::Unsupported { path, offset: 0, what, instead }
        }
        Error::Data { group, row, column, reason } => {
            let (what, expected) = (format!("column {column:?}"), "rows that can be decoded".into());
            EventError::Row { path, group, row, what, expected, found: reason }
        }
        Error::Footer { offset, reason } => {
            let expected = "that of a whole file".into();
            EventError::Value { path, offset, what: "Parquet footer", expected, found: reason }
        }
        other => {
            let expected = "a file that can be read".into();
            EventError::Value { path, offset: 0, what: "Parquet", expected, found: other.to_string() }
        }
    }
}

impl Parquet {
    pub(crate) fn new(path: &Path, file: Box<dyn ReadSeek>, options: &ReadOptions) -> Result<Self, EventError> {
        let mut reader = Reader::new(Box::new(file)).map_err(|e| error(path, e))?;
        let wrong = |key, expected: &str, found| EventError::Option { key, expected: expected.into(), found };
        let names: Vec<&str> = reader.columns().iter().map(|c| c.name.as_str()).collect();
        let columns = match &options.columns {
            None => names.iter().map(|n| Column::named(n)).collect(),
            Some(text) => Column::list(text),
        };
        if !complete(&columns) || columns.len() != names.len() {
            let expected = format!("t, x, y and p once each, and - for others, in the order of the columns {names:?}");
            let found = options.columns.as_ref().map_or_else(|| "these names".to_owned(), |c| format!("{c:?}"));
            return Err(wrong("columns", &expected, found));
        }
        let place = |want: fn(&Column) -> bool| columns.iter().position(want).unwrap_or_default();
        let places = [
            place(|c| matches!(c, Column::T(_))),
            place(|c| *c == Column::X),
            place(|c| *c == Column::Y),
            place(|c| *c == Column::P),
        ];
        let named = columns.iter().find_map(|c| if let Column::T(u) = c { *u } else { None });
        let kinds = places.map(|i| reader.columns().get(i).map_or(Kind::Other, |c| c.kind));
        for (i, kind) in kinds.into_iter().enumerate() {
            let number = matches!(kind, Kind::Whole | Kind::Unsigned | Kind::Real);
            if !number && !matches!((i, kind), (0, Kind::Timestamp(_)) | (3, Kind::Bool)) {
                return Err(EventError::Unsupported {
                    path: path.into(),
                    offset: 0,
                    what: format!("column {:?} as {}: it holds {kind:?}", names[places[i]], NAMES[i]),
                    instead: "write t as numbers or timestamps, x and y as numbers, p as numbers or truth values",
                });
            }
        }
        let own = match kinds[0] {
            Kind::Timestamp(Unit::Millis) => Some(TimeUnit::Millis),
            Kind::Timestamp(Unit::Micros) => Some(TimeUnit::Micros),
            Kind::Timestamp(Unit::Nanos) => Some(TimeUnit::Nanos),
            _ => None,
        };
        let unit = match (own, options.time_unit) {
            (Some(own), Some(given)) if own != given => {
                let expected = format!("{}, the unit of the file's timestamps, or nothing", own.name());
                return Err(wrong("time_unit", &expected, given.name().into()));
            }
            (Some(unit), _) | (None, Some(unit)) => unit,
            (None, None) => named.ok_or_else(|| {
                let expected = "s, ms, us or ns, here or in the name of the column, as in t_us";
                wrong("time_unit", expected, "nothing".into())
            })?,
        };
        reader.choose(&places).map_err(|e| error(path, e))?;
        Ok(Self { path: path.into(), reader, unit, next: 0, error: None })
    }

    fn event(&self, row: usize) -> Result<Event, EventError> {
        let mut values = [Ok(0); 4];
        let bad = |k: usize, found: String| {
            let (group, first) = self.reader.position();
            let (path, what, expected) = (self.path.clone(), NAMES[k].to_owned(), EXPECTED[k].to_owned());
            EventError::Row { path, group, row: first + row as u64, what, expected, found }
        };
        for (k, v) in values.iter_mut().enumerate() {
            *v = match self.reader.cell(k, row) {
                Cell::Whole(i) => Ok(i),
                Cell::Real(f) => Err(f),
                Cell::Bool(b) => Ok(b.into()),
                other => return Err(bad(k, format!("{other:?}"))),
            };
        }
        event(values, self.unit).map_err(|k| bad(k, shown(values[k])))
    }
}

impl Decode for Parquet {
    fn decode(&mut self, _: &mut Input, out: &mut [Event]) -> Result<usize, EventError> {
        let mut n = 0;
        while n < out.len() {
            if let Some(e) = self.error.take() {
                return Err(e);
            }
            if self.next == self.reader.rows() {
                self.next = 0;
                match self.reader.next_batch() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(e) => self.error = Some(error(&self.path, e)),
                }
                // What precedes damage is delivered first.
                if self.error.is_some() && n > 0 {
                    break;
                }
                continue;
            }
            match self.event(self.next) {
                Ok(e) => out[n] = e,
                Err(_) if n > 0 => break,
                Err(e) => return Err(e),
            }
            (n, self.next) = (n + 1, self.next + 1);
        }
        Ok(n)
    }
}
