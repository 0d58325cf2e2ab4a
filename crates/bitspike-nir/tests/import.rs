//! Graphs become starting weights of the network that they are, or are refused by node.

mod common;

use bitspike_format::{
    BlockSpec, Features, GateSpec, HeadSpec, LayerSpec, Model, ModelSpec, Neuron, Pool, Reset, WeightSpec, write,
};
use bitspike_nir::{
    Array, Conv2d, CubaLif, Graph, If, Layout, Lif, NirError, Node, Op, Options, Pool2d, ReadOptions, Start, Value,
    export, start,
};
use common::{blocks, input, network, run, with_neurons};
use safetensors::SafeTensors;

/// The network that the trainer would export right away: norms folded as it folds them.
fn folded(start: &Start) -> ModelSpec {
    let tensor = |name: &str| {
        let found = start.tensors.iter().find(|t| t.name == name);
        found.unwrap_or_else(|| panic!("{name} of {:?}", start.tensors.iter().map(|t| &t.name).collect::<Vec<_>>()))
    };
    let neuron = Neuron {
        decay: start.decay as f32,
        threshold: start.threshold,
        reset: if start.soft_reset { Reset::Soft } else { Reset::Hard },
    };
    let pool = if start.pool_spikes { Pool::Spikes } else { Pool::Current };
    let [_, mut h, mut w] = start.input;
    let (mut layers, mut unit): (Vec<LayerSpec>, f32) = (Vec::new(), 1.0);
    for part in start.layers.split('-') {
        if part == "P" {
            let Some(LayerSpec::Block(b)) = layers.last_mut() else { panic!("P first") };
            b.pool = pool;
            let window = [h.min(2), 2];
            unit = if start.pool_spikes { 1.0 / (window[0] * window[1]) as f32 } else { 1.0 };
            (h, w) = (h / window[0], w / window[1]);
            continue;
        }
        let i = layers.len();
        let name = if i == 0 { "stem".to_owned() } else { format!("blocks.{}", i - 1) };
        let [gamma, beta, mean, var] = ["gamma", "beta", "running_mean", "running_var"]
            .map(|p| tensor(&format!("{name}.norm.{p}")).values.clone());
        let slope: Vec<f32> = gamma.iter().zip(&var).map(|(g, v)| g / (v + 1e-5).sqrt()).collect();
        let offset = (0..slope.len()).map(|c| beta[c] - mean[c] * slope[c]).collect();
        let weight = tensor(&format!("{name}.conv.{}", if i == 0 { "weight" } else { "latent" }));
        let (kernel, padding) = match part.strip_prefix("FC") {
            Some(_) => ([h, w], [0, 0]),
            None => ([weight.shape[2], weight.shape[3]], [weight.shape[2] / 2, weight.shape[3] / 2]),
        };
        if part.starts_with("FC") {
            (h, w) = (1, 1);
        }
        let w = weight.values.clone();
        layers.push(LayerSpec::Block(BlockSpec {
            channels: gamma.len(),
            kernel,
            stride: 1,
            padding,
            weights: if i == 0 { WeightSpec::Real(w) } else { WeightSpec::Signs(w) },
            slope: slope.into_iter().map(|a| a * unit).collect(),
            offset,
            gate: GateSpec::None,
            pool: Pool::None,
            neuron: Some(neuron),
        }));
        unit = 1.0;
    }
    layers.push(LayerSpec::Head(HeadSpec {
        features: if start.average { Features::Average } else { Features::Flatten },
        weights: tensor("head.weight").values.clone(),
        bias: tensor("head.bias").values.clone(),
    }));
    ModelSpec {
        steps: start.steps.unwrap_or(2),
        sequence: false,
        input: start.input,
        classes: start.classes,
        normalise: None,
        layers,
        meta: Vec::new(),
        feed: None,
    }
}

