//! The weight gradient from packed spikes on AVX-512, by table look-up.
//!
//! dw\[co, ci\] adds dy\[p, co\] for the pixels p where input channel ci has a spike. Four pixels have only 16 such sums;
//! they are computed once per output channel, and a permute (`vpermps`) with four spike bits of 16 input channels then
//! does 64 multiply-accumulates at once.
//!
//! The bits must lie pixel by pixel for that: output pixels are taken in groups of 32 in flat order, across row and
//! image ends, and for every tap the 32 x 32 bits (pixels, channels) they see are transposed.
//! The pixels of dy are reordered along with them, so that a table is made from neighbouring values.
//! Groups are taken in chunks, one after the other; within a chunk, threads own disjoint output channels. So every
//! element is summed in the order of the pixels, whatever the number of threads.

use std::arch::x86_64::*;

use rayon::prelude::*;

use super::table::{AT_ONCE, Table, add_on, opaque_one, tables_from_halves};
use crate::bits::transpose::transpose_avx512;
use crate::bits::{PackedSpikes, WORD};
use crate::conv_real::lanes::WIDTH;
use crate::shape::ConvShape;

/// Pixels that share a table.
const QUAD: usize = 4;
/// Tables per group of 32 pixels.
const PER_WORD: usize = WORD / QUAD;
/// Groups summed in registers before a tile of dw is written back.
const DEPTH: usize = 4;
/// Bytes of transposed bits in a chunk: they are read once per block of output channels and should stay in cache.
const CHUNK_BYTES: usize = 384 << 10;

/// Whether the kernel can take these spikes: one plane, and offsets that fit the gather instruction.
pub(super) fn takes(s: &ConvShape, x: &PackedSpikes) -> bool {
    let small = |v: usize| v < 1 << 15;
    x.planes() == 1 && x.plane_len() < 1 << 31 && [s.h, s.w, s.kh, s.kw, s.padding].into_iter().all(small)
}

/// Writes dw `[Co, Ci, Kh, Kw]`; row `co` is multiplied by `scale[co]`.
pub(super) fn grad_weight(s: &ConvShape, x: &PackedSpikes, dy: &[f32], scale: Option<&[f32]>, dw: &mut [f32]) {
    let taps = s.kh * s.kw;
    let lanes = x.words_per_pixel() * WORD;
    let group_len = taps * lanes;
    let pixels = s.n * s.out_h() * s.out_w();
    let groups = pixels.div_ceil(WORD);
    let chunk = (CHUNK_BYTES / 4 / group_len).max(1).next_multiple_of(DEPTH).min(groups);
    // Narrow inputs fill the registers with more output channels.
    let depth_out = if s.c_in <= 2 * WIDTH { 8 } else { 4 };
    let part_len = depth_out * group_len;
    let parts = s.c_out.div_ceil(depth_out);
    let quads_len = parts * depth_out * WORD;
    let mut sums = vec![0.0f32; parts * part_len];
    let mut bits = vec![0u32; chunk * group_len];
    let mut quads = vec![0.0f32; chunk * quads_len];
    let parallel = s.macs() >= 1 << 21;

    for first in (0..groups).step_by(chunk) {
        let count = chunk.min(groups - first);
        let (bits, quads) = (&mut bits[..count * group_len], &mut quads[..count * quads_len]);
        let prepare = |(i, (bits, quads)): (usize, (&mut [u32], &mut [f32]))| {
            let pixel = (first + i) * WORD;
            // SAFETY: this module is reached on the AVX-512 path only, and `takes` has bounded the offsets.
            unsafe { group_bits(s, x, pixel, pixels, lanes, bits) };
            group_quads(&dy[pixel * s.c_out..pixels.min(pixel + WORD) * s.c_out], s.c_out, quads);
        };
        if parallel {
            let groups = bits.par_chunks_exact_mut(group_len).zip(quads.par_chunks_exact_mut(quads_len));
            groups.enumerate().with_min_len(8).for_each(prepare);
        } else {
            bits.chunks_exact_mut(group_len).zip(quads.chunks_exact_mut(quads_len)).enumerate().for_each(prepare);
        }
        let job = Job { bits, taps, lanes, blocks: s.c_in.div_ceil(WIDTH), quads, quads_len };
        let add = |(i, sums): (usize, &mut [f32])| {
            // SAFETY: this module is reached on the AVX-512 path only.
            unsafe { if depth_out == 8 { job.add_narrow(i, sums) } else { job.add_wide(i, sums) } }
        };
        if parallel {
            sums.par_chunks_exact_mut(part_len).enumerate().for_each(add);
        } else {
            sums.chunks_exact_mut(part_len).enumerate().for_each(add);
        }
    }

    // [part][tap][output channel of the part][lane] to [Co, Ci, taps].
    let unpack = |(co, out): (usize, &mut [f32])| {
        let part = &sums[co / depth_out * part_len..][..part_len];
        let scale = scale.map_or(1.0, |s| s[co]);
        for (ci, out) in out.chunks_exact_mut(taps).enumerate() {
            for (tap, out) in out.iter_mut().enumerate() {
                *out = part[(tap * depth_out + co % depth_out) * lanes + ci] * scale;
            }
        }
    };
    if parallel {
        dw.par_chunks_exact_mut(s.c_in * taps).enumerate().with_min_len(8).for_each(unpack);
    } else {
        dw.chunks_exact_mut(s.c_in * taps).enumerate().for_each(unpack);
    }
}

