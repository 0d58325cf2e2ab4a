//! What is measured of a network: sign flips, gradients, accuracy and firing rates, confusion, wrong recordings, energy, time.

pub mod bench;
pub mod confusion;
pub mod diagnose;
pub mod energy;
pub mod evaluate;
pub mod flips;
pub mod worst;
