//! Prints how fast the elementwise kernels run: million elements of the `[T, N, H, W, C]` activation per second.
//!
//! ```text
//! cargo run --release -p bitspike-kernels --example elementwise_rates [-- FILTER]
//! ```
//!
//! Every kernel is run on one thread and on all. The best of many runs is shown; `GB/s` counts the bytes that must be
//! read and written once each.
#![allow(clippy::print_stdout)]

use bitspike_kernels::block::{self, BlockParams, BlockShape, OutputGradients, Outputs, Weights};
use bitspike_kernels::gate::{self, GateParams, GateShape, Pool};
use bitspike_kernels::neuron::{self, NeuronParams, Reset, Surrogate, SurrogateKind};
use bitspike_kernels::norm;
use bitspike_kernels::pool::{self, PoolShape};
use bitspike_kernels::{dispatch, layout};
use std::time::{Duration, Instant};

const T: usize = 4;

/// Samples, pixels of a side, channels.
const SIZES: [(usize, usize, usize); 4] = [(32, 32, 64), (32, 16, 128), (32, 8, 256), (32, 4, 512)];

struct Bench {
    filter: String,
    pools: Vec<(usize, rayon::ThreadPool)>,
}

impl Bench {
    /// `floats`: how many floats per element must at least move between memory and processor.
    fn run(&self, name: &str, elements: usize, floats: f64, mut f: impl FnMut() + Send) {
        if !name.contains(&self.filter) {
            return;
        }
        print!("  {name:<34}");
        for (_, pool) in &self.pools {
            let best = pool.install(|| {
                let (start, mut best) = (Instant::now(), Duration::MAX);
                let mut runs = 0;
                while runs < 3 || start.elapsed() < Duration::from_millis(400) {
                    let once = Instant::now();
                    f();
                    best = best.min(once.elapsed());
                    runs += 1;
                }
                best
            });
            let rate = elements as f64 / best.as_secs_f64();
            print!("{:>10.0} {:>7.1}", rate / 1e6, rate * floats * 4.0 / 1e9);
        }
        println!();
    }
}

/// Numbers between -1 and 1.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if all > 1 { vec![1, all] } else { vec![1] };
    let pool = |n: &usize| (*n, rayon::ThreadPoolBuilder::new().num_threads(*n).build().expect("threads"));
    let bench =
        Bench { filter: std::env::args().nth(1).unwrap_or_default(), pools: threads.iter().map(pool).collect() };
    println!("kernel path {}, T = {T}; columns per thread count {threads:?}: Melem/s, GB/s", dispatch::selected());
    for (n, side, c) in SIZES {
        let hw = side * side;
        let len = T * n * hw * c;
        println!("N {n}, {side}x{side}, C {c}: {len} elements, {} MB", len * 4 / 1_000_000);
        let x: Vec<f32> = noise(len, 1).iter().map(|v| v * 2.0).collect();
        let g = noise(len, 2);
        let (mut y, mut z) = (vec![0.0; len], vec![0.0; len]);
        neurons(&bench, &x, &g, &mut y, &mut z);
        norms(&bench, &x, &g, c, &mut y);
        gates(&bench, &x, &g, &GateShape { t: T, n, hw, c }, &mut y);
        pools(&bench, &x, &PoolShape { n: T * n, h: side, w: side, c, k: 2, stride: 2 }, &mut y, &mut z);
        blocks(&bench, &x, &g, &BlockShape { t: T, n, h: side, w: side, c }, &mut y, &mut z);
        bench.run("layout nchw -> nhwc", len, 2.0, || layout::nchw_to_nhwc(&x, T * n, c, hw, &mut y).unwrap());
        bench.run("layout nhwc -> nchw", len, 2.0, || layout::nhwc_to_nchw(&x, T * n, c, hw, &mut y).unwrap());
        bench.run("(copy)", len, 2.0, || y.copy_from_slice(&x));
    }
}

