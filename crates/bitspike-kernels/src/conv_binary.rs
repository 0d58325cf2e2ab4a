//! Convolution with binary weights on packed spikes, and its two gradients.
//!
//! ```text
//! y[n, oy, ox, co] = scale[co] * sum over ky, kx, ci of x[n, oy s + ky - p, ox s + kx - p, ci] * sign(w[co, ci, ky, kx])
//! ```
//!
//! Shapes: x [`PackedSpikes`] `[N, H, W, Ci]`, signs [`PackedSigns`] `[Co, Ci, Kh, Kw]`, y `[N, OH, OW, Co]`; x is zero
//! outside its borders. `scale` is one factor per output channel (the mean of |w|, for instance), applied once at the
//! end; `None` is 1. The forward pass sums integers and is exact on every code path; the gradients are sums of `f32` in
//! a fixed order, with the same bits whatever the number of threads; [`grad_input_fast`] and [`grad_weight_fast`] trade
//! precision for speed. The scalar twins are in [`mod@reference`].
//!
//! ```
//! use bitspike_kernels::{bits::{PackedSigns, PackedSpikes}, conv_binary, shape::ConvShape};
//! let s = ConvShape { n: 1, h: 1, w: 2, c_in: 3, c_out: 1, kh: 1, kw: 1, stride: 1, padding: 0 };
//! let x = PackedSpikes::pack(&[1.0, 1.0, 0.0, 0.0, 0.0, 1.0], 1, 1, 2, 3).unwrap();
//! let w = PackedSigns::pack(&[0.2, -0.4, -0.1], 1, 3, 1, 1)?;
//! let mut y = [0.0; 2];
//! conv_binary::forward(&s, &x, &w, Some(&[0.5]), &mut y)?;
//! assert_eq!(y, [0.0, -0.5]);
//! # Ok::<(), bitspike_kernels::KernelError>(())
//! ```

#[cfg(target_arch = "x86_64")]
mod events_forward;
mod events_weight;
mod fast_input;
mod fast_weight;
#[cfg(target_arch = "x86_64")]
mod nibble_avx2;
mod output;
mod popcount;
#[cfg(target_arch = "x86_64")]
mod popcount_avx512;
#[cfg(target_arch = "aarch64")]
mod popcount_neon;
#[doc(hidden)]
pub mod reference;
#[cfg(target_arch = "x86_64")]
mod store_avx512;
#[cfg(target_arch = "x86_64")]
mod table;
#[cfg(target_arch = "x86_64")]
mod table_weight;
mod winograd;

#[cfg(test)]
mod tests;

use crate::bits::{PackedSigns, PackedSpikes};
use crate::conv_real::gather::{self, Packed};
use crate::conv_real::geometry::Plan;
use crate::conv_real::outer;
use crate::conv_real::window::{Dense, Rows};
use crate::dispatch::{KernelPath, require, selected};
use crate::error::{KernelError, check_len};
pub use crate::shape::ConvShape;
pub use fast_input::{grad_input_fast, grad_input_fast_with_path};
pub use fast_weight::{grad_weight_fast, grad_weight_fast_with_path};

/// Sums stay below this so that `f32` holds them exactly.
const EXACT: usize = 1 << 24;

fn check(
    op: &'static str,
    s: &ConvShape,
    x: Option<&PackedSpikes>,
    w: Option<&PackedSigns>,
    scale: Option<&[f32]>,
) -> Result<(), KernelError> {
    let packed = |name, expected, found| {
        if expected == found { Ok(()) } else { Err(KernelError::Packed { op, name, expected, found }) }
    };
    if let Some(x) = x {
        packed("x", [s.n, s.h, s.w, s.c_in], x.dims())?;
    }
    if let Some(w) = w {
        packed("w", [s.c_out, s.c_in, s.kh, s.kw], w.dims())?;
    }
    scale.map_or(Ok(()), |scale| check_len(op, "scale", s.c_out, scale.len()))
}

/// y = scale * (x * sign(w)), from exact integer sums.
///
/// Shapes: x `[N, H, W, Ci]`, w `[Co, Ci, Kh, Kw]`, scale `[Co]`, y `[N, OH, OW, Co]`.
///
/// # Errors
/// Sizes or lengths that do not fit together, or a kernel so large that sums could leave the range of exact integers.
pub fn forward(
    s: &ConvShape,
    x: &PackedSpikes,
    w: &PackedSigns,
    scale: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    forward_with_path(selected(), s, x, w, scale, y)
}

