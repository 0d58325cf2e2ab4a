//! Writing results from AVX-512 registers, past the cache when there are very many.
//!
//! An ordinary store first fetches the line it is about to overwrite. For outputs larger than the last-level cache that
//! doubles the memory traffic of the forward pass, which is bound by it; streaming stores do not fetch.

use std::arch::x86_64::*;

use crate::conv_real::lanes::WIDTH;

/// Outputs from this size on do not stay in common last-level caches.
const STREAM_BYTES: usize = 32 << 20;

/// Whether the results of `[pixels, channels]` may be streamed: many of them, in whole aligned vectors.
pub(super) fn streams<O>(out: &[O], channels: usize) -> bool {
    let aligned = out.as_ptr().addr().is_multiple_of(size_of::<__m512>()) && channels.is_multiple_of(WIDTH);
    aligned && size_of_val(out) >= STREAM_BYTES
}

/// Writes up to 16 lanes. `streaming` is [`streams`] of the whole output; [`finish`] must follow the last call.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn put(out: &mut [f32], value: __m512, streaming: bool) {
    if streaming && out.len() == WIDTH && out.as_ptr().addr().is_multiple_of(size_of::<__m512>()) {
        // SAFETY: sixteen aligned elements.
        unsafe { _mm512_stream_ps(out.as_mut_ptr(), value) };
    } else {
        let lanes = (u32::MAX >> (32 - out.len().clamp(1, WIDTH))) as __mmask16;
        // SAFETY: the mask covers exactly the elements of `out`, of which callers give 1 to 16.
        unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), lanes, value) };
    }
}

/// Orders streamed results before anything the thread does next, so that other threads see them.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn finish(streaming: bool) {
    if streaming {
        _mm_sfence();
    }
}
