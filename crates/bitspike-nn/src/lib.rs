//! Binary spiking layers, the AGMM gate and networks, on Burn.

mod init;
pub mod layers;
mod loss;
pub mod network;
pub mod ops;

pub use init::Init;
pub use loss::Loss;
