//! A `.bsnn` file and the engine that runs it.

use crate::error::{Error, argument};
use bitspike_format::{Encoder, Front, Gate, Layer, Map, Pool, Reset, Signal};
use bitspike_infer::fast::{OwnedEngine, Setting};
use bitspike_infer::{InferError, Observer, reset, run_words, step, step_words, steps_done};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::sync::{Arc, Mutex};

/// Samples of a thread between two looks at whether Ctrl-C was pressed.
const SAMPLES: usize = 64;

/// A network of a `.bsnn` file, whose bytes it owns.
#[pyclass(frozen, module = "bitspike._core")]
pub(crate) struct Model {
    engine: Arc<OwnedEngine>,
}

/// Spikes or counts of every layer that has neurons, `[step][channel][row][column]` of one sample after the other.
#[derive(Default)]
struct Spikes(Vec<Option<(Map, Vec<u8>)>>);

/// Counts of a step, from bit planes `[plane][row][column][word]` to `[channel][row][column]`.
fn unpack(map: &Map, words: &[u32], out: &mut Vec<u8>) {
    let (pixels, per_pixel) = (map.pixels(), map.words());
    let from = out.len();
    out.resize(from + map.len(), 0);
    let out = &mut out[from..];
    for (p, plane) in words.chunks_exact((pixels * per_pixel).max(1)).enumerate() {
        for (pixel, words) in plane.chunks_exact(per_pixel.max(1)).enumerate() {
            for c in 0..map.channels {
                out[c * pixels + pixel] += ((words[c / 32] >> (c % 32) & 1) as u8) << p;
            }
        }
    }
}

impl Observer for Spikes {
    fn spikes(&mut self, layer: usize, _: usize, map: &Map, words: &[u32]) {
        if self.0.len() <= layer {
            self.0.resize_with(layer + 1, || None);
        }
        let (_, out) = self.0[layer].get_or_insert_with(|| (*map, Vec::new()));
        unpack(map, words, out);
    }
}

/// A layer's number, its counts, and what a count of one stands for.
type Counts<'py> = (usize, Bound<'py, PyArrayDyn<u8>>, f32);

impl Spikes {
    /// As arrays whose first axes are `lead`.
    fn arrays<'py>(self, py: Python<'py>, lead: &[usize]) -> PyResult<Vec<Counts<'py>>> {
        let layers = self.0.into_iter().enumerate().filter_map(|(i, l)| Some((i, l?)));
        layers
            .map(|(i, (map, counts))| {
                let shape = [lead, &[map.channels, map.rows, map.columns]].concat();
                Ok((i, counts.into_pyarray(py).reshape(shape)?, map.unit()))
            })
            .collect()
    }
}

/// The values of an array in C order.
pub(crate) fn values<'a, T: numpy::Element>(x: &'a PyReadonlyArrayDyn<'_, T>) -> Result<&'a [T], Error> {
    x.as_slice().map_err(|_| argument("x", "an array in C order", "another order; use numpy.ascontiguousarray"))
}

#[pymethods]
impl Model {
    /// Checks the bytes of a file and prepares them for given kernels, or the best of this processor.
    #[new]
    #[pyo3(signature = (file, kernels = None))]
    fn new(py: Python<'_>, file: &[u8], kernels: Option<&str>) -> PyResult<Self> {
        let setting = match kernels {
            Some(name) => Setting::parse(name),
            None => Setting::from_env(),
        };
        let path = setting.map_err(|e| argument("kernels", "kernels of this processor", e))?.path();
        let bytes: Arc<[u8]> = file.into();
        let engine = py.detach(|| OwnedEngine::with_path(bytes, path)).map_err(Error::from)?;
        Ok(Self { engine: Arc::new(engine) })
    }

