//! Spikes as look-up steps.

use std::ops::Range;

use crate::bits::{PackedSpikes, WORD};
use crate::conv_binary::fast_input::signs::{BLOCK, Step};
use crate::conv_binary::fast_input::tables::{BIAS, PER_TABLE};
use crate::dispatch::KernelPath;
use crate::par::{Level, multiversioned};
use crate::shape::ConvShape;

const _: () = assert!(BLOCK == WORD, "a word of spikes is a block of channels");

/// The spikes of 32 input channels under some output pixels, at one tap.
#[derive(Default)]
pub(super) struct Steps {
    /// One per eight output pixels.
    pub(super) steps: Vec<Step>,
    /// Minus what the bias of the tables adds to the sums of all steps.
    pub(super) start: [i32; BLOCK],
    /// The word under each output pixel, zero past the border.
    words: Vec<[u32; PER_TABLE]>,
}

impl Steps {
    pub(super) fn fill(
        &mut self,
        path: KernelPath,
        s: &ConvShape,
        x: &PackedSpikes,
        pixels: Range<usize>,
        block: usize,
        tap: [usize; 2],
    ) {
        let count = pixels.len().div_ceil(PER_TABLE);
        self.words.clear();
        self.words.resize(count, [0; PER_TABLE]);
        gather(s, x, pixels, block, tap, self.words.as_flattened_mut());
        self.steps.resize(count, Step { index: [0; 2 * BLOCK], sign: [1; 2 * BLOCK] });
        match path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions; both have AVX2.
            KernelPath::Avx2 | KernelPath::Avx512 => unsafe { avx2(&self.words, &mut self.steps) },
            _ => self.words.iter().zip(&mut self.steps).for_each(|(words, step)| spread(words, step)),
        }
        let mut signs = [0i16; 2 * BLOCK];
        add_signs(Level::selected(), &self.steps, &mut signs);
        for (start, pair) in self.start.iter_mut().zip(signs.as_chunks::<2>().0) {
            *start = -BIAS * (i32::from(pair[0]) + i32::from(pair[1]));
        }
    }
}

multiversioned! {
    /// Adds up the signs, byte by byte.
    fn add_signs(steps: &[Step], sums: &mut [i16; 2 * BLOCK]) {
        for step in steps {
            sums.iter_mut().zip(&step.sign).for_each(|(sum, &sign)| *sum += i16::from(sign));
        }
    }
}

/// The words of a block under a tap, for output pixels counted through rows and images. Zeros are left alone.
fn gather(s: &ConvShape, x: &PackedSpikes, pixels: Range<usize>, block: usize, [ky, kx]: [usize; 2], out: &mut [u32]) {
    let (out_h, out_w, per_pixel) = (s.out_h(), s.out_w(), x.words_per_pixel());
    let plane = x.plane(0);
    // Output columns whose input column ox * stride + kx - padding is inside.
    let from = s.padding.saturating_sub(kx).div_ceil(s.stride);
    let to = (s.w + s.padding).saturating_sub(kx).div_ceil(s.stride).min(out_w);
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let (row, ox) = (pixel / out_w, pixel % out_w);
        let end = (row * out_w + out_w).min(pixels.end);
        let (image, oy) = (row / out_h, row % out_h);
        let first = ox.max(from);
        let last = (end - row * out_w).min(to);
        if let Some(iy) = (oy * s.stride + ky).checked_sub(s.padding).filter(|&iy| iy < s.h)
            && first < last
        {
            let ix = first * s.stride + kx - s.padding;
            let words = &plane[((image * s.h + iy) * s.w + ix) * per_pixel + block..];
            let out = &mut out[row * out_w + first - pixels.start..][..last - first];
            out.iter_mut().zip(words.iter().step_by(per_pixel * s.stride)).for_each(|(out, &word)| *out = word);
        }
        pixel = end;
    }
}

/// Spikes of eight pixels, two groups of four: byte `2 i + g` serves channel i and group g.
fn spread(words: &[u32; PER_TABLE], step: &mut Step) {
    let bytes = step.index.as_chunks_mut::<2>().0.iter_mut().zip(step.sign.as_chunks_mut::<2>().0);
    for (channel, (index, sign)) in bytes.enumerate() {
        for (g, four) in words.as_chunks::<4>().0.iter().enumerate() {
            let [a, b, c, d] = four.map(|word| (word >> channel & 1) as u8);
            // A silent d turns the signs of a, b, c round.
            index[g] = ((a | b << 1 | c << 2) ^ d.wrapping_sub(1)) & 7 | (g as u8) << 3;
            sign[g] = 2 * d as i8 - 1;
        }
    }
}

/// [`spread`] for many steps.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(words: &[[u32; PER_TABLE]], steps: &mut [Step]) {
    use std::arch::x86_64::*;
    // Byte 2 i + g looks at bit i of half a word; the halves of a and of its partner in the other group lie side by side.
    let pick = _mm256_setr_epi8(
        0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3,
    );
    let bit = _mm256_set1_epi64x(0x0808_0404_0202_0101);
    let bit = _mm256_unpacklo_epi64(bit, _mm256_slli_epi64::<4>(bit));
    let groups = _mm256_set1_epi16(0x0800);
    let [one, two, four] = [1, 2, 4].map(|v| _mm256_set1_epi8(v));
    for (words, step) in words.iter().zip(steps) {
        for half in 0..2 {
            let fires: [__m256i; 4] = std::array::from_fn(|j| {
                let (low, high) = (words[j] >> (16 * half) & 0xFFFF, words[j + 4] >> (16 * half) << 16);
                let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((low | high) as i32), pick);
                _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit)
            });
            let like_d = |j: usize, flag: __m256i| _mm256_and_si256(_mm256_cmpeq_epi8(fires[j], fires[3]), flag);
            let signs = _mm256_or_si256(_mm256_or_si256(like_d(0, one), like_d(1, two)), like_d(2, four));
            let index = _mm256_or_si256(signs, groups);
            let sign = _mm256_sub_epi8(_mm256_and_si256(fires[3], two), one);
            // SAFETY: both arrays are two vectors long, and a step is aligned to 64 bytes.
            unsafe {
                _mm256_store_si256(step.index.as_mut_ptr().cast::<__m256i>().add(half), index);
                _mm256_store_si256(step.sign.as_mut_ptr().cast::<__m256i>().add(half), sign);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_spread_as_the_scalar_form(words: [u32; PER_TABLE]) {
            let mut step = Step { index: [0; 2 * BLOCK], sign: [0; 2 * BLOCK] };
            spread(&words, &mut step);
            for (channel, (index, sign)) in step.index.chunks(2).zip(step.sign.chunks(2)).enumerate() {
                for g in 0..2 {
                    // Read back: index and sign say which of the four fire.
                    let relative = if sign[g] > 0 { index[g] & 7 } else { !index[g] & 7 };
                    let fires = relative | u8::from(sign[g] > 0) << 3;
                    prop_assert_eq!(index[g] >> 3, g as u8);
                    for j in 0..4 {
                        prop_assert_eq!(fires >> j & 1, (words[4 * g + j] >> channel & 1) as u8);
                    }
                }
            }
            #[cfg(target_arch = "x86_64")]
            if std::is_x86_feature_detected!("avx2") {
                let mut found = [Step { index: [0; 2 * BLOCK], sign: [0; 2 * BLOCK] }];
                // SAFETY: the processor has AVX2.
                unsafe { avx2(&[words], &mut found) };
                prop_assert_eq!(found[0].index, step.index);
                prop_assert_eq!(found[0].sign, step.sign);
            }
        }
    }
}
