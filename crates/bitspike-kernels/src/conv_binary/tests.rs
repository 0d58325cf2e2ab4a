use super::*;
use crate::conv_real::tests::{CASES, large_shapes, noise, on_threads, relative_error, shapes};
use crate::par::testing::cases;
use proptest::prelude::*;

/// What the values of an input are multiples of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Grid {
    Spikes,
    Quarters,
    Counts,
}

const GRIDS: [Grid; 3] = [Grid::Spikes, Grid::Quarters, Grid::Counts];

/// Spikes, quarters or counts up to 4 with about the wanted density.
fn spikes(s: &ConvShape, grid: Grid, density: f32, seed: u64) -> PackedSpikes {
    let (steps, unit) = match grid {
        Grid::Spikes => (1.0, 1.0),
        Grid::Quarters => (4.0, 0.25),
        Grid::Counts => (4.0, 1.0),
    };
    let level = |v: f32| if v.abs() < density { ((v.abs() / density * steps).floor() + 1.0) * unit } else { 0.0 };
    let x: Vec<f32> = noise(s.n * s.h * s.w * s.c_in, seed).into_iter().map(level).collect();
    PackedSpikes::pack(&x, s.n, s.h, s.w, s.c_in).unwrap()
}

pub(super) fn signs(s: &ConvShape, seed: u64) -> PackedSigns {
    PackedSigns::pack(&noise(s.c_out * s.c_in * s.kh * s.kw, seed), s.c_out, s.c_in, s.kh, s.kw).unwrap()
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn every_path_agrees_with_the_scalar_twin(
        s in shapes(), grid in prop::sample::select(&GRIDS[..]), scaled: bool,
        density in prop_oneof![Just(0.15f32), Just(1.1), Just(0.5)], seed: u64,
    ) {
        compare(&s, grid, scaled, density, seed)?;
    }
}

/// Largest error of the gradient of the input relative to its largest magnitude.
///
/// Winograd's transforms add numbers larger than the result, by factors that differ between the pixels of a tile.
/// Against sums in `f64` the rms error is 2.1e-6 of the standard deviation of the result at 256 channels (3.0e-6 at
/// 512; direct sums of 256 channels: 0.9e-6), and the worst of 32768 results is off by 9 rms, 4e-6 of the largest. Of a
/// few results the worst error is some 3 rms, but their largest magnitude may be as low as half a standard deviation:
/// 1.3e-5. The tests use at most 260 channels; they grant 2e-5.
const WINOGRAD_ERROR: f32 = 2e-5;

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn winograd_agrees_with_the_scalar_twin(
        n in 1usize..4, h in 1usize..15, w in 1usize..15,
        c_in in prop_oneof![1usize..35, Just(64usize)], c_out in prop_oneof![1usize..35, Just(64usize), Just(130)],
        scaled: bool, seed: u64,
    ) {
        compare_winograd(&ConvShape { n, h, w, c_in, c_out, kh: 3, kw: 3, stride: 1, padding: 1 }, scaled, seed)?;
    }
}

/// The forced route, whether it is the fastest or not.
fn compare_winograd(s: &ConvShape, scaled: bool, seed: u64) -> Result<(), TestCaseError> {
    let len = s.checked().unwrap();
    let (w, dy) = (signs(s, seed), noise(len.y, seed ^ 2));
    let scale = noise(s.c_out, seed ^ 3);
    let scale = scaled.then_some(scale.as_slice());
    let dx = reference::grad_input(s, &dy, &w, scale);
    for path in KernelPath::available() {
        let mut found = vec![f32::NAN; len.x];
        winograd::grad_input(path, s, &dy, &w, scale, &mut found);
        let error = relative_error(&found, &dx);
        prop_assert!(error < WINOGRAD_ERROR, "{path}: {error}");
    }
    Ok(())
}

