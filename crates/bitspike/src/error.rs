//! Errors of the command line: what the libraries report, and what only the command line can get wrong.

mod rivals;

use bitspike_format::FormatError;
use bitspike_train::TrainError;
use bitspike_train::run::compare::CompareError;
use std::path::PathBuf;

pub use rivals::{RivalError, TorchError};

/// Anything that ends the program with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A file the user named cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Comparing.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The report.
    #[error(transparent)]
    Report(#[from] bitspike_report::ReportError),
    /// Event files.
    #[error(transparent)]
    Events(#[from] bitspike_events::EventError),
    /// A stream of sensors.
    #[error(transparent)]
    Sensors(#[from] bitspike_sensors::SensorError),
    /// A device.
    #[error(transparent)]
    Device(#[from] bitspike_train::device::DeviceError),
    /// A method name.
    #[error(transparent)]
    Method(#[from] bitspike_train::recipe::method::UnknownMethod),
    /// The other framework of `bench --against`.
    #[error(transparent)]
    Torch(#[from] TorchError),
    /// The other readers of `bench events --against python`.
    #[error(transparent)]
    Rival(#[from] RivalError),
    /// The kernel path of the environment.
    #[error("BITSPIKE_KERNEL: {0}")]
    Kernel(#[from] bitspike_cpu::PathError),
    /// A `.bsnn` file that is refused.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FormatError,
    },
    /// A network without a deployed form.
    #[error(transparent)]
    Export(#[from] bitspike_train::deploy::ExportError),
    /// A network that cannot be rounded to integers.
    #[error(transparent)]
    Quantise(#[from] bitspike_format::QuantiseError),
    /// A network without an ONNX form.
    #[error(transparent)]
    Onnx(#[from] bitspike_onnx::OnnxError),
    /// A network without a NIR form.
    #[error(transparent)]
    Nir(Box<bitspike_nir::NirError>),
    /// A NIR graph that is no binary network.
    #[error("{}: {source}", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<bitspike_nir::NirError>,
    },
    /// A description that is no network.
    #[error(transparent)]
    Write(#[from] bitspike_format::WriteError),
    /// A network without a form in C.
    #[error(transparent)]
    C(#[from] bitspike_infer::c99::ExportError),
    /// A file that does not fit the run or data it is compared with.
    #[error(transparent)]
    Verify(#[from] bitspike_train::deploy::verify::VerifyError),
    /// The runtime.
    #[error(transparent)]
    Infer(#[from] bitspike_infer::InferError),
    /// A combination of arguments without meaning.
    #[error("{0}")]
    Usage(String),
    /// Threads that cannot be started.
    #[error("--threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Ctrl-C.
    #[error("interrupted: everything done so far is saved")]
    Interrupted {
        /// How to go on.
        resume: String,
    },
    /// Signals.
    #[error("cannot handle signals: {0}")]
    Signal(#[from] ctrlc::Error),
}

impl From<bitspike_nir::NirError> for CliError {
    fn from(e: bitspike_nir::NirError) -> Self {
        Self::Nir(Box::new(e))
    }
}

macro_rules! through_train {
    ($($ty:ty),*) => { $(impl From<$ty> for CliError {
        fn from(e: $ty) -> Self {
            Self::Train(e.into())
        }
    })* };
}
through_train!(
    bitspike_train::recipe::RecipeError,
    bitspike_data::DataError,
    bitspike_run::RunError,
    bitspike_nn::network::PlanError,
    bitspike_train::run::checkpoint::CheckpointError
);

impl CliError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Train(e) => e.hint(),
            Self::Events(e) => Some(e.hint()),
            Self::Sensors(e) => Some(e.hint()),
            Self::Compare(CompareError::Run { source, .. }) => source.hint(),
            Self::Compare(CompareError::Data(e)) => Some(e.hint()),
            Self::Compare(CompareError::Memory { .. }) => Some(
                "allow more with --memory, or choose a smaller train.batch_size or train.recompute = true".to_owned(),
            ),
            Self::Compare(CompareError::OtherRecipe { .. }) => {
                Some("choose another --out, or move the old comparison away".to_owned())
            }
            Self::Report(e) => e.hint().map(|h| h.to_string()),
            Self::Torch(e) => e.hint(),
            Self::Rival(e) => Some(e.hint()),
            Self::Format { source: FormatError::Magic { found }, .. }
                if let Some(f) = bitspike_files::foreign(found) =>
            {
                Some(format!("it is {}; give a file written by `bitspike export`", f.what))
            }
            Self::Format { source, .. } => Some(source.hint().to_owned()),
            Self::Export(e) => e.hint(),
            Self::Quantise(e) => Some(e.hint().to_owned()),
            Self::Onnx(e) => e.hint().map(str::to_owned),
            Self::Nir(e) | Self::Graph { source: e, .. } => e.hint().map(str::to_owned),
            Self::C(e) => Some(e.hint().to_owned()),
            Self::Infer(e) => Some(e.hint().to_owned()),
            Self::Interrupted { resume } => Some(format!("to go on: {resume}")),
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Some("check the path; bitspike COMMAND --help shows what is expected".to_owned())
            }
            Self::Read { .. } => Some("check who owns it, and whether it is a file or a folder".to_owned()),
            _ => None,
        }
    }

    /// Whether the reader of standard output has gone.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