/// [`forward`] on a given code path.
///
/// # Errors
/// As [`forward`]; also a path the processor lacks.
pub fn forward_with_path(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    w: &PackedSigns,
    scale: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_binary::forward";
    let (path, len) = (require(path)?, s.checked()?);
    check(OP, s, Some(x), Some(w), scale)?;
    check_len(OP, "y", len.y, y.len())?;
    if len.w / s.c_out >= EXACT >> x.planes() {
        return Err(KernelError::TooLarge { what: "the sum of one output", limit: "exact integers in f32 (2^24)" });
    }
    popcount::forward(path, s, x, w, scale, y);
    Ok(())
}

/// The sums of [`forward`] themselves, `x * sign(w)` in units of [`PackedSpikes::unit`]: half the memory of floats.
///
/// Shapes: x `[N, H, W, Ci]`, w `[Co, Ci, Kh, Kw]`, y `[N, OH, OW, Co]`. `forward(..., scale, ...)` is
/// `unit * scale * y`. [`counts_fit`] says beforehand whether every sum fits 16 bits.
///
/// # Errors
/// Sizes or lengths that do not fit together, or sums that could leave 16 bits.
///
/// ```
/// use bitspike_kernels::{bits::{PackedSigns, PackedSpikes}, conv_binary, shape::ConvShape};
/// let s = ConvShape { n: 1, h: 1, w: 1, c_in: 3, c_out: 1, kh: 1, kw: 1, stride: 1, padding: 0 };
/// let x = PackedSpikes::pack(&[1.0, 0.25, 0.0], 1, 1, 1, 3).unwrap();
/// let w = PackedSigns::pack(&[0.2, -0.4, -0.1], 1, 3, 1, 1)?;
/// let mut y = [0];
/// conv_binary::forward_counts(&s, &x, &w, &mut y)?;
/// assert_eq!(y, [3]); // (1 - 0.25) / 0.25
/// # Ok::<(), bitspike_kernels::KernelError>(())
/// ```
pub fn forward_counts(s: &ConvShape, x: &PackedSpikes, w: &PackedSigns, y: &mut [i16]) -> Result<(), KernelError> {
    forward_counts_with_path(selected(), s, x, w, y)
}

/// [`forward_counts`] on a given code path.
///
/// # Errors
/// As [`forward_counts`]; also a path the processor lacks.
pub fn forward_counts_with_path(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    w: &PackedSigns,
    y: &mut [i16],
) -> Result<(), KernelError> {
    const OP: &str = "conv_binary::forward_counts";
    let (path, len) = (require(path)?, s.checked()?);
    check(OP, s, Some(x), Some(w), None)?;
    check_len(OP, "y", len.y, y.len())?;
    if !counts_fit(s, x) {
        return Err(KernelError::TooLarge { what: "the sum of one output", limit: "16 bits" });
    }
    popcount::forward(path, s, x, w, None, y);
    Ok(())
}

/// Whether [`forward_counts`] can hold every sum.
#[must_use]
pub fn counts_fit(s: &ConvShape, x: &PackedSpikes) -> bool {
    // Words are padded with zero bits, which some kernels count as products.
    let products = s.c_in.div_ceil(crate::bits::WORD).saturating_mul(crate::bits::WORD).saturating_mul(s.kh * s.kw);
    products.saturating_mul(1 << (x.planes() - 1)) <= i16::MAX as usize
}

/// dx, the gradient of the input: `dx = sum of dy * scale * sign(w)` over the outputs that read it.
///
/// Shapes: dy `[N, OH, OW, Co]`, w `[Co, Ci, Kh, Kw]`, scale `[Co]`, dx `[N, H, W, Ci]`.
///
/// # Errors
/// Sizes or lengths that do not fit together.
pub fn grad_input(
    s: &ConvShape,
    dy: &[f32],
    w: &PackedSigns,
    scale: Option<&[f32]>,
    dx: &mut [f32],
) -> Result<(), KernelError> {
    grad_input_with_path(selected(), s, dy, w, scale, dx)
}

