//! Configuration of a network, and the plan made from it: every layer with its shapes, before any memory is taken.

use super::spec::{LayerSpec, Part};
use crate::layers::{AgmmConfig, AgmmError, Conv2dConfig, Estimator, NeuronConfig, NeuronKind, NormConfig};
use crate::ops::conv::{Precision, WeightScale};
use crate::ops::gate::GatePool;
use serde::{Deserialize, Serialize};

/// How layers are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A chain: convolution, batch norm, gate, pooling, neuron.
    #[default]
    Vgg,
    /// One shortcut around each binary convolution (Liu et al., ECCV 2018): neuron, convolution, batch norm, gate, plus the
    /// layer's input. Where width or resolution change, the shortcut is average pooling, a real 1×1 convolution, batch norm.
    BiReal,
}

/// What is pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Average of the current, in front of the neuron: its spikes stay binary.
    #[default]
    Current,
    /// Average of the spikes: the next layer sees quarters, which are three bit planes.
    Spikes,
    /// Maximum of the spikes: stays binary.
    MaxSpikes,
}

/// What the classifier sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Every spike of the last map: learns faster on small images.
    #[default]
    Flatten,
    /// The mean firing rate of every channel: the published networks, and far fewer real weights.
    Average,
}

/// Configuration of a network: the `[network]` table of a recipe, with the neuron, norm and gate beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
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
        "network.layers: {layer} would pool a map of {height}x{width}; remove a P or use larger images \
         (the input is {input:?})"
    )]
    TooSmall {
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
        "network.layers: {layer} would halve a map of {height}x{width}: its shortcut averages 2x2 windows and needs even \
         sides; change width fewer times, or use images whose sides stay even (the input is {input:?})"
    )]
    OddMap {
        /// Name of the layer.
        layer: String,
        /// Rows of its map.
        height: usize,
        /// Columns of its map.
        width: usize,
        /// Channels, rows and columns of the input.
        input: [usize; 3],
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

/// Place and shapes of one convolution with what surrounds it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvPlan {
    /// Module path: `stem`, `blocks.0`, ...
    pub name: String,
    /// Geometry.
    pub conv: Conv2dConfig,
    /// 1-bit weights.
    pub binary: bool,
    /// Rows and columns going in.
    pub input: [usize; 2],
    /// Rows and columns of the convolution's result.
    pub output: [usize; 2],
    /// Followed by a 2×2 pooling (VGG), or down-sampling by stride (Bi-Real).
    pub pooled: bool,
    /// Bi-Real: width or resolution change, so the shortcut has a convolution.
    pub projected: bool,
}

impl ConvPlan {
    /// Rows and columns after pooling.
    pub fn final_map(&self, family: Family) -> [usize; 2] {
        match (family, self.pooled) {
            (Family::Vgg, true) => self.output.map(|s| s / 2),
            _ => self.output,
        }
    }

    /// Multiply-accumulates of one time step, without the shortcut.
    pub fn macs(&self) -> u64 {
        let [c_in, c_out] = self.conv.channels;
        (c_in * c_out * self.conv.kernel * self.conv.kernel * self.output[0] * self.output[1]) as u64
    }

