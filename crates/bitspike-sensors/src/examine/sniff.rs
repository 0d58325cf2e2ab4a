//! What the first rows of a text show: encoding, separator, decimal sign, header, and what each column is for.
//!
//! Everything here is a guess from content and names; the proposal is checked by reading the files with it.

use crate::format::csv::{label, plain};
use crate::format::rows::{Row, Rows};
use crate::format::stamp::{self, Stamp};
use crate::format::{MAX_CHANNELS, Markers, number, text};
use crate::{CsvFormat, DateOrder, Encoding, RowKind, SensorError, TimeUnit};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rows that are looked at, and bytes of them.
const LOOK: usize = 4000;
const LOOK_BYTES: usize = 16 << 20;
/// A table without a header and with more columns than this is taken for series in rows.
const WIDE: usize = 40;
/// More values than this are no labels.
const LABELS: usize = 100;

const TIMES: [&str; 16] = [
    "t",
    "ts",
    "time",
    "times",
    "timestamp",
    "timestamps",
    "datetime",
    "date",
    "zeit",
    "zeitstempel",
    "seconds",
    "millis",
    "micros",
    "epoch",
    "elapsed",
    "time_stamp",
];
const LABEL_NAMES: [&str; 14] = [
    "label",
    "labels",
    "class",
    "classes",
    "activity",
    "activities",
    "target",
    "y",
    "state",
    "condition",
    "gesture",
    "category",
    "event",
    "fault",
];
const GROUPS: [&str; 14] = [
    "user",
    "users",
    "subject",
    "person",
    "participant",
    "patient",
    "group",
    "session",
    "device",
    "machine",
    "id",
    "user_id",
    "subject_id",
    "proband",
];

/// The name without units and signs: `Time (s)` is `time`, `timestamp_ns` is `timestamp`.
fn bare(name: &str) -> String {
    let lower = name.to_lowercase();
    let cut = lower.split(['(', '[', '/']).next().unwrap_or("").trim().replace([' ', '-'], "_");
    let units = ["_s", "_ms", "_us", "_ns", "_sec", "_msec", "_usec", "_utc", "_unix"];
    let end = units.iter().find_map(|u| cut.strip_suffix(u)).unwrap_or(&cut);
    end.trim_matches('_').to_owned()
}

/// A guess at a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sniffed {
    pub(crate) format: CsvFormat,
    pub(crate) mark: bool,
    pub(crate) columns: Vec<String>,
    /// Columns that are no channels and have no other role, with the reason.
    pub(crate) unused: Vec<(String, String)>,
    /// Marks of missing values with their number.
    pub(crate) missing: BTreeMap<String, u64>,
    /// What is not sure.
    pub(crate) guesses: Vec<String>,
}

/// A row and its line.
type Line = (u64, Row);

/// Fields of all lines that are looked at, with the line.
fn rows_of(
    path: &Path,
    text: &str,
    format: &CsvFormat,
    most: usize,
) -> Result<(Vec<Line>, Option<String>), SensorError> {
    let mut rows = Rows::new(path, text.as_bytes(), format)?;
    let (mut out, mut row, mut bytes) = (Vec::new(), Row::default(), 0);
    while out.len() < most
        && bytes < LOOK_BYTES
        && let Some(line) = rows.next(path, &mut row)?
    {
        row.trim_end(1);
        bytes += row.memory();
        out.push((line, row.clone()));
    }
    let comment = rows.comment().map(|(_, text)| text.to_owned());
    Ok((out, comment))
}

/// The number of fields that most rows have, and how many have it.
fn mode(rows: &[Line]) -> (usize, usize) {
    let mut counts = BTreeMap::new();
    rows.iter().for_each(|(_, r)| *counts.entry(r.len()).or_insert(0usize) += 1);
    counts.into_iter().max_by_key(|(fields, n)| (*n, *fields)).unwrap_or((0, 0))
}

fn is_data(field: &str, format: &CsvFormat) -> bool {
    number(&plain(field, format)).is_some() || stamp::is_date(field)
}

