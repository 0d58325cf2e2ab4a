//! Augmentations of frames of bytes `[T, C, H, W]`, where recordings are no longer at hand.
//!
//! Geometry is the same for all steps and channels of a sample. Rotation and shear take the nearest pixel; what comes
//! from beyond the frame is 0. Random choices are a function of (seed, epoch, sample) and of what they are for, so that
//! they depend neither on threads nor on which other augmentations are on.
//!
//! NDA: Li et al. 2022, "Neuromorphic Data Augmentation for Training Spiking Neural Networks", with the values of public
//! implementations of it. EventMix: Shen et al. 2023, "EventMix: An efficient data augmentation strategy for event-based
//! learning". [`augment`](crate::augment) has the same for lists of events.

use crate::augment::Mixture;
use crate::{EventError, Random, random};
use serde::{Deserialize, Serialize};

/// Shape of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameShape {
    /// T.
    pub steps: usize,
    /// C.
    pub channels: usize,
    /// H.
    pub height: usize,
    /// W.
    pub width: usize,
}

impl FrameShape {
    /// Number of values.
    pub const fn len(&self) -> usize {
        self.steps * self.channels * self.height * self.width
    }

    /// Whether there are no values.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self, frames: &[u8]) -> Result<(), EventError> {
        if frames.len() == self.len() && !self.is_empty() {
            return Ok(());
        }
        let expected = format!("the {} values of {self:?}, at least 1", self.len());
        Err(EventError::Option { key: "frames", expected, found: frames.len().to_string() })
    }
}

/// Which sample of which epoch of which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleKey {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// Sample of the training part, from 0.
    pub sample: u64,
}

impl SampleKey {
    /// The stream of this sample for one purpose.
    fn stream(self, purpose: u64) -> Random {
        let mut run = random(self.seed, purpose);
        let mut epoch = random(run.next_u64(), self.epoch);
        random(epoch.next_u64(), self.sample)
    }
}

/// Mirrors left and right.
pub fn flip(frames: &mut [u8], shape: FrameShape) {
    frames.chunks_exact_mut(shape.width.max(1)).for_each(<[u8]>::reverse);
}

/// Shifts by columns to the right and rows downwards; what leaves on one side enters on the other.
pub fn roll(frames: &mut [u8], shape: FrameShape, dx: i32, dy: i32) {
    let (w, h) = (shape.width.max(1), shape.height.max(1));
    // Below the side, which a slice holds.
    let (right, down) = (i64::from(dx).rem_euclid(w as i64) as usize, i64::from(dy).rem_euclid(h as i64) as usize);
    for plane in frames.chunks_exact_mut(w * h) {
        plane.rotate_right(down * w);
        plane.chunks_exact_mut(w).for_each(|row| row.rotate_right(right));
    }
}

/// Shifts by columns and rows; what leaves the frame is lost, what enters is 0.
pub fn shift(frames: &mut [u8], shape: FrameShape, dx: i32, dy: i32) {
    moved(frames, shape, |x, y| (x - f64::from(dx), y - f64::from(dy)));
}

/// Rotates about the centre, clockwise as seen, by degrees.
pub fn rotate(frames: &mut [u8], shape: FrameShape, degrees: f64) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (cx, cy) = centre(shape);
    moved(frames, shape, |x, y| {
        let (x, y) = (x - cx, y - cy);
        (cx + cos * x + sin * y, cy - sin * x + cos * y)
    });
}

/// Shears rows against each other: x moves by `factor` times the distance from the middle row.
pub fn shear(frames: &mut [u8], shape: FrameShape, factor: f64) {
    let (_, cy) = centre(shape);
    moved(frames, shape, |x, y| (x - factor * (y - cy), y));
}

/// Sets a square with `side` pixels to 0, around a random pixel, so partly beyond the frame at its border.
pub fn cut_out(frames: &mut [u8], shape: FrameShape, side: usize, r: &mut Random) {
    let mut range = |n: usize| {
        let from = r.below(n as u64) as usize;
        from.saturating_sub(side / 2)..(from + side - side / 2).min(n)
    };
    let (columns, rows) = (range(shape.width), range(shape.height));
    for plane in frames.chunks_exact_mut((shape.width * shape.height).max(1)) {
        rows.clone().for_each(|y| plane[y * shape.width..][columns.clone()].fill(0));
    }
}

fn centre(shape: FrameShape) -> (f64, f64) {
    ((shape.width as f64 - 1.0) / 2.0, (shape.height as f64 - 1.0) / 2.0)
}

