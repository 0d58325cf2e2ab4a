//! The gradient of the input at reduced precision: 8-bit tables of signed sums, looked up by byte shuffles.
//!
//! ```text
//! dx[q, ci] = step * sum over taps and groups of four co of  round(± v0 ± v1 ± v2 ± v3, in units of step)
//! v = dy * scale,   ± = sign(w[co, ci, tap]),   step = max over pixels and groups of (|v0| + |v1| + |v2| + |v3|) / 127
//! ```
//!
//! `step` is one number per image. Rounding is stochastic and unbiased: a sum x becomes floor(x) or floor(x) + 1, the
//! upper one with probability x - floor(x). So the mean of dx over seeds is the exact gradient, and with independent
//! random bits per table entry the error of an element has the variance
//!
//! ```text
//! sum of step² f (1 - f) <= step² / 4 * (taps * Co / 4),   f the fractional part of a group's sum
//! ```
//!
//! (step² / 6 per group on average over f). The random bits are a hash of seed, image, pixel, group and entry: they do
//! not depend on threads, on how the work is cut, or on the code path; nor does dx, whose sums are integers. An entry
//! is shared by all destinations that read it, so errors of different elements of dx are correlated.
//!
//! Stochastic rounding in training: Gupta et al., Deep Learning with Limited Numerical Precision, ICML 2015. Look-up of
//! signed sums by byte shuffles, with tables halved by their symmetry: T-MAC (Wei et al., 2024), for low-bit weights in
//! inference. Its use for the gradient, with stochastic tables and the sign applied by a multiply-add, is ours.
//!
//! How it is computed. The 16 sums of a group are 8 and their negatives; 8 bytes of two groups fill the 16 bytes that
//! `vpshufb` looks up. A byte of weights holds an entry's index (3 bits of signs relative to the fourth, 1 bit for the
//! group), another one the sign, +1 or -1. `vpmaddubsw` multiplies the looked-up bytes (biased by 128 to be unsigned) by
//! their signs and adds the two groups in 16 bits: three instructions, shuffle, multiply-add and addition, make 128
//! multiply-accumulates on 256 bits. What the bias adds depends on the signs only and is subtracted at the end.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(super) mod signs;
pub(super) mod tables;

#[cfg(test)]
mod tests;

use crate::error::{KernelError, check_len};
use rayon::prelude::*;

use super::check as check_operands;
use crate::bits::PackedSigns;
use crate::conv_real::gather::for_each_band;
use crate::conv_real::geometry::{Cut, Pass, Plan};
use crate::conv_real::window::{Rows, fill};
use crate::dispatch::{KernelPath, require, selected};
use crate::shape::ConvShape;
use signs::{BLOCK, Spread, Step};
use tables::{AT_ONCE, BIAS, Source, Table, Unit};

/// Steps whose sums fit 16 bits: each adds at most 2 * 255.
pub(super) const SEGMENT: usize = 64;
/// Destination pixels that are taken through all segments together: enough that the steps of a segment, read from the
/// first-level cache, serve many of them; few enough that their sums stay there too.
const PIXELS: usize = 64;
/// Every tile height divides this.
pub(super) const TILE: usize = 8;

/// dx, the gradient of the input, from 8-bit tables with stochastic rounding.
///
/// An unbiased estimate of [`grad_input`](super::grad_input), several times as fast on AVX2. With
///
/// ```text
/// v = dy * scale,   step = max over pixels of the image and groups of 4 channels of (|v0| + |v1| + |v2| + |v3|) / 127
/// ```
///
/// every group adds an error of mean 0 and variance at most step² / 4, independent of other groups and pixels. For
/// normal values that is 1 to 2 % of the typical dx; a single outlier makes it larger in its whole image. Equal seeds
/// give equal bits on every path and any number of threads; use a new seed for every call.
///
/// An image with NaN, infinity or a group whose sum overflows gets a dx of NaN everywhere. An image whose group sums are
/// all below 2^-100 counts as zero.
///
/// Shapes: dy `[N, OH, OW, Co]`, w `[Co, Ci, Kh, Kw]`, scale `[Co]`, dx `[N, H, W, Ci]`.
///
/// ```
/// use bitspike_kernels::{bits::PackedSigns, conv_binary, shape::ConvShape};
/// let s = ConvShape { n: 1, h: 1, w: 1, c_in: 2, c_out: 3, kh: 1, kw: 1, stride: 1, padding: 0 };
/// let w = PackedSigns::pack(&[0.2, -0.4, -0.1, -0.7, 0.5, 0.3], 3, 2, 1, 1)?;
/// let (dy, mut dx) = ([0.5, -1.5, 2.0], [0.0; 2]);
/// conv_binary::grad_input_fast(&s, &dy, &w, None, 1, &mut dx)?;
/// // Exact: 0.5 + 1.5 + 2 and -0.5 + 1.5 + 2; the step is 4 / 127.
/// assert!((dx[0] - 4.0).abs() < 4.0 / 127.0 && (dx[1] - 3.0).abs() < 4.0 / 127.0);
/// # Ok::<(), bitspike_kernels::KernelError>(())
/// ```
///
/// # Errors
/// Sizes or lengths that do not fit together, or a kernel so large that integer sums could overflow.
pub fn grad_input_fast(
    s: &ConvShape,
    dy: &[f32],
    w: &PackedSigns,
    scale: Option<&[f32]>,
    seed: u64,
    dx: &mut [f32],
) -> Result<(), KernelError> {
    grad_input_fast_with_path(selected(), s, dy, w, scale, seed, dx)
}

