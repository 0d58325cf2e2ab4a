//! The way to look inside a network while it runs.

use burn::tensor::Tensor;

/// Receives what passes through the layers of a network. Every method does nothing by default.
pub trait Observer {
    /// The spikes `[T, N, C, H, W]` of the neurons of a layer.
    fn spikes(&mut self, layer: &str, spikes: &Tensor<5>) {
        let _ = (layer, spikes);
    }

    /// The pooled means `[T, N or 1, C or 1]` behind the gate of a layer.
    fn gate(&mut self, layer: &str, means: &Tensor<3>) {
        let _ = (layer, means);
    }
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl Observer for Ignore {}
