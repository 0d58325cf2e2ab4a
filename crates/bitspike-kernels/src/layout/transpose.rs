//! The blocked transposition of a band of a matrix.

use crate::par::multiversioned;

/// Rows and columns of a block: 16 cache lines in, 16 out.
pub(super) const TILE: usize = 16;

multiversioned! {
    /// Writes columns `from ..` of `x` `[rows, columns]` as the rows of `y` `[y.len() / rows, rows]`.
    pub(crate) fn band(x: &[f32], columns: usize, from: usize, y: &mut [f32], rows: usize) {
        let taken = y.len() / rows;
        let mut column = 0;
        while column < taken {
            let wide = TILE.min(taken - column);
            let mut row = 0;
            while row < rows {
                let high = TILE.min(rows - row);
                let x = &x[row * columns + from + column..];
                let y = &mut y[column * rows + row..];
                if wide == TILE && high == TILE {
                    block(x, columns, y, rows);
                } else {
                    for i in 0..wide {
                        for j in 0..high {
                            y[i * rows + j] = x[j * columns + i];
                        }
                    }
                }
                row += TILE;
            }
            column += TILE;
        }
    }
}

/// One full block, through a local copy so that the compiler sees fixed sizes.
#[inline(always)]
fn block(x: &[f32], columns: usize, y: &mut [f32], rows: usize) {
    let mut local = [[0.0f32; TILE]; TILE];
    for (j, local) in local.iter_mut().enumerate() {
        local.copy_from_slice(&x[j * columns..][..TILE]);
    }
    for i in 0..TILE {
        let out: &mut [f32] = &mut y[i * rows..][..TILE];
        for j in 0..TILE {
            out[j] = local[j][i];
        }
    }
}
