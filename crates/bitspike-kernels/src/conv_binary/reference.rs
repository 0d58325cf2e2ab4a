//! Scalar twins: signs and counts in plain loops; the gradients are those of the real convolution on unpacked values.

use super::fast_input::tables::{Unit, key, random_of_entry};
use super::fast_weight::STRETCH;
use crate::bits::{PackedSigns, PackedSpikes};
use crate::conv_real;
use crate::shape::ConvShape;

fn scale_of(scale: Option<&[f32]>, co: usize) -> f32 {
    scale.map_or(1.0, |s| s[co])
}

/// y: the sum of counts times signs as an integer, then times `unit * scale`.
#[must_use]
pub fn forward(s: &ConvShape, x: &PackedSpikes, w: &PackedSigns, scale: Option<&[f32]>) -> Vec<f32> {
    let counts: Vec<f32> = x.unpack().iter().map(|v| v / x.unit()).collect();
    let mut y = conv_real::reference::forward(s, &counts, &w.unpack());
    for pixel in y.chunks_exact_mut(s.c_out) {
        pixel.iter_mut().enumerate().for_each(|(co, v)| *v *= x.unit() * scale_of(scale, co));
    }
    y
}

/// dx: the gradient of the input of a convolution with the weights `scale * sign`.
#[must_use]
pub fn grad_input(s: &ConvShape, dy: &[f32], w: &PackedSigns, scale: Option<&[f32]>) -> Vec<f32> {
    let mut effective = w.unpack();
    for (co, row) in effective.chunks_exact_mut(s.c_in * s.kh * s.kw).enumerate() {
        row.iter_mut().for_each(|v| *v *= scale_of(scale, co));
    }
    conv_real::reference::grad_input(s, dy, &effective)
}

/// dw: the gradient of the effective weights, times `scale`.
#[must_use]
pub fn grad_weight(s: &ConvShape, x: &PackedSpikes, dy: &[f32], scale: Option<&[f32]>) -> Vec<f32> {
    let mut dw = conv_real::reference::grad_weight(s, &x.unpack(), dy);
    for (co, row) in dw.chunks_exact_mut(s.c_in * s.kh * s.kw).enumerate() {
        row.iter_mut().for_each(|v| *v *= scale_of(scale, co));
    }
    dw
}

/// dx in 8-bit arithmetic: every signed sum of four values is rounded as its definition says, then added as an integer.
#[must_use]
pub fn grad_input_fast(s: &ConvShape, dy: &[f32], w: &PackedSigns, scale: Option<&[f32]>, seed: u64) -> Vec<f32> {
    let (oh, ow, groups) = (s.out_h(), s.out_w(), s.c_out.div_ceil(4));
    let mut dx = vec![f32::NAN; s.n * s.h * s.w * s.c_in];
    for (image, dx) in dx.chunks_exact_mut(s.h * s.w * s.c_in).enumerate() {
        let value = |pixel: usize, co: usize| {
            if co < s.c_out { dy[(image * oh * ow + pixel) * s.c_out + co] * scale_of(scale, co) } else { 0.0 }
        };
        let four = |pixel: usize, group: usize| [0, 1, 2, 3].map(|j| value(pixel, 4 * group + j));
        let mut largest = 0.0f32;
        for (pixel, group) in (0..oh * ow).flat_map(|p| (0..groups).map(move |g| (p, g))) {
            let [a, b, c, d] = four(pixel, group).map(f32::abs);
            let sum = (a + b) + (c + d);
            largest = if largest.is_nan() || sum.is_nan() { f32::NAN } else { largest.max(sum) };
        }
        let unit = Unit::new(largest);
        let mut sums = vec![0i32; dx.len()];
        for (pixel, group) in (0..oh * ow).flat_map(|p| (0..groups).map(move |g| (p, g))) {
            let fixed = four(pixel, group).map(|v| unit.fixed(v));
            let rounded = |plus: usize| {
                let sum: i32 = (0..4).map(|j| if plus >> j & 1 == 1 { fixed[j] } else { -fixed[j] }).sum();
                (sum + random_of_entry(key(seed, image), pixel * groups + group, plus & 7)) >> 16
            };
            // Bit j of the index: value j counts as plus. Sums with minus d are the negatives of those with plus d.
            let table: [i32; 16] = std::array::from_fn(|i| if i >= 8 { rounded(i) } else { -rounded(15 - i) });
            for (ky, kx) in (0..s.kh).flat_map(|ky| (0..s.kw).map(move |kx| (ky, kx))) {
                let (y, x) = (pixel / ow * s.stride + ky, pixel % ow * s.stride + kx);
                let inside = |at: usize, size: usize| (s.padding..s.padding + size).contains(&at);
                if !inside(y, s.h) || !inside(x, s.w) {
                    continue;
                }
                let at = ((y - s.padding) * s.w + x - s.padding) * s.c_in;
                for (ci, sum) in sums[at..at + s.c_in].iter_mut().enumerate() {
                    let plus = |co: usize| co < s.c_out && w.sign(co, ci, ky * s.kw + kx) > 0.0;
                    *sum += table[(0..4).map(|j| usize::from(plus(4 * group + j)) << j).sum::<usize>()];
                }
            }
        }
        dx.iter_mut().zip(sums).for_each(|(dx, sum)| *dx = sum as f32 * unit.step);
    }
    dx
}

