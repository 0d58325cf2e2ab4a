//! Reads the stored PyTorch vectors of `testdata/golden` for tests and brings them to channels-last order.
//!
//! They belong to the workspace and are in no package. `BITSPIKE_GOLDEN=dir` names another folder, or the one above its
//! `vectors`; where there is neither, tests say so and check nothing.

use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

/// One reference file: the metadata `params` and the tensors.
pub(crate) struct Golden {
    name: String,
    bytes: Vec<u8>,
    /// The parameters of the operation.
    pub(crate) params: serde_json::Value,
}

/// The folder of the vectors. None, said in a line, outside the workspace.
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BITSPIKE_GOLDEN").map(PathBuf::from) {
        let within = named.join("vectors");
        return Some(if within.is_dir() { within } else { named });
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    if !ours.is_dir() {
        eprintln!("skipped: outside the workspace; BITSPIKE_GOLDEN names the folder of the reference vectors");
        return None;
    }
    Some(ours)
}

impl Golden {
    /// Every file of an operation; there is at least one, unless there is no folder.
    pub(crate) fn all(op: &str) -> Vec<Self> {
        let Some(folder) = folder() else { return Vec::new() };
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
            .collect();
        files.sort();
        let found: Vec<_> = files.iter().filter_map(|path| Self::read(path, op)).collect();
        assert!(!found.is_empty(), "{}: no file of {op}", folder.display());
        found
    }

    fn read(path: &Path, op: &str) -> Option<Self> {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        let params = (metadata["op"] == op).then(|| serde_json::from_str(&metadata["params"]).unwrap())?;
        Some(Self { name: path.display().to_string(), bytes, params })
    }

    /// The shape and the values of a tensor as stored.
    pub(crate) fn tensor(&self, key: &str) -> (Vec<usize>, Vec<f32>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(key).unwrap();
        let values = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        (view.shape().to_vec(), values)
    }

    /// The values of a `[T, N, C, H, W]` tensor as `[T, N, H, W, C]`.
    pub(crate) fn channels_last(&self, key: &str) -> Vec<f32> {
        let (shape, x) = self.tensor(key);
        let (images, c, hw) = (shape[0] * shape[1], shape[2], shape[3] * shape[4]);
        let index = |n: usize, p: usize, k: usize| (n * c + k) * hw + p;
        (0..images * hw * c).map(|i| x[index(i / (hw * c), i / c % hw, i % c)]).collect()
    }

    /// Compares with the tolerance of the reference set: 2e-5 of the largest magnitude.
    pub(crate) fn assert_close(&self, key: &str, found: &[f32], expected: &[f32]) {
        super::testing::assert_close(&format!("{}: {key}", self.name), found, expected, 2e-5);
    }

    /// A number of the parameters.
    pub(crate) fn number(&self, key: &str) -> f32 {
        self.params[key].as_f64().unwrap() as f32
    }

    /// A word of the parameters.
    pub(crate) fn word(&self, key: &str) -> &str {
        self.params[key].as_str().unwrap()
    }

    /// A switch of the parameters.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.params[key].as_bool().unwrap()
    }
}
