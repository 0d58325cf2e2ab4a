use super::*;
use crate::par::golden::Golden;
use crate::par::testing::{assert_close, assert_same_bits_everywhere, bits, cases, noise};
use proptest::prelude::*;

fn golden_params(g: &Golden) -> NeuronParams {
    let kind = match g.word("surrogate") {
        "triangle" => SurrogateKind::Triangle,
        "rectangle" => SurrogateKind::Rectangle,
        "sigmoid" => SurrogateKind::Sigmoid,
        "atan" => SurrogateKind::Atan,
        other => panic!("{other}"),
    };
    NeuronParams {
        decay: g.number("decay"),
        v_threshold: g.number("v_threshold"),
        reset: if g.word("reset") == "soft" { Reset::Soft } else { Reset::Hard },
        detach_reset: g.flag("detach_reset"),
        surrogate: Surrogate { kind, width: g.number("width") },
    }
}

/// Every combination of reset, detach and surrogate, with decay and threshold off their defaults.
fn all_params() -> Vec<NeuronParams> {
    let mut all = Vec::new();
    for reset in [Reset::Soft, Reset::Hard] {
        for detach_reset in [false, true] {
            for kind in [SurrogateKind::Triangle, SurrogateKind::Rectangle, SurrogateKind::Sigmoid, SurrogateKind::Atan]
            {
                let surrogate = Surrogate { width: Surrogate::new(kind).width * 1.25, kind };
                all.push(NeuronParams { decay: 0.7, v_threshold: 0.9, reset, detach_reset, surrogate });
            }
        }
    }
    all
}

fn run(p: &NeuronParams, x: &[f32], g: &[f32], t: usize) -> (Vec<f32>, Vec<f32>, Vec<f32>, f32) {
    let mut out = vec![vec![f32::NAN; x.len()]; 3];
    let [spikes, membrane, dx] = &mut out[..] else { unreachable!() };
    forward(p, x, t, spikes, Some(membrane)).unwrap();
    let decay = backward(p, membrane, g, t, dx, true).unwrap().unwrap();
    let (dx, membrane, spikes) = (out.pop().unwrap(), out.pop().unwrap(), out.pop().unwrap());
    (spikes, membrane, dx, decay)
}

#[test]
fn golden_lif_matches_pytorch() {
    for golden in Golden::all("lif") {
        let p = golden_params(&golden);
        let (shape, x) = golden.tensor("x");
        let g = golden.tensor("grad_spikes").1;
        let (spikes, membrane, dx, _) = run(&p, &x, &g, shape[0]);
        assert_eq!(spikes, golden.tensor("spikes").1);
        golden.assert_close("membrane", &membrane, &golden.tensor("membrane").1);
        golden.assert_close("grad_x", &dx, &golden.tensor("grad_x").1);
    }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn matches_the_scalar_twin(t in 1usize..6, m in 0usize..4500, seed: u64, which in 0usize..16) {
        let p = all_params()[which];
        let (x, g) = (noise(t * m, 2.0, seed), noise(t * m, 1.0, seed ^ 1));
        let (spikes, membrane, dx, decay) = run(&p, &x, &g, t);
        let (want_spikes, want_membrane) = reference::forward(&p, &x, t);
        prop_assert_eq!(bits(&spikes), bits(&want_spikes));
        prop_assert_eq!(bits(&membrane), bits(&want_membrane));
        let (want_dx, want_decay) = reference::backward(&p, &membrane, &g, t);
        assert_close("dx", &dx, &want_dx, 1e-6);
        prop_assert!((decay - want_decay).abs() <= 1e-5 * (want_decay.abs() + (t * m) as f32 * 1e-3));
    }

    #[test]
    fn broadcast_is_the_repeated_input(t in 1usize..6, m in 0usize..4500, seed: u64, which in 0usize..16) {
        let p = all_params()[which];
        let (x, g) = (noise(m, 2.0, seed), noise(t * m, 1.0, seed ^ 1));
        let (spikes, membrane, dx, decay) = run(&p, &x.repeat(t), &g, t);
        let (mut s, mut u, mut d) = (vec![f32::NAN; t * m], vec![f32::NAN; t * m], vec![f32::NAN; m]);
        forward_broadcast(&p, &x, t, &mut s, Some(&mut u)).unwrap();
        prop_assert_eq!(bits(&s), bits(&spikes));
        prop_assert_eq!(bits(&u), bits(&membrane));
        let found = backward_broadcast(&p, &x, &g, t, &mut d, true).unwrap().unwrap();
        prop_assert!((found - decay).abs() <= 1e-6 * decay.abs(), "{found} {decay}");
        let sums: Vec<f32> = (0..m).map(|i| (0..t).rev().map(|k| dx[k * m + i]).fold(-0.0, |a, b| a + b)).collect();
        prop_assert_eq!(d, sums);
    }

    #[test]
    fn membrane_need_not_be_saved(t in 1usize..6, m in 0usize..4500, seed: u64) {
        let x = noise(t * m, 2.0, seed);
        let p = NeuronParams::default();
        let mut spikes = vec![f32::NAN; t * m];
        forward(&p, &x, t, &mut spikes, None).unwrap();
        prop_assert_eq!(spikes, reference::forward(&p, &x, t).0);
    }
}

