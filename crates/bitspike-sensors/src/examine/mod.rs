//! A look at files of sensors: how they are written, what is odd about them, and the lines of `[data.sensors]` that read them.
//!
//! [`examine`] guesses the format from content and names, reads every file with it, and says what it is not sure of. What it
//! proposes is held against the files: a file that cannot be read so is named with the error.

mod propose;
mod sniff;

pub use propose::{Proposal, Signal, propose};

use crate::config::AUDIO_EXTENSIONS;
use crate::format::{self, Decoded, Known, Markers, decode_placed};
use crate::{
    CsvFormat, Encoding, FolderLabels, Format, InsideLabels, Labels, Missing, NameLabels, Oddity, OddityKind,
    ParquetFormat, Recording, RowKind, SensorConfig, SensorError, TimeFaults, TimeUnit, quality, source,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files and bytes that are read at most.
const MAX_FILES: usize = 5000;
const MAX_BYTES: u64 = 4 << 30;
/// Errors and other files that are listed.
const LISTED: usize = 8;

/// What was found about files of sensors.
#[derive(Serialize, Clone, Debug)]
#[non_exhaustive]
pub struct Findings {
    /// Folder or file.
    pub path: PathBuf,
    /// Kind of the format, as in `format.kind`.
    pub kind: String,
    /// Files that were read, and their bytes.
    pub files: usize,
    /// Bytes of the files.
    pub bytes: u64,
    /// Lines of `[data.sensors]` that read such files.
    pub toml: String,
    /// The same, typed; `path` is the folder.
    pub config: SensorConfig,
    /// How a text is written.
    pub table: Option<TableFinding>,
    /// The column of times.
    pub time: Option<TimeFinding>,
    /// Recordings.
    pub recordings: usize,
    /// Samples of the shortest and of the longest.
    pub samples: [usize; 2],
    /// Samples per second, where the files say so.
    pub rate_hz: Option<f64>,
    /// Recordings of each label.
    pub classes: BTreeMap<String, usize>,
    /// Every recording that was read.
    #[serde(skip)]
    pub listed: Vec<Listed>,
    /// Marks of missing values in the first rows of the first file, with their number.
    pub missing: BTreeMap<String, u64>,
    /// Channels over all recordings, missing values filled.
    pub channels: Vec<ChannelFinding>,
    /// Columns that are not used.
    pub unused: Vec<Unused>,
    /// What should be looked at.
    pub oddities: Vec<Oddity>,
    /// What the proposal is not sure of.
    pub guesses: Vec<String>,
    /// Files that could not be read so, with the reason; the first ones.
    pub errors: Vec<String>,
    /// Number of them.
    pub failed: usize,
    /// Files of other kinds in the folder; the first ones.
    pub others: Vec<String>,
}

/// A recording that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Path of its file below the folder.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Its label, where there is one.
    pub label: Option<String>,
    /// Its group, where there is one.
    pub group: Option<String>,
    /// Samples of a channel.
    pub samples: usize,
}

/// How a text is written.
#[derive(Serialize, Clone, Debug)]
#[non_exhaustive]
pub struct TableFinding {
    /// Encoding of the first file.
    pub encoding: Encoding,
    /// Whether it begins with a byte-order mark.
    pub mark: bool,
    /// Character between fields.
    pub separator: char,
    /// Decimal sign.
    pub decimal: char,
    /// Lines before the table.
    pub skip_lines: u64,
    /// Whether it names its columns.
    pub header: bool,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// What a row is.
    pub rows: RowKind,
}

/// The column of times.
#[derive(Serialize, Clone, Debug)]
#[non_exhaustive]
pub struct TimeFinding {
    /// Its name.
    pub column: String,
    /// Unit of its numbers.
    pub unit: TimeUnit,
    /// What `time_faults` must be for the files to be read.
    pub faults: TimeFaults,
}

/// A channel over all recordings.
#[derive(Serialize, Clone, Debug)]
#[non_exhaustive]
pub struct ChannelFinding {
    /// Its name.
    pub name: String,
    /// Least value.
    pub min: f32,
    /// Mean.
    pub mean: f64,
    /// Greatest value.
    pub max: f32,
    /// Standard deviation.
    pub deviation: f64,
}

/// A column that is not used.
#[derive(Serialize, Clone, Debug)]
#[non_exhaustive]
pub struct Unused {
    /// Its name.
    pub column: String,
    /// Why.
    pub why: String,
}

