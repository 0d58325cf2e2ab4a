//! The one error type of the crate: facts in the variants, what to do in [`DataError::hint`].

use std::path::PathBuf;

/// What kind of trouble a [`DataError`] is; decides what a program should tell its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or an argument is wrong.
    Invalid,
    /// Files are not where they were looked for.
    Missing,
    /// The bytes of a file contradict themselves or each other.
    Corrupt,
    /// A valid thing that this crate does not do.
    Unsupported,
    /// The operating system refused.
    Io,
}

/// Everything that can go wrong between a configuration and a batch.
///
/// The text of an error states facts (path, byte offset, expected, found); [`DataError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A key of `[data]`, `[augment]` or of the loader options has a value that cannot be used.
    #[error("{key}: expected {expected}, found {found}")]
    Config {
        /// The key as written in a recipe, for example `data.validation`.
        key: &'static str,
        /// What would be accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The files of a data set were not found.
    #[error("{set}: files not found: {}; searched: {}", missing.join(", "), paths(searched))]
    Missing {
        /// Name of the data set.
        set: &'static str,
        /// Folders looked into, in order.
        searched: Vec<PathBuf>,
        /// Exact names expected, with sizes where they are known.
        missing: Vec<String>,
        /// Where the files come from.
        source_hint: String,
    },
    /// The operating system reported an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder that was being read.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A file asks for more than it may.
    #[error("{}: byte {offset}: {source}", path.display())]
    Beyond {
        /// File.
        path: PathBuf,
        /// Offset in the (uncompressed) content.
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
        /// Offset of that part in the (uncompressed) content.
        offset: u64,
        /// Bytes needed from `offset`.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// A file goes on after its declared end.
    #[error("{}: the content declared by the header ends at byte {offset}, but more bytes follow", path.display())]
    Trailing {
        /// File.
        path: PathBuf,
        /// First byte, in the (uncompressed) content, that should not exist.
        offset: u64,
    },
    /// The first four bytes are not those of the expected format.
    #[error("{}: byte 0: expected magic 0x{expected:08x} ({what}), found 0x{found:08x}", path.display())]
    Magic {
        /// File.
        path: PathBuf,
        /// Name of the expected format.
        what: &'static str,
        /// Expected magic number, big-endian.
        expected: u32,
        /// Magic number found.
        found: u32,
    },
    /// A header declares a size that cannot be.
    #[error("{}: byte {offset}: {what} is {found}, expected {expected}", path.display())]
    Dimension {
        /// File.
        path: PathBuf,
        /// Offset of the field.
        offset: u64,
        /// Name of the field.
        what: &'static str,
        /// Value found.
        found: u64,
        /// What would be accepted.
        expected: String,
    },
    /// A label lies outside the classes.
    #[error("{}: byte {offset}: label of sample {index} is {found}, expected 0 to {}", path.display(), classes - 1)]
    Label {
        /// File.
        path: PathBuf,
        /// Offset of the label in the (uncompressed) content.
        offset: u64,
        /// Sample number, from 0.
        index: usize,
        /// Label found.
        found: u32,
        /// Number of classes, at least 1.
        classes: usize,
    },
    /// A gzip stream is damaged or cut off.
    #[error("{}: damaged gzip stream after {decoded} decoded bytes: {reason}", path.display())]
    Gzip {
        /// File.
        path: PathBuf,
        /// Bytes decoded before the damage.
        decoded: u64,
        /// What the decoder said.
        reason: String,
    },
    /// Image file and label file disagree about the number of samples.
    #[error("{}: {images} images, but {}: {labels} labels", images_path.display(), labels_path.display())]
    CountMismatch {
        /// File with the images.
        images_path: PathBuf,
        /// Images in it.
        images: usize,
        /// File with the labels.
        labels_path: PathBuf,
        /// Labels in it.
        labels: usize,
    },
    /// An image file cannot be decoded.
    #[error("{}: image cannot be decoded: {reason}", path.display())]
    Decode {
        /// File.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// Images that must have one shape do not.
    #[error("{}: shape {found:?}, expected {expected:?} as in {}", path.display(), reference.display())]
    Shape {
        /// Offending file.
        path: PathBuf,
        /// Its shape `[C, H, W]`.
        found: [usize; 3],
        /// Expected shape `[C, H, W]`.
        expected: [usize; 3],
        /// File that set the expectation.
        reference: PathBuf,
    },
    /// A test or validation folder has a class that the training folder lacks.
    #[error("{}: class {class:?} does not occur in {}", path.display(), train.display())]
    UnknownClass {
        /// The class folder.
        path: PathBuf,
        /// Its name.
        class: String,
        /// The training folder.
        train: PathBuf,
    },
    /// A file with class names has the wrong number of them.
    #[error("{}: {found} class names, expected {expected}", path.display())]
    ClassNames {
        /// File.
        path: PathBuf,
        /// Names found.
        found: usize,
        /// Names expected.
        expected: usize,
    },
    /// Something that must hold samples holds none.
    #[error("{}: no {what}", path.display())]
    Empty {
        /// File or folder.
        path: PathBuf,
        /// What is absent.
        what: &'static str,
    },
    /// The data does not fit into memory, or its size is beyond what can be addressed.
    #[error("{}: {samples} samples of shape {shape:?} do not fit into memory", path.display())]
    TooLarge {
        /// File or folder.
        path: PathBuf,
        /// Number of samples.
        samples: u64,
        /// Shape `[C, H, W]` of one sample.
        shape: [u64; 3],
    },
    /// The content is of no known kind.
    #[error("{}: not a data set this program knows ({found})", path.display())]
    Unrecognised {
        /// File or folder.
        path: PathBuf,
        /// What was seen.
        found: String,
    },
    /// A data set of event recordings.
    #[error("data.events: {0}")]
    Events(#[from] bitspike_events::EventError),
    /// Recordings of sensors.
    #[error("data.sensors: {0}")]
    Sensors(#[from] bitspike_sensors::SensorError),
    /// The parts of an [`SampleSet`](crate::SampleSet) do not fit together.
    #[error("image set: {what}: expected {expected}, found {found}")]
    Set {
        /// Part that does not fit.
        what: &'static str,
        /// What would fit.
        expected: String,
        /// What was given.
        found: String,
    },
}

impl DataError {
    /// The kind of trouble.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } | Self::Set { .. } => ErrorKind::Invalid,
            Self::Missing { .. } => ErrorKind::Missing,
            Self::Io { .. } => ErrorKind::Io,
            Self::Unrecognised { .. } | Self::TooLarge { .. } | Self::Beyond { .. } => ErrorKind::Unsupported,
            Self::Events(e) => match e.kind() {
                bitspike_events::ErrorKind::Invalid => ErrorKind::Invalid,
                bitspike_events::ErrorKind::Missing => ErrorKind::Missing,
                bitspike_events::ErrorKind::Corrupt => ErrorKind::Corrupt,
                bitspike_events::ErrorKind::Io => ErrorKind::Io,
                _ => ErrorKind::Unsupported,
            },
            Self::Sensors(e) => match e.kind() {
                bitspike_sensors::ErrorKind::Invalid => ErrorKind::Invalid,
                bitspike_sensors::ErrorKind::Corrupt => ErrorKind::Corrupt,
                bitspike_sensors::ErrorKind::Io => ErrorKind::Io,
                _ => ErrorKind::Unsupported,
            },
            _ => ErrorKind::Corrupt,
        }
    }

    /// What to do about it, one sentence, for a `hint:` line.
    pub fn hint(&self) -> String {
        match self {
            Self::Config { key, .. } => format!("change `{key}`"),
            Self::Missing { source_hint, .. } => source_hint.clone(),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::OutOfMemory => {
                "use a machine with more memory, or a part of the set".into()
            }
            Self::Io { .. } => "check that the path exists and may be read".into(),
            Self::Beyond { source, .. } => source.remedy.into(),
            Self::Truncated { .. } | Self::Gzip { .. } => {
                "the file is incomplete or damaged: copy or fetch it again and compare its SHA-256".into()
            }
            Self::Trailing { .. } | Self::Dimension { .. } | Self::Label { .. } => {
                "the file is damaged or belongs to another data set: `data verify` shows which files differ".into()
            }
            Self::Magic { .. } => "check that image and label files are not swapped or renamed".into(),
            Self::CountMismatch { .. } => "use image and label files of the same part, train or test".into(),
            Self::Decode { .. } => "replace or remove this file; PNG and JPEG are read".into(),
            Self::Shape { .. } => "set data.size = [height, width] so that every image is resized".into(),
            Self::UnknownClass { .. } => "class folder names must be the same in every part".into(),
            Self::ClassNames { .. } => "one class name per line; remove the file to use the official names".into(),
            Self::Empty { .. } => "check the path, and that the copy was complete".into(),
            Self::TooLarge { .. } => "use data.train_limit, data.test_limit or a smaller data.size".into(),
            Self::Unrecognised { .. } => {
                "known: IDX files, CIFAR binary files, PNG or JPEG, and folders of these".into()
            }
            Self::Events(e) => e.hint(),
            Self::Sensors(e) => e.hint(),
            Self::Set { .. } => "pixels.len() = labels.len() * C * H * W, and labels below classes.len()".into(),
        }
    }

    /// An error of the system at a file, or the bound behind it.
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        match bitspike_files::Beyond::of(&source) {
            Some(beyond) => Self::Beyond { path: path.into(), offset: 0, source: Box::new(beyond.clone()) },
            None => Self::Io { path: path.into(), source },
        }
    }
}

fn paths(list: &[PathBuf]) -> String {
    let all: Vec<String> = list.iter().map(|p| p.display().to_string()).collect();
    all.join(", ")
}
