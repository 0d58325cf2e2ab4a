//! The forward pass spike by spike, on AVX2: the faster the fewer neurons fire.
//!
//! ```text
//! sum[p, co] = sum over the spikes under the kernel at p of count * sign(w[co, ci, tap])
//! ```
//!
//! Signs are kept as bytes -1 and +1 with the output channels side by side, so a spike costs one addition of bytes for
//! 32 output channels, whatever the other inputs do. Sums are kept in bytes for up to 127 spikes, then in 16 bits. The
//! result is an exact integer, the same as that of the dense kernels.

use std::arch::x86_64::*;

use super::output::Output;
use super::popcount::Job;
use crate::bits::WORD;
use crate::conv_real::lanes::WIDTH;
use crate::recycle::Recycled;
use rayon::prelude::*;

/// Output channels in a register.
const LANES: usize = 32;
/// Bytes of signs that stay in a second-level cache beside everything else.
const CACHED: usize = 320 << 10;
/// Spikes whose sum fits a byte.
const SAFE: usize = 127;

/// Events per neuron up to which this is faster than the table kernel, by measurement.
pub(super) const MOST_EVENTS: f64 = 0.25;

/// Signs as bytes.
pub(super) struct Bytes {
    /// `[block of `width` output channels][tap][ci][width]`, -1 or +1, and 0 past the last channel.
    values: Recycled<i8>,
    /// Output channels of a block.
    width: usize,
    c_in: usize,
}

impl Bytes {
    /// From signs `[block of 16][tap][words][16]`.
    pub(super) fn new(signs: &[u32], taps: usize, c_in: usize, c_out: usize) -> Self {
        let words = c_in.div_ceil(WORD);
        let fits = |registers: usize| taps * c_in * registers * LANES <= CACHED && c_out > (registers / 2) * LANES;
        let width = LANES * [4, 2].into_iter().find(|&r| fits(r)).unwrap_or(1);
        let mut values = Recycled::<i8>::zeroed(c_out.div_ceil(width) * taps * c_in * width);
        values.par_chunks_mut(taps * c_in * width).enumerate().for_each(|(block, out)| {
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                let (tap, ci) = (row / c_in, row % c_in);
                for (part, out) in out.chunks_exact_mut(WIDTH).enumerate() {
                    let first = block * width + part * WIDTH;
                    if first >= c_out {
                        break;
                    }
                    let lanes = &signs[((first / WIDTH * taps + tap) * words + ci / WORD) * WIDTH..][..WIDTH];
                    for (lane, out) in out.iter_mut().enumerate().take(c_out - first) {
                        *out = 2 * (lanes[lane] >> (ci % WORD) & 1) as i8 - 1;
                    }
                }
            }
        });
        Self { values, width, c_in }
    }
}

/// The spikes of every window pixel, as input channels; a spike that counts twice is listed twice.
#[derive(Default)]
pub(super) struct Lists {
    starts: Vec<u32>,
    channels: Vec<u16>,
}

impl Lists {
    /// From the planes of a window, highest first.
    pub(super) fn fill(&mut self, planes: &[&[u32]], per_pixel: usize) {
        self.starts.clear();
        self.channels.clear();
        self.starts.push(0);
        for pixel in 0..planes[0].len() / per_pixel {
            for (plane, words) in planes.iter().rev().enumerate() {
                for (k, &word) in words[pixel * per_pixel..][..per_pixel].iter().enumerate() {
                    let mut rest = word;
                    while rest != 0 {
                        let ci = (k * WORD) as u16 + rest.trailing_zeros() as u16;
                        rest &= rest - 1;
                        (0..1 << plane).for_each(|_| self.channels.push(ci));
                    }
                }
            }
            self.starts.push(self.channels.len() as u32);
        }
    }

    fn of(&self, pixel: usize) -> &[u16] {
        &self.channels[self.starts[pixel] as usize..self.starts[pixel + 1] as usize]
    }
}

