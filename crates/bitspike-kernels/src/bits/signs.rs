//! Signs of latent weights as bits.

use crate::error::{KernelError, check_len, check_nonzero};
use rayon::prelude::*;

use super::WORD;
use super::transpose::transpose;
use crate::dispatch::{KernelPath, selected};

const OP: &str = "PackedSigns::pack";

/// Channels that lie side by side in the packed layouts.
pub(crate) const LANES: usize = 16;

/// Signs of latent weights `[Co, Ci, Kh, Kw]`: bit 1 stands for +1 (`w >= 0`, so also for 0 and -0), bit 0 for -1.
///
/// Two copies are kept, each in the order its kernel reads: one with the input channels in the bits (forward pass), one
/// with the output channels in the bits (gradient of the input).
///
/// ```
/// use bitspike_kernels::bits::PackedSigns;
/// let signs = PackedSigns::pack(&[0.5, -0.1, -0.0, -2.0], 2, 2, 1, 1)?;
/// assert_eq!(signs.unpack(), [1.0, -1.0, 1.0, -1.0]);
/// # Ok::<(), bitspike_kernels::KernelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedSigns {
    dims: [usize; 4],
    /// `[ceil(Co / 16)][tap][ceil(Ci / 32)][16]`: lane = output channel, bit = input channel.
    by_output: Vec<u32>,
    /// `[ceil(Ci / 16)][flipped tap][ceil(Co / 32)][16]`: lane = input channel, bit = output channel.
    by_input: Vec<u32>,
}

impl PackedSigns {
    /// Packs the signs of latent weights `[Co, Ci, Kh, Kw]`.
    ///
    /// # Errors
    /// A zero size, or `w` does not have `c_out c_in kh kw` elements.
    pub fn pack(w: &[f32], c_out: usize, c_in: usize, kh: usize, kw: usize) -> Result<Self, KernelError> {
        Self::pack_with_path(selected(), w, [c_out, c_in, kh, kw])
    }

    pub(crate) fn pack_with_path(path: KernelPath, w: &[f32], dims: [usize; 4]) -> Result<Self, KernelError> {
        let names = ["c_out", "c_in", "kh", "kw"];
        names.iter().zip(dims).try_for_each(|(name, v)| check_nonzero(OP, name, v))?;
        let len = dims.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
        let expected = len.ok_or(KernelError::TooLarge { what: "the weight", limit: "the address space" })?;
        check_len(OP, "w", expected, w.len())?;
        let [c_out, c_in, kh, kw] = dims;
        let taps = kh * kw;
        let (in_words, out_words) = (c_in.div_ceil(WORD), c_out.div_ceil(WORD));
        let parallel = w.len() >= 1 << 17;

        let mut by_output = vec![0; c_out.div_ceil(LANES) * taps * in_words * LANES];
        let rows = RowPacker::new(path, taps, c_in);
        let blocks = by_output.chunks_exact_mut(taps * in_words * LANES).zip(w.chunks(LANES * c_in * taps));
        let pack = |(block, w): (&mut [u32], &[f32])| {
            let mut row = vec![0; taps * in_words];
            for (lane, w) in w.chunks_exact(c_in * taps).enumerate() {
                rows.pack(w, &mut row);
                row.iter().zip(block.chunks_exact_mut(LANES)).for_each(|(&word, lanes)| lanes[lane] = word);
            }
        };
        if parallel {
            blocks.collect::<Vec<_>>().into_par_iter().for_each(pack);
        } else {
            blocks.for_each(pack);
        }

        // Squares of 32 output by 32 input channels, transposed; a square is two blocks of 16 lanes on either side.
        let mut by_input = vec![0; c_in.div_ceil(LANES) * taps * out_words * LANES];
        let half_len = taps * out_words * LANES;
        let transpose_square = |(k, out): (usize, &mut [u32])| {
            for (tap, o) in (0..taps).flat_map(|tap| (0..out_words).map(move |o| (tap, o))) {
                let mut square = [0; WORD];
                for (half, square) in square.chunks_exact_mut(LANES).enumerate() {
                    let at = (((2 * o + half) * taps + tap) * in_words + k) * LANES;
                    if let Some(lanes) = by_output.get(at..at + LANES) {
                        square.copy_from_slice(lanes);
                    }
                }
                transpose_on(path, &mut square);
                for (half, out) in square.chunks_exact(LANES).zip(out.chunks_exact_mut(half_len)) {
                    out[((taps - 1 - tap) * out_words + o) * LANES..][..LANES].copy_from_slice(half);
                }
            }
        };
        if parallel {
            by_input.par_chunks_mut(2 * half_len).enumerate().for_each(transpose_square);
        } else {
            by_input.chunks_mut(2 * half_len).enumerate().for_each(transpose_square);
        }
        Ok(Self { dims, by_output, by_input })
    }

