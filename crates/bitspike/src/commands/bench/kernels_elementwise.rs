//! The kernels between the convolutions: neuron, batch norm, gate, pooling, memory order, and all of a block in one pass.
//!
//! They run on the selected path only. Their rate is in bytes: the floats that must be read or written once each.

use super::kernels::{Runner, Work, noise};
use crate::error::CliError;
use bitspike_kernels::block::{self, BlockParams, BlockShape, OutputGradients, Outputs, Weights};
use bitspike_kernels::dispatch::selected;
use bitspike_kernels::gate::{self, GateParams, GateShape, Pool};
use bitspike_kernels::layout;
use bitspike_kernels::neuron::{self, NeuronParams, Reset, Surrogate, SurrogateKind};
use bitspike_kernels::norm;
use bitspike_kernels::pool::{self, PoolShape};
use std::cell::LazyCell;
use std::hint::black_box;

/// Time steps.
const T: usize = 4;
/// Pixels of a side and channels.
const SIZES: [(usize, usize); 4] = [(32, 64), (16, 128), (8, 256), (4, 512)];
const FITS: &str = "all lengths come from one shape";

/// A shape with its data: input and gradient, made when first used, and two outputs.
struct Bench<'r, 'a, X, G> {
    runner: &'r mut Runner<'a>,
    shape: String,
    len: usize,
    x: LazyCell<Vec<f32>, X>,
    g: LazyCell<Vec<f32>, G>,
    y: Vec<f32>,
    z: Vec<f32>,
}

pub fn run(runner: &mut Runner<'_>, images: usize) -> Result<(), CliError> {
    let n = (images / T).max(1);
    for (side, c) in SIZES {
        let hw = side * side;
        let len = T * n * hw * c;
        let mut bench = Bench {
            shape: format!("{c} {side}x{side} n{}", T * n),
            runner: &mut *runner,
            len,
            x: LazyCell::new(move || noise(len, 1).iter().map(|v| v * 2.0).collect()),
            g: LazyCell::new(move || noise(len, 2)),
            y: vec![0.0; len],
            z: vec![0.0; len],
        };
        bench.neurons()?;
        bench.norms(c)?;
        bench.gates(&GateShape { t: T, n, hw, c })?;
        bench.pools(&PoolShape { n: T * n, h: side, w: side, c, k: 2, stride: 2 })?;
        bench.blocks(&BlockShape { t: T, n, h: side, w: side, c })?;
        bench.layouts(T * n, c, hw)?;
    }
    Ok(())
}

/// Runs one kernel of a [`Bench`]; `$floats` is how many floats per element must at least move.
macro_rules! time {
    ($bench:ident, $name:expr, $floats:expr, $f:expr) => {
        $bench.runner.run($name, &$bench.shape, selected(), Work::Bytes(4.0 * $floats * $bench.len as f64), $f)?
    };
}

