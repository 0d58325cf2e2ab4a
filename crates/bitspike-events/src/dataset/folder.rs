//! Sets that are folders of classes: N-MNIST, CIFAR10-DVS, N-Caltech101, ASL-DVS and a user's own.

use super::split::{Split, divide};
use super::{EventConfig, EventSetName, Item, Parts, entries, find, missing_set, order};
use crate::EventError;
use std::path::{Path, PathBuf};

/// Extensions of event files; other files of a folder are left alone.
pub(crate) const EXTENSIONS: [&str; 13] =
    ["aedat", "aedat4", "raw", "dat", "bin", "bs2", "es", "npz", "npy", "csv", "h5", "hdf5", "parquet"];

/// What is known of a published set.
struct Known {
    /// Folder that the archive unpacks to.
    usual: &'static str,
    classes: Vec<String>,
    /// Names of the training and the test folder, if it has them.
    parts: Option<[&'static str; 2]>,
    extensions: &'static [&'static str],
    fetch: &'static str,
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn known(set: EventSetName) -> Option<Known> {
    Some(match set {
        EventSetName::NMnist => Known {
            usual: "N-MNIST",
            classes: (0..10).map(|d| d.to_string()).collect(),
            parts: Some(["Train", "Test"]),
            extensions: &["bin"],
            fetch: "N-MNIST is published at https://www.garrickorchard.com/datasets/n-mnist (Train.zip, Test.zip)",
        },
        EventSetName::Cifar10Dvs => Known {
            usual: "CIFAR10DVS",
            classes: strings(&[
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ]),
            parts: None,
            extensions: &["aedat", "aedat4"],
            fetch: "CIFAR10-DVS is published at https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671 \
                    (airplane.zip to truck.zip)",
        },
        EventSetName::NCaltech101 => Known {
            usual: "Caltech101",
            // Its classes are its folders.
            classes: Vec::new(),
            parts: None,
            extensions: &["bin"],
            fetch: "N-Caltech101 is published at https://www.garrickorchard.com/datasets/n-caltech101 (Caltech101.zip)",
        },
        EventSetName::AslDvs => Known {
            usual: "ASLDVS",
            // j and z are movements, which the set leaves out.
            classes: ('a'..='y').filter(|c| *c != 'j').map(String::from).collect(),
            parts: None,
            extensions: &["mat"],
            fetch: "ASL-DVS is published at https://github.com/PIX2NVS/NVS2Graph (ICCV2019_DVS_dataset.zip; unpack the \
                    archives in it too)",
        },
        _ => return None,
    })
}

pub(crate) fn list(config: &EventConfig, split: Split) -> Result<Parts, EventError> {
    let (root, parts, classes, extensions, fetch) = match known(config.set) {
        Some(k) => {
            let marks: Vec<&str> = match &k.parts {
                Some(parts) => parts.to_vec(),
                None => k.classes.iter().map(String::as_str).collect(),
            };
            let root = if marks.is_empty() {
                // Nothing but a folder of class folders is known.
                let below = config.path.join(k.usual);
                if below.is_dir() { below } else { config.path.clone() }
            } else {
                find(config, k.usual, &marks, k.fetch)?
            };
            (root, k.parts, Some(k.classes).filter(|c| !c.is_empty()), k.extensions, k.fetch)
        }
        None => {
            let parts = Some(["train", "test"]).filter(|p| p.iter().all(|p| config.path.join(p).is_dir()));
            if parts.is_none() && split == Split::Official {
                let expected = "first-N, last-N or random-A-B, for a folder without train/ and test/";
                return crate::error::option(
                    "split",
                    expected,
                    config.options.split.map_or("no such key".into(), |s| s.to_string()),
                );
            }
            (config.path.clone(), parts, None, &EXTENSIONS[..], "event-folder reads <class>/<recording>")
        }
    };
    let folder = |part: Option<usize>| match (parts, part) {
        (Some(p), Some(i)) => root.join(p[i]),
        // A split by number or at random divides the training part, and leaves the test part alone.
        (Some(p), None) => root.join(p[0]),
        (None, _) => root.clone(),
    };
    let first = folder(Some(0));
    let missing = |what: String| missing_set(config, root.clone(), vec![what], fetch);
    if !first.is_dir() {
        return Err(missing("the folder".into()));
    }
    let classes = match classes {
        Some(c) => c,
        None => entries(&first)?.into_iter().filter(|(_, _, d)| *d).map(|(n, ..)| n).collect(),
    };
    if classes.len() < 2 {
        return Err(missing(format!("folders of at least two classes in {}", first.display())));
    }
    let read = |folder: &Path| -> Result<Vec<Vec<Item>>, EventError> {
        let per_class = |(label, class): (usize, &String)| {
            let path = folder.join(class);
            let files = if path.is_dir() { files(&path, extensions)? } else { Vec::new() };
            let items = files.into_iter().map(|path| Item { path, entry: None, label: label as u32, range: None });
            Ok(items.collect())
        };
        classes.iter().enumerate().map(per_class).collect()
    };
    let empty = |all: &[Vec<Item>], folder: &Path| {
        let absent = all.iter().zip(&classes).filter(|(items, _)| items.is_empty());
        let absent: Vec<String> = absent.map(|(_, c)| format!("recordings in {}/{c}", folder.display())).collect();
        if absent.is_empty() { Ok(()) } else { Err(missing_set(config, root.clone(), absent, fetch)) }
    };
    let (train, test) = if split == Split::Official {
        let (a, b) = (folder(Some(0)), folder(Some(1)));
        let (train, test) = (read(&a)?, read(&b)?);
        empty(&train, &a)?;
        if test.iter().all(Vec::is_empty) {
            empty(&test, &b)?;
        }
        // A class that only the test part has would be left out without a word.
        if let Some((class, path, _)) = entries(&b)?.into_iter().find(|(n, _, d)| *d && !classes.contains(n)) {
            return crate::error::option(
                "path",
                "test classes that training has too",
                format!("{class} ({})", path.display()),
            );
        }
        (order(train), order(test))
    } else {
        let path = folder(None);
        let all = read(&path)?;
        empty(&all, &path)?;
        divide(split, config.options.split_seed, &classes, all)?
    };
    Ok((root, classes, train, test))
}

/// Event files of a folder, in natural order.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, EventError> {
    let known = |p: &Path| {
        p.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.iter().any(|x| x.eq_ignore_ascii_case(e)))
    };
    Ok(entries(folder)?.into_iter().filter(|(_, p, d)| !d && known(p)).map(|(_, p, _)| p).collect())
}
