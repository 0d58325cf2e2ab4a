//! The gradient of the input by Winograd's algorithm.
//!
//! ```text
//! dx = convolution of dy with the kernels scale[co] sign(w[co, ci, 2 - ky, 2 - kx])
//! ```
//!
//! Shapes: dy `[N, H, W, Co]`, dx `[N, H, W, Ci]`. The scale goes into the kernels, where it costs nothing: a tap is the
//! scale with a sign bit. Algorithm and source: [`mod@crate::conv_real::winograd`].

use crate::bits::PackedSigns;
use crate::conv_real::lanes::{Lanes, WIDTH};
use crate::conv_real::winograd::{self, Kernels, Maps, Transformed, run};
use crate::dispatch::KernelPath;
use crate::shape::ConvShape;

/// Output channels whose signs share a word.
const WORD: usize = u32::BITS as usize;

/// Whether Winograd's algorithm applies and is the fastest way.
pub(super) fn takes(path: KernelPath, s: &ConvShape) -> bool {
    winograd::takes(path, s)
}

/// dx, the gradient of the input.
pub(super) fn grad_input(
    path: KernelPath,
    s: &ConvShape,
    dy: &[f32],
    signs: &PackedSigns,
    scale: Option<&[f32]>,
    dx: &mut [f32],
) {
    debug_assert!(winograd::applies(s));
    let weights =
        Transformed::new(path, &Signs { words: signs.by_input(), sources: s.c_out, destinations: s.c_in, scale });
    run(path, &Maps { images: s.n, height: s.h, width: s.w }, dy, &weights, dx);
}

/// Signs times the scale of their output channel, flipped: the kernels of the gradient.
struct Signs<'a> {
    /// `[ceil(Ci / 16)][flipped tap][ceil(Co / 32)][16]`
    words: &'a [u32],
    sources: usize,
    destinations: usize,
    scale: Option<&'a [f32]>,
}

impl Kernels for Signs<'_> {
    fn sources(&self) -> usize {
        self.sources
    }

    fn destinations(&self) -> usize {
        self.destinations
    }

    #[inline(always)]
    unsafe fn taps<V: Lanes>(&self, block: usize, source: usize) -> [V; 9] {
        let per_tap = self.sources.div_ceil(WORD) * WIDTH;
        let words = &self.words[block * 9 * per_tap..][..9 * per_tap];
        let value = self.scale.map_or(1.0, |s| s[source]);
        let (word, bit) = (source / WORD, (source % WORD) as u32);
        assert!(word * WIDTH < per_tap, "the source exists");
        // SAFETY: passed on from the caller; nine taps of `per_tap` words lie in `words`.
        unsafe {
            let mut taps = [V::zero(); 9];
            for (tap, signs) in taps.iter_mut().enumerate() {
                *signs = V::signed(value, words.as_ptr().add(tap * per_tap + word * WIDTH), bit);
            }
            taps
        }
    }
}
