//! Shared ground of the elementwise kernels: fixed chunking, instruction-set levels, checks and vector-friendly maths.
//!
//! Work is cut into chunks whose size depends on the shapes only, never on the number of threads. Every chunk writes
//! outputs of its own; sums are kept per chunk and added up in chunk order. So results have the same bits whatever the
//! number of threads. Rust never contracts `a * b + c` into one rounding, so they also have the same bits on every
//! instruction-set level.

pub(crate) mod columns;
#[cfg(test)]
pub(crate) mod golden;
mod level;
pub(crate) mod math;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use level::{Isa, Level, multiversioned};

use rayon::prelude::*;

/// Elements of one chunk of an elementwise pass: 64 KiB of `f32`, so that three streams fit a second-level cache.
pub(crate) const CHUNK: usize = 1 << 14;

/// Calls that touch fewer elements than this stay on the calling thread: waking another costs more than they take.
pub(crate) const SERIAL_BELOW: usize = 1 << 15;

/// Calls `f` on every item; `elements` is the size of the whole call and decides whether threads are worth it.
pub(crate) fn for_each<I: Send>(elements: usize, items: Vec<I>, f: impl Fn(I) + Sync + Send) {
    if elements < SERIAL_BELOW || items.len() < 2 {
        items.into_iter().for_each(f);
    } else {
        let least = items_per_task(elements, items.len());
        items.into_par_iter().with_min_len(least).for_each(f);
    }
}

/// Like [`for_each`], and returns the results in the order of the items.
pub(crate) fn map<I: Send, R: Send>(elements: usize, items: Vec<I>, f: impl Fn(I) -> R + Sync + Send) -> Vec<R> {
    if elements < SERIAL_BELOW || items.len() < 2 {
        items.into_iter().map(f).collect()
    } else {
        let least = items_per_task(elements, items.len());
        items.into_par_iter().with_min_len(least).map(f).collect()
    }
}

/// How many items a task takes at least, so that it touches about one [`CHUNK`].
fn items_per_task(elements: usize, items: usize) -> usize {
    (CHUNK * items / elements.max(1)).max(1)
}

/// Cuts `[rows, row_len]` into column tiles: item `i` holds, for each row, columns `i * tile ..` up to `tile` of them.
///
/// Zero rows give no tiles.
pub(crate) fn column_tiles<V>(y: &mut [V], row_len: usize, tile: usize) -> Vec<Vec<&mut [V]>> {
    if row_len == 0 {
        return Vec::new();
    }
    let rows = y.len() / row_len;
    let mut tiles: Vec<Vec<&mut [V]>> = Vec::new();
    tiles.resize_with(row_len.div_ceil(tile), || Vec::with_capacity(rows));
    for row in y.chunks_mut(row_len) {
        for (tile, part) in tiles.iter_mut().zip(row.chunks_mut(tile)) {
            tile.push(part);
        }
    }
    tiles
}

/// How often a row of `c` channels is repeated so that inner loops are long enough for vectors: the pattern then has
/// `c * repeats(c)` elements.
pub(crate) fn repeats(c: usize) -> usize {
    const LONG_ENOUGH: usize = 64;
    LONG_ENOUGH.div_ceil(c.max(1))
}

/// `values` written `times` times one after the other.
pub(crate) fn repeated(values: &[f32], times: usize) -> Vec<f32> {
    values.repeat(times)
}

/// Adds up partial sums per column, in the order given; each partial is `[k * c]` and is folded over `k` first.
pub(crate) fn fold_columns<'a>(partials: impl Iterator<Item = &'a [f64]>, c: usize) -> Vec<f64> {
    let mut sum = vec![0.0; c];
    for partial in partials {
        for row in partial.chunks(c.max(1)) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_tiles_cover_every_element_once() {
        for (rows, len, tile) in [(1, 1, 1), (3, 7, 4), (2, 8, 4), (4, 5, 64), (0, 5, 2), (3, 0, 2)] {
            let mut y = vec![0.0f32; rows * len];
            for (i, tile_rows) in column_tiles(&mut y, len, tile).into_iter().enumerate() {
                assert_eq!(tile_rows.len(), rows);
                for row in tile_rows {
                    assert_eq!(row.len(), tile.min(len - i * tile));
                    row.iter_mut().for_each(|v| *v += 1.0);
                }
            }
            assert!(y.iter().all(|v| *v == 1.0), "{rows} x {len}, tile {tile}");
        }
    }

    #[test]
    fn map_keeps_the_order() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(map(1 << 20, items.clone(), |i| i * 2), items.iter().map(|i| i * 2).collect::<Vec<_>>());
    }

    #[test]
    fn columns_fold_over_repeats() {
        let partials = [vec![1.0, 2.0, 3.0, 4.0], vec![10.0, 20.0, 30.0, 40.0]];
        assert_eq!(fold_columns(partials.iter().map(Vec::as_slice), 2), [44.0, 66.0]);
    }
}
