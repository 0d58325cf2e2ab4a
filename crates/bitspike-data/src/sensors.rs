//! Recordings of sensors and audio, as samples of one or T frames.
//!
//! Reading, windows, splits, normalisation and encoding are those of [`bitspike_sensors`]. A window that is the same at every
//! time step has one frame, as an image has. Where an encoder draws at random, the training part keeps its features and is
//! drawn in every epoch ([`Drawn`]); the test part is drawn once.

use crate::config::DataConfig;
use crate::set::{DataSet, SampleSet, SourceFile, Values};
use crate::{DataError, Drawn, find};
use bitspike_sensors::{Encoded, Oddity, Part, Prepared, SensorConfig};
use std::sync::Arc;

/// Oddities that are told one by one.
const NOTES: usize = 20;

/// Reads and encodes a set.
pub(crate) fn load(cfg: &DataConfig) -> Result<DataSet, DataError> {
    let path = find::folder(cfg.set, cfg.path.as_deref());
    let sensors = cfg.sensors.clone().unwrap_or_default();
    let config = SensorConfig { path: path.clone(), validation: cfg.validation, ..sensors };
    let prepared = bitspike_sensors::prepare(&config)?;
    let (encoder, split) = (prepared.encoder(), prepared.split());
    let set = |values: Values, labels: Vec<u32>| {
        SampleSet::sequences(encoder.stored_steps(), encoder.shape(), values, labels, prepared.classes().to_vec())
    };
    let names: Vec<Arc<str>> = prepared.recordings().iter().map(|r| r.name.as_str().into()).collect();
    let encoded = |part: Part| {
        let values = match part.samples {
            Encoded::Bytes(values) => Values::Bytes(values),
            Encoded::Floats(values) => Values::Floats(values),
        };
        let recordings = part.origins.iter().map(|o| names[o.recording].clone()).collect();
        Ok::<_, DataError>(SampleSet { recordings, ..set(values, part.labels)? })
    };
    let train = if encoder.is_random() {
        let (features, labels) = prepared.train_features()?;
        let drawn = Drawn::new(encoder.clone(), features);
        set(Values::Drawn(drawn.expect("features are of this encoder, and draws are spikes")), labels)?
    } else {
        encoded(prepared.encode_train(0)?)?
    };
    let test = encoded(prepared.encode_test(0)?)?;
    let validation = prepared.encode_validation(0)?.map(encoded).transpose()?;
    let held =
        validation.as_ref().map_or(String::new(), |set| format!(", validation {} of the training part", set.len()));
    let text = format!(
        "{} ({}/{} windows of {} samples{held}, SHA-256 of the split {})",
        split.name,
        train.len(),
        test.len(),
        prepared.window_len(),
        &split.sha256[..16.min(split.sha256.len())]
    );
    let bytes = prepared.files().iter().map(|file| file.bytes).sum();
    let data = DataSet::from_parts(cfg.set.as_str(), text, train, validation, test)?;
    // The hash of the split covers the files, the windows and which part each recording is in.
    let files = vec![SourceFile { path, bytes, sha256: split.sha256.clone() }];
    let notes = notes(prepared.oddities());
    Ok(DataSet { files, device: device(&prepared), signal: Some(prepared.feed()), notes, ..data })
}

/// A line for each oddity, the first ones.
fn notes(oddities: &[Oddity]) -> Vec<String> {
    let mut out: Vec<String> = oddities.iter().take(NOTES).map(Oddity::to_string).collect();
    if let Some(more) = oddities.len().checked_sub(NOTES).filter(|n| *n > 0) {
        out.push(format!("{more} more oddities: bitspike data inspect FOLDER lists them"));
    }
    out
}

