//! The layers a file can hold, and what each computes, to the bit.
//!
//! Every operation below is one IEEE 754 operation in `f32`, rounded to nearest, in the order that the brackets say; no
//! multiplication and addition are contracted. Sums of spikes are integers. So all implementations give the same spikes.
//!
//! Layers may have integers instead, see [`integer`](crate::integer): then the field `integer` is there, fields for real
//! parameters are empty, and neurons show the real numbers that theirs stand for.
//!
//! Signals are channels-last: the element of row y, column x and channel c is number `(y · columns + x) · channels + c`.
//! Only an input frame is `[channels][rows][columns]`, as images come.

use crate::integer::{IntegerBlock, IntegerHead, IntegerNeuron, IntegerProjection};
use crate::math::hard;
use crate::{Reals, Words};

/// What a network is as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network<'a> {
    /// Time steps T it was trained with: how often a static image is shown, and the rows of α and of fixed factors.
    pub steps: usize,
    /// Whether inputs are sequences of frames; otherwise one image stands for all steps.
    pub sequence: bool,
    /// Shape of a frame; `planes` is 0.
    pub input: Map,
    /// Number of classes.
    pub classes: usize,
    /// Mean and standard deviation per channel that make floats of bytes; see [`Network::pixel`].
    pub normalise: Option<(Reals<'a>, Reals<'a>)>,
}

impl Network<'_> {
    /// The float that stands for byte `value` of `channel`: `(value / 255 − mean) / std` in `f64`, rounded once; without
    /// normalisation `value / 255`.
    #[must_use]
    pub fn pixel(&self, channel: usize, value: u8) -> f32 {
        let (mean, std) = match self.normalise {
            Some((mean, std)) => (mean.get(channel).unwrap_or(0.0), std.get(channel).unwrap_or(1.0)),
            None => (0.0, 1.0),
        };
        ((f64::from(value) / 255.0 - f64::from(mean)) / f64::from(std)) as f32
    }

    /// The normalised form of a measured `value` of `channel`: `(value − mean) / std` in `f32`; without normalisation
    /// `value`.
    #[must_use]
    pub fn value(&self, channel: usize, value: f32) -> f32 {
        match self.normalise {
            Some((mean, std)) => (value - mean.get(channel).unwrap_or(0.0)) / std.get(channel).unwrap_or(1.0),
            None => value,
        }
    }

    /// Channel of value `k` of an input, `[C, H, W]` or `[T, C, H, W]`.
    #[must_use]
    pub fn channel(&self, k: usize) -> usize {
        k / self.input.pixels().max(1) % self.input.channels.max(1)
    }

    /// Values of a whole input: one frame, or T of them where inputs are sequences.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input.len() * if self.sequence { self.steps } else { 1 }
    }
}

/// Shape of what goes from layer to layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Map {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// 0: real numbers. 1: spikes. 2: counts from 0 to 2, whose unit is ½, as two bit planes, lowest first. 3: counts from 0 to
    /// 4, whose unit is ¼.
    pub planes: usize,
}

impl Map {
    /// Words of a pixel: `ceil(channels / 32)`; channel c is bit `c % 32` of word `c / 32`.
    #[must_use]
    pub fn words(&self) -> usize {
        self.channels.div_ceil(32)
    }

    /// Number of pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pixels() * self.channels
    }

    /// Whether there are no values; never so in a file that was accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Words of one time step, `[plane][row][column][word]`.
    #[must_use]
    pub fn bit_words(&self) -> usize {
        self.planes * self.pixels() * self.words()
    }

    /// What a count of one stands for.
    #[must_use]
    pub fn unit(&self) -> f32 {
        match self.planes {
            2 => 0.5,
            3 => 0.25,
            _ => 1.0,
        }
    }

    /// The largest count of a value: 1, 2 halves, or 4 quarters.
    #[must_use]
    pub fn largest(&self) -> usize {
        match self.planes {
            2 => 2,
            3 => 4,
            _ => 1,
        }
    }

    /// Rows and columns of the windows that a pooling of this map has: 2×2, and 1×2 where there is one row.
    #[must_use]
    pub fn window(&self) -> [usize; 2] {
        [self.rows.min(2), 2]
    }

    /// The map of its windows.
    fn parted(self, [rows, columns]: [usize; 2]) -> Self {
        Self { rows: self.rows / rows.max(1), columns: self.columns / columns.max(1), ..self }
    }
}

