use super::*;
use crate::conv_binary::{grad_weight as exact, reference};
use crate::conv_real::tests::{CASES, large_shapes, noise, on_threads, shapes};
use crate::par::testing::{bits, cases};
use proptest::prelude::*;

/// Spikes where a uniform number is below `rate`.
fn spikes(s: &ConvShape, rate: f32, seed: u64) -> PackedSpikes {
    let x: Vec<f32> =
        noise(s.n * s.h * s.w * s.c_in, seed).iter().map(|v| f32::from(u8::from(v.abs() < rate))).collect();
    PackedSpikes::pack(&x, s.n, s.h, s.w, s.c_in).unwrap()
}

fn square(n: usize, size: usize, c_out: usize, c_in: usize) -> ConvShape {
    ConvShape { n, h: size, w: size, c_in, c_out, kh: 3, kw: 3, stride: 1, padding: 1 }
}

/// The tables, whatever the firing rate.
fn fast(path: KernelPath, s: &ConvShape, x: &PackedSpikes, dy: &[f32], scale: Option<&[f32]>, seed: u64) -> Vec<f32> {
    // NaN at the start: an element nobody writes is found.
    let mut dw = vec![f32::NAN; s.checked().unwrap().w];
    grad_weight(require(path).unwrap(), s, x, dy, scale, seed, &mut dw);
    dw
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn every_path_has_the_bits_of_the_scalar_twin(s in shapes(), rate in 0f32..1.0, scaled: bool, seed: u64) {
        compare(&s, rate, scaled, seed)?;
    }

    #[test]
    fn several_stretches_have_the_bits_of_the_scalar_twin(
        n in 1usize..4, h in 14usize..25, w in 14usize..25, c_in in 1usize..5, c_out in 1usize..5, seed: u64,
    ) {
        compare(&ConvShape { h, w, ..square(n, 1, c_out, c_in) }, 0.3, false, seed)?;
    }
}

fn compare(s: &ConvShape, rate: f32, scaled: bool, seed: u64) -> Result<(), TestCaseError> {
    let (x, dy) = (spikes(s, rate, seed ^ 1), noise(s.checked().unwrap().y, seed ^ 2));
    let scale = noise(s.c_out, seed ^ 3);
    let scale = scaled.then_some(scale.as_slice());
    let expected = reference::grad_weight_fast(s, &x, &dy, scale, seed);
    prop_assert!(expected.iter().all(|v| v.is_finite()));
    for path in KernelPath::available() {
        prop_assert_eq!(bits(&fast(path, s, &x, &dy, scale, seed)), bits(&expected), "{}", path);
    }
    Ok(())
}

#[test]
fn large_shapes_have_the_bits_of_the_scalar_twin() {
    for s in large_shapes() {
        compare(&s, 0.2, true, 7).unwrap_or_else(|error| panic!("{s:?}: {error}"));
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let s = square(6, 16, 70, 96);
    let (x, dy) = (spikes(&s, 0.2, 1), noise(s.checked().unwrap().y, 2));
    let run = |threads| on_threads(threads, || bits(&fast(selected(), &s, &x, &dy, None, 3)));
    let expected = run(1);
    for threads in [2, 3, 7] {
        assert_eq!(run(threads), expected, "{threads} threads");
    }
}

#[test]
fn the_largest_sums_do_not_overflow() {
    let s = ConvShape { kh: 1, kw: 1, padding: 0, ..square(1, 32, 9, 33) };
    for (value, rate) in [(1.0, 1.1), (1.0, 0.0), (-1.0, 1.1), (-1.0, 0.0)] {
        let (x, dy) = (spikes(&s, rate, 1), vec![value; s.checked().unwrap().y]);
        let expected = if rate > 0.0 { 1024.0 * value } else { 0.0 };
        for path in KernelPath::available() {
            let found = fast(path, &s, &x, &dy, None, 1);
            assert!(found.iter().all(|v| (v - expected).abs() < 1.0), "{path}: {expected}, found {found:?}");
        }
    }
}

#[test]
fn the_mean_over_seeds_is_the_exact_gradient() {
    const SEEDS: u64 = 2000;
    let s = square(2, 4, 5, 3);
    let (x, dy) = (spikes(&s, 0.3, 1), noise(s.checked().unwrap().y, 2));
    let expected: Vec<f64> = reference::grad_weight(&s, &x, &dy, None).iter().map(|&v| f64::from(v)).collect();
    let (mut mean, mut square) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
    for seed in 0..SEEDS {
        for (i, v) in fast(selected(), &s, &x, &dy, None, seed).into_iter().enumerate() {
            let error = f64::from(v) - expected[i];
            mean[i] += error / SEEDS as f64;
            square[i] += error * error / SEEDS as f64;
        }
    }
    for (i, (mean, square)) in mean.iter().zip(&square).enumerate() {
        let co = i / 27;
        let groups = (0..32).step_by(4).map(|p| (p..p + 4).map(|p| dy[p * 5 + co].abs()).sum::<f32>());
        let step = f64::from(groups.fold(0.0, f32::max) / 127.0);
        // Eight groups of the one stretch, each at most step² / 4; halved by the step from ±1 to spikes.
        let variance = 8.0 * step * step / 16.0;
        assert!(*square < 1.1 * variance, "variance of element {i}: {square}, bound {variance}");
        assert!(*square > 0.2 * variance, "rounding is random: {square}");
        let bound = 5.0 * (variance / SEEDS as f64).sqrt();
        assert!(mean.abs() < bound, "mean error of element {i}: {mean}, bound {bound}");
    }
}

#[test]
fn not_a_number_shows_in_its_channel_only() {
    let s = square(1, 5, 3, 4);
    let (x, mut dy) = (spikes(&s, 0.5, 1), noise(75, 2));
    dy[7] = f32::NAN; // channel 1
    for path in KernelPath::available() {
        let dw = fast(path, &s, &x, &dy, None, 1);
        let nan: Vec<bool> = dw.chunks_exact(36).map(|row| row.iter().all(|v| v.is_nan())).collect();
        assert_eq!(nan, [false, true, false], "{path}");
        assert_eq!(dw.iter().filter(|v| v.is_nan()).count(), 36, "{path}");
    }
}

#[test]
fn quarters_silence_and_narrow_layers_get_the_exact_gradient() {
    let wide = square(2, 6, 40, 35);
    let quarters: Vec<f32> = noise(2 * 36 * 35, 1).iter().map(|v| (v.abs() * 4.99).floor() / 4.0).collect();
    let quarters = PackedSpikes::pack(&quarters, 2, 6, 6, 35).unwrap();
    let narrow = square(2, 6, 40, 31);
    let cases = [
        (wide, quarters, true),
        (wide, spikes(&wide, 0.02, 3), true),
        (narrow, spikes(&narrow, 0.5, 3), true),
        (wide, spikes(&wide, 0.5, 3), false),
    ];
    for (s, x, is_exact) in cases {
        let (len, dy) = (s.checked().unwrap().w, noise(s.checked().unwrap().y, 2));
        let (mut expected, mut found) = (vec![0.0; len], vec![0.0; len]);
        exact(&s, &x, &dy, None, &mut expected).unwrap();
        grad_weight_fast(&s, &x, &dy, None, 1, &mut found).unwrap();
        assert_eq!(bits(&found) == bits(&expected), is_exact);
    }
}