/// A network of spikes is piecewise constant, so finite differences see only the linear part: with the surrogate zero
/// everywhere the gradient is zero, and with one step it is the surrogate itself. What can be checked against a
/// difference quotient is the surrogate as derivative of its own integral, and the decay's gradient of the membrane.
#[test]
fn surrogates_have_area_one_and_are_even() {
    for kind in [SurrogateKind::Triangle, SurrogateKind::Rectangle, SurrogateKind::Sigmoid, SurrogateKind::Atan] {
        for width in [0.5, 1.0, 2.0, 4.0] {
            let surrogate = Surrogate { kind, width };
            let (step, reach) = (1e-3f64, 400.0f64);
            let count = (reach / step) as usize;
            let value = |i: usize| f64::from(surrogate.derivative(((i as f64 + 0.5) * step) as f32));
            let area = 2.0 * step * (0..count).map(value).sum::<f64>();
            // What lies beyond `reach`; the other shapes are zero there.
            let atan = kind == SurrogateKind::Atan;
            let tails = if atan { 4.0 / (std::f64::consts::PI.powi(2) * f64::from(width) * reach) } else { 0.0 };
            assert!((area + tails - 1.0).abs() < 1e-5, "{surrogate:?}: {area}");
            for v in [0.0, 0.1, 0.3, 0.7, 2.0] {
                assert_eq!(surrogate.derivative(v), surrogate.derivative(-v));
            }
        }
    }
}

/// The smooth twin of the network: `s` replaced by a function whose derivative is the sigmoid surrogate. Its exact
/// gradient is what the kernel computes when the membrane saved comes from the smooth network and stays on one side of
/// the threshold, where the kernel's own 0/1 spike equals the smooth one; so only the soft reset, whose derivatives do
/// not contain `s`, is compared.
#[test]
fn gradient_matches_finite_differences_of_a_smooth_twin() {
    let surrogate = Surrogate::new(SurrogateKind::Sigmoid);
    let p = NeuronParams { decay: 0.6, detach_reset: false, surrogate, ..NeuronParams::default() };
    let (t, m) = (4, 9);
    let (x, g) = (noise(t * m, 1.5, 7), noise(t * m, 1.0, 8));
    let smooth = |x: &[f64]| -> (f64, Vec<f32>) {
        let (mut loss, mut membrane) = (0.0, vec![0.0; t * m]);
        for i in 0..m {
            let mut after = 0.0;
            for k in 0..t {
                let u = f64::from(p.decay) * after + x[k * m + i];
                let s = 1.0 / (1.0 + (-4.0 * (u - 1.0)).exp());
                membrane[k * m + i] = u as f32;
                loss += s * f64::from(g[k * m + i]);
                after = u - s;
            }
        }
        (loss, membrane)
    };
    let mut x64: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let membrane = smooth(&x64).1;
    let mut dx = vec![0.0; t * m];
    backward(&p, &membrane, &g, t, &mut dx, false).unwrap();
    for i in 0..t * m {
        let middle = x64[i];
        x64[i] = middle + 1e-5;
        let up = smooth(&x64).0;
        x64[i] = middle - 1e-5;
        let numeric = (up - smooth(&x64).0) / 2e-5;
        x64[i] = middle;
        assert!((numeric - f64::from(dx[i])).abs() < 1e-5, "{i}: {} against {numeric}", dx[i]);
    }
}

