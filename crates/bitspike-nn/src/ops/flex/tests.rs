//! Which memory an operation sees, and whether it was copied.

use super::*;
use crate::ops::conv::{ConvKernel, ConvParams, Precision, WeightKind, WeightScale};
use crate::ops::gate::{GateApply, GateKernel, GateParams, GatePool};
use crate::ops::neuron::{NeuronKernel, NeuronParams, Reset};
use crate::ops::norm::NormKernel;
use crate::ops::pool::{PoolKernel, PoolKind};
use crate::ops::surrogate::Surrogate;
use burn::backend::{Flex, TensorMetadata};
use burn_flex::FlexTensor;

const SIZES: Sizes = Sizes { t: 2, n: 3, c: 4, h: 5, w: 6 };

fn channels_first() -> FlexTensor {
    tensor((0..SIZES.len()).map(|i| i as f32).collect(), &[2, 3, 4, 5, 6])
}

/// The values of `x` `[T, N, C, H, W]` in channels-last order, element by element.
fn expected(x: &FlexTensor, s: Sizes) -> Vec<f32> {
    let first = x.to_contiguous();
    let first = contiguous(&first);
    let at = |map: usize, y: usize, x: usize, c: usize| first[((map * s.c + c) * s.h + y) * s.w + x];
    let mut values = Vec::new();
    for map in 0..s.t * s.n {
        for (y, x, c) in (0..s.h).flat_map(|y| (0..s.w).flat_map(move |x| (0..s.c).map(move |c| (y, x, c)))) {
            values.push(at(map, y, x, c));
        }
    }
    values
}

#[test]
fn every_memory_order_is_read_as_channels_last() {
    let first = channels_first();
    let wide = tensor((0..2 * 3 * 4 * 5 * 8).map(|i| i as f32).collect(), &[2, 3, 4, 5, 8]);
    let repeated =
        first.narrow(0, 0, 1).with_layout(Layout::new(vec![2, 3, 4, 5, 6].into(), vec![0, 120, 30, 6, 1], 0));
    let cases = [
        ("channels first", first.clone()),
        ("channels last", ChannelsLast::new(&first).unwrap().into_tensor()),
        ("part of wider rows", wide.narrow(4, 1, 6)),
        ("transposed maps", first.reshape(vec![2, 3, 4, 6, 5].into()).transpose(3, 4)),
        ("one step repeated", repeated),
    ];
    for (name, x) in cases {
        let last = ChannelsLast::new(&x).unwrap();
        assert_eq!(last.values(), expected(&x, SIZES), "{name}");
        let back = last.into_tensor();
        assert_eq!(back.layout().shape(), x.layout().shape(), "{name}");
        assert_eq!(contiguous(&back.to_contiguous()), contiguous(&x.to_contiguous()), "{name}");
    }
}

#[test]
fn channels_last_memory_is_not_copied() {
    let last = ChannelsLast::new(&channels_first()).unwrap();
    let address = last.values().as_ptr();
    let again = ChannelsLast::new(&last.into_tensor()).unwrap();
    assert_eq!(again.values().as_ptr(), address);
    // A step of it lies in the same memory, at an offset.
    let step = ChannelsLast::new(&again.clone().into_tensor().narrow(0, 1, 1)).unwrap();
    assert_eq!(step.values().as_ptr(), again.values()[SIZES.len() / 2..].as_ptr());
}

#[test]
fn what_the_kernels_do_not_take_is_refused() {
    let empty = tensor(Vec::new(), &[2, 0, 4, 5, 6]);
    assert!(ChannelsLast::new(&empty).is_none());
    let double =
        FlexTensor::new(Bytes::from_elems(vec![0.0f64; 4]), Layout::contiguous(vec![1, 1, 1, 2, 2].into()), DType::F64);
    assert!(ChannelsLast::new(&double).is_none());
    assert!(parameter(&double).is_none());
}

#[test]
fn the_composed_setting_holds_inside_and_ends_after_a_panic() {
    assert!(with_composed(|| !fused()));
    let before = fused();
    let result = std::panic::catch_unwind(|| with_composed(|| panic!("on purpose")));
    assert!(result.is_err());
    assert_eq!(fused(), before);
}

/// Fills the pool with buffers of NaN, so that an element that a kernel does not write shows.
fn poison(lengths: &[usize]) {
    for &len in lengths {
        let buffers: Vec<FlexTensor> = (0..4)
            .map(|_| {
                let mut buffer = Buffer::new(len);
                buffer.fill(f32::NAN);
                buffer.into_tensor(&[len])
            })
            .collect();
        drop(buffers);
    }
}

/// Odd maps, so that windows leave a rest; large enough for the pool.
const LARGE: [usize; 5] = [2, 3, 8, 23, 21];

/// Values that depend on the position only; about a third are at least 1.
fn large(dims: &[usize]) -> FlexTensor {
    let len: usize = dims.iter().product();
    tensor((0..len).map(|i| (i * 37 % 101) as f32 / 40.0 - 1.0).collect(), dims)
}

