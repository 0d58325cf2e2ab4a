//! What several fuzz targets need, and the bytes that their corpora begin with.

pub mod models;

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Panics within the crate `parquet` are caught and become errors; the hook of libFuzzer would end the process before. Any
/// other panic still does, without its text: run the input with `BITSPIKE_FUZZ_LOUD=1` to see it.
pub fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::env::var_os("BITSPIKE_FUZZ_LOUD").is_some();
        std::panic::set_hook(Box::new(move |info| {
            if loud {
                eprintln!("{info}");
            }
        }));
    });
}

/// A folder of this process, in memory where the system has such a place. It stays when libFuzzer ends the process: the smoke run
/// gives it a place that is removed (`TMPDIR`).
pub struct Folder(PathBuf);

impl Folder {
    /// # Panics
    /// If it cannot be made.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("bitspike-fuzz-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
