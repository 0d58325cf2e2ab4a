//! Image folders: `<root>/train/<class>/*.{png,jpg,jpeg}` and the same below `test/` (or `val/`).
//!
//! - Classes are the folders below `train/`, sorted bytewise; hidden folders (`.name`) are skipped.
//! - Files of a class are sorted bytewise by name; other extensions and sub-folders are skipped.
//! - Sample order is round robin over the classes: the first file of each class, then the second of each, and so on.
//! - `test/` is the test part. Without it, `val/` (or `validation/`) is. With both, `val/` is the validation part unless
//!   `data.validation` takes one from the training part.
//! - Alpha is dropped, 16-bit samples are reduced to 8, EXIF orientation is not applied.
//! - With `data.size` an image is scaled (triangle filter, aspect ratio kept) until it covers the size, then cropped at
//!   the centre. Without it every image must have the size of the first.
//!
//! Everything is held in memory as bytes: 100,000 images of 3x64x64 take 1.2 GB.

use crate::config::MAX_SIDE;
use crate::set::{ImageSet, SourceFile};
use crate::source::{hex, sha256_hex};
use crate::{DataConfig, DataError};
use image::imageops::FilterType;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Largest height or width a file may have before scaling; bounds the memory one file can ask for.
const MAX_FILE_SIDE: u32 = 16_384;
const MAX_DECODE_BYTES: u64 = 1 << 30;
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Files of one part, in sample order, each with its class.
pub(crate) struct Listing {
    pub(crate) folder: PathBuf,
    pub(crate) samples: Vec<(PathBuf, u32)>,
}

/// An image folder before any image is decoded.
pub(crate) struct Scan {
    pub(crate) classes: Vec<String>,
    pub(crate) train: Listing,
    pub(crate) validation: Option<Listing>,
    pub(crate) test: Listing,
}

/// Lists the files of an image folder.
pub(crate) fn scan(root: &Path) -> Result<Scan, DataError> {
    let train_folder = root.join("train");
    let val = ["val", "validation"].map(|n| root.join(n)).into_iter().find(|p| p.is_dir());
    let test = Some(root.join("test")).filter(|p| p.is_dir());
    let (validation, test) = match (val, test) {
        (val, Some(test)) => (val, Some(test)),
        (val, None) => (None, val),
    };
    let mut absent = Vec::new();
    if !train_folder.is_dir() {
        absent.push("train/<class>/*.png or *.jpg".to_string());
    }
    let Some(test) = test.filter(|_| absent.is_empty()) else {
        if absent.is_empty() {
            absent.push("test/<class>/*.png or *.jpg (or val/)".to_string());
        }
        return Err(DataError::Missing {
            set: "image-folder",
            searched: vec![root.to_path_buf()],
            missing: absent,
            source_hint: "data.path must be the folder that holds train/ and test/".into(),
        });
    };
    let class_folders = sub_folders(&train_folder)?;
    if class_folders.is_empty() {
        return Err(DataError::Empty { path: train_folder, what: "class folders" });
    }
    let classes: Vec<String> = class_folders.iter().map(|(n, _)| n.clone()).collect();
    let list = |folder: PathBuf| -> Result<Listing, DataError> {
        let mut per_class = vec![Vec::new(); classes.len()];
        for (class, path) in sub_folders(&folder)? {
            let Ok(index) = classes.binary_search(&class) else {
                return Err(DataError::UnknownClass { path, class, train: train_folder.clone() });
            };
            per_class[index] = image_files(&path)?;
        }
        let samples = round_robin(&per_class);
        if samples.is_empty() {
            return Err(DataError::Empty { path: folder, what: "class folders with images" });
        }
        Ok(Listing { folder, samples })
    };
    Ok(Scan {
        train: list(train_folder.clone())?,
        test: list(test)?,
        validation: validation.map(list).transpose()?,
        classes,
    })
}

/// Decodes the first `limit` samples of a listing.
///
/// `shape` is `[C, H, W]`; a height of 0 means: take the size of the first image. Returns the set, the shape's source
/// for messages, and the provenance.
pub(crate) fn decode(
    listing: &Listing,
    classes: &[String],
    limit: usize,
    target: &Target,
) -> Result<(ImageSet, SourceFile), DataError> {
    let samples = &listing.samples[..limit.min(listing.samples.len())];
    let [c, h, w] = target.shape;
    let size = c * h * w;
    let too_large = || DataError::TooLarge {
        path: listing.folder.clone(),
        samples: samples.len() as u64,
        shape: [c as u64, h as u64, w as u64],
    };
    let total = samples.len().checked_mul(size).ok_or_else(too_large)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(total).map_err(|_| too_large())?;
    pixels.resize(total, 0);
    let results: Vec<Result<(u64, String), DataError>> = pixels
        .par_chunks_exact_mut(size)
        .zip(samples.par_iter())
        .map(|(out, (path, _))| {
            let bytes = fs::read(path).map_err(|source| DataError::Io { path: path.clone(), source })?;
            decode_into(path, &bytes, target, out)?;
            Ok((bytes.len() as u64, sha256_hex(&bytes)))
        })
        .collect();
    // In sample order, so that the same error is reported whatever the thread count.
    let mut bytes = 0;
    let mut lines = Vec::with_capacity(samples.len());
    for (result, (path, class)) in results.into_iter().zip(samples) {
        let (n, hash) = result?;
        bytes += n;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        lines.push((format!("{}/{name}", classes[*class as usize]), hash));
    }
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for (name, hash) in &lines {
        hasher.update(format!("{hash}  {name}\n"));
    }
    let set = ImageSet::new(target.shape, pixels, samples.iter().map(|s| s.1).collect(), classes.to_vec())?;
    Ok((set, SourceFile { path: listing.folder.clone(), bytes, sha256: hex(&hasher.finalize()) }))
}