    /// The signs as -1.0 and +1.0, `[Co, Ci, Kh, Kw]`.
    #[must_use]
    pub fn unpack(&self) -> Vec<f32> {
        let [c_out, c_in, kh, kw] = self.dims;
        let at = |i: usize| self.sign(i / (kh * kw) / c_in, i / (kh * kw) % c_in, i % (kh * kw));
        (0..c_out * c_in * kh * kw).map(at).collect()
    }

    /// Sizes `[c_out, c_in, kh, kw]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        self.dims
    }

    /// Bytes of both packed copies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.by_output.len() + self.by_input.len()) * size_of::<u32>()
    }

    pub(crate) fn taps(&self) -> usize {
        self.dims[2] * self.dims[3]
    }

    /// `[ceil(Co / 16)][tap][ceil(Ci / 32)][16]`
    pub(crate) fn by_output(&self) -> &[u32] {
        &self.by_output
    }

    /// `[ceil(Ci / 16)][flipped tap][ceil(Co / 32)][16]`
    pub(crate) fn by_input(&self) -> &[u32] {
        &self.by_input
    }

    /// +1.0 or -1.0.
    pub(crate) fn sign(&self, co: usize, ci: usize, tap: usize) -> f32 {
        let at = (co / LANES * self.taps() + tap) * self.dims[1].div_ceil(WORD) + ci / WORD;
        if self.by_output[at * LANES + co % LANES] >> (ci % WORD) & 1 == 1 { 1.0 } else { -1.0 }
    }
}

fn transpose_on(path: KernelPath, square: &mut [u32; WORD]) {
    match path {
        // SAFETY: a path reaches the kernels only after its instructions were found.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { x86::transpose_square(square) },
        _ => transpose(square),
    }
}

/// Packs the bits of one output channel after the other: w `[Ci, taps]` to `[tap][words]`.
struct RowPacker {
    path: KernelPath,
    taps: usize,
    /// For the bits of 32 channels in the order of the weights, per tap: the bits of each `u64` that belong to it.
    #[cfg(target_arch = "x86_64")]
    masks: Vec<u64>,
}

impl RowPacker {
    fn new(path: KernelPath, taps: usize, c_in: usize) -> Self {
        // Very large kernels do not occur in practice, and a few channels are not worth the masks: both take the loop.
        let worthwhile = taps <= STREAM * 64 / WORD && c_in >= WORD;
        let path = if worthwhile { path } else { KernelPath::Portable };
        Self {
            path,
            taps,
            #[cfg(target_arch = "x86_64")]
            masks: if path == KernelPath::Avx512 { stream_masks(taps) } else { Vec::new() },
        }
    }

    fn pack(&self, w: &[f32], row: &mut [u32]) {
        let words = row.len() / self.taps;
        for (k, group) in w.chunks(WORD * self.taps).enumerate() {
            let put = |tap: usize, word: u32| row[tap * words + k] = word;
            match self.path {
                // SAFETY: a path reaches the kernels only after its instructions were found.
                #[cfg(target_arch = "x86_64")]
                KernelPath::Avx512 => unsafe { x86::pack_group(group, &self.masks, self.taps, put) },
                _ => pack_group(group, self.taps, put),
            }
        }
    }
}

/// Per tap, the bits of each stream word that belong to it: bit `channel * taps + tap` of the stream is one of its bits.
#[cfg(target_arch = "x86_64")]
fn stream_masks(taps: usize) -> Vec<u64> {
    let words = (WORD * taps).div_ceil(64);
    let mut masks = vec![0; taps * words];
    for bit in 0..WORD * taps {
        masks[bit % taps * words + bit / 64] |= 1 << (bit % 64);
    }
    masks
}

/// Words of 64 bits that hold the signs of 32 channels in the fast path: kernels up to 64 taps.
const STREAM: usize = 32;

