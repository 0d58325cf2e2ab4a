use super::*;
use crate::par::golden::Golden;
use crate::par::testing::{assert_close, assert_gradient, assert_same_bits_everywhere, cases, noise, weighted};
use proptest::prelude::*;

const POOLS: [Pool; 5] = [Pool::Chw, Pool::Hw, Pool::Nchw, Pool::None, Pool::Const];

fn all_params() -> Vec<GateParams> {
    let mut all = Vec::new();
    for pool in POOLS {
        for function in [Function::Sigmoid, Function::Hard] {
            for apply in [Apply::Forward, Apply::Gradient] {
                for alpha_inside in [false, true] {
                    for detach_gate in [false, true] {
                        all.push(GateParams { pool, function, apply, alpha_inside, detach_gate });
                    }
                }
            }
        }
    }
    all
}

/// `(y, dx, dalpha)`.
fn run(p: &GateParams, s: &GateShape, x: &[f32], alpha: &[f32], dy: &[f32]) -> [Vec<f32>; 3] {
    let (mut y, mut means) = (vec![f32::NAN; x.len()], vec![f32::NAN; s.means_len(p.pool)]);
    forward(p, s, x, alpha, &mut y, &mut means).unwrap();
    let (mut dx, mut dalpha) = (vec![f32::NAN; x.len()], vec![f32::NAN; alpha.len()]);
    backward(p, s, x, &means, alpha, dy, &mut dx, &mut dalpha).unwrap();
    [y, dx, dalpha]
}

fn case(s: &GateShape, per_channel: bool, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let len = s.t * s.n * s.hw * s.c;
    let x = noise(len, 2.0, seed).iter().map(|v| v + 0.4).collect();
    let alpha = noise(if per_channel { s.t * s.c } else { s.t }, 0.5, seed ^ 1).iter().map(|v| v + 1.0).collect();
    (x, alpha, noise(len, 1.0, seed ^ 2))
}