    /// Logits `[N, classes]` of samples `[N, ...]`.
    #[pyo3(signature = (x, threads = 0))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArrayDyn<'py, f32>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let n = self.engine.model().network();
        let (input, each) = (values(&x)?, n.input_len());
        if !input.len().is_multiple_of(each) {
            return Err(Error::from(InferError::Input { expected: each, found: input.len() }).into());
        }
        let samples = input.len() / each;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let part = SAMPLES * if threads == 0 { cores } else { threads.min(1024) };
        let mut logits = vec![0.0; samples * n.classes];
        for (i, (x, y)) in input.chunks(part * each).zip(logits.chunks_mut(part * n.classes)).enumerate() {
            let done = py.detach(|| self.engine.engine().run_batch(x, y, threads));
            done.map_err(|e| match e {
                InferError::NotFinite { index } => InferError::NotFinite { index: index + i * part * each },
                e => e,
            })
            .map_err(Error::from)?;
            py.check_signals()?;
        }
        logits.into_pyarray(py).reshape([samples, n.classes])
    }

    /// Logits `[N, classes]`, and spikes `[N, T, C, H, W]` of every layer that has neurons.
    fn spikes<'py>(
        &self,
        py: Python<'py>,
        x: PyReadonlyArrayDyn<'py, f32>,
    ) -> PyResult<(Bound<'py, PyArray2<f32>>, Vec<Counts<'py>>)> {
        let n = self.engine.model().network();
        let (input, each) = (values(&x)?, n.input_len());
        if !input.len().is_multiple_of(each) {
            return Err(Error::from(InferError::Input { expected: each, found: input.len() }).into());
        }
        let samples = input.len() / each;
        let mut logits = vec![0.0; samples * n.classes];
        let (mut seen, mut workspace) = (Spikes::default(), self.engine.engine().workspace());
        for (i, (x, y)) in input.chunks_exact(each).zip(logits.chunks_exact_mut(n.classes)).enumerate() {
            let done = py.detach(|| self.engine.engine().run(&mut workspace, x, y, &mut seen));
            done.map_err(|e| match e {
                InferError::NotFinite { index } => InferError::NotFinite { index: index + i * each },
                e => e,
            })
            .map_err(Error::from)?;
            if i % SAMPLES == 0 {
                py.check_signals()?;
            }
        }
        if samples == 0 {
            // Shapes of no samples: what an observer would have seen.
            for (i, map) in self.maps() {
                seen.0.resize_with(seen.0.len().max(i + 1), || None);
                seen.0[i] = Some((map, Vec::new()));
            }
        }
        Ok((logits.into_pyarray(py).reshape([samples, n.classes])?, seen.arrays(py, &[samples, n.steps])?))
    }

    /// Bytes as the floats that stand for them: normalised as the file says.
    fn pixels<'py>(&self, py: Python<'py>, x: PyReadonlyArrayDyn<'py, u8>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let (n, bytes) = (self.engine.model().network(), values(&x)?);
        // A table per channel: 256 divisions in place of one for each pixel.
        let table: Vec<f32> = (0..n.input.channels).flat_map(|c| (0..=255).map(move |v| n.pixel(c, v))).collect();
        let out: Vec<f32> =
            bytes.iter().enumerate().map(|(k, v)| table[n.channel(k) * 256 + usize::from(*v)]).collect();
        out.into_pyarray(py).reshape(x.as_array().shape().to_vec())
    }

    /// A stream, at its start.
    fn stream(&self) -> PyResult<Stream> {
        let model = self.engine.model();
        let mut arena = vec![0; step_words(model).map_err(Error::from)?];
        reset(model, &mut arena).map_err(Error::from)?;
        Ok(Stream { engine: self.engine.clone(), arena: Mutex::new(arena) })
    }

    /// The bytes of the file.
    fn file<'py>(&self, py: Python<'py>) -> Bound<'py, pyo3::types::PyBytes> {
        pyo3::types::PyBytes::new(py, self.engine.bytes())
    }

    /// What the file says about itself.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let model = self.engine.model();
        let (n, out) = (model.network(), PyDict::new(py));
        let bytes = self.engine.bytes();
        out.set_item("version", bytes.get(8..10).map_or(0, |v| u16::from_le_bytes([v[0], v[1]])))?;
        out.set_item("steps", n.steps)?;
        out.set_item("sequence", n.sequence)?;
        out.set_item("input", (n.input.channels, n.input.rows, n.input.columns))?;
        out.set_item("classes", n.classes)?;
        out.set_item("integer", model.is_integer())?;
        out.set_item("binary_weights", model.binary_weights())?;
        out.set_item("real_parameters", model.real_parameters())?;
        out.set_item("file_bytes", model.file_bytes())?;
        out.set_item("arena_bytes_run", 4 * run_words(model).map_err(Error::from)?)?;
        out.set_item("arena_bytes_step", 4 * step_words(model).map_err(Error::from)?)?;
        out.set_item("kernels", self.engine.engine().path().name())?;
        let pair = |(mean, std): (bitspike_format::Reals<'_>, bitspike_format::Reals<'_>)| {
            (mean.iter().collect::<Vec<_>>(), std.iter().collect::<Vec<_>>())
        };
        out.set_item("normalise", n.normalise.map(pair))?;
        out.set_item("meta", meta(py, model.meta())?)?;
        let layers = model.layers().map(|layer| described(py, &layer)).collect::<PyResult<Vec<_>>>()?;
        out.set_item("layers", PyList::new(py, layers)?)?;
        let feed = model.feed();
        out.set_item("class_names", feed.map(|f| f.classes.iter().map(str::to_owned).collect::<Vec<_>>()))?;
        let signal = feed.and_then(|f| f.signal.as_ref()).map(|s| feed_facts(py, s)).transpose()?;
        out.set_item("feed", signal)?;
        Ok(out)
    }
}

