//! The forward pass on AVX-512 with VPOPCNTDQ: 4 pixels times 32 output channels in registers.

use std::arch::x86_64::*;

use super::output::Output;
use super::popcount::Job;
use super::store_avx512::finish;
use crate::conv_real::lanes::WIDTH;

/// Pixels of a tile.
const PX: usize = 4;

/// All pixels and channels of a pass.
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
pub(super) fn run<O: Output>(job: &Job<'_>, out: &mut [O]) {
    job.check();
    let blocks = job.c_out.div_ceil(WIDTH);
    let tiles = job.pass.src.chunks(PX).zip(job.pass.dst.chunks(PX)).zip(job.under_kernel.chunks(PX));
    for ((bases, dst), under) in tiles {
        // A short last tile repeats its first pixel; the repeats are not stored.
        let mut from = [bases[0]; PX];
        from[..bases.len()].copy_from_slice(bases);
        let mut block = 0;
        while block < blocks {
            if blocks - block >= 2 {
                run_blocks::<O, 2>(job, block, from, dst, under, out);
                block += 2;
            } else {
                run_blocks::<O, 1>(job, block, from, dst, under, out);
                block += 1;
            }
        }
    }
    finish(job.streaming);
}

#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn run_blocks<O: Output, const NZ: usize>(
    job: &Job<'_>,
    block: usize,
    from: [usize; PX],
    dst: &[usize],
    under: &[i32],
    out: &mut [O],
) {
    let block_len = job.taps * job.words_per_pixel * WIDTH;
    let signs = &job.signs[block * block_len..(block + NZ) * block_len];
    // SAFETY: `Job::check` has bounded every pixel plus run and every tap; `signs` holds NZ blocks.
    let sums = unsafe { tile::<NZ>(job, signs, block_len, from) };
    for ((&pixel, &under), sums) in dst.iter().zip(under).zip(sums) {
        let under = _mm512_set1_epi32(under);
        for (z, sum) in sums.into_iter().enumerate() {
            let first = (block + z) * WIDTH;
            let width = WIDTH.min(job.c_out - first);
            let out = &mut out[pixel * job.c_out + first..][..width];
            let value = _mm512_sub_epi32(_mm512_slli_epi32::<1>(sum), under);
            // SAFETY: this function is compiled for AVX-512; factors are padded to whole blocks; `run` calls `finish`.
            unsafe { O::put_avx512(out, value, &job.factors[first..first + WIDTH], job.streaming) };
        }
    }
}

/// `popcount(s & w)` of a tile.
///
/// # Safety
/// Every pixel plus run lies inside each plane, and `signs` holds `NZ` blocks of `block_len` that contain all taps.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
unsafe fn tile<const NZ: usize>(
    job: &Job<'_>,
    signs: &[u32],
    block_len: usize,
    pixels: [usize; PX],
) -> [[__m512i; NZ]; PX] {
    let per_pixel = job.words_per_pixel;
    let mut sums = [[_mm512_setzero_si512(); NZ]; PX];
    for plane in job.planes {
        for sum in sums.as_flattened_mut() {
            *sum = _mm512_slli_epi32::<1>(*sum);
        }
        for run in &job.pass.runs {
            // SAFETY: the caller bounds all addresses.
            unsafe {
                let x: [*const u32; PX] = std::array::from_fn(|p| plane.as_ptr().add(pixels[p] + run.src));
                let mut w = signs.as_ptr().add(run.tap * per_pixel * WIDTH);
                for k in 0..run.len * per_pixel {
                    let mut vectors = [_mm512_setzero_si512(); NZ];
                    for z in 0..NZ {
                        vectors[z] = _mm512_loadu_si512(w.add(z * block_len).cast());
                    }
                    w = w.add(WIDTH);
                    for p in 0..PX {
                        let word = _mm512_set1_epi32(*x[p].add(k) as i32);
                        for z in 0..NZ {
                            let ones = _mm512_popcnt_epi32(_mm512_and_si512(word, vectors[z]));
                            sums[p][z] = _mm512_add_epi32(sums[p][z], ones);
                        }
                    }
                }
            }
        }
    }
    sums
}
