//! Batches for training and evaluation, from a recipe and a data set.

use crate::error::TrainError;
use crate::recipe::Recipe;
use bitspike_data::{DataSet, Loader, LoaderOptions, Pipeline};

/// Loaders of the parts of a data set.
pub(crate) struct Loaders {
    /// Shuffled and augmented.
    pub train: Loader,
    /// What epochs are evaluated on: the validation part, or the test part if there is none.
    pub held_out: Loader,
    /// The test part.
    pub test: Loader,
}

impl Loaders {
    pub fn new(recipe: &Recipe, data: &DataSet) -> Result<Self, TrainError> {
        let (batch_size, samples) = (recipe.train.batch_size, data.train.len());
        if batch_size > samples {
            return Err(TrainError::BatchSize { batch_size, samples });
        }
        let train = Loader::new(
            data.train.clone(),
            LoaderOptions {
                batch_size,
                shuffle: true,
                seed: recipe.seed,
                augment: Pipeline::train(&recipe.augment, data)?,
                // A last, smaller batch would have statistics of its own.
                drop_last: true,
                workers: recipe.train.workers,
                ..LoaderOptions::default()
            },
        )?;
        let held_out = data.validation.as_ref().unwrap_or(&data.test);
        Ok(Self {
            train,
            held_out: eval_loader(recipe, data, held_out.clone())?,
            test: eval_loader(recipe, data, data.test.clone())?,
        })
    }
}

/// A loader for evaluation: file order, no augmentation, every sample.
///
/// # Errors
/// [`TrainError::Data`] for a normalisation that does not fit the data.
pub fn eval_loader(
    recipe: &Recipe,
    data: &DataSet,
    set: std::sync::Arc<bitspike_data::ImageSet>,
) -> Result<Loader, TrainError> {
    let options = LoaderOptions {
        batch_size: recipe.train.eval_batch_size,
        shuffle: false,
        augment: Pipeline::eval(&recipe.augment, data)?,
        drop_last: false,
        workers: recipe.train.workers,
        ..LoaderOptions::default()
    };
    Ok(Loader::new(set, options)?)
}