impl Model {
    /// What the file says, checked.
    pub(crate) fn parsed(&self) -> &bitspike_format::Model<'_> {
        self.engine.model()
    }

    /// Layers with neurons, and the shape of their spikes.
    fn maps(&self) -> impl Iterator<Item = (usize, Map)> {
        self.engine.model().layers().enumerate().filter_map(|(i, layer)| match layer {
            Layer::Block(b) => b.neuron.map(|_| (i, b.output())),
            Layer::Residual(r) => Some((i, r.conv.input)),
            Layer::Neurons(n) => Some((i, Map { planes: 1, ..n.input })),
            Layer::Head(_) => None,
        })
    }
}

fn meta<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        out.set_item(key, value)?;
    }
    Ok(out)
}

/// A layer in words and numbers.
fn described<'py>(py: Python<'py>, layer: &Layer<'_>) -> PyResult<Bound<'py, PyDict>> {
    let out = PyDict::new(py);
    let shape = |map: &Map| (map.channels, map.rows, map.columns);
    let conv = |c: &bitspike_format::Conv<'_>| -> PyResult<()> {
        out.set_item("binary", matches!(c.weights, bitspike_format::Weights::Signs(_)))?;
        out.set_item("kernel", (c.kernel[0], c.kernel[1]))?;
        out.set_item("stride", c.stride)?;
        out.set_item("padding", (c.padding[0], c.padding[1]))
    };
    let neuron = |n: &bitspike_format::Neuron| -> PyResult<()> {
        out.set_item("reset", if n.reset == Reset::Soft { "soft" } else { "hard" })?;
        out.set_item("decay", n.decay)?;
        out.set_item("threshold", n.threshold)
    };
    let gate = |g: &Gate<'_>| match g {
        Gate::None => "none",
        Gate::Fixed(_) => "fixed",
        Gate::Sample { per_channel: true, .. } => "sample-channel",
        Gate::Sample { .. } => "sample",
        Gate::Element { .. } => "element",
    };
    let (kind, output) = match layer {
        Layer::Block(b) => {
            conv(&b.conv)?;
            out.set_item("gate", gate(&b.gate))?;
            out.set_item("hard", b.gate.is_hard())?;
            let pool = match b.pool {
                Pool::None => "none",
                Pool::Current => "current",
                Pool::Spikes => "spikes",
                Pool::MaxSpikes => "max-spikes",
            };
            out.set_item("pool", pool)?;
            if let Some(n) = b.neuron.filter(|_| b.integer.is_none()) {
                neuron(&n)?;
            }
            out.set_item("neurons", b.neuron.is_some())?;
            ("block", Some(b.output()))
        }
        Layer::Residual(r) => {
            conv(&r.conv)?;
            out.set_item("gate", gate(&r.gate))?;
            out.set_item("hard", r.gate.is_hard())?;
            out.set_item("projected", r.projection.is_some())?;
            if r.integer.is_none() {
                neuron(&r.neuron)?;
            }
            out.set_item("neurons", true)?;
            ("residual", Some(r.conv.input))
        }
        Layer::Neurons(n) => {
            if n.integer.is_none() {
                neuron(&n.neuron)?;
            }
            out.set_item("neurons", true)?;
            ("neurons", Some(Map { planes: 1, ..n.input }))
        }
        Layer::Head(_) => {
            out.set_item("neurons", false)?;
            ("head", None)
        }
    };
    out.set_item("kind", kind)?;
    out.set_item("shape", output.as_ref().map(shape))?;
    out.set_item("unit", output.as_ref().map(Map::unit))?;
    Ok(out)
}

