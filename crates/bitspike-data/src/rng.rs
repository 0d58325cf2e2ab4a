//! Counter-based random numbers: every draw is a function of (seed, purpose, epoch, sample, draw number).
//!
//! A stream is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) whose start is a hash of its key. Nothing is shared between
//! streams, so a result cannot depend on the number of threads, on the order of work or on where a run was resumed.
//! The numbers are part of the behaviour of this crate: tests hold golden values, and a change of them is a breaking
//! change of every experiment.
//!
//! ```text
//! mix(z):  z = (z ^ z>>30)·0xbf58476d1ce4e5b9;  z = (z ^ z>>27)·0x94d049bb133111eb;  z ^ z>>31
//! start:   h = 0;  for x in [seed, purpose, epoch, sample]:  h = mix((h ^ x) + G)        G = 0x9e3779b97f4a7c15
//! draw k:  mix(start + (k+1)·G)                                                          (all modulo 2^64)
//! ```

const G: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a stream is used for; streams of different purpose are independent, so switching one augmentation on does not
/// move the random choices of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
#[non_exhaustive]
pub enum Purpose {
    /// Order of the samples in an epoch.
    Order = 1,
    /// Place of a random crop.
    Crop = 2,
    /// Mirror or not.
    Flip = 3,
    /// AutoAugment choices.
    AutoAugment = 4,
    /// Place of the Cutout square.
    Cutout = 5,
    /// Area, shape and place of a random resized crop.
    ResizedCrop = 6,
    /// Whether, with what and how MixUp and CutMix mix.
    Mix = 7,
    /// Which few samples stand for a part.
    Evenly = 8,
    /// Augmentation of signals.
    Signal = 9,
    /// Rotation of sensors of three axes.
    Rotate = 10,
    /// Tone of a spectrogram.
    Tone = 11,
}

/// One stream of random numbers.
///
/// ```
/// use bitspike_data::{Purpose, Rng};
/// let (mut a, mut b) = (Rng::new(7, Purpose::Flip, 0, 3), Rng::new(7, Purpose::Flip, 0, 3));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!(a.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The stream for this key. Use `sample = 0` where a stream belongs to a whole epoch.
    pub fn new(seed: u64, purpose: Purpose, epoch: u64, sample: u64) -> Self {
        let state = [seed, purpose as u64, epoch, sample].iter().fold(0u64, |h, x| mix((h ^ x).wrapping_add(G)));
        Self { state }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(G);
        mix(self.state)
    }

    /// A number in `0..n`, exactly uniform (Lemire's multiplication with rejection). `n = 0` gives 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // The lowest `2^64 mod n` products of each bucket are rejected: then every bucket has the same size.
        let reject = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= reject {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in [0, 1), one of 2⁵³ equally far apart.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in [−`most`, `most`).
    pub(crate) fn either(&mut self, most: f64) -> f64 {
        (2.0 * self.unit() - 1.0) * most
    }

    /// A number from N(0, 1), by the method of Box and Muller (1958), which takes two draws.
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, turn) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), self.unit());
        radius * (std::f64::consts::TAU * turn).cos()
    }

    /// True with probability 1/2.
    pub fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }

    /// Fisher-Yates: a uniformly random order of `items`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
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
    fn splitmix64_published_values() {
        // First outputs for seed 1234567, as listed for the reference C code by Sebastiano Vigna.
        let mut r = Rng { state: 1_234_567 };
        let got: Vec<u64> = (0..3).map(|_| r.next_u64()).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn golden_streams() {
        // From a separate Python transcription of the module text:
        //   M=2**64-1; G=0x9e3779b97f4a7c15
        //   def mix(z): z=(z^z>>30)*0xbf58476d1ce4e5b9&M; z=(z^z>>27)*0x94d049bb133111eb&M; return z^z>>31
        //   h=0
        //   for x in (seed,purpose,epoch,sample): h=mix((h^x)+G&M)
        //   mix(h+G&M)
        let rows = [
            ((0, Purpose::Order, 0, 0), 0xf9ac_6e33_7c2f_0f1e),
            ((42, Purpose::Crop, 1, 7), 0x3b6b_3539_cc81_685f),
            ((u64::MAX, Purpose::Cutout, u64::MAX, u64::MAX), 0x5bf0_6af7_9019_df1d),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .map(|&((s, p, e, i), want)| ((s, p, e, i), want, Rng::new(s, p, e, i).next_u64()))
            .filter(|(_, want, got)| want != got)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn golden_shuffle() {
        let mut v: Vec<u32> = (0..10).collect();
        Rng::new(1, Purpose::Order, 0, 0).shuffle(&mut v);
        assert_eq!(v, [2, 4, 5, 3, 8, 1, 6, 7, 9, 0]);
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut r = Rng::new(3, Purpose::Crop, 0, 0);
        let mut counts = [0u32; 9];
        for _ in 0..90_000 {
            counts[r.below(9) as usize] += 1;
        }
        // Standard deviation of one count is sqrt(90000·(1/9)·(8/9)) = 94; five of them.
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 470), "{counts:?}");
        let (low, high) = (0..90_000).map(|_| r.unit()).fold((1.0f64, 0.0f64), |(l, h), u| (l.min(u), h.max(u)));
        assert!((0.0..1e-3).contains(&low) && (1.0 - 1e-3..1.0).contains(&high));
        assert_eq!(r.below(0), 0);
        assert_eq!(r.below(1), 0);
    }

    #[test]
    fn neighbouring_keys_do_not_agree() {
        let first = |s, p, e, i| Rng::new(s, p, e, i).next_u64();
        let all = [
            first(0, Purpose::Crop, 0, 0),
            first(1, Purpose::Crop, 0, 0),
            first(0, Purpose::Flip, 0, 0),
            first(0, Purpose::Crop, 1, 0),
            first(0, Purpose::Crop, 0, 1),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
    }
}
