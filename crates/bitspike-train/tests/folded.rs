//! The folded network as tensor operations against the packed runtime: every spike and logit, bit for bit.

use bitspike_format::example::{Numbers, block, chain, one_row, sample_gate};
use bitspike_format::{
    Features, GateSpec, HeadSpec, LayerSpec, Map, Model, ModelSpec, Neuron, Pool, Reset, ResidualSpec, WriteError,
    write,
};
use bitspike_train::deploy::folded::Folded;
use bitspike_train::device::by_name;
use bitspike_train::param::host;
use burn::tensor::{Tensor, TensorData};

/// Words of a layer for all steps, in the order of the packed runtime.
#[derive(Default)]
struct Packed(Vec<(usize, Map, Vec<u32>)>);

impl bitspike_infer::Observer for Packed {
    fn spikes(&mut self, layer: usize, _: usize, map: &Map, words: &[u32]) {
        match self.0.iter_mut().find(|(l, ..)| *l == layer) {
            Some((.., all)) => all.extend(words),
            None => self.0.push((layer, *map, words.to_vec())),
        }
    }
}

/// Counts `[T, C, H, W]` from packed words.
fn unpack(map: &Map, words: &[u32]) -> Vec<f32> {
    let mut counts = Vec::new();
    for words in words.chunks_exact(map.bit_words()) {
        for c in 0..map.channels {
            for pixel in 0..map.pixels() {
                let bit = |p: usize| words[(p * map.pixels() + pixel) * map.words() + c / 32] >> (c % 32) & 1;
                counts.push((0..map.planes).map(|p| bit(p) << p).sum::<u32>() as f32);
            }
        }
    }
    counts
}

/// Spikes that were compared, or what differs.
fn differs(spec: &ModelSpec, samples: usize, device: &str) -> Result<f32, String> {
    let device = by_name(device).unwrap();
    let bytes = write(spec).unwrap();
    let model = Model::parse(&bytes).unwrap();
    let ([c, h, w], frames) = (spec.input, if spec.sequence { spec.steps } else { 1 });
    let frame = c * h * w;
    let images = Numbers::new(7).take(frames * samples * frame);
    let tensor = Tensor::<5>::from_data(TensorData::new(images.clone(), [frames, samples, c, h, w]), &device);
    let mut layers = Vec::new();
    let folded = Folded::new(spec, &device).map_err(|e| e.to_string())?;
    let logits = folded.forward(tensor, &mut |i, s| layers.push((i, s.counts.dims(), host(s.counts.clone()))));
    let logits = host(logits);
    let mut spikes = 0.0;
    for i in 0..samples {
        let image: Vec<f32> = (0..frames).flat_map(|t| images[(t * samples + i) * frame..][..frame].to_vec()).collect();
        let mut arena = vec![0; bitspike_infer::run_words(&model).unwrap()];
        let (mut packed, mut seen) = (vec![0.0; spec.classes], Packed::default());
        bitspike_infer::run(&model, &mut arena, &image, &mut packed, &mut seen).unwrap();
        if seen.0.len() != layers.len() {
            return Err(format!("{} layers, {} packed", layers.len(), seen.0.len()));
        }
        for ((layer, [t, n, c, h, w], counts), (packed_layer, map, words)) in layers.iter().zip(&seen.0) {
            let per = c * h * w;
            let own: Vec<f32> = (0..*t).flat_map(|t| counts[(t * n + i) * per..][..per].to_vec()).collect();
            if layer != packed_layer || own != unpack(map, words) {
                return Err(format!("sample {i}, layer {layer}"));
            }
            spikes += own.iter().sum::<f32>();
        }
        let own = &logits[i * spec.classes..][..spec.classes];
        if !own.iter().map(|v| v.to_bits()).eq(packed.iter().map(|v| v.to_bits())) {
            return Err(format!("sample {i}: logits {own:?}, packed {packed:?}"));
        }
    }
    Ok(spikes)
}

fn gates(steps: usize, channels: usize) -> Vec<GateSpec> {
    let mut numbers = Numbers::new(3);
    let mut alpha = |len: usize| (0..len).map(|_| 1.9 + 0.4 * numbers.draw()).collect::<Vec<_>>();
    let mut gates = vec![GateSpec::None, GateSpec::Fixed(alpha(steps)), GateSpec::Fixed(alpha(steps * channels))];
    for (per_channel, inside) in [(false, false), (false, true), (true, false), (true, true)] {
        for len in [steps, steps * channels] {
            gates.push(GateSpec::Sample { alpha: alpha(len), per_channel, inside, hard: false });
        }
        gates.push(GateSpec::Sample { alpha: alpha(steps), per_channel, inside, hard: true });
    }
    for inside in [false, true] {
        for len in [steps, steps * channels] {
            gates.push(GateSpec::Element { alpha: alpha(len), inside });
        }
    }
    gates
}

