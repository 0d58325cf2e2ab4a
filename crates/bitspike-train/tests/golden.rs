//! Reference vectors computed with PyTorch in float64; `testdata/golden/README.md` defines every op.
//!
//! `BITSPIKE_GOLDEN=dir` runs the same test over another folder, or its subfolder `vectors`. A file whose op is not
//! known here is a failure. The vectors belong to the workspace and are in no package; where there are none, the tests
//! say so and check nothing.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use bitspike_nn::Loss;
use bitspike_nn::layers::{NormConfig, binary_linear};
use bitspike_nn::ops::conv::{ConvParams, Precision, WeightKind, WeightScale, conv};
use bitspike_nn::ops::gate::{GateApply, GateFunction, GateParams, GatePool, gate};
use bitspike_nn::ops::neuron::{NeuronParams, Reset, neuron};
use bitspike_nn::ops::norm::batch_norm;
use bitspike_nn::ops::pool::{avg_pool, global_avg_pool};
use bitspike_nn::ops::surrogate::Surrogate;
use bitspike_train::device::by_name;
use bitspike_train::measure::flips::{FlipTracker, ObserveTensor};
use bitspike_train::optim::tbso::{Tbso, TbsoParams};
use bitspike_train::optim::{BinaryStep, OptimConfig, Optimizer};
use bitspike_train::param::host;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// Relative to the largest magnitude of a tensor.
const TOLERANCE: f32 = 2e-5;
/// After the third step of `net`.
const TOLERANCE_LATE: f32 = 5e-4;
/// Of gradients with `precision = "fast"`: partial sums of four are rounded to 1/127 of the largest, at random, and
/// these vectors are so small that few roundings average out.
const TOLERANCE_FAST: f32 = 5e-2;
/// Of the parameters below two layers with such gradients.
const TOLERANCE_FAST_NET: f32 = 2e-1;

/// The larger of two errors; NaN, which `f32::max` would drop, counts as the largest.
fn worse(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }
}

struct Case {
    name: String,
    params: Value,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    device: Device,
    wrong: Vec<String>,
}

impl Case {
    fn values(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name)).1
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (shape, values) = &self.tensors[name];
        Tensor::from_data(TensorData::new(values.clone(), shape.clone()), &self.device)
    }

    fn tracked<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.tensor(name).require_grad()
    }

    /// A 5-D tensor from a vector that may lack the time axis.
    fn tracked5(&self, name: &str) -> Tensor<5> {
        let (shape, values) = &self.tensors[name];
        let mut dims = vec![1; 5 - shape.len()];
        dims.extend(shape);
        Tensor::from_data(TensorData::new(values.clone(), dims), &self.device).require_grad()
    }

    fn f(&self, key: &str) -> f32 {
        self.params[key].as_f64().unwrap_or_else(|| panic!("{}: no number {key}", self.name)) as f32
    }

    fn n(&self, key: &str) -> usize {
        self.params[key].as_u64().unwrap_or_else(|| panic!("{}: no count {key}", self.name)) as usize
    }

    fn exact<const D: usize>(&mut self, name: &str, found: Tensor<D>) {
        let (found, expected) = (host(found), self.values(name));
        let count = found.iter().zip(expected).filter(|(a, b)| a != b).count();
        if count > 0 || found.len() != expected.len() {
            self.wrong.push(format!("{}: {name}: {count} of {} values differ", self.name, expected.len()));
        }
    }

    fn close<const D: usize>(&mut self, name: &str, found: Tensor<D>, tolerance: f32) {
        self.close_values(name, &host(found), tolerance);
    }

    fn close_values(&mut self, name: &str, found: &[f32], tolerance: f32) {
        let expected = self.values(name);
        let largest = expected.iter().fold(1e-12f32, |m, v| m.max(v.abs()));
        let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, worse) / largest;
        if error.is_nan() || error > tolerance || found.len() != expected.len() {
            self.wrong.push(format!("{}: {name}: relative error {error:e}, allowed {tolerance:e}", self.name));
        }
    }
}