/// The kind of format that a file's name stands for.
fn kind(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.')?.1.to_lowercase();
    Some(match extension.as_str() {
        "csv" | "txt" | "tsv" | "dat" | "asc" => "csv",
        e if AUDIO_EXTENSIONS.contains(&e) => "audio",
        "npy" => "npy",
        "ts" => "ts",
        "parquet" | "pq" => "parquet",
        _ => return None,
    })
}

/// Looks at a file, or at all files of a folder of the kind that most have; `None` if their names stand for no kind of
/// recording.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let rows: String = (0..50).map(|i| format!("{};{},5;walk\n", 20 * i, i % 7)).collect();
/// std::fs::write(folder.path().join("a.csv"), format!("time (ms);ax;activity\n{rows}"))?;
/// let found = bitspike_sensors::examine(folder.path())?.expect("recordings");
/// assert_eq!(found.rate_hz, Some(50.0));
/// assert!(found.toml.contains("separator = \";\", decimal = \",\", time_column = \"time (ms)\", time_unit = \"ms\""));
/// assert_eq!(found.classes["walk"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SensorError`] if the path cannot be read, or no file of the kind can.
pub fn examine(path: &Path) -> Result<Option<Findings>, SensorError> {
    examine_with(path, None)
}

/// As [`examine`], where it is known how labels and groups stand in the names of files.
///
/// # Errors
/// As [`examine`]; and if a file's name does not match the pattern.
pub fn examine_with(path: &Path, names: Option<&NameLabels>) -> Result<Option<Findings>, SensorError> {
    let (root, mut files, others) = list(path)?;
    // Texts of another extension are more likely notes than recordings.
    let sort = |f: &str| {
        kind(f).map(|k| (k, if k == "csv" { f.rsplit('.').next().unwrap_or("").to_lowercase() } else { String::new() }))
    };
    let mut counts = BTreeMap::new();
    files.iter().filter_map(|f| sort(f)).for_each(|k| *counts.entry(k).or_insert(0usize) += 1);
    let Some((most, _)) = counts.into_iter().max_by_key(|(_, n)| *n) else { return Ok(None) };
    let kind_found = most.0;
    let (chosen, rest): (Vec<String>, Vec<String>) = files.drain(..).partition(|f| sort(f).as_ref() == Some(&most));
    let mut others: Vec<String> = others.into_iter().chain(rest).collect();
    others.truncate(LISTED);
    let mut config = SensorConfig { path: root.clone(), ..SensorConfig::default() };
    let mut sniffed = None;
    let first = root.join(&chosen[0]);
    config.format = match kind_found {
        "csv" => {
            let found = sniff::sniff(&first, &format::bytes(&first, &Format::Csv(CsvFormat::default()))?)?;
            let format = found.format.clone();
            sniffed = Some(found);
            Format::Csv(format)
        }
        "audio" if chosen.iter().all(|f| f.to_lowercase().ends_with(".wav")) => Format::Wav(Default::default()),
        "audio" => Format::Audio(Default::default()),
        "npy" => Format::Npy(Default::default()),
        "ts" => Format::Ts(Default::default()),
        _ => Format::Parquet(Default::default()),
    };
    let mut unused: Vec<(String, String)> = sniffed.as_mut().map(|s| std::mem::take(&mut s.unused)).unwrap_or_default();
    let mut columns = sniffed.as_ref().map(|s| s.columns.clone()).unwrap_or_default();
    #[cfg(feature = "parquet")]
    if let Format::Parquet(format) = &mut config.format {
        let bytes = bitspike_files::read(&first).map_err(|e| SensorError::io(&first, e))?;
        columns = parquet(&first, &bytes, format, &mut unused)?;
    }
    let special = match &config.format {
        Format::Csv(c) => [&c.time_column, &c.label_column, &c.group_column].map(Clone::clone),
        Format::Parquet(c) => [&c.time_column, &c.label_column, &c.group_column].map(Clone::clone),
        _ => [None, None, None],
    };
    if !unused.is_empty() {
        let is =
            |c: &String| !c.is_empty() && !special.contains(&Some(c.clone())) && !unused.iter().any(|(u, _)| u == c);
        config.channels = columns.iter().filter(|c| is(c)).cloned().collect();
    }
    let extensions = config.format.extensions();
    if !chosen.iter().all(|f| extensions.iter().any(|e| f.to_lowercase().ends_with(&format!(".{e}")))) {
        let ends: BTreeSet<&str> = chosen.iter().filter_map(|f| Some(f.rsplit_once('.')?.1)).collect();
        config.files =
            if path.is_file() { vec![chosen[0].clone()] } else { ends.iter().map(|e| format!("*.{e}")).collect() };
    }
    let mut guesses = sniffed.as_ref().map(|s| s.guesses.clone()).unwrap_or_default();
    let inside = special[1].is_some() || matches!(config.format, Format::Ts(_));
    config.labels = match names {
        Some(names) => Labels::Name(names.clone()),
        None if inside => Labels::Inside(InsideLabels {}),
        None => labels(&chosen, &mut guesses),
    };
    if names.is_some() {
        let named = source::PathLabels::new(&config.labels)?;
        chosen.iter().try_for_each(|file| named.read(file).map(drop))?;
    }
    let mut read = Read::default();
    read.all(&root, &chosen, &mut config)?;
    if read.recordings.is_empty() {
        return Err(read
            .first_error
            .unwrap_or(SensorError::Empty { place: path.display().to_string(), what: "no recording in it".into() }));
    }
    let all: Vec<&Recording> = read.recordings.iter().map(|d| &d.recording).collect();
    let names: Vec<&str> = read.files.iter().map(String::as_str).collect();
    let place = |r: usize, c: usize, s: usize| read.recordings[r].place.at(c, s);
    // Only recordings of the same channels are held against each other.
    if all.iter().all(|r| r.channels == all[0].channels) {
        let audio = matches!(config.format, Format::Wav(_) | Format::Audio(_));
        read.oddities.extend(quality::check(&all, &names, audio, &place));
    } else {
        guesses.push("the channels: files have different ones".into());
    }
    let table = match (&config.format, &sniffed) {
        (Format::Csv(f), Some(s)) => Some(TableFinding {
            encoding: f.encoding,
            mark: s.mark,
            separator: f.separator,
            decimal: f.decimal,
            skip_lines: f.skip_lines,
            header: f.header,
            columns: s.columns.clone(),
            rows: f.rows,
        }),
        _ => None,
    };
    let time = match &config.format {
        Format::Csv(CsvFormat { time_column: Some(c), time_unit, time_faults, .. })
        | Format::Parquet(ParquetFormat { time_column: Some(c), time_unit, time_faults, .. }) => {
            Some(TimeFinding { column: c.clone(), unit: *time_unit, faults: *time_faults })
        }
        _ => None,
    };
    let listed = listed(&config, &all, &names);
    let mut classes = BTreeMap::new();
    listed.iter().filter_map(|r| r.label.clone()).for_each(|label| *classes.entry(label).or_insert(0) += 1);
    let rate_hz = all.iter().find_map(|r| r.rate_hz);
    let lengths = all.iter().map(|r| r.len());
    Ok(Some(Findings {
        path: path.into(),
        kind: config.format.kind().into(),
        files: read.count,
        bytes: read.bytes,
        toml: config.lines(),
        table,
        time,
        recordings: all.len(),
        samples: [lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0)],
        rate_hz,
        classes,
        listed,
        missing: sniffed.map(|s| s.missing).unwrap_or_default(),
        channels: (0..all[0].channels.len()).map(|c| channel(&all, c)).collect(),
        unused: unused.into_iter().map(|(column, why)| Unused { column, why }).collect(),
        oddities: read.oddities,
        guesses,
        errors: read.errors,
        failed: read.failed,
        others,
        config,
    }))
}

