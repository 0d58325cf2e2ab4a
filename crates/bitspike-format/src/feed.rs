//! What a network is fed with: names of classes, and how a sample is made of what sensors measure.
//!
//! ```text
//! counts or numbers ─▶ windows [C, L] ─▶ front end [C, R, columns] ─▶ (x − centre)/scale, within ± clip ─▶ encoder ─▶ frames
//!    per_count          window, hop          Front                     one of each for every row           Encoder
//! ```
//!
//! The front ends and encoders are those that the documentation of [`Front`] and [`Encoder`] defines. Nothing in it changes
//! what the network computes; a file can do without.

use crate::layer::Network;
use crate::{FormatError, Reals};

/// What a network is fed with, borrowed from a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feed<'a> {
    /// Names of the classes, in the order of the logits.
    pub classes: Names<'a>,
    /// How samples are made of recordings; `None` where they are images, events, or anything else.
    pub signal: Option<Signal<'a>>,
}

/// How samples are made of recordings of sensors or sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal<'a> {
    /// Names of the channels, in their order.
    pub channels: Names<'a>,
    /// What is done to them.
    pub chain: Chain,
    /// What is subtracted, one for every row of features: C · R, channel after channel.
    pub centre: Reals<'a>,
    /// What the rest is divided by, above 0: `((f64) x − centre) / scale` in `f64`, rounded once to `f32`.
    pub scale: Reals<'a>,
}

/// The numbers of a [`Signal`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Samples per second; a log-mel front end needs it.
    pub rate_hz: Option<f64>,
    /// What one count of a converter is worth in the unit of training, as 1/32768 for 16-bit audio: `(f64) count · per_count`,
    /// rounded once to `f32`.
    pub per_count: f64,
    /// Samples L of a window, per channel.
    pub window: u32,
    /// Samples from one window to the next; more than `window` where some are left out between them.
    pub hop: u32,
    /// What is computed from a window.
    pub front: Front,
    /// Bound of normalised values: what lies beyond ± it is set to it.
    pub clip: Option<f32>,
    /// How normalised values become frames.
    pub encoder: Encoder,
}

/// What is computed from a window `[C, L]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Front {
    /// Nothing: `[C, 1, L]`.
    Samples,
    /// Logarithmic mel spectrogram: `[C, mels, frames]`.
    LogMel(LogMel),
}

/// A logarithmic mel spectrogram:
///
/// ```text
/// frames = 1 + (L − frame)/hop, rounded down
/// X[k]   = Σ_n w[n]·x[n]·e^(−2πikn/fft),  w[n] = 0.5 − 0.5·cos(2πn/frame), zeros up to fft
/// E[m]   = Σ_k h_m(k·rate/fft)·|X[k]|²,   k = 0..fft/2, h_m triangles of height 1 between edges evenly spaced in mel
/// y[m]   = ln(max(E[m]/P, floor))        P = 1, or, at least 1e-20, the mean over the frames with
///                                        M[t] ≥ max M / 100 of M[t], the mean of E over the bands of frame t
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogMel {
    /// Samples of a frame, 2 to L.
    pub frame: u32,
    /// Samples from one frame to the next.
    pub hop: u32,
    /// Points of the Fourier transform, from `frame` to 2^20.
    pub fft: u32,
    /// Number of bands, 1 to 1024.
    pub mels: u16,
    /// Lowest frequency.
    pub low_hz: f64,
    /// Highest frequency, at most half the rate.
    pub high_hz: f64,
    /// Energy below which the logarithm is not taken, above 0; a share of P.
    pub floor: f64,
    /// Whether mel is `3f/200` below 1000 Hz and `15 + 27·ln(f/1000)/ln 6.4` above (Slaney), instead of `2595·log10(1 + f/700)`.
    pub slaney: bool,
    /// Whether bands are channels, `[C·mels, 1, frames]`: the same values in the same order.
    pub bands_are_channels: bool,
    /// Whether P is that of window and channel, so that loud and soft sounds are alike, instead of 1.
    pub by_window: bool,
}

