//! Translation by whole pixels: output (x, y) takes input (x − s, y) or (x, y − s).
//!
//! s = ±⌊(150/331)·side⌋ at the full level: the range ±150 pixels of a 331-pixel image (Cubuk et al. 2018), scaled to the side.

use super::affine::affine;
use super::level::Level;
use super::work::Work;

/// Moves right.
pub(crate) fn translate_x(work: &mut Work, level: impl Into<Level>) {
    let s = pixels(work.shape[2], level.into());
    affine(work, [1.0, 0.0, -s, 0.0, 1.0, 0.0]);
}

/// Moves down.
pub(crate) fn translate_y(work: &mut Work, level: impl Into<Level>) {
    let s = pixels(work.shape[1], level.into());
    affine(work, [1.0, 0.0, 0.0, 0.0, 1.0, -s]);
}

/// Truncated toward zero, so that both directions move equally far. The side is at most `MAX_SIDE`.
fn pixels(side: usize, level: Level) -> f64 {
    (150 * side as i64 * i64::from(level.n) / (331 * i64::from(level.of))) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::affine::FILL;

    #[test]
    fn by_hand() {
        // 150/331·4·5/9 = 1.007: one pixel.
        let mut w = Work::new([1, 1, 4], &[1, 2, 3, 4]);
        translate_x(&mut w, 5);
        assert_eq!(w.pixels, [FILL, 1, 2, 3]);
        let mut w = Work::new([1, 4, 1], &[1, 2, 3, 4]);
        translate_y(&mut w, -5);
        assert_eq!(w.pixels, [2, 3, 4, FILL]);
        // CIFAR size at full level: 14.5 becomes 14.
        assert_eq!((pixels(32, 9.into()), pixels(32, Level { n: -31, of: 31 })), (14.0, -14.0));
    }
}
