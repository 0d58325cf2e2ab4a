//! Contrast: blend with the uniform grey of the mean luma (rounded to the nearest integer).

use super::blend::blend;
use super::level::Level;
use super::work::Work;

/// Away from it, or below zero towards it.
pub(crate) fn contrast(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    let n = work.plane_len() as u64;
    if n == 0 {
        return;
    }
    let sum: u64 = (0..n as usize).map(|i| u64::from(Work::luma(work.shape, &work.pixels, i))).sum();
    let mean = ((2 * sum + n) / (2 * n)) as u8;
    for p in &mut work.pixels {
        *p = blend(*p, mean, level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Mean of 0, 100, 101 is 67: 67 + 0.5·(p - 67) = 33.5, 83.5, 84.
        let mut w = Work::new([1, 1, 3], &[0, 100, 101]);
        contrast(&mut w, -5);
        assert_eq!(w.pixels, [33, 83, 84]);
    }
}