fn weight_scale(name: &Value) -> WeightScale {
    match name.as_str() {
        Some("none") => WeightScale::None,
        Some("mean_abs") => WeightScale::MeanAbs,
        other => panic!("unknown scale {other:?}"),
    }
}

fn gate_params(v: &Value) -> GateParams {
    GateParams {
        pool: serde_json::from_value(v["pool"].clone()).expect("a pool"),
        function: GateFunction::Sigmoid,
        alpha_inside: false,
        detach_gate: v["detach_gate"].as_bool().expect("detach_gate"),
        apply: serde_json::from_value(v["apply"].clone()).expect("apply"),
    }
}

fn neuron_params(v: &Value, steps: usize) -> (NeuronParams, f32) {
    let f = |key: &str| v[key].as_f64().expect("a number") as f32;
    let surrogate: Surrogate = serde_json::from_value(v["surrogate"].clone()).expect("a surrogate");
    let reset: Reset = serde_json::from_value(v["reset"].clone()).expect("a reset");
    let detach_reset = v["detach_reset"].as_bool().expect("detach_reset");
    let p = NeuronParams { steps, v_threshold: f("v_threshold"), reset, detach_reset, surrogate, width: f("width") };
    (p, f("decay"))
}

fn lif(c: &mut Case) {
    let x = c.tracked::<5>("x");
    let (p, decay) = neuron_params(&c.params, x.dims()[0]);
    let s = neuron(x.clone(), Tensor::full([1], decay, &c.device), p);
    c.exact("spikes", s.clone());
    let grads = (s * c.tensor("grad_spikes")).sum().backward();
    c.close("grad_x", x.grad(&grads).expect("a gradient"), TOLERANCE);
}

fn binary_conv2d(c: &mut Case) {
    for (precision, tolerance) in [(Precision::Exact, TOLERANCE), (Precision::Fast, TOLERANCE_FAST)] {
        let (x, w) = (c.tracked5("x"), c.tracked::<4>("weight"));
        let p = ConvParams {
            stride: c.n("stride"),
            padding: c.n("padding"),
            weight: WeightKind::Binary(weight_scale(&c.params["scale"])),
            precision,
        };
        let y = conv(x.clone(), w.clone(), p);
        c.close("y", y.clone(), TOLERANCE);
        let grads = (y * c.tracked5("grad_y")).sum().backward();
        c.close("grad_x", x.grad(&grads).expect("a gradient"), tolerance);
        c.close("grad_weight", w.grad(&grads).expect("a gradient"), tolerance);
    }
}

fn binary_linear_case(c: &mut Case) {
    let (x, w) = (c.tracked::<2>("x"), c.tracked::<2>("weight"));
    let y = binary_linear(x.clone().unsqueeze(), w.clone(), weight_scale(&c.params["scale"]));
    c.close("y", y.clone(), TOLERANCE);
    let grads = (y * c.tensor::<2>("grad_y").unsqueeze()).sum().backward();
    c.close("grad_x", x.grad(&grads).expect("a gradient"), TOLERANCE);
    c.close("grad_weight", w.grad(&grads).expect("a gradient"), TOLERANCE);
}

fn batch_norm_case(c: &mut Case) {
    let (x, gamma, beta) = (c.tracked::<5>("x"), c.tracked::<1>("gamma"), c.tracked::<1>("beta"));
    let (y, _, _) = batch_norm(x.clone(), gamma.clone(), beta.clone(), c.f("eps"));
    c.close("y", y.clone(), TOLERANCE);
    let grads = (y * c.tensor("grad_y")).sum().backward();
    c.close("grad_x", x.grad(&grads).expect("a gradient"), TOLERANCE);
    c.close("grad_gamma", gamma.grad(&grads).expect("a gradient"), TOLERANCE);
    c.close("grad_beta", beta.grad(&grads).expect("a gradient"), TOLERANCE);
    // Running statistics are the layer's.
    let config = NormConfig { epsilon: 1e-5, momentum: f64::from(c.f("momentum")), ..NormConfig::default() };
    let layer = config.init(gamma.dims()[0], 1, 1.0, &c.device);
    layer.forward(x, 1);
    c.close("running_mean", layer.running_mean.value_sync(), TOLERANCE);
    c.close("running_var", layer.running_var.value_sync(), TOLERANCE);
}

