//! Residual blocks and neurons alone, one time step at a time: their signals are currents.

use crate::gate::Factors;
use crate::integer::current;
use crate::parts::{at, fire, neurons};
use crate::source::{BinarySource, Bits, RealSource};
use bitspike_format::{Block, Map, Neuron, Projection, Residual};

/// The current of a stem without neurons, `f32` (or an integer, in front of layers with integers) in the bits of a word,
/// channels-last.
pub(crate) fn stem(b: &Block<'_>, frame: &[f32], out: &mut [u32]) -> Option<()> {
    let (source, map) = (RealSource::new(&b.conv, frame)?, b.conv.output());
    for y in 0..map.rows {
        for x in 0..map.columns {
            for channel in 0..map.channels {
                let (a, offset) = at(&b.affine, channel, 1)?;
                let z = (a * source.sum(y, x, channel)?) + offset;
                *out.get_mut((y * map.columns + x) * map.channels + channel)? = current(z, b.current_shift);
            }
        }
    }
    Some(())
}

/// [`fire`] on the words of a potential and a current.
pub(crate) fn fire_words(neuron: &Neuron) -> impl Fn(u32, u32) -> (u32, bool) {
    |v, z| {
        let (next, spike) = fire(neuron, f32::from_bits(v), f32::from_bits(z));
        (next.to_bits(), spike)
    }
}

/// One step of a residual block: `out` is a current; `bits` receives the spikes of its neurons.
pub(crate) fn residual(
    r: &Residual<'_>,
    step: usize,
    current: &[u32],
    out: &mut [u32],
    potentials: &mut [u32],
    bits: &mut [u32],
    scratch: &mut [u32],
) -> Option<()> {
    if let Some(integer) = &r.integer {
        return crate::integer::residual((r, integer), step, current, out, potentials, bits, scratch);
    }
    neurons(&r.conv.input, current, potentials, bits, fire_words(&r.neuron))?;
    let source = BinarySource::new(&r.conv, Bits { words: bits, map: r.conv.input })?;
    let (pooled, scratch) = scratch.split_at_mut_checked(r.conv.input.channels)?;
    let factors = Factors::new(&r.gate, &r.conv, &r.affine, Some(&source), (step, 1), scratch)?;
    let map = r.conv.output();
    for y in 0..map.rows {
        for x in 0..map.columns {
            if r.projection.is_some() {
                window_means(&r.conv.input, current, (y, x), pooled)?;
            }
            let under = source.under(0, y, x)?;
            for channel in 0..map.channels {
                let (a, offset) = at(&r.affine, channel, 1)?;
                let z = (a * source.sum(0, y, x, channel, under)? as f32) + offset;
                let z = factors.apply(z, 0, channel);
                let i = (y * map.columns + x) * map.channels + channel;
                let around = match &r.projection {
                    None => f32::from_bits(*current.get(i)?),
                    Some(p) => project(p, pooled, channel, map.channels)?,
                };
                *out.get_mut(i)? = (z + around).to_bits();
            }
        }
    }
    Some(())
}

/// Means of the 2×2 windows at `(y, x)`, one per channel.
fn window_means(map: &Map, current: &[u32], (y, x): (usize, usize), means: &mut [u32]) -> Option<()> {
    let value = |dy: usize, dx: usize, channel: usize| {
        let i = ((2 * y + dy) * map.columns + 2 * x + dx) * map.channels + channel;
        current.get(i).map(|bits| f32::from_bits(*bits))
    };
    for (channel, mean) in means.iter_mut().enumerate() {
        let upper = value(0, 0, channel)? + value(0, 1, channel)?;
        let lower = value(1, 0, channel)? + value(1, 1, channel)?;
        *mean = ((upper + lower) * 0.25).to_bits();
    }
    Some(())
}

fn project(p: &Projection<'_>, pooled: &[u32], channel: usize, channels: usize) -> Option<f32> {
    let mut sum = 0.0f32;
    for (ci, value) in pooled.iter().enumerate() {
        sum += p.weights.get(ci * channels + channel)? * f32::from_bits(*value);
    }
    let (a, offset) = at(&p.affine, channel, 1)?;
    Some((a * sum) + offset)
}
