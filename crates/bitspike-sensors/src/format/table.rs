//! What CSV and Parquet have in common: columns that are channels, times, labels or groups, one row per time.
//!
//! - Without `channels`, every column that has no other role is a channel. Where label or group changes from one row to the
//!   next, a new recording begins.
//! - A column without a name must be empty or count the rows, and is left out.
//! - Times of a recording must rise, and no step may differ from the median step by more than half of it: then samples are
//!   missing or the clock jumped, and a rate would be a fiction. `time_faults` says what to do with others. A counter that
//!   begins again at a power of two, or a time of day at midnight, goes on and is noted. See `clock.rs` for the rate.
//! - Channels are held in 32 bits. One whose values change from row to row, but mostly not in 32 bits, is an error: it is a time
//!   or a number of something.

use super::clock::{self, Clock, Fault};
use super::stamp::Stamp;
use super::{Decoded, Known, Place, fill::fill, stem};
use crate::{Missing, Oddity, OddityKind, Recording, SensorError, TimeFaults, TimeUnit};
use std::collections::HashSet;
use std::path::Path;

/// Which columns are not channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roles<'a> {
    pub(super) time: Option<&'a str>,
    pub(super) unit: TimeUnit,
    pub(super) faults: TimeFaults,
    pub(super) label: Option<&'a str>,
    pub(super) group: Option<&'a str>,
}

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Channel(usize),
    Time,
    Label,
    Group,
    Unused,
    /// A column without a name.
    Nameless(usize),
}

/// A channel as it comes in.
#[derive(Default)]
struct Column {
    name: String,
    field: u64,
    values: Vec<f32>,
    /// The last value as it was written; how often it changed, and how often that was lost in 32 bits.
    last: Option<f64>,
    changed: u64,
    lost: u64,
    example: (f64, f64),
}

/// A column without a name: empty, or a number of the row.
#[derive(Default)]
struct Nameless {
    field: u64,
    empty: bool,
    next: Option<i64>,
    seen: bool,
}

/// Rows as they come in.
pub(super) struct Table<'a> {
    path: &'a Path,
    known: Known<'a>,
    unit: TimeUnit,
    faults: TimeFaults,
    /// Line that names the columns.
    line: u64,
    /// Role of each column.
    pub(super) roles: Vec<Role>,
    columns: Vec<Column>,
    nameless: Vec<Nameless>,
    stamps: Vec<Stamp>,
    lines: Vec<u64>,
    time_field: Option<u64>,
    several: bool,
    /// First row, label and group of each recording.
    starts: Vec<(usize, Option<String>, Option<String>)>,
}

impl<'a> Table<'a> {
    /// A table with these columns; `line` is where they are named.
    pub(super) fn new(
        path: &'a Path,
        line: u64,
        columns: &[String],
        roles: Roles<'_>,
        known: Known<'a>,
    ) -> Result<Self, SensorError> {
        let bad =
            |field, what, expected: String, found: String| SensorError::text(path, line, field, what, expected, found);
        super::check_channels(path, format!("line {line}"), columns.len())?;
        let mut seen = HashSet::new();
        for (i, name) in columns.iter().enumerate() {
            if !name.is_empty() && !seen.insert(name) {
                let e = bad(i as u64 + 1, "column", "every name once".into(), format!("{name:?} again"));
                return Err(e.with_remedy(
                    "rename one of them, or leave the header out with data.sensors.format.skip_lines, header = false and columns",
                ));
            }
        }
        let special = [
            (roles.time, Role::Time, "format.time_column"),
            (roles.label, Role::Label, "format.label_column"),
            (roles.group, Role::Group, "format.group_column"),
        ];
        let named = special.iter().filter_map(|(name, _, key)| Some((name.as_ref().copied()?, *key)));
        for (name, key) in named.chain(known.channels.iter().map(|c| (c.as_str(), "channels"))) {
            if !columns.iter().any(|c| c == name) {
                let e = bad(0, "columns", format!("a column {name:?}"), format!("{columns:?}"));
                return Err(e.with_remedy(format!(
                    "correct data.sensors.{key}; if these are no names, see format.separator, encoding, skip_lines and comment"
                )));
            }
        }
        let (mut out, mut channels, mut nameless) = (Vec::new(), Vec::<Column>::new(), Vec::<Nameless>::new());
        for (i, column) in columns.iter().enumerate() {
            let field = i as u64 + 1;
            let role = special.iter().find(|(name, ..)| *name == Some(column)).map(|(_, role, _)| *role);
            out.push(match role {
                Some(role) => role,
                None if column.is_empty() => {
                    nameless.push(Nameless { field, empty: true, ..Nameless::default() });
                    Role::Nameless(nameless.len() - 1)
                }
                None if known.channels.is_empty() || known.channels.contains(column) => {
                    channels.push(Column { name: column.clone(), field, ..Column::default() });
                    Role::Channel(channels.len() - 1)
                }
                None => Role::Unused,
            });
        }
        if channels.is_empty() {
            let e = bad(0, "columns", "at least one channel".into(), format!("{columns:?}"));
            return Err(e.with_remedy(
                "see data.sensors.format.separator, encoding and skip_lines: no column is left besides time, label and group",
            ));
        }
        let time_field = out.iter().position(|r| *r == Role::Time).map(|i| i as u64 + 1);
        Ok(Self {
            path,
            known,
            unit: roles.unit,
            faults: roles.faults,
            line,
            roles: out,
            columns: channels,
            nameless,
            stamps: vec![],
            lines: vec![],
            time_field,
            several: roles.label.is_some() || roles.group.is_some(),
            starts: vec![],
        })
    }

