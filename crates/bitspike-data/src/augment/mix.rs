//! MixUp and CutMix: a sample mixed with another one of the training part, and its label with the other label.
//!
//! ```text
//! mixup    x ← λ x + (1 − λ) x'                                  λ ~ Beta(a, a)     (Zhang et al., ICLR 2018)
//! cutmix   x ← x' in a rectangle of √(1 − λ) of both sides,      λ ~ Beta(a, a)     (Yun et al., ICCV 2019)
//!          cut off where it leaves the image;  λ ← share of x that is left
//! label    λ of its own class, 1 − λ of the other
//! ```
//!
//! Both samples are first changed and normalised as they would be alone; the frames of a sequence are mixed alike. Ours: the
//! other sample is any one of the training part and λ is drawn for each sample, where the authors mix the samples of a batch with
//! one λ. So a sample's mix does not depend on the batch it is in.

use crate::config::AugmentConfig;
use bitspike_random::Random;
use std::ops::Range;

/// What is mixed in, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ImageMix {
    /// a of MixUp and of CutMix; 0 is off.
    mixup: f64,
    cutmix: f64,
    probability: f64,
}

/// A mix that was drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawn {
    /// The other sample.
    pub(crate) partner: usize,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// λ.
    Blend(f64),
    /// Rows and columns that are replaced.
    Paste([Range<usize>; 2]),
}

impl ImageMix {
    pub(crate) fn new(cfg: &AugmentConfig) -> Self {
        Self { mixup: cfg.mixup, cutmix: cfg.cutmix, probability: cfg.mix_probability }
    }

    /// Whether samples may be mixed.
    pub(crate) fn is_on(&self) -> bool {
        (self.mixup > 0.0 || self.cutmix > 0.0) && self.probability > 0.0
    }

    /// How a sample is mixed, if it is: one of `samples`, of frames with so many rows and columns.
    pub(crate) fn draw(
        &self,
        own: usize,
        samples: usize,
        [rows, columns]: [usize; 2],
        rng: &mut Random,
    ) -> Option<Drawn> {
        if samples < 2 || rng.unit() >= self.probability {
            return None;
        }
        // Any sample but itself.
        let partner = (own + 1 + rng.below(samples as u64 - 1) as usize) % samples;
        let both = self.mixup > 0.0 && self.cutmix > 0.0;
        let blend = if both { rng.coin() } else { self.mixup > 0.0 };
        let lambda = beta(if blend { self.mixup } else { self.cutmix }, rng);
        let kind = if blend {
            Kind::Blend(lambda)
        } else {
            let share = (1.0 - lambda).sqrt();
            let mut side = |length: usize| {
                let half = (length as f64 * share) as usize / 2;
                let centre = rng.below(length as u64) as usize;
                centre.saturating_sub(half)..(centre + half).min(length)
            };
            Kind::Paste([side(rows), side(columns)])
        };
        Some(Drawn { partner, kind })
    }
}

impl Drawn {
    /// Mixes a frame `[C, H, W]` with the other sample's.
    pub(crate) fn apply(&self, [_, rows, columns]: [usize; 3], own: &mut [f32], other: &[f32]) {
        match &self.kind {
            Kind::Blend(lambda) => {
                let (ours, theirs) = (*lambda as f32, (1.0 - lambda) as f32);
                own.iter_mut().zip(other).for_each(|(x, y)| *x = ours * *x + theirs * y);
            }
            Kind::Paste([high, wide]) => {
                let planes = own.chunks_exact_mut(rows * columns).zip(other.chunks_exact(rows * columns));
                for (own, other) in planes {
                    for row in high.clone() {
                        let at = row * columns + wide.start..row * columns + wide.end;
                        own[at.clone()].copy_from_slice(&other[at]);
                    }
                }
            }
        }
    }

    /// Weight of the sample's own label.
    pub(crate) fn own(&self, [rows, columns]: [usize; 2]) -> f32 {
        match &self.kind {
            Kind::Blend(lambda) => *lambda as f32,
            Kind::Paste([high, wide]) => (1.0 - (high.len() * wide.len()) as f64 / (rows * columns) as f64) as f32,
        }
    }
}