/// [`grad_input_fast`] on a given code path.
///
/// # Errors
/// As [`grad_input_fast`]; also a path the processor lacks.
pub fn grad_input_fast_with_path(
    path: KernelPath,
    s: &ConvShape,
    dy: &[f32],
    w: &PackedSigns,
    scale: Option<&[f32]>,
    seed: u64,
    dx: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_binary::grad_input_fast";
    let (path, len) = (require(path)?, s.checked()?);
    check_operands(OP, s, None, Some(w), scale)?;
    check_len(OP, "dy", len.y, dy.len())?;
    check_len(OP, "dx", len.x, dx.len())?;
    // A step of 8 channels adds at most 2 * 255.
    if (len.w / s.c_in).div_ceil(8) + w.taps() >= i32::MAX as usize / 512 {
        return Err(KernelError::TooLarge { what: "the sum of one element", limit: "32-bit integers" });
    }
    let mut factors = vec![0.0; s.c_out.next_multiple_of(AT_ONCE)];
    factors[..s.c_out].iter_mut().enumerate().for_each(|(co, f)| *f = scale.map_or(1.0, |s| s[co]));
    let (height, width) = (s.out_h(), s.out_w());
    let mut source = Source { path, dy, height, width, channels: s.c_out, factors: &factors, units: &[], seed };
    let units: Vec<Unit> = (0..s.n).into_par_iter().map(|image| source.unit(image)).collect();
    source.units = &units;
    gather(&source, &Plan::input_gradient(s), &Spread::new(w), s.c_in, dx);
    Ok(())
}

#[derive(Default)]
struct Scratch {
    tables: Vec<Table>,
    passes: Vec<Pass>,
    segments: Vec<Segment>,
}

/// The 32-bit sums of a pixel, one vector's width apart from the next.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Sums(pub(super) [i32; BLOCK]);

/// A stretch of steps whose tables lie one after the other.
#[derive(Clone, Copy)]
struct Segment {
    /// Tables from the base of a destination pixel to the first.
    src: usize,
    /// First step within a block.
    step: usize,
    len: usize,
}

fn gather(source: &Source<'_>, plan: &Plan, signs: &Spread, channels: usize, out: &mut [f32]) {
    let per_pixel = source.per_pixel();
    let work_per_pixel = signs.taps * source.channels * channels;
    // Steps that do not fit the second-level cache are read again for every band: give them more pixels to serve.
    let least_pixels = if size_of_val(signs.steps.as_slice()) > 256 << 10 { 128 } else { 1 };
    let cut = Cut {
        work_per_pixel,
        least_work: (32 << 20).max(work_per_pixel * least_pixels),
        bytes_per_pixel: per_pixel * size_of::<Table>(),
        most_bytes: 320 << 10,
    };
    for_each_band(plan, &cut, channels, out, Scratch::default, |scratch, band, out| {
        let window = plan.window(band);
        scratch.tables.resize(band.images * window.image() * per_pixel, Table::default());
        fill(source, plan, band, &window, &mut scratch.tables);
        plan.passes(band, &window, per_pixel, &mut scratch.passes);
        for pass in &scratch.passes {
            segments(pass, per_pixel, &mut scratch.segments);
            let job = Job {
                path: source.path,
                pass,
                segments: &scratch.segments,
                tables: &scratch.tables,
                units: &source.units[band.image..],
                pixels_per_image: band.rows * plan.dst.1,
                channels,
            };
            (0..channels.div_ceil(BLOCK)).for_each(|block| job.run_block(signs, block, out));
        }
    });
}

