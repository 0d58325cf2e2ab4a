//! The fast input gradient on NEON: `tbl` looks up, `eor` applies the sign, `sadalp` adds two groups.
//!
//! There is no multiply-add of unsigned by signed bytes, so the sign goes in without a multiplication. Tables hold
//! `u = T + 128`. In 8 bits `u ^ 128` is T as a signed number, and with `m = 0` for a sign s of +1 and `m = -1` for -1
//! the complement `T ^ m` is `s T + m`. So one `eor` with `m ^ 128` does both, and what is wanted follows from sums that
//! do not depend on the pixel:
//!
//! ```text
//! s u = s T + 128 s = (T ^ m) - m + 128 (1 + 2 m) = (u ^ (m ^ 128)) + 128 + 255 m
//! ```
//!
//! Chosen by counting instructions, not measured: no aarch64 processor was at hand.

use std::arch::aarch64::*;

use super::Sums;
use super::signs::Step;
use super::tables::{BIAS, Table};

/// Pixels of a tile: 16 registers of sums, 4 of sums of m, 4 of tables, and 2 of signs fit the 32 there are.
const PX: usize = 4;
/// Vectors of 8 channels in a block.
const NZ: usize = 4;

/// Adds the sums of `steps` to `sums`, per pixel; pixel p reads `tables[bases[p]..]`.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[target_feature(enable = "neon")]
pub(super) fn look_up(tables: &[Table], steps: &[Step], bases: &[usize], sums: &mut [Sums]) {
    super::check(tables, steps, bases, sums);
    for (bases, sums) in bases.chunks_exact(PX).zip(sums.chunks_exact_mut(PX)) {
        let mut acc = [[vdupq_n_s16(0); NZ]; PX];
        let mut minus = [vdupq_n_s16(0); NZ];
        let bias = vdupq_n_s8(BIAS as u8 as i8);
        // SAFETY: `check` has bounded base + steps by the length of the tables; the vectors of 16 lie in the 64 bytes of
        // indices and of signs.
        unsafe {
            let t: [*const Table; PX] = std::array::from_fn(|p| tables.as_ptr().add(bases[p]));
            for (k, step) in steps.iter().enumerate() {
                let table: [uint8x16_t; PX] = std::array::from_fn(|p| vld1q_u8(t[p].add(k).cast()));
                for z in 0..NZ {
                    let index = vld1q_u8(step.index.as_ptr().add(16 * z));
                    let m = vshrq_n_s8::<7>(vld1q_s8(step.sign.as_ptr().add(16 * z)));
                    let flip = veorq_s8(m, bias);
                    minus[z] = vpadalq_s8(minus[z], m);
                    for p in 0..PX {
                        let value = vreinterpretq_s8_u8(vqtbl1q_u8(table[p], index));
                        acc[p][z] = vpadalq_s8(acc[p][z], veorq_s8(value, flip));
                    }
                }
            }
        }
        // 128 for each of two groups of a step. The sum of 2 * 64 terms `s u` fits 16 bits, as `super` asserts; each part
        // does too: at most 128 * 128 in `acc` and in `start`, and 255 * 128 in the product.
        let start = vdupq_n_s16((2 * BIAS * steps.len() as i32) as i16);
        for z in 0..NZ {
            let rest = vmlaq_n_s16(start, minus[z], (2 * BIAS - 1) as i16);
            for p in 0..PX {
                let sum = vaddq_s16(acc[p][z], rest);
                // SAFETY: NZ vectors of 8 make up the 32 sums.
                unsafe {
                    let at = sums[p].0.as_mut_ptr().add(8 * z);
                    vst1q_s32(at, vaddw_s16(vld1q_s32(at), vget_low_s16(sum)));
                    vst1q_s32(at.add(4), vaddw_high_s16(vld1q_s32(at.add(4)), sum));
                }
            }
        }
    }
}
