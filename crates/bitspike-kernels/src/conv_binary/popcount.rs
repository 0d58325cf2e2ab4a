//! The forward pass on bits: `sum s w = 2 popcount(s & w) - popcount(s)` for spikes 0/1 and signs -1/+1.
//!
//! 32 products cost one `and`, one `popcount` and one addition per lane. Padding is zero bits, which count for nothing
//! in both terms. Several bit planes are taken from the highest down, doubling the sum in between (Horner's rule).

use super::output::Output;
use crate::bits::{PackedSigns, PackedSpikes, WORD};
use crate::conv_real::gather::for_each_band;
use crate::conv_real::geometry::{Cut, Pass, Plan};
use crate::conv_real::lanes::WIDTH;
use crate::conv_real::window::{Rows, fill};
use crate::dispatch::KernelPath;
use crate::shape::ConvShape;

/// One plane of packed spikes.
struct Plane<'a> {
    spikes: &'a PackedSpikes,
    words: &'a [u32],
}

impl Rows for Plane<'_> {
    type Element = u32;

    fn per_pixel(&self) -> usize {
        self.spikes.words_per_pixel()
    }

    fn copy(&self, image: usize, row: usize, from: usize, to: usize, out: &mut [u32]) {
        let [_, h, w, _] = self.spikes.dims();
        let start = ((image * h + row) * w + from) * self.per_pixel();
        out.copy_from_slice(&self.words[start..start + (to - from) * self.per_pixel()]);
    }
}

#[derive(Default)]
struct Scratch {
    /// All planes of the window, one after the other.
    words: Vec<u32>,
    /// Spike count of every window pixel, then of `kw` neighbours from it on.
    counts: Vec<i32>,
    /// Spike count under the kernel, per destination pixel.
    under_kernel: Vec<i32>,
    passes: Vec<Pass>,
    #[cfg(target_arch = "x86_64")]
    lists: super::events_forward::Lists,
}

/// What the kernels of all paths read.
pub(super) struct Job<'a> {
    pub(super) pass: &'a Pass,
    /// Planes of the window, highest first: `[window pixel][words]` each.
    pub(super) planes: &'a [&'a [u32]],
    pub(super) words_per_pixel: usize,
    /// `popcount(s)` under the kernel, per pixel of the pass.
    pub(super) under_kernel: &'a [i32],
    /// `[block of 16 output channels][tap][words][16]`
    pub(super) signs: &'a [u32],
    /// What the AVX2 kernels read, if one of them is used.
    #[cfg(target_arch = "x86_64")]
    avx2: &'a Avx2,
    /// The spikes of every window pixel, for the kernel that goes through them one by one.
    #[cfg(target_arch = "x86_64")]
    lists: &'a super::events_forward::Lists,
    pub(super) taps: usize,
    pub(super) c_out: usize,
    /// `unit * scale` per output channel, padded to whole blocks.
    pub(super) factors: &'a [f32],
    /// Whether results are written past the cache.
    #[cfg(target_arch = "x86_64")]
    pub(super) streaming: bool,
}

impl Job<'_> {
    /// Panics unless every read the tiles make lies inside the slices: the one check for the unchecked loops.
    pub(super) fn check(&self) {
        let blocks = self.c_out.div_ceil(WIDTH);
        let end = self.pass.end(self.words_per_pixel);
        assert!(self.planes.iter().all(|p| end <= p.len()), "the window covers every pixel the runs touch");
        assert!(self.pass.runs.iter().all(|r| r.tap + r.len <= self.taps), "the runs stay inside the kernel");
        assert_eq!(self.signs.len(), blocks * self.taps * self.words_per_pixel * WIDTH, "signs cover all blocks");
        assert_eq!(self.factors.len(), blocks * WIDTH, "factors cover all blocks");
        assert_eq!(self.under_kernel.len(), self.pass.src.len(), "one count per pixel");
    }
}

/// y `[N, OH, OW, Co]` = unit * scale * (counts * signs), or the sums without the factors; the sums are exact integers.
pub(super) fn forward<O: Output>(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    w: &PackedSigns,
    scale: Option<&[f32]>,
    y: &mut [O],
) {
    let per_pixel = x.words_per_pixel();
    #[cfg(target_arch = "x86_64")]
    let avx2 = Avx2::choose(path, s, x, w);
    let work_per_pixel = per_pixel * WORD * s.kh * s.kw * s.c_out * x.planes();
    #[cfg(target_arch = "x86_64")]
    let least_pixels = if matches!(avx2, Avx2::Events(_)) { EVENT_PIXELS } else { 1 };
    #[cfg(not(target_arch = "x86_64"))]
    let least_pixels = 1;
    let cut = Cut {
        work_per_pixel,
        least_work: (64 << 20).max(work_per_pixel * least_pixels),
        bytes_per_pixel: per_pixel * x.planes() * 4,
        most_bytes: 256 << 10,
    };
    let mut factors = vec![0.0; s.c_out.next_multiple_of(WIDTH)];
    for (co, factor) in factors[..s.c_out].iter_mut().enumerate() {
        *factor = x.unit() * scale.map_or(1.0, |s| s[co]);
    }
    #[cfg(target_arch = "x86_64")]
    let streaming = super::store_avx512::streams(y, s.c_out);
    let plan = Plan::forward(s);
    for_each_band(&plan, &cut, s.c_out, y, Scratch::default, |scratch, band, out| {
        let window = plan.window(band);
        let plane_len = band.images * window.image() * per_pixel;
        scratch.words.resize(plane_len * x.planes(), 0);
        for (plane, out) in scratch.words.chunks_exact_mut(plane_len).enumerate() {
            fill(&Plane { spikes: x, words: x.plane(plane) }, &plan, band, &window, out);
        }
        plan.passes(band, &window, per_pixel, &mut scratch.passes);
        let pass = &scratch.passes[0];
        let planes: Vec<&[u32]> = scratch.words.chunks_exact(plane_len).rev().collect();
        #[cfg(target_arch = "x86_64")]
        if let Avx2::Events(_) = avx2 {
            scratch.lists.fill(&planes, per_pixel);
        }
        count_spikes(&planes, per_pixel, s.kw, &mut scratch.counts);
        scratch.under_kernel.clear();
        scratch.under_kernel.extend(pass.src.iter().map(|base| {
            let pixel = base / per_pixel;
            (0..s.kh).map(|ky| scratch.counts[pixel + ky * window.cols]).sum::<i32>()
        }));
        let job = Job {
            pass,
            planes: &planes,
            words_per_pixel: per_pixel,
            under_kernel: &scratch.under_kernel,
            signs: w.by_output(),
            #[cfg(target_arch = "x86_64")]
            avx2: &avx2,
            #[cfg(target_arch = "x86_64")]
            lists: &scratch.lists,
            taps: w.taps(),
            c_out: s.c_out,
            factors: &factors,
            #[cfg(target_arch = "x86_64")]
            streaming,
        };
        run(path, &job, out);
    });
}

