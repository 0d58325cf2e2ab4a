//! Where each pixel of a convolution reads: the plan shared by the forward pass and the gradient of the input.
//!
//! Both are the same job, *gather*: every destination pixel is a sum over kernel taps of source pixels. Forward,
//! destination row r reads source rows `r * stride + ky - padding`. For the input gradient, destination row r (a row of
//! x) reads the rows `oy` of dy with `oy * stride + ky - padding = r`; with a stride of s the destination rows fall
//! into s phases, and each phase has its own taps. A [`Plan`] lists the phases of both axes.
//!
//! The work is cut into [`Band`]s of destination pixels: some whole images, or some rows of one image. The cut depends
//! on the sizes only, so results do not depend on the number of threads.
//! Within a band the pixels are a flat list, so that narrow maps fill the register tiles as well as wide ones.

use crate::shape::ConvShape;

/// Destination positions `first, first + step, ...` along one axis and the source positions they read.
#[derive(Clone, Debug)]
struct Phase {
    first: usize,
    step: usize,
    /// Source position of tap offset 0 for the destination `first`; negative inside the padding.
    origin: isize,
    /// Step of the source position from one destination of the phase to the next.
    advance: usize,
    /// (source offset, index in the packed kernel), ascending in the offset.
    taps: Vec<(usize, usize)>,
}

impl Phase {
    /// The destinations in `range`: the first one, its source position of offset 0, and how many there are.
    fn positions(&self, range: std::ops::Range<usize>) -> Positions {
        let skipped = range.start.saturating_sub(self.first).div_ceil(self.step);
        let dst = self.first + skipped * self.step;
        let count = range.end.saturating_sub(dst).div_ceil(self.step);
        Positions { dst, src: self.origin + (skipped * self.advance) as isize, count }
    }

    fn reach(&self) -> usize {
        self.taps.last().map_or(0, |t| t.0)
    }
}

/// Part of a phase: an arithmetic progression of destinations and sources.
#[derive(Clone, Copy, Debug)]
struct Positions {
    dst: usize,
    src: isize,
    count: usize,
}

fn forward_phase(kernel: usize, stride: usize, padding: usize) -> Vec<Phase> {
    let taps = (0..kernel).map(|k| (k, k)).collect();
    vec![Phase { first: 0, step: 1, origin: -(padding as isize), advance: stride, taps }]
}

/// Phases of the input gradient. Kernel indices are flipped (`kernel - 1 - k`), so that neighbours in the source are
/// neighbours in the packed kernel.
fn gradient_phases(kernel: usize, stride: usize, padding: usize) -> Vec<Phase> {
    (0..stride)
        .map(|residue| {
            // Destinations r with (r + padding) % stride == residue read oy = (r + padding - residue) / stride - j.
            let first = (residue + stride - padding % stride) % stride;
            let count = kernel.saturating_sub(residue).div_ceil(stride);
            let taps = (0..count).map(|i| (i, kernel - 1 - (residue + stride * (count - 1 - i)))).collect();
            let origin = ((first + padding - residue) / stride) as isize - count.saturating_sub(1) as isize;
            Phase { first, step: stride, origin, advance: 1, taps }
        })
        .collect()
}

/// A stretch of taps that are neighbours both in the source row and in the packed kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Elements from the base of a destination pixel to the first source pixel.
    pub(crate) src: usize,
    /// First tap in the packed kernel.
    pub(crate) tap: usize,
    /// Number of taps.
    pub(crate) len: usize,
}

/// Destination pixels of a band that share their taps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass {
    /// What every pixel adds up; empty when nothing reaches it (the result is zero).
    pub(crate) runs: Vec<Run>,
    /// Per pixel: its base, the first element of a pixel in the source window.
    pub(crate) src: Vec<usize>,
    /// Per pixel: index of the destination pixel within the band.
    pub(crate) dst: Vec<usize>,
}

impl Pass {
    /// One past the last window element that is read when a pixel has `unit` elements; 0 when nothing is.
    pub(crate) fn end(&self, unit: usize) -> usize {
        let reach = self.runs.iter().map(|r| r.src + r.len * unit).max();
        reach.zip(self.src.iter().max()).map_or(0, |(reach, last)| last + reach)
    }
}

/// Destination pixels handled together: `images` whole images, or `rows` rows of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    pub(crate) image: usize,
    pub(crate) images: usize,
    pub(crate) row: usize,
    pub(crate) rows: usize,
}

/// The part of the source a band reads, with its zero border: `images` blocks of `rows` x `cols` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) row: isize,
    pub(crate) rows: usize,
    pub(crate) col: isize,
    pub(crate) cols: usize,
}

impl Window {
    /// Pixels of one image of the window.
    pub(crate) fn image(&self) -> usize {
        self.rows * self.cols
    }

    /// Source columns `from..to` inside the window, and where the first one lies in a window row.
    pub(crate) fn visible(&self, width: usize) -> (usize, usize, usize) {
        let from = self.col.clamp(0, width as isize);
        let to = (self.col + self.cols as isize).clamp(from, width as isize);
        (from as usize, to as usize, (from - self.col) as usize)
    }

