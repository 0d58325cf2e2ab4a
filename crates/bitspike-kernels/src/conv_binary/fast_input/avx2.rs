//! The fast input gradient on AVX2: `vpshufb` looks up, `vpmaddubsw` applies the sign and adds two groups.

use std::arch::x86_64::*;

use super::Sums;
use super::signs::Step;
use super::tables::{AT_ONCE, BIAS, Build, MULTIPLIERS, PER_TABLE, Table};

/// Pixels of a tile: 4 pixels times two vectors of sums leave registers for the indices and signs of a step.
const PX: usize = 4;
/// Vectors of a block.
const NZ: usize = 2;

/// Adds the sums of `steps` to `sums`, per pixel; pixel p reads `tables[bases[p]..]`.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[target_feature(enable = "avx2")]
pub(super) fn look_up(tables: &[Table], steps: &[Step], bases: &[usize], sums: &mut [Sums]) {
    super::check(tables, steps, bases, sums);
    for (bases, sums) in bases.chunks_exact(PX).zip(sums.chunks_exact_mut(PX)) {
        let mut acc = [[_mm256_setzero_si256(); NZ]; PX];
        // SAFETY: `check` has bounded base + steps by the length of the tables; steps are aligned to 64 bytes.
        unsafe {
            let t: [*const Table; PX] = std::array::from_fn(|p| tables.as_ptr().add(bases[p]));
            for (k, step) in steps.iter().enumerate() {
                let index: [__m256i; NZ] =
                    std::array::from_fn(|z| _mm256_load_si256(step.index.as_ptr().cast::<__m256i>().add(z)));
                let sign: [__m256i; NZ] =
                    std::array::from_fn(|z| _mm256_load_si256(step.sign.as_ptr().cast::<__m256i>().add(z)));
                for p in 0..PX {
                    let table = _mm256_broadcastsi128_si256(_mm_load_si128(t[p].add(k).cast()));
                    for z in 0..NZ {
                        let value = _mm256_maddubs_epi16(_mm256_shuffle_epi8(table, index[z]), sign[z]);
                        acc[p][z] = _mm256_add_epi16(acc[p][z], value);
                    }
                }
            }
        }
        for p in 0..PX {
            for z in 0..NZ {
                let halves = [_mm256_castsi256_si128(acc[p][z]), _mm256_extracti128_si256::<1>(acc[p][z])];
                for (i, half) in halves.into_iter().enumerate() {
                    // SAFETY: 2 NZ vectors of 8 make up the 32 sums, which are aligned to 64 bytes.
                    unsafe {
                        let at = sums[p].0.as_mut_ptr().cast::<__m256i>().add(2 * z + i);
                        let sum = _mm256_add_epi32(_mm256_load_si256(at), _mm256_cvtepi16_epi32(half));
                        _mm256_store_si256(at, sum);
                    }
                }
            }
        }
    }
}

/// Calls `work` with 16 values of a pixel at a time, the last ones padded with zeros, their factors, and their position.
#[inline(always)]
fn sixteens(pixel: &[f32], factors: &[f32], mut work: impl FnMut(usize, &[f32; AT_ONCE], &[f32; AT_ONCE])) {
    let (whole, rest) = pixel.as_chunks::<AT_ONCE>();
    let factors = factors.as_chunks::<AT_ONCE>().0;
    for (i, (values, factors)) in whole.iter().zip(factors).enumerate() {
        work(i, values, factors);
    }
    if !rest.is_empty() {
        let mut values = [0.0; AT_ONCE];
        values[..rest.len()].copy_from_slice(rest);
        work(whole.len(), &values, &factors[whole.len()]);
    }
}

/// Eight scaled values, the `half`-th of 16.
#[inline]
#[target_feature(enable = "avx2")]
fn scaled(values: &[f32; AT_ONCE], factors: &[f32; AT_ONCE], half: usize) -> __m256 {
    // SAFETY: both arrays hold two vectors of 8.
    unsafe {
        let at = half * 8;
        _mm256_mul_ps(_mm256_loadu_ps(values[at..].as_ptr()), _mm256_loadu_ps(factors[at..].as_ptr()))
    }
}

/// As the portable `largest`: same order of additions, so same bits.
#[target_feature(enable = "avx2")]
pub(super) fn largest(values: &[f32], channels: usize, factors: &[f32]) -> f32 {
    let magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MAX));
    let mut most = _mm256_setzero_si256();
    for pixel in values.chunks_exact(channels) {
        sixteens(pixel, factors, |_, values, factors| {
            let low = _mm256_and_ps(scaled(values, factors, 0), magnitude);
            let high = _mm256_and_ps(scaled(values, factors, 1), magnitude);
            let pairs = _mm256_hadd_ps(low, high);
            // Integer maximum of the bits: in the order of the floats, with NaN above infinity.
            most = _mm256_max_epi32(most, _mm256_castps_si256(_mm256_hadd_ps(pairs, pairs)));
        });
    }
    let mut lanes = [0u32; 8];
    // SAFETY: 8 lanes make a vector.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), most) };
    f32::from_bits(lanes.into_iter().max().unwrap_or(0))
}

