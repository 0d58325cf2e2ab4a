//! The fast input gradient on AVX-512BW: as on AVX2, with the 32 destination channels of a block in one vector.

use std::arch::x86_64::*;

use super::Sums;
use super::signs::Step;
use super::tables::Table;

/// Pixels of a tile.
const PX: usize = 8;

/// Adds the sums of `steps` to `sums`, per pixel; pixel p reads `tables[bases[p]..]`.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn look_up(tables: &[Table], steps: &[Step], bases: &[usize], sums: &mut [Sums]) {
    super::check(tables, steps, bases, sums);
    for (bases, sums) in bases.chunks_exact(PX).zip(sums.chunks_exact_mut(PX)) {
        let mut acc = [_mm512_setzero_si512(); PX];
        // SAFETY: `check` has bounded base + steps by the length of the tables; steps are aligned to 64 bytes.
        unsafe {
            let t: [*const Table; PX] = std::array::from_fn(|p| tables.as_ptr().add(bases[p]));
            for (k, step) in steps.iter().enumerate() {
                let index = _mm512_load_si512(step.index.as_ptr().cast());
                let sign = _mm512_load_si512(step.sign.as_ptr().cast());
                for p in 0..PX {
                    let table = _mm512_broadcast_i32x4(_mm_load_si128(t[p].add(k).cast()));
                    let value = _mm512_maddubs_epi16(_mm512_shuffle_epi8(table, index), sign);
                    acc[p] = _mm512_add_epi16(acc[p], value);
                }
            }
        }
        for p in 0..PX {
            let halves = [_mm512_castsi512_si256(acc[p]), _mm512_extracti64x4_epi64::<1>(acc[p])];
            for (i, half) in halves.into_iter().enumerate() {
                // SAFETY: two vectors of 16 make up the 32 sums, which are aligned to 64 bytes.
                unsafe {
                    let at = sums[p].0.as_mut_ptr().add(16 * i).cast();
                    let sum = _mm512_add_epi32(_mm512_load_si512(at), _mm512_cvtepi16_epi32(half));
                    _mm512_store_si512(at, sum);
                }
            }
        }
    }
}
