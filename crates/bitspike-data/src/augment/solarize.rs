//! Solarize: invert every value that is not below a threshold: p → p if p < t, else 255 − p.
//!
//! t = 255·(9 − level)/9: level 0 inverts only 255, level 9 inverts everything (Cubuk et al. 2018, range [0, 256]).

use super::work::Work;

/// `level` is 0 to 9.
pub(crate) fn solarize(work: &mut Work, level: i32) {
    let ninths = 255 * (9 - level);
    for p in &mut work.pixels {
        if i32::from(*p) * 9 >= ninths {
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
