//! Whole networks: the device under test against the composed form, twice the same bits, and the same bits whatever the
//! number of threads.
#![cfg(feature = "flex")]

mod common;

use bitspike_nn::layers::{AgmmConfig, NeuronConfig, NeuronKind, NormConfig, NormKind};
use bitspike_nn::network::{Family, FiringRates, Head, Ignore, Network, NetworkConfig, NetworkOptions, Pooling};
use bitspike_nn::ops::conv::WeightScale;
use bitspike_nn::{Init, Loss};
use burn::tensor::{Device, Int, Tensor, TensorData};
use common::*;

const CLASSES: usize = 10;

/// Logits, penalty of the firing rates, gradient of the input and of every parameter after one step on random data.
type Outcome = Vec<(String, Vec<f32>)>;

/// `input` `[T or 1, N, C, H, W]`.
fn run(options: &NetworkOptions, dims: [usize; 5], device: &Device) -> Outcome {
    let [_, n, c, h, w] = dims;
    let plan = options.plan([c, h, w], CLASSES).expect("a valid configuration");
    let network = Network::new(&plan, &Init::new(7), device);
    let x = Stream(11).vec(dims.iter().product(), -1.0, 1.0);
    let (leaf, x) = input(&x, dims, Memory::ChannelsFirst, device);
    let labels: Vec<i32> = (0..n).map(|i| (i * 7 % CLASSES) as i32).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), device);
    let mut rates = FiringRates::default();
    let logits = network.forward(x, &mut rates);
    let penalty = rates.penalty(0.5).expect("layers that fire");
    let grads = (Loss::Tet.forward(logits.clone(), labels) + penalty.clone()).backward();
    let mut outcome = vec![("logits".to_owned(), host(logits)), ("penalty".to_owned(), host(penalty))];
    outcome.push(("input".to_owned(), grad(&leaf, &grads)));
    outcome.extend(gradients(&network, &grads));
    outcome
}

fn options(family: Family, pooling: Pooling) -> NetworkOptions {
    let layers = match family {
        Family::Vgg => "8-P-16-16-P-24",
        Family::BiReal => "8-2x8-2x16-P-16",
    };
    NetworkOptions {
        network: NetworkConfig { family, layers: layers.parse().unwrap(), pooling, ..NetworkConfig::default() },
        gate: Some(AgmmConfig::default()),
        ..NetworkOptions::default()
    }
}

/// Both families, every pooling, and what else changes the chain of operations.
fn cases() -> Vec<(String, NetworkOptions, [usize; 5])> {
    let mut cases = Vec::new();
    for family in [Family::Vgg, Family::BiReal] {
        for pooling in [Pooling::Current, Pooling::Spikes, Pooling::MaxSpikes] {
            cases.push((format!("{family:?} {pooling:?}"), options(family, pooling), [1, 4, 3, 12, 12]));
        }
        let base = options(family, Pooling::Current);
        // Odd maps where the family takes them: a shortcut halves its map twice here.
        let map = if family == Family::Vgg { [11, 13] } else { [12, 16] };
        cases.push((format!("{family:?} sequence"), base.clone(), [2, 3, 2, map[0], map[1]]));
        cases.push((format!("{family:?} no gate"), NetworkOptions { gate: None, ..base.clone() }, [1, 4, 3, 12, 12]));
        cases.push((
            format!("{family:?} full precision"),
            NetworkOptions { full_precision: true, ..base.clone() },
            [1, 4, 3, 12, 12],
        ));
        for kind in [NormKind::Bntt, NormKind::Tebn] {
            let norm = NormConfig { kind, ..NormConfig::default() };
            cases.push((format!("{family:?} {kind:?}"), NetworkOptions { norm, ..base.clone() }, [1, 4, 3, 12, 12]));
        }
        let mut once = base.clone();
        once.network.steps = 1;
        cases.push((format!("{family:?} one step"), once, [1, 4, 3, 12, 12]));
        let mut flat = base.clone();
        flat.network.head = Head::Flatten;
        flat.network.weight_scale = WeightScale::MeanAbs;
        flat.network.steps = 3;
        flat.neuron = NeuronConfig { kind: NeuronKind::Plif, ..NeuronConfig::default() };
        cases.push((format!("{family:?} flat, scaled, plif"), flat, [1, 4, 3, 12, 12]));
    }
    cases
}

#[test]
fn fused_and_composed_networks_agree() {
    let mut wrong = Vec::new();
    for (name, options, dims) in cases() {
        let (fused, composed) = (run(&options, dims, &device()), reference(|d| run(&options, dims, d)));
        let names = |o: &Outcome| o.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        assert_eq!(names(&fused), names(&composed), "{name}");
        assert!(fused.iter().all(|(_, v)| largest(v) > 0.0), "{name}: every gradient takes part");
        for ((part, a), (_, b)) in fused.iter().zip(&composed) {
            wrong.extend(check_close(part, a, b, 1e-3, 0.0).err().map(|e| format!("{name}: {e}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// At evaluation (no autodiff) the batch norm is an affine map and a fixed gate a factor: other operations than in training.
#[test]
fn fused_and_composed_networks_agree_at_evaluation() {
    let mut wrong = Vec::new();
    for (name, options, dims) in cases() {
        let plan = options.plan([dims[2], dims[3], dims[4]], CLASSES).unwrap();
        let x = Stream(11).vec(dims.iter().product(), -1.0, 1.0);
        let logits = |device: &Device| {
            let device = device.clone().inner();
            let network = Network::new(&plan, &Init::new(7), &device);
            host(network.forward(tensor(&x, dims, &device), &mut Ignore))
        };
        let (found, expected) = (logits(&device()), reference(logits));
        wrong.extend(check_close("logits", &found, &expected, 1e-3, 0.0).err().map(|e| format!("{name}: {e}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn check_same(name: &str, found: &Outcome, expected: &Outcome) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let wrong: Vec<String> =
        found.iter().zip(expected).filter_map(|((part, a), (_, b))| check_equal(part, a, b).err()).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

/// Sizes large enough for every kernel to use its threads. Always on Flex, whose threads they are.
#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    let (one, two) = (pool(1), pool(2));
    for family in [Family::Vgg, Family::BiReal] {
        let options = options(family, Pooling::Current);
        let dims = [1, 16, 3, 24, 24];
        let first = one.install(|| run(&options, dims, &flex()));
        check_same("again", &one.install(|| run(&options, dims, &flex())), &first);
        check_same("two threads", &two.install(|| run(&options, dims, &flex())), &first);
    }
}
