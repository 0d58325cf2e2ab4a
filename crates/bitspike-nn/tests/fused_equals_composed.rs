//! Every operation on the device under test against its composed body on Flex: values and gradients, over odd shapes,
//! options and memory orders. On Flex itself these are the fused kernels.
#![cfg(feature = "flex")]

mod common;

use bitspike_nn::ops::conv::{ConvParams, Precision, WeightKind, WeightScale, conv};
use bitspike_nn::ops::gate::{GateApply, GateFunction, GateParams, GatePool, gate, scale_steps};
use bitspike_nn::ops::neuron::{NeuronParams, Reset, neuron};
use bitspike_nn::ops::norm::{affine, batch_norm};
use bitspike_nn::ops::pool::{avg_pool, global_avg_pool, max_pool};
use bitspike_nn::ops::surrogate::Surrogate;
use burn::tensor::{Device, Tensor};
use common::*;
use proptest::prelude::*;

const TOLERANCE: f32 = 2e-5;

/// Runs it on the device and by the composed body, and compares; names that start with `=` must be equal. `floor` as in [`check_close`].
fn compare(floor: f32, run: impl Fn(&Device) -> Results) -> Result<(), TestCaseError> {
    let (found, composed) = (run(&device()), reference(&run));
    prop_assert_eq!(found.len(), composed.len());
    for ((name, a), (_, b)) in found.iter().zip(&composed) {
        let result = match name.strip_prefix('=') {
            Some(name) => check_close(name, a, b, 0.0, 0.0),
            None => check_close(name, a, b, TOLERANCE, floor),
        };
        result.map_err(TestCaseError::fail)?;
    }
    Ok(())
}

/// Σ y m: a loss whose gradient with respect to y is the random m.
fn loss<const D: usize>(y: Tensor<D>, seed: u64) -> Tensor<1> {
    let dims = y.dims();
    let m = Stream(seed).vec(dims.iter().product(), -1.0, 1.0);
    let m = tensor(&m, dims, &y.device());
    (y * m).sum()
}

fn memory() -> impl Strategy<Value = Memory> {
    prop_oneof![Just(Memory::ChannelsFirst), Just(Memory::ChannelsLast), Just(Memory::PartOfWiderRows)]
}

/// Sizes `[T, N, C, H, W]` around the widths of vectors and words.
fn dims() -> impl Strategy<Value = [usize; 5]> {
    let channels = prop_oneof![1usize..6, Just(8), Just(16), Just(17), Just(31), Just(33), Just(64)];
    (1usize..4, 1usize..4, channels, 1usize..8, 1usize..8).prop_map(|(t, n, c, h, w)| [t, n, c, h, w])
}

fn surrogate() -> impl Strategy<Value = Surrogate> {
    let kinds = [Surrogate::Triangle, Surrogate::Rectangle, Surrogate::Sigmoid, Surrogate::Atan];
    proptest::sample::select(kinds.to_vec())
}

fn weight_kind() -> impl Strategy<Value = WeightKind> {
    let kinds = [WeightKind::Real, WeightKind::Binary(WeightScale::None), WeightKind::Binary(WeightScale::MeanAbs)];
    proptest::sample::select(kinds.to_vec())
}

fn gate_params() -> impl Strategy<Value = GateParams> {
    let pools = [GatePool::Chw, GatePool::Hw, GatePool::Nchw, GatePool::None, GatePool::Const];
    let pool = proptest::sample::select(pools.to_vec());
    let apply = prop_oneof![Just(GateApply::Forward), Just(GateApply::Gradient)];
    let function = prop_oneof![Just(GateFunction::Sigmoid), Just(GateFunction::Hard)];
    let all = (pool, function, any::<bool>(), any::<bool>(), apply);
    all.prop_map(|(pool, function, alpha_inside, detach_gate, apply)| GateParams {
        pool,
        function,
        alpha_inside,
        detach_gate,
        apply,
    })
}

fn product(dims: &[usize]) -> usize {
    dims.iter().product()
}

