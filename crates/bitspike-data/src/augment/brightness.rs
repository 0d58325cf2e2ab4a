//! Brightness: blend with black.

use super::blend::blend;
use super::level::Level;
use super::work::Work;

/// Away from it, or below zero towards it.
pub(crate) fn brightness(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    for p in &mut work.pixels {
        *p = blend(*p, 0, level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut w = Work::new([1, 1, 3], &[10, 100, 200]);
        brightness(&mut w, 3);
        assert_eq!(w.pixels, [13, 130, 255]);
        let mut w = Work::new([1, 1, 3], &[10, 100, 200]);
        brightness(&mut w, -7);
        assert_eq!(w.pixels, [3, 30, 60]);
    }
}
