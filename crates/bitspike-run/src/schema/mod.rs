//! The shapes of the JSON in a run folder, with the unit of every number.
//!
//! Rules: fractions run from 0 to 1 (never per cent); times are seconds unless the name says otherwise; a number that
//! is not finite is written as `null` and read back as NaN (`None` in an optional field). Readers ignore fields they
//! do not know, so a field can be added without a new [`SCHEMA`]; a change of meaning needs a new number.

mod classics;
mod info;
mod metrics;
mod summary;

pub use classics::{CLASSICS_FILE, ClassicRecord, Classics};
pub use info::{DatasetInfo, FileHash, LayerInfo, MachineInfo, NetworkInfo, RunInfo, Status};
pub use metrics::{EpochRecord, FlipTotals, LayerRecord, NoteRecord, Record, StepRecord};
pub use summary::{Energy, Summary};

/// The schema this version writes, and the newest it reads.
///
/// 2: the held-out figures of an epoch are called so, whatever part they are of; files of 1 are read.
pub const SCHEMA: u32 = 2;
