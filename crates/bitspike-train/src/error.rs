//! Errors of training.

use crate::recipe::RecipeError;
use crate::run::checkpoint::CheckpointError;
use crate::run::start::StartError;
use bitspike_data::DataError;
use bitspike_nn::network::PlanError;
use bitspike_run::RunError;
use std::path::PathBuf;

/// A run that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The network does not fit the data.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The data set.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The starting point.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The loss is NaN or infinite.
    #[error("the loss is {loss} at step {step} (epoch {epoch}): training has diverged")]
    Diverged {
        /// Step, from 1.
        step: u64,
        /// Epoch, from 1.
        epoch: u64,
        /// The loss.
        loss: f32,
    },
    /// A batch larger than the training data.
    #[error("train.batch_size is {batch_size}, but the training data have {samples} samples")]
    BatchSize {
        /// The batch size.
        batch_size: usize,
        /// Training samples.
        samples: usize,
    },
    /// A training step larger than the memory.
    #[error("a training step of {batch_size} samples needs about {} ({} of it for the network itself), and {} are available",
        bytes(*need), bytes(*parameters), bytes(*available))]
    Memory {
        /// Bytes of a step, estimated.
        need: u64,
        /// Bytes of parameters, gradients and optimiser state in it.
        parameters: u64,
        /// Samples of a step.
        batch_size: usize,
        /// Bytes that this process may still take.
        available: u64,
    },
    /// An update after every time step in a network that is not the library's own.
    #[error("method {method} trains with an update after every time step, which only networks of the library can")]
    Online {
        /// The method.
        method: String,
    },
    /// Neither test nor validation part to evaluate.
    #[error("train.test is \"never\", and there is no validation part to evaluate in its place")]
    NoValidation,
    /// Sequences of another length than the network's.
    #[error("network.T is {steps}, but the samples of the data set are sequences of {frames} frames")]
    Frames {
        /// Time steps of the network.
        steps: usize,
        /// Frames of a sample.
        frames: usize,
    },
    /// The data on disk are not those the run was started with.
    #[error("{path}: the run was started with a file of SHA-256 {expected}, now it is {found}", path = .path.display())]
    DataChanged {
        /// The file.
        path: PathBuf,
        /// Hash in the run folder.
        expected: String,
        /// Hash now.
        found: String,
    },
    /// Files came or went since the run was started.
    #[error("the run was started with {expected} data files, now there are {found}")]
    DataFiles {
        /// Files in the run folder's record.
        expected: usize,
        /// Files now.
        found: usize,
    },
    /// A run that is finished and cannot go on.
    #[error("{path}: the run is finished ({epochs} epochs)", path = .path.display())]
    Finished {
        /// The run folder.
        path: PathBuf,
        /// Its epochs.
        epochs: u64,
    },
}

impl TrainError {
    /// What to do about it, in one sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Data(e) => Some(e.hint()),
            Self::Start(StartError::Foreign { remedy, .. }) => Some((*remedy).to_owned()),
            Self::Run(e) => e.hint().map(str::to_owned),
            Self::Diverged { .. } => Some("lower optim.lr, or add schedule.warmup_epochs".to_owned()),
            Self::BatchSize { .. } => Some("lower train.batch_size or raise data.train_limit".to_owned()),
            Self::Memory { need, parameters, available, .. } => Some(match parameters > available {
                true => "lower network.width, or the channels in network.layers".to_owned(),
                false => format!(
                    "lower train.batch_size {:.0} times or network.T, set train.recompute = true, or lower network.width; limits of a \
                     container or of `ulimit -v` count too",
                    (*need as f64 / *available as f64).ceil()
                ),
            }),
            Self::Online { .. } => {
                Some("use method = \"agmm\", \"bsnn\" or another that back-propagates through time".to_owned())
            }
            Self::NoValidation => Some("hold samples out, such as with data.validation = 1000".to_owned()),
            Self::Frames { frames, steps } => {
                Some(format!("set network.T = {frames}, or encode the data in {steps} steps"))
            }
            Self::DataChanged { .. } | Self::DataFiles { .. } => {
                Some("put the original files back, or start a new run".to_owned())
            }
            Self::Finished { .. } => Some("train longer by starting a new run with more train.epochs".to_owned()),
            Self::Checkpoint(e) => e.hint().map(str::to_owned),
            _ => None,
        }
    }
}

/// Bytes for people: 1 GB = 10⁹ bytes.
fn bytes(n: u64) -> String {
    match n {
        0..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}
