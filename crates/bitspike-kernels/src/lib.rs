//! CPU kernels for training binary spiking networks.
//!
//! The crate knows nothing of Burn: every kernel is a free function over borrowed slices, has an obviously right
//! scalar twin, and gives the same bits whatever the number of threads. Activations are channels-last.

pub mod adamw;
pub mod bits;
pub mod block;
pub mod conv_binary;
pub mod conv_real;
pub mod dispatch;
pub mod ede;
mod error;
pub mod gate;
pub mod layout;
pub mod neuron;
pub mod norm;
pub(crate) mod par;
pub mod peak;
pub mod pool;
pub mod recycle;
pub mod rms;
pub mod sgd;
pub mod shape;

pub use error::KernelError;

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
