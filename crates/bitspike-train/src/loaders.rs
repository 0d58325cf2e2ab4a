//! Batches for training and evaluation, from a recipe and a data set.

use crate::error::TrainError;
use crate::recipe::{Recipe, TestAt};
use bitspike_data::{DataSet, ImageSet, Loader, LoaderOptions, Pipeline};
use std::sync::Arc;

/// Loaders of the parts of a data set.
pub(crate) struct Loaders {
    /// Shuffled and augmented.
    pub train: Loader,
    /// What epochs are evaluated on, and its name: the validation part, or the test part if there is none and
    /// [`TestAt`] allows it.
    pub held_out: Option<(&'static str, Loader)>,
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
        let held_out = match (&data.validation, recipe.train.test) {
            (Some(validation), _) => Some(("validation", validation)),
            (None, TestAt::Auto) => Some(("test", &data.test)),
            (None, TestAt::End) => None,
            (None, TestAt::Never) => return Err(TrainError::NoValidation),
        };
        let loader =
            |(name, set): (_, &Arc<ImageSet>)| Ok::<_, TrainError>((name, eval_loader(recipe, data, set.clone())?));
        Ok(Self {
            train,
            held_out: held_out.map(loader).transpose()?,
            test: eval_loader(recipe, data, data.test.clone())?,
        })
    }
}

/// A loader for evaluation: file order, no augmentation, every sample.
///
/// # Errors
/// [`TrainError::Data`] for a normalisation that does not fit the data.
pub fn eval_loader(recipe: &Recipe, data: &DataSet, set: Arc<ImageSet>) -> Result<Loader, TrainError> {
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
