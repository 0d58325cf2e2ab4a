//! A trained network from a run, for evaluation.

use crate::error::TrainError;
use crate::recipe::Recipe;
use crate::run::checkpoint::Checkpoint;
use bitspike_data::{DataSet, SampleShape};
use bitspike_nn::Init;
use bitspike_nn::network::{Network, Plan};
use burn::tensor::Device;

/// The plan of a recipe's network for a data set.
///
/// # Errors
/// [`TrainError`]: a network that does not fit the frames, or sequences of another length than T.
pub fn plan(recipe: &Recipe, data: &DataSet) -> Result<Plan, TrainError> {
    plan_for(recipe, &SampleShape { frames: data.steps(), shape: data.shape(), classes: data.classes() })
}

/// As [`plan`], for samples of a known shape.
///
/// # Errors
/// As [`plan`].
pub fn plan_for(recipe: &Recipe, samples: &SampleShape) -> Result<Plan, TrainError> {
    let (steps, frames) = (recipe.network.steps, samples.frames);
    if frames != 1 && frames != steps {
        return Err(TrainError::Frames { steps, frames });
    }
    Ok(recipe.network_options().plan(samples.shape, samples.classes)?.with_frames(frames))
}

/// The network of a checkpoint on a device without autodiff, and its plan: the averaged one where the recipe has `train.ema`.
///
/// # Errors
/// [`TrainError`] if recipe, data and checkpoint do not fit each other.
pub fn load(
    recipe: &Recipe,
    data: &DataSet,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<(Plan, Network), TrainError> {
    let plan = plan(recipe, data)?;
    let network = Network::new(&plan, &Init::new(recipe.seed), device);
    let network = if recipe.train.ema > 0.0 { checkpoint.averaged(network)? } else { checkpoint.network(network)? };
    Ok((plan, network))
}
