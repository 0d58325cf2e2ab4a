//! Transformed kernels: U, sixteen destination channels to a line.

use rayon::prelude::*;

use super::buffers::Buffer;
use super::transform::{self, PRODUCTS};
use super::{Line, SKEW};
use crate::conv_real::lanes::{Array, Lanes, WIDTH};
use crate::dispatch::KernelPath;

/// 3x3 kernels, sixteen destination channels at a time.
pub(crate) trait Kernels: Sync {
    /// Source channels.
    fn sources(&self) -> usize;
    /// Destination channels.
    fn destinations(&self) -> usize;
    /// The nine taps that lead from a source channel to the destination channels `16 block ..`; lanes beyond the last
    /// channel may hold anything finite.
    ///
    /// # Safety
    /// Only inside a function compiled for the path of `V`; block and source exist.
    unsafe fn taps<V: Lanes>(&self, block: usize, source: usize) -> [V; 9];
}

/// Transformed kernels, `[blocks of 16 destination channels][36][source channel]` lines.
pub(crate) struct Transformed {
    buffer: Buffer,
    len: usize,
    pub(super) sources: usize,
    pub(super) destinations: usize,
}

impl Transformed {
    /// Transforms all kernels.
    pub(crate) fn new(path: KernelPath, kernels: &impl Kernels) -> Self {
        let (sources, destinations) = (kernels.sources(), kernels.destinations());
        let block_len = PRODUCTS * (sources + SKEW);
        let len = destinations.div_ceil(WIDTH) * block_len;
        let mut buffer = Buffer::default();
        let lines = buffer.lines(len);
        let fill = |(block, out): (usize, &mut [Line])| match path {
            // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx512 => unsafe { pack_avx512(kernels, block, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx2 => unsafe { pack_avx2(kernels, block, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            KernelPath::Neon => unsafe { pack_neon(kernels, block, out) },
            // SAFETY: the array form needs no special instructions.
            _ => unsafe { pack_block::<Array>(kernels, block, out) },
        };
        if lines.len() < 1 << 13 {
            lines.chunks_exact_mut(block_len).enumerate().for_each(fill);
        } else {
            lines.par_chunks_exact_mut(block_len).enumerate().for_each(fill);
        }
        Self { buffer, len, sources, destinations }
    }

    /// `[blocks of 16 destination channels][36][source channel]`, with [`SKEW`] lines after every matrix.
    pub(super) fn lines(&self) -> &[Line] {
        &self.buffer.0[..self.len]
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn pack_avx512(kernels: &impl Kernels, block: usize, out: &mut [Line]) {
    // SAFETY: compiled for AVX-512.
    unsafe { pack_block::<std::arch::x86_64::__m512>(kernels, block, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn pack_avx2(kernels: &impl Kernels, block: usize, out: &mut [Line]) {
    // SAFETY: compiled for AVX2 and FMA.
    unsafe { pack_block::<[std::arch::x86_64::__m256; 2]>(kernels, block, out) }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn pack_neon(kernels: &impl Kernels, block: usize, out: &mut [Line]) {
    // SAFETY: compiled for NEON.
    unsafe { pack_block::<[std::arch::aarch64::float32x4_t; 4]>(kernels, block, out) }
}

/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn pack_block<V: Lanes>(kernels: &impl Kernels, block: usize, out: &mut [Line]) {
    let (sources, stride) = (kernels.sources(), kernels.sources() + SKEW);
    assert_eq!(out.len(), PRODUCTS * stride, "one block");
    for source in 0..sources {
        // SAFETY: the assertion bounds the writes: k < 36 and source < stride.
        unsafe {
            let out = out.as_mut_ptr().add(source);
            transform::kernel(kernels.taps::<V>(block, source), out, stride);
        }
    }
}
