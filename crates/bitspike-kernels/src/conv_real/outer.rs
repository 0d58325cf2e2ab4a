//! The weight-gradient engine on floats: sums of outer products of input and output-gradient pixels.
//!
//! dw\[k, co\] = sum over output pixels p of x\[base(p) + offset(k)\] * dy\[p, co\], where k runs over taps and input
//! channels. A tile of `CI` rows k times `NZ` blocks of 16 output channels stays in registers for a block of pixels.
//!
//! Bands of pixels are taken one after the other; within a band, threads own disjoint parts of dw. So every element of
//! dw is summed in the order of the pixels, whatever the number of threads, and no partial copies of dw are needed.

use rayon::prelude::*;

use super::geometry::{Cut, Plan};
use super::lanes::{Array, Lanes, WIDTH};
use super::window::{Rows, fill_row};
use crate::dispatch::KernelPath;
use crate::shape::ConvShape;

/// Pixels summed in registers before a tile of dw is written back; dy of a block then stays in first-level cache.
const PIXEL_BLOCK: usize = 64;
/// Blocks of output channels a part has at most.
const GROUP: usize = 4;
/// Parts of dw a band is shared out in, at least (when dw is large enough).
const PARTS: usize = 16;

/// Writes dw `[c_out, c_in, kh, kw]`; row `co` is multiplied by `scale[co]`.
pub(crate) fn grad_weight<R: Rows<Element = f32>>(
    path: KernelPath,
    s: &ConvShape,
    source: &R,
    dy: &[f32],
    scale: Option<&[f32]>,
    dw: &mut [f32],
) {
    let (c, rows) = (s.c_in, s.c_in * s.kh * s.kw);
    let blocks = s.c_out.div_ceil(WIDTH);
    let (tile_rows, group) = match (path, blocks) {
        (KernelPath::Avx512, 1) => (8, 1),
        (KernelPath::Avx512, 2) => (8, 2),
        // Groups of four waste less than half a group; otherwise pairs fit better.
        (KernelPath::Avx512, _) if blocks % GROUP == 1 || blocks % GROUP == 2 => (8, 2),
        (KernelPath::Avx512, _) => (4, GROUP),
        (KernelPath::Avx2 | KernelPath::Neon, _) => (6, 1),
        _ => (2, 1),
    };
    let groups = blocks.div_ceil(group);
    let least_rows = rows.div_ceil(4).min(96);
    let part_rows = rows.div_ceil(PARTS.div_ceil(groups)).clamp(least_rows, 256).next_multiple_of(tile_rows);
    let parts = rows.div_ceil(part_rows);
    let part_len = part_rows * group * WIDTH;
    let mut sums = vec![0.0; groups * parts * part_len];

    let plan = Plan::forward(s);
    // Every band goes through all sums once: many pixels per band keep that traffic small.
    let least_pixels = if sums.len() > 1 << 17 { 768 } else { 256 };
    let cut = Cut {
        work_per_pixel: rows * s.c_out,
        least_work: (32 << 20).max(least_pixels * rows * s.c_out),
        bytes_per_pixel: c * 4,
        most_bytes: 3 << 20,
    };
    let (mut passes, mut window_scratch) = (Vec::new(), Vec::new());
    let mut offsets = Vec::new();
    let mut first_pixel = 0;
    for band in plan.bands(&cut) {
        let direct = plan.direct(&band).and_then(|w| source.direct(band.image).map(|s| (w, s)));
        let (window, x) = match direct {
            Some(found) => found,
            None => {
                let window = plan.window(&band);
                let row_len = window.cols * c;
                window_scratch.resize(band.images * window.rows * row_len, 0.0);
                let fill = |(i, out): (usize, &mut [f32])| {
                    fill_row(source, &plan, &window, band.image + i / window.rows, i % window.rows, out);
                };
                if window_scratch.len() < 1 << 15 {
                    window_scratch.chunks_exact_mut(row_len).enumerate().for_each(fill);
                } else {
                    window_scratch.par_chunks_exact_mut(row_len).enumerate().for_each(fill);
                }
                (window, window_scratch.as_slice())
            }
        };
        plan.passes(&band, &window, c, &mut passes);
        let pass = &passes[0];
        offsets.clear();
        offsets.extend(pass.runs.iter().flat_map(|r| r.src..r.src + r.len * c));
        let pixels = pass.src.len();
        let dy_band = &dy[first_pixel * s.c_out..(first_pixel + pixels) * s.c_out];
        first_pixel += pixels;
        assert!(pass.end(c) <= x.len() && offsets.len() == rows, "the window covers every pixel the kernel touches");

        let part = |(i, sums): (usize, &mut [f32])| {
            // Neighbouring parts share their rows, so that a thread finds the values of x in its cache.
            let block = i % groups * group;
            let from = i / groups * part_rows;
            let offsets = &offsets[from.min(rows)..(from + part_rows).min(rows)];
            let first = block * WIDTH;
            let channels = first..(first + group * WIDTH).min(s.c_out);
            let job = Part { x, bases: &pass.src, offsets, dy: dy_band, c_out: s.c_out, channels, group };
            run_part(path, &job, sums);
        };
        if pixels * rows * s.c_out < 1 << 20 {
            sums.chunks_exact_mut(part_len).enumerate().for_each(part);
        } else {
            sums.par_chunks_exact_mut(part_len).enumerate().for_each(part);
        }
    }

    // [part][group][row = tap * c + ci][channel] to [c_out, c_in, taps].
    let taps = s.kh * s.kw;
    let unpack = |(block, out): (usize, &mut [f32])| {
        let lanes = WIDTH.min(s.c_out - block * WIDTH);
        let base = block / group * part_len + block % group * WIDTH;
        for (i, (ci, tap)) in (0..c).flat_map(|ci| (0..taps).map(move |tap| (ci, tap))).enumerate() {
            let k = tap * c + ci;
            let at = base + k / part_rows * groups * part_len + k % part_rows * group * WIDTH;
            for lane in 0..lanes {
                let scale = scale.map_or(1.0, |s| s[block * WIDTH + lane]);
                out[lane * rows + i] = sums[at + lane] * scale;
            }
        }
    };
    if dw.len() < 1 << 16 {
        dw.chunks_mut(WIDTH * rows).enumerate().for_each(unpack);
    } else {
        dw.par_chunks_mut(WIDTH * rows).enumerate().for_each(unpack);
    }
}

