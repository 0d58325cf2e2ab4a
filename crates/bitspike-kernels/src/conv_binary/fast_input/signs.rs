//! Signs of the weights as look-up steps.

use rayon::prelude::*;

use super::tables::BIAS;
use crate::bits::{PackedSigns, WORD};
use crate::conv_real::lanes::WIDTH;

/// Destination channels of a block.
pub(in crate::conv_binary) const BLOCK: usize = 32;
/// Steps in a word of 32 source channels.
const PER_WORD: usize = 4;
/// Blocks of 16 channels in a block of this kernel.
const HALVES: usize = BLOCK / WIDTH;

/// Signs of 8 source channels (two groups of four) for 32 destination channels: byte `2 i + g` serves channel i of the
/// block and group g.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(in crate::conv_binary) struct Step {
    /// Entry of a table: the signs of a, b, c relative to that of d in bits 0 to 2, the group in bit 3.
    pub(in crate::conv_binary) index: [u8; 2 * BLOCK],
    /// The sign of d, +1 or -1.
    pub(in crate::conv_binary) sign: [i8; 2 * BLOCK],
}

/// All signs of a convolution, spread.
pub(super) struct Spread {
    /// `[block of 32 destination channels][flipped tap][step]`
    pub(super) steps: Vec<Step>,
    /// `[block of 32 destination channels][flipped tap]`: what the bias of the tables adds to the sum of a tap.
    pub(super) bias: Vec<[i32; BLOCK]>,
    pub(super) taps: usize,
    /// Steps of a tap.
    pub(super) per_tap: usize,
}

impl Spread {
    pub(super) fn new(w: &PackedSigns) -> Self {
        let [c_out, c_in, ..] = w.dims();
        let (taps, words, per_tap) = (w.taps(), c_out.div_ceil(WORD), c_out.div_ceil(8));
        let blocks = c_in.div_ceil(BLOCK);
        let mut steps = vec![Step { index: [0; 2 * BLOCK], sign: [1; 2 * BLOCK] }; blocks * taps * per_tap];
        let mut bias = vec![[0; BLOCK]; blocks * taps];
        let halves = w.by_input().chunks(HALVES * taps * words * WIDTH);
        let jobs: Vec<_> =
            steps.chunks_exact_mut(taps * per_tap).zip(bias.chunks_exact_mut(taps)).zip(halves).collect();
        jobs.into_par_iter().for_each(|((steps, bias), halves)| {
            for (half, signs) in halves.chunks_exact(taps * words * WIDTH).enumerate() {
                for ((steps, bias), signs) in
                    steps.chunks_exact_mut(per_tap).zip(bias.iter_mut()).zip(signs.chunks_exact(words * WIDTH))
                {
                    for (k, step) in steps.iter_mut().enumerate() {
                        let lanes = &signs[k / PER_WORD * WIDTH..][..WIDTH];
                        spread(lanes, 8 * (k % PER_WORD), half * WIDTH, step);
                    }
                    let bias = &mut bias[half * WIDTH..][..WIDTH];
                    for step in steps.iter() {
                        let signs = step.sign[half * 2 * WIDTH..].chunks_exact(2);
                        bias.iter_mut().zip(signs).for_each(|(b, s)| *b += BIAS * i32::from(s[0] + s[1]));
                    }
                }
            }
        });
        Self { steps, bias, taps, per_tap }
    }

    /// Steps and bias of a block.
    pub(super) fn block(&self, block: usize) -> (&[Step], &[[i32; BLOCK]]) {
        let len = self.taps * self.per_tap;
        (&self.steps[block * len..][..len], &self.bias[block * self.taps..][..self.taps])
    }
}

/// Eight bits from `shift` on of 16 destination channels, which begin at `first` within the block.
fn spread(lanes: &[u32], shift: usize, first: usize, step: &mut Step) {
    let index = step.index[2 * first..].chunks_exact_mut(2);
    let sign = step.sign[2 * first..].chunks_exact_mut(2);
    for ((&word, index), sign) in lanes.iter().zip(index).zip(sign) {
        let byte = (word >> shift) as u8;
        for (g, nibble) in [byte & 15, byte >> 4].into_iter().enumerate() {
            let d = nibble >> 3;
            // Under a minus the signs of a, b, c turn round: `s (±a ±b ±c + d)` with s the sign of d.
            index[g] = (nibble ^ d.wrapping_sub(1)) & 7 | (g as u8) << 3;
            sign[g] = 2 * d as i8 - 1;
        }
    }
}
