//! Equalize: flatten the histogram of each channel.
//!
//! With counts n_i, step = ⌊(N − n_last) / 255⌋, where n_last is the count of the largest value present:
//! i → ⌊(⌊step/2⌋ + Σ_{j<i} n_j) / step⌋, at most 255. If step is 0 the channel is left as it is (as Pillow's
//! `ImageOps.equalize`). Images of fewer than 256 pixels are therefore never changed.

use super::work::Work;

pub(crate) fn equalize(work: &mut Work) {
    for plane in work.planes_mut() {
        let mut counts = [0usize; 256];
        for &p in plane.iter() {
            counts[usize::from(p)] += 1;
        }
        let last = counts.iter().rev().copied().find(|&n| n > 0).unwrap_or(0);
        let step = (plane.len() - last) / 255;
        if step == 0 {
            continue;
        }
        let mut table = [0u8; 256];
        let mut sum = step / 2;
        for (t, n) in table.iter_mut().zip(counts) {
            *t = (sum / step).min(255) as u8;
            sum += n;
        }
        Work::map(plane, &table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // 510 pixels of value 3, 255 of value 9, 100 of value 200: N = 865, step = (865 - 100)/255 = 3.
        // 3 -> (1 + 0)/3 = 0;  9 -> (1 + 510)/3 = 170;  200 -> (1 + 765)/3 = 255.
        let mut pixels = vec![3u8; 510];
        pixels.extend([9; 255]);
        pixels.extend([200; 100]);
        let mut w = Work::new([1, 5, 173], &pixels);
        equalize(&mut w);
        assert_eq!((w.pixels[0], w.pixels[510], w.pixels[864]), (0, 170, 255));
    }

    #[test]
    fn a_small_image_is_left_alone() {
        let mut w = Work::new([1, 1, 3], &[5, 6, 7]);
        equalize(&mut w);
        assert_eq!(w.pixels, [5, 6, 7]);
    }
}
