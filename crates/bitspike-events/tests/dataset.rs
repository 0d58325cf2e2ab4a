//! Lists of data sets, from folders made here.

use bitspike_events::dataset::{EventConfig, EventSetName, Item, Split, list};
use bitspike_events::{ErrorKind, EventError};
use std::collections::BTreeSet;
use std::path::Path;

/// A configuration with something changed.
fn with(c: &EventConfig, change: impl FnOnce(&mut EventConfig)) -> EventConfig {
    let mut c = c.clone();
    change(&mut c);
    c
}

/// Bytes of an N-MNIST file whose events say which it is.
fn bin(mark: u8) -> Vec<u8> {
    (0..20u8).flat_map(|i| [mark % 34, i, if i % 2 == 0 { 0x80 } else { 0 }, i, mark]).collect()
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn names(root: &Path, items: &[Item]) -> Vec<String> {
    items.iter().map(|i| i.path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
}

fn n_mnist(root: &Path) {
    for digit in 0..10 {
        for i in 0..5 + digit % 2 {
            put(root, &format!("N-MNIST/Train/{digit}/{i:05}.bin"), &bin((digit * 10 + i) as u8));
        }
        put(root, &format!("N-MNIST/Test/{digit}/00001.bin"), &bin(200 + digit as u8));
    }
    put(root, "N-MNIST/Train/3/._00001.bin", b"hidden");
    put(root, "N-MNIST/Train/3/readme.txt", b"no recording");
}

#[test]
fn n_mnist_is_listed_as_published_or_divided_without_overlap() {
    let dir = tempfile::tempdir().unwrap();
    n_mnist(dir.path());
    let mut c = EventConfig::new(EventSetName::NMnist, dir.path());
    let official = list(&c).unwrap();
    assert_eq!((official.train.len(), official.test.len(), official.split.as_str()), (55, 10, "official"));
    assert_eq!(official.per_class()[3], (6, 1));
    assert_eq!(
        names(&official.root, &official.train)[..3],
        ["Train/0/00000.bin", "Train/1/00000.bin", "Train/2/00000.bin"]
    );
    // The same from the folder itself, and another place gives the same hash.
    c.path = dir.path().join("N-MNIST");
    assert_eq!(list(&c).unwrap().sha256, official.sha256);

    for split in [Split::First(4), Split::Last(4), Split::Random(4, 1)] {
        c.options.split = Some(split);
        let l = list(&c).unwrap();
        assert_eq!((l.train.len(), l.test.len()), (40, 15), "{split}");
        let (a, b) = (names(&l.root, &l.train), names(&l.root, &l.test));
        let all: BTreeSet<&String> = a.iter().chain(&b).collect();
        assert_eq!(all.len(), 55, "no overlap");
        assert!(all.iter().all(|n| n.starts_with("Train/")), "the published test part is not touched");
        assert_ne!(l.sha256, official.sha256);
        if split == Split::First(4) {
            assert_eq!(b[0], "Train/0/00004.bin");
        }
        if split == Split::Last(4) {
            assert_eq!(b[..2], ["Train/0/00000.bin", "Train/1/00000.bin"]);
        }
    }
    let of = |seed| list(&with(&c, |c| c.options.split_seed = seed)).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1).sha256, of(2).sha256);
    assert_eq!(of(1).split, "random-4-1, seed 1");

    c.options.split = Some(Split::First(5));
    let e = list(&c).unwrap_err();
    assert_eq!(
        e.to_string(),
        "split: expected one that leaves training and test recordings (first-5), found 5 recordings of class 0"
    );
    (c.options.split, c.train_limit) = (None, Some(56));
    assert_eq!(list(&c).unwrap_err().to_string(), "train_limit: expected at most 55, what the list has, found 56");
    c.train_limit = Some(20);
    let l = list(&c).unwrap();
    assert!(l.per_class().iter().all(|n| *n == (2, 1)), "a prefix is balanced");
}

