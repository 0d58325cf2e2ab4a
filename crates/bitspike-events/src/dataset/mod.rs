//! Data sets of events as labelled lists, and as frames.
//!
//! ```text
//! EventConfig → list → Listing: (path, label, time range) per sample → load → EventSet: u8 [N, T, C, H, W]
//! ```
//!
//! Nothing is downloaded. A set that is not there is an error that says what to fetch and where it belongs.
//!
//! Order. Files of a class are in natural order: runs of digits compare as numbers, so `a_2` comes before `a_10`. Lists
//! take the classes in turn (the first of each class, the second of each, ...), so that a prefix is balanced as far as
//! the set allows; DVS128 Gesture, SHD and SSC keep their published order. The SHA-256 of a list names it exactly.
//!
//! Layouts are those that the archives unpack to:
//!
//! ```text
//! n-mnist         Train/<digit>/*.bin, Test/<digit>/*.bin           (the folder N-MNIST, or what is in it)
//! cifar10-dvs     <class>/*.aedat (or .aedat4)
//! dvs128-gesture  trials_to_train.txt, trials_to_test.txt, <trial>.aedat, <trial>_labels.csv   (DvsGesture)
//! n-caltech101    <class>/*.bin                                     (Caltech101)
//! asl-dvs         <letter>/*.mat
//! shd, ssc        shd_train.h5, shd_test.h5; ssc_train.h5, ssc_valid.h5, ssc_test.h5
//! event-folder    train/<class>/*, test/<class>/*; or <class>/*
//! event-windows   <class>.<extension>, one recording each
//! ```

mod cache;
mod config;
mod demo;
mod folder;
mod frame_set;
mod gesture;
mod hold_out;
#[cfg(feature = "hdf5")]
mod hsd;
mod load;
mod split;
mod windows;

pub use config::{Binning, EventConfig, EventOptions, EventSetName, MAX_SIDE, MAX_STEPS, Values};
pub use demo::{DemoConfig, Images, demo};
pub use frame_set::{EventSet, FloatSet, FrameSet, Part};
pub use load::{Framer, load, load_float};
pub use split::Split;

use crate::EventError;
use crate::error::option;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// One sample: where its events are and what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// File.
    pub path: PathBuf,
    /// Number of the sample in a file that holds many (SHD, SSC).
    pub entry: Option<u64>,
    /// Class, an index into [`Listing::classes`].
    pub label: u32,
    /// From when to before when, in microseconds of the recording; the whole recording if absent.
    pub range: Option<(i64, i64)>,
}

/// A data set as two lists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// Folder that paths are below.
    pub root: PathBuf,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Training part.
    pub train: Vec<Item>,
    /// How many of the last training samples are held out for validation. They share no recording with the others; of gestures
    /// no person; of windows of one recording no time.
    pub validation: usize,
    /// Test part.
    pub test: Vec<Item>,
    /// Name of the split.
    pub split: String,
    /// SHA-256, in hexadecimal, of classes and items with paths relative to the root.
    pub sha256: String,
}

impl Listing {
    /// Number of training and test samples of each class.
    pub fn per_class(&self) -> Vec<(usize, usize)> {
        let mut n = vec![(0, 0); self.classes.len()];
        self.train.iter().for_each(|i| n[i.label as usize].0 += 1);
        self.test.iter().for_each(|i| n[i.label as usize].1 += 1);
        n
    }
}

/// Lists a data set.
///
/// # Errors
/// `Missing` for files that are not there, `Option` for a key that does not fit, and what reading lists and, for
/// `event-windows`, recordings may give.
pub fn list(config: &EventConfig) -> Result<Listing, EventError> {
    config.validate()?;
    let split = config.split()?;
    let (root, classes, mut train, mut test) = match config.set {
        EventSetName::Dvs128Gesture => gesture::list(config, split)?,
        EventSetName::EventWindows => windows::list(config)?,
        #[cfg(feature = "hdf5")]
        EventSetName::Shd | EventSetName::Ssc => hsd::list(config, split)?,
        #[cfg(not(feature = "hdf5"))]
        EventSetName::Shd | EventSetName::Ssc => {
            return Err(EventError::Unsupported {
                path: config.path.clone(),
                offset: 0,
                what: "HDF5 is not read".into(),
                instead: "build with the feature `hdf5`",
            });
        }
        _ => folder::list(config, split)?,
    };
    for (key, limit, items) in
        [("train_limit", config.train_limit, &mut train), ("test_limit", config.test_limit, &mut test)]
    {
        if let Some(n) = limit {
            if items.len() < n {
                return option(key, format!("at most {}, what the list has", items.len()), n);
            }
            items.truncate(n);
        }
    }
    let validation = hold_out::hold_out(config, &mut train)?;
    let sha256 = digest(&root, &classes, &train, &test);
    let split = match split {
        Split::Random(..) => format!("{split}, seed {}", config.options.split_seed),
        _ => split.to_string(),
    };
    Ok(Listing { root, classes, train, validation, test, split, sha256 })
}

