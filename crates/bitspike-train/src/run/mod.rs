//! A run: from a recipe and data to a run folder, and back from the folder.
//!
//! ```text
//! trainer   the loop; with online (updates within a sample), average, distill (a teacher), start (weights from elsewhere)
//! loaders   batches of the parts     network   the recipe's network for the data     memory, machine   what there is
//! record    what is written of it    checkpoint, seal   state, with its checksum     reopen, check_run   what is read back
//! compare   many runs beside each other, on shelf data sets that they share
//! ```

mod average;
pub mod check_run;
pub mod checkpoint;
pub mod compare;
pub mod distill;
mod loaders;
pub mod machine;
pub mod memory;
pub mod network;
mod online;
mod record;
mod reopen;
mod seal;
pub mod shelf;
pub mod start;
pub mod trainer;

pub(crate) use online::train_batch;
pub(crate) use seal::Raw;

pub use loaders::eval_loader;
pub use reopen::{read_recipe, same_data};