/// The folder, paths of its files below it, and those that are left out.
fn list(path: &Path) -> Result<(PathBuf, Vec<String>, Vec<String>), SensorError> {
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return Ok((folder.into(), vec![name], vec![]));
    }
    let all = source::walk(path)?.into_iter().map(|e| e.rel);
    let (files, others) = all.partition(|f| kind(f).is_some());
    Ok((path.into(), files, others))
}

/// Recordings as they are read.
#[derive(Default)]
struct Read {
    recordings: Vec<Decoded>,
    /// File of each recording.
    files: Vec<String>,
    oddities: Vec<Oddity>,
    count: usize,
    bytes: u64,
    errors: Vec<String>,
    failed: usize,
    first_error: Option<SensorError>,
}

impl Read {
    /// Reads the files, and sets `missing` and `time_faults` to what they need.
    fn all(&mut self, root: &Path, files: &[String], config: &mut SensorConfig) -> Result<(), SensorError> {
        let markers = Markers::default();
        let mut faults = BTreeSet::new();
        let mut missing = false;
        let mut lenient = config.format.clone();
        set_faults(&mut lenient, TimeFaults::Ignore);
        for name in files.iter().take(MAX_FILES) {
            let path = root.join(name);
            let size = std::fs::metadata(&path).map_or(0, |m| m.len());
            if self.bytes.saturating_add(size) > MAX_BYTES {
                self.errors.push(format!("files behind {name} were not read: more than {MAX_BYTES} bytes"));
                break;
            }
            let read = format::bytes(&path, &lenient);
            if let Err(e @ SensorError::Io { .. }) = read {
                return Err(e);
            }
            let known = |missing| Known { channels: &config.channels, missing, markers: &markers, scale: None };
            let found = read.and_then(|bytes| {
                let mut found = decode_placed(&path, &bytes, &lenient, known(Missing::Error));
                if matches!(found, Err(SensorError::MissingText { .. } | SensorError::MissingBinary { .. })) {
                    missing = true;
                    found = decode_placed(&path, &bytes, &lenient, known(Missing::Hold));
                }
                Ok((found?, bytes.len()))
            });
            match found {
                Ok(((found, oddities), size)) => {
                    self.count += 1;
                    self.bytes += size as u64;
                    self.files.extend(found.iter().map(|_| name.clone()));
                    self.recordings.extend(found);
                    faults.extend(oddities.iter().map(|o| o.kind));
                    self.oddities.extend(oddities.into_iter().map(|o| Oddity {
                        file: name.clone(),
                        remedy: match o.kind {
                            OddityKind::WrappedTime | OddityKind::Nameless => o.remedy,
                            _ => "time_faults says what to do".into(),
                        },
                        ..o
                    }));
                }
                Err(e) => {
                    self.failed += 1;
                    if self.errors.len() < LISTED {
                        self.errors.push(format!("{e} ({})", e.hint()));
                    }
                    self.first_error.get_or_insert(e);
                }
            }
        }
        if missing {
            config.missing = Missing::Hold;
        }
        let cut = [OddityKind::BackwardTime, OddityKind::TimeGap].iter().any(|k| faults.contains(k));
        let uneven = [OddityKind::RepeatedTime, OddityKind::UnevenTime].iter().any(|k| faults.contains(k));
        match (cut, uneven) {
            (true, _) => set_faults(&mut config.format, TimeFaults::Cut),
            (false, true) => set_faults(&mut config.format, TimeFaults::Ignore),
            (false, false) => {}
        }
        Ok(())
    }
}

