//! An engine that owns its file.

use super::{Engine, KernelPath, Setting};
use crate::InferError;
use bitspike_format::{FormatError, Model};
use std::fmt;
use std::sync::Arc;

self_cell::self_cell!(
    struct Cell {
        owner: Arc<[u8]>,
        #[covariant]
        dependent: Engine,
    }
);

/// An [`Engine`] together with the bytes of its file: a value that lives as long as it is wanted, in a static, behind an `Arc`, in an
/// object of another language. Threads may share it.
///
/// ```
/// use bitspike_format::example;
/// use bitspike_infer::fast::OwnedEngine;
/// fn open() -> Result<OwnedEngine, bitspike_infer::fast::OpenError> {
///     OwnedEngine::new(example::tiny()) // or std::fs::read(path)?
/// }
/// let owned = open()?;
/// let mut logits = [0.0; 10];
/// owned.engine().run_batch(&[0.5; 32], &mut logits, 1)?;
/// assert_eq!(owned.model().network().classes, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OwnedEngine(Cell);

impl OwnedEngine {
    /// Checks a file and prepares it for the best kernels that the processor has, or those that `BITSPIKE_KERNEL` names. Bytes that
    /// are in an `Arc` already are shared, not copied.
    ///
    /// # Errors
    /// [`OpenError`] where the file is damaged, or cannot run here.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Result<Self, OpenError> {
        let path = Setting::from_env().map_err(|_| InferError::Kernel)?.path();
        Self::with_path(bytes, path)
    }

    /// The same for given kernels; for the portable ones where the processor lacks them.
    ///
    /// # Errors
    /// As [`OwnedEngine::new`].
    pub fn with_path(bytes: impl Into<Arc<[u8]>>, path: KernelPath) -> Result<Self, OpenError> {
        Cell::try_new(bytes.into(), |bytes| Ok(Engine::with_path(&Model::parse(bytes)?, path)?)).map(Self)
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine<'_> {
        self.0.borrow_dependent()
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &Model<'_> {
        self.engine().model()
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        self.0.borrow_owner()
    }
}

impl fmt::Debug for OwnedEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedEngine").field("bytes", &self.bytes().len()).field("path", &self.engine().path()).finish()
    }
}

/// Why bytes did not become an engine.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum OpenError {
    /// They are no `.bsnn` file, or a damaged one.
    Format(FormatError),
    /// The network cannot run here.
    Infer(InferError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(e) => e.fmt(f),
            Self::Infer(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<FormatError> for OpenError {
    fn from(e: FormatError) -> Self {
        Self::Format(e)
    }
}

impl From<InferError> for OpenError {
    fn from(e: InferError) -> Self {
        Self::Infer(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitspike_format::example;

    #[test]
    fn it_outlives_the_place_where_it_was_made_and_is_shared_by_threads() {
        let input: Vec<f32> = (0..32 * 7).map(|i| (i as f32 * 0.37).sin()).collect();
        let bytes = example::tiny();
        let model = Model::parse(&bytes).unwrap();
        let mut expected = vec![0.0; 70];
        Engine::new(&model).unwrap().run_batch(&input, &mut expected, 1).unwrap();

        let shared: Arc<[u8]> = bytes.clone().into();
        let owned = Arc::new(OwnedEngine::new(shared.clone()).unwrap());
        assert!(Arc::ptr_eq(owned.bytes(), &shared), "bytes in an Arc are not copied");
        drop(shared);
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (owned, input) = (owned.clone(), input.clone());
                std::thread::spawn(move || {
                    let mut logits = vec![0.0; 70];
                    owned.engine().run_batch(&input, &mut logits, 1).map(|()| logits)
                })
            })
            .collect();
        for worker in workers {
            assert_eq!(worker.join().unwrap().unwrap(), expected);
        }
    }

    #[test]
    fn damage_is_an_error_and_not_an_engine() {
        let mut bytes = example::tiny();
        bytes[100] ^= 1;
        let error = OwnedEngine::new(bytes).unwrap_err();
        assert!(matches!(error, OpenError::Format(_)), "{error}");
        assert!(matches!(OwnedEngine::new(Vec::new()), Err(OpenError::Format(_))));
    }
}
