//! From a graph to the starting weights of a binary network.
//!
//! The graph has to be a chain, as `network.layers` of a recipe writes them:
//!
//! ```text
//! Conv2d → [pool] → neurons → [pool] → … → Flatten → [Linear → neurons → …] Linear
//! ```
//!
//! Its weights become latent weights, whose signs the network computes with. Everything linear between a convolution and its neurons
//! goes into the norm, so that at evaluation, before any training,
//!
//! ```text
//! current = s (mean |w| · Σ sign(w) x + b)        binary layers
//! current = s (Σ w x + b)                         stem and classifier
//! ```
//!
//! with s = v · (r dt/τ)/v_threshold, v being the threshold of the recipe (that of the first neurons, divided by r dt/τ), and 4 where a `SumPool2d` adds. The norm has γ/√(var + ε) and β
//! of that, with the mean and variance that a layer has whose inputs are independent: spikes in a fifth of the steps, and an image
//! of mean 0 and variance 1. Training replaces these statistics, and since they are of the right order the current stays about what it was.

use crate::export::{NO_LEAK, SPIKE};
use crate::graph::{Array, Conv2d, CubaLif, Graph, Lif, Node, Op, Pool2d, number, text};
use crate::kernels::{averaging, fires, same, unfold, weighs, whole};
use crate::{DT, NirError};
use safetensors::tensor::{Dtype, View};
use std::borrow::Cow;
use std::fmt::Write as _;

/// ε of the trainer's batch norm.
const EPSILON: f64 = 1e-5;
/// Share of steps with a spike that the starting statistics assume.
const RATE: f64 = 0.2;
/// Widest layer that a recipe can write.
const MOST_CHANNELS: usize = 65_536;

/// How a graph is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// Seconds of a time step; without it what the metadata says, else 1e-4.
    pub dt: Option<f64>,
    /// Whether a spike subtracts the threshold, which NIR cannot say; without it what the metadata says, else not.
    pub soft_reset: Option<bool>,
}

/// A named parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name, as `init.from` of a recipe takes it.
    pub name: String,
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// The values, in row-major order.
    pub values: Vec<f32>,
}

/// Starting weights of a binary network, and the recipe that they fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Channels, rows and columns of an input.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// `network.layers`.
    pub layers: String,
    /// Whether pooling is that of spikes instead of currents.
    pub pool_spikes: bool,
    /// Whether the classifier sees the mean of every channel.
    pub average: bool,
    /// `network.T`, where the graph says it.
    pub steps: Option<usize>,
    /// λ of the neurons; 1 without a leak.
    pub decay: f64,
    /// `neuron.v_threshold`.
    pub threshold: f32,
    /// Whether a spike subtracts the threshold.
    pub soft_reset: bool,
    /// Parameters and running statistics of every layer.
    pub tensors: Vec<Tensor>,
    /// What the network does not have that the graph has.
    pub notes: Vec<String>,
}

impl Start {
    /// The recipe, without `init.from`: TOML with the tables `[network]` and `[neuron]`.
    #[must_use]
    pub fn recipe(&self) -> String {
        let mut text = String::new();
        let [c, h, w] = self.input;
        let _ = writeln!(text, "# For inputs of {c}x{h}x{w} and {} classes.", self.classes);
        for note in &self.notes {
            let _ = writeln!(text, "# {note}");
        }
        let _ = writeln!(text, "method = \"bsnn\"\n\n[network]\nfamily = \"vgg\"\nlayers = \"{}\"", self.layers);
        if let Some(steps) = self.steps {
            let _ = writeln!(text, "T = {steps}");
        }
        let pooling = if self.pool_spikes { "spikes" } else { "current" };
        let head = if self.average { "average" } else { "flatten" };
        let _ = writeln!(text, "pooling = \"{pooling}\"\nhead = \"{head}\"\n\n[neuron]");
        if self.decay < 1.0 {
            let _ = writeln!(text, "kind = \"lif\"\ntau = {}", float(1.0 / (1.0 - self.decay)));
        } else {
            text += "kind = \"if\"\n";
        }
        let reset = if self.soft_reset { "soft" } else { "hard" };
        let _ = writeln!(text, "v_threshold = {:?}\nreset = \"{reset}\"", self.threshold);
        text
    }

