//! What a device must do to make a sample of what it measures, as a `.bsnn` file says it.

use crate::{Bands, Encode, Features, Format, Labels, Level, MelScale, PopulationOutput, Prepared, SensorConfig};
use bitspike_format::{Chain, Encoder, Front, LogMel, SignalSpec};

/// What one count of a converter is worth: of audio 1/32768, as of 16 bits, of raw numbers their scale. 1 where files have the
/// unit itself, and where an index gives every file its own scale.
pub(crate) fn per_count(config: &SensorConfig) -> f64 {
    match (&config.format, &config.labels) {
        (Format::Wav(_) | Format::Audio(_), _) => 1.0 / 32768.0,
        (Format::Raw(_), Labels::Index(index)) if index.scale.is_some() => 1.0,
        (Format::Raw(raw), _) => raw.scale,
        _ => 1.0,
    }
}

impl Prepared {
    /// Channels, rate, window, front end, centre and scale, and encoder: what firmware computes before the network.
    pub fn feed(&self) -> SignalSpec {
        // A window beyond this is refused by the writer of the file, by name.
        let whole = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let front = match (&self.features, self.rate_hz) {
            (Features::Mel(m), Some(rate)) => Front::LogMel(LogMel {
                frame: whole(m.frame),
                hop: whole(m.hop),
                fft: whole(if m.fft == 0 { m.frame } else { m.fft }),
                mels: u16::try_from(m.mels).unwrap_or(u16::MAX),
                low_hz: m.low_hz,
                high_hz: m.high_hz.unwrap_or(rate / 2.0),
                floor: m.floor,
                slaney: m.scale == MelScale::Slaney,
                bands_are_channels: m.bands == Bands::Channels,
                by_window: m.level == Level::Window,
            }),
            _ => Front::Samples,
        };
        let encoder = match self.encoder().config() {
            Encode::Direct(d) if d.segments => Encoder::Segments,
            Encode::Direct(_) => Encoder::Whole,
            Encode::Rate(r) => Encoder::Rate { gain: r.gain, signed: r.signed, seed: r.seed },
            Encode::Latency(l) => Encoder::Latency { silent_below: l.silent_below },
            Encode::Delta(d) => Encoder::Delta { threshold: d.threshold, most: d.max_count },
            Encode::Population(p) => {
                let values = p.output == PopulationOutput::Values;
                let (low, high, silent_below) = (p.low, p.high, if values { 0.0 } else { p.silent_below });
                let fields = u16::try_from(p.fields).unwrap_or(u16::MAX);
                Encoder::Population { fields, low, high, beta: p.beta, silent_below, values }
            }
        };
        SignalSpec {
            channels: self.channels().to_vec(),
            chain: Chain {
                rate_hz: self.rate_hz,
                per_count: self.per_count,
                window: whole(self.cut.length),
                hop: whole(self.cut.hop),
                front,
                clip: Some(self.bound()).filter(|bound| bound.is_finite()),
                encoder,
            },
            centre: self.scaler().centre.clone(),
            scale: self.scaler().scale.clone(),
        }
    }
}
