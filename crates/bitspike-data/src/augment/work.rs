//! The image that operations work on, with a second buffer for those that cannot work in place.

/// One image and room for another. Shapes: `pixels` and `spare` are `[C, H, W]`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    pub(crate) shape: [usize; 3],
    pub(crate) pixels: Vec<u8>,
    spare: Vec<u8>,
}

impl Work {
    /// Loads an image; buffers are reused.
    pub(crate) fn set(&mut self, shape: [usize; 3], pixels: &[u8]) {
        debug_assert_eq!(shape.iter().product::<usize>(), pixels.len());
        self.shape = shape;
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels);
    }

    #[cfg(test)]
    pub(crate) fn new(shape: [usize; 3], pixels: &[u8]) -> Self {
        let mut w = Self::default();
        w.set(shape, pixels);
        w
    }

    pub(crate) fn plane_len(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// The channels, one plane `[H, W]` each.
    pub(crate) fn planes_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let n = self.plane_len().max(1);
        self.pixels.chunks_exact_mut(n)
    }

    /// Applies a table of 256 values to every pixel of a plane.
    pub(crate) fn map(plane: &mut [u8], table: &[u8; 256]) {
        for p in plane {
            *p = table[usize::from(*p)];
        }
    }

    /// Runs `f(source, target)`, where `target` starts as a copy of `source`, and keeps the target.
    pub(crate) fn replace(&mut self, f: impl FnOnce([usize; 3], &[u8], &mut [u8])) {
        self.spare.clear();
        self.spare.extend_from_slice(&self.pixels);
        f(self.shape, &self.pixels, &mut self.spare);
        std::mem::swap(&mut self.pixels, &mut self.spare);
    }

    /// Luma of pixel `i` of the plane: `(19595 R + 38470 G + 7471 B + 32768) / 65536`, ITU-R 601 as in Pillow; of a
    /// one-channel image the pixel itself.
    pub(crate) fn luma(shape: [usize; 3], pixels: &[u8], i: usize) -> u8 {
        if shape[0] != 3 {
            return pixels[i];
        }
        let n = shape[1] * shape[2];
        let at = |c: usize| u32::from(pixels[c * n + i]);
        // At most (65536·255 + 32768) / 65536, so below 256.
        ((19_595 * at(0) + 38_470 * at(1) + 7_471 * at(2) + 0x8000) >> 16) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_of_grey_is_grey() {
        for v in 0..=255 {
            assert_eq!(Work::luma([3, 1, 1], &[v, v, v], 0), v);
            assert_eq!(Work::luma([1, 1, 1], &[v], 0), v);
        }
        // Pure red: 0.299·255 = 76.2.
        assert_eq!(Work::luma([3, 1, 1], &[255, 0, 0], 0), 76);
    }
}
