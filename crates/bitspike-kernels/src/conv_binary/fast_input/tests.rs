use super::*;
use crate::conv_binary::tests::signs;
use crate::conv_binary::{grad_input, reference};
use crate::conv_real::tests::{CASES, large_shapes, noise, on_threads, shapes};
use crate::par::testing::{bits, cases};
use proptest::prelude::*;

fn square(n: usize, size: usize, c_out: usize, c_in: usize) -> ConvShape {
    ConvShape { n, h: size, w: size, c_in, c_out, kh: 3, kw: 3, stride: 1, padding: 1 }
}

fn fast(path: KernelPath, s: &ConvShape, dy: &[f32], w: &PackedSigns, scale: Option<&[f32]>, seed: u64) -> Vec<f32> {
    // NaN at the start: an element nobody writes is found.
    let mut dx = vec![f32::NAN; s.checked().unwrap().x];
    grad_input_fast_with_path(path, s, dy, w, scale, seed, &mut dx).unwrap();
    dx
}

/// About normal: sums of twelve uniform values.
fn normal(len: usize, seed: u64) -> Vec<f32> {
    noise(12 * len, seed).chunks_exact(12).map(|v| v.iter().sum::<f32>() / 2.0).collect()
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn every_path_has_the_bits_of_the_scalar_twin(s in shapes(), scaled: bool, seed: u64) {
        compare(&s, scaled, seed)?;
    }

    #[test]
    fn small_maps_have_the_bits_of_the_scalar_twin(
        n in 1usize..5, h in 1usize..4, w in 1usize..4, c_in in 1usize..70, c_out in 1usize..70, seed: u64,
    ) {
        compare(&ConvShape { h, w, ..square(n, 1, c_out, c_in) }, false, seed)?;
    }
}

fn compare(s: &ConvShape, scaled: bool, seed: u64) -> Result<(), TestCaseError> {
    let (w, dy) = (signs(s, seed ^ 1), noise(s.checked().unwrap().y, seed ^ 2));
    let scale = noise(s.c_out, seed ^ 3);
    let scale = scaled.then_some(scale.as_slice());
    let expected = reference::grad_input_fast(s, &dy, &w, scale, seed);
    prop_assert!(expected.iter().all(|v| v.is_finite()));
    for path in KernelPath::available() {
        prop_assert_eq!(bits(&fast(path, s, &dy, &w, scale, seed)), bits(&expected), "{}", path);
    }
    Ok(())
}

#[test]
fn large_shapes_have_the_bits_of_the_scalar_twin() {
    for s in large_shapes() {
        compare(&s, true, 7).unwrap_or_else(|error| panic!("{s:?}: {error}"));
    }
}

#[test]
fn the_largest_sums_do_not_overflow() {
    // Every entry is 126 or 127, and 136 steps of one sign make two segments and a bit.
    let s = ConvShape { kh: 1, kw: 1, padding: 0, ..square(1, 2, 1085, 33) };
    for (value, sign) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
        let dy = vec![value; s.checked().unwrap().y];
        let w = PackedSigns::pack(&vec![sign; s.c_out * s.c_in], s.c_out, s.c_in, 1, 1).unwrap();
        let expected = reference::grad_input_fast(&s, &dy, &w, None, 1);
        let exact = 1085.0 * value * sign;
        assert!(expected.iter().all(|v| (v - exact).abs() < 1.0), "{exact}: {expected:?}");
        for path in KernelPath::available() {
            assert_eq!(fast(path, &s, &dy, &w, None, 1), expected, "{path}");
        }
    }
}

