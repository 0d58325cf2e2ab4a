//! The ONNX graph, read back and run by a small interpreter of the operators it uses, against the packed runtime.

use bitspike_format::example::{Numbers, block, chain, element_gate, one_row, sample_gate};
use bitspike_format::{
    Features, GateSpec, HeadSpec, LayerSpec, Model, ModelSpec, Neuron, Pool, Reset, ResidualSpec, WordLengths,
    quantise, write, write_integers,
};
use bitspike_onnx::{Input, OnnxError, export};
use std::collections::HashMap;

/// Fields of a protobuf message: number, and a varint or bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().expect("a varint ends");
            *bytes = rest;
            value |= u64::from(first & 0x7F) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        match key & 7 {
            0 => found.push((key >> 3, varint(&mut bytes), &[][..])),
            2 => {
                let len = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(len);
                found.push((key >> 3, 0, value));
                bytes = rest;
            }
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn all(message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).into_iter().filter(move |f| f.0 == field).map(|f| f.2)
}

fn ints(message: &[u8], field: u64) -> Vec<usize> {
    fields(message).into_iter().filter(|f| f.0 == field).map(|f| f.1 as usize).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[derive(Clone, Debug)]
struct Array {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Array {
    fn dims4(&self) -> [usize; 4] {
        self.shape.clone().try_into().expect("four dimensions")
    }

    /// Element-wise with broadcasting.
    fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let rank = self.shape.len().max(other.shape.len());
        let padded = |s: &[usize]| [vec![1; rank - s.len()], s.to_vec()].concat();
        let (a, b) = (padded(&self.shape), padded(&other.shape));
        let shape: Vec<usize> = a.iter().zip(&b).map(|(a, b)| *a.max(b)).collect();
        let at = |dims: &[usize], mut i: usize| {
            let (mut index, mut stride) = (0, 1);
            for (d, full) in dims.iter().zip(&shape).rev() {
                assert!(*d == 1 || d == full, "{dims:?} does not broadcast to {shape:?}");
                index += if *d == 1 { 0 } else { i % full * stride };
                stride *= d;
                i /= full;
            }
            index
        };
        let count = shape.iter().product();
        let values = (0..count).map(|i| f(self.values[at(&a, i)], other.values[at(&b, i)])).collect();
        Self { shape, values }
    }

    fn windows(&self, [rows, columns]: [usize; 2], f: impl Fn(&[f32]) -> f32) -> Self {
        let [n, c, h, w] = self.dims4();
        let mut values = Vec::new();
        for plane in self.values.chunks_exact(h * w) {
            for y in 0..h / rows {
                for x in 0..w / columns {
                    let lines = (0..rows).map(|dy| &plane[(rows * y + dy) * w + columns * x..][..columns]);
                    values.push(f(&lines.flatten().copied().collect::<Vec<_>>()));
                }
            }
        }
        Self { shape: vec![n, c, h / rows, w / columns], values }
    }

    fn conv(&self, weights: &Self, stride: usize, pads: [usize; 2]) -> Self {
        let ([n, c_in, h, w], [c_out, c, kh, kw]) = (self.dims4(), weights.dims4());
        assert_eq!(c, c_in);
        let side = |n: usize, pad: usize, k: usize| (n + 2 * pad - k) / stride + 1;
        let (rows, columns) = (side(h, pads[0], kh), side(w, pads[1], kw));
        let mut values = Vec::new();
        for n in 0..n {
            for co in 0..c_out {
                for oy in 0..rows {
                    for ox in 0..columns {
                        let mut sum = 0.0;
                        for ci in 0..c_in {
                            for ky in 0..kh {
                                for kx in 0..kw {
                                    let (y, x) = (oy * stride + ky, ox * stride + kx);
                                    if y >= pads[0] && x >= pads[1] && y - pads[0] < h && x - pads[1] < w {
                                        let x = self.values[((n * c_in + ci) * h + y - pads[0]) * w + x - pads[1]];
                                        sum += x * weights.values[((co * c_in + ci) * kh + ky) * kw + kx];
                                    }
                                }
                            }
                        }
                        values.push(sum);
                    }
                }
            }
        }
        Self { shape: vec![n, c_out, rows, columns], values }
    }
}

/// Logits of images, by the graph of a file.
fn run(file: &[u8], images: Array) -> Array {
    assert_eq!((ints(file, 1), ints(all(file, 8).next().unwrap(), 2)), (vec![7], vec![13]), "IR version and opset");
    let graph = all(file, 7).next().unwrap();
    let input = text(all(all(graph, 11).next().unwrap(), 1).next().unwrap());
    let mut known = HashMap::from([(input, images)]);
    for tensor in all(graph, 5) {
        let raw = all(tensor, 9).next().unwrap();
        let values: Vec<f32> = match ints(tensor, 2)[..] {
            [1] => raw.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
            [7] => raw.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32).collect(),
            [3] => raw.iter().map(|b| f32::from(*b as i8)).collect(),
            ref other => panic!("data type {other:?}"),
        };
        let shape = ints(tensor, 1);
        assert_eq!(values.len(), shape.iter().product::<usize>());
        let name = text(all(tensor, 8).next().unwrap());
        assert!(known.insert(name.clone(), Array { shape, values }).is_none(), "{name} twice");
    }
    for node in all(graph, 1) {
        let inputs: Vec<Array> = all(node, 1)
            .map(|name| known.get(&text(name)).unwrap_or_else(|| panic!("{} comes too late", text(name))).clone())
            .collect();
        let attribute = |name: &str, field: u64| {
            all(node, 5).find(|a| all(a, 1).next() == Some(name.as_bytes())).map(|a| ints(a, field)).unwrap_or_default()
        };
        let x = &inputs[0];
        let kind = text(all(node, 4).next().unwrap());
        let result = match kind.as_str() {
            "Cast" => x.clone(),
            "Gather" => {
                assert_eq!(attribute("axis", 3), [1]);
                let (steps, each) = (x.shape[1], x.shape[2..].iter().product::<usize>());
                let step = inputs[1].values[0] as usize;
                let frames = x.values.chunks_exact(steps * each).flat_map(|all| all[step * each..][..each].to_vec());
                Array { values: frames.collect(), shape: [&x.shape[..1], &x.shape[2..]].concat() }
            }
            "Add" => x.zip(&inputs[1], |a, b| a + b),
            "Sub" => x.zip(&inputs[1], |a, b| a - b),
            "Mul" => x.zip(&inputs[1], |a, b| a * b),
            "Div" => x.zip(&inputs[1], |a, b| a / b),
            "GreaterOrEqual" => x.zip(&inputs[1], |a, b| f32::from(a >= b)),
            "Where" => {
                let kept = x.zip(&inputs[2], |c, b| if c != 0.0 { 0.0 } else { b });
                x.zip(&inputs[1], |c, a| if c != 0.0 { a } else { 0.0 }).zip(&kept, |a, b| a + b)
            }
            "Sigmoid" => Array { values: x.values.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect(), ..x.clone() },
            "Clip" => x.zip(&inputs[1], f32::max).zip(&inputs[2], f32::min),
            "AveragePool" | "MaxPool" => {
                let window: [usize; 2] = attribute("kernel_shape", 8).try_into().expect("two sides");
                assert_eq!(attribute("strides", 8), window);
                let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
                let most = |v: &[f32]| v.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                if kind == "MaxPool" { x.windows(window, most) } else { x.windows(window, mean) }
            }
            "Conv" => {
                // A shortcut's convolution has the operator's own attributes: no padding, a stride of 1, the kernel of its weights.
                let or = |name: &str, usual: &[usize]| {
                    Some(attribute(name, 8)).filter(|v| !v.is_empty()).unwrap_or(usual.to_vec())
                };
                let pads: [usize; 4] = or("pads", &[0; 4]).try_into().expect("top, left, bottom, right");
                assert_eq!((pads[0], pads[1]), (pads[2], pads[3]));
                let sides = &inputs[1].dims4()[2..];
                assert_eq!(or("kernel_shape", sides), sides);
                x.conv(&inputs[1], or("strides", &[1])[0], [pads[0], pads[1]])
            }
            "ReduceMean" => {
                let [n, c, h, w] = x.dims4();
                let (per, shape) = match attribute("axes", 8)[..] {
                    [2, 3] => (h * w, vec![n, c, 1, 1]),
                    [1] => (c, vec![n, 1, h, w]),
                    ref axes => panic!("axes {axes:?}"),
                };
                assert!(per == h * w || h * w == 1, "means of what lies side by side");
                assert_eq!(attribute("keepdims", 3), [1]);
                Array {
                    shape,
                    values: x.values.chunks_exact(per).map(|v| v.iter().sum::<f32>() / per as f32).collect(),
                }
            }
            "Flatten" => Array { shape: vec![x.shape[0], x.values.len() / x.shape[0]], values: x.values.clone() },
            "Gemm" => {
                let ([n, k], [m, wide]) = ([x.shape[0], x.shape[1]], [inputs[1].shape[0], inputs[1].shape[1]]);
                assert_eq!((k, attribute("transB", 3)), (wide, vec![1]));
                let dot =
                    |i: usize, j: usize| (0..k).map(|f| x.values[i * k + f] * inputs[1].values[j * k + f]).sum::<f32>();
                let values = (0..n * m).map(|i| dot(i / m, i % m) + inputs[2].values[i % m]).collect();
                Array { shape: vec![n, m], values }
            }
            other => panic!("operator {other}"),
        };
        let name = text(all(node, 2).next().unwrap());
        assert!(known.insert(name.clone(), result).is_none(), "{name} twice");
    }
    let output = text(all(all(graph, 12).next().unwrap(), 1).next().unwrap());
    known.remove(&output).expect("the output is computed")
}

