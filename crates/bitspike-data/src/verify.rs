//! Reads everything and compares it with what is known: sizes and hashes of official files, counts, labels, classes.

use crate::format::folder::{self, Listing};
use crate::format::image_file;
use crate::inspect::{Kind, file_part, folder_kind, folder_set, recognised};
use crate::official::{self, Known};
use crate::source::{Source, content_sha256, sha256_hex};
use crate::{DataConfig, DataError, DataSet, SampleSet, SetName, find, load, mini};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// One comparison.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What was compared.
    pub what: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// Whether they agree.
    pub ok: bool,
}

/// Answer of [`verify`].
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// True if every check holds.
    pub ok: bool,
    /// All comparisons, in the order in which they were made.
    pub checks: Vec<Check>,
    /// Facts worth knowing that are neither right nor wrong.
    pub notes: Vec<String>,
}

impl Verification {
    fn new() -> Self {
        Self { ok: true, checks: Vec::new(), notes: Vec::new() }
    }

    fn check(&mut self, what: impl Into<String>, expected: impl ToString, found: impl ToString) {
        let (expected, found) = (expected.to_string(), found.to_string());
        let ok = expected == found;
        self.push(what.into(), expected, found, ok);
    }

    fn push(&mut self, what: String, expected: String, found: String, ok: bool) {
        self.ok &= ok;
        self.checks.push(Check { what, expected, found, ok });
    }
}

/// Verifies the data set of a configuration.
///
/// Every file is read to its end. Official sets are compared with known sizes and SHA-256 of the uncompressed content
/// (CIFAR-100: sizes only). Of a folder of images every file is decoded; that their sizes differ is no fault, but a note.
/// Limits and hold-out of the configuration do not matter here: the whole set is read.
///
/// ```
/// let seen = bitspike_data::verify(&bitspike_data::DataConfig::default())?;
/// assert!(seen.ok, "{:?}", seen.checks);
/// # Ok::<(), bitspike_data::DataError>(())
/// ```
///
/// # Errors
/// [`DataError::Config`], and [`DataError::Missing`] if no folder exists. Damaged, absent and foreign files are no error
/// of this function: they are failed checks.
pub fn verify(cfg: &DataConfig) -> Result<Verification, DataError> {
    cfg.validate()?;
    cfg.require_path()?;
    let whole = DataConfig { train_limit: None, test_limit: None, validation: 0, ..cfg.clone() };
    let mut out = Verification::new();
    if cfg.set == SetName::ImageFolder {
        match folder::scan(cfg.path.as_deref().unwrap_or(Path::new("."))) {
            Ok(scan) => image_folder(&scan, &mut out),
            Err(e) => out.push("reading everything".into(), "no error".into(), e.to_string(), false),
        }
        return Ok(out);
    }
    if let Some(known) = official::known(cfg.set) {
        official_files(known, &whole, &mut out)?;
    }
    match load(&whole) {
        Ok(data) => content(&data, official::known(cfg.set), &mut out),
        Err(e) => out.push("reading everything".into(), "no error".into(), e.to_string(), false),
    }
    Ok(out)
}

/// Verifies a file or folder; which set a folder holds is found as by [`inspect`](crate::inspect).
///
/// # Errors
/// As [`verify`], and [`DataError::Unrecognised`] if the folder is of no known kind.
pub fn verify_path(path: impl AsRef<Path>) -> Result<Verification, DataError> {
    let path = path.as_ref();
    if path.is_dir() {
        let set = folder_set(path, folder_kind(path)?)?;
        return verify(&DataConfig { set, path: Some(path.into()), ..DataConfig::default() });
    }
    let mut out = Verification::new();
    let source = Source::read(path)?;
    match file_part(path, &source.bytes) {
        Ok((kind, part)) => {
            out.push("reading everything".into(), "no error".into(), "no error".into(), true);
            out.notes.push(format!("{kind:?}, {} samples", part.samples));
            if kind != Kind::Image {
                let (_, hash) = content_sha256(path, &source.bytes)?;
                out.notes.push(match recognised(&hash) {
                    Some(name) => format!("official file {name}"),
                    None => format!("not one of the official files known here (uncompressed SHA-256 {hash})"),
                });
            }
        }
        Err(e) => out.push("reading everything".into(), "no error".into(), e.to_string(), false),
    }
    Ok(out)
}

