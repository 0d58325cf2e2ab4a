//! Classifiers without a network on the data of a comparison, once for all its runs.

use crate::output;
use bitspike_classics::{Outcome, Windows, run_all};
use bitspike_data::{DataSet, SampleSet, Values};
use bitspike_run::{ClassicRecord, Classics, RunFolder};
use bitspike_train::recipe::TestAt;
use bitspike_train::run::compare::Job;
use bitspike_train::run::shelf::Shelf;
use std::path::Path;

/// Reads them where they were run already, else runs them; `None` where the runs have different data, or data that are no windows of
/// numbers, and with a note where something fails: the networks are what was asked for.
pub(super) fn of(jobs: &[Job], shelf: &Shelf, out: &Path, threads: usize, quiet: bool) -> Option<Classics> {
    let recipe = &jobs.first()?.recipe;
    if jobs.iter().any(|job| job.recipe.data_key() != recipe.data_key()) || recipe.train.test == TestAt::Never {
        return None;
    }
    match Classics::read(out) {
        Ok(Some(found)) if files_of(jobs).is_some_and(|files| files == found.data) => return Some(found),
        Ok(_) => {}
        Err(e) => output::note(&format!("note: {e}: run again")),
    }
    let data = shelf.get(recipe).ok()?;
    let (train, test) = (windows(&data.train)?, windows(&data.test)?);
    if !quiet {
        output::note(&format!("classic classifiers on {} windows", data.train.len()));
    }
    let outcomes = Windows::new(&train, &data.train.labels, rows(&data), length(&data), data.train.classes.len())
        .and_then(|train| {
            let test = Windows::new(&test, &data.test.labels, rows(&data), length(&data), data.test.classes.len())?;
            run_all(&train, &test, 1, threads)
        })
        .map_err(|e| output::note(&format!("note: no classic classifiers: {e}")))
        .ok()?;
    let classics = Classics {
        data: sorted(data.files.iter().map(|file| &file.sha256)),
        evaluated_on: "test".to_owned(),
        samples: data.test.len() as u64,
        classics: outcomes.iter().map(record).collect(),
        ..Classics::default()
    };
    if let Err(e) = classics.write(out) {
        output::note(&format!("note: {e}"));
    }
    Some(classics)
}

/// Hashes of the files that the first run read.
fn files_of(jobs: &[Job]) -> Option<Vec<String>> {
    let info = RunFolder::open(&jobs.first()?.folder).ok()?.read_info().ok()?;
    Some(sorted(info.dataset.files.iter().map(|file| &file.sha256)))
}

fn sorted<'a>(hashes: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut hashes: Vec<String> = hashes.cloned().collect();
    hashes.sort();
    hashes
}

fn record(outcome: &Outcome) -> ClassicRecord {
    ClassicRecord {
        name: outcome.classic.name().to_owned(),
        about: outcome.classic.about().to_owned(),
        accuracy: outcome.accuracy(),
        train_seconds: outcome.train_seconds,
        bytes: outcome.bytes as u64,
        operations: outcome.operations,
        note: outcome.note.clone(),
    }
}

/// Rows of a window: channels, or the bands of each.
fn rows(data: &DataSet) -> usize {
    let [c, h, _] = data.shape();
    c * h
}

/// Samples of a window, those of all steps.
fn length(data: &DataSet) -> usize {
    data.steps() * data.shape()[2]
}

/// Windows `[N, C·H, T·W]` of samples `[N, T, C, H, W]`; `None` for bytes.
fn windows(set: &SampleSet) -> Option<Vec<f32>> {
    let Values::Floats(values) = &set.values else { return None };
    let [c, h, w] = set.shape;
    let (steps, rows) = (set.steps, c * h);
    let mut out = Vec::with_capacity(values.len());
    for sample in values.chunks_exact(steps * rows * w) {
        for row in 0..rows {
            (0..steps).for_each(|t| out.extend_from_slice(&sample[(t * rows + row) * w..][..w]));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a row follow each other.
    #[test]
    fn steps_are_laid_end_to_end() {
        // One sample of two steps, two channels, three columns: step, channel, column as digits.
        let values: Vec<f32> = [0, 1]
            .into_iter()
            .flat_map(|t| [0, 1].map(|c| (t, c)))
            .flat_map(|(t, c)| [0, 1, 2].map(|w| (100 * t + 10 * c + w) as f32))
            .collect();
        let set = SampleSet::sequences(2, [2, 1, 3], Values::Floats(values), vec![0], vec!["a".into()]).expect("a set");
        let want = [0, 1, 2, 100, 101, 102, 10, 11, 12, 110, 111, 112].map(|v| v as f32);
        assert_eq!(windows(&set).expect("floats"), want);
        let bytes = SampleSet::new([1, 1, 1], vec![0], vec![0], vec!["a".into()]).expect("a set");
        assert_eq!(windows(&bytes), None);
    }
}
