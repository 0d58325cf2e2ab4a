//! A folded network as an ONNX graph of floats, for any ONNX runtime.
//!
//! Opset 13, IR version 7, no custom operators. One input, `[N, C, H, W]`, of sequences `[N, T, C, H, W]`: see [`Input`]. Output
//! `logits` `[N, classes]`, the mean over T.
//!
//! The graph is unrolled over T, with time steps in the names: `blocks.0/t1/spike`. The stem's convolution stands there once.
//! Binary weights are int8 (±1) behind a `Cast` to float, so a file has one byte per weight; runtimes fold the `Cast` when
//! they load it. Sums of spikes are integers and exact; everything else is rounded as the runtime likes, so a spike may differ
//! from the packed file's where a potential lies within rounding of its threshold. Predictions are what to compare:
//! `scripts/check_onnx.py`.
//!
//! | in the description | in the graph |
//! |---|---|
//! | a frame of a sequence | `Gather` |
//! | convolution, slope, offset | `Conv`, `Mul`, `Add` |
//! | gate per sample | `ReduceMean` of the sums over rows and columns, slope and offset, `ReduceMean` over channels, `Sigmoid`, `Mul` |
//! | the same with the hard function | `Mul`, `Add`, `Clip` for `Sigmoid` |
//! | gate per element | `Mul`, `Add`, `Clip`, `Mul` of the current, in front of any pooling |
//! | factor per step | `Mul` |
//! | pooling of the current, of spikes, maximum | `AveragePool` of the sums, `AveragePool`, `MaxPool` |
//! | neuron | `Mul`, `Add`, `GreaterOrEqual`, `Cast`, and `Sub` or `Where` for the reset |
//! | head | `ReduceMean` if averaged, `Flatten`, `Gemm` |

#![forbid(unsafe_code)]

mod proto;

use bitspike_format::math::HARD_SLOPE;
use bitspike_format::{
    BlockSpec, Features, GateSpec, HeadSpec, LayerSpec, Model, ModelSpec, Neuron, Pool, Reset, WeightSpec, WriteError,
    layer_name, write,
};
use proto::{Attribute, Message};

/// Version of the operator set that the graph uses.
pub const OPSET: i64 = 13;

/// A description without an ONNX form.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// It is no network.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Its layers have integers.
    #[error("stem: integers after the first layer cannot be written as ONNX: the graph has floats")]
    Integers,
}

impl OnnxError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Write(_) => None,
            Self::Integers => Some("export the run without --integer, and write ONNX of that file"),
        }
    }
}

/// What a graph takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Input {
    /// `image`: bytes of images, 0 to 255, as floats; the normalisation is in the graph.
    #[default]
    Pixels,
    /// `input`: what the network itself takes, normalised before.
    Values,
}

