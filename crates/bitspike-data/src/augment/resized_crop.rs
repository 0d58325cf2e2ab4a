//! Random resized crop: a rectangle of random area, shape and place, scaled to the size of the input.
//!
//! ```text
//! area = H W · U(smallest, 1),   ratio = (4/3)^U(-1, 1),   width = round(√(area ratio)),   height = round(√(area / ratio))
//! ```
//!
//! The place is uniform among those where the rectangle fits. What does not fit is drawn again, up to ten times; then the
//! largest rectangle in the middle with a ratio from 3/4 to 4/3 is taken. Scaling is linear with antialiasing (triangle
//! filter). Source: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015; the ten attempts and the rectangle after
//! them are those of torchvision.

use super::work::Work;
use bitspike_random::Random;
use image::imageops::{FilterType, crop_imm, resize};
use image::{ImageBuffer, Luma};

/// Part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rectangle {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A rectangle in an image of `height` and `width`, of at least `smallest` of its area.
pub(crate) fn rectangle([height, width]: [u32; 2], smallest: f64, rng: &mut Random) -> Rectangle {
    let (h, w) = (f64::from(height), f64::from(width));
    for _ in 0..10 {
        let area = h * w * (smallest + (1.0 - smallest) * rng.unit());
        let ratio = (4.0f64 / 3.0).powf(2.0 * rng.unit() - 1.0);
        let (cut_w, cut_h) = ((area * ratio).sqrt().round() as u32, (area / ratio).sqrt().round() as u32);
        if (1..=width).contains(&cut_w) && (1..=height).contains(&cut_h) {
            let y = rng.below(u64::from(height - cut_h) + 1) as u32;
            let x = rng.below(u64::from(width - cut_w) + 1) as u32;
            return Rectangle { x, y, width: cut_w, height: cut_h };
        }
    }
    let cut_w = ((h * 4.0 / 3.0).round() as u32).clamp(1, width);
    let cut_h = ((w * 4.0 / 3.0).round() as u32).clamp(1, height);
    Rectangle { x: (width - cut_w) / 2, y: (height - cut_h) / 2, width: cut_w, height: cut_h }
}

/// Crops and scales at random.
pub(crate) fn resized_crop(work: &mut Work, smallest: f64, rng: &mut Random) {
    let [_, h, w] = work.shape;
    let (h, w) = (h as u32, w as u32);
    let r = rectangle([h, w], smallest, rng);
    work.replace(|[_, height, width], source, target| {
        let planes = source.chunks_exact(height * width).zip(target.chunks_exact_mut(height * width));
        for (from, to) in planes {
            let plane =
                ImageBuffer::<Luma<u8>, &[u8]>::from_raw(w, h, from).expect("a plane has height times width pixels");
            let cut = crop_imm(&plane, r.x, r.y, r.width, r.height);
            to.copy_from_slice(resize(&*cut, w, h, FilterType::Triangle).as_raw());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purpose::Purpose;

    fn rng(sample: u64) -> Random {
        Purpose::ResizedCrop.stream(3, 0, sample)
    }

    #[test]
    fn rectangles_fit_and_have_the_area_and_the_shape_asked_for() {
        for size in [[1, 1], [1, 9], [40, 3], [375, 500], [224, 224]] {
            let (mut areas, mut ratios) = (Vec::new(), Vec::new());
            for sample in 0..2000 {
                let r = rectangle(size, 0.08, &mut rng(sample));
                assert!(r.width > 0 && r.height > 0 && r.x + r.width <= size[1] && r.y + r.height <= size[0], "{r:?}");
                areas.push(f64::from(r.width * r.height) / f64::from(size[0] * size[1]));
                ratios.push(f64::from(r.width) / f64::from(r.height));
            }
            if size[0] < 100 {
                continue; // Rounding and the fallback rule there.
            }
            assert!(areas.iter().all(|a| (0.078..=1.0).contains(a)));
            assert!(ratios.iter().all(|a| (0.74..=1.35).contains(a)));
            // The middle of U(0.08, 1) is 0.54; large ones fit less often.
            let mean = areas.iter().sum::<f64>() / 2000.0;
            assert!((0.42..0.56).contains(&mean), "{size:?}: {mean}");
        }
    }

    #[test]
    fn what_never_fits_is_the_middle() {
        // 1 of 40 x 3 pixels at a ratio of at least 3/4: all of its area is a rectangle that cannot be.
        let r = rectangle([40, 3], 1.0, &mut rng(0));
        assert_eq!(r, Rectangle { x: 0, y: 18, width: 3, height: 4 });
        assert_eq!(rectangle([3, 40], 1.0, &mut rng(0)), Rectangle { x: 18, y: 0, width: 4, height: 3 });
    }

    #[test]
    fn one_colour_stays_and_a_slope_is_stretched() {
        let slope: Vec<u8> =
            (0..2).flat_map(|c| (0..20 * 30).map(move |i| if c == 0 { 77 } else { (i % 30 * 8) as u8 })).collect();
        for sample in 0..50 {
            let mut work = Work::new([2, 20, 30], &slope);
            resized_crop(&mut work, 0.2, &mut rng(sample));
            let r = rectangle([20, 30], 0.2, &mut rng(sample));
            let (flat, slope) = work.pixels.split_at(600);
            assert!(flat.iter().all(|p| *p == 77));
            // Rows are alike, and rise from the first column of the rectangle to its last.
            assert!(slope.chunks_exact(30).all(|row| row == &slope[..30]));
            let [first, last] = [r.x * 8, (r.x + r.width - 1) * 8].map(f64::from);
            assert!((f64::from(slope[0]) - first).abs() <= 4.0 && (f64::from(slope[29]) - last).abs() <= 4.0, "{r:?}");
        }
    }
}
