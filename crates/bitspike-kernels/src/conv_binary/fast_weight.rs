//! The gradient of the weights at reduced precision: 8-bit tables of signed sums of dy, looked up by the spikes.
//!
//! ```text
//! dw[co, ci, tap] = scale[co] / 2 * sum over stretches of  step[co] * S[co, ci, tap] + sum over its pixels of dy[p, co]
//! S = sum over groups of four output pixels p of  round(± v0 ± v1 ± v2 ± v3, in units of step),   v = dy[p, co]
//! ± = + where neuron ci of the input pixel under p at this tap fires, - where it is silent or p looks past the border
//! step = max over groups of (|v0| + |v1| + |v2| + |v3|) / 127
//! ```
//!
//! since x = (1 ± 1) / 2. A stretch is 512 output pixels, one after the other through the rows and images of the batch;
//! `step` is one number per output channel and stretch. Rounding is stochastic and unbiased as in
//! [`fast_input`](super::fast_input), whose tables and look-up this is: there pixels look up in tables of channels with
//! the signs of weights, here channels look up in tables of pixels with the spikes. Per group the error of S has mean 0
//! and variance at most 1/4, so
//!
//! ```text
//! variance of dw[co, ci, tap] <= scale² / 4 * sum over stretches of  step² / 4 * groups of the stretch
//! ```
//!
//! Weights of a channel share the entries of its tables, so their errors are correlated. Sums of a stretch are integers,
//! and stretches are added in order: dw does not depend on threads or on the code path. It takes as many instructions
//! whatever the firing rate; where few neurons fire, going through the spikes is faster and exact.

mod steps;

#[cfg(test)]
mod tests;

use crate::error::{KernelError, check_len};
use rayon::prelude::*;

use super::fast_input::signs::BLOCK;
use super::fast_input::tables::{AT_ONCE, Build, PER_TABLE, Table, Unit, key, largest_on};
use super::fast_input::{SEGMENT, Sums, TILE, look_up_on};
use super::{check as check_operands, exact_grad_weight};
use crate::bits::PackedSpikes;
use crate::dispatch::{KernelPath, require, selected};
use crate::layout::transpose;
use crate::par::{Level, multiversioned};
use crate::recycle::Recycled;
use crate::shape::ConvShape;
use steps::Steps;

/// Output pixels of a stretch: what the 16-bit sums of a look-up can take.
pub(super) const STRETCH: usize = SEGMENT * PER_TABLE;
/// Stretches whose tables are made before they are used, at least.
const ROUND: usize = 4;
/// Output channels whose sums stay in the first-level cache.
const ROWS: usize = 64;
/// Events per neuron from which this is the faster way, by measurement on AVX2.
const LEAST_EVENTS: f64 = 0.12;

/// dw, the gradient of the effective weights times `scale`, by 8-bit tables with stochastic rounding.
///
/// An unbiased estimate of [`grad_weight`](super::grad_weight), several times as fast where many neurons fire. With
///
/// ```text
/// step = max over groups of 4 output pixels of (|v0| + |v1| + |v2| + |v3|) / 127,   v = dy
/// ```
///
/// for each output channel and each stretch of 512 pixels, every group adds an error of mean 0 and variance at most
/// (scale step)² / 16. Equal seeds give equal bits on every path and any number of threads; use a new seed for every
/// call. Inputs with quarters, those where few neurons fire, and layers of fewer than 32 channels get the exact gradient.
///
/// A channel with NaN or infinity in dy, or a group whose sum overflows, gets a dw of NaN.
///
/// Shapes: x `[N, H, W, Ci]`, dy `[N, OH, OW, Co]`, scale `[Co]`, dw `[Co, Ci, Kh, Kw]`.
///
/// ```
/// use bitspike_kernels::{bits::PackedSpikes, conv_binary, shape::ConvShape};
/// let s = ConvShape { n: 1, h: 1, w: 2, c_in: 2, c_out: 1, kh: 1, kw: 1, stride: 1, padding: 0 };
/// let x = PackedSpikes::pack(&[1.0, 0.0, 1.0, 1.0], 1, 1, 2, 2).unwrap();
/// let mut dw = [0.0; 2];
/// conv_binary::grad_weight_fast(&s, &x, &[0.5, -2.0], None, 1, &mut dw)?;
/// // Exact: 0.5 - 2 and -2; the step is 2.5 / 127.
/// assert!((dw[0] + 1.5).abs() < 0.02 && (dw[1] + 2.0).abs() < 0.02);
/// # Ok::<(), bitspike_kernels::KernelError>(())
/// ```
///
/// # Errors
/// Sizes or lengths that do not fit together.
pub fn grad_weight_fast(
    s: &ConvShape,
    x: &PackedSpikes,
    dy: &[f32],
    scale: Option<&[f32]>,
    seed: u64,
    dw: &mut [f32],
) -> Result<(), KernelError> {
    grad_weight_fast_with_path(selected(), s, x, dy, scale, seed, dw)
}