/// Takes each pixel from where it was, given as a function of where it is.
fn moved(frames: &mut [u8], shape: FrameShape, from: impl Fn(f64, f64) -> (f64, f64)) {
    let (w, h) = (shape.width, shape.height);
    let place = |i: usize| {
        let (x, y) = from((i % w) as f64, (i / w) as f64);
        let (x, y) = (x.round(), y.round());
        let inside = (0.0..w as f64).contains(&x) && (0.0..h as f64).contains(&y);
        inside.then(|| y as usize * w + x as usize)
    };
    let map: Vec<Option<usize>> = (0..w * h).map(place).collect();
    let mut before = vec![0; w * h];
    for plane in frames.chunks_exact_mut((w * h).max(1)) {
        before.copy_from_slice(plane);
        plane.iter_mut().zip(&map).for_each(|(v, m)| *v = m.map_or(0, |m| before[m]));
    }
}

/// NDA: mirrored with probability one half, then one of roll, rotation, cut-out and shear, of random strength.
///
/// `strength` in [0, 1] scales the largest values: a roll of 5/48 of the side, 30 degrees, a cut-out with 16/48 of the
/// side, a shear of 0.15.
pub fn nda(frames: &mut [u8], shape: FrameShape, strength: f64, r: &mut Random) {
    if r.next_u64() & 1 != 0 {
        flip(frames, shape);
    }
    match r.below(4) {
        0 => {
            let mut off = |n: usize| (r.between(-1.0, 1.0) * strength * n as f64 * 5.0 / 48.0).round() as i32;
            let (dx, dy) = (off(shape.width), off(shape.height));
            roll(frames, shape, dx, dy);
        }
        1 => rotate(frames, shape, 30.0 * strength * r.between(-1.0, 1.0)),
        2 => {
            let side = (strength * shape.width.min(shape.height) as f64 * 16.0 / 48.0).round() as usize;
            cut_out(frames, shape, side, r);
        }
        _ => shear(frames, shape, 0.15 * strength * r.between(-1.0, 1.0)),
    }
}

/// EventMix: keeps frames where a random mixture of Gaussians over time and place is high, and takes `other` elsewhere.
/// Returns the share of the sum of values that is of `frames`: the weight of its label; 1/2 if nothing is left.
///
/// # Errors
/// `Option` for lengths that are not those of the shape.
pub fn event_mix(frames: &mut [u8], other: &[u8], shape: FrameShape, r: &mut Random) -> Result<f64, EventError> {
    shape.check(frames)?;
    shape.check(other)?;
    let (mixture, plane) = (Mixture::new(r), shape.height * shape.width);
    let at = |i: usize, n: usize| (i as f64 + 0.5) / n as f64;
    let (mut own, mut all) = (0u64, 0u64);
    for t in 0..shape.steps {
        for i in 0..plane {
            let place = [at(i % shape.width, shape.width), at(i / shape.width, shape.height), at(t, shape.steps)];
            let first = mixture.is_first(place);
            for c in 0..shape.channels {
                let k = (t * shape.channels + c) * plane + i;
                frames[k] = if first { frames[k] } else { other[k] };
                all += u64::from(frames[k]);
                own += u64::from(frames[k]) * u64::from(first);
            }
        }
    }
    Ok(if all == 0 { 0.5 } else { own as f64 / all as f64 })
}

/// Which augmentations training samples get.
///
/// ```
/// use bitspike_events::frame_augment::{FrameAugment, FrameShape, SampleKey};
/// let a: FrameAugment = toml::from_str("flip = true\nroll = 2").unwrap();
/// let (shape, key) = (FrameShape { steps: 1, channels: 1, height: 2, width: 3 }, SampleKey { seed: 1, epoch: 0, sample: 5 });
/// let (mut x, mut y) = ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]);
/// a.apply(&mut x, shape, key)?;
/// a.apply(&mut y, shape, key)?;
/// assert_eq!(x, y, "the same key gives the same");
/// # Ok::<(), bitspike_events::EventError>(())
/// ```
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct FrameAugment {
    /// Mirror left and right with probability one half.
    pub flip: bool,
    /// Roll by up to so many pixels either way, in both directions; 0 = off.
    pub roll: u16,
    /// Strength of NDA, in [0, 1]; 0 = off.
    pub nda: f64,
    /// Probability of a mix with another sample by EventMix; 0 = off.
    pub event_mix: f64,
}