/// All pixels and channels of a pass.
#[target_feature(enable = "avx2")]
pub(super) fn run<O: Output>(job: &Job<'_>, signs: &Bytes, lists: &Lists, out: &mut [O]) {
    match signs.width / LANES {
        4 => run_width::<O, 4>(job, signs, lists, out),
        2 => run_width::<O, 2>(job, signs, lists, out),
        _ => run_width::<O, 1>(job, signs, lists, out),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn run_width<O: Output, const NZ: usize>(job: &Job<'_>, signs: &Bytes, lists: &Lists, out: &mut [O]) {
    job.check();
    let (width, c_in) = (NZ * LANES, signs.c_in);
    let block_len = job.taps * c_in * width;
    assert_eq!(signs.values.len(), job.c_out.div_ceil(width) * block_len, "signs cover all blocks");
    assert!(lists.channels.iter().all(|&ci| usize::from(ci) < c_in), "lists name channels of the input");
    for (block, signs) in signs.values.chunks_exact(block_len).enumerate() {
        let first = block * width;
        for (&base, &dst) in job.pass.src.iter().zip(&job.pass.dst) {
            // SAFETY: the assertions above: every tap of the runs and every listed channel has a row in `signs`.
            let sums = unsafe { pixel::<NZ>(job, signs, c_in, lists, base / job.words_per_pixel) };
            for (i, sum) in sums.into_iter().flatten().enumerate() {
                let first = first + i * WIDTH;
                if first >= job.c_out {
                    break;
                }
                let lanes = WIDTH.min(job.c_out - first);
                let out = &mut out[dst * job.c_out + first..][..lanes];
                // SAFETY: this function is compiled for AVX2; factors are padded to whole blocks of 16.
                unsafe { O::put_avx2(out, sum, &job.factors[first..first + WIDTH]) };
            }
        }
    }
}

/// The sums of one pixel, `NZ` registers of channels.
///
/// # Safety
/// `signs` holds `[tap][c_in][NZ * 32]` for all taps of the runs, and the lists name channels below `c_in`.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn pixel<const NZ: usize>(
    job: &Job<'_>,
    signs: &[i8],
    c_in: usize,
    lists: &Lists,
    base: usize,
) -> [[__m256i; 2]; NZ] {
    let mut sums = [[_mm256_setzero_si256(); 2]; NZ];
    let mut bytes = [_mm256_setzero_si256(); NZ];
    let mut room = SAFE;
    for run in &job.pass.runs {
        for k in 0..run.len {
            let mut list = lists.of(base + run.src / job.words_per_pixel + k);
            let tap = signs.as_ptr().wrapping_add((run.tap + k) * c_in * NZ * LANES);
            while !list.is_empty() {
                let (now, later) = list.split_at(room.min(list.len()));
                for &ci in now {
                    for z in 0..NZ {
                        // SAFETY: the caller promises a row of signs for every tap and listed channel.
                        let row = unsafe { _mm256_loadu_si256(tap.add((usize::from(ci) * NZ + z) * LANES).cast()) };
                        bytes[z] = _mm256_add_epi8(bytes[z], row);
                    }
                }
                room -= now.len();
                list = later;
                if room == 0 {
                    widen(&mut sums, &mut bytes);
                    room = SAFE;
                }
            }
        }
    }
    widen(&mut sums, &mut bytes);
    sums
}

/// Moves sums from bytes to 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn widen<const NZ: usize>(sums: &mut [[__m256i; 2]; NZ], bytes: &mut [__m256i; NZ]) {
    for (sums, bytes) in sums.iter_mut().zip(bytes) {
        let low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(*bytes));
        let high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(*bytes));
        sums[0] = _mm256_add_epi16(sums[0], low);
        sums[1] = _mm256_add_epi16(sums[1], high);
        *bytes = _mm256_setzero_si256();
    }
}
