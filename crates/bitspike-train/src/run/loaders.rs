//! Batches for training and evaluation, from a recipe and a data set.

use crate::error::TrainError;
use crate::recipe::{Recipe, TestAt};
use bitspike_data::{Batch, DataError, DataSet, Loader, LoaderOptions, Pipeline, SampleSet};
use std::sync::Arc;

/// Loaders of the parts of a data set.
pub(crate) struct Loaders {
    /// Shuffled and augmented; a pass over the training part.
    train: Loader,
    /// Passes of an epoch.
    passes: u64,
    /// What epochs are evaluated on, and its name: the validation part, or the test part if there is none and
    /// [`TestAt`] allows it.
    pub held_out: Option<(&'static str, Loader)>,
    /// The test part.
    pub test: Loader,
    /// Weight of each class in the training loss.
    pub class_weights: Option<Vec<f32>>,
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
            |(name, set): (_, &Arc<SampleSet>)| Ok::<_, TrainError>((name, eval_loader(recipe, data, set.clone())?));
        let passes = recipe.train.passes(train.batches());
        Ok(Self {
            train,
            passes,
            held_out: held_out.map(loader).transpose()?,
            test: eval_loader(recipe, data, data.test.clone())?,
            class_weights: recipe.train.class_weights.of(&data.train.class_counts()),
        })
    }
}

impl Loaders {
    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        self.train.batches() * self.passes as usize
    }

    /// The batches of an epoch from number `first` on, those of all its passes in turn.
    pub fn epoch(&self, epoch: u64, first: usize) -> impl Iterator<Item = Result<Batch, DataError>> + use<> {
        let (loader, passes, each) = (self.train.clone(), self.passes, self.train.batches());
        let (begun, rest) = ((first / each) as u64, first % each);
        (begun..passes).flat_map(move |pass| {
            let from = if pass == begun { rest } else { 0 };
            loader.epoch(epoch * passes + pass, from).map(move |batch| {
                batch.map(|mut batch| {
                    batch.index += pass as usize * each;
                    batch
                })
            })
        })
    }
}

/// A loader for evaluation: file order, no augmentation, every sample.
///
/// # Errors
/// [`TrainError::Data`] for a normalisation that does not fit the data.
pub fn eval_loader(recipe: &Recipe, data: &DataSet, set: Arc<SampleSet>) -> Result<Loader, TrainError> {
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