impl<X: FnOnce() -> Vec<f32>, G: FnOnce() -> Vec<f32>> Bench<'_, '_, X, G> {
    fn neurons(&mut self) -> Result<(), CliError> {
        let Self { len, x, g, y, z, .. } = self;
        let (p, m, len) = (NeuronParams::default(), *len / T, *len);
        time!(self, "neuron.fwd.unsaved", 2.0, || neuron::forward(&p, x, T, y, None).expect(FITS));
        time!(self, "neuron.fwd", 3.0, || neuron::forward(&p, x, T, y, Some(z)).expect(FITS));
        time!(self, "neuron.fwd.broadcast", 2.25, || {
            neuron::forward_broadcast(&p, &x[..m], T, y, Some(z)).expect(FITS);
        });
        let u = LazyCell::new(|| {
            let (mut spikes, mut u) = (vec![0.0; len], vec![0.0; len]);
            neuron::forward(&p, x, T, &mut spikes, Some(&mut u)).expect(FITS);
            u
        });
        let surrogates = [
            ("neuron.bwd.triangle", SurrogateKind::Triangle),
            ("neuron.bwd.rectangle", SurrogateKind::Rectangle),
            ("neuron.bwd.sigmoid", SurrogateKind::Sigmoid),
            ("neuron.bwd.atan", SurrogateKind::Atan),
        ];
        for (name, kind) in surrogates {
            let p = NeuronParams { surrogate: Surrogate::new(kind), ..p };
            time!(self, name, 3.0, || _ = neuron::backward(&p, &u, g, T, y, false).expect(FITS));
        }
        let hard = NeuronParams { reset: Reset::Hard, detach_reset: false, ..p };
        time!(self, "neuron.bwd.hard", 3.0, || _ = neuron::backward(&hard, &u, g, T, y, false).expect(FITS));
        time!(self, "neuron.bwd.decay", 3.0, || _ = neuron::backward(&p, &u, g, T, y, true).expect(FITS));
        time!(self, "neuron.bwd.broadcast", 1.5, || {
            neuron::backward_broadcast(&p, &x[..m], g, T, &mut y[..m], false).expect(FITS);
        });
        time!(self, "neuron.count", 1.0, || _ = black_box(neuron::count_spikes(x)));
        Ok(())
    }

    fn norms(&mut self, c: usize) -> Result<(), CliError> {
        let Self { x, g, y, .. } = self;
        let (one, zero) = (vec![1.0; c], vec![0.0; c]);
        let (mut a, mut b) = (vec![0.0; c], vec![0.0; c]);
        time!(self, "norm.stats", 1.0, || _ = black_box(norm::statistics(x, c).expect(FITS)));
        time!(self, "norm.fwd", 2.0, || norm::forward(x, c, &zero, &one, &one, &zero, 1e-5, y).expect(FITS));
        time!(self, "norm.bwd", 5.0, || {
            norm::backward(x, g, c, &zero, &one, &one, 1e-5, y, &mut a, &mut b).expect(FITS);
        });
        time!(self, "norm.affine.fwd", 2.0, || norm::affine(x, c, &one, &zero, y).expect(FITS));
        time!(self, "norm.affine.bwd", 4.0, || {
            norm::affine_backward(x, g, c, &one, y, &mut a, &mut b).expect(FITS);
        });
        Ok(())
    }

    fn gates(&mut self, shape: &GateShape) -> Result<(), CliError> {
        let Self { x, g, y, .. } = self;
        let (alpha, mut dalpha) = ([1.0; T], [0.0; T]);
        let pools =
            [("chw", Pool::Chw), ("hw", Pool::Hw), ("nchw", Pool::Nchw), ("none", Pool::None), ("const", Pool::Const)];
        for (name, pool) in pools {
            let p = GateParams { pool, ..GateParams::default() };
            let mut means = vec![0.0; shape.means_len(pool)];
            let [forward, backward] = if pool == Pool::Nchw { [3.0, 4.0] } else { [2.0, 3.0] };
            time!(self, &format!("gate.{name}.fwd"), forward, || {
                gate::forward(&p, shape, x, &alpha, y, &mut means).expect(FITS);
            });
            time!(self, &format!("gate.{name}.bwd"), backward, || {
                gate::backward(&p, shape, x, &means, &alpha, g, y, &mut dalpha).expect(FITS);
            });
        }
        Ok(())
    }

