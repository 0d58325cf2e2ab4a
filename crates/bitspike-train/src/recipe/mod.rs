//! The recipe: everything that decides a run, as typed TOML.
//!
//! Every key has a default, so an empty recipe is valid: it trains AGMM on the embedded Fashion-MNIST subset. A key that does
//! not exist, a value of the wrong type or out of range is an error that names key and line and the nearest valid key. The
//! defaults stand in one place, the `Default` of each table.

mod error;
pub mod method;
mod parse;
mod preset;
mod sources;

use crate::optim::{OptimConfig, OptimizerKind, Schedule};
use crate::recipe::method::Method;
use bitspike_data::{AugmentConfig, DataConfig, DataError, DataSet, Views};
use bitspike_nn::Loss;
use bitspike_nn::layers::{AgmmConfig, Estimator, NeuronConfig, NormConfig};
use bitspike_nn::network::{NetworkConfig, NetworkName, NetworkOptions};
use bitspike_nn::ops::conv::Precision;
use serde::{Deserialize, Serialize};

pub use error::RecipeError;
pub use preset::Preset;
pub use sources::{DistillConfig, StartConfig};

/// The JSON schema of recipes: keys, types, defaults, and what they mean. What depends on other keys is checked in parsing only.
#[cfg(feature = "schema")]
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(Recipe);
    schema.insert("title".to_owned(), "Recipe of bitspike".into());
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}

/// When the test part is evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TestAt {
    /// After the last epoch; without a validation part after every epoch, in its place.
    #[default]
    Auto,
    /// After the last epoch and no other; without a validation part epochs are not evaluated.
    End,
    /// Not at all: for runs among which something is chosen on the validation part, which there has to be.
    Never,
}

/// The `[train]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training data.
    pub epochs: u64,
    /// Training steps at least: over a small set an epoch passes several times; 0 for none.
    pub min_steps: u64,
    /// Samples of a training step.
    pub batch_size: usize,
    /// Samples of an evaluation step.
    pub eval_batch_size: usize,
    /// When the test part is evaluated.
    pub test: TestAt,
    /// Loss over the time steps.
    pub loss: Loss,
    /// Label smoothing ε: that share of every training target is spread evenly over all classes; 0 for none.
    pub label_smoothing: f64,
    /// Weight of the classes in the loss.
    pub class_weights: ClassWeights,
    /// Decay of a moving average of all parameters, which is evaluated and exported in place of the trained ones; 0 for none.
    pub ema: f64,
    /// Weight of the firing-rate regulariser: that times the mean over layers of (rate − ½)² joins the loss; 0 for none.
    pub rate_weight: f64,
    /// Keep less memory between forward and backward pass and convolve again in the backward pass; the same results.
    pub recompute: bool,
    /// Background threads that prepare batches; 0 prepares them between steps.
    pub workers: usize,
    /// Steps between two `step` records of the metrics.
    pub log_every: u64,
    /// Steps between two samples of gradient statistics and of the flip prediction; each costs a pass over the weights.
    pub diagnose_every: u64,
    /// Steps between two checkpoints within an epoch; 0 for checkpoints at epoch ends only.
    pub checkpoint_every: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 8,
            min_steps: 0,
            batch_size: 64,
            eval_batch_size: 250,
            test: TestAt::Auto,
            loss: Loss::Tet,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            ema: 0.0,
            rate_weight: 0.0,
            recompute: false,
            workers: 1,
            log_every: 20,
            diagnose_every: 20,
            checkpoint_every: 0,
        }
    }
}

/// Weight of the classes in the training loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every sample counts the same.
    #[default]
    None,
    /// Every class counts the same: a sample has weight n / (K · n_k), n_k of n training samples of its class, one of K.
    Balanced,
}

