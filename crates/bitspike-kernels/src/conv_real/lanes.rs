//! Sixteen `f32` side by side: the unit in which the kernels hold output channels.

/// Channels in one [`Lanes`].
pub(crate) const WIDTH: usize = 16;

/// The sign bit of an `f32`.
const SIGN: u32 = 1 << 31;

/// Sixteen `f32`; one register on AVX-512, two on AVX2, four on NEON, an array elsewhere.
///
/// # Safety
/// The methods of an implementation use the instructions of its path: call them only inside a function compiled for
/// that path, after [`crate::dispatch::KernelPath::is_available`] has said that the processor has it.
pub(crate) trait Lanes: Copy {
    /// All zero.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn zero() -> Self;
    /// Sixteen consecutive values.
    ///
    /// # Safety
    /// See the trait; `from` points to at least 16 readable values.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes sixteen consecutive values.
    ///
    /// # Safety
    /// See the trait; `to` points to at least 16 writable values.
    unsafe fn store(self, to: *mut f32);
    /// `self + value * b`, one value for all lanes.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn add_scaled(self, value: f32, b: Self) -> Self;
    /// `self + b`.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn add(self, b: Self) -> Self;
    /// `self - b`.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn sub(self, b: Self) -> Self;
    /// `self * value`, one value for all lanes.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn scale(self, value: f32) -> Self;
    /// Per lane, `value` where bit `bit` (0 to 31) of its word is 1, `-value` where it is 0.
    ///
    /// # Safety
    /// See the trait; `words` points to at least 16 readable words.
    unsafe fn signed(value: f32, words: *const u32, bit: u32) -> Self;
}

/// The portable form; the compiler turns it into whatever vectors the target has.
#[derive(Clone, Copy)]
pub(crate) struct Array([f32; WIDTH]);