/// Weights of a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weights<'a> {
    /// `[ky][kx][channel in][channel out]`.
    Real(Reals<'a>),
    /// `[channel out][ky][kx][word]`, bit 1 = +1, bit 0 = −1; bits beyond the last channel are 0.
    Signs(Words<'a>),
}

/// A convolution without bias; the input is zero outside its borders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv<'a> {
    /// The weights.
    pub weights: Weights<'a>,
    /// What goes in.
    pub input: Map,
    /// Channels that come out.
    pub channels: usize,
    /// Rows and columns of the kernel: equal, or one row for signals, whose maps have one row.
    pub kernel: [usize; 2],
    /// Step between outputs.
    pub stride: usize,
    /// Zeros around the input: above and below, left and right.
    pub padding: [usize; 2],
}

impl Conv<'_> {
    /// Shape of the sums.
    #[must_use]
    pub fn output(&self) -> Map {
        let side =
            |n: usize, padding: usize, kernel: usize| (n + 2 * padding).saturating_sub(kernel) / self.stride.max(1) + 1;
        let ([above, left], [high, wide]) = (self.padding, self.kernel);
        let (rows, columns) = (side(self.input.rows, above, high), side(self.input.columns, left, wide));
        Map { channels: self.channels, rows, columns, planes: 0 }
    }

    /// Weights of the kernel: rows times columns.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Multiply-accumulates of one time step, padding included.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.output().len() as u64 * self.taps() as u64 * self.input.channels as u64
    }
}

/// Slope and offset per channel: batch norm, scale of the weights and unit of the input in one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Affine<'a> {
    /// a, one per channel.
    pub slope: Reals<'a>,
    /// b, one per channel.
    pub offset: Reals<'a>,
}

/// Numbers per time step, or per time step and channel; steps after the last use the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor<'a> {
    /// `[T]` or `[T][channel]`.
    pub values: Reals<'a>,
    /// Channels of a step, 1 if they share a number.
    pub channels: usize,
}

impl Factor<'_> {
    /// The number of a step and channel.
    #[must_use]
    pub fn at(&self, step: usize, channel: usize) -> f32 {
        let channels = self.channels.max(1);
        let last = (self.values.len() / channels).saturating_sub(1);
        let channel = if channels == 1 { 0 } else { channel };
        self.values.get(step.min(last) * channels + channel).unwrap_or(1.0)
    }
}

/// The factor k in front of a current.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gate<'a> {
    /// k = 1, and nothing is multiplied.
    None,
    /// k from the file.
    Fixed(Factor<'a>),
    /// k from the sample, with m the mean of `a S + b` over the map, before any pooling:
    ///
    /// ```text
    /// M[c] = Σ S[y][x][c] over the map, an integer
    /// per channel:  m[c] = f32((f64(a[c]) · f64(M[c])) / f64(pixels) + f64(b[c]))
    /// otherwise:    m    = f32(Σ_c ((f64(a[c]) · f64(M[c])) / f64(pixels) + f64(b[c])) / f64(channels))
    ///               the sum from channel 0 on, in f64
    /// k = α · σ(m), or σ(α · m) if `inside`
    /// ```
    ///
    /// σ is the logistic function of [`math`](crate::math), made of single operations too; in its place, if `hard`,
    /// `h(x) = min(max((x · ¼) + ½, 0), 1)`.
    Sample {
        /// α.
        alpha: Factor<'a>,
        /// Whether every channel has its own mean.
        per_channel: bool,
        /// Whether α stands inside σ.
        inside: bool,
        /// Whether the function is h.
        hard: bool,
    },
    /// Every current has its own k, always with h: `k = α · h(z)`, or `h(α · z)` if `inside`, z being what it multiplies. A pooled
    /// current is the mean of gated currents, see [`Block`]: h(z) · z is no factor of the map, so gate and pooling do not commute.
    Element {
        /// α.
        alpha: Factor<'a>,
        /// Whether α stands inside h.
        inside: bool,
    },
}

impl Gate<'_> {
    /// Whether every current has its own factor.
    #[must_use]
    pub fn is_element(&self) -> bool {
        matches!(self, Self::Element { .. })
    }

    /// Whether its function is h.
    #[must_use]
    pub fn is_hard(&self) -> bool {
        matches!(self, Self::Element { .. } | Self::Sample { hard: true, .. })
    }
}