/// Shape every image must get, and where that shape comes from.
pub(crate) struct Target {
    pub(crate) shape: [usize; 3],
    resize: bool,
    reference: PathBuf,
}

impl Target {
    /// From the configuration, or from the first training image.
    pub(crate) fn new(cfg: &DataConfig, train: &Listing) -> Result<Self, DataError> {
        let c = cfg.channels.unwrap_or(3);
        let reference = train.samples[0].0.clone();
        if let Some([h, w]) = cfg.size {
            return Ok(Self { shape: [c, h, w], resize: true, reference });
        }
        let bytes = fs::read(&reference).map_err(|source| DataError::Io { path: reference.clone(), source })?;
        let image = open(&reference, &bytes)?;
        let (h, w) = (image.height() as usize, image.width() as usize);
        if h.max(w) > MAX_SIDE {
            return Err(DataError::Config {
                key: "data.size",
                expected: format!("[height, width] for images larger than {MAX_SIDE} ({})", reference.display()),
                found: "no such key".into(),
            });
        }
        Ok(Self { shape: [c, h, w], resize: false, reference })
    }
}

/// Decodes, scales and writes one image as `[C, H, W]`.
fn decode_into(path: &Path, bytes: &[u8], target: &Target, out: &mut [u8]) -> Result<(), DataError> {
    let [c, h, w] = target.shape;
    let mut image = open(path, bytes)?;
    let found = [c, image.height() as usize, image.width() as usize];
    if found != target.shape {
        if !target.resize {
            let (expected, reference) = (target.shape, target.reference.clone());
            return Err(DataError::Shape { path: path.into(), found, expected, reference });
        }
        image = image.resize_to_fill(w as u32, h as u32, FilterType::Triangle);
    }
    if c == 1 {
        out.copy_from_slice(image.to_luma8().as_raw());
        return Ok(());
    }
    // The decoder gives H·W·C; planes are wanted.
    for (i, rgb) in image.to_rgb8().as_raw().chunks_exact(3).enumerate() {
        for (k, &v) in rgb.iter().enumerate() {
            out[k * h * w + i] = v;
        }
    }
    Ok(())
}

/// Decodes a PNG or JPEG file, with limits, and refuses files that are cut off.
pub(crate) fn open(path: &Path, bytes: &[u8]) -> Result<image::DynamicImage, DataError> {
    let bad = |reason: String| DataError::Decode { path: path.into(), reason };
    // Decoders fill up what is missing at the end with grey and report success; a data set must not contain that.
    if let Some(reason) = cut_off(bytes) {
        return Err(bad(reason.into()));
    }
    let mut reader = image::ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| DataError::Io { path: path.into(), source })?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_FILE_SIDE);
    limits.max_image_height = Some(MAX_FILE_SIDE);
    limits.max_alloc = Some(MAX_DECODE_BYTES);
    reader.limits(limits);
    reader.decode().map_err(|e| bad(e.to_string()))
}

/// Says why a PNG or JPEG file is incomplete, if it is.
fn cut_off(bytes: &[u8]) -> Option<&'static str> {
    const IEND: &[u8] = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82";
    if bytes.starts_with(b"\x89PNG") {
        let whole = bytes.windows(IEND.len()).rev().any(|w| w == IEND);
        return (!whole).then_some("PNG without its end (IEND chunk): the file is cut off");
    }
    if bytes.starts_with(b"\xff\xd8") {
        // Inside a scan 0xff is followed by 0x00 or a restart marker, so the last start of scan (ff da) followed by
        // an end of image (ff d9) means that the last scan is whole.
        let scan = bytes.windows(2).rposition(|w| w == b"\xff\xda");
        let whole = scan.is_some_and(|at| bytes[at..].windows(2).any(|w| w == b"\xff\xd9"));
        return (!whole).then_some("JPEG without its end (EOI marker): the file is cut off");
    }
    None
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Io { path: folder.into(), source };
    fs::read_dir(folder).map_err(io)?.map(|e| e.map(|e| e.path()).map_err(io)).collect()
}

/// Visible folders below a folder, with their names, sorted bytewise by name.
fn sub_folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let mut found = Vec::new();
    for path in entries(folder)?.into_iter().filter(|p| p.is_dir()) {
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            return Err(DataError::Unrecognised { path, found: "a folder whose name is not UTF-8".into() });
        };
        if !name.starts_with('.') {
            found.push((name.to_string(), path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn image_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = entries(folder)?;
    files.retain(|p| is_image_name(p) && p.is_file());
    if files.is_empty() {
        return Err(DataError::Empty { path: folder.into(), what: "PNG or JPEG files" });
    }
    files.sort_unstable_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(files)
}

/// True if the extension is that of an image this crate reads.
pub(crate) fn is_image_name(path: &Path) -> bool {
    let ext = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    ext.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

fn round_robin(per_class: &[Vec<PathBuf>]) -> Vec<(PathBuf, u32)> {
    let most = per_class.iter().map(Vec::len).max().unwrap_or(0);
    let row = |k: usize| per_class.iter().enumerate().filter_map(move |(c, f)| Some((f.get(k)?.clone(), c as u32)));
    (0..most).flat_map(row).collect()
}

#[cfg(test)]
#[path = "folder_tests.rs"]
pub(crate) mod tests;
