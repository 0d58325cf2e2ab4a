//! Writes a file so that a reader, or a crash, never sees half of it.
//!
//! The content goes to a temporary name in the same folder (see [`Aside`]), is flushed to the disk, and is renamed over the
//! target; a rename within one file system replaces the name in one step. If anything fails before the rename, the temporary
//! file is removed and the old content stays. What a killed process left is removed when the same file is written again, or
//! when the run is started again.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use bitspike_files::Aside;
use serde::Serialize;

use crate::{RunError, seal::Form};

/// Replaces `path` with what `write` produces, all or nothing.
///
/// The folder must exist. A symbolic link at `path` is replaced, not followed. The writer is buffered and flushed
/// here.
///
/// # Errors
/// [`RunError::Io`] with the path; an error returned by `write` becomes its source. The old file is then untouched
/// and no temporary file is left, also when `write` panics.
///
/// ```
/// # let home = tempfile::tempdir().unwrap();
/// # let path = home.path().join("weights.bin");
/// use std::io::Write;
/// bitspike_run::atomic_write(&path, |out| out.write_all(&[1, 2, 3]))?;
/// assert_eq!(std::fs::read(&path).unwrap(), [1, 2, 3]);
/// # Ok::<(), bitspike_run::RunError>(())
/// ```
pub fn atomic_write(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), RunError> {
    let path = path.as_ref();
    let aside = Aside::new(path).map_err(RunError::io("create a file beside", path))?;
    let mut out = BufWriter::new(aside.file());
    write(&mut out).and_then(|()| out.flush()).map_err(RunError::io("write", path))?;
    drop(out);
    aside.replace().map_err(RunError::io("replace", path))
}

/// Replaces `path` with `text`, all or nothing; see [`atomic_write`].
///
/// # Errors
/// As [`atomic_write`].
pub fn write_text_atomic(path: impl AsRef<Path>, text: &str) -> Result<(), RunError> {
    atomic_write(path, |out| out.write_all(text.as_bytes()))
}

/// Replaces `path` with `value` as indented JSON with a checksum as its last entry, all or nothing; see [`atomic_write`].
///
/// # Errors
/// [`RunError::Json`] if the value has no JSON form (a map whose keys are not strings), else as [`atomic_write`].
pub fn write_json_atomic<T: Serialize + ?Sized>(path: impl AsRef<Path>, value: &T) -> Result<(), RunError> {
    let path = path.as_ref();
    let mut text =
        serde_json::to_string_pretty(value).map_err(|source| RunError::Json { path: path.to_path_buf(), source })?;
    text.push('\n');
    let text = Form::Json.close(text.into_bytes());
    atomic_write(path, |out| out.write_all(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn new_content_replaces_old_and_nothing_else_is_left() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.txt");
        write_text_atomic(&path, "a long first version").unwrap();
        write_text_atomic(&path, "short").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
        assert_eq!(names(home.path()), ["a.txt"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_cleans_up() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.txt");
        write_text_atomic(&path, "old").unwrap();
        let error = atomic_write(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("a.txt"), "{error}");
        assert!(error.hint().unwrap().contains("space"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(home.path()), ["a.txt"]);
    }

    #[test]
    fn a_panic_in_the_writer_cleans_up() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.txt");
        let attempt = std::panic::catch_unwind(|| atomic_write(&path, |_| panic!("writer")));
        assert!(attempt.is_err());
        assert!(names(home.path()).is_empty());
    }

    #[test]
    fn impossible_targets_are_errors_with_the_path() {
        let home = tempfile::tempdir().unwrap();
        let missing = home.path().join("no/such/folder/a.txt");
        let error = write_text_atomic(&missing, "x").unwrap_err();
        assert!(error.to_string().contains("folder") && error.hint().unwrap().contains("make that folder"), "{error}");
        assert!(write_text_atomic("/", "x").is_err());
        // A folder in the place of the file: the rename fails, the folder stays, nothing else remains.
        let taken = home.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let error = write_text_atomic(&taken, "x").unwrap_err();
        // Windows calls it a missing permission.
        let words = if cfg!(windows) { "check who owns" } else { "name a file" };
        assert!(error.hint().unwrap().contains(words), "{error}");
        assert_eq!(names(home.path()), ["taken"]);
    }
}
