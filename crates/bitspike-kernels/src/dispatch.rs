//! Which machine code the kernels run: [`bitspike_cpu`] says it, once for training and inference.
//!
//! Kernels with integer results give the same bits on every path; floating-point convolutions differ in rounding only.
//!
//! ```
//! use bitspike_kernels::dispatch::{KernelPath, selected};
//! assert!(selected().is_available());
//! assert_eq!("portable".parse::<KernelPath>().unwrap(), KernelPath::Portable);
//! ```

use crate::error::KernelError;
pub use bitspike_cpu::{KernelPath, selected};

/// `Ok` when the processor can run the path; the check every `*_with_path` kernel starts with.
pub(crate) fn require(path: KernelPath) -> Result<KernelPath, KernelError> {
    if path.is_available() { Ok(path) } else { Err(KernelError::PathUnavailable { path }) }
}
