//! Tests of loading: embedded set, IDX folders, limits and hold-out.

use super::*;
use crate::format::idx::tests::{images, labels};
use crate::official::FASHION_MNIST_MINI;
use crate::source::content_sha256;
use crate::source::tests::gz;
use std::fs;

/// An MNIST folder with 5 training and 3 test images of 2x2; pixel value = sample number.
fn tiny_mnist(packed: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (part, n) in [("train", 5u8), ("t10k", 3)] {
        let pixels: Vec<u8> = (0..n).flat_map(|i| [i; 4]).collect();
        let l: Vec<u8> = (0..n).map(|i| i % 3).collect();
        for (name, bytes) in [
            (format!("{part}-images-idx3-ubyte"), images(n.into(), 2, 2, &pixels)),
            (format!("{part}-labels-idx1-ubyte"), labels(&l)),
        ] {
            let (name, bytes) = if packed { (name + ".gz", gz(&bytes)) } else { (name, bytes) };
            fs::write(dir.path().join(name), bytes).unwrap();
        }
    }
    dir
}

fn mnist(dir: &tempfile::TempDir) -> DataConfig {
    DataConfig { set: SetName::Mnist, path: Some(dir.path().into()), ..DataConfig::default() }
}

#[test]
fn the_embedded_set_is_what_its_table_says() {
    for (source, file) in mini::sources().iter().zip(FASHION_MNIST_MINI.files) {
        let (bytes, hash) = content_sha256(&source.path, &source.bytes).unwrap();
        assert_eq!((bytes, Some(hash.as_str())), (file.bytes, file.sha256), "{}", file.name);
    }
    let data = load(&DataConfig::default()).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.classes()), (8000, 2000, 10));
    assert_eq!((data.train.class_counts(), data.test.class_counts()), (vec![800; 10], vec![200; 10]));
    // Round robin: every prefix is balanced.
    assert!(data.train.labels.iter().enumerate().all(|(i, &l)| l as usize == i % 10));
    // Fashion-MNIST as a whole has mean 0.2860 and standard deviation 0.3530; a part of it must be near.
    assert!((data.channel_mean[0] - 0.2860).abs() < 0.005, "{:?}", data.channel_mean);
    assert!((data.channel_std[0] - 0.3530).abs() < 0.005, "{:?}", data.channel_std);
}

#[test]
fn plain_and_packed_folders_give_the_same_samples() {
    let (a, b) = (load(&mnist(&tiny_mnist(false))).unwrap(), load(&mnist(&tiny_mnist(true))).unwrap());
    assert_eq!((a.train, a.test), (b.train, b.test));
    assert_eq!(a.split, "unofficial train/test (5/3)");
}

#[test]
fn limits_then_hold_out() {
    let dir = tiny_mnist(true);
    let cfg = DataConfig { train_limit: Some(4), test_limit: Some(2), validation: 1, ..mnist(&dir) };
    let data = load(&cfg).unwrap();
    assert_eq!(data.train.bytes(), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(data.validation.as_ref().unwrap().bytes(), [3; 4]);
    assert_eq!(data.test.labels, [0, 1]);
    assert_eq!(
        data.split,
        "unofficial train/test (5/3); train: first 4 in file order; test: first 2 in file order; validation: last 1 of \
         these"
    );
    // Statistics are those of the training part in use: pixels 0, 1, 2.
    assert_eq!(data.channel_mean, [(1.0 / 255.0) as f32]);
    assert_eq!(data.summary().validation, 1);
}

#[test]
fn mirrored_views_are_sequences() {
    let cfg = DataConfig { views: Views::Mirrored, validation: 1000, ..DataConfig::default() };
    let (plain, one, three) = (
        load(&DataConfig { views: Views::Same, ..cfg.clone() }).unwrap(),
        load_frames(&cfg, 1).unwrap(),
        load_frames(&cfg, 3).unwrap(),
    );
    assert_eq!(one.train, plain.train, "one step has one view");
    assert_eq!((one.split.clone(), three.steps(), three.shape()), (plain.split.clone(), 3, [1, 28, 28]));
    assert!(three.split.ends_with("3 frames of each, every second one mirrored"), "{}", three.split);
    let parts = |set: &DataSet| [set.train.clone(), set.validation.clone().unwrap(), set.test.clone()];
    for (set, plain) in parts(&three).iter().zip(parts(&plain)) {
        assert_eq!((set.len(), &set.labels), (plain.len(), &plain.labels));
        for i in 0..set.len() {
            let (frames, image) = (set.image(i).unwrap(), plain.image(i).unwrap());
            let mirrored: Vec<u8> = (0..784).map(|p| image[p / 28 * 28 + 27 - p % 28]).collect();
            assert_eq!(frames, [image, &mirrored, image].concat());
        }
    }
    let difference = three.channel_mean[0] - plain.channel_mean[0];
    assert!(difference.abs() < 1e-5, "mirroring keeps the mean: {difference}");
}

#[test]
fn impossible_numbers_are_refused() {
    let dir = tiny_mnist(true);
    let rows = [
        (DataConfig { train_limit: Some(6), ..mnist(&dir) }, "data.train_limit"),
        (DataConfig { test_limit: Some(4), ..mnist(&dir) }, "data.test_limit"),
        (DataConfig { validation: 5, ..mnist(&dir) }, "data.validation"),
        (DataConfig { validation: usize::MAX, ..mnist(&dir) }, "data.validation"),
    ];
    for (cfg, want) in rows {
        assert!(matches!(load(&cfg), Err(DataError::Config { key, .. }) if key == want), "{want}");
    }
}

#[test]
fn absent_and_mismatched_files() {
    let dir = tiny_mnist(false);
    fs::write(dir.path().join("train-labels-idx1-ubyte"), labels(&[0, 1])).unwrap();
    let err = load(&mnist(&dir)).unwrap_err();
    assert!(matches!(err, DataError::CountMismatch { images: 5, labels: 2, .. }), "{err}");
    fs::write(dir.path().join("train-labels-idx1-ubyte"), labels(&[0, 1, 2, 3, 4])).unwrap();
    fs::write(dir.path().join("t10k-images-idx3-ubyte"), images(3, 1, 1, &[0; 3])).unwrap();
    assert!(matches!(load(&mnist(&dir)), Err(DataError::Shape { found: [1, 1, 1], expected: [1, 2, 2], .. })));
    fs::remove_file(dir.path().join("t10k-images-idx3-ubyte")).unwrap();
    let err = load(&mnist(&dir)).unwrap_err();
    let DataError::Missing { missing, .. } = &err else { panic!("{err}") };
    assert_eq!(missing, &["t10k-images-idx3-ubyte[.gz] (7840016 bytes uncompressed)"]);
}