/// Looks at a text.
pub(crate) fn sniff(path: &Path, bytes: &[u8]) -> Result<Sniffed, SensorError> {
    let mut out = Sniffed { mark: text::detect(bytes).1 > 0, ..Sniffed::default() };
    let text = match text::decode(path, bytes, Encoding::Auto) {
        Ok(text) => text,
        Err(_) => {
            out.format.encoding = Encoding::Latin1;
            out.guesses.push("the encoding: the bytes are not UTF-8".into());
            text::decode(path, bytes, Encoding::Latin1)?
        }
    };
    let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("").trim_start();
    if let Some(comment) = ["%", "//"].into_iter().find(|c| first.starts_with(c)) {
        out.format.comment = comment.into();
    }
    let mut rows = Vec::new();
    for separator in ['\t', ';', '|', ',', ' '] {
        let format = CsvFormat { separator, ..out.format.clone() };
        let Ok((found, _)) = rows_of(path, &text, &format, LOOK) else { continue };
        let (fields, n) = mode(&found[found.len().min(20) / 4..]);
        if fields > 1 && n * 10 >= (found.len() - found.len().min(20) / 4) * 8 {
            (out.format, rows) = (format, found);
            break;
        }
    }
    if rows.is_empty() {
        rows = rows_of(path, &text, &out.format, LOOK)?.0;
    }
    let comment = rows_of(path, &text, &out.format, 1)?.1;
    let (fields, _) = mode(&rows);
    row_end(&mut out.format, &rows, fields);
    if !out.format.row_end.is_empty() {
        rows = rows_of(path, &text, &out.format, LOOK)?.0;
    }
    if out.format.separator != ',' {
        let all = || rows.iter().flat_map(|(_, r)| r.iter());
        let comma = CsvFormat { decimal: ',', ..out.format.clone() };
        let with = |f: &&str| f.contains(',') && number(&plain(f, &comma)).is_some();
        if all().filter(with).count() > all().filter(|f| f.contains('.') && f.parse::<f64>().is_ok()).count() {
            out.format.decimal = ',';
        }
    }
    // So many fields are no columns.
    if fields as u64 > MAX_CHANNELS {
        out.format.header = false;
        series(&mut out, &rows);
        return Ok(out);
    }
    head(&mut out, &rows, fields, comment.as_deref());
    if out.format.header {
        roles(&mut out, &rows);
    } else if fields > WIDE {
        series(&mut out, &rows);
    } else {
        out.columns = (0..fields).map(|i| format!("c{i}")).collect();
        roles(&mut out, &rows);
        out.format.columns.clone_from(&out.columns);
        out.guesses.push("names of the columns: the file has none".into());
    }
    Ok(out)
}

/// A mark behind the last number of nearly every row.
fn row_end(format: &mut CsvFormat, rows: &[Line], fields: usize) {
    let ends: Vec<&str> =
        rows.iter().filter(|r| r.1.len() == fields).filter_map(|(_, r)| r.get(fields.checked_sub(1)?)).collect();
    for end in [";", ",", "|"] {
        let with = ends.iter().filter(|e| e.strip_suffix(end).is_some_and(|e| e.trim().parse::<f64>().is_ok())).count();
        if with * 10 >= ends.len() * 8 && with > 0 {
            format.row_end = end.into();
        }
    }
}

/// Finds the header: the first row of the usual width without a number, before rows with some.
fn head(out: &mut Sniffed, rows: &[Line], fields: usize, comment: Option<&str>) {
    let format = &out.format;
    let data = |row: &Row| row.iter().any(|f| is_data(f, format));
    let first = rows.iter().position(|(_, r)| r.len() == fields && data(r)).unwrap_or(0);
    if let Some(text) = comment.filter(|_| first == 0) {
        let names = rows_of(Path::new(""), text, &CsvFormat { skip_lines: 0, ..format.clone() }, 1);
        if let Ok((names, _)) = names
            && let Some((_, names)) = names.first()
            && names.len() == fields
            && !data(names)
        {
            out.columns = names.iter().map(String::from).collect();
            return;
        }
    }
    // A header may have fewer names than rows have fields.
    match first.checked_sub(1).and_then(|i| rows.get(i)) {
        Some((line, names)) if names.len() == fields => {
            out.columns = names.iter().map(String::from).collect();
            if first > 1 {
                out.format.skip_lines = line - 1;
            }
        }
        _ => {
            out.format.header = false;
            out.format.skip_lines = match first {
                0 => 0,
                first => rows[first].0 - 1,
            };
        }
    }
}

