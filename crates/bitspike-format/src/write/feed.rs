//! The section FEED, written.

use super::{WriteError, check_len};
use crate::feed::{Chain, Encoder, FIXED, Front, LogMel, code};

/// What a network is fed with, to be written; see [`Feed`](crate::Feed).
///
/// ```
/// use bitspike_format::{FeedSpec, Model, example, write};
/// let mut spec = example::tiny_spec();
/// spec.feed = Some(FeedSpec { classes: (0..10).map(|i| format!("digit {i}")).collect(), signal: None });
/// let bytes = write(&spec)?;
/// let model = Model::parse(&bytes)?;
/// assert_eq!(model.feed().and_then(|feed| feed.classes.get(3)), Some("digit 3"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeedSpec {
    /// Names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// How samples are made of recordings, where they are.
    pub signal: Option<SignalSpec>,
}

/// How samples are made of recordings, to be written; see [`Signal`](crate::Signal).
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSpec {
    /// Names of the channels, in their order.
    pub channels: Vec<String>,
    /// What is done to them.
    pub chain: Chain,
    /// What is subtracted, one for every row of features.
    pub centre: Vec<f32>,
    /// What the rest is divided by.
    pub scale: Vec<f32>,
}

impl FeedSpec {
    /// The bytes of the section.
    pub(super) fn section(&self, classes: usize) -> Result<Vec<u8>, WriteError> {
        check_len(None, "names of classes", classes, self.classes.len())?;
        let mut out = Vec::new();
        match &self.signal {
            None => out.extend([0; 4]),
            Some(signal) => signal.numbers(&mut out)?,
        }
        let channels = self.signal.iter().flat_map(|signal| &signal.channels);
        for name in self.classes.iter().chain(channels) {
            let len = u8::try_from(name.len()).ok().filter(|_| !name.contains(char::is_control));
            out.push(len.ok_or_else(|| WriteError::Name { name: name.clone() })?);
            out.extend(name.as_bytes());
        }
        Ok(out)
    }
}

impl SignalSpec {
    /// The fixed part, centres and scales.
    fn numbers(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let Chain { rate_hz, per_count, window, hop, front, clip, encoder } = self.chain;
        let found = self.channels.len();
        let channels =
            u16::try_from(found).map_err(|_| WriteError::TooLarge { layer: None, field: "channels", found })?;
        let (front, mel) = match front {
            Front::Samples => (0, None),
            Front::LogMel(mel) => (code::LOG_MEL, Some(mel)),
        };
        let none = LogMel {
            frame: 0,
            hop: 0,
            fft: 0,
            mels: 0,
            low_hz: 0.0,
            high_hz: 0.0,
            floor: 0.0,
            slaney: false,
            bands_are_channels: false,
            by_window: false,
        };
        let mel = mel.unwrap_or(none);
        let (kind, count, parameters, seed) = match encoder {
            Encoder::Whole => (0, 0, [0.0; 4], 0),
            Encoder::Segments => (1, 0, [0.0; 4], 0),
            Encoder::Rate { gain, seed, .. } => (2, 0, [gain, 0.0, 0.0, 0.0], seed),
            Encoder::Latency { silent_below } => (3, 0, [silent_below, 0.0, 0.0, 0.0], 0),
            Encoder::Delta { threshold, most } => (4, most.into(), [threshold, 0.0, 0.0, 0.0], 0),
            Encoder::Population { fields, low, high, beta, silent_below, .. } => {
                (5, u32::from(fields), [low, high, beta, silent_below], 0)
            }
        };
        let flags = [
            (mel.slaney, code::SLANEY),
            (mel.bands_are_channels, code::BANDS_ARE_CHANNELS),
            (mel.by_window, code::BY_WINDOW),
            (matches!(encoder, Encoder::Rate { signed: true, .. }), code::SIGNED),
            (matches!(encoder, Encoder::Population { values: true, .. }), code::VALUES),
        ];
        let flags = flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        out.extend([code::SIGNAL, front, kind, flags]);
        out.extend([channels, mel.mels].iter().flat_map(|v| v.to_le_bytes()));
        out.extend([window, hop].iter().flat_map(|v| v.to_le_bytes()));
        out.extend([rate_hz.unwrap_or(0.0), per_count].iter().flat_map(|v| v.to_le_bytes()));
        out.extend(clip.unwrap_or(0.0).to_le_bytes());
        out.extend([mel.frame, mel.hop, mel.fft].iter().flat_map(|v| v.to_le_bytes()));
        out.extend([mel.low_hz, mel.high_hz, mel.floor].iter().flat_map(|v| v.to_le_bytes()));
        out.extend(count.to_le_bytes());
        out.extend(parameters.iter().flat_map(|v| v.to_le_bytes()));
        out.extend([0; 4]);
        out.extend(seed.to_le_bytes());
        debug_assert_eq!(out.len(), FIXED);
        let rows = self.channels.len() * self.chain.rows() as usize;
        for (array, values) in [("centre", &self.centre), ("scale", &self.scale)] {
            check_len(None, array, rows, values.len())?;
            out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        }
        Ok(())
    }
}
