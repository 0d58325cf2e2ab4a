use super::*;
use crate::par::golden::Golden;
use crate::par::testing::{assert_close, assert_gradient, assert_same_bits_everywhere, cases, noise, weighted};
use proptest::prelude::*;

struct Case {
    x: Vec<f32>,
    dy: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

fn case(rows: usize, c: usize, seed: u64) -> Case {
    let offset = noise(c, 3.0, seed ^ 5);
    let x = noise(rows * c, 2.0, seed).iter().enumerate().map(|(i, v)| v + offset[i % c]).collect();
    let gamma = noise(c, 0.5, seed ^ 2).iter().map(|v| 1.0 + v).collect();
    Case { x, dy: noise(rows * c, 1.0, seed ^ 1), gamma, beta: noise(c, 1.0, seed ^ 3) }
}

/// `(y, dx, dgamma, dbeta)` with statistics of the batch.
fn run(case: &Case, eps: f32) -> [Vec<f32>; 4] {
    let (c, n) = (case.gamma.len(), case.x.len());
    let (mean, var) = statistics(&case.x, c).unwrap();
    let (mut y, mut dx) = (vec![f32::NAN; n], vec![f32::NAN; n]);
    let (mut dgamma, mut dbeta) = (vec![f32::NAN; c], vec![f32::NAN; c]);
    forward(&case.x, c, &mean, &var, &case.gamma, &case.beta, eps, &mut y).unwrap();
    backward(&case.x, &case.dy, c, &mean, &var, &case.gamma, eps, &mut dx, &mut dgamma, &mut dbeta).unwrap();
    [y, dx, dgamma, dbeta]
}

#[test]
fn golden_batch_norm_matches_pytorch() {
    for golden in Golden::all("batch_norm") {
        let case = Case {
            x: golden.channels_last("x"),
            dy: golden.channels_last("grad_y"),
            gamma: golden.tensor("gamma").1,
            beta: golden.tensor("beta").1,
        };
        let (eps, momentum, c) = (golden.number("eps"), golden.number("momentum"), case.gamma.len());
        let [y, dx, dgamma, dbeta] = run(&case, eps);
        golden.assert_close("y", &y, &golden.channels_last("y"));
        golden.assert_close("grad_x", &dx, &golden.channels_last("grad_x"));
        golden.assert_close("grad_gamma", &dgamma, &golden.tensor("grad_gamma").1);
        golden.assert_close("grad_beta", &dbeta, &golden.tensor("grad_beta").1);
        // The running values start at 0 and 1 and use the unbiased variance.
        let (mean, var) = statistics(&case.x, c).unwrap();
        let rows = (case.x.len() / c) as f32;
        let running_mean: Vec<f32> = mean.iter().map(|m| momentum * m).collect();
        let running_var: Vec<f32> = var.iter().map(|v| 1.0 - momentum + momentum * v * rows / (rows - 1.0)).collect();
        golden.assert_close("running_mean", &running_mean, &golden.tensor("running_mean").1);
        golden.assert_close("running_var", &running_var, &golden.tensor("running_var").1);
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn matches_the_scalar_twin(rows in 1usize..700, c in 1usize..150, seed: u64) {
        let case = case(rows, c, seed);
        let eps = 1e-3;
        let (mean, var) = statistics(&case.x, c).unwrap();
        let want = reference::statistics(&case.x, c);
        assert_close("mean", &mean, &want.0, 1e-6);
        for (found, want) in var.iter().zip(&want.1) {
            prop_assert!((found - want).abs() <= 1e-6 * want + 1e-9, "var {} against {}", found, want);
        }
        let [y, dx, dgamma, dbeta] = run(&case, eps);
        assert_close("y", &y, &reference::forward(&case.x, &mean, &var, &case.gamma, &case.beta, eps), 1e-5);
        let want = reference::backward(&case.x, &case.dy, &mean, &var, &case.gamma, eps);
        assert_close("dgamma", &dgamma, &want.1, 1e-5);
        assert_close("dbeta", &dbeta, &want.2, 1e-5);
        // With one or two rows the true dx is a difference of equal numbers; judge it against its largest term.
        let scale = case.dy.iter().fold(0.0f32, |m, v| m.max(v.abs())) / (eps + var.iter().fold(9.0, |m: f32, v| m.min(*v))).sqrt();
        for (found, want) in dx.iter().zip(&want.0) {
            prop_assert!((found - want).abs() <= 1e-5 * scale, "dx {} against {}", found, want);
        }
    }

    #[test]
    fn affine_matches_its_definition(rows in 0usize..700, c in 1usize..150, seed: u64) {
        let case = case(rows, c, seed);
        let n = case.x.len();
        let mut y = vec![f32::NAN; n];
        affine(&case.x, c, &case.gamma, &case.beta, &mut y).unwrap();
        for (i, y) in y.iter().enumerate() {
            prop_assert_eq!(*y, case.x[i] * case.gamma[i % c] + case.beta[i % c]);
        }
        let (mut dx, mut dscale, mut dshift) = (vec![f32::NAN; n], vec![f32::NAN; c], vec![f32::NAN; c]);
        affine_backward(&case.x, &case.dy, c, &case.gamma, &mut dx, &mut dscale, &mut dshift).unwrap();
        for (i, dx) in dx.iter().enumerate() {
            prop_assert_eq!(*dx, case.dy[i] * case.gamma[i % c]);
        }
        for k in 0..c {
            let column = |x: &[f32]| x.iter().skip(k).step_by(c).copied().collect::<Vec<_>>();
            let want = weighted(&column(&case.x), &column(&case.dy));
            prop_assert!((f64::from(dscale[k]) - want).abs() <= 1e-6 * want.abs().max(1.0));
            let want: f64 = column(&case.dy).iter().map(|v| f64::from(*v)).sum();
            prop_assert!((f64::from(dshift[k]) - want).abs() <= 1e-6 * want.abs().max(1.0));
        }
    }
}

#[test]
fn statistics_stay_accurate_far_from_zero() {
    // Spread 1 around 10 000: f32 has 3 digits left for the spread, all of which must survive.
    let x: Vec<f32> = noise(100_000 * 3, 1.0, 9).iter().map(|v| v + 1e4).collect();
    let (mean, var) = statistics(&x, 3).unwrap();
    let want = reference::statistics(&x, 3);
    assert_close("mean", &mean, &want.0, 1e-6);
    assert_close("var", &var, &want.1, 1e-6);
}

#[test]
fn gradients_match_finite_differences() {
    let (rows, c, eps) = (37, 3, 1e-2);
    let case = case(rows, c, 21);
    let [_, dx, dgamma, dbeta] = run(&case, eps);
    let loss = |x: &[f32], gamma: &[f32], beta: &[f32]| {
        let (mean, var) = reference::statistics(x, c);
        weighted(&reference::forward(x, &mean, &var, gamma, beta, eps), &case.dy)
    };
    assert_gradient("dx", &case.x, &dx, 1e-2, |x| loss(x, &case.gamma, &case.beta));
    assert_gradient("dgamma", &case.gamma, &dgamma, 1e-2, |gamma| loss(&case.x, gamma, &case.beta));
    assert_gradient("dbeta", &case.beta, &dbeta, 1e-2, |beta| loss(&case.x, &case.gamma, beta));
}

#[test]
fn folded_batch_norm_is_the_same_map() {
    let case = case(50, 7, 4);
    let (mean, var) = statistics(&case.x, 7).unwrap();
    let (scale, shift) = fold(&mean, &var, &case.gamma, &case.beta, 1e-5).unwrap();
    let (mut y, mut folded) = (vec![0.0; 350], vec![0.0; 350]);
    forward(&case.x, 7, &mean, &var, &case.gamma, &case.beta, 1e-5, &mut y).unwrap();
    affine(&case.x, 7, &scale, &shift, &mut folded).unwrap();
    assert_close("y", &folded, &y, 1e-5);
}

#[test]
fn same_bits_on_every_level_and_thread_count() {
    for (rows, c) in [(50_001, 3), (3_001, 67)] {
        let case = case(rows, c, 31);
        assert_same_bits_everywhere(|| run(&case, 1e-5).concat());
        assert_same_bits_everywhere(|| {
            let (mut dx, mut dscale, mut dshift) = (vec![0.0; rows * c], vec![0.0; c], vec![0.0; c]);
            let mut y = vec![0.0; rows * c];
            affine(&case.x, c, &case.gamma, &case.beta, &mut y).unwrap();
            affine_backward(&case.x, &case.dy, c, &case.gamma, &mut dx, &mut dscale, &mut dshift).unwrap();
            [y, dx, dscale, dshift].concat()
        });
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let (x, one) = ([0.0; 6], [1.0; 2]);
    let mut y = [0.0; 6];
    assert!(matches!(statistics(&x, 4), Err(KernelError::Multiple { multiple_of: 4, found: 6, .. })));
    assert!(matches!(statistics(&[], 4), Err(KernelError::Range { name: "x", .. })));
    assert!(matches!(statistics(&x, 0), Err(KernelError::Range { name: "c", .. })));
    let refused = forward(&x, 2, &one, &one, &one[..1], &one, 1e-5, &mut y);
    assert!(matches!(refused, Err(KernelError::Length { name: "gamma", expected: 2, found: 1, .. })));
    for eps in [0.0, -1.0, f32::NAN] {
        let refused = forward(&x, 2, &one, &one, &one, &one, eps, &mut y);
        assert!(matches!(refused, Err(KernelError::Range { name: "eps", .. })));
    }
    let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
    let refused = backward(&x, &x[..4], 2, &one, &one, &one, 1e-5, &mut y, &mut a, &mut b);
    assert!(matches!(refused, Err(KernelError::Length { name: "dy", .. })));
    let refused = affine_backward(&x, &x, 2, &one, &mut y, &mut a, &mut b[..1]);
    assert!(matches!(refused, Err(KernelError::Length { name: "dshift", .. })));
}
