//! Scalar twins: signs and counts in plain loops; the gradients are those of the real convolution on unpacked values.

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
