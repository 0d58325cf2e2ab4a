//! Checkpoints: one safetensors file with everything a run needs to go on as if it had never stopped.
//!
//! ```text
//! param.<name>              parameters and running statistics, float32
//! ema.<name>                with `train.ema`: their averages, in the same way
//! optim.<kind>.<name>       state of the optimiser, float32, flat
//! flips.<layer>.signs       signs now, at the start of training, at the start of the epoch: u64 words, 64 signs each
//! flips.<layer>.start
//! flips.<layer>.epoch_start
//! flips.<layer>.flipped     weights that flipped in the epoch, in the same way
//! flips.<layer>.recent      step of each weight's last flip, modulo, u8; see LayerHistory
//! grad.<layer>              gradient of the last diagnosed step of a running epoch, float32, flat
//! seal.crc32c               CRC-32C of all bytes of the file before these last four; see seal.rs
//! metadata "bitspike"       JSON: format, epoch, batch, step, seed, recipe, sums of the running epoch, counters
//! ```
//!
//! Random numbers need no state: every stream is a function of seed, purpose, epoch and sample (see `bitspike_data::Purpose`), so
//! seed, epoch and batch are the whole of it.
//!
//! Formats 1 and 2 are read as well. They have no seal; format 1 has `last_flip`, the step of each weight's last flip as u32, in
//! place of `flipped` and `recent`.

use crate::measure::flips::{FlipCounts, FlipTracker, LayerHistory, WHEEL};
use crate::optim::{MOMENT, Optimizer};
use crate::param::{self, ParamMapper};
use crate::run::seal::{self, META, Raw};
use bitspike_run::{RunError, atomic_write};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const FORMAT: u32 = 3;
/// The oldest that is read.
const OLDEST: u32 = 1;
const PARAM: &str = "param.";
/// In front of the names of averaged parameters.
pub(crate) const EMA: &str = "ema.";

/// A checkpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be opened or read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are not a checkpoint, or not a whole one.
    #[error("{path}: damaged checkpoint: {reason}", path = .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A parameter or running statistic that is no finite number.
    #[error("{path}: {name}: value {index} is {value}, expected a finite number", path = .path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The parameter.
        name: String,
        /// Which of its values, from 0.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// A checkpoint of another version of this program.
    #[error("{path}: checkpoint format {found}, this program reads {OLDEST} to {FORMAT}", path = .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The checkpoint is of another network.
    #[error("{path}: {name}: expected {expected}, the file has {found}", path = .path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Shape or presence the network needs.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] RunError),
}

impl CheckpointError {
    /// What to do about it, in one sentence.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => Some(match source.kind() {
                ErrorKind::NotFound => {
                    "nothing was saved there: begin the run again in the same folder, or choose --checkpoint last or best"
                }
                ErrorKind::PermissionDenied => "check who owns the file and whether it may be read",
                ErrorKind::IsADirectory => "a folder stands where a file belongs: move it away",
                _ => "check the disk that it is on",
            }),
            Self::Corrupt { .. } | Self::NotFinite { .. } => {
                Some("the other checkpoint of the run (best or last) may still be whole")
            }
            Self::Version { .. } => Some("use the version of the program that wrote it, or a newer one"),
            Self::Mismatch { .. } => Some("recipe and network must be those that it was trained with"),
            Self::Write(e) => e.hint(),
        }
    }
}

/// Sums of the running epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Sum of the losses, weighted by samples.
    pub loss: f64,
    /// Correct predictions.
    pub correct: u64,
    /// Samples seen.
    pub samples: u64,
    /// Seconds spent training.
    pub seconds: f64,
}

/// Where training stands, besides the tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs completed.
    pub epoch: u64,
    /// Batches done in the running epoch.
    pub batch: usize,
    /// Steps done since the start.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Sums of the running epoch.
    pub sums: EpochSums,
    /// Seconds of training before the running epoch.
    pub seconds: f64,
    /// Best evaluated accuracy and its epoch, from 1.
    pub best: Option<(f64, u64)>,
    /// Flips of the finished epochs.
    pub flips: FlipCounts,
    /// Running means of the gradient diagnostics in this epoch.
    pub diagnostics: crate::measure::diagnose::Diagnostics,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    format: u32,
    progress: Progress,
    optimizer_steps: u64,
    flips: BTreeMap<String, FlipMeta>,
}