impl ClassWeights {
    /// Weight of each class for so many training samples of each; `None` if all are 1. A class without samples gets 0.
    ///
    /// ```
    /// use bitspike_train::recipe::ClassWeights;
    /// assert_eq!(ClassWeights::Balanced.of(&[10, 30]), Some(vec![2.0, 2.0 / 3.0]));
    /// ```
    pub fn of(self, counts: &[usize]) -> Option<Vec<f32>> {
        let (all, there) = (counts.iter().sum::<usize>() as f64, counts.iter().filter(|n| **n > 0).count() as f64);
        let weight = |&n: &usize| if n == 0 { 0.0 } else { (all / (there * n as f64)) as f32 };
        (self == Self::Balanced).then(|| counts.iter().map(weight).collect())
    }
}

impl TrainConfig {
    /// Passes of an epoch over training data of so many batches.
    pub fn passes(&self, batches: usize) -> u64 {
        self.min_steps.div_ceil(self.epochs.saturating_mul(batches as u64).max(1)).max(1)
    }
}

/// A recipe; see the [module documentation](self).
///
/// ```
/// use bitspike_train::recipe::Recipe;
/// let recipe = Recipe::parse("method = 'bsnn'\n[optim]\nlr = 0.05\n", "my.toml").unwrap();
/// assert_eq!(recipe.optim.lr, 0.05);
/// assert_eq!(Recipe::parse("[data]\nset = 'cifar10'\n", "my.toml").unwrap().name, "cifar10");
/// let error = Recipe::parse("[optim]\nlearning_rat = 0.05\n", "my.toml").unwrap_err();
/// assert!(error.to_string().contains("my.toml:2"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Name of the run, part of the name of its folder; of a recipe without one, that of its data set.
    pub name: String,
    /// Training method: the one line that switches AGMM on (`agmm`) or off (`bsnn`).
    pub method: Method,
    /// Seed of starting values, sample order and augmentation.
    pub seed: u64,
    /// How exactly the CPU kernels compute gradients.
    pub precision: Precision,
    /// What keys are that the recipe does not give.
    pub preset: Preset,
    /// What is trained and tested on.
    pub data: DataConfig,
    /// How images are changed on the way in.
    pub augment: AugmentConfig,
    /// Structure of the network.
    pub network: NetworkConfig,
    /// Neurons.
    pub neuron: NeuronConfig,
    /// Batch norm.
    pub norm: NormConfig,
    /// The gate, where the method has one.
    pub agmm: AgmmConfig,
    /// The training loop.
    pub train: TrainConfig,
    /// The optimiser.
    pub optim: OptimConfig,
    /// The learning rate over time.
    pub schedule: Schedule,
    /// Where the weights start from.
    pub init: StartConfig,
    /// A trained network as a teacher.
    pub distill: DistillConfig,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "fashion-mnist-mini".to_owned(),
            method: Method::default(),
            seed: 1,
            precision: Precision::default(),
            preset: Preset::default(),
            data: DataConfig::default(),
            augment: AugmentConfig::default(),
            network: NetworkConfig::default(),
            neuron: NeuronConfig::default(),
            norm: NormConfig::default(),
            agmm: AgmmConfig::default(),
            train: TrainConfig::default(),
            optim: OptimConfig::default(),
            schedule: Schedule::default(),
            init: StartConfig::default(),
            distill: DistillConfig::default(),
        }
    }
}

impl Recipe {
    /// Parses TOML text; `origin` is the file name used in errors.
    ///
    /// # Errors
    /// [`RecipeError`] with file, line, key, what was found and what was expected.
    pub fn parse(text: &str, origin: &str) -> Result<Self, RecipeError> {
        parse::parse(text, origin, &[])
    }

    /// Parses TOML text and then sets `key=value` pairs, as given by `--set`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); an error in a pair names the pair.
    pub fn parse_with(text: &str, origin: &str, sets: &[String]) -> Result<Self, RecipeError> {
        parse::parse(text, origin, sets)
    }

    /// Reads the recipe's data set; sets of sequences get T frames per sample.
    ///
    /// # Errors
    /// As [`bitspike_data::load`].
    pub fn load_data(&self) -> Result<DataSet, DataError> {
        bitspike_data::load_frames(&self.data, self.network.steps)
    }

