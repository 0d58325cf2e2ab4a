//! The folder itself: where each file is, how a run begins, how an existing one is recognised.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use crate::{
    EventWriter, MetricsLog, MetricsWriter, RunError, RunInfo, SCHEMA, Summary, Truncation, atomic_write, metrics,
    seal::{Form, Seal},
    write_json_atomic,
};

/// Who, what, where: [`RunInfo`].
pub const INFO_FILE: &str = "run.json";
/// The resolved recipe.
pub const RECIPE_FILE: &str = "recipe.toml";
/// One [`crate::Record`] per line.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// The outcome: [`Summary`].
pub const SUMMARY_FILE: &str = "summary.json";
/// The HTML page, if one was made.
pub const REPORT_FILE: &str = "report.html";
/// One line per run of a comparison, as CSV.
pub const RUNS_FILE: &str = "runs.csv";
/// Where training stands.
pub const LAST_CHECKPOINT: &str = "checkpoints/last.safetensors";
/// The best evaluated epoch.
pub const BEST_CHECKPOINT: &str = "checkpoints/best.safetensors";

/// The folder of the two.
const CHECKPOINTS: &str = "checkpoints";
/// How files for TensorBoard begin.
pub(crate) const EVENTS: &str = "events.out.tfevents.";

/// Which checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// Where training stands.
    Last,
    /// The best evaluated epoch.
    Best,
}