#[derive(Serialize, Deserialize)]
struct FlipMeta {
    counts: FlipCounts,
    step: u32,
    /// Step at the start of the epoch, in format 1.
    #[serde(default, skip_serializing)]
    epoch_step: u32,
}

fn floats(data: TensorData) -> Raw {
    let shape = data.shape().to_vec();
    let values = data.convert::<f32>().try_into_vec::<f32>().expect("the data was converted to f32");
    Raw { dtype: Dtype::F32, shape, bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
}

fn words(values: &[u64]) -> Raw {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Raw { dtype: Dtype::U64, shape: vec![values.len()], bytes }
}

/// Writes a checkpoint; the file that was there stays whole until the new one is.
///
/// # Errors
/// [`CheckpointError::Write`] with the path.
pub fn save<M: Module>(
    path: &Path,
    network: &M,
    average: Option<&M>,
    optimizer: &Optimizer,
    flips: &FlipTracker,
    progress: &Progress,
) -> Result<(), CheckpointError> {
    let mut tensors: Vec<(String, Raw)> = Vec::new();
    tensors.extend(param::snapshot(network).into_iter().map(|(n, d)| (format!("param.{n}"), floats(d))));
    let averages = average.map(param::snapshot).into_iter().flatten();
    tensors.extend(averages.map(|(n, d)| (format!("{EMA}{n}"), floats(d))));
    tensors.extend(optimizer.state().map(|(n, d)| (format!("optim.{n}"), floats(d))));
    let mut flip_meta = BTreeMap::new();
    for (layer, h) in flips.layers() {
        for (part, raw) in [
            ("signs", words(&h.signs)),
            ("start", words(&h.start)),
            ("epoch_start", words(&h.epoch_start)),
            ("flipped", words(&h.flipped)),
            ("recent", Raw { dtype: Dtype::U8, shape: vec![h.recent.len()], bytes: h.recent.clone() }),
        ] {
            tensors.push((format!("flips.{layer}.{part}"), raw));
        }
        flip_meta.insert(layer.clone(), FlipMeta { counts: h.counts.clone(), step: h.step, epoch_step: 0 });
    }
    for (layer, g) in &progress.diagnostics.last {
        tensors.push((format!("grad.{layer}"), floats(TensorData::new(g.clone(), [g.len()]))));
    }
    tensors.push(seal::tensor());
    let meta =
        Meta { format: FORMAT, progress: progress.clone(), optimizer_steps: optimizer.steps(), flips: flip_meta };
    let json = serde_json::to_string(&meta).expect("plain numbers and names");
    let header = Some([(META.to_owned(), json)].into());
    let mut bytes = safetensors::serialize(tensors, header).expect("names are unique and lengths match shapes");
    seal::close(&mut bytes);
    atomic_write(path, |w| w.write_all(&bytes))?;
    Ok(())
}

/// A checkpoint read into memory.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    sealed: bool,
    /// Where training stands.
    pub progress: Progress,
    optimizer_steps: u64,
    tensors: BTreeMap<String, TensorData>,
    flips: FlipTracker,
}

