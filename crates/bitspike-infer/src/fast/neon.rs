//! The kernels on NEON (aarch64).
//!
//! Products and sums are separate instructions: a fused one would round once where the format says twice.

use super::lists::{Lists, SLACK};
use super::prepare::{Binary, Row, Signs, Stem};
use super::window::inside;
use super::{Factors, Job, Sums};
use bitspike_format::{Block, Conv, Neuron, Reset};
use std::arch::aarch64::*;

pub(super) use super::integers_neon::integers;
pub(super) use super::portable::{currents, project, totals};

/// Rows that are added together.
const GROUP: usize = 16;
/// Bits of a counter: as many as the largest count of 16-bit sums has.
const PLANES: usize = 16;

/// Sums of a real convolution: 32 channels of a pixel at a time.
#[target_feature(enable = "neon")]
pub(super) fn stem(stem: &Stem, conv: &Conv<'_>, frame: &[f32], sums: &mut [f32]) {
    let (map, out, width) = (conv.input, conv.output(), stem.width);
    assert!(frame.len() == map.len() && width.is_multiple_of(32), "a frame");
    assert_eq!(stem.weights.len(), conv.taps() * map.channels * width, "weights of all taps");
    for (pixel, sums) in sums.chunks_exact_mut(width).enumerate() {
        let (y, x) = (pixel / out.columns, pixel % out.columns);
        let (r0, r1) = inside(y, conv.stride, conv.padding[0], conv.kernel[0], map.rows);
        let (c0, c1) = inside(x, conv.stride, conv.padding[1], conv.kernel[1], map.columns);
        for (part, sums) in sums.chunks_exact_mut(32).enumerate() {
            let mut acc = [vdupq_n_f32(0.0); 8];
            for ky in r0..r1 {
                for kx in c0..c1 {
                    let from =
                        (y * conv.stride + ky - conv.padding[0]) * map.columns + x * conv.stride + kx - conv.padding[1];
                    for ci in 0..map.channels {
                        let value = vdupq_n_f32(frame[ci * map.pixels() + from]);
                        let row = (ky * conv.kernel[1] + kx) * map.channels + ci;
                        let weights = &stem.weights[row * width + 32 * part..][..32];
                        for (k, acc) in acc.iter_mut().enumerate() {
                            // SAFETY: the slice has 32 elements and k is below 8.
                            let w = unsafe { vld1q_f32(weights.as_ptr().add(4 * k)) };
                            *acc = vaddq_f32(*acc, vmulq_f32(w, value));
                        }
                    }
                }
            }
            for (k, acc) in acc.into_iter().enumerate() {
                // SAFETY: the slice has 32 elements and k is below 8.
                unsafe { vst1q_f32(sums.as_mut_ptr().add(4 * k), acc) };
            }
        }
    }
}

/// Sums of a binary convolution, spike by spike; as on AVX2, for 128 output channels at once.
#[target_feature(enable = "neon")]
pub(super) fn events(binary: &Binary, b: &Block<'_>, lists: &Lists, steps: usize, sums: &mut [i16]) {
    let Signs::Rows(blocks) = &binary.signs else { unreachable!("prepared for this path") };
    assert!(blocks.iter().all(|block| block.lanes == 128), "rows of one register");
    let (out, width) = (b.totals(), binary.width);
    let zero = (b.conv.taps() * b.conv.input.channels) as u16;
    let mut spikes = lists.check(b, blocks, steps, sums, width);
    for (i, sums) in sums.chunks_exact_mut(width).enumerate() {
        let at = [i / out.pixels(), i % out.pixels() / out.columns, i % out.columns];
        let n = lists.gather(b, at, &mut spikes, |list, base, out| append(list, base, out));
        let padded = n.next_multiple_of(GROUP);
        spikes[n..padded].fill(zero);
        for block in blocks {
            // SAFETY: every element of `spikes` is the number of a row: a tap below `taps` times the channels of the input, plus
            // a channel; or the row of zeros. `Lists::check` has found that the block has them all.
            unsafe { count(&spikes[..padded], &block.rows, n, &mut sums[block.first..]) };
        }
    }
}