    /// The parameters as a safetensors file for `init.from`.
    ///
    /// # Errors
    /// [`NirError::Write`] if the format cannot hold them.
    pub fn safetensors(&self) -> Result<Vec<u8>, NirError> {
        let tensors = self.tensors.iter().map(|t| (t.name.as_str(), t));
        safetensors::serialize(tensors, None).map_err(|e| NirError::Write(e.to_string()))
    }
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// A number in six digits: what is left of a time constant that went through `f32` twice.
fn float(v: f64) -> String {
    let digits = format!("{v:.5e}").parse().unwrap_or(v);
    format!("{digits:?}")
}

/// A graph as starting weights.
///
/// # Errors
/// [`NirError::Node`] names the first node that does not fit and says why; [`NirError::Field`] and [`NirError::Graph`] for graphs that are
/// not well-formed.
pub fn start(graph: &Graph, options: &ReadOptions) -> Result<Start, NirError> {
    let chain = chain(graph)?;
    let shapes = graph.shapes()?;
    let dt = options
        .dt
        .or_else(|| number(&graph.metadata, "dt"))
        .or_else(|| graph.nodes.iter().find_map(|node| number(&node.metadata, "dt")));
    let dt = dt.unwrap_or(DT);
    if !(dt.is_finite() && dt > 0.0) {
        return Err(NirError::graph("metadata", format!("dt is {dt}; expected seconds above 0")));
    }
    let exact = text(&graph.metadata, "spike") == Some(SPIKE);
    let mut walk =
        Walk { options, dt, exact, soft: None, decay: None, threshold: None, pool_spikes: None, layers: Vec::new() };
    let mut notes = Vec::new();
    let mut input = [0; 3];
    let mut head = None;
    let mut pooled_all = false;
    // A pooling that adds in place of averaging, for the layer that gets its values.
    let mut gain = 1.0;
    let mut at = 0;
    while let Some(&i) = chain.get(at) {
        let (node, next) = (&graph.nodes[i], chain.get(at + 1).map(|&n| &graph.nodes[n]));
        let incoming = at.checked_sub(1).map_or(&[][..], |k| &shapes[chain[k]][..]);
        at += 1;
        // A convolution of equal weights from each channel to itself is a pooling.
        let averaging = if let Op::Conv2d(conv) = &node.op { averaging(conv).map(Op::AvgPool2d) } else { None };
        let op = averaging.as_ref().unwrap_or(&node.op);
        match op {
            Op::Input(shape) => input = frame(node, shape)?,
            Op::Output(_) => {}
            Op::Flatten { .. } => {
                let (before, after) = (incoming.iter().product::<usize>(), &shapes[i]);
                if **after != [before] {
                    let reason = format!("it leaves {after:?}, where one axis is needed");
                    return refuse(node, reason, "flatten all axes of a sample: start_dim = 0, end_dim = -1");
                }
            }
            Op::Conv2d(_) | Op::Linear(_) | Op::Affine(..) => {
                if head.is_some() {
                    return refuse(
                        node,
                        "the classifier stands in front of it",
                        "a network ends with one Linear or Affine",
                    );
                }
                let behind = || chain[at..].iter().map(|&n| &graph.nodes[n]);
                let spikes = behind().take_while(|n| !weighs(&n.op)).any(|n| fires(&n.op));
                let last = !behind().any(|n| weighs(&n.op));
                if last {
                    head = Some(classifier(node, gain)?);
                    let extra = behind().find(|n| fires(&n.op));
                    notes.extend(extra.map(|n| {
                        format!("{}: neurons behind the classifier are left out; its currents are the logits", n.name)
                    }));
                    continue;
                }
                if !spikes {
                    let reason = "no neurons stand between it and the next layer with weights";
                    return refuse(node, reason, "put LIF or IF neurons behind every layer but the last");
                }
                if pooled_all {
                    return refuse(node, "the pooling in front of it takes the mean of a whole map", MEAN);
                }
                walk.layer(node, incoming, &shapes[i], std::mem::replace(&mut gain, 1.0))?;
            }
            Op::Lif(_) | Op::If(_) | Op::CubaLif(_) if head.is_some() => {}
            Op::Lif(_) | Op::If(_) | Op::CubaLif(_) => walk.neurons(node, &shapes[i])?,
            Op::AvgPool2d(pool) | Op::SumPool2d(pool) if head.is_none() => {
                let sum = matches!(op, Op::SumPool2d(_));
                let size = (pool.kernel[0] * pool.kernel[1]) as f64;
                let whole = matches!(*incoming, [_, h, w] if pool.kernel == [h, w]) && pool.padding == [0, 0];
                let flat = next.is_some_and(|n| matches!(n.op, Op::Flatten { .. }));
                let spiking = walk.layers.last().is_some_and(|layer| layer.neurons);
                if whole && flat && spiking {
                    pooled_all = true;
                    gain *= if sum { size } else { 1.0 };
                    continue;
                }
                walk.pool(node, pool, incoming, if sum { size } else { 1.0 }, &mut gain)?;
            }
            op => {
                let remedy =
                    "a chain of Conv2d, AvgPool2d or SumPool2d, LIF or IF, Flatten, Linear or Affine can be read";
                return refuse(node, format!("a {} has no place here in a binary network", op.kind()), remedy);
            }
        }
    }
    let end = chain.last().map_or("?", |&i| &graph.nodes[i].name);
    let Some((weight, bias)) = head else {
        return Err(NirError::graph(end, "the graph has no Linear or Affine, so no classifier"));
    };
    walk.finish(graph, (input, weight, bias, pooled_all), notes, end)
}

const MEAN: &str = "use the mean of a whole map in front of the last Linear or Affine alone";

fn refuse<T>(node: &Node, reason: impl Into<String>, remedy: &'static str) -> Result<T, NirError> {
    let (name, kind) = (node.name.clone(), node.op.kind().to_owned());
    Err(NirError::Node { node: name, kind, reason: reason.into(), remedy })
}

/// The nodes from input to output, each with one edge in and one out.
fn chain(graph: &Graph) -> Result<Vec<usize>, NirError> {
    // First what is no chain for another reason: unknown types and circles have better messages.
    graph.order()?;
    for node in &graph.nodes {
        if let Op::Other(kind) = &node.op {
            let remedy = match kind.as_str() {
                "NIRGraph" => "write the graph without graphs inside it",
                "Conv1d" => "write a signal as maps of one row, with Conv2d",
                "I" | "LI" | "CubaLI" => "use neurons that fire: LIF or IF",
                _ => "known are Conv2d, Linear, Affine, LIF, IF, AvgPool2d, SumPool2d and Flatten",
            };
            return refuse(node, "a binary network has nothing of this type", remedy);
        }
    }
    let mut inputs = (0..graph.nodes.len()).filter(|&i| matches!(graph.nodes[i].op, Op::Input(_)));
    let (Some(first), None) = (inputs.next(), inputs.next()) else {
        return Err(NirError::graph("?", "expected one node of type Input"));
    };
    for (i, node) in graph.nodes.iter().enumerate() {
        let (ins, outs) =
            graph.edges.iter().fold((0, 0), |(a, b), e| (a + usize::from(e.1 == i), b + usize::from(e.0 == i)));
        if ins > 1 || outs > 1 {
            let reason = format!("{ins} edges lead to it and {outs} away; a chain has one of each");
            return refuse(node, reason, "residual networks are not read: start from the chain without shortcuts");
        }
    }
    let mut chain = vec![first];
    while let Some(&(_, to)) = graph.edges.iter().find(|e| Some(&e.0) == chain.last()) {
        chain.push(to);
    }
    if let Some(node) = (0..graph.nodes.len()).find(|i| !chain.contains(i)) {
        return refuse(&graph.nodes[node], "no path leads from the input to it", "connect or remove it");
    }
    Ok(chain)
}

/// Channels, rows and columns of the input.
fn frame(node: &Node, shape: &[usize]) -> Result<[usize; 3], NirError> {
    match *shape {
        [c, h, w] => Ok([c, h, w]),
        _ => refuse(
            node,
            format!("inputs of shape {shape:?}; the first layer of a binary network is a convolution over [C, H, W]"),
            "put a Conv2d in front of the dense layers",
        ),
    }
}

/// Weights and bias of the last layer.
fn classifier(node: &Node, gain: f64) -> Result<(Array, Vec<f32>), NirError> {
    let (weight, bias) = match &node.op {
        Op::Linear(weight) => (weight, vec![0.0; weight.shape.first().copied().unwrap_or(0)]),
        Op::Affine(weight, bias) => (weight, bias.values.clone()),
        _ => {
            return refuse(
                node,
                "the last layer with weights is a convolution",
                "end with Flatten and Linear or Affine",
            );
        }
    };
    let values = weight.values.iter().map(|w| (f64::from(*w) * gain) as f32).collect();
    Ok((Array::new(weight.shape.clone(), values), bias))
}

/// A layer so far.
struct Layer {
    /// Part of `network.layers`.
    text: String,
    dense: bool,
    pooled: bool,
    neurons: bool,
    /// `[out, in, rows, columns]`.
    weight: Array,
    bias: Vec<f64>,
    /// Factor of what comes in.
    gain: f64,
    /// Factor of the current, one per channel.
    scale: Vec<f64>,
}

struct Walk<'a> {
    options: &'a ReadOptions,
    dt: f64,
    /// Whether thresholds are those of `export`.
    exact: bool,
    soft: Option<bool>,
    decay: Option<f64>,
    threshold: Option<f32>,
    pool_spikes: Option<bool>,
    layers: Vec<Layer>,
}

