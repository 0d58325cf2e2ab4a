//! What can go wrong with a run folder, and what to do about it.

use std::{io, path::PathBuf};

use thiserror::Error;

/// A run folder could not be created, opened, read or written.
///
/// The message states the facts; [`RunError::hint`] says what to do, for callers that print it on a line of its own.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: "read", "write", "rename".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        source: io::Error,
    },
    /// A new run was to be placed where something already is.
    #[error("{} is not empty: it holds {entries} entries, among them {first:?}", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// How many entries it holds.
        entries: usize,
        /// The name that sorts first.
        first: String,
    },
    /// A folder was expected and a file found.
    #[error("{} is a file, expected a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Nothing is there.
    #[error("no run folder at {}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A folder is there, but no run made it.
    #[error("{} is not a run folder: {reason}", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is missing or unexpected.
        reason: String,
    },
    /// The run was written by a later version.
    #[error("{} has schema {found}, this version reads up to {supported}", path.display())]
    NewerSchema {
        /// The file with the number.
        path: PathBuf,
        /// The number in the file.
        found: u64,
        /// The newest number this version understands.
        supported: u32,
    },
    /// A JSON file does not hold what its schema says.
    #[error("{} does not follow its schema (line {}, column {})", path.display(), source.line(), source.column())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// A complete line of `metrics.jsonl` is not a record. (A torn *last* line is no error.)
    #[error("{}: line {line} (byte {offset}) is not a metrics record", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Byte offset of the line's start.
        offset: u64,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// The content is not what was written.
    #[error("{} is damaged: its checksum is not that of its content", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The same, of a line of `metrics.jsonl`.
    #[error("{}: line {line} (byte {offset}) is damaged: its checksum is not that of its content", path.display())]
    DamagedLine {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Byte offset of the line's start.
        offset: u64,
    },
    /// Another process is appending to this run.
    #[error("{} is being written by another process", path.display())]
    InUse {
        /// The locked file.
        path: PathBuf,
    },
}

impl RunError {
    /// What the user can do about it, as one sentence without a full stop.
    ///
    /// ```
    /// use bitspike_run::RunFolder;
    /// let error = RunFolder::open("/no/such/run").unwrap_err();
    /// assert_eq!(error.to_string(), "no run folder at /no/such/run");
    /// assert!(error.hint().unwrap().contains("run.json"));
    /// ```
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { action, source, .. } => match source.kind() {
                io::ErrorKind::StorageFull => {
                    Some("free space on the disk; the previous version of the file is intact")
                }
                io::ErrorKind::PermissionDenied if *action == "read" => {
                    Some("check who owns the file and whether it may be read")
                }
                io::ErrorKind::PermissionDenied => Some("check who owns the folder and whether it may be written"),
                io::ErrorKind::IsADirectory if *action == "replace" => {
                    Some("a folder has that name: name a file, such as one in that folder")
                }
                io::ErrorKind::IsADirectory => Some("a folder stands where a file belongs: move it away"),
                io::ErrorKind::NotFound if *action == "create a file beside" => {
                    Some("make that folder first, or check the path")
                }
                io::ErrorKind::NotADirectory => Some("part of the path is a file, not a folder: check the path"),
                _ => None,
            },
            Self::NotEmpty { .. } => {
                Some("choose another folder name, resume the run that is there, or move the folder away")
            }
            Self::NotAFolder { .. } => Some("name the run's folder, not a file in it"),
            Self::Missing { .. } => Some("check the path; a run folder is the one that holds run.json"),
            Self::Foreign { .. } => Some("name the folder that holds run.json, not the one above or below it"),
            Self::NewerSchema { .. } => Some("use the bitspike version that wrote the run, or a newer one"),
            Self::Json { .. } => Some("the file was edited or damaged; restore it, or train the run again"),
            Self::Damaged { .. } => Some(
                "restore the file from a copy or train the run again; if you edited it on purpose, remove its crc32c entry",
            ),
            Self::BadLine { .. } | Self::DamagedLine { .. } => {
                Some("the file was edited or damaged; remove that line to read the rest, or train the run again")
            }
            Self::InUse { .. } => Some("wait until the other process has ended, or stop it, and try again"),
        }
    }

    /// Makes the closure that adds action and path to a system error.
    pub(crate) fn io<'a>(action: &'static str, path: &'a std::path::Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}
