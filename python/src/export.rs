//! A network in other formats: NIR, ONNX, C99.

use crate::error::{Error, argument};
use crate::model::{Model, values};
use bitspike_infer::c99::{self, Target};
use bitspike_nir::{Layout, Options};
use bitspike_onnx::Input;
use numpy::PyReadonlyArrayDyn;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The bytes of a NIR file.
#[pyfunction]
pub(crate) fn nir<'py>(
    py: Python<'py>,
    model: &Model,
    weights: &str,
    soft_reset: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let weights = match weights {
        "scaled" => Layout::Scaled,
        "signs" => Layout::Signs,
        other => return Err(argument("weights", "\"scaled\" or \"signs\"", format!("{other:?}")).into()),
    };
    let graph = bitspike_nir::export(model.parsed(), &Options { weights, soft_reset });
    Ok(PyBytes::new(py, &graph.and_then(|graph| graph.to_bytes()).map_err(Error::from)?))
}

/// The bytes of an ONNX file, whose input is bytes of images or what the network itself takes.
#[pyfunction]
pub(crate) fn onnx<'py>(py: Python<'py>, model: &Model, pixels: bool) -> PyResult<Bound<'py, PyBytes>> {
    let input = if pixels { Input::Pixels } else { Input::Values };
    Ok(PyBytes::new(py, &bitspike_onnx::of(model.parsed(), input).map_err(Error::from)?))
}

/// Paths and texts.
type Files = Vec<(String, String)>;

/// C sources, and why a file that says what the network is fed with has no stream among them. Without a template: header, source, a
/// test if there are samples, and the stream.
#[pyfunction]
#[pyo3(signature = (model, name, samples = None, template = None, hop = None))]
pub(crate) fn c(
    model: &Model,
    name: &str,
    samples: Option<PyReadonlyArrayDyn<'_, f32>>,
    template: Option<&str>,
    hop: Option<u32>,
) -> PyResult<(Files, Option<String>)> {
    let model = model.parsed();
    if let Some(target) = template {
        let target: Target = target.parse().map_err(Error::from)?;
        return Ok((c99::template(model, name, target, hop).map_err(Error::from)?, None));
    }
    // The sources do not depend on the samples, but the exporter always writes a test of some.
    let zeros = vec![0.0; model.network().input_len()];
    let given = samples.as_ref().map(values).transpose()?;
    let sources = c99::export(model, name, given.unwrap_or(&zeros)).map_err(Error::from)?;
    let mut files = vec![("", ".h", sources.header), ("", ".c", sources.source)];
    if given.is_some() {
        files.push(("_test", ".c", sources.test));
    }
    let mut without = None;
    match c99::stream(model, name, hop) {
        Ok(fed) => files.extend([("_stream", ".h", fed.header), ("_stream", ".c", fed.source)]),
        // Whoever asks for a hop wants a stream.
        Err(e) if hop.is_some() => return Err(Error::from(e).into()),
        Err(e) if model.feed().is_some_and(|feed| feed.signal.is_some()) => {
            without = Some(format!("{e} ({})", e.hint()))
        }
        Err(_) => {}
    }
    let named = files.into_iter().map(|(part, ending, text)| (format!("{name}{part}{ending}"), text));
    Ok((named.collect(), without))
}
