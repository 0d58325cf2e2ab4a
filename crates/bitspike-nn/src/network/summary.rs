//! What a network costs, from its plan alone: weights, bits, multiply-accumulates, bytes, memory of a training step.
//!
//! Size convention (BSO, Liang et al., 2025): 1 bit per binary weight + 32 bits for every real parameter (stem, classifier,
//! shortcut convolutions, batch-norm affine, α); 1 MB = 10⁶ bytes. Running statistics fold into the affine and do not count.

use super::config::{ConvPlan, Plan};
use super::types::{Junction, Pooling, Structure};
use crate::layers::{AlphaShape, NeuronKind};
use crate::ops::block::PART;

/// Cost of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSummary {
    /// Module path.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// 1-bit weights.
    pub binary: bool,
    /// Shape of the weight.
    pub shape: Vec<usize>,
    /// Number of weights.
    pub weights: u64,
    /// Real parameters besides the weights: batch-norm affine, α, bias, learned leak.
    pub extra: u64,
    /// Multiply-accumulates of one time step.
    pub macs: u64,
    /// How often per inference they are done: 1 for the stem of a static image, otherwise T.
    pub repeats: u64,
    /// Name of the layer whose spikes come in, if they are spikes.
    pub source: Option<String>,
    /// Shape of what goes out: channels, rows, columns.
    pub output: Vec<usize>,
}

/// Bytes that one training step needs, estimated from the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingMemory {
    /// Parameters, gradients and optimiser state in float32.
    pub parameters: u64,
    /// Values kept for the backward pass.
    pub activations: u64,
    /// Gradients and scratch alive at once.
    pub workspace: u64,
}

impl TrainingMemory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.parameters + self.activations + self.workspace
    }
}

/// Cost of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Layer by layer.
    pub layers: Vec<LayerSummary>,
    /// Number of 1-bit weights.
    pub binary_weights: u64,
    /// Number of float32 parameters.
    pub real_parameters: u64,
}

impl Summary {
    /// Bytes with binary weights at one bit: bits / 8 + 4 · real parameters.
    pub fn bytes_1bit(&self) -> u64 {
        self.binary_weights.div_ceil(8) + 4 * self.real_parameters
    }

    /// Bytes of the same network with every weight in float32.
    pub fn bytes_f32(&self) -> u64 {
        4 * (self.binary_weights + self.real_parameters)
    }
}

impl Plan {
    /// What the network costs.
    ///
    /// The published VGG-11 for CIFAR-10 (without a gate) has 9,216,000 binary weights and 12,362 real parameters:
    ///
    /// ```
    /// use bitspike_nn::network::{Head, NetworkConfig, NetworkOptions};
    /// let network = NetworkConfig {
    ///     layers: "64-128-P-256-256-P-512-512-P-512-512".parse().unwrap(), head: Head::Average, ..Default::default()
    /// };
    /// let s = NetworkOptions { network, ..Default::default() }.plan([3, 32, 32], 10).unwrap().summary();
    /// assert_eq!((s.binary_weights, s.real_parameters), (9_216_000, 12_362));
    /// assert_eq!((s.bytes_1bit(), s.bytes_f32()), (1_201_448, 36_913_448));
    /// ```
    pub fn summary(&self) -> Summary {
        let o = &self.options;
        let t = o.network.steps as u64;
        let plif = u64::from(o.neuron.kind == NeuronKind::Plif);
        let mut layers = Vec::new();
        for (i, c) in self.convs.iter().enumerate() {
            let [c_in, c_out] = c.conv.channels;
            let alpha = match &o.gate {
                Some(g) if c.binary => t * if g.alpha == AlphaShape::StepChannel { c_out as u64 } else { 1 },
                _ => 0,
            };
            let norm = o.norm.parameters(c_out, o.network.steps);
            let output = vec![c_out, c.map[0], c.map[1]];
            layers.push(LayerSummary {
                name: c.name.clone(),
                kind: match c.conv.kernel {
                    1 if c.flattens.is_some() => "dense",
                    1 if !c.neurons => "conv 1x1",
                    _ => "conv",
                },
                binary: c.binary,
                shape: vec![c_out, c_in, c.conv.rows, c.conv.kernel],
                weights: c.weights(),
                extra: norm + alpha + if c.neurons { plif } else { 0 },
                macs: c.macs(),
                repeats: if i == 0 { self.frames as u64 } else { t },
                source: c.source.clone(),
                output: output.clone(),
            });
            if let Some((macs, weights)) = c.shortcut() {
                layers.push(LayerSummary {
                    name: format!("{}.shortcut", c.name),
                    kind: "conv 1x1",
                    binary: false,
                    shape: vec![c_out, c_in, 1, 1],
                    weights,
                    extra: norm,
                    macs,
                    repeats: t,
                    source: None,
                    output,
                });
            }
            layers.extend(self.attention(c, plif, t));
        }
        let ends_in_neurons = matches!(
            self.structure,
            Structure::BiReal { .. } | Structure::Residual { junction: Junction::Membrane, .. }
        );
        layers.push(LayerSummary {
            name: "head".to_owned(),
            kind: "linear",
            binary: false,
            shape: vec![self.classes, self.features],
            weights: (self.classes * self.features) as u64,
            extra: self.classes as u64 + if ends_in_neurons { plif } else { 0 },
            macs: (self.classes * self.features) as u64,
            repeats: t,
            source: Some(self.last.clone()),
            output: vec![self.classes],
        });
        let binary_weights = layers.iter().filter(|l| l.binary).map(|l| l.weights).sum();
        let real_parameters = layers.iter().map(|l| l.extra + if l.binary { 0 } else { l.weights }).sum();
        Summary { layers, binary_weights, real_parameters }
    }

