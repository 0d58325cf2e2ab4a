//! Random numbers as a function of a key: every draw is one of (seed, epoch, part, sample, draw number).
//!
//! SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), started from a hash of the key. Nothing is shared between streams, so
//! a result cannot depend on threads or on the order of work.

const G: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream.
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a key.
    pub(crate) fn new(key: [u64; 4]) -> Self {
        Self(key.iter().fold(0, |h, x| mix((h ^ x).wrapping_add(G))))
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(G);
        mix(self.0)
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_and_independent_keys() {
        // First outputs for seed 1234567, as listed for the reference C code by Sebastiano Vigna.
        let mut r = Random(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| r.next_u64()).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let first = |k| Random::new(k).next_u64();
        let all = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]].map(first);
        assert!((0..5).all(|i| all[..i].iter().all(|a| *a != all[i])));
    }
}