/// Samples whose logits are near the packed file's, of the description and of the file, for bytes and for what they stand for.
fn near(spec: &ModelSpec, samples: usize) -> usize {
    let file = write(spec).unwrap();
    let model = Model::parse(&file).unwrap();
    let n = model.network();
    let bytes: Vec<u8> =
        Numbers::new(9).take(samples * n.input_len()).iter().map(|v| (127.5 + 127.5 * v) as u8).collect();
    let values: Vec<f32> = bytes.iter().enumerate().map(|(k, b)| n.pixel(n.channel(k), *b)).collect();
    let shape = if spec.sequence {
        [&[samples, spec.steps][..], &spec.input].concat()
    } else {
        [&[samples][..], &spec.input].concat()
    };
    let pixels = Array { shape: shape.clone(), values: bytes.iter().map(|b| f32::from(*b)).collect() };
    let graphs = [
        (export(spec, Input::Pixels).unwrap(), pixels),
        (bitspike_onnx::of(&model, Input::Values).unwrap(), Array { shape, values: values.clone() }),
    ];
    let logits = graphs.map(|(graph, x)| run(&graph, x));
    let mut arena = vec![0; bitspike_infer::run_words(&model).unwrap()];
    let mut packed = vec![0.0; spec.classes];
    let each = values.chunks_exact(n.input_len()).enumerate();
    let same = each.filter(|(i, x)| {
        bitspike_infer::run(&model, &mut arena, x, &mut packed, &mut ()).unwrap();
        logits.iter().all(|logits| {
            assert_eq!(logits.shape, [samples, spec.classes]);
            logits.values[i * spec.classes..].iter().zip(&packed).all(|(a, b)| (a - b).abs() < 1e-4)
        })
    });
    same.count()
}

