//! Sixteen `f32` side by side: the unit in which the kernels hold output channels.

/// Channels in one [`Lanes`].
pub(crate) const WIDTH: usize = 16;

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
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::Lanes;
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
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
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
    }
}
