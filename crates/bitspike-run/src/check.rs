//! Looks through a whole run folder and says of every file whether it is what was written.

use std::{fs, io, path::Path};

use crate::{
    INFO_FILE, METRICS_FILE, RECIPE_FILE, RunError, RunFolder, SUMMARY_FILE, Status,
    folder::EVENTS,
    masked::masked_crc32c,
    seal::{Form, Seal},
};

/// What a look at a file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is what was written.
    Whole,
    /// It can be read and has no checksum: an older version wrote it.
    NoChecksum,
    /// It is not what was written, or should be there and is not; with the reason.
    Wrong(String),
}

/// A file of a run folder and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCheck {
    /// Path below the run folder.
    pub file: String,
    /// What was found.
    pub state: FileState,
}

/// Checks every file of a run folder but the checkpoints, whose format this crate does not know.
///
/// # Errors
/// [`RunError::Missing`], [`RunError::NotAFolder`], and [`RunError::Io`] if the folder itself cannot be listed. What is
/// wrong with a file is in the result.
pub fn check_folder(path: &Path) -> Result<Vec<FileCheck>, RunError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(RunError::NotAFolder { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RunError::Missing { path: path.into() }),
        Err(error) => return Err(RunError::io("read", path)(error)),
    }
    let mut found = Vec::new();
    let mut add = |file: &str, state| found.push(FileCheck { file: file.to_owned(), state });
    let folder = RunFolder::open(path);
    let info = folder.as_ref().map_err(describe).and_then(|f| f.read_info().map_err(|e| describe(&e)));
    let finished = info.as_ref().is_ok_and(|info| info.status == Status::Finished);
    add(INFO_FILE, state(&path.join(INFO_FILE), Form::Json, info.map(|_| true)));
    // The other files are looked at even where run.json is broken.
    let folder = RunFolder::at(path);
    add(
        RECIPE_FILE,
        state(&path.join(RECIPE_FILE), Form::Toml, folder.read_recipe().map(|_| true).map_err(|e| describe(&e))),
    );
    let summary = match folder.read_summary() {
        Ok(None) if finished => Err("missing, and run.json says that the run has finished".to_owned()),
        Ok(summary) => Ok(summary.is_some()),
        Err(error) => Err(describe(&error)),
    };
    if summary != Ok(false) {
        add(SUMMARY_FILE, state(&path.join(SUMMARY_FILE), Form::Json, summary));
    }
    add(METRICS_FILE, metrics(&folder));
    for name in events(path)? {
        let file = path.join(&name);
        let state = match fs::read(&file) {
            Ok(bytes) => records(&bytes).map_or_else(FileState::Wrong, |()| FileState::Whole),
            Err(error) => FileState::Wrong(error.to_string()),
        };
        add(&name, state);
    }
    Ok(found)
}

