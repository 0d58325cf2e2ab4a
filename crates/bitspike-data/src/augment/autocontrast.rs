//! Autocontrast: stretch each channel so that its smallest value becomes 0 and its largest 255.
//!
//! p → ⌊(p − lo)·255 / (hi − lo)⌋; a constant channel is left as it is (as Pillow's `ImageOps.autocontrast`).

use super::work::Work;

pub(crate) fn autocontrast(work: &mut Work) {
    for plane in work.planes_mut() {
        let lo = plane.iter().copied().min().unwrap_or(0);
        let hi = plane.iter().copied().max().unwrap_or(0);
        if lo == hi {
            continue;
        }
        let range = u32::from(hi - lo);
        for p in plane {
            *p = (u32::from(*p - lo) * 255 / range) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Channel 0: 10..=20, so (15 - 10)·255/10 = 127.5. Channel 1 is constant.
        let mut w = Work::new([2, 1, 3], &[10, 15, 20, 7, 7, 7]);
        autocontrast(&mut w);
        assert_eq!(w.pixels, [0, 127, 255, 7, 7, 7]);
    }
}
