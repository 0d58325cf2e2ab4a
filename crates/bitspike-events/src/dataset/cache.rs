//! Frames kept on disk for the next time.
//!
//! One file a set and configuration, `<set>-<key>.frames`, so that several can share a folder:
//!
//! ```text
//! mark "BSFRAMES" | length of the manifest, u64 | manifest, JSON | training frames | test frames | SHA-256 of all before
//! ```
//!
//! The key, and the manifest that is compared in full, hold the version of this layout, everything of the configuration
//! that frames depend on, the SHA-256 of the list, and one over name, size and time of change of every file. A file is
//! used only if all of that is as expected and length and checksum are right; otherwise it is made again. It is written
//! under a temporary name and renamed ([`Aside`]); the next write of the same file removes what a killed process left. A
//! file in that place without the mark is not ours: an error, and it is left alone.
//!
//! A recording changed without a change of size or time is not noticed.

use super::frame_set::{EventSet, Part};
use super::{EventConfig, EventOptions, Listing, hex, relative};
use crate::EventError;
use crate::input::u64_le;
use bitspike_files::Aside;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MARK: &[u8; 8] = b"BSFRAMES";
/// Changes with the layout of the file and with the meaning of a configuration.
const VERSION: u32 = 1;
const MAX_MANIFEST: u64 = 1 << 30;

/// What frames depend on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Key {
    version: u32,
    /// The configuration without the places of data and cache.
    transform: EventConfig,
    list_sha256: String,
    /// Number of files, and SHA-256 of their names, sizes and times of change.
    files: usize,
    files_sha256: String,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct Manifest {
    key: Key,
    shape: [usize; 3],
    classes: Vec<String>,
    split: String,
    train: Vec<u32>,
    test: Vec<u32>,
}

/// The place of one set and configuration in a cache folder.
pub(crate) struct Entry {
    path: PathBuf,
    key: Key,
    validation: usize,
}

impl Entry {
    pub(crate) fn new(folder: &Path, config: &EventConfig, listing: &Listing) -> Result<Self, EventError> {
        let mut files: Vec<&Path> = listing.train.iter().chain(&listing.test).map(|i| i.path.as_path()).collect();
        files.sort_unstable();
        files.dedup();
        let mut state = Sha256::new();
        for path in &files {
            let io = |source| EventError::Io { path: (*path).into(), offset: 0, source };
            let meta = std::fs::metadata(path).map_err(io)?;
            // Before 1970 is as good a time as any other.
            let changed = match meta.modified().map_err(io)?.duration_since(std::time::UNIX_EPOCH) {
                Ok(d) => d.as_nanos() as i128,
                Err(e) => -(e.duration().as_nanos() as i128),
            };
            state.update(format!("{}\t{}\t{changed}\n", relative(&listing.root, path), meta.len()));
        }
        let key = Key {
            version: VERSION,
            transform: EventConfig {
                path: PathBuf::new(),
                options: EventOptions { cache: None, ..config.options.clone() },
                ..config.clone()
            },
            list_sha256: listing.sha256.clone(),
            files: files.len(),
            files_sha256: hex(&state.finalize()),
        };
        let text = serde_json::to_vec(&key).expect("numbers, strings and options can be written as JSON");
        let name = format!("{}-{}.frames", config.set, &hex(&Sha256::digest(&text))[..16]);
        Ok(Self { path: folder.join(name), key, validation: listing.validation })
    }

    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// The frames, if they are there and whole and of the same key.
    pub(crate) fn read(&self) -> Result<Option<EventSet>, EventError> {
        let io = |source| EventError::Io { path: self.path.clone(), offset: 0, source };
        let file = match File::open(&self.path) {
            Ok(f) => f,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(e)),
        };
        let length = file.metadata().map_err(io)?.len();
        let mut input = Hashed { file: BufReader::with_capacity(1 << 16, file), hash: Sha256::new() };
        let mark = input.bytes(length.min(8) as usize).map_err(io)?;
        if !MARK.starts_with(&mark) {
            let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
            return Err(EventError::Foreign { path: self.path.clone(), expected: text(MARK), found: text(&mark) });
        }
        // From here on the file is ours; whatever is wrong with it, it is made again.
        Ok(self.content(&mut input, length).unwrap_or_default())
    }

    fn content(&self, input: &mut Hashed, length: u64) -> std::io::Result<Option<EventSet>> {
        const AROUND: u64 = 8 + 8 + 32;
        if length < AROUND {
            return Ok(None);
        }
        let size = u64_le(&input.bytes(8)?);
        if size > MAX_MANIFEST.min(length - AROUND) {
            return Ok(None);
        }
        let Ok(m) = serde_json::from_slice::<Manifest>(&input.bytes(size as usize)?) else { return Ok(None) };
        let one = m.shape.iter().try_fold(self.key.transform.steps as u64, |n, s| n.checked_mul(*s as u64));
        let bytes = |labels: &[u32]| one.and_then(|n| n.checked_mul(labels.len() as u64));
        let (Some(train), Some(test)) = (bytes(&m.train), bytes(&m.test)) else { return Ok(None) };
        if m.key != self.key || Some(length - AROUND - size) != train.checked_add(test) {
            return Ok(None);
        }
        let (train, test) = (input.bytes(train as usize)?, input.bytes(test as usize)?);
        let sum = input.hash.clone().finalize();
        if input.bytes(32)? != sum[..] {
            return Ok(None);
        }
        Ok(Some(EventSet {
            steps: self.key.transform.steps,
            shape: m.shape,
            classes: m.classes,
            validation: self.validation,
            train: Part { samples: train, labels: m.train },
            test: Part { samples: test, labels: m.test },
            split: m.split,
            list_sha256: m.key.list_sha256,
            cached: true,
        }))
    }

    /// Keeps frames.
    pub(crate) fn write(&self, set: &EventSet) -> Result<(), EventError> {
        let manifest = Manifest {
            key: self.key.clone(),
            shape: set.shape,
            classes: set.classes.clone(),
            split: set.split.clone(),
            train: set.train.labels.clone(),
            test: set.test.labels.clone(),
        };
        let manifest = serde_json::to_vec(&manifest).expect("numbers and strings can be written as JSON");
        let write = || -> std::io::Result<()> {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let aside = Aside::new(&self.path)?;
            let mut out = BufWriter::new(aside.file());
            let mut hash = Sha256::new();
            for part in
                [&MARK[..], &(manifest.len() as u64).to_le_bytes(), &manifest, &set.train.samples, &set.test.samples]
            {
                hash.update(part);
                out.write_all(part)?;
            }
            out.write_all(&hash.finalize())?;
            out.flush()?;
            drop(out);
            aside.replace()
        };
        write().map_err(|source| EventError::Io { path: self.path.clone(), offset: 0, source })
    }
}

/// Reads and hashes.
struct Hashed {
    file: BufReader<File>,
    hash: Sha256,
}

impl Hashed {
    /// The next `n` bytes; callers bound `n` by the length of the file.
    fn bytes(&mut self, n: usize) -> std::io::Result<Vec<u8>> {
        let mut all = vec![0; n];
        self.file.read_exact(&mut all)?;
        self.hash.update(&all);
        Ok(all)
    }
}
