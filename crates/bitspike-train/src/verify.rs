//! A deployed file against the trained network, sample by sample and layer by layer.
//!
//! Both run on their own from the same images. The packed runtime's ways to run (portable, in steps, fast kernels) must agree
//! to the last bit. The trainer normalises and gates in another order of float operations, so a spike may differ where a
//! potential lies within rounding of its threshold, and what follows it in that sample; counts of both, and the first
//! difference by name, say how much that is.

use crate::param::host;
use bitspike_data::Loader;
use bitspike_format::{Block, Layer, Map, Model, Pool};
use bitspike_infer::fast::Engine;
use bitspike_infer::{InferError, best};
use bitspike_nn::network::{Network, Observer};
use burn::tensor::{Device, Tensor};

/// Where a spike differs for the first time: samples in order, layers in order, steps in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Index in the data set.
    pub sample: u32,
    /// Module path.
    pub layer: String,
    /// Time step, from 0.
    pub step: usize,
    /// Channel, row and column.
    pub at: [usize; 3],
    /// Spikes, or quarters of an average pooling, in the trainer.
    pub trainer: u32,
    /// The same in the deployed file.
    pub deployed: u32,
}

/// Counts of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerAgreement {
    /// Module path.
    pub layer: String,
    /// Values compared: neurons times steps times samples.
    pub values: u64,
    /// Values that differ.
    pub different: u64,
    /// Samples in which all values of this layer and those before agree.
    pub equal_samples: u64,
    /// Sum of spikes (or quarters) in the trainer.
    pub trainer_spikes: u64,
    /// The same in the deployed file.
    pub deployed_spikes: u64,
}

/// The outcome of [`verify`].
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Samples compared.
    pub samples: u64,
    /// Samples with the same prediction.
    pub same_predictions: u64,
    /// Correct predictions of the trainer.
    pub trainer_correct: u64,
    /// Correct predictions of the deployed file.
    pub deployed_correct: u64,
    /// Largest difference of a logit.
    pub largest_logit_difference: f32,
    /// Samples whose logits are the same bits in all ways to run the file.
    pub paths_agree: u64,
    /// Layers in order.
    pub layers: Vec<LayerAgreement>,
    /// The first difference, if there is any.
    pub first: Option<Difference>,
}

impl Agreement {
    /// Share of samples with the same prediction.
    pub fn predictions(&self) -> f64 {
        self.same_predictions as f64 / self.samples.max(1) as f64
    }
}

/// Something that keeps a comparison from being made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file is for other images or classes.
    #[error(
        "the file takes frames of {file:?} and knows {file_classes} classes; the data have {data:?} and {data_classes}"
    )]
    Shape {
        /// Channels, rows and columns of the file.
        file: [usize; 3],
        /// Classes of the file.
        file_classes: usize,
        /// Shape of the images.
        data: [usize; 3],
        /// Classes of the data.
        data_classes: usize,
    },
    /// The layers of the file are not those of the run.
    #[error("the file has {file} layers with spikes, the run has {run}")]
    Layers {
        /// In the file.
        file: usize,
        /// In the run.
        run: usize,
    },
    /// The runtime refused a call.
    #[error(transparent)]
    Infer(#[from] InferError),
}

/// The trainer's spikes of a batch, layer by layer.
#[derive(Default)]
struct Trained(Vec<(String, [usize; 5], Vec<f32>)>);

impl Observer for Trained {
    fn spikes(&mut self, layer: &str, spikes: &Tensor<5>) {
        self.0.push((layer.to_owned(), spikes.dims(), host(spikes.clone())));
    }
}

/// The deployed spikes of a sample, layer by layer, steps one after the other.
#[derive(Default, PartialEq)]
struct Deployed(Vec<(Map, Vec<u32>)>);

impl bitspike_infer::Observer for Deployed {
    fn spikes(&mut self, layer: usize, _: usize, map: &Map, words: &[u32]) {
        self.0.resize_with(self.0.len().max(layer + 1), || (*map, Vec::new()));
        self.0[layer].0 = *map;
        self.0[layer].1.extend_from_slice(words);
    }
}

/// Compares up to `samples` samples of a loader.
///
/// # Errors
/// [`VerifyError`] if file, run and data do not fit each other.
pub fn verify(
    model: &Model<'_>,
    network: &Network,
    loader: &Loader,
    samples: usize,
    device: &Device,
) -> Result<Agreement, VerifyError> {
    let n = model.network();
    let file = [n.input.channels, n.input.rows, n.input.columns];
    let set = loader.set();
    if file != set.shape || n.classes != set.classes.len() {
        let (data, data_classes) = (set.shape, set.classes.len());
        return Err(VerifyError::Shape { file, file_classes: n.classes, data, data_classes });
    }
    let pools: Vec<(usize, Pool)> = model
        .layers()
        .enumerate()
        .filter_map(|(i, layer)| match layer {
            Layer::Block(Block { neuron: None, .. }) | Layer::Head(_) => None,
            Layer::Block(b) => Some((i, b.pool)),
            Layer::Residual(_) | Layer::Neurons(_) => Some((i, Pool::None)),
        })
        .collect();
    let mut paths = Paths::new(model)?;
    let mut result = Agreement {
        samples: 0,
        same_predictions: 0,
        trainer_correct: 0,
        deployed_correct: 0,
        largest_logit_difference: 0.0,
        paths_agree: 0,
        layers: Vec::new(),
        first: None,
    };
    for batch in loader.epoch(0, 0) {
        let (images, labels, ids) = (batch.images.clone(), batch.labels.clone(), batch.sample_ids.clone());
        let (tensors, _) = crate::evaluate::tensors(batch, device);
        let mut trained = Trained::default();
        let logits = network.forward(tensors, &mut trained);
        if trained.0.len() != pools.len() {
            return Err(VerifyError::Layers { file: pools.len(), run: trained.0.len() });
        }
        let logits = host(logits.mean_dim(0));
        if result.layers.is_empty() {
            result.layers = trained.0.iter().map(|(name, ..)| LayerAgreement::new(name)).collect();
        }
        for (i, image) in images.chunks_exact(n.input.len()).enumerate() {
            let (deployed_logits, spikes, agree) = paths.run(model, image)?;
            let expected = &logits[i * n.classes..][..n.classes];
            let mut equal = true;
            for (k, ((name, dims, values), (layer, pool))) in trained.0.iter().zip(&pools).enumerate() {
                let (map, words) = &spikes.0[*layer];
                let place = Place { sample: ids[i], name, index: i };
                equal &= result.layers[k].compare(place, *dims, values, *pool, map, words, &mut result.first);
                result.layers[k].equal_samples += u64::from(equal);
            }
            let (trainer, deployed) = (best(expected), best(deployed_logits));
            result.samples += 1;
            result.paths_agree += u64::from(agree);
            result.same_predictions += u64::from(trainer == deployed);
            result.trainer_correct += u64::from(labels[i] == trainer as i64);
            result.deployed_correct += u64::from(labels[i] == deployed as i64);
            for (a, b) in expected.iter().zip(deployed_logits) {
                result.largest_logit_difference = result.largest_logit_difference.max((a - b).abs());
            }
            if result.samples >= samples as u64 {
                return Ok(result);
            }
        }
    }
    Ok(result)
}

