use super::*;
use crate::par::testing::cases;
use proptest::prelude::*;

/// Unoptimised builds run the scalar twins a hundred times slower.
const MOST_MACS: u64 = if cfg!(debug_assertions) { 200_000 } else { 4_000_000 };
/// Cases per property.
pub(crate) const CASES: u32 = if cfg!(debug_assertions) { 32 } else { 128 };

/// Sizes that need several bands or chunks, with few multiply-accumulates: wide inputs, wide outputs, many pixels.
pub(crate) fn large_shapes() -> [ConvShape; 3] {
    let wide = ConvShape { n: 1, h: 32, w: 32, c_in: 1024, c_out: 1, kh: 3, kw: 1, stride: 1, padding: 1 };
    let many = ConvShape { n: 3, h: 61, w: 67, c_in: 3, c_out: 5, kh: 3, kw: 3, stride: 1, padding: 1 };
    [wide, ConvShape { c_in: 1, c_out: 1024, ..wide }, many]
}

/// Sizes that reach every branch: odd channel counts, short rows, kernels 1 to 5, strides 1 to 3.
pub(crate) fn shapes() -> impl Strategy<Value = ConvShape> {
    let channels = || prop_oneof![1usize..20, 31usize..35, Just(48usize), Just(64), Just(80), Just(96)];
    let sizes = (1usize..4, 1usize..11, 1usize..11, channels(), channels());
    (sizes, 1usize..6, 1usize..6, 1usize..4, 0usize..4).prop_filter_map(
        "the kernel fits",
        |((n, h, w, c_in, c_out), kh, kw, stride, padding)| {
            let s = ConvShape { n, h, w, c_in, c_out, kh, kw, stride, padding };
            (s.checked().is_ok() && s.macs() < MOST_MACS).then_some(s)
        },
    )
}

/// Reproducible values in -1..1.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len).map(|_| (next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0).collect()
}

/// The largest difference relative to the largest magnitude of `expected`.
pub(crate) fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    let scale = expected.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    // A NaN must not vanish in `max`.
    error.fold(0.0f32, |m, e| if e.is_nan() { f32::INFINITY } else { m.max(e) }) / scale
}

/// Runs `f` on a pool of so many threads.
pub(crate) fn on_threads<T: Send>(threads: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(f)
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn every_path_agrees_with_the_scalar_twin(s in shapes(), seed: u64) {
        compare(&s, seed)?;
    }
}

fn compare(s: &ConvShape, seed: u64) -> Result<(), TestCaseError> {
    let len = s.checked().unwrap();
    let (x, w, dy) = (noise(len.x, seed), noise(len.w, seed ^ 1), noise(len.y, seed ^ 2));
    let y = reference::forward(s, &x, &w);
    let dx = reference::grad_input(s, &dy, &w);
    let dw = reference::grad_weight(s, &x, &dy);
    for path in KernelPath::available() {
        // NaN at the start: an element nobody writes is found.
        let mut found = vec![f32::NAN; len.y];
        forward_with_path(path, s, &x, &w, &mut found).unwrap();
        prop_assert!(relative_error(&found, &y) < 1e-5, "forward, {path}: {}", relative_error(&found, &y));
        let mut found = vec![f32::NAN; len.x];
        grad_input_with_path(path, s, &dy, &w, &mut found).unwrap();
        prop_assert!(relative_error(&found, &dx) < 1e-5, "grad_input, {path}: {}", relative_error(&found, &dx));
        let mut found = vec![f32::NAN; len.w];
        grad_weight_with_path(path, s, &x, &dy, &mut found).unwrap();
        prop_assert!(relative_error(&found, &dw) < 1e-5, "grad_weight, {path}: {}", relative_error(&found, &dw));
    }
    Ok(())
}

#[test]
fn large_shapes_agree_with_the_scalar_twin() {
    for s in large_shapes() {
        compare(&s, 7).unwrap_or_else(|error| panic!("{s:?}: {error}"));
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let n = if cfg!(debug_assertions) { 2 } else { 16 };
    let s = ConvShape { n, h: 14, w: 14, c_in: 32, c_out: 48, kh: 3, kw: 3, stride: 1, padding: 1 };
    let len = s.checked().unwrap();
    let (x, w, dy) = (noise(len.x, 1), noise(len.w, 2), noise(len.y, 3));
    let run = |path, threads| {
        on_threads(threads, || {
            let (mut y, mut dx, mut dw) = (vec![0.0; len.y], vec![0.0; len.x], vec![0.0; len.w]);
            forward_with_path(path, &s, &x, &w, &mut y).unwrap();
            grad_input_with_path(path, &s, &dy, &w, &mut dx).unwrap();
            grad_weight_with_path(path, &s, &x, &dy, &mut dw).unwrap();
            [y, dx, dw].map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        })
    };
    for path in KernelPath::available() {
        assert_eq!(run(path, 1), run(path, 3), "{path}");
    }
}

#[test]
fn wrong_lengths_are_reported_with_both_numbers() {
    let s = ConvShape { n: 1, h: 2, w: 2, c_in: 1, c_out: 1, kh: 1, kw: 1, stride: 1, padding: 0 };
    let error = forward(&s, &[0.0; 3], &[0.0], &mut [0.0; 4]).unwrap_err();
    assert_eq!(error, KernelError::Length { op: "conv_real::forward", name: "x", expected: 4, found: 3 });
    assert!(grad_input(&s, &[0.0; 4], &[0.0; 2], &mut [0.0; 4]).is_err());
    assert!(grad_weight(&s, &[0.0; 4], &[0.0; 4], &mut [0.0; 0]).is_err());
}
