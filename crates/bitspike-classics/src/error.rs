//! What can be wrong with windows.

/// Windows that a classic cannot be trained on or asked about.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassicError {
    /// There is no window, no channel or no sample.
    #[error("{what}: none, at least 1 is needed")]
    Empty {
        /// `windows`, `channels`, `samples of a window` or `classes`.
        what: &'static str,
    },
    /// The values are not as many as the shape says.
    #[error("{found} values, expected {expected}: {windows} windows of {channels} channels and {length} samples")]
    Values {
        /// Values given.
        found: usize,
        /// Values that the shape needs.
        expected: usize,
        /// Windows, by the labels.
        windows: usize,
        /// Channels.
        channels: usize,
        /// Samples of a window.
        length: usize,
    },
    /// A label is no class.
    #[error("window {window}: label {label}, expected less than the {classes} classes")]
    Label {
        /// Number of the window, from 0.
        window: usize,
        /// Its label.
        label: u32,
        /// Classes there are.
        classes: usize,
    },
    /// A value is not a finite number.
    #[error("window {window}, channel {channel}, sample {sample}: {value}, expected a finite number")]
    NotFinite {
        /// Number of the window, from 0.
        window: usize,
        /// Channel, from 0.
        channel: usize,
        /// Sample, from 0.
        sample: usize,
        /// What is there.
        value: f32,
    },
    /// All training windows are of one class.
    #[error("all {windows} training windows are of class {class}, expected at least 2 classes")]
    OneClass {
        /// Training windows.
        windows: usize,
        /// Their class.
        class: u32,
    },
    /// The windows are too short for the kernels.
    #[error("windows of {found} samples, random convolutions need at least {least}")]
    Short {
        /// Samples of a window.
        found: usize,
        /// Samples of a kernel.
        least: usize,
    },
    /// The windows are not those that the model was trained on.
    #[error(
        "windows of {channels} channels and {length} samples, trained on {expected_channels} and {expected_length}"
    )]
    Shape {
        /// Channels given.
        channels: usize,
        /// Samples given.
        length: usize,
        /// Channels trained on.
        expected_channels: usize,
        /// Samples trained on.
        expected_length: usize,
    },
    /// The library of trees refused.
    #[error("random forest: {reason}")]
    Forest {
        /// What it says.
        reason: String,
    },
    /// The system could not start threads.
    #[error("{threads} threads: {reason}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the system says.
        reason: String,
    },
}

impl ClassicError {
    /// What to do about it, one sentence, for a `hint:` line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "check split and windows: a part has nothing in it",
            Self::Values { .. } | Self::Label { .. } | Self::Shape { .. } => {
                "give windows, labels, channels and classes of one data set"
            }
            Self::NotFinite { .. } => "repair the recording, or let the reader fill gaps",
            Self::OneClass { .. } => "train on recordings of at least two classes",
            Self::Short { .. } => "use longer windows, or leave random convolutions out",
            Self::Forest { .. } => "leave the forest out",
            Self::Threads { .. } => "use fewer threads",
        }
    }
}