/// Cuts the runs of a pass into equal parts of at most [`SEGMENT`] steps.
fn segments(pass: &Pass, per_pixel: usize, segments: &mut Vec<Segment>) {
    segments.clear();
    for run in &pass.runs {
        let steps = run.len * per_pixel;
        let most = steps.div_ceil(steps.div_ceil(SEGMENT));
        segments.extend((0..steps).step_by(most).map(|first| Segment {
            src: run.src + first,
            step: run.tap * per_pixel + first,
            len: most.min(steps - first),
        }));
    }
}

/// One pass of a band.
struct Job<'a> {
    path: KernelPath,
    pass: &'a Pass,
    segments: &'a [Segment],
    tables: &'a [Table],
    /// From the first image of the band on.
    units: &'a [Unit],
    /// Destination pixels of an image within the band.
    pixels_per_image: usize,
    channels: usize,
}

impl Job<'_> {
    /// All pixels of the pass, one block of channels.
    fn run_block(&self, signs: &Spread, block: usize, out: &mut [f32]) {
        let (steps, bias) = signs.block(block);
        let mut start = [0; BLOCK];
        for run in &self.pass.runs {
            for tap in &bias[run.tap..run.tap + run.len] {
                start.iter_mut().zip(tap).for_each(|(s, b)| *s -= b);
            }
        }
        let first = block * BLOCK;
        let width = BLOCK.min(self.channels - first);
        for (src, dst) in self.pass.src.chunks(PIXELS).zip(self.pass.dst.chunks(PIXELS)) {
            // A short last tile repeats its first pixel; the repeats are not stored.
            let mut bases = [src[0]; PIXELS];
            bases[..src.len()].copy_from_slice(src);
            let bases = &bases[..src.len().next_multiple_of(TILE)];
            let mut sums = [Sums(start); PIXELS];
            for segment in self.segments {
                let steps = &steps[segment.step..segment.step + segment.len];
                look_up_on(self.path, &self.tables[segment.src..], steps, bases, &mut sums[..bases.len()]);
            }
            for (&pixel, Sums(sums)) in dst.iter().zip(&sums) {
                let step = self.units[pixel / self.pixels_per_image].step;
                let out = &mut out[pixel * self.channels + first..][..width];
                match out.as_mut_array::<BLOCK>() {
                    Some(out) => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum as f32 * step),
                    None => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = sum as f32 * step),
                }
            }
        }
    }
}

/// Adds the sums of `steps` to `sums`, row by row; row i reads `tables[bases[i]..]`. On a path that was found present.
pub(super) fn look_up_on(path: KernelPath, tables: &[Table], steps: &[Step], bases: &[usize], sums: &mut [Sums]) {
    match path {
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { avx512::look_up(tables, steps, bases, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { avx2::look_up(tables, steps, bases, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        KernelPath::Neon => unsafe { neon::look_up(tables, steps, bases, sums) },
        _ => look_up(tables, steps, bases, sums),
    }
}

/// Panics unless every read of a look-up lies inside the tables: the one check for the unchecked loops.
#[inline]
fn check(tables: &[Table], steps: &[Step], bases: &[usize], sums: &[Sums]) {
    assert!(steps.len() <= SEGMENT, "sums fit 16 bits");
    assert!(bases.iter().all(|base| base + steps.len() <= tables.len()), "the window covers every pixel");
    assert!(bases.len() == sums.len() && bases.len().is_multiple_of(TILE), "whole tiles");
}

/// The portable form.
fn look_up(tables: &[Table], steps: &[Step], bases: &[usize], sums: &mut [Sums]) {
    check(tables, steps, bases, sums);
    for (&base, Sums(sums)) in bases.iter().zip(sums) {
        for (table, step) in tables[base..].iter().zip(steps) {
            let pairs = step.index.as_chunks::<2>().0.iter().zip(step.sign.as_chunks::<2>().0);
            for (sum, (index, sign)) in sums.iter_mut().zip(pairs) {
                let entry = |g: usize| i32::from(table.0[usize::from(index[g] & 15)]) * i32::from(sign[g]);
                *sum += entry(0) + entry(1);
            }
        }
    }
}

const _: () = assert!(SEGMENT as i32 * 2 * (2 * BIAS - 1) <= i16::MAX as i32, "sums of a segment fit 16 bits");