#[test]
fn an_exported_network_comes_back_as_it_was() {
    let texts = [
        ("current", "4-6-P-8-P"),
        ("spikes", "4-P-6-P-8"),
        ("signal", "4-P-6-P-8"),
        ("signal-spikes", "4-P-6-P-8"),
        ("dense", "4-P-FC5"),
        ("dense-signal", "4-P-FC5"),
        ("factor", "4-6-P-8"),
        ("one-step", "4-40-6"),
    ];
    for (kind, layers) in texts {
        for (seed, weights, decay, threshold, reset) in [
            (0, Layout::Scaled, 0.5, 1.0, Reset::Hard),
            (1, Layout::Signs, 0.3, 0.7, Reset::Soft),
            (2, Layout::Scaled, 1.0, 1.5, Reset::Hard),
        ] {
            let mut spec = with_neurons(network(kind, seed), Neuron { decay, threshold, reset });
            // Equal signs, whatever the sign of a slope: it goes into the weights.
            blocks(&mut spec).for_each(|b| b.slope.iter_mut().for_each(|a| *a = a.abs()));
            let bytes = write(&spec).unwrap();
            let model = Model::parse(&bytes).unwrap();
            let graph = export(&model, &Options { weights, soft_reset: true }).unwrap();
            let start = start(&Graph::from_bytes(graph.to_bytes().unwrap()).unwrap(), &ReadOptions::default()).unwrap();
            assert_eq!(start.layers, layers, "{kind}");
            assert_eq!((start.steps, start.soft_reset), (Some(spec.steps), reset == Reset::Soft));
            assert!((start.decay - f64::from(decay)).abs() < 1e-6, "{} {decay}", start.decay);
            assert!((start.threshold - threshold).abs() < 1e-6, "{} {threshold}", start.threshold);
            let file = write(&folded(&start)).unwrap();
            let frames = input(&spec, seed, None);
            let [ours, theirs] = [&file, &bytes].map(|bytes| run(&Model::parse(bytes).unwrap(), &frames).logits);
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a - b).abs() < 1e-4, "{kind} {weights:?}: {ours:?}, {theirs:?}");
            }
        }
    }
}

fn node(name: &str, op: Op) -> Node {
    Node { name: name.into(), op, metadata: vec![] }
}

fn conv(shape: [usize; 4], padding: usize) -> Op {
    let count: usize = shape.iter().product();
    Op::Conv2d(Conv2d {
        weight: Array::new(shape, (0..count).map(|i| (i % 7) as f32 - 3.0).collect()),
        bias: Array::full([shape[0]], 0.5),
        input: None,
        stride: [1, 1],
        padding: [padding, padding],
        dilation: [1, 1],
        groups: 1,
    })
}

/// As snnTorch writes it: one number for all neurons.
fn lif() -> Lif {
    let one = |v| Array::new([], vec![v]);
    Lif { tau: one(1e-3), r: one(10.0), v_leak: one(0.0), v_reset: one(0.0), v_threshold: one(1.0) }
}

fn pool() -> Pool2d {
    Pool2d { kernel: [2, 2], stride: [2, 2], padding: [0, 0] }
}

fn linear(out: usize, features: usize) -> Op {
    Op::Affine(Array::full([out, features], 0.25), Array::full([out], 0.125))
}

/// A small network as PyTorch libraries write them, with neurons behind the classifier.
fn parts() -> Vec<Node> {
    vec![
        node("input", Op::Input(vec![1, 8, 8])),
        node("0", conv([4, 1, 5, 5], 2)),
        node("1", Op::Lif(lif())),
        node("2", Op::AvgPool2d(pool())),
        node("3", conv([6, 4, 3, 3], 1)),
        node("4", Op::Lif(lif())),
        node("5", Op::AvgPool2d(pool())),
        node("6", Op::Flatten { input: None, start: 0, end: -1 }),
        node("7", linear(20, 24)),
        node("8", Op::Lif(lif())),
        node("9", linear(3, 20)),
        node("10", Op::Lif(lif())),
        node("output", Op::Output(vec![3])),
    ]
}

fn chained(nodes: Vec<Node>) -> Graph {
    let edges = (1..nodes.len()).map(|i| (i - 1, i)).collect();
    Graph { nodes, edges, metadata: vec![] }
}

#[test]
fn a_network_of_another_library_is_read() {
    let start = start(&chained(parts()), &ReadOptions::default()).unwrap();
    assert_eq!(start.layers, "4c5-P-6-P-FC20");
    assert_eq!((start.pool_spikes, start.average, start.steps, start.soft_reset), (true, false, None, false));
    assert_eq!(start.notes, ["10: neurons behind the classifier are left out; its currents are the logits"]);
    let recipe: toml::Table = start.recipe().parse().unwrap();
    let neuron = recipe["neuron"].as_table().unwrap();
    assert_eq!((neuron["tau"].as_float(), neuron["reset"].as_str()), (Some(10.0), Some("hard")));
    assert_eq!(neuron["v_threshold"].as_float(), Some(1.0));
    assert_eq!(recipe["network"]["pooling"].as_str(), Some("spikes"));
    // The file has the names and shapes that `init.from` takes.
    let file = start.safetensors().unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("stem.conv.weight"), [4, 1, 5, 5]);
    assert_eq!(shape("blocks.0.conv.latent"), [6, 4, 3, 3]);
    assert_eq!(shape("blocks.1.conv.latent"), [20, 24, 1, 1]);
    assert_eq!(shape("blocks.1.norm.running_var"), [20]);
    assert_eq!((shape("head.weight"), shape("head.bias"), file.len()), (vec![3, 20], vec![3], 3 * 5 + 2));
    // A current is the mean |w| times the sum of signs: here with r dt/τ = 1 and a threshold of 1.
    let spec = folded(&start);
    let LayerSpec::Block(b) = &spec.layers[1] else { panic!() };
    let Op::Conv2d(theirs) = &parts()[4].op else { panic!() };
    let size: f32 = theirs.weight.values[..36].iter().map(|w| w.abs()).sum::<f32>() / 36.0;
    assert!((b.slope[0] - size / 4.0).abs() < 1e-5, "{} {size}", b.slope[0]);
    assert!((b.offset[0] - 0.5).abs() < 1e-5);
}

