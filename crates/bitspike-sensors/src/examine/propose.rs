//! From what was found about recordings to a configuration that trains on them: split, windows and features.
//!
//! The split is the strictest that the recordings allow: parts that come as files; whole groups, if there are two or more and every class
//! stays in the training part; whole recordings of each class, those of a class with one alone cut in time. Windows
//! go by the kind of signal and by how long the recordings are. Each decision has its reason, to be read by a person.

use super::{Findings, Listed};
use crate::{
    DirectEncode, Encode, Features, FileSplit, Format, GroupSplit, Level, MelFeatures, Normalise, RecordingSplit,
    SensorConfig, SensorError, Short, Split, Window,
};
use std::collections::{BTreeMap, BTreeSet};

/// A kind of signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Accelerometers, gyroscopes and the like: tens to hundreds of samples per second.
    Motion,
    /// Machines: thousands of samples per second, not from audio files.
    Vibration,
    /// Sound.
    Audio,
}

/// What to train on.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Kind of the signal, as told or guessed.
    pub signal: Signal,
    /// What reads, splits, cuts and encodes; no encoding steps are set that a network would have to match.
    pub config: SensorConfig,
    /// Why so, a sentence each.
    pub why: Vec<String>,
}

/// Samples per second from which a signal is taken for vibration.
const FAST_HZ: f64 = 1000.0;
/// Samples of a window of vibration, and of motion whose rate is not known.
const WINDOW: usize = 1024;
const WINDOW_WITHOUT_RATE: usize = 128;
/// Seconds of a window of motion and of long audio.
const MOTION_S: f64 = 2.56;
const AUDIO_S: f64 = 1.0;
/// Share of the recordings that is held out for the test.
const TEST_SHARE: f64 = 0.2;

/// Proposes how to train on recordings; `signal` where it is known.
///
/// ```
/// use bitspike_sensors::{Split, examine, propose};
/// let folder = tempfile::tempdir()?;
/// for person in ["ann", "bob", "cat"] {
///     for (label, step) in [("walk", 2), ("run", 5)] {
///         let rows: String = (0..400).map(|i| format!("{},{}\n", i * 20, i * step % 11)).collect();
///         std::fs::write(folder.path().join(format!("{person}_{label}_1.csv")), format!("time_ms,ax\n{rows}"))?;
///     }
/// }
/// let found = examine(folder.path())?.expect("recordings");
/// let proposal = propose(&found, None)?;
/// assert!(matches!(&proposal.config.split, Split::Group(g) if g.test == ["cat"]));
/// assert_eq!(proposal.config.window.length_s, Some(2.56));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`SensorError::Config`] if there are not two classes, with what to say.
pub fn propose(found: &Findings, signal: Option<Signal>) -> Result<Proposal, SensorError> {
    if found.classes.len() < 2 {
        let names: Vec<&str> = found.classes.keys().map(String::as_str).collect();
        let expected = "at least 2 classes: a folder for each, or file names as walk_ann_1.csv, or a column `label`";
        return Err(SensorError::config("labels", expected, format!("{names:?}")));
    }
    let rate = found.rate_hz;
    let signal = signal.unwrap_or(match &found.config.format {
        Format::Wav(_) | Format::Audio(_) => Signal::Audio,
        _ if rate.is_some_and(|hz| hz >= FAST_HZ) => Signal::Vibration,
        _ => Signal::Motion,
    });
    let mut why = Vec::new();
    let mut config = found.config.clone();
    config.split = split(&found.listed, &mut why);
    let mut lengths: Vec<usize> = found.listed.iter().map(|r| r.samples).collect();
    lengths.sort_unstable();
    let series = matches!(config.format, Format::Ts(_));
    config.encode = Encode::Direct(DirectEncode::default());
    match signal {
        Signal::Motion | Signal::Vibration => {
            config.window = window(signal, &lengths, rate, series, None, &mut why);
            config.normalise = Normalise::Robust;
        }
        Signal::Audio => {
            let hz = rate.ok_or_else(|| {
                SensorError::config("rate_hz", "samples per second, for a spectrogram", "none in the files")
            })?;
            let mel = mel(hz);
            config.window = window(signal, &lengths, rate, series, Some(mel.hop), &mut why);
            let frame = mel.frame;
            config.features = Features::Mel(mel);
            why.push(format!(
                "mel spectrograms of {frame} samples, {:.0} ms; loud and soft recordings are alike (level = \"absolute\" if \
                 loudness tells classes apart)",
                1e3 * frame as f64 / hz
            ));
        }
    }
    let counts = || found.classes.values().copied();
    if let (Some(least), Some(most)) = (counts().min(), counts().max())
        && most >= 3 * least
    {
        why.push(format!(
            "classes have {least} to {most} recordings: train.class_weights = \"balanced\" lets each count the same"
        ));
    }
    Ok(Proposal { signal, config, why })
}

