//! The writer: a description with weights in PyTorch's order becomes the bytes of a file.

use crate::integer::IntegerNeuron;
mod describe;
mod feed;
mod spec;

pub use feed::{FeedSpec, SignalSpec};
pub use spec::{
    BlockSpec, GateSpec, HeadSpec, IntegerBlockSpec, IntegerLayerSpec, IntegerSpec, LayerSpec, ModelSpec, ResidualSpec,
    WeightSpec, WriteError, layer_name,
};

use crate::layer::{Features, Neuron, Pool, Reset};
use crate::record::{ALIGN, ENDIAN, ENTRY, HEADER, MAGIC, NO_NEURON, Record, at, flag, front, gate, kind};
use crate::{Model, Section, VERSION, VERSION_FEED, VERSION_HARD, VERSION_INTEGERS, VERSION_ROWS, crc32c};

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
    build(spec, None)
}

/// The bytes of a file with integers. What is returned has passed [`Model::parse`].
///
/// # Errors
/// As [`write()`].
///
/// ```
/// use bitspike_format::{Model, WordLengths, example, quantise, write_integers};
/// let (spec, rounding) = quantise(&example::tiny_spec(), &WordLengths::default()).unwrap();
/// let bytes = write_integers(&spec)?;
/// assert!(Model::parse(&bytes).unwrap().is_integer() && rounding.layers[0].slope < 1e-3);
/// # Ok::<(), bitspike_format::WriteError>(())
/// ```
pub fn write_integers(spec: &IntegerSpec) -> Result<Vec<u8>, WriteError> {
    build(&spec.network, Some(&spec.layers))
}