fn agmm(c: &mut Case) {
    let (x, alpha) = (c.tracked::<5>("x"), c.tracked::<1>("alpha"));
    let p = gate_params(&c.params);
    let (y, _) = gate(x.clone(), alpha.clone().unsqueeze_dim(1), p);
    c.close("y", y.clone(), TOLERANCE);
    let grads = (y * c.tensor("grad_y")).sum().backward();
    c.close("grad_x", x.grad(&grads).expect("a gradient"), TOLERANCE);
    let zero = || Tensor::zeros(alpha.dims(), &alpha.device());
    c.close("grad_alpha", alpha.grad(&grads).unwrap_or_else(zero), TOLERANCE);
}

fn labels(c: &Case) -> Tensor<1, Int> {
    let values: Vec<i64> = c.values("labels").iter().map(|&v| v as i64).collect();
    Tensor::from_data(TensorData::from(values.as_slice()), &c.device)
}

fn loss(c: &mut Case, kind: Loss) {
    let logits = c.tracked::<3>("logits");
    let value = kind.forward(logits.clone(), labels(c));
    let grads = value.backward();
    c.close("loss", value, TOLERANCE);
    c.close("grad_logits", logits.grad(&grads).expect("a gradient"), TOLERANCE);
}

fn t_bso(c: &mut Case) {
    let p = TbsoParams {
        one_minus_beta1: c.f("one_minus_beta1").into(),
        one_minus_beta2: c.f("one_minus_beta2").into(),
        gamma: c.f("gamma").into(),
        epsilon: c.f("eps").into(),
    };
    let (steps, t) = (c.n("steps"), c.n("T"));
    let mut w = c.values("weight0").to_vec();
    let n = w.len();
    let mut state = Tbso::new(n, t);
    for step in 0..steps {
        for time in 0..t {
            let grads = c.values("grads")[(step * t + time) * n..][..n].to_vec();
            state.step(&p, time, &grads, &mut w);
        }
        if w != c.values(&format!("weight{}", step + 1)) {
            c.wrong.push(format!("{}: signs differ after step {}", c.name, step + 1));
        }
    }
    c.close_values("momentum", &state.momentum, TOLERANCE);
    let second: Vec<f32> = state.second_moment.iter().map(|&v| v as f32).collect();
    c.close_values("second_moment", &second, TOLERANCE);
}

/// Convolution and batch norm of one layer of the `net` case.
#[derive(Module, Debug)]
struct Part {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    alpha: Option<Param<Tensor<1>>>,
    latent: Option<Param<Tensor<4>>>,
    weight: Option<Param<Tensor<4>>>,
}

#[derive(Module, Debug)]
struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Net {
    stem: Part,
    block1: Part,
    block2: Part,
    fc: Linear,
}

impl Net {
    fn load(c: &Case) -> Self {
        let part = |name: &str, binary: bool| {
            let t4 = |leaf: &str| Param::from_tensor(c.tensor::<4>(&format!("step0.{name}.{leaf}")));
            let t1 = |leaf: &str| Param::from_tensor(c.tensor::<1>(&format!("step0.{name}.{leaf}")));
            Part {
                gamma: t1("gamma"),
                beta: t1("beta"),
                alpha: binary.then(|| t1("alpha")),
                latent: binary.then(|| t4("weight")),
                weight: (!binary).then(|| t4("weight")),
            }
        };
        let fc = Linear {
            weight: Param::from_tensor(c.tensor("step0.fc.weight")),
            bias: Param::from_tensor(c.tensor("step0.fc.bias")),
        };
        Self { stem: part("stem", false), block1: part("block1", true), block2: part("block2", true), fc }
    }

