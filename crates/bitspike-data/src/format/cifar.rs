//! CIFAR-10 and CIFAR-100, binary version.
//!
//! A file is a row of records without a header; 32x32 pixels, red plane, green plane, blue plane, row-major.
//! Source: Krizhevsky's CIFAR page.
//!
//! ```text
//! CIFAR-10   3073 bytes:  label (0..=9), 3072 pixels
//! CIFAR-100  3074 bytes:  coarse label (0..=19), fine label (0..=99), 3072 pixels
//! ```

use crate::find::{expected_names, missing};
use crate::official::{CIFAR10, CIFAR100, Known};
use crate::set::{SampleSet, SourceFile};
use crate::source::{Content, Source};
use crate::{DataError, SetName};
use std::fs;
use std::path::{Path, PathBuf};

const PIXELS: usize = 3 * 32 * 32;
/// More records than any official file has; bounds what a packed file may unpack to.
const MAX_RECORDS: u64 = 200_000;

/// Most bytes of the name of a class.
const MAX_NAME: u64 = 1 << 10;

/// Which of the two record layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CifarKind {
    /// One label byte.
    Cifar10,
    /// Coarse and fine label byte; the fine one is used.
    Cifar100,
}

impl CifarKind {
    /// Bytes of one record.
    ///
    /// ```
    /// use bitspike_data::format::cifar::CifarKind;
    /// assert_eq!((CifarKind::Cifar10.record(), CifarKind::Cifar100.record()), (3073, 3074));
    /// ```
    pub const fn record(self) -> usize {
        PIXELS + self.label_bytes()
    }

    const fn label_bytes(self) -> usize {
        match self {
            Self::Cifar10 => 1,
            Self::Cifar100 => 2,
        }
    }

    fn known(self) -> &'static Known {
        match self {
            Self::Cifar10 => &CIFAR10,
            Self::Cifar100 => &CIFAR100,
        }
    }
}

/// Records of one or more CIFAR files. Shapes: `pixels` is `[N, 3, 32, 32]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CifarRecords {
    /// All pixels.
    pub pixels: Vec<u8>,
    /// Class of each record (CIFAR-100: the fine one).
    pub labels: Vec<u32>,
}

/// Parses one CIFAR binary file, plain or gzip.
///
/// ```
/// use bitspike_data::format::cifar::{CifarKind, parse};
/// let mut file = vec![6u8];
/// file.extend([0u8; 3072]);
/// assert_eq!(parse("x".as_ref(), &file, CifarKind::Cifar10).unwrap().labels, [6]);
/// assert!(parse("x".as_ref(), &file[..3072], CifarKind::Cifar10).is_err());
/// ```
///
/// # Errors
/// `Empty`, `Truncated` (length is no multiple of the record), `Label`, `Trailing` (beyond 200,000 records), `Gzip`, `Beyond`
/// of [`DataError`].
pub fn parse(path: &Path, bytes: &[u8], kind: CifarKind) -> Result<CifarRecords, DataError> {
    let size = kind.record();
    let mut content = Content::new(path, bytes);
    let data = content.take(MAX_RECORDS * size as u64)?;
    content.end()?;
    if data.is_empty() {
        return Err(DataError::Empty { path: path.into(), what: "records: the file is empty" });
    }
    let mut out = CifarRecords::default();
    out.pixels.reserve_exact(data.len() / size * PIXELS);
    out.labels.reserve_exact(data.len() / size);
    let records = data.chunks_exact(size);
    let rest = records.remainder();
    for (index, record) in records.enumerate() {
        let (labels, pixels) = record.split_at(kind.label_bytes());
        let limits: &[usize] = if labels.len() == 1 { &[10] } else { &[20, 100] };
        for (k, (&found, &classes)) in labels.iter().zip(limits).enumerate() {
            if usize::from(found) >= classes {
                let offset = (index * size + k) as u64;
                return Err(DataError::Label { path: path.into(), offset, index, found: found.into(), classes });
            }
        }
        out.labels.push(labels[labels.len() - 1].into());
        out.pixels.extend_from_slice(pixels);
    }
    if !rest.is_empty() {
        return Err(DataError::Truncated {
            path: path.into(),
            what: "CIFAR record",
            offset: (data.len() - rest.len()) as u64,
            expected: size as u64,
            found: rest.len() as u64,
        });
    }
    Ok(out)
}

