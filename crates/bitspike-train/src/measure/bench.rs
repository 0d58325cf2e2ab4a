//! Times the steps of a recipe of a chain on random images: training, its parts, and inference.
//!
//! A step does what [`Trainer`](crate::run::trainer::Trainer) does for a batch once it is loaded: forward pass, loss, backward
//! pass, optimiser, flip tracking, count of correct predictions. Not in it: loading and augmentation, which run on other
//! threads, and what a run does every so many steps (gradient statistics, log records, checkpoints).
//!
//! An untrained network fires at 3 to 4 %, a trained one at 10 to 25 %, and sparse kernels take longer for more spikes. So
//! the offsets of the batch norms are moved first, until every layer fires at a rate that is asked for.
//!
//! Seconds are those of a clock on the wall. On the CPU an operation is finished when its call returns, so the parts of a
//! step add up to it; elsewhere only the whole step and inference mean something, since the device works behind.

use crate::error::TrainError;
use crate::measure::evaluate::count_correct;
use crate::measure::flips::FlipTracker;
use crate::measure::flips::observe_module;
use crate::optim::{BinaryRule, Optimizer};
use crate::param::{self, ParamMapper, layer_of, plain};
use crate::recipe::Recipe;
use crate::run::machine::peak_resident_bytes;
use crate::run::train_batch;
use bitspike_nn::network::{Ignore, Network, Observer};
use bitspike_nn::{Init, Targets};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;
use std::time::Instant;

/// Middle, shortest and longest of several timings, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
}

impl Spread {
    /// Of a list of timings; all zero for an empty one.
    ///
    /// ```
    /// let spread = bitspike_train::measure::bench::Spread::of(vec![3.0, 1.0, 2.0, 9.0]);
    /// assert_eq!((spread.median, spread.min, spread.max), (2.5, 1.0, 9.0));
    /// ```
    pub fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (seconds.first(), seconds.last()) else { return Self::default() };
        let middle = seconds.len() / 2;
        let median =
            if seconds.len() % 2 == 1 { seconds[middle] } else { (seconds[middle - 1] + seconds[middle]) / 2.0 };
        Self { median, min, max }
    }
}

/// What [`measure`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTimes {
    /// A training step.
    pub train_step: Spread,
    /// Its forward pass.
    pub forward: Spread,
    /// Its loss and backward pass.
    pub backward: Spread,
    /// Its optimiser.
    pub optimizer: Spread,
    /// Its flip tracking and count of correct predictions.
    pub flips: Spread,
    /// Inference of a batch, without autodiff.
    pub infer_batch: Spread,
    /// Inference of one sample.
    pub infer_1: Spread,
    /// Mean firing rate of the layers before and after the timed steps.
    pub rates: [f64; 2],
    /// The largest resident memory after the training steps, in bytes; `None` where the system does not say.
    pub train_peak: Option<u64>,
}

