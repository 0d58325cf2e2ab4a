//! Every public layer and operation, given a tensor with one wrong axis: no number comes back, and the message names the
//! layer and has both shapes. On a device with and without autodiff.

mod common;

use bitspike_nn::layers::{
    AgmmConfig, BinaryLinear, Classifier, Conv2dConfig, NeuronConfig, NormConfig, NormKind, binary_linear,
};
use bitspike_nn::network::{Family, Ignore, Network, NetworkConfig, NetworkOptions};
use bitspike_nn::ops::adamw::{AdamwParams, adamw_step};
use bitspike_nn::ops::block::{BlockParams, BlockStatistics, BlockWeights, block, block_evaluate};
use bitspike_nn::ops::conv::{ConvParams, Precision, WeightKind, WeightScale, conv};
use bitspike_nn::ops::gate::{GateParams, GatePool, gate, scale_steps};
use bitspike_nn::ops::neuron::{NeuronParams, neuron};
use bitspike_nn::ops::norm::{affine, batch_norm};
use bitspike_nn::ops::pool::{avg_pool, max_pool};
use bitspike_nn::ops::sgd::{SgdParams, sgd_step};
use bitspike_nn::{Init, Loss, Targets};
use burn::tensor::{Device, Int, Tensor};
use common::{device, host};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a case does with a device and x `[T, N, C, H, W]`.
type Case = Box<dyn Fn(&Device, [usize; 5]) -> Vec<f32>>;

/// A call without a map of features.
type Make<'a> = Box<dyn Fn() -> Vec<f32> + 'a>;

const RIGHT: [usize; 5] = [2, 3, 4, 6, 6];

fn case(f: impl Fn(&Device, Tensor<5>) -> Tensor<5> + 'static) -> Case {
    Box::new(move |d, dims| host(f(d, Tensor::ones(dims, d))))
}

fn conv_params() -> ConvParams {
    ConvParams { stride: 1, padding: 1, weight: WeightKind::Binary(WeightScale::None), precision: Precision::Exact }
}

fn neuron_params() -> NeuronParams {
    *NeuronConfig::default().init(2, &device()).params()
}

fn ones<const D: usize>(dims: [usize; D], d: &Device) -> Tensor<D> {
    Tensor::ones(dims, d)
}

fn block_params(gate: bool) -> BlockParams {
    let gate = gate.then(GateParams::default);
    BlockParams { conv: conv_params(), epsilon: 1e-5, pool: true, gate, neuron: neuron_params(), recompute: false }
}

/// Weights of a block with `sizes` for C_out of γ, β, α and λ.
fn block_weights(d: &Device, [gamma, beta, alpha, decay]: [usize; 4]) -> BlockWeights {
    BlockWeights {
        weight: ones([8, 4, 3, 3], d),
        gamma: ones([gamma], d),
        beta: ones([beta], d),
        alpha: ones([2, alpha], d),
        decay: ones([decay], d),
    }
}

fn statistics(d: &Device, mean: usize, var: usize, gate: Option<[usize; 2]>) -> BlockStatistics {
    BlockStatistics { mean: ones([mean], d), var: ones([var], d), gate_means: gate.map(|g| ones(g, d)) }
}

