//! Floats times signs on AVX-512 by table look-up: the input gradient.
//!
//! Four values a, b, c, d have only 16 signed sums ±a ±b ±c ±d. They are computed once per group of four channels; a
//! permute (`vpermps`) with 16 indices of four sign bits then does 64 multiply-accumulates at once, for 16 destination
//! channels. Every sum is an ordinary `f32` sum: nothing is rounded beyond that.

use std::arch::x86_64::*;

use super::store_avx512::{finish, put, streams};
use crate::conv_real::gather::for_each_band;
use crate::conv_real::geometry::{Cut, Pass, Plan};
use crate::conv_real::lanes::WIDTH;
use crate::conv_real::window::{Rows, fill};

/// Values that share a table.
pub(super) const GROUP: usize = 4;
/// Tables per word of signs.
const PER_WORD: usize = 8;

/// The 16 sums of four values; bit j of the index chooses the sign (or the presence) of value j.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub(super) struct Table(pub(super) [f32; 16]);

/// Tables that are built together, from one vector of values.
pub(super) const AT_ONCE: usize = WIDTH / GROUP;

/// Four tables from their halves: element `4 g + k` of `low` is the sum of the first two values of group g under the
/// two low index bits k, of `high` the sum of the other two under the high bits.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn tables_from_halves(low: __m512, high: __m512) -> [__m512; AT_ONCE] {
    std::array::from_fn(|g| {
        let g = 4 * g as i32;
        let low_bits = _mm512_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
        let high_bits = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
        let group = _mm512_set1_epi32(g);
        let low = _mm512_permutexvar_ps(_mm512_add_epi32(low_bits, group), low);
        _mm512_add_ps(low, _mm512_permutexvar_ps(_mm512_add_epi32(high_bits, group), high))
    })
}

/// `sum + value`, on alternating execution pipes: half of the additions are written as `value * 1 + sum`, which rounds
/// to the same bits and uses the multiply-add pipes of processors that keep additions apart (15-20 % on Zen 5).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_on(pipe: usize, sum: __m512, value: __m512, one: __m512) -> __m512 {
    if pipe % 2 == 1 { _mm512_fmadd_ps(value, one, sum) } else { _mm512_add_ps(sum, value) }
}

/// 1.0 in all lanes, hidden from the optimiser, which would turn `value * 1 + sum` back into an addition.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn opaque_one() -> __m512 {
    _mm512_set1_ps(std::hint::black_box(1.0))
}

/// dy read as tables of its channels, scaled on the way.
struct Tables<'a> {
    dy: &'a [f32],
    height: usize,
    width: usize,
    channels: usize,
    /// Factor per channel, padded to whole vectors.
    factors: &'a [f32],
}

impl Rows for Tables<'_> {
    type Element = Table;

    fn per_pixel(&self) -> usize {
        self.channels.div_ceil(GROUP)
    }

    fn copy(&self, image: usize, row: usize, from: usize, to: usize, out: &mut [Table]) {
        let start = ((image * self.height + row) * self.width + from) * self.channels;
        let values = &self.dy[start..start + (to - from) * self.channels];
        // SAFETY: this module is reached on the AVX-512 path only.
        unsafe { build(values, self.channels, self.factors, out) }
    }
}

/// Tables of consecutive pixels.
#[target_feature(enable = "avx512f")]
fn build(values: &[f32], channels: usize, factors: &[f32], out: &mut [Table]) {
    // Signs of the first and of the second value of a pair, under the index bits 0 to 3.
    let sign = |bits: __mmask16| _mm512_mask_blend_ps(bits, _mm512_set1_ps(-1.0), _mm512_set1_ps(1.0));
    let (first, second) = (sign(0xAAAA), sign(0xCCCC));
    let groups = channels.div_ceil(GROUP);
    for (values, out) in values.chunks_exact(channels).zip(out.chunks_exact_mut(groups)) {
        let parts = values.chunks(WIDTH).zip(factors.chunks_exact(WIDTH));
        for ((values, factors), out) in parts.zip(out.chunks_mut(AT_ONCE)) {
            let lanes = (u32::MAX >> (32 - values.len())) as __mmask16;
            // SAFETY: the mask covers exactly the values; factors come in whole vectors.
            let (v, f) = unsafe { (_mm512_maskz_loadu_ps(lanes, values.as_ptr()), _mm512_loadu_ps(factors.as_ptr())) };
            let v = _mm512_mul_ps(v, f);
            let low = _mm512_mul_ps(_mm512_permute_ps::<0b00_00_00_00>(v), first);
            let low = _mm512_fmadd_ps(_mm512_permute_ps::<0b01_01_01_01>(v), second, low);
            let high = _mm512_mul_ps(_mm512_permute_ps::<0b10_10_10_10>(v), first);
            let high = _mm512_fmadd_ps(_mm512_permute_ps::<0b11_11_11_11>(v), second, high);
            for (out, table) in out.iter_mut().zip(tables_from_halves(low, high)) {
                // SAFETY: a table is 16 aligned floats.
                unsafe { _mm512_store_ps(out.0.as_mut_ptr(), table) };
            }
        }
    }
}

#[derive(Default)]
struct Scratch {
    tables: Vec<Table>,
    passes: Vec<Pass>,
}

/// Signs as the gather reads them: `[blocks of 16 destination channels][tap][words][16]`.
pub(super) struct Signs<'a> {
    pub(super) words: &'a [u32],
    pub(super) taps: usize,
    pub(super) sources: usize,
    pub(super) destinations: usize,
}

