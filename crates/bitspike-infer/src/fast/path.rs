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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fast::prepare::Integers;
    use crate::fast::{IntegerFactors, Windows};
    use bitspike_format::integer::{IntegerGate, IntegerNeuron, LIMIT, MOST_ALPHA, MOST_SHIFT};
    use bitspike_format::{Integers as Stored, Reset};
    use proptest::prelude::*;

    /// A job of random numbers: currents and α of so many bits, and of `ends` numbers two as large as they may be. `gate` is none,
    /// factors, or α outside or inside; `side` are rows and columns of the windows.
    #[derive(Clone, Copy, Debug)]
    struct Case {
        seed: u64,
        ends: i64,
        current: u32,
        alpha: u32,
        f: u32,
        gate: usize,
        side: [usize; 2],
        steps: usize,
        words: usize,
        per_step: bool,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let numbers = (any::<u64>(), 2..=16i64, 1..=30u32, 0..=MOST_SHIFT);
        // As many bits of α as there are, or about so many that gated currents reach their limit.
        let alpha = (any::<bool>(), 0..=20u32, 42..=46u32);
        let shape = (0..4usize, 0..3usize, 1..5usize, 1..4usize, any::<bool>());
        (numbers, alpha, shape).prop_map(
            |((seed, ends, current, f), (free, bits, both), (gate, window, steps, words, per_step))| {
                let alpha = if free { bits } else { (both - current).min(20) };
                // Only a gate per element has windows.
                let side = if gate < 2 { [1, 1] } else { [[1, 1], [1, 2], [2, 2]][window] };
                Case { seed, ends, current, alpha, f, gate, side, steps, words, per_step }
            },
        )
    }

    /// Words of all paths, those of the portable one first.
    fn run(case: &Case) -> Vec<Vec<u32>> {
        let Case { ends, side, steps, words, .. } = *case;
        let mut state = case.seed;
        let mut draw = |most: i64| -> i64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (state >> 33) as i64;
            match number % ends {
                0 => most,
                1 => -most,
                _ => number / ends % (2 * most + 1) - most,
            }
        };
        let (width, columns) = (32 * words, 5);
        let pixels = if side[0] == 1 { columns } else { 3 * columns };
        let largest = 1 + draw(i64::from(i16::MAX) - 1).abs();
        let room = 1 + draw((LIMIT >> (30 - case.current)) - 1).abs();
        let (mut slope, mut offset, mut most) = (Vec::new(), Vec::new(), vec![0; width]);
        for i in 0..if case.per_step { steps * width } else { width } {
            let a = draw(room / largest);
            let b = draw(room - a.abs() * largest);
            most[i % width] = most[i % width].max((a.abs() * largest + b.abs()) as i32);
            slope.push(a as i32);
            offset.push(b as i32);
        }
        let sums: Vec<i16> = (0..steps * pixels * width).map(|_| draw(largest) as i16).collect();
        let alpha = 1 + draw((i64::from(MOST_ALPHA) >> (20 - case.alpha)) - 1).abs();
        let factors: Vec<i32> = (0..steps * width).map(|_| draw(alpha) as i32).collect();
        let gate = IntegerGate {
            alpha: Stored::default(),
            channels: 1,
            per_channel: false,
            inside: case.gate == 3,
            hard: true,
            element: true,
        };
        let job = IntegerJob {
            sums: &sums,
            steps,
            width,
            affine: &Integers { slope, offset, most },
            factors: match case.gate {
                0 => IntegerFactors::None,
                1 => IntegerFactors::Given(&factors),
                _ => IntegerFactors::Element(&factors, gate, case.f),
            },
            windows: Windows { side, pixels, columns },
            neuron: IntegerNeuron {
                decay: draw(1 << 15).abs() as i32,
                threshold: (1 + draw(room - 1).abs()) as i32,
                reset: if draw(1) < 0 { Reset::Soft } else { Reset::Hard },
            },
        };
        let spikes = |path: KernelPath| {
            let mut out = vec![0xAAAA_AAAA; steps * job.windows.neurons() * words];
            integers(path, &job, &mut out);
            out
        };
        KernelPath::available().into_iter().map(spikes).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("PROPTEST_CASES").is_some() {
            ProptestConfig::default().cases
        } else {
            2000
        }))]

        #[test]
        fn integers_are_those_of_the_portable_path(case in cases()) {
            let words = run(&case);
            for (path, other) in KernelPath::available().iter().zip(&words) {
                prop_assert_eq!(other, &words[0], "{}", path);
            }
        }
    }
}