    fn forward(&self, c: &Case, precision: Precision) -> Tensor<3> {
        let steps = c.n("T");
        let (lif, decay) = neuron_params(&c.params["lif"], steps);
        let scale = weight_scale(&c.params["scale"]);
        let gate_of = (!c.params["gate"].is_null()).then(|| gate_params(&c.params["gate"]));
        let layer = |part: &Part, x: Tensor<5>| {
            let (w, weight) = match (&part.latent, &part.weight) {
                (Some(latent), _) => (latent.val(), WeightKind::Binary(scale)),
                (None, Some(weight)) => (weight.val(), WeightKind::Real),
                (None, None) => unreachable!("every part has a weight"),
            };
            let y = conv(x, w, ConvParams { stride: 1, padding: 1, weight, precision });
            let (mut y, _, _) = batch_norm(y, part.gamma.val(), part.beta.val(), 1e-5);
            if let (Some(p), Some(alpha)) = (gate_of, &part.alpha) {
                y = gate(y, alpha.val().unsqueeze_dim(1), p).0;
            }
            neuron(y, Tensor::full([1], decay, &c.device), lif)
        };
        let s = layer(&self.stem, c.tracked5("input")); // one step of current for all T: direct coding
        let s = layer(&self.block1, s);
        let s = layer(&self.block2, avg_pool(s, 2));
        let x = global_avg_pool(s);
        let [t, n, k] = x.dims();
        let y = x.reshape([t * n, k]).matmul(self.fc.weight.val().transpose()) + self.fc.bias.val().unsqueeze::<2>();
        let classes = y.dims()[1];
        y.reshape([t, n, classes])
    }
}

/// Name in the vectors of a parameter of [`Net`].
fn golden_name(name: &str) -> String {
    name.replace("latent", "weight")
}

fn net(c: &mut Case) {
    let (steps, lr) = (c.n("steps"), f64::from(c.f("lr")));
    let config = OptimConfig {
        lr,
        momentum: f64::from(c.f("momentum")),
        weight_decay: f64::from(c.f("weight_decay")),
        binary_step: BinaryStep::Absolute, // the vectors are PyTorch's SGD
        ..OptimConfig::default()
    };
    let (mut optimizer, mut flips) = (Optimizer::new(config), FlipTracker::new());
    let mut net = Net::load(c);
    let observe = |net: &Net, flips: &mut FlipTracker| -> u64 {
        [("block1", &net.block1), ("block2", &net.block2)]
            .map(|(name, part)| flips.observe(name, &part.latent.as_ref().expect("binary").val()))
            .iter()
            .sum()
    };
    observe(&net, &mut flips);
    let fast = net.forward(c, Precision::Fast);
    c.close("step0.logits", fast.clone(), TOLERANCE);
    let fast = Loss::Tet.forward(fast, labels(c)).backward();
    for (name, grad) in bitspike_train::param::gradients(&net, &fast) {
        let values = grad.try_to_vec::<f32>().expect("f32");
        c.close_values(&format!("step0.grad.{}", golden_name(&name)), &values, TOLERANCE_FAST_NET);
    }
    for i in 0..steps {
        let tolerance = if i + 1 == steps { TOLERANCE_LATE } else { TOLERANCE };
        let logits = net.forward(c, Precision::Exact);
        let loss = Loss::Tet.forward(logits.clone(), labels(c));
        let mut grads = loss.backward();
        c.close(&format!("step{i}.logits"), logits, tolerance);
        c.close(&format!("step{i}.loss"), loss, tolerance);
        for (name, grad) in bitspike_train::param::gradients(&net, &grads) {
            let values = grad.try_to_vec::<f32>().expect("f32");
            c.close_values(&format!("step{i}.grad.{}", golden_name(&name)), &values, tolerance);
        }
        net = optimizer.step(net, &mut grads, lr);
        let found = observe(&net, &mut flips);
        let expected = c.values(&format!("step{i}.flips"))[0] as u64;
        if found != expected {
            c.wrong.push(format!("{}: step {i}: {found} flips, expected {expected}", c.name));
        }
        let tolerance = if i + 1 == steps { TOLERANCE_LATE } else { TOLERANCE };
        for (name, value) in bitspike_train::param::snapshot(&net) {
            let values = value.try_to_vec::<f32>().expect("f32");
            c.close_values(&format!("step{}.{}", i + 1, golden_name(&name)), &values, tolerance);
        }
    }
}

