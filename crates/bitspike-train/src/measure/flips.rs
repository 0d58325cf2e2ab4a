//! Sign flips of the tensors and modules of Burn; what is counted, and how, is in [`bitspike_flips`].
//!
//! # In your own training loop
//!
//! The tracker and the gate need nothing else of this library. Around any module with binary weights:
//!
//! ```
//! use bitspike_nn::layers::{Agmm, AgmmConfig, BinaryConv2d, Conv2dConfig};
//! use bitspike_nn::{Init, ops::conv::WeightScale};
//! use bitspike_train::measure::flips::{FlipTracker, ObserveTensor};
//! use burn::module::Module;
//! use burn::optim::{GradientsParams, SgdConfig};
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! #[derive(Module, Debug)]
//! struct Net { conv: BinaryConv2d, gate: Agmm } // your module, with the gate after its binary layer
//!
//! let device = Device::default().autodiff();
//! let conv = Conv2dConfig::same([8, 8], 3).init_binary(WeightScale::None, &Init::new(1), "conv", &device);
//! let mut net = Net { conv, gate: AgmmConfig::default().init(2, 8, &device) };
//! let mut optim = SgdConfig::new().init();
//! let mut flips = FlipTracker::new();
//! flips.observe("conv", &net.conv.latent.val()); // the signs it starts from
//! for _ in 0..3 {
//!     let x = Tensor::random([2, 4, 8, 6, 6], Distribution::Bernoulli(0.3), &device);
//!     let (y, _) = net.gate.forward(net.conv.forward(x));
//!     let grads = GradientsParams::from_grads((y - 1.0).powi_scalar(2).mean().backward(), &net);
//!     net = optim.step(0.1, net, grads);
//!     flips.observe("conv", &net.conv.latent.val());
//! }
//! let report = flips.end_epoch();
//! println!("{} flips, {:.1} % undone", report.total.flips, 100.0 * report.total.back_epoch());
//! ```

use crate::param::{ParamVisitor, Role, layer_of, plain, visit};
use bitspike_nn::layers::Estimator;
use bitspike_nn::ops::host::with_values;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

pub use bitspike_flips::*;

/// Shows tensors to a [`FlipTracker`].
pub trait ObserveTensor {
    /// As [`FlipTracker::observe_values`]; on the CPU the values are read where they are.
    fn observe<const D: usize>(&mut self, layer: &str, weight: &Tensor<D>) -> u64;
}

impl ObserveTensor for FlipTracker {
    fn observe<const D: usize>(&mut self, layer: &str, weight: &Tensor<D>) -> u64 {
        with_values(weight.clone(), |values| self.observe_values(layer, values))
    }
}

/// Shows every binary weight of a module (parameters called `latent`), as its estimator makes it, to a tracker.
pub fn observe_module<M: Module>(module: &M, estimator: Estimator, flips: &mut FlipTracker) {
    struct Observe<'a>(&'a mut FlipTracker, Estimator);
    impl ParamVisitor for Observe<'_> {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            if Role::of(name) != Role::Binary {
                return;
            }
            let value = param.val();
            let weight = if self.1.keeps_signs() { value } else { self.1.proxy(plain(value), 0.0) };
            self.0.observe(layer_of(name), &weight);
        }
    }
    visit(module, &mut Observe(flips, estimator));
}
