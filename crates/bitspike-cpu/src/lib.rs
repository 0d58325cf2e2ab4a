//! Which machine code the kernels run, chosen once at run time: the one place that looks at the processor and at the
//! environment variable `BITSPIKE_KERNEL`.
//!
//! Every kernel exists in a portable form; on x86-64 there are two faster ones, on aarch64 one. The best one the processor
//! offers is used, unless the variable names another (`portable`, `neon`, `avx2` or `avx512`). Its value `composed` asks
//! training to do without kernels; where they run all the same, as at inference, the best path is used. Case and spaces
//! around the value do not count. The names mean the same in training and inference.
//!
//! ```
//! use bitspike_cpu::{KernelPath, Setting};
//! assert!(Setting::parse("").unwrap().path().is_available());
//! assert_eq!(Setting::parse("Composed").unwrap().name(), "composed");
//! assert_eq!("portable".parse::<KernelPath>().unwrap(), KernelPath::Portable);
//! ```

#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// Name of the environment variable.
pub const ENV_VAR: &str = "BITSPIKE_KERNEL";

/// Its value that names no path.
const COMPOSED: &str = "composed";

/// A family of machine instructions the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KernelPath {
    /// No instruction beyond the compile target.
    Portable,
    /// NEON, also called Advanced SIMD (little-endian aarch64, all of them in practice).
    Neon,
    /// AVX2, FMA and POPCNT (x86-64, from 2013).
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VPOPCNTDQ, BMI2, and what [`KernelPath::Avx2`] needs (x86-64, from 2019).
    Avx512,
}

/// The wanted path cannot be used.
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
        /// The path asked for.
        path: KernelPath,
    },
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { found } => {
                write!(f, "unknown kernel path `{found}`; use one of: portable, neon, avx2, avx512, composed")
            }
            Self::Unavailable { path } => write!(
                f,
                "kernel path `{path}` is not available on this processor; available: {}",
                KernelPath::available_names()
            ),
        }
    }
}

impl std::error::Error for PathError {}

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
    #[must_use]
    pub fn available_names() -> String {
        Self::available().iter().map(|p| p.name()).collect::<Vec<_>>().join(", ")
    }

    /// The fastest path this processor can run.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|p| p.is_available()).unwrap_or(Self::Portable)
    }
}

impl fmt::Display for KernelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A path by its name, whether or not this processor can run it.
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

/// What `BITSPIKE_KERNEL` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Nothing: the best path of the processor.
    Best,
    /// Training without kernels.
    Composed,
    /// A path that the processor can run.
    Path(KernelPath),
}

impl Setting {
    /// A value of the variable.
    ///
    /// # Errors
    /// The name is unknown, or the processor cannot run the path.
    pub fn parse(value: &str) -> Result<Self, PathError> {
        match value.trim() {
            "" => Ok(Self::Best),
            name if name.eq_ignore_ascii_case(COMPOSED) => Ok(Self::Composed),
            name => {
                let path = name.parse()?;
                if KernelPath::is_available(path) { Ok(Self::Path(path)) } else { Err(PathError::Unavailable { path }) }
            }
        }
    }

    /// The value in the environment. A program calls it when it starts and shows the error.
    ///
    /// # Errors
    /// As [`Setting::parse`].
    pub fn from_env() -> Result<Self, PathError> {
        Self::parse(&std::env::var_os(ENV_VAR).unwrap_or_default().to_string_lossy())
    }

    /// The value in the environment, read once and then kept. One that cannot be honoured counts as none here, because a
    /// kernel has no way to report it.
    #[must_use]
    pub fn kept() -> Self {
        static SETTING: OnceLock<Setting> = OnceLock::new();
        *SETTING.get_or_init(|| Self::from_env().unwrap_or(Self::Best))
    }

    /// The path that kernels run where they run.
    #[must_use]
    pub fn path(self) -> KernelPath {
        match self {
            Self::Path(path) => path,
            Self::Best | Self::Composed => KernelPath::best(),
        }
    }

    /// What training runs: the name of the path, or `composed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self == Self::Composed { COMPOSED } else { self.path().name() }
    }
}

/// The path every kernel uses.
#[must_use]
pub fn selected() -> KernelPath {
    static SELECTED: OnceLock<KernelPath> = OnceLock::new();
    *SELECTED.get_or_init(|| Setting::kept().path())
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

// Kernels write the bytes of words: little-endian processors only.
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
fn has_neon() -> bool {
    std::arch::is_aarch64_feature_detected!("neon")
}

#[cfg(not(all(target_arch = "aarch64", target_endian = "little")))]
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
        let error = Setting::parse("sse9").unwrap_err();
        assert_eq!(error, PathError::Unknown { found: "sse9".into() });
        assert!(error.to_string().contains("portable, neon, avx2, avx512"), "{error}");
    }

    #[test]
    fn a_setting_gives_exactly_that_path_or_an_error() {
        for path in KernelPath::ALL {
            let expected =
                if path.is_available() { Ok(Setting::Path(path)) } else { Err(PathError::Unavailable { path }) };
            let name = path.name();
            for value in [name.to_owned(), name.to_uppercase(), format!(" {name}\n")] {
                assert_eq!(Setting::parse(&value), expected, "{value:?}");
            }
        }
        for value in ["", " "] {
            assert_eq!(Setting::parse(value), Ok(Setting::Best));
        }
    }

    #[test]
    fn composed_is_one_rule_in_every_spelling() {
        for value in ["composed", "Composed", "COMPOSED", " composed "] {
            let setting = Setting::parse(value).unwrap();
            assert_eq!((setting, setting.name(), setting.path()), (Setting::Composed, "composed", KernelPath::best()));
        }
    }

    #[test]
    fn a_path_of_another_architecture_is_never_available() {
        let x86 = cfg!(target_arch = "x86_64");
        let foreign = if x86 { vec![KernelPath::Neon] } else { vec![KernelPath::Avx2, KernelPath::Avx512] };
        for path in foreign {
            assert_eq!(Setting::parse(path.name()), Err(PathError::Unavailable { path }));
        }
        // NEON is part of every aarch64 processor that runs an operating system: there is always a fast path.
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        assert_eq!(KernelPath::best(), KernelPath::Neon);
    }

    #[test]
    fn the_selected_path_can_run() {
        assert!(selected().is_available());
        assert!(KernelPath::available().contains(&KernelPath::best()));
    }
}

/// The example of the README runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
