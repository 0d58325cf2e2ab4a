use super::*;
use crate::par::testing::{assert_close, assert_gradient, assert_same_bits_everywhere, bits, cases, noise, weighted};
use proptest::prelude::*;

fn shapes() -> impl Strategy<Value = PoolShape> {
    let sizes = (1usize..4, 0usize..12, 0usize..12, 1usize..70, 1usize..6, 1usize..6);
    sizes.prop_map(|(n, h, w, c, k, stride)| PoolShape { n, h: h + k, w: w + k, c, k, stride })
}

fn sizes(s: &PoolShape) -> (usize, usize) {
    (s.n * s.h * s.w * s.c, s.n * s.out_h() * s.out_w() * s.c)
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn average_matches_the_scalar_twin(s in shapes(), seed: u64) {
        let (input, output) = sizes(&s);
        let (x, dy) = (noise(input, 1.0, seed), noise(output, 1.0, seed ^ 1));
        let (mut y, mut dx) = (vec![f32::NAN; output], vec![f32::NAN; input]);
        avg_forward(&s, &x, &mut y).unwrap();
        assert_close("y", &y, &reference::avg_forward(&s, &x), 1e-6);
        avg_backward(&s, &dy, &mut dx).unwrap();
        assert_close("dx", &dx, &reference::avg_backward(&s, &dy), 1e-6);
    }

    #[test]
    fn maximum_matches_the_scalar_twin(s in shapes(), coarse: bool, seed: u64) {
        let (input, output) = sizes(&s);
        // Coarse values are often equal, as spikes are; +0.0 keeps -0.0 out, which total_cmp would order.
        let round = |v: f32| if coarse { v.round() + 0.0 } else { v };
        let x: Vec<f32> = noise(input, 1.0, seed).into_iter().map(round).collect();
        let dy = noise(output, 1.0, seed ^ 1);
        let (mut y, mut argmax, mut dx) = (vec![f32::NAN; output], vec![u8::MAX; output], vec![f32::NAN; input]);
        max_forward(&s, &x, &mut y, &mut argmax).unwrap();
        let (want_y, want_argmax) = reference::max_forward(&s, &x);
        prop_assert_eq!(y, want_y);
        prop_assert_eq!(&argmax, &want_argmax);
        max_backward(&s, &argmax, &dy, &mut dx).unwrap();
        assert_close("dx", &dx, &reference::max_backward(&s, &argmax, &dy), 1e-6);
    }

    #[test]
    fn global_average_is_the_mean(n in 1usize..5, hw in 1usize..60, c in 1usize..80, seed: u64) {
        let (x, dy) = (noise(n * hw * c, 1.0, seed), noise(n * c, 1.0, seed ^ 1));
        let (mut y, mut dx) = (vec![f32::NAN; n * c], vec![f32::NAN; n * hw * c]);
        global_avg_forward(&x, n, hw, c, &mut y).unwrap();
        global_avg_backward(&dy, n, hw, c, &mut dx).unwrap();
        for i in 0..n * c {
            let members: Vec<f32> = x[i / c * hw * c..][..hw * c].iter().skip(i % c).step_by(c).copied().collect();
            let want = weighted(&members, &vec![1.0; hw]) / hw as f64;
            prop_assert!((f64::from(y[i]) - want).abs() < 1e-7);
        }
        for i in 0..n * hw * c {
            prop_assert_eq!(dx[i], dy[i / (hw * c) * c + i % c] / hw as f32);
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    let s = PoolShape { n: 2, h: 5, w: 6, c: 3, k: 3, stride: 2 };
    let (input, output) = sizes(&s);
    let (x, dy) = (noise(input, 1.0, 3), noise(output, 1.0, 4));
    let mut dx = vec![0.0; input];
    avg_backward(&s, &dy, &mut dx).unwrap();
    assert_gradient("average", &x, &dx, 1e-2, |x| weighted(&reference::avg_forward(&s, x), &dy));
    let mut argmax = vec![0; output];
    max_forward(&s, &x, &mut vec![0.0; output], &mut argmax).unwrap();
    max_backward(&s, &argmax, &dy, &mut dx).unwrap();
    // The step is below the distance between any two values of a window, so the maximum does not move.
    assert_gradient("maximum", &x, &dx, 1e-4, |x| weighted(&reference::max_forward(&s, x).0, &dy));
}

#[test]
fn nan_is_the_maximum_and_keeps_its_place() {
    let s = PoolShape { n: 1, h: 2, w: 2, c: 1, k: 2, stride: 2 };
    let (mut y, mut argmax) = ([0.0], [9]);
    max_forward(&s, &[5.0, f32::NAN, 7.0, f32::NAN], &mut y, &mut argmax).unwrap();
    assert!(y[0].is_nan());
    assert_eq!(argmax, [1]);
}

#[test]
fn spikes_pool_exactly() {
    let s = PoolShape { n: 1, h: 2, w: 32, c: 1, k: 2, stride: 2 };
    let x: Vec<f32> = (0..64).map(|i| f32::from(u8::from((i / 32 * 2 + i % 2) <= (i % 32) / 8))).collect();
    let mut y = [0.0; 16];
    avg_forward(&s, &x, &mut y).unwrap();
    assert!(y.iter().all(|v| (v * 4.0).fract() == 0.0));
    assert_eq!(bits(&y), bits(&reference::avg_forward(&s, &x)));
}

#[test]
fn same_bits_on_every_level_and_thread_count() {
    for s in [
        PoolShape { n: 3, h: 31, w: 29, c: 67, k: 2, stride: 2 },
        PoolShape { n: 9, h: 64, w: 40, c: 3, k: 3, stride: 2 },
    ] {
        let (input, output) = sizes(&s);
        let (x, dy) = (noise(input, 1.0, 5), noise(output, 1.0, 6));
        assert_same_bits_everywhere(|| {
            let (mut y, mut dx, mut argmax) = (vec![0.0; output], vec![0.0; input], vec![0; output]);
            let (mut m, mut dm) = (vec![0.0; output], vec![0.0; input]);
            avg_forward(&s, &x, &mut y).unwrap();
            avg_backward(&s, &dy, &mut dx).unwrap();
            max_forward(&s, &x, &mut m, &mut argmax).unwrap();
            max_backward(&s, &argmax, &dy, &mut dm).unwrap();
            let (mut g, mut dg) = (vec![0.0; s.n * s.c], vec![0.0; input]);
            global_avg_forward(&x, s.n, s.h * s.w, s.c, &mut g).unwrap();
            global_avg_backward(&g, s.n, s.h * s.w, s.c, &mut dg).unwrap();
            [y, dx, m, dm, g, dg].concat()
        });
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let s = PoolShape { n: 1, h: 4, w: 4, c: 2, k: 2, stride: 2 };
    let (x, mut y, mut a) = ([0.0; 32], [0.0; 8], [0; 8]);
    let length = |e: Result<(), KernelError>| assert!(matches!(e, Err(KernelError::Length { .. })), "{e:?}");
    length(avg_forward(&s, &x[1..], &mut y));
    length(avg_forward(&s, &x, &mut y[1..]));
    length(avg_backward(&s, &x, &mut y));
    length(max_forward(&s, &x, &mut y, &mut a[1..]));
    length(max_backward(&s, &a, &y, &mut [0.0; 31]));
    length(global_avg_forward(&x, 1, 16, 2, &mut y));
    let range = |e: Result<(), KernelError>| assert!(matches!(e, Err(KernelError::Range { .. })), "{e:?}");
    range(avg_forward(&PoolShape { k: 5, ..s }, &x, &mut y));
    range(avg_forward(&PoolShape { k: 0, ..s }, &x, &mut y));
    range(avg_forward(&PoolShape { k: 16, h: 20, w: 20, ..s }, &x, &mut y));
    range(max_forward(&PoolShape { stride: 0, ..s }, &x, &mut y, &mut a));
    range(global_avg_backward(&[], 0, 16, 2, &mut []));
}
