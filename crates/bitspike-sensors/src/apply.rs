//! Recordings that come after training: cut, normalised and encoded as those of the set that a network was trained on.

use crate::encode::Mel;
use crate::format::{self, Known, Markers, decode_placed};
use crate::load::features;
use crate::window::Cut;
use crate::{Encoded, Encoder, Fitted, Key, SensorConfig, SensorError};
use std::path::Path;

/// Makes inputs of a network from windows.
pub(crate) struct Inputs {
    pub(crate) cut: Cut,
    mel: Option<Mel>,
    bound: f32,
    pub(crate) encoder: Encoder,
    pub(crate) fitted: Fitted,
}

impl Inputs {
    /// # Errors
    /// [`SensorError`] where configuration and what was fitted contradict each other.
    pub(crate) fn new(config: &SensorConfig, fitted: Fitted) -> Result<Self, SensorError> {
        config.validate()?;
        let mut window = config.window.clone();
        if window.length.is_none() && window.length_s.is_none() {
            // Windows were whole recordings.
            window.length = Some(fitted.window);
        }
        let cut = Cut::new(&window, fitted.rate_hz.or(config.rate_hz), &[])?;
        if cut.length != fitted.window {
            let expected = format!("{} samples, as when it was fitted", fitted.window);
            return Err(SensorError::config("window.length", expected, cut.length));
        }
        let (mel, rows, shape) = features(&config.features, fitted.channels.len(), cut.length, fitted.rate_hz)?;
        if fitted.scaler.centre.len() != rows || fitted.scaler.scale.len() != rows {
            let found = format!("{} and {}", fitted.scaler.centre.len(), fitted.scaler.scale.len());
            return Err(SensorError::config("features", format!("{rows} centres and scales"), found));
        }
        let encoder = Encoder::new(&config.encode, shape)?;
        Ok(Self { cut, mel, bound: config.bound(), encoder, fitted })
    }

    /// The input of a window `[C, L]`, which is the `number`-th.
    pub(crate) fn input(&self, mut x: Vec<f32>, number: u64) -> Result<Encoded, SensorError> {
        if let Some(mel) = &self.mel {
            x = mel.window(&x, self.cut.length);
        }
        self.fitted.scaler.apply(&mut x);
        crate::normalise::clip(&mut x, self.bound);
        self.encoder.encode(&x, Key { seed: 0, epoch: 0, test: true, sample: number })
    }
}

/// A window of a recording.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordingWindow {
    /// Name of the recording.
    pub recording: String,
    /// Its first sample.
    pub first: usize,
    /// `[T, C, H, W]`, with [`Encoder::stored_steps`] for T.
    pub input: Encoded,
}