    /// The source row shown by window row `row`, unless it lies in the border.
    pub(crate) fn source_row(&self, row: usize, height: usize) -> Option<usize> {
        usize::try_from(self.row + row as isize).ok().filter(|&r| r < height)
    }
}

/// How a gather is cut into bands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Multiply-accumulates per destination pixel.
    pub(crate) work_per_pixel: usize,
    /// Multiply-accumulates a band should have at least, so that starting it costs next to nothing.
    pub(crate) least_work: usize,
    /// Scratch bytes per window pixel.
    pub(crate) bytes_per_pixel: usize,
    /// Scratch bytes a band should stay below; one row is always allowed.
    pub(crate) most_bytes: usize,
}

/// Which source pixels every destination pixel adds up.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    images: usize,
    /// Height and width of the source.
    pub(crate) src: (usize, usize),
    /// Height and width of the destination.
    pub(crate) dst: (usize, usize),
    rows: Vec<Phase>,
    cols: Vec<Phase>,
    kernel_width: usize,
}

impl Plan {
    /// y from x; kernel taps in the order `ky * kw + kx`.
    pub(crate) fn forward(s: &ConvShape) -> Self {
        Self {
            images: s.n,
            src: (s.h, s.w),
            dst: (s.out_h(), s.out_w()),
            rows: forward_phase(s.kh, s.stride, s.padding),
            cols: forward_phase(s.kw, s.stride, s.padding),
            kernel_width: s.kw,
        }
    }

    /// dx from dy; kernel taps in the flipped order `kh * kw - 1 - (ky * kw + kx)`.
    pub(crate) fn input_gradient(s: &ConvShape) -> Self {
        Self {
            images: s.n,
            src: (s.out_h(), s.out_w()),
            dst: (s.h, s.w),
            rows: gradient_phases(s.kh, s.stride, s.padding),
            cols: gradient_phases(s.kw, s.stride, s.padding),
            kernel_width: s.kw,
        }
    }

    /// Cuts the destination, in order and without gaps.
    pub(crate) fn bands(&self, cut: &Cut) -> Vec<Band> {
        let (height, width) = self.dst;
        let row_work = cut.work_per_pixel.saturating_mul(width).max(1);
        let least_rows = cut.least_work.div_ceil(row_work);
        let whole = Band { image: 0, images: 1, row: 0, rows: height };
        let fits = |band: Band| {
            let pixels = self.window(&band).image().saturating_mul(band.images);
            pixels.saturating_mul(cut.bytes_per_pixel) <= cut.most_bytes
        };
        if least_rows >= height && fits(whole) {
            let wanted = least_rows.div_ceil(height).min(self.images);
            let images = (1..=wanted).rev().find(|&images| fits(Band { images, ..whole })).unwrap_or(1);
            let start = (0..self.images).step_by(images);
            return start.map(|image| Band { image, images: images.min(self.images - image), ..whole }).collect();
        }
        let wanted = least_rows.clamp(1, height);
        let most = (1..=wanted).rev().find(|&rows| fits(Band { rows, ..whole })).unwrap_or(1);
        // Even parts: 14 rows in parts of at most 10 are 7 + 7, not 10 + 4.
        let rows = height.div_ceil(height.div_ceil(most));
        let starts = (0..self.images).flat_map(|image| (0..height).step_by(rows).map(move |row| (image, row)));
        starts.map(|(image, row)| Band { image, images: 1, row, rows: rows.min(height - row) }).collect()
    }

    /// The source pixels a band reads.
    pub(crate) fn window(&self, band: &Band) -> Window {
        let (row, rows) = extent(&self.rows, band.row..band.row + band.rows);
        let (col, cols) = extent(&self.cols, 0..self.dst.1);
        Window { row, rows, col, cols }
    }

    /// The window as a view of the source itself, when no pixel of it lies in the border.
    pub(crate) fn direct(&self, band: &Band) -> Option<Window> {
        let w = self.window(band);
        let inside = |from: isize, count: usize, size: usize| from >= 0 && from as usize + count <= size;
        (inside(w.row, w.rows, self.src.0) && inside(w.col, w.cols, self.src.1)).then_some(Window {
            row: 0,
            rows: self.src.0,
            col: 0,
            cols: self.src.1,
        })
    }

    /// Lists the pixels of a band, phase by phase, for a window whose pixels have `unit` elements; `passes` is reused
    /// between calls.
    pub(crate) fn passes(&self, band: &Band, window: &Window, unit: usize, passes: &mut Vec<Pass>) {
        passes.resize_with(self.rows.len() * self.cols.len(), Pass::default);
        let phases = self.rows.iter().flat_map(|r| self.cols.iter().map(move |c| (r, c)));
        for ((rows, cols), pass) in phases.zip(passes.iter_mut()) {
            self.runs(rows, cols, window, unit, &mut pass.runs);
            pass.src.clear();
            pass.dst.clear();
            let (down, across) = (rows.positions(band.row..band.row + band.rows), cols.positions(0..self.dst.1));
            // Only a phase without taps can start outside the window; its sources are never read.
            let (first_row, first_col) = ((down.src - window.row).max(0), (across.src - window.col).max(0));
            for image in 0..band.images {
                for i in 0..down.count {
                    let src_row = image * window.rows + first_row as usize + i * rows.advance;
                    let src = (src_row * window.cols + first_col as usize) * unit;
                    let dst_row = image * band.rows + down.dst + i * rows.step - band.row;
                    let dst = dst_row * self.dst.1 + across.dst;
                    pass.src.extend((0..across.count).map(|i| src + i * cols.advance * unit));
                    pass.dst.extend((0..across.count).map(|i| dst + i * cols.step));
                }
            }
        }
    }

