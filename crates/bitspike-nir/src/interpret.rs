//! The obviously right twin: runs a graph in plain loops, one Euler step per frame.
//!
//! ```text
//! LIF:  u = v + (dt/τ) · ((v_leak − v) + r · x)      IF:  u = v + (dt · r) · x
//! spike if u > v_threshold;  v = v_reset after one (u − v_threshold where metadata says reset = "soft"), u otherwise
//! ```
//!
//! dt/τ, dt · r and r · dt/τ are rounded to `f32`, as a leak of ½ then is ½; everything else is in `f64`.

use crate::graph::{Array, Graph, Lif, Op, Pool2d, number, text};
use crate::{DT, NirError};

/// A graph with the potentials of its neurons.
///
/// ```
/// use bitspike_format::{Model, example};
/// use bitspike_nir::{Interpreter, Options, export};
/// # let mut spec = example::chain("4-6-P", [2, 4, 4], 2, bitspike_format::Features::Flatten, bitspike_format::Pool::Current,
/// #     &|_, _, _| bitspike_format::GateSpec::None);
/// # for layer in &mut spec.layers {
/// #     let bitspike_format::LayerSpec::Block(b) = layer else { continue };
/// #     b.neuron.as_mut().unwrap().reset = bitspike_format::Reset::Hard;
/// # }
/// # let bytes = bitspike_format::write(&spec).unwrap();
/// let model = Model::parse(&bytes).unwrap();
/// let graph = export(&model, &Options::default())?;
/// let mut network = Interpreter::new(&graph)?;
/// let logits = network.run(&[0.5; 2 * 4 * 4], 2)?;
/// assert_eq!(logits.len(), 10);
/// # Ok::<(), bitspike_nir::NirError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Interpreter<'a> {
    graph: &'a Graph,
    order: Vec<usize>,
    shapes: Vec<Vec<usize>>,
    sources: Vec<Vec<usize>>,
    neurons: Vec<Option<Neurons>>,
    values: Vec<Vec<f64>>,
}

#[derive(Clone, Debug)]
struct Neurons {
    /// Share of the potential that stays.
    keep: Vec<f64>,
    /// Factor of what comes in.
    gain: Vec<f64>,
    /// What is added.
    shift: Vec<f64>,
    threshold: Vec<f64>,
    reset: Vec<f64>,
    soft: bool,
    v: Vec<f64>,
}

impl<'a> Interpreter<'a> {
    /// Checks a graph and makes it ready. dt is that of the metadata, else 1e-4.
    ///
    /// # Errors
    /// [`NirError`] for what cannot be computed, by node.
    pub fn new(graph: &'a Graph) -> Result<Self, NirError> {
        let (order, shapes) = (graph.order()?, graph.shapes()?);
        let mut sources = vec![Vec::new(); graph.nodes.len()];
        for &(from, to) in &graph.edges {
            sources[to].push(from);
        }
        let dt = number(&graph.metadata, "dt").unwrap_or(DT) as f32;
        let mut neurons = Vec::new();
        for (node, shape) in graph.nodes.iter().zip(&shapes) {
            let soft = text(&node.metadata, "reset") == Some("soft");
            neurons.push(match &node.op {
                Op::Lif(lif) => Some(leaky(lif, shape, dt, soft)),
                Op::If(n) => {
                    let full = |array: &Array| full(array, shape);
                    let gain = full(&n.r).iter().map(|r| f64::from(dt * r)).collect::<Vec<_>>();
                    let (threshold, reset) = (wide(&full(&n.v_threshold)), wide(&full(&n.v_reset)));
                    let (ones, zeros) = (vec![1.0; gain.len()], vec![0.0; gain.len()]);
                    Some(Neurons { keep: ones, shift: zeros.clone(), gain, threshold, reset, soft, v: zeros })
                }
                Op::CubaLif(_) => {
                    return Err(NirError::Node {
                        node: node.name.clone(),
                        kind: node.op.kind().to_owned(),
                        reason: "synapses with memory are not run here".to_owned(),
                        remedy: "use LIF neurons",
                    });
                }
                _ => None,
            });
        }
        let values = shapes.iter().map(|shape| vec![0.0; shape.iter().product()]).collect();
        Ok(Self { graph, order, shapes, sources, neurons, values })
    }