/// A recording in each row.
fn series(out: &mut Sniffed, rows: &[Line]) {
    out.format.rows = RowKind::Series;
    out.guesses.push(format!("that each row is a recording: there is no header and more than {WIDE} columns"));
    for name in ["first", "last"] {
        // The k-th field from that end.
        let at = |r: &Row, k: usize| if name == "first" { k } else { r.len().saturating_sub(k + 1) };
        let end = |r: &Row| label(r.get(at(r, 0)).unwrap_or("")).into_owned();
        let values: Vec<String> = rows.iter().map(|(_, r)| end(r)).collect();
        let distinct: BTreeSet<&String> = values.iter().collect();
        let whole = values.iter().all(|v| v.parse::<i64>().is_ok());
        let text = values.iter().all(|v| v.parse::<f64>().is_err() && !v.is_empty());
        // Values beside it are no whole numbers of a few kinds.
        let broken = |f: &str| f.parse::<f64>().is_ok_and(|v| v.fract() != 0.0);
        let other = rows.iter().any(|(_, r)| r.get(at(r, 1)).is_some_and(broken));
        if distinct.len() <= LABELS.min(rows.len().div_ceil(2)) && (text || (whole && other)) {
            out.format.label_column = Some(name.into());
            return;
        }
    }
}

/// What a column holds in the rows that were looked at.
#[derive(Default)]
struct Column {
    numbers: Vec<f64>,
    dates: usize,
    texts: usize,
    empty: usize,
    distinct: BTreeSet<String>,
}

/// Gives each column its role.
fn roles(out: &mut Sniffed, rows: &[Line]) {
    let (format, markers) = (out.format.clone(), Markers::default());
    let n = out.columns.len();
    let mut columns: Vec<Column> = (0..n).map(|_| Column::default()).collect();
    let names = out.columns.clone();
    let body = rows.iter().filter(|(line, r)| {
        *line > format.skip_lines && !(format.header && r.iter().zip(&names).all(|(a, b)| a == b) && r.len() == n)
    });
    for (_, row) in body {
        for (c, field) in columns.iter_mut().zip(row.iter()) {
            match number(&plain(field, &format)) {
                Some(v) => c.numbers.push(v),
                None if stamp::is_date(field) => c.dates += 1,
                None if markers.text(field) => {
                    c.empty += usize::from(field.is_empty());
                    *out.missing.entry(field.to_owned()).or_default() += 1;
                }
                None => c.texts += 1,
            }
            if c.distinct.len() <= LABELS {
                c.distinct.insert(field.to_owned());
            }
        }
    }
    let named = |i: usize, list: &[&str]| list.contains(&bare(&names[i]).as_str());
    let is_text = |c: &Column| c.texts > 0 && c.texts >= c.numbers.len() + c.dates;
    let counts = |c: &Column| c.numbers.len() > 2 && c.numbers.windows(2).all(|w| w[1] == w[0] + 1.0);
    let few = |c: &Column| c.distinct.len() <= LABELS.min(c.numbers.len().max(c.texts) / 2 + 1);
    let rises = |c: &Column| {
        let up = c.numbers.windows(2).filter(|w| w[1] >= w[0]).count();
        c.numbers.len() > 2 && c.distinct.len() > 2 && up * 100 >= (c.numbers.len() - 1) * 97
    };
    let is_time = |i: usize, c: &Column| c.dates > c.texts + c.numbers.len() || (named(i, &TIMES) && rises(c));
    let order = [
        columns.iter().enumerate().position(|(i, c)| is_time(i, c)),
        // A clock without a name that says so.
        columns.iter().enumerate().position(|(i, c)| {
            let x: Vec<f32> = c.numbers.iter().map(|v| (*v - c.numbers[0]) as f32).collect();
            c.texts == 0 && !counts(c) && !named(i, &GROUPS) && crate::quality::is_clock(&x)
        }),
    ];
    let time = order.into_iter().flatten().next();
    let free = |i: usize, used: &[Option<usize>]| !names[i].is_empty() && !used.contains(&Some(i));
    let pick = |list: &[&str], used: &[Option<usize>]| {
        let fits = |i: &usize| free(*i, used) && named(*i, list) && few(&columns[*i]) && !counts(&columns[*i]);
        (0..n).find(|i| fits(i) && is_text(&columns[*i])).or_else(|| (0..n).find(fits))
    };
    let label = pick(&LABEL_NAMES, &[time]).or_else(|| {
        let text = |i: &usize| {
            free(*i, &[time]) && is_text(&columns[*i]) && few(&columns[*i]) && columns[*i].distinct.len() > 1
        };
        (0..n).find(|i| text(i) && !named(*i, &GROUPS))
    });
    let group = pick(&GROUPS, &[time, label]).or_else(|| {
        // Beside labels in a table without names, whole numbers of a few kinds are who it was.
        let number = |i: &usize| {
            let c = &columns[*i];
            free(*i, &[time, label])
                && c.texts + c.dates == 0
                && c.numbers.iter().all(|v| v.fract() == 0.0 && *v >= 0.0)
        };
        let rare = |i: &usize| columns[*i].distinct.len() * 20 <= columns[*i].numbers.len();
        (0..n).find(|i| !format.header && label.is_some() && number(i) && rare(i))
    });
    let name = |i: Option<usize>| i.map(|i| names[i].clone());
    (out.format.time_column, out.format.label_column, out.format.group_column) = (name(time), name(label), name(group));
    if let Some(i) = time {
        unit(out, &columns[i], &names[i], rows, i);
    }
    for (i, c) in columns.iter().enumerate().filter(|(i, _)| ![time, label, group].contains(&Some(*i))) {
        let why = if names[i].is_empty() {
            continue;
        } else if counts(c) {
            "counts the rows"
        } else if is_time(i, c) {
            "is another column of times"
        } else if c.texts + c.dates > c.numbers.len() / 2 {
            // A few cells that are no numbers are faults, which reading the file names.
            "holds text"
        } else if c.numbers.is_empty() {
            "is empty"
        } else {
            continue;
        };
        out.unused.push((names[i].clone(), why.into()));
    }
    if out.missing.contains_key("") && columns.iter().enumerate().all(|(i, c)| c.empty == 0 || names[i].is_empty()) {
        out.missing.remove("");
    }
}

