//! Winograd's F(4x4, 3x3): convolution with 3x3 kernels, stride 1 and padding 1, with a quarter of the multiplications.
//!
//! ```text
//! U[k, ci, co]  = (G g G')[k]           for the kernel g of every pair of channels      k < 36
//! V[k, t, ci]   = (B' d B)[k]           for the 6x6 source pixels d of every 4x4 tile t
//! M[k, t, co]   = sum over ci of V[k, t, ci] U[k, ci, co]
//! y[tile t, co] = A' M[:, t, co] A
//! ```
//!
//! Source pixels `[N, H, W, Ci]`, results `[N, H, W, Co]`. Per tile and pair of channels there are 36 multiplications
//! where the direct form has 144; the [`transform`]s cost additions only, which many channels share. Their price is
//! rounding: about twice the rms error of direct sums. An infinity or NaN in a patch reaches its whole tile, as NaN.
//!
//! The forward pass and the gradient of the input are the same job, the latter with flipped kernels and the roles of
//! the channels exchanged. `ci` stands for source, `co` for destination channels here.
//!
//! Whole rows of tiles form a band, the unit of parallel work; a band is cut into chunks of tiles whose V and M stay in
//! the caches while the 36 matrix products read all of U. Both cuts depend on sizes only.
//!
//! Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.

use rayon::prelude::*;

mod buffers;
mod transform;
mod weights;

use super::lanes::{Array, Lanes, WIDTH};
use crate::dispatch::KernelPath;
use crate::shape::ConvShape;
use buffers::Buffer;
use transform::{PATCH, PRODUCTS, TILE};
pub(crate) use weights::{Kernels, Transformed};

/// Sixteen floats in one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; WIDTH]);

const ZERO: Line = Line([0.0; WIDTH]);

impl Default for Line {
    fn default() -> Self {
        ZERO
    }
}

/// Lines between matrices that are accessed together beyond their own size. Without them the 36 matrices of a power of
/// two of channels would compete for the same few cache sets.
const SKEW: usize = 1;

/// Whether Winograd's algorithm applies: 3x3 kernels that keep the size of the map.
pub(crate) fn applies(s: &ConvShape) -> bool {
    (s.kh, s.kw, s.stride, s.padding) == (3, 3, 1, 1)
}

/// Whether Winograd's algorithm applies and is the fastest way.
///
/// Each transform serves all channels of the other side, so few channels do not pay for it, and pixels of tiles that
/// hang over the edge are computed for nothing. Measured on Zen 3 against the direct form: 16 channels on either side
/// gain 1.3 times with full tiles and lose with tiles filled to 0.39; 64 channels gain 1.5 times at 0.39 and break even
/// at 1/4. The portable path gains as AVX2 does; NEON, which was not measured, is taken to do so too. With AVX-512 the
/// binary layers have a faster way.
pub(crate) fn takes(path: KernelPath, s: &ConvShape) -> bool {
    let maps = Maps { images: s.n, height: s.h, width: s.w };
    let channels = s.c_in.min(s.c_out);
    let (pixels, tiled) = (s.h * s.w, maps.tile_rows() * maps.tile_columns() * TILE * TILE);
    path != KernelPath::Avx512 && applies(s) && channels >= 16 && channels.min(32) * pixels >= 11 * tiled
}

/// Images that keep their size: `[images, height, width]` pixels of any number of channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maps {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Maps {
    /// Rows of tiles of one image.
    fn tile_rows(&self) -> usize {
        self.height.div_ceil(TILE)
    }

    /// Tiles of one row.
    fn tile_columns(&self) -> usize {
        self.width.div_ceil(TILE)
    }

    /// Rows of pixels, counted through all images, above row of tiles `row`, counted likewise.
    fn pixel_row(&self, row: usize) -> usize {
        row / self.tile_rows() * self.height + row % self.tile_rows() * TILE
    }
}

