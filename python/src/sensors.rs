//! Recordings of sensors and sound: read, cut, encoded. Configurations come as JSON, whose keys are those of a recipe.

use crate::error::{Error, argument, configuration};
use bitspike_sensors::{Encode, Encoded, Encoder, Format, Key, Missing, Part, SensorConfig, decode, load};
use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// The recordings of a file.
#[pyfunction]
#[pyo3(signature = (path, data, format, missing))]
pub(crate) fn read_recordings<'py>(
    py: Python<'py>,
    path: PathBuf,
    data: Option<Vec<u8>>,
    format: &str,
    missing: &str,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let format: Format = serde_json::from_str(format).map_err(|e| configuration("format", &e))?;
    let missing: Missing = serde_json::from_str(missing).map_err(|e| configuration("missing", &e))?;
    let found = py.detach(|| {
        let bytes = match data {
            Some(bytes) => bytes,
            None => std::fs::read(&path).map_err(|e| Error::file(&path, &e))?,
        };
        decode(&path, &bytes, &format, missing).map_err(Error::from)
    })?;
    let one = |r: bitspike_sensors::Recording| -> PyResult<Bound<'py, PyDict>> {
        let (out, shape) = (PyDict::new(py), [r.channels.len(), r.len()]);
        out.set_item("name", r.name)?;
        out.set_item("channels", r.channels)?;
        out.set_item("rate_hz", r.rate_hz)?;
        out.set_item("values", r.values.into_pyarray(py).reshape(shape)?)?;
        out.set_item("label", r.label)?;
        out.set_item("group", r.group)?;
        Ok(out)
    };
    found.into_iter().map(one).collect()
}

/// Samples as an array whose axes are those given.
fn array<'py>(py: Python<'py>, samples: Encoded, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    Ok(match samples {
        Encoded::Bytes(v) => v.into_pyarray(py).reshape(shape.to_vec())?.into_any(),
        Encoded::Floats(v) => v.into_pyarray(py).reshape(shape.to_vec())?.into_any(),
    })
}

/// The arrays of a configuration.
#[pyfunction]
pub(crate) fn load_sensors<'py>(py: Python<'py>, config: &str) -> PyResult<Bound<'py, PyDict>> {
    let config: SensorConfig = serde_json::from_str(config).map_err(|e| configuration("sensors", &e))?;
    let set = py.detach(|| load(&config)).map_err(Error::from)?;
    let out = PyDict::new(py);
    let [c, h, w] = set.shape;
    let part = |part: Part| -> PyResult<Bound<'py, PyDict>> {
        let (out, n) = (PyDict::new(py), part.len());
        out.set_item("x", array(py, part.samples, &[n, set.stored_steps, c, h, w])?)?;
        out.set_item("y", part.labels.iter().map(|l| i64::from(*l)).collect::<Vec<_>>().into_pyarray(py))?;
        out.set_item("groups", part.groups)?;
        out.set_item("recordings", part.origins.iter().map(|o| &set.recordings[o.recording]).collect::<Vec<_>>())?;
        out.set_item("starts", part.origins.iter().map(|o| o.start).collect::<Vec<_>>())?;
        Ok(out)
    };
    out.set_item("train", part(set.train)?)?;
    out.set_item("validation", set.validation.map(part).transpose()?)?;
    out.set_item("test", part(set.test)?)?;
    out.set_item("steps", set.steps)?;
    out.set_item("classes", &set.classes)?;
    out.set_item("channels", &set.channels)?;
    out.set_item("rate_hz", set.rate_hz)?;
    out.set_item("window", set.window)?;
    out.set_item("centre", set.scaler.centre.into_pyarray(py))?;
    out.set_item("scale", set.scaler.scale.into_pyarray(py))?;
    out.set_item("split", &set.split.name)?;
    Ok(out)
}

/// Frames `[N, T, C', H, W]` of features `[N, C, R, L]`; T is 1 where every step is the same.
#[pyfunction]
#[pyo3(signature = (x, config, run_seed, epoch, first))]
pub(crate) fn encode<'py>(
    py: Python<'py>,
    x: PyReadonlyArrayDyn<'py, f32>,
    config: &str,
    run_seed: u64,
    epoch: u64,
    first: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let config: Encode = serde_json::from_str(config).map_err(|e| configuration("encode", &e))?;
    let [n, c, r, l] = x.as_array().shape()[..] else {
        return Err(argument("x", "float32 [N, C, R, L]", format!("{:?}", x.as_array().shape())).into());
    };
    let values = x.as_slice().map_err(|_| argument("x", "an array in C order", "another order"))?;
    let encoder = Encoder::new(&config, [c, r, l]).map_err(Error::from)?;
    let [channels, rows, columns] = encoder.shape();
    let shape = [n, encoder.stored_steps(), channels, rows, columns];
    let each = encoder.features_len();
    let key = |i: usize| Key { seed: run_seed, epoch, test: false, sample: first.wrapping_add(i as u64) };
    let samples = || if each == 0 { values[..0].chunks_exact(1) } else { values.chunks_exact(each) };
    let made = py.detach(|| {
        if encoder.is_bytes() {
            let mut out = vec![0; n * encoder.sample_len()];
            for (i, (x, out)) in samples().zip(out.chunks_exact_mut(encoder.sample_len().max(1))).enumerate() {
                encoder.encode_into(x, key(i), out)?;
            }
            return Ok(Encoded::Bytes(out));
        }
        let mut out = Vec::with_capacity(n * encoder.sample_len());
        for (i, x) in samples().enumerate() {
            if let Encoded::Floats(one) = encoder.encode(x, key(i))? {
                out.extend(one);
            }
        }
        Ok::<_, bitspike_sensors::SensorError>(Encoded::Floats(out))
    });
    array(py, made.map_err(Error::from)?, &shape)
}
