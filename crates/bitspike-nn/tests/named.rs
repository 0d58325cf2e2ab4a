//! The papers' networks: sizes against published figures, structure against its formula, and every network at a small width.
#![cfg(feature = "flex")]

mod common;

use bitspike_nn::layers::{AgmmConfig, Conv2d, EvalGate, GatePosition, NeuronConfig, NeuronKind};
use bitspike_nn::network::{
    Blocks, Ignore, Junction, Network, NetworkConfig, NetworkName, NetworkOptions, Observer, PlanError, Pooling, Unit,
};
use bitspike_nn::ops::gate::{GateFunction, GatePool};
use bitspike_nn::{Init, Loss};
use burn::tensor::{Device, Int, Tensor, TensorData};
use common::*;
use std::collections::BTreeMap;

fn named(name: NetworkName, width: f64) -> NetworkOptions {
    let network = NetworkConfig { name, width, ..NetworkConfig::default() };
    NetworkOptions { network, ..NetworkOptions::default() }
}

/// Binary weights, parameters in all, and multiply-accumulates of one time step, without a gate.
///
/// Where the figures come from: VGG-11, 9,216,000 binary weights and 1.20 MB, Liang et al., ICML 2025. ResNet-19, 12.63 million
/// parameters (Zhou et al., ICLR 2023, table 3), here 12.57 with one classifier for 10 classes. ResNet-20, 272,474 with 1×1
/// shortcuts (0.27 million in He et al., 2016). ResNet-18 and -34 at 224×224, 11,689,512 and 21,797,672 parameters and 1.81 and
/// 3.66 billion multiply-accumulates, torchvision; the shapes of SEW and Bi-Real networks are equal. MS-ResNet-18 has one more
/// shortcut, 64·64 weights and 2·64 of its norm. Spikformer-4-256, 4.15 million (the same table).
#[test]
fn sizes_are_the_published_ones() {
    use NetworkName::*;
    let rows: [(NetworkName, [usize; 3], usize, u64, u64, u64); 9] = [
        (Vgg11, [3, 32, 32], 10, 9_216_000, 9_228_362, 605_754_368),
        (VggSnn, [2, 48, 48], 10, 9_216_000, 9_268_746, 1_361_654_784),
        (ResNet19, [3, 32, 32], 10, 12_550_144, 12_569_226, 2_285_245_440),
        (ResNet20, [3, 32, 32], 10, 269_824, 272_474, 40_813_184),
        (BiReal18, [3, 224, 224], 1000, 10_985_472, 11_689_512, 1_814_073_344),
        (BiReal34, [3, 224, 224], 1000, 21_086_208, 21_797_672, 3_663_761_408),
        (SewResNet18, [3, 224, 224], 1000, 11_157_504, 11_689_512, 1_814_073_344),
        (MsResNet18, [3, 224, 224], 1000, 10_985_472, 11_693_736, 1_826_918_400),
        (Spikformer, [3, 32, 32], 10, 4_122_624, 4_145_962, 414_026_240),
    ];
    assert_eq!(rows.len() + 1, NetworkName::ALL.len(), "every name but custom");
    for (name, input, classes, binary, all, macs) in rows {
        let s = named(name, 1.0).plan(input, classes).unwrap().summary();
        let found = (s.binary_weights, s.binary_weights + s.real_parameters, s.layers.iter().map(|l| l.macs).sum());
        assert_eq!(found, (binary, all, macs), "{name}");
    }
    let s = named(Vgg11, 1.0).plan([3, 32, 32], 10).unwrap().summary();
    assert_eq!((s.bytes_1bit(), s.bytes_f32()), (1_201_448, 36_913_448));
    for (name, published) in [(ResNet19, 12.63e6), (Spikformer, 4.15e6)] {
        let s = named(name, 1.0).plan([3, 32, 32], 10).unwrap().summary();
        let off = (s.binary_weights + s.real_parameters) as f64 / published - 1.0;
        assert!(off.abs() < 0.006, "{name}: {off}");
    }
    // α: one number per binary layer and time step.
    for (name, layers) in [(ResNet19, 18), (Spikformer, 4 + 4 * 6)] {
        let gated = NetworkOptions { gate: Some(AgmmConfig::default()), ..named(name, 1.0) };
        let parameters = |o: &NetworkOptions| o.plan([3, 32, 32], 10).unwrap().summary().real_parameters;
        assert_eq!(parameters(&gated) - parameters(&named(name, 1.0)), 2 * layers, "{name}");
    }
}

