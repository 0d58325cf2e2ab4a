//! Spikes as bit planes.

use rayon::prelude::*;
use std::ops::Range;

use super::WORD;
use crate::dispatch::{KernelPath, selected};

/// Values handled by one thread at a time while packing.
const CHUNK: usize = 1 << 15;
/// Planes of the counts 0 to 4, which the quarters 0, 1/4, ... 1 are too.
const COUNT_PLANES: usize = 3;
/// The grids of counts, as values of one count.
const UNITS: [f32; 2] = [0.25, 1.0];

/// Spikes `[N, H, W, C]` as bits: `value = unit * sum over planes b of 2^b * bit_b`.
///
/// Spikes 0 and 1 take one plane with unit 1. Spikes after a 2x2 average pooling are quarters; they take three planes
/// with unit 1/4. Sums of up to four spikes, as shortcuts make them, take three planes with unit 1.
///
/// ```
/// use bitspike_kernels::bits::PackedSpikes;
/// let spikes = PackedSpikes::pack(&[0.0, 1.0, 1.0], 1, 1, 1, 3).unwrap();
/// assert_eq!((spikes.planes(), spikes.unit(), spikes.count_ones()), (1, 1.0, 2));
/// let pooled = PackedSpikes::pack(&[0.25, 1.0, 0.5], 1, 1, 1, 3).unwrap();
/// assert_eq!((pooled.planes(), pooled.unit()), (3, 0.25));
/// assert_eq!(pooled.unpack(), [0.25, 1.0, 0.5]);
/// let summed = PackedSpikes::pack(&[0.0, 3.0, 1.0], 1, 1, 1, 3).unwrap();
/// assert_eq!((summed.planes(), summed.unit()), (3, 1.0));
/// assert!(PackedSpikes::pack(&[0.3], 1, 1, 1, 1).is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PackedSpikes {
    /// `[plane][N, H, W, ceil(C / 32)]`
    words: Vec<u32>,
    dims: [usize; 4],
    planes: usize,
    unit: f32,
}

impl PackedSpikes {
    /// Packs `[N, H, W, C]` values, exactly.
    ///
    /// `None` when the values are neither quarters from 0 to 1 nor counts from 0 to 4, or when `x` does not have `n h w c`
    /// elements.
    #[must_use]
    pub fn pack(x: &[f32], n: usize, h: usize, w: usize, c: usize) -> Option<Self> {
        Self::pack_with_path(selected(), x, [n, h, w, c])
    }

    pub(crate) fn pack_with_path(path: KernelPath, x: &[f32], dims: [usize; 4]) -> Option<Self> {
        let [n, h, w, c] = dims;
        let len = [n, h, w, c].iter().try_fold(1usize, |a, &b| a.checked_mul(b))?;
        if len != x.len() {
            return None;
        }
        if len == 0 {
            return Some(Self { words: Vec::new(), dims, planes: 1, unit: 1.0 });
        }
        let plane = n * h * w * c.div_ceil(WORD);
        let mut words = vec![0; plane];
        if pack_ones_everywhere(path, x, c, &mut words) {
            return Some(Self { words, dims, planes: 1, unit: 1.0 });
        }
        words.resize(plane * COUNT_PLANES, 0);
        let unit = UNITS.into_iter().find(|unit| pack_counts_everywhere(path, x, c, &mut words, *unit))?;
        Some(Self { words, dims, planes: COUNT_PLANES, unit })
    }

    /// Takes spikes that are bits already, `[N, H, W, ceil(C / 32)]`.
    ///
    /// `None` when the length does not fit the sizes, or a bit past the last channel is set.
    ///
    /// ```
    /// use bitspike_kernels::bits::PackedSpikes;
    /// let spikes = PackedSpikes::from_bits(vec![0b101], 1, 1, 1, 3).unwrap();
    /// assert_eq!(spikes.unpack(), [1.0, 0.0, 1.0]);
    /// assert!(PackedSpikes::from_bits(vec![0b1000], 1, 1, 1, 3).is_none());
    /// ```
    #[must_use]
    pub fn from_bits(words: Vec<u32>, n: usize, h: usize, w: usize, c: usize) -> Option<Self> {
        let per_pixel = c.div_ceil(WORD);
        let len = [n, h, w, per_pixel].iter().try_fold(1usize, |a, &b| a.checked_mul(b))?;
        let tail = if c.is_multiple_of(WORD) { 0 } else { u32::MAX << (c % WORD) };
        let clean = tail == 0 || words.chunks_exact(per_pixel).all(|pixel| pixel[per_pixel - 1] & tail == 0);
        (len == words.len() && clean).then_some(Self { words, dims: [n, h, w, c], planes: 1, unit: 1.0 })
    }