/// How samples are made of recordings.
fn feed_facts<'py>(py: Python<'py>, s: &Signal<'_>) -> PyResult<Bound<'py, PyDict>> {
    let (c, out) = (&s.chain, PyDict::new(py));
    out.set_item("channels", s.channels.iter().map(str::to_owned).collect::<Vec<_>>())?;
    out.set_item("rate_hz", c.rate_hz)?;
    out.set_item("per_count", c.per_count)?;
    out.set_item("window", c.window)?;
    out.set_item("hop", c.hop)?;
    out.set_item("clip", c.clip)?;
    out.set_item("centre", s.centre.iter().collect::<Vec<_>>())?;
    out.set_item("scale", s.scale.iter().collect::<Vec<_>>())?;
    let front = PyDict::new(py);
    match c.front {
        Front::Samples => front.set_item("kind", "samples")?,
        Front::LogMel(m) => {
            front.set_item("kind", "log-mel")?;
            front.set_item("frame", m.frame)?;
            front.set_item("hop", m.hop)?;
            front.set_item("fft", m.fft)?;
            front.set_item("mels", m.mels)?;
            front.set_item("low_hz", m.low_hz)?;
            front.set_item("high_hz", m.high_hz)?;
            front.set_item("floor", m.floor)?;
            front.set_item("slaney", m.slaney)?;
            front.set_item("bands_are_channels", m.bands_are_channels)?;
        }
    }
    out.set_item("front", front)?;
    let encoder = PyDict::new(py);
    match c.encoder {
        Encoder::Whole => encoder.set_item("kind", "whole")?,
        Encoder::Segments => encoder.set_item("kind", "segments")?,
        Encoder::Rate { gain, signed, seed } => {
            encoder.set_item("kind", "rate")?;
            encoder.set_item("gain", gain)?;
            encoder.set_item("signed", signed)?;
            encoder.set_item("seed", seed)?;
        }
        Encoder::Latency { silent_below } => {
            encoder.set_item("kind", "latency")?;
            encoder.set_item("silent_below", silent_below)?;
        }
        Encoder::Delta { threshold, most } => {
            encoder.set_item("kind", "delta")?;
            encoder.set_item("threshold", threshold)?;
            encoder.set_item("most", most)?;
        }
        Encoder::Population { fields, low, high, beta, silent_below, values } => {
            encoder.set_item("kind", "population")?;
            encoder.set_item("fields", fields)?;
            encoder.set_item("low", low)?;
            encoder.set_item("high", high)?;
            encoder.set_item("beta", beta)?;
            encoder.set_item("silent_below", silent_below)?;
            encoder.set_item("values", values)?;
        }
    }
    out.set_item("encoder", encoder)?;
    Ok(out)
}

/// A network that is shown one frame after another.
#[pyclass(frozen, module = "bitspike._core")]
pub(crate) struct Stream {
    engine: Arc<OwnedEngine>,
    arena: Mutex<Vec<u32>>,
}

impl Stream {
    fn with<R>(&self, run: impl FnOnce(&mut Vec<u32>) -> R) -> PyResult<R> {
        let mut arena = self
            .arena
            .try_lock()
            .map_err(|_| PyRuntimeError::new_err("the stream is in use by another thread; make one stream for each"))?;
        Ok(run(&mut arena))
    }
}

/// Mean logits, and spikes of the step where they were asked for.
type Step<'py> = (Bound<'py, PyArray1<f32>>, Option<Vec<Counts<'py>>>);

#[pymethods]
impl Stream {
    /// Shows a frame `[C, H, W]`; gives the mean of the logits of all steps so far.
    #[pyo3(signature = (frame, spikes = false))]
    fn step<'py>(&self, py: Python<'py>, frame: PyReadonlyArrayDyn<'py, f32>, spikes: bool) -> PyResult<Step<'py>> {
        let (model, frame) = (self.engine.model(), values(&frame)?);
        let (mut logits, mut seen) = (vec![0.0; model.network().classes], Spikes::default());
        let done = self.with(|arena| {
            py.detach(|| match spikes {
                true => step(model, arena, frame, &mut logits, &mut seen),
                false => step(model, arena, frame, &mut logits, &mut ()),
            })
        })?;
        done.map_err(Error::from)?;
        let seen = spikes.then(|| seen.arrays(py, &[])).transpose()?;
        Ok((logits.into_pyarray(py), seen))
    }

    /// Forgets everything.
    fn reset(&self) -> PyResult<()> {
        self.with(|arena| reset(self.engine.model(), arena))?.map_err(|e| Error::from(e).into())
    }

    /// Steps since the start.
    fn done(&self) -> PyResult<usize> {
        self.with(|arena| steps_done(arena))
    }
}
