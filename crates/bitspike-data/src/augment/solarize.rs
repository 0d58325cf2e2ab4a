//! Solarize: invert every value that is not below a threshold: p → p if p < t, else 255 − p.
//!
//! t = 255·(1 − level): level 0 inverts only 255, the full level inverts everything (Cubuk et al. 2018, range [0, 256]).

use super::level::Level;
use super::work::Work;

/// Not below zero.
pub(crate) fn solarize(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    let parts = 255 * (level.of - level.n);
    for p in &mut work.pixels {
        if i32::from(*p) * level.of >= parts {
            *p = 255 - *p;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Level 3: t = 170.
        let mut w = Work::new([1, 1, 4], &[0, 169, 170, 255]);
        solarize(&mut w, 3);
        assert_eq!(w.pixels, [0, 169, 85, 0]);
        // Level 9: t = 0.
        let mut w = Work::new([1, 1, 2], &[0, 255]);
        solarize(&mut w, 9);
        assert_eq!(w.pixels, [255, 0]);
    }
}
