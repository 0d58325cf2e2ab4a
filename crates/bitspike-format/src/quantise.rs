//! From real parameters to integers: batch norm, gate and threshold on the integer sum.
//!
//! ```text
//! A = round(a k 2^f)    B = round(b k 2^f)    Θ = round(θ 2^f)    D = round(λ 2^15)    α = round(α 2^14)
//! ```
//!
//! k is a factor of a gate that the file knows, else 1; a has the quarter (or half) of a pooled current in it, unless there is a gate
//! per element. f is the largest shift for
//! which A fits its word, no sum can leave 30 bits, and potentials have room for 64 thresholds (currents of a residual network,
//! which share one f, for 256). Weights of the head are divided by the largest of them.

use crate::integer::{ALPHA_BITS, FACTOR_BITS, IntegerNeuron, LIMIT, MOST_ALPHA, MOST_SHIFT, MOST_SHORTCUT_SHIFT};
use crate::layer::{Features, Neuron, Pool};
use crate::write::{
    BlockSpec, GateSpec, HeadSpec, IntegerBlockSpec, IntegerLayerSpec, IntegerSpec, LayerSpec, ModelSpec, ResidualSpec,
    WriteError, write,
};
use std::fmt;

/// Bits of integers, sign included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WordLengths {
    /// Of slopes: 4 to 16; up to 8 take one byte, else two.
    pub slope: u32,
    /// Of the head's weights, likewise.
    pub head: u32,
    /// Of the weights of shortcuts, 4 to 16; always two bytes.
    pub shortcut: u32,
}

impl Default for WordLengths {
    /// 16 for slopes and shortcuts, which are few, and 8 for the head.
    fn default() -> Self {
        Self { slope: 16, head: 8, shortcut: 16 }
    }
}

impl WordLengths {
    /// Words of so many bits.
    #[must_use]
    pub fn new(slope: u32, head: u32, shortcut: u32) -> Self {
        Self { slope, head, shortcut }
    }
}

/// What rounding did to a layer.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LayerRounding {
    /// Index of the layer.
    pub layer: usize,
    /// f; `None` for the head.
    pub shift: Option<u32>,
    /// Largest error of a slope, as a share of the largest slope.
    pub slope: f64,
    /// Largest error of an offset, in thresholds.
    pub offset: f64,
    /// Error of the threshold, as a share of it.
    pub threshold: f64,
    /// Error of the leak.
    pub decay: f64,
    /// Largest error of an α.
    pub alpha: f64,
    /// Largest error of a weight of the head or of the shortcut, as a share of the largest weight.
    pub weights: f64,
}

impl fmt::Display for LayerRounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}:", self.layer)?;
        if let Some(shift) = self.shift {
            write!(f, " {shift} bits after the point, slope {:.1e}", self.slope)?;
            write!(f, ", offset {:.1e}, threshold {:.1e}", self.offset, self.threshold)?;
            write!(f, ", leak {:.1e}, alpha {:.1e}", self.decay, self.alpha)?;
        }
        write!(f, " weights {:.1e}", self.weights)
    }
}

/// What rounding did to a network: every layer after the first.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Rounding {
    /// In order.
    pub layers: Vec<LayerRounding>,
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layers.iter().try_for_each(|layer| writeln!(f, "{layer}"))
    }
}

/// A network that has no integer form.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum QuantiseError {
    /// A word length out of range.
    Words {
        /// Which.
        field: &'static str,
        /// As given.
        found: u32,
    },
    /// A number that no shift makes fit.
    Range {
        /// Index of the layer.
        layer: usize,
        /// Name of the array or field.
        array: &'static str,
        /// What was expected.
        expected: &'static str,
        /// The largest of its numbers.
        found: f64,
    },
    /// The description cannot be written with real parameters either.
    Write(WriteError),
}

impl QuantiseError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Words { .. } => "give 4 to 16 bits",
            Self::Range { .. } => "give the slopes more bits, or export with real parameters",
            Self::Write(_) => "correct the description",
        }
    }
}

impl fmt::Display for QuantiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words { field, found } => write!(f, "word length of {field}: expected 4 to 16 bits, found {found}"),
            Self::Range { layer, array, expected, found } => {
                write!(f, "layer {layer}, {array}: expected {expected}, found {found}")
            }
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for QuantiseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

impl From<WriteError> for QuantiseError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

