//! What a run folder says of its recipe and data.

use crate::error::TrainError;
use crate::optim::BinaryStep;
use crate::recipe::Recipe;
use bitspike_data::DataSet;
use bitspike_run::{RunFolder, RunInfo};
use std::path::Path;

/// A run folder, its recipe and its record, if `data` are those it was started with.
pub(crate) fn reopen(folder: &Path, data: &DataSet) -> Result<(RunFolder, Recipe, RunInfo), TrainError> {
    let folder = RunFolder::open(folder)?;
    let recipe = read_recipe(&folder)?;
    let info = folder.read_info()?;
    same_data(&info, data)?;
    Ok((folder, recipe, info))
}

/// The recipe of a run folder.
///
/// # Errors
/// [`TrainError`] if it is missing or was edited into something invalid.
pub fn read_recipe(folder: &RunFolder) -> Result<Recipe, TrainError> {
    let origin = folder.file(bitspike_run::RECIPE_FILE).display().to_string();
    let text = folder.read_recipe()?;
    let mut recipe = Recipe::parse(&text, &origin)?;
    // A run writes every key. One without this key is from before the relative step, and goes on as it began.
    if !text.contains("binary_step") {
        recipe.optim.binary_step = BinaryStep::Absolute;
    }
    Ok(recipe)
}

/// Checks that the data are those a run was started with.
///
/// # Errors
/// [`TrainError::DataChanged`] with the file and both hashes, or [`TrainError::DataFiles`] with both counts.
pub fn same_data(info: &RunInfo, data: &DataSet) -> Result<(), TrainError> {
    let (expected, found) = (info.dataset.files.len(), data.files.len());
    if expected != found {
        return Err(TrainError::DataFiles { expected, found });
    }
    for (then, now) in info.dataset.files.iter().zip(&data.files) {
        if then.sha256 != now.sha256 {
            let (expected, found) = (then.sha256.clone(), now.sha256.clone());
            return Err(TrainError::DataChanged { path: now.path.clone(), expected, found });
        }
    }
    Ok(())
}
