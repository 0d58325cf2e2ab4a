//! Binary spiking layers, the AGMM gate and networks, on Burn.
//!
//! - [`ops`]: the operations, as backend extensions of Burn: composed bodies for every backend, fused kernels on the CPU.
//! - [`layers`]: them as Burn modules.
//! - [`network`]: families of networks from configuration.
//!
//! ```
//! use bitspike_nn::network::{Ignore, Network, NetworkOptions};
//! use bitspike_nn::{Init, Loss, layers::AgmmConfig};
//! use burn::tensor::{Device, Int, Tensor};
//! let device = Device::default().autodiff();
//! let options = NetworkOptions { gate: Some(AgmmConfig::default()), ..Default::default() };
//! let network = Network::new(&options.plan([1, 12, 12], 10)?, &Init::new(1), &device);
//! let logits = network.forward(Tensor::ones([1, 4, 1, 12, 12], &device), &mut Ignore); // [T, N, classes]
//! let loss = Loss::Tet.forward(logits, Tensor::<1, Int>::from_ints([0, 1, 2, 3], &device));
//! let gradients = loss.backward();
//! # let _ = gradients;
//! # Ok::<(), bitspike_nn::network::PlanError>(())
//! ```

#![forbid(unsafe_code)]
// burn-ndarray is deprecated: it stays a second backend for tests for as long as Burn ships it.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

pub mod device;
mod init;
pub mod layers;
mod loss;
pub mod network;
pub mod ops;
mod shape;

pub use init::Init;
pub use loss::{Loss, Targets, mean_output};

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
