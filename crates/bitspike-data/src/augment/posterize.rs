//! Posterize: keep only the top bits of every value.
//!
//! bits = 8 − round(4·level), halves up: 8 at level 0, 4 at the full one (Cubuk et al. 2018, range [4, 8]).

use super::level::Level;
use super::work::Work;

/// Not below zero.
pub(crate) fn posterize(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    let dropped = (8 * level.n + level.of) / (2 * level.of);
    let mask = 0xffu8 << dropped;
    for p in &mut work.pixels {
        *p &= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Level 7: 28/9 = 3.1, so 5 bits remain.
        let mut w = Work::new([1, 1, 3], &[7, 8, 255]);
        posterize(&mut w, 7);
        assert_eq!(w.pixels, [0, 8, 248]);
    }

    #[test]
    fn bits_per_level() {
        let kept: Vec<u32> = (0..10)
            .map(|level| {
                let mut w = Work::new([1, 1, 1], &[255]);
                posterize(&mut w, level);
                w.pixels[0].count_ones()
            })
            .collect();
        // 8 - round(level·4/9) for level 0..9.
        assert_eq!(kept, [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]);
    }
}