/// The bytes of an ONNX file.
///
/// ```
/// use bitspike_format::example;
/// use bitspike_onnx::{Input, export};
/// let file = export(&example::tiny_spec(), Input::Pixels)?;
/// assert!(file.len() > 1000);
/// # Ok::<(), bitspike_onnx::OnnxError>(())
/// ```
///
/// # Errors
/// [`OnnxError`].
pub fn export(spec: &ModelSpec, input: Input) -> Result<Vec<u8>, OnnxError> {
    // Checks every length and shape.
    write(spec)?;
    let mut graph = Graph { steps: spec.steps, ..Graph::default() };
    let [c, h, w] = spec.input;
    let last = spec.layers.len() - 1;
    let (named, meaning) = match input {
        Input::Pixels => ("image", "bytes 0 to 255 as floats; the normalisation is in the graph"),
        Input::Values => ("input", "floats, normalised"),
    };
    let frames = if input == Input::Pixels { graph.normalised(spec, named) } else { named.to_owned() };
    // Of an image one signal for all steps, until neurons make T of it.
    let mut signal = if spec.sequence { graph.frames(&frames) } else { vec![frames] };
    // What a count of one stands for, in the description.
    let (mut map, mut unit) = (spec.input, 1.0);
    for (i, layer) in spec.layers.iter().enumerate() {
        let name = layer_name(i, last, matches!(layer, LayerSpec::Neurons(_)));
        match layer {
            LayerSpec::Block(b) => {
                let z = graph.current(&name, b, map, unit, &signal);
                let window = b.window([map[1], map[2]]);
                signal = match &b.neuron {
                    Some(neuron) => graph.fire(&name, neuron, &z),
                    None => z,
                };
                signal = match b.pool {
                    Pool::None | Pool::Current => signal,
                    Pool::Spikes => {
                        graph.each(&signal, |g, t, s| g.pool("AveragePool", window, s, &format!("{name}/t{t}/pool")))
                    }
                    Pool::MaxSpikes => {
                        graph.each(&signal, |g, t, s| g.pool("MaxPool", window, s, &format!("{name}/t{t}/pool")))
                    }
                };
                unit = if b.pool == Pool::Spikes { 1.0 / (window[0] * window[1]) as f32 } else { 1.0 };
                map = b.after(map);
            }
            LayerSpec::Residual(r) => {
                let Some(neuron) = &r.block.neuron else { continue };
                let spikes = graph.fire(&name, neuron, &signal);
                let z = graph.current(&name, &r.block, map, 1.0, &spikes);
                let around = match &r.projection {
                    None => signal,
                    Some((weights, slope, offset)) => {
                        let shape = [r.block.channels, map[0], 1, 1];
                        let weights = graph.floats(&format!("{name}.shortcut.weight"), &shape, weights);
                        let slope = graph.per_channel(&format!("{name}.shortcut.slope"), slope);
                        let offset = graph.per_channel(&format!("{name}.shortcut.offset"), offset);
                        graph.each(&signal, |g, t, x| {
                            let at = |part: &str| format!("{name}/t{t}/shortcut.{part}");
                            let x = g.pool("AveragePool", [2, 2], x, &at("pool"));
                            let x = g.node("Conv", &[&x, &weights], &at("conv"), &[]);
                            let x = g.node("Mul", &[&x, &slope], &at("slope"), &[]);
                            g.node("Add", &[&x, &offset], &at("offset"), &[])
                        })
                    }
                };
                // A static image has one current for all steps, its spikes have T.
                signal = (0..z.len())
                    .map(|t| {
                        let around = &around[t.min(around.len() - 1)];
                        graph.node("Add", &[&z[t], around], &format!("{name}/t{t}/sum"), &[])
                    })
                    .collect();
                map = r.block.after(map);
            }
            LayerSpec::Neurons(neuron) => signal = graph.fire(&name, neuron, &signal),
            LayerSpec::Head(head) => graph.head(head, spec.classes, &signal),
        }
    }
    let mut g = graph.nodes.iter().fold(Message::default(), |m, node| m.message(1, node)).text(2, "bitspike");
    g = graph.constants.iter().fold(g, |m, tensor| m.message(5, tensor));
    let shape = if spec.sequence { vec![spec.steps, c, h, w] } else { vec![c, h, w] };
    g = g.message(11, &proto::value(named, &shape)).message(12, &proto::value("logits", &[spec.classes]));
    let model = Message::default().int(1, 7).text(2, "bitspike").text(3, env!("CARGO_PKG_VERSION")).message(7, &g);
    let model = model.message(8, &Message::default().text(1, "").int(2, OPSET));
    let input = ("input".to_owned(), meaning.to_owned());
    let meta = spec.meta.iter().chain(std::iter::once(&input));
    Ok(meta.fold(model, |m, (key, value)| m.message(14, &Message::default().text(1, key).text(2, value))).0)
}

/// The same of a file that was read.
///
/// # Errors
/// [`OnnxError`].
pub fn of(model: &Model<'_>, input: Input) -> Result<Vec<u8>, OnnxError> {
    export(&ModelSpec::of(model).ok_or(OnnxError::Integers)?, input)
}

#[derive(Default)]
struct Graph {
    steps: usize,
    nodes: Vec<Message>,
    constants: Vec<Message>,
}

