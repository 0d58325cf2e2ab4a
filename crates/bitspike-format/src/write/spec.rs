//! What can be written, and what is wrong with what cannot.

use super::feed::FeedSpec;
use crate::FormatError;
use crate::integer::IntegerNeuron;
use crate::layer::{Features, Neuron, Pool};
use std::fmt;

/// A network to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// Time steps T.
    pub steps: usize,
    /// Whether inputs are sequences of frames.
    pub sequence: bool,
    /// Channels, rows and columns of a frame.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Mean and standard deviation per channel.
    pub normalise: Option<(Vec<f32>, Vec<f32>)>,
    /// The layers; the head is the last.
    pub layers: Vec<LayerSpec>,
    /// Lines `key=value` of META.
    pub meta: Vec<(String, String)>,
    /// What the network is fed with, if the file is to say it.
    pub feed: Option<FeedSpec>,
}

/// The trainer's name of layer `i` of a file whose last is `last`; `neurons`: whether it is neurons alone.
#[must_use]
pub fn layer_name(i: usize, last: usize, neurons: bool) -> String {
    match i {
        _ if neurons => "last".to_owned(),
        0 => "stem".to_owned(),
        _ if i == last => "head".to_owned(),
        _ => format!("blocks.{}", i - 1),
    }
}

/// A layer to be written. Shapes of inputs follow from the layers before.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSpec {
    /// See [`Block`](crate::Block).
    Block(BlockSpec),
    /// See [`Residual`](crate::Residual).
    Residual(ResidualSpec),
    /// See [`Neurons`](crate::Neurons).
    Neurons(Neuron),
    /// See [`Head`](crate::Head).
    Head(HeadSpec),
}

/// Weights `[channel out][channel in][ky][kx]`, as PyTorch keeps them.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightSpec {
    /// Real weights.
    Real(Vec<f32>),
    /// Numbers whose signs are the weights: +1 from 0 on, −1 below.
    Signs(Vec<f32>),
}

/// A gate to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum GateSpec {
    /// No factor.
    None,
    /// The factor, `[T]` or `[T][channel]`.
    Fixed(Vec<f32>),
    /// A factor from the sample.
    Sample {
        /// α, `[T]` or `[T][channel]`.
        alpha: Vec<f32>,
        /// Whether every channel has its own mean.
        per_channel: bool,
        /// Whether α stands inside σ.
        inside: bool,
        /// Whether σ is the hard function.
        hard: bool,
    },
    /// A factor for every current, with the hard function.
    Element {
        /// α, `[T]` or `[T][channel]`.
        alpha: Vec<f32>,
        /// Whether α stands inside the function.
        inside: bool,
    },
}

impl GateSpec {
    /// α of a gate that depends on the sample.
    #[must_use]
    pub fn alpha(&self) -> Option<&[f32]> {
        match self {
            Self::Sample { alpha, .. } | Self::Element { alpha, .. } => Some(alpha),
            Self::None | Self::Fixed(_) => None,
        }
    }
}

/// A block to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSpec {
    /// Channels out.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step between outputs.
    pub stride: usize,
    /// Zeros around the input: above and below, left and right.
    pub padding: [usize; 2],
    /// The weights.
    pub weights: WeightSpec,
    /// a per channel.
    pub slope: Vec<f32>,
    /// b per channel.
    pub offset: Vec<f32>,
    /// The gate.
    pub gate: GateSpec,
    /// What is pooled.
    pub pool: Pool,
    /// The neurons.
    pub neuron: Option<Neuron>,
}

impl BlockSpec {
    /// Weights of the kernel: rows times columns.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Rows and columns of the sums of an input of so many.
    #[must_use]
    pub fn sides(&self, input: [usize; 2]) -> [usize; 2] {
        let side = |axis: usize| {
            (input[axis] + 2 * self.padding[axis]).saturating_sub(self.kernel[axis]) / self.stride.max(1) + 1
        };
        [side(0), side(1)]
    }

    /// Rows and columns of the windows that are pooled, behind an input of so many: 2×2, 1×2 where the sums have one row, 1×1
    /// without a pooling.
    #[must_use]
    pub fn window(&self, input: [usize; 2]) -> [usize; 2] {
        if self.pool == Pool::None { [1, 1] } else { [self.sides(input)[0].min(2), 2] }
    }

    /// Rows and columns of what goes out.
    #[must_use]
    pub fn output(&self, input: [usize; 2]) -> [usize; 2] {
        let (sides, window) = (self.sides(input), self.window(input));
        [sides[0] / window[0], sides[1] / window[1]]
    }

