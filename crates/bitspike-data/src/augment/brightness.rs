//! Brightness: blend with black.

use super::blend::blend;
use super::work::Work;

/// `level` is -9 to 9.
pub(crate) fn brightness(work: &mut Work, level: i32) {
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