/// The same network with integers after its first layer, and what rounding did to it.
///
/// # Errors
/// [`QuantiseError`] names the layer and the array.
///
/// ```
/// use bitspike_format::{WordLengths, example, quantise};
/// let (_, rounding) = quantise(&example::tiny_spec(), &WordLengths::default())?;
/// assert!(rounding.layers[1].weights < 1.0 / 250.0, "half a step of 127");
/// # Ok::<(), bitspike_format::QuantiseError>(())
/// ```
pub fn quantise(spec: &ModelSpec, words: &WordLengths) -> Result<(IntegerSpec, Rounding), QuantiseError> {
    for (field, found) in [("slope", words.slope), ("head", words.head), ("shortcut", words.shortcut)] {
        if !(4..=16).contains(&found) {
            return Err(QuantiseError::Words { field, found });
        }
    }
    // Says what is wrong with the description itself: from here on all lengths fit and all numbers are finite.
    write(spec)?;
    let mut shape = Shape { channels: spec.input[0], pixels: [spec.input[1], spec.input[2]], largest: 1 };
    let mut folded = Vec::new();
    for (i, layer) in spec.layers.iter().enumerate().skip(1) {
        if let LayerSpec::Block(b) = &spec.layers[i - 1] {
            shape = shape.after(b);
        } else if let LayerSpec::Residual(r) = &spec.layers[i - 1] {
            shape = shape.after(&r.block);
        }
        folded.push(match layer {
            LayerSpec::Block(b) | LayerSpec::Residual(ResidualSpec { block: b, .. }) => {
                Some(Folded::new(i, b, &shape, spec.steps, words.slope)?)
            }
            LayerSpec::Neurons(_) | LayerSpec::Head(_) => None,
        });
    }
    // The currents of a residual network all have one unit.
    let shared = match &spec.layers[0] {
        LayerSpec::Block(BlockSpec { neuron: None, .. }) => {
            let alone = spec.layers.iter().enumerate().filter_map(|(i, layer)| match layer {
                LayerSpec::Neurons(n) => Some((i, n.threshold)),
                LayerSpec::Residual(r) => r.block.neuron.map(|n| (i, n.threshold)),
                _ => None,
            });
            let mut most = folded.iter().flatten().map(|f| f.shift).min().unwrap_or(MOST_SHIFT);
            for (layer, threshold) in alone {
                most = most.min(
                    largest_shift(|f| f64::from(threshold) * power(f) <= power(22))
                        .ok_or_else(|| range(layer, "threshold", "at most 2^22", threshold.into()))?,
                );
            }
            Some(most)
        }
        _ => None,
    };
    let mut rounding = Rounding::default();
    let mut layers = vec![IntegerLayerSpec::First(shared.unwrap_or(0))];
    let mut shape = Shape { channels: spec.input[0], pixels: [spec.input[1], spec.input[2]], largest: 1 };
    for (i, (layer, folded)) in spec.layers.iter().zip(std::iter::once(None).chain(folded)).enumerate() {
        let mut report = LayerRounding { layer: i, ..LayerRounding::default() };
        let integers = match (layer, folded) {
            (LayerSpec::Block(b), None) => {
                shape = shape.after(b);
                continue;
            }
            (LayerSpec::Block(b), Some(mut folded)) => {
                folded.shift = shared.unwrap_or(folded.shift);
                shape = shape.after(b);
                IntegerLayerSpec::Block(folded.round(i, b, None, words, &mut report)?)
            }
            (LayerSpec::Residual(r), Some(mut folded)) => {
                folded.shift = shared.unwrap_or(folded.shift);
                shape = shape.after(&r.block);
                IntegerLayerSpec::Block(folded.round(i, &r.block, r.projection.as_ref(), words, &mut report)?)
            }
            (LayerSpec::Neurons(n), _) => {
                let shift = shared.unwrap_or(0);
                report.shift = Some(shift);
                IntegerLayerSpec::Neurons(neuron(i, n, shift, &mut report)?, shift)
            }
            (LayerSpec::Head(h), _) => head(h, &shape, words.head, &mut report),
            (LayerSpec::Residual(_), None) => continue,
        };
        layers.push(integers);
        rounding.layers.push(report);
    }
    Ok((IntegerSpec { network: spec.clone(), layers }, rounding))
}