    /// Channels, rows and columns of what goes out, of those that come in.
    #[must_use]
    pub fn after(&self, [_, h, w]: [usize; 3]) -> [usize; 3] {
        let [rows, columns] = self.output([h, w]);
        [self.channels, rows, columns]
    }
}

/// A residual block to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualSpec {
    /// The block; its neurons stand in front, and nothing is pooled.
    pub block: BlockSpec,
    /// Weights `[channel out][channel in]`, slope and offset of a shortcut that changes shapes.
    pub projection: Option<(Vec<f32>, Vec<f32>, Vec<f32>)>,
}

/// A classifier to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadSpec {
    /// What it sees.
    pub features: Features,
    /// Weights `[class][feature]`, features of a flattened map as PyTorch has them: `[channel][row][column]`.
    pub weights: Vec<f32>,
    /// One per class.
    pub bias: Vec<f32>,
}

/// A network whose layers after the first have integers, as [`quantise`](crate::quantise()) makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerSpec {
    /// Shapes, signs, kinds of gate, the whole first layer, and META; other numbers in it are not written.
    pub network: ModelSpec,
    /// The integers of every layer.
    pub layers: Vec<IntegerLayerSpec>,
}

/// The integers of a layer; see [`integer`](crate::integer).
#[derive(Clone, Debug, PartialEq)]
pub enum IntegerLayerSpec {
    /// The first layer: real, and if it is a stem, how many bits its current has after the point.
    First(u32),
    /// A binary or residual block.
    Block(IntegerBlockSpec),
    /// Neurons alone, and the bits after the point of their current.
    Neurons(IntegerNeuron, u32),
    /// The classifier.
    Head {
        /// W `[class][feature]`, features as in [`HeadSpec`].
        weights: Vec<i32>,
        /// Bytes of a weight: 1 or 2.
        word: usize,
        /// B, one per class.
        bias: Vec<i32>,
        /// What a total of one is worth.
        unit: f32,
    },
}

/// The integers of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerBlockSpec {
    /// f.
    pub shift: u32,
    /// Bytes of a slope: 1 or 2.
    pub word: usize,
    /// A, `[channel]`, or `[T][channel]` where the gate is [`GateSpec::Fixed`].
    pub slope: Vec<i32>,
    /// B, likewise.
    pub offset: Vec<i32>,
    /// α, `[T]` or `[T][channel]` where the gate has one; else empty.
    pub alpha: Vec<i32>,
    /// The neurons.
    pub neuron: IntegerNeuron,
    /// W `[channel out][channel in]`, C and g of a shortcut that changes shapes.
    pub projection: Option<(Vec<i32>, Vec<i32>, u32)>,
}

/// A description that cannot be written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WriteError {
    /// An array has the wrong number of elements.
    Length {
        /// Index of the layer; `None` for the network's own arrays.
        layer: Option<usize>,
        /// Name of the array.
        array: &'static str,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A number does not fit its field.
    TooLarge {
        /// Index of the layer; `None` for the network's own fields.
        layer: Option<usize>,
        /// Name of the field.
        field: &'static str,
        /// The number.
        found: usize,
    },
    /// A weight that is to become a sign is not a number.
    NotANumber {
        /// Index of the layer.
        layer: usize,
        /// Index of the weight.
        index: usize,
    },
    /// A key or value of META has a line end, or a key has `=`.
    Meta {
        /// The key.
        key: String,
    },
    /// A name of FEED that is too long, or has a control character.
    Name {
        /// The name.
        name: String,
    },
    /// A layer that the layers before do not allow: a head that is not the last, or a residual block without neurons.
    Order {
        /// Index of the layer.
        layer: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// The reader refuses the description as written.
    Refused(FormatError),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |layer: &Option<usize>| layer.map_or("network".to_owned(), |i| format!("layer {i}"));
        match self {
            Self::Length { layer, array, expected, found } => {
                write!(f, "{}, {array}: expected {expected} elements, found {found}", place(layer))
            }
            Self::TooLarge { layer, field, found } => {
                write!(f, "{}, {field}: {found} does not fit the field", place(layer))
            }
            Self::NotANumber { layer, index } => write!(f, "layer {layer}: weight {index} is not a number"),
            Self::Meta { key } => write!(f, "meta key {key:?}: a key has no '=', and neither has a line end"),
            Self::Name { name } => {
                write!(f, "name {name:?}: expected at most 255 bytes without a control character, found {}", name.len())
            }
            Self::Order { layer, expected } => write!(f, "layer {layer}: expected {expected}"),
            Self::Refused(error) => write!(f, "the description is no network: {error}"),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FormatError> for WriteError {
    fn from(error: FormatError) -> Self {
        Self::Refused(error)
    }
}
