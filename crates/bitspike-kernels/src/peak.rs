//! The most multiply-adds this processor does in `f32`, measured: the yardstick for kernels that compute.
//!
//! A loop keeps twelve accumulators in registers and updates each by `acc = acc * x + y`. Nothing is
//! loaded or stored, and twelve chains hide the latency of the instruction, so the rate is that of the multipliers. Two
//! operations are counted per multiply-add, as in the rates of convolutions.
//!
//! Kernels with 1-bit weights do not multiply: they may be above this rate, and that is the point of them.

use crate::dispatch::{KernelPath, selected};
use std::hint::black_box;
use std::time::Instant;

/// Accumulators of the loop: they and the two factors fit the sixteen registers of the narrowest target.
const CHAINS: usize = 12;
/// Values of a portable accumulator: a register of SSE2 or NEON.
const WIDTH: usize = 4;
/// Updates of each accumulator in one timing: about a millisecond, so that some timings run undisturbed by the system,
/// and starting the threads still takes a small part of it.
const UPDATES: usize = 1 << 19;
/// Timings; the fastest counts, since everything that disturbs one makes it slower.
const TIMINGS: usize = 40;

/// Floating-point operations per second of all threads of the current rayon pool together, on the selected path.
///
/// ```
/// assert!(bitspike_kernels::peak::f32_fma_flops() > 1e6);
/// ```
#[must_use]
pub fn f32_fma_flops() -> f64 {
    measure(selected(), UPDATES, TIMINGS)
}

fn measure(path: KernelPath, updates: usize, timings: usize) -> f64 {
    let once = || {
        let start = Instant::now();
        // Every thread at the same time: clock and power limits are those of a kernel on all of them.
        let threads = rayon::broadcast(|_| black_box(chains(path, updates))).len();
        (threads * updates * flops_per_update(path)) as f64 / start.elapsed().as_secs_f64()
    };
    (0..timings.max(1)).map(|_| once()).fold(0.0, f64::max)
}

fn flops_per_update(path: KernelPath) -> usize {
    let width = match path {
        KernelPath::Avx512 => 16,
        KernelPath::Avx2 => 8,
        _ => WIDTH,
    };
    2 * CHAINS * width
}

fn chains(path: KernelPath, updates: usize) -> f32 {
    // Values that stay near 1, so that no update is slower for being tiny or infinite.
    let (x, y) = (black_box(0.5), black_box(0.5));
    match path {
        // SAFETY: `measure` gets paths that the processor has.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { x86::avx512(x, y, updates) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { x86::avx2(x, y, updates) },
        _ => portable(x, y, updates),
    }
}

/// Whether `mul_add` is an instruction of the compile target and not a library call.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

fn portable(x: f32, y: f32, updates: usize) -> f32 {
    let mut acc = [[1.0f32; WIDTH]; CHAINS];
    for _ in 0..updates {
        for chain in &mut acc {
            for value in chain {
                *value = if FUSED { value.mul_add(x, y) } else { *value * x + y };
            }
        }
    }
    acc.iter().flatten().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::CHAINS;
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub fn avx512(x: f32, y: f32, updates: usize) -> f32 {
        let (x, y) = (_mm512_set1_ps(x), _mm512_set1_ps(y));
        let mut acc = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..updates {
            for chain in &mut acc {
                *chain = _mm512_fmadd_ps(*chain, x, y);
            }
        }
        acc.into_iter().map(|chain| _mm512_reduce_add_ps(chain)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(x: f32, y: f32, updates: usize) -> f32 {
        let (x, y) = (_mm256_set1_ps(x), _mm256_set1_ps(y));
        let mut acc = [_mm256_set1_ps(1.0); CHAINS];
        for _ in 0..updates {
            for chain in &mut acc {
                *chain = _mm256_fmadd_ps(*chain, x, y);
            }
        }
        let halves = acc.into_iter().flat_map(|v| [_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v)]);
        halves.map(|v| _mm_cvtss_f32(_mm_hadd_ps(_mm_hadd_ps(v, v), v))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_of_every_path_computes_what_it_says() {
        // acc = acc / 2 + 1/2 stays 1 from 1.
        for path in KernelPath::available() {
            assert_eq!(chains(path, 9), (flops_per_update(path) / 2) as f32, "{path}");
            let rate = measure(path, 100, 1);
            assert!(rate.is_finite() && rate > 0.0, "{path}: {rate}");
        }
    }
}
