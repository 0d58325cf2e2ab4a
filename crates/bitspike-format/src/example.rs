//! Small networks with made-up weights, for examples, tests and benchmarks. Nothing here was trained.

use crate::layer::{Features, Neuron, Pool, Reset};
use crate::write::{BlockSpec, GateSpec, HeadSpec, LayerSpec, ModelSpec, ResidualSpec, WeightSpec, write};
use crate::{Chain, Encoder, Front, LogMel};

/// A front end of windows of 64 samples, as they are; for `..example::CHAIN`.
pub const CHAIN: Chain = Chain {
    rate_hz: Some(8000.0),
    per_count: 1.0 / 32768.0,
    window: 64,
    hop: 32,
    front: Front::Samples,
    clip: Some(20.0),
    encoder: Encoder::Whole,
};

/// A spectrogram of four bands; for `..example::MEL`.
pub const MEL: LogMel = LogMel {
    frame: 16,
    hop: 8,
    fft: 32,
    mels: 4,
    low_hz: 60.0,
    high_hz: 4000.0,
    floor: 1e-10,
    slaney: false,
    bands_are_channels: false,
    by_window: false,
};

/// Pseudo-random numbers with a fixed sequence (a 64-bit linear congruential generator with a mixed output).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence of its own for every seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    /// From −1 to 1.
    pub fn draw(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ self.0 >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40;
        mixed as f32 / (1 << 23) as f32 - 1.0
    }

    /// So many of them.
    pub fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.draw()).collect()
    }
}

/// Spread of a current, in thresholds.
const SLOPE: f32 = 0.9;

/// A block of 3×3 with numbers such that about a fifth of its neurons fire.
pub fn block(numbers: &mut Numbers, [c_in, channels]: [usize; 2], stem: bool, gate: GateSpec, pool: Pool) -> BlockSpec {
    let weights = numbers.take(c_in * channels * 9);
    // The spread of a sum of 9 c_in products: each 0 or ±1 with a fifth of the spikes, or a number from −1 to 1. The mean of
    // four such sums has about half of it.
    let spread = ((9 * c_in) as f32 * if stem { 1.0 / 9.0 } else { 0.2 }).sqrt();
    let spread = if pool == Pool::Current { spread / 2.0 } else { spread };
    BlockSpec {
        channels,
        kernel: [3, 3],
        stride: 1,
        padding: [1, 1],
        weights: if stem { WeightSpec::Real(weights) } else { WeightSpec::Signs(weights) },
        slope: (0..channels).map(|_| (1.0 + 0.3 * numbers.draw()) * SLOPE / spread).collect(),
        offset: (0..channels).map(|_| 0.2 * numbers.draw()).collect(),
        gate,
        pool,
        neuron: Some(Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Soft }),
    }
}

/// The same with kernels of one row, and all other weights as they are: for signals, whose maps have one row, and for maps of
/// several.
///
/// # Panics
/// If a block has another kernel than 3×3, which none of this module has.
#[must_use]
pub fn one_row(mut spec: ModelSpec) -> ModelSpec {
    for layer in &mut spec.layers {
        if let LayerSpec::Block(b) | LayerSpec::Residual(ResidualSpec { block: b, .. }) = layer {
            assert_eq!(b.kernel, [3, 3], "a block of this module");
            (b.kernel, b.padding) = ([1, 3], [0, 1]);
            let (WeightSpec::Real(w) | WeightSpec::Signs(w)) = &mut b.weights;
            // The middle row of each kernel; sums of a third of the terms have about 0.58 of the spread.
            *w = w.chunks_exact(9).flat_map(|kernel| kernel[3..6].to_vec()).collect();
            b.slope.iter_mut().for_each(|a| *a *= 1.7);
        }
    }
    spec
}

/// Makes the gate of a binary block from T and its channels.
pub type GateOf<'a> = &'a dyn Fn(usize, usize, &mut Numbers) -> GateSpec;