/// One thread's share of dw for one band.
struct Part<'a> {
    x: &'a [f32],
    /// Base in `x` per output pixel.
    bases: &'a [usize],
    /// Offset in `x` from the base, per row of dw.
    offsets: &'a [usize],
    /// dy of the band.
    dy: &'a [f32],
    c_out: usize,
    /// Output channels of the part.
    channels: std::ops::Range<usize>,
    /// Blocks of output channels in a row of sums.
    group: usize,
}

fn run_part(path: KernelPath, part: &Part<'_>, sums: &mut [f32]) {
    match path {
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { part_avx512(part, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { part_avx2(part, sums) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        KernelPath::Neon => unsafe { part_neon(part, sums) },
        // SAFETY: the array form needs no special instructions.
        _ => unsafe { part_body::<Array, 2, 1>(part, sums) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn part_avx512(part: &Part<'_>, sums: &mut [f32]) {
    use std::arch::x86_64::__m512;
    // SAFETY: compiled for AVX-512.
    unsafe {
        match part.group {
            4 => part_body::<__m512, 4, 4>(part, sums),
            2 => part_body::<__m512, 8, 2>(part, sums),
            _ => part_body::<__m512, 8, 1>(part, sums),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn part_avx2(part: &Part<'_>, sums: &mut [f32]) {
    // SAFETY: compiled for AVX2 and FMA.
    unsafe { part_body::<[std::arch::x86_64::__m256; 2], 6, 1>(part, sums) }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn part_neon(part: &Part<'_>, sums: &mut [f32]) {
    // SAFETY: compiled for NEON.
    unsafe { part_body::<[std::arch::aarch64::float32x4_t; 4], 6, 1>(part, sums) }
}

/// # Safety
/// Only inside a function compiled for the path of `V`; `x` covers every base plus every offset.
#[inline(always)]
unsafe fn part_body<V: Lanes, const CI: usize, const NZ: usize>(part: &Part<'_>, sums: &mut [f32]) {
    let width = NZ * WIDTH;
    debug_assert_eq!(part.group, NZ);
    // A copy of a block of dy: channels padded to whole vectors, and no two pixels far apart in memory (a power of two
    // of channels would put them all into the same few sets of the cache).
    let mut block = [0.0f32; PIXEL_BLOCK * GROUP * WIDTH];
    let dy_blocks = part.dy.chunks(PIXEL_BLOCK * part.c_out);
    for (bases, dy) in part.bases.chunks(PIXEL_BLOCK).zip(dy_blocks) {
        for (out, dy) in block.chunks_exact_mut(width).zip(dy.chunks_exact(part.c_out)) {
            let dy = &dy[part.channels.clone()];
            out[..dy.len()].copy_from_slice(dy);
        }
        for (offsets, sums) in part.offsets.chunks(CI).zip(sums.chunks_exact_mut(CI * width)) {
            // A short last tile repeats its first row; the repeats land in the padding of `sums`.
            let mut rows = [offsets[0]; CI];
            rows[..offsets.len()].copy_from_slice(offsets);
            // SAFETY: `block` holds PIXEL_BLOCK pixels, `sums` CI rows of NZ blocks; the caller vouches for `x`.
            unsafe { tile::<V, CI, NZ>(part.x, bases, rows, &block, sums) }
        }
    }
}

/// Adds the pixels of `bases` to a tile of sums.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; every address formed from bases, offsets and strides lies
/// inside its slice.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(always)]
unsafe fn tile<V: Lanes, const CI: usize, const NZ: usize>(
    x: &[f32],
    bases: &[usize],
    offsets: [usize; CI],
    dy: &[f32],
    sums: &mut [f32],
) {
    // SAFETY: the caller bounds all addresses.
    unsafe {
        let out = sums.as_mut_ptr();
        let mut acc = [[V::zero(); NZ]; CI];
        for r in 0..CI {
            for z in 0..NZ {
                acc[r][z] = V::load(out.add((r * NZ + z) * WIDTH));
            }
        }
        let mut gradient = dy.as_ptr();
        for &base in bases {
            let x = x.as_ptr().add(base);
            let mut vectors = [V::zero(); NZ];
            for z in 0..NZ {
                vectors[z] = V::load(gradient.add(z * WIDTH));
            }
            gradient = gradient.add(NZ * WIDTH);
            for r in 0..CI {
                let value = *x.add(offsets[r]);
                for z in 0..NZ {
                    acc[r][z] = acc[r][z].add_scaled(value, vectors[z]);
                }
            }
        }
        for r in 0..CI {
            for z in 0..NZ {
                acc[r][z].store(out.add((r * NZ + z) * WIDTH));
            }
        }
    }
}
