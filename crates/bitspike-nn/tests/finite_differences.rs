//! Gradients of the smooth operations against central differences of their formulas, written out in `f64`.
//!
//! The formulas here share no code with the library. Where a gradient is by definition not the derivative of the value (the
//! surrogate of the spike, a detached mean), the formula is the one whose derivative it is.

mod common;

use bitspike_nn::ops::conv::{ConvParams, Precision, WeightKind, conv};
use bitspike_nn::ops::gate::{GateApply, GateFunction, GateParams, GatePool, gate};
use bitspike_nn::ops::neuron::{NeuronParams, Reset, neuron};
use bitspike_nn::ops::norm::{affine, batch_norm};
use bitspike_nn::ops::surrogate::Surrogate;
use burn::tensor::{Gradients, Tensor};
use common::*;

/// Sizes `[T, N, C, H, W]`, all different.
const DIMS: [usize; 5] = [2, 3, 4, 3, 5];
const LEN: usize = 2 * 3 * 4 * 3 * 5;
const TOLERANCE: f32 = 1e-4;

/// dL/dv by central differences.
fn differences(v: &[f32], loss: impl Fn(&[f64]) -> f64) -> Vec<f32> {
    const STEP: f64 = 1e-5;
    let mut v: Vec<f64> = v.iter().map(|v| f64::from(*v)).collect();
    (0..v.len())
        .map(|i| {
            let at = v[i];
            v[i] = at + STEP;
            let above = loss(&v);
            v[i] = at - STEP;
            let below = loss(&v);
            v[i] = at;
            ((above - below) / (2.0 * STEP)) as f32
        })
        .collect()
}

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|v| f64::from(*v)).collect()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn weighted_sum(y: &[f64], m: &[f32]) -> f64 {
    y.iter().zip(m).map(|(y, m)| y * f64::from(*m)).sum()
}

/// `[T, N, C, H, W]` index of element `i`, as (step, sample, channel).
fn place(i: usize) -> (usize, usize, usize) {
    let [_, n, c, h, w] = DIMS;
    (i / (n * c * h * w), i / (c * h * w) % n, i / (h * w) % c)
}

/// Gradients of Σ y m.
fn backward(y: Tensor<5>, m: &[f32]) -> Gradients {
    let dims = y.dims();
    (y * tensor(m, dims, &device())).sum().backward()
}

/// Fails with all differences at once.
fn expect_close(case: &str, rows: &[(&str, Vec<f32>, Vec<f32>)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(name, found, expected)| check_close(name, found, expected, TOLERANCE, 1e-3).err())
        .collect();
    assert!(wrong.is_empty(), "{case}: {wrong:#?}");
}

#[test]
fn normalisation() {
    let mut stream = Stream(1);
    let (x, m) = (stream.vec(LEN, -1.0, 2.0), stream.vec(LEN, -1.0, 1.0));
    let (gamma, beta) = (stream.vec(DIMS[2], 0.5, 2.0), stream.vec(DIMS[2], -1.0, 1.0));
    const EPSILON: f64 = 1e-2; // large enough to be seen
    let value = |x: &[f64], gamma: &[f64], beta: &[f64]| -> f64 {
        let of = |c: usize| (0..LEN).filter(move |i| place(*i).2 == c);
        let moments: Vec<(f64, f64)> = (0..DIMS[2])
            .map(|c| {
                let count = of(c).count() as f64;
                let mean = of(c).map(|i| x[i]).sum::<f64>() / count;
                (mean, of(c).map(|i| (x[i] - mean).powi(2)).sum::<f64>() / count)
            })
            .collect();
        let y: Vec<f64> = (0..LEN)
            .map(|i| {
                let c = place(i).2;
                gamma[c] * (x[i] - moments[c].0) / (moments[c].1 + EPSILON).sqrt() + beta[c]
            })
            .collect();
        weighted_sum(&y, &m)
    };
    let (leaf, view) = input(&x, DIMS, Memory::ChannelsFirst, &device());
    let g = tensor(&gamma, [DIMS[2]], &device()).require_grad();
    let b = tensor(&beta, [DIMS[2]], &device()).require_grad();
    let grads = backward(batch_norm(view, g.clone(), b.clone(), EPSILON as f32).0, &m);
    let (wx, wg, wb) = (wide(&x), wide(&gamma), wide(&beta));
    expect_close(
        "batch norm",
        &[
            ("dx", grad(&leaf, &grads), differences(&x, |x| value(x, &wg, &wb))),
            ("dγ", grad(&g, &grads), differences(&gamma, |g| value(&wx, g, &wb))),
            ("dβ", grad(&b, &grads), differences(&beta, |b| value(&wx, &wg, b))),
        ],
    );
}