#[test]
fn the_mean_over_seeds_is_the_exact_gradient() {
    const SEEDS: u64 = 2000;
    let s = square(1, 4, 13, 9);
    let (w, dy) = (signs(&s, 1), noise(s.checked().unwrap().y, 2));
    let exact: Vec<f64> = reference::grad_input(&s, &dy, &w, None).iter().map(|&v| f64::from(v)).collect();
    let largest = dy.chunks_exact(13).flat_map(|p| p.chunks(4)).map(|g| g.iter().map(|v| v.abs()).sum::<f32>());
    let step = f64::from(largest.fold(0.0, f32::max) / 127.0);
    let (mut mean, mut square) = (vec![0.0; exact.len()], vec![0.0; exact.len()]);
    for seed in 0..SEEDS {
        for (i, v) in fast(selected(), &s, &dy, &w, None, seed).into_iter().enumerate() {
            let error = f64::from(v) - exact[i];
            mean[i] += error / SEEDS as f64;
            square[i] += error * error / SEEDS as f64;
        }
    }
    for (i, (mean, square)) in mean.iter().zip(&square).enumerate() {
        let (y, x) = (i / 9 / 4, i / 9 % 4);
        let reach = |at: usize| if at == 0 || at == 3 { 2.0 } else { 3.0 };
        // Four groups, of which the last is one value; at most step^2 / 4 each.
        let variance = reach(y) * reach(x) * 4.0 * step * step / 4.0;
        assert!(*square < 1.1 * variance, "variance of element {i}: {square}, bound {variance}");
        // Five standard errors of at most that variance; 144 elements.
        let bound = 5.0 * (variance / SEEDS as f64).sqrt();
        assert!(mean.abs() < bound, "mean error of element {i}: {mean}, bound {bound}");
    }
    // If errors are independent, their variance is that of uniform fractions, step^2 / 6 per group, to a tenth.
    let groups: f64 = (0..16).map(|p| [2.0, 3.0, 3.0, 2.0][p / 4] * [2.0, 3.0, 3.0, 2.0][p % 4] * 4.0 * 9.0).sum();
    let ratio = square.iter().sum::<f64>() / (groups * step * step / 6.0);
    assert!((0.9..1.1).contains(&ratio), "variance over that of uniform fractions: {ratio}");
}

