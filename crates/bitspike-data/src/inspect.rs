//! What is this file or folder? Format, counts, shape, classes, value range, statistics, hashes.

use crate::format::cifar::{self, CifarKind};
use crate::format::{folder, idx, image_file};
use crate::set::{SampleSet, SourceFile};
use crate::source::{Content, Source, content_sha256, sha256_hex};
use crate::{DataConfig, DataError, DataSet, SetName, channel_stats, find, load, official};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What kind of data something is.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// An IDX image file.
    IdxImages,
    /// An IDX label file.
    IdxLabels,
    /// A folder with the four IDX files of MNIST or Fashion-MNIST.
    IdxFolder,
    /// A file of CIFAR-10 records.
    Cifar10File,
    /// A file of CIFAR-100 records.
    Cifar100File,
    /// A folder with `data_batch_*.bin` and `test_batch*.bin`.
    Cifar10Folder,
    /// A folder with `train.bin` and `test.bin`.
    Cifar100Folder,
    /// One PNG or JPEG file.
    Image,
    /// A folder with `train/<class>/` and `test/<class>/` or `val/<class>/`.
    ImageFolder,
}

/// Number of samples of one class.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassCount {
    /// Name of the class.
    pub class: String,
    /// Number of samples.
    pub samples: usize,
}

/// One part (train, validation, test, or the whole of a file). Fields that do not apply are empty.
#[derive(Serialize, Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// `train`, `validation`, `test` or `file`.
    pub name: String,
    /// Number of samples.
    pub samples: usize,
    /// `[C, H, W]`; `None` for labels alone and for images of differing size.
    pub shape: Option<[usize; 3]>,
    /// Samples per class, in label order.
    pub classes: Vec<ClassCount>,
    /// Smallest and largest byte.
    pub range: Option<[u8; 2]>,
    /// Mean of `p / 255` per channel.
    pub mean: Vec<f32>,
    /// Standard deviation of `p / 255` per channel.
    pub std: Vec<f32>,
}

/// Answer of [`inspect`].
#[derive(Serialize, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// What was looked at.
    pub path: PathBuf,
    /// Kind of data.
    pub kind: Kind,
    /// Official files recognised by the SHA-256 of their uncompressed content, written `<set>/<file>`.
    pub recognised: Vec<String>,
    /// Parts.
    pub parts: Vec<Part>,
    /// Files, with hashes.
    pub files: Vec<SourceFile>,
    /// Remarks for a reader.
    pub notes: Vec<String>,
}

/// Says what a file or folder holds, after reading all of it.
///
/// ```
/// use bitspike_data::{Kind, inspect};
/// let dir = tempfile::tempdir().unwrap();
/// let file = dir.path().join("labels");
/// std::fs::write(&file, [0, 0, 8, 1, 0, 0, 0, 2, 3, 1]).unwrap();
/// let seen = inspect(&file)?;
/// assert_eq!((seen.kind, seen.parts[0].samples, seen.parts[0].classes[3].samples), (Kind::IdxLabels, 2, 1));
/// # Ok::<(), bitspike_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Unrecognised`] for anything else, and the errors of the readers for damaged data.
pub fn inspect(path: impl AsRef<Path>) -> Result<Inspection, DataError> {
    let path = path.as_ref();
    if path.is_dir() { inspect_folder(path) } else { inspect_file(path) }
}

/// The kind of a folder, from the names in it.
pub(crate) fn folder_kind(path: &Path) -> Result<Kind, DataError> {
    let inner = |known: &official::Known| find::locate(known, Some(path));
    if official::MNIST.files.iter().any(|f| find::file_in(path, f.name).is_some()) {
        return Ok(Kind::IdxFolder);
    }
    if cifar::part_files(CifarKind::Cifar10, &inner(&official::CIFAR10)?).is_ok() {
        return Ok(Kind::Cifar10Folder);
    }
    if cifar::part_files(CifarKind::Cifar100, &inner(&official::CIFAR100)?).is_ok() {
        return Ok(Kind::Cifar100Folder);
    }
    if path.join("train").is_dir() {
        return Ok(Kind::ImageFolder);
    }
    let found = "a folder with neither IDX files, CIFAR files nor train/<class>/".into();
    Err(DataError::Unrecognised { path: path.into(), found })
}

