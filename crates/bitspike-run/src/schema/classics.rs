//! `classics.json`: what classifiers without a network reach on the data of a comparison, beside its run folders.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::SCHEMA;
use crate::{RunError, folder::parse, number, write_json_atomic};

/// The file's name in the folder of a comparison.
pub const CLASSICS_FILE: &str = "classics.json";

/// `classics.json`: classifiers without a network on the data of a comparison.
///
/// ```
/// use bitspike_run::{ClassicRecord, Classics};
/// # let home = tempfile::tempdir().unwrap();
/// let ridge = ClassicRecord { name: "ridge".into(), accuracy: 0.88, ..ClassicRecord::default() };
/// let classics = Classics { evaluated_on: "test".into(), samples: 433, classics: vec![ridge], ..Classics::default() };
/// classics.write(home.path())?;
/// assert_eq!(Classics::read(home.path())?, Some(classics));
/// # Ok::<(), bitspike_run::RunError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classics {
    /// Version of this layout, [`SCHEMA`].
    pub schema: u32,
    /// SHA-256 of the data files as in `run.json` of the runs (`dataset.files`), sorted.
    pub data: Vec<String>,
    /// What accuracies were measured on: `test` or `validation`.
    pub evaluated_on: String,
    /// Samples they were measured on.
    pub samples: u64,
    /// From the simplest on.
    pub classics: Vec<ClassicRecord>,
}

/// One classifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassicRecord {
    /// Its name: `most-frequent`, `ridge`, ...
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Accuracy, fraction.
    #[serde(with = "number")]
    pub accuracy: f64,
    /// Time of training, seconds.
    #[serde(with = "number")]
    pub train_seconds: f64,
    /// Size of the model, bytes.
    pub bytes: u64,
    /// Multiply-adds of a sample, estimated.
    pub operations: u64,
    /// What was fitted, in a few words.
    pub note: String,
}

impl Default for Classics {
    fn default() -> Self {
        let (data, evaluated_on) = (Vec::new(), String::new());
        Self { schema: SCHEMA, data, evaluated_on, samples: 0, classics: Vec::new() }
    }
}

impl Classics {
    /// Writes the file into the folder of a comparison, all or nothing.
    ///
    /// # Errors
    /// [`RunError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), RunError> {
        write_json_atomic(folder.join(CLASSICS_FILE), self)
    }

    /// Reads it; `None` if there is no such file.
    ///
    /// # Errors
    /// [`RunError`] for a file that is damaged, of a newer version, or cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, RunError> {
        let path = folder.join(CLASSICS_FILE);
        match fs::read(&path) {
            Ok(bytes) => parse(&path, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RunError::io("read", &path)(error)),
        }
    }

    /// The most accurate, the first of equals.
    pub fn best(&self) -> Option<&ClassicRecord> {
        let known = self.classics.iter().filter(|classic| classic.accuracy.is_finite());
        known.reduce(|best, classic| if classic.accuracy > best.accuracy { classic } else { best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_is_none_and_one_that_is_damaged_is_refused() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Classics::read(home.path()).unwrap(), None);
        Classics { samples: 433, ..Classics::default() }.write(home.path()).unwrap();
        let path = home.path().join(CLASSICS_FILE);
        let text = fs::read_to_string(&path).unwrap().replace("433", "434");
        fs::write(&path, text).unwrap();
        assert!(matches!(Classics::read(home.path()), Err(RunError::Damaged { .. })));
    }

    #[test]
    fn the_best_is_the_first_of_equals() {
        let one = |name: &str, accuracy| ClassicRecord { name: name.into(), accuracy, ..ClassicRecord::default() };
        let classics = vec![one("a", f64::NAN), one("b", 0.5), one("c", 0.7), one("d", 0.7)];
        assert_eq!(Classics { classics, ..Classics::default() }.best().unwrap().name, "c");
        assert_eq!(Classics::default().best(), None);
    }
}
