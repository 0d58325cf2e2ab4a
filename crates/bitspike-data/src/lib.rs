//! Data sets, augmentation and batch loading for spiking networks: images, recordings of event cameras, sensors and audio
//!
//! ```text
//! files → load → DataSet { train, validation, test: SampleSet } → Loader + Pipeline → Batch (f32, [T, N, C, H, W])
//! ```
//!
//! - [`load`] reads MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100 and folders of PNG or JPEG files, the embedded
//!   `fashion-mnist-mini`, and by `bitspike-events` and `bitspike-sensors` recordings of events, sensors and audio. It never
//!   uses a network and never repairs silently: what is wrong with a file is a [`DataError`] with path, offset, expected and
//!   found. T is 1 for static images.
//! - [`Pipeline`] augments and normalises; [`Loader`] orders samples and prepares batches in background threads.
//! - [`inspect`] says what a file or folder holds; [`verify`] reads everything and compares with what is known.
//!
//! Random choices are a function of seed, epoch and sample number only (see [`Purpose`]): the number of threads, the depth
//! of prefetching and the batch at which a run is resumed do not change a bit.
//!
//! ```
//! use bitspike_data::{AugmentConfig, DataConfig, Loader, LoaderOptions, Pipeline, load};
//! let data = load(&DataConfig { train_limit: Some(100), ..DataConfig::default() })?;
//! let augment = AugmentConfig { random_crop: 2, flip: true, ..AugmentConfig::default() };
//! let options = LoaderOptions { batch_size: 32, seed: 1, augment: Pipeline::train(&augment, &data)?, ..Default::default() };
//! let loader = Loader::new(data.train.clone(), options)?;
//! let batch = loader.epoch(0, 0).next().unwrap()?;
//! assert_eq!((batch.n, batch.shape, batch.values.len()), (32, [1, 28, 28], 32 * 784));
//! # Ok::<(), bitspike_data::DataError>(())
//! ```

#![forbid(unsafe_code)]

mod augment;
mod config;
mod drawn;
mod error;
mod evenly;
mod events;
mod find;
pub mod format;
mod image_files;
mod inspect;
mod load;
mod loader;
mod mini;
mod official;
mod published;
mod purpose;
mod sensors;
mod set;
mod source;
mod stats;
mod verify;

pub use bitspike_events::dataset::{DemoConfig, EventOptions};
pub use bitspike_sensors::SensorConfig;

pub use augment::{Pipeline, SignalAugment};
pub use bitspike_random::Random;
pub use config::{AugmentConfig, AutoAugment, DataConfig, MAX_SIDE, Normalize, SetName, Views};
pub use drawn::Drawn;
pub use error::{DataError, ErrorKind};
pub use evenly::evenly;
pub use find::search_path;
pub use format::image_file::read_image;
pub use image_files::ImageFiles;
pub use inspect::{ClassCount, Inspection, Kind, Part, inspect, inspect_bytes};
pub use load::{load, load_frames};
pub use loader::{Batch, Epoch, Loader, LoaderOptions, Mixed};
pub use mini::EMBEDDED_LICENSE;
pub use published::SampleShape;
pub use purpose::Purpose;
pub use set::{DataSet, DataSummary, SampleSet, SourceFile, Values};
pub use stats::channel_stats;
pub use verify::{Check, Verification, verify, verify_path};

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
