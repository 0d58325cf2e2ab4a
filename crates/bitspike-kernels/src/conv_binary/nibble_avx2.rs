//! The forward pass on AVX2, where no vector popcount exists: a byte shuffle looks up the sums of four products.
//!
//! Four spikes s and four signs w have `sum s w = 2 popcount(s & w) - popcount(s)`, a number from -4 to 4. For given
//! spikes it depends on the four sign bits only: 16 cases, a table of 16 bytes. `vpshufb` looks it up for 32 output
//! channels at once, which is 128 multiply-accumulates. Sums are kept in bytes for a few words, then in 16 bits.

use std::arch::x86_64::*;

use super::output::Output;
use super::popcount::Job;
use crate::conv_real::lanes::WIDTH;

/// Output channels that a shuffle serves.
const BLOCK: usize = 32;
/// Groups of four channels in a word.
const NIBBLES: usize = 8;
/// Pixels of a tile.
const PX: usize = 4;
/// Words whose sums fit a byte: 3 words of 32 products make at most 96.
const SEGMENT: usize = 3;
/// Blocks of 16 channels in a block of this kernel.
const HALVES: usize = BLOCK / WIDTH;

/// `TABLE[spikes][signs]`
static TABLE: Table = Table(sums_of_four());

#[repr(align(64))]
struct Table([[i8; 16]; 16]);

const fn sums_of_four() -> [[i8; 16]; 16] {
    let mut table = [[0; 16]; 16];
    let mut i = 0;
    while i < 256 {
        let (s, w) = (i as u32 / 16, i as u32 % 16);
        table[i / 16][i % 16] = 2 * (s & w).count_ones() as i8 - s.count_ones() as i8;
        i += 1;
    }
    table
}

/// Whether sums of `products` products in so many planes fit 16 bits.
pub(super) fn takes(products: usize, planes: usize) -> bool {
    products << (planes - 1) <= i16::MAX as usize
}

/// Spreads signs `[block of 16][tap][words][16]` to one byte per four: `[block of 32][tap][words][nibble][32]`.
pub(super) fn spread(signs: &[u32], words_per_block: usize) -> Vec<u8> {
    let blocks = signs.len() / (words_per_block * WIDTH);
    let mut bytes = vec![0; blocks.div_ceil(HALVES) * words_per_block * NIBBLES * BLOCK];
    for (i, lanes) in signs.chunks_exact(WIDTH).enumerate() {
        let (block, word) = (i / words_per_block, i % words_per_block);
        let at = (block / HALVES * words_per_block + word) * NIBBLES * BLOCK + block % HALVES * WIDTH;
        for (lane, bits) in lanes.iter().enumerate() {
            for nibble in 0..NIBBLES {
                bytes[at + nibble * BLOCK + lane] = (bits >> (4 * nibble) & 15) as u8;
            }
        }
    }
    bytes
}

/// All pixels and channels of a pass; `signs` from [`spread`].
#[target_feature(enable = "avx2")]
pub(super) fn run<O: Output>(job: &Job<'_>, signs: &[u8], out: &mut [O]) {
    job.check();
    let blocks = job.c_out.div_ceil(BLOCK);
    assert_eq!(signs.len(), blocks * job.taps * job.words_per_pixel * NIBBLES * BLOCK, "signs cover all blocks");
    for (bases, dst) in job.pass.src.chunks(PX).zip(job.pass.dst.chunks(PX)) {
        // A short last tile repeats its first pixel; the repeats are not stored.
        let mut from = [bases[0]; PX];
        from[..bases.len()].copy_from_slice(bases);
        let mut block = 0;
        while block < blocks {
            if blocks - block >= 2 {
                run_blocks::<O, 2>(job, signs, block, from, dst, out);
                block += 2;
            } else {
                run_blocks::<O, 1>(job, signs, block, from, dst, out);
                block += 1;
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn run_blocks<O: Output, const NZ: usize>(
    job: &Job<'_>,
    signs: &[u8],
    block: usize,
    from: [usize; PX],
    dst: &[usize],
    out: &mut [O],
) {
    let block_len = job.taps * job.words_per_pixel * NIBBLES * BLOCK;
    // SAFETY: `Job::check` has bounded every pixel plus run and every tap; the slice holds NZ blocks.
    let sums = unsafe { tile::<NZ>(job, &signs[block * block_len..(block + NZ) * block_len], block_len, from) };
    for (&pixel, sums) in dst.iter().zip(sums) {
        for (i, sum) in sums.into_iter().flatten().enumerate() {
            let first = block * BLOCK + i * WIDTH;
            if first >= job.c_out {
                break;
            }
            let width = WIDTH.min(job.c_out - first);
            let out = &mut out[pixel * job.c_out + first..][..width];
            // SAFETY: this function is compiled for AVX2; factors are padded to whole blocks of 16.
            unsafe { O::put_avx2(out, sum, &job.factors[first..first + WIDTH]) };
        }
    }
}

/// Sums of a tile: per pixel and block of 32 channels two vectors of 16-bit lanes.
///
/// # Safety
/// Every pixel plus run lies inside each plane, and `signs` holds `NZ` blocks of `block_len` that contain all taps.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile<const NZ: usize>(
    job: &Job<'_>,
    signs: &[u8],
    block_len: usize,
    pixels: [usize; PX],
) -> [[[__m256i; HALVES]; NZ]; PX] {
    let mut sums = [[[_mm256_setzero_si256(); HALVES]; NZ]; PX];
    for plane in job.planes {
        for sum in sums.as_flattened_mut().as_flattened_mut() {
            *sum = _mm256_slli_epi16::<1>(*sum);
        }
        for run in &job.pass.runs {
            let words = run.len * job.words_per_pixel;
            for first in (0..words).step_by(SEGMENT) {
                let mut bytes = [[_mm256_setzero_si256(); NZ]; PX];
                for k in first..(first + SEGMENT).min(words) {
                    // SAFETY: the caller bounds all addresses; a nibble is below 16.
                    unsafe {
                        let w = signs.as_ptr().add((run.tap * job.words_per_pixel + k) * NIBBLES * BLOCK);
                        let x: [u32; PX] = std::array::from_fn(|p| *plane.as_ptr().add(pixels[p] + run.src + k));
                        for nibble in 0..NIBBLES {
                            let index: [__m256i; NZ] = std::array::from_fn(|z| {
                                _mm256_loadu_si256(w.add(z * block_len + nibble * BLOCK).cast())
                            });
                            for p in 0..PX {
                                let spikes = x[p] >> (4 * nibble) & 15;
                                let table = TABLE.0.as_ptr().add(spikes as usize).cast();
                                let table = _mm256_broadcastsi128_si256(_mm_load_si128(table));
                                for z in 0..NZ {
                                    let sum = _mm256_shuffle_epi8(table, index[z]);
                                    bytes[p][z] = _mm256_add_epi8(bytes[p][z], sum);
                                }
                            }
                        }
                    }
                }
                for p in 0..PX {
                    for z in 0..NZ {
                        let low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(bytes[p][z]));
                        let high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(bytes[p][z]));
                        sums[p][z][0] = _mm256_add_epi16(sums[p][z][0], low);
                        sums[p][z][1] = _mm256_add_epi16(sums[p][z][1], high);
                    }
                }
            }
        }
    }
    sums
}
