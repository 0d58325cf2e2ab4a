//! A deployed file against the trained network, sample by sample and layer by layer.
//!
//! Three computations of the same images, each on its own:
//!
//! ```text
//! trainer          the network as it was trained: batch norm, scales, gates unfolded
//! folded trainer   its folded description as tensor operations (`folded`), packed nowhere
//! packed           the file in the runtime: portable, in steps, fast kernels
//! ```
//!
//! The last two must agree to the last bit: every spike, every logit. The trainer normalises and gates in another order of
//! float operations, so a spike may differ where a potential lies within rounding of its threshold, and what follows it in
//! that sample. Counts of both, the first difference by name, and the distance of its potential from the threshold say how
//! much that is.

use crate::deploy::folded::{Folded, Signals};
use crate::param::host;
use bitspike_data::{DataError, Loader};
use bitspike_format::{Block, Layer, Map, Model, ModelSpec, Pool, WriteError, write};
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
    /// Spikes, or quarters (of a signal, halves) of an average pooling, in the trainer (or in the folded trainer).
    pub trainer: u32,
    /// The same in the deployed file.
    pub deployed: u32,
}

/// Where folded trainer and packed file differ for the first time.
#[derive(Clone, Debug, PartialEq)]
pub enum FoldedDifference {
    /// In a spike.
    Spike(Difference),
    /// Spikes are the same, a logit is not.
    Logit {
        /// Index in the data set.
        sample: u32,
        /// The class.
        class: usize,
        /// In the folded trainer.
        folded: f32,
        /// In the deployed file.
        deployed: f32,
    },
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
    /// Sum of spikes (or halves, or quarters) in the trainer.
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
    /// Samples in which folded trainer and file have the same bits: every spike, every logit.
    pub folded_agree: u64,
    /// The first difference between folded trainer and file, if there is any.
    pub first_folded: Option<FoldedDifference>,
    /// Layers in order: trainer and file.
    pub layers: Vec<LayerAgreement>,
    /// The first difference between trainer and file, if there is any.
    pub first: Option<Difference>,
    /// Samples in which a spike of trainer and file differs.
    pub different_samples: u64,
    /// In each of them, the first spike that differs has a potential: the largest distance of one from its threshold. Of a
    /// pooled window, the nearest in it.
    pub largest_distance: f32,
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
    #[error("the file is of another network: expected {run}, found {file}")]
    Layers {
        /// In the file.
        file: String,
        /// In the run.
        run: String,
    },
    /// The run's folded description is no network.
    #[error(transparent)]
    Folded(#[from] WriteError),
    /// The runtime refused a call.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// An image file is gone or damaged.
    #[error(transparent)]
    Data(#[from] DataError),
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

/// Compares the samples of a loader. `spec` is the [description](crate::deploy::export::describe) of the network.
///
/// # Errors
/// [`VerifyError`] if file, run and data do not fit each other.
pub fn verify(
    model: &Model<'_>,
    network: &Network,
    spec: &ModelSpec,
    loader: &Loader,
    device: &Device,
) -> Result<Agreement, VerifyError> {
    let n = model.network();
    let file = [n.input.channels, n.input.rows, n.input.columns];
    let set = loader.set();
    if file != set.shape || n.classes != set.classes.len() {
        let (data, data_classes) = (set.shape, set.classes.len());
        return Err(VerifyError::Shape { file, file_classes: n.classes, data, data_classes });
    }
    let folded = Folded::new(spec, device)?;
    same_layers(model, spec)?;
    let places = places(model);
    let mut paths = Paths::new(model)?;
    let mut result = Agreement {
        samples: 0,
        same_predictions: 0,
        trainer_correct: 0,
        deployed_correct: 0,
        largest_logit_difference: 0.0,
        paths_agree: 0,
        folded_agree: 0,
        first_folded: None,
        layers: Vec::new(),
        first: None,
        different_samples: 0,
        largest_distance: 0.0,
    };
    for batch in loader.epoch(0, 0) {
        let batch = batch?;
        let (images, labels, ids) = (batch.values.clone(), batch.labels.clone(), batch.sample_ids.clone());
        let (tensors, _) = crate::measure::evaluate::tensors(batch, device);
        let mut trained = Trained::default();
        let logits = network.forward(tensors.clone(), &mut trained);
        if trained.0.len() != places.len() {
            let layers = |n: usize| format!("{n} layers with neurons");
            return Err(VerifyError::Layers { file: layers(places.len()), run: layers(trained.0.len()) });
        }
        let logits = host(logits.mean_dim(0));
        let mut signals = Vec::new();
        let folded_logits = host(folded.forward(tensors, &mut |_, s: &Signals| signals.push(s.clone())));
        let folded: Vec<([usize; 5], Vec<f32>)> =
            signals.iter().map(|s| (s.counts.dims(), host(s.counts.clone()))).collect();
        if result.layers.is_empty() {
            result.layers = trained.0.iter().map(|(name, ..)| LayerAgreement::new(name)).collect();
        }
        for i in 0..labels.len() {
            // `[T, N, C, H, W]`: the frames of a sample stand apart.
            let frames = images.chunks_exact(n.input.len()).skip(i).step_by(labels.len());
            let image: Vec<f32> = frames.flatten().copied().collect();
            let (deployed_logits, spikes, agree) = paths.run(model, &image)?;
            let (mut first, mut first_folded) = (None, None);
            for (k, ((name, dims, values), at)) in trained.0.iter().zip(&places).enumerate() {
                let (map, words) = &spikes.0[at.layer];
                let place = Place { sample: ids[i], name, index: i };
                let (different, counts) = compare(&place, *dims, values, at.pool, map, words);
                result.layers[k].add(counts);
                if first.is_none() {
                    result.layers[k].equal_samples += u64::from(different.is_none());
                    first = different.map(|d| (k, d));
                }
                let (dims, values) = &folded[k];
                first_folded = first_folded.or_else(|| compare(&place, *dims, values, Pool::None, map, words).0);
            }
            let (expected, own) = (&logits[i * n.classes..][..n.classes], &folded_logits[i * n.classes..][..n.classes]);
            let first_folded = first_folded.map(FoldedDifference::Spike).or_else(|| {
                let class = own.iter().zip(deployed_logits).position(|(a, b)| a.to_bits() != b.to_bits())?;
                let (folded, deployed) = (own[class], deployed_logits[class]);
                Some(FoldedDifference::Logit { sample: ids[i], class, folded, deployed })
            });
            result.folded_agree += u64::from(first_folded.is_none());
            result.first_folded = result.first_folded.or(first_folded);
            if let Some((k, difference)) = first {
                let distance = distance(&signals[k].potentials, i, &difference, &places[k]);
                result.different_samples += 1;
                result.largest_distance = result.largest_distance.max(distance);
                result.first.get_or_insert(difference);
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
        }
    }
    Ok(result)
}

/// Refuses a file whose layers have other shapes than the run's.
fn same_layers(model: &Model<'_>, spec: &ModelSpec) -> Result<(), VerifyError> {
    let own = write(spec)?;
    let own = Model::parse(&own).map_err(WriteError::from)?;
    let shape = |model: &Model<'_>| {
        let layers = model.layers().filter_map(|layer| layer.output());
        let layers = layers.map(|m| format!("{}x{}x{}", m.channels, m.rows, m.columns)).collect::<Vec<_>>();
        format!("T = {} and layers that give {}", model.network().steps, layers.join(", "))
    };
    let (file, run) = (shape(model), shape(&own));
    let kinds = model.layers().map(|l| l.output()).eq(own.layers().map(|l| l.output()));
    if file == run && kinds { Ok(()) } else { Err(VerifyError::Layers { file, run }) }
}

/// A layer with neurons.
struct At {
    /// Its index in the file.
    layer: usize,
    pool: Pool,
    threshold: f32,
}

fn places(model: &Model<'_>) -> Vec<At> {
    let at = |(layer, l): (usize, Layer<'_>)| {
        let (pool, neuron) = match l {
            Layer::Block(Block { neuron: None, .. }) | Layer::Head(_) => return None,
            Layer::Block(Block { neuron: Some(neuron), pool, .. }) => (pool, neuron),
            Layer::Residual(r) => (Pool::None, r.neuron),
            Layer::Neurons(n) => (Pool::None, n.neuron),
        };
        Some(At { layer, pool, threshold: neuron.threshold })
    };
    model.layers().enumerate().filter_map(at).collect()
}

/// How far the potential of a neuron is from its threshold; of a pooled window, the nearest in it.
fn distance(potentials: &Tensor<5>, index: usize, d: &Difference, at: &At) -> f32 {
    let [channel, y, x] = d.at;
    let [rows, columns] = window(at.pool, potentials.dims()[3]);
    let (y, x) = (rows * y, columns * x);
    let window = [d.step..d.step + 1, index..index + 1, channel..channel + 1, y..y + rows, x..x + columns];
    let values = host(potentials.clone().slice(window));
    values.iter().map(|u| (u - at.threshold).abs()).fold(f32::INFINITY, f32::min)
}

/// Rows and columns of the windows whose spikes are pooled, on a map of so many rows.
fn window(pool: Pool, rows: usize) -> [usize; 2] {
    if matches!(pool, Pool::Spikes | Pool::MaxSpikes) { [rows.min(2), 2] } else { [1, 1] }
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
        let frames = image.chunks_exact(model.network().input.len()).cycle();
        for frame in frames.take(model.network().steps) {
            bitspike_infer::step(model, &mut self.steps, frame, &mut self.other, &mut seen)?;
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

    fn add(&mut self, counts: Counts) {
        self.values += counts.values;
        self.different += counts.different;
        self.trainer_spikes += counts.trainer;
        self.deployed_spikes += counts.deployed;
    }
}

/// Counts of a layer in one sample.
#[derive(Default)]
struct Counts {
    values: u64,
    different: u64,
    trainer: u64,
    deployed: u64,
}

/// Compares a layer of a sample: the first difference, and counts. `values` are spikes `[T, N, C, H, W]` before a pooling
/// that is still to be done.
fn compare(
    place: &Place<'_>,
    [steps, n, c, h, w]: [usize; 5],
    values: &[f32],
    pool: Pool,
    map: &Map,
    words: &[u32],
) -> (Option<Difference>, Counts) {
    let (mut first, mut counts) = (None, Counts::default());
    let [rows, columns] = window(pool, h);
    for t in 0..steps {
        let sample = &values[(t * n + place.index) * c * h * w..][..c * h * w];
        let words = &words[t * map.bit_words()..][..map.bit_words()];
        for channel in 0..c {
            for y in 0..map.rows {
                for x in 0..map.columns {
                    let at = |y: usize, x: usize| sample[(channel * h + y) * w + x] as u32;
                    let places = (0..rows).flat_map(|dy| (0..columns).map(move |dx| (rows * y + dy, columns * x + dx)));
                    let sum = places.map(|(y, x)| at(y, x)).sum::<u32>();
                    let trainer = if pool == Pool::MaxSpikes { sum.min(1) } else { sum };
                    let mut deployed = 0;
                    for plane in 0..map.planes {
                        let word = ((plane * map.rows + y) * map.columns + x) * map.words() + channel / 32;
                        deployed += (words[word] >> (channel % 32) & 1) << plane;
                    }
                    counts.values += 1;
                    counts.trainer += u64::from(trainer);
                    counts.deployed += u64::from(deployed);
                    if trainer != deployed {
                        counts.different += 1;
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
    (first, counts)
}
