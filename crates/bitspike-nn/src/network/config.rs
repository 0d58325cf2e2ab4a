//! Configuration of a network, and the plan made from it: every layer with its shapes, before any memory is taken.

use super::names::{Architecture, Body, NetworkName, Stem};
use super::spec::LayerSpec;
use super::types::{Family, Head, Pooling, Structure};
use crate::layers::{
    AgmmConfig, AgmmError, Conv2dConfig, Estimator, GatePosition, NeuronConfig, NeuronKind, NormConfig, NormKind,
};
use crate::ops::conv::{Precision, WeightScale};
use crate::ops::gate::GatePool;
use serde::{Deserialize, Serialize};

/// Configuration of a network: the `[network]` table of a recipe, with the neuron, norm and gate beside it.
///
/// A `name` other than `custom` decides `family`, `layers` and `head`, which then have no meaning (a recipe that sets both is
/// refused).
///
/// ```
/// use bitspike_nn::network::{NetworkConfig, NetworkName, NetworkOptions};
/// let network = NetworkConfig { name: NetworkName::ResNet19, ..NetworkConfig::default() };
/// let plan = NetworkOptions { network, ..NetworkOptions::default() }.plan([3, 32, 32], 10).unwrap();
/// assert_eq!(plan.summary().binary_weights, 12_550_144);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// A network of a paper, or `custom`.
    pub name: NetworkName,
    /// Factor on the channels of every layer, rounded, at least one channel; Spikformer rounds down to whole heads of 32.
    pub width: f64,
    /// How layers are connected.
    pub family: Family,
    /// The layers, as text; see [`LayerSpec`].
    pub layers: LayerSpec,
    /// Number of time steps T.
    #[serde(rename = "T")]
    pub steps: usize,
    /// What is pooled.
    pub pooling: Pooling,
    /// What the classifier sees.
    pub head: Head,
    /// Scale in front of the sign of binary weights.
    pub weight_scale: WeightScale,
    /// What stands in for the gradient of the sign.
    pub estimator: Estimator,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            name: NetworkName::Custom,
            width: 1.0,
            family: Family::Vgg,
            layers: "32-P-64-P-128".parse().expect("a valid text"),
            steps: 2,
            pooling: Pooling::Current,
            head: Head::Flatten,
            weight_scale: WeightScale::None,
            estimator: Estimator::Ste,
        }
    }
}

impl NetworkConfig {
    /// The network in a word or two, for messages and files: the text of layers, or the name, and the width where it is not 1.
    pub fn title(&self) -> String {
        let title = match self.name {
            NetworkName::Custom => self.layers.to_string(),
            name => name.to_string(),
        };
        if self.width == 1.0 { title } else { format!("{title} (width {})", self.width) }
    }

    /// The key that says what the layers are.
    pub(super) fn key(&self) -> String {
        match self.name {
            NetworkName::Custom => "network.layers".to_owned(),
            name => format!("network.name = \"{name}\""),
        }
    }

    pub(super) fn architecture(&self) -> Architecture {
        self.name.architecture().unwrap_or_else(|| Architecture {
            stem: Stem::SMALL,
            body: Body::Chain { family: self.family, parts: self.layers.parts().to_vec() },
            head: self.head,
        })
    }
}

/// Everything a network is built from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkOptions {
    /// Structure.
    pub network: NetworkConfig,
    /// Neurons of every layer.
    pub neuron: NeuronConfig,
    /// Batch norm of every layer.
    pub norm: NormConfig,
    /// The gate after every binary convolution; `None` for the baseline.
    pub gate: Option<AgmmConfig>,
    /// Float weights everywhere: the full-precision network.
    pub full_precision: bool,
    /// How exactly the CPU kernels compute gradients of binary layers.
    pub precision: Precision,
    /// What stands in for the gradient of the sign; a method may choose another one than the network's table.
    pub estimator: Estimator,
    /// Keep less between forward and backward pass and compute it again; results are the same bits.
    pub recompute: bool,
}

