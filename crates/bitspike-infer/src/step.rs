//! A stream, frame by frame.

use crate::arena::{FRONT, Parts, kept_words, potentials, step_words};
use crate::block::{Input, block};
use crate::check::{check, finite};
use crate::head::{head, mean};
use crate::integer;
use crate::parts::neurons;
use crate::residual::{fire_words, residual, stem};
use crate::source::Bits;
use crate::{InferError, Observer};
use bitspike_format::{Layer, Map, Model};

/// Stands in word 0 of an arena that [`reset`] has prepared, xor the arena's size.
const MARK: u32 = 0x4253_4E4E;

fn mark(needed: usize) -> u32 {
    MARK ^ needed as u32
}

/// Forgets everything: potentials, logits and the number of steps. Needed once before the first [`step`], and between samples.
///
/// # Errors
/// [`InferError::Arena`] if the arena is smaller than [`step_words`] says.
pub fn reset(model: &Model<'_>, arena: &mut [u32]) -> Result<(), InferError> {
    let needed = step_words(model)?;
    let found = arena.len();
    let kept = kept_words(model).and_then(|kept| arena.get_mut(..kept)).filter(|_| found >= needed);
    let kept = kept.ok_or(InferError::Arena { needed, found })?;
    kept.fill(0);
    if let Some(first) = kept.first_mut() {
        *first = mark(needed);
    }
    Ok(())
}

/// Steps since the last [`reset`].
#[must_use]
pub fn steps_done(arena: &[u32]) -> usize {
    arena.get(1).map_or(0, |steps| *steps as usize)
}

/// Shows the network one frame `[channel][row][column]`; `logits` become the mean over all steps since [`reset`].
///
/// Stop whenever the answer is good enough, for instance by [`margin`](crate::margin). After step T gates go on with their
/// last α. State is in the arena alone: calls with different arenas do not touch each other.
///
/// # Errors
/// [`InferError`] if a length is wrong, a value of the frame is not finite, or the arena was not [`reset`] for this model; nothing
/// was computed then, and the arena is as it was.
pub fn step(
    model: &Model<'_>,
    arena: &mut [u32],
    frame: &[f32],
    logits: &mut [f32],
    observer: &mut impl Observer,
) -> Result<(), InferError> {
    let needed = step_words(model)?;
    check(model, needed, arena, frame.len(), logits)?;
    if arena.first() != Some(&mark(needed)) {
        return Err(InferError::NotReset);
    }
    finite(frame)?;
    one(model, arena, frame, logits, observer).ok_or(InferError::Internal)
}

fn one(
    model: &Model<'_>,
    arena: &mut [u32],
    frame: &[f32],
    logits: &mut [f32],
    observer: &mut impl Observer,
) -> Option<()> {
    let parts = Parts::new(model, 1)?;
    let (front, rest) = arena.split_at_mut_checked(FRONT)?;
    let done = front.get_mut(1)?;
    let t = *done as usize;
    let (sums, rest) = rest.split_at_mut_checked(logits.len())?;
    let kept = kept_words(model)?.checked_sub(FRONT)?.checked_sub(sums.len())?;
    let (mut all_potentials, rest) = rest.split_at_mut_checked(kept)?;
    let (even, rest) = rest.split_at_mut_checked(parts.even)?;
    let (odd, scratch) = rest.split_at_mut_checked(parts.odd)?;
    let mut map = model.network().input;
    for (i, layer) in model.layers().enumerate() {
        let (mine, others) = all_potentials.split_at_mut_checked(potentials(&layer))?;
        all_potentials = others;
        let (from, to) = if i % 2 == 0 { (&*odd, &mut *even) } else { (&*even, &mut *odd) };
        let bits = Bits { words: from, map };
        match layer {
            Layer::Block(b) if b.neuron.is_none() => stem(&b, frame, to)?,
            Layer::Block(b) => {
                let input = if i == 0 { Input::Frames(frame) } else { Input::Bits(bits) };
                block(&b, (t, 1), input, to, mine, scratch)?;
                let map = b.output();
                observer.spikes(i, t, &map, to.get(..map.bit_words())?);
            }
            Layer::Residual(r) => {
                let (spikes, scratch) = scratch.split_at_mut_checked(r.conv.input.bit_words())?;
                residual(&r, t, from.get(..map.len())?, to, mine, spikes, scratch)?;
                observer.spikes(i, t, &r.conv.input, spikes);
            }
            Layer::Neurons(n) => {
                let current = from.get(..map.len())?;
                match &n.integer {
                    Some(integer) => neurons(&n.input, current, mine, to, integer::fire_words(integer))?,
                    None => neurons(&n.input, current, mine, to, fire_words(&n.neuron))?,
                }
                let map = Map { planes: 1, ..n.input };
                observer.spikes(i, t, &map, to.get(..map.bit_words())?);
            }
            Layer::Head(h) => {
                head(&h, bits, 0, sums, scratch)?;
                mean(&h, sums, t.wrapping_add(1), logits);
            }
        }
        if let Some(output) = layer.output() {
            map = output;
        }
    }
    *done = done.wrapping_add(1);
    Some(())
}