impl FrameAugment {
    /// Checks the ranges.
    ///
    /// # Errors
    /// `Option` naming the key.
    pub fn validate(&self) -> Result<(), EventError> {
        for (key, v) in [("nda", self.nda), ("event_mix", self.event_mix)] {
            if !(0.0..=1.0).contains(&v) {
                return Err(EventError::Option { key, expected: "0 to 1".into(), found: v.to_string() });
            }
        }
        Ok(())
    }

    /// Mirrors, rolls and applies NDA, as switched on.
    ///
    /// # Errors
    /// `Option` for a length that is not that of the shape.
    pub fn apply(&self, frames: &mut [u8], shape: FrameShape, key: SampleKey) -> Result<(), EventError> {
        shape.check(frames)?;
        if self.flip && key.stream(1).next_u64() & 1 != 0 {
            flip(frames, shape);
        }
        if self.roll > 0 {
            let mut r = key.stream(2);
            let mut off = || r.below(2 * u64::from(self.roll) + 1) as i32 - i32::from(self.roll);
            let (dx, dy) = (off(), off());
            roll(frames, shape, dx, dy);
        }
        if self.nda > 0.0 {
            nda(frames, shape, self.nda, &mut key.stream(3));
        }
        Ok(())
    }

    /// The other sample, of `samples`, that EventMix takes for this one; `None` if it is not mixed.
    pub fn partner(&self, samples: usize, key: SampleKey) -> Option<usize> {
        let mut r = key.stream(4);
        (r.unit() < self.event_mix && samples > 0).then(|| r.below(samples as u64) as usize)
    }