/// Every name at a width and an image that are quick: width, channels, sides.
fn small() -> Vec<(NetworkName, f64, [usize; 3])> {
    use NetworkName::*;
    vec![
        (Vgg11, 0.0625, [3, 8, 8]),
        (VggSnn, 0.0625, [2, 16, 16]),
        (ResNet19, 0.0625, [3, 8, 8]),
        (ResNet20, 0.25, [3, 8, 8]),
        (BiReal18, 0.0625, [3, 32, 32]),
        (BiReal34, 0.03125, [3, 32, 32]),
        (SewResNet18, 0.0625, [3, 32, 32]),
        (MsResNet18, 0.0625, [3, 32, 32]),
        (Spikformer, 0.125, [3, 8, 8]),
    ]
}

/// Logits, and the gradient of the input and of every parameter, after one step on random data.
type Outcome = Vec<(String, Vec<f32>)>;

fn run(options: &NetworkOptions, dims: [usize; 5], device: &Device, observer: &mut dyn Observer) -> Outcome {
    let [_, n, c, h, w] = dims;
    let plan = options.plan([c, h, w], 10).expect("a valid configuration");
    let network = Network::new(&plan, &Init::new(7), device);
    let x = Stream(11).vec(dims.iter().product(), -1.0, 1.0);
    let (leaf, x) = input(&x, dims, Memory::ChannelsFirst, device);
    let labels: Vec<i32> = (0..n).map(|i| (i * 7 % 10) as i32).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), device);
    let logits = network.forward(x, observer);
    let grads = Loss::Tet.forward(logits.clone(), labels).backward();
    let mut outcome = vec![("logits".to_owned(), host(logits)), ("input".to_owned(), grad(&leaf, &grads))];
    outcome.extend(gradients(&network, &grads));
    outcome
}

/// With and without a gate, a sequence in place of an image, and learned leaks with the gate before the norm.
fn variants(name: NetworkName, width: f64, [c, h, w]: [usize; 3]) -> Vec<(String, NetworkOptions, [usize; 5])> {
    let base = named(name, width);
    let gated = NetworkOptions { gate: Some(AgmmConfig::default()), ..base.clone() };
    let mut plif = gated.clone();
    plif.neuron = NeuronConfig { kind: NeuronKind::Plif, ..NeuronConfig::default() };
    plif.gate = Some(AgmmConfig {
        position: GatePosition::BeforeNorm,
        pool: GatePool::Hw,
        gate: GateFunction::Sigmoid,
        ..AgmmConfig::default()
    });
    let float = NetworkOptions { full_precision: true, ..base.clone() };
    vec![
        (format!("{name} gate"), gated, [1, 4, c, h, w]),
        (format!("{name} sequence"), base, [2, 3, c, h, w]),
        (format!("{name} plif, gate before the norm"), plif, [1, 3, c, h, w]),
        (format!("{name} full precision"), float, [1, 3, c, h, w]),
    ]
}

