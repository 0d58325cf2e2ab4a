//! Residual chains: currents of all steps, layer by layer.
//!
//! Currents are `[step][pixel][width]`, or `[pixel][width]` while they are the same at every step: after the stem of a static
//! image. The width is the number of channels, padded to whole words; padded channels hold 0.

use super::prepare::{Binary, Shortcut, Stem};
use super::{Engine, Factors, Job, Mix, Sums, Windows, Workspace, path};
use crate::source::Bits;
use bitspike_format::{Block, Map, Neuron, Residual};

impl Engine<'_> {
    /// The current of a stem without neurons, to `ws.currents`.
    pub(super) fn stem_current(&self, stem: &Stem, b: &Block<'_>, ws: &mut Workspace, input: &[f32]) -> Option<()> {
        let frames = self.stem_sums(stem, b, ws, input);
        let (rows, width) = (b.conv.output().pixels(), stem.width);
        ws.currents.resize(frames * rows * width, 0.0);
        let mix = Mix {
            sums: Sums::Reals(&ws.reals, false),
            rows,
            width,
            slope: &stem.slope,
            offset: &stem.offset,
            factors: Factors::None,
            shortcut: None,
        };
        path::currents(self.path, &mix, &mut ws.currents);
        Some(())
    }

    /// Spikes of neurons that see `ws.currents`, to `ws.to`.
    pub(super) fn spikes(&self, neuron: &Neuron, map: &Map, ws: &mut Workspace) {
        let (steps, rows, width) = (self.model.network().steps, map.pixels(), 32 * map.words());
        // `(1 · x) + 0` is x but for the sign of a zero, which no comparison sees.
        ws.pooled.clear();
        ws.pooled.resize(width, 1.0);
        ws.pooled.resize(2 * width, 0.0);
        let (slope, offset) = ws.pooled.split_at(width);
        let constant = ws.currents.len() != steps * rows * width;
        let sums = Sums::Reals(&ws.currents, constant);
        let (factors, windows) = (Factors::None, Windows::alone(rows));
        let job = Job { sums, steps, width, slope, offset, factors, windows, neuron: *neuron };
        ws.to.resize(steps * rows * map.words(), 0);
        path::neurons(self.path, &job, &mut ws.to);
    }

    /// A residual block: its spikes to `ws.to`, its current to `ws.currents`.
    pub(super) fn residual(
        &self,
        binary: &Binary,
        projection: Option<&Shortcut>,
        r: &Residual<'_>,
        ws: &mut Workspace,
    ) -> Option<()> {
        let steps = self.model.network().steps;
        self.spikes(&r.neuron, &r.conv.input, ws);
        let (input, rows, width) = (r.conv.input, r.conv.output().pixels(), binary.width);
        let b = r.block();
        ws.lists.fill(&ws.to, &input, steps);
        ws.sums.resize(steps * rows * width, 0);
        path::events(self.path, binary, &b, &ws.lists, steps, &mut ws.sums);
        let bits = Bits { words: &ws.to, map: input };
        let factors = self.factors(binary, &b, bits, &ws.sums, &mut ws.gate, &mut ws.factors)?;
        let from = 32 * input.words();
        let frames = ws.currents.len() / (input.pixels() * from);
        if let Some(p) = projection {
            ws.reals.resize(frames * rows * width, 0.0);
            path::project(self.path, p, &ws.currents, [input.rows, input.columns, from], &mut ws.reals);
            let mix = Mix {
                sums: Sums::Reals(&ws.reals, false),
                rows,
                width,
                slope: &p.slope,
                offset: &p.offset,
                factors: Factors::None,
                shortcut: None,
            };
            ws.currents.resize(frames * rows * width, 0.0);
            path::currents(self.path, &mix, &mut ws.currents);
        }
        let mix = Mix {
            sums: Sums::Integers(&ws.sums),
            rows,
            width,
            slope: &binary.slope,
            offset: &binary.offset,
            factors,
            shortcut: Some((&ws.currents, frames != steps)),
        };
        ws.next.resize(steps * rows * width, 0.0);
        path::currents(self.path, &mix, &mut ws.next);
        std::mem::swap(&mut ws.currents, &mut ws.next);
        Some(())
    }
}
