//! Random crop: pad with zeros on each side, then cut the original size out at (dx, dy).
//!
//! Output (x, y) takes input (x + dx − pad, y + dy − pad), or 0 outside, with dx and dy uniform in 0..=2·pad.
//! Zero is black before normalisation, as in the usual CIFAR recipe.

use super::work::Work;
use bitspike_random::Random;

/// Crops at a random place.
pub(crate) fn random_crop(work: &mut Work, pad: usize, rng: &mut Random) {
    let places = 2 * pad as u64 + 1;
    let (dy, dx) = (rng.below(places) as usize, rng.below(places) as usize);
    crop(work, pad, dy, dx);
}

fn crop(work: &mut Work, pad: usize, dy: usize, dx: usize) {
    work.replace(|[_, h, w], source, target| {
        target.fill(0);
        // Columns x with 0 <= x + dx - pad < w, and the first input column they take.
        let (x0, x1) = (pad.saturating_sub(dx).min(w), (w + pad).saturating_sub(dx).min(w));
        let s0 = (x0 + dx).saturating_sub(pad);
        for (from, to) in source.chunks_exact(h * w).zip(target.chunks_exact_mut(h * w)) {
            for y in 0..h {
                let Some(sy) = (y + dy).checked_sub(pad).filter(|&sy| sy < h) else { continue };
                if x0 < x1 {
                    to[y * w + x0..y * w + x1].copy_from_slice(&from[sy * w + s0..sy * w + s0 + x1 - x0]);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purpose::Purpose;

    #[test]
    fn all_places_of_a_small_image() {
        let (h, w) = (2usize, 3usize);
        let pixels: Vec<u8> = (1..=12).collect();
        for pad in 1..=4usize {
            for dy in 0..=2 * pad {
                for dx in 0..=2 * pad {
                    let mut work = Work::new([2, h, w], &pixels);
                    crop(&mut work, pad, dy, dx);
                    for (i, &got) in work.pixels.iter().enumerate() {
                        let (c, y, x) = (i / (h * w), i / w % h, i % w);
                        let (sy, sx) = (y as i64 + dy as i64 - pad as i64, x as i64 + dx as i64 - pad as i64);
                        let inside = (0..h as i64).contains(&sy) && (0..w as i64).contains(&sx);
                        let want = if inside { pixels[c * h * w + sy as usize * w + sx as usize] } else { 0 };
                        assert_eq!(got, want, "pad {pad} dy {dy} dx {dx} at {c},{y},{x}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_place_occurs() {
        // A single bright pixel in the middle of 3x3 with padding 1 can land on each of the nine places.
        let mut seen = [false; 9];
        for sample in 0..200 {
            let mut work = Work::new([1, 3, 3], &[0, 0, 0, 0, 9, 0, 0, 0, 0]);
            random_crop(&mut work, 1, &mut Purpose::Crop.stream(0, 0, sample));
            seen[work.pixels.iter().position(|&p| p == 9).unwrap()] = true;
        }
        assert_eq!(seen, [true; 9]);
    }
}
