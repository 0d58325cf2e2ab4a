//! A network as self-contained C99, for firmware without Rust. Needs the feature `std`.
//!
//! Weights become constant arrays, and one function runs a whole sample in the caller's memory: no heap, no mutable globals,
//! nothing of the C library but `memcpy` and `memset`. The arithmetic is that of [`run`](crate::run()) operation by
//! operation, so the logits are the same to the last bit wherever `float` and `double` are IEEE 754. A test with stored
//! samples comes along.
//!
//! ```
//! use bitspike_format::{Model, example};
//! let bytes = example::tiny();
//! let model = Model::parse(&bytes).unwrap();
//! let c = bitspike_infer::c99::export(&model, "tiny", &[0.5; 32])?;
//! assert!(c.header.contains("int tiny_run(uint32_t *arena, const float *input, float *logits);"));
//! # Ok::<(), bitspike_infer::c99::ExportError>(())
//! ```

mod feed;
mod integer;
mod mel;
mod stream;
mod template;

pub use stream::{Stream, stream};
pub use template::{Target, template};

use crate::arena::{self, Parts, by_steps};
use crate::{InferError, run, run_words};
use bitspike_format::{
    Block, Factor, Features, Gate, Head, Layer, Model, Neurons, Pool, Projection, Reals, Reset, Residual, Weights,
    Words,
};
use std::fmt::{self, Write};

/// The files of an export; the names are those that they include each other by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// `NAME.h`
    pub header: String,
    /// `NAME.c`
    pub source: String,
    /// `NAME_test.c`: a program that compares stored samples.
    pub test: String,
}

/// A call that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportError {
    /// The name is no C identifier in lower case.
    Name {
        /// The name.
        found: String,
    },
    /// The samples of the test have the wrong length.
    Infer(InferError),
    /// The file does not say how samples are made of recordings, or says it in a way that the C code does not have.
    Stream {
        /// What is missing or too much.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

impl ExportError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Name { .. } => "use letters, digits and underscores, and begin with a letter",
            Self::Infer(error) => error.hint(),
            Self::Stream { remedy, .. } => remedy,
        }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { found } => write!(f, "{found:?} cannot begin names in C"),
            Self::Infer(error) => error.fmt(f),
            Self::Stream { what, .. } => write!(f, "no code for a stream of samples: {what}"),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<InferError> for ExportError {
    fn from(error: InferError) -> Self {
        Self::Infer(error)
    }
}