/// The layer that must refuse, its case, and the shapes of x that it must refuse.
fn cases() -> Vec<(&'static str, Case, Vec<[usize; 5]>)> {
    let channels = |n| [2, 3, n, 6, 6];
    let steps = |n| [n, 3, 4, 6, 6];
    let wrong_channels = || vec![channels(1), channels(2), channels(3), channels(5), channels(8), channels(64)];
    let wrong_steps = || vec![steps(3), steps(4), steps(64)];
    let real = |scale| move |d: &Device| Conv2dConfig::same([4, 8], 3).init_binary(scale, &Init::new(1), "c", d);
    let norm = |kind| NormConfig { kind, ..NormConfig::default() };
    let gated = |pool| AgmmConfig { pool, gate: Default::default(), ..AgmmConfig::default() };
    let network = |family, layers: &'static str| {
        move |d: &Device, x| {
            let network =
                NetworkConfig { family, layers: layers.parse().unwrap(), steps: 2, ..NetworkConfig::default() };
            let options = NetworkOptions { network, ..NetworkOptions::default() };
            let plan = options.plan([4, 12, 12], 10).unwrap();
            Network::new(&plan, &Init::new(0), d).forward(x, &mut Ignore).unsqueeze()
        }
    };
    let small = || vec![[2, 3, 4, 1, 6], [2, 3, 4, 6, 1], [2, 3, 4, 1, 1]];
    let mut all: Vec<(&'static str, Case, Vec<[usize; 5]>)> = vec![
        ("BinaryConv2d", case(move |d, x| real(WeightScale::None)(d).forward(x)), wrong_channels()),
        ("BinaryConv2d", case(move |d, x| real(WeightScale::MeanAbs)(d).forward(x)), wrong_channels()),
        (
            "RealConv2d",
            case(|d, x| Conv2dConfig::same([4, 8], 3).init_real(&Init::new(1), "c", d).forward(x)),
            wrong_channels(),
        ),
        (
            "BinaryConv2d",
            case(|d, x| {
                let unpadded = Conv2dConfig { padding: 0, ..Conv2dConfig::same([4, 8], 3) };
                unpadded.init_binary(WeightScale::None, &Init::new(1), "c", d).forward(x)
            }),
            small(),
        ),
        ("conv", case(|d, x| conv(x, ones([8, 4, 3, 3], d), conv_params())), wrong_channels()),
        ("conv", case(|d, x| conv(x, ones([8, 4, 3, 5], d), conv_params())), vec![RIGHT]),
        ("conv", case(|d, x| conv(x, ones([8, 4, 3, 3], d), ConvParams { stride: 0, ..conv_params() })), vec![RIGHT]),
        ("batch_norm", case(|d, x| batch_norm(x, ones([4], d), ones([4], d), 1e-5).0), wrong_channels()),
        ("batch_norm", case(|d, x| batch_norm(x, ones([4], d), ones([1], d), 1e-5).0), vec![RIGHT]),
        ("affine", case(|d, x| affine(x, ones([4], d), ones([4], d))), wrong_channels()),
        ("affine", case(|d, x| affine(x, ones([4], d), ones([1], d))), vec![RIGHT]),
        ("neuron", case(|d, x| neuron(x, ones([1], d), neuron_params())), wrong_steps()),
        ("neuron", case(|d, x| neuron(x, ones([4], d), neuron_params())), vec![RIGHT]),
        ("Neuron", case(|d, x| NeuronConfig::default().init(2, d).forward(x)), wrong_steps()),
        ("avg_pool", case(|_, x| avg_pool(x, 2)), small()),
        ("max_pool", case(|_, x| max_pool(x, 2)), small()),
        ("avg_pool", case(|_, x| avg_pool(x, 0)), vec![RIGHT]),
        (
            "scale_steps",
            case(|d, x| scale_steps(x, ones([2, 4], d))),
            [wrong_channels(), wrong_steps(), vec![steps(1)]].concat(),
        ),
        ("TimeBatchNorm", case(move |d, x| norm(NormKind::Joint).init(4, 2, 1.0, d).forward(x, 1)), wrong_channels()),
        (
            "TimeBatchNorm",
            case(move |d, x| norm(NormKind::Bntt).init(4, 2, 1.0, d).forward(x, 1)),
            [wrong_channels(), wrong_steps()].concat(),
        ),
        (
            "TimeBatchNorm",
            case(move |d, x| norm(NormKind::Tebn).init(4, 2, 1.0, d).forward(x, 1)),
            [wrong_channels(), wrong_steps()].concat(),
        ),
        ("Network", case(network(Family::Vgg, "8-P-8")), vec![[3, 3, 4, 12, 12], [4, 3, 4, 12, 12]]),
        ("Network", case(network(Family::BiReal, "8-2x8")), vec![[3, 3, 4, 12, 12]]),
        ("RealConv2d", case(network(Family::Vgg, "8-P-8")), vec![[2, 3, 3, 12, 12], [1, 3, 8, 12, 12]]),
        ("Classifier", case(network(Family::Vgg, "8-P-8")), vec![[2, 3, 4, 12, 10], [1, 3, 4, 24, 12]]),
        ("block: conv", case(|d, x| block(x, block_weights(d, [8, 8, 1, 1]), block_params(true)).0), wrong_channels()),
        (
            "block",
            case(|d, x| block(x, block_weights(d, [8, 8, 1, 1]), block_params(true)).0),
            [wrong_steps(), vec![steps(1), [2, 3, 4, 1, 6]]].concat(),
        ),
    ];
    for (name, sizes) in
        [("norm", [4, 8, 1, 1]), ("norm", [8, 1, 1, 1]), ("gate", [8, 8, 4, 1]), ("neuron", [8, 8, 1, 8])]
    {
        let train = case(move |d, x| block(x, block_weights(d, sizes), block_params(true)).0);
        let evaluate = case(move |d, x| {
            block_evaluate(x, block_weights(d, sizes), statistics(d, 8, 8, None), block_params(true)).0
        });
        all.extend([(name, train, vec![RIGHT]), (name, evaluate, vec![RIGHT])]);
    }
    for (name, mean, var, means) in
        [("norm", 4, 8, None), ("norm", 8, 1, None), ("gate", 8, 8, Some([1, 1])), ("gate", 8, 8, Some([2, 4]))]
    {
        let evaluate = case(move |d, x| {
            block_evaluate(x, block_weights(d, [8, 8, 1, 1]), statistics(d, mean, var, means), block_params(true)).0
        });
        all.push((name, evaluate, vec![RIGHT]));
    }
    for pool in [GatePool::None, GatePool::Chw, GatePool::Hw, GatePool::Nchw, GatePool::Const] {
        let params = GateParams { pool, ..GateParams::default() };
        all.push((
            "gate",
            case(move |d, x| gate(x, ones([2, 1], d), params).0),
            [wrong_steps(), vec![steps(1)]].concat(),
        ));
        all.push(("gate", case(move |d, x| gate(x, ones([2, 4], d), params).0), wrong_channels()));
        let layer = move |d: &Device, x| gated(pool).init(2, 4, d).forward(x).0;
        all.push(("Agmm", case(layer), [wrong_steps(), vec![steps(1)]].concat()));
        if pool == GatePool::Hw {
            all.push(("Agmm", case(layer), wrong_channels()));
        }
    }
    all
}