/// The unit of times that are numbers, or the order of dates.
fn unit(out: &mut Sniffed, c: &Column, name: &str, rows: &[Line], field: usize) {
    if c.dates > 0 {
        let reads = |order: DateOrder| {
            let all = rows.iter().filter_map(|(_, r)| r.get(field)).filter(|f| stamp::is_date(f));
            all.fold(0usize, |n, f| n + usize::from(Stamp::parse("x", f, TimeUnit::S, order).is_none()))
        };
        let orders = [DateOrder::Ymd, DateOrder::Dmy, DateOrder::Mdy];
        let best = orders.into_iter().min_by_key(|o| reads(*o)).unwrap_or_default();
        if best != DateOrder::Ymd {
            out.guesses.push("the order of day and month".into());
        }
        out.format.date_order = best;
        return;
    }
    let lower = name.to_lowercase();
    let said = [
        ("ns", TimeUnit::Ns),
        ("us", TimeUnit::Us),
        ("µs", TimeUnit::Us),
        ("ms", TimeUnit::Ms),
        ("millis", TimeUnit::Ms),
        ("micros", TimeUnit::Us),
        ("nanos", TimeUnit::Ns),
        ("s", TimeUnit::S),
        ("sec", TimeUnit::S),
        ("seconds", TimeUnit::S),
    ];
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).skip(1).collect();
    let by_name = said.iter().find(|(w, _)| words.contains(w) || (w.len() > 2 && lower.starts_with(w)));
    let first = c.numbers.first().copied().unwrap_or(0.0);
    // Seconds since 1970, from 2001 to 2096.
    let epochs = [(1e9, TimeUnit::S), (1e12, TimeUnit::Ms), (1e15, TimeUnit::Us), (1e18, TimeUnit::Ns)];
    let epoch = epochs.into_iter().find(|(low, _)| (*low..4.0 * *low).contains(&first));
    let mut steps: Vec<f64> = c.numbers.windows(2).map(|w| w[1] - w[0]).filter(|s| *s > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    let step = steps.get(steps.len() / 2).copied().unwrap_or(1.0);
    let whole = c.numbers.iter().all(|v| v.fract() == 0.0);
    out.format.time_unit = match (by_name, epoch) {
        (Some((_, unit)), _) => *unit,
        (None, Some((low, unit))) if low > 1e9 || step <= 1e4 => unit,
        _ if !whole => TimeUnit::S,
        // Samples are mostly taken 5 to 2,000 times a second; of several that fit, the coarsest.
        _ => {
            let units = [TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns, TimeUnit::S];
            let fits = |u: &TimeUnit| (5.0..=2000.0).contains(&(u.per_second() / step));
            out.guesses.push(format!("the unit of the times: {name:?} does not say it"));
            units.into_iter().find(fits).unwrap_or(TimeUnit::S)
        }
    };
}
