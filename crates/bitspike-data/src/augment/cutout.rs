//! Cutout (DeVries and Taylor 2017): set a square to zero after normalisation, so to the mean.
//!
//! The centre is uniform over the image; the part of the square outside the image is lost, so near a border less is
//! covered. With centre (cx, cy) and side s: columns cx − ⌊s/2⌋ .. cx − ⌊s/2⌋ + s, the same for rows.

use bitspike_random::Random;

/// Zeroes a square of `side` pixels in every channel. Shapes: `image` is `[C, H, W]`.
pub(crate) fn cutout(image: &mut [f32], [_, h, w]: [usize; 3], side: usize, rng: &mut Random) {
    let (cy, cx) = (rng.below(h as u64) as usize, rng.below(w as u64) as usize);
    erase(image, [h, w], side, cy, cx);
}

fn erase(image: &mut [f32], [h, w]: [usize; 2], side: usize, cy: usize, cx: usize) {
    let span = |centre: usize, n: usize| {
        let end = (centre + side).saturating_sub(side / 2).min(n);
        centre.saturating_sub(side / 2)..end
    };
    for plane in image.chunks_exact_mut((h * w).max(1)) {
        for y in span(cy, h) {
            plane[y * w..][span(cx, w)].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let zeros = |side, cy, cx| -> Vec<usize> {
            let mut image = vec![1.0f32; 2 * 12];
            erase(&mut image, [3, 4], side, cy, cx);
            assert_eq!(image[..12], image[12..]);
            (0..12).filter(|&i| image[i] == 0.0).collect()
        };
        assert_eq!(zeros(2, 1, 1), [0, 1, 4, 5]);
        assert_eq!(zeros(2, 0, 0), [0]);
        assert_eq!(zeros(3, 1, 1), [0, 1, 2, 4, 5, 6, 8, 9, 10]);
        assert_eq!(zeros(1, 2, 3), [11]);
        assert_eq!(zeros(3, 2, 3), [6, 7, 10, 11]);
    }
}