    /// The values, `[N, H, W, C]`.
    #[must_use]
    pub fn unpack(&self) -> Vec<f32> {
        let [n, h, w, c] = self.dims;
        let mut values = vec![0.0; n * h * w * c];
        if !values.is_empty() {
            self.decode(0, &mut values);
        }
        values
    }

    /// The maps `[H, W, C]` of a range of N, copied.
    ///
    /// ```
    /// use bitspike_kernels::bits::PackedSpikes;
    /// let spikes = PackedSpikes::pack(&[0.0, 1.0, 0.25], 3, 1, 1, 1).unwrap();
    /// assert_eq!(spikes.maps(1..3).unpack(), [1.0, 0.25]);
    /// ```
    ///
    /// # Panics
    /// If the range does not lie within N.
    #[must_use]
    pub fn maps(&self, range: Range<usize>) -> Self {
        let [n, h, w, c] = self.dims;
        assert!(range.start <= range.end && range.end <= n, "maps {range:?} of {n}");
        let words = h * w * self.words_per_pixel();
        let part = |b: usize| &self.plane(b)[range.start * words..range.end * words];
        let words = (0..self.planes).map(part).collect::<Vec<_>>().concat();
        Self { words, dims: [range.len(), h, w, c], planes: self.planes, unit: self.unit }
    }

    /// Sizes `[n, h, w, c]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 4] {
        self.dims
    }

    /// Number of bit planes, 1 to 3.
    #[must_use]
    pub fn planes(&self) -> usize {
        self.planes
    }

    /// Value of one count.
    #[must_use]
    pub fn unit(&self) -> f32 {
        self.unit
    }

    /// Bytes of the packed bits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.words.len() * size_of::<u32>()
    }

    /// Bits that are one, over all planes. With one plane this is the number of spikes.
    #[must_use]
    pub fn count_ones(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    /// Sum of the values, exactly: with `n h w c` it gives the firing rate.
    #[must_use]
    pub fn sum(&self) -> f64 {
        let plane = |b: usize| self.plane(b).iter().map(|w| u64::from(w.count_ones())).sum::<u64>() << b;
        (0..self.planes).map(plane).sum::<u64>() as f64 * f64::from(self.unit)
    }

    /// Counts per neuron, a spike after an average pooling being worth up to four: what decides whether a kernel goes
    /// through the spikes one by one.
    pub(crate) fn events_per_neuron(&self) -> f64 {
        self.sum() / f64::from(self.unit) / self.dims.iter().product::<usize>() as f64
    }

    /// Words of one pixel.
    pub(crate) fn words_per_pixel(&self) -> usize {
        self.dims[3].div_ceil(WORD)
    }

    /// Words of one plane.
    pub(crate) fn plane_len(&self) -> usize {
        self.words.len() / self.planes
    }

    pub(crate) fn plane(&self, plane: usize) -> &[u32] {
        let len = self.plane_len();
        &self.words[plane * len..(plane + 1) * len]
    }

    /// Writes the values of consecutive pixels from `pixel` on; `out` is a whole number of pixels.
    pub(crate) fn decode(&self, pixel: usize, out: &mut [f32]) {
        let (c, per_pixel) = (self.dims[3], self.words_per_pixel());
        for (p, out) in out.chunks_exact_mut(c).enumerate() {
            for (k, out) in out.chunks_mut(WORD).enumerate() {
                let at = (pixel + p) * per_pixel + k;
                let planes: [u32; COUNT_PLANES] =
                    std::array::from_fn(|b| if b < self.planes { self.plane(b)[at] } else { 0 });
                for (i, v) in out.iter_mut().enumerate() {
                    let count = planes.iter().enumerate().map(|(b, word)| (word >> i & 1) << b).sum::<u32>();
                    *v = count as f32 * self.unit;
                }
            }
        }
    }
}

/// Packs zeros and ones; false when a value is neither. Words of a failed attempt hold anything.
fn pack_ones_everywhere(path: KernelPath, x: &[f32], c: usize, words: &mut [u32]) -> bool {
    let pixels = (CHUNK / c).max(1);
    let chunks = words.par_chunks_mut(pixels * c.div_ceil(WORD)).zip(x.par_chunks(pixels * c));
    match chunks.len() {
        1 => pack_ones(path, x, c, words),
        _ => chunks.all(|(words, x)| pack_ones(path, x, c, words)),
    }
}

