//! What can go wrong when a checked file runs.

use core::fmt;

/// A call that was refused. Nothing was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InferError {
    /// The arena is too small.
    Arena {
        /// Words needed.
        needed: usize,
        /// Words given.
        found: usize,
    },
    /// The input has another number of values than a frame, or than T frames.
    Input {
        /// Values of a frame.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// An input value is NaN or infinite.
    NotFinite {
        /// Its index in the input of the call, all samples and frames together.
        index: usize,
    },
    /// The space for logits has another length than the number of classes.
    Logits {
        /// Number of classes.
        expected: usize,
        /// Length given.
        found: usize,
    },
    /// The network needs more memory than this processor can address.
    TooLarge,
    /// `BITSPIKE_KERNEL` names kernels that are not known, or that the processor cannot run.
    Kernel,
    /// The arena was not made ready by `reset` for this model.
    NotReset,
    /// The file contradicts itself, which a checked file cannot.
    Internal,
}

impl InferError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Arena { .. } => "lend as many words as `run_words` or `step_words` says",
            Self::Input { .. } => "give channels * rows * columns values, or T times as many",
            Self::NotFinite { .. } => "give finite values; decide before the call what a missing one means",
            Self::Logits { .. } => "give one place per class",
            Self::TooLarge => "use a smaller network, or a processor with more address space",
            Self::Kernel => "unset BITSPIKE_KERNEL, or name portable, neon, avx2 or avx512 as the processor allows",
            Self::NotReset => "call `reset` once before the first `step`, and do not change the arena in between",
            Self::Internal => "please report it, with the file",
        }
    }
}

impl fmt::Display for InferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Arena { needed, found } => write!(f, "the arena has {found} words; {needed} are needed"),
            Self::Input { expected, found } => write!(f, "the input has {found} values; a frame has {expected}"),
            Self::NotFinite { index } => write!(f, "input value {index} (from 0) is NaN or infinite"),
            Self::Logits { expected, found } => {
                write!(f, "there is room for {found} logits; there are {expected} classes")
            }
            Self::TooLarge => f.write_str("the network needs more memory than can be addressed"),
            Self::Kernel => f.write_str("BITSPIKE_KERNEL names kernels that cannot run here"),
            Self::NotReset => f.write_str("the arena is not ready for this model"),
            Self::Internal => f.write_str("the file contradicts itself"),
        }
    }
}

impl core::error::Error for InferError {}
