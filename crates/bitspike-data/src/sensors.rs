//! Recordings of sensors and audio, as samples of one or T frames.
//!
//! Reading, windows, splits, normalisation and encoding are those of [`bitspike_sensors`]. A window that is the same at every
//! time step has one frame, as an image has.

use crate::config::DataConfig;
use crate::set::{DataSet, ImageSet, SourceFile, Values};
use crate::{DataError, find};
use bitspike_sensors::{Encoded, Part, SensorConfig, SensorSet};

/// Reads and encodes a set.
pub(crate) fn load(cfg: &DataConfig) -> Result<DataSet, DataError> {
    let path = find::folder(cfg.set, cfg.path.as_deref());
    let config = SensorConfig { path: path.clone(), ..cfg.sensors.clone().unwrap_or_default() };
    let set = bitspike_sensors::load(&config)?;
    let part = |part: Part| {
        let values = match part.samples {
            Encoded::Bytes(values) => Values::Bytes(values),
            Encoded::Floats(values) => Values::Floats(values),
        };
        ImageSet::sequences(set.stored_steps, set.shape, values, part.labels, set.classes.clone())
    };
    let split = format!(
        "{} ({}/{} windows of {} samples, SHA-256 of the split {})",
        set.split.name,
        set.train.len(),
        set.test.len(),
        set.window,
        &set.split.sha256[..16.min(set.split.sha256.len())]
    );
    let device = device(&set);
    let bytes = set.files.iter().map(|file| file.bytes).sum();
    let data = DataSet::from_parts(cfg.set.as_str(), split, part(set.train)?, None, part(set.test)?)?;
    // The hash of the split covers the files, the windows and which part each recording is in.
    Ok(DataSet { files: vec![SourceFile { path, bytes, sha256: set.split.sha256 }], device, ..data })
}

/// Channels, rate, window, and centre and scale of every row of features: `(x − centre) / scale`.
fn device(set: &SensorSet) -> Vec<(String, String)> {
    let list = |values: &[f32]| values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(",");
    let rate = set.rate_hz.map(|rate| ("rate_hz", format!("{rate:?}")));
    let lines = [
        ("channels", set.channels.join(",")),
        ("window", set.window.to_string()),
        ("centre", list(&set.scaler.centre)),
        ("scale", list(&set.scaler.scale)),
    ];
    lines.into_iter().chain(rate).map(|(key, value)| (format!("sensors.{key}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SetName;

    #[test]
    fn a_folder_of_csv_files_becomes_sequences() {
        let dir = tempfile::tempdir().unwrap();
        for (label, slope) in [("up", 1.0), ("down", -1.0)] {
            for who in ["ann", "bob"] {
                let rows: String = (0..32).map(|i| format!("{},{}\n", slope * f64::from(i), i % 3)).collect();
                std::fs::write(dir.path().join(format!("{label}_{who}.csv")), format!("a,b\n{rows}")).unwrap();
            }
        }
        let sensors: SensorConfig = toml::from_str(
            "labels = { from = 'name', pattern = '{label}_{group}.csv' }\nwindow = { length = 16 }\n\
             split = { by = 'group', test = ['bob'] }\nencode = { kind = 'direct', steps = 2, segments = true }",
        )
        .unwrap();
        let cfg = DataConfig {
            set: SetName::Sensors,
            path: Some(dir.path().into()),
            sensors: Some(sensors),
            ..DataConfig::default()
        };
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
        for (key, wrong) in [
            ("data.validation", DataConfig { validation: 1, ..cfg.clone() }),
            ("data.train_limit", DataConfig { train_limit: Some(1), ..cfg.clone() }),
            ("data.sensors", DataConfig { set: SetName::Mnist, ..cfg.clone() }),
            ("data.sensors", DataConfig { sensors: None, ..cfg.clone() }),
        ] {
            assert!(matches!(wrong.validate(), Err(DataError::Config { key: k, .. }) if k == key), "{key}");
        }
    }
}
