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
