//! Neurons with integers on AVX2: eight at a time, all steps in registers, everything in 32 bits.
//!
//! A product takes 64 bits, but comes back to 32 by a shift at once; where the result fits, bits above need not be looked at, and
//! no limit bites. Whether they all fit follows from the parameters, see [`narrow`]; where not, the portable loop runs.

use super::{IntegerFactors, IntegerJob, portable};
use bitspike_format::Reset;
use bitspike_format::integer::{ALPHA_BITS, ARGUMENT_BITS, FACTOR_BITS, IntegerGate, LIMIT};
use std::arch::x86_64::*;

/// Nothing is multiplied; factors; factors of the currents themselves, with α outside or inside.
const NONE: u8 = 0;
const GIVEN: u8 = 1;
const OUTSIDE: u8 = 2;
const INSIDE: u8 = 3;

/// Largest |α| of a gate per element: 8.
const MOST_ALPHA: u32 = 1 << 17;

/// Spikes of neurons with integers, `[step][pixel][word]`.
#[target_feature(enable = "avx2")]
pub(super) fn integers(job: &IntegerJob<'_>, out: &mut [u32]) {
    match job.factors {
        _ if !narrow(job) => portable::integers(job, out),
        IntegerFactors::None => fire::<NONE>(job, out),
        IntegerFactors::Given(_) => fire::<GIVEN>(job, out),
        IntegerFactors::Element(_, IntegerGate { inside: false, .. }, _) => fire::<OUTSIDE>(job, out),
        IntegerFactors::Element(..) => fire::<INSIDE>(job, out),
    }
}

/// Whether all currents after the gate stay so far below 2^30, or together with those of their window below 2^31, that nothing is
/// limited but potentials, and all products below 2^46.
fn narrow(job: &IntegerJob<'_>) -> bool {
    let parts = job.windows.side.iter().product::<usize>() as i64;
    let most = LIMIT.min(2 * LIMIT / parts) << FACTOR_BITS;
    let fits = |a: i64, b: i64| a * b + (1 << FACTOR_BITS) < most;
    let all = |values: &[i32], fits: &dyn Fn(i64, u32) -> bool| {
        let rows = values.chunks_exact(job.width);
        rows.flat_map(|row| job.affine.most.iter().zip(row)).all(|(z, k)| fits(i64::from(*z), k.unsigned_abs()))
    };
    match job.factors {
        IntegerFactors::None => true,
        IntegerFactors::Given(k) => all(k, &|z, k| fits(z, k.into())),
        IntegerFactors::Element(alpha, gate, f) => all(alpha, &|z, alpha| {
            let ((down, up), wide) = (shifts(f), i64::from(alpha));
            let k = if gate.inside { 1 << FACTOR_BITS } else { 2 * wide };
            alpha <= MOST_ALPHA && fits(z, k) && (!gate.inside || fits(((z >> down) + 1) << up, wide))
        }),
    }
}

/// How far a current with f bits after the point is shifted down, and up, to be an argument.
fn shifts(f: u32) -> (u32, u32) {
    (f.saturating_sub(ARGUMENT_BITS), ARGUMENT_BITS.saturating_sub(f))
}

/// `shift(a · b, N)`, the low 32 bits of it.
#[inline]
#[target_feature(enable = "avx2")]
fn product<const N: i32, const UP: i32>(a: __m256i, b: __m256i) -> __m256i {
    const { assert!(N + UP == 32) };
    let half = _mm256_set1_epi64x(1 << (N - 1));
    let even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    let odd = _mm256_mul_epi32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b));
    let odd = _mm256_slli_epi64::<UP>(_mm256_add_epi64(odd, half));
    _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<N>(even), odd)
}

/// v between −most and most.
#[inline]
#[target_feature(enable = "avx2")]
fn within(v: __m256i, most: __m256i) -> __m256i {
    _mm256_max_epi32(_mm256_min_epi32(v, most), _mm256_sub_epi32(_mm256_setzero_si256(), most))
}