#[test]
fn cifar10_dvs_counts_files_and_needs_a_split() {
    let dir = tempfile::tempdir().unwrap();
    let classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    for class in classes {
        (0..12).for_each(|i| put(dir.path(), &format!("{class}/cifar10_{class}_{i}.aedat"), b"#!AER-DAT2.0\r\n"));
    }
    let mut c = EventConfig::new(EventSetName::Cifar10Dvs, dir.path());
    assert!(list(&c).unwrap_err().to_string().starts_with("split: expected first-N, last-N or random-A-B"));
    c.options.split = Some(Split::First(10));
    let l = list(&c).unwrap();
    assert_eq!(l.classes, classes);
    assert_eq!((l.train.len(), l.test.len()), (100, 20));
    // By number, not by letters: 10 and 11 come after 9.
    assert_eq!(names(dir.path(), &l.test)[0], "airplane/cifar10_airplane_10.aedat");
    std::fs::remove_dir_all(dir.path().join("ship")).unwrap();
    let e = list(&c).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Missing);
    assert!(e.to_string().starts_with("cifar10-dvs: not found: ship; looked into"), "{e}");
    assert!(e.hint().contains("https://figshare.com/"), "{}", e.hint());
}

#[test]
fn gestures_are_ranges_of_trials() {
    let dir = tempfile::tempdir().unwrap();
    for user in ["user01_led", "user02_lab", "user24_led"] {
        put(dir.path(), &format!("{user}.aedat"), b"#!AER-DAT3.1\r\n#!END-HEADER\r\n");
        let table = format!("class,startTime_usec,endTime_usec\n1,100,200\r\n11,150,{}\n\n", 900 + user.len());
        put(dir.path(), &format!("{user}_labels.csv"), table.as_bytes());
    }
    put(dir.path(), "trials_to_train.txt", b"user02_lab.aedat\r\nuser01_led.aedat\n\n");
    put(dir.path(), "trials_to_test.txt", b"user24_led.aedat\n");
    let c = EventConfig::new(EventSetName::Dvs128Gesture, dir.path());
    let l = list(&c).unwrap();
    assert_eq!((l.train.len(), l.test.len(), l.classes.len()), (4, 2, 11));
    assert_eq!((l.train[0].label, l.train[0].range), (0, Some((100, 200))));
    assert_eq!((l.train[1].label, l.train[1].range), (10, Some((150, 910))));
    assert_eq!(names(dir.path(), &l.train)[0], "user02_lab.aedat", "in the order of the list");
    for wrong in ["12,100,200", "0,1,2", "1,200,100", "1,2", "x,1,2", "1,2,3,4"] {
        put(dir.path(), "user01_led_labels.csv", format!("class,start,end\n1,5,6\n{wrong}\n").as_bytes());
        let e = list(&c).unwrap_err();
        assert_eq!(e.offset(), Some(22), "{wrong}: {e}");
        assert_eq!(e.kind(), ErrorKind::Corrupt);
    }
    std::fs::remove_file(dir.path().join("user01_led_labels.csv")).unwrap();
    let e = list(&c).unwrap_err();
    assert!(matches!(&e, EventError::Missing { missing, .. } if missing == &["user01_led_labels.csv"]), "{e}");
}

#[test]
fn a_folder_of_ones_own_has_parts_or_a_named_split() {
    let dir = tempfile::tempdir().unwrap();
    for (class, n) in [("cup", 4), ("mouse", 3)] {
        (0..n).for_each(|i| put(dir.path(), &format!("{class}/r{i}.csv"), b"t,x,y,p\n"));
    }
    let mut c = EventConfig::new(EventSetName::EventFolder, dir.path());
    assert!(list(&c).unwrap_err().to_string().contains("without train/ and test/"));
    c.options.split = Some(Split::Last(2));
    let l = list(&c).unwrap();
    assert_eq!((l.classes.clone(), l.per_class()), (vec!["cup".into(), "mouse".into()], vec![(2, 2), (2, 1)]));

    let parts = tempfile::tempdir().unwrap();
    for name in ["train/a/1.csv", "train/b/1.csv", "test/a/1.csv", "test/b/2.npz"] {
        put(parts.path(), name, b"");
    }
    (c.path, c.options.split) = (parts.path().into(), None);
    assert_eq!(list(&c).unwrap().per_class(), [(1, 1), (1, 1)]);
    put(parts.path(), "test/c/1.csv", b"");
    assert!(
        list(&c).unwrap_err().to_string().starts_with("path: expected test classes that training has too, found c")
    );
}