/// The set that a folder holds. IDX folders are told apart by content; unknown content counts as MNIST.
pub(crate) fn folder_set(path: &Path, kind: Kind) -> Result<SetName, DataError> {
    Ok(match kind {
        Kind::Cifar10Folder => SetName::Cifar10,
        Kind::Cifar100Folder => SetName::Cifar100,
        Kind::ImageFolder => SetName::ImageFolder,
        _ => {
            // The label file is small, and the hashes of the sets differ.
            let Some(labels) = find::file_in(path, "train-labels-idx1-ubyte") else { return Ok(SetName::Mnist) };
            let (_, hash) = content_sha256(&labels, &Source::read(&labels)?.bytes)?;
            match official::recognise(&hash) {
                Some((SetName::FashionMnist, _)) => SetName::FashionMnist,
                _ => SetName::Mnist,
            }
        }
    })
}

fn inspect_folder(path: &Path) -> Result<Inspection, DataError> {
    let kind = folder_kind(path)?;
    let set = folder_set(path, kind)?;
    let cfg = DataConfig { set, path: Some(path.into()), ..DataConfig::default() };
    let mut out = Inspection {
        path: path.into(),
        kind,
        recognised: Vec::new(),
        parts: Vec::new(),
        files: Vec::new(),
        notes: Vec::new(),
    };
    match load(&cfg) {
        Ok(data) => {
            out.parts = parts(&data)?;
            out.notes.push(data.split.clone());
            out.files = data.files;
        }
        Err(DataError::Shape { path, found, expected, .. }) if kind == Kind::ImageFolder => {
            out.parts = unequal_parts(&folder::scan(cfg.path.as_deref().unwrap_or(&path))?);
            out.notes.push(format!(
                "images differ in size ({expected:?} and {found:?} at {}): set data.size",
                path.display()
            ));
        }
        Err(e) => return Err(e),
    }
    if kind != Kind::ImageFolder {
        for file in &out.files {
            let (_, hash) = content_sha256(&file.path, &Source::read(&file.path)?.bytes)?;
            out.recognised.extend(recognised(&hash));
        }
    }
    Ok(out)
}

fn inspect_file(path: &Path) -> Result<Inspection, DataError> {
    inspect_bytes(path, &Source::read(path)?.bytes)
}

/// As [`inspect`], for the bytes of a file that are already in memory; `path` is only reported.
///
/// # Errors
/// As [`inspect`], without those of reading.
pub fn inspect_bytes(path: &Path, bytes: &[u8]) -> Result<Inspection, DataError> {
    let (kind, part) = file_part(path, bytes)?;
    let (_, hash) = content_sha256(path, bytes)?;
    Ok(Inspection {
        path: path.into(),
        kind,
        recognised: recognised(&hash).into_iter().collect(),
        parts: vec![part],
        files: vec![SourceFile { path: path.into(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes) }],
        notes: Vec::new(),
    })
}

