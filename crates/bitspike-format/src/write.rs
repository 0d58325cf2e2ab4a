//! The writer: a description with weights in PyTorch's order becomes the bytes of a file.

use crate::layer::{Features, Neuron, Pool, Reset};
use crate::record::{ALIGN, CHECKSUM, ENDIAN, ENTRY, FRONT, HEADER, MAGIC, NO_NEURON, Record, at, gate, kind};
use crate::{FormatError, Model, Section, VERSION, crc32c};
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
    },
}

/// A block to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSpec {
    /// Channels out.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: usize,
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

/// The bytes of a file. What is returned has passed [`Model::parse`].
///
/// # Errors
/// [`WriteError`] names the layer and the array or field.
///
/// ```
/// use bitspike_format::{Model, example, write};
/// let mut spec = example::tiny_spec();
/// spec.meta.push(("name".into(), "tiny".into()));
/// let bytes = write(&spec)?;
/// assert_eq!(Model::parse(&bytes).unwrap().meta_value("name"), Some("tiny"));
/// # Ok::<(), bitspike_format::WriteError>(())
/// ```
pub fn write(spec: &ModelSpec) -> Result<Vec<u8>, WriteError> {
    let mut out = Body { classes: spec.classes, steps: spec.steps, ..Body::default() };
    let [c, h, w] = spec.input;
    let field =
        |name, v: usize| u16::try_from(v).map_err(|_| WriteError::TooLarge { layer: None, field: name, found: v });
    let flags = u16::from(spec.normalise.is_some()) | u16::from(spec.sequence) << 1;
    let layers_field = field("layers", spec.layers.len())?;
    for v in [
        field("T", spec.steps)?,
        field("channels", c)?,
        field("rows", h)?,
        field("columns", w)?,
        field("classes", spec.classes)?,
        layers_field,
        flags,
        0,
    ] {
        out.layers.extend(v.to_le_bytes());
    }
    if let Some((mean, std)) = &spec.normalise {
        for (array, values) in [("mean", mean), ("std", std)] {
            check_len(None, array, c, values.len())?;
            out.reals.extend(values);
        }
    }
    out.map = [c, h, w];
    for (i, layer) in spec.layers.iter().enumerate() {
        match layer {
            LayerSpec::Block(block) => out.block(i, block)?,
            LayerSpec::Residual(residual) => out.residual(i, residual)?,
            LayerSpec::Neurons(neuron) => {
                let mut record = out.record(i, kind::NEURONS, out.map[0])?;
                record.set_neuron(Some(*neuron));
                out.layers.extend(record.bytes());
            }
            LayerSpec::Head(head) => out.head(i, head)?,
        }
    }
    let mut meta = String::new();
    for (key, value) in &spec.meta {
        let line_end = |s: &str| s.contains(['\n', '\r']);
        if key.contains('=') || line_end(key) || line_end(value) {
            return Err(WriteError::Meta { key: key.clone() });
        }
        meta += &format!("{key}={value}\n");
    }
    let signs: Vec<u8> = out.signs.iter().flat_map(|w| w.to_le_bytes()).collect();
    let reals: Vec<u8> = out.reals.iter().flat_map(|v| v.to_le_bytes()).collect();
    let bytes = frame([&out.layers, &signs, &reals, meta.as_bytes()])?;
    Model::parse(&bytes)?;
    Ok(bytes)
}

