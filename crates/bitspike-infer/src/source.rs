//! Sums of convolutions, one output at a time.

use bitspike_format::{Conv, Map, Reals, Weights, Words};

/// Spikes or counts of consecutive steps, `[step][plane][row][column][word]`.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    pub(crate) words: &'a [u32],
    pub(crate) map: Map,
}

impl<'a> Bits<'a> {
    /// The words of consecutive pixels of a plane.
    #[inline]
    fn pixels(&self, step: usize, plane: usize, first: usize, count: usize) -> Option<&'a [u32]> {
        let (per_pixel, pixels) = (self.map.words(), self.map.pixels());
        let from = ((step * self.map.planes + plane) * pixels + first) * per_pixel;
        self.words.get(from..from + count * per_pixel)
    }

    /// The words of a step.
    pub(crate) fn step(&self, step: usize) -> Option<&'a [u32]> {
        let len = self.map.bit_words();
        self.words.get(step * len..(step + 1) * len)
    }
}

/// The taps of one output that lie inside the input.
#[derive(Clone, Copy)]
struct Taps {
    rows: (usize, usize),
    columns: (usize, usize),
    /// Input row of kernel row `rows.0`, and likewise.
    top: usize,
    left: usize,
}

/// First and past-the-last kernel index at output position `at`, and the input position of the first.
fn range(at: usize, stride: usize, padding: usize, kernel: usize, len: usize) -> (usize, usize, usize) {
    let start = at * stride;
    let first = padding.saturating_sub(start);
    let last = (len + padding).saturating_sub(start).min(kernel);
    (first, last.max(first), (start + first).saturating_sub(padding))
}

fn taps(conv: &Conv<'_>, y: usize, x: usize) -> Taps {
    let (r0, r1, top) = range(y, conv.stride, conv.padding[0], conv.kernel[0], conv.input.rows);
    let (c0, c1, left) = range(x, conv.stride, conv.padding[1], conv.kernel[1], conv.input.columns);
    Taps { rows: (r0, r1), columns: (c0, c1), top, left }
}

/// A binary convolution on bits.
#[derive(Clone, Copy)]
pub(crate) struct BinarySource<'a> {
    conv: Conv<'a>,
    signs: Words<'a>,
    bits: Bits<'a>,
}

impl<'a> BinarySource<'a> {
    pub(crate) fn new(conv: &Conv<'a>, bits: Bits<'a>) -> Option<Self> {
        match conv.weights {
            Weights::Signs(signs) => Some(Self { conv: *conv, signs, bits }),
            Weights::Real(_) => None,
        }
    }

    /// Σ count · sign = 2 Σ 2^plane popcount(x & w) − Σ count.
    #[inline]
    pub(crate) fn sum(&self, step: usize, y: usize, x: usize, channel: usize, under: u32) -> Option<i32> {
        let (t, per_pixel) = (taps(&self.conv, y, x), self.conv.input.words());
        let width = t.columns.1 - t.columns.0;
        let mut both = 0;
        for plane in 0..self.conv.input.planes {
            let mut ones = 0;
            for (i, ky) in (t.rows.0..t.rows.1).enumerate() {
                let first = (t.top + i) * self.conv.input.columns + t.left;
                let x = self.bits.pixels(step, plane, first, width)?;
                let tap = (channel * self.conv.kernel[0] + ky) * self.conv.kernel[1] + t.columns.0;
                let w = self.signs.part(tap * per_pixel, width * per_pixel)?;
                ones += x.iter().zip(w.iter()).map(|(x, w)| (x & w).count_ones()).sum::<u32>();
            }
            both += ones << plane;
        }
        Some((2 * both).wrapping_sub(under) as i32)
    }