/// `GATE`: what multiplies currents. A job that is not [`narrow`] gives wrong spikes.
#[inline]
#[target_feature(enable = "avx2")]
fn fire<const GATE: u8>(job: &IntegerJob<'_>, out: &mut [u32]) {
    let (rows, width, pixels, stride) = (job.rows(out), job.width, job.windows.pixels, job.stride());
    let (decay, threshold) = (_mm256_set1_epi32(job.neuron.decay), _mm256_set1_epi32(job.neuron.threshold));
    let below = _mm256_set1_epi32(job.neuron.threshold - 1);
    let (limit, soft) = (_mm256_set1_epi32(LIMIT as i32), job.neuron.reset == Reset::Soft);
    let (factors, f) = match job.factors {
        IntegerFactors::None => (std::ptr::null(), ARGUMENT_BITS),
        IntegerFactors::Given(values) => (values.as_ptr(), ARGUMENT_BITS),
        IntegerFactors::Element(values, _, f) => (values.as_ptr(), f),
    };
    let (down, up) = shifts(f);
    let half = _mm256_set1_epi32((1 << down) >> 1);
    let corner = 2 << ARGUMENT_BITS;
    let (corner, low_corner) = (_mm256_set1_epi32(corner), _mm256_set1_epi32(corner >> up));
    let [down, up] = [down, up].map(|n| _mm_cvtsi32_si128(n as i32));
    let (one, rounding) = (_mm256_set1_epi32(1 << (FACTOR_BITS - 1)), _mm256_set1_epi32(1 << ARGUMENT_BITS));
    let bytes: *mut u8 = out.as_mut_ptr().cast();
    for row in 0..rows {
        let (places, parts) = job.windows.of(row);
        let (mean, middle) = (_mm_cvtsi32_si128(parts.trailing_zeros() as i32), _mm256_set1_epi32(parts as i32 / 2));
        for c in (0..width).step_by(8) {
            let mut v = _mm256_setzero_si256();
            for t in 0..job.steps {
                // SAFETY: `IntegerJob::rows` has checked all lengths: sums have `pixels * width` elements per step, slopes and
                // offsets `width` (per step, or once with a stride of 0), a step's factors `width`, if there are any, spikes
                // `rows * width / 8` bytes per step; the first `parts` places of a row are below `pixels`; c is a multiple of 8
                // below `width`, itself a multiple of 32.
                // On x86-64 byte c / 8 of a row of words holds channels c to c + 7.
                unsafe {
                    let load = |from: *const i32, i: usize| _mm256_loadu_si256(from.add(i + c).cast());
                    let (a, b) = (job.affine.slope.as_ptr(), job.affine.offset.as_ptr());
                    let (a, b) = (load(a, t * stride), load(b, t * stride));
                    let k = if GATE == NONE { a } else { load(factors, t * width) };
                    // Of arguments with fewer bits α has those that they lack.
                    let alpha = _mm256_sll_epi32(k, up);
                    let current = |place: usize| {
                        let sums = job.sums.as_ptr().add((t * pixels + place) * width + c);
                        let sum = _mm256_cvtepi16_epi32(_mm_loadu_si128(sums.cast()));
                        let z = _mm256_add_epi32(_mm256_mullo_epi32(a, sum), b);
                        let x = _mm256_sra_epi32(_mm256_add_epi32(z, half), down);
                        let k = match GATE {
                            NONE => return z,
                            GIVEN => k,
                            OUTSIDE => {
                                // shift(α (2 x + 2^14), 14) = α + shift(α x, 13)
                                let x = _mm256_mullo_epi32(alpha, within(x, low_corner));
                                _mm256_add_epi32(k, _mm256_srai_epi32::<13>(_mm256_add_epi32(x, rounding)))
                            }
                            _ => {
                                let x = within(product::<{ ALPHA_BITS as i32 }, 18>(alpha, x), corner);
                                _mm256_add_epi32(_mm256_add_epi32(x, x), one)
                            }
                        };
                        product::<{ FACTOR_BITS as i32 }, 17>(z, k)
                    };
                    let mut z = current(places[0]);
                    if GATE >= OUTSIDE && parts > 1 {
                        z = _mm256_add_epi32(z, current(places[1]));
                        if parts > 2 {
                            z = _mm256_add_epi32(z, _mm256_add_epi32(current(places[2]), current(places[3])));
                        }
                        z = _mm256_sra_epi32(_mm256_add_epi32(z, middle), mean);
                    }
                    let leaked = product::<{ FACTOR_BITS as i32 }, 17>(decay, v);
                    let u = within(_mm256_add_epi32(leaked, z), limit);
                    let spikes = _mm256_cmpgt_epi32(u, below);
                    v = if soft {
                        _mm256_sub_epi32(u, _mm256_and_si256(spikes, threshold))
                    } else {
                        _mm256_andnot_si256(spikes, u)
                    };
                    *bytes.add((t * rows + row) * (width / 8) + c / 8) =
                        _mm256_movemask_ps(_mm256_castsi256_ps(spikes)) as u8;
                }
            }
        }
    }
}