    /// Mixes with the partner's frames; returns the weight of the sample's own label.
    ///
    /// # Errors
    /// As [`event_mix`].
    pub fn mix(&self, frames: &mut [u8], other: &[u8], shape: FrameShape, key: SampleKey) -> Result<f64, EventError> {
        event_mix(frames, other, shape, &mut key.stream(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{self, Size};
    use crate::{Event, FrameKind, Framing, SplitBy};
    use proptest::prelude::*;

    const SHAPE: FrameShape = FrameShape { steps: 3, channels: 2, height: 7, width: 9 };

    /// A few events, apart from each other, and their frames.
    fn framed(events: &[Event]) -> Vec<u8> {
        let f = Framing { bins: 3, width: 9, height: 7, by: SplitBy::Time, kind: FrameKind::Counts };
        f.frames_within(events, (0, 99)).unwrap().iter().map(|v| *v as u8).collect()
    }

    fn numbered() -> Vec<u8> {
        (0..SHAPE.len()).map(|i| (i % 251) as u8).collect()
    }

    proptest! {
        /// Flip and shift of frames are the frames of flipped and shifted events.
        #[test]
        fn frames_move_as_events_do(
            raw in prop::collection::vec((0i64..100, 0u16..9, 0u16..7, any::<bool>()), 0..50),
            dx in -10i32..10, dy in -10i32..10,
        ) {
            let size: Size = (9, 7);
            let events: Vec<Event> = raw.iter().map(|(t, x, y, p)| Event::new(*t, *x, *y, *p)).collect();
            let (mut flipped, mut shifted) = (events.clone(), events.clone());
            augment::flip_x(&mut flipped, size);
            augment::roll(&mut shifted, size, dx, dy);
            let (mut a, mut b) = (framed(&events), framed(&events));
            flip(&mut a, SHAPE);
            shift(&mut b, SHAPE, dx, dy);
            prop_assert_eq!(a, framed(&flipped));
            prop_assert_eq!(b, framed(&shifted));
        }

        #[test]
        fn a_roll_and_its_opposite_are_nothing(dx in -40i32..40, dy in -40i32..40) {
            let mut x = numbered();
            roll(&mut x, SHAPE, dx, dy);
            let moved = (dx.rem_euclid(9), dy.rem_euclid(7)) != (0, 0);
            prop_assert_eq!(x != numbered(), moved);
            roll(&mut x, SHAPE, -dx, -dy);
            prop_assert_eq!(x, numbered());
        }
    }

    #[test]
    fn a_roll_within_the_frame_is_a_shift() {
        let mut x = vec![0; SHAPE.len()];
        (0..6).for_each(|p| x[p * 63 + 3 * 9 + 4] = p as u8 + 1);
        let mut y = x.clone();
        roll(&mut x, SHAPE, 3, -2);
        shift(&mut y, SHAPE, 3, -2);
        assert_eq!(x, y);
        assert_eq!((x[9 + 7], x[63 + 9 + 7]), (1, 2));
    }

    #[test]
    fn half_a_turn_is_two_flips_and_no_shear_is_nothing() {
        let (mut x, mut y) = (numbered(), numbered());
        rotate(&mut x, SHAPE, 180.0);
        y.chunks_exact_mut(63).for_each(<[u8]>::reverse);
        assert_eq!(x, y);
        let mut z = numbered();
        shear(&mut z, SHAPE, 0.0);
        rotate(&mut z, SHAPE, 0.0);
        assert_eq!(z, numbered());
        // A quarter turn, clockwise, of a square: top left goes to the top right.
        let (square, mut q) = (FrameShape { steps: 1, channels: 1, height: 3, width: 3 }, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        rotate(&mut q, square, 90.0);
        assert_eq!(q, [7, 4, 1, 8, 5, 2, 9, 6, 3]);
        // The top row is 1 above the middle: it moves left by the factor.
        let mut s = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        shear(&mut s, square, 1.0);
        assert_eq!(s, [2, 3, 0, 4, 5, 6, 0, 7, 8]);
    }

    #[test]
    fn a_cut_out_is_a_square_or_its_part_within() {
        let mut areas = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut x = vec![1; SHAPE.len()];
            cut_out(&mut x, SHAPE, 4, &mut random(seed, 0));
            let zeros: Vec<usize> = x.chunks(63).map(|p| p.iter().filter(|v| **v == 0).count()).collect();
            assert!(zeros.iter().all(|n| *n == zeros[0]), "the same in every plane");
            areas.insert(zeros[0]);
        }
        assert_eq!((areas.first(), areas.last()), (Some(&4), Some(&16)));
    }

    #[test]
    fn the_key_decides_and_switches_are_independent() {
        let all = FrameAugment { flip: true, roll: 3, nda: 1.0, event_mix: 0.5 };
        let key = |epoch, sample| SampleKey { seed: 7, epoch, sample };
        let run = |a: &FrameAugment, k| {
            let mut x = numbered();
            a.apply(&mut x, SHAPE, k).unwrap();
            x
        };
        assert_eq!(run(&all, key(1, 2)), run(&all, key(1, 2)));
        let other = (0..40).filter(|i| run(&all, key(0, *i)) != run(&all, key(1, *i))).count();
        assert!(other > 35, "{other}");
        // Which samples are mirrored does not depend on the mix, or whom one is mixed with on mirroring.
        let flip_only = FrameAugment { flip: true, ..FrameAugment::default() };
        let flipped = (0..400).filter(|i| run(&flip_only, key(0, *i)) != numbered()).count();
        assert!((160..240).contains(&flipped), "{flipped}");
        let mix_only = FrameAugment { event_mix: 0.5, ..FrameAugment::default() };
        let partners: Vec<_> = (0..400).map(|i| all.partner(10, key(0, i))).collect();
        assert_eq!(partners, (0..400).map(|i| mix_only.partner(10, key(0, i))).collect::<Vec<_>>());
        assert!((160..240).contains(&partners.iter().flatten().count()));
        assert_eq!(FrameAugment::default().partner(10, key(0, 0)), None);
        assert!(FrameAugment { nda: 1.5, ..FrameAugment::default() }.validate().is_err());
        assert!(all.apply(&mut [0; 5], SHAPE, key(0, 0)).is_err());
    }

    #[test]
    fn a_mix_is_of_both_and_the_weight_says_how_much() {
        let mut shares = Vec::new();
        for seed in 0..60 {
            let (mut x, other) = (vec![1; SHAPE.len()], vec![3; SHAPE.len()]);
            let share = event_mix(&mut x, &other, SHAPE, &mut random(seed, 0)).unwrap();
            let own = x.iter().filter(|v| **v == 1).count() as f64;
            let all: f64 = x.iter().map(|v| f64::from(*v)).sum();
            assert!((share - own / all).abs() < 1e-12);
            shares.push(own / SHAPE.len() as f64);
            // Both channels of a pixel are of one sample.
            assert!((0..63).all(|i| (0..3).all(|t| x[t * 126 + i] == x[t * 126 + 63 + i])));
        }
        let mean = shares.iter().sum::<f64>() / 60.0;
        assert!((0.35..0.65).contains(&mean), "{mean}");
        assert!(shares.iter().any(|s| *s < 0.3) && shares.iter().any(|s| *s > 0.7), "{shares:?}");
        let mut nothing = vec![0; SHAPE.len()];
        let zero = vec![0; SHAPE.len()];
        assert_eq!(event_mix(&mut nothing, &zero, SHAPE, &mut random(0, 0)).unwrap(), 0.5);
        assert!(event_mix(&mut nothing, &zero[1..], SHAPE, &mut random(0, 0)).is_err());
    }
}
