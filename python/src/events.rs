//! Events of cameras: read, simulated, made into frames.

use crate::error::{Error, argument};
use bitspike_events::{
    Camera as Layout, Event, EventReader, Format, FrameKind, Framing, ReadOptions, Saccades, Simulator,
    SimulatorConfig, SplitBy, TimeUnit,
};
use numpy::{IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Mutex;

/// t in microseconds, x, y, and whether the event is ON.
type Columns<'py> =
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<u16>>, Bound<'py, PyArray1<u16>>, Bound<'py, PyArray1<bool>>);

/// Events, the name of their format, and width and height of the sensor where the file says them.
type Recording<'py> = (Columns<'py>, &'static str, Option<(u32, u32)>);

fn columns<'py>(py: Python<'py>, events: &[Event]) -> Columns<'py> {
    (
        events.iter().map(|e| e.t).collect::<Vec<_>>().into_pyarray(py),
        events.iter().map(|e| e.x).collect::<Vec<_>>().into_pyarray(py),
        events.iter().map(|e| e.y).collect::<Vec<_>>().into_pyarray(py),
        events.iter().map(|e| e.p).collect::<Vec<_>>().into_pyarray(py),
    )
}

/// Names of the formats that are read.
#[pyfunction]
pub(crate) fn event_formats() -> Vec<&'static str> {
    Format::ALL.iter().map(|f| f.name()).collect()
}

/// A name among known ones.
fn named<T>(key: &str, name: Option<&str>, find: impl Fn(&str) -> Option<T>, known: &str) -> Result<Option<T>, Error> {
    match name {
        None => Ok(None),
        Some(name) => find(name).map(Some).ok_or_else(|| argument(key, known, format!("{name:?}"))),
    }
}

/// All events of a file, its format, and the size of the sensor where the file says it.
#[pyfunction]
#[pyo3(signature = (path, data = None, format = None, camera = None, stream = None, columns_in_order = None, time_unit = None))]
#[allow(clippy::too_many_arguments, reason = "keys of a file that does not say them")]
pub(crate) fn read_events<'py>(
    py: Python<'py>,
    path: PathBuf,
    data: Option<Vec<u8>>,
    format: Option<&str>,
    camera: Option<&str>,
    stream: Option<i32>,
    columns_in_order: Option<&str>,
    time_unit: Option<&str>,
) -> PyResult<Recording<'py>> {
    let formats = format!("one of {}", event_formats().join(", "));
    let cameras: Vec<_> = Layout::ALL.iter().map(|c| c.name()).collect();
    let cameras = format!("one of {}", cameras.join(", "));
    let layout = |name: &str| Layout::ALL.into_iter().find(|c| c.name() == name);
    let mut options = ReadOptions::default();
    options.format = named("format", format, Format::named, &formats)?;
    options.camera = named("camera", camera, layout, &cameras)?;
    options.time_unit = named("time_unit", time_unit, TimeUnit::named, "\"s\", \"ms\", \"us\" or \"ns\"")?;
    (options.stream, options.columns) = (stream, columns_in_order.map(str::to_owned));
    let (events, format, size) = py
        .detach(|| {
            let mut reader = match data {
                Some(bytes) => EventReader::from_bytes(&path, bytes, &options)?,
                None => EventReader::open(&path, &options)?,
            };
            let events = reader.read_all()?;
            Ok::<_, bitspike_events::EventError>((events, reader.format().name(), reader.geometry()))
        })
        .map_err(Error::from)?;
    Ok((columns(py, &events), format, size))
}

