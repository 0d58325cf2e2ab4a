//! The kinds of network: how layers are connected, what is pooled, where shortcuts join.

use serde::{Deserialize, Serialize};

/// How layers are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// Every spike of the last map: learns faster on small images.
    #[default]
    Flatten,
    /// The mean firing rate of every channel: the published networks, and far fewer real weights.
    Average,
}

/// Where the shortcut of a residual block joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Junction {
    /// Standard: at the current in front of the block's last neurons.
    Current,
    /// SEW: at the spikes behind them.
    Spikes,
    /// Membrane: at the current that the block gives on; neurons stand in front of convolutions.
    Membrane,
}

/// How the convolutions of a plan are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// A chain: stem and blocks.
    Vgg,
    /// Stem and blocks of one convolution each with a shortcut.
    BiReal {
        /// The stem ends in a 3×3 maximum with stride 2.
        pooled_stem: bool,
    },
    /// Stem and blocks of two convolutions each with a shortcut.
    Residual {
        /// Where the shortcut joins.
        junction: Junction,
        /// The stem ends in a 3×3 maximum with stride 2.
        pooled_stem: bool,
        /// Number of blocks.
        blocks: usize,
    },
    /// Patch splitting and blocks of attention.
    Spikformer {
        /// Number of blocks.
        blocks: usize,
        /// Heads of attention.
        heads: usize,
    },
}