/// Packs counts 0 to 4 of `unit`; false when a value is none.
fn pack_counts_everywhere(path: KernelPath, x: &[f32], c: usize, words: &mut [u32], unit: f32) -> bool {
    let (pixels, plane) = ((CHUNK / c).max(1), words.len() / COUNT_PLANES);
    let (first, rest) = words.split_at_mut(plane);
    let (second, third) = rest.split_at_mut(plane);
    let size = pixels * c.div_ceil(WORD);
    let [first, second, third] = [first, second, third].map(|words| words.par_chunks_mut(size));
    let chunks = first.zip(second.zip(third)).zip(x.par_chunks(pixels * c));
    chunks.all(|((first, (second, third)), x)| pack_counts(path, x, c, [first, second, third], unit.recip()))
}

/// Packs whole pixels of `c` channels whose values are 0 and 1, on the calling thread.
pub(crate) fn pack_spikes(x: &[f32], c: usize, words: &mut [u32]) {
    debug_assert_eq!(words.len(), x.len() / c * c.div_ceil(WORD));
    let exact = pack_ones(selected(), x, c, words);
    debug_assert!(exact, "spikes are 0 and 1");
}

fn pack_ones(path: KernelPath, x: &[f32], c: usize, words: &mut [u32]) -> bool {
    match path {
        // SAFETY: a path reaches the kernels only after its instructions were found.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { x86::pack_ones_avx512(x, c, words) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { x86::pack_ones_avx2(x, c, words) },
        _ => each_word(x, c, |at, x| {
            let mut exact = true;
            let mut ones = 0;
            for (i, &v) in x.iter().enumerate() {
                ones |= u32::from(v == 1.0) << i;
                exact &= v == 0.0 || v == 1.0;
            }
            words[at] = ones;
            exact
        }),
    }
}

/// Packs whole pixels of values times `scale`, a power of two, that are 0 to 4.
fn pack_counts(path: KernelPath, x: &[f32], c: usize, planes: [&mut [u32]; COUNT_PLANES], scale: f32) -> bool {
    match path {
        // SAFETY: a path reaches the kernels only after its instructions were found.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { x86::pack_counts_avx512(x, c, planes, scale) },
        _ => each_word(x, c, |at, x| {
            let mut exact = true;
            let mut words = [0; COUNT_PLANES];
            for (i, &v) in x.iter().enumerate() {
                let value = v * scale;
                let count = value as u32;
                exact &= count as f32 == value && count <= 4;
                for (b, word) in words.iter_mut().enumerate() {
                    *word |= (count >> b & 1) << i;
                }
            }
            for (b, word) in words.into_iter().enumerate() {
                planes[b][at] = word;
            }
            exact
        }),
    }
}