/// Runs the plan: `out[pixel, channel] = sum over taps and source channels of dy * factor * sign`.
pub(super) fn gather(plan: &Plan, dy: &[f32], factors: &[f32], signs: &Signs<'_>, out: &mut [f32]) {
    let source = Tables { dy, height: plan.src.0, width: plan.src.1, channels: signs.sources, factors };
    let cut = Cut {
        work_per_pixel: signs.taps * signs.sources * signs.destinations,
        least_work: 8 << 20,
        bytes_per_pixel: source.per_pixel() * size_of::<Table>(),
        most_bytes: 512 << 10,
    };
    let streaming = streams(out, signs.destinations);
    for_each_band(plan, &cut, signs.destinations, out, Scratch::default, |scratch, band, out| {
        let window = plan.window(band);
        scratch.tables.resize(band.images * window.image() * source.per_pixel(), Table::default());
        fill(&source, plan, band, &window, &mut scratch.tables);
        plan.passes(band, &window, source.per_pixel(), &mut scratch.passes);
        for pass in &scratch.passes {
            let job = Job { pass, tables: &scratch.tables, per_pixel: source.per_pixel(), signs, streaming };
            // SAFETY: this module is reached on the AVX-512 path only.
            unsafe { run(&job, out) };
        }
    });
}

struct Job<'a> {
    pass: &'a Pass,
    tables: &'a [Table],
    per_pixel: usize,
    signs: &'a Signs<'a>,
    /// Whether results are written past the cache.
    streaming: bool,
}

#[target_feature(enable = "avx512f")]
fn run(job: &Job<'_>, out: &mut [f32]) {
    let signs = job.signs;
    let blocks = signs.destinations.div_ceil(WIDTH);
    assert!(job.pass.end(job.per_pixel) <= job.tables.len(), "the window covers every pixel the runs touch");
    assert!(job.pass.runs.iter().all(|r| r.tap + r.len <= signs.taps), "the runs stay inside the kernel");
    assert_eq!(
        signs.words.len(),
        blocks * signs.taps * job.per_pixel.div_ceil(PER_WORD) * WIDTH,
        "signs of all blocks"
    );
    let mut block = 0;
    while block < blocks {
        match blocks - block {
            1 => run_blocks::<8, 1>(job, block, out),
            2 | 3 => run_blocks::<8, 2>(job, block, out),
            _ => run_blocks::<4, 4>(job, block, out),
        }
        block += match blocks - block {
            1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
    }
    finish(job.streaming);
}

#[target_feature(enable = "avx512f")]
fn run_blocks<const PX: usize, const NZ: usize>(job: &Job<'_>, block: usize, out: &mut [f32]) {
    let block_len = job.signs.words.len() / job.signs.destinations.div_ceil(WIDTH);
    let words = &job.signs.words[block * block_len..(block + NZ) * block_len];
    let channels = job.signs.destinations;
    for (bases, dst) in job.pass.src.chunks(PX).zip(job.pass.dst.chunks(PX)) {
        // A short last tile repeats its first pixel; the repeats are not stored.
        let mut from = [bases[0]; PX];
        from[..bases.len()].copy_from_slice(bases);
        // SAFETY: `run` has bounded every pixel plus run and every tap; `words` holds NZ blocks.
        let sums = unsafe { tile::<PX, NZ>(job, words, block_len, from) };
        for (&pixel, sums) in dst.iter().zip(sums) {
            for (z, sum) in sums.into_iter().enumerate() {
                let first = (block + z) * WIDTH;
                let width = WIDTH.min(channels - first);
                let out = &mut out[pixel * channels + first..][..width];
                put(out, sum, job.streaming);
            }
        }
    }
}

/// The register tile.
///
/// # Safety
/// Every pixel plus run lies inside the tables, and `words` holds `NZ` blocks of `block_len` that contain all taps.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn tile<const PX: usize, const NZ: usize>(
    job: &Job<'_>,
    words: &[u32],
    block_len: usize,
    pixels: [usize; PX],
) -> [[__m512; NZ]; PX] {
    let per_pixel = job.per_pixel;
    let words_per_tap = per_pixel.div_ceil(PER_WORD);
    let one = opaque_one();
    let mut sums = [[_mm512_setzero_ps(); NZ]; PX];
    for run in &job.pass.runs {
        for i in 0..run.len {
            // SAFETY: the caller bounds all addresses.
            unsafe {
                let mut t: [*const Table; PX] =
                    std::array::from_fn(|p| job.tables.as_ptr().add(pixels[p] + run.src + i * per_pixel));
                let mut w = words.as_ptr().add((run.tap + i) * words_per_tap * WIDTH);
                let mut left = per_pixel;
                while left > 0 {
                    let mut index: [__m512i; NZ] =
                        std::array::from_fn(|z| _mm512_loadu_si512(w.add(z * block_len).cast()));
                    w = w.add(WIDTH);
                    let groups = left.min(PER_WORD);
                    left -= groups;
                    let mut step = |q: usize| {
                        for p in 0..PX {
                            let table = _mm512_load_ps(t[p].add(q).cast());
                            for z in 0..NZ {
                                let value = _mm512_permutexvar_ps(index[z], table);
                                sums[p][z] = add_on(p * NZ + z, sums[p][z], value, one);
                            }
                        }
                        for z in 0..NZ {
                            index[z] = _mm512_srli_epi32::<4>(index[z]);
                        }
                    };
                    if groups == PER_WORD {
                        for q in 0..PER_WORD {
                            step(q);
                        }
                    } else {
                        for q in 0..groups {
                            step(q);
                        }
                    }
                    for t in &mut t {
                        *t = t.add(groups);
                    }
                }
            }
        }
    }
    sums
}