/// dy of up to 32 pixels, `[pixel, channel]`, to `[channels / 4][32 pixels][4]`; what is missing stays zero.
fn group_quads(dy: &[f32], channels: usize, out: &mut [f32]) {
    if dy.len() < WORD * channels || !channels.is_multiple_of(AT_ONCE) {
        out.fill(0.0);
    }
    for (pixel, dy) in dy.chunks_exact(channels).enumerate() {
        let (whole, rest) = dy.as_chunks::<AT_ONCE>();
        let mut quads = out.chunks_exact_mut(WORD * AT_ONCE).map(|quad| &mut quad[pixel * AT_ONCE..][..AT_ONCE]);
        // Copies of a known length first: they are single moves.
        for (dy, out) in whole.iter().zip(quads.by_ref()) {
            out.copy_from_slice(dy);
        }
        if let Some(out) = quads.next() {
            out[..rest.len()].copy_from_slice(rest);
        }
    }
}

/// Bits of 32 output pixels from `pixel` on: `out[tap, channel]`, bit = pixel. Pixels past the end have zero bits.
#[target_feature(enable = "avx512f")]
fn group_bits(s: &ConvShape, x: &PackedSpikes, pixel: usize, pixels: usize, lanes: usize, out: &mut [u32]) {
    let per_pixel = x.words_per_pixel();
    let (out_h, out_w) = (s.out_h(), s.out_w());
    // Per pixel: source row and column of tap (0, 0), and the image.
    let (mut rows, mut cols, mut images) = ([i32::MIN / 2; WORD], [0i32; WORD], [0i32; WORD]);
    let (mut image, rest) = (pixel / (out_h * out_w), pixel % (out_h * out_w));
    let (mut oy, mut ox) = (rest / out_w, rest % out_w);
    for i in 0..WORD.min(pixels - pixel) {
        rows[i] = (oy * s.stride) as i32 - s.padding as i32;
        cols[i] = (ox * s.stride) as i32 - s.padding as i32;
        images[i] = (image * s.h) as i32;
        ox += 1;
        if ox == out_w {
            (oy, ox) = (oy + 1, 0);
            if oy == out_h {
                (image, oy) = (image + 1, 0);
            }
        }
    }
    let halves = |v: &[i32; WORD]| {
        // SAFETY: both halves of 16 lie inside the 32 values.
        unsafe { [_mm512_loadu_si512(v.as_ptr().cast()), _mm512_loadu_si512(v.as_ptr().add(16).cast())] }
    };
    let (rows, cols, images) = (halves(&rows), halves(&cols), halves(&images));
    let (height, width) = (_mm512_set1_epi32(s.h as i32), _mm512_set1_epi32(s.w as i32));
    let words = x.plane(0);
    assert!(out.len() == s.kh * s.kw * lanes && words.len() == s.n * s.h * s.w * per_pixel, "sizes of the bits");
    for (tap, out) in out.chunks_exact_mut(lanes).enumerate() {
        let (ky, kx) = (_mm512_set1_epi32((tap / s.kw) as i32), _mm512_set1_epi32((tap % s.kw) as i32));
        let mut inside = [0; 2];
        let at: [__m512i; 2] = std::array::from_fn(|half| {
            let (row, col) = (_mm512_add_epi32(rows[half], ky), _mm512_add_epi32(cols[half], kx));
            // As unsigned numbers, negative positions are too large as well.
            inside[half] = _mm512_cmplt_epu32_mask(row, height) & _mm512_cmplt_epu32_mask(col, width);
            let pixel = _mm512_add_epi32(_mm512_mullo_epi32(_mm512_add_epi32(images[half], row), width), col);
            _mm512_mullo_epi32(pixel, _mm512_set1_epi32(per_pixel as i32))
        });
        for (k, out) in out.chunks_exact_mut(WORD).enumerate() {
            let k = _mm512_set1_epi32(k as i32);
            let read = |half: usize| {
                let (zero, at) = (_mm512_setzero_si512(), _mm512_add_epi32(at[half], k));
                // SAFETY: lanes outside the image are masked off, all others index a word of a pixel of the image.
                unsafe { _mm512_mask_i32gather_epi32::<4>(zero, inside[half], at, words.as_ptr().cast()) }
            };
            let [low, high] = transpose_avx512(read(0), read(1));
            // SAFETY: `out` has 32 words.
            unsafe {
                _mm512_storeu_si512(out.as_mut_ptr().cast(), low);
                _mm512_storeu_si512(out.as_mut_ptr().add(16).cast(), high);
            }
        }
    }
}