/// Adds `base` to the elements of a list and writes them; returns their number. `out` has room for [`SLACK`] more.
#[inline]
#[target_feature(enable = "neon")]
fn append((list, len): (&[u16], usize), base: u16, out: &mut [u16]) -> usize {
    assert!(list.len() >= len + SLACK && out.len() >= len + SLACK, "room for whole vectors");
    let base = vdupq_n_u16(base);
    let mut i = 0;
    while i < len {
        for k in 0..2 {
            // SAFETY: i is below len, and both slices go on for 32 elements from there.
            unsafe {
                let list = vld1q_u16(list.as_ptr().add(i + 8 * k));
                vst1q_u16(out.as_mut_ptr().add(i + 8 * k), vaddq_u16(list, base));
            }
        }
        i += 16;
    }
    len
}

/// A full adder: `(sum, carry)`.
#[inline]
#[target_feature(enable = "neon")]
fn full(a: uint8x16_t, b: uint8x16_t, c: uint8x16_t) -> (uint8x16_t, uint8x16_t) {
    let half = veorq_u8(a, b);
    // Where a and b differ, the carry is c; else it is a.
    (veorq_u8(half, c), vbslq_u8(half, c, a))
}

/// Counts rows per channel and writes `2 · count − n`, for up to 128 channels or as many as `sums` has.
///
/// # Safety
/// `spikes` holds whole groups of numbers of rows that are there.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn count(spikes: &[u16], rows: &[Row], n: usize, sums: &mut [i16]) {
    let rows: *const u8 = rows.as_ptr().cast();
    // SAFETY: the caller promises the rows, and that index i is below the number of spikes.
    let load = |i: usize| unsafe { vld1q_u8(rows.add(16 * usize::from(*spikes.get_unchecked(i)))) };
    let zero = vdupq_n_u8(0);
    let (mut ones, mut twos, mut fours, mut eights) = (zero, zero, zero, zero);
    let mut planes = [zero; PLANES];
    let groups = spikes.len() / GROUP;
    for group in 0..groups {
        let first = group * GROUP;
        let mut four = [zero; 4];
        for (k, four) in four.iter_mut().enumerate() {
            let i = first + 4 * k;
            let (sum, a) = full(ones, load(i), load(i + 1));
            let (sum, b) = full(sum, load(i + 2), load(i + 3));
            ones = sum;
            (twos, *four) = full(twos, a, b);
        }
        let (sum, a) = full(fours, four[0], four[1]);
        let (sum, b) = full(sum, four[2], four[3]);
        fours = sum;
        let (sum, mut carry) = full(eights, a, b);
        eights = sum;
        // After so many groups no higher counter can be set.
        for plane in &mut planes[4..4 + (usize::BITS - (group + 1).leading_zeros()) as usize] {
            let sum = veorq_u8(*plane, carry);
            carry = vandq_u8(*plane, carry);
            *plane = sum;
        }
    }
    (planes[0], planes[1], planes[2], planes[3]) = (ones, twos, fours, eights);
    let used = 4 + (usize::BITS - groups.leading_zeros()) as usize;
    let mut bytes = [[0u8; 16]; PLANES];
    for (plane, bytes) in planes[..used].iter().zip(&mut bytes) {
        // SAFETY: an array of 16 bytes.
        unsafe { vst1q_u8(bytes.as_mut_ptr(), *plane) };
    }
    let (low, high) = bytes[..used].split_at(used.min(8));
    for (k, sums) in sums.chunks_exact_mut(16).take(8).enumerate() {
        let (low, high) = (values(low, k), values(high, k));
        let n = vdupq_n_s16(n as i16);
        for (part, count) in [vzip1q_u8(low, high), vzip2q_u8(low, high)].into_iter().enumerate() {
            let count = vreinterpretq_s16_u8(count);
            let sum = vsubq_s16(vaddq_s16(count, count), n);
            // SAFETY: the slice has twice 8 elements.
            unsafe { vst1q_s16(sums.as_mut_ptr().add(8 * part), sum) };
        }
    }
}

/// Up to eight planes of the 16 channels from 16 k on, as bytes.
#[inline]
#[target_feature(enable = "neon")]
fn values(planes: &[[u8; 16]], k: usize) -> uint8x16_t {
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: an array of 16 bytes.
    let bit = unsafe { vld1q_u8(BITS.as_ptr()) };
    let mut sum = vdupq_n_u8(0);
    for plane in planes.iter().rev() {
        let both = vcombine_u8(vdup_n_u8(plane[2 * k]), vdup_n_u8(plane[2 * k + 1]));
        // A set bit gives −1, which is subtracted.
        sum = vsubq_u8(vaddq_u8(sum, sum), vtstq_u8(both, bit));
    }
    sum
}

