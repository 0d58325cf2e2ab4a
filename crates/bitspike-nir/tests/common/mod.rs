//! Random networks of every kind that a graph can hold, and the runtime's view of them.
#![allow(dead_code)]

use bitspike_format::example::{Numbers, chain, one_row, residual};
use bitspike_format::{
    BlockSpec, Features, GateSpec, LayerSpec, Map, Model, ModelSpec, Neuron, Pool, Reset, ResidualSpec, WeightSpec,
};
use bitspike_infer::Observer;

/// Kinds of networks.
pub const KINDS: [&str; 10] = [
    "current",
    "spikes",
    "signal",
    "signal-spikes",
    "residual",
    "flat-kernels",
    "dense",
    "dense-signal",
    "factor",
    "one-step",
];

fn no_gate(_: usize, _: usize, _: &mut Numbers) -> GateSpec {
    GateSpec::None
}

/// A constant that is the same in every step.
fn half(steps: usize, channels: usize, _: &mut Numbers) -> GateSpec {
    GateSpec::Fixed((0..steps * channels).map(|i| if (i % channels).is_multiple_of(2) { 0.5 } else { 2.0 }).collect())
}

/// A dense layer of five channels in front of the head.
fn dense(mut spec: ModelSpec, [c, h, w]: [usize; 3], numbers: &mut Numbers) -> ModelSpec {
    let at = spec.layers.len() - 1;
    let block = BlockSpec {
        channels: 5,
        kernel: [h, w],
        stride: 1,
        padding: [0, 0],
        weights: WeightSpec::Signs(numbers.take(5 * c * h * w)),
        slope: numbers.take(5),
        offset: numbers.take(5),
        gate: GateSpec::None,
        pool: Pool::None,
        neuron: Some(Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Hard }),
    };
    spec.layers.insert(at, LayerSpec::Block(block));
    if let Some(LayerSpec::Head(head)) = spec.layers.last_mut() {
        head.weights = numbers.take(50);
    }
    spec
}

/// A network of a kind, with other numbers for every seed.
pub fn network(kind: &str, seed: u64) -> ModelSpec {
    let mut numbers = Numbers::new(seed + 100);
    let steps = [2, 4, 1][seed as usize % 3];
    let (flat, mean) = (Features::Flatten, Features::Average);
    let mut spec = match kind {
        "current" => chain("4-6-P-8-P", [2, 8, 8], steps, flat, Pool::Current, &no_gate),
        "spikes" => chain("4-P-6-P-8", [2, 8, 8], steps, mean, Pool::Spikes, &no_gate),
        "signal" => one_row(chain("4-P-6-P-8", [3, 1, 16], steps, flat, Pool::Current, &no_gate)),
        "signal-spikes" => one_row(chain("4-P-6-P-8", [3, 1, 16], steps, mean, Pool::Spikes, &no_gate)),
        "residual" => residual("4-4-8-8", [2, 8, 8], steps, mean, &no_gate),
        "flat-kernels" => one_row(chain("4-6-P-8", [2, 4, 8], steps, flat, Pool::Current, &no_gate)),
        "dense" => dense(chain("4-P", [2, 6, 6], steps, flat, Pool::Current, &no_gate), [4, 3, 3], &mut numbers),
        "dense-signal" => {
            dense(one_row(chain("4-P", [2, 1, 10], steps, flat, Pool::Current, &no_gate)), [4, 1, 5], &mut numbers)
        }
        "factor" => chain("4-6-P-8", [2, 8, 8], steps, flat, Pool::Current, &half),
        "one-step" => chain("4-40-6", [2, 4, 4], 1, flat, Pool::None, &no_gate),
        other => panic!("no kind {other}"),
    };
    // The examples have the same weights every time.
    for b in blocks(&mut spec) {
        let (WeightSpec::Real(w) | WeightSpec::Signs(w)) = &mut b.weights;
        w.iter_mut().for_each(|w| *w = numbers.draw());
        b.slope.iter_mut().for_each(|a| *a *= if numbers.draw() < -0.3 { -1.0 } else { 1.0 });
        b.offset.iter_mut().for_each(|b| *b = 0.5 * numbers.draw());
    }
    spec
}

