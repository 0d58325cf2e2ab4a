//! Public recordings, if `BITSPIKE_SENSOR_DATA` names a folder that holds them: `cwru/`, `fsdd/`, `watch/`, and the
//! problems of `aeon-ts/`, as the configurations in `examples/` expect them. Prints counts:
//!
//! ```sh
//! BITSPIKE_SENSOR_DATA=FOLDER cargo test --release -p bitspike-sensors --test real -- --nocapture --test-threads 1
//! ```

#![allow(clippy::print_stdout)]

use bitspike_sensors::{
    Features, Format, GroupSplit, Labels, Missing, Prepared, RecordingSplit, SensorConfig, Short, Split, Window,
    decode, prepare,
};
use std::path::{Path, PathBuf};

const CWRU: &str = include_str!("../examples/cwru.toml");
const FSDD: &str = include_str!("../examples/fsdd.toml");
const WATCH: &str = include_str!("../examples/watch.toml");
const AEON: &str = include_str!("../examples/aeon-ts.toml");

fn parse(text: &str) -> SensorConfig {
    toml::from_str(text).unwrap()
}

/// The folder with the data, or `None` with a printed reason.
fn data(set: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("BITSPIKE_SENSOR_DATA").map(PathBuf::from) else {
        println!("skipped {set}: BITSPIKE_SENSOR_DATA is not set");
        return None;
    };
    if !root.join(set).is_dir() {
        println!("skipped {set}: no such folder in {}", root.display());
        return None;
    }
    Some(root)
}

fn run(root: &Path, mut config: SensorConfig) -> Prepared {
    config.path = root.join(config.path);
    let p = prepare(&config).unwrap_or_else(|e| panic!("{e}"));
    let set = p.encode(0).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(set.train.samples.len() / set.train.len(), set.stored_steps * set.shape.iter().product::<usize>());
    let (train, test) = p.origins();
    println!(
        "{}: {} recordings, {} + {} windows of {}, {} classes, {} copies",
        p.split().name,
        p.recordings().len(),
        train.len(),
        test.len(),
        set.window,
        p.classes().len(),
        p.split().copies.len(),
    );
    p
}

#[test]
fn the_examples_are_valid() {
    for text in [CWRU, FSDD, WATCH, AEON] {
        parse(text).validate().unwrap();
    }
}

#[test]
fn cwru() {
    let Some(root) = data("cwru") else { return };
    for size in ["007", "014", "021"] {
        let mut config = parse(CWRU);
        let test = vec![format!("*{size}*")];
        config.split =
            Split::Recording(RecordingSplit { test, cut: vec!["Normal*".into()], ..RecordingSplit::default() });
        let p = run(&root, config.clone());
        assert_eq!((p.recordings().len(), p.classes().len()), (16, 4));
        // The same without the healthy bearing, so that every class is judged by a recording of its own.
        config.exclude = vec!["Normal*".into()];
        config.label_map.remove("Normal");
        config.split =
            Split::Recording(RecordingSplit { test: vec![format!("*{size}*")], ..RecordingSplit::default() });
        let p = run(&root, config);
        assert_eq!((p.recordings().len(), p.classes().len()), (15, 3));
    }
}

#[test]
fn fsdd() {
    let Some(root) = data("fsdd") else { return };
    for speaker in ["george", "jackson", "nicolas", "theo", "yweweler"] {
        let mut config = parse(FSDD);
        config.split = Split::Group(GroupSplit { test: vec![speaker.into()], ..GroupSplit::default() });
        let p = run(&root, config);
        assert_eq!((p.recordings().len(), p.origins().0.len(), p.origins().1.len()), (2500, 2000, 500));
    }
    let all: Vec<_> = std::fs::read_dir(root.join("fsdd")).unwrap().map(|e| e.unwrap().path()).collect();
    let longest = all.iter().filter(|p| p.extension().is_some_and(|e| e == "wav")).map(|p| {
        let wav = Format::Wav(Default::default());
        decode(p, &std::fs::read(p).unwrap(), &wav, Missing::Error).unwrap()[0].len()
    });
    println!("longest digit: {} samples", longest.max().unwrap());
}

#[test]
fn watch() {
    let Some(root) = data("watch") else { return };
    for subject in 1..=7 {
        let mut config = parse(WATCH);
        config.split = Split::Group(GroupSplit { test: vec![format!("s{subject:02}")], ..GroupSplit::default() });
        let p = run(&root, config);
        assert_eq!((p.recordings().len(), p.classes().len()), (98, 7));
    }
}

#[test]
fn aeon_ts() {
    let Some(root) = data("aeon-ts") else { return };
    // Name, training and test cases, classes; a window's length where cases differ in theirs.
    let problems = [
        ("ACSF1", 100, 100, 10, None),
        ("ArrowHead", 36, 175, 3, None),
        ("BasicMotions", 40, 40, 4, None),
        ("GunPoint", 50, 150, 2, None),
        ("ItalyPowerDemand", 67, 1029, 2, None),
        ("JapaneseVowels", 270, 370, 9, Some(29)),
        ("OSULeaf", 200, 242, 6, None),
        ("PickupGestureWiimoteZ", 50, 50, 10, Some(361)),
    ];
    for (name, train, test, classes, length) in problems {
        let mut config = parse(AEON);
        assert!(matches!(config.labels, Labels::Inside(_)) && matches!(config.features, Features::Raw(_)));
        config.path = Path::new("aeon-ts").join(name);
        config.files = vec![format!("{name}_TRAIN.ts"), format!("{name}_TEST.ts")];
        config.encode = Default::default();
        if length.is_some() {
            config.window = Window { length, short: Short::PadZero, limit: Some(1), ..Window::default() };
        }
        print!("{name} ");
        let p = run(&root, config);
        assert_eq!((p.origins().0.len(), p.origins().1.len(), p.classes().len()), (train, test, classes), "{name}");
    }
}