/// Runs the recipe's network, every layer firing at `rate`, on random images of `[C, H, W]` and random labels: one step to
/// warm up, then `reps` timed ones, and the same for inference with the trained network.
///
/// Method, network, precision, batch size, loss and optimiser are the recipe's; its data, schedule and seed are not used.
///
/// ```
/// use bitspike_train::{device, measure::bench, recipe::Recipe};
/// let recipe = Recipe::parse("[network]\nlayers = '4-P-4'\n[train]\nbatch_size = 2", "inline")?;
/// let times = bench::measure(&recipe, [3, 8, 8], 10, 0.15, 1, &device::by_name("cpu")?)?;
/// assert!(times.forward.median < times.train_step.median);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`TrainError::Plan`] if the network does not fit the images; [`TrainError::Diverged`] if the loss is no number.
pub fn measure(
    recipe: &Recipe,
    input: [usize; 3],
    classes: usize,
    rate: f64,
    reps: usize,
    device: &Device,
) -> Result<StepTimes, TrainError> {
    let plan = recipe.network_options().plan(input, classes)?;
    let autodiff = device.clone().autodiff();
    let (mut optimizer, mut flips) = (Optimizer::new(recipe.optim_config()), FlipTracker::new());
    let mut network = optimizer.prepare(Network::new(&plan, &Init::new(1), &autodiff));
    observe_module(&network, recipe.estimator(), &mut flips);
    let n = recipe.train.batch_size;
    let (pixels, labels) = random_batch(n, input, classes);
    let image = |n: usize, device: &Device| -> Tensor<5> {
        let [c, h, w] = input;
        Tensor::from_data(TensorData::new(pixels[..n * c * h * w].to_vec(), [1, n, c, h, w]), device)
    };
    let images = image(n, &autodiff);
    let targets = Targets::from(Tensor::<1, Int>::from_data(TensorData::new(labels.clone(), [n]), &autodiff));
    network = fire_at(network, &images, rate);
    let before = mean(&rates(&network, &images));
    let mut parts: [Vec<f64>; 5] = Default::default();
    // The first step fills caches, memory pools and the optimiser's state.
    for step in 0..=reps {
        let (next, seconds) =
            train_step(network, (&images, &targets, &labels), recipe, &mut optimizer, &mut flips, step as u64 + 1)?;
        network = next;
        if step > 0 {
            parts.iter_mut().zip(seconds).for_each(|(part, s)| part.push(s));
        }
    }
    let [train_step, forward, backward, optimizer, flips] = parts.map(Spread::of);
    let train_peak = peak_resident_bytes();
    let rates = [before, mean(&rates(&network, &images))];
    let network = network.valid();
    let infer_batch = infer(&network, &image(n, device), reps);
    let infer_1 = infer(&network, &image(1, device), reps);
    Ok(StepTimes { train_step, forward, backward, optimizer, flips, infer_batch, infer_1, rates, train_peak })
}

/// Firing rate of every layer, in training mode.
fn rates(network: &Network, images: &Tensor<5>) -> BTreeMap<String, f64> {
    #[derive(Default)]
    struct Seen(BTreeMap<String, f64>);
    impl Observer for Seen {
        fn spikes(&mut self, layer: &str, spikes: &Tensor<5>) {
            let spikes = param::host(spikes.clone().inner());
            let rate = spikes.iter().map(|&s| f64::from(s)).sum::<f64>() / spikes.len().max(1) as f64;
            self.0.insert(layer.to_owned(), rate);
        }
    }
    let mut seen = Seen::default();
    network.forward(images.clone(), &mut seen);
    seen.0
}

fn mean(rates: &BTreeMap<String, f64>) -> f64 {
    rates.values().sum::<f64>() / rates.len().max(1) as f64
}

/// Sets the offsets β of all batch norms of a chain so that every layer fires at `rate`: bisection in all layers at once, since a norm makes
/// the current of a layer nearly independent of how often the one before fires. Parameters of other kinds stay.
fn fire_at(mut network: Network, images: &Tensor<5>, rate: f64) -> Network {
    struct Offsets<'a>(&'a BTreeMap<String, [f64; 2]>);
    impl ParamMapper for Offsets<'_> {
        fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
            let [low, high] = self.0.get(layer_of(name)).filter(|_| name.ends_with(".beta"))?;
            Some(plain(value.clone()).full_like((low + high) / 2.0))
        }
    }
    // Currents have deviation 1 or less and thresholds are about 1.
    let mut range: BTreeMap<_, _> = rates(&network, images).into_keys().map(|layer| (layer, [-8.0, 8.0])).collect();
    for _ in 0..14 {
        network = param::map(network, &mut Offsets(&range));
        for (layer, seen) in rates(&network, images) {
            let ends = range.entry(layer).or_default();
            let middle = (ends[0] + ends[1]) / 2.0;
            ends[usize::from(seen >= rate)] = middle;
        }
    }
    network
}

