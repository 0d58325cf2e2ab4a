//! What can keep a comparison from being made.

use std::path::PathBuf;

use bitspike_run::RunError;
use thiserror::Error;

/// A comparison or its page could not be made.
///
/// The message states the facts; [`ReportError::hint`] says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// No run folder was named.
    #[error("no run to report on")]
    NoRuns,
    /// A run folder could not be read.
    #[error("while reading the run {}", path.display())]
    Run {
        /// The folder.
        path: PathBuf,
        /// What went wrong there.
        source: RunError,
    },
    /// Two finished runs of the same method, recipe and seed: counting both would fake a second seed.
    #[error("{} and {} are both {label} with seed {seed}", first.display(), second.display())]
    Duplicate {
        /// Method, with the recipe keys that set it apart.
        label: String,
        /// The seed.
        seed: u64,
        /// One of the folders.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The report could not be written.
    #[error("while writing the report")]
    Write(#[source] RunError),
}

impl ReportError {
    /// What the user can do about it, as one sentence without a full stop.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRuns => Some("name one or more run folders"),
            Self::Run { source, .. } => source.hint(),
            Self::Duplicate { .. } => Some("leave one of the two out, or give the runs different seeds"),
            Self::Write(source) => source.hint(),
        }
    }
}