/// Header, table and sections.
fn frame(sections: [&[u8]; 4]) -> Result<Vec<u8>, WriteError> {
    let mut bytes = vec![0; FRONT];
    for (section, (i, body)) in Section::ALL.into_iter().zip(sections.into_iter().enumerate()) {
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        let too_large = || WriteError::TooLarge { layer: None, field: "length", found: bytes.len() + body.len() };
        let [start, length] = [bytes.len(), body.len()].map(u32::try_from);
        let (start, length) = (start.map_err(|_| too_large())?, length.map_err(|_| too_large())?);
        let entry = [section.number(), start, length, crc32c(body)];
        for (k, v) in entry.into_iter().enumerate() {
            bytes[HEADER + ENTRY * i + 4 * k..][..4].copy_from_slice(&v.to_le_bytes());
        }
        bytes.extend(body);
    }
    let found = bytes.len();
    let length = u32::try_from(found).map_err(|_| WriteError::TooLarge { layer: None, field: "length", found })?;
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[at::VERSION..][..2].copy_from_slice(&VERSION.to_le_bytes());
    bytes[at::SECTIONS..][..2].copy_from_slice(&4u16.to_le_bytes());
    bytes[at::ENDIAN..][..4].copy_from_slice(&ENDIAN.to_le_bytes());
    bytes[at::LENGTH..][..4].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32c(&bytes[..CHECKSUM]);
    bytes[CHECKSUM..FRONT].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

fn check_len(layer: Option<usize>, array: &'static str, expected: usize, found: usize) -> Result<(), WriteError> {
    if expected == found { Ok(()) } else { Err(WriteError::Length { layer, array, expected, found }) }
}

impl Record {
    fn set_neuron(&mut self, neuron: Option<Neuron>) {
        match neuron {
            None => self.reset = NO_NEURON,
            Some(n) => {
                (self.decay, self.threshold) = (n.decay, n.threshold);
                self.reset = if n.reset == Reset::Soft { 0 } else { 1 };
            }
        }
    }
}

#[derive(Default)]
struct Body {
    layers: Vec<u8>,
    signs: Vec<u32>,
    reals: Vec<f32>,
    steps: usize,
    classes: usize,
    /// Channels, rows and columns that the next layer gets.
    map: [usize; 3],
}

impl Body {
    fn record(&self, layer: usize, kind: u8, c_out: usize) -> Result<Record, WriteError> {
        let field = |field, v: usize| {
            u16::try_from(v).map_err(|_| WriteError::TooLarge { layer: Some(layer), field, found: v })
        };
        let [c, h, w] = self.map;
        Ok(Record {
            kind,
            c_in: field("c_in", c)?,
            c_out: field("c_out", c_out)?,
            rows: field("rows", h)?,
            columns: field("columns", w)?,
            ..Record::default()
        })
    }

    fn conv(&mut self, layer: usize, kind: u8, b: &BlockSpec) -> Result<Record, WriteError> {
        let mut record = self.record(layer, kind, b.channels)?;
        let byte =
            |field, v: usize| u8::try_from(v).map_err(|_| WriteError::TooLarge { layer: Some(layer), field, found: v });
        record.kernel = byte("kernel", b.kernel)?;
        record.stride = byte("stride", b.stride)?;
        record.padding = byte("padding", b.padding)?;
        let ([c_in, ..], c_out, taps) = (self.map, b.channels, b.kernel * b.kernel);
        let (WeightSpec::Real(w) | WeightSpec::Signs(w)) = &b.weights;
        check_len(Some(layer), "weights", c_in * c_out * taps, w.len())?;
        match &b.weights {
            WeightSpec::Real(w) => {
                for tap in 0..taps {
                    for ci in 0..c_in {
                        self.reals.extend((0..c_out).map(|co| w[(co * c_in + ci) * taps + tap]));
                    }
                }
            }
            WeightSpec::Signs(w) => {
                if let Some(index) = w.iter().position(|w| w.is_nan()) {
                    return Err(WriteError::NotANumber { layer, index });
                }
                for co in 0..c_out {
                    for tap in 0..taps {
                        for first in (0..c_in).step_by(32) {
                            let bit = |ci: usize| u32::from(w[(co * c_in + ci) * taps + tap] >= 0.0) << (ci - first);
                            self.signs.push((first..c_in.min(first + 32)).map(bit).sum());
                        }
                    }
                }
            }
        }
        for (array, values) in [("slope", &b.slope), ("offset", &b.offset)] {
            check_len(Some(layer), array, c_out, values.len())?;
            self.reals.extend(values);
        }
        self.gate(layer, b, &mut record)?;
        let side = |n: usize| (n + 2 * b.padding).saturating_sub(b.kernel) / b.stride.max(1) + 1;
        self.map = [c_out, side(self.map[1]), side(self.map[2])];
        Ok(record)
    }

    fn gate(&mut self, layer: usize, b: &BlockSpec, record: &mut Record) -> Result<(), WriteError> {
        let (values, array) = match &b.gate {
            GateSpec::None => return Ok(()),
            GateSpec::Fixed(factor) => {
                record.gate = gate::FIXED;
                (factor, "factor")
            }
            GateSpec::Sample { alpha, per_channel, inside } => {
                record.gate = if *per_channel { gate::SAMPLE_PER_CHANNEL } else { gate::SAMPLE };
                record.gate_flags = if *inside { gate::INSIDE } else { 0 };
                (alpha, "alpha")
            }
        };
        if values.len() != self.steps {
            check_len(Some(layer), array, self.steps * b.channels, values.len())?;
            record.gate_flags |= gate::PER_CHANNEL;
        }
        self.reals.extend(values);
        Ok(())
    }

    fn block(&mut self, layer: usize, b: &BlockSpec) -> Result<(), WriteError> {
        let kind = if matches!(b.weights, WeightSpec::Real(_)) { kind::REAL_BLOCK } else { kind::BINARY_BLOCK };
        let mut record = self.conv(layer, kind, b)?;
        record.set_neuron(b.neuron);
        record.pool = match b.pool {
            Pool::None => 0,
            Pool::Current => 1,
            Pool::Spikes => 2,
            Pool::MaxSpikes => 3,
        };
        if b.pool != Pool::None {
            self.map = [self.map[0], self.map[1] / 2, self.map[2] / 2];
        }
        self.layers.extend(record.bytes());
        Ok(())
    }

    fn residual(&mut self, layer: usize, r: &ResidualSpec) -> Result<(), WriteError> {
        let order = |expected| Err(WriteError::Order { layer, expected });
        if r.block.neuron.is_none() {
            return order("neurons in front of a residual block");
        }
        if r.block.pool != Pool::None {
            return order("no pooling in a residual block");
        }
        let c_in = self.map[0];
        let mut record = self.conv(layer, kind::RESIDUAL, &r.block)?;
        record.set_neuron(r.block.neuron);
        if let Some((weights, slope, offset)) = &r.projection {
            record.projected = 1;
            let c_out = r.block.channels;
            check_len(Some(layer), "shortcut weights", c_in * c_out, weights.len())?;
            for ci in 0..c_in {
                self.reals.extend((0..c_out).map(|co| weights[co * c_in + ci]));
            }
            for (array, values) in [("shortcut slope", slope), ("shortcut offset", offset)] {
                check_len(Some(layer), array, c_out, values.len())?;
                self.reals.extend(values);
            }
        }
        self.layers.extend(record.bytes());
        Ok(())
    }

    fn head(&mut self, layer: usize, head: &HeadSpec) -> Result<(), WriteError> {
        let mut record = self.record(layer, kind::HEAD, self.classes)?;
        let [c, h, w] = self.map;
        let features = match head.features {
            Features::Flatten => c * h * w,
            Features::Average => c,
        };
        record.pool = u8::from(head.features == Features::Average);
        check_len(Some(layer), "weights", features * self.classes, head.weights.len())?;
        check_len(Some(layer), "bias", self.classes, head.bias.len())?;
        let pixels = features / c.max(1);
        for pixel in 0..pixels {
            for channel in 0..c {
                let f = channel * pixels + pixel;
                self.reals.extend((0..self.classes).map(|o| head.weights[o * features + f]));
            }
        }
        self.reals.extend(&head.bias);
        self.layers.extend(record.bytes());
        Ok(())
    }
}