#[test]
fn fused_and_composed_networks_agree_and_learn_everywhere() {
    let mut wrong = Vec::new();
    for (name, width, map) in small() {
        for (what, options, dims) in variants(name, width, map) {
            let fused = run(&options, dims, &device(), &mut Ignore);
            let composed = reference(|d| run(&options, dims, d, &mut Ignore));
            assert_eq!(fused.len(), composed.len(), "{what}");
            for ((part, a), (other, b)) in fused.iter().zip(&composed) {
                assert_eq!(part, other, "{what}");
                if largest(a) == 0.0 {
                    wrong.push(format!("{what}: {part} has no gradient"));
                }
                wrong.extend(check_close(part, a, b, 2e-3, 0.0).err().map(|e| format!("{what}: {e}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Always on Flex, whose threads they are.
#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    for (name, width, [c, h, w]) in small() {
        let options = NetworkOptions { gate: Some(AgmmConfig::default()), ..named(name, width) };
        let run = |threads| pool(threads).install(|| run(&options, [1, 8, c, h, w], &flex(), &mut Ignore));
        let (one, two) = (run(1), run(2));
        let wrong: Vec<String> =
            one.iter().zip(&two).filter_map(|((part, a), (_, b))| check_equal(part, a, b).err()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

/// What layers gave, by name.
#[derive(Default)]
struct Seen(BTreeMap<String, (bool, Vec<f32>)>);

impl Observer for Seen {
    fn spikes(&mut self, layer: &str, spikes: &Tensor<5>) {
        assert!(self.0.insert(layer.to_owned(), (true, host(spikes.clone()))).is_none(), "{layer} twice");
    }

    fn counts(&mut self, name: &str, counts: &Tensor<5>) {
        assert!(self.0.insert(name.to_owned(), (false, host(counts.clone()))).is_none(), "{name} twice");
    }
}

/// Every source of the plan is observed, has the size the plan says, and values on its grid up to its largest count.
#[test]
fn inputs_of_layers_are_what_the_plan_says() {
    for (name, width, [c, h, w]) in small() {
        let options = named(name, width);
        let plan = options.plan([c, h, w], 10).unwrap();
        let mut seen = Seen::default();
        run(&options, [1, 2, c, h, w], &device(), &mut seen);
        let mut largest = 0;
        for conv in plan.convs.iter().filter(|c| c.source.is_some()) {
            let source = conv.source.as_ref().unwrap();
            let (spikes, values) = &seen.0[source];
            let max = values.iter().fold(0.0, |m: f32, &v| m.max(v)) as usize;
            assert!(values.iter().all(|v| *v >= 0.0 && v.fract() == 0.0), "{name}: {source}");
            assert!(max <= conv.counts && (!spikes || conv.counts == 1), "{name}: {source} has {max}");
            largest = largest.max(max);
        }
        assert!(seen.0.contains_key(&plan.last), "{name}: {}", plan.last);
        let counts = plan.convs.iter().map(|c| c.counts).max().unwrap();
        match name {
            NetworkName::SewResNet18 => assert!(counts == 3 && largest > 1, "{name}: {counts}, {largest}"),
            NetworkName::Spikformer => assert!(counts == 9 && largest > 1, "{name}: {counts}, {largest}"),
            _ => assert_eq!((counts, largest), (1, 1), "{name}"),
        }
    }
}

/// conv → batch norm → gate, operation by operation.
fn layer(unit: &Unit, x: Tensor<5>, repeats: usize) -> Tensor<5> {
    let y = match &unit.conv {
        Conv2d::Binary(conv) => conv.forward(x),
        Conv2d::Real(conv) => conv.forward(x),
    };
    let y = unit.norm.forward(y, repeats);
    unit.gate.as_ref().map_or(y.clone(), |gate| gate.forward(y).0)
}

/// The formulas of the module, written out, against blocks that run fused.
#[test]
fn residual_blocks_follow_their_formulas() {
    use NetworkName::*;
    for (name, junction) in
        [(ResNet20, Junction::Current), (SewResNet18, Junction::Spikes), (MsResNet18, Junction::Membrane)]
    {
        let options = NetworkOptions {
            gate: Some(AgmmConfig { pool: GatePool::Chw, eval_gate: EvalGate::Ema, ..AgmmConfig::default() }),
            ..named(name, 0.125)
        };
        let plan = options.plan([3, 32, 32], 10).unwrap();
        for autodiff in [true, false] {
            let device = if autodiff { device() } else { device().inner() };
            let network = Network::new(&plan, &Init::new(3), &device);
            let Blocks::Residual(chain) = &network.body else { panic!("{name} is residual") };
            let mut shortcuts = 0;
            for (i, block) in chain.blocks.iter().enumerate() {
                let conv = plan.conv(&format!("blocks.{i}.first")).unwrap();
                let dims = [2, 2, conv.conv.channels[0], conv.input[0], conv.input[1]];
                let values = Stream(i as u64).vec(dims.iter().product(), 0.0, 1.0);
                // Spikes, counts 0 to 3, or a current.
                let steps = [2.0, 4.0][usize::from(junction == Junction::Spikes)];
                let values: Vec<f32> = match junction {
                    Junction::Membrane => values.iter().map(|v| 4.0 * v - 1.0).collect(),
                    _ => values.iter().map(|v| (v * steps).floor()).collect(),
                };
                let x = tensor(&values, dims, &device);
                let found = host(block.forward(x.clone(), &mut Ignore));
                let neuron = |unit: &Unit, x| unit.neuron.as_ref().unwrap().forward(x);
                let (first, second) = (&block.first, &block.second);
                let around = match (&block.shortcut, junction) {
                    (None, _) => x.clone(),
                    (Some(unit), Junction::Spikes) => neuron(unit, layer(unit, x.clone(), 1)),
                    (Some(unit), _) => layer(unit, x.clone(), 1),
                };
                shortcuts += usize::from(block.shortcut.is_some());
                let expected = match junction {
                    Junction::Current => neuron(second, layer(second, neuron(first, layer(first, x, 1)), 1) + around),
                    Junction::Spikes => neuron(second, layer(second, neuron(first, layer(first, x, 1)), 1)) + around,
                    Junction::Membrane => {
                        let y = layer(first, neuron(first, x), 1);
                        layer(second, neuron(second, y), 1) + around
                    }
                };
                check_close(&format!("{name}, block {i}"), &found, &host(expected), 1e-4, 0.0).unwrap();
            }
            assert_eq!(
                shortcuts,
                if name == MsResNet18 {
                    4
                } else if name == ResNet20 {
                    2
                } else {
                    3
                }
            );
        }
    }
}

#[test]
fn impossible_networks_are_refused_with_layer_and_reason() {
    use NetworkName::*;
    let rows: [(NetworkOptions, [usize; 3], &[&str]); 7] = [
        (named(ResNet20, 0.5), [3, 2, 2], &["network.name = \"resnet20\"", "blocks.6", "1x1", "larger images"]),
        (named(BiReal18, 0.5), [3, 1, 9], &["network.name = \"bi-real-18\"", "stem", "1x9"]),
        (named(BiReal18, 0.5), [3, 100, 100], &["network.name = \"bi-real-18\"", "blocks.4", "25x25", "even"]),
        (named(SewResNet18, 0.5), [3, 2, 2], &["network.name = \"sew-resnet18\"", "stem", "1x1"]),
        (named(VggSnn, 0.5), [2, 8, 8], &["network.name = \"vggsnn\"", "blocks.6", "1x1"]),
        (named(Spikformer, 0.5), [3, 3, 3], &["network.name = \"spikformer\"", "embed.layers.2", "1x1"]),
        (named(Vgg11, f64::NAN), [3, 32, 32], &["network.width is NaN", "above 0"]),
    ];
    for (options, input, parts) in rows {
        let message = options.plan(input, 10).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "no {part:?} in {message:?}");
        }
    }
    // Strided shortcuts take odd maps, since both ways round up.
    assert!(named(ResNet19, 0.1).plan([3, 7, 9], 10).is_ok());
    let mut quarters = named(Spikformer, 1.0);
    quarters.network.pooling = Pooling::Spikes;
    let e = quarters.plan([3, 32, 32], 10).unwrap_err();
    assert!(matches!(e, PlanError::Pooling { .. }) && e.to_string().contains("max-spikes"), "{e}");
    let wide = named(Vgg11, 1e9).plan([3, 32, 32], 10).unwrap_err();
    assert!(wide.to_string().contains("network.width is 1000000000"), "{wide}");
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    for (found, nearest) in
        [("vgg-11", "vgg11"), ("ResNet19", "resnet19"), ("bireal18", "bi-real-18"), ("spikeformer", "spikformer")]
    {
        let e = found.parse::<NetworkName>().unwrap_err();
        assert_eq!(e.nearest, nearest, "{found}");
        assert!(e.to_string().contains("sew-resnet18"), "{e}");
    }
    for name in NetworkName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
}

/// By hand: a stem of 8 channels on 4×4 pixels, a binary block of 16 with a pooling, T 2, two samples.
#[test]
fn the_memory_of_a_step_is_what_the_kernels_keep() {
    let network = NetworkConfig { layers: "8-16-P".parse().unwrap(), steps: 2, ..NetworkConfig::default() };
    let plan = |recompute| {
        NetworkOptions { network: network.clone(), recompute, ..NetworkOptions::default() }.plan([1, 4, 4], 3).unwrap()
    };
    let memory = |recompute| plan(recompute).training_memory(2);
    let [stem, conv] = [8 * 16 * 2, 16 * 16 * 2];
    let kept_by_stem = 4 * (stem + stem) + 2 * stem / 8;
    let (kept, again) = (memory(false), memory(true));
    assert_eq!(kept.activations, kept_by_stem + 2 * 2 * conv + 2 * stem / 8);
    assert_eq!(again.activations, kept_by_stem + 2 * stem / 8);
    // Gradients of the block's spikes and input, and all of dY, since it is small.
    assert_eq!(kept.workspace, 4 * (2 * conv / 4 + 2 * stem + 2 * conv));
    assert_eq!(again.workspace, kept.workspace + 2 * 2 * conv);
    assert_eq!(kept.parameters, 3 * plan(false).summary().bytes_f32());
}
