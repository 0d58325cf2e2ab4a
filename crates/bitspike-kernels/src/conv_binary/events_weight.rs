//! The gradient of the weights, spike by spike: exact in `f32`, and the faster the fewer neurons fire.
//!
//! ```text
//! dw[co, ci, tap] = scale[co] * unit * sum over the spikes q of channel ci of count(q) * dy[q - tap, co]
//! ```
//!
//! A neuron that is silent adds nothing, so for every input channel only the positions of its spikes are listed, and a
//! row of dy is added for each: one vector addition does the work of `lanes / firing rate` multiply-accumulates. A
//! spike that counts for several quarters is listed as often.
//!
//! dy is cut into bands of pixels times blocks of channels that stay in a first- or second-level cache, with a border
//! of zeros so that every tap is a constant distance. The accumulators of a channel and a few taps stay in registers
//! along the list. Threads own disjoint blocks of dw and go through all bands in order: every element is summed in the
//! order of the pixels, whatever the number of threads.

use rayon::prelude::*;

use crate::bits::{PackedSpikes, WORD};
use crate::conv_real::lanes::{Array, Lanes, WIDTH};
use crate::dispatch::KernelPath;
use crate::recycle::Recycled;
use crate::shape::ConvShape;

/// Blocks of 16 output channels that a job owns.
const BLOCKS: usize = 2;
/// Output channels that a job owns.
const CHANNELS: usize = BLOCKS * WIDTH;
/// Spikes a list should have, so that reading and writing the accumulators costs little.
const WANTED_SPIKES: usize = 40;
/// Pixels of a band, at least and at most: the slice of dy is 128 bytes per pixel.
const PIXELS: std::ops::RangeInclusive<usize> = 160..=2048;
/// Input channels that a job owns, when there are enough threads to share them out.
const INPUTS: usize = 128;

/// Whether the sizes are those this kernel is written for, and few enough neurons fire for it to be the faster one.
pub(super) fn takes(path: KernelPath, s: &ConvShape, events_per_neuron: f64) -> bool {
    let border = s.padding < s.kh && s.padding < s.kw;
    s.stride == 1 && border && s.w + s.kw <= 1 << 10 && events_per_neuron <= most_events(path)
}

/// Events per neuron up to which listing them is faster than the dense kernel of a path, by measurement. NEON, which was
/// not measured, has the dense kernel of AVX2 and so its limit.
fn most_events(path: KernelPath) -> f64 {
    match path {
        KernelPath::Avx512 => 0.12,
        _ => 0.35,
    }
}

/// Some rows of some images, and where their pixels and those of dy lie.
#[derive(Clone, Copy, Debug)]
struct Band {
    image: usize,
    images: usize,
    row: usize,
    rows: usize,
}

/// How dy is laid out for a band: every image of it a block of `rows` x `cols` pixels with the border.
#[derive(Clone, Copy)]
struct Frame {
    rows: usize,
    cols: usize,
    /// dy row shown by row 0, dy column shown by column 0.
    row: isize,
    col: isize,
}

impl Band {
    fn frame(&self, s: &ConvShape) -> Frame {
        Frame {
            rows: self.rows + s.kh - 1,
            cols: s.w + s.kw - 1,
            row: (self.row + s.padding) as isize - (s.kh - 1) as isize,
            col: s.padding as isize - (s.kw - 1) as isize,
        }
    }
}

/// Cuts the images into bands of about `pixels` pixels of the frame.
fn bands(s: &ConvShape, pixels: usize) -> Vec<Band> {
    let cols = s.w + s.kw - 1;
    let whole = (s.h + s.kh - 1) * cols;
    if whole <= pixels {
        let images = (pixels / whole).min(s.n);
        let starts = (0..s.n).step_by(images);
        return starts.map(|image| Band { image, images: images.min(s.n - image), row: 0, rows: s.h }).collect();
    }
    let rows = (pixels / cols).saturating_sub(s.kh - 1).clamp(1, s.h);
    // Even parts: 14 rows in parts of at most 10 are 7 + 7, not 10 + 4.
    let rows = s.h.div_ceil(s.h.div_ceil(rows));
    let starts = (0..s.n).flat_map(|image| (0..s.h).step_by(rows).map(move |row| (image, row)));
    starts.map(|(image, row)| Band { image, images: 1, row, rows: rows.min(s.h - row) }).collect()
}

/// The spikes of a band, channel by channel: offsets of their pixel for the first tap of a frame row.
struct Lists {
    /// `[channels + 1]`
    starts: Vec<u32>,
    pixels: Vec<u16>,
}

impl Lists {
    fn new(x: &PackedSpikes, band: &Band, frame: &Frame) -> Self {
        let c = x.dims()[3];
        // Once to count, once to place.
        let mut starts = vec![0u32; c + 1];
        each_event(x, band, frame, |ci, _| starts[ci + 1] += 1);
        for ci in 0..c {
            starts[ci + 1] += starts[ci];
        }
        let mut next = starts.clone();
        let mut pixels = vec![0u16; starts[c] as usize];
        each_event(x, band, frame, |ci, at| {
            pixels[next[ci] as usize] = at as u16;
            next[ci] += 1;
        });
        Self { starts, pixels }
    }