proptest! {
    #[test]
    fn neuron_is_the_same(
        dims in dims(), memory in memory(), kind in surrogate(), seed: u64,
        (constant, hard, detach_reset) in any::<(bool, bool, bool)>(),
        (width, v_threshold, decay) in (0.5f32..3.0, 0.5f32..1.5, 0.0f32..=1.0),
    ) {
        let p = NeuronParams {
            steps: dims[0],
            v_threshold,
            reset: if hard { Reset::Hard } else { Reset::Soft },
            detach_reset,
            surrogate: kind,
            width,
        };
        let dims = if constant { [1, dims[1], dims[2], dims[3], dims[4]] } else { dims };
        let x = Stream(seed).vec(product(&dims), -1.0, 2.5);
        compare(1.0, |d| {
            let (leaf, x) = input(&x, dims, memory, d);
            let decay = tensor(&[decay], [1], d).require_grad();
            let s = neuron(x, decay.clone(), p);
            let grads = loss(s.clone(), seed ^ 1).backward();
            vec![("=spikes", host(s)), ("dx", grad(&leaf, &grads)), ("dλ", grad(&decay, &grads))]
        })?;
    }

    #[test]
    fn conv_is_the_same(
        dims in dims(), memory in memory(), weight in weight_kind(), seed: u64,
        (c_out, kernel) in (prop_oneof![1usize..5, Just(16usize), Just(19), Just(33)], 1usize..4),
        (stride, padding, levels) in (1usize..3, 0usize..2, prop_oneof![Just(0u64), Just(1), Just(4)]),
    ) {
        let [_, _, c_in, h, w] = dims;
        prop_assume!(h.min(w) + 2 * padding >= kernel);
        let p = ConvParams { stride, padding, weight, precision: Precision::Exact };
        let mut stream = Stream(seed);
        let x = match levels {
            0 => stream.vec(product(&dims), -1.0, 1.0),
            levels => stream.steps(product(&dims), levels),
        };
        let w = stream.vec(c_out * c_in * kernel * kernel, -1.5, 1.5);
        compare(0.0, |d| {
            let (leaf, x) = input(&x, dims, memory, d);
            let w = tensor(&w, [c_out, c_in, kernel, kernel], d).require_grad();
            let y = conv(x, w.clone(), p);
            let grads = loss(y.clone(), seed ^ 1).backward();
            // Integers: no rounding on either side.
            let exact = weight == WeightKind::Binary(WeightScale::None) && levels > 0;
            vec![(if exact { "=y" } else { "y" }, host(y)), ("dx", grad(&leaf, &grads)), ("dw", grad(&w, &grads))]
        })?;
    }

    #[test]
    fn batch_norm_is_the_same(dims in dims(), memory in memory(), seed: u64, offset in -2.0f32..2.0) {
        let c = dims[2];
        // Below, the variance is of the order of ε or the gradient cancels out.
        prop_assume!(product(&dims) / c >= 8);
        let mut stream = Stream(seed);
        let x = stream.vec(product(&dims), offset - 1.0, offset + 1.0);
        let (gamma, beta) = (stream.vec(c, 0.5, 1.5), stream.vec(c, -1.0, 1.0));
        compare(1.0, |d| {
            let (leaf, x) = input(&x, dims, memory, d);
            let (gamma, beta) = (tensor(&gamma, [c], d).require_grad(), tensor(&beta, [c], d).require_grad());
            let (y, mean, var) = batch_norm(x, gamma.clone(), beta.clone(), 1e-5);
            let grads = loss(y.clone(), seed ^ 1).backward();
            vec![
                ("y", host(y)), ("mean", host(mean)), ("var", host(var)),
                ("dx", grad(&leaf, &grads)), ("dγ", grad(&gamma, &grads)), ("dβ", grad(&beta, &grads)),
            ]
        })?;
    }

    #[test]
    fn affine_is_the_same(dims in dims(), memory in memory(), seed: u64) {
        let c = dims[2];
        let mut stream = Stream(seed);
        let (x, scale, shift) = (stream.vec(product(&dims), -1.0, 1.0), stream.vec(c, -2.0, 2.0), stream.vec(c, -1.0, 1.0));
        compare(1.0, |d| {
            let (leaf, x) = input(&x, dims, memory, d);
            let (scale, shift) = (tensor(&scale, [c], d).require_grad(), tensor(&shift, [c], d).require_grad());
            let y = affine(x, scale.clone(), shift.clone());
            let grads = loss(y.clone(), seed ^ 1).backward();
            vec![
                ("y", host(y)), ("dx", grad(&leaf, &grads)),
                ("dscale", grad(&scale, &grads)), ("dshift", grad(&shift, &grads)),
            ]
        })?;
    }

    #[test]
    fn gate_is_the_same(dims in dims(), memory in memory(), p in gate_params(), per_channel: bool, seed: u64) {
        let [t, _, c, _, _] = dims;
        let width = if per_channel { c } else { 1 };
        let mut stream = Stream(seed);
        let (x, alpha) = (stream.vec(product(&dims), -1.0, 1.5), stream.vec(t * width, 0.5, 2.0));
        compare(1.0, |d| {
            let (leaf, x) = input(&x, dims, memory, d);
            let alpha = tensor(&alpha, [t, width], d).require_grad();
            let (y, means) = gate(x, alpha.clone(), p);
            let shape: Vec<f32> = means.dims().iter().map(|d| *d as f32).collect();
            let grads = loss(y.clone(), seed ^ 1).backward();
            vec![
                ("y", host(y)), ("means", host(means)), ("=dims of the means", shape),
                ("dx", grad(&leaf, &grads)), ("dα", grad(&alpha, &grads)),
            ]
        })?;
    }

    #[test]
    fn steps_are_scaled_the_same(dims in dims(), memory in memory(), per_channel: bool, seed: u64) {
        let [t, _, c, _, _] = dims;
        let width = if per_channel { c } else { 1 };
        let mut stream = Stream(seed);
        let (x, factor) = (stream.vec(product(&dims), -1.0, 1.5), stream.vec(t * width, 0.5, 2.0));
        compare(0.0, |d| {
            let (_, x) = input(&x, dims, memory, d);
            let y = scale_steps(x.inner(), tensor(&factor, [t, width], &d.clone().inner()));
            vec![("=y", host(y))]
        })?;
    }

    #[test]
    fn pooling_is_the_same(dims in dims(), memory in memory(), k in 1usize..4, spikes: bool, seed: u64) {
        prop_assume!(dims[3].min(dims[4]) >= k);
        // Spikes have ties, of which the maximum takes the first.
        let x = match spikes {
            true => Stream(seed).steps(product(&dims), 1),
            false => Stream(seed).vec(product(&dims), -1.0, 1.0),
        };
        compare(0.0, |d| {
            let (leaf, x) = input(&x, dims, memory, d);
            let (a, b, c) = (avg_pool(x.clone(), k), max_pool(x.clone(), k), global_avg_pool(x));
            let all = loss(a.clone(), seed ^ 1) + loss(b.clone(), seed ^ 2) + loss(c.clone(), seed ^ 3);
            let grads = all.backward();
            vec![("average", host(a)), ("=maximum", host(b)), ("global", host(c)), ("dx", grad(&leaf, &grads))]
        })?;
    }
}

