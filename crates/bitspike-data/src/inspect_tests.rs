//! Tests of `inspect`, on files made here.

use super::*;
use crate::format::folder::tests::{png, tiny};
use crate::format::idx::tests::{images, labels};
use crate::source::tests::gz;
use std::fs;

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn each_kind_of_file() {
    let mut cifar10 = vec![9u8];
    cifar10.extend([7; 3072]);
    let mut cifar100 = vec![19u8, 99];
    cifar100.extend([7; 3072]);
    let rows = [
        (images(2, 1, 2, &[1, 2, 3, 4]), Kind::IdxImages, 2, Some([1, 1, 2]), Some([1, 4])),
        (gz(&labels(&[2, 2, 0])), Kind::IdxLabels, 3, None, None),
        (cifar10.clone(), Kind::Cifar10File, 1, Some([3, 32, 32]), Some([7, 7])),
        (gz(&cifar100), Kind::Cifar100File, 1, Some([3, 32, 32]), Some([7, 7])),
        (png(5, 4, [10, 20, 30]), Kind::Image, 1, Some([3, 4, 5]), Some([10, 30])),
    ];
    for (bytes, kind, samples, shape, range) in rows {
        let (_dir, path) = file(&bytes);
        let seen = inspect(&path).unwrap();
        let p = &seen.parts[0];
        assert_eq!((seen.kind, p.samples, p.shape, p.range), (kind, samples, shape, range));
        assert_eq!(seen.files[0].bytes, bytes.len() as u64);
    }
    let (_dir, path) = file(&png(2, 2, [51, 102, 255]));
    assert_eq!(inspect(&path).unwrap().parts[0].mean, [0.2, 0.4, 1.0]);
}

#[test]
fn other_bytes_are_not_recognised() {
    for bytes in [&b""[..], b"hello", &[0, 0, 8, 2, 0, 0, 0, 1], &[255; 3073]] {
        let (_dir, path) = file(bytes);
        assert!(matches!(inspect(&path), Err(DataError::Unrecognised { .. })), "{bytes:?}");
    }
    assert!(matches!(inspect("no such file"), Err(DataError::Io { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(inspect(empty.path()), Err(DataError::Unrecognised { .. })));
}

#[test]
fn an_image_folder_with_equal_and_with_unequal_sizes() {
    let dir = tiny();
    let seen = inspect(dir.path()).unwrap();
    assert_eq!((seen.kind, seen.parts.len(), seen.parts[0].samples), (Kind::ImageFolder, 2, 4));
    assert_eq!(seen.parts[0].classes[0], ClassCount { class: "a".into(), samples: 3 });
    assert_eq!(seen.parts[0].range, Some([1, 200]));
    fs::write(dir.path().join("train/b/x.png"), png(9, 9, [0; 3])).unwrap();
    let seen = inspect(dir.path()).unwrap();
    assert_eq!((seen.parts[0].samples, seen.parts[0].shape), (4, None));
    assert!(seen.notes[0].contains("data.size"), "{:?}", seen.notes);
}

#[test]
fn the_files_of_the_embedded_set_are_recognised() {
    let dir = tempfile::tempdir().unwrap();
    for s in crate::mini::sources() {
        fs::write(dir.path().join(s.path.file_name().unwrap()), &s.bytes).unwrap();
    }
    let seen = inspect(dir.path()).unwrap();
    assert_eq!(seen.kind, Kind::IdxFolder);
    assert_eq!(seen.recognised.len(), 4);
    assert_eq!(seen.recognised[0], "fashion-mnist-mini/train-images-idx3-ubyte");
    let json = serde_json::to_value(&seen).unwrap();
    assert_eq!(json["kind"], "idx-folder");
    assert_eq!(json["parts"][0]["shape"], serde_json::json!([1, 28, 28]));
}

#[test]
fn damage_is_named_where_the_kind_is_clear() {
    let dir = tempfile::tempdir().unwrap();
    let mut packed = gz(&[0; 3073]);
    packed.truncate(packed.len() - 1);
    let rows = [("data_batch_1.bin", vec![0u8; 3000], "CIFAR record"), ("any", packed, "damaged gzip")];
    for (name, bytes, want) in rows {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let text = inspect(&path).unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
    }
}
