//! Encoders: normalised features `[C, R, L]` to inputs `[T, C', H, W]`. One file each, with formula, shapes and source.
//!
//! R is 1 for raw samples and the number of bands for mel features, L the samples or frames of a window. Where all T
//! steps have the same values (`direct`, and `population` with values), one is stored: see [`Encoder::stored_steps`].

mod delta;
mod direct;
mod latency;
mod mel;
mod population;
mod rate;

pub(crate) use mel::Mel;
pub use mel::{hz_to_mel, mel_to_hz};

use crate::{Encode, PopulationOutput, SensorError};

/// Samples after encoding, one after the other, each `[T, C', H, W]` (with [`Encoder::stored_steps`] for T).
#[derive(Clone, Debug, PartialEq)]
pub enum Encoded {
    /// Spikes, 0 and 1, or counts of them.
    Bytes(Vec<u8>),
    /// Real values.
    Floats(Vec<f32>),
}

impl Encoded {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(v) => v.len(),
            Self::Floats(v) => v.len(),
        }
    }

    /// True without a value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What makes the random draws of a sample its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Seed of the run; 0 for draws that every run shares.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// False for the training part.
    pub test: bool,
    /// Number of the sample in its part.
    pub sample: u64,
}

/// Turns features of one shape into network inputs.
///
/// ```
/// use bitspike_sensors::{Encode, Encoded, Encoder, Key, LatencyEncode};
/// let latency = Encode::Latency(LatencyEncode { steps: 3, silent_below: 0.0 });
/// let encoder = Encoder::new(&latency, [1, 1, 2])?;
/// assert_eq!((encoder.steps(), encoder.shape()), (3, [1, 1, 2]));
/// let spikes = encoder.encode(&[1.0, 0.5], Key { seed: 0, epoch: 0, test: false, sample: 0 })?;
/// assert_eq!(spikes, Encoded::Bytes(vec![1, 0, 0, 1, 0, 0]));
/// # Ok::<(), bitspike_sensors::SensorError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    config: Encode,
    /// `[C, R, L]`.
    features: [usize; 3],
    stored_steps: usize,
    shape: [usize; 3],
}

/// Most values of a sample: 8 GiB, of which a batch has several.
const MAX_SAMPLE: usize = 1 << 31;

impl Encoder {
    /// An encoder of features `[C, R, L]`.
    ///
    /// # Errors
    /// [`SensorError::Config`] if L is not a multiple of the steps, where the window is cut into steps, and
    /// [`SensorError::TooLarge`].
    pub fn new(config: &Encode, features: [usize; 3]) -> Result<Self, SensorError> {
        let [c, r, l] = features;
        let steps = config.steps();
        let segment = || match steps {
            n if n > 0 && l % n == 0 => Ok(l / n),
            _ => Err(SensorError::config("encode.steps", format!("a divisor of the {l} columns of a window"), steps)),
        };
        let times = |k: usize| c.saturating_mul(k);
        let (stored_steps, shape) = match config {
            Encode::Direct(d) if d.segments => (steps, [c, r, segment()?]),
            Encode::Direct(_) => (1, features),
            Encode::Rate(p) => (steps, [times(if p.signed { 2 } else { 1 }), r, l]),
            Encode::Latency(_) => (steps, features),
            Encode::Delta(_) => (steps, [times(2), r, segment()?]),
            Encode::Population(p) => match p.output {
                PopulationOutput::Latency => (steps, [times(p.fields), r, l]),
                PopulationOutput::Values => (1, [times(p.fields), r, l]),
            },
        };
        let size = shape.iter().try_fold(stored_steps, |a, b| a.checked_mul(*b));
        if size.is_none_or(|n| n > MAX_SAMPLE) {
            return Err(SensorError::TooLarge { samples: 1, steps: stored_steps, shape });
        }
        Ok(Self { config: config.clone(), features, stored_steps, shape })
    }

    /// The configuration that it was made of.
    pub(crate) fn config(&self) -> &Encode {
        &self.config
    }

    /// Time steps T of the network.
    pub fn steps(&self) -> usize {
        self.config.steps()
    }

    /// Time steps that are stored: T, or 1 where all T are the same.
    pub fn stored_steps(&self) -> usize {
        self.stored_steps
    }

    /// Shape `[C', H, W]` of a step.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// True if the result is [`Encoded::Bytes`].
    pub fn is_bytes(&self) -> bool {
        match &self.config {
            Encode::Direct(_) => false,
            Encode::Rate(_) | Encode::Latency(_) | Encode::Delta(_) => true,
            Encode::Population(p) => p.output == PopulationOutput::Latency,
        }
    }

    /// True if the result depends on the [`Key`].
    pub fn is_random(&self) -> bool {
        matches!(self.config, Encode::Rate(_))
    }

    /// Shape `[C, R, L]` of the features of a sample.
    pub fn features(&self) -> [usize; 3] {
        self.features
    }

    /// Values of the features of one sample.
    pub fn features_len(&self) -> usize {
        self.features.iter().product()
    }

    /// Values of one encoded sample.
    pub fn sample_len(&self) -> usize {
        self.stored_steps * self.shape.iter().product::<usize>()
    }

    /// Encodes one sample `[C, R, L]`.
    ///
    /// # Errors
    /// [`SensorError::Config`] if `x` has another number of values.
    pub fn encode(&self, x: &[f32], key: Key) -> Result<Encoded, SensorError> {
        if x.len() != self.features_len() {
            return Err(SensorError::config("features", format!("{:?} values", self.features), x.len()));
        }
        Ok(if self.is_bytes() {
            let mut out = vec![0; self.sample_len()];
            self.bytes(x, key, &mut out);
            Encoded::Bytes(out)
        } else {
            let mut out = vec![0.0; self.sample_len()];
            self.floats(x, &mut out);
            Encoded::Floats(out)
        })
    }