/// A chunk of groups.
struct Job<'a> {
    /// `[group][tap][lane]`
    bits: &'a [u32],
    taps: usize,
    /// Input channels, padded to whole words.
    lanes: usize,
    /// Blocks of 16 input channels in use.
    blocks: usize,
    /// dy as `[group][channels / 4][32 pixels][4]`
    quads: &'a [f32],
    /// Elements of `quads` per group.
    quads_len: usize,
}

impl Job<'_> {
    /// Adds the chunk to the four output channels of a part: tiles of 4 x 64.
    #[target_feature(enable = "avx512f")]
    fn add_wide(&self, part: usize, sums: &mut [f32]) {
        self.each_depth::<4>(part, |groups, tables| {
            for tap in 0..self.taps {
                let mut block = 0;
                while block < self.blocks {
                    // SAFETY: blocks stay below `self.blocks`, whose lanes exist in bits and sums.
                    block += unsafe {
                        match self.blocks - block {
                            1 => self.tile::<4, 1>(groups, tables, tap, block, sums),
                            2 | 3 => self.tile::<4, 2>(groups, tables, tap, block, sums),
                            _ => self.tile::<4, 4>(groups, tables, tap, block, sums),
                        }
                    };
                }
            }
        });
    }

    /// Adds the chunk to the eight output channels of a part: tiles of 8 x 32.
    #[target_feature(enable = "avx512f")]
    fn add_narrow(&self, part: usize, sums: &mut [f32]) {
        self.each_depth::<8>(part, |groups, tables| {
            for tap in 0..self.taps {
                // SAFETY: narrow layers have one or two blocks.
                unsafe {
                    match self.blocks {
                        1 => self.tile::<8, 1>(groups, tables, tap, 0, sums),
                        _ => self.tile::<8, 2>(groups, tables, tap, 0, sums),
                    }
                };
            }
        });
    }

    /// Builds the tables of part `part` for a few groups at a time, and calls `add(bits of the groups, tables)`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn each_depth<const CO: usize>(&self, part: usize, mut add: impl FnMut(&[u32], &[[[Table; PER_WORD]; CO]])) {
        let mut tables = [[[Table::default(); PER_WORD]; CO]; DEPTH];
        let groups = self.bits.chunks(DEPTH * self.taps * self.lanes);
        for (bits, quads) in groups.zip(self.quads.chunks(DEPTH * self.quads_len)) {
            let depth = quads.len() / self.quads_len;
            for (tables, quads) in tables.iter_mut().zip(quads.chunks_exact(self.quads_len)) {
                let quads = quads[part * CO * WORD..][..CO * WORD].chunks_exact(AT_ONCE * WORD);
                for (tables, quads) in tables.chunks_exact_mut(AT_ONCE).zip(quads) {
                    for (q, quad) in quads.chunks_exact(WIDTH).enumerate() {
                        // SAFETY: a quad has four pixels of four channels.
                        let sums = subset_sums(unsafe { _mm512_loadu_ps(quad.as_ptr()) });
                        for (tables, sums) in tables.iter_mut().zip(sums) {
                            // SAFETY: a table is 16 aligned floats.
                            unsafe { _mm512_store_ps(tables[q].0.as_mut_ptr(), sums) };
                        }
                    }
                }
            }
            add(bits, &tables[..depth]);
        }
    }

    /// Adds a few groups to `CO` output channels times `CB` blocks of input channels of one tap; returns `CB`.
    ///
    /// # Safety
    /// `block + CB` is at most `self.blocks`, `groups` holds whole groups, `sums` is `[taps][CO][lanes]`.
    #[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const CO: usize, const CB: usize>(
        &self,
        groups: &[u32],
        tables: &[[[Table; PER_WORD]; CO]],
        tap: usize,
        block: usize,
        sums: &mut [f32],
    ) -> usize {
        // SAFETY: the caller bounds all addresses.
        unsafe {
            let one = opaque_one();
            let out = sums.as_mut_ptr().add(tap * CO * self.lanes + block * WIDTH);
            let mut acc = [[_mm512_setzero_ps(); CB]; CO];
            for a in 0..CO {
                for z in 0..CB {
                    acc[a][z] = _mm512_loadu_ps(out.add(a * self.lanes + z * WIDTH));
                }
            }
            for (r, tables) in tables.iter().enumerate() {
                let bits = groups.as_ptr().add((r * self.taps + tap) * self.lanes + block * WIDTH);
                let mut index: [__m512i; CB] = std::array::from_fn(|z| _mm512_loadu_si512(bits.add(z * WIDTH).cast()));
                for q in 0..PER_WORD {
                    for a in 0..CO {
                        let table = _mm512_load_ps(tables[a][q].0.as_ptr());
                        for z in 0..CB {
                            let value = _mm512_permutexvar_ps(index[z], table);
                            acc[a][z] = add_on(a * CB + z, acc[a][z], value, one);
                        }
                    }
                    for index in &mut index {
                        *index = _mm512_srli_epi32::<4>(*index);
                    }
                }
            }
            for a in 0..CO {
                for z in 0..CB {
                    _mm512_storeu_ps(out.add(a * self.lanes + z * WIDTH), acc[a][z]);
                }
            }
            CB
        }
    }
}

/// The sums of all subsets of four pixels, for four channels; `v` is `[pixel][channel]`, and bit j of the index says
/// whether pixel j takes part.
#[inline]
#[target_feature(enable = "avx512f")]
fn subset_sums(v: __m512) -> [__m512; AT_ONCE] {
    // From pixels of channels to channels of pixels.
    let v = _mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
    let pair = |first: __m512, second: __m512| {
        let first = _mm512_maskz_mov_ps(0xAAAA, first);
        _mm512_mask_add_ps(first, 0xCCCC, first, second)
    };
    let low = pair(_mm512_permute_ps::<0b00_00_00_00>(v), _mm512_permute_ps::<0b01_01_01_01>(v));
    let high = pair(_mm512_permute_ps::<0b10_10_10_10>(v), _mm512_permute_ps::<0b11_11_11_11>(v));
    tables_from_halves(low, high)
}