/// With a threshold out of reach nothing fires, `u` is smooth in the decay, and `Σ g·h(u)` has the gradient
/// `Σ G r`: compared with a difference quotient through the arctan's integral.
#[test]
fn decay_gradient_matches_finite_differences() {
    let surrogate = Surrogate::new(SurrogateKind::Atan);
    for reset in [Reset::Soft, Reset::Hard] {
        let p = NeuronParams { decay: 0.6, v_threshold: 3.0, reset, surrogate, ..NeuronParams::default() };
        let (t, m) = (5, 7);
        let (x, g) = (noise(t * m, 1.0, 3), noise(t * m, 1.0, 4));
        let (spikes, _, _, found) = run(&p, &x, &g, t);
        assert_eq!(count_spikes(&spikes), 0);
        let loss = |decay: f64| -> f64 {
            let mut loss = 0.0;
            for i in 0..m {
                let mut u = 0.0;
                for k in 0..t {
                    u = decay * u + f64::from(x[k * m + i]);
                    let z = std::f64::consts::FRAC_PI_2 * 2.0 * (u - 3.0);
                    loss += f64::from(g[k * m + i]) * z.atan() / std::f64::consts::PI;
                }
            }
            loss
        };
        let numeric = (loss(0.6 + 1e-5) - loss(0.6 - 1e-5)) / 2e-5;
        assert!((numeric - f64::from(found)).abs() < 1e-4 * numeric.abs(), "{reset:?}: {found} against {numeric}");
    }
}

#[test]
fn same_bits_on_every_level_and_thread_count() {
    let (t, m) = (3, 40_003);
    let (x, g) = (noise(t * m, 2.0, 11), noise(t * m, 1.0, 12));
    for p in all_params() {
        assert_same_bits_everywhere(|| {
            let (spikes, membrane, dx, decay) = run(&p, &x, &g, t);
            [spikes, membrane, dx, vec![decay]].concat()
        });
    }
}

#[test]
fn counts_spikes() {
    for n in [0usize, 1, 17, 100_003] {
        let spikes: Vec<f32> = (0..n).map(|i| if i % 3 == 0 { 1.0 } else { 0.0 }).collect();
        assert_eq!(count_spikes(&spikes), n.div_ceil(3) as u64);
    }
}

#[test]
fn nan_membranes_do_not_turn_into_zero_gradients() {
    let p = NeuronParams::default();
    let mut dx = [0.0];
    backward(&p, &[f32::NAN], &[1.0], 1, &mut dx, false).unwrap();
    assert!(dx[0].is_nan());
}

#[test]
fn wrong_arguments_are_refused() {
    let p = NeuronParams::default();
    let mut y = [0.0; 4];
    let length = |e: Result<(), KernelError>| matches!(e, Err(KernelError::Length { .. }));
    assert!(length(forward(&p, &[0.0; 6], 2, &mut y, None)));
    assert!(length(forward(&p, &[0.0; 4], 2, &mut y, Some(&mut [0.0; 3]))));
    assert!(length(forward_broadcast(&p, &[0.0; 4], 2, &mut y, None)));
    assert!(length(backward(&p, &[0.0; 4], &[0.0; 3], 2, &mut y, false).map(|_| ())));
    assert!(length(backward_broadcast(&p, &[0.0; 4], &[0.0; 4], 2, &mut y, false).map(|_| ())));
    assert!(length(backward_broadcast(&p, &[0.0; 2], &[0.0; 4], 2, &mut y, false).map(|_| ())));
    assert!(matches!(forward(&p, &[0.0; 4], 3, &mut y, None), Err(KernelError::Multiple { found: 4, .. })));
    for (bad, name) in [
        (NeuronParams { decay: f32::NAN, ..p }, "decay"),
        (NeuronParams { decay: 1.5, ..p }, "decay"),
        (NeuronParams { v_threshold: 0.0, ..p }, "v_threshold"),
        (NeuronParams { surrogate: Surrogate { width: -1.0, ..p.surrogate }, ..p }, "surrogate.width"),
    ] {
        let error = forward(&bad, &[0.0; 4], 2, &mut y, None).unwrap_err();
        assert!(matches!(error, KernelError::Range { name: found, .. } if found == name), "{error}");
    }
    assert!(matches!(forward(&p, &[], 0, &mut [], None), Err(KernelError::Range { name: "t", .. })));
}
