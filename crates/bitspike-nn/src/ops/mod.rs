//! Operations of binary spiking networks, entering Burn as backend extensions.
//!
//! Each file holds one operation: its formula, a *composed* body made of backend primitives (it runs on every backend and
//! is the reference), the backward pass, and a function on Burn's `Tensor`. On the CPU backend the fused twins in `flex` run
//! in its place.

#[macro_use]
mod backends;

pub mod adamw;
pub mod block;
pub mod conv;
pub mod ede;
#[cfg(feature = "flex")]
pub mod flex;
pub mod gate;
pub mod host;
pub mod neuron;
pub mod norm;
pub mod pool;
pub(crate) mod prim;
pub mod rms;
pub mod sgd;
pub mod surrogate;
