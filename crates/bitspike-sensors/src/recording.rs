//! One recording: several channels over the same time, with a label and a group.

use sha2::{Digest, Sha256};

/// A recording of C channels with L samples each.
///
/// ```
/// use bitspike_sensors::Recording;
/// let r = Recording {
///     name: "motor-1".into(),
///     channels: vec!["x".into(), "y".into()],
///     rate_hz: Some(12_000.0),
///     values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
///     label: Some("worn".into()),
///     group: None,
/// };
/// assert_eq!((r.len(), r.channel(1)), (3, &[4.0, 5.0, 6.0][..]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Path of the file below the folder, without its extension; `name#3` for the fourth recording within a file.
    pub name: String,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// Samples per second, if known.
    pub rate_hz: Option<f64>,
    /// `[C, L]`, all finite: channel 0 from start to end, then channel 1, ...
    pub values: Vec<f32>,
    /// What the recording shows.
    pub label: Option<String>,
    /// What must not be on both sides of a split, as the person or the machine.
    pub group: Option<String>,
}

impl Recording {
    /// Samples per channel.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.channels.len()).unwrap_or(0)
    }

    /// True without a sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples of channel `c`.
    ///
    /// # Panics
    /// If there is no channel `c`.
    pub fn channel(&self, c: usize) -> &[f32] {
        let n = self.len();
        &self.values[c * n..(c + 1) * n]
    }

    /// SHA-256 of shape and values, to find copies.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update((self.channels.len() as u64).to_le_bytes());
        self.values.iter().for_each(|v| hash.update(v.to_le_bytes()));
        hash.finalize().into()
    }

    /// Keeps these channels, in this order. `Err` is the name that is not there.
    pub(crate) fn select<'a>(&mut self, names: &'a [String]) -> Result<(), &'a str> {
        if names.is_empty() || names == self.channels {
            return Ok(());
        }
        let mut values = Vec::with_capacity(names.len() * self.len());
        for name in names {
            let c = self.channels.iter().position(|have| have == name).ok_or(name.as_str())?;
            values.extend_from_slice(self.channel(c));
        }
        (self.channels, self.values) = (names.to_vec(), values);
        Ok(())
    }
}

/// A file that was read, with what proves its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path below the folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl SourceFile {
    /// The record of a file's content.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self { path: path.into(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes) }
    }
}

/// SHA-256 of a list of files: of the lines `<sha256>  <path>\n`, as `sha256sum` prints them, in the order given.
///
/// ```
/// use bitspike_sensors::{SourceFile, files_sha256};
/// let file = SourceFile { path: "a.csv".into(), bytes: 0, sha256: "00".into() };
/// assert_ne!(files_sha256(&[file]), files_sha256(&[]));
/// ```
pub fn files_sha256(files: &[SourceFile]) -> String {
    let lines: String = files.iter().map(|f| format!("{}  {}\n", f.sha256, f.path)).collect();
    sha256_hex(lines.as_bytes())
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_of_files_is_that_of_sha256sum() {
        // printf 'a' | sha256sum; and the sum of that line with the name x.
        let file = SourceFile::of("x", b"a");
        assert_eq!(file.sha256, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
        assert_eq!(
            files_sha256(&[file]),
            sha256_hex(b"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  x\n")
        );
    }

    #[test]
    fn select_orders_and_names_what_is_missing() {
        let names = |n: &[&str]| n.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        let mut r = Recording {
            name: String::new(),
            channels: names(&["a", "b"]),
            rate_hz: None,
            values: vec![1.0, 2.0, 3.0, 4.0],
            label: None,
            group: None,
        };
        assert_eq!(r.select(&names(&["a", "z"])), Err("z"));
        r.select(&names(&["b", "a"])).unwrap();
        assert_eq!(r.values, [3.0, 4.0, 1.0, 2.0]);
    }
}
