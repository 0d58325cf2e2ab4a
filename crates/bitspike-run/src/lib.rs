//! Reads and writes the run folder: file names, schema, atomic writes, metrics lines and TensorBoard events.
//!
//! A run folder is everything one training run leaves behind:
//!
//! ```text
//! run.json                             who, what, where: command, seed, data hashes, versions, machine, network
//! recipe.toml                          the recipe as it was resolved, every default written out
//! metrics.jsonl                        one JSON object per line: steps, epochs, notes
//! summary.json                         the outcome; absent until the run has finished
//! events.out.tfevents.<seconds>.<...>  the same scalars for TensorBoard
//! checkpoints/last.safetensors         where training stands
//! checkpoints/best.safetensors         the best evaluated epoch
//! report.html                          optional
//! ```
//!
//! Files that are replaced are written under a temporary name and renamed, so a reader sees the old or the
//! new content and never half of it ([`atomic_write`]). `metrics.jsonl` is appended, one write per line; a
//! line torn by a crash is reported when read and does not hide the lines before it ([`MetricsLog::torn`]).
//!
//! Every file that is read back carries a checksum: a damaged one is refused ([`RunError::Damaged`]); one of an older version,
//! which has none, is read, and [`RunFolder::without_checksum`] names it.
//!
//! This crate knows nothing about training: the trainer fills the structs, the report reads them.
//!
//! ```
//! use bitspike_run::{EpochRecord, Record, RunFolder, RunInfo, Status};
//!
//! # let home = tempfile::tempdir().unwrap();
//! let folder = RunFolder::create(home.path().join("agmm-1"))?;
//! folder.write_info(&RunInfo { name: "agmm-1".into(), method: "agmm".into(), ..RunInfo::default() })?;
//! let mut metrics = folder.append_metrics()?;
//! metrics.append(&Record::Epoch(EpochRecord { epoch: 1, step: 79, train_loss: 1.9, ..EpochRecord::default() }))?;
//! drop(metrics);
//!
//! let again = RunFolder::open(folder.path())?;
//! assert_eq!(again.read_info()?.status, Status::Running);
//! assert_eq!(again.read_metrics()?.epochs().count(), 1);
//! assert!(again.read_summary()?.is_none()); // not finished yet
//! # Ok::<(), bitspike_run::RunError>(())
//! ```

#![forbid(unsafe_code)]

mod atomic;
mod check;
mod clock;
mod csv;
mod error;
mod folder;
mod masked;
mod metrics;
mod number;
mod schema;
mod seal;
pub mod tensorboard;

pub use atomic::{atomic_write, write_json_atomic, write_text_atomic};
pub use check::{FileCheck, FileState, check_folder};
pub use clock::{rfc3339_utc, utc_now};
pub use crc32c::crc32c;
pub use csv::csv_line;
pub use error::RunError;
pub use folder::{
    BEST_CHECKPOINT, Checkpoint, INFO_FILE, LAST_CHECKPOINT, METRICS_FILE, RECIPE_FILE, REPORT_FILE, RUNS_FILE,
    RunFolder, SUMMARY_FILE,
};
pub use metrics::{MetricsLog, MetricsWriter, TornLine, Truncation, read_metrics, truncate_metrics_after};
pub use schema::{
    CLASSICS_FILE, ClassicRecord, Classics, DatasetInfo, Energy, EpochRecord, FileHash, FlipTotals, LayerInfo,
    LayerRecord, MachineInfo, NetworkInfo, NoteRecord, Record, RunInfo, SCHEMA, Status, StepRecord, Summary,
};
pub use tensorboard::EventWriter;

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
