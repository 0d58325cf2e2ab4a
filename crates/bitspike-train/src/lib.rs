//! Trains, compares and diagnoses binary spiking networks.
//!
//! A [`Recipe`](recipe::Recipe) says everything about a run, a [`Trainer`](run::trainer::Trainer) carries it out into a run
//! folder, with the network of the recipe or [your own](architecture). [`measure::flips`] and [`optim`] stand on their own and work with any
//! Burn module.
//!
//! | wing | holds |
//! |---|---|
//! | [`recipe`] | keys of a recipe, methods, presets |
//! | [`run`] | trainer, run folder, checkpoints, comparisons |
//! | [`optim`] | optimisers, rules of binary weights, schedules |
//! | [`measure`] | flips, gradients, accuracy, confusion, energy, time |
//! | [`deploy`] | folding, export, verification |
//!
//! ```no_run
//! use bitspike_train::{device, recipe::Recipe, run::trainer::{Quiet, Trainer}};
//! let recipe = Recipe::parse("method = 'agmm'", "inline")?;
//! let data = recipe.load_data()?;
//! let device = device::by_name("cpu")?;
//! let outcome = Trainer::start(&recipe, &data, &device, "runs/first".as_ref(), &[])?.run(&mut Quiet)?;
//! println!("{outcome:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod architecture;
pub mod deploy;
mod error;
pub mod measure;
pub mod optim;
pub mod param;
pub mod recipe;
pub mod run;

pub use architecture::{Architecture, Spiking};
pub use bitspike_nn::device;
pub use error::TrainError;

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