/// All blocks of a description.
pub fn blocks(spec: &mut ModelSpec) -> impl Iterator<Item = &mut BlockSpec> {
    spec.layers.iter_mut().filter_map(|layer| match layer {
        LayerSpec::Block(b) | LayerSpec::Residual(ResidualSpec { block: b, .. }) => Some(b),
        _ => None,
    })
}

/// Gives all neurons of a network these numbers.
pub fn with_neurons(mut spec: ModelSpec, neuron: Neuron) -> ModelSpec {
    for layer in &mut spec.layers {
        match layer {
            LayerSpec::Block(b) | LayerSpec::Residual(ResidualSpec { block: b, .. }) if b.neuron.is_some() => {
                b.neuron = Some(neuron);
            }
            LayerSpec::Neurons(n) => *n = neuron,
            _ => {}
        }
    }
    spec
}

fn cut(v: f32, part: f32) -> f32 {
    (v / part).round() * part
}

/// Rounds all numbers so that every sum and product of an inference is exact in `f32`, whatever its order: then potentials often
/// lie exactly at the threshold.
pub fn exact(mut spec: ModelSpec) -> ModelSpec {
    for b in blocks(&mut spec) {
        if let WeightSpec::Real(w) = &mut b.weights {
            w.iter_mut().for_each(|w| *w = cut(*w, 1.0 / 8.0));
        }
        // Powers of two, so that the layout of signs can divide by them.
        b.slope.iter_mut().for_each(|a| *a = a.signum() * [0.125, 0.25, 0.5][(a.abs() * 40.0) as usize % 3]);
        b.offset.iter_mut().for_each(|b| *b = cut(*b, 1.0 / 16.0));
    }
    for layer in &mut spec.layers {
        match layer {
            LayerSpec::Residual(ResidualSpec { projection: Some((weights, slope, offset)), .. }) => {
                weights.iter_mut().for_each(|w| *w = cut(*w, 1.0 / 4.0));
                slope.iter_mut().for_each(|a| *a = a.signum() * 0.25);
                offset.iter_mut().for_each(|b| *b = cut(*b, 1.0 / 16.0));
            }
            LayerSpec::Head(h) => {
                h.weights.iter_mut().for_each(|w| *w = cut(*w, 1.0 / 64.0));
                h.bias.iter_mut().for_each(|b| *b = cut(*b, 1.0 / 64.0));
            }
            _ => {}
        }
    }
    spec
}

/// Inputs for a network; with `part` rounded to multiples of it.
pub fn input(spec: &ModelSpec, seed: u64, part: Option<f32>) -> Vec<f32> {
    let mut numbers = Numbers::new(seed + 7);
    let frames = if spec.sequence { spec.steps } else { 1 };
    let values = numbers.take(frames * spec.input.iter().product::<usize>());
    values.into_iter().map(|v| part.map_or(2.0 * v, |part| cut(2.0 * v, part))).collect()
}

/// What the runtime computes: logits, and the values that every layer gives at every step, `[layer][step][channel][row][column]`.
pub struct Seen {
    pub logits: Vec<f32>,
    pub values: Vec<Vec<Vec<f64>>>,
}

impl Observer for Seen {
    fn spikes(&mut self, layer: usize, step: usize, map: &Map, words: &[u32]) {
        let mut values = Vec::new();
        let plane = map.pixels() * map.words();
        for c in 0..map.channels {
            for pixel in 0..map.pixels() {
                let bit = |p: usize| words[p * plane + pixel * map.words() + c / 32] >> (c % 32) & 1;
                let count: u32 = (0..map.planes).map(|p| bit(p) << p).sum();
                values.push(f64::from(count) * f64::from(map.unit()));
            }
        }
        self.values.resize(self.values.len().max(layer + 1), Vec::new());
        assert_eq!(self.values[layer].len(), step, "steps come in order");
        self.values[layer].push(values);
    }
}

/// Runs the packed runtime.
pub fn run(model: &Model<'_>, input: &[f32]) -> Seen {
    let mut arena = vec![0; bitspike_infer::run_words(model).unwrap()];
    let mut logits = vec![0.0; model.network().classes];
    let mut seen = Seen { logits: Vec::new(), values: Vec::new() };
    bitspike_infer::run(model, &mut arena, input, &mut logits, &mut seen).unwrap();
    seen.logits = logits;
    seen
}