#[test]
fn one_evaluation_is_within_two_percent_for_normal_values() {
    for (s, bound) in [(square(2, 8, 64, 32), 0.02), (square(1, 16, 128, 8), 0.02)] {
        let (w, dy) = (signs(&s, 1), normal(s.checked().unwrap().y, 2));
        let mut exact = vec![f32::NAN; s.checked().unwrap().x];
        grad_input(&s, &dy, &w, None, &mut exact).unwrap();
        let found = fast(selected(), &s, &dy, &w, None, 3);
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let error = norm(&mut found.iter().zip(&exact).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied());
        // Far below the bound something would be wrong too: 8 bits cannot do better.
        assert!(error < bound && error > bound / 4.0, "{error}");
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads_or_images() {
    let s = square(if cfg!(debug_assertions) { 3 } else { 40 }, 14, 96, 64);
    let (w, dy) = (signs(&s, 2), noise(s.checked().unwrap().y, 3));
    for path in KernelPath::available() {
        let all = on_threads(1, || fast(path, &s, &dy, &w, None, 5));
        assert_eq!(bits(&all), bits(&on_threads(3, || fast(path, &s, &dy, &w, None, 5))), "{path}");
        let one = ConvShape { n: 1, ..s };
        let len = one.checked().unwrap();
        assert_eq!(bits(&all[..len.x]), bits(&fast(path, &one, &dy[..len.y], &w, None, 5)), "{path}");
        assert_ne!(bits(&all), bits(&fast(path, &s, &dy, &w, None, 6)), "{path}: another seed");
    }
}

#[test]
fn zeros_give_zeros_and_what_is_not_finite_shows() {
    let s = square(5, 3, 37, 33);
    let len = s.checked().unwrap();
    let w = signs(&s, 1);
    let clean = noise(len.y, 2);
    let (x, y) = (len.x / 5, len.y / 5);
    let mut dy = clean.clone();
    dy[y..2 * y].fill(0.0);
    dy[2 * y..3 * y].fill(1e-34);
    for (bad, at) in [(f32::NAN, 0), (-f32::NAN, y - 1), (f32::INFINITY, 36), (f32::NEG_INFINITY, 8), (3e38, 1)] {
        dy[3 * y..4 * y].copy_from_slice(&clean[3 * y..4 * y]);
        dy[3 * y + at] = bad;
        dy[3 * y + at / 37 * 37 + (at % 37) / 4 * 4] += bad;
        for path in KernelPath::available() {
            let dx = fast(path, &s, &dy, &w, None, 4);
            let expected = fast(path, &s, &clean, &w, None, 4);
            assert!(dx[x..3 * x].iter().all(|v| v.to_bits() == 0), "{path}: zero images");
            assert!(dx[3 * x..4 * x].iter().all(|v| v.is_nan()), "{path}: {bad} at {at}");
            for others in [0..x, 4 * x..5 * x] {
                assert_eq!(bits(&dx[others.clone()]), bits(&expected[others]), "{path}: other images");
            }
            assert!(reference::grad_input_fast(&s, &dy, &w, None, 4)[3 * x..4 * x].iter().all(|v| v.is_nan()));
        }
    }
}

#[test]
fn magnitudes_from_tiny_to_huge_scale_dx() {
    let s = square(1, 3, 19, 5);
    let (w, dy) = (signs(&s, 1), noise(s.checked().unwrap().y, 2));
    let plain = fast(KernelPath::Portable, &s, &dy, &w, None, 4);
    for power in [-95, -60, 60, 115] {
        let factor = 2.0f32.powi(power);
        let scaled: Vec<f32> = dy.iter().map(|v| v * factor).collect();
        let expected: Vec<f32> = plain.iter().map(|v| v * factor).collect();
        for path in KernelPath::available() {
            assert_eq!(fast(path, &s, &scaled, &w, None, 4), expected, "{path}, 2^{power}");
        }
    }
}

#[test]
fn entries_that_are_zero_stay_zero() {
    // One value that is not zero: whatever the random bits, channels it does not reach get exactly nothing.
    let s = ConvShape { kh: 1, kw: 1, padding: 0, ..square(1, 8, 64, 16) };
    let w = signs(&s, 1);
    let mut dy = vec![0.0; s.checked().unwrap().y];
    dy[64 * 9 + 5] = 1.5;
    for path in KernelPath::available() {
        let dx = fast(path, &s, &dy, &w, None, 3);
        for (i, v) in dx.iter().enumerate() {
            let expected = if i / 16 == 9 { 1.5 * w.sign(5, i % 16, 0) } else { 0.0 };
            assert!((v - expected).abs() < 1.5 / 100.0 * f32::from(u8::from(i / 16 == 9)) + 1e-30, "{path}: {i}: {v}");
        }
    }
}

#[test]
fn random_bits_are_even_and_differ_between_images() {
    let words = |image| (0..1 << 16).map(move |counter| tables::random(tables::key(3, image), counter));
    let even = |name: &str, words: &mut dyn Iterator<Item = u32>| {
        let mut ones = [0i32; 32];
        words.for_each(|word| ones.iter_mut().enumerate().for_each(|(i, n)| *n += (word >> i & 1) as i32));
        // The standard deviation of 2^16 fair bits is 128.
        assert!(ones.iter().all(|n| (n - (1 << 15)).abs() < 5 * 128), "{name}: {ones:?}");
    };
    even("bits", &mut words(0));
    even("neighbours", &mut words(0).zip(words(0).skip(1)).map(|(a, b)| a ^ b));
    even("halves", &mut words(0).map(|a| a ^ a.rotate_left(16)));
    even("images", &mut words(0).zip(words(1)).map(|(a, b)| a ^ b));
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let s = square(1, 3, 4, 5);
    let w = signs(&s, 1);
    let (dy, mut dx) = (vec![0.0; 36], vec![0.0; 45]);
    let short = grad_input_fast(&s, &dy[1..], &w, None, 0, &mut dx);
    assert!(matches!(short, Err(KernelError::Length { name: "dy", expected: 36, found: 35, .. })));
    let short = grad_input_fast(&s, &dy, &w, None, 0, &mut dx[1..]);
    assert!(matches!(short, Err(KernelError::Length { name: "dx", expected: 45, found: 44, .. })));
    let other = square(1, 3, 5, 4);
    assert!(matches!(
        grad_input_fast(&other, &[0.0; 45], &w, None, 0, &mut [0.0; 36]),
        Err(KernelError::Packed { .. })
    ));
    let scale = grad_input_fast(&s, &dy, &w, Some(&[1.0]), 0, &mut dx);
    assert!(matches!(scale, Err(KernelError::Length { name: "scale", .. })));
}
