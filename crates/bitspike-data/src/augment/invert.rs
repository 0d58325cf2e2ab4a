//! Invert: p → 255 − p.

use super::work::Work;

pub(crate) fn invert(work: &mut Work) {
    for p in &mut work.pixels {
        *p = 255 - *p;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut w = Work::new([1, 1, 3], &[0, 10, 255]);
        invert(&mut w);
        assert_eq!(w.pixels, [255, 245, 0]);
    }
}