fn power(n: u32) -> f64 {
    (1u64 << n) as f64
}

/// The largest shift that is allowed; `None` if not even 0 is.
fn largest_shift(allowed: impl Fn(u32) -> bool) -> Option<u32> {
    (0..=MOST_SHIFT).rev().find(|f| allowed(*f))
}

fn range(layer: usize, array: &'static str, expected: &'static str, found: f64) -> QuantiseError {
    QuantiseError::Range { layer, array, expected, found }
}

/// Rounds; notes the largest error in units of `scale`.
fn rounded(values: impl Iterator<Item = f64>, scale: f64, unit: f64, error: &mut f64) -> Vec<i32> {
    values
        .map(|v| {
            let n = (v * scale).round();
            *error = error.max((n / scale - v).abs() / unit);
            n as i32
        })
        .collect()
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most, v| most.max(v.abs()))
}

/// What goes into a layer.
#[derive(Clone, Copy)]
struct Shape {
    channels: usize,
    pixels: [usize; 2],
    /// Largest count of a value.
    largest: usize,
}

impl Shape {
    fn after(self, b: &BlockSpec) -> Self {
        let [rows, columns] = b.window(self.pixels);
        let largest = if b.pool == Pool::Spikes { rows * columns } else { 1 };
        Self { channels: b.channels, pixels: b.output(self.pixels), largest }
    }
}

fn neuron(layer: usize, n: &Neuron, shift: u32, report: &mut LayerRounding) -> Result<IntegerNeuron, QuantiseError> {
    let (theta, lambda) = (f64::from(n.threshold), f64::from(n.decay));
    let threshold = rounded(std::iter::once(theta), power(shift), theta, &mut report.threshold)[0];
    if threshold < 1 {
        return Err(range(layer, "threshold", "at least one unit of the current", theta));
    }
    let decay = rounded(std::iter::once(lambda), power(FACTOR_BITS), 1.0, &mut report.decay)[0];
    Ok(IntegerNeuron { decay, threshold, reset: n.reset })
}

/// Slopes and offsets with all that is folded into them, `[channel]` or `[T][channel]`.
struct Folded {
    slope: Vec<f64>,
    offset: Vec<f64>,
    shift: u32,
}

impl Folded {
    fn new(layer: usize, b: &BlockSpec, shape: &Shape, steps: usize, bits: u32) -> Result<Self, QuantiseError> {
        let [high, wide] = b.window(shape.pixels);
        let element = matches!(b.gate, GateSpec::Element { .. });
        let window = if b.pool == Pool::Current && !element { high * wide } else { 1 };
        let rows = if matches!(b.gate, GateSpec::Fixed(_)) { steps } else { 1 };
        let factor = |t: usize, c: usize| match &b.gate {
            GateSpec::Fixed(k) if k.len() == steps => f64::from(k[t]),
            GateSpec::Fixed(k) => f64::from(k[t * b.channels + c]),
            _ => 1.0,
        };
        let fold = |values: &[f32], by: f64| -> Vec<f64> {
            (0..rows * b.channels)
                .map(|i| f64::from(values[i % b.channels]) * by * factor(i / b.channels, i % b.channels))
                .collect()
        };
        let (slope, offset) = (fold(&b.slope, 1.0 / window as f64), fold(&b.offset, 1.0));
        let most = (window * b.taps() * shape.channels * shape.largest) as f64;
        let (a, theta) = (largest(slope.iter().copied()), b.neuron.map_or(1.0, |n| f64::from(n.threshold)));
        let shift = largest_shift(|f| {
            let fits = |(a, b): (&f64, &f64)| {
                (a * power(f)).round().abs() * most + (b * power(f)).round().abs() <= LIMIT as f64
            };
            (a * power(f)).round() < power(bits - 1)
                && theta * power(f) <= power(24)
                && slope.iter().zip(&offset).all(fits)
        });
        let expected = "slopes and offsets of fewer than 2^30 thresholds";
        let shift = shift.ok_or_else(|| range(layer, "slope", expected, a / theta))?;
        Ok(Self { slope, offset, shift })
    }