    /// The products of attention behind the values of a block: v kᵀ, and that times q.
    fn attention(&self, value: &ConvPlan, plif: u64, repeats: u64) -> Option<LayerSummary> {
        let Structure::Spikformer { heads, .. } = self.structure else { return None };
        let block = value.name.strip_suffix(".value")?;
        let (channels, [h, w]) = (value.conv.channels[1], value.map);
        let per_head = channels / heads;
        Some(LayerSummary {
            name: format!("{block}.attend"),
            kind: "attention",
            binary: false,
            shape: vec![heads, per_head, h * w],
            weights: 0,
            extra: plif,
            macs: 2 * (channels * per_head * h * w) as u64,
            repeats,
            source: Some(value.name.clone()),
            output: vec![channels, h, w],
        })
    }

    /// Memory of one training step with a batch of `n` on the CPU's fused kernels.
    ///
    /// A fused block of a chain keeps the sums of its convolution (16 bits, unless they are computed again) and its input as bits; at
    /// work are its incoming gradient, that of its input, and that of the sums, of a pooled block 16 MiB at a time. Other layers keep the
    /// convolution's result (float32, for the batch norm), the membrane potential (float32), the spikes as bits and the gate's input, and
    /// gradients of two neighbouring layers are at work; in networks with shortcuts some of it is fused, so there it is an upper
    /// bound. Data, their loading and the allocator's slack are not in it.
    pub fn training_memory(&self, n: usize) -> TrainingMemory {
        let (o, n) = (&self.options, n as u64);
        let t = o.network.steps as u64;
        let chain = matches!(self.structure, Structure::Vgg | Structure::Spikformer { .. });
        let (mut activations, mut workspace) = (0, 0);
        for (i, c) in self.convs.iter().enumerate() {
            let values = |channels: usize, [h, w]: [usize; 2]| (channels * h * w) as u64 * n;
            let [c_in, c_out] = c.conv.channels;
            let steps = if i == 0 { self.frames as u64 } else { t };
            let pooled_current = chain && c.pooled && o.network.pooling == Pooling::Current;
            let (conv, current) =
                (values(c_out, c.output), values(c_out, c.output) / if pooled_current { 4 } else { 1 });
            let even = c.output.iter().all(|side| side % 2 == 0);
            if self.structure == Structure::Vgg && o.fuses(c) && (even || !c.pooled) {
                let input = t * values(c_in, c.input);
                let (kept, again) = if o.recompute { (0, 2 * t * conv) } else { (2 * t * conv, 0) };
                activations += kept + input / 8;
                let floats = match c.pooled {
                    true => t * current + input + (PART as u64).min(t * conv),
                    false => t * conv + (t * current).max(input),
                };
                workspace = workspace.max(4 * floats + again);
            } else {
                // Neurons of a static image keep their one input, and only their gradient has all steps.
                let gated = if o.gate.is_some() && c.binary { t * current } else { 0 };
                activations += 4 * (steps * conv + steps * current + gated) + t * current / 8;
                let floats = if steps < t { t * current + 2 * conv } else { 2 * t * (conv + 3 * current) };
                workspace = workspace.max(4 * floats);
            }
        }
        // Value, gradient and velocity.
        TrainingMemory { parameters: 3 * self.summary().bytes_f32(), activations, workspace }
    }
}