/// Calls `word(index of the word, its channels)` on every group of up to 32 channels; stops soon after a `false`.
#[inline(always)]
fn each_word(x: &[f32], c: usize, mut word: impl FnMut(usize, &[f32]) -> bool) -> bool {
    // Without a tail the pixels run into one another: take stretches of many words.
    let row = if c.is_multiple_of(WORD) { x.len().min(WORD * 128) } else { c };
    let mut exact = true;
    let mut at = 0;
    for x in x.chunks(row) {
        for x in x.chunks(WORD) {
            exact &= word(at, x);
            at += 1;
        }
        if !exact {
            return false;
        }
    }
    exact
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COUNT_PLANES, WORD, each_word};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn pack_ones_avx512(x: &[f32], c: usize, words: &mut [u32]) -> bool {
        let (zero, one) = (_mm512_setzero_ps(), _mm512_set1_ps(1.0));
        each_word(x, c, |at, x| {
            let mut ones = 0;
            let mut exact = true;
            for (half, x) in x.chunks(16).enumerate() {
                let v = load_up_to_16(x);
                let set = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(v, one);
                exact &= set | _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(v, zero) == u16::MAX;
                ones |= u32::from(set) << (16 * half);
            }
            words[at] = ones;
            exact
        })
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn pack_counts_avx512(x: &[f32], c: usize, planes: [&mut [u32]; COUNT_PLANES], scale: f32) -> bool {
        each_word(x, c, |at, x| {
            let mut words = [0; COUNT_PLANES];
            let mut exact = true;
            for (half, x) in x.chunks(16).enumerate() {
                let value = _mm512_mul_ps(load_up_to_16(x), _mm512_set1_ps(scale));
                // What does not fit becomes i32::MIN, a large number without its sign.
                let count = _mm512_cvttps_epi32(value);
                let whole = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(_mm512_cvtepi32_ps(count), value);
                exact &= _mm512_mask_cmple_epu32_mask(whole, count, _mm512_set1_epi32(4)) == u16::MAX;
                for (b, word) in words.iter_mut().enumerate() {
                    *word |= u32::from(_mm512_test_epi32_mask(count, _mm512_set1_epi32(1 << b))) << (16 * half);
                }
            }
            for (b, word) in words.into_iter().enumerate() {
                planes[b][at] = word;
            }
            exact
        })
    }

    /// 1 to 16 values, the missing ones zero.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_up_to_16(x: &[f32]) -> __m512 {
        let lanes = (u32::MAX >> (32 - x.len().clamp(1, 16))) as __mmask16;
        // SAFETY: `chunks` gives 1 to 16 elements, and the mask covers exactly those.
        unsafe { _mm512_maskz_loadu_ps(lanes, x.as_ptr()) }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn pack_ones_avx2(x: &[f32], c: usize, words: &mut [u32]) -> bool {
        let (zero, one) = (_mm256_setzero_ps(), _mm256_set1_ps(1.0));
        each_word(x, c, |at, x| {
            let mut padded = [0.0; WORD];
            let full: &[f32; WORD] = match x.try_into() {
                Ok(full) => full,
                Err(_) => {
                    padded[..x.len()].copy_from_slice(x);
                    &padded
                }
            };
            let mut ones = 0;
            let mut exact = true;
            for quarter in 0..4 {
                // SAFETY: the four groups of eight lie inside the 32 values.
                let v = unsafe { _mm256_loadu_ps(full.as_ptr().add(8 * quarter)) };
                let set = _mm256_cmp_ps::<_CMP_EQ_OQ>(v, one);
                let known = _mm256_or_ps(set, _mm256_cmp_ps::<_CMP_EQ_OQ>(v, zero));
                exact &= _mm256_movemask_ps(known) == 0xFF;
                ones |= (_mm256_movemask_ps(set) as u32) << (8 * quarter);
            }
            words[at] = ones;
            exact
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_is_exact(
            dims in (1usize..3, 1usize..4, 1usize..4, prop_oneof![1usize..70, Just(96usize), Just(128)]),
            seed: u64, grid in 0usize..3,
        ) {
            let (n, h, w, c) = dims;
            let (steps, unit) = [(1, 1.0), (4, 0.25), (4, 1.0)][grid];
            let x: Vec<f32> = (0..(n * h * w * c) as u64)
                .map(|i| ((i ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % (steps + 1))
                .map(|v| v as f32 * unit)
                .collect();
            for path in KernelPath::available() {
                let packed = PackedSpikes::pack_with_path(path, &x, [n, h, w, c]).unwrap();
                prop_assert_eq!(&packed.unpack(), &x, "{}", path);
                prop_assert_eq!(packed.sum(), x.iter().map(|&v| f64::from(v)).sum::<f64>());
                let tail = packed.words.chunks(packed.words_per_pixel()).all(|p| {
                    c % WORD == 0 || p[c / WORD] >> (c % WORD) == 0
                });
                prop_assert!(tail, "bits past the last channel");
            }
        }

        #[test]
        fn a_single_odd_value_is_refused(c in 1usize..70, at in 0usize..1000, odd in 0usize..7, counts: bool) {
            let odd = [0.3, -1.0, 1.25, f32::NAN, f32::INFINITY, 1.0 + f32::EPSILON, 5.0][odd];
            let mut x = vec![if counts { 3.0 } else { 1.0 }; 15 * c];
            x[at % (15 * c)] = odd;
            for path in KernelPath::available() {
                prop_assert_eq!(PackedSpikes::pack_with_path(path, &x, [1, 3, 5, c]), None);
            }
        }
    }

    #[test]
    fn minus_zero_is_no_spike() {
        for path in KernelPath::available() {
            let packed = PackedSpikes::pack_with_path(path, &[-0.0, 1.0], [1, 1, 1, 2]).unwrap();
            assert_eq!((packed.planes(), packed.count_ones()), (1, 1), "{path}");
        }
    }

    #[test]
    fn many_chunks_give_the_same_words_as_one() {
        let (h, c) = (300, 40);
        let x: Vec<f32> = (0..h * h * c).map(|i| f32::from(u8::from(i % 7 == 0 || i % 11 == 3))).collect();
        let all = PackedSpikes::pack(&x, 1, h, h, c).unwrap();
        let rows: Vec<u32> =
            x.chunks(h * c).flat_map(|row| PackedSpikes::pack(row, 1, 1, h, c).unwrap().words).collect();
        assert_eq!(all.words, rows);
        assert_eq!(all.bytes(), h * h * 2 * 4);
    }

    #[test]
    fn a_wrong_length_is_refused() {
        assert_eq!(PackedSpikes::pack(&[1.0; 5], 1, 2, 3, 1), None);
    }
}