/// [`grad_weight_fast`] on a given code path.
///
/// # Errors
/// As [`grad_weight_fast`]; also a path the processor lacks.
pub fn grad_weight_fast_with_path(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    dy: &[f32],
    scale: Option<&[f32]>,
    seed: u64,
    dw: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_binary::grad_weight_fast";
    let (path, len) = (require(path)?, s.checked()?);
    check_operands(OP, s, Some(x), None, scale)?;
    check_len(OP, "dy", len.y, dy.len())?;
    check_len(OP, "dw", len.w, dw.len())?;
    // Fewer channels would leave most lanes and table rows empty.
    let narrow = s.c_in < BLOCK || s.c_out < BLOCK;
    let events = x.events_per_neuron();
    if narrow || x.planes() > 1 || events < LEAST_EVENTS {
        exact_grad_weight(path, s, x, events, dy, scale, dw);
    } else {
        grad_weight(path, s, x, dy, scale, seed, dw);
    }
    Ok(())
}

fn grad_weight(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    dy: &[f32],
    scale: Option<&[f32]>,
    seed: u64,
    dw: &mut [f32],
) {
    let ones = [1.0; STRETCH.next_multiple_of(AT_ONCE)];
    let pixels = dy.len() / s.c_out;
    let (taps, rows) = (s.kh * s.kw, s.c_out.next_multiple_of(TILE));
    // [block of input channels][tap][output channel][BLOCK]
    let mut sums = Recycled::<f32>::zeroed(s.c_in.div_ceil(BLOCK) * taps * rows * BLOCK);
    let mut totals = vec![0.0; s.c_out];
    let count = pixels.div_ceil(STRETCH);
    let at_once = ROUND.max(rayon::current_num_threads()).min(count);
    let mut round = vec![Stretch::default(); at_once];
    for first in (0..count).step_by(at_once) {
        let round = &mut round[..at_once.min(count - first)];
        round.par_iter_mut().enumerate().for_each(|(i, stretch)| {
            let from = (first + i) * STRETCH;
            stretch.fill(path, s, dy, from..(from + STRETCH).min(pixels), rows, &ones, seed);
        });
        for stretch in &*round {
            totals.iter_mut().zip(&stretch.totals).for_each(|(total, part)| *total += part);
        }
        // A job is a row of taps of a block of input channels.
        sums.par_chunks_mut(s.kw * rows * BLOCK).enumerate().for_each_init(Steps::default, |steps, (job, sums)| {
            for stretch in &*round {
                for (kx, sums) in sums.chunks_exact_mut(rows * BLOCK).enumerate() {
                    steps.fill(path, s, x, stretch.pixels.clone(), job / s.kh, [job % s.kh, kx]);
                    stretch.add(path, steps, sums);
                }
            }
        });
    }
    dw.par_chunks_mut(s.c_in * taps).with_min_len(8).enumerate().for_each(|(co, dw)| {
        let factor = 0.5 * scale.map_or(1.0, |s| s[co]);
        for (ci, dw) in dw.chunks_exact_mut(taps).enumerate() {
            for (tap, dw) in dw.iter_mut().enumerate() {
                let at = ((ci / BLOCK * taps + tap) * rows + co) * BLOCK + ci % BLOCK;
                *dw = factor * (sums[at] + totals[co]);
            }
        }
    });
}