#[test]
fn affine_map() {
    let mut stream = Stream(2);
    let (x, m) = (stream.vec(LEN, -1.0, 2.0), stream.vec(LEN, -1.0, 1.0));
    let (scale, shift) = (stream.vec(DIMS[2], -2.0, 2.0), stream.vec(DIMS[2], -1.0, 1.0));
    let value = |x: &[f64], scale: &[f64], shift: &[f64]| -> f64 {
        let y: Vec<f64> = (0..LEN).map(|i| scale[place(i).2] * x[i] + shift[place(i).2]).collect();
        weighted_sum(&y, &m)
    };
    let (leaf, view) = input(&x, DIMS, Memory::ChannelsFirst, &device());
    let a = tensor(&scale, [DIMS[2]], &device()).require_grad();
    let b = tensor(&shift, [DIMS[2]], &device()).require_grad();
    let grads = backward(affine(view, a.clone(), b.clone()), &m);
    let (wx, wa, wb) = (wide(&x), wide(&scale), wide(&shift));
    expect_close(
        "affine",
        &[
            ("dx", grad(&leaf, &grads), differences(&x, |x| value(x, &wa, &wb))),
            ("dscale", grad(&a, &grads), differences(&scale, |a| value(&wx, a, &wb))),
            ("dshift", grad(&b, &grads), differences(&shift, |b| value(&wx, &wa, b))),
        ],
    );
}

#[test]
fn convolution() {
    let [t, n, c, h, w] = DIMS;
    for (stride, padding, kernel) in [(1, 1, 3), (2, 1, 3), (1, 0, 1), (2, 0, 2)] {
        let c_out = 3;
        let (oh, ow) = ((h + 2 * padding - kernel) / stride + 1, (w + 2 * padding - kernel) / stride + 1);
        let mut stream = Stream(3);
        let (x, weight) = (stream.vec(LEN, -1.0, 2.0), stream.vec(c_out * c * kernel * kernel, -1.0, 1.0));
        let m = stream.vec(t * n * c_out * oh * ow, -1.0, 1.0);
        let value = |x: &[f64], weight: &[f64]| -> f64 {
            let mut sum = 0.0;
            for (i, m) in m.iter().enumerate() {
                let (map, co, oy, ox) = (i / (c_out * oh * ow), i / (oh * ow) % c_out, i / ow % oh, i % ow);
                for (k, weight) in weight.chunks(c * kernel * kernel).nth(co).unwrap().iter().enumerate() {
                    let (ci, ky, kx) = (k / (kernel * kernel), k / kernel % kernel, k % kernel);
                    let (y, at) = (oy * stride + ky, ox * stride + kx);
                    if (padding..padding + h).contains(&y) && (padding..padding + w).contains(&at) {
                        sum += f64::from(*m) * weight * x[((map * c + ci) * h + y - padding) * w + at - padding];
                    }
                }
            }
            sum
        };
        let (leaf, view) = input(&x, DIMS, Memory::ChannelsFirst, &device());
        let k = tensor(&weight, [c_out, c, kernel, kernel], &device()).require_grad();
        let p = ConvParams { stride, padding, weight: WeightKind::Real, precision: Precision::Exact };
        let grads = backward(conv(view, k.clone(), p), &m);
        let (wx, wk) = (wide(&x), wide(&weight));
        expect_close(
            &format!("stride {stride}, padding {padding}, kernel {kernel}"),
            &[
                ("dx", grad(&leaf, &grads), differences(&x, |x| value(x, &wk))),
                ("dw", grad(&k, &grads), differences(&weight, |k| value(&wx, k))),
            ],
        );
    }
}

/// The means of the gate for every element.
fn pooled(pool: GatePool, x: &[f64]) -> Vec<f64> {
    let key = |i: usize| {
        let (t, n, c) = place(i);
        match pool {
            GatePool::Chw => (t, n, 0),
            GatePool::Hw => (t, n, c),
            GatePool::Nchw => (t, 0, 0),
            GatePool::None | GatePool::Const => (i, 0, 0),
        }
    };
    let mut sums = std::collections::HashMap::new();
    for (i, x) in x.iter().enumerate() {
        let entry = sums.entry(key(i)).or_insert((0.0, 0.0));
        *entry = (entry.0 + x, entry.1 + 1.0);
    }
    let mean = |i| if pool == GatePool::Const { 0.0 } else { sums[&key(i)].0 / sums[&key(i)].1 };
    (0..x.len()).map(mean).collect()
}

