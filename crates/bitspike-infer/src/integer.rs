//! Layers with integers; formulas at [`bitspike_format::integer`].

use crate::arena::{currents, gate_width};
use crate::parts::{binary_sum, corners, neurons, put, under_all};
use crate::source::{BinarySource, Bits};
use bitspike_format::integer::{
    IntegerBlock, IntegerGate, IntegerHead, IntegerNeuron, IntegerProjection, argument, gated, limit, of_float, shift,
    window_mean,
};
use bitspike_format::{Block, Conv, Gate, Map, Residual};

/// Factors K of consecutive steps, `[step][width]` in words; of width 1 where channels share one, empty without a gate; or a gate
/// per element, with the first step and the bits after the point.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a> {
    values: &'a [u32],
    width: usize,
    element: Option<(IntegerGate<'a>, usize, u32)>,
}

impl<'a> Factors<'a> {
    /// Computes them into `scratch`, of [`gate_words`](crate::arena::gate_words) words.
    fn new(
        (gate, integer): (&Gate<'_>, &IntegerBlock<'a>),
        conv: &Conv<'_>,
        window: usize,
        source: &BinarySource<'_>,
        (first, steps): (usize, usize),
        scratch: &'a mut [u32],
    ) -> Option<Self> {
        let element = integer.gate.filter(|gate| gate.element).map(|gate| (gate, first, integer.shift));
        if integer.gate.is_none() || element.is_some() {
            return Some(Self { values: &[], width: 1, element });
        }
        let width = gate_width(gate, conv.channels);
        let (counts, rest) = scratch.split_at_mut_checked(conv.input.channels)?;
        let (sums, rest) = rest.split_at_mut_checked(conv.channels)?;
        let values = rest.get_mut(..steps * width)?;
        for (step, values) in values.chunks_mut(width.max(1)).enumerate() {
            sums.fill(0);
            source.map_sums(step, counts, sums)?;
            sample(integer, sums, (conv.output().pixels(), window), first + step, values);
        }
        Some(Self { values, width, element: None })
    }

    /// The current z after the gate.
    #[inline]
    fn apply(&self, z: i32, step: usize, channel: usize) -> i32 {
        if let Some((gate, first, shift)) = &self.element {
            return element(gate, gate.alpha(first + step, channel), z, *shift);
        }
        let i = step * self.width + if self.width == 1 { 0 } else { channel };
        self.values.get(i).map_or(z, |k| gated(z, *k as i32))
    }
}

/// The current z, with f bits after the point, after a gate per element.
#[inline(always)]
pub(crate) fn element(gate: &IntegerGate<'_>, alpha: i32, z: i32, f: u32) -> i32 {
    gated(z, gate.factor_of(alpha, argument(i64::from(z), f)))
}

/// The factors of one step from the sums over the map (`i32` in the bits of a word), one or one per channel. `window` is how
/// many sums make a current.
pub(crate) fn sample(
    integer: &IntegerBlock<'_>,
    sums: &[u32],
    (pixels, window): (usize, usize),
    step: usize,
    factors: &mut [u32],
) {
    let Some(gate) = &integer.gate else { return };
    let q = |(channel, sum): (usize, &u32)| {
        let (a, b) = integer.affine(step, channel).unwrap_or((0, 0));
        let a = i64::from(a).wrapping_mul(window as i64);
        a.wrapping_mul(i64::from(*sum as i32)).wrapping_add(i64::from(b).wrapping_mul(pixels as i64))
    };
    let all = sums.iter().enumerate().map(q).fold(0i64, i64::wrapping_add);
    let shared = integer.argument(all, pixels.wrapping_mul(sums.len()));
    let mut own = sums.iter().enumerate().map(q);
    for (channel, factor) in factors.iter_mut().enumerate() {
        let x = if gate.per_channel { integer.argument(own.next().unwrap_or(0), pixels) } else { shared };
        *factor = gate.factor(x, step, channel) as u32;
    }
}