/// Windows of the recordings in a file, and what encoded them.
///
/// ```
/// use bitspike_sensors::{Encoded, Fitted, Scaler, SensorConfig, windows_of};
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("new.csv");
/// std::fs::write(&file, "a,b\n1,9\n3,9\n5,9\n7,9\n")?;
/// let config: SensorConfig = toml::from_str("path = '.'\nwindow = { length = 2, hop = 2 }")?;
/// let scaler = Scaler { centre: vec![1.0], scale: vec![2.0] };
/// let fitted = Fitted { channels: vec!["a".into()], window: 2, rate_hz: None, scaler };
/// let (_, windows) = windows_of(&file, &config, fitted)?;
/// assert_eq!((windows[1].first, &windows[1].input), (2, &Encoded::Floats(vec![2.0, 3.0])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SensorError`] where the file cannot be read as the configuration says, lacks a channel, has another rate, or is too short.
pub fn windows_of(
    path: &Path,
    config: &SensorConfig,
    fitted: Fitted,
) -> Result<(Encoder, Vec<RecordingWindow>), SensorError> {
    let inputs = Inputs::new(config, fitted)?;
    let bytes = format::bytes(path, &config.format)?;
    let markers = Markers::new(&config.missing_markers);
    let known = Known { channels: &inputs.fitted.channels, missing: config.missing, markers: &markers, scale: None };
    let (found, _) = decode_placed(path, &bytes, &config.format, known)?;
    let mut out = Vec::new();
    for decoded in &found {
        let r = &decoded.recording;
        if let (Some(is), Some(was)) = (r.rate_hz, inputs.fitted.rate_hz)
            && (is / was - 1.0).abs() > 0.01
        {
            return Err(SensorError::Recording {
                recording: path.display().to_string(),
                what: "samples per second",
                expected: format!("{was}, as in training"),
                found: is.to_string(),
            });
        }
        for origin in inputs.cut.windows(0, 0..r.len(), &r.name)? {
            let x = inputs.cut.take(r, &origin);
            let input = inputs.input(x, out.len() as u64)?;
            out.push(RecordingWindow { recording: r.name.clone(), first: origin.start, input });
        }
    }
    Ok((inputs.encoder, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scaler, load};

    fn fitted(set: &crate::SensorSet) -> Fitted {
        Fitted {
            channels: set.channels.clone(),
            window: set.window,
            rate_hz: set.rate_hz,
            scaler: Scaler { ..set.scaler.clone() },
        }
    }

    /// What is made of a file alone is what is made of it in the set.
    #[test]
    fn as_in_the_set() {
        let dir = tempfile::tempdir().unwrap();
        for (label, step) in [("up", 3), ("down", 5)] {
            for take in 0..2 {
                let rows: String =
                    (0..70).map(|i| format!("{},{},{}\n", i * 20, (i * step + take) % 17, i % 4)).collect();
                std::fs::write(dir.path().join(format!("{label}_{take}.csv")), format!("t,a,b\n{rows}")).unwrap();
            }
        }
        for (window, rest) in [
            ("{ length = 32, hop = 16 }", "normalise = 'robust'"),
            ("{ length = 100, short = 'pad-edge' }", ""),
            ("{ length = 64, limit = 1 }", "features = { kind = 'mel', frame = 16, hop = 8, mels = 4 }"),
        ] {
            let text = format!(
                "channels = ['b', 'a']\nformat = {{ kind = 'csv', time_column = 't', time_unit = 'ms' }}\n\
                 labels = {{ from = 'name', pattern = '{{label}}_{{take}}.csv' }}\nwindow = {window}\n\
                 split = {{ by = 'recording', test = ['*_1'] }}\n{rest}\n"
            );
            let config = SensorConfig { path: dir.path().into(), ..toml::from_str(&text).unwrap() };
            let set = load(&config).unwrap();
            let (encoder, windows) = windows_of(&dir.path().join("down_1.csv"), &config, fitted(&set)).unwrap();
            let each = encoder.sample_len();
            let Encoded::Floats(test) = &set.test.samples else { panic!("floats") };
            let of: Vec<usize> =
                (0..set.test.len()).filter(|i| set.recordings[set.test.origins[*i].recording] == "down_1").collect();
            assert_eq!(windows.len(), of.len(), "{window}");
            for (made, i) in windows.iter().zip(of) {
                assert_eq!(made.first, set.test.origins[i].start);
                assert_eq!(made.input, Encoded::Floats(test[i * each..][..each].to_vec()), "{window}");
            }
        }
    }

    #[test]
    fn another_recording_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.csv");
        let config: SensorConfig = toml::from_str(
            "path = '.'\nwindow = { length = 4 }\nformat = { kind = 'csv', time_column = 't', time_unit = 'ms' }",
        )
        .unwrap();
        let scaler = Scaler { centre: vec![0.0], scale: vec![1.0] };
        let fitted = Fitted { channels: vec!["a".into()], window: 4, rate_hz: Some(50.0), scaler };
        for (text, want) in [
            ("t,a\n0,1\n20,1\n40,1\n", "samples for a window"),
            ("t,b\n0,1\n20,1\n40,1\n60,1\n", "a column \"a\""),
            ("t,a\n0,1\n40,1\n80,1\n120,1\n", "samples per second"),
        ] {
            std::fs::write(&file, text).unwrap();
            let e = windows_of(&file, &config, fitted.clone()).unwrap_err().to_string();
            assert!(e.contains(want), "{want}: {e}");
        }
        let other = Fitted { window: 5, ..fitted };
        assert!(windows_of(&file, &config, other).unwrap_err().to_string().contains("window.length"));
    }
}
