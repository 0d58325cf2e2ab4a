//! The way to look inside a network while it runs.

use burn::tensor::Tensor;

/// Receives what passes through the layers of a network. Every method does nothing by default.
pub trait Observer {
    /// The spikes `[T, N, C, H, W]` of the neurons of a layer.
    fn spikes(&mut self, layer: &str, spikes: &Tensor<5>) {
        let _ = (layer, spikes);
    }

    /// The sum `[T, N, C, H, W]` of spikes of several layers, where one goes on instead of spikes; see
    /// [`ResidualBlock`](super::ResidualBlock).
    fn counts(&mut self, name: &str, counts: &Tensor<5>) {
        let _ = (name, counts);
    }

    /// The pooled means `[T, N or 1, C or 1]` behind the gate of a layer.
    fn gate(&mut self, layer: &str, means: &Tensor<3>) {
        let _ = (layer, means);
    }
}

/// Collects the mean firing rate of every layer as part of the graph, for a loss that depends on it.
///
/// ```text
/// penalty = mean over layers l of (r_l − target)²,   r_l = mean of the spikes of l over T, N, C, H, W
/// ```
///
/// Source: the firing-rate regulariser of Q-SNN (Wei et al., ACM MM 2024), with target ½.
#[derive(Clone, Debug, Default)]
pub struct FiringRates(Vec<Tensor<1>>);

impl Observer for FiringRates {
    fn spikes(&mut self, _: &str, spikes: &Tensor<5>) {
        // Over one axis in the order of memory on the CPU: Burn's mean of five is wrong on CubeCL, see `Val::sum_keep`.
        self.0.push(spikes.clone().permute([0, 1, 3, 4, 2]).flatten::<1>(0, 4).mean());
    }
}

impl FiringRates {
    /// The penalty, a tensor of one element; `None` before any layer was seen.
    pub fn penalty(self, target: f64) -> Option<Tensor<1>> {
        let layers = self.0.len();
        let square = |rate: Tensor<1>| {
            let off = rate - target;
            off.clone() * off
        };
        Some(self.0.into_iter().map(square).reduce(|sum, next| sum + next)? / layers as f64)
    }
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl Observer for Ignore {}