#[test]
fn winograd_is_right_in_every_chunk() {
    let base = ConvShape { n: 1, h: 5, w: 5, c_in: 3, c_out: 2, kh: 3, kw: 3, stride: 1, padding: 1 };
    let shapes = [
        // A row of tiles that is cut, many images to a band, bands that end within an image, more tiles per chunk.
        ConvShape { w: 403, ..base },
        ConvShape { n: 120, ..base },
        ConvShape { n: 5, h: 22, w: 21, ..base },
        ConvShape { n: 100, h: 1, w: 33, c_in: 1, c_out: 257, ..base },
        ConvShape { n: if cfg!(debug_assertions) { 1 } else { 400 }, h: 1, w: 1, c_in: 260, c_out: 257, ..base },
    ];
    for s in shapes {
        compare_winograd(&s, true, 5).unwrap_or_else(|error| panic!("{s:?}: {error}"));
    }
}

#[test]
fn winograd_takes_the_shapes_it_is_faster_for() {
    let base = ConvShape { n: 1, h: 8, w: 8, c_in: 64, c_out: 64, kh: 3, kw: 3, stride: 1, padding: 1 };
    let takes = |s: ConvShape| winograd::takes(KernelPath::Avx2, &s);
    assert!(takes(base) && takes(ConvShape { h: 5, w: 5, ..base }) && takes(ConvShape { c_in: 16, ..base }));
    assert!(!takes(ConvShape { h: 2, w: 2, ..base }) && !takes(ConvShape { c_out: 15, ..base }));
    assert!(!takes(ConvShape { h: 5, w: 5, c_in: 16, ..base }));
    for other in [ConvShape { kh: 1, ..base }, ConvShape { stride: 2, ..base }, ConvShape { padding: 0, ..base }] {
        assert!(!takes(other));
    }
    assert!(winograd::takes(KernelPath::Neon, &base) && !winograd::takes(KernelPath::Avx512, &base));
}

fn compare(s: &ConvShape, grid: Grid, scaled: bool, density: f32, seed: u64) -> Result<(), TestCaseError> {
    let len = s.checked().unwrap();
    let (x, w) = (spikes(s, grid, density, seed), signs(s, seed ^ 1));
    let dy = noise(len.y, seed ^ 2);
    let scale = noise(s.c_out, seed ^ 3);
    let scale = scaled.then_some(scale.as_slice());
    let y = reference::forward(s, &x, &w, scale);
    let dx = reference::grad_input(s, &dy, &w, scale);
    let dw = reference::grad_weight(s, &x, &dy, scale);
    for path in KernelPath::available() {
        // NaN at the start: an element nobody writes is found.
        let mut found = vec![f32::NAN; len.y];
        forward_with_path(path, s, &x, &w, scale, &mut found).unwrap();
        prop_assert_eq!(&found, &y, "forward, {}", path);
        let (mut counts, unscaled) = (vec![i16::MIN; len.y], reference::forward(s, &x, &w, None));
        forward_counts_with_path(path, s, &x, &w, &mut counts).unwrap();
        let counts: Vec<f32> = counts.iter().map(|&v| f32::from(v) * x.unit()).collect();
        prop_assert_eq!(counts, unscaled, "forward_counts, {}", path);
        let mut found = vec![f32::NAN; len.x];
        grad_input_with_path(path, s, &dy, &w, scale, &mut found).unwrap();
        let error = relative_error(&found, &dx);
        let granted = if winograd::takes(path, s) { WINOGRAD_ERROR } else { 1e-5 };
        prop_assert!(error < granted, "grad_input, {path}: {error}");
        let mut found = vec![f32::NAN; len.w];
        grad_weight_with_path(path, s, &x, &dy, scale, &mut found).unwrap();
        prop_assert!(relative_error(&found, &dw) < 1e-5, "grad_weight, {path}: {}", relative_error(&found, &dw));
    }
    Ok(())
}