/// The message of the refusal; what came back instead, if anything did.
fn refusal(run: impl FnOnce() -> Vec<f32>) -> String {
    match catch_unwind(AssertUnwindSafe(run)) {
        Err(panic) => *panic.downcast::<String>().expect("a formatted message"),
        Ok(values) => panic!("{} values came back, the first {:?}", values.len(), &values[..values.len().min(4)]),
    }
}

#[test]
fn every_wrong_axis_is_refused_with_both_shapes() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut refused = 0;
    for device in [device().inner(), device()] {
        for (layer, run, wrong) in cases() {
            for dims in wrong {
                let message = refusal(|| run(&device, dims));
                assert!(message.contains(layer), "{dims:?}: {layer} should refuse: {message}");
                assert!(message.matches('[').count() >= 2, "no shapes: {message}");
                refused += 1;
            }
        }
        let d = &device;
        let labels = |n: i32| Tensor::<1, Int>::zeros([n as usize], d);
        let vectors: [(&str, Make); 12] = [
            (
                "BinaryLinear",
                Box::new(|| {
                    host(BinaryLinear::new(6, 4, WeightScale::None, &Init::new(0), "fc", d).forward(ones([2, 3, 5], d)))
                }),
            ),
            (
                "binary_linear",
                Box::new(|| host(binary_linear(ones([2, 3, 12], d), ones([4, 6], d), WeightScale::None))),
            ),
            ("Classifier", Box::new(|| host(Classifier::new(6, 4, &Init::new(0), "h", d).forward(ones([2, 3, 3], d))))),
            ("Loss", Box::new(|| host(Loss::Tet.forward(ones([2, 3, 4], d), labels(2))))),
            ("Loss", Box::new(|| host(Loss::MeanOutput.forward(ones([2, 3, 4], d), labels(6))))),
            (
                "Loss",
                Box::new(|| {
                    host(Loss::Tet.forward(ones([2, 3, 4], d), Targets::mixed(labels(3), labels(1), ones([3], d))))
                }),
            ),
            (
                "Loss",
                Box::new(|| {
                    host(Loss::Tet.forward(ones([2, 3, 4], d), Targets::mixed(labels(3), labels(3), ones([1], d))))
                }),
            ),
            ("sgd_step", Box::new(|| host(sgd_step(ones([3], d), None, ones([1], d), sgd()).0))),
            ("sgd_step", Box::new(|| host(sgd_step(ones([3], d), Some(ones([1], d)), ones([3], d), sgd()).0))),
            ("adamw_step", Box::new(|| host(adamw_step(ones([3], d), None, ones([1], d), adamw()).0))),
            (
                "adamw_step",
                Box::new(|| {
                    host(adamw_step(ones([3], d), Some((ones([1], d), ones([3], d))), ones([3], d), adamw()).0)
                }),
            ),
            (
                "adamw_step",
                Box::new(|| {
                    host(adamw_step(ones([3], d), Some((ones([3], d), ones([6], d))), ones([3], d), adamw()).0)
                }),
            ),
        ];
        for (layer, run) in vectors {
            let message = refusal(run);
            assert!(message.contains(layer) && message.matches('[').count() >= 2, "{layer}: {message}");
            refused += 1;
        }
    }
    assert!(refused > 250, "{refused}");
}