/// A chain as a network text says it, `"8-16-P-16"`, with the given gate after binary convolutions.
///
/// # Panics
/// If a part of the text is neither a number nor `P`.
#[must_use]
pub fn chain(
    text: &str,
    input: [usize; 3],
    steps: usize,
    features: Features,
    pool: Pool,
    gate: GateOf<'_>,
) -> ModelSpec {
    let mut numbers = Numbers::new(1);
    let parts: Vec<&str> = text.split('-').collect();
    let (mut layers, mut map) = (Vec::new(), input);
    for (i, part) in parts.iter().enumerate().filter(|(_, part)| **part != "P") {
        let channels: usize = part.parse().expect("a number or P");
        let pool = if parts.get(i + 1) == Some(&"P") { pool } else { Pool::None };
        let stem = layers.is_empty();
        let gate = if stem { GateSpec::None } else { gate(steps, channels, &mut numbers) };
        layers.push(LayerSpec::Block(block(&mut numbers, [map[0], channels], stem, gate, pool)));
        let [rows, columns] = if pool == Pool::None { [1, 1] } else { [map[1].min(2), 2] };
        map = [channels, map[1] / rows, map[2] / columns];
    }
    let count = if features == Features::Flatten { map.iter().product() } else { map[0] };
    let scale = 1.0 / (count as f32).sqrt();
    let weights = numbers.take(10 * count).into_iter().map(|w| w * scale).collect();
    layers.push(LayerSpec::Head(HeadSpec { features, weights, bias: numbers.take(10) }));
    ModelSpec { steps, sequence: false, input, classes: 10, normalise: None, layers, meta: Vec::new(), feed: None }
}

/// A residual chain: a stem without neurons, then a block per width; a block with another width than the one before halves the
/// map. `"16-16-32"` is a stem and two blocks.
///
/// # Panics
/// If a part of the text is no number.
#[must_use]
pub fn residual(text: &str, input: [usize; 3], steps: usize, features: Features, gate: GateOf<'_>) -> ModelSpec {
    let mut numbers = Numbers::new(1);
    let neuron = Neuron { decay: 0.5, threshold: 1.0, reset: Reset::Soft };
    let (mut layers, mut map) = (Vec::new(), input);
    for part in text.split('-') {
        let channels: usize = part.parse().expect("a number");
        if layers.is_empty() {
            let stem = block(&mut numbers, [map[0], channels], true, GateSpec::None, Pool::None);
            layers.push(LayerSpec::Block(BlockSpec { neuron: None, ..stem }));
        } else {
            let gate = gate(steps, channels, &mut numbers);
            let mut b = block(&mut numbers, [map[0], channels], false, gate, Pool::None);
            let mut projection = None;
            if channels != map[0] {
                b.stride = 2;
                let spread = (map[0] as f32 / 3.0).sqrt();
                let slope = numbers.take(channels).into_iter().map(|v| (1.0 + 0.3 * v) / spread).collect();
                projection = Some((numbers.take(map[0] * channels), slope, numbers.take(channels)));
                map = [channels, map[1] / 2, map[2] / 2];
            }
            layers.push(LayerSpec::Residual(ResidualSpec { block: b, projection }));
        }
        map[0] = channels;
    }
    layers.push(LayerSpec::Neurons(neuron));
    let count = if features == Features::Flatten { map.iter().product() } else { map[0] };
    let scale = 1.0 / (count as f32).sqrt();
    let weights = numbers.take(10 * count).into_iter().map(|w| w * scale).collect();
    layers.push(LayerSpec::Head(HeadSpec { features, weights, bias: numbers.take(10) }));
    ModelSpec { steps, sequence: false, input, classes: 10, normalise: None, layers, meta: Vec::new(), feed: None }
}

/// The AGMM gate with its default pool.
pub fn sample_gate(steps: usize, _channels: usize, numbers: &mut Numbers) -> GateSpec {
    let alpha = (0..steps).map(|_| 1.95 + 0.3 * numbers.draw()).collect();
    GateSpec::Sample { alpha, per_channel: false, inside: false, hard: false }
}

/// A gate per element, whose α makes about as many neurons fire as that of [`sample_gate`].
pub fn element_gate(steps: usize, _channels: usize, numbers: &mut Numbers) -> GateSpec {
    GateSpec::Element { alpha: (0..steps).map(|_| 1.0 + 0.2 * numbers.draw()).collect(), inside: false }
}

/// The published VGG-11 for CIFAR-10 with T = 4 and the gate of `gate`.
#[must_use]
pub fn vgg11(gate: GateOf<'_>) -> ModelSpec {
    chain("64-128-P-256-256-P-512-512-P-512-512", [3, 32, 32], 4, Features::Average, Pool::Current, gate)
}

/// A stem, a gated block and a head on 4×4 images.
#[must_use]
pub fn tiny_spec() -> ModelSpec {
    let mut spec = chain("3-5-P", [2, 4, 4], 2, Features::Flatten, Pool::Current, &sample_gate);
    spec.normalise = Some((vec![0.5, 0.25], vec![0.25, 0.5]));
    spec
}

/// The file of [`tiny_spec`].
///
/// # Panics
/// Never: the description is a network.
#[must_use]
pub fn tiny() -> Vec<u8> {
    write(&tiny_spec()).expect("the example is a network")
}
