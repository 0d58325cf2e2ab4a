//! Logarithmic mel spectrogram of a window: `[C, L]` to `[C, mels, frames]`.
//!
//! ```text
//! frames  = 1 + (L − frame)/hop, rounded down; no padding at the ends
//! X[k]    = Σ_n w[n]·x[n]·e^(−2πikn/fft),  w[n] = 0.5 − 0.5·cos(2πn/frame)  (periodic Hann), zeros up to fft
//! E[m]    = Σ_k h_m(k·rate/fft)·|X[k]|²,   k = 0..fft/2
//! h_m(f)  = max(0, min((f − f_m)/(f_{m+1} − f_m), (f_{m+2} − f)/(f_{m+2} − f_{m+1})))   triangles of height 1
//! f_0..f_{mels+1}: evenly spaced in mel from low_hz to high_hz
//! y[m]    = ln(max(E[m], floor))                     level = "absolute"
//! y[m]    = ln(max(E[m] / P, floor))                 level = "window", at least 1e-20: P is the mean of M\[t\], the mean of E over the
//!                                                    bands of frame t, over the frames with M\[t\] ≥ max M / 100
//! ```
//!
//! The level of a window, of its frames that are no more than 20 dB below the loudest, takes the distance to a microphone and its gain out of the features, all but for noise below the floor.
//!
//! Mel scales: `htk` is `2595·log10(1 + f/700)` (O'Shaughnessy 1987, as in HTK); `slaney` is `3f/200` below 1000 Hz and
//! `15 + 27·ln(f/1000)/ln 6.4` above (Slaney's Auditory Toolbox, 1998). Triangles are not divided by their area. The
//! Fourier transform is that of the crate `rustfft` without SIMD, so that it has the same bits on every machine of one
//! mathematics library.

use crate::{Level, MelFeatures, MelScale, SensorError};
use rustfft::{Fft, FftPlanner, num_complex::Complex};
use std::f64::consts::TAU;
use std::sync::Arc;

/// The least level: of silence the features are the floor.
const QUIET: f64 = 1e-20;

/// Share of the loudest frame from which on a frame counts.
const LOUD: f64 = 0.01;

/// Mel of a frequency in hertz.
///
/// ```
/// use bitspike_sensors::{MelScale, hz_to_mel};
/// assert!((hz_to_mel(MelScale::Slaney, 1000.0) - 15.0).abs() < 1e-9);
/// assert!((hz_to_mel(MelScale::Htk, 1000.0) - 999.9856).abs() < 1e-4);
/// ```
pub fn hz_to_mel(scale: MelScale, hz: f64) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        MelScale::Slaney if hz < 1000.0 => 3.0 * hz / 200.0,
        MelScale::Slaney => 15.0 + 27.0 * (hz / 1000.0).ln() / 6.4f64.ln(),
    }
}

/// Frequency in hertz of a mel.
pub fn mel_to_hz(scale: MelScale, mel: f64) -> f64 {
    match scale {
        MelScale::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
        MelScale::Slaney if mel < 15.0 => 200.0 * mel / 3.0,
        MelScale::Slaney => 1000.0 * (6.4f64.ln() * (mel - 15.0) / 27.0).exp(),
    }
}

/// Mean of the frames that are not silent beside the loudest.
fn loudness(means: &[f64]) -> f64 {
    let least = means.iter().copied().fold(QUIET, f64::max) * LOUD;
    let (sum, count) = means.iter().filter(|m| **m >= least).fold((0.0, 0.0), |(sum, n), m| (sum + m, n + 1.0));
    if count > 0.0 { (sum / count).max(QUIET) } else { QUIET }
}

/// Window, transform and filters, made once.
#[derive(Clone)]
pub(crate) struct Mel {
    config: MelFeatures,
    fft: Arc<dyn Fft<f64>>,
    size: usize,
    window: Vec<f64>,
    /// First bin and weights of each band.
    filters: Vec<(usize, Vec<f64>)>,
}

impl Mel {
    /// For windows of `length` samples at `rate` per second.
    pub(crate) fn new(config: &MelFeatures, length: usize, rate: f64) -> Result<Self, SensorError> {
        if length < config.frame {
            let expected = format!("at most the window's {length} samples");
            return Err(SensorError::config("features.frame", expected, config.frame));
        }
        let high = config.high_hz.unwrap_or(rate / 2.0);
        if high > rate / 2.0 {
            let expected = format!("at most half of {rate} samples per second");
            return Err(SensorError::config("features.high_hz", expected, high));
        }
        if config.low_hz >= high {
            return Err(SensorError::config("features.low_hz", format!("below {high}"), config.low_hz));
        }
        let size = if config.fft == 0 { config.frame } else { config.fft };
        let (from, to) = (hz_to_mel(config.scale, config.low_hz), hz_to_mel(config.scale, high));
        let edge = |i: usize| mel_to_hz(config.scale, from + (to - from) * i as f64 / (config.mels + 1) as f64);
        let mut filters = Vec::new();
        for m in 0..config.mels {
            let (a, b, c) = (edge(m), edge(m + 1), edge(m + 2));
            let weight = |k: usize| {
                let f = k as f64 * rate / size as f64;
                ((f - a) / (b - a)).min((c - f) / (c - b)).max(0.0)
            };
            let weights: Vec<f64> = (0..=size / 2).map(weight).collect();
            let used = |w: &&f64| **w > 0.0;
            let Some(first) = weights.iter().position(|w| *w > 0.0) else {
                let expected =
                    format!("bands that hold a bin each; band {m} from {a:.1} to {c:.1} Hz has none at fft = {size}");
                return Err(SensorError::config("features.mels", expected, config.mels));
            };
            let count = weights[first..].iter().take_while(used).count();
            filters.push((first, weights[first..first + count].to_vec()));
        }
        let window = (0..config.frame).map(|n| 0.5 - 0.5 * (TAU * n as f64 / config.frame as f64).cos()).collect();
        let fft = FftPlanner::new().plan_fft_forward(size);
        Ok(Self { config: config.clone(), fft, size, window, filters })
    }

