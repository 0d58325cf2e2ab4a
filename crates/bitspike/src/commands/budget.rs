//! Budgets of a device: what a network will take there is known before it is trained.
//!
//! Flash is the packed file with the tables of a stream, memory that of a stream (window, arena and all else) for recordings of sensors, of an
//! inference otherwise. Code of the runtime comes on top: some 10 to 20 kB. How long an inference takes depends on the device, and
//! is not predicted; multiply-adds stand for it.

use super::shared::bytes;
use crate::args::Budget;
use crate::error::CliError;
use bitspike_data::DataSet;
use bitspike_format::{Model, write};
use bitspike_nn::Init;
use bitspike_nn::network::Network;
use bitspike_train::deploy::{ExportError, export};
use bitspike_train::device;
use bitspike_train::recipe::Recipe;
use bitspike_train::run::network;
use std::fmt;
use std::path::PathBuf;

/// What a network takes on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes that are only read.
    pub flash: u64,
    /// Bytes that are written.
    pub ram: u64,
    /// Multiply-adds of a sample, all time steps.
    pub macs: u64,
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millions = self.macs as f64 / 1e6;
        write!(f, "flash {}, memory {}, {millions:.2} million operations", bytes(self.flash), bytes(self.ram))
    }
}

impl Footprint {
    /// Of the recipe's network as it is before training: sizes do not depend on values.
    pub fn of(recipe: &Recipe, data: &DataSet) -> Result<Self, CliError> {
        let plan = network::plan(recipe, data)?;
        let net = Network::new(&plan, &Init::new(recipe.seed), &device::by_name("cpu")?);
        let file = write(&export::describe(recipe, data, &plan, &net)?).map_err(ExportError::from)?;
        let model =
            Model::parse(&file).map_err(|source| CliError::Format { path: PathBuf::from("network"), source })?;
        let macs = plan.summary().layers.iter().map(|layer| layer.macs * layer.repeats).sum();
        // Encoders that no stream has are those of random spikes and bell curves: the network alone then.
        let stream = model.feed().is_some_and(|feed| feed.signal.is_some());
        let stream = stream.then(|| bitspike_infer::c99::stream(&model, "net", None).ok()).flatten();
        let (tables, ram) = match stream {
            Some(stream) => (stream.table_bytes, stream.ram_bytes),
            None => (0, 4 * bitspike_infer::run_words(&model)? as u64),
        };
        Ok(Self { flash: file.len() as u64 + tables, ram, macs })
    }
}

impl Budget {
    /// Whether anything is limited.
    pub fn is_set(&self) -> bool {
        self.max_flash.is_some() || self.max_ram.is_some() || self.max_operations.is_some()
    }

    /// Whether a network fits.
    pub fn allows(&self, f: &Footprint) -> bool {
        let within = |limit: Option<u64>, found: u64| limit.is_none_or(|limit| found <= limit);
        within(self.max_flash.map(|size| size.as_u64()), f.flash)
            && within(self.max_ram.map(|size| size.as_u64()), f.ram)
            && within(self.max_operations, f.macs)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |name: &str, size: Option<u64>| size.map(|n| format!("{name} {}", bytes(n)));
        let limits = [
            size("flash", self.max_flash.map(|size| size.as_u64())),
            size("memory", self.max_ram.map(|size| size.as_u64())),
            self.max_operations.map(|n| format!("{:.2} million operations", n as f64 / 1e6)),
        ];
        f.write_str(&limits.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Widths that are tried, from the recipe's own.
const WIDTHS: [f64; 11] = [1.0, 0.8, 0.65, 0.5, 0.4, 0.32, 0.25, 0.18, 0.125, 0.09, 0.0625];

/// The widest network that fits, as a factor on the recipe's `network.width`, and what it takes.
///
/// # Errors
/// [`CliError::Usage`] if none fits, with what the narrowest takes; as [`Footprint::of`].
pub fn widest(budget: &Budget, recipe: &Recipe, data: &DataSet) -> Result<(f64, Footprint), CliError> {
    let mut least = None;
    for width in WIDTHS {
        let mut narrower = recipe.clone();
        narrower.network.width *= width;
        let found = Footprint::of(&narrower, data)?;
        if budget.allows(&found) {
            return Ok((width, found));
        }
        least = Some(found);
    }
    let least = least.expect("widths are tried");
    Err(CliError::Usage(format!(
        "no network of this shape fits into {budget}: the narrowest that is tried takes {least}; shorter windows, fewer \
         features or a smaller size need less"
    )))
}
