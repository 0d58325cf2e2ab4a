//! A whole sample, layer by layer.

use crate::arena::{Parts, by_steps, run_words};
use crate::block::{Input, block};
use crate::check::{check, finite};
use crate::head::{head, mean};
use crate::source::Bits;
use crate::step::{reset, step};
use crate::{InferError, Observer};
use bitspike_format::{Layer, Model};

/// Computes the logits of a sample: an image `[channel][row][column]` that all T steps see, or T frames one after another.
///
/// The arena's content before does not matter, and nothing in it is of use afterwards. `observer` sees the spikes of every
/// layer; give `&mut ()` if nobody looks.
///
/// # Errors
/// [`InferError`] if a length is wrong or an input value is not finite; nothing was computed then.
pub fn run(
    model: &Model<'_>,
    arena: &mut [u32],
    input: &[f32],
    logits: &mut [f32],
    observer: &mut impl Observer,
) -> Result<(), InferError> {
    let (n, needed) = (*model.network(), run_words(model)?);
    let frame = n.input.len();
    let sequence = frame.checked_mul(n.steps) == Some(input.len());
    check(model, needed, arena, if sequence { frame } else { input.len() }, logits)?;
    finite(input)?;
    if by_steps(model) {
        reset(model, arena)?;
        for t in 0..n.steps {
            let from = if sequence { t * frame } else { 0 };
            let frame = input.get(from..from + frame).ok_or(InferError::Internal)?;
            step(model, arena, frame, logits, observer)?;
        }
        return Ok(());
    }
    whole(model, arena, input, logits, observer).ok_or(InferError::Internal)
}

fn whole(
    model: &Model<'_>,
    arena: &mut [u32],
    input: &[f32],
    logits: &mut [f32],
    observer: &mut impl Observer,
) -> Option<()> {
    let steps = model.network().steps;
    let parts = Parts::new(model, steps)?;
    let (even, rest) = arena.split_at_mut_checked(parts.even)?;
    let (odd, scratch) = rest.split_at_mut_checked(parts.odd)?;
    let mut map = model.network().input;
    for (i, layer) in model.layers().enumerate() {
        let (from, to) = if i % 2 == 0 { (&*odd, &mut *even) } else { (&*even, &mut *odd) };
        let bits = Bits { words: from, map };
        match layer {
            Layer::Block(b) => {
                let input = if i == 0 { Input::Frames(input) } else { Input::Bits(bits) };
                block(&b, (0, steps), input, to, &mut [], scratch)?;
                map = b.output();
                let out = Bits { words: to, map };
                for t in 0..steps {
                    observer.spikes(i, t, &map, out.step(t)?);
                }
            }
            Layer::Head(h) => {
                let (sums, scratch) = scratch.split_at_mut_checked(logits.len())?;
                sums.fill(0f32.to_bits());
                for t in 0..steps {
                    head(&h, bits, t, sums, scratch)?;
                }
                mean(&h, sums, steps, logits);
            }
            Layer::Residual(_) | Layer::Neurons(_) => return None,
        }
    }
    Some(())
}
