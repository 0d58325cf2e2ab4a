//! Long recordings, one class a file, cut into windows of the same duration.
//!
//! With D the time from a recording's earliest to its latest event, training windows follow each other from its
//! beginning to `train_part`·D, test windows from `gap_ms` after that to its end; what is left at either end and is
//! shorter than a window is left out. No window is cut from both sides of the gap, so that neighbours, which look
//! almost alike, never stand in both parts.

use super::folder::{EXTENSIONS, files};
use super::{EventConfig, Item, Parts, missing_set, order};
use crate::error::option;
use crate::{Event, EventError, EventReader, ReadOptions};
use rayon::prelude::*;
use std::path::Path;

const FETCH: &str = "event-windows reads one recording a class, <class>.<extension>";

/// Most windows of a part of a recording: more than a day at a tenth of a second each.
const MAX_WINDOWS: i64 = 1 << 20;

pub(crate) fn list(config: &EventConfig) -> Result<Parts, EventError> {
    let root = config.path.clone();
    let files = if root.is_dir() { files(&root, &EXTENSIONS)? } else { Vec::new() };
    let classes: Vec<String> =
        files.iter().map(|f| f.file_stem().unwrap_or_default().to_string_lossy().into_owned()).collect();
    if let Some(i) = (1..classes.len()).find(|i| classes[..*i].contains(&classes[*i])) {
        return option("path", "one recording a class", format!("several of {}", classes[i]));
    }
    if classes.len() < 2 {
        return Err(missing_set(config, root, vec!["recordings of at least two classes".into()], FETCH));
    }
    let options = config.read_options()?;
    // Collected in order, so that of several errors always the same one is told.
    let spans: Vec<Result<Option<(i64, i64)>, EventError>> = files.par_iter().map(|f| span(f, &options)).collect();
    let window = i64::from(config.options.window_ms.unwrap_or(0)) * 1000;
    let gap = i64::from(config.options.gap_ms.unwrap_or(0)) * 1000;
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for ((label, path), span) in files.into_iter().enumerate().zip(spans) {
        let (first, last) = span?.unwrap_or((0, 0));
        let duration = last.saturating_sub(first).saturating_add(1);
        let middle = (duration as f64 * config.options.train_part.unwrap_or(0.7)) as i64;
        let mut many = 0;
        let mut cut = |from: i64, to: i64| -> Vec<Item> {
            let range = |k: i64| {
                let start = first.saturating_add(from).saturating_add(k * window);
                (start, start.saturating_add(window))
            };
            let n = to.saturating_sub(from).max(0) / window;
            many = many.max(n);
            let item = |k| Item { path: path.clone(), entry: None, label: label as u32, range: Some(range(k)) };
            (0..n.min(MAX_WINDOWS)).map(item).collect()
        };
        let (a, b) = (cut(0, middle), cut(middle.saturating_add(gap), duration));
        // A recording with one time that is wrong spans ages.
        if many > MAX_WINDOWS {
            let found = format!("{many} windows in the {} s of {}", duration / 1_000_000, path.display());
            return option("window_ms", format!("at most {MAX_WINDOWS} windows of a part"), found);
        }
        if a.is_empty() || b.is_empty() {
            let found = format!("{} ms of {}", duration / 1000, path.display());
            return option("window_ms", "windows and a gap that leave training and test windows", found);
        }
        train.push(a);
        test.push(b);
    }
    Ok((root, classes, order(train), order(test)))
}

/// Earliest and latest time of a recording.
fn span(path: &Path, options: &ReadOptions) -> Result<Option<(i64, i64)>, EventError> {
    let mut reader = EventReader::open(path, options)?;
    let (mut span, mut batch) = (None, vec![Event::default(); 1 << 13]);
    loop {
        let n = reader.read(&mut batch)?;
        if n == 0 {
            return Ok(span);
        }
        for e in &batch[..n] {
            span = Some(span.map_or((e.t, e.t), |(a, b): (i64, i64)| (a.min(e.t), b.max(e.t))));
        }
    }
}