impl Walk<'_> {
    fn layer(&mut self, node: &Node, input: &[usize], output: &[usize], gain: f64) -> Result<(), NirError> {
        let stem = self.layers.is_empty();
        let after_dense = self.layers.last().is_some_and(|layer| layer.dense);
        let out = output.first().copied().unwrap_or(0);
        if out > MOST_CHANNELS {
            return refuse(node, format!("{out} channels; expected at most {MOST_CHANNELS}"), "use fewer");
        }
        let (text, dense, weight, bias) = match &node.op {
            Op::Conv2d(conv) => match same(conv, input) {
                Some((side, weight)) if !after_dense => {
                    let text = if side == 3 { out.to_string() } else { format!("{out}c{side}") };
                    (text, false, weight, &conv.bias.values)
                }
                _ if !stem && conv.groups == 1 && output[1..] == [1, 1] => {
                    (format!("FC{out}"), true, whole(conv, input), &conv.bias.values)
                }
                _ => return self.refuse_conv(node, conv, input),
            },
            Op::Linear(_) | Op::Affine(..) if stem => {
                let remedy = "put a Conv2d in front of the dense layers";
                return refuse(node, "the first layer of a binary network is a convolution", remedy);
            }
            Op::Linear(weight) => (format!("FC{out}"), true, unfold(weight), &Vec::new()),
            Op::Affine(weight, bias) => (format!("FC{out}"), true, unfold(weight), &bias.values),
            _ => return refuse(node, "a node without weights", "use Conv2d, Linear or Affine"),
        };
        let mut bias: Vec<f64> = bias.iter().map(|&b| f64::from(b)).collect();
        bias.resize(out, 0.0);
        let scale = vec![1.0; out];
        self.layers.push(Layer { text, dense, pooled: false, neurons: false, weight, bias, gain, scale });
        Ok(())
    }

    fn refuse_conv(&self, node: &Node, conv: &Conv2d, input: &[usize]) -> Result<(), NirError> {
        let [_, _, kh, kw] = conv.weight.shape[..] else {
            return refuse(node, "weights of another rank", "use [out, in, rows, columns]");
        };
        let reason = format!(
            "a kernel of {kh}x{kw} with stride {:?}, padding {:?}, dilation {:?} and {} groups on {input:?}",
            conv.stride, conv.padding, conv.dilation, conv.groups
        );
        refuse(
            node,
            reason,
            "use square kernels of odd sides up to 31 with stride 1 and half the side as padding, one group and no dilation, and pool with \
             AvgPool2d",
        )
    }

    fn neurons(&mut self, node: &Node, shape: &[usize]) -> Result<(), NirError> {
        let (channels, pixels) = (shape[0], shape[1..].iter().product::<usize>());
        let full = |array: &Array| array.spread(channels, pixels).unwrap_or_default();
        let zeros = |field: &str, array: &Array| match array.values.iter().find(|v| **v != 0.0) {
            None => Ok(()),
            Some(v) => refuse(node, format!("{field} is {v}; neurons of a binary network rest at 0"), "use 0"),
        };
        let (share, gain, v_reset, v_threshold) = match &node.op {
            Op::If(n) => {
                let gain = full(&n.r).iter().map(|r| f64::from(*r) * self.dt).collect::<Vec<_>>();
                (vec![0.0; gain.len()], gain, &n.v_reset, &n.v_threshold)
            }
            Op::Lif(lif) => {
                let (share, gain) = self.leak(lif, &full);
                zeros("v_leak", &lif.v_leak)?;
                (share, gain, &lif.v_reset, &lif.v_threshold)
            }
            Op::CubaLif(CubaLif { lif, tau_syn, w_in }) => {
                // A synapse whose time constant is the step hands on what comes in.
                if let Some(tau) = tau_syn.values.iter().find(|tau| (f64::from(**tau) / self.dt - 1.0).abs() > 1e-5) {
                    let reason =
                        format!("tau_syn is {tau}: a synapse that remembers, which binary networks do not have");
                    return refuse(node, reason, "use LIF, or a tau_syn of one time step");
                }
                let (share, mut gain) = self.leak(lif, &full);
                gain.iter_mut().zip(full(w_in)).for_each(|(g, w)| *g *= f64::from(w));
                zeros("v_leak", &lif.v_leak)?;
                (share, gain, &lif.v_reset, &lif.v_threshold)
            }
            _ => return refuse(node, "no neurons", "use LIF or IF"),
        };
        zeros("v_reset", v_reset)?;
        // Rounding of a time constant to f32 is no difference.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * a.abs().max(b.abs());
        // A leak that f32 does not see is none.
        let seen = |share: f64| if share > 2.0 * f64::from(NO_LEAK) { share } else { 0.0 };
        let share: Vec<f64> = share.into_iter().map(seen).collect();
        let decay = 1.0 - share[0];
        if let Some(other) = share.iter().find(|s| !close(**s, share[0])) {
            let reason =
                format!("time constants differ from neuron to neuron: {} and {} steps", 1.0 / share[0], 1.0 / other);
            return refuse(node, reason, "use one for all neurons");
        }
        if !(0.0..=1.0).contains(&decay) {
            let reason = format!("a time constant of {} steps of {} s; expected 1 or more", 1.0 / share[0], self.dt);
            return refuse(node, reason, "give the dt that the graph was made for");
        }
        let before = *self.decay.get_or_insert(decay);
        if !close(1.0 - before, share[0]) {
            let reason = format!("a leak of {decay} per step, where the neurons before it have {before}");
            return refuse(node, reason, "use one time constant for all neurons of a network");
        }
        let soft = self.options.soft_reset.unwrap_or_else(|| text(&node.metadata, "reset") == Some("soft"));
        if *self.soft.get_or_insert(soft) != soft {
            return refuse(node, "another reset than the neurons before it", "use one for all neurons of a network");
        }
        let stated = full(v_threshold).into_iter().map(|v| f64::from(if self.exact { v.next_up() } else { v }));
        // What u = λ v + x is compared with.
        let thresholds: Vec<f64> = stated.zip(&gain).map(|(v, gain)| v / gain).collect();
        if let Some(v) = thresholds.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
            let reason = format!("a threshold of {v} for a current that is not scaled; expected one above 0");
            return refuse(node, reason, "use thresholds and resistances above 0");
        }
        let unit = f64::from(*self.threshold.get_or_insert(thresholds[0] as f32));
        let Some(layer) = self.layers.last_mut().filter(|layer| !layer.neurons) else {
            return refuse(
                node,
                "no layer with weights in front of these neurons",
                "put a Conv2d or Linear in front of them",
            );
        };
        for c in 0..channels {
            let of = |i: usize| unit / thresholds[i];
            let first = of(c * pixels);
            if (0..pixels).any(|p| !close(of(c * pixels + p), first)) {
                let reason = format!("neurons of channel {c} have different thresholds or resistances");
                return refuse(node, reason, "use the same for all neurons of a channel");
            }
            layer.scale[c] *= first;
        }
        layer.neurons = true;
        Ok(())
    }

    /// dt/τ and r dt/τ of every neuron.
    fn leak(&self, lif: &Lif, full: &impl Fn(&Array) -> Vec<f32>) -> (Vec<f64>, Vec<f64>) {
        let share: Vec<f64> = full(&lif.tau).iter().map(|tau| self.dt / f64::from(*tau)).collect();
        let gain = share.iter().zip(full(&lif.r)).map(|(s, r)| s * f64::from(r)).collect();
        (share, gain)
    }

    fn pool(
        &mut self,
        node: &Node,
        pool: &Pool2d,
        incoming: &[usize],
        factor: f64,
        gain: &mut f64,
    ) -> Result<(), NirError> {
        let &[_, rows, _] = incoming else { return refuse(node, "no map comes in", "pool in front of Flatten") };
        let window = [rows.min(2), 2];
        if pool.kernel != window || pool.stride != window || pool.padding != [0, 0] {
            let reason = format!("windows of {:?}, stride {:?}, padding {:?}", pool.kernel, pool.stride, pool.padding);
            return refuse(
                node,
                reason,
                "binary networks pool 2x2 windows (1x2 of one row), or the whole map before the classifier",
            );
        }
        let Some(layer) = self.layers.last_mut() else {
            return refuse(node, "a pooling of the input", "pool the inputs before they come in");
        };
        if std::mem::replace(&mut layer.pooled, true) {
            return refuse(node, "two poolings behind one layer", "put a layer with neurons between them");
        }
        let spikes = layer.neurons;
        if *self.pool_spikes.get_or_insert(spikes) != spikes {
            let reason = "it stands on the other side of the neurons than the poolings before it";
            return refuse(node, reason, "pool in front of all neurons, or behind all");
        }
        if spikes {
            *gain *= factor;
        } else {
            layer.scale.iter_mut().for_each(|s| *s *= factor);
        }
        Ok(())
    }

    fn finish(
        self,
        graph: &Graph,
        (input, weight, bias, average): ([usize; 3], Array, Vec<f32>, bool),
        notes: Vec<String>,
        end: &str,
    ) -> Result<Start, NirError> {
        if self.layers.len() < 2 {
            let reason = format!(
                "{} layers with weights and neurons; a binary network has a stem and at least one more",
                self.layers.len()
            );
            return Err(NirError::graph(end, reason));
        }
        let classes = bias.len();
        let mut parts = Vec::new();
        let mut tensors = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            parts.push(layer.text.clone());
            if layer.pooled {
                parts.push("P".to_owned());
            }
            let name = if i == 0 { "stem".to_owned() } else { format!("blocks.{}", i - 1) };
            layer.tensors(&name, i == 0, &mut tensors);
        }
        let mut put = |name: &str, array: Array| {
            tensors.push(Tensor { name: name.to_owned(), shape: array.shape, values: array.values });
        };
        put("head.weight", weight);
        put("head.bias", Array::new([classes], bias));
        let steps = number(&graph.metadata, "steps").filter(|t| (1.0..=1024.0).contains(t)).map(|t| t as usize);
        Ok(Start {
            input,
            classes,
            layers: parts.join("-"),
            pool_spikes: self.pool_spikes.unwrap_or(false),
            average,
            steps,
            decay: self.decay.unwrap_or(1.0),
            threshold: self.threshold.unwrap_or(1.0),
            soft_reset: self.soft.unwrap_or(false),
            tensors,
            notes,
        })
    }
}