/// k of a current z in [`Gate::Element`].
#[inline(always)]
#[must_use]
pub fn element_factor(alpha: f32, inside: bool, z: f32) -> f32 {
    if inside { hard(alpha * z) } else { alpha * hard(z) }
}

/// What is pooled, in windows of 2×2, or of 1×2 where the map has one row; a last odd row or column is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pool {
    /// Nothing.
    None,
    /// The average of the current, in front of the neuron.
    Current,
    /// The average of the spikes: counts from 0 to 4, or to 2.
    Spikes,
    /// The largest of the spikes.
    MaxSpikes,
}

/// What a spike does to the membrane potential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// The threshold is subtracted.
    Soft,
    /// The potential becomes 0.
    Hard,
}

/// Neurons of a layer, with v = 0 before the first step:
///
/// ```text
/// u = (decay · v) + z        spike if u ≥ threshold
/// v = u − threshold (soft) or 0 (hard) after a spike, u otherwise
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neuron {
    /// λ, from 0 to 1.
    pub decay: f32,
    /// Above 0.
    pub threshold: f32,
    /// After a spike.
    pub reset: Reset,
}

/// Convolution, affine map, gate, pooling and neuron in a chain.
///
/// ```text
/// binary:  S = Σ count · sign, an integer
/// real:    S = 0; for ky, kx, channel in: S = S + (w · x), taps outside the input left out
/// z = (a · S) + b
/// pooled current, binary:  S = S₀₀ + S₀₁ + S₁₀ + S₁₁ and z = ((a · ¼) · S) + b
///                 real:    S = (S₀₀ + S₀₁) + (S₁₀ + S₁₁), z likewise
///                 of one row, both:  S = S₀₀ + S₀₁ and z = ((a · ½) · S) + b
/// z = z · k                 where there is a gate
/// pooled current, a gate per element:  z₀₀ to z₁₁ as without pooling, each with its k; then z = ((z₀₀ + z₀₁) + (z₁₀ + z₁₁)) · ¼
///                 of one row:          z = (z₀₀ + z₀₁) · ½
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block<'a> {
    /// The convolution.
    pub conv: Conv<'a>,
    /// Slope and offset.
    pub affine: Affine<'a>,
    /// Factor of the current; none after a real convolution.
    pub gate: Gate<'a>,
    /// What is pooled.
    pub pool: Pool,
    /// The neurons; without them the current goes out, unpooled.
    pub neuron: Option<Neuron>,
    /// What the layer has instead of slope, offset, α and the numbers of its neurons.
    pub integer: Option<IntegerBlock<'a>>,
    /// Of a stem in front of layers with integers: its current goes out as integers with so many bits after the point.
    pub current_shift: Option<u32>,
}

impl Block<'_> {
    /// Rows and columns of the windows of its pooling; 1×1 without.
    #[must_use]
    pub fn window(&self) -> [usize; 2] {
        if self.pool == Pool::None { [1, 1] } else { self.conv.output().window() }
    }

    /// Rows and columns of the sums that a neuron sees: a window of [`Pool::Current`], else one.
    #[must_use]
    pub fn seen(&self) -> [usize; 2] {
        if self.pool == Pool::Current { self.window() } else { [1, 1] }
    }

    /// Rows and columns of the sums that are added before slope, offset and gate: those that a neuron sees, unless each has its own
    /// gate.
    #[must_use]
    pub fn sums(&self) -> [usize; 2] {
        if self.gate.is_element() { [1, 1] } else { self.seen() }
    }

    /// Shape of what gets slope, offset and gate.
    #[must_use]
    pub fn totals(&self) -> Map {
        self.conv.output().parted(self.sums())
    }

    /// Shape of the neurons, or of the current where there are none.
    #[must_use]
    pub fn neurons(&self) -> Map {
        self.conv.output().parted(self.seen())
    }

    /// Shape of what goes out.
    #[must_use]
    pub fn output(&self) -> Map {
        let (window, map) = (self.window(), self.conv.output());
        let map = map.parted(window);
        match (self.neuron, self.pool) {
            (None, _) => map,
            (_, Pool::Spikes) => Map { planes: if window == [1, 2] { 2 } else { 3 }, ..map },
            _ => Map { planes: 1, ..map },
        }
    }
}

