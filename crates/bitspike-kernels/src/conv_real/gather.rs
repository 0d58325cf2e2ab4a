//! The gather engine on floats: forward pass and input gradient, one register tile at a time.
//!
//! A tile is `PX` destination pixels times `NZ` blocks of 16 destination channels, held in registers while the loop
//! runs over taps and source channels. Per step it loads `NZ` weight vectors and broadcasts one value per pixel. The
//! pixels of a tile need not be neighbours: each has its own base address, so that rows of 7 or 4 pixels fill tiles
//! across row and image ends.

use rayon::prelude::*;

use super::geometry::{Band, Cut, Pass, Plan, Run};
use super::lanes::{Array, Lanes, WIDTH};
use super::window::{Rows, fill};
use crate::dispatch::KernelPath;

/// Kernel weights as the gather reads them: `[blocks of 16 destination channels][tap][source channel][16]`.
pub(crate) struct Packed {
    pub(crate) values: Vec<f32>,
    taps: usize,
    sources: usize,
    destinations: usize,
}

impl Packed {
    /// Packs from `at(destination channel, source channel, tap)`, padding the last block with zeros.
    pub(crate) fn new(
        destinations: usize,
        sources: usize,
        taps: usize,
        at: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let block_len = taps * sources * WIDTH;
        let mut values = vec![0.0; destinations.div_ceil(WIDTH) * block_len];
        let fill = |(block, out): (usize, &mut [f32])| {
            let lanes = WIDTH.min(destinations - block * WIDTH);
            // Source before tap before lane: the writes are whole vectors, the reads run along the weights.
            for source in 0..sources {
                for tap in 0..taps {
                    let out = &mut out[(tap * sources + source) * WIDTH..][..WIDTH];
                    for (lane, out) in out[..lanes].iter_mut().enumerate() {
                        *out = at(block * WIDTH + lane, source, tap);
                    }
                }
            }
        };
        if values.len() < 1 << 16 {
            values.chunks_exact_mut(block_len).enumerate().for_each(fill);
        } else {
            values.par_chunks_exact_mut(block_len).enumerate().for_each(fill);
        }
        Self { values, taps, sources, destinations }
    }

    fn block_len(&self) -> usize {
        self.taps * self.sources * WIDTH
    }
}

#[derive(Default)]
struct Scratch {
    window: Vec<f32>,
    passes: Vec<Pass>,
}

/// Runs the whole plan: `out[pixel, channel] = sum over taps and source channels`.
pub(crate) fn gather<R: Rows<Element = f32>>(
    path: KernelPath,
    plan: &Plan,
    source: &R,
    weights: &Packed,
    out: &mut [f32],
) {
    let work_per_pixel = weights.taps * weights.sources * weights.destinations;
    // Weights that do not fit the second-level cache are read again for every band: give them more pixels to serve.
    let least_pixels = if weights.values.len() > 1 << 17 { 128 } else { 1 };
    let cut = Cut {
        work_per_pixel,
        least_work: (4 << 20).max(work_per_pixel * least_pixels),
        bytes_per_pixel: weights.sources * 4,
        most_bytes: 640 << 10,
    };
    for_each_band(plan, &cut, weights.destinations, out, Scratch::default, |scratch, band, out| {
        let direct = plan.direct(band).and_then(|w| source.direct(band.image).map(|s| (w, s)));
        let (window, src) = match direct {
            Some(found) => found,
            None => {
                let window = plan.window(band);
                scratch.window.resize(band.images * window.image() * weights.sources, 0.0);
                fill(source, plan, band, &window, &mut scratch.window);
                (window, scratch.window.as_slice())
            }
        };
        plan.passes(band, &window, weights.sources, &mut scratch.passes);
        for pass in &scratch.passes {
            run_pass(path, pass, src, weights, out);
        }
    });
}

/// Cuts `out` into the bands of the plan and calls `work` on each, on as many threads as there are.
pub(crate) fn for_each_band<S: Send, O: Send>(
    plan: &Plan,
    cut: &Cut,
    channels: usize,
    out: &mut [O],
    scratch: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, &Band, &mut [O]) + Sync + Send,
) {
    let mut rest = out;
    let mut jobs = Vec::new();
    for band in plan.bands(cut) {
        let (part, tail) = rest.split_at_mut(band.images * band.rows * plan.dst.1 * channels);
        jobs.push((band, part));
        rest = tail;
    }
    if jobs.len() < 2 {
        let mut scratch = scratch();
        jobs.into_iter().for_each(|(band, part)| work(&mut scratch, &band, part));
    } else {
        jobs.into_par_iter().for_each_init(scratch, |s, (band, part)| work(s, &band, part));
    }
}