/// Pixels of a band, at least, when spikes are taken one by one: all of them read the same signs.
#[cfg(target_arch = "x86_64")]
const EVENT_PIXELS: usize = 256;

/// The kernel of the AVX2 path, and the signs as it wants them.
#[cfg(target_arch = "x86_64")]
enum Avx2 {
    /// Spikes one by one.
    Events(super::events_forward::Bytes),
    /// Four spikes at a time.
    Nibbles(Vec<u8>),
    /// Another path, or sums beyond 16 bits.
    Neither,
}

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    fn choose(path: KernelPath, s: &ConvShape, x: &PackedSpikes, w: &PackedSigns) -> Self {
        use super::{events_forward, nibble_avx2};
        let words = w.taps() * x.words_per_pixel();
        if path != KernelPath::Avx2 || !nibble_avx2::takes(words * WORD, x.planes()) {
            return Self::Neither;
        }
        if x.events_per_neuron() <= events_forward::MOST_EVENTS && s.c_in <= usize::from(u16::MAX) {
            return Self::Events(events_forward::Bytes::new(w.by_output(), w.taps(), s.c_in, s.c_out));
        }
        Self::Nibbles(nibble_avx2::spread(w.by_output(), words))
    }
}

/// Spike counts of `kw` neighbouring window pixels, from each pixel on; `planes` holds the highest plane first.
fn count_spikes(planes: &[&[u32]], per_pixel: usize, kw: usize, counts: &mut Vec<i32>) {
    let pixels = planes[0].len() / per_pixel;
    counts.clear();
    counts.resize(pixels, 0);
    for plane in planes {
        for (count, pixel) in counts.iter_mut().zip(plane.chunks_exact(per_pixel)) {
            *count = *count * 2 + pixel.iter().map(|w| w.count_ones() as i32).sum::<i32>();
        }
    }
    // In place: the entries to the right are still plain counts when an entry is summed.
    for i in 0..pixels {
        counts[i] = counts[i..(i + kw).min(pixels)].iter().sum();
    }
}

fn run<O: Output>(path: KernelPath, job: &Job<'_>, out: &mut [O]) {
    match path {
        // SAFETY: a path reaches the kernels only after `KernelPath::require` found its instructions.
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx512 => unsafe { super::popcount_avx512::run(job, out) },
        #[cfg(target_arch = "x86_64")]
        KernelPath::Avx2 => match job.avx2 {
            // SAFETY: as above.
            Avx2::Events(signs) => unsafe { super::events_forward::run(job, signs, job.lists, out) },
            // SAFETY: as above.
            Avx2::Nibbles(signs) => unsafe { super::nibble_avx2::run(job, signs, out) },
            // SAFETY: as above.
            Avx2::Neither => unsafe { run_popcnt(job, out) },
        },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        KernelPath::Neon => unsafe { super::popcount_neon::run(job, out) },
        _ => run_portable(job, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn run_popcnt<O: Output>(job: &Job<'_>, out: &mut [O]) {
    run_portable(job, out);
}

/// One pixel and 16 output channels at a time.
#[inline(always)]
fn run_portable<O: Output>(job: &Job<'_>, out: &mut [O]) {
    job.check();
    let per_pixel = job.words_per_pixel;
    let block_len = job.taps * per_pixel * WIDTH;
    for (block, signs) in job.signs.chunks_exact(block_len).enumerate() {
        let first = block * WIDTH;
        let width = WIDTH.min(job.c_out - first);
        for ((&base, &dst), &under) in job.pass.src.iter().zip(&job.pass.dst).zip(job.under_kernel) {
            let mut sums = [0i32; WIDTH];
            for plane in job.planes {
                sums.iter_mut().for_each(|sum| *sum *= 2);
                for run in &job.pass.runs {
                    let words = &plane[base + run.src..][..run.len * per_pixel];
                    let signs = &signs[run.tap * per_pixel * WIDTH..][..run.len * per_pixel * WIDTH];
                    for (&word, signs) in words.iter().zip(signs.chunks_exact(WIDTH)) {
                        for (sum, &sign) in sums.iter_mut().zip(signs) {
                            *sum += (word & sign).count_ones() as i32;
                        }
                    }
                }
            }
            let out = &mut out[dst * job.c_out + first..][..width];
            for ((out, sum), factor) in out.iter_mut().zip(sums).zip(&job.factors[first..]) {
                *out = O::of(2 * sum - under, *factor);
            }
        }
    }
}