    /// Forgets all potentials.
    pub fn reset(&mut self) {
        self.neurons.iter_mut().flatten().for_each(|n| n.v.fill(0.0));
    }

    /// What a node gave in the last step.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[f64]> {
        let i = self.graph.nodes.iter().position(|n| n.name == name)?;
        self.values.get(i).map(Vec::as_slice)
    }

    /// One step with a frame for every input; returns what the first output gives.
    ///
    /// # Errors
    /// [`NirError`] if the frame has another length than an input, or there is no output.
    pub fn step(&mut self, frame: &[f32]) -> Result<&[f64], NirError> {
        let mut out = None;
        for &i in &self.order {
            let (node, shape) = (&self.graph.nodes[i], &self.shapes[i]);
            if let Op::Input(_) = node.op {
                let expected: usize = shape.iter().product();
                if frame.len() != expected {
                    return Err(NirError::field(&node.name, "frame", format!("{expected} values"), frame.len()));
                }
                self.values[i] = frame.iter().map(|&v| f64::from(v)).collect();
                continue;
            }
            let mut sources = self.sources[i].iter();
            let first = *sources.next().ok_or_else(|| NirError::graph(&node.name, "no edge leads to it"))?;
            let mut x = self.values[first].clone();
            for &from in sources {
                x.iter_mut().zip(&self.values[from]).for_each(|(x, y)| *x += y);
            }
            let input = &self.shapes[first];
            self.values[i] = match (&node.op, &mut self.neurons[i]) {
                (_, Some(neurons)) => neurons.fire(&x),
                (Op::Conv2d(_), _) => conv(&node.op, input, shape, &x),
                (Op::Linear(w), _) => dense(w, None, &x),
                (Op::Affine(w, b), _) => dense(w, Some(b), &x),
                (Op::Scale(scale), _) => full(scale, shape).iter().zip(&x).map(|(s, x)| f64::from(*s) * x).collect(),
                (Op::AvgPool2d(p), _) => pool(p, 1.0 / (p.kernel[0] * p.kernel[1]) as f64, input, shape, &x),
                (Op::SumPool2d(p), _) => pool(p, 1.0, input, shape, &x),
                _ => x,
            };
            if let (Op::Output(_), None) = (&node.op, out) {
                out = Some(i);
            }
        }
        match out {
            Some(i) => Ok(&self.values[i]),
            None => Err(NirError::graph("?", "no node is an Output")),
        }
    }

    /// Mean of the outputs of `steps` steps from rest, for a frame that all steps see or for so many frames.
    ///
    /// # Errors
    /// As [`Interpreter::step`].
    pub fn run(&mut self, frames: &[f32], steps: usize) -> Result<Vec<f64>, NirError> {
        self.reset();
        let inputs = self.graph.nodes.iter().zip(&self.shapes).filter(|(n, _)| matches!(n.op, Op::Input(_)));
        let len = inputs.map(|(_, shape)| shape.iter().product::<usize>()).max().unwrap_or(0);
        let mut sums = Vec::new();
        for t in 0..steps {
            let frame = if frames.len() == len { Some(frames) } else { frames.get(t * len..(t + 1) * len) };
            let found = || NirError::field("input", "frame", format!("{len} or {} values", len * steps), frames.len());
            let out = self.step(frame.ok_or_else(found)?)?;
            sums.resize(out.len(), 0.0);
            sums.iter_mut().zip(out).for_each(|(s, v)| *s += v);
        }
        sums.iter_mut().for_each(|s| *s /= steps as f64);
        Ok(sums)
    }
}

