//! Data sets as arrays.

use crate::error::{Error, configuration};
use bitspike_data::{DataConfig, SampleSet, Values, load_frames};
use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The parts of a data set, `[N, T, C, H, W]`.
#[pyfunction]
pub(crate) fn load_images<'py>(py: Python<'py>, config: &str, steps: usize) -> PyResult<Bound<'py, PyDict>> {
    let config: DataConfig = serde_json::from_str(config).map_err(|e| configuration("data", &e))?;
    let set = py.detach(|| load_frames(&config, steps)).map_err(Error::from)?;
    let part = |set: &SampleSet| -> PyResult<Bound<'py, PyDict>> {
        let [c, h, w] = set.shape;
        let (out, shape) = (PyDict::new(py), [set.len(), set.steps, c, h, w]);
        let x = match &set.values {
            Values::Bytes(v) => v.clone().into_pyarray(py).reshape(shape)?.into_any(),
            Values::Floats(v) => v.clone().into_pyarray(py).reshape(shape)?.into_any(),
            // Left in files, or drawn from features: sample by sample.
            Values::Drawn(_) | Values::Files(_) => {
                let mut all = Vec::new();
                for i in 0..set.len() {
                    all.extend_from_slice(&set.read_image(i).map_err(Error::from)?.unwrap_or_default());
                }
                all.into_pyarray(py).reshape(shape)?.into_any()
            }
        };
        out.set_item("x", x)?;
        out.set_item("y", set.labels.iter().map(|l| i64::from(*l)).collect::<Vec<_>>().into_pyarray(py))?;
        Ok(out)
    };
    let out = PyDict::new(py);
    out.set_item("name", &set.name)?;
    out.set_item("split", &set.split)?;
    out.set_item("classes", &set.train.classes)?;
    out.set_item("train", part(&set.train)?)?;
    out.set_item("validation", set.validation.as_deref().map(part).transpose()?)?;
    out.set_item("test", part(&set.test)?)?;
    out.set_item("channel_mean", set.channel_mean.into_pyarray(py))?;
    out.set_item("channel_std", set.channel_std.into_pyarray(py))?;
    Ok(out)
}