/// Frames `[T, C, H, W]` of events.
#[pyfunction]
#[pyo3(signature = (t, x, y, p, steps, width, height, by, kind, tau_us, within = None))]
#[allow(clippy::too_many_arguments, reason = "four columns and the keys of frames")]
pub(crate) fn event_frames<'py>(
    py: Python<'py>,
    t: PyReadonlyArray1<'py, i64>,
    x: PyReadonlyArray1<'py, u16>,
    y: PyReadonlyArray1<'py, u16>,
    p: PyReadonlyArray1<'py, bool>,
    steps: usize,
    width: u16,
    height: u16,
    by: &str,
    kind: &str,
    tau_us: f64,
    within: Option<(i64, i64)>,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let (t, x, y, p) = (t.as_array(), x.as_array(), y.as_array(), p.as_array());
    if [x.len(), y.len(), p.len()] != [t.len(); 3] {
        let found = format!("{}, {}, {} and {}", t.len(), x.len(), y.len(), p.len());
        return Err(argument("events", "four columns of one length", found).into());
    }
    let by = match by {
        "time" => SplitBy::Time,
        "count" => SplitBy::Count,
        other => return Err(argument("by", "\"time\" or \"count\"", format!("{other:?}")).into()),
    };
    let kind = match kind {
        "counts" => FrameKind::Counts,
        "voxel-grid" => FrameKind::VoxelGrid,
        "time-surface" => FrameKind::TimeSurface { tau_us },
        other => {
            let expected = "\"counts\", \"voxel-grid\" or \"time-surface\"";
            return Err(argument("kind", expected, format!("{other:?}")).into());
        }
    };
    let most = 1usize << 31;
    let size = [steps, kind.channels(), height.into(), width.into()];
    if size.iter().try_fold(1usize, |n, side| n.checked_mul(*side)).is_none_or(|n| n > most) {
        return Err(argument("steps", "frames of at most 2^31 values", format!("{size:?}")).into());
    }
    let events: Vec<Event> = t.iter().zip(x).zip(y).zip(p).map(|(((t, x), y), p)| Event::new(*t, *x, *y, *p)).collect();
    let framing = Framing { bins: steps, width, height, by, kind };
    let made = py.detach(|| match within {
        Some(within) => framing.frames_within(&events, within),
        None => framing.frames(&events),
    });
    made.map_err(Error::from)?.into_pyarray(py).reshape(size.to_vec())
}

/// What `bitspike.events.Sensor` says.
#[derive(FromPyObject)]
pub(crate) struct Sensor {
    threshold_on: f64,
    threshold_off: f64,
    threshold_sigma: f64,
    refractory_us: i64,
    noise_hz: f64,
    seed: u64,
}

impl From<Sensor> for SimulatorConfig {
    fn from(s: Sensor) -> Self {
        Self {
            threshold_on: s.threshold_on,
            threshold_off: s.threshold_off,
            threshold_sigma: s.threshold_sigma,
            refractory_us: s.refractory_us,
            noise_hz: s.noise_hz,
            seed: s.seed,
        }
    }
}

/// A simulated event camera.
#[pyclass(frozen, module = "bitspike._core")]
pub(crate) struct Camera {
    inner: Mutex<Simulator>,
}

#[pymethods]
impl Camera {
    #[new]
    fn new(width: u16, height: u16, sensor: Sensor) -> PyResult<Self> {
        let inner = Simulator::new(width, height, &sensor.into()).map_err(Error::from)?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Events between the image before and this one, seen at `t` microseconds; brightness 0 to 1, `[H, W]`.
    fn frame<'py>(&self, py: Python<'py>, t: i64, image: PyReadonlyArrayDyn<'py, f32>) -> PyResult<Columns<'py>> {
        let image = image.as_slice().map_err(|_| argument("image", "an array in C order", "another order"))?;
        let mut camera = self
            .inner
            .try_lock()
            .map_err(|_| PyRuntimeError::new_err("the camera is in use by another thread; make one for each"))?;
        // The guard itself must not leave its thread.
        let (camera, mut events) = (&mut *camera, Vec::new());
        py.detach(|| camera.frame(t, image, &mut events)).map_err(Error::from)?;
        Ok(columns(py, &events))
    }
}

/// Events of a camera that looks at an image while it makes three saccades, and the size of its sensor.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "one per argument of the Python function")]
pub(crate) fn saccades<'py>(
    py: Python<'py>,
    image: PyReadonlyArrayDyn<'py, f32>,
    width: u16,
    height: u16,
    margin: u16,
    images_per_saccade: u32,
    recording: u64,
    sensor: Sensor,
) -> PyResult<(Columns<'py>, (u16, u16))> {
    let image = image.as_slice().map_err(|_| argument("image", "an array in C order", "another order"))?;
    let config = sensor.into();
    let (events, sensor) = py
        .detach(|| {
            let camera = Saccades::new((width, height), margin, images_per_saccade, &config)?;
            Ok::<_, bitspike_events::EventError>((camera.events(image, recording)?, camera.sensor()))
        })
        .map_err(Error::from)?;
    Ok((columns(py, &events), sensor))
}
