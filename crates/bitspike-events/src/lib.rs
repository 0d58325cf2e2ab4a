//! Event-camera formats in and out, filters, frames and a camera simulator
//!
//! ```text
//! file or stream → EventReader → batches of Event → filters, augmentation → frames [T, C, H, W]
//! ```
//!
//! - [`EventReader`] tells a format by its content and decodes it into batches that the caller owns. Memory does not
//!   grow with the file. Every error has the byte offset.
//! - Whatever the format, an [`Event`] has microseconds, x to the right, y downwards, and true for ON.
//!
//! What each format says about time, polarity, orientation and cut-off files stands at the top of its file in
//! `src/format`, and as one table in `docs/reference/events.md`. This crate knows nothing of networks or training.

#![forbid(unsafe_code)]

pub mod augment;
mod columns;
pub mod dataset;
mod error;
mod event;
mod filter;
mod format;
pub mod frame_augment;
mod frames;
mod input;
mod picture;
mod random;
mod reader;
mod simulate;
mod writer;

pub use bitspike_random::Random;
pub use columns::Columns;
pub use error::{ErrorKind, EventError};
pub use event::{Event, Gap, Summary};
pub use filter::{BackgroundActivity, Refractory, remove_hot_pixels};
#[cfg(feature = "hdf5")]
pub use format::hdf5::SpikeLists;
pub use format::{Camera, Evt3Time, Format};
pub use frames::{FrameKind, Framing, SplitBy};
pub use picture::{Picture, PictureFrame, PictureOptions};
pub use random::random;
pub use reader::{EventReader, ReadOptions, TimeUnit};
pub use simulate::{Saccades, Simulator, SimulatorConfig, saccades};
pub use writer::EventWriter;

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