    fn round(
        self,
        layer: usize,
        b: &BlockSpec,
        projection: Option<&(Vec<f32>, Vec<f32>, Vec<f32>)>,
        words: &WordLengths,
        report: &mut LayerRounding,
    ) -> Result<IntegerBlockSpec, QuantiseError> {
        let (shift, one) = (self.shift, power(self.shift));
        report.shift = Some(shift);
        let theta = b.neuron.map_or(1.0, |n| f64::from(n.threshold));
        let most = largest(self.slope.iter().copied()).max(f64::MIN_POSITIVE);
        let slope = rounded(self.slope.into_iter(), one, most, &mut report.slope);
        let offset = rounded(self.offset.into_iter(), one, theta, &mut report.offset);
        let mut alpha = Vec::new();
        if let Some(values) = b.gate.alpha() {
            let most = largest(values.iter().map(|v| f64::from(*v)));
            if most * power(ALPHA_BITS) > f64::from(MOST_ALPHA) {
                return Err(range(layer, "alpha", "at most 64", most));
            }
            alpha = rounded(values.iter().map(|v| f64::from(*v)), power(ALPHA_BITS), 1.0, &mut report.alpha);
        }
        let neuron = match &b.neuron {
            Some(n) => neuron(layer, n, shift, report)?,
            None => return Err(WriteError::Order { layer, expected: "neurons" }.into()),
        };
        let projection = match projection {
            None => None,
            Some((weights, slope, offset)) => {
                let c_in = weights.len() / b.channels;
                let folded = |(i, w): (usize, &f32)| 0.25 * f64::from(*w) * f64::from(slope[i / c_in]);
                let most = largest(weights.iter().enumerate().map(folded));
                let fits = |g: u32| (most * power(g)).round() < power(words.shortcut - 1);
                let g = (0..=MOST_SHORTCUT_SHIFT).rev().find(|g| fits(*g));
                let g = g.ok_or_else(|| range(layer, "shortcut weights", "fewer than 2^15 after folding", most))?;
                let unit = most.max(f64::MIN_POSITIVE);
                let weights = weights.iter().enumerate().map(folded);
                let weights = rounded(weights, power(g), unit, &mut report.weights);
                let most = largest(offset.iter().map(|v| f64::from(*v)));
                if (most * one).round() > LIMIT as f64 {
                    return Err(range(layer, "shortcut offset", "less than 2^30 units of the current", most));
                }
                let offset = rounded(offset.iter().map(|v| f64::from(*v)), one, theta, &mut report.offset);
                Some((weights, offset, g))
            }
        };
        let word = if words.slope <= 8 { 1 } else { 2 };
        Ok(IntegerBlockSpec { shift, word, slope, offset, alpha, neuron, projection })
    }
}

fn head(h: &HeadSpec, shape: &Shape, bits: u32, report: &mut LayerRounding) -> IntegerLayerSpec {
    let pixels = shape.pixels[0] * shape.pixels[1];
    let part = 1.0 / shape.largest as f64;
    // What a count of one is worth, and the largest count.
    let (count, many) = match h.features {
        Features::Flatten => (part, shape.largest),
        Features::Average => (part / pixels as f64, shape.largest * pixels),
    };
    let most = largest(h.weights.iter().map(|w| f64::from(*w)));
    let most_or_one = if most > 0.0 { most } else { 1.0 };
    let mut step = most_or_one / (power(bits - 1) - 1.0);
    let classes = h.bias.len();
    let features = h.weights.len() / classes;
    loop {
        // A unit that `f32` can hold, and not 0.
        let unit = ((step * count) as f32).max(f32::MIN_POSITIVE);
        let scale = count / f64::from(unit);
        let (mut weights_error, mut bias_error) = (0.0, 0.0);
        let weights = rounded(h.weights.iter().map(|w| f64::from(*w)), scale, most_or_one, &mut weights_error);
        let bias = h.bias.iter().map(|b| f64::from(*b));
        let bias: Vec<i32> = rounded(bias, 1.0 / f64::from(unit), 1.0, &mut bias_error);
        let fits = (0..classes).all(|o| {
            let row = &weights[o * features..(o + 1) * features];
            let sum: i64 = row.iter().map(|w| i64::from(*w).abs()).sum();
            sum * many as i64 + i64::from(bias[o]).abs() <= LIMIT
        });
        if fits {
            report.weights = weights_error;
            report.offset = bias_error;
            return IntegerLayerSpec::Head { weights, word: if bits <= 8 { 1 } else { 2 }, bias, unit };
        }
        step *= 2.0;
    }
}