/// dw in 8-bit arithmetic: every signed sum of four values is rounded as its definition says, then added as an integer.
#[must_use]
pub fn grad_weight_fast(s: &ConvShape, x: &PackedSpikes, dy: &[f32], scale: Option<&[f32]>, seed: u64) -> Vec<f32> {
    let (oh, ow, spikes) = (s.out_h(), s.out_w(), x.unpack());
    let pixels = s.n * oh * ow;
    let fires = |pixel: usize, ci: usize, ky: usize, kx: usize| {
        let (y, x) = (pixel / ow % oh * s.stride + ky, pixel % ow * s.stride + kx);
        let inside = |at: usize, size: usize| (s.padding..s.padding + size).contains(&at);
        pixel < pixels
            && inside(y, s.h)
            && inside(x, s.w)
            && spikes[((pixel / (oh * ow) * s.h + y - s.padding) * s.w + x - s.padding) * s.c_in + ci] > 0.0
    };
    let mut dw = Vec::with_capacity(s.c_out * s.c_in * s.kh * s.kw);
    for co in 0..s.c_out {
        let value = |pixel: usize| if pixel < pixels { dy[pixel * s.c_out + co] } else { 0.0 };
        let stretches = pixels.div_ceil(STRETCH);
        let range = |i: usize| i * STRETCH..pixels.min((i + 1) * STRETCH);
        let four = |pixel: usize| [0, 1, 2, 3].map(|j| value(pixel + j));
        let unit = |i: usize| {
            let sums = range(i).step_by(4).map(|p| four(p).map(f32::abs)).map(|[a, b, c, d]| (a + b) + (c + d));
            Unit::new(sums.fold(0.0, |a, b| if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }))
        };
        let units: Vec<Unit> = (0..stretches).map(unit).collect();
        let total = (0..stretches).fold(0.0f32, |sum, i| sum + range(i).fold(0.0f32, |sum, p| sum + value(p)));
        for (ci, ky, kx) in
            (0..s.c_in).flat_map(|ci| (0..s.kh).flat_map(move |ky| (0..s.kw).map(move |kx| (ci, ky, kx))))
        {
            let mut sum = 0.0f32;
            for (i, unit) in units.iter().enumerate() {
                let mut part = 0;
                for (group, first) in range(i).step_by(4).enumerate() {
                    let fixed = four(first).map(|v| unit.fixed(v));
                    let plus = [0, 1, 2, 3].map(|j| fires(first + j, ci, ky, kx));
                    // Sums with minus on the last value are the negatives of those with plus.
                    let entry = [0, 1, 2, 3].map(|j| plus[j] == plus[3]);
                    let signed: i32 = fixed.iter().zip(entry).map(|(&v, plus)| if plus { v } else { -v }).sum();
                    let index = (0..3).map(|j| usize::from(entry[j]) << j).sum();
                    let rounded = (signed + random_of_entry(key(seed, i * s.c_out + co), group, index)) >> 16;
                    part += if plus[3] { rounded } else { -rounded };
                }
                sum += part as f32 * unit.step;
            }
            dw.push(0.5 * scale_of(scale, co) * (sum + total));
        }
    }
    dw
}