    /// Frames of a window of `length` samples.
    pub(crate) fn frames(&self, length: usize) -> usize {
        length.checked_sub(self.config.frame).map_or(0, |rest| 1 + rest / self.config.hop)
    }

    /// The spectrograms of a window `[C, length]`, one channel after the other.
    pub(crate) fn window(&self, x: &[f32], length: usize) -> Vec<f32> {
        x.chunks(length).flat_map(|channel| self.channel(channel)).collect()
    }

    /// The spectrogram of one channel, `[mels, frames]`.
    fn channel(&self, x: &[f32]) -> Vec<f32> {
        let frames = self.frames(x.len());
        let bands = self.filters.len();
        let (mut energies, mut means) = (vec![0f64; bands * frames], vec![0f64; frames]);
        let mut buffer = vec![Complex::new(0.0, 0.0); self.size];
        let mut scratch = vec![Complex::new(0.0, 0.0); self.fft.get_inplace_scratch_len()];
        for t in 0..frames {
            let part = &x[t * self.config.hop..];
            buffer.fill(Complex::new(0.0, 0.0));
            for ((b, v), w) in buffer.iter_mut().zip(part).zip(&self.window) {
                b.re = f64::from(*v) * w;
            }
            self.fft.process_with_scratch(&mut buffer, &mut scratch);
            let mut sum = 0.0;
            for (m, (first, weights)) in self.filters.iter().enumerate() {
                let energy: f64 = buffer[*first..].iter().zip(weights).map(|(x, w)| w * x.norm_sqr()).sum();
                energies[m * frames + t] = energy;
                sum += energy;
            }
            means[t] = sum / bands as f64;
        }
        let level = if self.config.level == Level::Window { loudness(&means) } else { 1.0 };
        energies.iter().map(|energy| (energy / level).max(self.config.floor).ln() as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_and_their_inverses() {
        // 2595·log10(2) = 781.1728 at 700 Hz; 6400 Hz is 27 Slaney steps above 1000 Hz.
        assert!((hz_to_mel(MelScale::Htk, 700.0) - 781.17284).abs() < 1e-4);
        assert!((hz_to_mel(MelScale::Slaney, 6400.0) - 42.0).abs() < 1e-9);
        assert_eq!(hz_to_mel(MelScale::Slaney, 200.0), 3.0);
        for scale in [MelScale::Htk, MelScale::Slaney] {
            for hz in [0.0, 60.0, 999.0, 1000.0, 1001.0, 8000.0] {
                assert!((mel_to_hz(scale, hz_to_mel(scale, hz)) - hz).abs() < 1e-9, "{scale:?} {hz}");
            }
        }
    }

    /// The formulas of the module text, sum by sum.
    fn twin(x: &[f32], c: &MelFeatures, rate: f64) -> Vec<f32> {
        let size = if c.fft == 0 { c.frame } else { c.fft };
        let frames = (0..).take_while(|t| t * c.hop + c.frame <= x.len()).count();
        let high = hz_to_mel(c.scale, c.high_hz.unwrap_or(rate / 2.0));
        let low = hz_to_mel(c.scale, c.low_hz);
        let edge = |i: usize| mel_to_hz(c.scale, low + (high - low) * i as f64 / (c.mels + 1) as f64);
        let mut energies = vec![0.0; c.mels * frames];
        for t in 0..frames {
            for m in 0..c.mels {
                let mut energy = 0.0;
                for k in 0..=size / 2 {
                    let (mut re, mut im) = (0.0, 0.0);
                    for n in 0..c.frame {
                        let w = 0.5 - 0.5 * (TAU * n as f64 / c.frame as f64).cos();
                        let v = w * f64::from(x[t * c.hop + n]);
                        let phase = TAU * (k * n) as f64 / size as f64;
                        re += v * phase.cos();
                        im -= v * phase.sin();
                    }
                    let f = k as f64 * rate / size as f64;
                    let h = if f <= edge(m) || f >= edge(m + 2) {
                        0.0
                    } else if f <= edge(m + 1) {
                        (f - edge(m)) / (edge(m + 1) - edge(m))
                    } else {
                        (edge(m + 2) - f) / (edge(m + 2) - edge(m + 1))
                    };
                    energy += h * (re * re + im * im);
                }
                energies[m * frames + t] = energy;
            }
        }
        let mean = |t: usize| (0..c.mels).map(|m| energies[m * frames + t]).sum::<f64>() / c.mels as f64;
        let level = match c.level {
            Level::Absolute => 1.0,
            Level::Window => {
                let most = (0..frames).map(mean).fold(0.0, f64::max);
                let loud: Vec<f64> = (0..frames).map(mean).filter(|m| *m >= most / 100.0).collect();
                loud.iter().sum::<f64>() / loud.len() as f64
            }
        };
        energies.iter().map(|e| (e / level).max(c.floor).ln() as f32).collect()
    }

    #[test]
    fn as_the_sums_say() {
        let x: Vec<f32> = (0..150).map(|i| ((i * i) as f32 * 0.013).sin()).collect();
        for scale in [MelScale::Htk, MelScale::Slaney] {
            for (frame, hop, fft, mels, low, high) in
                [(64, 32, 0, 6, 0.0, None), (50, 17, 60, 4, 300.0, Some(3900.0)), (33, 7, 128, 5, 100.0, None)]
            {
                for level in [Level::Absolute, Level::Window] {
                    let floor = if level == Level::Window { 1e-3 } else { 1e-10 };
                    let rest = MelFeatures { level, floor, ..Default::default() };
                    let config = MelFeatures { frame, hop, fft, mels, low_hz: low, high_hz: high, scale, ..rest };
                    let got = Mel::new(&config, x.len(), 8000.0).unwrap().channel(&x);
                    let want = twin(&x, &config, 8000.0);
                    assert_eq!(got.len(), want.len());
                    assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5), "{config:?}");
                }
            }
        }
    }