    fn of(&self, ci: usize) -> &[u16] {
        &self.pixels[self.starts[ci] as usize..self.starts[ci + 1] as usize]
    }
}

/// Calls `f(channel, pixel of the frame)` for every event of a band, pixel by pixel.
fn each_event(x: &PackedSpikes, band: &Band, frame: &Frame, mut f: impl FnMut(usize, usize)) {
    let [_, h, w, _] = x.dims();
    let words = x.words_per_pixel();
    for (image, row) in (0..band.images).flat_map(|image| (0..band.rows).map(move |row| (image, row))) {
        let from = ((band.image + image) * h + band.row + row) * w;
        let at = (image * frame.rows + row) * frame.cols;
        for plane in 0..x.planes() {
            let bits = &x.plane(plane)[from * words..(from + w) * words];
            for (i, &word) in bits.iter().enumerate() {
                let (pixel, first) = (at + i / words, i % words * WORD);
                let mut rest = word;
                while rest != 0 {
                    let ci = first + rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    (0..1 << plane).for_each(|_| f(ci, pixel));
                }
            }
        }
    }
}

/// Writes dw `[c_out, c_in, kh, kw]`; row `co` is multiplied by `scale[co]`.
pub(super) fn grad_weight(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    events_per_neuron: f64,
    dy: &[f32],
    scale: Option<&[f32]>,
    dw: &mut [f32],
) {
    let wanted = (WANTED_SPIKES as f64 / events_per_neuron.max(1e-3)) as usize;
    let bands = bands(s, wanted.clamp(*PIXELS.start(), *PIXELS.end()));
    let lists: Vec<Lists> = bands.par_iter().map(|band| Lists::new(x, band, &band.frame(s))).collect();

    let taps = s.kh * s.kw;
    let blocks = s.c_out.div_ceil(CHANNELS);
    let inputs = INPUTS.min(s.c_in);
    let parts = s.c_in.div_ceil(inputs);
    // [block][part]: [ci][tap][channel]
    let mut sums = Recycled::<f32>::zeroed(blocks * parts * inputs * taps * CHANNELS);
    sums.par_chunks_mut(inputs * taps * CHANNELS).enumerate().for_each_init(Vec::new, |slice, (i, sums)| {
        let first = i / parts * CHANNELS;
        let channels = first..(first + CHANNELS).min(s.c_out);
        let from = i % parts * inputs;
        for (band, lists) in bands.iter().zip(&lists) {
            let frame = band.frame(s);
            fill(s, band, &frame, dy, channels.clone(), slice);
            let job = Job { lists, slice, frame, kh: s.kh, kw: s.kw, inputs: from..(from + inputs).min(s.c_in) };
            run(path, &job, sums);
        }
    });

    let unit = x.unit();
    let part_len = inputs * taps * CHANNELS;
    let unpack = |(co, out): (usize, &mut [f32])| {
        let factor = unit * scale.map_or(1.0, |s| s[co]);
        let (block, lane) = (co / CHANNELS, co % CHANNELS);
        for (ci, out) in out.chunks_exact_mut(taps).enumerate() {
            let at = (block * parts + ci / inputs) * part_len + ci % inputs * taps * CHANNELS + lane;
            for (tap, out) in out.iter_mut().enumerate() {
                *out = sums[at + tap * CHANNELS] * factor;
            }
        }
    };
    dw.par_chunks_mut(s.c_in * taps).with_min_len(CHANNELS).enumerate().for_each(unpack);
}

/// Copies the channels of a job out of dy, with a border of zeros: `[pixels of the frame][CHANNELS]`.
fn fill(s: &ConvShape, band: &Band, frame: &Frame, dy: &[f32], channels: std::ops::Range<usize>, slice: &mut Vec<f32>) {
    slice.resize(band.images * frame.rows * frame.cols * CHANNELS, 0.0);
    let (out_h, out_w) = (s.out_h(), s.out_w());
    for (i, row) in slice.chunks_exact_mut(frame.cols * CHANNELS).enumerate() {
        let (image, y) = (band.image + i / frame.rows, frame.row + (i % frame.rows) as isize);
        let Some(y) = usize::try_from(y).ok().filter(|&y| y < out_h) else {
            row.fill(0.0);
            continue;
        };
        for (j, pixel) in row.chunks_exact_mut(CHANNELS).enumerate() {
            let col = frame.col + j as isize;
            let Some(col) = usize::try_from(col).ok().filter(|&col| col < out_w) else {
                pixel.fill(0.0);
                continue;
            };
            let from = ((image * out_h + y) * out_w + col) * s.c_out;
            let values = &dy[from + channels.start..from + channels.end];
            // Of known length where it can be, so that a copy is a few vector moves.
            match (<&mut [f32; CHANNELS]>::try_from(&mut *pixel), <&[f32; CHANNELS]>::try_from(values)) {
                (Ok(pixel), Ok(values)) => *pixel = *values,
                _ => {
                    pixel[..values.len()].copy_from_slice(values);
                    pixel[values.len()..].fill(0.0);
                }
            }
        }
    }
}

