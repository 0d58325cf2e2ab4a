//! Color: blend with the grey version (luma) of the image. A one-channel image is left as it is.

use super::blend::blend;
use super::level::Level;
use super::work::Work;

/// Away from it, or below zero towards it.
pub(crate) fn color(work: &mut Work, level: impl Into<Level>) {
    let level = level.into();
    if work.shape[0] != 3 {
        return;
    }
    let n = work.plane_len();
    for i in 0..n {
        let grey = Work::luma(work.shape, &work.pixels, i);
        for c in 0..3 {
            let p = &mut work.pixels[c * n + i];
            *p = blend(*p, grey, level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Red 200: luma 59.8, so 60. Half way: 130, 30, 30.
        let mut w = Work::new([3, 1, 1], &[200, 0, 0]);
        color(&mut w, -5);
        assert_eq!(w.pixels, [130, 30, 30]);
        let mut w = Work::new([1, 1, 1], &[200]);
        color(&mut w, -5);
        assert_eq!(w.pixels, [200]);
    }
}