/// A network that cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number is out of its range.
    #[error("{key} is {found}; expected {expected}")]
    Range {
        /// Key of the recipe.
        key: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The map is too small to be pooled once more.
    #[error(
        "{key}: {layer} would pool a map of {height}x{width}; {}use larger images (the input is {input:?})",
        if .key == "network.layers" { "remove a P or " } else { "" }
    )]
    TooSmall {
        /// Key of the recipe that decides the layers.
        key: String,
        /// Name of the layer.
        layer: String,
        /// Rows of its map.
        height: usize,
        /// Columns of its map.
        width: usize,
        /// Channels, rows and columns of the input.
        input: [usize; 3],
    },
    /// A residual block would halve a map with an odd side.
    #[error(
        "{key}: {layer} would halve a map of {height}x{width}: its shortcut averages 2x2 windows and needs even sides; \
         {}use images whose sides stay even (the input is {input:?})",
        if .key == "network.layers" { "change width fewer times, or " } else { "" }
    )]
    OddMap {
        /// Key of the recipe that decides the layers.
        key: String,
        /// Name of the layer.
        layer: String,
        /// Rows of its map.
        height: usize,
        /// Columns of its map.
        width: usize,
        /// Channels, rows and columns of the input.
        input: [usize; 3],
    },
    /// A pooling that the network cannot have.
    #[error("network.pooling is \"{found}\": {reason}; use \"current\" or \"max-spikes\"")]
    Pooling {
        /// The pooling.
        found: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// A layer that the family cannot have.
    #[error("network.layers: {layer} is a dense layer, and {reason}")]
    Dense {
        /// Name of the layer.
        layer: String,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// The network has no convolution after the stem.
    #[error("network.layers: {found:?} has a stem and nothing else; add at least one more channel count")]
    NoBlocks {
        /// The text.
        found: String,
    },
    /// The gate's options contradict each other.
    #[error(transparent)]
    Gate(#[from] AgmmError),
}

impl PlanError {
    /// The key of the recipe to change.
    ///
    /// ```
    /// use bitspike_nn::network::{NetworkConfig, NetworkOptions};
    /// let network = NetworkConfig { steps: 0, ..NetworkConfig::default() };
    /// let refused = NetworkOptions { network, ..NetworkOptions::default() }.plan([3, 32, 32], 10);
    /// assert_eq!(refused.unwrap_err().key(), "network.T");
    /// ```
    pub fn key(&self) -> String {
        match self {
            Self::Range { key, .. } => (*key).to_owned(),
            Self::TooSmall { key, .. } | Self::OddMap { key, .. } => key.clone(),
            Self::Pooling { .. } => "network.pooling".to_owned(),
            Self::Dense { .. } | Self::NoBlocks { .. } => "network.layers".to_owned(),
            Self::Gate(AgmmError::Combination { key, .. }) => format!("agmm.{key}"),
        }
    }
}

/// Place and shapes of one convolution with what surrounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvPlan {
    /// Module path: `stem`, `blocks.0`, ...
    pub name: String,
    /// Geometry.
    pub conv: Conv2dConfig,
    /// 1-bit weights.
    pub binary: bool,
    /// A dense layer: channels, rows and columns of the map that it takes as channels of one place.
    pub flattens: Option<[usize; 3]>,
    /// Rows and columns going in.
    pub input: [usize; 2],
    /// Rows and columns of the convolution's result.
    pub output: [usize; 2],
    /// Rows and columns of what goes on, after a pooling.
    pub map: [usize; 2],
    /// Followed by a 2×2 pooling (VGG, Spikformer; 1×2 for signals), or down-sampling by stride (Bi-Real).
    pub pooled: bool,
    /// Bi-Real: width or resolution change, so the shortcut has a convolution.
    pub projected: bool,
    /// It has neurons, in front or behind.
    pub neurons: bool,
    /// Name under which an [`Observer`](super::Observer) sees the spikes, or their sums, that come in; `None` for an image or
    /// a current.
    pub source: Option<String>,
    /// The largest of these values in units of their grid: 1 for spikes, 4 for quarters after a pooling, n where n spikes
    /// are summed, 0 for real numbers. Up to 4 a binary convolution takes them as bit planes, beyond that as floats.
    pub counts: usize,
}

impl ConvPlan {
    /// A binary convolution of a chain, fed by spikes, for maps of these rows and columns: the start for blocks of your own.
    ///
    /// ```
    /// use bitspike_nn::Init;
    /// use bitspike_nn::layers::{AgmmConfig, Conv2dConfig};
    /// use bitspike_nn::network::{ConvPlan, Ignore, NetworkOptions, VggBlock};
    /// use burn::tensor::{Device, Tensor};
    /// let (device, options) = (Device::default(), NetworkOptions { gate: Some(AgmmConfig::default()), ..NetworkOptions::default() });
    /// let place = ConvPlan { pooled: true, ..ConvPlan::new("mine", Conv2dConfig::same([8, 16], 3), [6, 6]) };
    /// let block = VggBlock::new(&options, &place, &Init::new(1), &device);
    /// assert_eq!(block.forward(Tensor::ones([2, 1, 8, 6, 6], &device), &mut Ignore).dims(), [2, 1, 16, 3, 3]);
    /// ```
    pub fn new(name: &str, conv: Conv2dConfig, input: [usize; 2]) -> Self {
        let side =
            |size: usize, kernel: usize, padding: usize| (size + 2 * padding).saturating_sub(kernel) / conv.stride + 1;
        let rows = if conv.rows == 1 { 0 } else { conv.padding };
        let output = [side(input[0], conv.rows, rows), side(input[1], conv.kernel, conv.padding)];
        Self {
            name: name.to_owned(),
            conv,
            binary: true,
            flattens: None,
            input,
            output,
            map: output,
            pooled: false,
            projected: false,
            neurons: true,
            source: None,
            counts: 1,
        }
    }

    /// Multiply-accumulates of one time step, without the shortcut.
    pub fn macs(&self) -> u64 {
        let [c_in, c_out] = self.conv.channels;
        (c_in * c_out * self.conv.kernel_len() * self.output[0] * self.output[1]) as u64
    }

    /// Weights of the convolution.
    pub fn weights(&self) -> u64 {
        let [c_in, c_out] = self.conv.channels;
        (c_in * c_out * self.conv.kernel_len()) as u64
    }

    /// Multiply-accumulates of one time step and weights of the shortcut's convolution.
    pub fn shortcut(&self) -> Option<(u64, u64)> {
        let [c_in, c_out] = self.conv.channels;
        self.projected.then(|| ((c_in * c_out * self.output[0] * self.output[1]) as u64, (c_in * c_out) as u64))
    }
}

/// A checked network: every layer with its shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What it was made from.
    pub options: NetworkOptions,
    /// Channels, rows and columns of the input.
    pub input: [usize; 3],
    /// Frames of a sample: 1 for a static image, which passes the first layer once, or T.
    pub frames: usize,
    /// How they are put together.
    pub structure: Structure,
    /// Stem first, then the blocks.
    pub convs: Vec<ConvPlan>,
    /// What the classifier sees.
    pub head: Head,
    /// Name under which an [`Observer`](super::Observer) sees the spikes, or their sums, in front of the classifier.
    pub last: String,
    /// Features the classifier sees.
    pub features: usize,
    /// Classes.
    pub classes: usize,
}

