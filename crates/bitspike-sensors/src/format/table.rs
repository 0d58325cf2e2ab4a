//! What CSV and Parquet have in common: columns that are channels, times, labels or groups, one row per time.
//!
//! Without `channels`, every column that has no other role is a channel. Where label or group changes from one row to
//! the next, a new recording begins. Times must rise, and no step may differ from the median step by more than half of
//! it: then samples are missing or the clock jumped, and a rate would be a fiction. The rate is
//! `(rows − 1) / (last − first)`.

use super::{Known, fill::fill, stem};
use crate::{Missing, Recording, SensorError, TimeUnit};
use std::path::Path;

/// Which columns are not channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roles<'a> {
    pub(super) time: Option<&'a str>,
    pub(super) unit: TimeUnit,
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
}

/// Rows as they come in.
pub(super) struct Table<'a> {
    path: &'a Path,
    known: Known<'a>,
    unit: TimeUnit,
    /// Role of each column.
    pub(super) roles: Vec<Role>,
    names: Vec<String>,
    channels: Vec<Vec<f32>>,
    times: Vec<(f64, u64)>,
    has_time: bool,
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
        for (i, name) in columns.iter().enumerate() {
            if columns[..i].contains(name) {
                return Err(bad(i as u64 + 1, "column", "every name once".into(), format!("{name:?} again")));
            }
        }
        let special = [(roles.time, Role::Time), (roles.label, Role::Label), (roles.group, Role::Group)];
        for name in special.iter().filter_map(|(n, _)| *n).chain(known.channels.iter().map(String::as_str)) {
            if !columns.iter().any(|c| c == name) {
                return Err(bad(0, "columns", format!("a column {name:?}"), format!("{columns:?}")));
            }
        }
        let (mut out, mut names) = (Vec::new(), Vec::new());
        for column in columns {
            let role = special.iter().find(|(name, _)| *name == Some(column)).map(|(_, role)| *role);
            out.push(match role {
                Some(role) => role,
                None if known.channels.is_empty() || known.channels.contains(column) => {
                    names.push(column.clone());
                    Role::Channel(names.len() - 1)
                }
                None => Role::Unused,
            });
        }
        if names.is_empty() {
            return Err(bad(0, "columns", "at least one channel".into(), format!("{columns:?}")));
        }
        Ok(Self {
            path,
            known,
            unit: roles.unit,
            roles: out,
            channels: vec![vec![]; names.len()],
            names,
            times: vec![],
            has_time: roles.time.is_some(),
            several: roles.label.is_some() || roles.group.is_some(),
            starts: vec![],
        })
    }

    /// The next value of a channel; `None` if it is missing.
    pub(super) fn value(&mut self, c: usize, v: Option<f32>, line: u64, field: u64) -> Result<(), SensorError> {
        if v.is_none() && self.known.missing == Missing::Error {
            let channel = self.names[c].clone();
            return Err(SensorError::MissingText { path: self.path.into(), line, field, channel });
        }
        self.channels[c].push(v.unwrap_or(f32::NAN));
        Ok(())
    }

    /// The next time, in the unit of the column.
    pub(super) fn time(&mut self, t: f64, line: u64, field: u64) -> Result<(), SensorError> {
        if let Some((last, _)) = self.times.last()
            && t <= *last
        {
            return Err(SensorError::text(self.path, line, field, "time", format!("after {last}"), t.to_string()));
        }
        self.times.push((t, line));
        Ok(())
    }

    /// Label and group of the row that was just given.
    pub(super) fn row(&mut self, label: Option<&str>, group: Option<&str>) {
        let same = self.starts.last().is_some_and(|(_, l, g)| l.as_deref() == label && g.as_deref() == group);
        if !same {
            let row = self.channels[0].len() - 1;
            self.starts.push((row, label.map(String::from), group.map(String::from)));
        }
    }

    fn rate(&self) -> Result<Option<f64>, SensorError> {
        if !self.has_time || self.times.len() < 2 {
            return Ok(None);
        }
        let mut steps: Vec<f64> = self.times.windows(2).map(|w| w[1].0 - w[0].0).collect();
        let sum = self.times[self.times.len() - 1].0 - self.times[0].0;
        let rate = steps.len() as f64 / sum * self.unit.per_second();
        steps.sort_by(f64::total_cmp);
        let median = steps[steps.len() / 2];
        let odd = self.times.windows(2).find(|w| (w[1].0 - w[0].0 - median).abs() > 0.5 * median);
        if let Some(w) = odd {
            return Err(SensorError::text(
                self.path,
                w[1].1,
                0,
                "time step",
                format!("{median} give or take half of it"),
                (w[1].0 - w[0].0).to_string(),
            ));
        }
        match rate.is_finite() && rate > 0.0 {
            true => Ok(Some(rate)),
            false => Ok(None),
        }
    }

    /// The recordings.
    pub(super) fn finish(self) -> Result<Vec<Recording>, SensorError> {
        let rate_hz = self.rate()?;
        let rows = self.channels[0].len();
        let ends = self.starts.iter().skip(1).map(|s| s.0).chain([rows]);
        let base = stem(self.path);
        let mut out = Vec::new();
        for (i, ((start, label, group), end)) in self.starts.iter().zip(ends).enumerate() {
            let name = if self.several { format!("{base}#{i}") } else { base.clone() };
            let mut values = Vec::with_capacity((end - start) * self.names.len());
            for (channel, all) in self.names.iter().zip(&self.channels) {
                let from = values.len();
                values.extend_from_slice(&all[*start..end]);
                if !fill(&mut values[from..], self.known.missing) {
                    let (recording, channel) = (name, channel.clone());
                    return Err(SensorError::NothingToFill { path: self.path.into(), recording, channel });
                }
            }
            let (label, group) = (label.clone(), group.clone());
            out.push(Recording { name, channels: self.names.clone(), rate_hz, values, label, group });
        }
        Ok(out)
    }
}
