//! A folder of recordings as a sorted list with labels and groups.
//!
//! Files are found below `path` in all folders, links included, names that begin with a dot left out. They are sorted by
//! their path below the folder, byte by byte, with `/` between folders on every system.

use crate::format::text;
use crate::glob::{self, Pattern};
use crate::{Encoding, FolderLabels, IndexLabels, Labels, SensorConfig, SensorError, SourceFile};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// Most bytes of a row of an index: names and a few numbers.
const MAX_INDEX_ROW: u64 = 1 << 20;

/// A file to be read, and what is known of it from outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    /// Path below the folder, with `/`.
    pub(crate) rel: String,
    pub(crate) label: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) rate_hz: Option<f64>,
    pub(crate) scale: Option<f64>,
    pub(crate) samples: Option<usize>,
}

/// The files of a configuration, and the index if there is one.
pub(crate) fn find(config: &SensorConfig) -> Result<(Vec<Entry>, Option<SourceFile>), SensorError> {
    let mut all = walk(&config.path)?;
    let patterns = match config.files.is_empty() {
        true => config.format.extensions().iter().map(|e| format!("*.{e}")).collect(),
        false => config.files.clone(),
    };
    let index_path = match &config.labels {
        Labels::Index(i) => Some(i.index.as_str()),
        _ => None,
    };
    all.retain(|e| {
        let wanted = if config.files.is_empty() { e.rel.to_lowercase() } else { e.rel.clone() };
        glob::any(&patterns, &wanted) && !glob::any(&config.exclude, &e.rel) && Some(e.rel.as_str()) != index_path
    });
    if all.is_empty() {
        let what = format!("no file matches {}", patterns.join(", "));
        return Err(SensorError::Empty { place: config.path.display().to_string(), what });
    }
    let named = PathLabels::new(&config.labels)?;
    for e in &mut all {
        (e.label, e.group) = named.read(&e.rel)?;
    }
    let mut index = None;
    match &config.labels {
        Labels::Folder(_) | Labels::Name(_) | Labels::Inside(_) => {}
        Labels::Index(i) => {
            let path = config.path.join(&i.index);
            let bytes = bitspike_files::read_text(&path, MAX_INDEX_ROW).map_err(|e| SensorError::io(&path, e))?;
            let listed = read_index(&path, &bytes, i)?;
            index = Some(SourceFile::of(&i.index, &bytes));
            let folder = i.index.rsplit_once('/').map_or("", |(folder, _)| folder);
            let below = |rel: &str| if folder.is_empty() { rel.into() } else { format!("{folder}/{rel}") };
            let mut listed: BTreeMap<String, (u64, Entry)> =
                listed.into_iter().map(|(line, e)| (below(&e.rel), (line, e))).collect();
            for e in &mut all {
                let Some((_, row)) = listed.remove(&e.rel) else {
                    return Err(SensorError::Name {
                        name: e.rel.clone(),
                        expected: format!("a row in {}", path.display()),
                        found: "none".into(),
                    });
                };
                *e = Entry { path: e.path.clone(), rel: e.rel.clone(), ..row };
            }
            // Rows of files that were left out on purpose are none to complain of.
            if let Some((rel, (line, _))) = listed.iter().find(|(rel, _)| !glob::any(&config.exclude, rel)) {
                return Err(SensorError::text(
                    &path,
                    *line,
                    0,
                    "file",
                    format!("a file that matches {}", patterns.join(", ")),
                    format!("{rel:?}"),
                ));
            }
        }
    }
    Ok((all, index))
}

/// Reads label and group out of the path of a file below the folder, where they stand there.
pub(crate) enum PathLabels<'a> {
    Folder(&'a FolderLabels),
    Name(Pattern),
    Elsewhere,
}

impl<'a> PathLabels<'a> {
    pub(crate) fn new(labels: &'a Labels) -> Result<Self, SensorError> {
        Ok(match labels {
            Labels::Folder(f) => Self::Folder(f),
            Labels::Name(n) => Self::Name(Pattern::new(&n.pattern, "labels.pattern")?),
            Labels::Index(_) | Labels::Inside(_) => Self::Elsewhere,
        })
    }

    /// Label and group; none of either where the path does not say them.
    pub(crate) fn read(&self, rel: &str) -> Result<(Option<String>, Option<String>), SensorError> {
        match self {
            Self::Folder(f) => {
                let folders: Vec<&str> = rel.split('/').collect();
                let folder = |depth: usize| match folders.get(depth) {
                    Some(name) if depth + 1 < folders.len() => Ok(Some(name.to_string())),
                    _ => Err(SensorError::Name {
                        name: rel.to_owned(),
                        expected: format!("at least {} folders below `path`", depth + 1),
                        found: format!("{}", folders.len() - 1),
                    }),
                };
                Ok((folder(f.label_depth)?, f.group_depth.map_or(Ok(None), folder)?))
            }
            Self::Name(pattern) => {
                let fields = pattern.read(rel)?;
                let get = |name| fields.iter().find(|(f, _)| *f == name).map(|(_, v)| v.to_string());
                Ok((get("label"), get("group")))
            }
            Self::Elsewhere => Ok((None, None)),
        }
    }
}