fn run(case: &mut Case, op: &str) -> bool {
    match op {
        "lif" => lif(case),
        "binary_conv2d" => binary_conv2d(case),
        "binary_linear" => binary_linear_case(case),
        "batch_norm" => batch_norm_case(case),
        "agmm" => agmm(case),
        "tet_loss" => loss(case, Loss::Tet),
        "mean_logit_loss" => loss(case, Loss::MeanOutput),
        "t_bso" => t_bso(case),
        "net" => net(case),
        _ => return false,
    }
    true
}

/// The folder of the vectors. None, said in a line, outside the workspace.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BITSPIKE_GOLDEN").map(PathBuf::from) {
        // The vectors themselves, or the folder that has them beside their generator.
        let within = named.join("vectors");
        return Some(if within.is_dir() { within } else { named });
    }
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden");
    if !ours.is_dir() {
        eprintln!("skipped: outside the workspace; BITSPIKE_GOLDEN names the folder of the reference vectors");
        return None;
    }
    Some(ours)
}

fn all_vectors(device: &Device) {
    let Some(folder) = folder() else { return };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}: no *.safetensors", folder.display());
    let mut wrong = Vec::new();
    for path in &paths {
        let bytes = std::fs::read(path).expect("readable");
        let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        let meta = header.metadata().clone().unwrap_or_default();
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            assert_eq!(view.dtype(), safetensors::Dtype::F32, "{}: {name}", path.display());
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            (name, (view.shape().to_vec(), values))
        });
        let mut case = Case {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            params: serde_json::from_str(&meta["params"]).expect("params are JSON"),
            tensors: tensors.collect(),
            device: device.clone(),
            wrong: Vec::new(),
        };
        if !run(&mut case, &meta["op"]) {
            case.wrong.push(format!("{}: unknown op {:?}", case.name, meta["op"]));
        }
        wrong.append(&mut case.wrong);
    }
    assert!(wrong.is_empty(), "{} failures in {} files:\n{}", wrong.len(), paths.len(), wrong.join("\n"));
}

/// On the device that `BITSPIKE_TEST_DEVICE` names, `cpu` without it.
#[test]
fn golden_vectors_on_the_device_under_test() {
    let name =
        std::env::var_os("BITSPIKE_TEST_DEVICE").map_or("cpu".into(), |name| name.to_string_lossy().into_owned());
    all_vectors(&by_name(&name).unwrap_or_else(|e| panic!("BITSPIKE_TEST_DEVICE: {e}")).autodiff());
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)]
#[test]
fn golden_vectors_on_a_second_backend() {
    all_vectors(&Device::ndarray().autodiff());
}

#[test]
fn every_gate_option_has_a_name_in_the_vectors() {
    // The vectors spell pools as the recipe does: a rename would silently stop being tested.
    for (name, pool) in [
        ("chw", GatePool::Chw),
        ("hw", GatePool::Hw),
        ("nchw", GatePool::Nchw),
        ("none", GatePool::None),
        ("const", GatePool::Const),
    ] {
        assert_eq!(serde_json::from_value::<GatePool>(Value::from(name)).unwrap(), pool);
    }
    assert_eq!(serde_json::from_value::<GateApply>(Value::from("gradient")).unwrap(), GateApply::Gradient);
}
