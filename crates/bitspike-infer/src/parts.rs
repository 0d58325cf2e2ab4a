//! Parts that layers with floats and layers with integers share: windows of outputs, their sums, neurons, the writing of spikes.

use crate::arena::WINDOW;
use crate::source::BinarySource;
use bitspike_format::{Affine, Map, Neuron, Pool, Reset};

/// One step of a neuron: its new potential, and whether it fires.
#[inline]
pub(crate) fn fire(neuron: &Neuron, v: f32, z: f32) -> (f32, bool) {
    let u = (neuron.decay * v) + z;
    let spike = u >= neuron.threshold;
    let v = match (spike, neuron.reset) {
        (false, _) => u,
        (true, Reset::Soft) => u - neuron.threshold,
        (true, Reset::Hard) => 0.0,
    };
    (v, spike)
}

/// Output positions of the sums behind the neuron at `(y, x)`, in windows of so many rows and columns, and how many they are.
pub(crate) fn corners([rows, columns]: [usize; 2], y: usize, x: usize) -> ([(usize, usize); WINDOW], usize) {
    let mut corners = [(0, 0); WINDOW];
    for (i, corner) in corners.iter_mut().enumerate() {
        *corner = (rows * y + i / columns.max(1), columns * x + i % columns.max(1));
    }
    (corners, rows * columns)
}

/// The spikes under each part of the corners, so many together, that is gated by itself.
pub(crate) fn under_all(
    source: &BinarySource<'_>,
    step: usize,
    (corners, together): (&[(usize, usize)], usize),
    under: &mut [u32],
) -> Option<()> {
    for (k, under) in under.iter_mut().enumerate() {
        *under = 0;
        for (y, x) in corners.get(k * together..(k + 1) * together)? {
            *under += source.under(step, *y, *x)?;
        }
    }
    Some(())
}

/// Slope and offset of a channel, for the total of so many sums.
pub(crate) fn at(affine: &Affine<'_>, channel: usize, sums: usize) -> Option<(f32, f32)> {
    let a = affine.slope.get(channel)?;
    let a = match sums {
        1 => a,
        2 => a * 0.5,
        _ => a * 0.25,
    };
    Some((a, affine.offset.get(channel)?))
}

/// The sum of the outputs at `corners`; `under` counts the spikes under all of them.
pub(crate) fn binary_sum(
    source: &BinarySource<'_>,
    step: usize,
    corners: &[(usize, usize)],
    channel: usize,
    under: u32,
) -> Option<i32> {
    let mut sum = 0;
    for (y, x) in corners {
        sum += source.sum(step, *y, *x, channel, 0)?;
    }
    Some(sum.wrapping_sub(under as i32))
}

/// Writes the bits of a word of neurons, or adds them to the window that they belong to, of so many rows and columns.
pub(crate) fn put(
    (pool, [rows, columns]): (Pool, [usize; 2]),
    map: &Map,
    step: usize,
    (y, x, word): (usize, usize, usize),
    bits: u32,
    out: &mut [u32],
) {
    let (words, plane) = (map.words(), map.pixels() * map.words());
    let from = step * map.bit_words();
    let pooled = (y / rows.max(1) * map.columns + x / columns.max(1)) * words + word;
    match pool {
        Pool::None | Pool::Current => {
            if let Some(out) = out.get_mut(from + (y * map.columns + x) * words + word) {
                *out = bits;
            }
        }
        // A last odd row or column belongs to no window.
        _ if y / rows.max(1) >= map.rows || x / columns.max(1) >= map.columns => {}
        Pool::MaxSpikes => {
            if let Some(out) = out.get_mut(from + pooled) {
                *out |= bits;
            }
        }
        Pool::Spikes => {
            let mut carry = bits;
            for p in 0..map.planes {
                if let Some(out) = out.get_mut(from + p * plane + pooled) {
                    (*out, carry) = (*out ^ carry, *out & carry);
                }
            }
        }
    }
}

/// Spikes of neurons that see a current; `fire` takes the words of a potential and a current, and gives the next potential
/// and whether there is a spike.
pub(crate) fn neurons(
    map: &Map,
    current: &[u32],
    potentials: &mut [u32],
    out: &mut [u32],
    fire: impl Fn(u32, u32) -> (u32, bool),
) -> Option<()> {
    let out = out.get_mut(..map.pixels() * map.words())?;
    let per_pixel = map.channels.max(1);
    let pixels = current.chunks(per_pixel).zip(potentials.chunks_mut(per_pixel));
    for ((current, potentials), out) in pixels.zip(out.chunks_mut(map.words().max(1))) {
        out.fill(0);
        for (word, (current, potentials)) in out.iter_mut().zip(current.chunks(32).zip(potentials.chunks_mut(32))) {
            for (lane, (z, v)) in current.iter().zip(potentials).enumerate() {
                let (next, spike) = fire(*v, *z);
                *v = next;
                *word |= u32::from(spike) << (lane & 31);
            }
        }
    }
    Some(())
}
