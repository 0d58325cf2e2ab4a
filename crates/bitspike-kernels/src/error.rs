//! The error of every kernel and the checks that raise it.

use bitspike_cpu::KernelPath;

/// Why a kernel refused its arguments; nothing was written to the outputs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A slice does not have the length that the shapes ask for.
    #[error("{op}: `{name}` has {found} elements, expected {expected}")]
    Length {
        /// The kernel that was called.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// The length that the other arguments ask for.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// The length of a slice is not a multiple of the size of one of its dimensions.
    #[error(
        "{op}: `{name}` has {found} elements, which is not a multiple of {multiple_of}; check the channel count or the number of time steps"
    )]
    Multiple {
        /// The kernel that was called.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// The size of the dimension.
        multiple_of: usize,
        /// The length it has.
        found: usize,
    },
    /// A packed operand was made for other sizes.
    #[error("{op}: `{name}` was packed for sizes {found:?}, expected {expected:?}")]
    Packed {
        /// The kernel that was called.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// Sizes needed.
        expected: [usize; 4],
        /// Sizes given.
        found: [usize; 4],
    },
    /// A number is outside the range in which the kernel is defined.
    #[error("{op}: `{name}` is {found}; use a value that is {expected}")]
    Range {
        /// The kernel that was called.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// What is allowed, in words.
        expected: &'static str,
        /// The value passed.
        found: f64,
    },
    /// The kernel of a convolution is larger than the padded input.
    #[error(
        "convolution: the kernel covers {kernel} {axis}, the padded input has {padded}; use a smaller kernel or more padding"
    )]
    KernelTooLarge {
        /// `rows` or `columns`.
        axis: &'static str,
        /// Extent of the kernel.
        kernel: usize,
        /// Extent of the padded input.
        padded: usize,
    },
    /// A product of sizes does not fit the address space, or a sum could leave the range where it is exact.
    #[error("convolution: {what} is too large for {limit}")]
    TooLarge {
        /// The quantity.
        what: &'static str,
        /// The bound it broke.
        limit: &'static str,
    },
    /// The number of elements of a shape does not fit `usize`.
    #[error("{op}: shape {shape:?} has more elements than can be counted; one of the sizes is probably wrong")]
    Overflow {
        /// The kernel that was called.
        op: &'static str,
        /// The sizes that were multiplied.
        shape: Vec<usize>,
    },
    /// The combination of options is valid elsewhere, but this kernel does not do it.
    #[error("{op}: {what}; {instead}")]
    Unsupported {
        /// The kernel that was called.
        op: &'static str,
        /// What it does not do.
        what: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The processor cannot run the wanted code path.
    #[error("kernel path `{path}` is not available on this processor; available: {}", KernelPath::available_names())]
    PathUnavailable {
        /// The wanted path.
        path: KernelPath,
    },
}

/// Refuses a slice of the wrong length.
pub(crate) fn check_len(
    op: &'static str,
    name: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), KernelError> {
    if expected == found { Ok(()) } else { Err(KernelError::Length { op, name, expected, found }) }
}

/// Refuses a size of zero.
pub(crate) fn check_nonzero(op: &'static str, name: &'static str, found: usize) -> Result<(), KernelError> {
    check_range(op, name, found as f64, found > 0, "at least 1")
}

/// Refuses a number for which `ok` is false; `expected` completes "use a value that is".
pub(crate) fn check_range(
    op: &'static str,
    name: &'static str,
    found: f64,
    ok: bool,
    expected: &'static str,
) -> Result<(), KernelError> {
    if ok { Ok(()) } else { Err(KernelError::Range { op, name, expected, found }) }
}

/// The number of elements of a shape.
pub(crate) fn product(op: &'static str, shape: &[usize]) -> Result<usize, KernelError> {
    let overflow = || KernelError::Overflow { op, shape: shape.to_vec() };
    shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).ok_or_else(overflow)
}