impl NetworkOptions {
    /// Whether the gate may stand after an average pooling of even maps: for every pool but the element-wise one the two
    /// commute, mean(pool(x)) = mean(x) and pool(g x) = g pool(x), and the pooled map is a quarter of the work.
    pub(crate) fn gate_after_pool(&self, conv: &ConvPlan) -> bool {
        let even = conv.output.iter().all(|s| s % 2 == 0);
        even && self.gate.as_ref().is_some_and(|g| g.pool != GatePool::None)
    }

    /// Whether convolution to neuron of a chain's block is one [operation](crate::ops::block).
    pub(crate) fn fuses(&self, conv: &ConvPlan) -> bool {
        let pool_first = !conv.pooled || (self.network.pooling == Pooling::Current && self.gate_after_pool(conv));
        let gate_in_order = self
            .gate
            .as_ref()
            .is_none_or(|g| g.position == GatePosition::AfterNorm && g.pool != GatePool::None && pool_first);
        let pool_in_order = !conv.pooled || (self.network.pooling == Pooling::Current && conv.output[0] > 1);
        conv.binary && gate_in_order && pool_in_order && self.norm.kind == NormKind::Joint
    }

    pub(super) fn check_ranges(&self) -> Result<(), PlanError> {
        let range = |key, ok: bool, found: String, expected| {
            if ok { Ok(()) } else { Err(PlanError::Range { key, found, expected }) }
        };
        let (n, net) = (&self.neuron, &self.network);
        range("network.T", (1..=1024).contains(&net.steps), net.steps.to_string(), "1 to 1024")?;
        let width_ok = net.width.is_finite() && net.width > 0.0;
        range("network.width", width_ok, net.width.to_string(), "a finite number above 0")?;
        let tau_ok = n.kind == NeuronKind::If || (n.tau.is_finite() && n.tau >= 1.0);
        range("neuron.tau", tau_ok, n.tau.to_string(), "a finite number of at least 1")?;
        let v = n.v_threshold;
        range("neuron.v_threshold", v.is_finite() && v > 0.0, v.to_string(), "a finite number above 0")?;
        let width = n.width.unwrap_or(1.0);
        range("neuron.width", width.is_finite() && width > 0.0, width.to_string(), "a finite number above 0")?;
        let (e, m) = (self.norm.epsilon, self.norm.momentum);
        range("norm.epsilon", e.is_finite() && e > 0.0, e.to_string(), "a finite number above 0")?;
        range("norm.momentum", (0.0..=1.0).contains(&m), m.to_string(), "0 to 1")?;
        let g = self.norm.gamma_init;
        range("norm.gamma_init", g.is_finite(), g.to_string(), "a finite number")?;
        if let Some(g) = &self.gate {
            let c = g.constant;
            range("agmm.constant", c > 0.0 && c < 1.0, c.to_string(), "a number between 0 and 1, without these")?;
            range("agmm.alpha_init", g.alpha_init.is_finite(), g.alpha_init.to_string(), "a finite number")?;
            let m = g.ema_momentum;
            range("agmm.ema_momentum", (0.0..=1.0).contains(&m), m.to_string(), "0 to 1")?;
        }
        Ok(())
    }
}