    /// The next value of a channel; `None` if it is missing.
    pub(super) fn value(&mut self, c: usize, v: Option<f64>, line: u64) -> Result<(), SensorError> {
        let column = &mut self.columns[c];
        let Some(v) = v.filter(|v| !self.known.markers.number(*v)) else {
            if self.known.missing == Missing::Error {
                let (path, field, channel) = (self.path.into(), column.field, column.name.clone());
                return Err(SensorError::MissingText { path, line, field, channel });
            }
            column.values.push(f32::NAN);
            return Ok(());
        };
        if let Some(last) = column.last.replace(v).filter(|last| *last != v) {
            column.changed += 1;
            if last as f32 == v as f32 {
                column.lost += 1;
                column.example = (last, v);
            }
        }
        column.values.push(v as f32);
        Ok(())
    }

    /// The next time.
    pub(super) fn time(&mut self, stamp: Stamp) {
        self.stamps.push(stamp);
    }

    /// The next field of a column without a name.
    pub(super) fn nameless(&mut self, k: usize, text: &str, line: u64) -> Result<(), SensorError> {
        let n = &mut self.nameless[k];
        let number = text.parse::<i64>().ok();
        let counts = match (n.seen, n.next) {
            (false, _) => number.is_some(),
            (true, next) => number.is_some() && number == next,
        };
        let empty = text.is_empty() && n.empty;
        if !empty && (!counts || (n.seen && n.empty)) {
            let expected = "nothing, or a number that counts the rows, as it has no name";
            let e = SensorError::text(self.path, line, n.field, "column", expected, format!("{text:?}"));
            return Err(e.with_remedy("name all columns with data.sensors.format.columns"));
        }
        n.empty = empty;
        n.seen = true;
        n.next = number.and_then(|v| v.checked_add(1));
        Ok(())
    }

    /// Line, label and group of the row that was just given.
    pub(super) fn row(&mut self, line: u64, label: Option<&str>, group: Option<&str>) {
        let same = self.starts.last().is_some_and(|(_, l, g)| l.as_deref() == label && g.as_deref() == group);
        if !same {
            self.starts.push((self.lines.len(), label.map(String::from), group.map(String::from)));
        }
        self.lines.push(line);
    }

    /// A channel whose changes 32 bits do not hold is none.
    fn check_precision(&self) -> Result<(), SensorError> {
        let Some(c) = self.columns.iter().find(|c| c.lost > 1 && c.lost * 2 > c.changed) else { return Ok(()) };
        let found = format!("{:?} and then {:?} in column {:?}", c.example.0, c.example.1, c.name);
        let e = SensorError::text(self.path, self.line, c.field, "channel", "values that differ in 32 bits", found);
        Err(e.with_remedy(format!(
            "set data.sensors.format.time_column = {:?} and time_unit if it is a time, else leave it out by naming the others in \
             data.sensors.channels",
            c.name
        )))
    }

    /// An error for a fault of the clock at a row.
    fn fault(&self, row: usize, before: usize, step: f64, usual: f64, fault: Fault) -> SensorError {
        let (line, field) = (self.lines[row], self.time_field.unwrap_or(0));
        let at = self.lines[before];
        let (what, expected, found) = match fault {
            Fault::Repeated => ("time", format!("after that of line {at}"), "the same".to_owned()),
            Fault::Back => ("time", format!("after that of line {at}"), format!("{} s before it", round(-step))),
            Fault::Gap | Fault::Uneven => {
                ("time step", format!("{} s give or take half of it", round(usual)), format!("{} s", round(step)))
            }
        };
        SensorError::text(self.path, line, field, what, expected, found).with_remedy(
            "repair the times, or set data.sensors.format.time_faults = \"cut\" (a new recording begins where time goes back or \
             leaves a gap) or \"ignore\" (rows are taken as evenly spaced)",
        )
    }