/// A run folder that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new run folder, with parents, and `checkpoints` in it.
    ///
    /// An existing folder is accepted if it is empty, but for what a run that ended before its first checkpoint has left. The folder
    /// counts as a run once [`RunFolder::write_info`] has been called.
    ///
    /// # Errors
    /// [`RunError::NotEmpty`] if something is there already, [`RunError::NotAFolder`] for a file, [`RunError::Io`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        let checkpoints = path.join(CHECKPOINTS);
        sweep(&path);
        let names = in_the_way(&path)?;
        if let Some(first) = names.first().cloned() {
            return Err(RunError::NotEmpty { path, entries: names.len(), first });
        }
        clear(&path)?;
        fs::create_dir_all(&checkpoints).map_err(RunError::io("create", &checkpoints))?;
        Ok(Self { path })
    }

    /// Whether [`RunFolder::create`] would take this path: nothing is there, or what a process killed before the run began has left.
    pub fn is_free(path: &Path) -> bool {
        if !path.join(INFO_FILE).exists() {
            sweep(path);
        }
        in_the_way(path).is_ok_and(|names| names.is_empty())
    }

    /// Opens an existing run folder and checks that this version can read it.
    ///
    /// # Errors
    /// [`RunError::Missing`], [`RunError::NotAFolder`], [`RunError::Foreign`] (no `run.json`, or one that is not a
    /// run's), [`RunError::NewerSchema`], [`RunError::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(RunError::NotAFolder { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RunError::Missing { path }),
            Err(error) => return Err(RunError::io("read", &path)(error)),
        }
        let info = path.join(INFO_FILE);
        let bytes = match fs::read(&info) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunError::Foreign { path, reason: format!("it has no {INFO_FILE}") });
            }
            Err(error) => return Err(RunError::io("read", &info)(error)),
        };
        whole(&info, &bytes, Form::Json)?;
        check_schema(&info, &bytes)?;
        Ok(Self { path })
    }

    /// A folder that may not be whole, for a look at its files one by one.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of a checkpoint, whether or not it exists.
    pub fn checkpoint(&self, which: Checkpoint) -> PathBuf {
        self.path.join(match which {
            Checkpoint::Last => LAST_CHECKPOINT,
            Checkpoint::Best => BEST_CHECKPOINT,
        })
    }

    /// Replaces `run.json`.
    ///
    /// # Errors
    /// As [`crate::atomic_write`].
    pub fn write_info(&self, info: &RunInfo) -> Result<(), RunError> {
        write_json_atomic(self.file(INFO_FILE), info)
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// [`RunError::Io`], [`RunError::Damaged`], [`RunError::Foreign`], [`RunError::NewerSchema`], [`RunError::Json`].
    pub fn read_info(&self) -> Result<RunInfo, RunError> {
        let path = self.file(INFO_FILE);
        parse(&path, &fs::read(&path).map_err(RunError::io("read", &path))?)
    }

    /// Replaces `recipe.toml` with the resolved recipe's text, and its checksum in a comment at the end.
    ///
    /// # Errors
    /// As [`crate::atomic_write`].
    pub fn write_recipe(&self, text: &str) -> Result<(), RunError> {
        let text = Form::Toml.close(text.into());
        atomic_write(self.file(RECIPE_FILE), |out| out.write_all(&text))
    }

    /// Reads `recipe.toml` as text, without its checksum.
    ///
    /// # Errors
    /// [`RunError::Io`], also if the file is missing or not UTF-8, [`RunError::Damaged`].
    pub fn read_recipe(&self) -> Result<String, RunError> {
        let path = self.file(RECIPE_FILE);
        let bytes = fs::read(&path).map_err(RunError::io("read", &path))?;
        let content = whole(&path, &bytes, Form::Toml)?.to_vec();
        let text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        String::from_utf8(content).map_err(text).map_err(RunError::io("read", &path))
    }

    /// The files of the run that are there and have no checksum, which those of older versions do not have.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn without_checksum(&self) -> Result<Vec<&'static str>, RunError> {
        let mut names = Vec::new();
        for (name, form) in [(INFO_FILE, Form::Json), (RECIPE_FILE, Form::Toml), (SUMMARY_FILE, Form::Json)] {
            let path = self.file(name);
            match fs::read(&path) {
                Ok(bytes) if form.check(&bytes).0 == Seal::None => names.push(name),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(RunError::io("read", &path)(error)),
            }
        }
        Ok(names)
    }

    /// Replaces `summary.json`.
    ///
    /// # Errors
    /// As [`crate::atomic_write`].
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RunError> {
        write_json_atomic(self.file(SUMMARY_FILE), summary)
    }

    /// Reads `summary.json`; `None` if the run has not written one.
    ///
    /// # Errors
    /// [`RunError::Io`], [`RunError::Damaged`], [`RunError::Foreign`], [`RunError::NewerSchema`], [`RunError::Json`].
    pub fn read_summary(&self) -> Result<Option<Summary>, RunError> {
        let path = self.file(SUMMARY_FILE);
        match fs::read(&path) {
            Ok(bytes) => parse(&path, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RunError::io("read", &path)(error)),
        }
    }

    /// Removes `summary.json`, so that a resumed run does not show its old outcome. True if there was one.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn remove_summary(&self) -> Result<bool, RunError> {
        let path = self.file(SUMMARY_FILE);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(RunError::io("remove", &path)(error)),
        }
    }

    /// Opens `metrics.jsonl` for appending; see [`MetricsWriter::append_to`]. That is how a run begins or goes on, so the
    /// temporary files of processes that were killed in the folder are removed.
    ///
    /// # Errors
    /// [`RunError::InUse`], [`RunError::Io`].
    pub fn append_metrics(&self) -> Result<MetricsWriter, RunError> {
        let writer = MetricsWriter::append_to(self.file(METRICS_FILE))?;
        sweep(&self.path);
        Ok(writer)
    }

    /// Reads `metrics.jsonl`; see [`crate::read_metrics`]. Empty if the run has not written one.
    ///
    /// # Errors
    /// [`RunError::BadLine`], [`RunError::DamagedLine`], [`RunError::Io`].
    pub fn read_metrics(&self) -> Result<MetricsLog, RunError> {
        metrics::read_metrics(self.file(METRICS_FILE))
    }

    /// Drops metrics later than `step`; see [`crate::truncate_metrics_after`].
    ///
    /// # Errors
    /// [`RunError::BadLine`], [`RunError::InUse`], [`RunError::Io`].
    pub fn truncate_metrics_after(&self, step: u64) -> Result<Truncation, RunError> {
        metrics::truncate_metrics_after(self.file(METRICS_FILE), step)
    }

    /// Starts a new TensorBoard file in this folder; see [`EventWriter::create`].
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn create_events(&self) -> Result<EventWriter, RunError> {
        EventWriter::create(&self.path)
    }
}