/// A stem, residual blocks with and without a projection.
fn residual(gate: GateSpec) -> ModelSpec {
    let mut numbers = Numbers::new(11);
    let neuron = Neuron { decay: 0.5, threshold: 0.6, reset: Reset::Soft };
    let mut stem = block(&mut numbers, [2, 6], true, GateSpec::None, Pool::None);
    stem.neuron = None;
    let mut layers = vec![LayerSpec::Block(stem)];
    for (c_in, c_out) in [(6, 6), (6, 10)] {
        let mut block = block(&mut numbers, [c_in, c_out], false, gate.clone(), Pool::None);
        (block.neuron, block.stride) = (Some(neuron), if c_in == c_out { 1 } else { 2 });
        let projection =
            (c_in != c_out).then(|| (numbers.take(c_in * c_out), numbers.take(c_out), numbers.take(c_out)));
        layers.push(LayerSpec::Residual(ResidualSpec { block, projection }));
    }
    layers.push(LayerSpec::Neurons(neuron));
    let head = HeadSpec { features: Features::Average, weights: numbers.take(50), bias: numbers.take(5) };
    layers.push(LayerSpec::Head(head));
    ModelSpec {
        steps: 3,
        sequence: false,
        input: [2, 8, 6],
        classes: 5,
        normalise: None,
        layers,
        meta: vec![],
        feed: None,
    }
}