/// The C sources of a network. `samples` are inputs for the test, one after the other.
///
/// # Errors
/// [`ExportError`] says what is wrong with the call.
pub fn export(model: &Model<'_>, name: &str, samples: &[f32]) -> Result<Sources, ExportError> {
    check_name(name)?;
    let n = model.network();
    let residual = by_steps(model);
    let (mut arrays, mut blocks, mut shortcuts) = (String::new(), String::new(), String::new());
    let mut head = None;
    let mut count = 0;
    for (i, layer) in model.layers().enumerate() {
        let mut shortcut = "    {0, 0, 0},\n".to_owned();
        match layer {
            Layer::Block(b) if model.is_integer() => blocks += &integer::block(&mut arrays, i, &b),
            Layer::Block(b) => blocks += &block(&mut arrays, i, &b),
            Layer::Residual(r) => {
                let b = r.block();
                let integers = b.integer.is_some();
                blocks += &if integers { integer::block(&mut arrays, i, &b) } else { block(&mut arrays, i, &b) };
                match r.projection {
                    Some(Projection { integer: Some(p), .. }) => shortcut = integer::shortcut(&mut arrays, i, &p),
                    Some(p) => {
                        reals(&mut arrays, &format!("SHORTCUT_{i}"), p.weights);
                        reals(&mut arrays, &format!("SHORTCUT_SLOPE_{i}"), p.affine.slope);
                        reals(&mut arrays, &format!("SHORTCUT_OFFSET_{i}"), p.affine.offset);
                        shortcut = format!("    {{SHORTCUT_{i}, SHORTCUT_SLOPE_{i}, SHORTCUT_OFFSET_{i}}},\n");
                    }
                    None => {}
                }
            }
            Layer::Neurons(layer) => {
                blocks += &layer.integer.map_or_else(|| neurons(&layer), |n| integer::neurons(&layer, &n));
            }
            Layer::Head(h) => {
                if h.integer.is_some() {
                    integer::head(&mut arrays, &h);
                } else {
                    reals(&mut arrays, "HEAD_WEIGHTS", h.weights);
                    reals(&mut arrays, "HEAD_BIAS", h.bias);
                }
                head = Some(h);
                continue;
            }
        }
        shortcuts += &shortcut;
        count += 1;
    }
    let head = head.ok_or(InferError::Internal)?;
    let steps = n.steps;
    let parts = Parts::new(model, if residual { 1 } else { steps }).ok_or(InferError::TooLarge)?;
    // Parts lie in it as in the arena of `run`, whose first two words in front of steps stay unused.
    let arena = run_words(model)?;
    let potentials = if residual { model.layers().map(|layer| arena::potentials(&layer)).sum() } else { 0 };
    let inputs = n.input.len() * if n.sequence { steps } else { 1 };
    let [c, h, w] = [n.input.channels, n.input.rows, n.input.columns];
    let frames = if n.sequence { format!("[{steps}]") } else { String::new() };
    let (input_rows, expected_rows, count_of) = vectors(model, samples, inputs)?;
    let description = format!(
        "{} binary weights, {} real parameters{}, T = {steps}{}",
        model.binary_weights(),
        model.real_parameters(),
        if model.is_integer() { ", integers after the first layer" } else { "" },
        model.meta_value("name").filter(|n| !n.contains("*/")).map_or(String::new(), |n| format!(", {n}")),
    );
    let pairs = [
        ("UPPER", name.to_ascii_uppercase()),
        ("NAME", name.to_owned()),
        ("ARRAYS", arrays),
        ("BLOCKS", blocks),
        ("SHORTCUTS", if residual { shortcut_table(&shortcuts, model.is_integer()) } else { String::new() }),
        ("POTENTIALS", potentials.to_string()),
        ("HEAD_STEP", head.input.bit_words().to_string()),
        ("STEPS", steps.to_string()),
        ("BLOCK_COUNT", count.to_string()),
        ("FRAME", n.input.len().to_string()),
        ("CLASSES", n.classes.to_string()),
        ("EVEN", parts.even.to_string()),
        ("ODD", parts.odd.to_string()),
        ("SEQUENCE", u8::from(n.sequence).to_string()),
        ("INPUTS", inputs.to_string()),
        ("INPUT_SHAPE", format!("{frames}[{c}][{h}][{w}], channel, row, column")),
        ("ARENA", arena.to_string()),
        ("CONST", (constant_bytes(model) + feed::constant_bytes(model)).to_string()),
        ("DESCRIPTION", description),
        ("SAMPLES", count_of.to_string()),
        ("INPUT_ROWS", input_rows),
        ("EXPECTED_ROWS", expected_rows),
    ];
    let mut pairs: Vec<(&str, String)> = pairs.into();
    pairs.extend(head_pairs(&head));
    pairs.extend(feed::pairs(model, name));
    let types = integer::types(model);
    let block_type = if model.is_integer() { include_str!("integer_block.h") } else { include_str!("block.h") };
    pairs.push(("BLOCK_TYPE", fill(block_type, &types)));
    pairs.extend(types);
    let parts: &[&str] = match (residual, model.is_integer()) {
        (false, false) => &[
            include_str!("real.c"),
            include_str!("store.c"),
            include_str!("chain.c"),
            include_str!("head.c"),
            include_str!("run_layers.c"),
        ],
        (true, false) => {
            &[include_str!("real.c"), include_str!("head.c"), include_str!("residual.c"), include_str!("run_steps.c")]
        }
        (false, true) => &[
            include_str!("integer.c"),
            include_str!("store.c"),
            include_str!("integer_chain.c"),
            include_str!("integer_head.c"),
            include_str!("run_layers.c"),
        ],
        (true, true) => &[
            include_str!("integer.c"),
            include_str!("integer_head.c"),
            include_str!("integer_residual.c"),
            include_str!("run_steps.c"),
        ],
    };
    let source = [include_str!("kernel.c"), &parts.concat()].concat();
    Ok(Sources {
        header: fill(include_str!("header.h"), &pairs),
        source: fill(&source, &pairs),
        test: fill(include_str!("test.c"), &pairs),
    })
}

