//! Parameters as the kernels want them.

use super::KernelPath;
use bitspike_format::integer::IntegerBlock;
use bitspike_format::{Affine, Block, Conv, Layer, Projection, Weights};

/// Parameters of a layer.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A real block.
    Stem(Stem),
    /// A binary block whose sums fit 16 bits.
    Binary(Binary),
    /// A residual block whose sums do, and its shortcut where that changes shapes.
    Residual(Binary, Option<Shortcut>),
    /// Anything else.
    Other,
}

/// A real convolution.
#[derive(Debug)]
pub(crate) struct Stem {
    /// Channels, padded to a multiple of 32.
    pub(crate) width: usize,
    /// `[tap][channel in][width]`.
    pub(crate) weights: Vec<f32>,
    pub(crate) slope: Vec<f32>,
    pub(crate) offset: Vec<f32>,
}

/// A binary convolution.
#[derive(Debug)]
pub(crate) struct Binary {
    /// Channels, padded to a multiple of 32.
    pub(crate) width: usize,
    pub(crate) signs: Signs,
    pub(crate) slope: Vec<f32>,
    pub(crate) offset: Vec<f32>,
    pub(crate) integers: Integers,
}

/// A and B of a layer with integers, `[width]` or `[T][width]`; 0 beyond the last channel.
#[derive(Debug, Default)]
pub(crate) struct Integers {
    pub(crate) slope: Vec<i32>,
    pub(crate) offset: Vec<i32>,
    /// The largest |A S + B| of a channel, `[width]`: at most 2^30, as every file says.
    pub(crate) most: Vec<i32>,
}

/// Signs in the form that a path wants.
#[derive(Debug)]
pub(crate) enum Signs {
    /// For plain Rust.
    Bytes(Bytes),
    /// For vector instructions.
    Rows(Vec<Rows>),
}

/// Weights as bytes, with the pooling of the current in them.
///
/// Pooled, the sum of the outputs `(2y + dy, 2x + dx)` is one output of a convolution with stride `2s` and a kernel of
/// `k + s`: input row `2 s y + (s dy + ky) − p` meets the weight of every `(dy, ky)` with the same `s dy + ky`. In windows of
/// one row, rows keep stride and kernel.
#[derive(Debug)]
pub(crate) struct Bytes {
    /// `[tap][channel in][width]`, 0 beyond the last channel.
    pub(crate) weights: Vec<i8>,
    /// Rows and columns.
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
}

/// Signs of up to 256 output channels as bits: row `tap · c_in + ci`, bit c for channel c of the block. A last row of zeros
/// stands for no spike.
#[derive(Debug)]
pub(crate) struct Rows {
    /// First output channel.
    pub(crate) first: usize,
    /// 256, or 128 with two rows in an element.
    pub(crate) lanes: usize,
    pub(crate) rows: Vec<Row>,
}

/// 256 bits that do not cross a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub(crate) struct Row(pub(crate) [u32; 8]);

impl Prepared {
    pub(crate) fn new(layer: &Layer<'_>, path: KernelPath) -> Self {
        match layer {
            Layer::Block(b) => match b.conv.weights {
                Weights::Real(_) => Self::Stem(Stem::new(b)),
                Weights::Signs(_) if Binary::takes(b) => Self::Binary(Binary::new(b, path)),
                Weights::Signs(_) => Self::Other,
            },
            Layer::Residual(r) => {
                let b = r.block();
                if !Binary::takes(&b) || r.integer.is_some() {
                    return Self::Other;
                }
                Self::Residual(Binary::new(&b, path), r.projection.as_ref().map(|p| Shortcut::new(p, r.conv.channels)))
            }
            Layer::Neurons(_) | Layer::Head(_) => Self::Other,
        }
    }
}

/// A shortcut that changes shapes.
#[derive(Debug)]
pub(crate) struct Shortcut {
    /// Channels out, padded to a multiple of 32.
    pub(crate) width: usize,
    /// `[channel in][width]`.
    pub(crate) weights: Vec<f32>,
    pub(crate) slope: Vec<f32>,
    pub(crate) offset: Vec<f32>,
}

impl Shortcut {
    fn new(p: &Projection<'_>, channels: usize) -> Self {
        let width = channels.next_multiple_of(32);
        let mut weights = vec![0.0; p.weights.len() / channels * width];
        for (i, w) in p.weights.iter().enumerate() {
            weights[i / channels * width + i % channels] = w;
        }
        let (slope, offset) = padded(&p.affine, width, [1, 1]);
        Self { width, weights, slope, offset }
    }
}

/// Slopes and offsets, for the total of a window of sums.
fn padded(affine: &Affine<'_>, width: usize, [rows, columns]: [usize; 2]) -> (Vec<f32>, Vec<f32>) {
    let factor = 1.0 / (rows * columns) as f32;
    let mut slope: Vec<f32> = affine.slope.iter().map(|a| a * factor).collect();
    let mut offset: Vec<f32> = affine.offset.iter().collect();
    slope.resize(width, 0.0);
    offset.resize(width, 0.0);
    (slope, offset)
}