fn neurons(bench: &Bench, x: &[f32], g: &[f32], y: &mut [f32], u: &mut [f32]) {
    let (p, m) = (NeuronParams::default(), x.len() / T);
    bench.run("neuron forward, not saved", x.len(), 2.0, || neuron::forward(&p, x, T, y, None).unwrap());
    bench.run("neuron forward", x.len(), 3.0, || neuron::forward(&p, x, T, y, Some(u)).unwrap());
    bench.run("neuron forward broadcast", x.len(), 2.25, || {
        neuron::forward_broadcast(&p, &x[..m], T, y, Some(u)).unwrap();
    });
    neuron::forward(&p, x, T, y, Some(u)).unwrap();
    let u = &*u;
    for kind in [SurrogateKind::Triangle, SurrogateKind::Rectangle, SurrogateKind::Sigmoid, SurrogateKind::Atan] {
        let p = NeuronParams { surrogate: Surrogate::new(kind), ..p };
        bench.run(&format!("neuron backward {kind:?}"), x.len(), 3.0, || {
            neuron::backward(&p, u, g, T, y, false).unwrap();
        });
    }
    let hard = NeuronParams { reset: Reset::Hard, detach_reset: false, ..p };
    bench.run("neuron backward hard, full", x.len(), 3.0, || {
        neuron::backward(&hard, u, g, T, y, false).unwrap();
    });
    bench.run("neuron backward and decay", x.len(), 3.0, || {
        neuron::backward(&p, u, g, T, y, true).unwrap();
    });
    bench.run("neuron backward broadcast", x.len(), 2.25, || {
        neuron::backward_broadcast(&p, u, g, T, &mut y[..m], false).unwrap();
    });
    bench.run("neuron count_spikes", x.len(), 1.0, || {
        std::hint::black_box(neuron::count_spikes(x));
    });
}

fn norms(bench: &Bench, x: &[f32], g: &[f32], c: usize, y: &mut [f32]) {
    let (one, zero) = (vec![1.0; c], vec![0.0; c]);
    let (mut a, mut b) = (vec![0.0; c], vec![0.0; c]);
    bench.run("norm statistics", x.len(), 1.0, || {
        std::hint::black_box(norm::statistics(x, c).unwrap());
    });
    bench.run("norm forward", x.len(), 2.0, || norm::forward(x, c, &zero, &one, &one, &zero, 1e-5, y).unwrap());
    bench.run("norm backward", x.len(), 5.0, || {
        norm::backward(x, g, c, &zero, &one, &one, 1e-5, y, &mut a, &mut b).unwrap();
    });
    bench.run("norm affine", x.len(), 2.0, || norm::affine(x, c, &one, &zero, y).unwrap());
    bench.run("norm affine backward", x.len(), 4.0, || {
        norm::affine_backward(x, g, c, &one, y, &mut a, &mut b).unwrap();
    });
}

fn gates(bench: &Bench, x: &[f32], g: &[f32], shape: &GateShape, y: &mut [f32]) {
    let (alpha, mut dalpha) = ([1.0; T], [0.0; T]);
    for pool in [Pool::Chw, Pool::Hw, Pool::Nchw, Pool::None, Pool::Const] {
        let p = GateParams { pool, ..GateParams::default() };
        let mut means = vec![0.0; shape.means_len(pool)];
        let floats = if pool == Pool::Nchw { [3.0, 4.0] } else { [2.0, 3.0] };
        bench.run(&format!("gate {pool:?} forward"), x.len(), floats[0], || {
            gate::forward(&p, shape, x, &alpha, y, &mut means).unwrap();
        });
        bench.run(&format!("gate {pool:?} backward"), x.len(), floats[1], || {
            gate::backward(&p, shape, x, &means, &alpha, g, y, &mut dalpha).unwrap();
        });
    }
}