fn set_faults(format: &mut Format, faults: TimeFaults) {
    match format {
        Format::Csv(c) => c.time_faults = faults,
        Format::Parquet(c) => c.time_faults = faults,
        _ => {}
    }
}

/// Roles of the columns of a Parquet file, by kinds and names; gives all names.
#[cfg(feature = "parquet")]
fn parquet(
    path: &Path,
    bytes: &[u8],
    format: &mut ParquetFormat,
    unused: &mut Vec<(String, String)>,
) -> Result<Vec<String>, SensorError> {
    use bitspike_parquet::Kind;
    let columns = crate::format::parquet::columns(path, bytes)?;
    let is = |name: &str, list: &[&str]| list.contains(&name.to_lowercase().as_str());
    for (name, kind) in &columns {
        let low = name.to_lowercase();
        match kind {
            _ if name.starts_with("__index_level_") => {}
            Kind::Timestamp(_) if format.time_column.is_none() => format.time_column = Some(name.clone()),
            Kind::Whole | Kind::Real | Kind::Unsigned
                if format.time_column.is_none()
                    && is(&low, &["t", "ts", "time", "timestamp", "timestamps"])
                    && !columns.iter().any(|(_, k)| matches!(k, Kind::Timestamp(_))) =>
            {
                format.time_column = Some(name.clone());
                if low.starts_with("timestamp") {
                    format.time_unit = TimeUnit::Ns;
                }
            }
            Kind::Text | Kind::Whole
                if format.label_column.is_none() && is(&low, &["label", "labels", "class", "activity", "target"]) =>
            {
                format.label_column = Some(name.clone());
            }
            Kind::Text | Kind::Whole
                if format.group_column.is_none()
                    && is(&low, &["subject", "user", "person", "participant", "group"]) =>
            {
                format.group_column = Some(name.clone());
            }
            Kind::Text => unused.push((name.clone(), "holds text".into())),
            Kind::Timestamp(_) => unused.push((name.clone(), "is another column of times".into())),
            Kind::Other => unused.push((name.clone(), "is of a kind that is not read".into())),
            _ => {}
        }
    }
    Ok(columns.into_iter().map(|c| c.0).filter(|n| !n.starts_with("__index_level_")).collect())
}