impl LogMel {
    /// Frames of a window.
    #[must_use]
    pub fn frames(&self, window: u32) -> u32 {
        window.checked_sub(self.frame).and_then(|rest| rest.checked_div(self.hop)).map_or(0, |n| n.saturating_add(1))
    }
}

/// How normalised features `[C, R, W]` become frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoder {
    /// They are the one frame that all T steps see.
    Whole,
    /// T frames `[C, R, W/T]`, one after the other.
    Segments,
    /// T frames of random spikes: 1 with probability `min(max(gain · x, 0), 1)`, in a second set of channels for −x where `signed`.
    Rate {
        /// Probability of a spike per unit.
        gain: f32,
        /// Whether negative values have channels of their own.
        signed: bool,
        /// Seed of the draws.
        seed: u64,
    },
    /// T frames with one spike for each value, at step `round((1 − min(max(x, 0), 1))·(T − 1))`, none for x below `silent_below`.
    Latency {
        /// Values below have no spike.
        silent_below: f32,
    },
    /// T frames `[2C, R, W/T]` of counts: levels of a distance of `threshold` that the signal has crossed, upwards in the first C
    /// channels and downwards in the others, each at most `most`.
    Delta {
        /// Distance between levels.
        threshold: f32,
        /// Largest count.
        most: u8,
    },
    /// `fields` bell curves for each value: K channels in the place of one.
    Population {
        /// K, 3 to 256.
        fields: u16,
        /// Low end of the range.
        low: f32,
        /// High end of the range.
        high: f32,
        /// Narrowness of the curves.
        beta: f32,
        /// Activations below have no spike; 0 with `values`.
        silent_below: f32,
        /// Whether the activations are the one frame of all steps, instead of T frames with one spike each.
        values: bool,
    },
}

impl Chain {
    /// Rows of features that a channel has: R.
    #[must_use]
    pub fn rows(&self) -> u32 {
        match self.front {
            Front::Samples => 1,
            Front::LogMel(mel) => mel.mels.into(),
        }
    }

    /// Values of a row: samples or frames of a window.
    #[must_use]
    pub fn columns(&self) -> u32 {
        match self.front {
            Front::Samples => self.window,
            Front::LogMel(mel) => mel.frames(self.window),
        }
    }

    /// Frames of a sample, 1 or T, and the shape of one; `None` where T steps do not divide the columns, or a size overflows.
    #[must_use]
    pub fn frames(&self, channels: u32, steps: u32) -> Option<(u32, [u32; 3])> {
        let (rows, columns) = (self.rows(), self.columns());
        let [c, r] = match self.front {
            Front::LogMel(mel) if mel.bands_are_channels => [channels.checked_mul(rows)?, 1],
            _ => [channels, rows],
        };
        let part = || columns.checked_div(steps).filter(|part| part.checked_mul(steps) == Some(columns));
        Some(match self.encoder {
            Encoder::Whole => (1, [c, r, columns]),
            Encoder::Segments => (steps, [c, r, part()?]),
            Encoder::Rate { signed, .. } => (steps, [c.checked_mul(if signed { 2 } else { 1 })?, r, columns]),
            Encoder::Latency { .. } => (steps, [c, r, columns]),
            Encoder::Delta { .. } => (steps, [c.checked_mul(2)?, r, part()?]),
            Encoder::Population { fields, values, .. } => {
                (if values { 1 } else { steps }, [c.checked_mul(fields.into())?, r, columns])
            }
        })
    }
}

/// Names inside a file: UTF-8 without control characters, at most 255 bytes each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names<'a>(&'a [u8]);

impl<'a> Names<'a> {
    /// The names in order.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (len, bytes) = rest.split_first()?;
            let (name, after) = bytes.split_at_checked((*len).into())?;
            rest = after;
            core::str::from_utf8(name).ok()
        })
    }

    /// Number of names.
    #[must_use]
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Name `i`, if there is one.
    #[must_use]
    pub fn get(self, i: usize) -> Option<&'a str> {
        self.iter().nth(i)
    }
}