/// An error with its cause, without the hint.
fn describe(error: &RunError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn state(path: &Path, form: Form, read: Result<bool, String>) -> FileState {
    match read {
        Err(reason) => FileState::Wrong(reason),
        Ok(_) => match fs::read(path) {
            Ok(bytes) if form.check(&bytes).0 == Seal::None => FileState::NoChecksum,
            Ok(_) => FileState::Whole,
            Err(error) => FileState::Wrong(error.to_string()),
        },
    }
}

fn metrics(folder: &RunFolder) -> FileState {
    let log = match folder.read_metrics() {
        Ok(log) => log,
        Err(error) => return FileState::Wrong(describe(&error)),
    };
    if let Some(torn) = log.torn {
        return FileState::Wrong(format!(
            "its last line (byte {}) was cut short by a crash; resuming drops it",
            torn.offset
        ));
    }
    let bytes = fs::read(folder.file(METRICS_FILE)).unwrap_or_default();
    let unsealed = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let unsealed = unsealed.filter(|line| Form::Line.check(line).0 == Seal::None).count();
    if unsealed == 0 { FileState::Whole } else { FileState::NoChecksum }
}

fn events(path: &Path) -> Result<Vec<String>, RunError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(RunError::io("read", path))? {
        let name = entry.map_err(RunError::io("read", path))?.file_name().to_string_lossy().into_owned();
        if name.starts_with(EVENTS) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Checks the frames of a TFRecord file; see [`crate::tensorboard`].
fn records(mut bytes: &[u8]) -> Result<(), String> {
    let all = bytes.len();
    while !bytes.is_empty() {
        let at = all - bytes.len();
        let cut = || format!("the record at byte {at} is cut short");
        let (head, rest) = bytes.split_at_checked(12).ok_or_else(cut)?;
        let word = |b: &[u8]| u32::from_le_bytes(b.try_into().expect("four bytes"));
        if masked_crc32c(&head[..8]) != word(&head[8..]) {
            return Err(format!("the record at byte {at} is damaged: wrong checksum of its length"));
        }
        let length = u64::from_le_bytes(head[..8].try_into().expect("eight bytes"));
        let length = usize::try_from(length).map_err(|_| cut())?;
        let (data, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let (sum, rest) = rest.split_at_checked(4).ok_or_else(cut)?;
        if masked_crc32c(data) != word(sum) {
            return Err(format!("the record at byte {at} is damaged: wrong checksum"));
        }
        bytes = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Record, RunInfo, StepRecord, Summary};
    use std::path::PathBuf;

    fn run(home: &Path) -> PathBuf {
        let folder = RunFolder::create(home.join("run")).unwrap();
        folder.write_info(&RunInfo { name: "run".into(), status: Status::Finished, ..RunInfo::default() }).unwrap();
        folder.write_recipe("seed = 1\n").unwrap();
        folder.write_summary(&Summary::default()).unwrap();
        let mut log = folder.append_metrics().unwrap();
        let record = StepRecord { step: 1, epoch: 1, loss: 0.5, ..Default::default() };
        log.append(&Record::Step(record.clone())).unwrap();
        log.append(&Record::Step(StepRecord { step: 2, ..record.clone() })).unwrap();
        folder.create_events().unwrap().step(&record).unwrap();
        folder.path().to_owned()
    }

    #[test]
    fn flipped_bits_of_every_file_are_found_and_named() {
        let home = tempfile::tempdir().unwrap();
        let path = run(home.path());
        let whole = check_folder(&path).unwrap();
        assert_eq!(whole.len(), 5);
        assert!(whole.iter().all(|c| c.state == FileState::Whole), "{whole:?}");
        for FileCheck { file, .. } in &whole {
            let bytes = fs::read(path.join(file)).unwrap();
            // Every bit of the seals is flipped in `seal.rs`; here a spread over each whole file.
            for bit in (0..8 * bytes.len()).step_by(23) {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                fs::write(path.join(file), &damaged).unwrap();
                let now = check_folder(&path).unwrap();
                let at = now.iter().find(|c| c.file == *file).unwrap();
                assert!(matches!(at.state, FileState::Wrong(_)), "{file}, bit {bit}: {:?}", at.state);
            }
            fs::write(path.join(file), &bytes).unwrap();
        }
    }

    #[test]
    fn files_of_older_versions_are_read_and_named() {
        let home = tempfile::tempdir().unwrap();
        let path = run(home.path());
        for (name, form) in [(INFO_FILE, Form::Json), (RECIPE_FILE, Form::Toml), (SUMMARY_FILE, Form::Json)] {
            let bytes = fs::read(path.join(name)).unwrap();
            let mut old = form.check(&bytes).1.to_vec();
            if form == Form::Json {
                old.extend_from_slice(b"\n}\n");
            }
            fs::write(path.join(name), old).unwrap();
        }
        let folder = RunFolder::open(&path).unwrap();
        assert_eq!(folder.read_recipe().unwrap(), "seed = 1\n");
        assert_eq!(folder.read_info().unwrap().name, "run");
        assert!(folder.read_summary().unwrap().is_some());
        assert_eq!(folder.without_checksum().unwrap(), [INFO_FILE, RECIPE_FILE, SUMMARY_FILE]);
        let states = check_folder(&path).unwrap();
        assert_eq!(states.iter().filter(|c| c.state == FileState::NoChecksum).count(), 3, "{states:?}");
    }

    #[test]
    fn what_should_be_there_and_is_not_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = run(home.path());
        for name in [SUMMARY_FILE, RECIPE_FILE, INFO_FILE] {
            fs::rename(path.join(name), home.path().join("aside")).unwrap();
            let found = check_folder(&path).unwrap();
            let at = found.iter().find(|c| c.file == name).unwrap();
            assert!(matches!(at.state, FileState::Wrong(_)), "{name}: {:?}", at.state);
            fs::rename(home.path().join("aside"), path.join(name)).unwrap();
        }
    }
}