/// Most tiles of a chunk, by measurement: U of many channels is read from memory by every chunk and wants large ones;
/// V and M of few channels stay in the caches of one core when chunks are small. Few tiles in all are shared out.
fn chunk_tiles(weights: &Transformed, all: usize) -> usize {
    const SMALL: usize = 48;
    if weights.sources * weights.destinations > 1 << 16 { (all / 8).clamp(SMALL, 2 * SMALL) } else { SMALL }
}

/// V and M of a chunk.
#[derive(Default)]
struct Scratch {
    /// V, `[36][tile][ceil(Ci / 16)]`
    factors: Buffer,
    /// M, `[36][tile][ceil(Co / 16)]`
    sums: Buffer,
}

/// Convolves `src` `[images, height, width, sources]` into `out` `[images, height, width, destinations]`.
pub(crate) fn run(path: KernelPath, maps: &Maps, src: &[f32], weights: &Transformed, out: &mut [f32]) {
    let all = maps.images * maps.tile_rows();
    let most = chunk_tiles(weights, all * maps.tile_columns());
    let rows = (most / maps.tile_columns()).max(1);
    let mut rest = out;
    let mut bands = Vec::new();
    for first in (0..all).step_by(rows) {
        let last = (first + rows).min(all);
        let pixels = (maps.pixel_row(last) - maps.pixel_row(first)) * maps.width;
        let (part, tail) = rest.split_at_mut(pixels * weights.destinations);
        bands.push((first, last, part));
        rest = tail;
    }
    let work = |scratch: &mut Scratch, (first, last, part): (usize, usize, &mut [f32])| {
        let (from, to) = (first * maps.tile_columns(), last * maps.tile_columns());
        // A row of more tiles than a chunk may have is cut into even parts.
        let tiles = (to - from).div_ceil((to - from).div_ceil(most));
        for start in (from..to).step_by(tiles) {
            let tiles = start..to.min(start + tiles);
            let chunk = Chunk { maps, src, weights, first_row: maps.pixel_row(first), tiles };
            run_chunk(path, &chunk, scratch, part);
        }
    };
    if bands.len() < 2 {
        let mut scratch = Scratch::default();
        bands.into_iter().for_each(|band| work(&mut scratch, band));
    } else {
        bands.into_par_iter().for_each_init(Scratch::default, work);
    }
}

/// Tiles handled together, and the band they write to.
struct Chunk<'a> {
    maps: &'a Maps,
    src: &'a [f32],
    weights: &'a Transformed,
    /// First row of pixels of the band, counted through all images.
    first_row: usize,
    /// Tiles, counted through all rows and images.
    tiles: std::ops::Range<usize>,
}

/// Position of a tile: its image and its first pixel.
struct Place {
    image: usize,
    row: usize,
    column: usize,
}

impl Chunk<'_> {
    fn place(&self, tile: usize) -> Place {
        let columns = self.maps.tile_columns();
        let (row, column) = (tile / columns, tile % columns);
        let rows = self.maps.tile_rows();
        Place { image: row / rows, row: row % rows * TILE, column: column * TILE }
    }
}