impl Checkpoint {
    /// Reads and checks a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`]: missing, damaged, of another format, a parameter that is not finite.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.to_owned(), source };
        let corrupt = |reason: String| CheckpointError::Corrupt { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(io)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| corrupt(e.to_string()))?;
        let sealed = seal::check(&bytes, &file).map_err(corrupt)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| corrupt(e.to_string()))?;
        let json = header.metadata().as_ref().and_then(|m| m.get(META));
        let json = json.ok_or_else(|| corrupt(format!("no metadata entry {META:?}: not a checkpoint of bitspike")))?;
        let version: serde_json::Value = serde_json::from_str(json).map_err(|e| corrupt(e.to_string()))?;
        let found = version["format"].as_u64().unwrap_or(0) as u32;
        if !(OLDEST..=FORMAT).contains(&found) {
            return Err(CheckpointError::Version { path: path.to_owned(), found });
        }
        let meta: Meta = serde_json::from_value(version).map_err(|e| corrupt(e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() == Dtype::F32 {
                let values: Vec<f32> = numbers(&view, f32::from_le_bytes);
                let wrong = values.iter().position(|v| !v.is_finite());
                let parameter = name.strip_prefix(PARAM).or_else(|| name.strip_prefix(EMA));
                if let (Some(index), Some(parameter)) = (wrong, parameter) {
                    let (path, value) = (path.to_owned(), values[index]);
                    return Err(CheckpointError::NotFinite { path, name: parameter.to_owned(), index, value });
                }
                tensors.insert(name, TensorData::new(values, view.shape().to_vec()));
            }
        }
        let mut layers = BTreeMap::new();
        for (layer, meta) in meta.flips {
            let part = |part: &str, dtype: Dtype| {
                let name = format!("flips.{layer}.{part}");
                let view = file.tensor(&name).map_err(|e| corrupt(format!("{name}: {e}")))?;
                if view.dtype() == dtype { Ok(view) } else { Err(corrupt(format!("{name}: not {dtype:?}"))) }
            };
            let bits = |name| part(name, Dtype::U64).map(|v| numbers(&v, u64::from_le_bytes));
            let mut history = LayerHistory {
                counts: meta.counts,
                signs: bits("signs")?,
                start: bits("start")?,
                epoch_start: bits("epoch_start")?,
                step: meta.step,
                ..LayerHistory::default()
            };
            if found == 1 {
                let last = numbers(&part("last_flip", Dtype::U32)?, u32::from_le_bytes);
                history.set_last_flips(&last, meta.epoch_step);
            } else {
                (history.flipped, history.recent) = (bits("flipped")?, part("recent", Dtype::U8)?.data().to_vec());
            }
            let need = history.recent.len().div_ceil(64);
            if [&history.signs, &history.start, &history.epoch_start, &history.flipped].iter().any(|b| b.len() != need)
            {
                return Err(corrupt(format!("flips.{layer}: the lengths of its tensors do not match")));
            }
            if let Some(wrong) = history.recent.iter().find(|code| u32::from(**code) > WHEEL) {
                return Err(corrupt(format!("flips.{layer}.recent: expected 0 to {WHEEL}, found {wrong}")));
            }
            layers.insert(layer, history);
        }
        let mut progress = meta.progress;
        for (name, data) in &tensors {
            if let Some(layer) = name.strip_prefix("grad.") {
                let values = data.try_to_vec::<f32>().expect("only f32 tensors were kept");
                progress.diagnostics.last.insert(layer.to_owned(), values);
            }
        }
        check_lengths(&tensors, &layers).map_err(corrupt)?;
        Ok(Self {
            path: path.to_owned(),
            sealed,
            progress,
            optimizer_steps: meta.optimizer_steps,
            tensors,
            flips: FlipTracker::from_layers(layers),
        })
    }

    /// Whether the file has a checksum; those of older versions have none.
    pub fn has_checksum(&self) -> bool {
        self.sealed
    }

    /// The network with the parameters and running statistics of the checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Mismatch`] if a parameter is missing, has another shape, or is left over.
    pub fn network<M: Module>(&self, network: M) -> Result<M, CheckpointError> {
        self.load_into(network, PARAM)
    }

    /// The network with the averages of a run with `train.ema`.
    ///
    /// # Errors
    /// As [`network`](Self::network); there are no averages in a checkpoint of a run without.
    pub fn averaged<M: Module>(&self, network: M) -> Result<M, CheckpointError> {
        self.load_into(network, EMA)
    }

    fn load_into<M: Module>(&self, network: M, prefix: &'static str) -> Result<M, CheckpointError> {
        let mut load = Load { from: self, prefix, used: 0, wrong: None };
        let network = param::map(network, &mut load);
        let params = self.tensors.keys().filter(|n| n.starts_with(prefix)).count();
        match load.wrong {
            Some((name, expected, found)) => {
                Err(CheckpointError::Mismatch { path: self.path.clone(), name, expected, found })
            }
            None if load.used != params => Err(CheckpointError::Mismatch {
                path: self.path.clone(),
                name: "parameters".to_owned(),
                expected: load.used.to_string(),
                found: params.to_string(),
            }),
            None => Ok(network),
        }
    }

    /// Puts the optimiser's state back.
    pub fn optimizer(&self, optimizer: &mut Optimizer, device: &Device) {
        let state = self
            .tensors
            .iter()
            .filter_map(|(name, data)| name.strip_prefix("optim.").map(|name| (name.to_owned(), data.clone())));
        optimizer.restore(self.optimizer_steps, state, device);
    }

    /// The flip history.
    pub fn flips(&self) -> FlipTracker {
        self.flips.clone()
    }
}

