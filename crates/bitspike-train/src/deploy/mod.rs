//! From a trained network to what runs elsewhere.
//!
//! ```text
//! network → fold → export (description of a .bsnn file) → folded (the same as tensors) → verify (all three beside each other)
//! ```

mod error;
pub mod export;
pub mod fold;
pub mod folded;
pub mod parameters;
pub mod verify;

pub use error::ExportError;
