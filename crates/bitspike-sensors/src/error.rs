//! The one error type of the crate: facts in the variants, what to do in [`SensorError::hint`].

use std::path::{Path, PathBuf};

/// What kind of trouble a [`SensorError`] is; decides what a program should tell its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A key of the configuration, or an argument, is wrong.
    Invalid,
    /// The content of a file contradicts its format, or recordings contradict each other.
    Corrupt,
    /// A valid thing that this crate does not do.
    Unsupported,
    /// The operating system refused.
    Io,
}

/// Everything that can go wrong between files and arrays.
///
/// Lines count from 1 and include skipped ones. Fields count from 1 within a line; 0 stands for the line as a whole.
/// Offsets count bytes from the start of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SensorError {
    /// The operating system reported an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A file asks for more than it may.
    #[error("{}: {place}: {source}", path.display())]
    Beyond {
        /// File.
        path: PathBuf,
        /// Line or byte offset.
        place: String,
        /// The bound.
        source: Box<bitspike_files::Beyond>,
    },
    /// A key of the configuration has a value that cannot be used.
    #[error("{key}: expected {expected}, found {found}")]
    Config {
        /// Key, as `window.length`.
        key: String,
        /// What would be accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A place in a text file has a value that cannot be.
    #[error("{}: line {line}, field {field}: {what}: expected {expected}, found {found}", path.display())]
    Text {
        /// File.
        path: PathBuf,
        /// Line.
        line: u64,
        /// Field in the line.
        field: u64,
        /// What stands there.
        what: &'static str,
        /// What would be accepted.
        expected: String,
        /// What is there.
        found: String,
        /// What to do in this case; empty for what helps with most.
        remedy: Box<str>,
    },
    /// A value is missing, and `missing = "error"`.
    #[error("{}: line {line}, field {field}: no value for channel {channel}", path.display())]
    MissingText {
        /// File.
        path: PathBuf,
        /// Line, or row of a Parquet file.
        line: u64,
        /// Field in the line.
        field: u64,
        /// Name of the channel.
        channel: String,
    },
    /// A number in a binary file is not a number, and `missing = "error"`.
    #[error("{}: byte {offset}: no value for channel {channel}", path.display())]
    MissingBinary {
        /// File.
        path: PathBuf,
        /// Offset of the value.
        offset: u64,
        /// Name of the channel.
        channel: String,
    },
    /// A channel has no value at all, so that nothing can be filled in.
    #[error("{}: channel {channel} has no value at all in recording {recording:?}", path.display())]
    NothingToFill {
        /// File.
        path: PathBuf,
        /// Recording in the file.
        recording: String,
        /// Name of the channel.
        channel: String,
    },
    /// A place in a binary file has a value that cannot be.
    #[error("{}: byte {offset}: {what}: expected {expected}, found {found}", path.display())]
    Binary {
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
    /// A binary file ends too early.
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
    /// Compressed audio that cannot be decoded.
    #[error("{}: after sample {sample}: audio: expected a whole FLAC, Ogg Vorbis or MP3 file, found {found}", path.display())]
    Audio {
        /// File.
        path: PathBuf,
        /// Samples of each channel before it.
        sample: u64,
        /// What the decoder says.
        found: String,
    },
    /// A valid file, or part of one, that is not read.
    #[error("{}: {place}: {what}", path.display())]
    Unsupported {
        /// File.
        path: PathBuf,
        /// Line or byte offset.
        place: String,
        /// What is not read.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// A file name does not give a label or group.
    #[error("{name}: file name: expected {expected}, found {found}")]
    Name {
        /// Path of the file below the folder.
        name: String,
        /// What would be accepted.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A recording does not fit to the configuration or to the other recordings.
    #[error("recording {recording:?}: {what}: expected {expected}, found {found}")]
    Recording {
        /// Name of the recording.
        recording: String,
        /// Property that does not fit.
        what: &'static str,
        /// What would fit.
        expected: String,
        /// What it has.
        found: String,
    },
    /// A folder or part has nothing in it.
    #[error("{place}: {what}")]
    Empty {
        /// Folder, file or part.
        place: String,
        /// What is not there.
        what: String,
    },
    /// A window of the training part overlaps one of the test part.
    #[error(
        "recording {recording:?}: samples {train:?} are in the training part and samples {test:?} in the test part"
    )]
    Overlap {
        /// Name of the recording.
        recording: String,
        /// First and last sample, exclusive, of the training window.
        train: (usize, usize),
        /// The same of the test window.
        test: (usize, usize),
    },
    /// A group is in both parts.
    #[error("group {group:?}: recording {train:?} is in the training part and {test:?} in the test part")]
    GroupOnBothSides {
        /// Name of the group.
        group: String,
        /// A recording of the training part.
        train: String,
        /// A recording of the test part.
        test: String,
    },
    /// More than can be held in memory.
    #[error("{samples} samples of {steps} steps and shape {shape:?} do not fit into memory")]
    TooLarge {
        /// Samples of a part.
        samples: usize,
        /// Steps that are stored.
        steps: usize,
        /// Shape `[C, H, W]` of a step.
        shape: [usize; 3],
    },
}

impl SensorError {
    /// Text that is not what it should be, at a line and a field of it (0: the whole line).
    pub(crate) fn text(
        path: &Path,
        line: u64,
        field: u64,
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (path, remedy) = (path.into(), Box::default());
        Self::Text { path, line, field, what, expected: short(expected.into()), found: short(found.into()), remedy }
    }

    /// An error of the system at a file, or the bound behind it.
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        match bitspike_files::Beyond::of(&source) {
            Some(beyond) => Self::beyond(path, "the file", beyond.clone()),
            None => Self::Io { path: path.into(), source },
        }
    }

    /// More than a file may ask for.
    pub(crate) fn beyond(path: &Path, place: impl Into<String>, source: bitspike_files::Beyond) -> Self {
        Self::Beyond { path: path.into(), place: place.into(), source: Box::new(source) }
    }

    /// The same error with what to do about it.
    pub(crate) fn with_remedy(mut self, text: impl Into<String>) -> Self {
        if let Self::Text { remedy, .. } = &mut self {
            *remedy = text.into().into_boxed_str();
        }
        self
    }

    /// The kind of trouble.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Io,
            Self::Config { .. } | Self::Overlap { .. } | Self::GroupOnBothSides { .. } | Self::Empty { .. } => {
                ErrorKind::Invalid
            }
            Self::Unsupported { .. } | Self::TooLarge { .. } | Self::Beyond { .. } => ErrorKind::Unsupported,
            Self::Text { .. }
            | Self::MissingText { .. }
            | Self::MissingBinary { .. }
            | Self::NothingToFill { .. }
            | Self::Binary { .. }
            | Self::Audio { .. }
            | Self::Truncated { .. }
            | Self::Name { .. }
            | Self::Recording { .. } => ErrorKind::Corrupt,
        }
    }

    /// What to do about it, one sentence, for a `hint:` line.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::OutOfMemory => {
                "use a machine with more memory, or cut the file into parts".into()
            }
            Self::Io { .. } => "check that the path exists and may be read".into(),
            Self::Beyond { source, .. } => source.remedy.into(),
            Self::Config { key, .. } => format!("change `{key}`"),
            Self::Text { remedy, .. } if !remedy.is_empty() => remedy.to_string(),
            Self::Text { .. } => {
                "correct the line, or check separator, decimal sign, header and columns in [format]".into()
            }
            Self::MissingText { .. } | Self::MissingBinary { .. } => {
                "set data.sensors.missing = \"hold\", \"linear\" or { value = 0.0 } if gaps may be filled, else repair the file"
                    .into()
            }
            Self::NothingToFill { .. } => "leave the file out with `exclude`, or the channel with `channels`".into(),
            Self::Binary { .. } => "the file is damaged, or [format] names another format than it has".into(),
            Self::Audio { .. } => {
                "the file is damaged, or of another coding (as Opus in Ogg): convert it to WAV, as with: ffmpeg -i FILE NEW.wav".into()
            }
            Self::Truncated { .. } => "the file is incomplete: copy it again".into(),
            Self::Unsupported { instead, .. } => (*instead).into(),
            Self::Name { .. } => {
                "change the pattern in [labels], rename the file, or leave it out with `exclude`".into()
            }
            Self::Recording { .. } => "correct the recording, or leave it out with `exclude`".into(),
            Self::Empty { .. } => "check `path`, `files`, `exclude`, [window] and [split]".into(),
            Self::Overlap { .. } => "split by recording, group or time".into(),
            Self::GroupOnBothSides { .. } => "name all recordings of the group on one side".into(),
            Self::TooLarge { .. } => "use a larger hop, a shorter window, fewer steps or fewer files".into(),
        }
    }

    pub(crate) fn config(key: &str, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Config { key: key.into(), expected: expected.into(), found: found.to_string() }
    }
}

/// A text that comes from a file, without what lies beyond a few lines of a screen.
fn short(mut text: String) -> String {
    const MOST: usize = 300;
    if let Some((at, _)) = text.char_indices().nth(MOST) {
        let left = text[at..].chars().count();
        text.truncate(at);
        text += &format!("... and {left} more characters");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_place_and_facts() {
        let e = SensorError::Text {
            path: "a.csv".into(),
            line: 3,
            field: 2,
            what: "value",
            expected: "a number".into(),
            found: "\"x\"".into(),
            remedy: Box::default(),
        };
        assert_eq!(e.to_string(), "a.csv: line 3, field 2: value: expected a number, found \"x\"");
        assert_eq!(e.kind(), ErrorKind::Corrupt);
        let long = SensorError::text("a".as_ref(), 1, 1, "value", "a number", "µ".repeat(1000));
        assert!(long.to_string().ends_with("µ... and 700 more characters"), "{long}");
        let e = SensorError::config("window.hop", "at least 1", 0);
        assert_eq!(
            (e.to_string().as_str(), e.hint().as_str()),
            ("window.hop: expected at least 1, found 0", "change `window.hop`")
        );
    }
}