impl Neurons {
    fn fire(&mut self, x: &[f64]) -> Vec<f64> {
        let mut spikes = vec![0.0; x.len()];
        for (i, spike) in spikes.iter_mut().enumerate() {
            let u = self.keep[i] * self.v[i] + self.shift[i] + self.gain[i] * x[i];
            let fires = u > self.threshold[i];
            self.v[i] = match (fires, self.soft) {
                (false, _) => u,
                (true, false) => self.reset[i],
                (true, true) => u - self.threshold[i],
            };
            *spike = f64::from(u8::from(fires));
        }
        spikes
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// The numbers of an array for every value of a signal; its shape was checked.
fn full(array: &Array, shape: &[usize]) -> Vec<f32> {
    let (channels, all) = (shape.first().copied().unwrap_or(1), shape.iter().product::<usize>());
    array.spread(channels, all / channels.max(1)).unwrap_or_default()
}

fn leaky(lif: &Lif, shape: &[usize], dt: f32, soft: bool) -> Neurons {
    let (tau, r, leak) = (full(&lif.tau, shape), full(&lif.r, shape), full(&lif.v_leak, shape));
    let share: Vec<f32> = tau.iter().map(|tau| dt / tau).collect();
    Neurons {
        keep: share.iter().map(|s| f64::from(1.0 - s)).collect(),
        gain: share.iter().zip(&r).map(|(s, r)| f64::from(s * r)).collect(),
        shift: share.iter().zip(&leak).map(|(s, leak)| f64::from(*s) * f64::from(*leak)).collect(),
        threshold: wide(&full(&lif.v_threshold, shape)),
        reset: wide(&full(&lif.v_reset, shape)),
        soft,
        v: vec![0.0; tau.len()],
    }
}

fn dense(weight: &Array, bias: Option<&Array>, x: &[f64]) -> Vec<f64> {
    let row = |(o, w): (usize, &[f32])| {
        let sum: f64 = w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
        sum + bias.map_or(0.0, |b| f64::from(b.values[o]))
    };
    weight.values.chunks_exact(x.len().max(1)).enumerate().map(row).collect()
}

fn conv(op: &Op, input: &[usize], shape: &[usize], x: &[f64]) -> Vec<f64> {
    let (Op::Conv2d(conv), &[_, h, w], &[out, rows, columns]) = (op, input, shape) else { return Vec::new() };
    let [_, c, kh, kw] = conv.weight.shape[..] else { return Vec::new() };
    let mut y = Vec::with_capacity(out * rows * columns);
    for o in 0..out {
        let group = o / (out / conv.groups);
        for oy in 0..rows {
            for ox in 0..columns {
                let mut sum = 0.0;
                for i in 0..c {
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let iy = (oy * conv.stride[0] + ky * conv.dilation[0]).checked_sub(conv.padding[0]);
                            let ix = (ox * conv.stride[1] + kx * conv.dilation[1]).checked_sub(conv.padding[1]);
                            if let (Some(iy), Some(ix)) = (iy.filter(|v| *v < h), ix.filter(|v| *v < w)) {
                                let weight = conv.weight.values[((o * c + i) * kh + ky) * kw + kx];
                                sum += f64::from(weight) * x[((group * c + i) * h + iy) * w + ix];
                            }
                        }
                    }
                }
                y.push(sum + f64::from(conv.bias.values[o]));
            }
        }
    }
    y
}

fn pool(p: &Pool2d, share: f64, input: &[usize], shape: &[usize], x: &[f64]) -> Vec<f64> {
    let (&[_, h, w], &[channels, rows, columns]) = (input, shape) else { return Vec::new() };
    let mut y = Vec::with_capacity(channels * rows * columns);
    for c in 0..channels {
        for oy in 0..rows {
            for ox in 0..columns {
                let mut sum = 0.0;
                for ky in 0..p.kernel[0] {
                    for kx in 0..p.kernel[1] {
                        let iy = (oy * p.stride[0] + ky).checked_sub(p.padding[0]).filter(|v| *v < h);
                        let ix = (ox * p.stride[1] + kx).checked_sub(p.padding[1]).filter(|v| *v < w);
                        if let (Some(iy), Some(ix)) = (iy, ix) {
                            sum += x[(c * h + iy) * w + ix];
                        }
                    }
                }
                y.push(sum * share);
            }
        }
    }
    y
}