impl Layer {
    /// Weights and norm under the trainer's names.
    fn tensors(&self, name: &str, stem: bool, tensors: &mut Vec<Tensor>) {
        let out = self.bias.len();
        let per = self.weight.values.len() / out.max(1);
        let mut norm: [Vec<f32>; 4] = Default::default();
        for (o, w) in self.weight.values.chunks_exact(per.max(1)).enumerate() {
            let sum = |f: &dyn Fn(f64) -> f64| w.iter().map(|w| f(f64::from(*w))).sum::<f64>();
            let size = if stem { 1.0 } else { sum(&f64::abs) / per as f64 };
            let slope = size * self.gain * self.scale[o];
            let (mean, var) = if stem {
                (0.0, sum(&|w| w * w))
            } else {
                (RATE * sum(&|w| if w >= 0.0 { 1.0 } else { -1.0 }), RATE * (1.0 - RATE) * per as f64)
            };
            // Weights of nothing: any variance will do.
            let var = if var > 0.0 { var } else { 1.0 };
            let values = [slope * (var + EPSILON).sqrt(), self.bias[o] * self.scale[o] + slope * mean, mean, var];
            norm.iter_mut().zip(values).for_each(|(array, v)| array.push(v as f32));
        }
        let mut put = |part: &str, shape: Vec<usize>, values: Vec<f32>| {
            tensors.push(Tensor { name: format!("{name}.{part}"), shape, values });
        };
        let part = if stem { "conv.weight" } else { "conv.latent" };
        put(part, self.weight.shape.clone(), self.weight.values.clone());
        for (part, values) in ["gamma", "beta", "running_mean", "running_var"].into_iter().zip(norm) {
            put(&format!("norm.{part}"), vec![out], values);
        }
    }
}
