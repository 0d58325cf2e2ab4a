//! Rotation about the centre, counter-clockwise for positive levels, by 30 degrees at the full level (Cubuk et al. 2018).

use super::affine::affine;
use super::level::Level;
use super::work::Work;

/// Rotates.
pub(crate) fn rotate(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    let angle = -(f64::from(level.n) * 30.0 / f64::from(level.of)).to_radians();
    let (sin, cos) = angle.sin_cos();
    let (cx, cy) = (work.shape[2] as f64 / 2.0, work.shape[1] as f64 / 2.0);
    affine(work, [cos, sin, cx - cos * cx - sin * cy, -sin, cos, cy + sin * cx - cos * cy]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::affine::FILL;

    #[test]
    fn thirty_degrees_by_hand() {
        // 4x4, cos 30° = 0.866, sin 30° = 0.5. The input of output offset (u, v) from the centre is
        // (0.866u − 0.5v, 0.5u + 0.866v). Corner (-1.5, -1.5) -> (-0.549, -2.049): outside, above.
        // Offset (0.5, 0.5) -> (0.183, 0.683): the pixel itself.
        let pixels: Vec<u8> = (0..16).collect();
        let mut w = Work::new([1, 4, 4], &pixels);
        rotate(&mut w, 9);
        assert_eq!((w.pixels[0], w.pixels[10], w.pixels[15]), (FILL, 10, FILL));
        // Offset (1.5, -0.5) -> (1.549, 0.317): row 2, column 3. A marker right of the centre moves up.
        assert_eq!(w.pixels[7], 11);
    }

    #[test]
    fn level_zero_changes_nothing() {
        let pixels: Vec<u8> = (0..15).collect();
        let mut w = Work::new([1, 3, 5], &pixels);
        rotate(&mut w, 0);
        assert_eq!(w.pixels, pixels);
    }
}
