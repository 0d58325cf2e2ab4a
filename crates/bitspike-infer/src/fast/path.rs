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
    /// AVX2 (x86-64, from 2013).
    Avx2,
}

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
            Self::Unknown { found } => write!(f, "unknown path {found:?}; use portable or avx2"),
            Self::Unavailable { path } => write!(f, "this processor cannot run the path {}", path.name()),
        }
    }
}

impl std::error::Error for PathError {}

impl Path {
    /// All paths, slowest first.
    pub const ALL: [Self; 2] = [Self::Portable, Self::Avx2];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
        }
    }

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }

    /// The fastest path of this processor.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|p| p.is_available()).unwrap_or(Self::Portable)
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

/// Calls the AVX2 form where the path says so and the processor has it, else the portable one.
macro_rules! dispatch {
    ($path:expr, $name:ident ( $($arg:expr),* )) => {
        match $path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 if Path::Avx2.is_available() => {
                #[allow(unsafe_code)]
                // SAFETY: the guard has found AVX2.
                unsafe {
                    super::avx2::$name($($arg),*)
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
