//! Population encoding: several bell curves over the range of a value, each its own channel.
//!
//! With K fields over [low, high]:
//!
//! ```text
//! μ_k = low + (2k − 3)/2 · (high − low)/(K − 2),  k = 1..K,    σ = (high − low) / (β·(K − 2))
//! a_k = exp(−(x − μ_k)² / 2σ²)
//! values:  y[t, c·K + k, r, l] = a_k                                         [T, C·K, R, L], stored once
//! latency: one spike at round((1 − a_k)·(T − 1)), none if a_k < silent_below [T, C·K, R, L]
//! ```
//!
//! Source: Bohte, Kok and La Poutré 2002, section 4.2, with their β = 1.5 as default.

use super::latency;
use crate::PopulationEncode;

fn each(x: &[f32], [_, r, l]: [usize; 3], config: &PopulationEncode, mut put: impl FnMut(usize, f32)) {
    let (k, low) = (config.fields, f64::from(config.low));
    let spacing = (f64::from(config.high) - low) / (k - 2) as f64;
    let sigma = spacing / f64::from(config.beta);
    for (i, v) in x.iter().enumerate() {
        let (c, place) = (i / (r * l), i % (r * l));
        for field in 0..k {
            let centre = low + (field as f64 - 0.5) * spacing;
            let a = (-(f64::from(*v) - centre).powi(2) / (2.0 * sigma * sigma)).exp();
            put((c * k + field) * r * l + place, a as f32);
        }
    }
}

/// The activations, `[C·K, R, L]`.
pub(super) fn values(x: &[f32], shape: [usize; 3], config: &PopulationEncode, out: &mut [f32]) {
    each(x, shape, config, |to, a| out[to] = a);
}

/// Spikes into zeros, `[T, C·K, R, L]`.
pub(super) fn spikes(x: &[f32], shape: [usize; 3], config: &PopulationEncode, out: &mut [u8]) {
    let step = x.len() * config.fields;
    each(x, shape, config, |to, a| {
        if let Some(t) = latency::time(a, config.steps, config.silent_below) {
            out[t * step + to] = 1;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PopulationOutput;

    fn config(output: PopulationOutput) -> PopulationEncode {
        // Spacing 1, σ 1; centres at -0.5, 0.5, 1.5.
        PopulationEncode { steps: 4, fields: 3, low: 0.0, high: 1.0, beta: 1.0, output, silent_below: 0.1 }
    }

    #[test]
    fn by_hand() {
        // exp(-1/2) = 0.60653, exp(-2) = 0.13534, exp(-9/2) = 0.01111.
        let mut out = [0.0; 6];
        values(&[0.5, 2.5], [1, 1, 2], &config(PopulationOutput::Values), &mut out);
        let want = [0.60653, 0.01111, 1.0, 0.13534, 0.60653, 0.60653];
        assert!(out.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5), "{out:?}");
        // Steps round(3·(1 − a)): 0.60653 -> 1, 0.13534 -> 3, 1 -> 0; 0.01111 is silent.
        let mut out = [0; 24];
        spikes(&[0.5, 2.5], [1, 1, 2], &config(PopulationOutput::Latency), &mut out);
        let at: Vec<usize> = (0..24).filter(|i| out[*i] == 1).collect();
        assert_eq!(at, [2, 6, 6 + 4, 6 + 5, 18 + 3]);
    }

    #[test]
    fn each_channel_has_its_own_fields() {
        let mut out = [0.0; 6];
        values(&[0.5, -0.5], [2, 1, 1], &config(PopulationOutput::Values), &mut out);
        assert_eq!((out[1], out[3]), (1.0, 1.0));
    }
}