    /// What decides the recipe's data: recipes of the same key read the same. Frames per sample count where samples are
    /// sequences of events or of views.
    ///
    /// ```
    /// use bitspike_train::recipe::Recipe;
    /// let recipe = |set: &str, steps: u32| {
    ///     Recipe::parse(&format!("[data]\nset = '{set}'\n[network]\nT = {steps}\n"), "inline").unwrap()
    /// };
    /// assert!(recipe("mnist", 1).data_key() == recipe("mnist", 2).data_key());
    /// assert!(recipe("n-mnist", 1).data_key() != recipe("n-mnist", 2).data_key());
    /// assert!(recipe("mnist'\nviews = 'mirrored", 1).data_key() != recipe("mnist'\nviews = 'mirrored", 2).data_key());
    /// ```
    pub fn data_key(&self) -> (DataConfig, Option<usize>) {
        let sequences = self.data.set.is_events() || self.data.views != Views::Same;
        (self.data.clone(), sequences.then_some(self.network.steps))
    }

    /// The recipe as TOML, every default written out, but for what a network's name decides.
    pub fn to_toml(&self) -> String {
        const PLAIN: &str = "a recipe is plain tables, strings and numbers";
        if self.network.name == NetworkName::Custom {
            return toml::to_string(self).expect(PLAIN);
        }
        let mut table = toml::Table::try_from(self).expect(PLAIN);
        if let Some(toml::Value::Table(network)) = table.get_mut("network") {
            network.retain(|key, _| !parse::NAMED.contains(&key));
        }
        toml::to_string(&table).expect(PLAIN)
    }

    /// Checks ranges and combinations again, as parsing does: for a recipe made from another one.
    ///
    /// # Errors
    /// [`RecipeError::Range`] naming the key.
    pub fn check(&self) -> Result<(), RecipeError> {
        parse::check(self)
    }

    /// What the network is built from, with the method applied.
    pub fn network_options(&self) -> NetworkOptions {
        NetworkOptions {
            network: self.network.clone(),
            neuron: self.neuron.clone(),
            norm: self.norm.clone(),
            gate: self.method.gate(&self.agmm),
            full_precision: self.method.full_precision(),
            precision: self.precision,
            estimator: self.estimator(),
            recompute: self.train.recompute,
        }
    }

    /// This recipe with another method and seed.
    pub fn with(&self, method: Method, seed: u64) -> Self {
        Self { method, seed, ..self.clone() }
    }

    /// The optimiser's configuration, with the method applied.
    pub fn optim_config(&self) -> OptimConfig {
        let mut config = self.optim.clone();
        config.lr_binary_mult *= self.method.lr_binary_mult();
        self.method.rule(&mut config);
        config
    }

    /// The estimator of the gradient of the sign, with the method applied.
    pub fn estimator(&self) -> Estimator {
        self.method.estimator(self.network.estimator)
    }

    /// Weight of the firing-rate regulariser in the loss, with the method applied; 0 leaves it out.
    pub fn rate_weight(&self) -> f64 {
        self.method.rate_weight().unwrap_or(self.train.rate_weight)
    }

    /// What is evaluated and exported, where it is not the trained weights themselves: for records.
    pub fn weights(&self) -> Option<String> {
        (self.train.ema > 0.0).then(|| format!("averaged with decay {}", self.train.ema))
    }

    /// Advice about combinations that are valid but rarely meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let gate = self.method.gate(&self.agmm);
        if self.optim.kind == OptimizerKind::Adamw && (gate.is_some() || self.optim_config().lr_binary_mult != 1.0) {
            warnings.push(format!(
                "method {} with optim.kind = \"adamw\": AdamW divides by the size of the gradient, so it cancels a \
                 constant gate and most of AGMM's scaling; use optim.kind = \"sgd\" to study the gate",
                self.method
            ));
        }
        warnings
    }
}