fn run_pass(path: KernelPath, pass: &Pass, src: &[f32], weights: &Packed, out: &mut [f32]) {
    match path {
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { pass_avx512(pass, src, weights, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { pass_avx2(pass, src, weights, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        KernelPath::Neon => unsafe { pass_neon(pass, src, weights, out) },
        // SAFETY: the array form needs no special instructions.
        _ => unsafe { pass_body::<Array, 2, 1>(pass, src, weights, out) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn pass_avx512(pass: &Pass, src: &[f32], weights: &Packed, out: &mut [f32]) {
    // SAFETY: compiled for AVX-512.
    unsafe { pass_body::<std::arch::x86_64::__m512, 8, 2>(pass, src, weights, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn pass_avx2(pass: &Pass, src: &[f32], weights: &Packed, out: &mut [f32]) {
    // SAFETY: compiled for AVX2 and FMA.
    unsafe { pass_body::<[std::arch::x86_64::__m256; 2], 6, 1>(pass, src, weights, out) }
}

/// Six pixels: 24 registers of sums, 4 of weights and one value fit the 32 there are, and 24 independent sums keep up to
/// four pipes busy while a multiply-add takes its usual four cycles.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn pass_neon(pass: &Pass, src: &[f32], weights: &Packed, out: &mut [f32]) {
    // SAFETY: compiled for NEON.
    unsafe { pass_body::<[std::arch::aarch64::float32x4_t; 4], 6, 1>(pass, src, weights, out) }
}

/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn pass_body<V: Lanes, const PX: usize, const NZ: usize>(
    pass: &Pass,
    src: &[f32],
    weights: &Packed,
    out: &mut [f32],
) {
    let blocks = weights.destinations.div_ceil(WIDTH);
    let mut block = 0;
    while block < blocks {
        // SAFETY: passed on from the caller.
        unsafe {
            if blocks - block >= NZ {
                pass_block::<V, PX, NZ>(pass, src, weights, block, out);
                block += NZ;
            } else {
                pass_block::<V, PX, 1>(pass, src, weights, block, out);
                block += 1;
            }
        }
    }
}

/// All pixels of a pass, `NZ` blocks of channels.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn pass_block<V: Lanes, const PX: usize, const NZ: usize>(
    pass: &Pass,
    src: &[f32],
    weights: &Packed,
    block: usize,
    out: &mut [f32],
) {
    let c = weights.sources;
    let channels = weights.destinations;
    let block_len = weights.block_len();
    let w = &weights.values[block * block_len..(block + NZ) * block_len];
    assert!(pass.end(c) <= src.len(), "the window covers every pixel the runs touch");
    assert!(pass.runs.iter().all(|r| r.tap + r.len <= weights.taps), "the runs stay inside the kernel");
    for (bases, dst) in pass.src.chunks(PX).zip(pass.dst.chunks(PX)) {
        // A short last tile repeats its first pixel; the repeats are not stored.
        let mut from = [bases[0]; PX];
        from[..bases.len()].copy_from_slice(bases);
        // SAFETY: the assertions above bound every read: pixels of the tile plus the reach of the runs lie in `src`,
        // and taps lie in the `NZ` packed blocks of `w`.
        let sums = unsafe { tile::<V, PX, NZ>(src, c, w, block_len, &pass.runs, from) };
        for (&pixel, sums) in dst.iter().zip(sums) {
            for (z, sum) in sums.into_iter().enumerate() {
                let first = (block + z) * WIDTH;
                let width = WIDTH.min(channels - first);
                let out = &mut out[pixel * channels + first..][..width];
                // SAFETY: `out` has 16 elements in the first branch, the array in the second.
                unsafe {
                    if width == WIDTH {
                        sum.store(out.as_mut_ptr());
                    } else {
                        let mut lanes = [0.0; WIDTH];
                        sum.store(lanes.as_mut_ptr());
                        out.copy_from_slice(&lanes[..width]);
                    }
                }
            }
        }
    }
}

/// The register tile.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; for every pixel and run, `pixel + run.src + run.len * c` is at
/// most `src.len()`, and `w` holds `NZ` blocks of `block_len` that contain all taps of the runs.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(always)]
unsafe fn tile<V: Lanes, const PX: usize, const NZ: usize>(
    src: &[f32],
    c: usize,
    w: &[f32],
    block_len: usize,
    runs: &[Run],
    pixels: [usize; PX],
) -> [[V; NZ]; PX] {
    // SAFETY: the caller bounds all addresses.
    unsafe {
        let mut sums = [[V::zero(); NZ]; PX];
        for run in runs {
            let x: [*const f32; PX] = std::array::from_fn(|p| src.as_ptr().add(pixels[p] + run.src));
            let mut w = w.as_ptr().add(run.tap * c * WIDTH);
            for k in 0..run.len * c {
                let mut vectors = [V::zero(); NZ];
                for z in 0..NZ {
                    vectors[z] = V::load(w.add(z * block_len));
                }
                w = w.add(WIDTH);
                for p in 0..PX {
                    let value = *x[p].add(k);
                    for z in 0..NZ {
                        sums[p][z] = sums[p][z].add_scaled(value, vectors[z]);
                    }
                }
            }
        }
        sums
    }
}
