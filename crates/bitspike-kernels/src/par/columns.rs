//! Loops over one block of channels-last rows: sums per column, maps by a pattern of coefficients.
//!
//! A pattern holds the coefficients of `width` consecutive elements, a multiple of the channel count (see
//! [`super::repeats`]); it is laid over the block again and again, the last time possibly cut short.

use super::multiversioned;

multiversioned! {
    /// `y = k x`.
    pub(crate) fn scale(x: &[f32], k: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(k.len()).zip(y.chunks_mut(k.len())) {
            for ((x, k), y) in x.iter().zip(k).zip(y) {
                *y = *k * *x;
            }
        }
    }
}

multiversioned! {
    /// `y = k x + b`.
    pub(crate) fn affine(x: &[f32], k: &[f32], b: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks(k.len()).zip(y.chunks_mut(k.len())) {
            for (((x, k), b), y) in x.iter().zip(k).zip(b).zip(y) {
                *y = *k * *x + *b;
            }
        }
    }
}

multiversioned! {
    /// `y += x`.
    pub(crate) fn add(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.iter().zip(y) {
            *y += *x;
        }
    }
}

multiversioned! {
    /// `z = ((x - mean) scale + beta) factor`.
    pub(crate) fn gated_norm(x: &[f32], mean: &[f32], scale: &[f32], beta: &[f32], factor: &[f32], z: &mut [f32]) {
        let width = mean.len();
        for (x, z) in x.chunks(width).zip(z.chunks_mut(width)) {
            let per_channel = mean.iter().zip(scale).zip(beta).zip(factor);
            for ((x, z), (((mean, scale), beta), factor)) in x.iter().zip(z).zip(per_channel) {
                *z = ((*x - *mean) * *scale + *beta) * *factor;
            }
        }
    }
}

multiversioned! {
    /// `sums[i] += x` over every element that lies under position `i` of the pattern.
    pub(crate) fn add_columns(x: &[f32], sums: &mut [f64]) {
        let width = sums.len();
        let many = x.len() / (4 * width) * (4 * width);
        for x in x[..many].chunks_exact(4 * width) {
            let (x, x2) = x.split_at(2 * width);
            let ((x0, x1), (x2, x3)) = (x.split_at(width), x2.split_at(width));
            for i in 0..width {
                let (a, b) = (f64::from(x0[i]) + f64::from(x1[i]), f64::from(x2[i]) + f64::from(x3[i]));
                sums[i] += a + b;
            }
        }
        for x in x[many..].chunks(width) {
            for (x, sum) in x.iter().zip(&mut *sums) {
                *sum += f64::from(*x);
            }
        }
    }
}

multiversioned! {
    /// `sums[i] += a b` over every pair of elements that lies under position `i` of the pattern.
    pub(crate) fn add_column_products(a: &[f32], b: &[f32], sums: &mut [f64]) {
        let width = sums.len();
        let many = a.len() / (4 * width) * (4 * width);
        for (a, b) in a[..many].chunks_exact(4 * width).zip(b.chunks_exact(4 * width)) {
            let ((a, a2), (b, b2)) = (a.split_at(2 * width), b.split_at(2 * width));
            let ((a0, a1), (a2, a3)) = (a.split_at(width), a2.split_at(width));
            let ((b0, b1), (b2, b3)) = (b.split_at(width), b2.split_at(width));
            for i in 0..width {
                let p = f64::from(a0[i]) * f64::from(b0[i]) + f64::from(a1[i]) * f64::from(b1[i]);
                let q = f64::from(a2[i]) * f64::from(b2[i]) + f64::from(a3[i]) * f64::from(b3[i]);
                sums[i] += p + q;
            }
        }
        for (a, b) in a[many..].chunks(width).zip(b[many..].chunks(width)) {
            for ((a, b), sum) in a.iter().zip(b).zip(&mut *sums) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
    }
}
