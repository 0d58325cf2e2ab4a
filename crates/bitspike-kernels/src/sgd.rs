//! A step of stochastic gradient descent with momentum, in one pass over weight, velocity and gradient.
//!
//! ```text
//! g ← g + decay · w;   v ← momentum · v + g  (v = g at the first step);   w ← w − lr · v
//!                                                                           nesterov:  w ← w − lr · (g + momentum · v)
//! ```
//!
//! Every product is rounded before it is added, as separate operations would. Shapes: all `[M]`. Source: PyTorch's SGD
//! with coupled weight decay.

use crate::error::{KernelError, check_len};
use crate::par::{self, Level, multiversioned};

/// The numbers of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdParams {
    /// Learning rate.
    pub lr: f32,
    /// Share of the velocity that is kept.
    pub momentum: f32,
    /// Weight decay; 0 leaves it out.
    pub decay: f32,
    /// Nesterov's momentum in place of the usual one.
    pub nesterov: bool,
}

/// Changes `v` in place and writes the new weights over the gradient; with `first` the old `v` is ignored.
///
/// # Errors
/// [`KernelError`] if the lengths differ.
///
/// # Example
/// ```
/// use bitspike_kernels::sgd::{SgdParams, step};
/// let p = SgdParams { lr: 0.5, momentum: 0.5, decay: 0.0, nesterov: false };
/// let (mut v, mut g) = ([2.0], [1.0]);
/// step(&p, false, &[1.0], &mut v, &mut g).unwrap();
/// assert_eq!((v, g), ([2.0], [0.0])); // v = 0.5 · 2 + 1, new weight = 1 − 0.5 · 2
/// ```
pub fn step(p: &SgdParams, first: bool, w: &[f32], v: &mut [f32], g: &mut [f32]) -> Result<(), KernelError> {
    const OP: &str = "sgd::step";
    for (name, len) in [("v", v.len()), ("g", g.len())] {
        check_len(OP, name, w.len(), len)?;
    }
    let level = Level::selected();
    let items = w.chunks(par::CHUNK).zip(v.chunks_mut(par::CHUNK)).zip(g.chunks_mut(par::CHUNK)).collect();
    par::for_each(w.len(), items, |((w, v), g): ((_, &mut [f32]), &mut [f32])| chunk(level, p, first, w, v, g));
    Ok(())
}

multiversioned! {
    fn chunk(p: &SgdParams, first: bool, w: &[f32], v: &mut [f32], g: &mut [f32]) {
        for ((w, v), g) in w.iter().zip(v).zip(g) {
            let gradient = if p.decay == 0.0 { *g } else { *g + *w * p.decay };
            let now = if first { gradient } else { *v * p.momentum + gradient };
            *v = now;
            let step = if p.nesterov { gradient + now * p.momentum } else { now };
            *g = *w - step * p.lr;
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
            let (w, g, old) = (noise(len, 1.0, 1), noise(len, 1.0, 2), noise(len, 1.0, 3));
            let cases = [(true, 0.0), (true, 0.25), (false, 0.0), (false, 1e-4)];
            for ((first, decay), nesterov) in cases.into_iter().flat_map(|c| [(c, false), (c, true)]) {
                let p = SgdParams { lr: 0.1, momentum: 0.9, decay, nesterov };
                let of = |i: usize| {
                    let g = if decay == 0.0 { g[i] } else { g[i] + decay * w[i] };
                    let v = if first { g } else { 0.9 * old[i] + g };
                    (v, w[i] - 0.1 * if nesterov { g + 0.9 * v } else { v })
                };
                let expected: (Vec<f32>, Vec<f32>) = (0..len).map(of).unzip();
                for level in Level::available() {
                    let (mut v, mut new) = (old.clone(), g.clone());
                    level.force(|| step(&p, first, &w, &mut v, &mut new)).unwrap();
                    assert_eq!((&v, &new), (&expected.0, &expected.1), "{level:?}");
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let p = SgdParams { lr: 0.1, momentum: 0.9, decay: 0.0, nesterov: false };
        assert!(step(&p, true, &[0.0; 2], &mut [0.0; 1], &mut [0.0; 2]).is_err());
        assert!(step(&p, true, &[0.0; 2], &mut [0.0; 2], &mut [0.0; 1]).is_err());
    }
}
