//! Reads run folders as they are, finished or not.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bitspike_run::{EpochRecord, Record, RunError, RunFolder, RunInfo, Status, Summary};

use crate::ReportError;

/// One run folder, read.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub path: PathBuf,
    pub info: RunInfo,
    pub summary: Option<Summary>,
    pub epochs: Vec<EpochRecord>,
    /// Remarks in the metrics: `(epoch, text)`.
    pub notes: Vec<(u64, String)>,
    /// The resolved recipe, flattened to dotted keys; `None` if the file is missing or not TOML.
    pub recipe: Option<BTreeMap<String, String>>,
    /// The last metrics line was cut short by a crash.
    pub torn: bool,
}

impl Loaded {
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        Self::read_folder(path).map_err(|source| ReportError::Run { path: path.to_path_buf(), source })
    }

    fn read_folder(path: &Path) -> Result<Self, RunError> {
        let folder = RunFolder::open(path)?;
        let log = folder.read_metrics()?;
        let torn = log.torn.is_some();
        let (mut epochs, mut notes) = (Vec::new(), Vec::new());
        for record in log.records {
            match record {
                Record::Epoch(epoch) => epochs.push(epoch),
                Record::Note(note) => notes.push((note.epoch, note.text)),
                _ => {}
            }
        }
        // A missing recipe is a fact to show, not a reason to refuse the run.
        let recipe = match folder.read_recipe() {
            Ok(text) => flatten(&text),
            Err(RunError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            path: path.to_path_buf(),
            info: folder.read_info()?,
            summary: folder.read_summary()?,
            epochs,
            notes,
            recipe,
            torn,
        })
    }

    /// How the run ended: the summary if there is one, else `run.json`.
    pub fn status(&self) -> Status {
        self.summary.as_ref().map_or(self.info.status, |summary| summary.status)
    }

    /// Finished, with a summary: the only runs that count in means.
    pub fn finished(&self) -> bool {
        self.summary.is_some() && self.status() == Status::Finished
    }

    /// The folder's last component, for display.
    pub fn folder_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    /// The last evaluated epoch: `(accuracy, evaluated on)`.
    pub fn last_evaluated(&self) -> Option<(f64, &str)> {
        self.epochs.iter().rev().find_map(|epoch| Some((epoch.held_out_accuracy?, epoch.evaluated_on.as_str())))
    }

    /// The best evaluated epoch, the first of equals: `(epoch, accuracy)`.
    pub fn best_evaluated(&self) -> Option<(u64, f64)> {
        let mut best: Option<(u64, f64)> = None;
        for (epoch, accuracy) in self.epochs.iter().filter_map(|epoch| Some((epoch.epoch, epoch.held_out_accuracy?))) {
            if best.is_none_or(|(_, highest)| accuracy > highest) {
                best = Some((epoch, accuracy));
            }
        }
        best
    }

    /// The first evaluated epoch with at least this accuracy.
    pub fn first_epoch_at(&self, accuracy: f64) -> Option<u64> {
        self.epochs.iter().find(|epoch| epoch.held_out_accuracy.is_some_and(|found| found >= accuracy)).map(|e| e.epoch)
    }
}

/// TOML as dotted keys and values in TOML spelling.
fn flatten(text: &str) -> Option<BTreeMap<String, String>> {
    fn walk(prefix: &str, table: &toml::Table, out: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(inner) => walk(&path, inner, out),
                other => {
                    out.insert(path, other.to_string());
                }
            }
        }
    }
    let mut out = BTreeMap::new();
    walk("", &text.parse().ok()?, &mut out);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_become_dotted_keys() {
        let flat = flatten("seed = 1\n[train]\nlr = 0.1\nsteps = [1, 2]\n[train.inner]\nname = \"x\"\n").unwrap();
        let flat: Vec<_> = flat.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(flat, ["seed=1", "train.inner.name=\"x\"", "train.lr=0.1", "train.steps=[1, 2]"]);
        assert_eq!(flatten("no = "), None);
    }
}