/// [`element_factor`](bitspike_format::element_factor) of four currents.
#[inline]
#[target_feature(enable = "neon")]
fn element(alpha: float32x4_t, inside: bool, z: float32x4_t) -> float32x4_t {
    let x = if inside { vmulq_f32(alpha, z) } else { z };
    let g = vaddq_f32(vmulq_f32(x, vdupq_n_f32(0.25)), vdupq_n_f32(0.5));
    // With a NaN both give a NaN.
    let g = vminq_f32(vmaxq_f32(g, vdupq_n_f32(0.0)), vdupq_n_f32(1.0));
    if inside { g } else { vmulq_f32(alpha, g) }
}

/// Spikes of eight neurons at a time, all steps in registers.
#[target_feature(enable = "neon")]
pub(super) fn neurons(job: &Job<'_>, out: &mut [u32]) {
    let (rows, width, steps, pixels) = (job.rows(out), job.width, job.steps, job.windows.pixels);
    let Neuron { decay, threshold, reset } = job.neuron;
    let (decay, threshold) = (vdupq_n_f32(decay), vdupq_n_f32(threshold));
    let bytes: *mut u8 = out.as_mut_ptr().cast();
    const BITS: [[u32; 4]; 2] = [[1, 2, 4, 8], [16, 32, 64, 128]];
    for row in 0..rows {
        let (places, parts) = job.windows.of(row);
        for c in (0..width).step_by(8) {
            let mut v = [vdupq_n_f32(0.0); 2];
            for t in 0..steps {
                let mut byte = 0;
                for (half, v) in v.iter_mut().enumerate() {
                    let c = c + 4 * half;
                    let current = |place: usize| {
                        let at = |constant: bool| (if constant { 0 } else { t * pixels * width }) + place * width + c;
                        // SAFETY: `Job::rows` has checked all lengths: sums have `pixels * width` elements per step (or once),
                        // slopes, offsets and a step's factors have `width`; the first `parts` places of a row are below `pixels`;
                        // c is a multiple of 4 below `width`, itself a multiple of 32.
                        unsafe {
                            let sum = match job.sums {
                                Sums::Reals(sums, constant) => vld1q_f32(sums.as_ptr().add(at(constant))),
                                Sums::Integers(sums) => {
                                    vcvtq_f32_s32(vmovl_s16(vld1_s16(sums.as_ptr().add(at(false)))))
                                }
                            };
                            let (a, b) = (vld1q_f32(job.slope.as_ptr().add(c)), vld1q_f32(job.offset.as_ptr().add(c)));
                            let z = vaddq_f32(vmulq_f32(a, sum), b);
                            match job.factors {
                                Factors::None => z,
                                Factors::Given(k) => vmulq_f32(z, vld1q_f32(k.as_ptr().add(t * width + c))),
                                Factors::Element(alpha, inside) => {
                                    let alpha = vld1q_f32(alpha.as_ptr().add(t * width + c));
                                    vmulq_f32(z, element(alpha, inside, z))
                                }
                            }
                        }
                    };
                    let z = match parts {
                        1 => current(places[0]),
                        2 => vmulq_f32(vaddq_f32(current(places[0]), current(places[1])), vdupq_n_f32(0.5)),
                        _ => {
                            let upper = vaddq_f32(current(places[0]), current(places[1]));
                            let lower = vaddq_f32(current(places[2]), current(places[3]));
                            vmulq_f32(vaddq_f32(upper, lower), vdupq_n_f32(0.25))
                        }
                    };
                    let u = vaddq_f32(vmulq_f32(decay, *v), z);
                    let spikes = vcgeq_f32(u, threshold);
                    let after = if reset == Reset::Soft { vsubq_f32(u, threshold) } else { vdupq_n_f32(0.0) };
                    *v = vbslq_f32(spikes, after, u);
                    // SAFETY: an array of four words.
                    let bits = unsafe { vld1q_u32(BITS[half].as_ptr()) };
                    byte |= vaddvq_u32(vandq_u32(spikes, bits));
                }
                // SAFETY: spikes are `rows * width / 8` bytes per step; byte c / 8 of a row of little-endian words holds channels
                // c to c + 7.
                unsafe { *bytes.add((t * rows + row) * (width / 8) + c / 8) = byte as u8 };
            }
        }
    }
}