/// A name in lower case that other names can begin with.
fn check_name(name: &str) -> Result<(), ExportError> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(word) {
        return Ok(());
    }
    Err(ExportError::Name { found: name.to_owned() })
}

fn shortcut_table(rows: &str, integers: bool) -> String {
    let fields = if integers { include_str!("integer_shortcut.h") } else { include_str!("shortcut.h") };
    format!("\n{fields}\nstatic const shortcut_t SHORTCUTS[] = {{\n{rows}}};\n")
}

/// The entry of neurons alone in the table.
fn neurons(layer: &Neurons) -> String {
    let (map, n) = (layer.input, layer.neuron);
    format!(
        "    {{0, 0, 0, 0, 0, {}u, {}u, {}u, 0u, {}u, 1u, 1u, 1u, 0u, 0u, 0u, 0u, 1u, 0u, 0u, {}, {}, {}u}},\n",
        map.rows,
        map.columns,
        map.channels,
        map.channels,
        float(n.decay),
        float(n.threshold),
        u8::from(n.reset == Reset::Hard),
    )
}

/// Bytes of all arrays.
fn constant_bytes(model: &Model<'_>) -> u64 {
    let normalise = model.network().normalise.map_or(0, |(mean, std)| mean.len() + std.len()) as u64;
    let signs = model.layers().map(|layer| match layer {
        Layer::Block(Block { conv, .. }) | Layer::Residual(Residual { conv, .. }) => match conv.weights {
            Weights::Signs(words) => words.len() as u64,
            Weights::Real(_) => 0,
        },
        _ => 0,
    });
    4 * (signs.sum::<u64>() + model.real_parameters() - normalise) + model.integer_bytes() as u64
}

fn head_pairs(head: &Head<'_>) -> [(&'static str, String); 6] {
    [
        ("HEAD_ROWS", head.input.rows.to_string()),
        ("HEAD_COLUMNS", head.input.columns.to_string()),
        ("HEAD_CHANNELS", head.input.channels.to_string()),
        ("HEAD_PLANES", head.input.planes.to_string()),
        ("HEAD_AVERAGE", u8::from(head.features == Features::Average).to_string()),
        ("HEAD_UNIT", float(head.integer.map_or(head.unit(), |integer| integer.unit))),
    ]
}

/// Replaces `@KEY@`.
fn fill(template: &str, pairs: &[(&str, String)]) -> String {
    let mut parts = template.split('@');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let (Some(key), Some(text)) = (parts.next(), parts.next()) {
        out += pairs.iter().find(|(k, _)| *k == key).map_or("", |(_, v)| v);
        out += text;
    }
    out
}

/// A finite float exactly: hexadecimal, which C99 has.
fn float(v: f32) -> String {
    let (bits, sign) = (v.to_bits(), if v.is_sign_negative() { "-" } else { "" });
    let (exponent, mantissa) = (bits >> 23 & 0xFF, bits & 0x7F_FFFF);
    match (exponent, mantissa) {
        (0, 0) => format!("{sign}0.0f"),
        // Subnormal: no leading one.
        (0, m) => format!("{sign}0x0.{:06x}p-126f", m << 1),
        (e, m) => format!("{sign}0x1.{:06x}p{}f", m << 1, e as i32 - 127),
    }
}

fn rows(out: &mut String, values: impl Iterator<Item = String>) {
    for (i, value) in values.enumerate() {
        out.push_str(if i % 8 == 0 { if i == 0 { "    " } else { ",\n    " } } else { ", " });
        out.push_str(&value);
    }
}

fn reals(out: &mut String, name: &str, values: Reals<'_>) {
    let _ = writeln!(out, "static const float {name}[{}] = {{", values.len());
    rows(out, values.iter().map(float));
    out.push_str("};\n");
}