    /// Encodes one sample `[C, R, L]` into memory of [`Self::sample_len`] bytes.
    ///
    /// ```
    /// use bitspike_sensors::{Encode, Encoder, Key, RateEncode};
    /// let encoder = Encoder::new(&Encode::Rate(RateEncode { steps: 4, ..Default::default() }), [1, 1, 2])?;
    /// let (mut spikes, key) = ([9; 8], Key { seed: 1, epoch: 3, test: false, sample: 0 });
    /// encoder.encode_into(&[1.0, 0.0], key, &mut spikes)?;
    /// assert_eq!(spikes, [1, 0, 1, 0, 1, 0, 1, 0]);
    /// # Ok::<(), bitspike_sensors::SensorError>(())
    /// ```
    ///
    /// # Errors
    /// [`SensorError::Config`] if the encoder does not give bytes, or if `x` or `out` has another number of values.
    pub fn encode_into(&self, x: &[f32], key: Key, out: &mut [u8]) -> Result<(), SensorError> {
        if !self.is_bytes() {
            return Err(SensorError::config("encode.kind", "an encoder of spikes", "one of real values"));
        }
        if (x.len(), out.len()) != (self.features_len(), self.sample_len()) {
            let (expected, found) = ((self.features_len(), self.sample_len()), (x.len(), out.len()));
            return Err(SensorError::config(
                "features",
                format!("{} values and room for {}", expected.0, expected.1),
                format!("{} and {}", found.0, found.1),
            ));
        }
        out.fill(0);
        self.bytes(x, key, out);
        Ok(())
    }

    /// Into zeros of [`Self::sample_len`], for encoders of bytes.
    pub(crate) fn bytes(&self, x: &[f32], key: Key, out: &mut [u8]) {
        match &self.config {
            Encode::Rate(c) => rate::encode(x, c, key, out),
            Encode::Latency(c) => latency::encode(x, c.steps, c.silent_below, out),
            Encode::Delta(c) => delta::encode(x, self.features, c, out),
            Encode::Population(c) => population::spikes(x, self.features, c, out),
            Encode::Direct(_) => unreachable!("gives floats"),
        }
    }

    /// Into zeros of [`Self::sample_len`], for encoders of floats.
    pub(crate) fn floats(&self, x: &[f32], out: &mut [f32]) {
        match &self.config {
            Encode::Direct(c) if c.segments => direct::segments(x, self.features, c.steps, out),
            Encode::Direct(_) => out.copy_from_slice(x),
            Encode::Population(c) => population::values(x, self.features, c, out),
            _ => unreachable!("gives bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeltaEncode, DirectEncode, PopulationEncode, RateEncode};

    #[test]
    fn shapes_as_documented() {
        let key = Key { seed: 0, epoch: 0, test: false, sample: 0 };
        let rows = [
            (Encode::Direct(DirectEncode { steps: 4, segments: false }), 1, [2, 3, 8], false),
            (Encode::Direct(DirectEncode { steps: 4, segments: true }), 4, [2, 3, 2], false),
            (Encode::Rate(RateEncode { steps: 5, ..Default::default() }), 5, [2, 3, 8], true),
            (Encode::Rate(RateEncode { steps: 5, signed: true, ..Default::default() }), 5, [4, 3, 8], true),
            (Encode::Latency(Default::default()), 8, [2, 3, 8], true),
            (Encode::Delta(DeltaEncode { steps: 8, ..Default::default() }), 8, [4, 3, 1], true),
            (Encode::Population(Default::default()), 8, [12, 3, 8], true),
            (
                Encode::Population(PopulationEncode { output: PopulationOutput::Values, ..Default::default() }),
                1,
                [12, 3, 8],
                false,
            ),
        ];
        let x: Vec<f32> = (0..48).map(|i| (i as f32 * 0.7).sin()).collect();
        for (config, stored, shape, is_bytes) in rows {
            let e = Encoder::new(&config, [2, 3, 8]).unwrap();
            assert_eq!((e.stored_steps(), e.shape(), e.is_bytes()), (stored, shape, is_bytes), "{config:?}");
            let got = e.encode(&x, key).unwrap();
            assert_eq!((got.len(), matches!(got, Encoded::Bytes(_))), (e.sample_len(), is_bytes), "{config:?}");
            assert!(e.encode(&x[1..], key).is_err());
            let mut into = vec![7; e.sample_len()];
            match (e.encode_into(&x, key, &mut into), got) {
                (Ok(()), Encoded::Bytes(got)) => assert_eq!(into, got, "{config:?}"),
                (Err(_), Encoded::Floats(_)) => {}
                other => panic!("{config:?}: {other:?}"),
            }
            assert!(e.encode_into(&x, key, &mut into[1..]).is_err());
        }
    }

    #[test]
    fn steps_that_do_not_divide_are_refused() {
        for config in [Encode::Direct(DirectEncode { steps: 3, segments: true }), Encode::Delta(Default::default())] {
            let e = Encoder::new(&config, [1, 1, 10]).unwrap_err();
            assert!(matches!(&e, SensorError::Config { key, .. } if key == "encode.steps"), "{e}");
        }
        let e = Encoder::new(&Encode::Latency(Default::default()), [usize::MAX, 2, 2]).unwrap_err();
        assert!(matches!(e, SensorError::TooLarge { .. }), "{e}");
    }
}
