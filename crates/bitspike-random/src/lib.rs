//! Random numbers as a function of a key: every draw is one of (key, number of the draw).
//!
//! A stream is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), which mostly starts from a hash of its key. Nothing is shared
//! between streams, so a result cannot depend on the number of threads, on the order of work or on where a run was resumed.
//! The numbers are part of the behaviour of this crate: tests hold golden values, and a change of them is a breaking change
//! of every experiment.
//!
//! ```text
//! mix(z):  z = (z ^ z>>30)·0xbf58476d1ce4e5b9;  z = (z ^ z>>27)·0x94d049bb133111eb;  z ^ z>>31
//! keyed:   h = 0;  for x in key: h = mix((h ^ x) + G)                       G = 0x9e3779b97f4a7c15
//! draw k:  mix(start + (k+1)·G)                                             (all modulo 2^64)
//! ```

#![forbid(unsafe_code)]

const G: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream.
///
/// ```
/// use bitspike_random::Random;
/// let (mut a, mut b) = (Random::keyed([7, 3]), Random::keyed([7, 3]));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!((0.0..1.0).contains(&a.unit()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// The stream of a key.
    pub fn keyed<const N: usize>(key: [u64; N]) -> Self {
        Self(key.iter().fold(0, |h, x| mix((h ^ x).wrapping_add(G))))
    }

    /// SplitMix64 with this state. Streams of neighbouring states overlap if they are a multiple of G apart.
    pub const fn from_state(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(G);
        mix(self.0)
    }

    /// A number in `0..n`, exactly uniform (Lemire's multiplication with rejection). `n = 0` gives 0.
    pub const fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // The lowest `2^64 mod n` products of each bucket are rejected: then every bucket has the same size.
        let reject = n.wrapping_neg() % n;
        loop {
            let product = self.next_u64() as u128 * n as u128;
            if product as u64 >= reject {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in [0, 1), one of 2⁵³ equally far apart.
    pub const fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in (0, 1), in the middle between two of [`Random::unit`]: its logarithm is finite.
    pub const fn open_unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// A number in [0, 1), one of 2²⁴ equally far apart.
    pub const fn unit_f32(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// A number in [`low`, `high`); `low` if that is empty.
    pub const fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low).max(0.0)
    }

    /// A number in [−`most`, `most`).
    pub const fn either(&mut self, most: f64) -> f64 {
        (2.0 * self.unit() - 1.0) * most
    }

    /// A number from N(0, 1), by the method of Box and Muller (1958), which takes two draws.
    pub fn normal(&mut self) -> f64 {
        let (radius, turn) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), self.unit());
        radius * (std::f64::consts::TAU * turn).cos()
    }

    /// True with probability 1/2.
    pub const fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }

    /// Fisher-Yates: a uniformly random order of `items`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_published_values() {
        // First outputs for seed 1234567, as listed for the reference C code by Sebastiano Vigna.
        let mut r = Random::from_state(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| r.next_u64()).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn golden_streams() {
        // From a separate Python transcription of the module text:
        //   M=2**64-1; G=0x9e3779b97f4a7c15
        //   def mix(z): z=(z^z>>30)*0xbf58476d1ce4e5b9&M; z=(z^z>>27)*0x94d049bb133111eb&M; return z^z>>31
        //   h=0
        //   for x in key: h=mix((h^x)+G&M)
        //   mix(h+G&M)
        let rows = [
            ([0, 1, 0, 0], 0xf9ac_6e33_7c2f_0f1e),
            ([42, 2, 1, 7], 0x3b6b_3539_cc81_685f),
            ([u64::MAX, 5, u64::MAX, u64::MAX], 0x5bf0_6af7_9019_df1d),
        ];
        for (key, want) in rows {
            assert_eq!(Random::keyed(key).next_u64(), want, "{key:?}");
        }
        let mut order: Vec<u32> = (0..10).collect();
        Random::keyed([1, 1, 0, 0]).shuffle(&mut order);
        assert_eq!(order, [2, 4, 5, 3, 8, 1, 6, 7, 9, 0]);
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut r = Random::keyed([3]);
        let mut counts = [0u32; 9];
        for _ in 0..90_000 {
            counts[r.below(9) as usize] += 1;
        }
        // Standard deviation of one count is sqrt(90000·(1/9)·(8/9)) = 94; five of them.
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 470), "{counts:?}");
        assert_eq!((r.below(0), r.below(1)), (0, 0));
    }

    #[test]
    fn moments_are_as_stated() {
        let (mut r, n) = (Random::keyed([7]), 100_000);
        let units: Vec<f64> = (0..n).map(|_| r.unit()).collect();
        let (low, high) = units.iter().fold((1.0f64, 0.0f64), |(l, h), &u| (l.min(u), h.max(u)));
        assert!((0.0..1e-3).contains(&low) && (1.0 - 1e-3..1.0).contains(&high));
        assert!((units.iter().sum::<f64>() / f64::from(n) - 0.5).abs() < 0.005);
        let normal: Vec<f64> = (0..n).map(|_| r.normal()).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(n);
        let variance = normal.iter().map(|v| v * v).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        assert_eq!(r.between(2.0, 1.0), 2.0);
        assert!((0..1000).all(|_| (-3.0..3.0).contains(&r.either(3.0)) && (0.0..1.0).contains(&r.unit_f32())));
        assert!(Random::from_state(G.wrapping_neg()).open_unit() > 0.0, "the draw 0");
    }

    #[test]
    fn neighbouring_keys_do_not_agree() {
        let keys = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];
        let all = keys.map(|key| Random::keyed(key).next_u64());
        assert!((0..5).all(|i| all[..i].iter().all(|a| *a != all[i])));
    }
}
