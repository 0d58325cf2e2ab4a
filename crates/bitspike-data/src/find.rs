//! Where the files of a set are looked for when `data.path` is not given.

use crate::official::Known;
use crate::{DataError, SetName};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Folders that are searched for a set, in this order:
///
/// 1. `./data/<set>` below the current folder,
/// 2. `$BITSPIKE_DATA/<set>` if that variable is set,
/// 3. `/usr/share/datasets/<set>`, where Debian packages such as `dataset-fashion-mnist` put their files.
///
/// The first that exists is used. Nothing is ever fetched over a network.
///
/// ```
/// let folders = bitspike_data::search_path(bitspike_data::SetName::Mnist);
/// assert_eq!(folders[0], std::path::Path::new("data").join("mnist"));
/// ```
pub fn search_path(set: SetName) -> Vec<PathBuf> {
    search_path_with(set, std::env::var_os("BITSPIKE_DATA").as_deref())
}

fn search_path_with(set: SetName, root: Option<&OsStr>) -> Vec<PathBuf> {
    let mut folders = vec![Path::new("data").join(set.as_str())];
    folders.extend(root.filter(|r| !r.is_empty()).map(|r| Path::new(r).join(set.as_str())));
    folders.push(Path::new("/usr/share/datasets").join(set.as_str()));
    folders
}

/// The folder of a set that is known by its name alone: the given one, or the first of the search path that exists, or the
/// first of it.
pub(crate) fn folder(set: SetName, given: Option<&Path>) -> PathBuf {
    if let Some(given) = given {
        return given.to_path_buf();
    }
    let mut searched = search_path(set);
    let at = searched.iter().position(|p| p.is_dir()).unwrap_or(0);
    searched.swap_remove(at)
}

/// The folder to use for a set: the given one, or the first of the search path that exists. If the folder holds the
/// folder of the official archive (`cifar-10-batches-bin`), that one.
pub(crate) fn locate(known: &Known, given: Option<&Path>) -> Result<PathBuf, DataError> {
    let searched = given.map_or_else(|| search_path(known.set), |p| vec![p.to_path_buf()]);
    let Some(folder) = searched.iter().find(|p| p.is_dir()) else {
        return Err(missing(known, searched, expected_names(known)));
    };
    Ok(match known.inner.map(|i| folder.join(i)).filter(|p| p.is_dir()) {
        Some(inner) => inner,
        None => folder.clone(),
    })
}

/// The plain or the packed file of this name, plain first; also with the first `-idx` written `.idx`, as some archives
/// of MNIST have it.
pub(crate) fn file_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replacen("-idx", ".idx", 1);
    let candidates = [name.to_string(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    candidates.iter().map(|n| folder.join(n)).find(|p| p.is_file())
}

pub(crate) fn missing(known: &Known, searched: Vec<PathBuf>, missing: Vec<String>) -> DataError {
    DataError::Missing { set: known.set.as_str(), searched, missing, source_hint: known.home.to_string() }
}

pub(crate) fn expected_names(known: &Known) -> Vec<String> {
    known.files.iter().map(|f| expected_name(f.name, f.bytes)).collect()
}

pub(crate) fn expected_name(name: &str, bytes: u64) -> String {
    format!("{name}[.gz] ({bytes} bytes uncompressed)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::official::{CIFAR10, MNIST};
    use std::fs;

    #[test]
    fn order_of_the_search_path() {
        let got = search_path_with(SetName::Cifar10, Some(OsStr::new("/d")));
        let want = ["data/cifar10", "/d/cifar10", "/usr/share/datasets/cifar10"].map(PathBuf::from);
        assert_eq!(got, want);
        assert_eq!(search_path_with(SetName::Cifar10, None).len(), 2);
        assert_eq!(search_path_with(SetName::Cifar10, Some(OsStr::new(""))).len(), 2);
    }

    #[test]
    fn a_missing_folder_says_what_was_expected() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("nowhere");
        let err = locate(&MNIST, Some(&nowhere)).unwrap_err();
        let text = err.to_string();
        assert!(text.contains("train-images-idx3-ubyte[.gz] (47040016 bytes"), "{text}");
        assert!(text.contains(&nowhere.display().to_string()), "{text}");
        assert!(err.hint().contains("MNIST page"), "{}", err.hint());
    }

    #[test]
    fn plain_before_packed_and_dotted_names() {
        let dir = tempfile::tempdir().unwrap();
        let put = |n: &str| fs::write(dir.path().join(n), b"x").unwrap();
        assert_eq!(file_in(dir.path(), "t10k-images-idx3-ubyte"), None);
        put("t10k-images.idx3-ubyte");
        assert!(file_in(dir.path(), "t10k-images-idx3-ubyte").unwrap().ends_with("t10k-images.idx3-ubyte"));
        put("t10k-images-idx3-ubyte.gz");
        assert!(file_in(dir.path(), "t10k-images-idx3-ubyte").unwrap().ends_with("t10k-images-idx3-ubyte.gz"));
        put("t10k-images-idx3-ubyte");
        assert!(file_in(dir.path(), "t10k-images-idx3-ubyte").unwrap().ends_with("t10k-images-idx3-ubyte"));
    }

    #[test]
    fn the_folder_of_the_official_archive_is_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(locate(&CIFAR10, Some(dir.path())).unwrap(), dir.path());
        fs::create_dir(dir.path().join("cifar-10-batches-bin")).unwrap();
        assert!(locate(&CIFAR10, Some(dir.path())).unwrap().ends_with("cifar-10-batches-bin"));
    }
}
