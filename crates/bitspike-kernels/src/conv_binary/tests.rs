use super::*;
use crate::conv_real::tests::{noise, on_threads, relative_error, shapes};
use proptest::prelude::*;

/// Spikes, or quarters, with about the wanted density.
fn spikes(s: &ConvShape, quarters: bool, density: f32, seed: u64) -> PackedSpikes {
    let steps = if quarters { 4.0 } else { 1.0 };
    let level = |v: f32| if v.abs() < density { ((v.abs() / density * steps).floor() + 1.0) / steps } else { 0.0 };
    let x: Vec<f32> = noise(s.n * s.h * s.w * s.c_in, seed).into_iter().map(level).collect();
    PackedSpikes::pack(&x, s.n, s.h, s.w, s.c_in).unwrap()
}

fn signs(s: &ConvShape, seed: u64) -> PackedSigns {
    PackedSigns::pack(&noise(s.c_out * s.c_in * s.kh * s.kw, seed), s.c_out, s.c_in, s.kh, s.kw).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_path_agrees_with_the_scalar_twin(
        s in shapes(), quarters: bool, scaled: bool, density in prop_oneof![Just(0.15f32), Just(1.1), Just(0.5)], seed: u64,
    ) {
        let len = s.checked().unwrap();
        let (x, w) = (spikes(&s, quarters, density, seed), signs(&s, seed ^ 1));
        let dy = noise(len.y, seed ^ 2);
        let scale = noise(s.c_out, seed ^ 3);
        let scale = scaled.then_some(scale.as_slice());
        let y = reference::forward(&s, &x, &w, scale);
        let dx = reference::grad_input(&s, &dy, &w, scale);
        let dw = reference::grad_weight(&s, &x, &dy, scale);
        for path in KernelPath::available() {
            // NaN at the start: an element nobody writes is found.
            let mut found = vec![f32::NAN; len.y];
            forward_with_path(path, &s, &x, &w, scale, &mut found).unwrap();
            prop_assert_eq!(&found, &y, "forward, {}", path);
            let mut found = vec![f32::NAN; len.x];
            grad_input_with_path(path, &s, &dy, &w, scale, &mut found).unwrap();
            prop_assert!(relative_error(&found, &dx) < 1e-5, "grad_input, {path}: {}", relative_error(&found, &dx));
            let mut found = vec![f32::NAN; len.w];
            grad_weight_with_path(path, &s, &x, &dy, scale, &mut found).unwrap();
            prop_assert!(relative_error(&found, &dw) < 1e-5, "grad_weight, {path}: {}", relative_error(&found, &dw));
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let s = ConvShape { n: 40, h: 14, w: 14, c_in: 64, c_out: 96, kh: 3, kw: 3, stride: 1, padding: 1 };
    let len = s.checked().unwrap();
    let (w, dy) = (signs(&s, 2), noise(len.y, 3));
    for quarters in [false, true] {
        let x = spikes(&s, quarters, 0.2, 1);
        let run = |path, threads| {
            on_threads(threads, || {
                let (mut y, mut dx, mut dw) = (vec![0.0; len.y], vec![0.0; len.x], vec![0.0; len.w]);
                forward_with_path(path, &s, &x, &w, None, &mut y).unwrap();
                grad_input_with_path(path, &s, &dy, &w, None, &mut dx).unwrap();
                grad_weight_with_path(path, &s, &x, &dy, None, &mut dw).unwrap();
                [y, dx, dw].map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            })
        };
        for path in KernelPath::available() {
            assert_eq!(run(path, 1), run(path, 3), "{path}");
        }
    }
}

#[test]
fn operands_packed_for_other_sizes_are_refused() {
    let s = ConvShape { n: 1, h: 2, w: 3, c_in: 4, c_out: 2, kh: 1, kw: 1, stride: 1, padding: 0 };
    let (x, w) = (spikes(&s, false, 0.5, 1), signs(&s, 2));
    let mut y = vec![0.0; 12];
    let turned = ConvShape { h: 3, w: 2, ..s };
    let error = forward(&turned, &x, &w, None, &mut y).unwrap_err();
    let expected =
        ShapeError::Packed { op: "conv_binary::forward", operand: "x", expected: [1, 3, 2, 4], found: [1, 2, 3, 4] };
    assert_eq!(error, expected);
    let error = forward(&s, &x, &w, Some(&[1.0]), &mut y).unwrap_err();
    assert!(matches!(error, ShapeError::Length { operand: "scale", expected: 2, found: 1, .. }));
    assert!(grad_input(&ConvShape { c_out: 3, ..s }, &[0.0; 18], &w, None, &mut [0.0; 24]).is_err());
}

#[test]
fn sums_stay_exact_up_to_the_largest_magnitude() {
    // 9 * 3640 products still fit the 16-bit sums of one path, 9 * 4096 do not; all ones make the sums as large as can be.
    for (c_in, value, planes) in [(3640, 1.0, 1), (4096, 1.0, 1), (910, 0.75, 3), (1024, 0.75, 3)] {
        let s = ConvShape { n: 1, h: 3, w: 3, c_in, c_out: 33, kh: 3, kw: 3, stride: 1, padding: 1 };
        let x = PackedSpikes::pack(&vec![value; 9 * c_in], 1, 3, 3, c_in).unwrap();
        assert_eq!(x.planes(), planes);
        for sign in [1.0, -1.0] {
            let w = PackedSigns::pack(&vec![sign; 33 * c_in * 9], 33, c_in, 3, 3).unwrap();
            let expected = reference::forward(&s, &x, &w, None);
            for path in KernelPath::available() {
                let mut y = vec![f32::NAN; 9 * 33];
                forward_with_path(path, &s, &x, &w, None, &mut y).unwrap();
                assert_eq!(y, expected, "{path}, {c_in} channels of {value}, sign {sign}");
            }
        }
    }
}

#[test]
fn sums_that_f32_cannot_hold_are_refused() {
    let s = ConvShape { n: 1, h: 1, w: 1, c_in: 1 << 23, c_out: 1, kh: 1, kw: 1, stride: 1, padding: 0 };
    let (x, w) = (vec![0.0; s.c_in], vec![1.0; s.c_in]);
    let x = PackedSpikes::pack(&x, 1, 1, 1, s.c_in).unwrap();
    let w = PackedSigns::pack(&w, 1, s.c_in, 1, 1).unwrap();
    let error = forward(&s, &x, &w, None, &mut [0.0]).unwrap_err();
    assert!(matches!(error, ShapeError::TooLarge { .. }), "{error}");
}

#[test]
fn one_pixel_and_many_channels_work() {
    let s = ConvShape { n: 1, h: 1, w: 1, c_in: 4100, c_out: 3, kh: 5, kw: 5, stride: 1, padding: 2 };
    let (x, dy) = (spikes(&s, false, 0.5, 1), [0.5, -1.5, 2.0]);
    let expected = reference::grad_weight(&s, &x, &dy, None);
    for path in KernelPath::available() {
        let mut dw = vec![f32::NAN; expected.len()];
        grad_weight_with_path(path, &s, &x, &dy, None, &mut dw).unwrap();
        assert_eq!(dw, expected, "{path}");
    }
}
