//! The `.bsnn` file: a trained binary spiking network in the size that arithmetic says.
//!
//! One bit per binary weight, four bytes per real parameter, and under 1 KB around them. The reader borrows the bytes and
//! copies nothing, so that weights stay in flash; it needs no `std` and no allocator, and refuses every damaged, truncated
//! or hostile file with a [`FormatError`]. The byte table is in `docs/reference/format.md`; this is its outline:
//!
//! ```text
//! header    28 bytes   magic, version, endianness mark, length
//! table     4 × 16     kind, offset, length, CRC-32C of every section; one more with integers, and with a feed
//! checksum  4 bytes    CRC-32C of header and table
//! LAYERS    16 + 32 n  the network and its n layers, fixed-size records
//! SIGNS                binary weights, 32-bit words, bit 1 = +1
//! REALS                every other parameter, f32
//! META                 text, `key=value` lines
//! INTEGERS             integer parameters, where layers have them
//! FEED                 names of classes, and how samples are made of recordings, where the file says it
//! ```
//!
//! What a layer computes is defined beside its type: [`Block`], [`Residual`], [`Head`]. Records have no offsets: weights lie
//! in the order of the layers, so there is no offset that could be wrong.
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use bitspike_format::{Layer, Model, example};
//! let bytes = example::tiny();
//! let model = Model::parse(&bytes)?;
//! assert_eq!((model.network().steps, model.layers().count()), (2, 3));
//! assert!(matches!(model.layers().last(), Some(Layer::Head(_))));
//! let mut damaged = bytes.clone();
//! damaged[100] ^= 1;
//! assert!(Model::parse(&damaged).is_err());
//! # }
//! # Ok::<(), bitspike_format::FormatError>(())
//! ```

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

mod bytes;
mod crc;
mod error;
#[cfg(feature = "std")]
pub mod example;
mod feed;
pub mod integer;
mod layer;
pub mod math;
#[cfg(feature = "std")]
mod quantise;
mod read;
mod record;
#[cfg(feature = "std")]
mod write;

pub use bytes::{Integers, Reals, Words};
pub use crc::crc32c;
pub use error::{FormatError, Kind, Section};
pub use feed::{Chain, Encoder, Feed, Front, LogMel, Names, Signal};
pub use layer::{
    Affine, Block, Conv, Factor, Features, Gate, Head, Layer, Map, Network, Neuron, Neurons, Pool, Projection, Reset,
    Residual, Weights, element_factor,
};
#[cfg(feature = "std")]
pub use quantise::{LayerRounding, QuantiseError, Rounding, WordLengths, quantise};
pub use read::{Layers, Model};
#[cfg(feature = "std")]
pub use write::{
    BlockSpec, FeedSpec, GateSpec, HeadSpec, IntegerBlockSpec, IntegerLayerSpec, IntegerSpec, LayerSpec, ModelSpec,
    ResidualSpec, SignalSpec, WeightSpec, WriteError, layer_name, write, write_integers,
};

/// Version of files whose parameters are signs and real numbers.
pub const VERSION: u16 = 1;
/// Version of files whose layers after the first have integers.
pub const VERSION_INTEGERS: u16 = 2;
/// Version of files, with integers or without, that have kernels which are not square, or poolings of one row: what signals have.
pub const VERSION_ROWS: u16 = 3;
/// Version of files, with integers or without, whatever their kernels, that have a gate with the hard function.
pub const VERSION_HARD: u16 = 4;
/// Version of files, whatever else they have, that say what the network is fed with.
pub const VERSION_FEED: u16 = 5;
/// The newest that this crate reads and writes.
pub const NEWEST: u16 = VERSION_FEED;

/// The example of the README runs.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
