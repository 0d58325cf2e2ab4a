//! Convolution to neuron, one neuron after another through all steps.
//!
//! The obviously right form of [`Block`]: every neuron is computed by itself, its potential in a register, and nothing
//! between the input's spikes and its own is stored.

use crate::arena::{WINDOW, currents};
use crate::gate::Factors;
use crate::parts::{at, binary_sum, corners, fire, put, under_all};
use crate::source::{BinarySource, Bits, RealSource};
use bitspike_format::Block;

/// What comes in.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    /// Frames of consecutive steps, `[channel][row][column]` each; one frame alone stands for all steps.
    Frames(&'a [f32]),
    /// Spikes or counts.
    Bits(Bits<'a>),
}

/// Steps `first .. first + steps` of a block: spikes, or counts, in `out`, `[step][plane][row][column][word]`.
///
/// `potentials` holds the neurons' potentials between calls, or is empty where all steps are computed at once.
pub(crate) fn block(
    b: &Block<'_>,
    (first, steps): (usize, usize),
    input: Input<'_>,
    out: &mut [u32],
    potentials: &mut [u32],
    scratch: &mut [u32],
) -> Option<()> {
    if let Some(integer) = &b.integer {
        let Input::Bits(bits) = input else { return None };
        return crate::integer::block((b, integer), (first, steps), bits, out, potentials, scratch);
    }
    let neuron = b.neuron?;
    let (map, neurons) = (b.output(), b.neurons());
    let out = out.get_mut(..steps * map.bit_words())?;
    out.fill(0);
    let parts = currents(b).max(1);
    let (under, rest) = scratch.split_at_mut_checked(steps * parts)?;
    let (bits, rest) = rest.split_at_mut_checked(steps)?;
    let binary = match input {
        Input::Bits(bits) => Some(BinarySource::new(&b.conv, bits)?),
        Input::Frames(_) => None,
    };
    let factors = Factors::new(&b.gate, &b.conv, &b.affine, binary.as_ref(), (first, steps), rest)?;
    let (window, seen) = (b.window(), b.seen());
    for y in 0..neurons.rows {
        for x in 0..neurons.columns {
            let (corners, count) = corners(seen, y, x);
            let corners = corners.get(..count)?;
            // Outputs whose sums are added before slope, offset and gate.
            let together = (count / parts).max(1);
            if let Some(source) = &binary {
                for (step, under) in under.chunks_mut(parts).enumerate() {
                    under_all(source, step, (corners, together), under)?;
                }
            }
            for word in 0..neurons.words() {
                bits.fill(0);
                for lane in 0..(neurons.channels - 32 * word).min(32) {
                    let channel = 32 * word + lane;
                    let (a, offset) = at(&b.affine, channel, together)?;
                    let potential = ((y * neurons.columns) + x) * neurons.channels + channel;
                    let mut v = potentials.get(potential).map_or(0.0, |bits| f32::from_bits(*bits));
                    let mut constant = None;
                    for (step, bits) in bits.iter_mut().enumerate() {
                        let z = match (input, &binary) {
                            (_, Some(source)) => {
                                let mut z = [0.0; WINDOW];
                                let under = under.get(step * parts..(step + 1) * parts)?;
                                for (k, (z, under)) in z.iter_mut().zip(under).enumerate() {
                                    let corners = corners.get(k * together..(k + 1) * together)?;
                                    let sum = binary_sum(source, step, corners, channel, *under)?;
                                    *z = factors.apply((a * sum as f32) + offset, step, channel);
                                }
                                window_mean(z, parts)
                            }
                            (Input::Frames(frames), _) => match constant {
                                Some(z) => z,
                                None => {
                                    let len = b.conv.input.len();
                                    let alone = frames.len() == len;
                                    let from = if alone { 0 } else { step * len };
                                    let source = RealSource::new(&b.conv, frames.get(from..from + len)?)?;
                                    let z = (a * real_sum(&source, corners, channel)?) + offset;
                                    constant = alone.then_some(z);
                                    z
                                }
                            },
                            _ => return None,
                        };
                        let (next, spike) = fire(&neuron, v, z);
                        v = next;
                        *bits |= u32::from(spike) << lane;
                    }
                    if let Some(kept) = potentials.get_mut(potential) {
                        *kept = v.to_bits();
                    }
                }
                for (step, bits) in bits.iter().enumerate() {
                    put((b.pool, window), &map, step, (y, x, word), *bits, out);
                }
            }
        }
    }
    Some(())
}

/// The mean of so many gated currents: of a window, or of one.
#[inline]
pub(crate) fn window_mean([a, b, c, d]: [f32; WINDOW], parts: usize) -> f32 {
    match parts {
        1 => a,
        2 => (a + b) * 0.5,
        _ => ((a + b) + (c + d)) * 0.25,
    }
}

fn real_sum(source: &RealSource<'_>, corners: &[(usize, usize)], channel: usize) -> Option<f32> {
    let mut sums = [0.0; WINDOW];
    for (sum, (y, x)) in sums.iter_mut().zip(corners) {
        *sum = source.sum(*y, *x, channel)?;
    }
    let [a, b, c, d] = sums;
    Some(match corners.len() {
        1 => a,
        2 => a + b,
        _ => (a + b) + (c + d),
    })
}