/// Channels, rate, window, and centre and scale of every row of features: `(x − centre) / scale`, then set to ± `clip` where it is
/// beyond, if there is a `clip`.
fn device(set: &Prepared) -> Vec<(String, String)> {
    let list = |values: &[f32]| values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(",");
    let rate = set.rate_hz().map(|rate| ("rate_hz", format!("{rate:?}")));
    let bound = Some(set.bound()).filter(|b| b.is_finite()).map(|b| ("clip", format!("{b:?}")));
    let lines = [
        ("channels", set.channels().join(",")),
        ("window", set.window_len().to_string()),
        ("centre", list(&set.scaler().centre)),
        ("scale", list(&set.scaler().scale)),
    ];
    lines.into_iter().chain(rate).chain(bound).map(|(key, value)| (format!("sensors.{key}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SetName;

    /// A folder of four recordings, and what reads it with an encoder.
    fn folder(encode: &str) -> (tempfile::TempDir, DataConfig) {
        let dir = tempfile::tempdir().unwrap();
        for (label, slope) in [("up", 1.0), ("down", -1.0)] {
            for who in ["ann", "bob"] {
                let rows: String = (0..32).map(|i| format!("{},{}\n", slope * f64::from(i), i % 3)).collect();
                std::fs::write(dir.path().join(format!("{label}_{who}.csv")), format!("a,b\n{rows}")).unwrap();
            }
        }
        let sensors: SensorConfig = toml::from_str(&format!(
            "labels = {{ from = 'name', pattern = '{{label}}_{{group}}.csv' }}\nwindow = {{ length = 16 }}\n\
             split = {{ by = 'group', test = ['bob'] }}\nencode = {encode}",
        ))
        .unwrap();
        let cfg = DataConfig {
            set: SetName::Sensors,
            path: Some(dir.path().into()),
            sensors: Some(sensors),
            ..DataConfig::default()
        };
        (dir, cfg)
    }

    /// Training samples are drawn in every epoch, test samples once, and nothing else about the set changes.
    #[test]
    fn random_spikes_are_drawn_in_every_epoch() {
        let (_dir, cfg) = folder("{ kind = 'rate', steps = 4, signed = true }");
        let data = crate::load(&cfg).unwrap();
        assert_eq!((data.steps(), data.shape(), data.train.len(), data.test.len()), (4, [4, 1, 16], 4, 4));
        assert!(matches!((&data.train.values, &data.test.values), (Values::Drawn(_), Values::Bytes(_))));
        let fixed =
            bitspike_sensors::load(&SensorConfig { path: cfg.path.clone().unwrap(), ..cfg.sensors.clone().unwrap() });
        let fixed = fixed.unwrap();
        let pipeline = crate::Pipeline::default();
        let bytes = |epoch, seed| -> Vec<u8> {
            let samples = (0..4).flat_map(|i| pipeline.image(&data.train, i, seed, epoch).unwrap());
            samples.map(|v| (v * 255.0).round() as u8).collect()
        };
        assert_eq!(Encoded::Bytes(bytes(0, 0)), fixed.train.samples, "the draws of seed 0 and epoch 0");
        assert_eq!(
            data.test.values,
            Values::Bytes(match fixed.test.samples {
                Encoded::Bytes(b) => b,
                Encoded::Floats(_) => vec![],
            })
        );
        assert_eq!(data.train.labels, fixed.train.labels);
        assert_ne!(bytes(0, 1), bytes(1, 1));
        assert_eq!(bytes(1, 1), bytes(1, 1));
    }

    /// The validation part is ann's or cat's recordings, never some windows of both, whatever is asked for.
    #[test]
    fn validation_takes_whole_groups() {
        let (dir, cfg) = folder("{ kind = 'direct', steps = 1 }");
        for label in ["up", "down"] {
            let from = dir.path().join(format!("{label}_ann.csv"));
            std::fs::copy(from, dir.path().join(format!("{label}_cat.csv"))).unwrap();
        }
        for n in 1..=4 {
            let data = crate::load(&DataConfig { validation: n, ..cfg.clone() }).unwrap();
            let parts = (data.train.len(), data.validation.as_ref().unwrap().len(), data.test.len());
            assert_eq!(parts, (4, 4, 4), "{n} asked for");
            assert!(data.split.contains("validation 4 of the training part"), "{}", data.split);
        }
        let e = crate::load(&DataConfig { validation: 5, ..cfg.clone() }).unwrap_err().to_string();
        assert!(e.contains("validation") && e.contains("at most 4"), "{e}");
        let [with, without] = [1, 0].map(|n| crate::load(&DataConfig { validation: n, ..cfg.clone() }).unwrap().files);
        assert_ne!(with[0].sha256, without[0].sha256, "the hash covers the part each recording is in");
    }

    /// Two glitches are named with file and line, and `robust` bounds what they do.
    #[test]
    fn glitches_are_noted_and_survived() {
        let (dir, mut cfg) = folder("{ kind = 'direct', steps = 2 }");
        let rows: String = (0..400)
            .map(|i| if i == 50 { "9999,1\n".into() } else { format!("{},{}\n", (i * 7) % 32, i % 3) })
            .collect();
        std::fs::write(dir.path().join("up_ann.csv"), format!("a,b\n{rows}")).unwrap();
        let with = |rule: &str, cfg: &mut DataConfig| {
            let sensors = cfg.sensors.as_mut().unwrap();
            sensors.normalise = toml::from_str::<SensorConfig>(&format!("normalise = '{rule}'")).unwrap().normalise;
            crate::load(cfg).unwrap()
        };
        let data = with("robust", &mut cfg);
        assert_eq!(data.notes.len(), 1, "{:?}", data.notes);
        assert!(data.notes[0].starts_with("up_ann.csv: line 52, field 1: channel a is 9999"), "{}", data.notes[0]);
        let Values::Floats(v) = &data.train.values else { panic!("floats") };
        let most = v.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert_eq!(most, bitspike_sensors::ROBUST_CLIP);
        // What is left of the signal is not squeezed to nothing, as it is by the deviation that the glitch makes.
        let share = |data: &DataSet| {
            let Values::Floats(v) = &data.train.values else { panic!("floats") };
            v.iter().filter(|v| v.abs() > 0.2).count() as f64 / v.len() as f64
        };
        assert!(share(&data) > 0.5);
        assert!(data.device.contains(&("sensors.clip".into(), "20.0".into())));
        let data = with("mean-std", &mut cfg);
        assert!(data.device.iter().all(|(k, _)| k != "sensors.clip"));
    }

    #[test]
    fn a_folder_of_csv_files_becomes_sequences() {
        let (_dir, cfg) = folder("{ kind = 'direct', steps = 2, segments = true }");
        cfg.validate().unwrap();
        let data = crate::load(&cfg).unwrap();
        assert_eq!((data.steps(), data.shape(), data.train.len(), data.test.len()), (2, [2, 1, 8], 4, 4));
        assert_eq!(data.train.classes, ["down", "up"]);
        assert!(data.train.floats(0).is_some() && data.channel_std.iter().all(|s| (s - 1.0).abs() < 1e-3));
        assert!(data.split.contains("(4/4 windows of 16 samples"), "{}", data.split);
        // Of ann's recordings: a rises from 0 to 31 and falls to -31, so its mean is 0; b is 0, 1, 2 and again.
        let told = |key: &str| data.device.iter().find(|(k, _)| k == key).unwrap().1.as_str();
        assert_eq!((told("sensors.channels"), told("sensors.window")), ("a,b", "16"));
        assert!(told("sensors.centre").starts_with("0.0,0.9"), "{}", told("sensors.centre"));
        assert!(told("sensors.scale").starts_with("18."), "{}", told("sensors.scale"));
        let signal = data.signal.as_ref().unwrap();
        assert_eq!((signal.channels.join(","), signal.chain.window, signal.chain.hop), ("a,b".into(), 16, 16));
        assert_eq!(format!("{:?},{:?}", signal.scale[0], signal.scale[1]), told("sensors.scale"));
        assert!((&signal.centre[..], signal.chain.clip) == (&[0.0, signal.centre[1]][..], None));
        for (key, wrong) in [
            ("data.train_limit", DataConfig { train_limit: Some(1), ..cfg.clone() }),
            ("data.sensors", DataConfig { set: SetName::Mnist, ..cfg.clone() }),
            ("data.sensors", DataConfig { sensors: None, ..cfg.clone() }),
        ] {
            assert!(matches!(wrong.validate(), Err(DataError::Config { key: k, .. }) if k == key), "{key}");
        }
    }
}
