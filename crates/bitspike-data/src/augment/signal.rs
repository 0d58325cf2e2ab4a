//! Augmentations of signals: windows `[C, 1, L]` of sensors and spectrograms `[C, bands, frames]`, after normalisation.
//!
//! ```text
//! stretch, shift   x[i] ← x[c + (i − c)·s + d]       s = e^u, u uniform in ± stretch;  d uniform in ± shift·L;  c = (L − 1)/2
//!                  linear between samples; beyond the ends the end's value
//! shift_bands      row r ← row r + k                 k uniform in ± shift_bands·bands, whole rows; beyond the ends the end's row
//! rotate           (x, y, z) ← R·(x, y, z)  R about a random axis, the angle uniform in ± rotate degrees: channels in threes, all
//!                                           by the same R; what is left of the channels stays
//! gain             x ← x·e^g                         g from N(0, gain²), one for a sample
//! offset           x ← x + o[c]                      o from N(0, offset²), one for a channel: of log-mel it is a gain
//! tone             row r ← row r + Σ_j a_j·cos(π·j·(r + ½)/bands), j = 1, 2, 3 < bands    a_j from N(0, (tone/j)²): of log-mel it is the
//!                                                    colour of another microphone, room or voice
//! noise            x ← x + n                         n from N(0, noise²), one for a value
//! mask_time        0 in up to mask_time·L columns of all rows, at one place     (SpecAugment: Park et al., 2019)
//! mask_bands       0 in up to mask_bands·bands rows, at one place
//! drop_channel     each channel 0 with this probability, never all
//! ```
//!
//! In that order. Values are in deviations of their row ([`bitspike_sensors`] normalises them), so 0 is the mean and strengths
//! mean the same for every sensor. Shift, stretch and noise of windows are those of Um et al. (ICMI 2017), there as time warping,
//! scaling and jittering, rotation is theirs too; stretching evenly in place of along a random curve is ours, and so is the tone.

use crate::DataError;
use crate::purpose::Purpose;
use bitspike_random::Random;
use serde::{Deserialize, Serialize};

/// Strengths; all 0 by default, which is off.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SignalAugment {
    /// Share of the length that a window is moved by at most, 0 to 1.
    pub shift: f64,
    /// Logarithm of the largest factor of speed, 0 to 1: 0.1 is about 10 % slower or faster.
    pub stretch: f64,
    /// Share of the bands that a spectrogram is moved by at most, 0 to 1.
    pub shift_bands: f64,
    /// Largest angle in degrees that sensors of three axes are turned by, 0 to 180: how else a device may be worn.
    pub rotate: f64,
    /// Deviation of the logarithm of a factor on all values, 0 to 1.
    pub gain: f64,
    /// Deviation of what is added to a channel, 0 to 10.
    pub offset: f64,
    /// Deviation of the slowest part of a smooth curve that is added to the bands of a spectrogram, 0 to 10.
    pub tone: f64,
    /// Deviation of what is added to each value, 0 to 10.
    pub noise: f64,
    /// Largest share of the columns that are set to 0, 0 to 1.
    pub mask_time: f64,
    /// Largest share of the bands that are set to 0, 0 to 1.
    pub mask_bands: f64,
    /// Probability that a channel is set to 0, 0 to 1.
    pub drop_channel: f64,
}

impl SignalAugment {
    /// Whether anything is done.
    pub(crate) fn is_on(&self) -> bool {
        *self != Self::default()
    }

    /// Refuses strengths out of range.
    ///
    /// # Errors
    /// [`DataError::Config`] naming the key.
    pub fn check(&self) -> Result<(), DataError> {
        for (key, value, most) in [
            ("augment.signals.shift", self.shift, 1.0),
            ("augment.signals.stretch", self.stretch, 1.0),
            ("augment.signals.shift_bands", self.shift_bands, 1.0),
            ("augment.signals.rotate", self.rotate, 180.0),
            ("augment.signals.gain", self.gain, 1.0),
            ("augment.signals.offset", self.offset, 10.0),
            ("augment.signals.tone", self.tone, 10.0),
            ("augment.signals.noise", self.noise, 10.0),
            ("augment.signals.mask_time", self.mask_time, 1.0),
            ("augment.signals.mask_bands", self.mask_bands, 1.0),
            ("augment.signals.drop_channel", self.drop_channel, 1.0),
        ] {
            if !(0.0..=most).contains(&value) {
                let (expected, found) = (format!("0 to {most}"), value.to_string());
                return Err(DataError::Config { key, expected, found });
            }
        }
        Ok(())
    }