impl Lanes for Array {
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; WIDTH])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives 16 readable values.
        Self(unsafe { from.cast::<[f32; WIDTH]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller gives 16 writable values.
        unsafe { to.cast::<[f32; WIDTH]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn add_scaled(self, value: f32, b: Self) -> Self {
        let mut sum = self.0;
        for (sum, b) in sum.iter_mut().zip(b.0) {
            *sum += value * b;
        }
        Self(sum)
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + b.0[i]))
    }

    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - b.0[i]))
    }

    #[inline(always)]
    unsafe fn scale(self, value: f32) -> Self {
        Self(self.0.map(|v| v * value))
    }

    #[inline(always)]
    unsafe fn signed(value: f32, words: *const u32, bit: u32) -> Self {
        // SAFETY: the caller gives 16 readable words.
        let words = unsafe { words.cast::<[u32; WIDTH]>().read_unaligned() };
        Self(words.map(|w| f32::from_bits(value.to_bits() ^ (!(w << (31 - bit)) & SIGN))))
    }
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::{Lanes, SIGN};
    use std::arch::aarch64::*;

    // SAFETY of the implementation: the caller runs inside a function compiled for the path, so the instructions exist,
    // and gives 16 readable or writable values where memory is touched.

    impl Lanes for [float32x4_t; 4] {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: see above.
            unsafe { [vdupq_n_f32(0.0); 4] }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: see above.
            unsafe { [vld1q_f32(from), vld1q_f32(from.add(4)), vld1q_f32(from.add(8)), vld1q_f32(from.add(12))] }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            for (i, four) in self.into_iter().enumerate() {
                // SAFETY: see above.
                unsafe { vst1q_f32(to.add(4 * i), four) }
            }
        }

        #[inline(always)]
        unsafe fn add_scaled(self, value: f32, b: Self) -> Self {
            // The form with a scalar becomes a multiply-add by element: no instruction to spread the value.
            // SAFETY: see above.
            unsafe {
                [
                    vfmaq_n_f32(self[0], b[0], value),
                    vfmaq_n_f32(self[1], b[1], value),
                    vfmaq_n_f32(self[2], b[2], value),
                    vfmaq_n_f32(self[3], b[3], value),
                ]
            }
        }

        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                [vaddq_f32(self[0], b[0]), vaddq_f32(self[1], b[1]), vaddq_f32(self[2], b[2]), vaddq_f32(self[3], b[3])]
            }
        }

        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                [vsubq_f32(self[0], b[0]), vsubq_f32(self[1], b[1]), vsubq_f32(self[2], b[2]), vsubq_f32(self[3], b[3])]
            }
        }

        #[inline(always)]
        unsafe fn scale(self, value: f32) -> Self {
            // SAFETY: see above.
            unsafe {
                [
                    vmulq_n_f32(self[0], value),
                    vmulq_n_f32(self[1], value),
                    vmulq_n_f32(self[2], value),
                    vmulq_n_f32(self[3], value),
                ]
            }
        }

        #[inline(always)]
        unsafe fn signed(value: f32, words: *const u32, bit: u32) -> Self {
            // SAFETY: see above.
            unsafe {
                let (value, sign) = (vdupq_n_u32(value.to_bits()), vdupq_n_u32(SIGN));
                let shift = vdupq_n_s32(31 - bit as i32);
                let mut lanes = Self::zero();
                for (i, four) in lanes.iter_mut().enumerate() {
                    let moved = vshlq_u32(vld1q_u32(words.add(4 * i)), shift);
                    *four = vreinterpretq_f32_u32(veorq_u32(value, vbicq_u32(sign, moved)));
                }
                lanes
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Lanes, SIGN};
    use std::arch::x86_64::*;

    // SAFETY of both implementations: the caller runs inside a function compiled for the path, so the instructions
    // exist, and gives 16 readable or writable values where memory is touched.

    impl Lanes for [__m256; 2] {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: see above.
            unsafe { [_mm256_setzero_ps(); 2] }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: see above.
            unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: see above.
            unsafe {
                _mm256_storeu_ps(to, self[0]);
                _mm256_storeu_ps(to.add(8), self[1]);
            }
        }

        #[inline(always)]
        unsafe fn add_scaled(self, value: f32, b: Self) -> Self {
            // SAFETY: see above.
            unsafe {
                let value = _mm256_set1_ps(value);
                [_mm256_fmadd_ps(value, b[0], self[0]), _mm256_fmadd_ps(value, b[1], self[1])]
            }
        }

        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe { [_mm256_add_ps(self[0], b[0]), _mm256_add_ps(self[1], b[1])] }
        }

        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe { [_mm256_sub_ps(self[0], b[0]), _mm256_sub_ps(self[1], b[1])] }
        }

        #[inline(always)]
        unsafe fn scale(self, value: f32) -> Self {
            // SAFETY: see above.
            unsafe {
                let value = _mm256_set1_ps(value);
                [_mm256_mul_ps(self[0], value), _mm256_mul_ps(self[1], value)]
            }
        }

        #[inline(always)]
        unsafe fn signed(value: f32, words: *const u32, bit: u32) -> Self {
            // SAFETY: see above.
            unsafe {
                let (value, sign) = (_mm256_set1_ps(value), _mm256_set1_epi32(SIGN as i32));
                let shift = _mm_cvtsi32_si128(31 - bit as i32);
                let low = _mm256_sll_epi32(_mm256_loadu_si256(words.cast()), shift);
                let high = _mm256_sll_epi32(_mm256_loadu_si256(words.add(8).cast()), shift);
                [
                    _mm256_xor_ps(value, _mm256_castsi256_ps(_mm256_andnot_si256(low, sign))),
                    _mm256_xor_ps(value, _mm256_castsi256_ps(_mm256_andnot_si256(high, sign))),
                ]
            }
        }
    }

    impl Lanes for __m512 {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: see above.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: see above.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: see above.
            unsafe { _mm512_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn add_scaled(self, value: f32, b: Self) -> Self {
            // SAFETY: see above.
            unsafe { _mm512_fmadd_ps(_mm512_set1_ps(value), b, self) }
        }

        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe { _mm512_add_ps(self, b) }
        }

        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            // SAFETY: see above.
            unsafe { _mm512_sub_ps(self, b) }
        }

        #[inline(always)]
        unsafe fn scale(self, value: f32) -> Self {
            // SAFETY: see above.
            unsafe { _mm512_mul_ps(self, _mm512_set1_ps(value)) }
        }

        #[inline(always)]
        unsafe fn signed(value: f32, words: *const u32, bit: u32) -> Self {
            // SAFETY: see above.
            unsafe {
                let moved = _mm512_sll_epi32(_mm512_loadu_si512(words.cast()), _mm_cvtsi32_si128(31 - bit as i32));
                let flip = _mm512_andnot_si512(moved, _mm512_set1_epi32(SIGN as i32));
                _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(_mm512_set1_ps(value)), flip))
            }
        }
    }
}
