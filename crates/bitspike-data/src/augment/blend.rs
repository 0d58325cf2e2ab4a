//! Blending toward or away from a degenerate image, shared by contrast, color, brightness and sharpness.
//!
//! out = d + f·(p − d), truncated and clamped to 0..=255, with f = 1 ± 0.9·level: f = 1 leaves the image as it is,
//! f = 0.1 is almost the degenerate image d, f = 1.9 exaggerates (Cubuk et al. 2018, range [0.1, 1.9]).

use super::level::Level;

/// One value, exact in integers.
pub(crate) fn blend(p: u8, degenerate: u8, Level { n, of }: Level) -> u8 {
    let (p, d) = (i32::from(p), i32::from(degenerate));
    ((10 * of * d + (10 * of + 9 * n) * (p - d)) / (10 * of)).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // (p, d, level, want): 100 + 0.5·(200-100); 100 + 1.9·100 clamped; 0 + 0.1·99 truncated; below 0 clamped.
        for (p, d, level, want) in
            [(200, 100, -5, 150), (200, 100, 9, 255), (99, 0, -9, 9), (10, 200, 9, 0), (77, 3, 0, 77)]
        {
            assert_eq!(blend(p, d, level.into()), want, "{p} {d} {level}");
        }
    }
}