#[test]
fn golden_agmm_matches_pytorch() {
    for golden in Golden::all("agmm") {
        let pool = match golden.word("pool") {
            "chw" => Pool::Chw,
            "hw" => Pool::Hw,
            "nchw" => Pool::Nchw,
            "none" => Pool::None,
            "const" => Pool::Const,
            other => panic!("{other}"),
        };
        let apply = if golden.word("apply") == "gradient" { Apply::Gradient } else { Apply::Forward };
        let p = GateParams { pool, apply, detach_gate: golden.flag("detach_gate"), ..GateParams::default() };
        let d = golden.tensor("x").0;
        let s = GateShape { t: d[0], n: d[1], hw: d[3] * d[4], c: d[2] };
        let (x, alpha) = (golden.channels_last("x"), golden.tensor("alpha").1);
        let [y, dx, dalpha] = run(&p, &s, &x, &alpha, &golden.channels_last("grad_y"));
        golden.assert_close("y", &y, &golden.channels_last("y"));
        golden.assert_close("grad_x", &dx, &golden.channels_last("grad_x"));
        golden.assert_close("grad_alpha", &dalpha, &golden.tensor("grad_alpha").1);
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn matches_the_scalar_twin(
        t in 1usize..4, n in 1usize..4, hw in 1usize..40, c in 1usize..80,
        per_channel: bool, which in 0usize..80, seed: u64,
    ) {
        let (p, s) = (all_params()[which], GateShape { t, n, hw, c });
        let (x, alpha, dy) = case(&s, per_channel, seed);
        let [y, dx, dalpha] = run(&p, &s, &x, &alpha, &dy);
        assert_close("y", &y, &reference::forward(&p, &s, &x, &alpha), 1e-6);
        let (want_dx, want_dalpha) = reference::backward(&p, &s, &x, &alpha, &dy);
        assert_close("dx", &dx, &want_dx, 2e-6);
        for (found, want) in dalpha.iter().zip(&want_dalpha) {
            prop_assert!((found - want).abs() <= 2e-6 * (1.0 + want.abs() + (n * hw) as f32), "{} {}", found, want);
        }
    }

    #[test]
    fn given_means_act_as_constants(
        t in 1usize..4, n in 1usize..4, hw in 1usize..40, c in 1usize..80,
        means_per_channel: bool, per_channel: bool, inside: bool, hard: bool, seed: u64,
    ) {
        let s = GateShape { t, n, hw, c };
        let (x, alpha, dy) = case(&s, per_channel, seed);
        let means = noise(if means_per_channel { t * c } else { t }, 1.5, seed ^ 9);
        let function = if hard { Function::Hard } else { Function::Sigmoid };
        let p = GateParams { function, alpha_inside: inside, ..GateParams::default() };
        let (mut y, mut dx, mut dalpha) = (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; alpha.len()]);
        forward_with_means(&p, &s, &x, &means, &alpha, &mut y).unwrap();
        backward_with_means(&p, &s, &x, &means, &alpha, &dy, &mut dx, &mut dalpha).unwrap();
        let factors = fixed_factors(&p, &s, &means, &alpha).unwrap();
        let mut want = vec![0.0f64; alpha.len()];
        for i in 0..x.len() {
            let step = i / (n * hw * c);
            let at = |len: usize| if len == t { step } else { step * c + i % c };
            let (a, m) = (f64::from(alpha[at(alpha.len())]), f64::from(means[at(means.len())]));
            let argument = if inside { a * m } else { m };
            let (g, slope) = if hard {
                ((argument / 4.0 + 0.5).clamp(0.0, 1.0), if argument.abs() < 2.0 { 0.25 } else { 0.0 })
            } else {
                let g = 1.0 / (1.0 + (-argument).exp());
                (g, g * (1.0 - g))
            };
            let k = if inside { g } else { a * g };
            prop_assert!((f64::from(factors[step * c + i % c]) - k).abs() < 1e-6);
            prop_assert_eq!(y[i], factors[step * c + i % c] * x[i]);
            prop_assert_eq!(dx[i], factors[step * c + i % c] * dy[i]);
            let product = f64::from(x[i]) * f64::from(dy[i]);
            want[at(alpha.len())] += product * if inside { m * slope } else { g };
        }
        for (found, want) in dalpha.iter().zip(&want) {
            prop_assert!((f64::from(*found) - want).abs() <= 2e-6 * (1.0 + want.abs() + (n * hw * c) as f64));
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    let s = GateShape { t: 2, n: 2, hw: 3, c: 4 };
    for p in all_params() {
        // Detached gates and gradient-only gates are not the derivative of their value, by design.
        let is_derivative = p.apply == Apply::Forward && (!p.detach_gate || p.pool == Pool::Const);
        for per_channel in [false, true] {
            let (mut x, alpha, dy) = case(&s, per_channel, 77);
            if p.function == Function::Hard && p.pool == Pool::None {
                // Half of them between the corners, half beyond, none so near to one that a difference straddles it.
                x.iter_mut().step_by(2).for_each(|x| *x *= 0.5);
                x.iter_mut().skip(1).step_by(2).for_each(|x| *x += 5.0 * x.signum());
            }
            let [_, dx, dalpha] = run(&p, &s, &x, &alpha, &dy);
            let loss = |x: &[f32], alpha: &[f32]| weighted(&reference::forward(&p, &s, x, alpha), &dy);
            if is_derivative {
                assert_gradient(&format!("{p:?} dx"), &x, &dx, 1e-2, |x| loss(x, &alpha));
            }
            if p.apply == Apply::Forward {
                assert_gradient(&format!("{p:?} dalpha"), &alpha, &dalpha, 1e-2, |alpha| loss(&x, alpha));
            }
        }
    }
}

#[test]
fn the_hard_gate_per_element_at_its_corners() {
    let s = GateShape { t: 1, n: 1, hw: 5, c: 1 };
    let p = GateParams { pool: Pool::None, function: Function::Hard, ..GateParams::default() };
    let [y, dx, dalpha] = run(&p, &s, &[-3.0, -2.0, -1.0, 2.0, 3.0], &[2.0], &[1.0; 5]);
    assert_eq!(y, [0.0, 0.0, -0.5, 4.0, 6.0]);
    // Beyond a corner and at it the gate is a constant, 0 or 1; between them d(x (x + 2) / 4)/dx = (x + 1) / 2.
    assert_eq!(dx, [0.0, 0.0, 0.0, 2.0, 2.0]);
    assert_eq!(dalpha, [-0.25 + 2.0 + 3.0]);
}

#[test]
fn constant_gate_with_alpha_two_is_the_identity() {
    let s = GateShape { t: 3, n: 2, hw: 5, c: 7 };
    let (x, _, dy) = case(&s, false, 5);
    let p = GateParams { pool: Pool::Const, ..GateParams::default() };
    let [y, dx, _] = run(&p, &s, &x, &[2.0; 3], &dy);
    assert_eq!((y, dx), (x, dy));
}

#[test]
fn step_means_average_over_samples() {
    let s = GateShape { t: 2, n: 3, hw: 4, c: 5 };
    let (x, ..) = case(&s, false, 8);
    for (pool, channels) in [(Pool::Chw, 1), (Pool::Hw, 5), (Pool::Nchw, 1), (Pool::None, 0), (Pool::Const, 0)] {
        let mut found = vec![f32::NAN; s.means_len(pool)];
        means(pool, &s, &x, &mut found).unwrap();
        let found = step_means(pool, &s, &found).unwrap();
        assert_eq!(found.len(), 2 * channels);
        for (i, mean) in found.iter().enumerate() {
            let (t, c) = (i / channels, i % channels);
            let step = &x[t * 60..][..60];
            let members: Vec<f32> = step.iter().skip(c).step_by(channels).copied().collect();
            let want = members.iter().sum::<f32>() / members.len() as f32;
            assert!((mean - want).abs() < 1e-6, "{pool:?}: {mean} against {want}");
        }
    }
}

#[test]
fn same_bits_on_every_level_and_thread_count() {
    for (s, per_channel) in
        [(GateShape { t: 2, n: 5, hw: 81, c: 67 }, false), (GateShape { t: 2, n: 3, hw: 3001, c: 3 }, true)]
    {
        let (x, alpha, dy) = case(&s, per_channel, 13);
        for p in all_params() {
            assert_same_bits_everywhere(|| run(&p, &s, &x, &alpha, &dy).concat());
        }
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let s = GateShape { t: 2, n: 1, hw: 2, c: 3 };
    let p = GateParams::default();
    let (x, mut y, mut m) = ([0.0; 12], [0.0; 12], [0.0; 2]);
    let named = |result: Result<(), KernelError>, want: &str| match result.unwrap_err() {
        KernelError::Length { name, .. } | KernelError::Range { name, .. } => assert_eq!(name, want),
        other => panic!("{other}"),
    };
    named(forward(&p, &s, &x[1..], &[1.0; 2], &mut y, &mut m), "x");
    named(forward(&p, &s, &x, &[1.0; 2], &mut y[1..], &mut m), "y");
    named(forward(&p, &s, &x, &[1.0; 5], &mut y, &mut m), "alpha");
    named(forward(&p, &s, &x, &[1.0; 2], &mut y, &mut m[1..]), "means");
    named(forward(&p, &GateShape { hw: 0, ..s }, &[], &[1.0; 2], &mut [], &mut m), "hw");
    named(backward(&p, &s, &x, &m, &[1.0; 2], &x, &mut y, &mut [0.0; 6]), "dalpha");
    named(forward_with_means(&p, &s, &x, &[0.0; 3], &[1.0; 2], &mut y), "means");
    let huge = GateShape { t: usize::MAX, ..s };
    assert!(matches!(means(Pool::Const, &huge, &x, &mut []), Err(KernelError::Overflow { .. })));
    let p = GateParams { pool: Pool::None, ..p };
    let refused = forward_with_means(&p, &s, &x, &[0.0; 2], &[1.0; 2], &mut y);
    assert!(matches!(refused, Err(KernelError::Unsupported { .. })));
}
