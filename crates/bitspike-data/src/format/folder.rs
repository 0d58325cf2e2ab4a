//! Image folders: `<root>/train/<class>/*.{png,jpg,jpeg}` and the same below `test/` (or `val/`).
//!
//! - Classes are the folders below `train/`, sorted bytewise; hidden folders (`.name`) are skipped.
//! - Files of a class are sorted bytewise by name; other extensions and sub-folders are skipped.
//! - Sample order is round robin over the classes: the first file of each class, then the second of each, and so on.
//! - `test/` is the test part. Without it, `val/` (or `validation/`) is. With both, `val/` is the validation part unless
//!   `data.validation` takes one from the training part.
//! - Alpha is dropped, 16-bit samples are reduced to 8, EXIF orientation is not applied.
//! - With `data.size` an image is scaled (triangle filter, aspect ratio kept) until it covers the size (and `data.margin`
//!   more), then cropped at the centre. Without it every image must have the size of the first.
//!
//! Everything is held in memory as bytes, 100,000 images of 3x64x64 take 1.2 GB; or stays in the files with
//! `data.on_demand`.

use super::image_file::{Target, read};
use crate::set::{SampleSet, SourceFile, Values};
use crate::source::{hex, sha256_hex};
use crate::{DataError, ImageFiles};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Files of one part, in sample order, each with its class.
pub(crate) struct Listing {
    pub(crate) folder: PathBuf,
    pub(crate) samples: Vec<(PathBuf, u32)>,
}

impl Listing {
    /// Number of samples of each of `classes` classes.
    pub(crate) fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        self.samples.iter().for_each(|(_, class)| counts[*class as usize] += 1);
        counts
    }
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
/// Returns the set and the provenance.
pub(crate) fn decode(
    listing: &Listing,
    classes: &[String],
    limit: usize,
    target: &Target,
) -> Result<(SampleSet, SourceFile), DataError> {
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
            let bytes = read(path)?;
            target.decode(path, &bytes, |_| None, out)?;
            Ok((bytes.len() as u64, sha256_hex(&bytes)))
        })
        .collect();
    // In sample order, so that the same error is reported whatever the thread count.
    let (mut bytes, mut hashes) = (0, Vec::with_capacity(samples.len()));
    for result in results {
        let (n, hash) = result?;
        bytes += n;
        hashes.push(hash);
    }
    let set = SampleSet::new(target.shape, pixels, samples.iter().map(|s| s.1).collect(), classes.to_vec())?;
    Ok((set, source_file(listing, samples, classes, bytes, hashes)))
}

/// The first `limit` samples of a listing, left in their files. The provenance has the size of a file where that of
/// [`decode`] has its hash: to hash a set that memory does not hold would take as long as an epoch.
pub(crate) fn leave(
    listing: &Listing,
    classes: &[String],
    limit: usize,
    target: &Target,
) -> Result<(SampleSet, SourceFile), DataError> {
    let samples = &listing.samples[..limit.min(listing.samples.len())];
    let (mut bytes, mut sizes) = (0, Vec::with_capacity(samples.len()));
    for (path, _) in samples {
        let n = fs::metadata(path).map_err(|source| DataError::Io { path: path.clone(), source })?.len();
        bytes += n;
        sizes.push(n.to_string());
    }
    let paths = samples.iter().map(|s| s.0.clone()).collect();
    let values = Values::Files(ImageFiles::new(target.clone(), paths));
    let labels = samples.iter().map(|s| s.1).collect();
    let set = SampleSet::sequences(1, target.shape, values, labels, classes.to_vec())?;
    Ok((set, source_file(listing, samples, classes, bytes, sizes)))
}

/// Provenance of a part: its files with what identifies each.
fn source_file(
    listing: &Listing,
    samples: &[(PathBuf, u32)],
    classes: &[String],
    bytes: u64,
    of_each: Vec<String>,
) -> SourceFile {
    let name = |(path, class): &(PathBuf, u32)| {
        format!("{}/{}", classes[*class as usize], path.file_name().unwrap_or_default().to_string_lossy())
    };
    let mut lines: Vec<(String, String)> = samples.iter().map(name).zip(of_each).collect();
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for (name, what) in &lines {
        hasher.update(format!("{what}  {name}\n"));
    }
    SourceFile { path: listing.folder.clone(), bytes, sha256: hex(&hasher.finalize()) }
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
