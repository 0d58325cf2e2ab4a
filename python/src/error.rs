//! Errors of the crates as Python exceptions: the message, and what to do about it on a line of its own.

use bitspike_data::DataError;
use bitspike_events::EventError;
use bitspike_infer::InferError;
use bitspike_infer::c99::ExportError;
use bitspike_infer::fast::OpenError;
use bitspike_nir::NirError;
use bitspike_onnx::OnnxError;
use bitspike_sensors::SensorError;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use std::path::Path;

/// Classes of the Python part, whose names are those of errors of the crates.
mod python {
    pyo3::import_exception!(bitspike._errors, FormatError);
    pyo3::import_exception!(bitspike._errors, DataError);
    pyo3::import_exception!(bitspike._errors, ExportError);
    pyo3::import_exception!(bitspike._errors, InputError);
}
use python::{DataError as PyDataError, ExportError as PyExportError, FormatError, InputError};

/// An error on the way out of a function.
pub(crate) struct Error(PyErr);

impl From<Error> for PyErr {
    fn from(e: Error) -> Self {
        e.0
    }
}

impl From<PyErr> for Error {
    fn from(e: PyErr) -> Self {
        Self(e)
    }
}

fn text(message: &str, hint: &str) -> String {
    if hint.is_empty() { message.to_owned() } else { format!("{message}\nhint: {hint}") }
}

/// Python makes `FileNotFoundError` and its like of number, text and path.
fn system(path: &Path, e: &std::io::Error) -> Error {
    Error(match e.raw_os_error() {
        Some(number) => {
            let said = e.to_string();
            let said = said.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, said, path.to_path_buf()))
        }
        None => PyOSError::new_err(format!("{}: {e}", path.display())),
    })
}

/// An argument that cannot be.
pub(crate) fn argument(name: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    Error(InputError::new_err(format!("{name}: expected {expected}, found {found}")))
}

/// A configuration, as JSON, that is not one.
pub(crate) fn configuration(what: &str, e: &serde_json::Error) -> Error {
    // Line and column are those of a text that the caller has never seen.
    let said = e.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    Error(InputError::new_err(format!("{what}: {said}")))
}

impl From<OpenError> for Error {
    fn from(e: OpenError) -> Self {
        match e {
            OpenError::Format(e) => Self(FormatError::new_err(text(&e.to_string(), e.hint()))),
            OpenError::Infer(e) => e.into(),
            e => Self(PyRuntimeError::new_err(e.to_string())),
        }
    }
}

impl From<InferError> for Error {
    fn from(e: InferError) -> Self {
        let text = text(&e.to_string(), e.hint());
        Self(match e {
            InferError::Input { .. } | InferError::NotFinite { .. } => InputError::new_err(text),
            _ => PyRuntimeError::new_err(text),
        })
    }
}

impl From<ExportError> for Error {
    fn from(e: ExportError) -> Self {
        let text = text(&e.to_string(), e.hint());
        match e {
            ExportError::Infer(e) => e.into(),
            ExportError::Name { .. } => Self(InputError::new_err(text)),
            _ => Self(PyExportError::new_err(text)),
        }
    }
}

impl From<NirError> for Error {
    fn from(e: NirError) -> Self {
        Self(PyExportError::new_err(text(&e.to_string(), e.hint().unwrap_or_default())))
    }
}

impl From<OnnxError> for Error {
    fn from(e: OnnxError) -> Self {
        Self(PyExportError::new_err(text(&e.to_string(), e.hint().unwrap_or_default())))
    }
}

impl From<EventError> for Error {
    fn from(e: EventError) -> Self {
        match &e {
            EventError::Io { path, source, .. } => system(path, source),
            EventError::Option { .. } | EventError::Outside { .. } => {
                Self(InputError::new_err(text(&e.to_string(), &e.hint())))
            }
            _ => Self(PyDataError::new_err(text(&e.to_string(), &e.hint()))),
        }
    }
}

impl From<SensorError> for Error {
    fn from(e: SensorError) -> Self {
        match &e {
            SensorError::Io { path, source } => system(path, source),
            SensorError::Config { .. } => Self(InputError::new_err(text(&e.to_string(), &e.hint()))),
            _ => Self(PyDataError::new_err(text(&e.to_string(), &e.hint()))),
        }
    }
}

impl From<DataError> for Error {
    fn from(e: DataError) -> Self {
        match e {
            DataError::Io { path, source } => system(&path, &source),
            DataError::Events(e) => e.into(),
            DataError::Sensors(e) => e.into(),
            DataError::Config { .. } => Self(InputError::new_err(text(&e.to_string(), &e.hint()))),
            e => Self(PyDataError::new_err(text(&e.to_string(), &e.hint()))),
        }
    }
}

impl Error {
    /// An error of the system at a file that this crate reads itself.
    pub(crate) fn file(path: &Path, e: &std::io::Error) -> Self {
        system(path, e)
    }
}