#[test]
fn large_shapes_agree_with_the_scalar_twin() {
    for s in large_shapes() {
        for grid in GRIDS {
            compare(&s, grid, true, 0.3, 7).unwrap_or_else(|error| panic!("{s:?}: {error}"));
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let n = if cfg!(debug_assertions) { 2 } else { 40 };
    let s = ConvShape { n, h: 14, w: 14, c_in: 64, c_out: 96, kh: 3, kw: 3, stride: 1, padding: 1 };
    assert!(winograd::takes(KernelPath::Portable, &s));
    let direct = ConvShape { kh: 1, padding: 0, ..s };
    for (s, grid) in [(s, Grid::Spikes), (s, Grid::Quarters), (s, Grid::Counts), (direct, Grid::Spikes)] {
        let len = s.checked().unwrap();
        let (w, dy) = (signs(&s, 2), noise(len.y, 3));
        let x = spikes(&s, grid, 0.2, 1);
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
    let (x, w) = (spikes(&s, Grid::Spikes, 0.5, 1), signs(&s, 2));
    let mut y = vec![0.0; 12];
    let turned = ConvShape { h: 3, w: 2, ..s };
    let error = forward(&turned, &x, &w, None, &mut y).unwrap_err();
    let expected =
        KernelError::Packed { op: "conv_binary::forward", name: "x", expected: [1, 3, 2, 4], found: [1, 2, 3, 4] };
    assert_eq!(error, expected);
    let error = forward(&s, &x, &w, Some(&[1.0]), &mut y).unwrap_err();
    assert!(matches!(error, KernelError::Length { name: "scale", expected: 2, found: 1, .. }));
    assert!(grad_input(&ConvShape { c_out: 3, ..s }, &[0.0; 18], &w, None, &mut [0.0; 24]).is_err());
}

#[test]
fn sums_stay_exact_up_to_the_largest_magnitude() {
    // One path sums in 16 bits where 32767 suffices; all ones make the sums as large as can be.
    for (c_in, value, planes) in
        [(32_736, 1.0, 1), (32_800, 1.0, 1), (8_160, 0.75, 3), (8_200, 0.75, 3), (8_160, 4.0, 3), (8_200, 4.0, 3)]
    {
        let s = ConvShape { n: 1, h: 1, w: 1, c_in, c_out: 33, kh: 1, kw: 1, stride: 1, padding: 0 };
        let x = PackedSpikes::pack(&vec![value; c_in], 1, 1, 1, c_in).unwrap();
        assert_eq!(x.planes(), planes);
        for sign in [1.0, -1.0] {
            let w = PackedSigns::pack(&vec![sign; 33 * c_in], 33, c_in, 1, 1).unwrap();
            let expected = reference::forward(&s, &x, &w, None);
            for path in KernelPath::available() {
                let mut y = vec![f32::NAN; 33];
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
    assert!(matches!(error, KernelError::TooLarge { .. }), "{error}");
}

#[test]
fn one_pixel_and_many_channels_work() {
    let s = ConvShape { n: 1, h: 1, w: 1, c_in: 4100, c_out: 3, kh: 5, kw: 5, stride: 1, padding: 2 };
    let (x, dy) = (spikes(&s, Grid::Spikes, 0.5, 1), [0.5, -1.5, 2.0]);
    let expected = reference::grad_weight(&s, &x, &dy, None);
    for path in KernelPath::available() {
        let mut dw = vec![f32::NAN; expected.len()];
        grad_weight_with_path(path, &s, &x, &dy, None, &mut dw).unwrap();
        assert_eq!(dw, expected, "{path}");
    }
}

#[test]
fn outputs_beyond_the_cache_are_right_at_every_alignment() {
    let s = ConvShape { n: 1, h: 96, w: 96, c_in: 2, c_out: 1024, kh: 1, kw: 1, stride: 1, padding: 0 };
    let (x, w) = (spikes(&s, Grid::Spikes, 0.5, 1), signs(&s, 2));
    let expected = reference::forward(&s, &x, &w, None);
    let mut buffer = vec![0.0; expected.len() + 32];
    let aligned = buffer.as_ptr().align_offset(64);
    for path in KernelPath::available() {
        for start in [aligned, aligned + 1] {
            let y = &mut buffer[start..start + expected.len()];
            y.fill(f32::NAN);
            forward_with_path(path, &s, &x, &w, None, y).unwrap();
            assert!(y == expected, "{path}, start {start}");
        }
    }
}
