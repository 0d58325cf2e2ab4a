//! Tests of the image folder reader, on files made here.

use super::*;
use crate::format::image_file::open;
use crate::{DataConfig, SetName, load};
use image::{ExtendedColorType, ImageEncoder};

/// A PNG of one colour.
pub(crate) fn png(w: u32, h: u32, rgb: [u8; 3]) -> Vec<u8> {
    let mut out = Vec::new();
    let pixels: Vec<u8> = (0..w * h).flat_map(|_| rgb).collect();
    image::codecs::png::PngEncoder::new(&mut out).write_image(&pixels, w, h, ExtendedColorType::Rgb8).unwrap();
    out
}

/// A JPEG with a gradient, so that it has entropy-coded data worth cutting.
fn jpeg(w: u32, h: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let pixels: Vec<u8> = (0..w * h).flat_map(|i| [(i * 7) as u8, (i * 3) as u8, i as u8]).collect();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 90)
        .write_image(&pixels, w, h, ExtendedColorType::Rgb8)
        .unwrap();
    out
}

pub(crate) fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// train: a (3 files), b (1 file); test: b (1 file).
pub(crate) fn tiny() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, red) in [
        ("train/a/1.png", 1),
        ("train/a/2.PNG", 2),
        ("train/a/10.png", 10),
        ("train/b/x.png", 20),
        ("test/b/t.png", 30),
    ] {
        put(dir.path(), name, &png(3, 2, [red, 100, 200]));
    }
    put(dir.path(), "train/a/notes.txt", b"skipped");
    put(dir.path(), "train/.cache/x.png", b"skipped");
    dir
}

fn cfg(root: &Path) -> DataConfig {
    DataConfig { set: SetName::ImageFolder, path: Some(root.into()), ..DataConfig::default() }
}

#[test]
fn order_classes_and_planes() {
    let dir = tiny();
    let data = load(&cfg(dir.path())).unwrap();
    assert_eq!(data.shape(), [3, 2, 3]);
    assert_eq!(data.train.classes, ["a", "b"]);
    // Bytewise "1.png" < "10.png" < "2.PNG", then round robin: a/1, b/x, a/10, a/2.
    let reds: Vec<u8> = (0..4).map(|i| data.train.image(i).unwrap()[0]).collect();
    assert_eq!((reds, data.train.labels.as_slice()), (vec![1, 20, 10, 2], [0, 1, 0, 0].as_slice()));
    assert_eq!(data.train.image(0).unwrap()[6..], [100, 100, 100, 100, 100, 100, 200, 200, 200, 200, 200, 200]);
    assert_eq!(data.test.labels, [1]);
    assert_eq!(data.files.len(), 2);
}

#[test]
fn limits_read_only_what_they_keep() {
    let dir = tiny();
    put(dir.path(), "train/a/3.png", b"damaged, but beyond the limit");
    let limited = DataConfig { train_limit: Some(2), ..cfg(dir.path()) };
    assert_eq!(load(&limited).unwrap().train.labels, [0, 1]);
    assert!(matches!(load(&cfg(dir.path())), Err(DataError::Decode { path, .. }) if path.ends_with("3.png")));
    let too_many = DataConfig { train_limit: Some(9), ..cfg(dir.path()) };
    assert!(matches!(load(&too_many), Err(DataError::Config { key: "data.train_limit", .. })));
}

#[test]
fn resize_and_grey() {
    let dir = tiny();
    put(dir.path(), "train/b/x.png", &png(9, 5, [20, 20, 20]));
    assert!(matches!(load(&cfg(dir.path())), Err(DataError::Shape { found: [3, 5, 9], expected: [3, 2, 3], .. })));
    let sized = DataConfig { size: Some([4, 4]), channels: Some(1), ..cfg(dir.path()) };
    let data = load(&sized).unwrap();
    assert_eq!(data.shape(), [1, 4, 4]);
    // A constant image stays constant under scaling; grey of equal channels is that value.
    assert!(data.train.image(1).unwrap().iter().all(|&p| p == 20));
}

#[test]
fn validation_folder_and_test_folder() {
    let dir = tiny();
    put(dir.path(), "val/a/v.png", &png(3, 2, [40, 0, 0]));
    let data = load(&cfg(dir.path())).unwrap();
    assert_eq!(data.validation.unwrap().labels, [0]);
    let held = load(&DataConfig { validation: 2, ..cfg(dir.path()) }).unwrap();
    assert_eq!((held.train.len(), held.validation.as_ref().unwrap().len()), (2, 2));
    assert!(held.split.contains("val/ not used"), "{}", held.split);
    fs::remove_dir_all(dir.path().join("test")).unwrap();
    let data = load(&cfg(dir.path())).unwrap();
    assert!(data.validation.is_none() && data.test.labels == [0]);
}

#[test]
fn structural_errors() {
    let dir = tiny();
    put(dir.path(), "test/c/t.png", &png(3, 2, [0; 3]));
    assert!(matches!(load(&cfg(dir.path())), Err(DataError::UnknownClass { class, .. }) if class == "c"));
    fs::remove_dir_all(dir.path().join("test")).unwrap();
    assert!(matches!(load(&cfg(dir.path())), Err(DataError::Missing { .. })));
    put(dir.path(), "test/a/readme.txt", b"no image");
    assert!(matches!(load(&cfg(dir.path())), Err(DataError::Empty { .. })));
    let empty = tempfile::tempdir().unwrap();
    fs::create_dir_all(empty.path().join("train")).unwrap();
    fs::create_dir_all(empty.path().join("test")).unwrap();
    assert!(matches!(load(&cfg(empty.path())), Err(DataError::Empty { what: "class folders", .. })));
}

#[test]
fn every_cut_of_an_image_is_an_error() {
    for (name, file) in [("png", png(5, 4, [9, 8, 7])), ("jpeg", jpeg(24, 16))] {
        assert!(open(Path::new(name), &file).is_ok(), "{name}");
        for cut in 0..file.len() {
            assert!(
                matches!(open(Path::new(name), &file[..cut]), Err(DataError::Decode { .. })),
                "{name} cut at {cut} of {}",
                file.len()
            );
        }
    }
}

#[test]
fn provenance_changes_with_any_byte() {
    let dir = tiny();
    let before = load(&cfg(dir.path())).unwrap().files;
    put(dir.path(), "train/a/2.PNG", &png(3, 2, [3, 100, 200]));
    let after = load(&cfg(dir.path())).unwrap().files;
    assert_ne!(before[0].sha256, after[0].sha256);
    assert_eq!(before[1], after[1]);
}

#[test]
fn images_are_turned_as_exif_says() {
    let plain = jpeg(4, 2);
    // A TIFF of one entry: tag 0x112, one short, 6: the top of the picture is its right side.
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut turned = plain[..2].to_vec();
    turned.extend([0xff, 0xe1, 0, (2 + 6 + tiff.len()) as u8]);
    turned.extend(b"Exif\0\0");
    turned.extend(tiff);
    turned.extend(&plain[2..]);
    let [plain, turned] = [plain, turned].map(|bytes| open(Path::new("x.jpg"), &bytes).unwrap());
    assert_eq!((plain.width(), plain.height()), (4, 2));
    assert_eq!(turned, plain.rotate90());
}