/// The tables of some output pixels.
#[derive(Clone, Default)]
struct Stretch {
    pixels: std::ops::Range<usize>,
    /// `[output channel, padded to whole tiles][8 pixels]`
    tables: Vec<Table>,
    /// Value of an entry of 1, `[Co]`.
    steps: Vec<f32>,
    /// Sum of dy over the pixels, `[Co]`.
    totals: Vec<f32>,
    /// Some channels of dy, pixel by pixel.
    values: Vec<f32>,
}

impl Stretch {
    #[allow(clippy::too_many_arguments, reason = "one call")]
    fn fill(
        &mut self,
        path: KernelPath,
        s: &ConvShape,
        dy: &[f32],
        pixels: std::ops::Range<usize>,
        rows: usize,
        ones: &[f32],
        seed: u64,
    ) {
        let (len, stretch) = (pixels.len(), pixels.start / STRETCH);
        let per_row = len.div_ceil(PER_TABLE);
        let dy = &dy[pixels.start * s.c_out..pixels.end * s.c_out];
        self.pixels = pixels;
        self.totals.clear();
        self.totals.resize(s.c_out, 0.0);
        add_rows(Level::selected(), dy, &mut self.totals);
        self.steps.clear();
        self.tables.resize(rows * per_row, Table::default());
        for (first, tables) in (0..s.c_out).step_by(AT_ONCE).zip(self.tables.chunks_mut(AT_ONCE * per_row)) {
            self.values.resize(AT_ONCE.min(s.c_out - first) * len, 0.0);
            transpose::band(Level::selected(), dy, s.c_out, first, &mut self.values, len);
            for ((i, values), tables) in self.values.chunks_exact(len).enumerate().zip(tables.chunks_exact_mut(per_row))
            {
                let unit = Unit::new(largest_on(path, values, len, ones));
                let key = key(seed, stretch * s.c_out + first + i);
                Build { channels: len, factors: ones, unit, key, pixel: 0 }.run(path, values, tables);
                self.steps.push(unit.step);
            }
        }
    }

    /// Adds what the stretch gives to the sums of one tap, `[Co, padded][BLOCK]`.
    fn add(&self, path: KernelPath, steps: &Steps, sums: &mut [f32]) {
        let per_row = steps.steps.len();
        let mut parts = [Sums([0; BLOCK]); ROWS];
        let mut bases = [0; ROWS];
        for ((i, scales), sums) in self.steps.chunks(ROWS).enumerate().zip(sums.chunks_mut(ROWS * BLOCK)) {
            let rows = scales.len().next_multiple_of(TILE);
            bases.iter_mut().enumerate().for_each(|(row, base)| *base = (i * ROWS + row) * per_row);
            parts[..rows].fill(Sums(steps.start));
            look_up_on(path, &self.tables, &steps.steps, &bases[..rows], &mut parts[..rows]);
            add_scaled(Level::selected(), &parts, scales, sums);
        }
    }
}

multiversioned! {
    /// sum[c] += the rows `[.., C]` of x, one after the other.
    fn add_rows(x: &[f32], sum: &mut [f32]) {
        for row in x.chunks_exact(sum.len()) {
            sum.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
    }
}

multiversioned! {
    /// sums `[row][BLOCK]` += part * scale of the row.
    fn add_scaled(parts: &[Sums], scales: &[f32], sums: &mut [f32]) {
        for ((scale, Sums(part)), sums) in scales.iter().zip(parts).zip(sums.as_chunks_mut::<BLOCK>().0) {
            sums.iter_mut().zip(part).for_each(|(sum, &part)| *sum += part as f32 * scale);
        }
    }
}