#[test]
fn windows_keep_a_gap_between_the_parts() {
    let dir = tempfile::tempdir().unwrap();
    for (name, first, last) in [("cup", 1_000i64, 1_000_999), ("mouse", -500, 2_000_000)] {
        let text: String = (0..50).map(|i| format!("{},1,2,1\n", first + (last - first) * i / 49)).collect();
        put(dir.path(), &format!("{name}.csv"), format!("t,x,y,p\n{text}").as_bytes());
    }
    let mut c = EventConfig::new(EventSetName::EventWindows, dir.path());
    assert_eq!(list(&c).unwrap_err().to_string(), "window_ms: expected a duration of at least 1, found no such key");
    (c.options.window_ms, c.options.gap_ms, c.options.train_part, c.options.time_unit) =
        (Some(100), Some(150), Some(0.6), Some("us".into()));
    let l = list(&c).unwrap();
    assert_eq!((l.classes.clone(), l.split.as_str()), (vec!["cup".into(), "mouse".into()], "by-time"));
    // cup: 1 s; training to 0.6 s: 6 windows; test from 0.75 s: 2. mouse: 2.000501 s: 12 and 6.
    assert_eq!(l.per_class(), [(6, 2), (12, 6)]);
    let ranges = |items: &[Item]| -> Vec<(i64, i64)> {
        items.iter().filter(|i| i.label == 0).map(|i| i.range.unwrap()).collect()
    };
    assert_eq!(ranges(&l.train)[5], (501_000, 601_000));
    assert_eq!(ranges(&l.test), [(751_000, 851_000), (851_000, 951_000)]);
    for label in 0..2 {
        let of = |items: &[Item]| -> Vec<(i64, i64)> {
            items.iter().filter(|i| i.label == label).map(|i| i.range.unwrap()).collect()
        };
        let end = of(&l.train).iter().map(|r| r.1).max().unwrap();
        assert!(of(&l.test).iter().all(|r| r.0 >= end + 150_000));
    }
    c.options.window_ms = Some(700);
    assert!(list(&c).unwrap_err().to_string().contains("leave training and test windows"));
    c.options.split = Some(Split::Official);
    assert!(list(&c).is_err());
}

#[test]
fn a_set_that_is_not_there_says_what_to_fetch() {
    let dir = tempfile::tempdir().unwrap();
    for set in EventSetName::ALL {
        let mut c = EventConfig::new(set, dir.path().join("nowhere"));
        match set {
            EventSetName::EventWindows => c.options.window_ms = Some(10),
            EventSetName::EventFolder | EventSetName::Cifar10Dvs | EventSetName::NCaltech101 | EventSetName::AslDvs => {
                c.options.split = Some(Split::First(1));
            }
            _ => {}
        }
        let e = list(&c).unwrap_err();
        if cfg!(not(feature = "hdf5")) && matches!(set, EventSetName::Shd | EventSetName::Ssc) {
            assert_eq!(e.kind(), ErrorKind::Unsupported, "{set}: {e}");
            continue;
        }
        assert_eq!(e.kind(), ErrorKind::Missing, "{set}: {e}");
        assert!(e.to_string().starts_with(set.as_str()), "{e}");
        let own = matches!(set, EventSetName::EventFolder | EventSetName::EventWindows);
        assert!(own || e.hint().contains("https://"), "{}", e.hint());
    }
}

#[test]
fn keys_that_do_not_fit_are_named() {
    let base = EventConfig::new(EventSetName::NMnist, "x");
    let cases: Vec<(&str, EventConfig)> = vec![
        ("steps", with(&base, |c| c.steps = 0)),
        ("size", with(&base, |c| c.options.size = Some([35, 34]))),
        ("size", with(&base, |c| c.options.size = Some([0, 34]))),
        ("sensor", with(&base, |c| c.options.sensor = Some([34, 34]))),
        ("window_ms", with(&base, |c| c.options.window_ms = Some(3))),
        ("split", with(&base, |c| c.options.split = Some(Split::ByTime))),
        ("split", with(&base, |c| c.options.split = Some(Split::OfficialValid))),
        ("train_limit", with(&base, |c| c.train_limit = Some(0))),
        (
            "format",
            with(&base, |c| {
                c.set = EventSetName::EventFolder;
                c.options.format = Some("mp3".into())
            }),
        ),
        (
            "camera",
            with(&base, |c| {
                c.set = EventSetName::EventFolder;
                c.options.camera = Some("x".into())
            }),
        ),
        (
            "time_unit",
            with(&base, |c| {
                c.set = EventSetName::EventFolder;
                c.options.time_unit = Some("h".into())
            }),
        ),
        (
            "train_part",
            with(&base, |c| {
                c.set = EventSetName::EventWindows;
                c.options.window_ms = Some(1);
                c.options.train_part = Some(1.0)
            }),
        ),
    ];
    for (key, c) in cases {
        let e = c.validate().unwrap_err().to_string();
        assert!(e.starts_with(&format!("{key}: ")), "{key}: {e}");
    }
}