/// Presence, size and hash of every official file.
fn official_files(known: &Known, cfg: &DataConfig, out: &mut Verification) -> Result<(), DataError> {
    let sources: Vec<Option<Result<Source, DataError>>> = if known.set == SetName::FashionMnistMini {
        mini::sources().into_iter().map(|s| Some(Ok(s))).collect()
    } else {
        let folder = find::locate(known, cfg.path.as_deref())?;
        known.files.iter().map(|f| find::file_in(&folder, f.name).map(|p| Source::read(&p))).collect()
    };
    for (file, source) in known.files.iter().zip(sources) {
        let hashed = source.map(|s| s.and_then(|s| content_sha256(&s.path, &s.bytes)));
        match hashed {
            None => out.push(file.name.into(), "present".into(), "absent".into(), false),
            Some(Err(e)) => out.push(file.name.into(), "readable".into(), e.to_string(), false),
            Some(Ok((bytes, hash))) => {
                out.check(format!("{}: bytes, uncompressed", file.name), file.bytes, bytes);
                match file.sha256 {
                    Some(want) => out.check(format!("{}: SHA-256, uncompressed", file.name), want, hash),
                    None => out.notes.push(format!("{}: no official hash is known here; found {hash}", file.name)),
                }
            }
        }
    }
    Ok(())
}

/// Counts and classes of what was read, and images that occur in both parts.
fn content(data: &DataSet, known: Option<&Known>, out: &mut Verification) {
    if let Some(k) = known {
        out.check("training samples", k.train, data.train.len());
        out.check("test samples", k.test, data.test.len());
    }
    for (name, set) in
        [("train", Some(&data.train)), ("validation", data.validation.as_ref()), ("test", Some(&data.test))]
    {
        let Some(set) = set else { continue };
        classes(name, &set.class_counts(), out);
    }
    let same = common_images(&data.train, &data.test);
    if same > 0 {
        out.notes.push(format!("{same} test images also occur, byte for byte, in train"));
    }
}

/// Whether every class has samples.
fn classes(name: &str, counts: &[usize], out: &mut Verification) {
    let present = counts.iter().filter(|n| **n > 0).count();
    out.check(format!("{name}: classes with samples"), counts.len(), present);
    let (lo, hi) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    out.notes.push(format!("{name}: {} samples, {lo} to {hi} per class", counts.iter().sum::<usize>()));
}

/// Decodes every image of a folder, one at a time in each thread.
fn image_folder(scan: &folder::Scan, out: &mut Verification) {
    let parts = [("train", Some(&scan.train)), ("validation", scan.validation.as_ref()), ("test", Some(&scan.test))];
    let (mut sizes, mut hashes) = (Vec::new(), HashMap::new());
    for (name, listing) in parts {
        let Some(listing) = listing else { continue };
        let (seen, wrong) = decode_all(listing);
        let found = match wrong.first() {
            None => "no error".into(),
            Some(first) => format!("{} of {} files cannot be read; first: {first}", wrong.len(), listing.samples.len()),
        };
        out.push(format!("{name}: decoding every image"), "no error".into(), found, wrong.is_empty());
        classes(name, &listing.class_counts(scan.classes.len()), out);
        sizes.extend(seen.iter().map(|(size, _)| *size));
        hashes.insert(name, seen.into_iter().map(|(_, hash)| hash).collect::<Vec<_>>());
    }
    let range = |k: usize| sizes.iter().map(move |s| s[k]).min().zip(sizes.iter().map(move |s| s[k]).max());
    if let (Some((low_h, high_h)), Some((low_w, high_w))) = (range(0), range(1))
        && (low_h, low_w) != (high_h, high_w)
    {
        out.notes.push(format!(
            "images have {low_h} to {high_h} rows and {low_w} to {high_w} columns: a recipe has to set data.size"
        ));
    }
    let train: HashSet<&String> = hashes["train"].iter().collect();
    let same = hashes["test"].iter().filter(|hash| train.contains(hash)).count();
    if same > 0 {
        out.notes.push(format!("{same} test images also occur, byte for byte, in train"));
    }
}

/// Rows and columns, and hash, of every image that can be decoded; what is wrong with the others, in sample order.
fn decode_all(listing: &Listing) -> (Vec<([u32; 2], String)>, Vec<DataError>) {
    let one = |path: &Path| -> Result<([u32; 2], String), DataError> {
        let bytes = image_file::read(path)?;
        let image = image_file::open(path, &bytes)?;
        Ok(([image.height(), image.width()], sha256_hex(&bytes)))
    };
    let all: Vec<_> = listing.samples.par_iter().map(|(path, _)| one(path)).collect();
    let (mut seen, mut wrong) = (Vec::with_capacity(all.len()), Vec::new());
    for result in all {
        match result {
            Ok(image) => seen.push(image),
            Err(e) => wrong.push(e),
        }
    }
    (seen, wrong)
}