/// Names in a folder that keep a run from beginning there, sorted. Not in the way is a run that ended, killed or for want of
/// disk, before its first checkpoint was whole and a line was in its metrics: nothing is lost with it. Neither are temporary files
/// of nobody.
fn in_the_way(path: &Path) -> Result<Vec<String>, RunError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(_) if path.is_file() => return Err(RunError::NotAFolder { path: path.to_path_buf() }),
        Err(error) => return Err(RunError::io("read", path)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(RunError::io("read", path))?.file_name().to_string_lossy().into_owned();
        names.push(name);
    }
    if unbegun(path) {
        // What has our checksum is ours, and no file of somebody else's.
        let sealed = |name: &str, form: Form| fs::read(path.join(name)).is_ok_and(|b| form.check(&b).0 == Seal::Whole);
        let recipe = sealed(RECIPE_FILE, Form::Toml);
        let info = sealed(INFO_FILE, Form::Json);
        names.retain(|name| match &**name {
            CHECKPOINTS => false,
            RECIPE_FILE => !recipe,
            INFO_FILE => !info,
            METRICS_FILE => !info,
            other => !(info && other.starts_with(EVENTS)),
        });
    }
    names.sort();
    Ok(names)
}

/// Removes the files of a run that did not begin, where nothing is in the way: `run.json`, by which the others are known, after them.
fn clear(path: &Path) -> Result<(), RunError> {
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    let events = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let events: Vec<_> = events.filter(|name| name.starts_with(EVENTS)).collect();
    for name in events.iter().map(String::as_str).chain([METRICS_FILE, INFO_FILE, RECIPE_FILE]) {
        let file = path.join(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(RunError::io("remove", &file)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a folder has an empty folder of checkpoints, no line in its metrics, and nobody who writes any.
fn unbegun(path: &Path) -> bool {
    let metrics = path.join(METRICS_FILE);
    let unwritten = match fs::metadata(&metrics) {
        Ok(found) => found.len() == 0 && !metrics::in_use(&metrics),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    unwritten && fs::read_dir(path.join(CHECKPOINTS)).is_ok_and(|mut d| d.next().is_none())
}

/// Removes what killed processes left in a run folder.
fn sweep(path: &Path) {
    bitspike_files::sweep(path);
    bitspike_files::sweep(&path.join(CHECKPOINTS));
}

/// Refuses a file whose `schema` is missing or newer than ours.
fn check_schema(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: u64,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|source| {
        let folder = path.parent().unwrap_or(path).to_path_buf();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        RunError::Foreign { path: folder, reason: format!("its {file} has no readable schema number ({source})") }
    })?;
    if head.schema > u64::from(SCHEMA) {
        return Err(RunError::NewerSchema { path: path.to_path_buf(), found: head.schema, supported: SCHEMA });
    }
    Ok(())
}

/// What the checksum is about; a text without one is taken as it is.
fn whole<'a>(path: &Path, bytes: &'a [u8], form: Form) -> Result<&'a [u8], RunError> {
    match form.check(bytes) {
        (Seal::Damaged, _) => Err(RunError::Damaged { path: path.to_path_buf() }),
        (_, content) => Ok(content),
    }
}

/// Checks checksum and schema number first, so that a damaged or newer file is not reported as a broken one.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, RunError> {
    whole(path, bytes, Form::Json)?;
    check_schema(path, bytes)?;
    serde_json::from_slice(bytes).map_err(|source| RunError::Json { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(home.path().join("new/run")).unwrap();
        let mut info = RunInfo { name: "run".into(), seed: u64::MAX, ..RunInfo::default() };
        info.dataset.sample_shape = [3, 32, 32];
        info.versions.insert("burn".into(), "0.22.1".into());
        folder.write_info(&info).unwrap();
        folder.write_recipe("epochs = 3\n").unwrap();
        let summary = Summary { test_accuracy: Some(0.1 + 0.2), train_seconds: 1.0 / 3.0, ..Summary::default() };
        assert_eq!(folder.read_summary().unwrap(), None);
        assert!(!folder.remove_summary().unwrap());
        folder.write_summary(&summary).unwrap();

        let folder = RunFolder::open(home.path().join("new/run")).unwrap();
        assert_eq!(folder.read_info().unwrap(), info);
        assert_eq!(folder.read_recipe().unwrap(), "epochs = 3\n");
        assert_eq!(folder.read_summary().unwrap(), Some(summary));
        assert!(folder.remove_summary().unwrap());
        assert!(folder.checkpoint(Checkpoint::Last).parent().unwrap().is_dir());
        assert_ne!(folder.checkpoint(Checkpoint::Last), folder.checkpoint(Checkpoint::Best));
    }

    /// Lines of a run folder of schema 1, shortened to the fields that have no default.
    #[test]
    fn folders_of_schema_1_are_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(home.path().join("run")).unwrap();
        let path = |name: &str| home.path().join("run").join(name);
        let flips = r#"{"flips":3,"per_weight":0.5,"ratio_mean":0.1,"back_10":0,"back_100":0,"back_epoch":0,"efficiency":1,"unchanged_since_start":0.5}"#;
        let epoch = format!(
            r#"{{"kind":"epoch","epoch":1,"step":9,"lr":0.1,"train_loss":1.5,"train_accuracy":0.25,"test_loss":1.25,"test_accuracy":0.75,"evaluated_on":"validation","seconds":1,"samples":8,"flips":{flips},"firing_rate":0.1,"layers":[]}}"#
        );
        fs::write(path(crate::METRICS_FILE), epoch + "\n").unwrap();
        let zero = |names: &str| names.split(' ').map(|n| format!("\"{n}\":0,")).collect::<String>();
        let summary = format!(
            r#"{{"schema":1,"name":"r","method":"agmm","seed":1,"status":"finished","epochs":1,"steps":9,"test_accuracy":0.5,"test_loss":1.0,"test_samples":4,"best_accuracy":0.75,"best_epoch":1,{}"evaluated_on":"validation"}}"#,
            zero(
                "train_seconds flips_per_weight back_10 back_100 back_epoch flip_efficiency unchanged_since_start firing_rate \
                 binary_weights real_parameters bytes_1bit bytes_f32 eval_milliseconds_per_sample"
            )
        );
        fs::write(path(crate::SUMMARY_FILE), summary).unwrap();
        let records = folder.read_metrics().unwrap().records;
        let [crate::Record::Epoch(epoch)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((epoch.held_out_accuracy, epoch.held_out_loss), (Some(0.75), Some(1.25)));
        let summary = folder.read_summary().unwrap().unwrap();
        assert_eq!((summary.test_accuracy, summary.best_held_out_accuracy), (Some(0.5), Some(0.75)));
        // What is written has the new names only.
        folder.write_summary(&summary).unwrap();
        let text = fs::read_to_string(path(crate::SUMMARY_FILE)).unwrap();
        assert!(text.contains("best_held_out_accuracy") && !text.contains("\"best_accuracy"), "{text}");
    }

    #[test]
    fn a_number_that_is_not_finite_does_not_break_the_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(home.path()).unwrap();
        let summary = Summary {
            test_loss: Some(f64::INFINITY),
            train_seconds: f64::NAN,
            energy: Some(crate::Energy { compute_pj: f64::NEG_INFINITY, ..Default::default() }),
            ..Summary::default()
        };
        folder.write_summary(&summary).unwrap();
        let back = folder.read_summary().unwrap().unwrap();
        assert_eq!(back.test_loss, None);
        assert!(back.train_seconds.is_nan() && back.energy.unwrap().compute_pj.is_nan());
    }

    /// Killed between its first files: the folder is free again. A recipe of somebody else's keeps it from being one.
    #[test]
    fn a_run_that_never_began_is_in_nobodys_way() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        assert!(RunFolder::is_free(&path));
        let folder = RunFolder::create(&path).unwrap();
        assert!(RunFolder::is_free(&path));
        folder.write_recipe("seed = 1\n").unwrap();
        assert!(RunFolder::is_free(&path) && RunFolder::create(&path).is_ok());
        fs::write(folder.file(RECIPE_FILE), "seed = 1\n").unwrap();
        assert!(!RunFolder::is_free(&path) && RunFolder::create(&path).is_err());
        folder.write_recipe("seed = 1\n").unwrap();
        folder.write_info(&RunInfo::default()).unwrap();
        // Until it has a checkpoint or a line of metrics, and as long as nobody is at work on it.
        let (metrics, events) = (folder.append_metrics().unwrap(), folder.create_events().unwrap());
        assert!(!RunFolder::is_free(&path), "a process is about to write");
        drop((metrics, events));
        assert!(RunFolder::is_free(&path) && RunFolder::create(&path).is_ok());
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [CHECKPOINTS]);
        folder.write_recipe("seed = 1\n").unwrap();
        folder.write_info(&RunInfo::default()).unwrap();
        let in_the_way = |name: &str, content: &str| {
            fs::write(folder.file(name), content).unwrap();
            assert!(!RunFolder::is_free(&path) && RunFolder::create(&path).is_err(), "{name}");
            fs::remove_file(folder.file(name)).unwrap();
        };
        in_the_way(LAST_CHECKPOINT, "");
        in_the_way(SUMMARY_FILE, "{}");
        in_the_way(METRICS_FILE, "{");
        in_the_way("notes.txt", "");
        assert!(RunFolder::is_free(&path));
        // Without our checksum it may be anybody's.
        fs::write(folder.file(INFO_FILE), "{}").unwrap();
        assert!(!RunFolder::is_free(&path));
    }

    /// What a killed process leaves: the folder it just made, and temporary files that nobody holds.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_run_that_starts_again_removes_what_was_left() {
        let home = tempfile::tempdir().unwrap();
        let left = |name: &str| {
            // The name as it is while the file is written; a copy of it is held by nobody.
            let target = home.path().join(name);
            let aside = bitspike_files::Aside::new(&target).unwrap();
            let path = fs::read_dir(target.parent().unwrap()).unwrap().map(|e| e.unwrap().path());
            let path = path.filter(|p| p.extension().is_some_and(|e| e == "tmp")).max().unwrap();
            drop(aside);
            fs::write(&path, "half").unwrap();
            path
        };
        RunFolder::create(home.path()).unwrap();
        let first = left(INFO_FILE);
        let folder = RunFolder::create(home.path()).unwrap();
        assert!(!first.exists());
        folder.write_info(&RunInfo::default()).unwrap();
        let both = [left(SUMMARY_FILE), left(LAST_CHECKPOINT)];
        let alive = bitspike_files::Aside::new(&folder.checkpoint(Checkpoint::Best)).unwrap();
        // A look at the run changes nothing.
        let folder = RunFolder::open(home.path()).unwrap();
        assert!(both.iter().all(|p| p.exists()));
        drop(folder.append_metrics().unwrap());
        assert!(both.iter().all(|p| !p.exists()));
        alive.replace().unwrap();
        assert!(folder.checkpoint(Checkpoint::Best).exists());
    }

    #[test]
    fn creating_never_touches_what_is_there() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("b"), "").unwrap();
        fs::write(home.path().join("a"), "").unwrap();
        let error = RunFolder::create(home.path()).unwrap_err();
        assert!(matches!(&error, RunError::NotEmpty { entries: 2, first, .. } if first == "a"), "{error}");
        assert!(error.hint().unwrap().contains("resume"));
        assert!(!home.path().join("checkpoints").exists());
        assert!(matches!(RunFolder::create(home.path().join("a")), Err(RunError::NotAFolder { .. })));
    }

    #[test]
    fn opening_says_what_is_wrong() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(at("file"), "").unwrap();
        for (name, content) in [
            ("empty", None),
            ("garbage", Some("not json")),
            ("other", Some(r#"{"name":"x"}"#)),
            ("newer", Some(r#"{"schema":3}"#)),
            ("broken", Some(r#"{"schema":1}"#)),
        ] {
            fs::create_dir(at(name)).unwrap();
            if let Some(content) = content {
                fs::write(at(name).join(INFO_FILE), content).unwrap();
            }
        }
        assert!(matches!(RunFolder::open(at("nowhere")), Err(RunError::Missing { .. })));
        assert!(matches!(RunFolder::open(at("file")), Err(RunError::NotAFolder { .. })));
        for name in ["empty", "garbage", "other"] {
            let error = RunFolder::open(at(name)).unwrap_err();
            assert!(matches!(error, RunError::Foreign { .. }), "{name}: {error}");
            assert!(error.to_string().contains(INFO_FILE), "{error}");
        }
        let newer = RunFolder::open(at("newer")).unwrap_err();
        assert!(matches!(newer, RunError::NewerSchema { found: 3, supported: 2, .. }), "{newer}");
        let broken = RunFolder::open(at("broken")).unwrap().read_info().unwrap_err();
        assert!(matches!(broken, RunError::Json { .. }), "{broken}");
        assert!(std::error::Error::source(&broken).unwrap().to_string().contains("name"));
    }
}