/// What the kernels of Flex do not take still works: it runs the composed body. Always on Flex.
#[test]
fn parameters_outside_the_range_of_the_kernels_fall_back() {
    let p = NeuronParams {
        steps: 2,
        v_threshold: 1.0,
        reset: Reset::Soft,
        detach_reset: true,
        surrogate: Surrogate::Triangle,
        width: 1.0,
    };
    let run = |decay: f32, d: &Device| {
        let (leaf, x) = input(&[0.75, 2.0, 0.75, 0.5], [2, 1, 2, 1, 1], Memory::ChannelsFirst, d);
        let s = neuron(x, tensor(&[decay], [1], d), p);
        let grads = s.clone().sum().backward();
        (host(s), grad(&leaf, &grads))
    };
    assert_eq!(run(1.5, &flex()), reference(|d| run(1.5, d)));
    // A λ that has become NaN shows in the gradient, it does not stop the program.
    assert!(run(f32::NAN, &flex()).1.iter().any(|g| g.is_nan()));

    let large = |k, d: &Device| {
        let (_, x) = input(&Stream(1).vec(17 * 17, -1.0, 1.0), [1, 1, 1, 17, 17], Memory::ChannelsFirst, d);
        host(max_pool(x, k))
    };
    assert_eq!(large(16, &flex()), reference(|d| large(16, d)));
}