/// All ways to run a file.
struct Paths<'m> {
    arena: Vec<u32>,
    steps: Vec<u32>,
    engine: Engine<'m>,
    workspace: bitspike_infer::fast::Workspace,
    logits: Vec<f32>,
    other: Vec<f32>,
    spikes: Deployed,
}

impl<'m> Paths<'m> {
    fn new(model: &Model<'m>) -> Result<Self, InferError> {
        let engine = Engine::new(model)?;
        Ok(Self {
            arena: vec![0; bitspike_infer::run_words(model)?],
            steps: vec![0; bitspike_infer::step_words(model)?],
            workspace: engine.workspace(),
            engine,
            logits: vec![0.0; model.network().classes],
            other: vec![0.0; model.network().classes],
            spikes: Deployed::default(),
        })
    }

    /// Logits, spikes, and whether logits and spikes of the other ways are the same bits.
    fn run(&mut self, model: &Model<'_>, image: &[f32]) -> Result<(&[f32], &Deployed, bool), InferError> {
        self.spikes.0.clear();
        bitspike_infer::run(model, &mut self.arena, image, &mut self.logits, &mut self.spikes)?;
        let mut seen = Deployed::default();
        self.engine.run(&mut self.workspace, image, &mut self.other, &mut seen)?;
        let mut agree = seen == self.spikes && same_bits(&self.logits, &self.other);
        let mut seen = Deployed::default();
        bitspike_infer::reset(model, &mut self.steps)?;
        for _ in 0..model.network().steps {
            bitspike_infer::step(model, &mut self.steps, image, &mut self.other, &mut seen)?;
        }
        agree &= seen == self.spikes && same_bits(&self.logits, &self.other);
        Ok((&self.logits, &self.spikes, agree))
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()))
}

/// A sample of a batch, for a layer.
struct Place<'a> {
    sample: u32,
    name: &'a str,
    /// Its index in the batch.
    index: usize,
}

impl LayerAgreement {
    fn new(name: &str) -> Self {
        Self {
            layer: name.to_owned(),
            values: 0,
            different: 0,
            equal_samples: 0,
            trainer_spikes: 0,
            deployed_spikes: 0,
        }
    }

    /// Compares a sample; true if all values agree. `values` are the trainer's spikes `[T, N, C, H, W]` before any pooling.
    #[allow(clippy::too_many_arguments)]
    fn compare(
        &mut self,
        place: Place<'_>,
        [steps, n, c, h, w]: [usize; 5],
        values: &[f32],
        pool: Pool,
        map: &Map,
        words: &[u32],
        first: &mut Option<Difference>,
    ) -> bool {
        let before = self.different;
        let pooled = matches!(pool, Pool::Spikes | Pool::MaxSpikes);
        for t in 0..steps {
            let sample = &values[(t * n + place.index) * c * h * w..][..c * h * w];
            let words = &words[t * map.bit_words()..][..map.bit_words()];
            for channel in 0..c {
                for y in 0..map.rows {
                    for x in 0..map.columns {
                        let at = |y: usize, x: usize| sample[(channel * h + y) * w + x] as u32;
                        let trainer = if pooled {
                            let sum = at(2 * y, 2 * x)
                                + at(2 * y, 2 * x + 1)
                                + at(2 * y + 1, 2 * x)
                                + at(2 * y + 1, 2 * x + 1);
                            if pool == Pool::MaxSpikes { sum.min(1) } else { sum }
                        } else {
                            at(y, x)
                        };
                        let mut deployed = 0;
                        for plane in 0..map.planes {
                            let word = ((plane * map.rows + y) * map.columns + x) * map.words() + channel / 32;
                            deployed += (words[word] >> (channel % 32) & 1) << plane;
                        }
                        self.values += 1;
                        self.trainer_spikes += u64::from(trainer);
                        self.deployed_spikes += u64::from(deployed);
                        if trainer != deployed {
                            self.different += 1;
                            first.get_or_insert_with(|| Difference {
                                sample: place.sample,
                                layer: place.name.to_owned(),
                                step: t,
                                at: [channel, y, x],
                                trainer,
                                deployed,
                            });
                        }
                    }
                }
            }
        }
        self.different == before
    }
}
