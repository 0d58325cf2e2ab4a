//! Random numbers as a function of a key: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), started from a hash of the key.

const G: u64 = 0x9e37_79b9_7f4a_7c15;

/// The stream of a key.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Self(key.iter().fold(0, |h, x| mix((h ^ x).wrapping_add(G))))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(G);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform below `n`, which is above 0 and small against 2^53.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