/// One band for one block of output channels and one part of the input channels.
struct Job<'a> {
    lists: &'a Lists,
    /// dy of the band, `[pixels of the frame][CHANNELS]`.
    slice: &'a [f32],
    frame: Frame,
    kh: usize,
    kw: usize,
    inputs: std::ops::Range<usize>,
}

fn run(path: KernelPath, job: &Job<'_>, sums: &mut [f32]) {
    match path {
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { run_avx512(job, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { run_avx2(job, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        KernelPath::Neon => unsafe { run_neon(job, sums) },
        // SAFETY: the array form needs no special instructions.
        _ => unsafe { body::<Array, 1>(job, sums) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn run_avx512(job: &Job<'_>, sums: &mut [f32]) {
    // SAFETY: compiled for AVX-512.
    unsafe { body::<std::arch::x86_64::__m512, 3>(job, sums) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2(job: &Job<'_>, sums: &mut [f32]) {
    // SAFETY: compiled for AVX2 and FMA.
    unsafe { body::<[std::arch::x86_64::__m256; 2], 3>(job, sums) }
}

/// Three taps of two blocks: 24 registers of sums of the 32 there are.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn run_neon(job: &Job<'_>, sums: &mut [f32]) {
    // SAFETY: compiled for NEON.
    unsafe { body::<[std::arch::aarch64::float32x4_t; 4], 3>(job, sums) }
}

/// Adds a band to `sums` `[ci][tap][CHANNELS]`, `TAPS` neighbouring taps at a time.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn body<V: Lanes, const TAPS: usize>(job: &Job<'_>, sums: &mut [f32]) {
    let taps = job.kh * job.kw;
    assert!(sums.len() >= job.inputs.len() * taps * CHANNELS, "one row of sums per input channel and tap");
    for (ci, sums) in job.inputs.clone().zip(sums.chunks_exact_mut(taps * CHANNELS)) {
        let list = job.lists.of(ci);
        let Some(&last) = list.iter().max() else { continue };
        let reach = (job.kh - 1) * job.frame.cols + job.kw - 1;
        assert!((usize::from(last) + reach + 1) * CHANNELS <= job.slice.len(), "the frame covers every tap of a spike");
        for (ky, sums) in sums.chunks_exact_mut(job.kw * CHANNELS).enumerate() {
            // Tap kx of row ky reads dy at the spike plus (kh - 1 - ky, kw - 1 - kx).
            let row = (job.kh - 1 - ky) * job.frame.cols;
            let mut kx = 0;
            while kx < job.kw {
                let at = row + job.kw - 1 - kx;
                let sums = &mut sums[kx * CHANNELS..];
                // SAFETY: the assertion above bounds the reads; `sums` holds the taps from kx on.
                unsafe {
                    if job.kw - kx >= TAPS {
                        add::<V, TAPS>(list, job.slice, at, sums);
                        kx += TAPS;
                    } else {
                        add::<V, 1>(list, job.slice, at, sums);
                        kx += 1;
                    }
                }
            }
        }
    }
}

/// Adds, for each of `TAPS` taps, the rows of dy at the listed pixels; tap k reads `at - k` pixels further on.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; every listed pixel plus `at` lies in `slice`, `at >= TAPS - 1`,
/// and `sums` holds `TAPS` rows.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(always)]
unsafe fn add<V: Lanes, const TAPS: usize>(list: &[u16], slice: &[f32], at: usize, sums: &mut [f32]) {
    debug_assert!(at + 1 >= TAPS && sums.len() >= TAPS * CHANNELS);
    // SAFETY: the caller bounds all addresses.
    unsafe {
        let mut acc = [[V::zero(); BLOCKS]; TAPS];
        for k in 0..TAPS {
            for z in 0..BLOCKS {
                acc[k][z] = V::load(sums.as_ptr().add(k * CHANNELS + z * WIDTH));
            }
        }
        let from = slice.as_ptr().add((at + 1 - TAPS) * CHANNELS);
        for &pixel in list {
            let row = from.add(usize::from(pixel) * CHANNELS);
            for k in 0..TAPS {
                for z in 0..BLOCKS {
                    acc[k][z] = acc[k][z].add(V::load(row.add((TAPS - 1 - k) * CHANNELS + z * WIDTH)));
                }
            }
        }
        for k in 0..TAPS {
            for z in 0..BLOCKS {
                acc[k][z].store(sums.as_mut_ptr().add(k * CHANNELS + z * WIDTH));
            }
        }
    }
}