impl Plan {
    /// The plan for samples of so many frames.
    pub fn with_frames(self, frames: usize) -> Self {
        Self { frames, ..self }
    }

    /// The convolution of this name.
    pub fn conv(&self, name: &str) -> Option<&ConvPlan> {
        self.convs.iter().find(|c| c.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(family: Family, layers: &str, input: [usize; 3]) -> Result<Plan, PlanError> {
        let network = NetworkConfig { family, layers: layers.parse().unwrap(), ..NetworkConfig::default() };
        NetworkOptions { network, ..NetworkOptions::default() }.plan(input, 10)
    }

    #[test]
    fn maps_follow_pooling_and_strides() {
        let maps = |p: Plan| p.convs.iter().map(|c| c.map).collect::<Vec<_>>();
        let vgg = plan(Family::Vgg, "8-P-16-P-32", [1, 28, 28]).unwrap();
        assert_eq!(maps(vgg), [[14, 14], [7, 7], [7, 7]]);
        let residual = plan(Family::BiReal, "8-2x8-2x16-32", [3, 32, 32]).unwrap();
        assert_eq!(
            residual.convs.iter().map(|c| c.projected).collect::<Vec<_>>(),
            [false, false, false, true, false, true]
        );
        assert_eq!(maps(residual), [[32, 32], [32, 32], [32, 32], [16, 16], [16, 16], [8, 8]]);
    }

    #[test]
    fn signals_have_kernels_and_poolings_of_one_row() {
        let p = plan(Family::Vgg, "8-P-16-P-32", [3, 1, 50]).unwrap();
        assert_eq!(p.convs.iter().map(|c| c.map).collect::<Vec<_>>(), [[1, 25], [1, 12], [1, 12]]);
        assert_eq!(p.convs[1].weights(), 8 * 16 * 3);
        assert_eq!(p.convs[1].macs(), 8 * 16 * 3 * 25);
        assert_eq!(p.features, 32 * 12);
        assert!(plan(Family::Vgg, "8-P-8-P-8", [1, 1, 3]).is_err());
    }

    #[test]
    fn kernels_and_dense_layers_have_their_shapes() {
        let p = plan(Family::Vgg, "8c5-P-16c1-FC20-FC7", [1, 14, 14]).unwrap();
        let of = |f: fn(&ConvPlan) -> [usize; 3]| p.convs.iter().map(f).collect::<Vec<_>>();
        assert_eq!(of(|c| [c.conv.kernel, c.conv.padding, c.map[0]]), [[5, 2, 7], [1, 0, 7], [1, 0, 1], [1, 0, 1]]);
        assert_eq!(p.convs[2].conv.channels, [16 * 49, 20]);
        assert_eq!(p.convs[2].flattens, Some([16, 7, 7]));
        assert_eq!(p.convs[3].conv.channels, [20, 7]);
        assert_eq!((p.convs[2].weights(), p.convs[2].macs(), p.features), (16 * 49 * 20, 16 * 49 * 20, 7));
        assert_eq!(plan(Family::BiReal, "8-8c5-16c1", [1, 8, 8]).unwrap().convs[1].conv.padding, 2);
        let signal = plan(Family::Vgg, "8c7-P-FC5", [2, 1, 20]).unwrap();
        assert_eq!(signal.convs.iter().map(ConvPlan::weights).collect::<Vec<_>>(), [2 * 8 * 7, 8 * 10 * 5]);
    }

    #[test]
    fn impossible_networks_are_refused_with_the_layer() {
        let rows = [
            (plan(Family::Vgg, "8-P-8-P-8-P", [1, 4, 4]), "blocks.1"),
            (plan(Family::BiReal, "8-16", [1, 7, 7]), "blocks.0"),
            (plan(Family::Vgg, "8", [1, 8, 8]), "nothing else"),
            (plan(Family::BiReal, "8-8-FC4", [1, 8, 8]), "blocks.1 is a dense layer"),
        ];
        for (result, part) in rows {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
