//! The one error type of the crate: facts in the variants, what to do in [`EventError::hint`].

use std::path::PathBuf;

/// What kind of trouble an [`EventError`] is; decides what a program should tell its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, or an event to be written, is wrong.
    Invalid,
    /// Files are not where they were looked for.
    Missing,
    /// The bytes of a file contradict their format.
    Corrupt,
    /// A valid thing that this crate does not do.
    Unsupported,
    /// The operating system refused.
    Io,
}

/// Everything that can go wrong between a file and events.
///
/// Offsets count bytes of the file from its start; inside compressed parts they are those of the part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The operating system reported an error.
    #[error("{}: byte {offset}: {source}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Bytes read or written so far.
        offset: u64,
        /// Cause.
        source: std::io::Error,
    },
    // This case and the next read as in `bitspike_data::DataError`: each crate's error names its own cases, and says of which bytes.
    /// A file asks for more than it may.
    #[error("{}: byte {offset}: {source}", path.display())]
    Beyond {
        /// File.
        path: PathBuf,
        /// Where it was seen.
        offset: u64,
        /// The bound.
        source: Box<bitspike_files::Beyond>,
    },
    /// A file ends too early.
    #[error("{}: {what} starts at byte {offset} and needs {expected} bytes, found {found}", path.display())]
    Truncated {
        /// File.
        path: PathBuf,
        /// Part of the file that is incomplete.
        what: &'static str,
        /// Offset of that part.
        offset: u64,
        /// Bytes needed from `offset`.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// A field has a value that cannot be.
    #[error("{}: byte {offset}: {what}: expected {expected}, found {found}", path.display())]
    Value {
        /// File.
        path: PathBuf,
        /// Offset of the field.
        offset: u64,
        /// Name of the field.
        what: &'static str,
        /// What would be accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A row of a table has a value that cannot be, or cannot be decoded.
    #[error("{}: row group {group}, row {row}: {what}: expected {expected}, found {found}", path.display())]
    Row {
        /// File.
        path: PathBuf,
        /// Row group, from 0.
        group: usize,
        /// Row within the group, from 0.
        row: u64,
        /// Name of the column.
        what: String,
        /// What would be accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A compressed part cannot be unpacked.
    #[error("{}: byte {offset}: damaged {codec} data: {reason}", path.display())]
    Compressed {
        /// File.
        path: PathBuf,
        /// Offset of the compressed part.
        offset: u64,
        /// Kind of compression.
        codec: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A valid file, or part of one, that is not read.
    #[error("{}: byte {offset}: {what}", path.display())]
    Unsupported {
        /// File.
        path: PathBuf,
        /// Where it was seen.
        offset: u64,
        /// What is not read.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// The content is of no known format.
    #[error("{}: byte 0: no known event format, found {found}", path.display())]
    Unrecognised {
        /// File.
        path: PathBuf,
        /// The first bytes.
        found: String,
    },
    /// A format that is read by jumping around was given as a stream.
    #[error("{}: byte 0: {format} cannot be read from a stream", path.display())]
    NeedsFile {
        /// Name of the stream.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
    },
    /// An option is missing or has a value that cannot be used.
    #[error("{key}: expected {expected}, found {found}")]
    Option {
        /// Name of the option.
        key: &'static str,
        /// What would be accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The files of a data set are not there.
    #[error("{set}: not found: {}; looked into {}", missing.join(", "), root.display())]
    Missing {
        /// Name of the data set.
        set: &'static str,
        /// Folder that was looked into.
        root: PathBuf,
        /// What is not there, relative to the folder.
        missing: Vec<String>,
        /// Where the files come from and where they belong.
        fetch: String,
    },
    /// A file where a cache belongs is not a cache.
    #[error("{}: byte 0: cache of events: expected the mark {expected:?}, found {found:?}", path.display())]
    Foreign {
        /// File.
        path: PathBuf,
        /// Mark of a cache.
        expected: String,
        /// The first bytes.
        found: String,
    },
    /// Events of a file lie beyond the sensor.
    #[error("{}: {source}", path.display())]
    InFile {
        /// File.
        path: PathBuf,
        /// What is wrong.
        source: Box<EventError>,
    },
    /// An event lies beyond the sensor.
    #[error("event {index}: place: expected below {size:?}, found {place:?}")]
    Outside {
        /// Number of the event, from 0.
        index: usize,
        /// Column and row.
        place: (u16, u16),
        /// Width and height.
        size: (u16, u16),
    },
    /// An event cannot be expressed in the format being written.
    #[error("{}: event {index}: {what}: expected {expected}, found {found}", path.display())]
    Unwritable {
        /// File being written.
        path: PathBuf,
        /// Number of the event, from 0.
        index: u64,
        /// Name of the value.
        what: &'static str,
        /// What the format can hold.
        expected: String,
        /// The value.
        found: String,
    },
}

impl EventError {
    /// The kind of trouble.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Option { .. } | Self::Unwritable { .. } | Self::Outside { .. } => ErrorKind::Invalid,
            Self::Io { .. } => ErrorKind::Io,
            Self::Missing { .. } => ErrorKind::Missing,
            Self::Foreign { .. } => ErrorKind::Invalid,
            Self::InFile { source, .. } => source.kind(),
            Self::Unsupported { .. } | Self::Unrecognised { .. } | Self::NeedsFile { .. } | Self::Beyond { .. } => {
                ErrorKind::Unsupported
            }
            Self::Truncated { .. } | Self::Value { .. } | Self::Row { .. } | Self::Compressed { .. } => {
                ErrorKind::Corrupt
            }
        }
    }

    /// An error of the system at a file, or the bound behind it.
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        match bitspike_files::Beyond::of(&source) {
            Some(beyond) => Self::Beyond { path: path.into(), offset: 0, source: Box::new(beyond.clone()) },
            None => Self::Io { path: path.into(), offset: 0, source },
        }
    }

    /// What to do about it, one sentence, for a `hint:` line.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { .. } => "check that the path exists, may be used, and that the disk is not full".into(),
            Self::Truncated { .. } => {
                "the file is incomplete: copy it again; events before this offset have been delivered".into()
            }
            Self::Value { .. } | Self::Row { .. } | Self::Compressed { .. } => {
                "the file is damaged, or of another format: copy it again, or name the format".into()
            }
            Self::Unsupported { instead, .. } => (*instead).into(),
            Self::Beyond { source, .. } => source.remedy.into(),
            Self::Unrecognised { .. } => {
                "known: AEDAT 2.0, 3.1 and 4, EVT2, EVT2.1, EVT3, DAT, 40-bit .bin, Event Stream, HDF5, Parquet, npz, npy, CSV; \
                 a file without a header needs its format named"
                    .into()
            }
            Self::NeedsFile { .. } => "save the stream to a file and open that".into(),
            Self::Option { key, .. } => format!("set `{key}`"),
            Self::Missing { fetch, .. } => fetch.clone(),
            Self::Foreign { .. } => "nothing was overwritten: move the file away, or name another folder".into(),
            Self::InFile { source, .. } => source.hint(),
            Self::Outside { .. } => "give the size of the sensor, or crop the events to it first".into(),
            Self::Unwritable { .. } => "crop, sort or shift the events first, or choose another format".into(),
        }
    }

    /// The byte offset, where the error has one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Io { offset, .. }
            | Self::Truncated { offset, .. }
            | Self::Value { offset, .. }
            | Self::Compressed { offset, .. }
            | Self::Beyond { offset, .. }
            | Self::Unsupported { offset, .. } => Some(*offset),
            Self::Unrecognised { .. } | Self::NeedsFile { .. } => Some(0),
            Self::InFile { source, .. } => source.offset(),
            Self::Foreign { .. } => Some(0),
            Self::Option { .. }
            | Self::Row { .. }
            | Self::Unwritable { .. }
            | Self::Outside { .. }
            | Self::Missing { .. } => None,
        }
    }
}

/// Refuses an option.
pub(crate) fn option<T>(key: &'static str, expected: impl Into<String>, found: impl ToString) -> Result<T, EventError> {
    Err(EventError::Option { key, expected: expected.into(), found: found.to_string() })
}
