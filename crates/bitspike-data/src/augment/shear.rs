//! Shear: output (x, y) takes input (x + m·y, y), or (x, y + m·x), around the top-left corner.
//!
//! m = ±0.3 at the full level (Cubuk et al. 2018, range [-0.3, 0.3]).

use super::affine::affine;
use super::level::Level;
use super::work::Work;

/// Shears along x.
pub(crate) fn shear_x(work: &mut Work, level: impl Into<Level>) {
    affine(work, [1.0, slope(level.into()), 0.0, 0.0, 1.0, 0.0]);
}

/// Shears along y.
pub(crate) fn shear_y(work: &mut Work, level: impl Into<Level>) {
    affine(work, [1.0, 0.0, 0.0, slope(level.into()), 1.0, 0.0]);
}

fn slope(level: Level) -> f64 {
    f64::from(3 * level.n) / f64::from(10 * level.of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::affine::FILL;

    #[test]
    fn by_hand() {
        // m = 0.3. Row 0: x + 0.5 + 0.15, same column. Row 2: x + 0.5 + 0.75, one column to the right.
        let mut w = Work::new([1, 3, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        shear_x(&mut w, 9);
        assert_eq!(w.pixels, [1, 2, 3, 4, 5, 6, 8, 9, FILL]);
        let mut w = Work::new([1, 3, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        shear_y(&mut w, 9);
        assert_eq!(w.pixels, [1, 2, 6, 4, 5, 9, 7, 8, FILL]);
    }
}
