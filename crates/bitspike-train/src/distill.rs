//! Knowledge distillation: a trained network, usually a full-precision one, or a classic classifier of windows, as a second teacher
//! beside the labels.
//!
//! ```text
//! loss = (1 − w) · loss(logits, labels) + w · τ² · KL( softmax(teacher/τ) ‖ softmax(student/τ) )
//! ```
//!
//! on logits `[N, K]` that are means over the time steps of each network; mean over the batch. Source: Hinton et al., 2015.
//!
//! A classic is trained on the training part when a run starts or goes on, as its own inputs are: normalised, not augmented. It then
//! answers for each augmented window. Ridge regression has scores near 1 for the class and near 0 for the others; ten times these are
//! its logits (ours). From some dozens of windows such a classifier generalises better than a network does, and of windows that were
//! stretched, turned or mixed it has an answer where labels have one word for all of them.

use crate::checkpoint::Checkpoint;
use crate::error::TrainError;
use crate::evaluate::tensors;
use crate::loaders::eval_loader;
use crate::network;
use crate::param::host;
use crate::recipe::Recipe;
use crate::trainer::read_recipe;
use bitspike_classics::{Model, Windows};
use bitspike_data::DataSet;
use bitspike_nn::mean_output;
use bitspike_nn::network::{Ignore, Network};
use bitspike_run::{Checkpoint as Which, RunFolder};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The `[distill]` table of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistillConfig {
    /// Run folder of the teacher; its last checkpoint teaches. Without it there is no distillation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<PathBuf>,
    /// A classifier without a network that teaches instead.
    pub classic: Classic,
    /// Share w of the teacher in the loss.
    pub weight: f64,
    /// Temperature τ.
    pub temperature: f64,
}

impl Default for DistillConfig {
    fn default() -> Self {
        Self { teacher: None, classic: Classic::None, weight: 0.5, temperature: 2.0 }
    }
}

/// A classifier of windows that can teach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Classic {
    /// None does.
    #[default]
    None,
    /// Ridge regression on statistics of each channel.
    Ridge,
    /// Ridge regression on random convolutions (MiniRocket).
    Rocket,
}

/// What a score of ridge regression is multiplied by to be a logit.
const SHARPNESS: f32 = 10.0;

/// A teacher in memory.
#[derive(Debug)]
pub(crate) struct Teacher {
    who: Who,
    weight: f64,
    temperature: f64,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
enum Who {
    Network(Network),
    Classic(Model),
}

impl Teacher {
    /// The teacher of a recipe, if it has one.
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot be read, or was trained on images of another shape or on other classes.
    pub(crate) fn load(recipe: &Recipe, data: &DataSet, device: &Device) -> Result<Option<Self>, TrainError> {
        let config = &recipe.distill;
        let classic = match config.classic {
            Classic::None => None,
            Classic::Ridge => Some(bitspike_classics::Classic::Ridge),
            Classic::Rocket => Some(bitspike_classics::Classic::Rocket),
        };
        let who = match (&config.teacher, classic) {
            (None, None) => return Ok(None),
            (Some(path), _) => {
                let folder = RunFolder::open(path)?;
                let recipe = read_recipe(&folder)?;
                let checkpoint = Checkpoint::load(&folder.checkpoint(Which::Last))?;
                Who::Network(network::load(&recipe, data, &checkpoint, device)?.1)
            }
            (None, Some(classic)) => Who::Classic(fit(classic, recipe, data, device)?),
        };
        Ok(Some(Self { who, weight: config.weight, temperature: config.temperature }))
    }

