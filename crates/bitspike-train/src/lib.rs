//! Training, comparison and flip diagnostics of binary spiking networks.

pub mod flips;
pub mod method;
pub mod optim;
pub mod param;
pub mod recipe;
