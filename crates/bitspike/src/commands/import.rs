//! `bitspike import`: a NIR graph becomes a recipe and its starting weights.

use crate::args::ImportArgs;
use crate::error::CliError;
use crate::output;
use bitspike_nir::{NirError, ReadOptions};
use bitspike_run::{atomic_write, write_text_atomic};
use std::io::Write;

pub fn run(args: &ImportArgs) -> Result<bool, CliError> {
    let options = ReadOptions { dt: args.nir_dt, soft_reset: args.nir_soft_reset.then_some(true) };
    let refuse = |source| match source {
        // It says which file by itself.
        NirError::Io { .. } => CliError::from(source),
        source => CliError::Graph { path: args.file.clone(), source: source.into() },
    };
    let start = bitspike_nir::read(&args.file, &options).map_err(refuse)?;
    let bytes = start.safetensors().map_err(refuse)?;
    let (recipe, weights) = (args.out.join("recipe.toml"), args.out.join("start.safetensors"));
    std::fs::create_dir_all(&args.out).map_err(|source| CliError::Read { path: args.out.clone(), source })?;
    atomic_write(&weights, |out| out.write_all(&bytes))?;
    write_text_atomic(&recipe, &format!("{}\n[init]\nfrom = {:?}\n", start.recipe(), weights.display().to_string()))?;
    start.notes.iter().for_each(|note| output::note(&format!("note: {note}")));
    let [c, h, w] = start.input;
    output::result(&format!(
        "{}: {} for inputs of {c}x{h}x{w} and {} classes, from {}\n",
        recipe.display(),
        start.layers,
        start.classes,
        weights.display()
    ))?;
    Ok(true)
}