/// Kind and content of a single file.
pub(crate) fn file_part(path: &Path, bytes: &[u8]) -> Result<(Kind, Part), DataError> {
    let head = Content::new(path, bytes).take(8)?;
    if head.starts_with(&idx::IMAGES_MAGIC.to_be_bytes()) {
        let i = idx::parse_images(path, bytes)?;
        return Ok((Kind::IdxImages, unlabelled([1, i.height, i.width], i.pixels, i.count)?));
    }
    if head.starts_with(&idx::LABELS_MAGIC.to_be_bytes()) {
        let labels = idx::parse_labels(path, bytes, 256)?;
        let n = labels.iter().max().map_or(0, |m| *m as usize + 1);
        let mut counts = vec![0; n];
        labels.iter().for_each(|l| counts[*l as usize] += 1);
        let classes = counts.iter().enumerate().map(|(i, &samples)| ClassCount { class: i.to_string(), samples });
        let part = Part { name: "file".into(), samples: labels.len(), classes: classes.collect(), ..Part::default() };
        return Ok((Kind::IdxLabels, part));
    }
    if head.starts_with(b"\x89PNG") || head.starts_with(b"\xff\xd8") {
        let rgb = image_file::open(path, bytes)?.to_rgb8();
        let (h, w) = (rgb.height() as usize, rgb.width() as usize);
        // Planes are not needed for range and sums: a row of pixels is as good as a plane once channels are apart.
        let pixels = (0..3).flat_map(|c| rgb.as_raw().iter().skip(c).step_by(3).copied()).collect();
        return Ok((Kind::Image, unlabelled([3, h, w], pixels, 1)?));
    }
    for (kind, cifar_kind, known) in [
        (Kind::Cifar10File, CifarKind::Cifar10, &official::CIFAR10),
        (Kind::Cifar100File, CifarKind::Cifar100, &official::CIFAR100),
    ] {
        // There is no magic number: whole records with labels in range are taken as the format. If the name is that of
        // an official file, the reader's own complaint says more than "not recognised".
        match cifar::parse(path, bytes, cifar_kind) {
            Ok(r) => {
                let classes = known.classes.iter().map(|c| c.to_string()).collect();
                return Ok((kind, part("file", &SampleSet::new([3, 32, 32], r.pixels, r.labels, classes)?)?));
            }
            Err(e @ DataError::Gzip { .. }) => return Err(e),
            Err(e) if known.files.iter().any(|f| f.name == cifar::stem(path)) => return Err(e),
            Err(_) => {}
        }
    }
    let start: Vec<String> = head.iter().map(|b| format!("{b:02x}")).collect();
    let found = format!("{} bytes, beginning {}", bytes.len(), start.join(" "));
    Err(DataError::Unrecognised { path: path.into(), found })
}

pub(crate) fn recognised(hash: &str) -> Option<String> {
    official::recognise(hash).map(|(set, file)| format!("{set}/{file}"))
}

fn parts(data: &DataSet) -> Result<Vec<Part>, DataError> {
    let all = [("train", Some(&data.train)), ("validation", data.validation.as_ref()), ("test", Some(&data.test))];
    all.into_iter().filter_map(|(name, set)| Some(part(name, set?))).collect()
}

fn part(name: &str, set: &SampleSet) -> Result<Part, DataError> {
    let (mean, std) = channel_stats(set)?;
    let count = |(class, samples): (&String, usize)| ClassCount { class: class.clone(), samples };
    Ok(Part {
        name: name.into(),
        samples: set.len(),
        shape: Some(set.shape),
        classes: set.classes.iter().zip(set.class_counts()).map(count).collect(),
        range: set.bytes().iter().min().copied().zip(set.bytes().iter().max().copied()).map(|(a, b)| [a, b]),
        mean,
        std,
    })
}

fn unlabelled(shape: [usize; 3], pixels: Vec<u8>, n: usize) -> Result<Part, DataError> {
    let set = SampleSet::new(shape, pixels, vec![0; n], vec![String::new()])?;
    Ok(Part { classes: Vec::new(), ..part("file", &set)? })
}

/// Counts alone, for images of differing size.
fn unequal_parts(scan: &folder::Scan) -> Vec<Part> {
    let count = |name: &str, listing: &folder::Listing| {
        let counts = listing.class_counts(scan.classes.len());
        let classes = scan.classes.iter().zip(counts).map(|(c, samples)| ClassCount { class: c.clone(), samples });
        Part { name: name.into(), samples: listing.samples.len(), classes: classes.collect(), ..Part::default() }
    };
    let mut all = vec![count("train", &scan.train)];
    all.extend(scan.validation.iter().map(|v| count("validation", v)));
    all.push(count("test", &scan.test));
    all
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
