//! Trains, compares and diagnoses binary spiking networks.
//!
//! A [`Recipe`](recipe::Recipe) says everything about a run, a [`Trainer`](trainer::Trainer) carries it out into a run
//! folder, with the network of the recipe or [your own](architecture). [`flips`] and [`optim`] stand on their own and work with any
//! Burn module.
//!
//! ```no_run
//! use bitspike_train::{device, recipe::Recipe, trainer::{Quiet, Trainer}};
//! let recipe = Recipe::parse("method = 'agmm'", "inline")?;
//! let data = recipe.load_data()?;
//! let device = device::by_name("cpu")?;
//! let outcome = Trainer::start(&recipe, &data, &device, "runs/first".as_ref(), &[])?.run(&mut Quiet)?;
//! println!("{outcome:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod architecture;
mod average;
pub mod bench;
pub mod check_run;
pub mod checkpoint;
pub mod compare;
pub mod confusion;
pub mod device;
pub mod diagnose;
pub mod distill;
pub mod energy;
mod error;
pub mod evaluate;
pub mod export;
pub mod flips;
pub mod fold;
pub mod folded;
mod loaders;
pub mod machine;
pub mod memory;
pub mod method;
pub mod network;
mod online;
pub mod optim;
pub mod param;
pub mod parameters;
pub mod recipe;
mod record;
mod seal;
pub mod shelf;
pub mod start;
pub mod trainer;
pub mod verify;

pub use architecture::{Architecture, Spiking};
pub use bitspike_onnx as onnx;
pub use error::TrainError;
pub use loaders::eval_loader;

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
