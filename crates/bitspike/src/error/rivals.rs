//! Why `bench --against` has nothing to compare with.

use std::path::PathBuf;

/// Of PyTorch.
#[derive(Debug, thiserror::Error)]
pub enum TorchError {
    /// No such program.
    #[error("Python cannot be started: {}: {source}", python.display())]
    Python {
        /// The program.
        python: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Python, but no torch in it.
    #[error("{} cannot import torch: {reason}", python.display())]
    NoTorch {
        /// The program.
        python: PathBuf,
        /// The last line it wrote.
        reason: String,
    },
    /// No script.
    #[error("the PyTorch script is missing: {} is not a file", path.display())]
    NoScript {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The script failed in one mode.
    #[error("{} --modes {mode} failed ({status}): {reason}", script.display())]
    Failed {
        /// The script.
        script: PathBuf,
        /// The mode.
        mode: String,
        /// Exit code or signal.
        status: String,
        /// The last line it wrote.
        reason: String,
    },
    /// The script printed no figures.
    #[error("{} --modes {mode} printed no line of JSON with the figures: {reason}", script.display())]
    NoFigures {
        /// The script.
        script: PathBuf,
        /// The mode.
        mode: String,
        /// What is wrong.
        reason: String,
    },
}

impl TorchError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Python { .. } => Some("install Python 3, or name it with --python".to_owned()),
            Self::NoTorch { python, .. } => {
                Some(format!("{} -m pip install torch, or name another Python with --python", python.display()))
            }
            Self::NoScript { .. } => {
                Some("it is in the source of bitspike: start there, or name it with --torch-script".to_owned())
            }
            Self::Failed { .. } => Some("leave modes out with --modes; eager needs nothing but torch".to_owned()),
            Self::NoFigures { .. } => None,
        }
    }
}

/// Of other readers of events.
#[derive(Debug, thiserror::Error)]
pub enum RivalError {
    /// No such program.
    #[error("Python cannot be started: {}: {source}", python.display())]
    Python {
        /// The program.
        python: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No script.
    #[error("the script with the other readers is missing: {} is not a file", path.display())]
    NoScript {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Python, but none of the readers.
    #[error("{} has none of the readers {}", python.display(), readers.join(", "))]
    NoReaders {
        /// The program.
        python: PathBuf,
        /// What was looked for.
        readers: Vec<String>,
    },
    /// The script failed.
    #[error("{} {} {} failed ({status}): {reason}", python.display(), script.display(), file.display())]
    Failed {
        /// The program.
        python: PathBuf,
        /// The script.
        script: PathBuf,
        /// The recording.
        file: PathBuf,
        /// Exit code or signal.
        status: String,
        /// The last line it wrote, or what is wrong with it.
        reason: String,
    },
}

impl RivalError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Python { .. } => "install Python 3, or name it with --python".to_owned(),
            Self::NoScript { .. } => {
                "it is in the source of bitspike: start there, or name it with --events-script".to_owned()
            }
            Self::NoReaders { python, readers } => {
                let python = python.display();
                format!("{python} -m pip install {}, or name another Python with --python", readers.join(" "))
            }
            Self::Failed { .. } => "run the script alone to see all it says".to_owned(),
        }
    }
}