/// All files below a folder, sorted.
pub(crate) fn walk(root: &Path) -> Result<Vec<Entry>, SensorError> {
    let hidden = |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().to_string_lossy().starts_with('.');
    let mut out = Vec::new();
    for entry in walkdir::WalkDir::new(root).follow_links(true).into_iter().filter_entry(|e| !hidden(e)) {
        let entry = entry.map_err(|e| SensorError::Io {
            path: e.path().unwrap_or(root).into(),
            source: e
                .into_io_error()
                .unwrap_or_else(|| std::io::Error::other("a link that leads back to its own folder")),
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let parts: Option<Vec<&str>> = below.iter().map(|p| p.to_str()).collect();
        let Some(parts) = parts.filter(|p| !p.is_empty()) else {
            return Err(SensorError::Name {
                name: below.display().to_string(),
                expected: "a name in UTF-8 in a folder".into(),
                found: "another".into(),
            });
        };
        out.push(Entry {
            path: entry.path().into(),
            rel: parts.join("/"),
            label: None,
            group: None,
            rate_hz: None,
            scale: None,
            samples: None,
        });
    }
    out.sort_by(|a, b| a.rel.cmp(&b.rel));
    Ok(out)
}

/// Rows of an index with their lines; `rel` is as written there.
fn read_index(path: &Path, bytes: &[u8], config: &IndexLabels) -> Result<Vec<(u64, Entry)>, SensorError> {
    let text = text::decode(path, bytes, Encoding::Auto)?;
    let mut rows =
        csv::ReaderBuilder::new().delimiter(config.separator as u8).trim(csv::Trim::All).from_reader(text.as_bytes());
    let bad =
        |line, field, what, expected: &str, found: String| SensorError::text(path, line, field, what, expected, found);
    let wrong = |e: csv::Error| {
        let line = e.position().map_or(1, |p| p.line());
        bad(line, 0, "row", "as many fields as the header has", e.to_string())
    };
    let header = rows.headers().map_err(wrong)?.clone();
    let column = |name: &String| {
        let found = || format!("{:?}", header.iter().collect::<Vec<_>>());
        let at = header.iter().position(|h| h == name);
        at.ok_or_else(|| bad(1, 0, "header", &format!("a column {name:?}"), found()))
    };
    let optional = |name: &Option<String>| name.as_ref().map(column).transpose();
    let (file, label) = (column(&config.file)?, column(&config.label)?);
    let (group, rate, scale, samples) =
        (optional(&config.group)?, optional(&config.rate_hz)?, optional(&config.scale)?, optional(&config.samples)?);
    let (mut out, mut seen): (Vec<(u64, Entry)>, _) = (Vec::new(), HashSet::new());
    for row in rows.records() {
        let row = row.map_err(wrong)?;
        let line = row.position().map_or(0, |p| p.line());
        let name = |at: usize, what| match row.get(at) {
            Some(text) if !text.is_empty() => Ok(text.to_string()),
            _ => Err(bad(line, at as u64 + 1, what, "a name", "nothing".into())),
        };
        let positive = |at: usize, what| {
            let text = row.get(at).unwrap_or("");
            let v = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0);
            v.ok_or_else(|| bad(line, at as u64 + 1, what, "a number above 0", format!("{text:?}")))
        };
        let count = |at: usize| {
            let text = row.get(at).unwrap_or("");
            text.parse::<usize>()
                .map_err(|_| bad(line, at as u64 + 1, "samples", "a whole number", format!("{text:?}")))
        };
        let rel = name(file, "file")?.replace('\\', "/");
        if !seen.insert(rel.clone()) {
            return Err(bad(line, file as u64 + 1, "file", "every file once", format!("{rel:?} again")));
        }
        let entry = Entry {
            path: PathBuf::new(),
            rel,
            label: Some(name(label, "label")?),
            group: group.map(|g| name(g, "group")).transpose()?,
            rate_hz: rate.map(|r| positive(r, "rate")).transpose()?,
            scale: scale.map(|s| positive(s, "scale")).transpose()?,
            samples: samples.map(count).transpose()?,
        };
        out.push((line, entry));
    }
    Ok(out)
}

/// The name for a label or group after a map of patterns: exactly one class, or an error that names the key.
pub(crate) fn renamed(key: &str, map: &BTreeMap<String, String>, name: &str) -> Result<String, SensorError> {
    if map.is_empty() {
        return Ok(name.into());
    }
    let mut found: Vec<&String> = map.iter().filter(|(p, _)| glob::matches(p, name)).map(|(_, to)| to).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.to_string()),
        [] => Err(SensorError::config(key, format!("a pattern for {name:?}"), "none")),
        many => Err(SensorError::config(key, format!("one name for {name:?}"), format!("{many:?}"))),
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
