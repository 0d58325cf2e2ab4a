//! Data sets of event recordings, as sequences of frames of bytes.
//!
//! Lists, splits, frames and their cache are those of [`bitspike_events::dataset`]; `events-demo` shows the embedded images to
//! its simulated camera, which is the same at every seed of a run.

use crate::config::DataConfig;
use crate::set::{DataSet, SampleSet, SourceFile, Values, hold_out};
use crate::source::hex;
use crate::{DataError, SetName, find};
use bitspike_events::dataset::{self, DemoConfig, EventConfig, EventSet, Images, Part};
use sha2::{Digest, Sha256};

/// Seed of the simulated camera.
const CAMERA: u64 = 1;

/// Reads or simulates a set; samples have `steps` frames.
pub(crate) fn load(cfg: &DataConfig, steps: usize) -> Result<DataSet, DataError> {
    let (origin, set) = match cfg.event_config(steps) {
        Some(config) => {
            let path = find::folder(cfg.set, cfg.path.as_deref());
            (path.clone(), dataset::load(&EventConfig { path, ..config })?)
        }
        None => ("embedded:events-demo".into(), simulated(cfg, steps)?),
    };
    let mut hash = Sha256::new();
    for part in [&set.train, &set.test] {
        part.labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
        hash.update(&part.samples);
    }
    let bytes = (set.train.samples.len() + set.test.samples.len()) as u64;
    let mut split = format!(
        "{} ({}/{}, SHA-256 of the list {})",
        set.split,
        set.train.labels.len(),
        set.test.labels.len(),
        &set.list_sha256[..16.min(set.list_sha256.len())]
    );
    let part = |part: Part<u8>| {
        SampleSet::sequences(set.steps, set.shape, Values::Bytes(part.samples), part.labels, set.classes.clone())
    };
    let (mut train, test) = (part(set.train)?, part(set.test)?);
    let validation = hold_out(&mut train, set.validation, &mut split)?;
    let data = DataSet::from_parts(cfg.set.as_str(), split, train, validation, test)?;
    // The frames themselves: whatever changes them, a file or an option, makes other data.
    let sha256 = hex(&hash.finalize());
    Ok(DataSet { files: vec![SourceFile { path: origin, bytes, sha256 }], ..data })
}

fn simulated(cfg: &DataConfig, steps: usize) -> Result<EventSet, DataError> {
    let images = DataConfig {
        set: SetName::FashionMnistMini,
        train_limit: cfg.train_limit,
        test_limit: cfg.test_limit,
        ..DataConfig::default()
    };
    let images = crate::load(&images)?;
    let [_, height, width] = images.shape();
    fn part(set: &SampleSet) -> Images<'_> {
        Images { pixels: set.bytes(), labels: &set.labels }
    }
    let config = DemoConfig { steps, ..cfg.simulate.clone().unwrap_or_default() };
    let (train, test, classes) = (part(&images.train), part(&images.test), &images.train.classes);
    let mut set = dataset::demo(train, test, [height, width], classes, &config, CAMERA)?;
    (set.split, set.validation) = (images.split, cfg.validation);
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_the_frames_asked_for_and_always_the_same() {
        let cfg = DataConfig {
            set: SetName::EventsDemo,
            train_limit: Some(30),
            test_limit: Some(10),
            validation: 5,
            ..DataConfig::default()
        };
        let data = crate::load_frames(&cfg, 3).unwrap();
        assert_eq!((data.steps(), data.shape(), data.classes()), (3, [2, 34, 34], 10));
        assert_eq!((data.train.len(), data.validation.as_ref().unwrap().len(), data.test.len()), (25, 5, 10));
        assert!(data.channel_mean.iter().all(|m| *m > 0.0), "{:?}", data.channel_mean);
        let again = crate::load_frames(&cfg, 3).unwrap();
        assert_eq!((&again.files, &again.train.values), (&data.files, &data.train.values));
        assert_ne!(crate::load_frames(&cfg, 4).unwrap().files, data.files);
    }

    #[test]
    fn recordings_become_sequences_with_their_split_in_words() {
        let dir = tempfile::tempdir().unwrap();
        for part in ["Train", "Test"] {
            for digit in 0..10u8 {
                let folder = dir.path().join(part).join(digit.to_string());
                std::fs::create_dir_all(&folder).unwrap();
                for take in 1..=2u8 {
                    // x, y, then polarity and 23 bits of time: an ON event at 1 ms, an OFF event at 2 ms.
                    let events = [digit, take, 0x80, 0x03, 0xe8, digit, take, 0x00, 0x07, 0xd0];
                    std::fs::write(folder.join(format!("{take:05}.bin")), events).unwrap();
                }
            }
        }
        let cfg = DataConfig { set: SetName::NMnist, path: Some(dir.path().into()), ..DataConfig::default() };
        let data = crate::load_frames(&cfg, 2).unwrap();
        assert_eq!((data.steps(), data.shape(), data.train.len(), data.test.len()), (2, [2, 34, 34], 20, 20));
        assert!(data.split.contains("official (20/20, SHA-256 of the list "), "{}", data.split);
        let sample = data.test.image(0).unwrap();
        let lit: Vec<usize> = (0..sample.len()).filter(|i| sample[*i] > 0).collect();
        // Step 0 has the ON channel, step 1 the OFF channel.
        let (digit, plane) = (data.test.labels[0] as usize, 34 * 34);
        assert_eq!(lit, [plane + 34 + digit, 2 * plane + 34 + digit]);
        let options = EventConfig::new(cfg.set.events().unwrap(), "x").options;
        let wrong = DataConfig { set: SetName::Mnist, events: Some(options), ..DataConfig::default() };
        assert!(matches!(wrong.validate(), Err(DataError::Config { key: "data.events", .. })));
        let missing = DataConfig { path: Some(dir.path().join("nowhere")), ..cfg };
        let e = crate::load_frames(&missing, 2).unwrap_err();
        assert_eq!(e.kind(), crate::ErrorKind::Missing, "{e}");
    }
}