fn pools(bench: &Bench, x: &[f32], s: &PoolShape, y: &mut [f32], z: &mut [f32]) {
    let pooled = x.len() / 4;
    let mut argmax = vec![0; pooled];
    bench.run("pool average 2x2 forward", x.len(), 1.25, || pool::avg_forward(s, x, &mut y[..pooled]).unwrap());
    bench.run("pool average 2x2 backward", x.len(), 1.25, || pool::avg_backward(s, &y[..pooled], z).unwrap());
    bench.run("pool maximum 2x2 forward", x.len(), 1.3125, || {
        pool::max_forward(s, x, &mut y[..pooled], &mut argmax).unwrap();
    });
    bench.run("pool maximum 2x2 backward", x.len(), 1.3125, || {
        pool::max_backward(s, &argmax, &y[..pooled], z).unwrap();
    });
    let (hw, c) = (s.h * s.w, s.c);
    bench.run("pool global average forward", x.len(), 1.0, || {
        pool::global_avg_forward(x, s.n, hw, c, &mut y[..s.n * c]).unwrap();
    });
    bench.run("pool global average backward", x.len(), 1.0, || {
        pool::global_avg_backward(&y[..s.n * c], s.n, hw, c, z).unwrap();
    });
}

/// Batch norm, gate and neuron, forward and backward: in one pass, and kernel after kernel.
fn blocks(bench: &Bench, x: &[f32], g: &[f32], s: &BlockShape, y: &mut [f32], z: &mut [f32]) {
    let (gamma, beta, alpha, len) = (vec![1.0; s.c], vec![0.0; s.c], [1.0; T], x.len());
    let weights = Weights { gamma: &gamma, beta: &beta, alpha: &alpha };
    let (gate_params, np) = (GateParams::default(), NeuronParams::default());
    for pool in [false, true] {
        let p = BlockParams { eps: 1e-5, pool, gate: Some(gate_params), neuron: Some(np) };
        let out = if pool { len / 4 } else { len };
        let word = if pool { " pooled" } else { "" };
        bench.run(&format!("block forward{word}"), len, if pool { 2.25 } else { 3.0 }, || {
            let outputs = Outputs { spikes: Some(&mut y[..out]), ..Outputs::default() };
            block::forward(&p, s, &weights, x, None, outputs).unwrap();
        });
        let outputs = Outputs { spikes: Some(&mut y[..out]), ..Outputs::default() };
        let state = block::forward(&p, s, &weights, x, None, outputs).unwrap();
        bench.run(&format!("block backward{word}"), len, if pool { 3.75 } else { 6.0 }, || {
            let gradients = OutputGradients { spikes: Some(&g[..out]), current: None };
            block::backward(&p, s, &weights, &state, x, None, gradients, z, None, false).unwrap();
        });
    }
    let shape = GateShape { t: s.t, n: s.n, hw: s.h * s.w, c: s.c };
    let (mut u, mut means) = (vec![0.0; len], vec![0.0; T * s.n]);
    bench.run("block forward, kernel by kernel", len, 8.0, || {
        let (mean, var) = norm::statistics(x, s.c).unwrap();
        norm::forward(x, s.c, &mean, &var, &gamma, &beta, 1e-5, y).unwrap();
        gate::forward(&gate_params, &shape, y, &alpha, z, &mut means).unwrap();
        neuron::forward(&np, z, T, y, Some(&mut u)).unwrap();
    });
    let (mut dalpha, mut dgamma, mut dbeta) = ([0.0; T], vec![0.0; s.c], vec![0.0; s.c]);
    bench.run("block backward, kernel by kernel", len, 11.0, || {
        neuron::backward(&np, &u, g, T, y, false).unwrap();
        gate::backward(&gate_params, &shape, x, &means, &alpha, y, z, &mut dalpha).unwrap();
        norm::backward(x, z, s.c, &beta, &gamma, &gamma, 1e-5, y, &mut dgamma, &mut dbeta).unwrap();
    });
}