/// Tables of consecutive pixels; the bits of the portable `build`.
#[target_feature(enable = "avx2")]
pub(super) fn build(job: &Build<'_>, values: &[f32], out: &mut [Table]) {
    let tables = job.channels.div_ceil(PER_TABLE);
    let inverse = _mm256_set1_ps(job.unit.inverse);
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let bias = _mm256_set1_epi8(BIAS as i8);
    for (i, (values, out)) in values.chunks_exact(job.channels).zip(out.chunks_exact_mut(tables)).enumerate() {
        // Four counters per group, so eight per vector of two groups.
        let counter = (job.first_group(i) as u32).wrapping_mul(4).wrapping_add(job.key[0]);
        let mut counters = _mm256_add_epi32(lanes, _mm256_set1_epi32(counter as i32));
        sixteens(values, job.factors, |k, values, factors| {
            let entries: [__m256i; 2] = std::array::from_fn(|half| {
                let fixed = _mm256_cvtps_epi32(_mm256_mul_ps(scaled(values, factors, half), inverse));
                let random = mix(counters, job.key[1]);
                counters = _mm256_add_epi32(counters, _mm256_set1_epi32(8));
                entries_of_two(fixed, random)
            });
            // Groups 0, 2 | 1, 3 to 0, 1, 2, 3.
            let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(entries[0], entries[1]));
            let bytes = _mm256_xor_si256(bytes, bias);
            let out = &mut out[2 * k..];
            // SAFETY: a table is 16 aligned bytes; the slice has two, or one at the end of a pixel.
            unsafe {
                if out.len() >= 2 {
                    _mm256_storeu_si256(out.as_mut_ptr().cast(), bytes);
                } else {
                    _mm_store_si128(out.as_mut_ptr().cast(), _mm256_castsi256_si128(bytes));
                }
            }
        });
    }
}

/// `tables::random` of eight counters to which the first key word has been added.
#[inline]
#[target_feature(enable = "avx2")]
fn mix(x: __m256i, key: u32) -> __m256i {
    let multiplier = |i: usize| _mm256_set1_epi32(MULTIPLIERS[i] as i32);
    let x = _mm256_mullo_epi32(_mm256_xor_si256(x, _mm256_srli_epi32::<16>(x)), multiplier(0));
    let x = _mm256_add_epi32(_mm256_xor_si256(x, _mm256_srli_epi32::<15>(x)), _mm256_set1_epi32(key as i32));
    let x = _mm256_mullo_epi32(x, multiplier(1));
    _mm256_xor_si256(x, _mm256_srli_epi32::<15>(x))
}

/// Entries 0 to 7 of two groups in 16 bits each; lane k of `random` serves entries `2 k` and `2 k + 1` of its group.
#[inline]
#[target_feature(enable = "avx2")]
fn entries_of_two(fixed: __m256i, random: __m256i) -> __m256i {
    let zero = _mm256_setzero_si256();
    let a = _mm256_shuffle_epi32::<0b00_00_00_00>(fixed);
    let b = _mm256_shuffle_epi32::<0b01_01_01_01>(fixed);
    let c = _mm256_shuffle_epi32::<0b10_10_10_10>(fixed);
    let d = _mm256_shuffle_epi32::<0b11_11_11_11>(fixed);
    // Lane k: bit 0 of k is the sign of b, bit 1 that of c; the parity of the entry is the sign of a.
    let b = _mm256_sign_epi32(b, _mm256_setr_epi32(-1, 1, -1, 1, -1, 1, -1, 1));
    let c = _mm256_sign_epi32(c, _mm256_setr_epi32(-1, -1, 1, 1, -1, -1, 1, 1));
    let bcd = _mm256_add_epi32(_mm256_add_epi32(b, c), d);
    let even = _mm256_add_epi32(_mm256_sub_epi32(bcd, a), _mm256_blend_epi16::<0b1010_1010>(random, zero));
    let odd = _mm256_add_epi32(_mm256_add_epi32(bcd, a), _mm256_srli_epi32::<16>(random));
    // The upper 16 bits of either are the entry.
    _mm256_blend_epi16::<0b1010_1010>(_mm256_srli_epi32::<16>(even), odd)
}
