//! The way to look inside a network while it runs.

use bitspike_format::Map;

/// Receives what goes from layer to layer. Does nothing by default; `()` is an observer.
pub trait Observer {
    /// The spikes or counts that layer number `layer` gives at time step `step`, `[plane][row][column][word]`. Of a residual
    /// block these are the spikes of its own neurons.
    fn spikes(&mut self, layer: usize, step: usize, map: &Map, words: &[u32]) {
        let _ = (layer, step, map, words);
    }
}

impl Observer for () {}

/// Counts spikes, and mixes all words of them into one number (FNV-1a, word by word): two runs with equal digests saw the
/// same spikes. A device prints it where it cannot print them.
///
/// ```
/// use bitspike_infer::Digest;
/// assert_eq!(Digest::default(), Digest { spikes: 0, hash: 0x811C_9DC5 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Bits that were set.
    pub spikes: u32,
    /// The mixture.
    pub hash: u32,
}

impl Default for Digest {
    fn default() -> Self {
        Self { spikes: 0, hash: 0x811C_9DC5 }
    }
}

impl Observer for Digest {
    fn spikes(&mut self, _: usize, _: usize, _: &Map, words: &[u32]) {
        for word in words {
            self.spikes = self.spikes.wrapping_add(word.count_ones());
            self.hash = (self.hash ^ word).wrapping_mul(0x0100_0193);
        }
    }
}
