//! NIR, the graphs that spiking networks are exchanged as between PyTorch libraries and neuromorphic hardware
//! (Pedersen et al., Nature Communications 2024): a `.bsnn` network out, and graphs in as starting weights of a binary network.
//!
//! | | |
//! |---|---|
//! | [`export`], [`write()`] | a network as a graph, or as a file; refuses by layer what NIR has no words for |
//! | [`start`], [`read`] | a graph, or a file, as named parameters and a recipe; refuses by node what is no binary network |
//! | [`Graph`] | nodes and edges, HDF5 in and out without a C library |
//! | [`Interpreter`] | runs a graph in plain loops: what export is tested against |
//!
//! What is computed, what is refused and which libraries agree: `docs/guides/nir.md`.
//!
//! ```
//! use bitspike_format::{Features, GateSpec, LayerSpec, Model, Pool, Reset, example};
//! let mut spec = example::chain("4-8-P-8", [1, 8, 8], 2, Features::Average, Pool::Current, &|_, _, _| GateSpec::None);
//! for layer in &mut spec.layers {
//!     if let LayerSpec::Block(b) = layer {
//!         b.neuron.as_mut().expect("a chain has neurons").reset = Reset::Hard;
//!     }
//! }
//! let bytes = bitspike_format::write(&spec)?;
//! let home = tempfile::tempdir()?;
//! let path = home.path().join("net.nir");
//! bitspike_nir::write(&Model::parse(&bytes).unwrap(), &bitspike_nir::Options::default(), &path)?;
//!
//! let start = bitspike_nir::read(&path, &bitspike_nir::ReadOptions::default())?;
//! assert_eq!(start.layers, "4-8-P-8");
//! assert!(start.recipe().contains("reset = \"hard\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod error;
mod export;
mod file;
mod graph;
mod import;
mod interpret;
mod kernels;

pub use error::NirError;
pub use export::{Layout, Options, export};
pub use graph::{Array, Conv2d, CubaLif, Graph, If, Lif, Metadata, Node, Op, Pool2d, Value};
pub use import::{ReadOptions, Start, Tensor, start};
pub use interpret::Interpreter;

use bitspike_format::Model;
use std::path::Path;

/// Seconds of a time step: what importers take where nothing says otherwise.
pub const DT: f64 = 1e-4;

/// Writes the graph of a network as a file.
///
/// # Errors
/// Those of [`export`] and [`Graph::write`].
pub fn write(model: &Model<'_>, options: &Options, path: &Path) -> Result<(), NirError> {
    export(model, options)?.write(path)
}

/// Reads a file as starting weights of a binary network.
///
/// # Errors
/// Those of [`Graph::read`] and [`start`].
pub fn read(path: &Path, options: &ReadOptions) -> Result<Start, NirError> {
    start(&Graph::read(path)?, options)
}

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