/// Bytes of the fixed part, where there is a signal.
#[cfg(feature = "std")]
pub(crate) const FIXED: usize = 104;
/// Codes of the fields.
pub(crate) mod code {
    pub(crate) const SIGNAL: u8 = 1;
    pub(crate) const LOG_MEL: u8 = 1;
    pub(crate) const SLANEY: u8 = 1;
    pub(crate) const BANDS_ARE_CHANNELS: u8 = 2;
    pub(crate) const SIGNED: u8 = 4;
    pub(crate) const VALUES: u8 = 8;
    pub(crate) const BY_WINDOW: u8 = 16;
}
/// Most samples of a window, and between windows.
const MOST: u32 = 1 << 24;

/// Takes fields from the front of the section.
struct Take<'a> {
    all: usize,
    rest: &'a [u8],
}

fn refuse<V>(offset: usize, field: &'static str, expected: &'static str, found: f64) -> Result<V, FormatError> {
    Err(FormatError::Feed { offset, field, expected, found })
}

impl<'a> Take<'a> {
    fn offset(&self) -> usize {
        self.all.saturating_sub(self.rest.len())
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => refuse(self.offset(), "length", "more bytes of FEED", self.rest.len() as f64),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let here = self.offset();
        match self.bytes(N)?.first_chunk() {
            Some(bytes) => Ok(*bytes),
            None => refuse(here, "length", "more bytes of FEED", 0.0),
        }
    }