    fn runs(&self, rows: &Phase, cols: &Phase, window: &Window, unit: usize, runs: &mut Vec<Run>) {
        runs.clear();
        for &(row, ky) in &rows.taps {
            for &(col, kx) in &cols.taps {
                let (src, tap) = ((row * window.cols + col) * unit, ky * self.kernel_width + kx);
                match runs.last_mut() {
                    Some(last) if last.src + last.len * unit == src && last.tap + last.len == tap => last.len += 1,
                    _ => runs.push(Run { src, tap, len: 1 }),
                }
            }
        }
    }
}

/// First source position and number of positions read for the destinations in `range`.
fn extent(phases: &[Phase], range: std::ops::Range<usize>) -> (isize, usize) {
    let reading = || phases.iter().filter(|p| !p.taps.is_empty());
    let spans = || reading().map(|p| (p, p.positions(range.clone()))).filter(|(_, at)| at.count > 0);
    let low = spans().map(|(_, at)| at.src).min();
    let high = spans().map(|(p, at)| at.src + ((at.count - 1) * p.advance + p.reach()) as isize).max();
    match (low, high) {
        (Some(low), Some(high)) => (low, (high - low + 1) as usize),
        _ => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (dst row, ky) -> source row, from the definition.
    fn definition(
        kernel: usize,
        stride: usize,
        padding: usize,
        h: usize,
        gradient: bool,
    ) -> Vec<(usize, usize, isize)> {
        let out = (h + 2 * padding - kernel) / stride + 1;
        let mut all = Vec::new();
        for o in 0..out {
            for k in 0..kernel {
                let i = (o * stride + k) as isize - padding as isize;
                if (0..h as isize).contains(&i) {
                    all.push(if gradient { (i as usize, kernel - 1 - k, o as isize) } else { (o, k, i) });
                }
            }
        }
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn phases_list_the_taps_of_the_definition(
            kernel in 1usize..6, stride in 1usize..4, padding in 0usize..4, extra in 0usize..9, gradient: bool,
        ) {
            let h = kernel.saturating_sub(2 * padding).max(1) + extra;
            let out = (h + 2 * padding - kernel) / stride + 1;
            let (phases, dst, src) = if gradient {
                (gradient_phases(kernel, stride, padding), h, out)
            } else {
                (forward_phase(kernel, stride, padding), out, h)
            };
            let mut found = Vec::new();
            for phase in &phases {
                let at = phase.positions(0..dst);
                for i in 0..at.count {
                    let (d, from) = (at.dst + i * phase.step, at.src + (i * phase.advance) as isize);
                    for &(offset, tap) in &phase.taps {
                        let s = from + offset as isize;
                        if (0..src as isize).contains(&s) { found.push((d, tap, s)); }
                    }
                }
            }
            found.sort_unstable();
            prop_assert_eq!(found, definition(kernel, stride, padding, h, gradient));
        }

        #[test]
        fn bands_cover_every_row_once_and_in_order(
            n in 1usize..9, h in 1usize..20, w in 1usize..20, work in 1usize..5000, bytes in 1usize..9000,
        ) {
            let s = ConvShape { n, h, w, c_in: 1, c_out: 1, kh: 3, kw: 3, stride: 1, padding: 1 };
            let cut = Cut { work_per_pixel: 9, least_work: work, bytes_per_pixel: 4, most_bytes: bytes };
            let bands = Plan::forward(&s).bands(&cut);
            let rows: Vec<usize> = bands
                .iter()
                .flat_map(|b| (0..b.images).flat_map(move |i| (b.row..b.row + b.rows).map(move |r| (b.image + i) * h + r)))
                .collect();
            prop_assert_eq!(rows, (0..n * h).collect::<Vec<_>>());
        }
    }

    #[test]
    fn neighbouring_taps_form_one_run_per_kernel_row() {
        let s = ConvShape { n: 1, h: 6, w: 6, c_in: 1, c_out: 1, kh: 3, kw: 3, stride: 1, padding: 1 };
        for plan in [Plan::forward(&s), Plan::input_gradient(&s)] {
            let band = Band { image: 0, images: 1, row: 0, rows: 6 };
            let mut passes = Vec::new();
            plan.passes(&band, &plan.window(&band), 5, &mut passes);
            let expected = [(0, 0), (40, 3), (80, 6)].map(|(src, tap)| Run { src, tap, len: 3 });
            assert_eq!(passes[0].runs, expected);
        }
    }
}