    /// Changes a frame `[C, H, W]`. `row` is memory for a row.
    pub(crate) fn apply(&self, shape: [usize; 3], key: [u64; 3], x: &mut [f32], row: &mut Vec<f32>) {
        let [seed, epoch, sample] = key;
        let mut rng = Purpose::Signal.stream(seed, epoch, sample);
        let [channels, bands, length] = shape;
        // Every number is drawn whatever is on, so that one strength does not move the others' draws.
        let (speed, place) = (rng.either(self.stretch).exp(), rng.either(self.shift) * length as f64);
        let by = (rng.either(self.shift_bands) * bands as f64).round() as i64;
        let gain = (rng.normal() * self.gain).exp() as f32;
        let time = span(self.mask_time, length, &mut rng);
        let rows = span(self.mask_bands, bands, &mut rng);
        if self.stretch > 0.0 || self.shift > 0.0 {
            x.chunks_exact_mut(length).for_each(|x| resample(x, speed, place, row));
        }
        if self.rotate > 0.0 {
            let turn = rotation(self.rotate, &mut Purpose::Rotate.stream(seed, epoch, sample));
            x.chunks_exact_mut(3 * bands * length).for_each(|sensor| rotate(sensor, turn));
        }
        for channel in x.chunks_exact_mut(bands * length) {
            if by != 0 {
                shift_rows(channel, length, by);
            }
            let offset = (rng.normal() * self.offset) as f32;
            channel.iter_mut().for_each(|v| *v = *v * gain + offset);
        }
        if self.tone > 0.0 {
            let mut rng = Purpose::Tone.stream(seed, epoch, sample);
            x.chunks_exact_mut(bands * length).for_each(|channel| tone(self.tone, channel, length, &mut rng));
        }
        if self.noise > 0.0 {
            x.iter_mut().for_each(|v| *v += (rng.normal() * self.noise) as f32);
        }
        for channel in x.chunks_exact_mut(bands * length) {
            channel.chunks_exact_mut(length).for_each(|row| row[time.clone()].fill(0.0));
            channel[rows.start * length..rows.end * length].fill(0.0);
        }
        if self.drop_channel > 0.0 {
            let kept = rng.below(channels as u64) as usize;
            for (c, channel) in x.chunks_exact_mut(bands * length).enumerate() {
                if rng.unit() < self.drop_channel && c != kept {
                    channel.fill(0.0);
                }
            }
        }
    }
}

/// A place of up to `share` of `of` things, whole ones.
fn span(share: f64, of: usize, rng: &mut Random) -> std::ops::Range<usize> {
    let length = (rng.unit() * (share * of as f64 + 1.0)) as usize;
    let start = rng.below((of - length.min(of)) as u64 + 1) as usize;
    start..(start + length).min(of)
}

/// `x[i] ← x[c + (i − c)·speed + by]`, linear between samples.
fn resample(x: &mut [f32], speed: f64, by: f64, from: &mut Vec<f32>) {
    from.clear();
    from.extend_from_slice(x);
    let last = (from.len() - 1) as f64;
    for (i, v) in x.iter_mut().enumerate() {
        let at = (last / 2.0 + (i as f64 - last / 2.0) * speed + by).clamp(0.0, last);
        let (low, high) = (from[at as usize], from[at.ceil() as usize]);
        *v = low + (high - low) * at.fract() as f32;
    }
}

/// The matrix of a turn about an axis that is uniform on the sphere (Rodrigues' formula).
fn rotation(most: f64, rng: &mut Random) -> [[f32; 3]; 3] {
    let axis = [rng.normal(), rng.normal(), rng.normal()];
    let length = axis.iter().map(|a| a * a).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let k = axis.map(|a| a / length);
    let (sin, cos) = rng.either(most).to_radians().sin_cos();
    let cross = [[0.0, -k[2], k[1]], [k[2], 0.0, -k[0]], [-k[1], k[0], 0.0]];
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let same = if i == j { cos } else { 0.0 };
            (same + sin * cross[i][j] + (1.0 - cos) * k[i] * k[j]) as f32
        })
    })
}

