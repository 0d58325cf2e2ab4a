//! Laws of the step of binary weights: what may not depend on the size of the latent weights, nor on that of the loss.

use bitspike_nn::network::{Ignore, Network};
use bitspike_nn::{Init, Loss};
use bitspike_train::device::by_name;
use bitspike_train::measure::flips::FlipTracker;
use bitspike_train::optim::{Optimizer, relative};
use bitspike_train::param::{self, ParamMapper, ParamVisitor, Role, host, plain};
use bitspike_train::recipe::Recipe;
use burn::module::Param;
use burn::tensor::{Int, Tensor};
use std::collections::BTreeMap;

const STEPS: usize = 12;

/// Multiplies the latent weights of the layers that `factor` names.
struct Scale<F: Fn(&str) -> f32>(F);

impl<F: Fn(&str) -> f32> ParamMapper for Scale<F> {
    fn map<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> Option<Tensor<D>> {
        (Role::of(name) == Role::Binary).then(|| plain(value.clone()) * (self.0)(name))
    }
}

/// Latent weights by name.
fn latents(network: &Network) -> BTreeMap<String, Vec<f32>> {
    struct Collect(BTreeMap<String, Vec<f32>>);
    impl ParamVisitor for Collect {
        fn visit<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
            if Role::of(name) == Role::Binary {
                self.0.insert(name.to_owned(), host(plain(param.val())));
            }
        }
    }
    let mut collect = Collect(BTreeMap::new());
    param::visit(network, &mut collect);
    collect.0
}

fn recipe(text: &str) -> Recipe {
    let text = format!("{text}\n[network]\nfamily = 'bi-real'\nlayers = '4-4-6-6'\n");
    Recipe::parse(&text, "test").unwrap()
}

/// Latent weights after every step, from starting weights changed by `factor` and a loss multiplied by `loss`; and flips.
fn train(recipe: &Recipe, factor: impl Fn(&str) -> f32, loss: f64) -> (Vec<BTreeMap<String, Vec<f32>>>, u64) {
    let device = by_name("cpu").unwrap().autodiff();
    let plan = recipe.network_options().plan([2, 8, 8], 3).unwrap();
    let network = param::map(Network::new(&plan, &Init::new(5), &device), &mut Scale(factor));
    let mut optimizer = Optimizer::new(recipe.optim_config());
    let mut network = optimizer.prepare(network);
    let x = Init::new(6).normal::<5>("images", [1, 6, 2, 8, 8], 1.0, &device);
    let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 0, 1, 2], &device);
    let (mut seen, mut flips, mut tracker) = (Vec::new(), 0, FlipTracker::new());
    for step in 0..=STEPS {
        let now = latents(&network);
        flips += now.iter().map(|(name, w)| tracker.observe_values(name, w)).sum::<u64>();
        seen.push(now);
        if step < STEPS {
            let logits = network.forward(x.clone(), &mut Ignore);
            let mut grads = (Loss::Tet.forward(logits, labels.clone()) * loss).backward();
            network = optimizer.step(network, &mut grads, recipe.optim.lr);
        }
    }
    (seen, flips)
}

/// The law: whatever power of two stands in front of the starting weights of a layer, no bit of the run changes.
#[test]
fn the_scale_of_starting_weights_changes_no_sign() {
    for text in [
        "method = 'bsnn'\n[optim]\nlr = 1.0",
        "method = 'agmm'\n[optim]\nlr = 1.0\nweight_decay = 0.01",
        "method = 'agmm-element'\n[optim]\nkind = 'adamw'\nlr = 0.01",
        "method = 'recu'\n[optim]\nlr = 1.0",
        "method = 'freeze'\n[optim]\nlr = 1.0",
    ] {
        let recipe = recipe(text);
        let (reference, flips) = train(&recipe, |_| 1.0, 1.0);
        assert!(flips > 50, "{text}: only {flips} flips, so nothing is shown");
        let layers: Vec<String> = reference[0].keys().cloned().collect();
        assert_eq!(layers.len(), 3);
        for layer in layers.iter().map(Some).chain([None]) {
            for power in [-20, -3, 1, 6, 20] {
                let factor = |name: &str| if layer.is_none_or(|l| l == name) { 2f32.powi(power) } else { 1.0 };
                let (found, _) = train(&recipe, factor, 1.0);
                assert_eq!(found, reference, "{text}: {layer:?} times 2^{power}");
            }
        }
    }
}

/// Without the rule the same factor changes nearly everything, so the law is not there by itself.
#[test]
fn an_absolute_step_depends_on_the_scale() {
    let recipe = recipe("method = 'bsnn'\n[optim]\nbinary_step = 'absolute'");
    let [usual, small, large] = [1.0, 1.0 / 64.0, 8.0].map(|factor| train(&recipe, |_| factor, 1.0).1);
    assert!(small > 5 * usual.max(1) && large < small, "flips {usual}, {small}, {large}");
}

/// A weight of usual size moves by lr · STEP units, whatever the size of the loss.
#[test]
fn the_size_of_the_loss_does_not_matter() {
    let recipe = recipe("method = 'bsnn'\n[optim]\nlr = 0.5\nmomentum = 0.0\nweight_decay = 0.0");
    for loss in [1.0, 1e-3, 1e3] {
        let (seen, _) = train(&recipe, |_| 1.0, loss);
        for (name, start) in &seen[0] {
            let rms = |v: &mut dyn Iterator<Item = f32>| {
                let (sum, n) = v.fold((0.0, 0.0), |(s, n), v| (s + f64::from(v).powi(2), n + 1.0));
                (sum / n).sqrt() / relative::UNIT
            };
            let size = rms(&mut start.iter().copied());
            let moved = rms(&mut start.iter().zip(&seen[1][name]).map(|(a, b)| b - a));
            assert!((size - 1.0).abs() < 1e-5, "{name} starts at {size} units");
            assert!(
                (moved / (0.5 * relative::STEP) - 1.0).abs() < 1e-3,
                "{name} moved by {moved} units at loss {loss}"
            );
        }
    }
}
