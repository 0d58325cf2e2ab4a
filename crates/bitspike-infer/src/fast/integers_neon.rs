//! Neurons with integers on NEON: four at a time, all steps in registers. Shifts round and saturate, so every job fits.

use super::{IntegerFactors, IntegerJob};
use bitspike_format::Reset;
use bitspike_format::integer::{ALPHA_BITS, ARGUMENT_BITS, FACTOR_BITS, IntegerGate, LIMIT};
use std::arch::aarch64::*;

/// `shift(a · b, N)`, saturating.
#[inline]
#[target_feature(enable = "neon")]
fn product<const N: i32>(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    let low = vmull_s32(vget_low_s32(a), vget_low_s32(b));
    vcombine_s32(vqrshrn_n_s64::<N>(low), vqrshrn_n_s64::<N>(vmull_high_s32(a, b)))
}

/// v between −most and most.
#[inline]
#[target_feature(enable = "neon")]
fn within(v: int32x4_t, most: i32) -> int32x4_t {
    vmaxq_s32(vminq_s32(v, vdupq_n_s32(most)), vdupq_n_s32(-most))
}

/// K of four currents with f bits after the point.
#[inline]
#[target_feature(enable = "neon")]
fn factor(gate: &IntegerGate<'_>, alpha: int32x4_t, z: int32x4_t, f: u32) -> int32x4_t {
    let hard = |x| vaddq_s32(vshlq_n_s32::<1>(within(x, 2 << ARGUMENT_BITS)), vdupq_n_s32(1 << (FACTOR_BITS - 1)));
    // Where this leaves 32 bits, the function is constant: a limit at 2^30 makes no difference.
    let up = ARGUMENT_BITS as i32 - f as i32;
    let x = vqshlq_s32(vrshlq_s32(z, vdupq_n_s32(up.min(0))), vdupq_n_s32(up.max(0)));
    const N: i32 = ALPHA_BITS as i32;
    if gate.inside { hard(product::<N>(alpha, x)) } else { product::<N>(alpha, hard(x)) }
}

/// Spikes of neurons with integers, `[step][pixel][word]`.
#[target_feature(enable = "neon")]
pub(super) fn integers(job: &IntegerJob<'_>, out: &mut [u32]) {
    const N: i32 = FACTOR_BITS as i32;
    const BITS: [[u32; 4]; 2] = [[1, 2, 4, 8], [16, 32, 64, 128]];
    let (rows, width, pixels, stride) = (job.rows(out), job.width, job.windows.pixels, job.stride());
    let (decay, threshold) = (vdupq_n_s32(job.neuron.decay), vdupq_n_s32(job.neuron.threshold));
    let (limit, soft) = (LIMIT as i32, job.neuron.reset == Reset::Soft);
    let bytes: *mut u8 = out.as_mut_ptr().cast();
    for row in 0..rows {
        let (places, parts) = job.windows.of(row);
        for c in (0..width).step_by(8) {
            let mut v = [vdupq_n_s32(0); 2];
            for t in 0..job.steps {
                let mut byte = 0;
                for (half, v) in v.iter_mut().enumerate() {
                    let c = c + 4 * half;
                    let current = |place: usize| {
                        // SAFETY: `IntegerJob::rows` has checked all lengths: sums have `pixels * width` elements per step, slopes
                        // and offsets `width` (per step, or once with a stride of 0), a step's factors `width`; the first `parts`
                        // places of a row are below `pixels`; c is a multiple of 4 below `width`, itself a multiple of 32.
                        unsafe {
                            let sum = vmovl_s16(vld1_s16(job.sums.as_ptr().add((t * pixels + place) * width + c)));
                            let a = vld1q_s32(job.affine.slope.as_ptr().add(t * stride + c));
                            let z = vmlaq_s32(vld1q_s32(job.affine.offset.as_ptr().add(t * stride + c)), a, sum);
                            let k = match job.factors {
                                IntegerFactors::None => return z,
                                IntegerFactors::Given(k) => vld1q_s32(k.as_ptr().add(t * width + c)),
                                IntegerFactors::Element(alpha, gate, f) => {
                                    factor(&gate, vld1q_s32(alpha.as_ptr().add(t * width + c)), z, f)
                                }
                            };
                            within(product::<N>(z, k), limit)
                        }
                    };
                    let z = match parts {
                        1 => current(places[0]),
                        2 => vrhaddq_s32(current(places[0]), current(places[1])),
                        _ => {
                            let z = [0, 1, 2, 3].map(|part: usize| current(places[part]));
                            let low = z.map(|z| vget_low_s32(z));
                            let low = vaddq_s64(vaddl_s32(low[0], low[1]), vaddl_s32(low[2], low[3]));
                            let high = vaddq_s64(vaddl_high_s32(z[0], z[1]), vaddl_high_s32(z[2], z[3]));
                            vcombine_s32(vrshrn_n_s64::<2>(low), vrshrn_n_s64::<2>(high))
                        }
                    };
                    let u = within(vqaddq_s32(product::<N>(decay, *v), z), limit);
                    let spikes = vcgeq_s32(u, threshold);
                    let after = if soft { vsubq_s32(u, threshold) } else { vdupq_n_s32(0) };
                    *v = vbslq_s32(spikes, after, u);
                    // SAFETY: an array of four words.
                    let bits = unsafe { vld1q_u32(BITS[half].as_ptr()) };
                    byte |= vaddvq_u32(vandq_u32(spikes, bits));
                }
                // SAFETY: spikes are `rows * width / 8` bytes per step; byte c / 8 of a row of little-endian words holds channels
                // c to c + 7.
                unsafe { *bytes.add((t * rows + row) * (width / 8) + c / 8) = byte as u8 };
            }
        }
    }
}