/// Both parts of a CIFAR folder: train, test, provenance, and the split in words.
pub(crate) fn load_folder(
    kind: CifarKind,
    folder: &Path,
) -> Result<(SampleSet, SampleSet, Vec<SourceFile>, String), DataError> {
    let known = kind.known();
    let (train_files, test_files) = part_files(kind, folder)?;
    let mut files = Vec::new();
    let classes = class_names(known, folder, &mut files)?;
    let mut read = |paths: &[PathBuf]| -> Result<SampleSet, DataError> {
        let mut all = CifarRecords::default();
        for path in paths {
            let source = Source::read(path)?;
            let mut part = parse(path, &source.bytes, kind)?;
            files.push(source.record());
            all.pixels.append(&mut part.pixels);
            all.labels.append(&mut part.labels);
        }
        SampleSet::new([3, 32, 32], all.pixels, all.labels, classes.clone())
    };
    let (train, test) = (read(&train_files)?, read(&test_files)?);
    let split = if (train.len(), test.len()) == (known.train, known.test) {
        format!("official train/test ({}/{})", known.train, known.test)
    } else {
        format!(
            "part of the official train/test: {} of {} train from {}, {} of {} test from {}",
            train.len(),
            known.train,
            names(&train_files),
            test.len(),
            known.test,
            names(&test_files)
        )
    };
    Ok((train, test, files, split))
}

/// Training and test files of a folder, sorted bytewise by name.
///
/// CIFAR-10: every `data_batch_*.bin[.gz]`, and `test_batch.bin[.gz]` or, without it, every `test_batch*.bin[.gz]`.
/// CIFAR-100: `train.bin[.gz]` and `test.bin[.gz]`. If a file is there plain and packed, the plain one is used.
pub(crate) fn part_files(kind: CifarKind, folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let known = kind.known();
    let (train, mut test) = match kind {
        CifarKind::Cifar10 => (listed(folder, "data_batch_")?, listed(folder, "test_batch")?),
        CifarKind::Cifar100 => (listed(folder, "train.")?, listed(folder, "test.")?),
    };
    if let Some(whole) = test.iter().find(|p| stem(p) == "test_batch.bin").cloned() {
        test = vec![whole];
    }
    if train.is_empty() || test.is_empty() {
        let mut wanted = expected_names(known);
        wanted.retain(|n| if n.starts_with("test") { test.is_empty() } else { train.is_empty() });
        return Err(missing(known, vec![folder.to_path_buf()], wanted));
    }
    Ok((train, test))
}

