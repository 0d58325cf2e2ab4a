//! From a `.bsnn` network to a graph.
//!
//! ```text
//! layer              nodes
//! block              conv: Conv2d (weight a · sign, bias b) → pool of the current → lif: LIF or IF → pool of spikes
//! residual block     lif → conv, and shortcut_pool → shortcut: Conv2d 1×1 where shapes change
//! head               pool of the whole map if averaged → flatten → head: Affine
//! ```
//!
//! A pooling is an `AvgPool2d` in the layout of signs. Norse and Sinabs read `SumPool2d` alone, snnTorch and SpikingJelly `AvgPool2d`
//! alone, SpikingJelly no groups, and all of them `Conv2d`; so in the layout for them it is a convolution of 1/4 from each channel
//! to itself.
//!
//! A shortcut is edges: a node computes from the sum of what comes in, so the neurons behind a residual block have an edge from its
//! convolution and from everything that its own current was the sum of.
//!
//! u = λ v + z in steps of dt, times 1 − λ, is Euler's form of `τ v' = −v + z` with `τ = dt/(1 − λ)`; so the threshold is 1 − λ times
//! that of the network, and r is 1, since Norse and Sinabs do not read it. Without a leak it is an `IF` with `r = 1/dt` in the layout of
//! signs, else a `LIF` whose λ is 1 in `f32`. NIR fires above the threshold, bitspike from it on, so the threshold is the next
//! smaller `f32`.

use crate::graph::{Array, Conv2d, Graph, If, Lif, Metadata, Node, Op, Pool2d, Value};
use crate::{DT, NirError};
use bitspike_format::{
    Affine, Block, Conv, Features, Gate, Head, Layer, Map, Model, Network, Neuron, Pool, Reset, Residual, Weights,
};

/// How binary weights are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// ±a, a being the slope of the channel, so that all neurons of a layer have one threshold; and poolings as convolutions. What
    /// importers take.
    #[default]
    Scaled,
    /// ±1, as hardware has them: potentials and threshold of a channel are divided by a; and poolings as such. In residual chains, whose currents are
    /// added, a `Scale` node multiplies by a instead.
    Signs,
}

impl Layout {
    /// Its name on the command line and in metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scaled => "scaled",
            Self::Signs => "signs",
        }
    }
}

/// What a graph is written like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Layout of binary weights.
    pub weights: Layout,
    /// Whether neurons that subtract their threshold may be written. NIR knows `v = v_reset` alone, so metadata says `reset =
    /// "soft"`, and a program that does not read it computes something else.
    pub soft_reset: bool,
}

/// The graph of a network.
///
/// # Errors
/// [`NirError::Layer`] names the first layer that NIR cannot express, and what to do about it.
pub fn export(model: &Model<'_>, options: &Options) -> Result<Graph, NirError> {
    let network = model.network();
    if model.is_integer() {
        return refuse(
            "stem",
            "integers after the first layer",
            "NIR has real numbers, and these layers round to integers",
            "export the run without --integer, and write NIR from that file",
        );
    }
    let mut build = Build { options, graph: Graph::default(), sources: Vec::new(), residual: false };
    build.residual = model.layers().any(|layer| matches!(layer, Layer::Residual(_) | Layer::Neurons(_)));
    let input = network.input;
    build.node("input", Op::Input(vec![input.channels, input.rows, input.columns]), normalisation(network));
    let last = model.layers().count().saturating_sub(1);
    for (i, layer) in model.layers().enumerate() {
        let name = if i == 0 { "stem".to_owned() } else { format!("blocks.{}", i - 1) };
        match layer {
            Layer::Block(block) => build.block(&name, &block, network.steps)?,
            Layer::Residual(residual) => build.residual(&name, &residual, network.steps)?,
            Layer::Neurons(neurons) => build.neurons("last", &neurons.neuron, neurons.input, None)?,
            Layer::Head(head) => build.head(&head),
        }
        debug_assert!(i < last || matches!(layer, Layer::Head(_)), "the head is last");
    }
    build.node("output", Op::Output(vec![network.classes]), Vec::new());
    build.graph.metadata = about(model, options);
    Ok(build.graph)
}

/// Facts about the whole network.
fn about(model: &Model<'_>, options: &Options) -> Metadata {
    let network = model.network();
    let mut facts = vec![
        ("producer".to_owned(), Value::Text(format!("bitspike {}", env!("CARGO_PKG_VERSION")))),
        ("dt".to_owned(), Value::Number(DT)),
        ("steps".to_owned(), Value::Number(network.steps as f64)),
        (
            "input".to_owned(),
            Value::Text(if network.sequence { "a frame per step" } else { "one frame for all steps" }.into()),
        ),
        ("readout".to_owned(), Value::Text("mean over steps".into())),
        ("weights".to_owned(), Value::Text(options.weights.name().into())),
        ("spike".to_owned(), Value::Text(SPIKE.into())),
    ];
    if let Some(name) = model.meta_value("name") {
        facts.push(("name".to_owned(), Value::Text(name.to_owned())));
    }
    facts
}

