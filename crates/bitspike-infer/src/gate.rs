//! What a gate makes of a current; formulas at [`Gate`].

use crate::arena::gate_width;
use crate::math::{hard, sigmoid};
use crate::source::BinarySource;
use bitspike_format::{Affine, Conv, Gate, element_factor};

/// Factors of consecutive steps.
#[derive(Clone, Copy)]
pub(crate) enum Factors<'a> {
    /// Nothing is multiplied.
    None,
    /// From the file.
    File(bitspike_format::Factor<'a>, usize),
    /// From the sample, `[step][width]`, `f32` in the bits of a word.
    Sample(&'a [u32], usize),
    /// From every current: α of the file, the first step, and whether α is inside.
    Element(bitspike_format::Factor<'a>, usize, bool),
}

impl<'a> Factors<'a> {
    /// Computes what depends on the sample into `scratch`, of [`gate_words`](crate::arena::gate_words) words.
    pub(crate) fn new(
        gate: &Gate<'a>,
        conv: &Conv<'_>,
        affine: &Affine<'_>,
        source: Option<&BinarySource<'_>>,
        (first, steps): (usize, usize),
        scratch: &'a mut [u32],
    ) -> Option<Self> {
        match gate {
            Gate::None => return Some(Self::None),
            Gate::Fixed(factor) => return Some(Self::File(*factor, first)),
            Gate::Element { alpha, inside } => return Some(Self::Element(*alpha, first, *inside)),
            Gate::Sample { .. } => {}
        }
        let width = gate_width(gate, conv.channels);
        let (counts, rest) = scratch.split_at_mut_checked(conv.input.channels)?;
        let (sums, rest) = rest.split_at_mut_checked(conv.channels)?;
        let factors = rest.get_mut(..steps * width)?;
        for (step, factors) in factors.chunks_mut(width.max(1)).enumerate() {
            sums.fill(0);
            source?.map_sums(step, counts, sums)?;
            sample(gate, affine, sums, conv.output().pixels(), first + step, factors);
        }
        Some(Self::Sample(factors, width))
    }

    /// The current z of a step (counted from the first) and channel after the gate.
    #[inline]
    pub(crate) fn apply(&self, z: f32, step: usize, channel: usize) -> f32 {
        match *self {
            Self::None => z,
            Self::File(factor, first) => z * factor.at(first + step, channel),
            Self::Sample(values, width) => {
                let i = step * width + if width == 1 { 0 } else { channel };
                values.get(i).map_or(z, |bits| z * f32::from_bits(*bits))
            }
            Self::Element(alpha, first, inside) => z * element_factor(alpha.at(first + step, channel), inside, z),
        }
    }
}

/// The factors of one step from the sums over the map (`i32` in the bits of a word), one or one per channel.
pub(crate) fn sample(
    gate: &Gate<'_>,
    affine: &Affine<'_>,
    sums: &[u32],
    pixels: usize,
    step: usize,
    factors: &mut [u32],
) {
    let Gate::Sample { alpha, per_channel, inside, hard: is_hard } = gate else { return };
    let function = |x: f32| if *is_hard { hard(x) } else { sigmoid(x) };
    let channels = sums.len() as f64;
    let pixels = pixels as f64;
    let means = || {
        let terms = sums.iter().zip(affine.slope.iter().zip(affine.offset.iter()));
        terms.map(|(sum, (a, b))| (f64::from(a) * f64::from(*sum as i32)) / pixels + f64::from(b))
    };
    let shared = if *per_channel { 0.0 } else { (means().fold(0.0, |sum, mean| sum + mean) / channels) as f32 };
    let mut own = means();
    for (channel, factor) in factors.iter_mut().enumerate() {
        let m = if *per_channel { own.next().unwrap_or(0.0) as f32 } else { shared };
        let alpha = alpha.at(step, channel);
        *factor = if *inside { function(alpha * m) } else { alpha * function(m) }.to_bits();
    }
}