/// Other values: with those of the input the gradient of a batch norm would cancel out.
fn large_gradient(dims: &[usize]) -> FlexTensor {
    let len: usize = dims.iter().product();
    tensor((0..len).map(|i| (i * 29 % 53) as f32 / 20.0 - 1.0).collect(), dims)
}

/// The results of `run` with recycled buffers full of NaN, and with the composed bodies.
fn check_recycled(name: &str, lengths: &[usize], run: impl Fn() -> Vec<FlexTensor>) {
    let expected = with_composed(&run);
    poison(lengths);
    for (i, (found, expected)) in run().iter().zip(&expected).enumerate() {
        assert_eq!(found.shape(), expected.shape(), "{name}");
        let (found, expected) = (found.to_contiguous(), expected.to_contiguous());
        let (found, expected) = (contiguous(&found), contiguous(&expected));
        let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let wrong = found.iter().zip(expected).filter(|(a, b)| {
            let close = (*a - *b).abs() <= 1e-4 * largest;
            !close
        });
        assert_eq!(wrong.count(), 0, "{name}: result {i}");
    }
}

#[test]
fn every_element_of_a_recycled_buffer_is_written() {
    let [t, n, c, h, w] = LARGE;
    let len = t * n * c * h * w;
    let per_channel = |v: f32| tensor(vec![v; c], &[c]);
    for constant in [false, true] {
        let x = if constant { large(&LARGE).narrow(0, 0, 1) } else { large(&LARGE) };
        let p = NeuronParams {
            steps: t,
            v_threshold: 1.0,
            reset: Reset::Soft,
            detach_reset: true,
            surrogate: Surrogate::Triangle,
            width: 1.0,
        };
        check_recycled("neuron", &[len, len / t], || {
            let (s, state) = Flex::neuron_forward(x.clone(), tensor(vec![0.5], &[1]), p, true);
            vec![s, Flex::neuron_backward(state.unwrap(), large_gradient(&LARGE), true).0]
        });
    }
    check_recycled("norm", &[len], || {
        let ((y, ..), state) = Flex::norm_forward(large(&LARGE), per_channel(1.5), per_channel(0.5), 1e-5, true);
        vec![y, Flex::norm_backward(state.unwrap(), large_gradient(&LARGE)).0]
    });
    check_recycled("affine", &[len], || {
        let y = Flex::affine_forward(large(&LARGE), per_channel(1.5), per_channel(0.5));
        vec![y, Flex::affine_backward(large(&LARGE), per_channel(1.5), large_gradient(&LARGE)).0]
    });
    for pool in [GatePool::Chw, GatePool::Hw, GatePool::Nchw, GatePool::None, GatePool::Const] {
        for apply in [GateApply::Forward, GateApply::Gradient] {
            let p = GateParams { pool, apply, ..GateParams::default() };
            check_recycled("gate", &[len], || {
                let (y, _, state) = Flex::gate_forward(large(&LARGE), tensor(vec![1.5; t], &[t, 1]), p, true);
                vec![y, Flex::gate_backward(state.unwrap(), large_gradient(&LARGE)).0]
            });
        }
    }
    check_recycled("scale", &[len], || vec![Flex::scale_steps(large(&LARGE), tensor(vec![1.5; t], &[t, 1]))]);
    for (kind, k) in [(PoolKind::Average, 2), (PoolKind::Average, 5), (PoolKind::Max, 2), (PoolKind::Max, 5)] {
        check_recycled("pool", &[len, t * n * c * (h / k) * (w / k)], || {
            let (y, state) = Flex::pool_forward(large(&LARGE), kind, k, true);
            let grad = large_gradient(&y.shape());
            vec![y, Flex::pool_backward(state.unwrap(), grad)]
        });
    }
    check_recycled("global pool", &[len], || vec![Flex::global_backward(LARGE.to_vec().into(), large(&[t, n, c]))]);
}

#[test]
fn every_element_of_a_recycled_convolution_is_written() {
    let [t, n, c, h, w] = LARGE;
    let spikes = tensor(contiguous(&large(&LARGE)).iter().map(|v| f32::from(u8::from(*v >= 1.0))).collect(), &LARGE);
    for (kernel, stride, padding) in [(3, 1, 1), (1, 2, 0), (3, 2, 1), (2, 3, 0)] {
        for weight in [WeightKind::Real, WeightKind::Binary(WeightScale::MeanAbs)] {
            for x in [large(&LARGE), spikes.clone()] {
                let p = ConvParams { stride, padding, weight, precision: Precision::Exact };
                let c_out = 40;
                let (oh, ow) = (p.output(h, kernel), p.output(w, kernel));
                let name = format!("kernel {kernel}, stride {stride}, {weight:?}");
                check_recycled(&name, &[t * n * c * h * w, t * n * c_out * oh * ow], || {
                    let (y, state) = Flex::conv_forward(x.clone(), large(&[c_out, c, kernel, kernel]), p, true);
                    let grad = large_gradient(&y.shape());
                    let (dx, dw) = Flex::conv_backward(state.unwrap(), grad, true, true);
                    vec![y, dx.unwrap(), dw.unwrap()]
                });
            }
        }
    }
}
