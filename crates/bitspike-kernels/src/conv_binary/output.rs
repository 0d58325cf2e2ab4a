//! What the forward pass writes: scaled sums as `f32`, or the sums themselves as `i16`.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::conv_real::lanes::WIDTH;

/// One element of the result.
pub(super) trait Output: Copy + Default + Send + Sync {
    /// The element for a sum; `factor` is `unit * scale` of its channel.
    fn of(sum: i32, factor: f32) -> Self;

    /// Writes up to 16 channels from sixteen 16-bit sums.
    ///
    /// # Safety
    /// The processor has AVX2; `factors` has at least 16 elements, `out` 1 to 16.
    #[cfg(target_arch = "x86_64")]
    unsafe fn put_avx2(out: &mut [Self], sums: std::arch::x86_64::__m256i, factors: &[f32]);

    /// Writes up to 16 channels from sixteen 32-bit sums.
    ///
    /// # Safety
    /// The processor has AVX-512 F; `factors` has at least 16 elements, `out` 1 to 16. With `streaming`,
    /// [`super::store_avx512::finish`] must follow the last call.
    #[cfg(target_arch = "x86_64")]
    unsafe fn put_avx512(out: &mut [Self], sums: std::arch::x86_64::__m512i, factors: &[f32], streaming: bool);

    /// Writes up to 16 channels from four times four 32-bit sums.
    ///
    /// # Safety
    /// The processor has NEON; `factors` has at least 16 elements, `out` 1 to 16.
    #[cfg(target_arch = "aarch64")]
    unsafe fn put_neon(out: &mut [Self], sums: [std::arch::aarch64::int32x4_t; 4], factors: &[f32]);
}

impl Output for f32 {
    #[inline(always)]
    fn of(sum: i32, factor: f32) -> Self {
        sum as f32 * factor
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn put_avx2(out: &mut [Self], sums: std::arch::x86_64::__m256i, factors: &[f32]) {
        use std::arch::x86_64::*;
        debug_assert!(factors.len() >= WIDTH);
        let mut lanes = [0.0; WIDTH];
        let to: &mut [f32] = if out.len() == WIDTH { out } else { &mut lanes };
        let halves = [_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums)];
        for (i, half) in halves.into_iter().enumerate() {
            let value = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(half));
            // SAFETY: both halves of 8 lie inside the 16 factors and the 16 elements.
            unsafe {
                let factor = _mm256_loadu_ps(factors.as_ptr().add(8 * i));
                _mm256_storeu_ps(to.as_mut_ptr().add(8 * i), _mm256_mul_ps(value, factor));
            }
        }
        if out.len() < WIDTH {
            let width = out.len();
            out.copy_from_slice(&lanes[..width]);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn put_avx512(out: &mut [Self], sums: std::arch::x86_64::__m512i, factors: &[f32], streaming: bool) {
        use std::arch::x86_64::*;
        debug_assert!(factors.len() >= WIDTH);
        // SAFETY: the caller gives 16 factors.
        let factor = unsafe { _mm512_loadu_ps(factors.as_ptr()) };
        super::store_avx512::put(out, _mm512_mul_ps(_mm512_cvtepi32_ps(sums), factor), streaming);
    }

    #[cfg(target_arch = "aarch64")]
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn put_neon(out: &mut [Self], sums: [std::arch::aarch64::int32x4_t; 4], factors: &[f32]) {
        use std::arch::aarch64::*;
        debug_assert!(factors.len() >= WIDTH);
        let mut lanes = [0.0; WIDTH];
        let to: &mut [f32] = if out.len() == WIDTH { out } else { &mut lanes };
        for (z, four) in sums.into_iter().enumerate() {
            // SAFETY: the four quarters lie inside the 16 factors and the 16 elements.
            unsafe {
                let factor = vld1q_f32(factors.as_ptr().add(4 * z));
                vst1q_f32(to.as_mut_ptr().add(4 * z), vmulq_f32(vcvtq_f32_s32(four), factor));
            }
        }
        if out.len() < WIDTH {
            let width = out.len();
            out.copy_from_slice(&lanes[..width]);
        }
    }
}

impl Output for i16 {
    #[inline(always)]
    fn of(sum: i32, _: f32) -> Self {
        sum as i16
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn put_avx2(out: &mut [Self], sums: std::arch::x86_64::__m256i, _: &[f32]) {
        use std::arch::x86_64::*;
        if out.len() == WIDTH {
            // SAFETY: sixteen elements.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sums) };
        } else {
            let mut lanes = [0i16; WIDTH];
            // SAFETY: sixteen elements.
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums) };
            let width = out.len();
            out.copy_from_slice(&lanes[..width]);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn put_avx512(out: &mut [Self], sums: std::arch::x86_64::__m512i, _: &[f32], _: bool) {
        use std::arch::x86_64::*;
        let lanes = (u32::MAX >> (32 - out.len().clamp(1, WIDTH))) as __mmask16;
        // SAFETY: the mask covers exactly the elements of `out`, of which callers give 1 to 16.
        unsafe { _mm512_mask_cvtepi32_storeu_epi16(out.as_mut_ptr().cast(), lanes, sums) };
    }

    #[cfg(target_arch = "aarch64")]
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn put_neon(out: &mut [Self], sums: [std::arch::aarch64::int32x4_t; 4], _: &[f32]) {
        use std::arch::aarch64::*;
        let mut lanes = [0i16; WIDTH];
        let to: &mut [i16] = if out.len() == WIDTH { out } else { &mut lanes };
        // SAFETY: the two halves lie inside the 16 elements.
        unsafe {
            vst1q_s16(to.as_mut_ptr(), vcombine_s16(vmovn_s32(sums[0]), vmovn_s32(sums[1])));
            vst1q_s16(to.as_mut_ptr().add(8), vcombine_s16(vmovn_s32(sums[2]), vmovn_s32(sums[3])));
        }
        if out.len() < WIDTH {
            let width = out.len();
            out.copy_from_slice(&lanes[..width]);
        }
    }
}