#[test]
fn the_graph_computes_what_the_packed_file_computes() {
    const IMAGES: usize = 20;
    let fixed = |steps: usize, channels: usize, n: &mut Numbers| {
        GateSpec::Fixed((0..steps * channels).map(|_| 1.0 + 0.2 * n.draw()).collect())
    };
    let inside = |steps: usize, channels: usize, n: &mut Numbers| GateSpec::Sample {
        alpha: (0..steps * channels).map(|_| 1.9 + 0.2 * n.draw()).collect(),
        per_channel: true,
        inside: true,
        hard: false,
    };
    let hard = |steps: usize, _: usize, n: &mut Numbers| GateSpec::Sample {
        alpha: n.take(steps).iter().map(|v| 1.9 + 0.2 * v).collect(),
        per_channel: false,
        inside: false,
        hard: true,
    };
    let element_inside = |steps: usize, channels: usize, n: &mut Numbers| GateSpec::Element {
        alpha: n.take(steps * channels).iter().map(|v| 1.9 + 0.2 * v).collect(),
        inside: true,
    };
    let none = |_: usize, _: usize, _: &mut Numbers| GateSpec::None;
    let mut failed = Vec::new();
    for pool in [Pool::Current, Pool::Spikes, Pool::MaxSpikes] {
        for features in [Features::Flatten, Features::Average] {
            let gates: [(&str, bitspike_format::example::GateOf<'_>); 7] = [
                ("none", &none),
                ("sample", &sample_gate),
                ("fixed", &fixed),
                ("inside", &inside),
                ("hard", &hard),
                ("element", &element_gate),
                ("element inside", &element_inside),
            ];
            let sizes = [[2, 9, 7], [2, 1, 21]];
            for (size, (name, gate)) in sizes.iter().flat_map(|size| gates.map(|gate| (*size, gate))) {
                let mut spec = chain("5-P-12-P-4", size, 3, features, pool, gate);
                if size[1] == 1 {
                    spec = one_row(spec);
                }
                spec.normalise = Some((vec![0.5, 0.4], vec![0.25, 0.3]));
                if name == "fixed" {
                    for layer in &mut spec.layers {
                        if let LayerSpec::Block(b) = layer {
                            b.neuron = Some(Neuron { decay: 0.85, threshold: 0.7, reset: Reset::Hard });
                        }
                    }
                }
                // Frames that differ, where the gates of each size have had images.
                spec.sequence = features == Features::Average && size[1] == 1;
                let near = near(&spec, IMAGES);
                // A spike within rounding of its threshold may fall either way.
                if near + 1 < IMAGES {
                    failed.push(format!("{size:?} {pool:?} {features:?} {name}: {near} of {IMAGES}"));
                }
            }
        }
    }
    let alpha = vec![1.9, 2.0, 2.1];
    let sample = GateSpec::Sample { alpha: alpha.clone(), per_channel: false, inside: false, hard: false };
    let element = GateSpec::Element { alpha, inside: false };
    for (name, gate) in [("none", GateSpec::None), ("sample", sample), ("element", element)] {
        let near = near(&residual(gate), IMAGES);
        if near + 1 < IMAGES {
            failed.push(format!("residual {name}: {near} of {IMAGES}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn integers_and_what_is_no_network_are_refused() {
    let mut spec = bitspike_format::example::tiny_spec();
    let integers = quantise(&spec, &WordLengths::default()).unwrap().0;
    let file = write_integers(&integers).unwrap();
    assert_eq!(bitspike_onnx::of(&Model::parse(&file).unwrap(), Input::Pixels), Err(OnnxError::Integers));
    spec.layers.clear();
    assert!(matches!(export(&spec, Input::Pixels), Err(OnnxError::Write(_))));
}
