//! The forward pass on NEON: 3 pixels times 16 output channels in registers, counted byte by byte.
//!
//! `cnt` counts the ones of each byte. For spikes s and signs w of one word, in a vector of 4 output channels:
//!
//! ```text
//! bytes += cnt(s & w)                     per word; a byte grows by at most 8
//! sums  += bytes summed in fours          after at most 31 words: 31 * 8 = 248 fits a byte
//! y      = 2 sums - popcount(s)           times a factor, if the result is floats
//! ```
//!
//! Signs lie as in the other paths, `[block of 16 output channels][tap][words][16]`: the 16 words of a block are four
//! vectors whose lanes are output channels.
//!
//! Chosen by counting instructions, not measured: no aarch64 processor was at hand. 128 multiply-accumulates cost three
//! (`and`, `cnt`, `add`). The table look-up of the AVX2 path would take four (`tbl` and `add` serve 64), a load of a
//! table for every four spikes, and signs spread to twice their size; AVX2 prefers it because it has no `cnt`.
//! Adding to 16 bits at once (`uadalp` in place of `add`) needs no second step, but out-of-order cores of Arm have half
//! as many pipes for it. Carry-save adders would spare one `cnt` and `add` in two for three logical instructions.

use std::arch::aarch64::*;

use super::output::Output;
use super::popcount::Job;
use crate::conv_real::lanes::WIDTH;

/// Pixels of a tile: 12 registers of byte counts, 4 of signs and 3 of spikes leave 13 of 32 for products. A fourth
/// pixel would save loads only, and the compiler then moves registers about in the inner loop.
const PX: usize = 3;
/// Vectors of four channels in a block.
const QUARTERS: usize = WIDTH / 4;
/// Words whose counts fit a byte.
const SEGMENT: usize = 31;

/// `popcount(s & w)` of a tile.
type Sums = [[uint32x4_t; QUARTERS]; PX];
/// The same for a few words, not yet summed within the lanes.
type Bytes = [[uint8x16_t; QUARTERS]; PX];

/// All pixels and channels of a pass.
#[target_feature(enable = "neon")]
pub(super) fn run<O: Output>(job: &Job<'_>, out: &mut [O]) {
    job.check();
    let block_len = job.taps * job.words_per_pixel * WIDTH;
    // Blocks outside: the signs of a block stay in the first-level cache while all pixels pass by.
    for (block, signs) in job.signs.chunks_exact(block_len).enumerate() {
        let first = block * WIDTH;
        let width = WIDTH.min(job.c_out - first);
        let factors = &job.factors[first..first + WIDTH];
        let tiles = job.pass.src.chunks(PX).zip(job.pass.dst.chunks(PX)).zip(job.under_kernel.chunks(PX));
        for ((bases, dst), under) in tiles {
            // A short last tile repeats its first pixel; the repeats are not stored.
            let mut from = [bases[0]; PX];
            from[..bases.len()].copy_from_slice(bases);
            // SAFETY: `Job::check` has bounded every pixel plus run and every tap; `signs` holds one block.
            let sums = unsafe { tile(job, signs, from) };
            for ((&pixel, &under), sums) in dst.iter().zip(under).zip(sums) {
                let out = &mut out[pixel * job.c_out + first..][..width];
                let under = vdupq_n_s32(under);
                let signed = sums.map(|sum| vsubq_s32(vreinterpretq_s32_u32(vshlq_n_u32::<1>(sum)), under));
                // SAFETY: compiled for NEON; 16 factors, 1 to 16 elements.
                unsafe { O::put_neon(out, signed, factors) };
            }
        }
    }
}

/// `popcount(s & w)` of a tile, all planes together.
///
/// A function of its own, so that registers are allotted to these loops alone.
///
/// # Safety
/// Every pixel plus run lies inside each plane, and `signs` holds one block that contains all taps of the runs.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn tile(job: &Job<'_>, signs: &[u32], pixels: [usize; PX]) -> Sums {
    let per_pixel = job.words_per_pixel;
    let mut sums = [[vdupq_n_u32(0); QUARTERS]; PX];
    for plane in job.planes {
        for sum in sums.as_flattened_mut() {
            *sum = vshlq_n_u32::<1>(*sum);
        }
        let mut bytes = [[vdupq_n_u8(0); QUARTERS]; PX];
        let mut room = SEGMENT;
        for run in &job.pass.runs {
            let words = run.len * per_pixel;
            let mut first = 0;
            while first < words {
                let last = words.min(first + room);
                // SAFETY: the caller bounds all addresses; `first..last` are words of the run.
                unsafe {
                    let x: [*const u32; PX] = std::array::from_fn(|p| plane.as_ptr().add(pixels[p] + run.src));
                    let mut w = signs.as_ptr().add((run.tap * per_pixel + first) * WIDTH);
                    for k in first..last {
                        let mut vectors = [vdupq_n_u32(0); QUARTERS];
                        for z in 0..QUARTERS {
                            vectors[z] = vld1q_u32(w.add(4 * z));
                        }
                        w = w.add(WIDTH);
                        for p in 0..PX {
                            let word = vdupq_n_u32(*x[p].add(k));
                            for z in 0..QUARTERS {
                                let ones = vcntq_u8(vreinterpretq_u8_u32(vandq_u32(word, vectors[z])));
                                bytes[p][z] = vaddq_u8(bytes[p][z], ones);
                            }
                        }
                    }
                }
                room -= last - first;
                first = last;
                if room == 0 {
                    widen(&mut sums, &mut bytes);
                    room = SEGMENT;
                }
            }
        }
        widen(&mut sums, &mut bytes);
    }
    sums
}

/// Adds the bytes of each lane to its sum and clears them.
#[inline]
#[target_feature(enable = "neon")]
fn widen(sums: &mut Sums, bytes: &mut Bytes) {
    for (sum, bytes) in sums.as_flattened_mut().iter_mut().zip(bytes.as_flattened_mut()) {
        *sum = vpadalq_u16(*sum, vpaddlq_u8(*bytes));
        *bytes = vdupq_n_u8(0);
    }
}
