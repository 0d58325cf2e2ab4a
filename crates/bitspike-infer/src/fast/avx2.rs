//! The kernels on AVX2.
//!
//! Products and sums are separate instructions: a fused one would round once where the format says twice.

use super::lists::{Lists, SLACK};
use super::portable;
use super::prepare::{Binary, Row, Shortcut, Signs, Stem};
use super::window::inside;
use super::{Factors, Job, Mix, Sums};
use bitspike_format::{Block, Conv, Neuron, Reset};
use std::arch::x86_64::*;

pub(super) use super::integers_avx2::integers;

/// Rows that are added together.
pub(super) const GROUP: usize = 16;
/// Bits of a counter: as many as the largest count of 16-bit sums has.
pub(super) const PLANES: usize = 16;

/// Sums of a real convolution: 32 channels of a pixel at a time.
#[target_feature(enable = "avx2")]
pub(super) fn stem(stem: &Stem, conv: &Conv<'_>, frame: &[f32], sums: &mut [f32]) {
    let (map, out, width) = (conv.input, conv.output(), stem.width);
    assert!(frame.len() == map.len() && width.is_multiple_of(32), "a frame");
    assert_eq!(stem.weights.len(), conv.taps() * map.channels * width, "weights of all taps");
    for (pixel, sums) in sums.chunks_exact_mut(width).enumerate() {
        let (y, x) = (pixel / out.columns, pixel % out.columns);
        let (r0, r1) = inside(y, conv.stride, conv.padding[0], conv.kernel[0], map.rows);
        let (c0, c1) = inside(x, conv.stride, conv.padding[1], conv.kernel[1], map.columns);
        for (part, sums) in sums.chunks_exact_mut(32).enumerate() {
            let mut acc = [_mm256_setzero_ps(); 4];
            for ky in r0..r1 {
                for kx in c0..c1 {
                    let from =
                        (y * conv.stride + ky - conv.padding[0]) * map.columns + x * conv.stride + kx - conv.padding[1];
                    for ci in 0..map.channels {
                        let value = _mm256_set1_ps(frame[ci * map.pixels() + from]);
                        let row = (ky * conv.kernel[1] + kx) * map.channels + ci;
                        let weights = &stem.weights[row * width + 32 * part..][..32];
                        for (k, acc) in acc.iter_mut().enumerate() {
                            // SAFETY: the slice has 32 elements and k is below 4.
                            let w = unsafe { _mm256_loadu_ps(weights.as_ptr().add(8 * k)) };
                            *acc = _mm256_add_ps(*acc, _mm256_mul_ps(w, value));
                        }
                    }
                }
            }
            for (k, acc) in acc.into_iter().enumerate() {
                // SAFETY: the slice has 32 elements and k is below 4.
                unsafe { _mm256_storeu_ps(sums.as_mut_ptr().add(8 * k), acc) };
            }
        }
    }
}