/// Steps `first .. first + steps` of a binary block; as [`block`](crate::block::block()).
#[inline(never)]
pub(crate) fn block(
    (b, integer): (&Block<'_>, &IntegerBlock<'_>),
    (first, steps): (usize, usize),
    input: Bits<'_>,
    out: &mut [u32],
    potentials: &mut [u32],
    scratch: &mut [u32],
) -> Option<()> {
    let (map, neurons) = (b.output(), b.neurons());
    let out = out.get_mut(..steps * map.bit_words())?;
    out.fill(0);
    let parts = currents(b).max(1);
    let (under, rest) = scratch.split_at_mut_checked(steps * parts)?;
    let (bits, rest) = rest.split_at_mut_checked(steps)?;
    let source = BinarySource::new(&b.conv, input)?;
    let (window, seen, sums) = (b.window(), b.seen(), b.sums());
    let factors = Factors::new((&b.gate, integer), &b.conv, sums[0] * sums[1], &source, (first, steps), rest)?;
    for y in 0..neurons.rows {
        for x in 0..neurons.columns {
            let (corners, count) = corners(seen, y, x);
            let corners = corners.get(..count)?;
            let together = (count / parts).max(1);
            for (step, under) in under.chunks_mut(parts).enumerate() {
                under_all(&source, step, (corners, together), under)?;
            }
            for word in 0..neurons.words() {
                bits.fill(0);
                for lane in 0..(neurons.channels - 32 * word).min(32) {
                    let channel = 32 * word + lane;
                    let potential = ((y * neurons.columns) + x) * neurons.channels + channel;
                    let mut v = potentials.get(potential).map_or(0, |v| *v as i32);
                    for (step, bits) in bits.iter_mut().enumerate() {
                        let (a, offset) = integer.affine(first + step, channel)?;
                        let mut z = 0i64;
                        for (k, under) in under.get(step * parts..(step + 1) * parts)?.iter().enumerate() {
                            let corners = corners.get(k * together..(k + 1) * together)?;
                            let sum = binary_sum(&source, step, corners, channel, *under)?;
                            z += i64::from(factors.apply(a.wrapping_mul(sum).wrapping_add(offset), step, channel));
                        }
                        let (next, spike) = integer.neuron.fire(v, window_mean(z, parts));
                        v = next;
                        *bits |= u32::from(spike) << lane;
                    }
                    if let Some(kept) = potentials.get_mut(potential) {
                        *kept = v as u32;
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

/// [`IntegerNeuron::fire`] on the words of a potential and a current.
pub(crate) fn fire_words(neuron: &IntegerNeuron) -> impl Fn(u32, u32) -> (u32, bool) {
    |v, z| {
        let (next, spike) = neuron.fire(v as i32, z as i32);
        (next as u32, spike)
    }
}

/// The current of a stem as it goes out: an integer if there is a shift, in the bits of a word.
pub(crate) fn current(z: f32, shift: Option<u32>) -> u32 {
    shift.map_or(z.to_bits(), |shift| of_float(z, shift) as u32)
}

/// One step of a residual block; as [`residual`](crate::residual::residual()).
#[inline(never)]
pub(crate) fn residual(
    (r, integer): (&Residual<'_>, &IntegerBlock<'_>),
    step: usize,
    current: &[u32],
    out: &mut [u32],
    potentials: &mut [u32],
    bits: &mut [u32],
    scratch: &mut [u32],
) -> Option<()> {
    neurons(&r.conv.input, current, potentials, bits, fire_words(&integer.neuron))?;
    let source = BinarySource::new(&r.conv, Bits { words: bits, map: r.conv.input })?;
    let (_, scratch) = scratch.split_at_mut_checked(r.conv.input.channels)?;
    let factors = Factors::new((&r.gate, integer), &r.conv, 1, &source, (step, 1), scratch)?;
    let map = r.conv.output();
    for y in 0..map.rows {
        for x in 0..map.columns {
            let under = source.under(0, y, x)?;
            for channel in 0..map.channels {
                let (a, offset) = integer.affine(step, channel)?;
                let sum = source.sum(0, y, x, channel, under)?;
                let z = factors.apply(a.wrapping_mul(sum).wrapping_add(offset), 0, channel);
                let i = (y * map.columns + x) * map.channels + channel;
                let around = match &r.projection {
                    None => *current.get(i)? as i32,
                    Some(p) => project(p.integer.as_ref()?, &r.conv.input, current, (y, x), channel, map.channels)?,
                };
                *out.get_mut(i)? = limit(i64::from(z) + i64::from(around)) as u32;
            }
        }
    }
    Some(())
}

fn project(
    p: &IntegerProjection<'_>,
    map: &Map,
    current: &[u32],
    (y, x): (usize, usize),
    channel: usize,
    channels: usize,
) -> Option<i32> {
    let first = (2 * y * map.columns + 2 * x) * map.channels;
    let line = map.columns * map.channels;
    let mut sum = 0i64;
    for ci in 0..map.channels {
        let value = |from: usize| current.get(first + from + ci).map(|v| i64::from(*v as i32));
        let four = value(0)? + value(map.channels)? + value(line)? + value(line + map.channels)?;
        sum = sum.wrapping_add(i64::from(p.weights.get(ci * channels + channel)?).wrapping_mul(four));
    }
    Some(limit(shift(sum, p.shift).wrapping_add(i64::from(p.offset.get(channel)?))))
}

/// Adds W of a feature, n times, to the sums of a step.
pub(crate) fn add(h: &IntegerHead<'_>, feature: usize, n: u32, sums: &mut [u32]) -> Option<()> {
    let weights = h.weights.part(feature * sums.len(), sums.len())?;
    for (sum, w) in sums.iter_mut().zip(weights.iter()) {
        *sum = sum.wrapping_add((w as u32).wrapping_mul(n));
    }
    Some(())
}

/// Adds the sums of a step to the totals.
pub(crate) fn total(h: &IntegerHead<'_>, sums: &[u32], totals: &mut [u32]) {
    for ((total, sum), bias) in totals.iter_mut().zip(sums).zip(h.bias.iter()) {
        let step = i64::from(*sum as i32) + i64::from(bias);
        *total = limit(i64::from(*total as i32) + step) as u32;
    }
}

/// Logits of `steps` steps from their totals.
pub(crate) fn logits(unit: f32, totals: &[u32], steps: usize, logits: &mut [f32]) {
    for (logit, total) in logits.iter_mut().zip(totals) {
        *logit = (*total as i32 as f32 * unit) / steps as f32;
    }
}