/// Turns the three channels of a sensor.
fn rotate(sensor: &mut [f32], turn: [[f32; 3]; 3]) {
    let third = sensor.len() / 3;
    for i in 0..third {
        let v = [sensor[i], sensor[third + i], sensor[2 * third + i]];
        for (axis, row) in turn.iter().enumerate() {
            sensor[axis * third + i] = row[0] * v[0] + row[1] * v[1] + row[2] * v[2];
        }
    }
}

/// Adds a curve of three cosines to the bands.
fn tone(deviation: f64, channel: &mut [f32], length: usize, rng: &mut Random) {
    let parts = [1.0, 2.0, 3.0].map(|j| (j, rng.normal() * deviation / j));
    let bands = channel.len() / length;
    let step = std::f64::consts::PI / bands as f64;
    for (r, row) in channel.chunks_exact_mut(length).enumerate() {
        let at = (r as f64 + 0.5) * step;
        let more = parts.iter().take(bands - 1).map(|(j, a)| a * (j * at).cos()).sum::<f64>() as f32;
        row.iter_mut().for_each(|v| *v += more);
    }
}

/// Row r becomes row r + `by`; beyond the ends the end's row.
fn shift_rows(channel: &mut [f32], length: usize, by: i64) {
    let rows = channel.len() / length;
    let mut copy = |r: usize| {
        let from = (r as i64 + by).clamp(0, rows as i64 - 1) as usize;
        channel.copy_within(from * length..(from + 1) * length, r * length);
    };
    // Against the direction that values move in, so that none is written over before it is read.
    if by > 0 { (0..rows).for_each(&mut copy) } else { (0..rows).rev().for_each(&mut copy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize) -> Vec<f32> {
        (0..n).map(|i| i as f32).collect()
    }

    #[test]
    fn resampling_by_hand() {
        let with = |speed, by| {
            let mut x = ramp(5);
            resample(&mut x, speed, by, &mut Vec::new());
            x
        };
        assert_eq!(with(1.0, 0.0), ramp(5));
        assert_eq!(with(1.0, 1.5), [1.5, 2.5, 3.5, 4.0, 4.0]);
        assert_eq!(with(1.0, -2.0), [0.0, 0.0, 0.0, 1.0, 2.0]);
        assert_eq!(with(0.5, 0.0), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(with(2.0, 0.0), [0.0, 0.0, 2.0, 4.0, 4.0]);
    }

    #[test]
    fn rows_move_whole() {
        for (by, want) in [(1i64, [1, 2, 3, 3]), (-1, [0, 0, 1, 2]), (3, [3; 4]), (-9, [0; 4]), (0, [0, 1, 2, 3])] {
            let mut x: Vec<f32> = (0..4).flat_map(|r| [r as f32; 3]).collect();
            shift_rows(&mut x, 3, by);
            assert_eq!(x, want.iter().flat_map(|&r| [r as f32; 3]).collect::<Vec<_>>(), "{by}");
        }
    }

    /// Each strength alone: what it does, that it stays within its bound, and that others' draws do not move.
    #[test]
    fn each_does_what_it_says() {
        const SHAPE: [usize; 3] = [3, 4, 10];
        let start: Vec<f32> = (0..120).map(|i| 1.0 + (i % 10) as f32 + 10.0 * (i / 10) as f32).collect();
        let with = |a: SignalAugment, sample| {
            let mut x = start.clone();
            a.apply(SHAPE, [1, 2, sample], &mut x, &mut Vec::new());
            x
        };
        let none = SignalAugment::default();
        assert!(!none.is_on());
        let (mut most_time, mut most_bands, mut dropped) = (0, 0, 0);
        for sample in 0..200 {
            assert_eq!(with(none, sample), start);
            let x = with(SignalAugment { mask_time: 0.3, ..none }, sample);
            let columns: Vec<usize> = (0..10).filter(|i| x[*i] == 0.0).collect();
            assert!((0..120).all(|i| (x[i] == 0.0) == columns.contains(&(i % 10))), "the same columns in all rows");
            assert!(columns.windows(2).all(|w| w[1] == w[0] + 1));
            most_time = most_time.max(columns.len());
            let x = with(SignalAugment { mask_bands: 0.5, ..none }, sample);
            let rows: Vec<usize> = (0..4).filter(|r| x[r * 10] == 0.0).collect();
            assert!((0..120).all(|i| (x[i] == 0.0) == rows.contains(&(i / 10 % 4))));
            most_bands = most_bands.max(rows.len());
            let x = with(SignalAugment { drop_channel: 0.9, ..none }, sample);
            let zero = (0..3).filter(|c| x[c * 40] == 0.0).count();
            assert!(zero < 3);
            dropped += zero;
            let x = with(SignalAugment { gain: 0.2, ..none }, sample);
            let factor = x[0] / start[0];
            assert!(x.iter().zip(&start).all(|(x, s)| (x / s - factor).abs() < 1e-4));
            let x = with(SignalAugment { offset: 0.2, ..none }, sample);
            assert!((0..120).all(|i| (x[i] - start[i] - (x[i / 40 * 40] - start[i / 40 * 40])).abs() < 1e-4));
            let x = with(SignalAugment { tone: 0.2, ..none }, sample);
            let more: Vec<f32> = x.iter().zip(&start).map(|(x, s)| x - s).collect();
            assert!((0..120).all(|i| (more[i] - more[i / 10 * 10]).abs() < 1e-4), "a row moves as one");
            assert!((0..3).all(|c| more[c * 40..(c + 1) * 40].iter().sum::<f32>().abs() < 1e-3 && more[c * 40] != 0.0));
            let x = with(SignalAugment { shift: 0.2, ..none }, sample);
            assert!(x.iter().zip(&start).all(|(x, s)| (x - s).abs() <= 2.0));
            assert!((0..12).all(|r| x[r * 10..r * 10 + 10].iter().all(|v| (v - start[r * 10]) < 9.001)));
        }
        assert_eq!((most_time, most_bands), (3, 2));
        // 200 · 3 · 0.9 · ⅔ = 360, deviation below 12.
        assert!((300..420).contains(&dropped), "{dropped}");
    }

    /// Lengths and the angle between two vectors stay, the angle of the turn is within its bound and reaches near it, and channels
    /// beyond threes stay.
    #[test]
    fn turns_are_turns() {
        let angle = |r: [[f32; 3]; 3]| ((r[0][0] + r[1][1] + r[2][2] - 1.0) / 2.0).clamp(-1.0, 1.0).acos().to_degrees();
        let mut most = 0.0f32;
        for sample in 0..200 {
            let r = rotation(30.0, &mut Purpose::Rotate.stream(1, 0, sample));
            most = most.max(angle(r));
            for i in 0..3 {
                for j in 0..3 {
                    let dot: f32 = (0..3).map(|k| r[i][k] * r[j][k]).sum();
                    assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-6, "{r:?}");
                }
            }
        }
        assert!((25.0..30.01).contains(&most), "{most}");
        // A turn of the same sensor written twice is the same twice.
        let mut x: Vec<f32> = [1.0, 2.0, 3.0, -1.0, 0.5, 4.0].repeat(2);
        x.extend([7.0, 8.0]);
        SignalAugment { rotate: 90.0, ..Default::default() }.apply([7, 1, 2], [1, 2, 3], &mut x, &mut Vec::new());
        assert_eq!((x[..6] == x[6..12], &x[12..]), (true, &[7.0, 8.0][..]));
        assert!((x[0] * x[0] + x[2] * x[2] + x[4] * x[4] - (1.0 + 9.0 + 0.25)).abs() < 1e-4 && x[0] != 1.0, "{x:?}");
    }

    #[test]
    fn normal_numbers_have_their_moments_and_strengths_their_ranges() {
        let mut rng = Purpose::Signal.stream(5, 0, 0);
        let x: Vec<f64> = (0..40_000).map(|_| rng.normal()).collect();
        let mean = x.iter().sum::<f64>() / 40_000.0;
        let var = x.iter().map(|v| v * v).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.025 && (var - 1.0).abs() < 0.036, "{mean} {var}");
        let bad = SignalAugment { noise: f64::NAN, ..SignalAugment::default() };
        assert!(matches!(bad.check(), Err(DataError::Config { key: "augment.signals.noise", .. })));
        let bad = SignalAugment { shift: 1.1, ..SignalAugment::default() };
        assert!(matches!(bad.check(), Err(DataError::Config { key: "augment.signals.shift", .. })));
    }
}