/// Every pooling, gate, head and reset; odd maps and widths; T with and without an exact reciprocal.
fn chains() -> Vec<(String, ModelSpec)> {
    let mut specs = Vec::new();
    for pool in [Pool::Current, Pool::Spikes, Pool::MaxSpikes] {
        for (g, steps) in (0..gates(1, 1).len()).zip([3, 2].into_iter().cycle()) {
            for features in [Features::Flatten, Features::Average] {
                let gate = |steps: usize, channels: usize, _: &mut Numbers| gates(steps, channels).swap_remove(g);
                let mut spec = chain("5-P-33-P-4", [2, 9, 7], steps, features, pool, &gate);
                if g % 3 == 1 {
                    for layer in &mut spec.layers {
                        if let LayerSpec::Block(b) = layer {
                            b.neuron = Some(Neuron { decay: 0.85, threshold: 0.7, reset: Reset::Hard });
                        }
                    }
                }
                spec.sequence = g % 4 == 2;
                specs.push((format!("{pool:?}, gate {g}, {features:?}, T = {steps}"), spec));
            }
        }
    }
    specs
}

/// The same chains on signals of odd and even lengths, with kernels of one row, and on an image with such kernels.
fn signals() -> Vec<(String, ModelSpec)> {
    let mut specs = Vec::new();
    for (pool, input) in [Pool::Current, Pool::Spikes, Pool::MaxSpikes]
        .into_iter()
        .flat_map(|pool| [[2, 1, 33], [2, 1, 24], [2, 6, 5]].map(|input| (pool, input)))
    {
        for (g, features) in (0..gates(1, 1).len()).zip([Features::Flatten, Features::Average].into_iter().cycle()) {
            let gate = |steps: usize, channels: usize, _: &mut Numbers| gates(steps, channels).swap_remove(g);
            let mut spec = one_row(chain("5-P-33-P-4", input, 3, features, pool, &gate));
            spec.sequence = g % 4 == 2;
            specs.push((format!("{input:?}, {pool:?}, gate {g}, {features:?}"), spec));
        }
    }
    specs
}

/// Stem without neurons, a plain residual block, one with a projection, neurons, head.
fn residuals() -> Vec<(String, ModelSpec)> {
    let (steps, neuron) = (3, Neuron { decay: 0.5, threshold: 0.6, reset: Reset::Soft });
    let mut specs = Vec::new();
    for g in 0..gates(1, 1).len() {
        let mut numbers = Numbers::new(11);
        let mut stem = block(&mut numbers, [2, 6], true, GateSpec::None, Pool::None);
        stem.neuron = None;
        let mut residual = |c_in: usize, c_out: usize| {
            let mut block = block(&mut numbers, [c_in, c_out], false, gates(steps, c_out).swap_remove(g), Pool::None);
            block.neuron = Some(neuron);
            block.stride = if c_in == c_out { 1 } else { 2 };
            let projection =
                (c_in != c_out).then(|| (numbers.take(c_in * c_out), numbers.take(c_out), numbers.take(c_out)));
            LayerSpec::Residual(ResidualSpec { block, projection })
        };
        let layers = vec![LayerSpec::Block(stem), residual(6, 6), residual(6, 10), residual(10, 10)];
        let head = HeadSpec { features: Features::Average, weights: numbers.take(50), bias: numbers.take(5) };
        let layers = layers.into_iter().chain([LayerSpec::Neurons(neuron), LayerSpec::Head(head)]).collect();
        let spec = ModelSpec {
            steps,
            sequence: false,
            input: [2, 8, 6],
            classes: 5,
            normalise: None,
            layers,
            meta: vec![],
            feed: None,
        };
        specs.push((format!("residual, gate {g}"), spec));
    }
    specs
}

fn all_equal(device: &str) {
    let mut failed = Vec::new();
    for (name, spec) in chains().into_iter().chain(signals()).chain(residuals()) {
        match differs(&spec, 4, device) {
            Ok(spikes) if spikes > 20.0 => {}
            Ok(spikes) => failed.push(format!("{name}: only {spikes} spikes, which shows nothing")),
            Err(e) => failed.push(format!("{name}: {e}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn folded_tensors_equal_the_packed_runtime_bit_for_bit() {
    all_equal("cpu");
}

#[cfg(feature = "ndarray")]
#[test]
fn so_they_do_on_the_second_backend() {
    all_equal("ndarray");
}

#[test]
fn one_changed_number_is_noticed() {
    let spec = chain("8-P-16-P-8", [2, 8, 8], 2, Features::Flatten, Pool::Current, &sample_gate);
    let device = by_name("cpu").unwrap();
    let image = Tensor::<5>::from_data(TensorData::new(Numbers::new(7).take(128), [1, 1, 2, 8, 8]), &device);
    let logits = |spec: &ModelSpec| host(Folded::new(spec, &device).unwrap().forward(image.clone(), &mut |_, _| {}));
    let mut changed = spec.clone();
    let LayerSpec::Head(head) = changed.layers.last_mut().unwrap() else { panic!("the last layer is the head") };
    head.bias[0] = f32::from_bits(head.bias[0].to_bits() + 1);
    assert_ne!(logits(&spec), logits(&changed));
}

#[test]
fn what_is_no_network_is_refused() {
    let device = by_name("cpu").unwrap();
    let mut spec = chain("8-P-16", [2, 8, 8], 2, Features::Flatten, Pool::Current, &sample_gate);
    let LayerSpec::Block(b) = &mut spec.layers[1] else { panic!("a block") };
    b.slope.pop();
    assert!(matches!(Folded::new(&spec, &device), Err(WriteError::Length { layer: Some(1), array: "slope", .. })));
}