/// Sums of a binary convolution, spike by spike, on registers of 256 bits; `$full` is a full adder of the given instructions.
///
/// ```text
/// Σ w s = 2 · (number of spikes whose weight is +1) − (number of spikes)
/// ```
///
/// The first number is counted for 256 output channels at once: a spike is a row of 256 signs, and rows are added as bits,
/// with counters whose bit k of all channels lies in one register (carry-save adders, as in the Harley-Seal population
/// count): a full adder per spike and 256 channels.
macro_rules! counting {
    ($features:literal, $full:ident) => {
        #[target_feature(enable = $features)]
        pub(in crate::fast) fn events(binary: &Binary, b: &Block<'_>, lists: &Lists, steps: usize, sums: &mut [i16]) {
            let Signs::Rows(blocks) = &binary.signs else { unreachable!("prepared for this path") };
            let (out, width) = (b.totals(), binary.width);
            let zero = (b.conv.taps() * b.conv.input.channels) as u16;
            let mut spikes = lists.check(b, blocks, steps, sums, width);
            for (i, sums) in sums.chunks_exact_mut(width).enumerate() {
                let at = [i / out.pixels(), i % out.pixels() / out.columns, i % out.columns];
                let n = lists.gather(b, at, &mut spikes, |list, base, out| append(list, base, out));
                let padded = n.next_multiple_of(2 * GROUP);
                spikes[n..padded].fill(zero);
                for block in blocks {
                    let sums = &mut sums[block.first..];
                    // SAFETY: every element of `spikes` is the number of a row: a tap below `taps` times the channels of the
                    // input, plus a channel; or the row of zeros. `Lists::check` has found that the block has them all.
                    unsafe {
                        if block.lanes == 256 {
                            count::<256>(&spikes[..n.next_multiple_of(GROUP)], &block.rows, n, sums);
                        } else {
                            count::<128>(&spikes[..padded], &block.rows, n, sums);
                        }
                    }
                }
            }
        }

        /// Counts rows per channel and writes `2 · count − n`, for up to `LANES` channels or as many as `sums` has.
        ///
        /// With 128 channels two rows are added at once, one in each half of a register.
        ///
        /// # Safety
        /// `spikes` holds whole groups (of twice the size for 128 channels) of numbers of rows that are there.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn count<const LANES: usize>(spikes: &[u16], rows: &[Row], n: usize, sums: &mut [i16]) {
            let rows: *const u8 = rows.as_ptr().cast();
            let load = |i: usize| {
                // SAFETY: the caller promises the rows, and that index i (or 2i + 1) is below the number of spikes.
                unsafe {
                    if LANES == 256 {
                        let row = usize::from(*spikes.get_unchecked(i));
                        return _mm256_load_si256(rows.add(32 * row).cast());
                    }
                    let (low, high) = (*spikes.get_unchecked(2 * i), *spikes.get_unchecked(2 * i + 1));
                    let low = _mm_load_si128(rows.add(16 * usize::from(low)).cast());
                    let high = _mm_load_si128(rows.add(16 * usize::from(high)).cast());
                    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
                }
            };
            let zero = _mm256_setzero_si256();
            let (mut ones, mut twos, mut fours, mut eights) = (zero, zero, zero, zero);
            let mut planes = [zero; PLANES];
            let groups = spikes.len() * LANES / 256 / GROUP;
            for group in 0..groups {
                let first = group * GROUP;
                let mut four = [zero; 4];
                for (k, four) in four.iter_mut().enumerate() {
                    let i = first + 4 * k;
                    let (sum, a) = $full(ones, load(i), load(i + 1));
                    let (sum, b) = $full(sum, load(i + 2), load(i + 3));
                    ones = sum;
                    (twos, *four) = $full(twos, a, b);
                }
                let (sum, a) = $full(fours, four[0], four[1]);
                let (sum, b) = $full(sum, four[2], four[3]);
                fours = sum;
                let (sum, mut carry) = $full(eights, a, b);
                eights = sum;
                // After so many groups no higher counter can be set.
                for plane in &mut planes[4..4 + (usize::BITS - (group + 1).leading_zeros()) as usize] {
                    let sum = _mm256_xor_si256(*plane, carry);
                    carry = _mm256_and_si256(*plane, carry);
                    *plane = sum;
                }
            }
            (planes[0], planes[1], planes[2], planes[3]) = (ones, twos, fours, eights);
            let used = 4 + (usize::BITS - groups.leading_zeros()) as usize;
            let planes = &planes[..used];
            for (k, sums) in sums.chunks_exact_mut(32).take(LANES / 32).enumerate() {
                let mut counts = values(planes, k);
                if LANES == 128 {
                    for (a, b) in counts.iter_mut().zip(values(planes, k + 4)) {
                        *a = _mm256_add_epi16(*a, b);
                    }
                }
                let n = _mm256_set1_epi16(n as i16);
                for (part, count) in counts.into_iter().enumerate() {
                    let sum = _mm256_sub_epi16(_mm256_add_epi16(count, count), n);
                    // SAFETY: the slice has twice 16 elements.
                    unsafe { _mm256_storeu_si256(sums.as_mut_ptr().add(16 * part).cast(), sum) };
                }
            }
        }
    };
}
pub(super) use counting;

counting!("avx2", full);