/// Optimiser state, gradients and flip histories must be as long as the parameters they belong to.
fn check_lengths(
    tensors: &BTreeMap<String, TensorData>,
    layers: &BTreeMap<String, LayerHistory>,
) -> Result<(), String> {
    let count = |data: &TensorData| data.num_elements();
    let binary: BTreeMap<&str, usize> = tensors
        .iter()
        .filter_map(|(name, data)| name.strip_prefix("param.").map(|n| (n, count(data))))
        .filter(|(name, _)| param::Role::of(name) == param::Role::Binary)
        .map(|(name, n)| (param::layer_of(name), n))
        .collect();
    let compare = |name: &str, found: usize, expected: Option<usize>| match expected {
        Some(n) if n == found => Ok(()),
        Some(n) => Err(format!("{name}: {found} values, its parameter has {n}")),
        None => Err(format!("{name}: no such parameter")),
    };
    for (name, data) in tensors {
        if let Some(rest) = name.strip_prefix("optim.") {
            let (kind, param) = rest.split_once('.').unwrap_or(("", rest));
            // One number per time step; the trainer knows how many those are.
            if kind == MOMENT {
                continue;
            }
            compare(name, count(data), tensors.get(&format!("param.{param}")).map(count))?;
        } else if let Some(layer) = name.strip_prefix("grad.") {
            compare(name, count(data), binary.get(layer).copied())?;
        }
    }
    for (layer, history) in layers {
        compare(&format!("flips.{layer}"), history.recent.len(), binary.get(layer.as_str()).copied())?;
    }
    match binary.keys().find(|layer| !layers.contains_key(**layer)) {
        Some(layer) => Err(format!("flips.{layer}: missing")),
        None => Ok(()),
    }
}

fn numbers<const N: usize, T>(view: &TensorView<'_>, read: fn([u8; N]) -> T) -> Vec<T> {
    let bytes = view.data().chunks_exact(N);
    bytes.map(|b| read(b.try_into().expect("chunks have N bytes"))).collect()
}

struct Load<'a> {
    from: &'a Checkpoint,
    prefix: &'static str,
    used: usize,
    wrong: Option<(String, String, String)>,
}

impl ParamMapper for Load<'_> {
    fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
        let expected = value.dims().to_vec();
        let full = format!("{}{name}", self.prefix);
        match self.from.tensors.get(&full) {
            Some(data) if data.shape().to_vec() == expected => {
                self.used += 1;
                let device = param::plain(value.clone()).device();
                Some(Tensor::from_data(data.clone(), &device))
            }
            found => {
                let found = found.map_or("nothing".to_owned(), |d| format!("{:?}", d.shape().to_vec()));
                let name = if self.prefix == PARAM { name.to_owned() } else { full };
                self.wrong.get_or_insert((name, format!("{expected:?}"), found));
                None
            }
        }
    }
}
