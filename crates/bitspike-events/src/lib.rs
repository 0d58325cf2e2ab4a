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
//! `src/format`, and as one table in `docs/events.md`. This crate knows nothing of networks or training.

mod error;
mod event;
mod format;
mod input;
mod reader;
mod writer;

pub use error::{ErrorKind, EventError};
pub use event::{Event, Summary};
pub use format::{Camera, Evt3Time, Format};
pub use reader::{EventReader, ReadOptions, TimeUnit};
pub use writer::EventWriter;