    /// The loss with the teacher in it, for images `[1 or T, N, C, H, W]` and the student's logits `[T, N, K]`.
    pub(crate) fn loss(&self, loss: Tensor<1>, images: Tensor<5>, logits: Tensor<3>) -> Tensor<1> {
        let teacher = match &self.who {
            Who::Network(network) => mean_output(network.forward(images, &mut Ignore)),
            Who::Classic(model) => answer(model, images),
        };
        let teacher = Tensor::from_inner(teacher);
        loss * (1.0 - self.weight) + divergence(teacher, mean_output(logits), self.temperature) * self.weight
    }
}

/// A classic trained on the training part, without augmentation.
fn fit(
    classic: bitspike_classics::Classic,
    recipe: &Recipe,
    data: &DataSet,
    device: &Device,
) -> Result<Model, TrainError> {
    let (mut values, mut labels, mut shape) = (Vec::new(), Vec::new(), (1, 1));
    for batch in eval_loader(recipe, data, data.train.clone())?.epoch(0, 0) {
        let batch = batch?;
        labels.extend(batch.labels.iter().map(|label| *label as u32));
        let (part, channels, length) = windows(tensors(batch, device).0);
        values.extend(part);
        shape = (channels, length);
    }
    let train = Windows::new(&values, &labels, shape.0, shape.1, data.train.classes.len())?;
    Ok(classic.fit(&train, recipe.seed)?)
}

/// Logits `[N, K]` of samples `[1 or T, N, C, H, W]`.
fn answer(model: &Model, images: Tensor<5>) -> Tensor<2> {
    let (device, n) = (images.device(), images.dims()[1]);
    let (values, channels, length) = windows(images);
    let classes = model.classes();
    let labels = vec![0; n];
    // The classes of these windows are what is asked for.
    let scores = Windows::new(&values, &labels, channels, length, classes).and_then(|windows| model.scores(&windows));
    let scores = scores.expect("windows of a loader are finite and of one shape");
    Tensor::<1>::from_floats(scores.as_slice(), &device).reshape([n, classes]) * SHARPNESS
}

/// Windows `[N, C·H, T·W]` of samples `[T, N, C, H, W]`, and their channels and length: the steps of a row follow each other.
fn windows(images: Tensor<5>) -> (Vec<f32>, usize, usize) {
    let [t, n, c, h, w] = images.dims();
    (host(images.permute([1, 2, 3, 0, 4]).reshape([n * c * h * t * w])), c * h, t * w)
}

/// τ² KL(softmax(teacher/τ) ‖ softmax(student/τ)), mean over the rows.
fn divergence(teacher: Tensor<2>, student: Tensor<2>, temperature: f64) -> Tensor<1> {
    let n = teacher.dims()[0] as f64;
    let target = softmax(teacher.clone() / temperature, 1);
    let difference = log_softmax(teacher / temperature, 1) - log_softmax(student / temperature, 1);
    (target * difference).sum() * (temperature * temperature / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A classic answers for samples as the loader lays them out, those of several steps too: as it does for the same windows by itself.
    #[test]
    fn a_classic_answers_for_the_windows_of_a_batch() {
        let (n, c, steps, part) = (12, 2, 2, 6);
        let value = |i: usize, channel: usize, at: usize| {
            let speed = if i % 2 == 0 { 0.3 } else { 1.1 };
            (speed * at as f32 + i as f32).sin() + channel as f32
        };
        let (length, labels) = (steps * part, (0..n).map(|i| (i % 2) as u32).collect::<Vec<_>>());
        let laid: Vec<f32> = (0..n * c * length).map(|j| value(j / (c * length), j / length % c, j % length)).collect();
        let train = Windows::new(&laid, &labels, c, length, 2).unwrap();
        let model = bitspike_classics::Classic::Rocket.fit(&train, 1).unwrap();
        let step = |j: usize| value(j / (c * part) % n, j / part % c, j / (n * c * part) * part + j % part);
        let frames: Vec<f32> = (0..steps * n * c * part).map(step).collect();
        let device = Device::default();
        let images = Tensor::<1>::from_floats(frames.as_slice(), &device).reshape([steps, n, c, 1, part]);
        let (values, ..) = windows(images.clone());
        assert_eq!(values, laid);
        let answers = host(answer(&model, images));
        let scores = model.scores(&train).unwrap();
        assert!(answers.iter().zip(&scores).all(|(a, s)| *a == s * SHARPNESS));
        let right = answers.chunks(2).zip(&labels).filter(|(a, l)| u32::from(a[1] > a[0]) == **l).count();
        assert_eq!(right, n, "windows it was trained on");
    }

    #[test]
    fn the_divergence_has_its_formula_and_the_gradient_of_its_softmax() {
        let device = Device::default().autodiff();
        let (teacher, student) = ([1.0f32, -0.5, 0.25], [0.5f32, 0.75, -1.0]);
        let t = Tensor::<2>::from_floats([teacher, teacher], &device);
        let s = Tensor::<2>::from_floats([student, teacher], &device).require_grad();
        let loss = divergence(t, s.clone(), 2.0);
        let soft = |v: [f32; 3]| {
            let e = v.map(|x| (f64::from(x) / 2.0).exp());
            e.map(|x| x / e.iter().sum::<f64>())
        };
        let (p, q) = (soft(teacher), soft(student));
        let expected = 4.0 * (0..3).map(|i| p[i] * (p[i] / q[i]).ln()).sum::<f64>() / 2.0;
        let gradient = s.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert!((f64::from(loss.into_scalar::<f32>()) - expected).abs() < 1e-6);
        for i in 0..3 {
            // d/ds of τ² KL is τ (q − p), over two rows.
            assert!((f64::from(gradient[i]) - 2.0 * (q[i] - p[i]) / 2.0).abs() < 1e-6);
            assert!(gradient[3 + i].abs() < 1e-6, "a student like its teacher");
        }
    }
}
