//! A step of Adam with decoupled weight decay, in one pass over weight, moments and gradient.
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g;   v ← β₂ v + (1 − β₂) g²   (old m and v are 0 at the first step)
//! w ← (1 − lr · decay) w − lr · (m / (1 − β₁ᵏ)) / (sqrt(v / (1 − β₂ᵏ)) + ε)   at step k
//! ```
//!
//! Every product, quotient and root is rounded before it goes on, as separate operations would. Shapes: all `[M]`. Source:
//! Loshchilov and Hutter, ICLR 2019.

use crate::error::{KernelError, check_len};
use crate::par::{self, Level, multiversioned};

/// The numbers of a step, rounded from double precision once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamwParams {
    /// β₁ and 1 − β₁.
    pub first: [f32; 2],
    /// β₂ and 1 − β₂.
    pub second: [f32; 2],
    /// 1 − β₁ᵏ and 1 − β₂ᵏ.
    pub correction: [f32; 2],
    /// ε.
    pub epsilon: f32,
    /// 1 − lr · decay.
    pub keep: f32,
    /// Learning rate.
    pub lr: f32,
}

impl AdamwParams {
    /// The numbers of step `k`, from 1.
    pub fn new(betas: [f64; 2], epsilon: f64, lr: f64, decay: f64, k: u64) -> Self {
        let shares = |b: f64| [b as f32, (1.0 - b) as f32];
        // Beyond this the powers are zero.
        let k = k.min(i32::MAX as u64) as i32;
        Self {
            first: shares(betas[0]),
            second: shares(betas[1]),
            correction: betas.map(|b| (1.0 - b.powi(k)) as f32),
            epsilon: epsilon as f32,
            keep: (1.0 - lr * decay) as f32,
            lr: lr as f32,
        }
    }
}

/// Weights, moments and gradient that one thread takes.
type Part<'a> = (&'a [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32]);

/// Changes `m` and `v` in place and writes the new weights over the gradient; with `first` the old `m` and `v` are ignored.
///
/// # Errors
/// [`KernelError`] if the lengths differ.
///
/// # Example
/// ```
/// use bitspike_kernels::adamw::{AdamwParams, step};
/// let p = AdamwParams::new([0.5, 0.75], 0.0, 0.25, 0.0, 1);
/// let (mut m, mut v, mut g) = ([9.0], [9.0], [-2.0]);
/// step(&p, true, &[1.0], &mut m, &mut v, &mut g).unwrap();
/// // The first step goes by the learning rate, whatever the size of the gradient.
/// assert_eq!((m, v, g), ([-1.0], [1.0], [1.25]));
/// ```
pub fn step(
    p: &AdamwParams,
    first: bool,
    w: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    g: &mut [f32],
) -> Result<(), KernelError> {
    const OP: &str = "adamw::step";
    for (name, len) in [("m", m.len()), ("v", v.len()), ("g", g.len())] {
        check_len(OP, name, w.len(), len)?;
    }
    let level = Level::selected();
    let (w_chunks, g_chunks) = (w.chunks(par::CHUNK), g.chunks_mut(par::CHUNK));
    let moments = m.chunks_mut(par::CHUNK).zip(v.chunks_mut(par::CHUNK));
    let items = w_chunks.zip(g_chunks).zip(moments).map(|((w, g), (m, v))| (w, m, v, g)).collect();
    par::for_each(w.len(), items, |(w, m, v, g): Part<'_>| chunk(level, p, first, w, m, v, g));
    Ok(())
}

multiversioned! {
    fn chunk(p: &AdamwParams, first: bool, w: &[f32], m: &mut [f32], v: &mut [f32], g: &mut [f32]) {
        for (((w, m), v), g) in w.iter().zip(m).zip(v).zip(g) {
            let (a, b) = (*g * p.first[1], *g * *g * p.second[1]);
            (*m, *v) = if first { (a, b) } else { (*m * p.first[0] + a, *v * p.second[0] + b) };
            let change = (*m / p.correction[0]) / ((*v / p.correction[1]).sqrt() + p.epsilon);
            *g = *w * p.keep - change * p.lr;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::par::testing::noise;

    #[test]
    fn every_level_equals_the_definition() {
        for len in [1, 7, 16, 1000, par::CHUNK + 3] {
            let (w, g) = (noise(len, 1.0, 1), noise(len, 1.0, 2));
            let old: (Vec<f32>, Vec<f32>) = (noise(len, 1.0, 3), noise(len, 1.0, 4).iter().map(|v| v * v).collect());
            for (first, decay, k) in [(true, 0.0, 1), (true, 0.25, 1), (false, 0.0, 2), (false, 1e-4, 10_000)] {
                let p = AdamwParams::new([0.9, 0.999], 1e-8, 0.01, decay, k);
                let of = |i: usize| {
                    let (a, b) = (g[i] * p.first[1], g[i] * g[i] * p.second[1]);
                    let m = if first { a } else { 0.9 * old.0[i] + a };
                    let v = if first { b } else { 0.999 * old.1[i] + b };
                    let change = (m / p.correction[0]) / ((v / p.correction[1]).sqrt() + 1e-8);
                    (m, v, w[i] * p.keep - change * 0.01)
                };
                for level in Level::available() {
                    let (mut m, mut v, mut new) = (old.0.clone(), old.1.clone(), g.clone());
                    level.force(|| step(&p, first, &w, &mut m, &mut v, &mut new)).unwrap();
                    for i in 0..len {
                        assert_eq!((m[i], v[i], new[i]), of(i), "{level:?}, {i} of {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let p = AdamwParams::new([0.9, 0.999], 1e-8, 0.1, 0.0, 1);
        let two = || [0.0; 2];
        assert!(step(&p, true, &[0.0; 2], &mut [0.0; 1], &mut two(), &mut two()).is_err());
        assert!(step(&p, true, &[0.0; 2], &mut two(), &mut [0.0; 1], &mut two()).is_err());
        assert!(step(&p, true, &[0.0; 2], &mut two(), &mut two(), &mut [0.0; 1]).is_err());
    }
}