impl Graph {
    fn node(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> String {
        self.nodes.push(proto::node(kind, inputs, output, attributes));
        output.to_owned()
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.constants.push(proto::floats(name, shape, values));
        name.to_owned()
    }

    fn scalar(&mut self, name: &str, value: f32) -> String {
        self.floats(name, &[], &[value])
    }

    fn per_channel(&mut self, name: &str, values: &[f32]) -> String {
        self.floats(name, &[1, values.len(), 1, 1], values)
    }

    fn each(&mut self, signal: &[String], mut f: impl FnMut(&mut Self, usize, &str) -> String) -> Vec<String> {
        signal.iter().enumerate().map(|(t, x)| f(self, t, x)).collect()
    }

    fn pool(&mut self, kind: &str, window: [usize; 2], x: &str, output: &str) -> String {
        let sides = || Attribute::Ints(window.map(|side| side as i64).to_vec());
        self.node(kind, &[x], output, &[("kernel_shape", sides()), ("strides", sides())])
    }

    fn mean(&mut self, x: &str, axes: &[i64], keep: bool, output: &str) -> String {
        let attributes = [("axes", Attribute::Ints(axes.to_vec())), ("keepdims", Attribute::Int(keep.into()))];
        self.node("ReduceMean", &[x], output, &attributes)
    }

    /// `(x / 255 − mean) / std` as `(x − 255 mean) · 1 / (255 std)`.
    fn normalised(&mut self, spec: &ModelSpec, x: &str) -> String {
        let ones = || (vec![0.0; spec.input[0]], vec![1.0; spec.input[0]]);
        let (mean, std) = spec.normalise.clone().unwrap_or_else(ones);
        let of = |values: &[f32], f: fn(f64) -> f64| values.iter().map(|v| f(f64::from(*v)) as f32).collect::<Vec<_>>();
        let mean = self.per_channel("input.mean", &of(&mean, |v| 255.0 * v));
        let scale = self.per_channel("input.scale", &of(&std, |v| 1.0 / (255.0 * v)));
        let x = self.node("Sub", &[x, &mean], "input/centred", &[]);
        self.node("Mul", &[&x, &scale], "input/normalised", &[])
    }

    /// The T frames of a sequence.
    fn frames(&mut self, x: &str) -> Vec<String> {
        (0..self.steps)
            .map(|t| {
                let step = format!("input.step.{t}");
                self.constants.push(proto::index(&step, t as i64));
                self.node("Gather", &[x, &step], &format!("input/t{t}/frame"), &[("axis", Attribute::Int(1))])
            })
            .collect()
    }

    /// Currents of a block, one for every signal that comes in.
    fn current(
        &mut self,
        name: &str,
        b: &BlockSpec,
        [c_in, h, w]: [usize; 3],
        unit: f32,
        signal: &[String],
    ) -> Vec<String> {
        let shape = [b.channels, c_in, b.kernel[0], b.kernel[1]];
        let weights = match &b.weights {
            WeightSpec::Real(w) => self.floats(&format!("{name}.weight"), &shape, w),
            WeightSpec::Signs(w) => {
                let signs: Vec<i8> = w.iter().map(|w| if *w >= 0.0 { 1 } else { -1 }).collect();
                let stored = format!("{name}.weight");
                self.constants.push(proto::signs(&stored, &shape, &signs));
                self.node("Cast", &[&stored], &format!("{name}.weight.float"), &[("to", Attribute::Int(1))])
            }
        };
        // Averages of spikes come in as they are; in the description they are counts of a quarter or a half.
        let slope: Vec<f32> = b.slope.iter().map(|a| a / unit).collect();
        let slope = self.per_channel(&format!("{name}.slope"), &slope);
        let offset = self.per_channel(&format!("{name}.offset"), &b.offset);
        let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|v| *v as i64).collect());
        let (stride, pads) = ([b.stride; 2], [b.padding, b.padding].concat());
        let attributes = [("kernel_shape", ints(&b.kernel)), ("strides", ints(&stride)), ("pads", ints(&pads))];
        let window = b.window([h, w]);
        self.each(signal, |g, t, x| {
            let at = |part: &str| format!("{name}/t{t}/{part}");
            let sums = g.node("Conv", &[x, &weights], &at("sums"), &attributes);
            if let GateSpec::Element { alpha, inside } = &b.gate {
                let z = g.node("Mul", &[&sums, &slope], &at("slope"), &[]);
                let z = g.node("Add", &[&z, &offset], &at("current"), &[]);
                let k = g.gate(name, t, &z, alpha, *inside, true);
                let z = g.node("Mul", &[&z, &k], &at("gated"), &[]);
                return if b.pool == Pool::Current { g.pool("AveragePool", window, &z, &at("pool")) } else { z };
            }
            let factor = g.factor(name, b, t, &sums, [&slope, &offset]);
            let sums = if b.pool == Pool::Current { g.pool("AveragePool", window, &sums, &at("pool")) } else { sums };
            let z = g.node("Mul", &[&sums, &slope], &at("slope"), &[]);
            let z = g.node("Add", &[&z, &offset], &at("current"), &[]);
            match factor {
                Some(k) => g.node("Mul", &[&z, &k], &at("gated"), &[]),
                None => z,
            }
        })
    }

    /// The factor of a step, if there is a gate and it does not differ from element to element.
    fn factor(
        &mut self,
        name: &str,
        b: &BlockSpec,
        t: usize,
        sums: &str,
        [slope, offset]: [&str; 2],
    ) -> Option<String> {
        let at = |part: &str| format!("{name}/t{t}/{part}");
        match &b.gate {
            GateSpec::None | GateSpec::Element { .. } => None,
            GateSpec::Fixed(factor) => Some(self.row(name, t, factor, "factor")),
            GateSpec::Sample { alpha, per_channel, inside, hard } => {
                let m = self.mean(sums, &[2, 3], true, &at("gate.sums"));
                let m = self.node("Mul", &[&m, slope], &at("gate.slope"), &[]);
                let mut m = self.node("Add", &[&m, offset], &at("gate.means"), &[]);
                if !per_channel {
                    m = self.mean(&m, &[1], true, &at("gate.mean"));
                }
                Some(self.gate(name, t, &m, alpha, *inside, *hard))
            }
        }
    }

    /// The numbers of a step, of `[T]` or `[T][channel]`.
    fn row(&mut self, name: &str, t: usize, values: &[f32], part: &str) -> String {
        let width = values.len() / self.steps;
        self.per_channel(&format!("{name}.{part}.{t}"), &values[t * width..][..width])
    }

    /// α σ(x) of a step, or σ(α x).
    fn gate(&mut self, name: &str, t: usize, x: &str, alpha: &[f32], inside: bool, hard: bool) -> String {
        let at = |part: &str| format!("{name}/t{t}/{part}");
        let alpha = self.row(name, t, alpha, "alpha");
        let function = |g: &mut Self, x: &str, output: &str| {
            if !hard {
                return g.node("Sigmoid", &[x], output, &[]);
            }
            let slope = g.scalar(&format!("{output}.quarter"), HARD_SLOPE);
            let half = g.scalar(&format!("{output}.half"), 0.5);
            let line = g.node("Mul", &[x, &slope], &format!("{output}.scaled"), &[]);
            let line = g.node("Add", &[&line, &half], &format!("{output}.line"), &[]);
            let (zero, one) = (g.scalar(&format!("{output}.zero"), 0.0), g.scalar(&format!("{output}.one"), 1.0));
            g.node("Clip", &[&line, &zero, &one], output, &[])
        };
        if inside {
            let x = self.node("Mul", &[x, &alpha], &at("gate.alpha"), &[]);
            function(self, &x, &at("gate"))
        } else {
            let k = function(self, x, &at("gate.sigmoid"));
            self.node("Mul", &[&k, &alpha], &at("gate"), &[])
        }
    }

    /// Spikes of T steps, of one current for all or of T.
    fn fire(&mut self, name: &str, neuron: &Neuron, z: &[String]) -> Vec<String> {
        let decay = self.scalar(&format!("{name}.decay"), neuron.decay);
        let threshold = self.scalar(&format!("{name}.threshold"), neuron.threshold);
        let zero = match neuron.reset {
            Reset::Hard => self.scalar(&format!("{name}.zero"), 0.0),
            Reset::Soft => String::new(),
        };
        let mut v: Option<String> = None;
        let mut spikes = Vec::with_capacity(self.steps);
        for t in 0..self.steps {
            let at = |part: &str| format!("{name}/t{t}/{part}");
            let z = &z[t.min(z.len() - 1)];
            let u = match &v {
                None => z.clone(),
                Some(v) => {
                    let kept = self.node("Mul", &[v, &decay], &at("kept"), &[]);
                    self.node("Add", &[&kept, z], &at("potential"), &[])
                }
            };
            let fires = self.node("GreaterOrEqual", &[&u, &threshold], &at("fires"), &[]);
            let spike = self.node("Cast", &[&fires], &at("spike"), &[("to", Attribute::Int(1))]);
            // Nobody sees the potential after the last step.
            if t + 1 < self.steps {
                v = Some(match neuron.reset {
                    Reset::Soft => {
                        let down = self.node("Mul", &[&spike, &threshold], &at("down"), &[]);
                        self.node("Sub", &[&u, &down], &at("after"), &[])
                    }
                    Reset::Hard => self.node("Where", &[&fires, &zero, &u], &at("after"), &[]),
                });
            }
            spikes.push(spike);
        }
        spikes
    }

    fn head(&mut self, h: &HeadSpec, classes: usize, signal: &[String]) {
        let weights = self.floats("head.weight", &[classes, h.weights.len() / classes], &h.weights);
        let bias = self.floats("head.bias", &[classes], &h.bias);
        let logits = self.each(signal, |g, t, x| {
            let x = match h.features {
                Features::Flatten => x.to_owned(),
                Features::Average => g.mean(x, &[2, 3], true, &format!("head/t{t}/mean")),
            };
            let x = g.node("Flatten", &[&x], &format!("head/t{t}/features"), &[("axis", Attribute::Int(1))]);
            let attributes = [("transB", Attribute::Int(1))];
            g.node("Gemm", &[&x, &weights, &bias], &format!("head/t{t}/logits"), &attributes)
        });
        let steps = self.scalar("head.steps", logits.len() as f32);
        let sum = logits.iter().skip(1).enumerate().fold(logits[0].clone(), |sum, (t, next)| {
            self.node("Add", &[&sum, next], &format!("head/t{}/sum", t + 1), &[])
        });
        self.node("Div", &[&sum, &steps], "logits", &[]);
    }
}
