//! Copies the source window of a band into scratch, with its zero border.

use super::geometry::{Band, Plan, Window};

/// Where rows of channels-last pixels come from.
pub(crate) trait Rows: Sync {
    /// Type of one element.
    type Element: Copy + Default + Send + Sync;

    /// Elements of one pixel.
    fn per_pixel(&self) -> usize;

    /// Writes pixels `from..to` of a row into `out`, which has exactly their length.
    fn copy(&self, image: usize, row: usize, from: usize, to: usize, out: &mut [Self::Element]);

    /// The elements themselves from image `image` on, when they lie in memory as the kernels read them.
    fn direct(&self, image: usize) -> Option<&[Self::Element]> {
        let _ = image;
        None
    }
}

/// A contiguous channels-last tensor, each channel optionally multiplied by a scale on the way.
pub(crate) struct Dense<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) scale: Option<&'a [f32]>,
}

impl Rows for Dense<'_> {
    type Element = f32;

    fn per_pixel(&self) -> usize {
        self.channels
    }

    fn copy(&self, image: usize, row: usize, from: usize, to: usize, out: &mut [f32]) {
        let start = ((image * self.height + row) * self.width + from) * self.channels;
        out.copy_from_slice(&self.values[start..start + (to - from) * self.channels]);
        if let Some(scale) = self.scale {
            for pixel in out.chunks_exact_mut(self.channels) {
                pixel.iter_mut().zip(scale).for_each(|(v, s)| *v *= s);
            }
        }
    }

    fn direct(&self, image: usize) -> Option<&[f32]> {
        self.scale.is_none().then(|| &self.values[image * self.height * self.width * self.channels..])
    }
}

/// Fills one row of a window.
pub(crate) fn fill_row<R: Rows>(
    source: &R,
    plan: &Plan,
    window: &Window,
    image: usize,
    row: usize,
    out: &mut [R::Element],
) {
    let c = source.per_pixel();
    let (from, to, at) = window.visible(plan.src.1);
    match window.source_row(row, plan.src.0) {
        Some(src) if from < to => {
            let (left, rest) = out.split_at_mut(at * c);
            let (inner, right) = rest.split_at_mut((to - from) * c);
            left.fill(R::Element::default());
            right.fill(R::Element::default());
            source.copy(image, src, from, to, inner);
        }
        _ => out.fill(R::Element::default()),
    }
}

/// Fills `out` with the window of `band`: `[images, rows, cols, per_pixel]`.
pub(crate) fn fill<R: Rows>(source: &R, plan: &Plan, band: &Band, window: &Window, out: &mut [R::Element]) {
    let row_len = window.cols * source.per_pixel();
    for (i, out) in out.chunks_exact_mut(row_len).enumerate() {
        fill_row(source, plan, window, band.image + i / window.rows, i % window.rows, out);
    }
}