/// Files that snnTorch 1.0.0 and SpikingJelly 2.0.0 wrote: `testdata/make.py`.
#[test]
fn files_that_libraries_wrote_are_read() {
    // snnTorch has r = τ/dt, so a current counts in full; SpikingJelly halves it, which is a threshold twice as high.
    for (name, threshold, notes) in [("snntorch", 1.0, 0), ("spikingjelly", 2.0, 1)] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/{name}.nir"));
        let start = bitspike_nir::read(&path, &ReadOptions::default()).unwrap();
        assert_eq!((start.input, start.classes, start.layers.as_str()), ([1, 8, 8], 4, "2-P-3-P"), "{name}");
        assert!(start.pool_spikes && !start.average && !start.soft_reset, "{name}");
        assert!((start.decay - 0.5).abs() < 1e-6, "{name}: {}", start.decay);
        assert!((start.threshold - threshold).abs() < 1e-6, "{name}: {}", start.threshold);
        assert_eq!(start.notes.len(), notes, "{name}: {:?}", start.notes);
        // Every array of weights is where it belongs.
        let graph = Graph::read(&path).unwrap();
        let theirs: Vec<&[f32]> = graph
            .nodes
            .iter()
            .filter_map(|n| match &n.op {
                Op::Conv2d(conv) => Some(&conv.weight.values[..]),
                Op::Affine(weight, _) => Some(&weight.values[..]),
                _ => None,
            })
            .collect();
        let ours = ["stem.conv.weight", "blocks.0.conv.latent", "head.weight"]
            .map(|name| &start.tensors.iter().find(|t| t.name == name).unwrap().values[..]);
        assert_eq!(theirs, ours, "{name}");
        write(&folded(&start)).unwrap();
    }
}

#[test]
fn units_of_other_libraries_are_those_of_the_recipe() {
    // SpikingJelly's decay_input: r = 1; a threshold twice as high; windows that add.
    let mut nodes = parts();
    let one = |v| Array::new([], vec![v]);
    for n in &mut nodes {
        match &mut n.op {
            Op::Lif(lif) => (lif.r, lif.v_threshold) = (one(1.0), one(0.2)),
            op @ Op::AvgPool2d(_) => *op = Op::SumPool2d(pool()),
            _ => {}
        }
    }
    let found = start(&chained(nodes), &ReadOptions::default()).unwrap();
    assert!((found.threshold - 2.0).abs() < 1e-6, "{}", found.threshold);
    let spec = folded(&found);
    let of = |i: usize| match &spec.layers[i] {
        LayerSpec::Block(b) => (b.slope[0], b.offset[0]),
        _ => panic!(),
    };
    let plain = folded(&start(&chained(parts()), &ReadOptions::default()).unwrap());
    let LayerSpec::Block(b) = &plain.layers[1] else { panic!() };
    assert!((of(1).0 / b.slope[0] - 4.0).abs() < 1e-4, "sums are four means");
    assert!((of(0).1 - 0.5).abs() < 1e-5);
    // Another dt is another leak; IF has none.
    let slow = ReadOptions { dt: Some(1e-5), soft_reset: Some(true) };
    let found = start(&chained(parts()), &slow).unwrap();
    assert!((found.decay - 0.99).abs() < 1e-6 && found.soft_reset);
    let mut nodes = parts();
    for n in &mut nodes {
        if let Op::Lif(_) = n.op {
            n.op = Op::If(If { r: one(1e4), v_reset: one(0.0), v_threshold: one(3.0) });
        }
    }
    let found = start(&chained(nodes), &ReadOptions::default()).unwrap();
    assert_eq!(found.decay, 1.0);
    assert!(found.recipe().contains("kind = \"if\""));
    assert!((found.threshold - 3.0).abs() < 1e-6);
}