/// What metadata says of a threshold that is the next smaller number than that of the neurons.
pub(crate) const SPIKE: &str = "from the next larger float32 than v_threshold on";

/// A share of the potential whose loss is less than rounding: `1 − 2^-25` is 1 in `f32`.
pub(crate) const NO_LEAK: f32 = 1.0 / (1 << 25) as f32;

/// What makes inputs of pixels from 0 to 1.
fn normalisation(network: &Network<'_>) -> Metadata {
    network.normalise.map_or_else(Vec::new, |(mean, std)| {
        let values = |v: bitspike_format::Reals<'_>| Value::Numbers(v.iter().collect());
        vec![("mean".to_owned(), values(mean)), ("std".to_owned(), values(std))]
    })
}

fn refuse<T>(layer: &str, what: impl Into<String>, reason: &'static str, remedy: &'static str) -> Result<T, NirError> {
    Err(NirError::Layer { layer: layer.to_owned(), what: what.into(), reason, remedy })
}

/// The factor of the current, one for every channel, if it is the same in every step and for every input.
fn factor(name: &str, gate: &Gate<'_>, channels: usize, steps: usize) -> Result<Vec<f32>, NirError> {
    const REMEDY: &str = "train with method \"bsnn\", or with agmm.alpha = \"fixed\" (or one alpha for all steps) and agmm.eval_gate = \
                          \"ema\" with agmm.pool = \"chw\" or \"hw\", which fold into the weights";
    match gate {
        Gate::None => Ok(vec![1.0; channels]),
        Gate::Fixed(factor) => {
            let row = |t: usize| (0..channels).map(move |c| factor.at(t, c));
            if (1..steps).all(|t| row(t).eq(row(0))) {
                return Ok(row(0).collect());
            }
            refuse(
                name,
                "a factor that differs from step to step",
                "parameters of NIR nodes do not change with time",
                REMEDY,
            )
        }
        Gate::Sample { .. } => refuse(
            name,
            "a gate per sample",
            "NIR has no mean over a map, no product of two signals and no logistic or hard function",
            REMEDY,
        ),
        Gate::Element { .. } => refuse(
            name,
            "a gate per element, x * clamp(a * x + 1/2, 0, 1)",
            "NIR has no product of two signals and no function but that of its neurons",
            REMEDY,
        ),
    }
}

/// A name that PyTorch takes for a module.
fn module(name: &str) -> String {
    name.replace('.', "_")
}

struct Build<'a> {
    options: &'a Options,
    graph: Graph,
    /// Nodes whose sum is the signal so far.
    sources: Vec<usize>,
    /// Whether currents of layers are added.
    residual: bool,
}