fn sgd() -> SgdParams {
    SgdParams { lr: 0.5, momentum: 0.9, decay: 0.0, nesterov: false }
}

fn adamw() -> AdamwParams {
    AdamwParams::new([0.5, 0.75], 0.0, 0.25, 0.0, 1)
}

/// The same cases with the right shape give values: what is refused above is the shape.
#[test]
fn the_right_shapes_are_taken() {
    for device in [device().inner(), device()] {
        let networks = [Family::Vgg, Family::BiReal];
        for (family, layers) in networks.into_iter().zip(["8-P-8", "8-2x8"]) {
            let network =
                NetworkConfig { family, layers: layers.parse().unwrap(), steps: 2, ..NetworkConfig::default() };
            let plan = NetworkOptions { network, ..NetworkOptions::default() }.plan([4, 12, 12], 10).unwrap();
            let network = Network::new(&plan, &Init::new(0), &device);
            for t in [1, 2] {
                assert_eq!(network.forward(ones([t, 3, 4, 12, 12], &device), &mut Ignore).dims(), [2, 3, 10]);
            }
        }
        let params = block_params(true);
        let (s, ..) = block(ones(RIGHT, &device), block_weights(&device, [8, 8, 8, 1]), params);
        assert_eq!(s.dims(), [2, 3, 8, 3, 3]);
        for means in [None, Some([2, 1]), Some([2, 8])] {
            let w = block_weights(&device, [8, 8, 1, 1]);
            let (s, _) = block_evaluate(ones(RIGHT, &device), w, statistics(&device, 8, 8, means), params);
            assert_eq!(s.dims(), [2, 3, 8, 3, 3]);
        }
    }
}
