//! The classifier, and what to make of its logits.

use crate::integer;
use crate::source::Bits;
use bitspike_format::{Features, Head};

/// Adds the logits of step `step` to `sums`, `f32` (of a head with integers, `i32`) in the bits of a word. `scratch` as the arena's plan says.
pub(crate) fn head(h: &Head<'_>, input: Bits<'_>, step: usize, sums: &mut [u32], scratch: &mut [u32]) -> Option<()> {
    let words = input.step(step)?;
    let (map, classes) = (&h.input, h.classes());
    let plane = map.pixels() * map.words();
    let (step_sums, counts) = scratch.split_at_mut_checked(classes)?;
    step_sums.fill(0f32.to_bits());
    let count = |pixel: usize, channel: usize| {
        let mut count = 0;
        for p in 0..map.planes {
            count += (words.get(p * plane + pixel * map.words() + channel / 32)? >> (channel % 32) & 1) << p;
        }
        Some(count)
    };
    let mut add = |feature: usize, n: u32| {
        // A term of zero changes no sum.
        if let (Some(integer), true) = (&h.integer, n != 0) {
            return integer::add(integer, feature, n, step_sums);
        }
        if n != 0 {
            let weights = h.weights.part(feature * classes, classes)?;
            for (sum, w) in step_sums.iter_mut().zip(weights.iter()) {
                *sum = (f32::from_bits(*sum) + (w * n as f32)).to_bits();
            }
        }
        Some(())
    };
    match h.features {
        Features::Flatten => {
            for pixel in 0..map.pixels() {
                for channel in 0..map.channels {
                    add(pixel * map.channels + channel, count(pixel, channel)?)?;
                }
            }
        }
        Features::Average => {
            let counts = counts.get_mut(..map.channels)?;
            counts.fill(0);
            for pixel in 0..map.pixels() {
                for (channel, sum) in counts.iter_mut().enumerate() {
                    *sum += count(pixel, channel)?;
                }
            }
            for (channel, n) in counts.iter().enumerate() {
                add(channel, *n)?;
            }
        }
    }
    if let Some(integer) = &h.integer {
        integer::total(integer, step_sums, sums);
        return Some(());
    }
    let unit = h.unit();
    for ((total, sum), bias) in sums.iter_mut().zip(step_sums.iter()).zip(h.bias.iter()) {
        let y = (f32::from_bits(*sum) * unit) + bias;
        *total = (f32::from_bits(*total) + y).to_bits();
    }
    Some(())
}

/// Logits of `steps` steps from their sums.
pub(crate) fn mean(h: &Head<'_>, sums: &[u32], steps: usize, logits: &mut [f32]) {
    if let Some(integer) = &h.integer {
        return integer::logits(integer.unit, sums, steps, logits);
    }
    for (logit, sum) in logits.iter_mut().zip(sums) {
        *logit = f32::from_bits(*sum) / steps as f32;
    }
}

/// The class with the largest logit; the first of equals.
///
/// ```
/// assert_eq!(bitspike_infer::best(&[0.5, 2.0, 2.0]), 1);
/// ```
#[must_use]
pub fn best(logits: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, logit) in logits.iter().enumerate() {
        if *logit > best.1 {
            best = (class, *logit);
        }
    }
    best.0
}

/// How far the largest logit is ahead of the second: a rule to stop early, once it is large enough.
///
/// ```
/// assert_eq!(bitspike_infer::margin(&[0.5, 2.0, 1.25]), 0.75);
/// ```
#[must_use]
pub fn margin(logits: &[f32]) -> f32 {
    let (mut first, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for logit in logits {
        if *logit > first {
            (first, second) = (*logit, first);
        } else if *logit > second {
            second = *logit;
        }
    }
    first - second
}