fn run_chunk(path: KernelPath, chunk: &Chunk<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    match path {
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { chunk_avx512(chunk, scratch, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => unsafe { chunk_avx2(chunk, scratch, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        KernelPath::Neon => unsafe { chunk_neon(chunk, scratch, out) },
        // SAFETY: the array form needs no special instructions.
        _ => unsafe { chunk_body::<Array, 2, 2>(chunk, scratch, out) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn chunk_avx512(chunk: &Chunk<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    // SAFETY: compiled for AVX-512.
    unsafe { chunk_body::<std::arch::x86_64::__m512, 12, 6>(chunk, scratch, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn chunk_avx2(chunk: &Chunk<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    // SAFETY: compiled for AVX2 and FMA.
    unsafe { chunk_body::<[std::arch::x86_64::__m256; 2], 6, 4>(chunk, scratch, out) }
}

/// Six tiles: 24 registers of sums, 4 of U and the values fit the 32 there are.
#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn chunk_neon(chunk: &Chunk<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    // SAFETY: compiled for NEON.
    unsafe { chunk_body::<[std::arch::aarch64::float32x4_t; 4], 6, 4>(chunk, scratch, out) }
}

/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn chunk_body<V: Lanes, const PX: usize, const LAST: usize>(
    chunk: &Chunk<'_>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    // Rows beyond the last tile fill its register tile: their sums are computed and not used.
    let tiles = chunk.tiles.len().next_multiple_of(PX);
    let (sources, blocks) = (chunk.weights.sources.div_ceil(WIDTH), chunk.weights.destinations.div_ceil(WIDTH));
    let v = scratch.factors.lines(PRODUCTS * (tiles * sources + SKEW));
    let m = scratch.sums.lines(PRODUCTS * (tiles * blocks + SKEW));
    // SAFETY: passed on from the caller.
    unsafe {
        factors::<V>(chunk, tiles, v);
        multiply::<V, PX, LAST>(chunk, tiles, v, m);
        results::<V>(chunk, tiles, m, out);
    }
}

/// V of all tiles of a chunk.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn factors<V: Lanes>(chunk: &Chunk<'_>, tiles: usize, out: &mut [Line]) {
    let Maps { height, width, .. } = *chunk.maps;
    let channels = chunk.weights.sources;
    let blocks = channels.div_ceil(WIDTH);
    let stride = tiles * blocks + SKEW;
    assert!(chunk.tiles.len() <= tiles && out.len() == PRODUCTS * stride, "V of the chunk");
    // Pixels of the border.
    let zeros = vec![ZERO; blocks];
    for (i, tile) in chunk.tiles.clone().enumerate() {
        let at = chunk.place(tile);
        let pixels: [[*const f32; PATCH]; PATCH] = std::array::from_fn(|r| {
            std::array::from_fn(|c| {
                let (row, column) = (at.row + r, at.column + c);
                if row == 0 || row > height || column == 0 || column > width {
                    return zeros.as_ptr().cast();
                }
                let pixel = (at.image * height + row - 1) * width + column - 1;
                chunk.src[pixel * channels..][..channels].as_ptr()
            })
        });
        let whole = channels / WIDTH;
        for block in 0..whole {
            // SAFETY: the assertion bounds the writes: k < 36, tile and block exist; every pixel has `channels` values.
            unsafe { transform::data::<V>(&pixels, block * WIDTH, out.as_mut_ptr().add(i * blocks + block), stride) };
        }
        if whole < blocks {
            // The last channels of a pixel end before a full vector does.
            let rest = channels % WIDTH;
            let mut padded = [[ZERO; PATCH]; PATCH];
            for (padded, pixels) in padded.iter_mut().flatten().zip(pixels.iter().flatten()) {
                // SAFETY: every pixel has `channels` readable values.
                let values = unsafe { std::slice::from_raw_parts(pixels.add(whole * WIDTH), rest) };
                padded.0[..rest].copy_from_slice(values);
            }
            let padded = padded.each_ref().map(|row| row.each_ref().map(|line| line.0.as_ptr()));
            // SAFETY: the assertion bounds the writes: k < 36, tile and block exist; the pixels are whole lines.
            unsafe { transform::data::<V>(&padded, 0, out.as_mut_ptr().add(i * blocks + whole), stride) };
        }
    }
}

/// M of all tiles of a chunk: 36 matrix products.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn multiply<V: Lanes, const PX: usize, const LAST: usize>(
    chunk: &Chunk<'_>,
    tiles: usize,
    factors: &[Line],
    sums: &mut [Line],
) {
    let weights = chunk.weights;
    let lines = weights.lines();
    let (channels, blocks) = (weights.sources, weights.destinations.div_ceil(WIDTH));
    let row = channels.div_ceil(WIDTH);
    assert_eq!(tiles % PX, 0, "whole register tiles");
    assert_eq!(factors.len(), PRODUCTS * (tiles * row + SKEW), "V of the chunk");
    assert_eq!(sums.len(), PRODUCTS * (tiles * blocks + SKEW), "M of the chunk");
    assert_eq!(lines.len(), blocks * PRODUCTS * (channels + SKEW), "U of all blocks");
    for k in 0..PRODUCTS {
        for block in 0..blocks {
            let mut first = 0;
            while first < chunk.tiles.len() {
                let left = chunk.tiles.len() - first;
                // SAFETY: the assertions bound all addresses: k, block, and PX tiles from `first` on exist.
                unsafe {
                    let w = lines.as_ptr().add((block * PRODUCTS + k) * (channels + SKEW)).cast();
                    let v = factors.as_ptr().add(k * (tiles * row + SKEW) + first * row).cast();
                    let m = sums.as_mut_ptr().add(k * (tiles * blocks + SKEW) + first * blocks + block).cast();
                    if left > LAST {
                        product::<V, PX>(v, row * WIDTH, w, channels, m, blocks * WIDTH);
                    } else {
                        product::<V, LAST>(v, row * WIDTH, w, channels, m, blocks * WIDTH);
                    }
                }
                first += PX;
            }
        }
    }
}

/// The register tile: `PX` rows of V times one block of U.
///
/// # Safety
/// Only inside a function compiled for the path of `V`; `v` points to `PX` rows of `channels` floats, `v_row` apart,
/// `w` to `channels` lines, `m` to `PX` lines, `m_row` floats apart.
#[allow(clippy::needless_range_loop, reason = "constant index loops unroll into registers")]
#[inline(always)]
unsafe fn product<V: Lanes, const PX: usize>(
    v: *const f32,
    v_row: usize,
    w: *const f32,
    channels: usize,
    m: *mut f32,
    m_row: usize,
) {
    // SAFETY: the caller bounds all addresses.
    unsafe {
        let mut sums = [V::zero(); PX];
        let v: [*const f32; PX] = std::array::from_fn(|p| v.add(p * v_row));
        for c in 0..channels {
            let weights = V::load(w.add(c * WIDTH));
            for p in 0..PX {
                sums[p] = sums[p].add_scaled(*v[p].add(c), weights);
            }
        }
        for p in 0..PX {
            sums[p].store(m.add(p * m_row));
        }
    }
}

/// The results of all tiles of a chunk.
///
/// # Safety
/// Only inside a function compiled for the path of `V`.
#[inline(always)]
unsafe fn results<V: Lanes>(chunk: &Chunk<'_>, tiles: usize, sums: &[Line], out: &mut [f32]) {
    let Maps { height, width, .. } = *chunk.maps;
    let channels = chunk.weights.destinations;
    let blocks = channels.div_ceil(WIDTH);
    let stride = tiles * blocks + SKEW;
    assert!(chunk.tiles.len() <= tiles && sums.len() == PRODUCTS * stride, "M of the chunk");
    for (i, tile) in chunk.tiles.clone().enumerate() {
        let at = chunk.place(tile);
        let row = at.image * height + at.row - chunk.first_row;
        // A tile that hangs over the edge is cut.
        let (rows, columns) = (TILE.min(height - at.row), TILE.min(width - at.column));
        for block in 0..blocks {
            let lanes = WIDTH.min(channels - block * WIDTH);
            // SAFETY: the assertion bounds the reads: k < 36, tile and block exist.
            let values = unsafe { transform::result::<V>(sums.as_ptr().add(i * blocks + block), stride) };
            for r in 0..rows {
                for (c, values) in values[..columns].iter().enumerate() {
                    let value = values[r];
                    let pixel = (row + r) * width + at.column + c;
                    let out = &mut out[pixel * channels + block * WIDTH..][..lanes];
                    // SAFETY: `out` has 16 elements in the first branch, the array in the second.
                    unsafe {
                        if lanes == WIDTH {
                            value.store(out.as_mut_ptr());
                        } else {
                            let mut padded = [0.0; WIDTH];
                            value.store(padded.as_mut_ptr());
                            out.copy_from_slice(&padded[..lanes]);
                        }
                    }
                }
            }
        }
    }
}
