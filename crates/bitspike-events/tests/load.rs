//! Frames of data sets, and their cache.

use bitspike_events::dataset::{Binning, EventConfig, EventSet, EventSetName, Split, Values, load, load_float};
use bitspike_events::{ErrorKind, FrameKind};
use std::path::{Path, PathBuf};

/// A configuration with something changed.
fn with(c: &EventConfig, change: impl FnOnce(&mut EventConfig)) -> EventConfig {
    let mut c = c.clone();
    change(&mut c);
    c
}

/// A set of two classes whose recordings are 3 x 4 pixels.
fn folder(root: &Path) -> EventConfig {
    for (class, row) in [("a", 0), ("b", 2)] {
        for i in 0..3 {
            let path = root.join(format!("{class}/{i}.csv"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let rows: String = (0..10).map(|k| format!("{},{},{row},{}\n", k * 10, (k + i) % 4, k % 2)).collect();
            std::fs::write(path, format!("t,x,y,p\n{rows}")).unwrap();
        }
    }
    let mut c = EventConfig::new(EventSetName::EventFolder, root);
    (c.options.split, c.options.sensor, c.options.time_unit) = (Some(Split::First(2)), Some([3, 4]), Some("us".into()));
    (c.steps, c.options.values) = (2, Values::Counts);
    c
}

fn in_pool(threads: usize, c: &EventConfig) -> EventSet {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| load(c)).unwrap()
}

#[test]
fn frames_have_the_stated_order_whatever_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let c = folder(dir.path());
    let set = load(&c).unwrap();
    assert_eq!((set.steps, set.shape, set.classes.clone()), (2, [2, 3, 4], vec!["a".into(), "b".into()]));
    assert_eq!((&set.train.labels[..], &set.test.labels[..]), (&[0, 1, 0, 1][..], &[0, 1][..]));
    assert_eq!(set.train.samples.len(), 4 * 2 * 2 * 3 * 4);
    // First sample, class a: events at row 0; t 0 to 45 and 46 to 90; OFF at even, ON at odd columns.
    assert_eq!(set.train.samples[..12], [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(set.train.samples[12..24], [0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(set.train.samples[24..36], [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Second sample, class b: row 2.
    assert_eq!(set.train.samples[48..60], [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0]);
    assert_eq!((1..4).map(|n| in_pool(n, &c)).filter(|s| *s == set).count(), 3);

    let small = load(&with(&c, |c| {
        c.options.size = Some([1, 2]);
        c.options.by = Binning::Count
    }))
    .unwrap();
    assert_eq!(small.train.samples[..8], [2, 1, 1, 1, 1, 1, 2, 1], "pixels that fall together are added");
    let binary = load(&with(&c, |c| {
        c.options.size = Some([1, 2]);
        c.options.values = Values::Binary
    }))
    .unwrap();
    assert!(binary.train.samples.iter().all(|v| *v == 1));
    let voxels = load_float(&c, FrameKind::VoxelGrid).unwrap();
    assert_eq!((voxels.shape, voxels.train.samples.len()), ([1, 3, 4], 4 * 2 * 12));
    assert!(load_float(&c, FrameKind::TimeSurface { tau_us: -1.0 }).is_err());
}

#[test]
fn what_is_wrong_with_recordings_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let c = folder(dir.path());
    let e = load(&with(&c, |c| c.options.sensor = None)).unwrap_err();
    assert!(e.to_string().starts_with("sensor: expected [height, width], found no such key"), "{e}");
    let e = load(&with(&c, |c| c.options.sensor = Some([2, 4]))).unwrap_err();
    assert!(e.to_string().contains("b/0.csv: event 0: place: expected below (4, 2), found (0, 2)"), "{e}");
    assert!(load(&with(&c, |c| c.options.size = Some([4, 4]))).is_err());
    std::fs::write(dir.path().join("a/1.csv"), "t,x,y,p\n1,2,3,oops\n").unwrap();
    let e = load(&c).unwrap_err();
    assert!(e.to_string().contains("a/1.csv") && e.kind() == ErrorKind::Corrupt, "{e}");
}

fn only(folder: &Path) -> PathBuf {
    let all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn a_cache_is_used_only_while_nothing_changed() {
    let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut c = folder(dir.path());
    let plain = load(&c).unwrap();
    c.options.cache = Some(kept.path().join("new"));
    let first = load(&c).unwrap();
    assert!(!first.cached && first == plain);
    let second = load(&c).unwrap();
    assert!(second.cached);
    assert_eq!(second.train, plain.train);
    assert_eq!(
        (second.test, second.classes, second.split, second.list_sha256),
        (plain.test.clone(), plain.classes.clone(), plain.split.clone(), plain.list_sha256.clone())
    );
    // Another transform, another split: their own entries, and the first stays.
    for other in [
        with(&c, |c| c.steps = 3),
        with(&c, |c| c.options.values = Values::Binary),
        with(&c, |c| c.options.size = Some([3, 2])),
        with(&c, |c| c.options.by = Binning::Count),
        with(&c, |c| c.options.split = Some(Split::Last(2))),
    ] {
        let made = load(&other).unwrap();
        assert!(!made.cached);
        let again = load(&other).unwrap();
        assert!(again.cached && again.train == made.train && again.test == made.test);
    }
    assert!(load(&c).unwrap().cached);
    // A recording with other events, one more, one less.
    let changed = dir.path().join("a/0.csv");
    let text = std::fs::read_to_string(&changed).unwrap();
    std::fs::write(&changed, format!("{text}95,3,1,1\n")).unwrap();
    let set = load(&c).unwrap();
    assert!(!set.cached && set.train != plain.train);
    assert!(load(&c).unwrap().cached);
    std::fs::write(dir.path().join("b/9.csv"), "t,x,y,p\n1,1,1,1\n").unwrap();
    assert!(!load(&c).unwrap().cached);
}

#[test]
fn damaged_and_half_written_caches_are_made_again() {
    let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut c = folder(dir.path());
    c.options.cache = Some(kept.path().into());
    let made = load(&c).unwrap();
    let path = only(kept.path());
    let good = std::fs::read(&path).unwrap();
    for n in (0..good.len()).step_by(7).chain([8, 16, good.len() - 32, good.len() - 1]) {
        std::fs::write(&path, &good[..n]).unwrap();
        let set = load(&c).unwrap();
        assert!(!set.cached && set == made, "cut at {n}");
        assert_eq!(std::fs::read(&path).unwrap(), good, "whole again");
    }
    for at in (8..good.len()).step_by(11) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let set = load(&c).unwrap();
        assert!(!set.cached && set == made, "damage at {at}");
    }
    let mut longer = good.clone();
    longer.push(0);
    std::fs::write(&path, longer).unwrap();
    assert!(!load(&c).unwrap().cached);
    // A write that was interrupted leaves a file that nobody reads.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(kept.path().join(format!("{}.1.tmp", path.file_name().unwrap().to_str().unwrap())), &good).unwrap();
    assert!(!load(&c).unwrap().cached);
    assert!(load(&c).unwrap().cached);
}

#[test]
fn a_foreign_file_is_left_alone() {
    let (dir, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut c = folder(dir.path());
    c.options.cache = Some(kept.path().into());
    load(&c).unwrap();
    let path = only(kept.path());
    std::fs::write(&path, "a thesis").unwrap();
    let e = load(&c).unwrap_err();
    assert!(e.to_string().ends_with("expected the mark \"BSFRAMES\", found \"a thesis\""), "{e}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a thesis");
    // Other files in the folder are no matter.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(kept.path().join("notes.txt"), "mine").unwrap();
    assert!(!load(&c).unwrap().cached && load(&c).unwrap().cached);
    assert_eq!(std::fs::read_to_string(kept.path().join("notes.txt")).unwrap(), "mine");
}
