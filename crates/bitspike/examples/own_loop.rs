//! Your own loop: layers, gate, the step of binary weights and the counter of flips, then a `.bsnn` file of the result.
//!
//! ```sh
//! cargo run --release --example own_loop -- net.bsnn     # from the folder crates/bitspike
//! ```
#![allow(clippy::print_stdout)]

use bitspike::burn::module::Module;
use bitspike::burn::tensor::{Device, Tensor, TensorData};
use bitspike::data::{AugmentConfig, DataConfig, DataSet, Loader, LoaderOptions, Pipeline, load};
use bitspike::flips::FlipTracker;
use bitspike::format::{Features, LayerSpec, ModelSpec, Pool, write};
use bitspike::infer::fast::OwnedEngine;
use bitspike::nn::layers::TimeBatchNorm;
use bitspike::nn::layers::{Agmm, AgmmConfig, Classifier, Conv2d, Conv2dConfig, Neuron, NeuronConfig, NormConfig};
use bitspike::nn::ops::{conv::WeightScale, pool::avg_pool};
use bitspike::nn::{Init, Loss};
use bitspike::train::deploy::fold::{Block, head};
use bitspike::train::measure::evaluate::{count_correct, tensors};
use bitspike::train::measure::flips::ObserveTensor;
use bitspike::train::optim::{OptimConfig, Optimizer};

const STEPS: usize = 2;
const WIDTH: usize = 32;

/// Stem, one binary convolution with the gate behind it, classifier.
#[derive(Module, Debug)]
struct Net {
    stem: Conv2d,
    stem_norm: TimeBatchNorm,
    conv: Conv2d,
    norm: TimeBatchNorm,
    gate: Agmm,
    neuron: Neuron,
    head: Classifier,
}

impl Net {
    fn new([_, h, w]: [usize; 3], classes: usize, device: &Device) -> Self {
        let init = Init::new(1);
        // One for each layer: a clone of a Burn module shares its running statistics.
        let norm = || NormConfig::default().init(WIDTH, STEPS, 1.0, device);
        let binary = Conv2dConfig::same([WIDTH, WIDTH], 3).init_binary(WeightScale::None, &init, "conv", device);
        Self {
            stem: Conv2d::Real(Conv2dConfig::same([1, WIDTH], 3).init_real(&init, "stem", device)),
            stem_norm: norm(),
            conv: Conv2d::Binary(binary),
            norm: norm(),
            gate: AgmmConfig::default().init(STEPS, WIDTH, device),
            neuron: NeuronConfig::default().init(STEPS, device),
            head: Classifier::new(WIDTH * h / 2 * w / 2, classes, &init, "head", device),
        }
    }

    /// Images `[1, N, 1, H, W]` → logits `[T, N, classes]`.
    fn forward(&self, x: Tensor<5>) -> Tensor<3> {
        let current = self.stem_norm.forward(self.stem.forward(x), STEPS);
        let spikes = self.neuron.forward(avg_pool(current, 2));
        let (current, _) = self.gate.forward(self.norm.forward(self.conv.forward(spikes), 1));
        let spikes = self.neuron.forward(current);
        let [t, n, c, h, w] = spikes.dims();
        self.head.forward(spikes.reshape([t, n, c * h * w]))
    }

    /// The same as a file has it: what images are normalised with belongs to it.
    fn spec(&self, data: &DataSet) -> Result<ModelSpec, Box<dyn std::error::Error>> {
        let neuron = Some(&self.neuron);
        let stem = Block { neuron, pool: Pool::Current, ..Block::new("stem", &self.stem, &self.stem_norm) };
        let conv = Block { neuron, gate: Some(&self.gate), ..Block::new("conv", &self.conv, &self.norm) };
        let head = LayerSpec::Head(head(&self.head, Features::Flatten));
        Ok(ModelSpec {
            steps: STEPS,
            sequence: false,
            input: data.shape(),
            classes: data.classes(),
            normalise: Some((data.channel_mean.clone(), data.channel_std.clone())),
            layers: vec![LayerSpec::Block(stem.fold()?), LayerSpec::Block(conv.fold()?), head],
            meta: vec![("name".to_owned(), "own loop".to_owned())],
            feed: None,
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: own_loop FILE.bsnn")?;
    let data = load(&DataConfig::default())?;
    let augment = Pipeline::train(&AugmentConfig::default(), &data)?;
    let loader = Loader::new(
        data.train.clone(),
        LoaderOptions { batch_size: 50, augment: augment.clone(), ..Default::default() },
    )?;

    let device = Device::default().autodiff();
    // SGD, whose step of a binary weight is relative to the size of its layer; one of Burn's optimisers would do as well.
    let mut optimizer = Optimizer::new(OptimConfig::default());
    let mut net = optimizer.prepare(Net::new(data.shape(), data.classes(), &device));
    let mut flips = FlipTracker::new();
    for epoch in 0..3 {
        let (mut sum, mut correct) = (0.0, 0);
        for batch in loader.epoch(epoch, 0) {
            let batch = batch?;
            let labels = batch.labels.clone();
            let (images, targets) = tensors(batch, &device);
            let Conv2d::Binary(conv) = &net.conv else { unreachable!("it was made binary") };
            flips.observe("conv", &conv.latent.val());
            let logits = net.forward(images);
            let loss = Loss::Tet.forward(logits.clone(), targets);
            net = optimizer.step(net, &mut loss.backward(), 0.1);
            sum += loss.into_scalar::<f32>();
            correct += count_correct(logits.inner(), &labels);
        }
        let (loss, accuracy) = (sum / loader.batches() as f32, correct as f64 / data.train.len() as f64);
        let report = flips.end_epoch().total;
        let (per_weight, undone) = (report.per_weight(), 100.0 * report.back_epoch());
        println!(
            "epoch {epoch}: loss {loss:.3}, accuracy {accuracy:.3}, {per_weight:.2} flips per weight, {undone:.0} % undone"
        );
    }

    // Deploy, and compare with the network on the test part.
    let net = net.valid();
    std::fs::write(&path, write(&net.spec(&data)?)?)?;
    let engine = OwnedEngine::new(std::fs::read(&path)?)?;
    let test = Loader::new(data.test.clone(), LoaderOptions { batch_size: 100, augment, ..Default::default() })?;
    let (mut same, mut correct) = (0, 0);
    for batch in test.epoch(0, 0) {
        let batch = batch?;
        let mut logits = vec![0.0; batch.n * data.classes()];
        engine.engine().run_batch(&batch.values, &mut logits, 1)?;
        let [c, h, w] = batch.shape;
        let of = |logits: Vec<f32>, shape| Tensor::<3>::from_data(TensorData::new(logits, shape), &Device::default());
        let packed = of(logits, [1, batch.n, data.classes()]);
        let x = Tensor::from_data(TensorData::new(batch.values, [1, batch.n, c, h, w]), &Device::default());
        let trained = net.forward(x).mean_dim(0).argmax(2).into_data().convert::<i64>();
        same += count_correct(packed.clone(), trained.as_slice()?);
        correct += count_correct(packed, &batch.labels);
    }
    let n = data.test.len();
    println!("{path}: {correct} of {n} test images right, {same} of {n} predictions those of the network");
    Ok(())
}