    fn pools(&mut self, s: &PoolShape) -> Result<(), CliError> {
        let Self { len, x, y, z, .. } = self;
        let pooled = *len / 4;
        let mut argmax = vec![0; pooled];
        time!(self, "pool.avg.fwd", 1.25, || pool::avg_forward(s, x, &mut y[..pooled]).expect(FITS));
        time!(self, "pool.avg.bwd", 1.25, || pool::avg_backward(s, &y[..pooled], z).expect(FITS));
        time!(self, "pool.max.fwd", 1.3125, || {
            pool::max_forward(s, x, &mut y[..pooled], &mut argmax).expect(FITS);
        });
        time!(self, "pool.max.bwd", 1.3125, || pool::max_backward(s, &argmax, &y[..pooled], z).expect(FITS));
        let (hw, c, n) = (s.h * s.w, s.c, s.n);
        time!(self, "pool.global.fwd", 1.0, || {
            pool::global_avg_forward(x, n, hw, c, &mut y[..n * c]).expect(FITS);
        });
        time!(self, "pool.global.bwd", 1.0, || {
            pool::global_avg_backward(&y[..n * c], n, hw, c, z).expect(FITS);
        });
        Ok(())
    }

    /// Batch norm, gate and neuron, forward and backward: in one pass, and kernel after kernel.
    fn blocks(&mut self, s: &BlockShape) -> Result<(), CliError> {
        let Self { len, x, g, y, z, .. } = self;
        let (gamma, beta, alpha, len) = (vec![1.0; s.c], vec![0.0; s.c], [1.0; T], *len);
        let weights = Weights { gamma: &gamma, beta: &beta, alpha: &alpha };
        let (gate_params, np) = (GateParams::default(), NeuronParams::default());
        for pool in [false, true] {
            let p = BlockParams { eps: 1e-5, pool, gate: Some(gate_params), neuron: Some(np) };
            let out = if pool { len / 4 } else { len };
            let forward = |spikes: &mut [f32]| {
                let outputs = Outputs { spikes: Some(spikes), ..Outputs::default() };
                block::forward(&p, s, &weights, &***x, None, outputs).expect(FITS)
            };
            let word = if pool { ".pooled" } else { "" };
            time!(self, &format!("block.fwd{word}"), if pool { 2.25 } else { 3.0 }, || _ = forward(&mut y[..out]));
            let state = LazyCell::new(|| forward(&mut vec![0.0; out]));
            time!(self, &format!("block.bwd{word}"), if pool { 3.75 } else { 6.0 }, || {
                let gradients = OutputGradients { spikes: Some(&g[..out]), current: None };
                block::backward(&p, s, &weights, &state, &***x, None, gradients, z, None, false).expect(FITS);
            });
        }
        let shape = GateShape { t: s.t, n: s.n, hw: s.h * s.w, c: s.c };
        let (mut u, mut means) = (vec![0.0; len], vec![0.0; T * s.n]);
        time!(self, "block.fwd.apart", 8.0, || {
            let (mean, var) = norm::statistics(x, s.c).expect(FITS);
            norm::forward(x, s.c, &mean, &var, &gamma, &beta, 1e-5, y).expect(FITS);
            gate::forward(&gate_params, &shape, y, &alpha, z, &mut means).expect(FITS);
            neuron::forward(&np, z, T, y, Some(&mut u)).expect(FITS);
        });
        let (mut dalpha, mut dgamma, mut dbeta) = ([0.0; T], vec![0.0; s.c], vec![0.0; s.c]);
        time!(self, "block.bwd.apart", 11.0, || {
            neuron::backward(&np, &u, g, T, y, false).expect(FITS);
            gate::backward(&gate_params, &shape, x, &means, &alpha, y, z, &mut dalpha).expect(FITS);
            norm::backward(x, z, s.c, &beta, &gamma, &gamma, 1e-5, y, &mut dgamma, &mut dbeta).expect(FITS);
        });
        Ok(())
    }

    fn layouts(&mut self, n: usize, c: usize, hw: usize) -> Result<(), CliError> {
        let Self { x, y, .. } = self;
        time!(self, "layout.to_nhwc", 2.0, || layout::nchw_to_nhwc(x, n, c, hw, y).expect(FITS));
        time!(self, "layout.to_nchw", 2.0, || layout::nhwc_to_nchw(x, n, c, hw, y).expect(FITS));
        Ok(())
    }
}
