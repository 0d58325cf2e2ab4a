//! Binary spiking neural networks: 1-bit weights, 1-bit spikes, trained with the Adaptive Gradient Modulation Mechanism.
//!
//! This crate is the whole library under one name, and the program `bitspike` (feature `cli`, on by default). A library needs no
//! program: `cargo add bitspike --no-default-features`. Each part is a crate of its own and can be taken alone.
//!
//! | module | has | knows of Burn |
//! |---|---|---|
//! | [`nn`] | layers, gate, losses, networks | yes |
//! | [`train`] | recipes, trainer, optimisers, export | yes |
//! | [`flips`] | counter of sign flips | |
//! | [`run`], [`report`] | run folders, metrics, TensorBoard; pages of figures | |
//! | [`data`], [`events`], [`sensors`] | data sets and batches, event cameras, recordings | |
//! | [`format`](mod@format), [`infer`] | the file `.bsnn` and its runtime | |
//! | [`nir`], [`onnx`] | graphs for other tools | |
//! | [`classics`] | ridge, forest, random kernels: the company of small data sets | |
//!
//! Train by recipe, export, run:
//!
//! ```no_run
//! use bitspike::train::{device, recipe::Recipe, run::trainer::{Quiet, Trainer}};
//!
//! let recipe = Recipe::parse("method = 'agmm'", "inline")?; // AGMM on embedded images
//! let data = recipe.load_data()?;
//! let mut trainer = Trainer::start(&recipe, &data, &device::by_name("cpu")?, "runs/first".as_ref(), &[])?;
//! println!("{:?}", trainer.run(&mut Quiet)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The folder `examples` has an own training loop, an own network in the trainer, a file that is loaded and run, and events.
//!
//! [`burn`] is the version of Burn that all of it works with.

#![forbid(unsafe_code)]

pub use burn;

pub use bitspike_classics as classics;
pub use bitspike_data as data;
pub use bitspike_events as events;
pub use bitspike_flips as flips;
pub use bitspike_format as format;
pub use bitspike_infer as infer;
pub use bitspike_nir as nir;
pub use bitspike_nn as nn;
pub use bitspike_onnx as onnx;
pub use bitspike_report as report;
pub use bitspike_run as run;
pub use bitspike_sensors as sensors;
pub use bitspike_train as train;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
