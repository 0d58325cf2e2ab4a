//! Runs a [`.bsnn`](bitspike_format) network: predictions on a device, with nothing but memory that the caller lends.
//!
//! The portable code needs neither `std` nor an allocator, has no `unsafe` and no path to a panic, and keeps all state in the
//! caller's arena, whose size follows from the file. What is computed is defined in [`bitspike_format`] operation by operation, so every
//! implementation gives the same spikes and the same logits to the last bit. The feature `std` adds `fast`: the same on vector
//! instructions and threads.
//!
//! Two ways to run:
//!
//! | | [`run()`] | [`step`] |
//! |---|---|---|
//! | input | a whole image or sequence | one frame after another |
//! | order | layer by layer, all T at once | time step by time step |
//! | membrane potentials | live in registers | are kept in the arena, 4 bytes per neuron |
//! | arena | spikes of two layers, as bits | that, and all potentials |
//! | ends | after T steps | whenever the caller has seen enough |
//!
//! ```
//! use bitspike_format::{Model, example};
//! let bytes = example::tiny();
//! let model = Model::parse(&bytes).unwrap();
//! let image = [0.5; 2 * 4 * 4];
//!
//! let mut arena = vec![0; bitspike_infer::run_words(&model)?];
//! let mut logits = [0.0; 10];
//! bitspike_infer::run(&model, &mut arena, &image, &mut logits, &mut ())?;
//!
//! // The same in steps; `reset` forgets the last sample.
//! let mut arena = vec![0; bitspike_infer::step_words(&model)?];
//! let mut by_steps = [0.0; 10];
//! bitspike_infer::reset(&model, &mut arena)?;
//! for _ in 0..model.network().steps {
//!     bitspike_infer::step(&model, &mut arena, &image, &mut by_steps, &mut ())?;
//! }
//! assert_eq!(logits, by_steps);
//! # Ok::<(), bitspike_infer::InferError>(())
//! ```

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(not(feature = "std"), forbid(unsafe_code))]
#![deny(unsafe_code)]

mod arena;
mod block;
#[cfg(feature = "std")]
pub mod c99;
mod check;
#[cfg(feature = "std")]
pub mod compare;
mod error;
#[cfg(feature = "std")]
pub mod fast;
mod gate;
mod head;
mod integer;
mod observer;
mod parts;
mod residual;
mod run;
mod source;
mod step;

pub use arena::{run_words, step_words};
pub use bitspike_format::math;
pub use error::InferError;
pub use head::{best, margin};
pub use observer::{Digest, Observer};
pub use run::run;
pub use step::{reset, step, steps_done};

/// The example of the README runs.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