#[test]
fn gate_in_every_variant() {
    let mut stream = Stream(4);
    let (x, m) = (stream.vec(LEN, -1.0, 2.0), stream.vec(LEN, -1.0, 1.0));
    let pools = [GatePool::Chw, GatePool::Hw, GatePool::Nchw, GatePool::None, GatePool::Const];
    for case in 0..5 * 32 {
        let flag = |bit: usize| (case / 5) >> bit & 1 == 1;
        let p = GateParams {
            pool: pools[case % 5],
            function: if flag(4) { GateFunction::Hard } else { GateFunction::Sigmoid },
            alpha_inside: flag(0),
            detach_gate: flag(1),
            apply: if flag(2) { GateApply::Gradient } else { GateApply::Forward },
        };
        let width = if flag(3) { DIMS[2] } else { 1 };
        let alpha = stream.vec(DIMS[0] * width, 0.5, 2.0);
        // What the gradient is the derivative of: with a detached gate, and with apply = gradient, the gate is a constant.
        let frozen = pooled(p.pool, &wide(&x));
        let constant = p.detach_gate || p.apply == GateApply::Gradient;
        let value = |x: &[f64], alpha: &[f64]| -> f64 {
            let means = if constant { frozen.clone() } else { pooled(p.pool, x) };
            let y: Vec<f64> = (0..LEN)
                .map(|i| {
                    let (t, _, c) = place(i);
                    let a = alpha[t * width + c % width];
                    let function = |x: f64| if flag(4) { (x / 4.0 + 0.5).clamp(0.0, 1.0) } else { sigmoid(x) };
                    x[i] * if p.alpha_inside { function(a * means[i]) } else { a * function(means[i]) }
                })
                .collect();
            weighted_sum(&y, &m)
        };
        let (leaf, view) = input(&x, DIMS, Memory::ChannelsFirst, &device());
        let a = tensor(&alpha, [DIMS[0], width], &device()).require_grad();
        let grads = backward(gate(view, a.clone(), p).0, &m);
        let (wx, wa) = (wide(&x), wide(&alpha));
        let d_alpha = match p.apply {
            GateApply::Gradient => vec![0.0; alpha.len()],
            GateApply::Forward => differences(&alpha, |a| value(&wx, a)),
        };
        expect_close(
            &format!("{p:?}, {width} α per step"),
            &[("dx", grad(&leaf, &grads), differences(&x, |x| value(x, &wa))), ("dα", grad(&a, &grads), d_alpha)],
        );
    }
}

/// The spike is a step; its surrogate k σ(kv)(1 − σ(kv)) is the derivative of σ(kv). So the gradient is that of a neuron
/// whose spikes keep their values at the point of evaluation and move with σ(kv) around it, in the reset too unless it is
/// detached.
#[test]
fn neuron_and_its_learned_decay() {
    const STEPS: usize = 4;
    const NEURONS: usize = 12;
    const K: f64 = 4.0;
    const THRESHOLD: f64 = 0.8;
    for case in 0..8 {
        let (hard, detach_reset, constant) = (case & 1 == 1, case & 2 == 2, case & 4 == 4);
        let mut stream = Stream(5);
        let rows = if constant { 1 } else { STEPS };
        let x = stream.vec(rows * NEURONS, -0.5, 2.0);
        let m = stream.vec(STEPS * NEURONS, -1.0, 1.0);
        let decay = 0.6f32;
        // Potentials and spikes; `around` are those of the point of evaluation.
        let run = |x: &[f64], decay: f64, around: Option<&[(f64, f64)]>| -> Vec<(f64, f64)> {
            let mut all: Vec<(f64, f64)> = Vec::new();
            for t in 0..STEPS {
                for i in 0..NEURONS {
                    let current = x[if constant { i } else { t * NEURONS + i }];
                    let carried = if t == 0 {
                        0.0
                    } else {
                        let at = (t - 1) * NEURONS + i;
                        let (u, s) =
                            (all[at].0, if detach_reset { around.map_or(all[at].1, |a| a[at].1) } else { all[at].1 });
                        if hard { u * (1.0 - s) } else { u - THRESHOLD * s }
                    };
                    let u = decay * carried + current;
                    let s = match around {
                        None => f64::from(u8::from(u >= THRESHOLD)),
                        Some(around) => {
                            let (u0, s0) = around[t * NEURONS + i];
                            s0 + sigmoid(K * (u - THRESHOLD)) - sigmoid(K * (u0 - THRESHOLD))
                        }
                    };
                    all.push((u, s));
                }
            }
            all
        };
        let here = run(&wide(&x), f64::from(decay), None);
        let fired: f64 = here.iter().map(|(_, s)| s).sum();
        assert!(fired > 0.0 && fired < here.len() as f64, "the reset takes part: {fired} spikes");
        let value = |x: &[f64], decay: f64| -> f64 {
            let spikes: Vec<f64> = run(x, decay, Some(&here)).into_iter().map(|(_, s)| s).collect();
            weighted_sum(&spikes, &m)
        };
        let p = NeuronParams {
            steps: STEPS,
            v_threshold: THRESHOLD as f32,
            reset: if hard { Reset::Hard } else { Reset::Soft },
            detach_reset,
            surrogate: Surrogate::Sigmoid,
            width: K as f32,
        };
        let (leaf, view) = input(&x, [rows, 1, NEURONS, 1, 1], Memory::ChannelsFirst, &device());
        let d = tensor(&[decay], [1], &device()).require_grad();
        let grads = backward(neuron(view, d.clone(), p), &m);
        let wx = wide(&x);
        expect_close(
            &format!("hard {hard}, detach_reset {detach_reset}, constant input {constant}"),
            &[
                ("dx", grad(&leaf, &grads), differences(&x, |x| value(x, f64::from(decay)))),
                ("dλ", grad(&d, &grads), differences(&[decay], |d| value(&wx, d[0]))),
            ],
        );
    }
}
