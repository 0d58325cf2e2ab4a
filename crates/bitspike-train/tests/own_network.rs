//! A network that is not the library's in the trainer.

use bitspike_data::DataSet;
use bitspike_nn::Init;
use bitspike_nn::layers::{Agmm, AgmmConfig, BinaryConv2d, Classifier, Conv2dConfig, Neuron, NeuronConfig};
use bitspike_nn::network::Observer;
use bitspike_nn::ops::conv::WeightScale;
use bitspike_nn::ops::pool::global_avg_pool;
use bitspike_run::{Checkpoint as Which, RunFolder, Summary};
use bitspike_train::device::by_name;
use bitspike_train::recipe::Recipe;
use bitspike_train::run::trainer::{Control, Outcome, Quiet, Trainer};
use bitspike_train::{Architecture, Spiking, TrainError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::path::Path;

#[derive(Module, Debug)]
struct Net {
    conv: BinaryConv2d,
    gate: Agmm,
    neuron: Neuron,
    head: Classifier,
}

impl Spiking for Net {
    fn forward(&self, x: Tensor<5>, observer: &mut dyn Observer) -> Tensor<3> {
        let (current, means) = self.gate.forward(self.conv.forward(x.repeat_dim(0, 2)));
        observer.gate("conv", &means);
        let spikes = self.neuron.forward(current);
        observer.spikes("conv", &spikes);
        self.head.forward(global_avg_pool(spikes))
    }
}

struct Design {
    width: usize,
}

impl Architecture for Design {
    type Network = Net;

    fn build(&self, init: &Init, device: &Device) -> Net {
        let width = self.width;
        Net {
            conv: Conv2dConfig::same([1, width], 3).init_binary(WeightScale::None, init, "conv", device),
            gate: AgmmConfig::default().init(2, width, device),
            neuron: NeuronConfig::default().init(2, device),
            head: Classifier::new(width, 10, init, "head", device),
        }
    }
}

struct StopAfter(u64);

impl Control for StopAfter {
    fn stop(&mut self) -> bool {
        self.0 -= 1;
        self.0 == 0
    }
}

fn recipe(method: &str) -> (Recipe, DataSet) {
    let text = format!(
        "method = '{method}'\n[data]\ntrain_limit = 96\ntest_limit = 40\n[train]\nepochs = 2\nbatch_size = 16\n"
    );
    let recipe = Recipe::parse(&text, "test").unwrap();
    let data = recipe.load_data().unwrap();
    (recipe, data)
}

fn finish(mut trainer: Trainer<Design>) -> Box<Summary> {
    match trainer.run(&mut Quiet).unwrap() {
        Outcome::Finished(summary) => summary,
        Outcome::Interrupted { .. } => panic!("nobody stopped it"),
    }
}

#[test]
fn it_trains_is_watched_and_resumes_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let (recipe, data) = recipe("agmm");
    let device = by_name("cpu").unwrap();
    let start =
        |name: &str| Trainer::with(Design { width: 8 }, &recipe, &data, &device, &dir.path().join(name), &[]).unwrap();
    let whole = finish(start("whole"));
    assert!(whole.flips_per_weight > 0.0 && whole.firing_rate > 0.0, "{whole:?}");
    assert!(matches!(start("parts").run(&mut StopAfter(3)).unwrap(), Outcome::Interrupted { step: 3, .. }));
    let parts = dir.path().join("parts");
    let resumed = finish(Trainer::resume_with(Design { width: 8 }, &parts, &data, &device).unwrap());
    assert_eq!(resumed.content, whole.content);
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (own, data) = recipe("agmm");
    let device = by_name("cpu").unwrap();
    let folder = dir.path().join("run");
    drop(Trainer::with(Design { width: 8 }, &own, &data, &device, &folder, &[]).unwrap());
    // Another width, and the library's own network.
    let wider = Trainer::resume_with(Design { width: 9 }, &folder, &data, &device).err().unwrap();
    assert!(wider.to_string().contains("conv.latent"), "{wider}");
    assert!(matches!(Trainer::resume(&folder, &data, &device).err().unwrap(), TrainError::Checkpoint(_)));
    assert!(RunFolder::open(&folder).unwrap().checkpoint(Which::Last).is_file());
    let (online, _) = recipe("t-bso");
    let free = dir.path().join("free");
    let error = Trainer::with(Design { width: 8 }, &online, &data, &device, Path::new(&free), &[]).err().unwrap();
    assert!(matches!(error, TrainError::Online { .. }) && error.hint().is_some(), "{error}");
    assert!(!free.exists());
}