/// [`grad_input`] on a given code path.
///
/// # Errors
/// As [`grad_input`]; also a path the processor lacks.
pub fn grad_input_with_path(
    path: KernelPath,
    s: &ConvShape,
    dy: &[f32],
    w: &PackedSigns,
    scale: Option<&[f32]>,
    dx: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_binary::grad_input";
    let (path, len) = (require(path)?, s.checked()?);
    check(OP, s, None, Some(w), scale)?;
    check_len(OP, "dy", len.y, dy.len())?;
    check_len(OP, "dx", len.x, dx.len())?;
    if winograd::takes(path, s) {
        winograd::grad_input(path, s, dy, w, scale, dx);
        return Ok(());
    }
    let plan = Plan::input_gradient(s);
    let taps = w.taps();
    #[cfg(target_arch = "x86_64")]
    if path == KernelPath::Avx512 {
        let mut factors = vec![0.0; s.c_out.next_multiple_of(crate::conv_real::lanes::WIDTH)];
        factors[..s.c_out].iter_mut().enumerate().for_each(|(co, f)| *f = scale.map_or(1.0, |s| s[co]));
        let signs = table::Signs { words: w.by_input(), taps, sources: s.c_out, destinations: s.c_in };
        table::gather(&plan, dy, &factors, &signs, dx);
        return Ok(());
    }
    let packed = Packed::new(s.c_in, s.c_out, taps, |ci, co, tap| w.sign(co, ci, taps - 1 - tap));
    let source = Dense { values: dy, height: s.out_h(), width: s.out_w(), channels: s.c_out, scale };
    gather::gather(path, &plan, &source, &packed, dx);
    Ok(())
}

/// dw, the gradient of the effective weights times `scale`: `dw[co, ci, k] = scale[co] * sum of dy * x`.
///
/// With the straight-through estimator this is the gradient of the latent weights, except for the mask |w| <= 1, which
/// the caller applies.
///
/// Shapes: x `[N, H, W, Ci]`, dy `[N, OH, OW, Co]`, scale `[Co]`, dw `[Co, Ci, Kh, Kw]`.
///
/// # Errors
/// Sizes or lengths that do not fit together.
pub fn grad_weight(
    s: &ConvShape,
    x: &PackedSpikes,
    dy: &[f32],
    scale: Option<&[f32]>,
    dw: &mut [f32],
) -> Result<(), KernelError> {
    grad_weight_with_path(selected(), s, x, dy, scale, dw)
}

/// [`grad_weight`] on a given code path.
///
/// # Errors
/// As [`grad_weight`]; also a path the processor lacks.
pub fn grad_weight_with_path(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    dy: &[f32],
    scale: Option<&[f32]>,
    dw: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "conv_binary::grad_weight";
    let (path, len) = (require(path)?, s.checked()?);
    check(OP, s, Some(x), None, scale)?;
    check_len(OP, "dy", len.y, dy.len())?;
    check_len(OP, "dw", len.w, dw.len())?;
    exact_grad_weight(path, s, x, x.events_per_neuron(), dy, scale, dw);
    Ok(())
}

/// [`grad_weight`] of operands that were checked, by the kernel for so many events per neuron.
fn exact_grad_weight(
    path: KernelPath,
    s: &ConvShape,
    x: &PackedSpikes,
    events: f64,
    dy: &[f32],
    scale: Option<&[f32]>,
    dw: &mut [f32],
) {
    if events_weight::takes(path, s, events) {
        return events_weight::grad_weight(path, s, x, events, dy, scale, dw);
    }
    #[cfg(target_arch = "x86_64")]
    if path == KernelPath::Avx512 && table_weight::takes(s, x) {
        return table_weight::grad_weight(s, x, dy, scale, dw);
    }
    outer::grad_weight(path, s, &Decoded(x), dy, scale, dw);
}

/// Packed spikes read as floats.
struct Decoded<'a>(&'a PackedSpikes);

impl Rows for Decoded<'_> {
    type Element = f32;

    fn per_pixel(&self) -> usize {
        self.0.dims()[3]
    }

    fn copy(&self, image: usize, row: usize, from: usize, to: usize, out: &mut [f32]) {
        let [_, h, w, _] = self.0.dims();
        debug_assert_eq!(out.len(), (to - from) * self.per_pixel());
        self.0.decode((image * h + row) * w + from, out);
    }
}
