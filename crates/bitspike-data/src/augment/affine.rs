//! Affine maps with nearest-neighbour sampling, shared by shear, translate and rotate.
//!
//! Output pixel (x, y) takes the input pixel ⌊a(x+½) + b(y+½) + c⌋, ⌊d(x+½) + e(y+½) + f⌋, or `FILL` outside. The
//! coefficients are rounded to 1/65536 first, as Pillow does: from there on everything is integer arithmetic, so a last
//! bit of difference between two machines' sine does not move a pixel.

use super::work::Work;

/// Grey for pixels that come from outside, as in the published CIFAR policies.
pub(crate) const FILL: u8 = 128;

/// `matrix = [a, b, c, d, e, f]`: from output coordinates to input coordinates, in pixels.
pub(crate) fn affine(work: &mut Work, matrix: [f64; 6]) {
    let [a, b, c, d, e, f] = matrix;
    let fix = |v: f64| (v * 65536.0 + 0.5).floor() as i64;
    let (ax, bx, x0) = (fix(a), fix(b), fix(c + a * 0.5 + b * 0.5));
    let (dy, ey, y0) = (fix(d), fix(e), fix(f + d * 0.5 + e * 0.5));
    work.replace(|[channels, h, w], source, target| {
        for y in 0..h {
            for x in 0..w {
                let sx = (x0 + ax * x as i64 + bx * y as i64) >> 16;
                let sy = (y0 + dy * x as i64 + ey * y as i64) >> 16;
                let inside = (0..w as i64).contains(&sx) && (0..h as i64).contains(&sy);
                for k in 0..channels {
                    let at = k * h * w;
                    target[at + y * w + x] = if inside { source[at + sy as usize * w + sx as usize] } else { FILL };
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_half_turn() {
        let pixels: Vec<u8> = (0..12).collect();
        let mut w = Work::new([2, 2, 3], &pixels);
        affine(&mut w, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(w.pixels, pixels);
        // (x, y) from (3 - x, 2 - y) in continuous coordinates: both axes reversed.
        affine(&mut w, [-1.0, 0.0, 3.0, 0.0, -1.0, 2.0]);
        assert_eq!(w.pixels, [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6]);
    }

    #[test]
    fn outside_is_grey() {
        let mut w = Work::new([1, 1, 2], &[1, 2]);
        affine(&mut w, [1.0, 0.0, 1e6, 0.0, 1.0, 0.0]);
        assert_eq!(w.pixels, [FILL, FILL]);
    }
}
