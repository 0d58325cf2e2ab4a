//! Scalar twins: the definition, written as plain loops with sums in `f64`.

use crate::shape::ConvShape;

/// Calls `f(x index, weight index, y index)` for every product of the convolution.
fn products(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    for n in 0..s.n {
        for (oy, ox) in (0..s.out_h()).flat_map(|oy| (0..s.out_w()).map(move |ox| (oy, ox))) {
            for (ky, kx) in (0..s.kh).flat_map(|ky| (0..s.kw).map(move |kx| (ky, kx))) {
                let (iy, ix) = (oy * s.stride + ky, ox * s.stride + kx);
                if iy < s.padding || ix < s.padding || iy - s.padding >= s.h || ix - s.padding >= s.w {
                    continue;
                }
                let x = ((n * s.h + iy - s.padding) * s.w + ix - s.padding) * s.c_in;
                let y = ((n * s.out_h() + oy) * s.out_w() + ox) * s.c_out;
                for (co, ci) in (0..s.c_out).flat_map(|co| (0..s.c_in).map(move |ci| (co, ci))) {
                    f(x + ci, ((co * s.c_in + ci) * s.kh + ky) * s.kw + kx, y + co);
                }
            }
        }
    }
}

fn rounded(sums: Vec<f64>) -> Vec<f32> {
    sums.into_iter().map(|v| v as f32).collect()
}

/// y = x * w.
#[must_use]
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; s.n * s.out_h() * s.out_w() * s.c_out];
    products(s, |xi, wi, yi| y[yi] += f64::from(x[xi]) * f64::from(w[wi]));
    rounded(y)
}

/// dx, the gradient of `sum(dy * y)` with respect to x.
#[must_use]
pub fn grad_input(s: &ConvShape, dy: &[f32], w: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; s.n * s.h * s.w * s.c_in];
    products(s, |xi, wi, yi| dx[xi] += f64::from(dy[yi]) * f64::from(w[wi]));
    rounded(dx)
}

/// dw, the gradient of `sum(dy * y)` with respect to w.
#[must_use]
pub fn grad_weight(s: &ConvShape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dw = vec![0.0; s.c_out * s.c_in * s.kh * s.kw];
    products(s, |xi, wi, yi| dw[wi] += f64::from(x[xi]) * f64::from(dy[yi]));
    rounded(dw)
}