/// One step, and the seconds of the whole and of its four parts.
fn train_step(
    mut network: Network,
    (images, targets, labels): (&Tensor<5>, &Targets, &[i64]),
    recipe: &Recipe,
    optimizer: &mut Optimizer,
    flips: &mut FlipTracker,
    step: u64,
) -> Result<(Network, [f64; 5]), TrainError> {
    let start = Instant::now();
    let mut seen = 0.0;
    let mut lap = || {
        let now = start.elapsed().as_secs_f64();
        let part = now - seen;
        seen = now;
        part
    };
    if optimizer.config().binary_rule == BinaryRule::Online {
        // Forward, backward and update alternate: all of it counts as backward.
        let (steps, lr) = (recipe.network.steps, recipe.optim.lr);
        let out = train_batch(network, images, targets, steps, optimizer, lr, &mut |_, _, _| {});
        if !out.loss.is_finite() {
            return Err(TrainError::Diverged { step, epoch: 1, loss: out.loss });
        }
        let backward = lap();
        observe_module(&out.network, recipe.estimator(), flips);
        std::hint::black_box(count_correct(out.logits, labels));
        return Ok((out.network, [start.elapsed().as_secs_f64(), 0.0, backward, 0.0, lap()]));
    }
    let logits = network.forward(images.clone(), &mut Ignore);
    let forward = lap();
    let loss = recipe.train.loss.forward(logits.clone(), targets.clone());
    let mut grads = loss.backward();
    let value: f32 = loss.into_scalar();
    if !value.is_finite() {
        return Err(TrainError::Diverged { step, epoch: 1, loss: value });
    }
    let backward = lap();
    network = optimizer.step(network, &mut grads, recipe.optim.lr);
    let update = lap();
    observe_module(&network, recipe.estimator(), flips);
    std::hint::black_box(count_correct(logits.inner(), labels));
    let tracking = lap();
    Ok((network, [start.elapsed().as_secs_f64(), forward, backward, update, tracking]))
}

fn infer(network: &Network, images: &Tensor<5>, reps: usize) -> Spread {
    let once = || {
        let start = Instant::now();
        // Reading the logits waits for a device that works behind.
        std::hint::black_box(network.forward(images.clone(), &mut Ignore).into_data());
        start.elapsed().as_secs_f64()
    };
    once();
    Spread::of((0..reps).map(|_| once()).collect())
}

/// Normally distributed images `[N, C, H, W]` and uniform labels `[N]`, the same at every call.
fn random_batch(n: usize, shape: [usize; 3], classes: usize) -> (Vec<f32>, Vec<i64>) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    // Twelve uniform numbers have variance 1; their sum is close enough to a normal one to time with.
    let pixels = n * shape.iter().product::<usize>();
    let images = (0..pixels).map(|_| (0..12).map(|_| next()).sum::<f32>() - 6.0).collect();
    let labels = (0..n).map(|_| ((next() * classes as f32) as i64).min(classes as i64 - 1)).collect();
    (images, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_images_have_mean_0_and_variance_1() {
        let (images, labels) = random_batch(16, [3, 8, 8], 10);
        let n = images.len() as f64;
        let mean = images.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = images.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.1 && (var - 1.0).abs() < 0.1, "mean {mean}, variance {var}");
        assert!(labels.iter().all(|l| (0..10).contains(l)) && labels.iter().any(|l| *l != labels[0]), "{labels:?}");
    }

    #[test]
    fn every_part_takes_time_and_a_network_that_does_not_fit_is_an_error() {
        let recipe = Recipe::parse("[network]\nlayers = '4-P-4'\n[train]\nbatch_size = 3", "test").unwrap();
        let device = crate::device::by_name("cpu").unwrap();
        let t = measure(&recipe, [3, 8, 8], 10, 0.15, 2, &device).unwrap();
        for s in [t.train_step, t.forward, t.backward, t.optimizer, t.flips, t.infer_batch, t.infer_1] {
            assert!(s.min > 0.0 && s.min <= s.median && s.median <= s.max, "{t:?}");
        }
        assert!(matches!(measure(&recipe, [3, 1, 1], 10, 0.15, 1, &device), Err(TrainError::Plan(_))));
    }
    #[test]
    fn every_layer_fires_at_the_rate_that_is_asked_for() {
        let device = crate::device::by_name("cpu").unwrap().autodiff();
        let recipe = Recipe::parse("method = 'agmm'\n[network]\nlayers = '8-P-8-16'", "test").unwrap();
        let plan = recipe.network_options().plan([3, 8, 8], 10).unwrap();
        let images = Tensor::from_data(TensorData::new(random_batch(8, [3, 8, 8], 10).0, [1, 8, 3, 8, 8]), &device);
        for rate in [0.05, 0.15, 0.25] {
            let network = fire_at(Network::new(&plan, &Init::new(1), &device), &images, rate);
            let seen = rates(&network, &images);
            assert!(seen.len() == 3 && seen.values().all(|r| (r - rate).abs() < 0.01), "{rate}: {seen:?}");
        }
    }
}
