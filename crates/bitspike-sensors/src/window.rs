//! Windows of one length out of recordings of any length.
//!
//! A piece of `n` samples with window `w` and hop `h` gives `1 + (n − w) / h` windows (rounded down) at 0, h, 2h, ...;
//! what is left at its end is dropped. A piece shorter than a window gives one padded window, or an error, after
//! `window.short`. A piece is a whole recording, or one side of a cut in time: windows never reach beyond it.

use crate::{Recording, SensorError, Short, Window};
use std::ops::Range;

/// Most samples of a window: three days at a thousand a second.
const MAX_LENGTH: usize = 1 << 28;

/// Where a window comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Number of the recording.
    pub recording: usize,
    /// First sample in it.
    pub start: usize,
    /// Samples of the recording in the window: fewer than its length only if it was padded.
    pub samples: usize,
}

/// Length and hop in samples, with every key resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) length: usize,
    pub(crate) hop: usize,
    pub(crate) short: Short,
    pub(crate) limit: usize,
}

impl Cut {
    /// Resolves seconds and defaults.
    pub(crate) fn new(window: &Window, rate_hz: Option<f64>, recordings: &[Recording]) -> Result<Self, SensorError> {
        let samples = |key: &str, n: Option<usize>, s: Option<f64>| match (n, s, rate_hz) {
            (Some(n), ..) => Ok(Some(n)),
            (None, None, _) => Ok(None),
            (None, Some(s), None) => Err(SensorError::config(
                "rate_hz",
                format!("the samples per second, for window.{key}_s"),
                format!("none, {s} s"),
            )),
            (None, Some(s), Some(rate)) => match (s * rate).round() {
                n if (1.0..1e12).contains(&n) => Ok(Some(n as usize)),
                n => Err(SensorError::config(&format!("window.{key}_s"), "at least one sample", n)),
            },
        };
        let length = match samples("length", window.length, window.length_s)? {
            Some(n) => n,
            None => {
                let first = recordings.first().map_or(0, Recording::len);
                if let Some(other) = recordings.iter().find(|r| r.len() != first) {
                    let expected = format!("a length, as recordings have {first} and {} samples", other.len());
                    return Err(SensorError::config("window.length", expected, "none"));
                }
                first
            }
        };
        let hop = samples("hop", window.hop, window.hop_s)?.unwrap_or(length);
        if !(1..=MAX_LENGTH).contains(&length) {
            return Err(SensorError::config("window.length", format!("1 to {MAX_LENGTH}"), length));
        }
        Ok(Self { length, hop, short: window.short, limit: window.limit.unwrap_or(usize::MAX) })
    }

    /// The windows of a piece of a recording.
    pub(crate) fn windows(
        &self,
        recording: usize,
        range: Range<usize>,
        name: &str,
    ) -> Result<Vec<Origin>, SensorError> {
        let n = range.len();
        if n < self.length {
            if self.short == Short::Refuse || n == 0 {
                return Err(SensorError::Recording {
                    recording: name.into(),
                    what: "samples for a window",
                    expected: format!("at least {} (or window.short = \"pad-zero\" or \"pad-edge\")", self.length),
                    found: n.to_string(),
                });
            }
            return Ok(vec![Origin { recording, start: range.start, samples: n }]);
        }
        let starts = (range.start..=range.end - self.length).step_by(self.hop).take(self.limit);
        Ok(starts.map(|start| Origin { recording, start, samples: self.length }).collect())
    }

    /// The samples of a window, `[C, length]`, padded if it is short.
    pub(crate) fn take(&self, recording: &Recording, origin: &Origin) -> Vec<f32> {
        let mut out = Vec::with_capacity(recording.channels.len() * self.length);
        for c in 0..recording.channels.len() {
            let part = &recording.channel(c)[origin.start..origin.start + origin.samples];
            let pad = match self.short {
                Short::PadEdge => part.last().copied().unwrap_or(0.0),
                _ => 0.0,
            };
            out.extend_from_slice(part);
            out.resize(out.len() + self.length - part.len(), pad);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(length: usize, hop: usize, short: Short) -> Cut {
        Cut { length, hop, short, limit: usize::MAX }
    }

    fn recording(n: usize) -> Recording {
        Recording {
            name: "r".into(),
            channels: vec!["a".into(), "b".into()],
            rate_hz: None,
            values: (0..2 * n).map(|i| i as f32).collect(),
            label: None,
            group: None,
        }
    }

    #[test]
    fn starts_by_hand() {
        let starts = |c: Cut, range| c.windows(0, range, "r").unwrap().iter().map(|o| o.start).collect::<Vec<_>>();
        assert_eq!(starts(cut(4, 2, Short::Refuse), 0..9), [0, 2, 4]);
        assert_eq!(starts(cut(4, 4, Short::Refuse), 3..11), [3, 7]);
        assert_eq!(starts(cut(4, 1, Short::Refuse), 0..4), [0]);
        assert_eq!(starts(Cut { limit: 2, ..cut(2, 1, Short::Refuse) }, 0..9), [0, 1]);
    }

    #[test]
    fn short_pieces_are_refused_or_padded() {
        let r = recording(3);
        let e = cut(4, 4, Short::Refuse).windows(0, 0..3, "r").unwrap_err();
        assert!(matches!(e, SensorError::Recording { .. }), "{e}");
        assert!(cut(4, 4, Short::PadZero).windows(0, 3..3, "r").is_err());
        for (short, want) in [
            (Short::PadZero, [1.0, 2.0, 0.0, 0.0, 4.0, 5.0, 0.0, 0.0]),
            (Short::PadEdge, [1.0, 2.0, 2.0, 2.0, 4.0, 5.0, 5.0, 5.0]),
        ] {
            let c = cut(4, 4, short);
            let all = c.windows(0, 1..3, "r").unwrap();
            assert_eq!(all, [Origin { recording: 0, start: 1, samples: 2 }]);
            assert_eq!(c.take(&r, &all[0]), want);
        }
    }

    #[test]
    fn seconds_and_the_one_length() {
        let window = Window { length_s: Some(0.5), hop_s: Some(0.25), ..Window::default() };
        let c = Cut::new(&window, Some(10.0), &[]).unwrap();
        assert_eq!((c.length, c.hop), (5, 3));
        assert!(matches!(Cut::new(&window, None, &[]), Err(SensorError::Config { key, .. }) if key == "rate_hz"));
        let e = Cut::new(&window, Some(0.5), &[]).unwrap_err();
        assert!(matches!(&e, SensorError::Config { key, .. } if key == "window.length_s"), "{e}");
        let c = Cut::new(&Window::default(), None, &[recording(7), recording(7)]).unwrap();
        assert_eq!((c.length, c.hop), (7, 7));
        let e = Cut::new(&Window::default(), None, &[recording(7), recording(8)]).unwrap_err();
        assert!(matches!(&e, SensorError::Config { key, .. } if key == "window.length"), "{e}");
    }

    proptest::proptest! {
        #[test]
        fn windows_stay_inside_and_none_is_left_out(
            start in 0usize..20, n in 1usize..60, length in 1usize..20, hop in 1usize..25,
        ) {
            let all = cut(length, hop, Short::PadZero).windows(3, start..start + n, "r").unwrap();
            let twin: Vec<usize> =
                (start..start + n).filter(|s| (s - start) % hop == 0 && s + length <= start + n).collect();
            if n >= length {
                proptest::prop_assert_eq!(all.iter().map(|o| o.start).collect::<Vec<_>>(), twin);
            }
            proptest::prop_assert!(all.iter().all(|o| o.start >= start && o.start + o.samples <= start + n));
        }
    }
}