    fn u16(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, FormatError> {
        self.array().map(f32::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64, FormatError> {
        self.array().map(f64::from_le_bytes)
    }

    fn names(&mut self, count: usize) -> Result<Names<'a>, FormatError> {
        let before = self.rest;
        for _ in 0..count {
            let [len] = self.array()?;
            let here = self.offset();
            let bytes = self.bytes(len.into())?;
            let name = match core::str::from_utf8(bytes) {
                Ok(name) => name,
                Err(e) => {
                    let at = e.valid_up_to();
                    return refuse(here + at, "name", "UTF-8", bytes.get(at).map_or(0.0, |b| f64::from(*b)));
                }
            };
            if let Some((at, c)) = name.char_indices().find(|(_, c)| c.is_control()) {
                return refuse(here + at, "name", "no control character", f64::from(u32::from(c)));
            }
        }
        let taken = before.len().saturating_sub(self.rest.len());
        Ok(Names(before.get(..taken).unwrap_or_default()))
    }
}

impl<'a> Feed<'a> {
    /// Reads a section; `network` is what it must fit.
    pub(crate) fn read(section: &'a [u8], network: &Network<'_>) -> Result<Self, FormatError> {
        let mut take = Take { all: section.len(), rest: section };
        let [kind, front, encoder, flags] = take.array()?;
        let signal = match kind {
            0 => {
                for (offset, found) in [(1, front), (2, encoder), (3, flags)] {
                    if found != 0 {
                        return refuse(offset, "zero", "0 beside names alone", found.into());
                    }
                }
                None
            }
            code::SIGNAL => Some(numbers(&mut take, [front, encoder, flags])?),
            found => return refuse(0, "kind", "0 or 1", found.into()),
        };
        let signal = match signal {
            None => None,
            Some((channels, chain)) => {
                fits(&chain, channels, network)?;
                let rows = usize::from(channels).saturating_mul(chain.rows() as usize);
                let (centre, scale) =
                    (reals(&mut take, rows, "centre", false)?, reals(&mut take, rows, "scale", true)?);
                Some((channels, chain, centre, scale))
            }
        };
        let classes = take.names(network.classes)?;
        let signal = match signal {
            None => None,
            Some((channels, chain, centre, scale)) => {
                Some(Signal { channels: take.names(channels.into())?, chain, centre, scale })
            }
        };
        if !take.rest.is_empty() {
            return refuse(take.offset(), "length", "nothing behind the names", take.rest.len() as f64);
        }
        Ok(Self { classes, signal })
    }
}

/// Numbers of which each is finite, and above 0 where it must be.
fn reals<'a>(take: &mut Take<'a>, len: usize, field: &'static str, positive: bool) -> Result<Reals<'a>, FormatError> {
    let here = take.offset();
    let values = Reals::new(take.bytes(len.saturating_mul(4))?);
    match values.iter().enumerate().find(|(_, v)| !v.is_finite() || (positive && *v <= 0.0)) {
        None => Ok(values),
        Some((i, v)) if positive => refuse(here + 4 * i, field, "above 0 and finite", v.into()),
        Some((i, v)) => refuse(here + 4 * i, field, "a finite number", v.into()),
    }
}

/// The fixed part behind its first four bytes: number of channels, and the chain.
fn numbers(take: &mut Take<'_>, [front, encoder, flags]: [u8; 3]) -> Result<(u16, Chain), FormatError> {
    let check = |offset, field, ok: bool, expected, found: f64| {
        if ok { Ok(()) } else { refuse(offset, field, expected, found) }
    };
    let positive = |v: f64| v > 0.0 && v.is_finite();
    let share = |v: f32| (0.0..=1.0).contains(&v);
    let (channels, mels, window, hop) = (take.u16()?, take.u16()?, take.u32()?, take.u32()?);
    let (rate, per_count, clip) = (take.f64()?, take.f64()?, take.f32()?);
    let (frame, mel_hop, fft) = (take.u32()?, take.u32()?, take.u32()?);
    let (low_hz, high_hz, floor) = (take.f64()?, take.f64()?, take.f64()?);
    let (count, p0, p1, p2, p3) = (take.u32()?, take.f32()?, take.f32()?, take.f32()?, take.f32()?);
    let (zero, seed) = (take.u32()?, u64::from_le_bytes(take.array()?));
    check(4, "channels", channels != 0, "at least 1", 0.0)?;
    check(8, "window", (1..=MOST).contains(&window), "1 to 2^24", window.into())?;
    check(12, "hop", (1..=MOST).contains(&hop), "1 to 2^24", hop.into())?;
    check(16, "rate_hz", rate.to_bits() == 0 || positive(rate), "above 0 and finite, or 0 where unknown", rate)?;
    check(24, "per_count", per_count != 0.0 && per_count.is_finite(), "finite and not 0", per_count)?;
    check(32, "clip", clip.to_bits() == 0 || positive(clip.into()), "above 0 and finite, or 0 for none", clip.into())?;
    check(92, "zero", zero == 0, "0", zero.into())?;
    let used = match (front, encoder) {
        (code::LOG_MEL, _) => code::SLANEY | code::BANDS_ARE_CHANNELS | code::BY_WINDOW,
        _ => 0,
    } | match encoder {
        2 => code::SIGNED,
        5 => code::VALUES,
        _ => 0,
    };
    check(3, "flags", flags & !used == 0, "flags that front end and encoder have", flags.into())?;
    let has = |flag: u8| flags & flag != 0;
    let front = match front {
        0 => {
            let bits = low_hz.to_bits() | high_hz.to_bits() | floor.to_bits();
            let unused = u32::from(mels) | frame | mel_hop | fft | u32::from(bits != 0);
            check(6, "mel", unused == 0, "0 without a mel front end", unused.into())?;
            Front::Samples
        }
        code::LOG_MEL => {
            let nyquist = rate / 2.0;
            check(16, "rate_hz", rate > 0.0, "above 0 for mel", rate)?;
            check(6, "mels", (1..=1024).contains(&mels), "1 to 1024", mels.into())?;
            check(36, "frame", (2..=window).contains(&frame), "2 to the samples of a window", frame.into())?;
            check(40, "mel hop", (1..=MOST).contains(&mel_hop), "1 to 2^24", mel_hop.into())?;
            check(44, "fft", (frame..=1 << 20).contains(&fft), "from frame to 2^20", fft.into())?;
            check(48, "low_hz", low_hz >= 0.0 && low_hz < high_hz, "0 to high_hz", low_hz)?;
            check(56, "high_hz", high_hz <= nyquist, "at most half the rate", high_hz)?;
            check(64, "floor", positive(floor), "above 0 and finite", floor)?;
            Front::LogMel(LogMel {
                frame,
                hop: mel_hop,
                fft,
                mels,
                low_hz,
                high_hz,
                floor,
                slaney: has(code::SLANEY),
                bands_are_channels: has(code::BANDS_ARE_CHANNELS),
                by_window: has(code::BY_WINDOW),
            })
        }
        found => return refuse(1, "front", "0 or 1", found.into()),
    };
    // How many of count and the four numbers an encoder has, from the first on.
    let [counts, parameters] = match encoder {
        0 | 1 => [0, 0],
        2 | 3 => [0, 1],
        4 => [1, 1],
        5 => [1, 4],
        found => return refuse(2, "encoder", "0 to 5", found.into()),
    };
    check(72, "count", counts == 1 || count == 0, "0 with this encoder", count.into())?;
    check(96, "seed", encoder == 2 || seed == 0, "0 with this encoder", seed as f64)?;
    for (i, (offset, v)) in [(76, p0), (80, p1), (84, p2), (88, p3)].into_iter().enumerate() {
        check(offset, "parameter", i < parameters || v.to_bits() == 0, "0 with this encoder", v.into())?;
    }
    let encoder = match encoder {
        0 => Encoder::Whole,
        1 => Encoder::Segments,
        2 => {
            check(76, "gain", positive(p0.into()), "above 0 and finite", p0.into())?;
            Encoder::Rate { gain: p0, signed: has(code::SIGNED), seed }
        }
        3 => {
            check(76, "silent_below", share(p0), "0 to 1", p0.into())?;
            Encoder::Latency { silent_below: p0 }
        }
        4 => {
            check(72, "most", (1..=255).contains(&count), "1 to 255", count.into())?;
            check(76, "threshold", positive(p0.into()), "above 0 and finite", p0.into())?;
            Encoder::Delta { threshold: p0, most: count as u8 }
        }
        _ => {
            check(72, "fields", (3..=256).contains(&count), "3 to 256", count.into())?;
            check(76, "low", p0.is_finite() && p0 < p1, "finite and below high", p0.into())?;
            check(80, "high", p1.is_finite(), "a finite number", p1.into())?;
            check(84, "beta", positive(p2.into()), "above 0 and finite", p2.into())?;
            let values = has(code::VALUES);
            check(88, "silent_below", share(p3) && (!values || p3.to_bits() == 0), "0 to 1, 0 with values", p3.into())?;
            Encoder::Population { fields: count as u16, low: p0, high: p1, beta: p2, silent_below: p3, values }
        }
    };
    let some = |v: f64| if v == 0.0 { None } else { Some(v) };
    let clip = if clip == 0.0 { None } else { Some(clip) };
    Ok((channels, Chain { rate_hz: some(rate), per_count, window, hop, front, clip, encoder }))
}

/// The chain must end in what the network takes.
fn fits(chain: &Chain, channels: u16, network: &Network<'_>) -> Result<(), FormatError> {
    let steps = u32::try_from(network.steps).unwrap_or(u32::MAX);
    let Some((frames, shape)) = chain.frames(channels.into(), steps) else {
        return refuse(2, "encoder", "one whose steps divide the columns of a window", chain.columns().into());
    };
    let taken = [network.input.channels, network.input.rows, network.input.columns];
    for ((field, taken), made) in
        [("channels", taken[0]), ("rows", taken[1]), ("columns", taken[2])].into_iter().zip(shape)
    {
        if taken != made as usize {
            return refuse(4, field, "what the network takes, at the end of the chain", made.into());
        }
    }
    if (frames > 1) != (network.sequence && network.steps > 1) {
        return refuse(2, "encoder", "one that makes the frames that the network takes", frames.into());
    }
    Ok(())
}
