//! What the trainer asks of a network: the library's own are a [`Plan`] and a [`Network`], and yours may be anything.
//!
//! ```no_run
//! use bitspike_nn::network::{Observer, Summary};
//! use bitspike_nn::{Init, layers::Classifier};
//! use bitspike_train::{Architecture, Spiking, device, recipe::Recipe, run::trainer::{Quiet, Trainer}};
//! use burn::module::Module;
//! use burn::tensor::{Device, Tensor};
//!
//! #[derive(Module, Debug)]
//! struct Mine { head: Classifier } // your layers, with parameters called `latent` where weights are binary
//!
//! impl Spiking for Mine {
//!     fn forward(&self, x: Tensor<5>, _: &mut dyn Observer) -> Tensor<3> {
//!         let [t, n, c, h, w] = x.dims();
//!         self.head.forward(x.reshape([t, n, c * h * w]))
//!     }
//! }
//!
//! struct Design { features: usize, classes: usize }
//!
//! impl Architecture for Design {
//!     type Network = Mine;
//!     fn build(&self, init: &Init, device: &Device) -> Mine {
//!         Mine { head: Classifier::new(self.features, self.classes, init, "head", device) }
//!     }
//! }
//!
//! let recipe = Recipe::parse("[network]\nT = 1\n", "inline")?;
//! let data = recipe.load_data()?;
//! let design = Design { features: data.shape().iter().product(), classes: data.classes() };
//! let device = device::by_name("cpu")?;
//! Trainer::with(design, &recipe, &data, &device, "runs/mine".as_ref(), &[])?.run(&mut Quiet)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use bitspike_nn::Init;
use bitspike_nn::network::{Network, Observer, Plan, Summary, TrainingMemory};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// A network that can be trained: a Burn module over all time steps at once.
///
/// The names of its parameters say what they are ([`Role`](crate::param::Role)): those called `latent` stand behind binary weights,
/// get the step of binary weights, and their flips are counted.
pub trait Spiking: Module {
    /// Logits `[T, N, classes]` for static images `[1, N, C, H, W]` or sequences `[T, N, C, H, W]`. What the observer is shown is
    /// what the run folder records of firing rates and gates.
    fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<3>;

    /// Told in front of every epoch how far training is, from 0 to 1.
    fn set_progress(&mut self, progress: f64) {
        let _ = progress;
    }

    /// The library's own network, if it is one: training with an update after every time step looks into its layers.
    fn online(&self) -> Option<&Network> {
        None
    }
}

/// What a network is built from.
pub trait Architecture {
    /// The network.
    type Network: Spiking;

    /// Builds it with starting values from `init`.
    fn build(&self, init: &Init, device: &Device) -> Self::Network;

    /// Its layers and what they cost, for sizes and the estimate of energy; nothing is known of them by default, and both are 0.
    fn summary(&self) -> Summary {
        Summary::default()
    }

    /// Memory of a training step of `n` samples; not looked at by default.
    fn training_memory(&self, n: usize) -> Option<TrainingMemory> {
        let _ = n;
        None
    }
}

impl Spiking for Network {
    fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<3> {
        Self::forward(self, x, observer)
    }

    fn set_progress(&mut self, progress: f64) {
        Self::set_progress(self, progress);
    }

    fn online(&self) -> Option<&Network> {
        Some(self)
    }
}

impl Architecture for Plan {
    type Network = Network;

    fn build(&self, init: &Init, device: &Device) -> Network {
        Network::new(self, init, device)
    }

    fn summary(&self) -> Summary {
        Self::summary(self)
    }

    fn training_memory(&self, n: usize) -> Option<TrainingMemory> {
        Some(Self::training_memory(self, n))
    }
}