/// Spectrograms of sound at `hz` samples per second: what the preset `audio` has, and the frame that belongs to the rate.
fn mel(hz: f64) -> MelFeatures {
    // 32 ms, as a power of two of samples.
    let frame = 1usize << (0.032 * hz).log2().round().clamp(4.0, 14.0) as u32;
    MelFeatures {
        frame,
        hop: frame / 2,
        mels: 40,
        low_hz: 60.0,
        floor: 1e-6,
        level: Level::Window,
        ..MelFeatures::default()
    }
}

/// The strictest split.
fn split(listed: &[Listed], why: &mut Vec<String>) -> Split {
    if let Some(files) = parts(listed) {
        why.push("the files come in a training and a test part".into());
        return Split::Files(files);
    }
    let groups: BTreeSet<&str> = listed.iter().filter_map(|r| r.group.as_deref()).collect();
    if groups.len() >= 2 && listed.iter().all(|r| r.group.is_some()) {
        let mut test: Vec<String> = Vec::new();
        let held = |test: &[String], r: &Listed| test.iter().any(|t| Some(t.as_str()) == r.group.as_deref());
        let classes = |test: &[String], side: bool| -> BTreeSet<Option<&str>> {
            listed.iter().filter(|r| held(test, r) == side).map(|r| r.label.as_deref()).collect()
        };
        let all = classes(&[], false).len();
        for group in groups.iter().rev() {
            let enough = listed.iter().filter(|r| held(&test, r)).count() as f64 >= TEST_SHARE * listed.len() as f64;
            if !test.is_empty() && (enough || test.len() + 1 == groups.len()) && classes(&test, true).len() == all {
                break;
            }
            let mut with = test.clone();
            with.push((*group).to_owned());
            if classes(&with, false).len() == all {
                test = with;
            }
        }
        if !test.is_empty() {
            let kept = groups.len() - test.len();
            let missing = all - classes(&test, true).len();
            why.push(format!("of {} groups {kept} train; none is on both sides", groups.len()));
            if missing > 0 {
                why.push(format!("{missing} classes have no recording in the test part: choose other groups, or more"));
            }
            return Split::Group(GroupSplit { test, ..Default::default() });
        }
    }
    let mut count: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    listed.iter().for_each(|r| *count.entry(r.label.as_deref()).or_default() += 1);
    let single = |r: &&Listed| count[&r.label.as_deref()] == 1;
    let cut: Vec<String> = listed.iter().filter(single).map(|r| r.name.clone()).collect();
    if cut.is_empty() {
        why.push(format!(
            "{:.0} % of the recordings of each class test. If they are of several persons or machines, name them: without groups \
             the test part has nobody new",
            100.0 * TEST_SHARE
        ));
    } else {
        why.push(format!(
            "{} classes have one recording, which is cut in time: the test part is of the same persons or machines",
            cut.len()
        ));
    }
    Split::Recording(RecordingSplit { test_share: TEST_SHARE, cut, ..Default::default() })
}

/// Files that say in folder or name which part they are of.
fn parts(listed: &[Listed]) -> Option<FileSplit> {
    let part = |word: &str| match word.to_lowercase().as_str() {
        "train" | "training" => Some(false),
        "test" | "testing" => Some(true),
        _ => None,
    };
    let mut found = FileSplit::default();
    for file in listed.iter().map(|r| r.file.as_str()).collect::<BTreeSet<_>>() {
        let folder = file.split_once('/').and_then(|(first, _)| Some((part(first)?, format!("{first}/*"))));
        let named = || {
            let (stem, end) = file.rsplit_once('.')?;
            let word = stem.rsplit(['_', '-', '/']).next()?;
            Some((part(word)?, format!("*{word}.{end}")))
        };
        let (test, pattern) = folder.or_else(named)?;
        let list = if test { &mut found.test } else { &mut found.train };
        if !list.contains(&pattern) {
            list.push(pattern);
        }
    }
    (!found.train.is_empty() && !found.test.is_empty()).then_some(found)
}

