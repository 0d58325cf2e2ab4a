//! Sharpness: blend with a smoothed image.
//!
//! Smoothing: (Σ of the eight neighbours + 5·centre) / 13, rounded; pixels at the border are not smoothed (as Pillow's
//! `ImageFilter.SMOOTH`).

use super::blend::blend;
use super::level::Level;
use super::work::Work;

/// Sharper, or below zero smoother.
pub(crate) fn sharpness(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    work.replace(|[channels, h, w], source, target| {
        for c in 0..channels {
            let plane = &source[c * h * w..(c + 1) * h * w];
            let out = &mut target[c * h * w..(c + 1) * h * w];
            for y in 1..h.saturating_sub(1) {
                for x in 1..w.saturating_sub(1) {
                    let row = |y: usize| &plane[y * w + x - 1..y * w + x + 2];
                    let sum: u32 = (y - 1..=y + 1).flat_map(row).map(|&p| u32::from(p)).sum();
                    let centre = plane[y * w + x];
                    // The nine pixels count once; the centre four times more. Adding 6 of 13 rounds to nearest.
                    let smooth = (sum + 4 * u32::from(centre) + 6) / 13;
                    out[y * w + x] = blend(centre, smooth as u8, level);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Eight neighbours of 0 and a centre of 130: smooth = 650/13 = 50; 50 + 0.5·80 = 90. The border stays.
        let mut w = Work::new([1, 3, 3], &[0, 0, 0, 0, 130, 0, 0, 0, 0]);
        sharpness(&mut w, -5);
        assert_eq!(w.pixels, [0, 0, 0, 0, 90, 0, 0, 0, 0]);
        let mut w = Work::new([1, 1, 2], &[1, 2]);
        sharpness(&mut w, -5);
        assert_eq!(w.pixels, [1, 2]);
    }
}