    /// Weights of the convolution.
    pub fn weights(&self) -> u64 {
        let [c_in, c_out] = self.conv.channels;
        (c_in * c_out * self.conv.kernel * self.conv.kernel) as u64
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
    /// Stem first, then the blocks.
    pub convs: Vec<ConvPlan>,
    /// Features the classifier sees.
    pub features: usize,
    /// Classes.
    pub classes: usize,
}

impl NetworkOptions {
    /// Checks the configuration against an input of `[C, H, W]` and a number of classes.
    ///
    /// ```
    /// use bitspike_nn::network::NetworkOptions;
    /// let plan = NetworkOptions::default().plan([1, 28, 28], 10).unwrap();
    /// assert_eq!(plan.convs.len(), 3);
    /// assert_eq!(plan.features, 128 * 7 * 7);
    /// ```
    ///
    /// # Errors
    /// [`PlanError`] names the key or layer, what was found and what was expected.
    pub fn plan(&self, input: [usize; 3], classes: usize) -> Result<Plan, PlanError> {
        self.check_ranges()?;
        if let Some(gate) = &self.gate {
            gate.check()?;
        }
        let parts = self.network.layers.parts();
        let mut convs: Vec<ConvPlan> = Vec::new();
        let [mut channels, rows, columns] = input;
        let mut map = [rows, columns];
        for (i, part) in parts.iter().enumerate() {
            let Part::Conv(width) = *part else { continue };
            let name = if convs.is_empty() { "stem".to_owned() } else { format!("blocks.{}", convs.len() - 1) };
            let stem = convs.is_empty();
            let bi_real = self.network.family == Family::BiReal && !stem;
            let followed = parts.get(i + 1) == Some(&Part::Pool);
            // In a residual chain width changes come with a halved map; a P asks for one without.
            let down = bi_real && (width != channels || (i > 0 && parts[i - 1] == Part::Pool));
            let conv = Conv2dConfig::same([channels, width], 3).with_stride(if down { 2 } else { 1 });
            let conv = conv.with_precision(self.precision);
            let output = map.map(|s| (s - 1) / conv.stride + 1);
            let pooled = if bi_real { down } else { followed && self.network.family == Family::Vgg };
            if (pooled || down) && (if bi_real { map } else { output }).iter().any(|&s| s < 2) {
                let [height, width] = map;
                return Err(PlanError::TooSmall { layer: name, height, width, input });
            }
            if down && map.iter().any(|s| s % 2 == 1) {
                let [height, width] = map;
                return Err(PlanError::OddMap { layer: name, height, width, input });
            }
            let plan = ConvPlan {
                name,
                conv,
                binary: !stem && !self.full_precision,
                input: map,
                output,
                pooled,
                projected: bi_real && down,
            };
            map = plan.final_map(if bi_real { Family::BiReal } else { Family::Vgg });
            channels = width;
            convs.push(plan);
        }
        if convs.len() < 2 {
            return Err(PlanError::NoBlocks { found: self.network.layers.to_string() });
        }
        let features = match self.network.head {
            Head::Average => channels,
            Head::Flatten => channels * map[0] * map[1],
        };
        Ok(Plan { options: self.clone(), input, convs, features, classes })
    }

    fn check_ranges(&self) -> Result<(), PlanError> {
        let range = |key, ok: bool, found: String, expected| {
            if ok { Ok(()) } else { Err(PlanError::Range { key, found, expected }) }
        };
        let (n, net) = (&self.neuron, &self.network);
        range("network.T", (1..=1024).contains(&net.steps), net.steps.to_string(), "1 to 1024")?;
        let tau_ok = n.kind == NeuronKind::If || (n.tau.is_finite() && n.tau >= 1.0);
        range("neuron.tau", tau_ok, n.tau.to_string(), "a finite number of at least 1")?;
        let v = n.v_threshold;
        range("neuron.v_threshold", v.is_finite() && v > 0.0, v.to_string(), "a finite number above 0")?;
        let width = n.width.unwrap_or(1.0);
        range("neuron.width", width.is_finite() && width > 0.0, width.to_string(), "a finite number above 0")?;
        let (e, m) = (self.norm.epsilon, self.norm.momentum);
        range("norm.epsilon", e.is_finite() && e > 0.0, e.to_string(), "a finite number above 0")?;
        range("norm.momentum", (0.0..=1.0).contains(&m), m.to_string(), "0 to 1")?;
        if let Some(g) = &self.gate {
            range("agmm.alpha_init", g.alpha_init.is_finite(), g.alpha_init.to_string(), "a finite number")?;
            let m = g.ema_momentum;
            range("agmm.ema_momentum", (0.0..=1.0).contains(&m), m.to_string(), "0 to 1")?;
        }
        Ok(())
    }
}

impl Plan {
    /// Whether the gate may stand after an average pooling of even maps: for every pool but the element-wise one the two
    /// commute, mean(pool(x)) = mean(x) and pool(g x) = g pool(x), and the pooled map is a quarter of the work.
    pub(crate) fn gate_after_pool(&self, conv: &ConvPlan) -> bool {
        let even = conv.output.iter().all(|s| s % 2 == 0);
        even && self.options.gate.as_ref().is_some_and(|g| g.pool != GatePool::None)
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
        let maps = |p: Plan| p.convs.iter().map(|c| c.final_map(p.options.network.family)).collect::<Vec<_>>();
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
    fn impossible_networks_are_refused_with_the_layer() {
        let rows = [
            (plan(Family::Vgg, "8-P-8-P-8-P", [1, 4, 4]), "blocks.1"),
            (plan(Family::BiReal, "8-16", [1, 7, 7]), "blocks.0"),
            (plan(Family::Vgg, "8", [1, 8, 8]), "nothing else"),
        ];
        for (result, part) in rows {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