impl Stem {
    fn new(b: &Block<'_>) -> Self {
        let (conv, width) = (&b.conv, b.conv.channels.next_multiple_of(32));
        let mut weights = vec![0.0; conv.taps() * conv.input.channels * width];
        if let Weights::Real(reals) = conv.weights {
            for (i, w) in reals.iter().enumerate() {
                weights[i / conv.channels * width + i % conv.channels] = w;
            }
        }
        let (slope, offset) = padded(&b.affine, width, b.sums());
        Self { width, weights, slope, offset }
    }
}

impl Binary {
    /// Whether all sums, and the numbers of all rows, fit 16 bits.
    fn takes(b: &Block<'_>) -> bool {
        Self::largest_sum(b) <= i16::MAX as usize
    }

    fn largest_sum(b: &Block<'_>) -> usize {
        b.sums().iter().product::<usize>() * b.conv.taps() * b.conv.input.channels * b.conv.input.largest()
    }

    fn new(b: &Block<'_>, path: KernelPath) -> Self {
        let width = b.conv.channels.next_multiple_of(32);
        let signs = match path {
            KernelPath::Portable => Signs::Bytes(Bytes::new(b, width)),
            KernelPath::Neon => Signs::Rows(Rows::all(&b.conv, 128)),
            KernelPath::Avx2 | KernelPath::Avx512 => Signs::Rows(Rows::all(&b.conv, 256)),
        };
        let (slope, offset) = padded(&b.affine, width, b.sums());
        let integers = b.integer.as_ref().map_or_else(Integers::default, |integer| Integers::new(b, integer, width));
        Self { width, signs, slope, offset, integers }
    }
}

impl Integers {
    fn new(b: &Block<'_>, integer: &IntegerBlock<'_>, width: usize) -> Self {
        let (channels, largest) = (b.conv.channels, Binary::largest_sum(b) as i32);
        let (mut slope, mut offset, mut most) = (Vec::new(), Vec::new(), vec![0; width]);
        for step in 0..integer.slope.len() / channels {
            for (c, most) in most.iter_mut().enumerate() {
                let (a, b) = if c < channels { integer.affine(step, c).unwrap_or_default() } else { (0, 0) };
                slope.push(a);
                offset.push(b);
                *most = (*most).max(a.abs() * largest + b.abs());
            }
        }
        Self { slope, offset, most }
    }
}

impl Bytes {
    fn new(b: &Block<'_>, width: usize) -> Self {
        let (conv, c_in) = (&b.conv, b.conv.input.channels);
        let window = b.sums();
        let kernel = [0, 1].map(|axis| conv.kernel[axis] + (window[axis] - 1) * conv.stride);
        let mut weights = vec![0i8; kernel[0] * kernel[1] * c_in * width];
        for (dy, dx) in (0..window[0]).flat_map(|dy| (0..window[1]).map(move |dx| (dy, dx))) {
            for channel in 0..conv.channels {
                for ky in 0..conv.kernel[0] {
                    for kx in 0..conv.kernel[1] {
                        let tap = (ky + dy * conv.stride) * kernel[1] + kx + dx * conv.stride;
                        for ci in 0..c_in {
                            let sign = sign(conv, channel, ky * conv.kernel[1] + kx, ci);
                            weights[(tap * c_in + ci) * width + channel] += if sign { 1 } else { -1 };
                        }
                    }
                }
            }
        }
        Self { weights, kernel, stride: window.map(|side| side * conv.stride) }
    }
}

impl Rows {
    fn all(conv: &Conv<'_>, widest: usize) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut first = 0;
        while first < conv.channels {
            // Half a register is better than a register half empty.
            let lanes = if conv.channels - first > 128 { widest } else { 128 };
            blocks.push(Self::new(conv, first, lanes));
            first += lanes;
        }
        blocks
    }

    fn new(conv: &Conv<'_>, first: usize, lanes: usize) -> Self {
        let (c_in, words) = (conv.input.channels, lanes / 32);
        let count = conv.taps() * c_in + 1;
        let mut rows = vec![Row::default(); count.div_ceil(8 / words)];
        for lane in 0..lanes.min(conv.channels - first) {
            for row in 0..count - 1 {
                if sign(conv, first + lane, row / c_in, row % c_in) {
                    let word = row * words + lane / 32;
                    rows[word / 8].0[word % 8] |= 1 << (lane % 32);
                }
            }
        }
        Self { first, lanes, rows }
    }
}

/// Whether a weight is +1.
fn sign(conv: &Conv<'_>, channel: usize, tap: usize, ci: usize) -> bool {
    let Weights::Signs(words) = conv.weights else { return false };
    let word = words.get((channel * conv.taps() + tap) * conv.input.words() + ci / 32).unwrap_or(0);
    word >> (ci % 32) & 1 == 1
}