/// Bits of up to 32 channels, `group` = `[channel, taps]`.
fn pack_group(group: &[f32], taps: usize, mut put: impl FnMut(usize, u32)) {
    for tap in 0..taps {
        let bits = group[tap..].iter().step_by(taps).enumerate();
        put(tap, bits.map(|(i, &w)| u32::from(w >= 0.0) << i).sum());
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, STREAM, WORD};
    use crate::bits::transpose::transpose_avx512;
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f")]
    pub(super) fn transpose_square(square: &mut [u32; WORD]) {
        // SAFETY: a square is two vectors of 16 words.
        unsafe {
            let at = square.as_mut_ptr().cast::<__m512i>();
            let [low, high] = transpose_avx512(_mm512_loadu_si512(at), _mm512_loadu_si512(at.add(1)));
            _mm512_storeu_si512(at, low);
            _mm512_storeu_si512(at.add(1), high);
        }
    }

    /// Reads the signs in the order of the weights and picks every `taps`-th bit (`pext`).
    #[target_feature(enable = "avx512f,bmi2")]
    pub(super) fn pack_group(group: &[f32], masks: &[u64], taps: usize, mut put: impl FnMut(usize, u32)) {
        let mut stream = [0u64; STREAM];
        for (i, w) in group.chunks(LANES).enumerate() {
            let lanes = (u32::MAX >> (32 - w.len())) as __mmask16;
            // SAFETY: the mask covers exactly the elements of `w`.
            let v = unsafe { _mm512_maskz_loadu_ps(lanes, w.as_ptr()) };
            let bits = _mm512_mask_cmp_ps_mask::<_CMP_GE_OQ>(lanes, v, _mm512_setzero_ps());
            stream[i / 4] |= u64::from(bits) << (16 * (i % 4));
        }
        for (tap, masks) in masks.chunks_exact(masks.len() / taps).enumerate() {
            let (mut word, mut filled) = (0u64, 0);
            for (&bits, &mask) in stream.iter().zip(masks) {
                word |= _pext_u64(bits, mask) << filled;
                filled += mask.count_ones();
            }
            put(tap, word as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_copies_hold_the_signs(
            c_out in 1usize..70, c_in in 1usize..70, kh in 1usize..6, kw in 1usize..6, seed: u64,
        ) {
            let taps = kh * kw;
            let w: Vec<f32> = (0..(c_out * c_in * taps) as u64)
                .map(|i| ((i ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61) as f32 - 3.0)
                .collect();
            let expected: Vec<f32> = w.iter().map(|&w| if w >= 0.0 { 1.0 } else { -1.0 }).collect();
            let out_words = c_out.div_ceil(WORD);
            for path in KernelPath::available() {
                let signs = PackedSigns::pack_with_path(path, &w, [c_out, c_in, kh, kw]).unwrap();
                prop_assert_eq!(signs.unpack(), expected.clone(), "{}", path);
                for (i, sign) in expected.iter().enumerate() {
                    let (co, ci, tap) = (i / taps / c_in, i / taps % c_in, i % taps);
                    let at = ((ci / LANES * taps + taps - 1 - tap) * out_words + co / WORD) * LANES + ci % LANES;
                    prop_assert_eq!(signs.by_input()[at] >> (co % WORD) & 1 == 1, *sign == 1.0);
                }
            }
        }
    }

    #[test]
    fn zero_and_minus_zero_are_plus_one() {
        let signs = PackedSigns::pack(&[0.0, -0.0, -f32::MIN_POSITIVE], 3, 1, 1, 1).unwrap();
        assert_eq!(signs.unpack(), [1.0, 1.0, -1.0]);
    }

    #[test]
    fn many_threads_and_paths_pack_the_same() {
        let (c_out, c_in) = (150, 200);
        let w: Vec<f32> = (0..c_out * c_in * 9).map(|i| ((i * 7919 % 1009) as f32) - 500.0).collect();
        let plain = PackedSigns::pack_with_path(KernelPath::Portable, &w, [c_out, c_in, 3, 3]).unwrap();
        let expected: Vec<f32> = w.iter().map(|&w| if w >= 0.0 { 1.0 } else { -1.0 }).collect();
        assert_eq!(plain.unpack(), expected);
        for path in KernelPath::available() {
            assert_eq!(PackedSigns::pack_with_path(path, &w, [c_out, c_in, 3, 3]), Ok(plain.clone()), "{path}");
        }
    }

    #[test]
    fn bad_sizes_are_named() {
        let empty = PackedSigns::pack(&[], 1, 0, 3, 3);
        assert!(matches!(empty, Err(KernelError::Range { name: "c_in", .. })), "{empty:?}");
        assert!(matches!(
            PackedSigns::pack(&[1.0], 2, 1, 1, 1),
            Err(KernelError::Length { expected: 2, found: 1, .. })
        ));
    }
}