/// A shortcut that changes the width and halves the map:
///
/// ```text
/// p = ((x₀₀ + x₀₁) + (x₁₀ + x₁₁)) · ¼        y = (a · S) + b with S = 0; for channel in: S = S + (w · p)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Projection<'a> {
    /// `[channel in][channel out]`.
    pub weights: Reals<'a>,
    /// Slope and offset.
    pub affine: Affine<'a>,
    /// What it has instead.
    pub integer: Option<IntegerProjection<'a>>,
}

/// Neuron and binary convolution with a shortcut around them: `y = z + shortcut(x)`, z as in a [`Block`] on the spikes of
/// the neurons, which see the current x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual<'a> {
    /// The neurons in front; `conv.input` has their shape.
    pub neuron: Neuron,
    /// The binary convolution.
    pub conv: Conv<'a>,
    /// Slope and offset.
    pub affine: Affine<'a>,
    /// Factor of the convolution's current.
    pub gate: Gate<'a>,
    /// Where shapes change; otherwise the shortcut is the identity.
    pub projection: Option<Projection<'a>>,
    /// What the layer has instead of slope, offset, α and the numbers of its neurons.
    pub integer: Option<IntegerBlock<'a>>,
}

impl<'a> Residual<'a> {
    /// Its convolution as a block whose current is not pooled; its neurons stand in front of it, not behind.
    #[must_use]
    pub fn block(&self) -> Block<'a> {
        Block {
            conv: self.conv,
            affine: self.affine,
            gate: self.gate,
            pool: Pool::None,
            neuron: Some(self.neuron),
            integer: self.integer,
            current_shift: None,
        }
    }
}

/// Neurons alone, between a residual chain and the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neurons {
    /// The neurons.
    pub neuron: Neuron,
    /// Their shape; `planes` is 0.
    pub input: Map,
    /// What they have instead.
    pub integer: Option<IntegerNeuron>,
}

/// What a head sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Features {
    /// Every value of the map.
    Flatten,
    /// The mean of every channel.
    Average,
}

/// The classifier:
///
/// ```text
/// S[o] = 0; for feature f: S[o] = S[o] + (w[f][o] · n[f])
/// y[o] = (S[o] · unit) + bias[o]                       unit = Map::unit, by the number of pixels if averaged
/// ```
///
/// n counts spikes (or halves, or quarters): of one value, or of a channel over the whole map. Logits of an inference are
/// `(y at step 1 + y at step 2 + …) / steps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head<'a> {
    /// What it sees.
    pub features: Features,
    /// `[feature][class]`; features of a flattened map are channels-last.
    pub weights: Reals<'a>,
    /// One per class.
    pub bias: Reals<'a>,
    /// What goes in.
    pub input: Map,
    /// What it has instead of weights and bias.
    pub integer: Option<IntegerHead<'a>>,
}

impl Head<'_> {
    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.integer.map_or(self.bias.len(), |integer| integer.bias.len())
    }

    /// Bytes of its weights in a file.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.integer.map_or(4 * self.weights.len(), |i| i.weights.len() * i.weights.width())
    }

    /// Number of features.
    #[must_use]
    pub fn count(&self) -> usize {
        match self.features {
            Features::Flatten => self.input.len(),
            Features::Average => self.input.channels,
        }
    }

    /// What a count of one is worth.
    #[must_use]
    pub fn unit(&self) -> f32 {
        match self.features {
            Features::Flatten => self.input.unit(),
            Features::Average => self.input.unit() / self.input.pixels() as f32,
        }
    }
}

/// A layer of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer<'a> {
    /// Convolution to neuron in a chain.
    Block(Block<'a>),
    /// A residual block.
    Residual(Residual<'a>),
    /// Neurons alone.
    Neurons(Neurons),
    /// The classifier, always last.
    Head(Head<'a>),
}

impl Layer<'_> {
    /// Shape of what goes out; `None` after the head.
    #[must_use]
    pub fn output(&self) -> Option<Map> {
        match self {
            Self::Block(block) => Some(block.output()),
            Self::Residual(residual) => Some(residual.conv.output()),
            Self::Neurons(neurons) => Some(Map { planes: 1, ..neurons.input }),
            Self::Head(_) => None,
        }
    }
}