/// Where labels come from, by folders and names of files.
fn labels(files: &[String], guesses: &mut Vec<String>) -> Labels {
    let folders: Vec<Vec<&str>> =
        files.iter().map(|f| f.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect()).collect();
    let depth = folders.iter().map(Vec::len).min().unwrap_or(0);
    let kinds = |d: usize| folders.iter().map(|f| f[d]).collect::<BTreeSet<_>>().len();
    // The folder with the fewest names, but more than one, is the label; train and test are none.
    let parts = |d: usize| {
        folders.iter().all(|f| ["train", "test", "val", "training", "testing"].contains(&f[d].to_lowercase().as_str()))
    };
    let label = (0..depth).filter(|d| kinds(*d) > 1 && !parts(*d)).min_by_key(|d| kinds(*d));
    if let Some(label_depth) = label {
        let group_depth = (0..depth).find(|d| *d != label_depth && kinds(*d) > 1 && !parts(*d));
        guesses.push("that folders are the labels".into());
        return Labels::Folder(FolderLabels { label_depth, group_depth });
    }
    let stem = |f: &str| f.rsplit('/').next().unwrap_or(f).rsplit_once('.').map(|(s, e)| (s.to_owned(), e.to_owned()));
    let stems: Vec<(String, String)> = files.iter().filter_map(|f| stem(f)).collect();
    for mark in ['_', '-'] {
        let parts: Vec<Vec<&str>> = stems.iter().map(|(s, _)| s.split(mark).collect()).collect();
        let n = parts.first().map_or(0, Vec::len);
        if n < 2 || files.len() < 2 || parts.iter().any(|p| p.len() != n || p.contains(&"")) {
            continue;
        }
        let kinds = |i: usize| parts.iter().map(|p| p[i]).collect::<BTreeSet<_>>().len();
        let varies: Vec<usize> = (0..n).filter(|i| kinds(*i) > 1).collect();
        let words = |i: &usize| parts.iter().all(|p| p[*i].parse::<f64>().is_err());
        // s01, s02, ...: a person or a machine, not what it does.
        let numbered = |i: &usize| {
            let letters = |p: &str| p.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase();
            let first = letters(parts[0][*i]);
            !first.is_empty() && parts.iter().all(|p| p[*i].len() > first.len() && letters(p[*i]) == first)
        };
        let label = varies.iter().copied().filter(words).min_by_key(|i| (numbered(i), kinds(*i)));
        let label = label.or(varies.first().copied());
        let Some(label) = label.filter(|l| kinds(*l) < files.len()) else { continue };
        let group = varies
            .iter()
            .copied()
            .filter(|i| *i != label && kinds(*i) < files.len())
            .min_by_key(|i| (!words(i), kinds(*i)));
        let field = |i: usize| match i {
            i if i == label => "{label}".to_owned(),
            i if Some(i) == group => "{group}".to_owned(),
            i => format!("{{f{i}}}"),
        };
        let ends: BTreeSet<&str> = stems.iter().map(|s| s.1.as_str()).collect();
        let end = if ends.len() == 1 { stems[0].1.clone() } else { "{end}".to_owned() };
        let pattern = (0..n).map(field).collect::<Vec<_>>().join(&mark.to_string()) + "." + &end;
        guesses.push("which part of a file's name is the label".into());
        return Labels::Name(NameLabels { pattern });
    }
    guesses.push("the labels: neither columns nor folders nor file names show any".into());
    Labels::default()
}

/// Every recording with label and group.
fn listed(config: &SensorConfig, all: &[&Recording], files: &[&str]) -> Vec<Listed> {
    let inside = matches!(config.labels, Labels::Inside(_));
    let named = source::PathLabels::new(&config.labels).ok();
    let of = |(r, file): (&&Recording, &&str)| {
        let of_path = || named.as_ref()?.read(file).ok();
        let (label, group) = match inside {
            true => (r.label.clone(), r.group.clone()),
            false => of_path().unwrap_or_default(),
        };
        Listed { file: (*file).to_owned(), name: r.name.clone(), label, group, samples: r.len() }
    };
    all.iter().zip(files).map(of).collect()
}

fn channel(all: &[&Recording], c: usize) -> ChannelFinding {
    let values = || all.iter().filter(|r| c < r.channels.len()).flat_map(|r| r.channel(c));
    let n = values().count().max(1) as f64;
    let mean = values().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = values().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    ChannelFinding {
        name: all[0].channels[c].clone(),
        min: values().copied().fold(f32::INFINITY, f32::min),
        mean,
        max: values().copied().fold(f32::NEG_INFINITY, f32::max),
        deviation: variance.sqrt(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