/// Test images whose bytes are also those of a training image.
fn common_images(train: &SampleSet, test: &SampleSet) -> usize {
    let size = train.image_len().max(1);
    let mut seen: HashMap<&[u8], ()> = HashMap::with_capacity(train.len());
    seen.extend(train.bytes().chunks_exact(size).map(|i| (i, ())));
    test.bytes().chunks_exact(size).filter(|i| seen.contains_key(i)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::folder::tests::{png, tiny};
    use std::fs;

    fn mini_folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for s in mini::sources() {
            fs::write(dir.path().join(s.path.file_name().unwrap()), &s.bytes).unwrap();
        }
        dir
    }

    fn failed(v: &Verification) -> Vec<&str> {
        v.checks.iter().filter(|c| !c.ok).map(|c| c.what.as_str()).collect()
    }

    #[test]
    fn the_embedded_set_passes() {
        let v = verify(&DataConfig { train_limit: Some(3), ..DataConfig::default() }).unwrap();
        assert!(v.ok, "{:?}", failed(&v));
        assert_eq!(v.checks.len(), 4 * 2 + 2 + 2);
    }

    #[test]
    fn another_set_under_the_name_of_an_official_one_fails() {
        let dir = mini_folder();
        let cfg = DataConfig { set: SetName::FashionMnist, path: Some(dir.path().into()), ..DataConfig::default() };
        let v = verify(&cfg).unwrap();
        assert!(!v.ok);
        let f = failed(&v);
        assert!(
            f.contains(&"training samples") && f.contains(&"t10k-labels-idx1-ubyte: SHA-256, uncompressed"),
            "{f:?}"
        );
        assert!(!f.contains(&"reading everything"), "{f:?}");
    }

    #[test]
    fn damage_and_absence_are_failed_checks() {
        let dir = mini_folder();
        let labels = dir.path().join("train-labels-idx1-ubyte.gz");
        let mut bytes = fs::read(&labels).unwrap();
        let at = bytes.len() - 6;
        bytes[at] ^= 0x40;
        fs::write(&labels, bytes).unwrap();
        fs::remove_file(dir.path().join("t10k-images-idx3-ubyte.gz")).unwrap();
        let cfg = DataConfig { set: SetName::FashionMnist, path: Some(dir.path().into()), ..DataConfig::default() };
        let v = verify(&cfg).unwrap();
        let of = |what: &str| v.checks.iter().find(|c| c.what == what).unwrap();
        assert!(of("train-labels-idx1-ubyte").found.contains("damaged gzip"), "{:?}", v.checks);
        assert_eq!(of("t10k-images-idx3-ubyte").found, "absent");
        assert!(!of("reading everything").ok);
    }

    #[test]
    fn files_and_image_folders() {
        let dir = tiny();
        let v = verify_path(dir.path()).unwrap();
        // The test folder has class b only.
        assert_eq!(failed(&v), ["test: classes with samples"]);
        fs::write(dir.path().join("test/b/copy.png"), png(3, 2, [1, 100, 200])).unwrap();
        let v = verify_path(dir.path()).unwrap();
        assert!(v.notes.iter().any(|n| n.starts_with("1 test images also occur")), "{:?}", v.notes);
        let file = dir.path().join("train/a/1.png");
        assert!(verify_path(&file).unwrap().ok);
        fs::write(&file, b"no image").unwrap();
        assert!(!verify_path(&file).unwrap().ok);
        fs::write(dir.path().join("train/a/2.PNG"), png(5, 2, [1, 1, 1])).unwrap();
        let v = verify_path(dir.path()).unwrap();
        assert_eq!(failed(&v), ["train: decoding every image", "test: classes with samples"]);
        let found = &v.checks[0].found;
        assert!(found.starts_with("1 of 4 files") && found.contains("1.png"), "{found}");
        assert!(v.notes.iter().any(|n| n.contains("2 to 2 rows and 3 to 5 columns")), "{:?}", v.notes);
        assert!(matches!(verify_path(dir.path().join("test/b")), Err(DataError::Unrecognised { .. })));
    }
}
