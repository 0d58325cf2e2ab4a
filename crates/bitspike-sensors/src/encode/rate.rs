//! Rate encoding: at every step a spike with the probability of the value.
//!
//! ```text
//! p = clamp(gain·x, 0, 1),   y[t, c, r, l] = 1 if u < p,  u uniform in [0, 1)          [T, C, R, L]
//! signed: channel c has p of x, channel C + c that of −x                               [T, 2C, R, L]
//! ```
//!
//! Independent Bernoulli draws, the discrete form of a Poisson spike train. Without `signed` use `normalise = "min-max"`,
//! else every negative value is silent. A draw is a function of `encode.seed`, the run's seed, epoch, part, sample and place,
//! so epochs differ and threads do not matter. Source: Diehl and Cook 2015, among many.

use super::Key;
use crate::RateEncode;
use bitspike_random::Random;

/// Keeps seeds of runs apart from small ones of encoders; odd, so that different seeds stay different.
const RUN: u64 = 0xd134_2543_de82_ef95;

pub(super) fn encode(x: &[f32], config: &RateEncode, key: Key, out: &mut [u8]) {
    // A run of seed 0 has the stream of `encode.seed` itself.
    let seed = config.seed.wrapping_add(key.seed.wrapping_mul(RUN));
    let mut random = Random::keyed([seed, key.epoch, u64::from(key.test), key.sample]);
    let signs: &[f32] = if config.signed { &[1.0, -1.0] } else { &[1.0] };
    for step in out.chunks_mut(x.len() * signs.len()) {
        for (part, sign) in step.chunks_mut(x.len()).zip(signs) {
            for (y, v) in part.iter_mut().zip(x) {
                *y = u8::from(random.unit_f32() < sign * config.gain * v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(x: &[f32], config: RateEncode, key: Key) -> Vec<u8> {
        let mut out = vec![0; x.len() * config.steps * if config.signed { 2 } else { 1 }];
        encode(x, &config, key, &mut out);
        out
    }

    const KEY: Key = Key { seed: 0, epoch: 0, test: false, sample: 0 };

    #[test]
    fn certain_values_and_signs() {
        let config = RateEncode { steps: 3, signed: true, ..Default::default() };
        assert_eq!(run(&[1.0, 0.0, -1.0], config, KEY), [1, 0, 0, 0, 0, 1].repeat(3));
        let config = RateEncode { steps: 1, gain: 0.5, ..Default::default() };
        assert_eq!(run(&[2.0, 9.0, -3.0], config, KEY), [1, 1, 0]);
    }

    #[test]
    fn the_rate_is_the_value() {
        let config = RateEncode { steps: 20_000, ..Default::default() };
        let out = run(&[0.1, 0.5, 0.9], config, KEY);
        for (i, p) in [0.1, 0.5, 0.9].into_iter().enumerate() {
            let rate = out.iter().skip(i).step_by(3).map(|s| f64::from(*s)).sum::<f64>() / 20_000.0;
            // Five standard deviations of at most sqrt(0.25/20000) = 0.0035.
            assert!((rate - p).abs() < 0.018, "{p}: {rate}");
        }
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let x = [0.5; 64];
        let config = RateEncode::default();
        let base = run(&x, config, KEY);
        assert_eq!(base, run(&x, config, KEY));
        assert_ne!(base, run(&x, config, Key { epoch: 1, ..KEY }));
        assert_ne!(base, run(&x, config, Key { test: true, ..KEY }));
        assert_ne!(base, run(&x, config, Key { sample: 1, ..KEY }));
        assert_ne!(base, run(&x, config, Key { seed: 1, ..KEY }));
        assert_ne!(base, run(&x, RateEncode { seed: 1, ..config }, KEY));
    }
}