#[test]
fn what_does_not_fit_is_refused_by_node() {
    type Change = Box<dyn Fn(&mut Graph)>;
    let lif_at = |i: usize, f: fn(&mut Lif)| -> Change {
        Box::new(move |g: &mut Graph| match &mut g.nodes[i].op {
            Op::Lif(lif) => f(lif),
            _ => panic!(),
        })
    };
    let put = |i: usize, op: Op| -> Change { Box::new(move |g: &mut Graph| g.nodes[i].op = op.clone()) };
    let one = |v| Array::new([], vec![v]);
    let windows = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
    let dilated = match conv([6, 4, 3, 3], 1) {
        Op::Conv2d(c) => Op::Conv2d(Conv2d { dilation: [2, 2], padding: [2, 2], ..c }),
        _ => panic!(),
    };
    let cuba = |tau_syn| Op::CubaLif(CubaLif { lif: lif(), tau_syn: one(tau_syn), w_in: one(1.0) });
    let cases: Vec<(&str, &str, Change)> = vec![
        ("4", "a leak of 0.95", lif_at(5, |lif| lif.tau = Array::new([], vec![2e-3]))),
        ("1", "differ from neuron to neuron", lif_at(2, |lif| lif.tau = Array::new([4], vec![1e-3, 2e-3, 1e-3, 1e-3]))),
        ("1", "v_reset is 0.5", lif_at(2, |lif| lif.v_reset = Array::new([], vec![0.5]))),
        ("1", "v_leak is -1", lif_at(2, |lif| lif.v_leak = Array::new([], vec![-1.0]))),
        ("1", "a threshold of 0", lif_at(2, |lif| lif.v_threshold = Array::new([], vec![0.0]))),
        ("1", "expected 1 or more", lif_at(2, |lif| lif.tau = Array::new([], vec![5e-5]))),
        (
            "1",
            "different thresholds",
            lif_at(2, |lif| {
                let mut values = vec![1.0; 256];
                values[7] = 2.0;
                lif.v_threshold = Array::new([4, 8, 8], values);
            }),
        ),
        ("1", "a synapse that remembers", put(2, cuba(5e-4))),
        ("0", "a kernel of 4x4", put(1, conv([4, 1, 4, 4], 2))),
        ("3", "dilation [2, 2]", put(4, dilated)),
        ("2", "windows of [3, 3]", put(3, Op::AvgPool2d(windows))),
        ("1", "nothing of this type", put(2, Op::Other("LI".into()))),
        (
            "1b",
            "no place here",
            Box::new(|g| {
                g.nodes.insert(3, node("1b", Op::Scale(Array::new([], vec![2.0]))));
                *g = chained(std::mem::take(&mut g.nodes));
            }),
        ),
        ("4", "another reset", Box::new(|g| g.nodes[5].metadata = vec![("reset".into(), Value::Text("soft".into()))])),
        ("3", "1 edges lead to it and 2 away", Box::new(|g| g.edges.push((4, 5)))),
        ("0", "depends on itself", Box::new(|g| g.edges.push((5, 1)))),
        (
            "input",
            "convolution over [C, H, W]",
            Box::new(|g| {
                g.nodes[0].op = Op::Input(vec![64]);
                g.nodes[1].op = linear(4, 64);
                g.nodes.drain(3..8);
                g.edges.truncate(7);
                g.nodes[3].op = linear(20, 4);
            }),
        ),
        (
            "0",
            "the first layer of a binary network is a convolution",
            Box::new(|g| {
                g.nodes.insert(1, node("flat", Op::Flatten { input: None, start: 0, end: -1 }));
                g.nodes[2].op = linear(4, 64);
                g.nodes.drain(4..9);
                g.nodes[4].op = linear(20, 4);
                *g = chained(std::mem::take(&mut g.nodes));
            }),
        ),
        (
            "7",
            "no neurons stand between",
            Box::new(|g| {
                g.nodes.remove(9);
                *g = chained(std::mem::take(&mut g.nodes));
            }),
        ),
        (
            "2b",
            "two poolings",
            Box::new(|g| {
                g.nodes.insert(4, node("2b", Op::AvgPool2d(pool())));
                g.nodes.remove(7);
                g.nodes[8].op = linear(20, 24);
                *g = chained(std::mem::take(&mut g.nodes));
            }),
        ),
    ];
    for (name, reason, change) in cases {
        let mut graph = chained(parts());
        change(&mut graph);
        let error = start(&graph, &ReadOptions::default()).expect_err(reason);
        let text = error.to_string();
        assert!(text.starts_with(&format!("node {name}")) && text.contains(reason), "{name}, {reason}: {text}");
        if let NirError::Node { .. } = &error {
            assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
        }
    }
    // A synapse of one step hands on what comes in.
    let mut graph = chained(parts());
    graph.nodes[2].op = cuba(1e-4);
    assert_eq!(start(&graph, &ReadOptions::default()).unwrap().layers, "4c5-P-6-P-FC20");
}