/// A number from Beta(a, a), 0 < a <= 1 (Jöhnk, Metrika 1964): X = U^(1/a) and Y = V^(1/a) with X + Y <= 1 give X / (X + Y). In
/// logarithms, so that small a do not underflow.
fn beta(a: f64, rng: &mut Random) -> f64 {
    loop {
        // In (0, 1].
        let (x, y) = ((1.0 - rng.unit()).ln() / a, (1.0 - rng.unit()).ln() / a);
        let larger = x.max(y);
        let sum = larger + ((x - larger).exp() + (y - larger).exp()).ln();
        if sum <= 0.0 {
            return (x - sum).exp();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purpose::Purpose;

    fn rng(sample: u64) -> Random {
        Purpose::Mix.stream(3, 0, sample)
    }

    /// Mean ½ and variance 1 / (4 (2a + 1)).
    #[test]
    fn beta_has_its_moments() {
        const N: u64 = 40_000;
        for a in [0.01, 0.2, 0.5, 1.0] {
            let drawn: Vec<f64> = (0..N).map(|i| beta(a, &mut rng(i))).collect();
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{a}");
            let mean = drawn.iter().sum::<f64>() / N as f64;
            let var = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64;
            let expected = 1.0 / (4.0 * (2.0 * a + 1.0));
            assert!((mean - 0.5).abs() < 0.0125 && (var / expected - 1.0).abs() < 0.05, "{a}: {mean} {var}");
        }
    }

    #[test]
    fn a_paste_is_a_rectangle_and_its_share_is_the_label() {
        let mix = ImageMix { mixup: 0.0, cutmix: 1.0, probability: 1.0 };
        let shape = [2, 7, 10];
        let mut shares = Vec::new();
        for i in 0..500 {
            let drawn = mix.draw(1, 3, [7, 10], &mut rng(i)).unwrap();
            assert!(drawn.partner != 1 && drawn.partner < 3);
            let (mut own, other) = (vec![0.0; 140], vec![1.0; 140]);
            drawn.apply(shape, &mut own, &other);
            let (first, second) = own.split_at(70);
            assert_eq!(first, second, "channels alike");
            let pasted = first.iter().sum::<f32>();
            assert!((drawn.own([7, 10]) - (1.0 - pasted / 70.0)).abs() < 1e-6);
            let Kind::Paste([high, wide]) = &drawn.kind else { panic!("cutmix pastes") };
            for (at, value) in first.iter().enumerate() {
                let inside = high.contains(&(at / 10)) && wide.contains(&(at % 10));
                assert_eq!(*value, if inside { 1.0 } else { 0.0 });
            }
            shares.push(pasted);
        }
        assert!(shares.contains(&0.0) && shares.iter().any(|s| *s > 35.0));
    }

    #[test]
    fn a_blend_weighs_values_as_labels_and_both_kinds_share_evenly() {
        let mix = ImageMix { mixup: 0.4, cutmix: 1.0, probability: 0.5 };
        let (mut blends, mut pastes) = (0, 0);
        for i in 0..2000 {
            let Some(drawn) = mix.draw(0, 2, [4, 4], &mut rng(i)) else { continue };
            assert_eq!(drawn.partner, 1);
            let own = drawn.own([4, 4]);
            let mut x = [2.0f32; 16];
            drawn.apply([1, 4, 4], &mut x, &[-1.0; 16]);
            match drawn.kind {
                Kind::Blend(_) => {
                    blends += 1;
                    assert!(x.iter().all(|x| (x - (3.0 * own - 1.0)).abs() < 1e-5));
                }
                Kind::Paste(_) => pastes += 1,
            }
        }
        // 2000 · ½ · ½ each, deviation 19.
        assert!((400..600).contains(&blends) && (400..600).contains(&pastes), "{blends} {pastes}");
        assert_eq!(mix.draw(0, 1, [4, 4], &mut rng(0)), None, "there is no other sample");
        assert!(!ImageMix::default().is_on());
    }
}