/// What the parts of a listing are made of.
pub(crate) type Parts = (PathBuf, Vec<String>, Vec<Item>, Vec<Item>);

fn digest(root: &Path, classes: &[String], train: &[Item], test: &[Item]) -> String {
    let mut h = Sha256::new();
    h.update("bitspike event list 1\n");
    classes.iter().for_each(|c| h.update(format!("class\t{c}\n")));
    for (part, items) in [("train", train), ("test", test)] {
        for i in items {
            let (path, entry) = (relative(root, &i.path), i.entry.map_or("-".into(), |e| e.to_string()));
            let range = i.range.map_or("-\t-".into(), |(a, b)| format!("{a}\t{b}"));
            h.update(format!("{part}\t{}\t{path}\t{entry}\t{range}\n", i.label));
        }
    }
    hex(&h.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut s, b| {
        // Writing to a String cannot fail.
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// The path below the root, with `/` on every system.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.iter().map(|p| p.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Takes classes in turn.
pub(crate) fn order(per_class: Vec<Vec<Item>>) -> Vec<Item> {
    let mut all = Vec::with_capacity(per_class.iter().map(Vec::len).sum());
    let mut classes: Vec<_> = per_class.into_iter().map(Vec::into_iter).collect();
    loop {
        let before = all.len();
        all.extend(classes.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            return all;
        }
    }
}

/// Natural order of names: runs of digits compare as numbers, everything else by bytes; equal numbers (`01`, `1`) by
/// bytes of the whole name.
pub(crate) fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let (mut i, mut j) = (a.as_bytes(), b.as_bytes());
    let number = |s: &[u8]| s.iter().take_while(|c| c.is_ascii_digit()).count();
    while !i.is_empty() && !j.is_empty() {
        let (n, m) = (number(i), number(j));
        let step = if n > 0 && m > 0 {
            let digits = |s: &[u8]| s.iter().position(|c| *c != b'0').map_or(s.len(), |p| p);
            let (x, y) = (&i[digits(&i[..n])..n], &j[digits(&j[..m])..m]);
            (x.len().cmp(&y.len()).then_with(|| x.cmp(y)), n, m)
        } else {
            (i[0].cmp(&j[0]), 1, 1)
        };
        match step {
            (Ordering::Equal, n, m) => (i, j) = (&i[n..], &j[m..]),
            (other, ..) => return other,
        }
    }
    i.len().cmp(&j.len()).then_with(|| a.cmp(b))
}

/// Entries of a folder that are not hidden, in natural order: name, path, whether it is a folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>, EventError> {
    let io = |source| EventError::Io { path: folder.into(), offset: 0, source };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let is_folder = path.is_dir();
            all.push((name, path, is_folder));
        }
    }
    all.sort_by(|a, b| natural(&a.0, &b.0));
    Ok(all)
}

/// The folder itself, or the one in it that the archive unpacks to, whichever has all of `marks`.
pub(crate) fn find(config: &EventConfig, usual: &str, marks: &[&str], fetch: &str) -> Result<PathBuf, EventError> {
    let below = config.path.join(usual);
    let has = |root: &Path| marks.iter().all(|m| root.join(m).exists());
    if has(&config.path) {
        return Ok(config.path.clone());
    }
    if has(&below) {
        return Ok(below);
    }
    let root = if below.is_dir() { below } else { config.path.clone() };
    let missing = marks.iter().filter(|m| !root.join(m).exists()).map(|m| (*m).to_owned()).collect();
    Err(missing_set(config, root, missing, fetch))
}

pub(crate) fn missing_set(config: &EventConfig, root: PathBuf, missing: Vec<String>, fetch: &str) -> EventError {
    let fetch = format!("{fetch}; nothing is downloaded: unpack it and let `path` name the folder");
    EventError::Missing { set: config.set.as_str(), root, missing, fetch }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    #[test]
    fn natural_order_counts() {
        let mut names = ["b", "a_10", "a_2", "a_02", "a", "a_2b", "10", "9", "a_", "007", "7"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["007", "7", "9", "10", "a", "a_", "a_02", "a_2", "a_2b", "a_10", "b"]);
        for a in names {
            for b in names {
                assert_eq!(natural(a, b), natural(b, a).reverse(), "{a} {b}");
                assert_eq!(natural(a, b) == Ordering::Equal, a == b);
            }
        }
    }

    #[test]
    fn classes_take_turns() {
        let item = |label, entry| Item { path: "f".into(), entry: Some(entry), label, range: None };
        let all = order(vec![vec![item(0, 0), item(0, 1), item(0, 2)], vec![item(1, 0)], vec![item(2, 0), item(2, 1)]]);
        let got: Vec<(u32, u64)> = all.iter().map(|i| (i.label, i.entry.unwrap())).collect();
        assert_eq!(got, [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2)]);
    }
}
