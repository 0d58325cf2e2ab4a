//! `run.json`: what was run, on which data, with which program, where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SCHEMA;

/// `run.json`: everything needed to say what a number in the run's metrics refers to.
///
/// The recipe itself stands beside it in `recipe.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of this layout, [`SCHEMA`].
    pub schema: u32,
    /// The run's name: that of the recipe, which the folder's name begins with unless it was chosen.
    pub name: String,
    /// Training method: `agmm`, `bsnn` (the baseline) and so on. Reports group runs by it.
    pub method: String,
    /// Seed of every random choice in the run.
    pub seed: u64,
    /// The command line, one element per argument, program first.
    pub command: Vec<String>,
    /// Start of the run, RFC 3339 in UTC ([`crate::utc_now`]). A resumed run keeps its first start.
    pub started: String,
    /// Where the run stands.
    pub status: Status,
    /// The data.
    pub dataset: DatasetInfo,
    /// Versions by name: `bitspike`, `burn`, `rust` (the oldest compiler it builds with).
    pub versions: BTreeMap<String, String>,
    /// The computer.
    pub machine: MachineInfo,
    /// The device the tensors lived on, as Burn prints it, such as `Device<Flex(Cpu)>`.
    pub device: String,
    /// The network.
    pub network: NetworkInfo,
    /// What is evaluated and exported, where it is not the trained weights themselves: `averaged with decay 0.999`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
}

impl Default for RunInfo {
    /// Empty, with the current schema and status `running`.
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            name: String::new(),
            method: String::new(),
            seed: 0,
            command: Vec::new(),
            started: String::new(),
            status: Status::Running,
            dataset: DatasetInfo::default(),
            versions: BTreeMap::new(),
            machine: MachineInfo::default(),
            device: String::new(),
            network: NetworkInfo::default(),
            weights: None,
        }
    }
}

/// Where a run stands. A run killed from outside stays `running` in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Training, or killed without a chance to write.
    #[default]
    Running,
    /// Stopped by the user at a checkpoint; can be resumed.
    Interrupted,
    /// All epochs done.
    Finished,
    /// Ended by an error, for example a loss that is not finite.
    Failed,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Finished => "finished",
            Self::Failed => "failed",
        })
    }
}

/// The data set, its files and its split.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Name: `fashion-mnist`, `cifar10`.
    pub name: String,
    /// The rule that made the split, in words or as an identifier with its own hash.
    pub split: String,
    /// Every file read, with its hash.
    pub files: Vec<FileHash>,
    /// Samples trained on.
    pub train_samples: u64,
    /// Samples held out from the training set; 0 if none.
    pub validation_samples: u64,
    /// Samples of the test set.
    pub test_samples: u64,
    /// Of the validation samples, those of the most frequent class: what always naming it gets right. 0 if not known.
    #[serde(default)]
    pub validation_most_frequent: u64,
    /// The same of the test samples.
    #[serde(default)]
    pub test_most_frequent: u64,
    /// Class names in label order.
    pub classes: Vec<String>,
    /// One sample as the network sees it in one time step: `[channels, height, width]`.
    pub sample_shape: [usize; 3],
}

/// One input file and its content hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// Path, relative to the data folder where possible.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, 64 lower-case hex digits.
    pub sha256: String,
}

/// The computer a run was made on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// Processor model.
    pub cpu: String,
    /// Instruction sets found that the kernels can use: `avx2`, `popcnt`.
    pub cpu_features: Vec<String>,
    /// Logical processors.
    pub cores: usize,
    /// Threads the run used.
    pub threads: usize,
    /// Operating system.
    pub os: String,
    /// Architecture.
    pub arch: String,
    /// The kernel path that was chosen, by name.
    pub kernel_path: String,
}

/// The network: its layers and its size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// Layers with weights, input first.
    pub layers: Vec<LayerInfo>,
    /// Weights stored as one bit.
    pub binary_weights: u64,
    /// Parameters stored as 32-bit floats: real layers, batch norm affine, α.
    pub real_parameters: u64,
    /// Size in bytes, 1 bit per binary weight and 32 bits per real parameter.
    pub bytes_1bit: u64,
    /// Size in bytes with every parameter as float32.
    pub bytes_f32: u64,
    /// Time steps T.
    pub t: usize,
}

/// One layer with weights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerInfo {
    /// Name, unique in the network: `block2.conv1`. The same name as in [`super::LayerRecord`].
    pub name: String,
    /// `conv`, `linear`, `shortcut`.
    pub kind: String,
    /// True if the weights are -1 and +1.
    pub binary: bool,
    /// Shape of the weight tensor, output channels first.
    pub shape: Vec<usize>,
    /// Number of weights.
    pub weights: u64,
    /// Multiply-accumulates for one sample and one time step.
    pub macs: u64,
    /// Output of one sample and one time step: `[C, H, W]` or `[features]`.
    pub output: Vec<usize>,
}