/// Windows of recordings of such lengths, sorted; with a spectrogram, `frames` is the hop of its frames.
fn window(
    signal: Signal,
    lengths: &[usize],
    rate: Option<f64>,
    series: bool,
    frames: Option<usize>,
    why: &mut Vec<String>,
) -> Window {
    let at = |share: f64| lengths[((lengths.len() - 1) as f64 * share) as usize];
    let (shortest, middle, longest) = (at(0.0), at(0.5), at(1.0));
    let samples = |seconds: f64| rate.map_or(WINDOW_WITHOUT_RATE, |hz| (seconds * hz).round().max(2.0) as usize);
    let (length, seconds) = match signal {
        Signal::Motion => (samples(MOTION_S), MOTION_S),
        Signal::Vibration => (WINDOW, 0.0),
        Signal::Audio => (samples(AUDIO_S), AUDIO_S),
    };
    let short = |length: usize| match signal {
        _ if shortest >= length => Short::Refuse,
        Signal::Audio => Short::PadZero,
        _ => Short::PadEdge,
    };
    // On a device a spectrogram runs on from window to window, so each begins where a frame does.
    let hop = |length: usize| (length / 2).next_multiple_of(frames.unwrap_or(1));
    // A recording that is hardly longer than a window is an event of its own.
    if series || middle < 2 * length {
        let length = if longest <= middle + middle / 2 { longest } else { at(0.95) };
        why.push(format!(
            "a recording is one window of {length} samples: the longest have {longest}, half of them {middle}"
        ));
        let hop = frames.map(|_| hop(length));
        return Window { length: Some(length), hop, short: short(length), limit: Some(1), ..Default::default() };
    }
    if rate.is_some() && seconds > 0.0 {
        why.push(format!("windows of {seconds} seconds, each half over the next"));
        return Window {
            length_s: Some(seconds),
            hop: frames.map(|_| hop(length)),
            hop_s: frames.is_none().then_some(seconds / 2.0),
            short: short(length),
            ..Default::default()
        };
    }
    why.push(format!("windows of {length} samples, each half over the next"));
    Window { length: Some(length), hop: Some(hop(length)), short: short(length), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(rows: &[(&str, &str, &str)]) -> Vec<Listed> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let row = |(file, label, group): &(&str, &str, &str)| Listed {
            file: (*file).into(),
            name: file.rsplit_once('.').unwrap().0.into(),
            label: some(label),
            group: some(group),
            samples: 100,
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn splits_are_as_strict_as_can_be() {
        let of = |rows: &[(&str, &str, &str)]| split(&listed(rows), &mut Vec::new());
        assert_eq!(
            of(&[("a_TRAIN.ts", "1", ""), ("a_TEST.ts", "1", "")]),
            Split::Files(FileSplit {
                train: vec!["*TRAIN.ts".into()],
                test: vec!["*TEST.ts".into()],
                ..Default::default()
            })
        );
        assert_eq!(
            of(&[("train/a/1.csv", "a", ""), ("test/a/2.csv", "a", "")]),
            Split::Files(FileSplit {
                train: vec!["train/*".into()],
                test: vec!["test/*".into()],
                ..Default::default()
            })
        );
        let group = |test: &[&str]| {
            Split::Group(GroupSplit { test: test.iter().map(|t| (*t).into()).collect(), ..Default::default() })
        };
        let all =
            [("1.csv", "x", "a"), ("2.csv", "y", "a"), ("3.csv", "x", "b"), ("4.csv", "y", "b"), ("5.csv", "x", "c")];
        // c alone has no y to test, b alone has both.
        assert_eq!(of(&all), group(&["c", "b"]));
        assert_eq!(of(&all[..4]), group(&["b"]));
        // Without b no y would be left to train on.
        let rows = [("1.csv", "x", "a"), ("3.csv", "x", "b"), ("4.csv", "y", "b")];
        assert_eq!(of(&rows[..2]), group(&["b"]));
        assert_eq!(of(&rows), group(&["a"]));
        // A group for each class cannot be held out.
        let rows = [("1.csv", "x", "a"), ("2.csv", "x", "a"), ("3.csv", "y", "b")];
        let Split::Recording(r) = of(&rows) else { panic!() };
        assert_eq!((r.test.len(), r.cut), (0, vec!["3".to_owned()]));
        let Split::Recording(r) = of(&[("1.csv", "x", ""), ("2.csv", "x", "a")]) else { panic!() };
        assert!(r.cut.is_empty());
    }

    #[test]
    fn windows_go_by_rate_and_length() {
        let of = |signal, lengths: &[usize], rate| window(signal, lengths, rate, false, None, &mut Vec::new());
        let sound = |lengths: &[usize]| window(Signal::Audio, lengths, Some(8000.0), false, Some(128), &mut Vec::new());
        let w = of(Signal::Motion, &[100, 1000, 2000], Some(50.0));
        assert_eq!((w.length_s, w.hop_s, w.short), (Some(2.56), Some(1.28), Short::PadEdge));
        let w = of(Signal::Motion, &[1000, 1000], None);
        assert_eq!((w.length, w.hop, w.short), (Some(128), Some(64), Short::Refuse));
        let w = of(Signal::Motion, &[100, 150, 160], Some(50.0));
        assert_eq!((w.length, w.limit, w.short), (Some(160), Some(1), Short::PadEdge));
        let w = sound(&[3000, 4000, 9000]);
        assert_eq!((w.length, w.hop, w.limit, w.short), (Some(4000), Some(2048), Some(1), Short::PadZero));
        let w = sound(&[90_000; 3]);
        assert_eq!((w.length_s, w.hop, w.hop_s), (Some(1.0), Some(4096), None));
        let w = of(Signal::Vibration, &[120_000; 3], Some(12_000.0));
        assert_eq!((w.length, w.hop), (Some(1024), Some(512)));
    }
}