fn listed(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, DataError> {
    let io = |source| DataError::Io { path: folder.into(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let stem = stem(&path);
        if stem.starts_with(prefix) && stem.ends_with(".bin") && path.is_file() {
            found.push(path);
        }
    }
    // By stem, then by length: the plain file comes first and the packed twin is dropped.
    found.sort_by_key(|p| (stem(p), p.as_os_str().len()));
    found.dedup_by_key(|p| stem(p));
    Ok(found)
}

/// File name without `.gz`. Names that are no text are not candidates and become empty.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.strip_suffix(".gz").unwrap_or(name).to_string()
}

fn names(paths: &[PathBuf]) -> String {
    let all: Vec<_> = paths.iter().filter_map(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
    all.join("+")
}

/// Names from `batches.meta.txt` or `fine_label_names.txt` if there, otherwise the official ones.
fn class_names(known: &Known, folder: &Path, files: &mut Vec<SourceFile>) -> Result<Vec<String>, DataError> {
    let file = if known.set == SetName::Cifar10 { "batches.meta.txt" } else { "fine_label_names.txt" };
    let path = folder.join(file);
    if !path.is_file() {
        return Ok(known.classes.iter().map(|c| c.to_string()).collect());
    }
    let source = Source::read_text(&path, MAX_NAME)?;
    let text = String::from_utf8_lossy(&source.bytes);
    let names: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect();
    if names.len() != known.classes.len() {
        return Err(DataError::ClassNames { path, found: names.len(), expected: known.classes.len() });
    }
    files.push(source.record());
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::gz;

    /// `n` records; record i has label i mod 10 (CIFAR-100: coarse 1, fine i mod 100) and all pixels i.
    fn records(kind: CifarKind, n: usize) -> Vec<u8> {
        let mut v = Vec::new();
        for i in 0..n {
            match kind {
                CifarKind::Cifar10 => v.push((i % 10) as u8),
                CifarKind::Cifar100 => v.extend([1, (i % 100) as u8]),
            }
            v.extend(std::iter::repeat_n(i as u8, PIXELS));
        }
        v
    }

    fn p() -> &'static Path {
        Path::new("x")
    }

    #[test]
    fn both_layouts() {
        for kind in [CifarKind::Cifar10, CifarKind::Cifar100] {
            let file = records(kind, 12);
            let got = parse(p(), &file, kind).unwrap();
            assert_eq!(got.labels.len(), 12);
            assert_eq!(got.labels[11], if kind == CifarKind::Cifar10 { 1 } else { 11 });
            assert!(got.pixels[11 * PIXELS..].iter().all(|&b| b == 11));
            assert_eq!(parse(p(), &gz(&file), kind).unwrap(), got);
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        for kind in [CifarKind::Cifar10, CifarKind::Cifar100] {
            let file = records(kind, 2);
            for cut in 0..file.len() {
                let got = parse(p(), &file[..cut], kind);
                match cut {
                    0 => assert!(matches!(got, Err(DataError::Empty { .. }))),
                    // A cut between records leaves a shorter but valid file: the format has no count.
                    c if c == kind.record() => assert_eq!(got.unwrap().labels.len(), 1),
                    c => assert!(
                        matches!(&got, Err(DataError::Truncated { offset, found, .. }) if offset + found == c as u64),
                        "{kind:?} cut {c}: {got:?}"
                    ),
                }
            }
            let packed = gz(&file);
            for cut in 2..packed.len() {
                assert!(matches!(parse(p(), &packed[..cut], kind), Err(DataError::Gzip { .. })), "{kind:?} cut {cut}");
            }
        }
    }

    #[test]
    fn labels_out_of_range() {
        let mut file = records(CifarKind::Cifar10, 2);
        file[3073] = 10;
        assert!(matches!(
            parse(p(), &file, CifarKind::Cifar10),
            Err(DataError::Label { offset: 3073, index: 1, found: 10, classes: 10, .. })
        ));
        for (at, value, classes) in [(0, 20, 20), (1, 100, 100)] {
            let mut file = records(CifarKind::Cifar100, 1);
            file[at] = value;
            assert!(matches!(
                parse(p(), &file, CifarKind::Cifar100),
                Err(DataError::Label { offset, classes: c, .. }) if offset == at as u64 && c == classes
            ));
        }
    }

    #[test]
    fn folder_with_some_of_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let put = |n: &str, b: &[u8]| fs::write(dir.path().join(n), b).unwrap();
        let k = CifarKind::Cifar10;
        let err = load_folder(k, dir.path()).unwrap_err().to_string();
        assert!(err.contains("data_batch_1.bin") && err.contains("test_batch.bin"), "{err}");
        put("data_batch_2.bin", &records(k, 2));
        put("data_batch_10.bin.gz", &gz(&records(k, 3)));
        put("data_batch_2.bin.gz", b"the plain file is used instead");
        put("test_batch_first1.bin", &records(k, 1));
        let (train, test, files, split) = load_folder(k, dir.path()).unwrap();
        // Bytewise order: data_batch_10 before data_batch_2.
        assert_eq!(train.labels, [0, 1, 2, 0, 1]);
        assert_eq!((test.len(), files.len()), (1, 3));
        assert_eq!(train.classes[0], "airplane");
        assert_eq!(
            split,
            "part of the official train/test: 5 of 50000 train from data_batch_10.bin.gz+data_batch_2.bin, \
             1 of 10000 test from test_batch_first1.bin"
        );
        put("test_batch.bin", &records(k, 4));
        assert_eq!(load_folder(k, dir.path()).unwrap().1.len(), 4);
        put("batches.meta.txt", b"a\nb\n\n");
        assert!(matches!(load_folder(k, dir.path()), Err(DataError::ClassNames { found: 2, expected: 10, .. })));
        put("batches.meta.txt", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
        assert_eq!(load_folder(k, dir.path()).unwrap().0.classes[9], "j");
    }

    #[test]
    fn folder_of_cifar100() {
        let dir = tempfile::tempdir().unwrap();
        let k = CifarKind::Cifar100;
        fs::write(dir.path().join("train.bin"), records(k, 3)).unwrap();
        let err = load_folder(k, dir.path()).unwrap_err().to_string();
        assert!(err.contains("test.bin") && !err.contains("train.bin"), "{err}");
        fs::write(dir.path().join("test.bin.gz"), gz(&records(k, 2))).unwrap();
        let (train, test, ..) = load_folder(k, dir.path()).unwrap();
        assert_eq!((train.len(), test.len(), train.classes.len()), (3, 2, 100));
    }
}