    /// Σ count of the inputs that the kernel covers.
    pub(crate) fn under(&self, step: usize, y: usize, x: usize) -> Option<u32> {
        let t = taps(&self.conv, y, x);
        let mut sum = 0;
        for plane in 0..self.conv.input.planes {
            for i in 0..t.rows.1 - t.rows.0 {
                let first = (t.top + i) * self.conv.input.columns + t.left;
                let words = self.bits.pixels(step, plane, first, t.columns.1 - t.columns.0)?;
                sum += words.iter().map(|w| w.count_ones()).sum::<u32>() << plane;
            }
        }
        Some(sum)
    }

    /// Adds to every channel of `sums` its sum over the whole map, without computing the map: how often an input channel
    /// stands under a tap does not depend on the output channel. `counts` has room for one number per input channel.
    pub(crate) fn map_sums(&self, step: usize, counts: &mut [u32], sums: &mut [u32]) -> Option<()> {
        let (conv, out) = (&self.conv, self.conv.output());
        let per_pixel = conv.input.words();
        let inside = |at: usize, k: usize, padding: usize, len: usize| {
            (at * conv.stride + k).checked_sub(padding).filter(|i| *i < len)
        };
        let ([kernel_rows, kernel_columns], [above, left]) = (conv.kernel, conv.padding);
        for ky in 0..kernel_rows {
            for kx in 0..kernel_columns {
                counts.fill(0);
                for iy in (0..out.rows).filter_map(|y| inside(y, ky, above, conv.input.rows)) {
                    for ix in (0..out.columns).filter_map(|x| inside(x, kx, left, conv.input.columns)) {
                        for plane in 0..conv.input.planes {
                            let words = self.bits.pixels(step, plane, iy * conv.input.columns + ix, 1)?;
                            for (word, counts) in words.iter().zip(counts.chunks_mut(32)) {
                                let mut rest = *word;
                                while rest != 0 {
                                    if let Some(count) = counts.get_mut(rest.trailing_zeros() as usize) {
                                        *count += 1 << plane;
                                    }
                                    rest &= rest - 1;
                                }
                            }
                        }
                    }
                }
                let all = counts.iter().sum::<u32>();
                let tap = ky * kernel_columns + kx;
                for (channel, sum) in sums.iter_mut().enumerate() {
                    let signs = self.signs.part((channel * conv.taps() + tap) * per_pixel, per_pixel)?;
                    let mut positive = 0u32;
                    for (word, counts) in signs.iter().zip(counts.chunks(32)) {
                        for (bit, count) in counts.iter().enumerate() {
                            positive = positive.wrapping_add(count & 0u32.wrapping_sub(word >> bit & 1));
                        }
                    }
                    *sum = sum.wrapping_add(positive.wrapping_mul(2).wrapping_sub(all));
                }
            }
        }
        Some(())
    }
}

/// A real convolution on a frame `[channel][row][column]`.
#[derive(Clone, Copy)]
pub(crate) struct RealSource<'a> {
    conv: Conv<'a>,
    weights: Reals<'a>,
    frame: &'a [f32],
}

impl<'a> RealSource<'a> {
    pub(crate) fn new(conv: &Conv<'a>, frame: &'a [f32]) -> Option<Self> {
        match conv.weights {
            Weights::Real(weights) => Some(Self { conv: *conv, weights, frame }),
            Weights::Signs(_) => None,
        }
    }

    /// Σ w · x, from the first kernel row on, channel in innermost.
    pub(crate) fn sum(&self, y: usize, x: usize, channel: usize) -> Option<f32> {
        let (conv, t) = (&self.conv, taps(&self.conv, y, x));
        let (columns, pixels) = (conv.input.columns, conv.input.pixels());
        let mut sum = 0.0f32;
        for (i, ky) in (t.rows.0..t.rows.1).enumerate() {
            for (j, kx) in (t.columns.0..t.columns.1).enumerate() {
                let pixel = (t.top + i) * columns + t.left + j;
                let row = (ky * conv.kernel[1] + kx) * conv.input.channels;
                for ci in 0..conv.input.channels {
                    let value = *self.frame.get(ci * pixels + pixel)?;
                    sum += self.weights.get((row + ci) * conv.channels + channel)? * value;
                }
            }
        }
        Some(sum)
    }
}