/// Writes the signs of a layer; returns their name.
fn signs(out: &mut String, i: usize, words: Words<'_>) -> String {
    let _ = writeln!(out, "static const uint32_t SIGNS_{i}[{}] = {{", words.len());
    rows(out, words.iter().map(|w| format!("{w:#010x}u")));
    out.push_str("};\n");
    format!("SIGNS_{i}")
}

/// The fields of a block's shapes, from its rows to its pooling.
fn geometry(b: &Block<'_>) -> String {
    let pool = match b.pool {
        Pool::None => 0,
        Pool::Current => 1,
        Pool::Spikes => 2,
        Pool::MaxSpikes => 3,
    };
    let (input, c) = (b.conv.input, &b.conv);
    let numbers = [input.rows, input.columns, input.channels, input.planes, c.channels];
    let numbers = numbers.into_iter().chain(c.kernel).chain([c.stride]).chain(c.padding).chain([pool]);
    numbers.map(|n| format!("{n}u")).collect::<Vec<_>>().join(", ")
}

/// Writes the arrays of a block; returns its entry in the table.
fn block(out: &mut String, i: usize, b: &Block<'_>) -> String {
    let (signs, weights) = match b.conv.weights {
        Weights::Signs(words) => (signs(out, i, words), "0".to_owned()),
        Weights::Real(values) => {
            reals(out, &format!("WEIGHTS_{i}"), values);
            ("0".to_owned(), format!("WEIGHTS_{i}"))
        }
    };
    reals(out, &format!("SLOPE_{i}"), b.affine.slope);
    reals(out, &format!("OFFSET_{i}"), b.affine.offset);
    let mut factor = |f: &Factor<'_>| {
        reals(out, &format!("ALPHA_{i}"), f.values);
        (format!("ALPHA_{i}"), f.channels)
    };
    let (gate, (alpha, channels), inside) = match &b.gate {
        Gate::None => (0, ("0".to_owned(), 1), false),
        Gate::Fixed(f) => (1, factor(f), false),
        Gate::Sample { alpha, per_channel, inside, .. } => (if *per_channel { 3 } else { 2 }, factor(alpha), *inside),
        Gate::Element { alpha, inside } => (4, factor(alpha), *inside),
    };
    let (decay, threshold, hard) =
        b.neuron.map_or((0.0, 1.0, false), |n| (n.decay, n.threshold, n.reset == Reset::Hard));
    format!(
        "    {{{signs}, {weights}, SLOPE_{i}, OFFSET_{i}, {alpha}, {}, {gate}u, {channels}u, {}u, {}u, {}, {}, {}u}},\n",
        geometry(b),
        u8::from(inside),
        u8::from(b.gate.is_hard()),
        float(decay),
        float(threshold),
        u8::from(hard),
    )
}

/// Samples and their logits as C, and how many there are.
fn vectors(model: &Model<'_>, samples: &[f32], inputs: usize) -> Result<(String, String, usize), ExportError> {
    if samples.is_empty() || !samples.len().is_multiple_of(inputs) {
        return Err(InferError::Input { expected: inputs, found: samples.len() }.into());
    }
    let mut arena = vec![0; run_words(model)?];
    let mut logits = vec![0.0; model.network().classes];
    let (mut input_rows, mut expected_rows) = (String::new(), String::new());
    for sample in samples.chunks_exact(inputs) {
        run(model, &mut arena, sample, &mut logits, &mut ())?;
        for (out, values) in [(&mut input_rows, sample), (&mut expected_rows, &logits)] {
            out.push_str("    {\n");
            rows(out, values.iter().map(|v| float(*v)));
            out.push_str("},\n");
        }
    }
    Ok((input_rows, expected_rows, samples.len() / inputs))
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_are_exact() {
        let rows = [
            (0.0f32, "0.0f"),
            (-0.0, "-0.0f"),
            (1.0, "0x1.000000p0f"),
            (-0.75, "-0x1.800000p-1f"),
            (f32::MAX, "0x1.fffffep127f"),
            (f32::MIN_POSITIVE, "0x1.000000p-126f"),
            (f32::from_bits(1), "0x0.000002p-126f"),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(v, text)| float(*v) != *text).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
