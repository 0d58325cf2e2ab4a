//! Your own network in the trainer: checkpoints, exact resume, flips, metrics and TensorBoard, with a structure and a surrogate
//! gradient that the library does not have.
//!
//! ```sh
//! cargo run --release --example own_network -- runs/own     # from the folder crates/bitspike
//! ```
#![allow(clippy::print_stdout)]

use bitspike::burn::module::Module;
use bitspike::burn::tensor::{Device, Tensor};
use bitspike::nn::Init;
use bitspike::nn::layers::{Agmm, AgmmConfig, BinaryConv2d, Classifier, Conv2dConfig, NormConfig};
use bitspike::nn::layers::{RealConv2d, TimeBatchNorm};
use bitspike::nn::network::Observer;
use bitspike::nn::ops::conv::WeightScale;
use bitspike::train::recipe::Recipe;
use bitspike::train::run::trainer::{Control, Event, Outcome, Trainer};
use bitspike::train::{Architecture, Spiking, device};

const STEPS: usize = 2;

/// Two binary convolutions side by side, of kernels 3 and 5, whose currents are added.
#[derive(Module, Debug)]
struct Fork {
    stem: RealConv2d,
    stem_norm: TimeBatchNorm,
    narrow: BinaryConv2d,
    wide: BinaryConv2d,
    norm: TimeBatchNorm,
    gate: Agmm,
    head: Classifier,
}

/// LIF with the derivative of the arc tangent, made of tensor operations: Burn differentiates what it sees, so the forward
/// pass is the step and the backward pass that of the smooth function.
fn fire(current: Tensor<5>) -> Tensor<5> {
    let steps = current.dims()[0];
    let mut potential = current.clone().narrow(0, 0, 1).zeros_like();
    let mut spikes = Vec::with_capacity(steps);
    for t in 0..steps {
        potential = potential * 0.5 + current.clone().narrow(0, t, 1);
        let over = potential.clone() - 1.0;
        let smooth = (over.clone() * std::f32::consts::PI).atan() / std::f32::consts::PI + 0.5;
        let spike = over.greater_equal_elem(0.0).float();
        let spike = smooth.clone() + (spike - smooth).detach();
        potential = potential - spike.clone();
        spikes.push(spike);
    }
    Tensor::cat(spikes, 0)
}

impl Spiking for Fork {
    fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<3> {
        // A static image passes the stem once, and its current is the same at every step.
        let current = self.stem_norm.forward(self.stem.forward(x.clone()), STEPS / x.dims()[0]);
        let current = if current.dims()[0] == 1 { current.repeat_dim(0, STEPS) } else { current };
        let spikes = fire(current);
        observer.spikes("stem", &spikes);
        let sum = self.narrow.forward(spikes.clone()) + self.wide.forward(spikes);
        let (current, means) = self.gate.forward(self.norm.forward(sum, 1));
        observer.gate("fork", &means);
        let spikes = fire(current);
        observer.spikes("fork", &spikes);
        let [t, n, c, h, w] = spikes.dims();
        self.head.forward(spikes.reshape([t, n, c * h * w]))
    }
}

/// What it is built from.
struct Design {
    input: [usize; 3],
    classes: usize,
}

impl Architecture for Design {
    type Network = Fork;

    fn build(&self, init: &Init, device: &Device) -> Fork {
        let (norm, width) = (NormConfig::default(), 32);
        let binary = |kernel, path| {
            Conv2dConfig::same([width, width], kernel).init_binary(WeightScale::None, init, path, device)
        };
        Fork {
            stem: Conv2dConfig::same([self.input[0], width], 3).with_stride(2).init_real(init, "stem", device),
            stem_norm: norm.init(width, STEPS, 1.0, device),
            narrow: binary(3, "narrow"),
            wide: binary(5, "wide"),
            norm: norm.init(width, STEPS, 1.0, device),
            gate: AgmmConfig::default().init(STEPS, width, device),
            head: Classifier::new(width * self.input[1] / 2 * self.input[2] / 2, self.classes, init, "head", device),
        }
    }
}

/// Prints a line per epoch.
struct Lines;

impl Control for Lines {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Epoch(e) = event {
            let (accuracy, flips) = (100.0 * e.held_out_accuracy.unwrap_or(f64::NAN), e.flips.per_weight);
            println!(
                "epoch {}: loss {:.3}, accuracy {accuracy:.1} %, {flips:.2} flips per weight",
                e.epoch, e.train_loss
            );
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: own_network RUN_FOLDER")?;
    let recipe = Recipe::parse("name = 'fork'\n[network]\nT = 2\n[train]\nepochs = 3\n", "fork")?;
    let data = recipe.load_data()?;
    let design = Design { input: data.shape(), classes: data.classes() };
    let device = device::by_name("cpu")?;
    let path = folder.as_ref();
    // Started again, it goes on from the last checkpoint.
    let mut trainer = match std::fs::exists(&folder)? {
        true => Trainer::resume_with(design, path, &data, &device)?,
        false => Trainer::with(design, &recipe, &data, &device, path, &[])?,
    };
    if let Outcome::Finished(summary) = trainer.run(&mut Lines)? {
        println!(
            "test accuracy {:.1} %, curves: tensorboard --logdir {folder}",
            100.0 * summary.test_accuracy.unwrap_or_default()
        );
    }
    Ok(())
}
