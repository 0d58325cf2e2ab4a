//! The kernels on AVX-512: counting with three-input logic, the rest as on AVX2.
//!
//! A full adder is two instructions instead of five. Registers stay at 256 bits, so layers are prepared as for AVX2.

use super::avx2::{GROUP, PLANES, append, counting, values};
use super::lists::Lists;
use super::prepare::{Binary, Row, Signs};
use bitspike_format::Block;
use std::arch::x86_64::*;

pub(super) use super::avx2::{currents, integers, neurons, project, stem, totals};

/// A full adder: `(sum, carry)`.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn full(a: __m256i, b: __m256i, c: __m256i) -> (__m256i, __m256i) {
    // Bit 4 a + 2 b + c of the constant is the result: parity, and majority.
    (_mm256_ternarylogic_epi32::<0b1001_0110>(a, b, c), _mm256_ternarylogic_epi32::<0b1110_1000>(a, b, c))
}

counting!("avx2,avx512f,avx512vl", full);
