//! Tables of a log-mel front end: window, cosines, filters. What they are for is in [`LogMel`](bitspike_format::LogMel).

use super::ExportError;
use super::feed::{floats, integers};
use bitspike_format::LogMel;
use std::f64::consts::TAU;
use std::fmt::Write;

/// The tables as C, their bytes, and how many floats a spectrum takes to compute.
pub(super) struct Tables {
    pub(super) text: String,
    pub(super) bytes: u64,
    pub(super) transform: usize,
    /// Whether the transform is an FFT; else a sum.
    pub(super) fast: bool,
}

impl Tables {
    pub(super) fn new(mel: &LogMel, rate: f64) -> Result<Self, ExportError> {
        let (frame, size) = (mel.frame as usize, mel.fft as usize);
        let fast = size.is_power_of_two() && size >= 4;
        let (mut first, mut start, mut weights) = (Vec::new(), vec![0], Vec::new());
        for m in 0..usize::from(mel.mels) {
            let band = band(mel, rate, m);
            let Some(from) = band.iter().position(|w| *w > 0.0) else {
                let what = format!("band {m} of the spectrogram holds no bin of a transform of {size} points");
                return Err(ExportError::Stream { what, remedy: "train with fewer bands, or a larger features.fft" });
            };
            first.push(from);
            weights.extend(band[from..].iter().take_while(|w| **w > 0.0));
            start.push(weights.len());
        }
        let turn = |i: usize, of: usize| TAU * i as f64 / of as f64;
        let hann: Vec<f64> = (0..frame).map(|n| 0.5 - 0.5 * turn(n, frame).cos()).collect();
        let cosines: Vec<f64> = (0..if fast { size / 2 } else { size }).map(|i| turn(i, size).cos()).collect();
        let sines: Vec<f64> = if fast { Vec::new() } else { (0..size).map(|i| turn(i, size).sin()).collect() };
        // Below the least normal float the logarithm in C is not one.
        let least = f64::from(f32::MIN_POSITIVE);
        let floor = if mel.by_window { least } else { mel.floor.max(least) };
        let mut text = format!(
            "enum {{ FRAME = {frame}, FRAME_HOP = {}, FFT = {size}, MELS = {} }};\n#define LEAST_ENERGY {}\n",
            mel.hop,
            mel.mels,
            super::float(floor as f32),
        );
        if mel.by_window {
            let _ = writeln!(text, "#define LEAST_LEVEL {}", super::float(mel.floor.ln() as f32));
        }
        floats(&mut text, "HANN", &hann);
        floats(&mut text, "COSINES", &cosines);
        if !fast {
            floats(&mut text, "SINES", &sines);
        }
        integers(&mut text, "BAND_FIRST", &first);
        integers(&mut text, "BAND_START", &start);
        floats(&mut text, "BAND_WEIGHTS", &weights);
        let words = hann.len() + cosines.len() + sines.len() + first.len() + start.len() + weights.len();
        let transform = if fast { size } else { frame + size / 2 + 1 };
        Ok(Self { text, bytes: 4 * words as u64, transform, fast })
    }
}

/// Weights of the bins 0 to fft/2 in a band.
fn band(mel: &LogMel, rate: f64, m: usize) -> Vec<f64> {
    let (low, high) = (to_mel(mel.slaney, mel.low_hz), to_mel(mel.slaney, mel.high_hz));
    let edge = |i: usize| to_hz(mel.slaney, low + (high - low) * i as f64 / (f64::from(mel.mels) + 1.0));
    let (a, b, c) = (edge(m), edge(m + 1), edge(m + 2));
    let weight = |k: usize| {
        let f = k as f64 * rate / f64::from(mel.fft);
        ((f - a) / (b - a)).min((c - f) / (c - b)).max(0.0)
    };
    (0..=mel.fft as usize / 2).map(weight).collect()
}

fn to_mel(slaney: bool, hz: f64) -> f64 {
    match slaney {
        false => 2595.0 * (1.0 + hz / 700.0).log10(),
        true if hz < 1000.0 => 3.0 * hz / 200.0,
        true => 15.0 + 27.0 * (hz / 1000.0).ln() / 6.4f64.ln(),
    }
}

fn to_hz(slaney: bool, mel: f64) -> f64 {
    match slaney {
        false => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
        true if mel < 15.0 => 200.0 * mel / 3.0,
        true => 1000.0 * (6.4f64.ln() * (mel - 15.0) / 27.0).exp(),
    }
}
