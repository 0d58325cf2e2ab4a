//! Which kernels run: the paths are [`bitspike_cpu`]'s, the same as in training.

use super::lists::Lists;
use super::prepare::{Binary, Shortcut, Stem};
use super::{IntegerJob, Job, Mix, portable};
use bitspike_cpu::KernelPath;
use bitspike_format::{Block, Conv};

/// Calls the form of the path where the processor has it, else the portable one.
macro_rules! dispatch {
    ($path:expr, $name:ident ( $($arg:expr),* )) => {
        match $path {
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            KernelPath::Neon if KernelPath::Neon.is_available() => {
                #[allow(unsafe_code, unused_unsafe)]
                // SAFETY: the guard has found NEON.
                unsafe {
                    super::neon::$name($($arg),*)
                }
            }
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx2 if KernelPath::Avx2.is_available() => {
                #[allow(unsafe_code)]
                // SAFETY: the guard has found AVX2.
                unsafe {
                    super::avx2::$name($($arg),*)
                }
            }
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx512 if KernelPath::Avx512.is_available() => {
                #[allow(unsafe_code)]
                // SAFETY: the guard has found AVX2 and AVX-512.
                unsafe {
                    super::avx512::$name($($arg),*)
                }
            }
            _ => portable::$name($($arg),*),
        }
    };
}

/// Sums of a real convolution, `[pixel][width]`.
pub(super) fn stem(path: KernelPath, stem: &Stem, conv: &Conv<'_>, frame: &[f32], sums: &mut [f32]) {
    dispatch!(path, stem(stem, conv, frame, sums));
}

/// Sums of a binary convolution, pooled where the current is, `[step][pixel][width]`.
pub(super) fn events(path: KernelPath, binary: &Binary, b: &Block<'_>, lists: &Lists, steps: usize, sums: &mut [i16]) {
    dispatch!(path, events(binary, b, lists, steps, sums));
}

/// Adds the sums `[pixel][width]` to one total per channel, `i32` in the bits of a word.
pub(super) fn totals(path: KernelPath, sums: &[i16], totals: &mut [u32]) {
    dispatch!(path, totals(sums, totals));
}

/// Spikes `[step][pixel][word]`.
pub(super) fn neurons(path: KernelPath, job: &Job<'_>, out: &mut [u32]) {
    dispatch!(path, neurons(job, out));
}

/// Currents `[step][pixel][width]`.
pub(super) fn currents(path: KernelPath, mix: &Mix<'_>, out: &mut [f32]) {
    dispatch!(path, currents(mix, out));
}

/// Sums of a shortcut on currents `[frame][row][column][channel]`, `shape` being rows, columns and channels with padding.
pub(super) fn project(path: KernelPath, shortcut: &Shortcut, x: &[f32], shape: [usize; 3], out: &mut [f32]) {
    dispatch!(path, project(shortcut, x, shape, out));
}

/// Spikes of neurons with integers, `[step][pixel][word]`.
pub(super) fn integers(path: KernelPath, job: &IntegerJob<'_>, out: &mut [u32]) {
    dispatch!(path, integers(job, out));
}