fn build(spec: &ModelSpec, integers: Option<&[IntegerLayerSpec]>) -> Result<Vec<u8>, WriteError> {
    let mut out = Body { classes: spec.classes, steps: spec.steps, ..Body::default() };
    let [c, h, w] = spec.input;
    let field =
        |name, v: usize| u16::try_from(v).map_err(|_| WriteError::TooLarge { layer: None, field: name, found: v });
    let flags = [(spec.normalise.is_some(), flag::NORMALISE), (spec.sequence, flag::SEQUENCE)];
    let flags = [flags[0], flags[1], (integers.is_some(), flag::INTEGERS)];
    let flags = flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
    let layers_field = field("layers", spec.layers.len())?;
    let mut layers = Vec::new();
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
        layers.extend(v.to_le_bytes());
    }
    if let Some((mean, std)) = &spec.normalise {
        for (array, values) in [("mean", mean), ("std", std)] {
            check_len(None, array, c, values.len())?;
            out.reals.extend(values);
        }
    }
    if let Some(integers) = integers {
        check_len(None, "layers with integers", spec.layers.len(), integers.len())?;
    }
    out.map = [c, h, w];
    for (i, layer) in spec.layers.iter().enumerate() {
        let integers = integers.and_then(|all| all.get(i));
        let order = |expected| WriteError::Order { layer: i, expected };
        match (layer, integers) {
            (LayerSpec::Block(block), None | Some(IntegerLayerSpec::First(_))) => {
                let shift = if let Some(IntegerLayerSpec::First(shift)) = integers { *shift } else { 0 };
                out.block(i, block, Numbers::Real { shift })?;
            }
            (LayerSpec::Block(block), Some(IntegerLayerSpec::Block(b))) => out.block(i, block, Numbers::Integer(b))?,
            (LayerSpec::Residual(residual), None) => out.residual(i, residual, Numbers::Real { shift: 0 })?,
            (LayerSpec::Residual(residual), Some(IntegerLayerSpec::Block(b))) => {
                out.residual(i, residual, Numbers::Integer(b))?;
            }
            (LayerSpec::Neurons(neuron), None) => {
                let mut record = out.record(i, kind::NEURONS, out.map[0])?;
                record.set_neuron(Some(*neuron));
                out.records.push(record);
            }
            (LayerSpec::Neurons(_), Some(IntegerLayerSpec::Neurons(neuron, shift))) => {
                let mut record = out.record(i, kind::NEURONS, out.map[0])?;
                record.set_integers(i, neuron, *shift, 0)?;
                out.records.push(record);
            }
            (LayerSpec::Head(head), None) => out.head(i, head)?,
            (LayerSpec::Head(head), Some(IntegerLayerSpec::Head { weights, word, bias, unit })) => {
                out.integer_head(i, head.features, (weights, *word), bias, *unit)?;
            }
            _ => return Err(order("integers of the same kind as the layer")),
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
    for record in out.records {
        // Without need there are no rows of kernels: a square network is the same file as ever.
        let square = Record { kernel_rows: 0, padding_rows: 0, ..record };
        layers.extend(if out.rows || out.hard || spec.feed.is_some() { record } else { square }.bytes());
    }
    let version = match (out.hard, out.rows, integers) {
        _ if spec.feed.is_some() => VERSION_FEED,
        (true, ..) => VERSION_HARD,
        (_, true, _) => VERSION_ROWS,
        (_, _, Some(_)) => VERSION_INTEGERS,
        (_, _, None) => VERSION,
    };
    let signs: Vec<u8> = out.signs.iter().flat_map(|w| w.to_le_bytes()).collect();
    let reals: Vec<u8> = out.reals.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut sections =
        vec![(Section::Layers, layers), (Section::Signs, signs), (Section::Reals, reals), (Section::Meta, meta.into())];
    sections.extend(integers.map(|_| (Section::Integers, out.integers)));
    if let Some(feed) = &spec.feed {
        sections.push((Section::Feed, feed.section(spec.classes)?));
    }
    let bytes = frame(version, &sections)?;
    Model::parse(&bytes)?;
    Ok(bytes)
}

/// Header, table and sections.
fn frame(version: u16, sections: &[(Section, Vec<u8>)]) -> Result<Vec<u8>, WriteError> {
    let (checksum_at, front) = front(sections.len());
    let mut bytes = vec![0; front];
    for (i, (section, body)) in sections.iter().enumerate() {
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
    bytes[at::VERSION..][..2].copy_from_slice(&version.to_le_bytes());
    bytes[at::SECTIONS..][..2].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    bytes[at::ENDIAN..][..4].copy_from_slice(&ENDIAN.to_le_bytes());
    bytes[at::LENGTH..][..4].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32c(&bytes[..checksum_at]);
    bytes[checksum_at..front].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// What a block has beside signs and shapes.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    /// What its description says; `shift` is that of a stem in front of integers.
    Real { shift: u32 },
    /// Integers.
    Integer(&'a IntegerBlockSpec),
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

impl Record {
    /// Integers are kept in the bits of the fields for floats.
    fn set_integers(&mut self, layer: usize, n: &IntegerNeuron, shift: u32, word: usize) -> Result<(), WriteError> {
        let field = |field, v: i64| {
            u32::try_from(v).map_err(|_| WriteError::TooLarge {
                layer: Some(layer),
                field,
                found: v.unsigned_abs() as usize,
            })
        };
        self.decay = f32::from_bits(field("decay", n.decay.into())?);
        self.threshold = f32::from_bits(field("threshold", n.threshold.into())?);
        self.reset = if n.reset == Reset::Soft { 0 } else { 1 };
        (self.shift, self.word) = (byte(layer, "shift", shift as usize)?, byte(layer, "word", word)?);
        Ok(())
    }
}

fn byte(layer: usize, field: &'static str, v: usize) -> Result<u8, WriteError> {
    u8::try_from(v).map_err(|_| WriteError::TooLarge { layer: Some(layer), field, found: v })
}

#[derive(Default)]
struct Body {
    records: Vec<Record>,
    /// Whether a kernel or window is not square.
    rows: bool,
    /// Whether a gate has the hard function.
    hard: bool,
    signs: Vec<u32>,
    reals: Vec<f32>,
    integers: Vec<u8>,
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

    /// Writes integers of so many bytes, and zeros up to a multiple of 4.
    fn put(
        &mut self,
        layer: usize,
        array: &'static str,
        values: impl IntoIterator<Item = i32>,
        width: usize,
    ) -> Result<(), WriteError> {
        for v in values {
            let fits = match width {
                1 => i8::try_from(v).is_ok(),
                2 => i16::try_from(v).is_ok(),
                _ => true,
            };
            if !fits {
                return Err(WriteError::TooLarge {
                    layer: Some(layer),
                    field: array,
                    found: v.unsigned_abs() as usize,
                });
            }
            self.integers.extend(v.to_le_bytes().into_iter().take(width));
        }
        self.integers.resize(self.integers.len().next_multiple_of(4), 0);
        Ok(())
    }

    fn conv(&mut self, layer: usize, kind: u8, b: &BlockSpec, numbers: Numbers<'_>) -> Result<Record, WriteError> {
        let mut record = self.record(layer, kind, b.channels)?;
        record.kernel = byte(layer, "kernel", b.kernel[1])?;
        record.kernel_rows = byte(layer, "kernel_rows", b.kernel[0])?;
        record.stride = byte(layer, "stride", b.stride)?;
        record.padding = byte(layer, "padding", b.padding[1])?;
        record.padding_rows = byte(layer, "padding_rows", b.padding[0])?;
        let ([c_in, rows, columns], c_out, taps) = (self.map, b.channels, b.taps());
        let shapes = [b.kernel, b.padding, b.window([rows, columns])];
        self.rows |= shapes.iter().any(|[rows, columns]| rows != columns);
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
        match numbers {
            Numbers::Real { shift } => {
                for (array, values) in [("slope", &b.slope), ("offset", &b.offset)] {
                    check_len(Some(layer), array, c_out, values.len())?;
                    self.reals.extend(values);
                }
                record.shift = byte(layer, "shift", shift as usize)?;
                record.set_neuron(b.neuron);
                let values = self.gate(layer, b, &mut record)?;
                self.reals.extend(values);
            }
            Numbers::Integer(n) => {
                let rows = if matches!(b.gate, GateSpec::Fixed(_)) { self.steps } else { 1 };
                for (array, values, width) in [("slope", &n.slope, n.word), ("offset", &n.offset, 4)] {
                    check_len(Some(layer), array, rows * c_out, values.len())?;
                    self.put(layer, array, values.iter().copied(), width)?;
                }
                record.set_integers(layer, &n.neuron, n.shift, n.word)?;
                let alpha = self.gate(layer, b, &mut record)?.len();
                if b.gate.alpha().is_some() {
                    check_len(Some(layer), "alpha", alpha, n.alpha.len())?;
                    self.put(layer, "alpha", n.alpha.iter().copied(), 4)?;
                } else {
                    record.gate_flags = 0;
                }
            }
        }
        let [rows, columns] = b.output([rows, columns]);
        self.map = [c_out, rows, columns];
        Ok(record)
    }

    /// Fills the fields of a gate; returns its numbers.
    fn gate<'b>(&mut self, layer: usize, b: &'b BlockSpec, record: &mut Record) -> Result<&'b [f32], WriteError> {
        let (values, array) = match &b.gate {
            GateSpec::None => return Ok(&[]),
            GateSpec::Fixed(factor) => {
                record.gate = gate::FIXED;
                (factor, "factor")
            }
            GateSpec::Sample { alpha, per_channel, inside, hard } => {
                record.gate = if *per_channel { gate::SAMPLE_PER_CHANNEL } else { gate::SAMPLE };
                record.gate_flags = if *inside { gate::INSIDE } else { 0 } | if *hard { gate::HARD } else { 0 };
                self.hard |= *hard;
                (alpha, "alpha")
            }
            GateSpec::Element { alpha, inside } => {
                record.gate = gate::ELEMENT;
                record.gate_flags = if *inside { gate::INSIDE } else { 0 };
                self.hard = true;
                (alpha, "alpha")
            }
        };
        if values.len() != self.steps {
            check_len(Some(layer), array, self.steps * b.channels, values.len())?;
            record.gate_flags |= gate::PER_CHANNEL;
        }
        Ok(values)
    }

    fn block(&mut self, layer: usize, b: &BlockSpec, numbers: Numbers<'_>) -> Result<(), WriteError> {
        let kind = if matches!(b.weights, WeightSpec::Real(_)) { kind::REAL_BLOCK } else { kind::BINARY_BLOCK };
        let mut record = self.conv(layer, kind, b, numbers)?;
        record.pool = match b.pool {
            Pool::None => 0,
            Pool::Current => 1,
            Pool::Spikes => 2,
            Pool::MaxSpikes => 3,
        };
        self.records.push(record);
        Ok(())
    }

    fn residual(&mut self, layer: usize, r: &ResidualSpec, numbers: Numbers<'_>) -> Result<(), WriteError> {
        let order = |expected| Err(WriteError::Order { layer, expected });
        if r.block.neuron.is_none() {
            return order("neurons in front of a residual block");
        }
        if r.block.pool != Pool::None {
            return order("no pooling in a residual block");
        }
        let c_in = self.map[0];
        let mut record = self.conv(layer, kind::RESIDUAL, &r.block, numbers)?;
        record.projected = u8::from(r.projection.is_some());
        let c_out = r.block.channels;
        if let Numbers::Integer(n) = numbers {
            if n.projection.is_some() != r.projection.is_some() {
                return order("integers of the shortcut that the block has");
            }
            if let Some((weights, offset, shift)) = &n.projection {
                check_len(Some(layer), "shortcut weights", c_in * c_out, weights.len())?;
                check_len(Some(layer), "shortcut offset", c_out, offset.len())?;
                let turned = (0..c_in * c_out).map(|i| weights[i % c_out * c_in + i / c_out]);
                self.put(layer, "shortcut weights", turned, 2)?;
                self.put(layer, "shortcut offset", offset.iter().copied(), 4)?;
                record.shortcut_shift = byte(layer, "shortcut_shift", *shift as usize)?;
            }
        } else if let Some((weights, slope, offset)) = &r.projection {
            check_len(Some(layer), "shortcut weights", c_in * c_out, weights.len())?;
            for ci in 0..c_in {
                self.reals.extend((0..c_out).map(|co| weights[co * c_in + ci]));
            }
            for (array, values) in [("shortcut slope", slope), ("shortcut offset", offset)] {
                check_len(Some(layer), array, c_out, values.len())?;
                self.reals.extend(values);
            }
        }
        self.records.push(record);
        Ok(())
    }

    fn integer_head(
        &mut self,
        layer: usize,
        kind: Features,
        (weights, word): (&[i32], usize),
        bias: &[i32],
        unit: f32,
    ) -> Result<(), WriteError> {
        let mut record = self.record(layer, kind::HEAD, self.classes)?;
        let [c, h, w] = self.map;
        let pixels = if kind == Features::Flatten { h * w } else { 1 };
        record.pool = u8::from(kind == Features::Average);
        (record.threshold, record.word) = (unit, byte(layer, "word", word)?);
        check_len(Some(layer), "weights", c * pixels * self.classes, weights.len())?;
        check_len(Some(layer), "bias", self.classes, bias.len())?;
        // Features of a flattened map are channels-last in the file.
        let feature = |f: usize| f % c * pixels + f / c;
        let classes = self.classes;
        let turned = (0..c * pixels * classes).map(|i| weights[i % classes * c * pixels + feature(i / classes)]);
        self.put(layer, "weights", turned, word)?;
        self.put(layer, "bias", bias.iter().copied(), 4)?;
        self.records.push(record);
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
        self.records.push(record);
        Ok(())
    }
}