/// Adds `base` to the elements of a list and writes them; returns their number. `out` has room for [`SLACK`] more.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn append((list, len): (&[u16], usize), base: u16, out: &mut [u16]) -> usize {
    assert!(list.len() >= len + SLACK && out.len() >= len + SLACK, "room for whole vectors");
    let base = _mm256_set1_epi16(base as i16);
    // The first 32 without asking: most lists are that short, and a branch that guesses wrong costs more.
    let mut i = 0;
    loop {
        // SAFETY: i is 0 or below len, and both slices go on for 32 elements from there.
        unsafe {
            let (list, out) = (list.as_ptr().add(i).cast(), out.as_mut_ptr().add(i).cast::<__m256i>());
            _mm256_storeu_si256(out, _mm256_add_epi16(_mm256_loadu_si256(list), base));
            _mm256_storeu_si256(out.add(1), _mm256_add_epi16(_mm256_loadu_si256(list.add(1)), base));
        }
        i += 32;
        if i >= len {
            return len;
        }
    }
}

/// A full adder: `(sum, carry)`.
#[inline]
#[target_feature(enable = "avx2")]
fn full(a: __m256i, b: __m256i, c: __m256i) -> (__m256i, __m256i) {
    let half = _mm256_xor_si256(a, b);
    let carry = _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(half, c));
    (_mm256_xor_si256(half, c), carry)
}

/// Counters of 32 channels, from bit k of all channels in `planes[k]`, as 16-bit numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn values(planes: &[__m256i], word: usize) -> [__m256i; 2] {
    let low = bytes(&planes[..planes.len().min(8)], word);
    let high = bytes(&planes[planes.len().min(8)..], word);
    // Byte by byte in the order of channels: unpacking works within halves, so the quarters are put in order before.
    let [low, high] = [low, high].map(|v| _mm256_permute4x64_epi64::<0b11_01_10_00>(v));
    [_mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high)]
}

/// Up to eight planes of 32 channels as bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(planes: &[__m256i], word: usize) -> __m256i {
    // Byte i of the result looks at bit i % 8 of byte i / 8.
    let spread = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
    );
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201u64 as i64);
    let mut sum = _mm256_setzero_si256();
    for plane in planes.iter().rev() {
        // SAFETY: a register is eight words, of which `word` is one.
        let bits = unsafe { *std::ptr::from_ref(plane).cast::<i32>().add(word % 8) };
        let set = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread), bit);
        // A set bit gives −1, which is subtracted.
        sum = _mm256_sub_epi8(_mm256_add_epi8(sum, sum), _mm256_cmpeq_epi8(set, bit));
    }
    sum
}

/// Totals per channel; the portable loop, compiled for wide registers.
#[target_feature(enable = "avx2")]
pub(super) fn totals(sums: &[i16], totals: &mut [u32]) {
    portable::totals(sums, totals);
}

/// Currents; the portable loop, compiled for wide registers.
#[target_feature(enable = "avx2")]
pub(super) fn currents(mix: &Mix<'_>, out: &mut [f32]) {
    portable::currents(mix, out);
}

/// Sums of a shortcut; the portable loop, compiled for wide registers.
#[target_feature(enable = "avx2")]
pub(super) fn project(shortcut: &Shortcut, x: &[f32], shape: [usize; 3], out: &mut [f32]) {
    portable::project(shortcut, x, shape, out);
}

/// Spikes of eight neurons at a time, all steps in registers.
#[target_feature(enable = "avx2")]
pub(super) fn neurons(job: &Job<'_>, out: &mut [u32]) {
    match (job.sums, job.factors) {
        (Sums::Reals(..), Factors::Element(..)) => fire::<true, ELEMENT>(job, out),
        (Sums::Reals(..), _) => fire::<true, GIVEN>(job, out),
        (Sums::Integers(_), Factors::None) => fire::<false, NONE>(job, out),
        (Sums::Integers(_), Factors::Given(_)) => fire::<false, GIVEN>(job, out),
        (Sums::Integers(_), Factors::Element(..)) => fire::<false, ELEMENT>(job, out),
    }
}

/// No factors; factors, if there are any; factors of the currents themselves.
const NONE: u8 = 0;
const GIVEN: u8 = 1;
const ELEMENT: u8 = 2;

