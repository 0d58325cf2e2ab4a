//! The same network on two backends: nothing may depend on the fused kernels of one.
#![cfg(feature = "ndarray")]

use bitspike_nn::network::{Ignore, Network};
use bitspike_nn::{Init, Loss};
use bitspike_train::device::by_name;
use bitspike_train::optim::Optimizer;
use bitspike_train::param::{host, snapshot};
use bitspike_train::recipe::Recipe;
use burn::tensor::{Int, Tensor};

/// Logits of three training steps, and the parameters after them.
fn train(recipe: &Recipe, device: &str) -> Vec<(String, Vec<f32>)> {
    let device = by_name(device).unwrap().autodiff();
    let plan = recipe.network_options().plan([2, 8, 8], 3).unwrap();
    let mut network = Network::new(&plan, &Init::new(5), &device);
    let mut optimizer = Optimizer::new(recipe.optim_config());
    let x = Init::new(6).normal::<5>("images", [1, 6, 2, 8, 8], 1.0, &device);
    let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 0, 1, 2], &device);
    let mut results = Vec::new();
    for step in 0..3 {
        let logits = network.forward(x.clone(), &mut Ignore);
        let mut grads = Loss::Tet.forward(logits.clone(), labels.clone()).backward();
        results.push((format!("logits {step}"), host(logits.inner())));
        network = optimizer.step(network, &mut grads, 0.05);
    }
    results.extend(snapshot(&network).into_iter().map(|(n, d)| (n, d.try_to_vec::<f32>().unwrap())));
    results
}

/// The larger of two errors; NaN, which `f32::max` would drop, counts as the largest.
fn worse(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }
}

#[test]
fn both_backends_train_alike() {
    let mut wrong = Vec::new();
    for family in ["vgg", "bi-real"] {
        for method in ["full-precision", "bsnn", "agmm", "agmm-hw", "agmm-gradient", "const-gate"] {
            for pooling in ["current", "spikes", "max-spikes"] {
                let layers = if family == "vgg" { "4-P-6-6" } else { "4-4-6" };
                let text = format!(
                    "method = '{method}'\n[network]\nfamily = '{family}'\nlayers = '{layers}'\npooling = '{pooling}'\n"
                );
                let recipe = Recipe::parse(&text, "test").unwrap();
                for ((name, a), (_, b)) in train(&recipe, "cpu").into_iter().zip(train(&recipe, "ndarray")) {
                    let largest = b.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
                    let error = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0f32, worse) / largest;
                    // A spike on the threshold may fall either way in the last bits; three steps keep that rare.
                    if error.is_nan() || error >= 2e-3 {
                        wrong.push(format!("{family} {method} {pooling}: {name}: {error:e}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