    #[test]
    fn a_tone_by_hand() {
        // x = cos(2π·8n/32) over one frame of 32 at 32 Hz. Periodic Hann puts |X[8]| = 32/4 = 8 and |X[7]| = |X[9]| = 4;
        // silence is the floor.
        let config =
            MelFeatures { frame: 32, hop: 32, mels: 1, low_hz: 6.0, high_hz: Some(10.0), ..Default::default() };
        let mel = Mel::new(&config, 64, 32.0).unwrap();
        let mut x: Vec<f32> = (0..32).map(|n| (TAU * 8.0 * f64::from(n) / 32.0).cos() as f32).collect();
        x.resize(64, 0.0);
        let got = mel.channel(&x);
        let f1 = mel_to_hz(MelScale::Htk, (hz_to_mel(MelScale::Htk, 6.0) + hz_to_mel(MelScale::Htk, 10.0)) / 2.0);
        let h = |f: f64| ((f - 6.0) / (f1 - 6.0)).min((10.0 - f) / (10.0 - f1));
        let want = (64.0 * h(8.0) + 16.0 * (h(7.0) + h(9.0))).ln() as f32;
        assert!((got[0] - want).abs() < 1e-5, "{} {want}", got[0]);
        assert_eq!((got.len(), got[1]), (2, 1e-10f64.ln() as f32));
    }

    /// The same sound eight times as loud is the same where the window is the measure, and 2·ln 8 higher where it is not; silence is
    /// the floor of both.
    #[test]
    fn loudness_is_taken_out() {
        let x: Vec<f32> = (0..150).map(|i| ((i * i) as f32 * 0.013).sin()).collect();
        let loud: Vec<f32> = x.iter().map(|v| 8.0 * v).collect();
        let mel = |level, floor| {
            let config = MelFeatures { frame: 64, hop: 32, mels: 6, level, floor, ..Default::default() };
            Mel::new(&config, 150, 8000.0).unwrap()
        };
        let window = mel(Level::Window, 1e-4);
        assert_eq!(window.channel(&x), window.channel(&loud));
        let top = window.channel(&x).into_iter().fold(f32::MIN, f32::max);
        assert!(top > 0.0, "the loudest band is above the mean: {top}");
        let absolute = mel(Level::Absolute, 1e-10);
        let difference = absolute.channel(&loud)[0] - absolute.channel(&x)[0];
        assert!((difference - 2.0 * 8f32.ln()).abs() < 1e-5, "{difference}");
        assert_eq!(window.channel(&[0.0; 150]), vec![1e-4f64.ln() as f32; 18]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let rows = [
            (MelFeatures { frame: 101, ..Default::default() }, "features.frame"),
            (MelFeatures { frame: 32, high_hz: Some(4001.0), ..Default::default() }, "features.high_hz"),
            (MelFeatures { frame: 32, low_hz: 4000.0, ..Default::default() }, "features.low_hz"),
            (MelFeatures { frame: 32, mels: 40, ..Default::default() }, "features.mels"),
        ];
        for (config, want) in rows {
            let e = Mel::new(&config, 100, 8000.0).err().unwrap();
            assert!(matches!(&e, SensorError::Config { key, .. } if key == want), "{e}");
        }
    }
}
