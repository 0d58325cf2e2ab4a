//! Transposes a square of 32 x 32 bits.

/// Bit `i` of word `j` becomes bit `j` of word `i`.
///
/// Halves are swapped, then quarters, down to single bits; see Warren, *Hacker's Delight*, section 7-3.
pub(crate) fn transpose(square: &mut [u32; 32]) {
    let mut width = 16;
    let mut mask = 0x0000_FFFFu32;
    while width != 0 {
        let mut k = 0;
        while k < 32 {
            let t = (square[k] >> width ^ square[k + width]) & mask;
            square[k + width] ^= t;
            square[k] ^= t << width;
            k = (k + width + 1) & !width;
        }
        width >>= 1;
        mask ^= mask << width;
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::transpose_avx512;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Truth table of `mask ? a : b`, bit by bit.
    const SELECT: i32 = 0xCA;

    /// Bit i of word j becomes bit j of word i; the words are the lanes of both vectors. Its
    /// scalar twin is [`transpose`].
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn transpose_avx512(low: __m512i, high: __m512i) -> [__m512i; 2] {
        let half = _mm512_set1_epi32(0xFFFF);
        let mut words = [
            _mm512_ternarylogic_epi32::<SELECT>(half, low, _mm512_slli_epi32::<16>(high)),
            _mm512_ternarylogic_epi32::<SELECT>(half, _mm512_srli_epi32::<16>(low), high),
        ];
        for word in &mut words {
            let w = *word;
            let w = exchange(w, _mm512_shuffle_i32x4::<0b01_00_11_10>(w, w), 8, 0xFF00, 0x00FF_00FF);
            let w = exchange(w, _mm512_shuffle_i32x4::<0b10_11_00_01>(w, w), 4, 0xF0F0, 0x0F0F_0F0F);
            let w = exchange(w, _mm512_shuffle_epi32::<0b01_00_11_10>(w), 2, 0xCCCC, 0x3333_3333);
            *word = exchange(w, _mm512_shuffle_epi32::<0b10_11_00_01>(w), 1, 0xAAAA, 0x5555_5555);
        }
        words
    }

    /// Swaps bits between lanes `distance` apart. Lanes in `upper` are the later ones of a pair: they keep the other half of
    /// their bits and turn the partner's the other way.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn exchange(word: __m512i, partner: __m512i, distance: i32, upper: __mmask16, keep: i32) -> __m512i {
        let keep = _mm512_mask_blend_epi32(upper, _mm512_set1_epi32(keep), _mm512_set1_epi32(!keep));
        let turn = _mm512_mask_blend_epi32(upper, _mm512_set1_epi32(distance), _mm512_set1_epi32(32 - distance));
        _mm512_ternarylogic_epi32::<SELECT>(keep, word, _mm512_rolv_epi32(partner, turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_lands_at_its_mirror_place() {
        let before: [u32; 32] = std::array::from_fn(|i| (i as u32 + 1).wrapping_mul(0x9E37_79B9));
        let mut after = before;
        transpose(&mut after);
        for (i, j) in (0..32).flat_map(|i| (0..32).map(move |j| (i, j))) {
            assert_eq!(before[j] >> i & 1, after[i] >> j & 1, "bit {i} of word {j}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_vector_form_equals_the_scalar_one() {
        use std::arch::x86_64::*;
        if !crate::dispatch::KernelPath::Avx512.is_available() {
            return;
        }
        let mut words: [u32; 32] = std::array::from_fn(|i| (i as u32 + 7).wrapping_mul(0x9E37_79B9));
        let mut found = [0u32; 32];
        // SAFETY: AVX-512 was found, and both arrays have 32 words.
        unsafe {
            let half = |i: usize| _mm512_loadu_si512(words.as_ptr().add(16 * i).cast());
            let [low, high] = transpose_avx512(half(0), half(1));
            _mm512_storeu_si512(found.as_mut_ptr().cast(), low);
            _mm512_storeu_si512(found.as_mut_ptr().add(16).cast(), high);
        }
        transpose(&mut words);
        assert_eq!(found, words);
    }
}