    /// What was odd about columns and times, and was let pass.
    fn notes(&self, clocks: &[(usize, Clock)]) -> Vec<Oddity> {
        let mut out = Vec::new();
        let file = self.path.display().to_string();
        let mut note = |kind, line: u64, field: u64, count: usize, what: String, remedy: &str| {
            out.push(Oddity {
                kind,
                file: file.clone(),
                place: if line == 0 { String::new() } else { format!("line {line}, field {field}") },
                channel: None,
                what,
                count: count as u64,
                remedy: remedy.into(),
            });
        };
        for n in self.nameless.iter().filter(|n| n.seen && !n.empty) {
            let what = "a column without a name counts the rows and was left out".to_owned();
            note(OddityKind::Nameless, self.line, n.field, 1, what, "");
        }
        let field = self.time_field.unwrap_or(0);
        let wrapped: Vec<_> =
            clocks.iter().flat_map(|(start, c)| c.wrapped.iter().map(move |(i, p)| (start + i, *p))).collect();
        if let Some((row, period)) = wrapped.first() {
            let what = format!(
                "the counter of times began again after {} s, {} time(s); it was taken to go on",
                round(*period),
                wrapped.len()
            );
            note(OddityKind::WrappedTime, self.lines[*row], field, wrapped.len(), what, "");
        }
        let kinds = [
            (Fault::Repeated, OddityKind::RepeatedTime, "row(s) with the time of the row before"),
            (Fault::Back, OddityKind::BackwardTime, "row(s) with an earlier time than the row before"),
            (Fault::Gap, OddityKind::TimeGap, "gap(s) between the times of rows"),
            (Fault::Uneven, OddityKind::UnevenTime, "step(s) in time below half of the usual one"),
        ];
        for (fault, kind, text) in kinds {
            let found = clocks.iter().flat_map(|(start, c)| c.faults.iter().map(move |(i, s, f)| (start + i, *s, *f)));
            let found: Vec<_> = found.filter(|(.., f)| *f == fault).collect();
            if let Some((row, step, _)) = found.first() {
                let what = format!("{} {text}, the first of {} s", found.len(), round(*step));
                note(
                    kind,
                    self.lines[*row],
                    field,
                    found.len(),
                    what,
                    match self.faults {
                        TimeFaults::Cut if matches!(fault, Fault::Back | Fault::Gap) => "a new recording begins there",
                        _ => "rows were taken as evenly spaced",
                    },
                );
            }
        }
        out
    }

    /// The recordings, and what is odd about them.
    pub(super) fn finish(self) -> Result<(Vec<Decoded>, Vec<Oddity>), SensorError> {
        self.check_precision()?;
        let rows = self.lines.len();
        let ends = self.starts.iter().skip(1).map(|s| s.0).chain([rows]);
        let mut pieces: Vec<(usize, usize, usize)> =
            self.starts.iter().zip(ends).enumerate().map(|(i, (s, end))| (s.0, end, i)).collect();
        let mut clocks = Vec::new();
        if self.time_field.is_some() {
            clocks.extend(pieces.iter().map(|(a, b, _)| (*a, clock::read(&self.stamps[*a..*b], self.unit))));
            for (start, c) in clocks.iter().filter(|_| self.faults == TimeFaults::Error) {
                if let Some((i, step, fault)) = c.faults.first() {
                    return Err(self.fault(start + i, start + i - 1, *step, c.step, *fault));
                }
            }
            if self.faults == TimeFaults::Cut {
                let mut cut = Vec::new();
                for ((start, end, i), (_, c)) in pieces.iter().zip(&clocks) {
                    let breaks = c.faults.iter().filter(|(.., f)| matches!(f, Fault::Back | Fault::Gap));
                    let mut from = *start;
                    for to in breaks.map(|(row, ..)| start + row).chain([*end]) {
                        cut.push((from, to, *i));
                        from = to;
                    }
                }
                pieces = cut;
            }
        }
        let rate_hz = clock::rate_hz(clocks.iter().map(|(_, c)| c));
        let several = self.several || pieces.len() > 1;
        let notes = self.notes(&clocks);
        let base = stem(self.path);
        let mut out = Vec::new();
        for (n, (start, end, i)) in pieces.into_iter().enumerate() {
            let name = if several { format!("{base}#{n}") } else { base.clone() };
            let mut values = Vec::with_capacity((end - start) * self.columns.len());
            for c in &self.columns {
                let from = values.len();
                values.extend_from_slice(&c.values[start..end]);
                if !fill(&mut values[from..], self.known.missing) {
                    let (recording, channel) = (name, c.name.clone());
                    return Err(SensorError::NothingToFill { path: self.path.into(), recording, channel });
                }
            }
            let (_, label, group) = self.starts[i].clone();
            let channels = self.columns.iter().map(|c| c.name.clone()).collect();
            let place = Place::Lines {
                lines: self.lines[start..end].to_vec(),
                fields: self.columns.iter().map(|c| c.field).collect(),
            };
            out.push(Decoded { recording: Recording { name, channels, rate_hz, values, label, group }, place });
        }
        Ok((out, notes))
    }
}

/// Seconds with six digits, without those that say nothing.
fn round(seconds: f64) -> f64 {
    let digits = 6 - seconds.abs().max(1e-12).log10().floor() as i32;
    let scale = 10f64.powi(digits.clamp(-12, 15));
    (seconds * scale).round() / scale
}
