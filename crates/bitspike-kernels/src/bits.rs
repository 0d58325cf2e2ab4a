//! Packed spikes and weight signs: 32 channels to a `u32`.
//!
//! Channel `c` is bit `c % 32` of word `c / 32`; the bits past the last channel are zero, so they never count.

mod signs;
mod spikes;
pub(crate) mod transpose;

pub use signs::PackedSigns;
pub use spikes::PackedSpikes;
pub(crate) use spikes::pack_spikes;

/// Channels in one word.
pub(crate) const WORD: usize = 32;
