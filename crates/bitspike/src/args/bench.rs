//! Arguments of `bench`.

use super::{EventArgs, RunArgs};
use bitspike_nn::ops::conv::Precision;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What is measured: training steps and inference, single kernels, both, a deployed file, or reading event recordings
    #[arg(default_value = "all", value_name = "train|kernels|all|FILE.bsnn|events")]
    pub what: What,
    /// Kernels whose line contains all these words, such as: binary.fwd 64-64; with `events`, the recordings
    #[arg(value_name = "FILTER|RECORDING")]
    pub filters: Vec<String>,
    /// How it is run.
    #[command(flatten)]
    pub run: RunArgs,
    /// Timed repetitions; kernels are repeated at least so often
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub reps: usize,
    /// Network on 3x32x32 images; without it vgg11, and small as well for `all`
    #[arg(long, value_enum, help_heading = "Training", conflicts_with = "layers")]
    pub net: Option<Net>,
    /// Network as text, as in a recipe (network.layers)
    #[arg(long, value_name = "TEXT", help_heading = "Training")]
    pub layers: Option<String>,
    /// Time steps
    #[arg(long = "T", default_value_t = 4, value_name = "N", help_heading = "Training")]
    pub steps: usize,
    /// Samples of a training step, or of a batch of a deployed file
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub batch: usize,
    /// How exactly gradients are computed (precision)
    #[arg(long, value_enum, default_value = "exact", help_heading = "Training")]
    pub precision: PrecisionName,
    /// Keep less memory for more time (train.recompute)
    #[arg(long, help_heading = "Training")]
    pub recompute: bool,
    /// Training method; see `bitspike methods`
    #[arg(long, default_value = "agmm", help_heading = "Training")]
    pub method: String,
    /// Do the same work in another framework beside it: torch for `train`, python (readers from PyPI) for `events`
    #[arg(long, value_enum, value_name = "FRAMEWORK", help_heading = "Comparison")]
    pub against: Option<Against>,
    /// The script that does that work
    #[arg(long, default_value = "scripts/torch_bench.py", value_name = "FILE", help_heading = "Comparison")]
    pub torch_script: PathBuf,
    /// The script that reads recordings with other readers
    #[arg(long, default_value = "scripts/event_rivals.py", value_name = "FILE", help_heading = "Comparison")]
    pub events_script: PathBuf,
    /// The Python that has torch, or the other readers
    #[arg(long, default_value = "python3", value_name = "PROGRAM", help_heading = "Comparison")]
    pub python: PathBuf,
    /// Modes of the script, each in a process of its own
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "eager,compile,bf16,compile_bf16",
        value_name = "LIST",
        help_heading = "Comparison"
    )]
    pub modes: Vec<String>,
    /// Share of spikes: in the input of kernels of convolutions, and in the output of every layer in training
    #[arg(long, default_value_t = 0.15, value_name = "SHARE")]
    pub rate: f32,
    /// Images a kernel works on, of all time steps together; 128, or 32 for `all`
    #[arg(long, value_name = "N", help_heading = "Kernels")]
    pub images: Option<usize>,
    /// Convolutions on every code path of this processor, not only the selected one
    #[arg(long, help_heading = "Kernels")]
    pub all_paths: bool,
    /// Test images of this data set; without it, random images, whose firing rates are other ones
    #[arg(long, value_name = "SET", help_heading = "Deployed file")]
    pub data: Option<String>,
    /// Folder with the data set's files
    #[arg(long, value_name = "DIR", help_heading = "Deployed file")]
    pub data_dir: Option<PathBuf>,
    /// Recipe of which the data set is taken, such as your own sensors
    #[arg(long, value_name = "FILE", help_heading = "Deployed file")]
    pub recipe: Option<PathBuf>,
    /// Kernels: portable, neon, avx2, avx512; without it, BITSPIKE_KERNEL or the best of this processor
    #[arg(long, value_name = "NAME", help_heading = "Deployed file")]
    pub kernels: Option<String>,
    /// What recordings do not say about themselves.
    #[command(flatten, next_help_heading = "Event recordings")]
    pub events: EventArgs,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Training steps and inference.
    Train,
    /// Single kernels.
    Kernels,
    /// Both, with smaller kernels.
    All,
    /// A `.bsnn` file.
    Deployed(PathBuf),
    /// Reading event recordings.
    Events,
}

impl FromStr for What {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "train" => Ok(Self::Train),
            "kernels" => Ok(Self::Kernels),
            "all" => Ok(Self::All),
            "events" => Ok(Self::Events),
            file if file.ends_with(".bsnn") => Ok(Self::Deployed(file.into())),
            _ => Err("expected train, kernels, all, events or a file that ends in .bsnn".to_owned()),
        }
    }
}

/// A network with a name.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// 32-64-P-128-128-P-256
    Small,
    /// 64-128-P-256-256-P-512-512-P-512-512
    Vgg11,
}

impl Net {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Vgg11 => "vgg11",
        }
    }

    /// Its layers.
    pub fn layers(self) -> &'static str {
        match self {
            Self::Small => "32-64-P-128-128-P-256",
            Self::Vgg11 => "64-128-P-256-256-P-512-512-P-512-512",
        }
    }
}

/// The recipe's `precision`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecisionName {
    /// Gradients in float32.
    Exact,
    /// Some gradients from sums rounded to 8 bits.
    Fast,
}

impl PrecisionName {
    /// As the library takes it.
    pub fn precision(self) -> Precision {
        match self {
            Self::Exact => Precision::Exact,
            Self::Fast => Precision::Fast,
        }
    }

    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fast => "fast",
        }
    }
}

/// What it is compared with.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// PyTorch.
    Torch,
    /// The readers of event recordings expelliarmus, faery and aedat.
    Python,
}