/// [`element_factor`](bitspike_format::element_factor) of eight currents.
#[inline]
#[target_feature(enable = "avx2")]
fn element(alpha: __m256, inside: bool, z: __m256) -> __m256 {
    let x = if inside { _mm256_mul_ps(alpha, z) } else { z };
    let g = _mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(0.25)), _mm256_set1_ps(0.5));
    // With a NaN both give their second operand, which keeps it.
    let g = _mm256_min_ps(_mm256_set1_ps(1.0), _mm256_max_ps(_mm256_setzero_ps(), g));
    if inside { g } else { _mm256_mul_ps(alpha, g) }
}

/// `REAL`: the sums are floats. `GATE`: what multiplies them.
#[inline]
#[target_feature(enable = "avx2")]
fn fire<const REAL: bool, const GATE: u8>(job: &Job<'_>, out: &mut [u32]) {
    let (rows, width, steps) = (job.rows(out), job.width, job.steps);
    let Neuron { decay, threshold, reset } = job.neuron;
    let (decay, threshold) = (_mm256_set1_ps(decay), _mm256_set1_ps(threshold));
    let soft = reset == Reset::Soft;
    let bytes: *mut u8 = out.as_mut_ptr().cast();
    // Constant sums are read again at every step.
    let pixels = job.windows.pixels;
    let (reals, integers, stride) = match job.sums {
        Sums::Reals(sums, constant) => (sums.as_ptr(), std::ptr::null(), if constant { 0 } else { pixels * width }),
        Sums::Integers(sums) => (std::ptr::null(), sums.as_ptr(), pixels * width),
    };
    for row in 0..rows {
        let (places, parts) = job.windows.of(row);
        for c in (0..width).step_by(8) {
            // SAFETY: `Job::rows` has checked all lengths: sums have `pixels * width` elements per step (or once, with a
            // stride of 0), slopes, offsets and a step's factors have `width`, spikes `rows * width / 8` bytes per step; the
            // first `parts` places of a row are below `pixels`; c is a multiple of 8 below `width`, itself a multiple of 32.
            // On x86-64 byte c / 8 of a row of words holds channels c to c + 7.
            unsafe {
                let (a, b) = (_mm256_loadu_ps(job.slope.as_ptr().add(c)), _mm256_loadu_ps(job.offset.as_ptr().add(c)));
                let mut v = _mm256_setzero_ps();
                for t in 0..steps {
                    let current = |place: usize| {
                        let i = t * stride + place * width + c;
                        let sum = if REAL {
                            _mm256_loadu_ps(reals.add(i))
                        } else {
                            _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(integers.add(i).cast())))
                        };
                        let z = _mm256_add_ps(_mm256_mul_ps(a, sum), b);
                        match job.factors {
                            Factors::Given(k) if GATE == GIVEN => {
                                _mm256_mul_ps(z, _mm256_loadu_ps(k.as_ptr().add(t * width + c)))
                            }
                            Factors::Element(alpha, inside) if GATE == ELEMENT => {
                                let alpha = _mm256_loadu_ps(alpha.as_ptr().add(t * width + c));
                                _mm256_mul_ps(z, element(alpha, inside, z))
                            }
                            _ => z,
                        }
                    };
                    let mut z = current(places[0]);
                    if GATE == ELEMENT && parts > 1 {
                        z = _mm256_add_ps(z, current(places[1]));
                        let share = if parts == 2 {
                            0.5
                        } else {
                            z = _mm256_add_ps(z, _mm256_add_ps(current(places[2]), current(places[3])));
                            0.25
                        };
                        z = _mm256_mul_ps(z, _mm256_set1_ps(share));
                    }
                    let u = _mm256_add_ps(_mm256_mul_ps(decay, v), z);
                    let spikes = _mm256_cmp_ps::<_CMP_GE_OQ>(u, threshold);
                    v = if soft {
                        _mm256_sub_ps(u, _mm256_and_ps(spikes, threshold))
                    } else {
                        _mm256_andnot_ps(spikes, u)
                    };
                    *bytes.add((t * rows + row) * (width / 8) + c / 8) = _mm256_movemask_ps(spikes) as u8;
                }
            }
        }
    }
}
