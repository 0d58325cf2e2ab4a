//! Which machine code the kernels run, chosen once at run time.
//!
//! Every kernel exists in a portable form; on x86-64 there are two faster ones, on aarch64 one. The best one the
//! processor offers is used, unless the environment variable `BITSPIKE_KERNEL` names another (`portable`, `neon`, `avx2`
//! or `avx512`). Its value `composed` names no path; it asks callers that can do without these kernels to do so. Kernels
//! with integer results give the same bits on every path; floating-point convolutions differ in rounding only.
//!
//! ```
//! use bitspike_kernels::dispatch::{KernelPath, selected};
//! assert!(selected().is_available());
//! assert_eq!("portable".parse::<KernelPath>().unwrap(), KernelPath::Portable);
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

pub use crate::shape::ShapeError;

/// Name of the environment variable that forces a path.
pub const ENV_VAR: &str = "BITSPIKE_KERNEL";

/// Value of `BITSPIKE_KERNEL` that asks callers to work without the kernels; where they run all the same, the best path
/// is used.
pub const COMPOSED: &str = "composed";

/// A family of machine instructions the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KernelPath {
    /// No instruction beyond the compile target.
    Portable,
    /// NEON, also called Advanced SIMD (aarch64, all of them in practice).
    Neon,
    /// AVX2, FMA and POPCNT (x86-64, from 2013).
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VPOPCNTDQ, BMI2, and what [`KernelPath::Avx2`] needs (x86-64, from 2019).
    Avx512,
}

/// The wanted path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The name is not a path.
    #[error("unknown kernel path `{found}`; use one of: portable, neon, avx2, avx512, composed")]
    Unknown {
        /// The name as given.
        found: String,
    },
    /// The processor lacks the instructions.
    #[error("kernel path `{path}` is not available on this processor; available: {}", KernelPath::available_names())]
    Unavailable {
        /// The path asked for.
        path: KernelPath,
    },
}

impl KernelPath {
    /// All paths, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// Name as written in `BITSPIKE_KERNEL`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this processor can run the path.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon => has_neon(),
            Self::Avx2 => has_avx2(),
            Self::Avx512 => has_avx512(),
        }
    }

    /// The paths this processor can run, slowest first; never empty.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|p| p.is_available()).collect()
    }

    /// Names of [`KernelPath::available`], separated by commas.
    pub(crate) fn available_names() -> String {
        Self::available().iter().map(|p| p.name()).collect::<Vec<_>>().join(", ")
    }

    /// The fastest path this processor can run.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|p| p.is_available()).unwrap_or(Self::Portable)
    }

    /// The path named by `BITSPIKE_KERNEL`, or [`KernelPath::best`] when the variable is not set, empty or
    /// [`COMPOSED`].
    ///
    /// # Errors
    /// The name is unknown, or the processor cannot run the path.
    pub fn from_env() -> Result<Self, PathError> {
        match std::env::var_os(ENV_VAR) {
            None => Ok(Self::best()),
            Some(name) => Self::from_setting(&name.to_string_lossy()),
        }
    }

    fn from_setting(name: &str) -> Result<Self, PathError> {
        if name.is_empty() || name.trim().eq_ignore_ascii_case(COMPOSED) {
            return Ok(Self::best());
        }
        let path: Self = name.parse()?;
        if path.is_available() { Ok(path) } else { Err(PathError::Unavailable { path }) }
    }

    /// `Ok` when the processor can run the path; the check every `*_with_path` kernel starts with.
    pub(crate) fn require(self) -> Result<Self, ShapeError> {
        if self.is_available() { Ok(self) } else { Err(ShapeError::PathUnavailable { path: self }) }
    }
}

impl fmt::Display for KernelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KernelPath {
    type Err = PathError;

    fn from_str(name: &str) -> Result<Self, PathError> {
        let found = name.trim();
        Self::ALL
            .into_iter()
            .find(|p| p.name().eq_ignore_ascii_case(found))
            .ok_or_else(|| PathError::Unknown { found: name.to_string() })
    }
}

/// The path every kernel uses, read once from [`KernelPath::from_env`] and then kept.
///
/// A setting that cannot be honoured falls back to [`KernelPath::best`] here, because a kernel has no way to report
/// it; a program calls [`KernelPath::from_env`] when it starts and shows that error.
#[must_use]
pub fn selected() -> KernelPath {
    static SELECTED: OnceLock<KernelPath> = OnceLock::new();
    *SELECTED.get_or_init(|| KernelPath::from_env().unwrap_or_else(|_| KernelPath::best()))
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vpopcntdq")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(target_arch = "aarch64")]
fn has_neon() -> bool {
    std::arch::is_aarch64_feature_detected!("neon")
}

#[cfg(not(target_arch = "aarch64"))]
fn has_neon() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let wrong: Vec<_> = KernelPath::ALL.iter().filter(|p| p.name().parse() != Ok(**p)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_the_choices() {
        let error = KernelPath::from_setting("sse9").unwrap_err();
        assert_eq!(error, PathError::Unknown { found: "sse9".into() });
        assert!(error.to_string().contains("portable, neon, avx2, avx512"), "{error}");
    }

    #[test]
    fn a_setting_gives_exactly_that_path_or_an_error() {
        for path in KernelPath::ALL {
            let expected = if path.is_available() { Ok(path) } else { Err(PathError::Unavailable { path }) };
            assert_eq!(KernelPath::from_setting(path.name()), expected);
        }
        assert_eq!(KernelPath::from_setting(""), Ok(KernelPath::best()));
        assert_eq!(KernelPath::from_setting(COMPOSED), Ok(KernelPath::best()));
    }

    #[test]
    fn a_path_of_another_architecture_is_never_available() {
        let x86 = cfg!(target_arch = "x86_64");
        let foreign = if x86 { vec![KernelPath::Neon] } else { vec![KernelPath::Avx2, KernelPath::Avx512] };
        for path in foreign {
            assert_eq!(KernelPath::from_setting(path.name()), Err(PathError::Unavailable { path }));
        }
        // NEON is part of every aarch64 processor that runs an operating system: there is always a fast path.
        #[cfg(target_arch = "aarch64")]
        assert_eq!(KernelPath::best(), KernelPath::Neon);
    }

    #[test]
    fn the_selected_path_can_run() {
        assert!(selected().is_available());
        assert!(KernelPath::available().contains(&KernelPath::best()));
    }
}