impl Build<'_> {
    /// Adds a node behind the signal so far, and goes on from it.
    fn node(&mut self, name: &str, op: Op, metadata: Metadata) {
        let i = self.graph.nodes.len();
        self.graph.nodes.push(Node { name: name.to_owned(), op, metadata });
        self.graph.edges.extend(self.sources.iter().map(|&from| (from, i)));
        self.sources = vec![i];
    }

    fn block(&mut self, name: &str, b: &Block<'_>, steps: usize) -> Result<(), NirError> {
        if b.pool == Pool::MaxSpikes {
            return refuse(
                name,
                "a maximum of spikes",
                "NIR has averages and sums of windows and no maximum",
                "train with network.pooling = \"current\" or \"spikes\"",
            );
        }
        let scale = self.conv(name, &b.conv, &b.affine, factor(name, &b.gate, b.conv.channels, steps)?)?;
        let module = module(name);
        if b.pool == Pool::Current {
            self.pool(&format!("{module}_pool"), b.conv.output(), b.window());
        }
        if let Some(neuron) = &b.neuron {
            self.neurons(name, neuron, b.neurons(), scale.as_deref())?;
        }
        if b.pool == Pool::Spikes {
            self.pool(&format!("{module}_pool"), b.neurons(), b.window());
        }
        Ok(())
    }

    /// The mean of windows, as the module says.
    fn pool(&mut self, name: &str, map: Map, window: [usize; 2]) {
        let channels = map.channels;
        let op = if self.options.weights == Layout::Signs {
            Op::AvgPool2d(Pool2d { kernel: window, stride: window, padding: [0, 0] })
        } else {
            let places = window[0] * window[1];
            let mut weight = Array::full([channels, channels, window[0], window[1]], 0.0);
            for c in 0..channels {
                weight.values[(c * channels + c) * places..][..places].fill(1.0 / places as f32);
            }
            Op::Conv2d(Conv2d {
                weight,
                bias: Array::full([channels], 0.0),
                input: Some([map.rows, map.columns]),
                stride: window,
                padding: [0, 0],
                dilation: [1, 1],
                groups: 1,
            })
        };
        self.node(name, op, vec![("pool".to_owned(), Value::Text("average".to_owned()))]);
    }

    fn residual(&mut self, name: &str, r: &Residual<'_>, steps: usize) -> Result<(), NirError> {
        let module = module(name);
        let current = self.sources.clone();
        self.neurons(name, &r.neuron, r.conv.input, None)?;
        self.conv(name, &r.conv, &r.affine, factor(name, &r.gate, r.conv.channels, steps)?)?;
        let convolved = std::mem::replace(&mut self.sources, current);
        if let Some(projection) = &r.projection {
            self.pool(&format!("{module}_shortcut_pool"), r.conv.input, [2, 2]);
            let (from, to) = (r.conv.input, r.conv.output());
            let slope = |o: usize| projection.affine.slope.get(o).unwrap_or(1.0);
            let weight = |o: usize, i: usize| projection.weights.get(i * to.channels + o).unwrap_or(0.0);
            let values = (0..to.channels).flat_map(|o| (0..from.channels).map(move |i| slope(o) * weight(o, i)));
            let op = Op::Conv2d(Conv2d {
                weight: Array::new([to.channels, from.channels, 1, 1], values.collect()),
                bias: Array::new([to.channels], projection.affine.offset.iter().collect()),
                input: Some([from.rows / 2, from.columns / 2]),
                stride: [1, 1],
                padding: [0, 0],
                dilation: [1, 1],
                groups: 1,
            });
            self.node(&format!("{module}_shortcut"), op, Vec::new());
        }
        self.sources.extend(convolved);
        Ok(())
    }

    /// A convolution with slope and offset. What ±1 stands for, if the neurons behind it have to be in units of it.
    fn conv(
        &mut self,
        name: &str,
        conv: &Conv<'_>,
        affine: &Affine<'_>,
        factor: Vec<f32>,
    ) -> Result<Option<Vec<f32>>, NirError> {
        let ([kh, kw], out) = (conv.kernel, conv.output());
        // What a count of one is worth is in the slope, and pooled spikes come in as halves or quarters here.
        let unit = conv.input.unit();
        let slope: Vec<f32> =
            factor.iter().enumerate().map(|(o, k)| k * affine.slope.get(o).unwrap_or(1.0) / unit).collect();
        let offset: Vec<f32> =
            factor.iter().enumerate().map(|(o, k)| k * affine.offset.get(o).unwrap_or(0.0)).collect();
        let signs = matches!(conv.weights, Weights::Signs(_)) && self.options.weights == Layout::Signs;
        if let (true, Some(channel)) = (signs, slope.iter().position(|a| *a == 0.0)) {
            return refuse(
                name,
                format!("channel {channel} with a slope of 0"),
                "weights of 1 and -1 are not 0 in any unit",
                "write it with --nir-weights scaled (in Python weights=\"scaled\")",
            );
        }
        let scale: Vec<f32> = if signs { slope.iter().map(|a| a.abs()).collect() } else { vec![1.0; out.channels] };
        // The Python package takes a kernel's rows for its columns too, so kernels are square. On a map of one row the other rows
        // meet zeros alone, so they may be equal and keep their bits; else they are 0.
        let side = kh.max(kw);
        let (above, left) = ((side - kh) / 2, (side - kw) / 2);
        let equal = conv.input.rows == 1 && kh == 1;
        let mut weights = Vec::with_capacity(out.channels * conv.input.channels * side * side);
        for (o, a) in slope.iter().enumerate() {
            for i in 0..conv.input.channels {
                for y in 0..side {
                    for x in 0..side {
                        let (ky, kx) = (if equal { Some(0) } else { y.checked_sub(above) }, x.checked_sub(left));
                        let inside = (ky.filter(|ky| *ky < kh), kx.filter(|kx| *kx < kw));
                        weights.push(match inside {
                            (Some(ky), Some(kx)) => a / scale[o] * weight(conv, (o, i, ky, kx)),
                            _ => 0.0,
                        });
                    }
                }
            }
        }
        let bias = offset.iter().zip(&scale).map(|(b, scale)| b / scale).collect();
        let mut facts = Vec::new();
        if matches!(conv.weights, Weights::Signs(_)) {
            let sizes = slope.iter().map(|a| a.abs()).collect();
            facts = vec![("bits".to_owned(), Value::Number(1.0)), ("scale".to_owned(), Value::Numbers(sizes))];
        }
        let op = Op::Conv2d(Conv2d {
            weight: Array::new([out.channels, conv.input.channels, side, side], weights),
            bias: Array::new([out.channels], bias),
            input: Some([conv.input.rows, conv.input.columns]),
            stride: [conv.stride; 2],
            padding: [conv.padding[0] + above, conv.padding[1] + left],
            dilation: [1, 1],
            groups: 1,
        });
        self.node(&format!("{}_conv", module(name)), op, facts);
        if !(signs && self.residual) {
            return Ok(signs.then_some(scale));
        }
        // Currents of several layers are added, so each must be in the same unit.
        let shape = [out.channels, out.rows, out.columns];
        let each = scale.iter().flat_map(|a| std::iter::repeat_n(*a, out.pixels())).collect();
        self.node(&format!("{}_scale", module(name)), Op::Scale(Array::new(shape, each)), Vec::new());
        Ok(None)
    }

    /// Neurons; with `scale` their potentials are in units of it.
    fn neurons(&mut self, name: &str, n: &Neuron, map: Map, scale: Option<&[f32]>) -> Result<(), NirError> {
        if n.reset == Reset::Soft && !self.options.soft_reset {
            return refuse(
                name,
                "neurons that subtract their threshold",
                "a NIR neuron that fires goes to v_reset",
                "train with neuron.reset = \"hard\", or write them with --nir-soft-reset (in Python soft_reset=True), which says reset = \"soft\" in the \
                 metadata: a program that does not read it computes something else",
            );
        }
        let shape = [map.channels, map.rows, map.columns];
        let full = |value: f32| Array::full(shape, value);
        // snnTorch makes a leak of 0.1 of every IF. One of 2^-25 is none in `f32`, and the same for all.
        let integrates = n.decay == 1.0 && self.options.weights == Layout::Signs;
        let share = if integrates { 1.0 } else { (1.0 - n.decay).max(NO_LEAK) };
        let threshold = |c: usize| (share * n.threshold / scale.map_or(1.0, |scale| scale[c])).next_down();
        let values = (0..map.channels).flat_map(|c| std::iter::repeat_n(threshold(c), map.pixels())).collect();
        let v_threshold = Array::new(shape, values);
        let dt = DT as f32;
        let (op, kind) = if integrates {
            (Op::If(If { r: full(1.0 / dt), v_reset: full(0.0), v_threshold }), "if")
        } else {
            let (tau, r) = (full(dt / share), full(1.0));
            (Op::Lif(Lif { tau, r, v_leak: full(0.0), v_reset: full(0.0), v_threshold }), "lif")
        };
        let reset = if n.reset == Reset::Soft { "soft" } else { "hard" };
        let facts = vec![("dt".to_owned(), Value::Number(DT)), ("reset".to_owned(), Value::Text(reset.to_owned()))];
        self.node(&format!("{}_{kind}", module(name)), op, facts);
        Ok(())
    }

    fn head(&mut self, h: &Head<'_>) {
        let (map, classes, count) = (h.input, h.classes(), h.count());
        let mut shape = [map.channels, map.rows, map.columns];
        if h.features == Features::Average {
            let window = [map.rows, map.columns];
            self.pool("head_pool", map, window);
            shape = [map.channels, 1, 1];
        }
        // Counted from the end, so that libraries which have a batch in front flatten the same axes.
        self.node("flatten", Op::Flatten { input: Some(shape.to_vec()), start: -3, end: -1 }, Vec::new());
        // Features are channels-last in the file, and channels-first in NIR.
        let pixels = shape[1] * shape[2];
        let feature = |f: usize| f % pixels * map.channels + f / pixels;
        let weight = |o: usize, f: usize| h.weights.get(feature(f) * classes + o).unwrap_or(0.0);
        let values = (0..classes).flat_map(|o| (0..count).map(move |f| weight(o, f))).collect();
        let bias = Array::new([classes], h.bias.iter().collect());
        self.node("head", Op::Affine(Array::new([classes, count], values), bias), Vec::new());
    }
}

/// Weight of channel out, channel in, row, column.
fn weight(conv: &Conv<'_>, (o, i, y, x): (usize, usize, usize, usize)) -> f32 {
    let tap = y * conv.kernel[1] + x;
    match conv.weights {
        Weights::Real(w) => w.get((tap * conv.input.channels + i) * conv.channels + o).unwrap_or(0.0),
        Weights::Signs(w) => {
            let word = w.get((o * conv.taps() + tap) * conv.input.words() + i / 32).unwrap_or(0);
            if word >> (i % 32) & 1 == 1 { 1.0 } else { -1.0 }
        }
    }
}
