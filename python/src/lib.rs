//! `bitspike._core`: what the Python package has compiled. Arrays come in checked by `bitspike/_arrays.py`, whose errors name dtype
//! and shape; here lengths are checked again, so that a direct call gets an exception too.

mod data;
mod error;
mod events;
mod export;
mod model;
mod sensors;

use pyo3::prelude::*;

#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("version", env!("CARGO_PKG_VERSION"))?;
    m.add("newest_format", bitspike_format::NEWEST)?;
    m.add_class::<model::Model>()?;
    m.add_class::<model::Stream>()?;
    m.add_class::<events::Camera>()?;
    m.add_function(wrap_pyfunction!(export::nir, m)?)?;
    m.add_function(wrap_pyfunction!(export::onnx, m)?)?;
    m.add_function(wrap_pyfunction!(export::c, m)?)?;
    m.add_function(wrap_pyfunction!(events::read_events, m)?)?;
    m.add_function(wrap_pyfunction!(events::event_formats, m)?)?;
    m.add_function(wrap_pyfunction!(events::event_frames, m)?)?;
    m.add_function(wrap_pyfunction!(events::saccades, m)?)?;
    m.add_function(wrap_pyfunction!(sensors::read_recordings, m)?)?;
    m.add_function(wrap_pyfunction!(sensors::load_sensors, m)?)?;
    m.add_function(wrap_pyfunction!(sensors::encode, m)?)?;
    m.add_function(wrap_pyfunction!(data::load_images, m)?)?;
    Ok(())
}
