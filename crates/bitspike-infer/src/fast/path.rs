//! Which kernels run.

use super::lists::Lists;
use super::prepare::{Binary, Shortcut, Stem};
use super::{IntegerJob, Job, Mix, portable};
use bitspike_format::{Block, Conv};
use std::fmt;
use std::str::FromStr;

/// A set of kernels. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Path {
    /// Plain Rust, whatever the processor.
    Portable,
    /// NEON (aarch64).
    Neon,
    /// AVX2 (x86-64, from 2013).
    Avx2,
    /// AVX2 with the three-input logic of AVX-512 F and VL (x86-64, from 2017).
    Avx512,
}

/// Name of the environment variable that names a path.
pub const ENV_VAR: &str = "BITSPIKE_KERNEL";

/// A path that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// The name is not a path.
    Unknown {
        /// The name as given.
        found: String,
    },
    /// The processor lacks the instructions.
    Unavailable {
        /// The path.
        path: Path,
    },
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { found } => write!(f, "unknown path {found:?}; use portable, neon, avx2 or avx512"),
            Self::Unavailable { path } => write!(f, "this processor cannot run the path {}", path.name()),
        }
    }
}

impl std::error::Error for PathError {}

impl Path {
    /// All paths, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            // The kernels write the bytes of words: little-endian processors only.
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The fastest path of this processor.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|p| p.is_available()).unwrap_or(Self::Portable)
    }
}

impl Path {
    /// The path that `BITSPIKE_KERNEL` names; [`Path::best`] where it is not set, empty, or `composed`, which names none.
    ///
    /// # Errors
    /// The name is unknown, or the processor cannot run the path.
    ///
    /// ```
    /// use bitspike_infer::fast::Path;
    /// assert!(Path::from_setting("portable")? == Path::Portable && Path::from_setting("")? == Path::best());
    /// # Ok::<(), bitspike_infer::fast::PathError>(())
    /// ```
    pub fn from_env() -> Result<Self, PathError> {
        Self::from_setting(&std::env::var_os(ENV_VAR).unwrap_or_default().to_string_lossy())
    }

    /// The path that a value of `BITSPIKE_KERNEL` names.
    ///
    /// # Errors
    /// As [`Path::from_env`].
    pub fn from_setting(name: &str) -> Result<Self, PathError> {
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || name == "composed" { Ok(Self::best()) } else { name.parse() }
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(name: &str) -> Result<Self, PathError> {
        let path = Self::ALL.into_iter().find(|p| p.name() == name);
        let path = path.ok_or_else(|| PathError::Unknown { found: name.to_owned() })?;
        if path.is_available() { Ok(path) } else { Err(PathError::Unavailable { path }) }
    }
}

/// Calls the form of the path where the processor has it, else the portable one.
macro_rules! dispatch {
    ($path:expr, $name:ident ( $($arg:expr),* )) => {
        match $path {
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Path::Neon if Path::Neon.is_available() => {
                #[allow(unsafe_code, unused_unsafe)]
                // SAFETY: the guard has found NEON.
                unsafe {
                    super::neon::$name($($arg),*)
                }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if Path::Avx2.is_available() => {
                #[allow(unsafe_code)]
                // SAFETY: the guard has found AVX2.
                unsafe {
                    super::avx2::$name($($arg),*)
                }
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 if Path::Avx512.is_available() => {
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
pub(super) fn stem(path: Path, stem: &Stem, conv: &Conv<'_>, frame: &[f32], sums: &mut [f32]) {
    dispatch!(path, stem(stem, conv, frame, sums));
}

/// Sums of a binary convolution, pooled where the current is, `[step][pixel][width]`.
pub(super) fn events(path: Path, binary: &Binary, b: &Block<'_>, lists: &Lists, steps: usize, sums: &mut [i16]) {
    dispatch!(path, events(binary, b, lists, steps, sums));
}

/// Adds the sums `[pixel][width]` to one total per channel, `i32` in the bits of a word.
pub(super) fn totals(path: Path, sums: &[i16], totals: &mut [u32]) {
    dispatch!(path, totals(sums, totals));
}

/// Spikes `[step][pixel][word]`.
pub(super) fn neurons(path: Path, job: &Job<'_>, out: &mut [u32]) {
    dispatch!(path, neurons(job, out));
}

/// Currents `[step][pixel][width]`.
pub(super) fn currents(path: Path, mix: &Mix<'_>, out: &mut [f32]) {
    dispatch!(path, currents(mix, out));
}

/// Sums of a shortcut on currents `[frame][row][column][channel]`, `shape` being rows, columns and channels with padding.
pub(super) fn project(path: Path, shortcut: &Shortcut, x: &[f32], shape: [usize; 3], out: &mut [f32]) {
    dispatch!(path, project(shortcut, x, shape, out));
}

/// Spikes of neurons with integers, `[step][pixel][word]`.
pub(super) fn integers(path: Path, job: &IntegerJob<'_>, out: &mut [u32]) {
    dispatch!(path, integers(job, out));
}
