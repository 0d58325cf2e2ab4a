//! The papers' networks in the trainer: trained, interrupted, resumed and evaluated at a small width, and refused by export.

use bitspike_data::{DataSet, SampleSet};
use bitspike_run::{Checkpoint as Which, RunFolder};
use bitspike_train::deploy::export::{deployable, describe};
use bitspike_train::device::by_name;
use bitspike_train::recipe::Recipe;
use bitspike_train::recipe::method::Method;
use bitspike_train::run::checkpoint::Checkpoint;
use bitspike_train::run::network;
use bitspike_train::run::trainer::{Control, Outcome, Quiet, Trainer};
use std::path::Path;

/// Name, width, and side of the images.
const NAMES: [(&str, f64, usize); 9] = [
    ("vgg11", 0.0625, 8),
    ("vggsnn", 0.0625, 16),
    ("resnet19", 0.0625, 8),
    ("resnet20", 0.25, 8),
    ("bi-real-18", 0.0625, 32),
    ("bi-real-34", 0.03125, 32),
    ("sew-resnet18", 0.0625, 32),
    ("ms-resnet18", 0.0625, 32),
    ("spikformer", 0.125, 8),
];

/// Images whose class is where their bright half is.
fn data(side: usize) -> DataSet {
    let set = |n: usize, salt: usize| {
        let pixel = |i: usize, p: usize| {
            let bright = (p % side < side / 2) == i.is_multiple_of(2);
            ((i * 31 + p * 17 + salt) % 100 + if bright { 120 } else { 0 }) as u8
        };
        let pixels = (0..n).flat_map(|i| (0..side * side).map(move |p| pixel(i, p))).collect();
        let labels = (0..n).map(|i| (i % 2) as u32).collect();
        SampleSet::new([1, side, side], pixels, labels, ["left", "right"].map(str::to_owned).to_vec()).expect("a set")
    };
    DataSet::from_parts("halves", "made up", set(24, 0), None, set(6, 7)).expect("a data set")
}

fn recipe(network: &str) -> Recipe {
    let text = format!("method = 'agmm'\n[network]\n{network}\n[train]\nepochs = 1\nbatch_size = 8\nlog_every = 1\n");
    Recipe::parse(&text, "test").unwrap()
}

/// Stops after this many steps.
struct StopAfter(u64);

impl Control for StopAfter {
    fn stop(&mut self) -> bool {
        self.0 -= 1;
        self.0 == 0
    }
}

/// Tensors of the last checkpoint, by name.
fn tensors(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(RunFolder::open(folder).unwrap().checkpoint(Which::Last)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    // The seal is over the seconds too.
    let content = file.tensors().into_iter().filter(|(name, _)| name != "seal.crc32c");
    let mut tensors: Vec<_> = content.map(|(n, v)| (n, v.data().to_vec())).collect();
    tensors.sort();
    tensors
}

#[test]
fn every_network_trains_and_resumes_bit_for_bit() {
    let (dir, device) = (tempfile::tempdir().unwrap(), by_name("cpu").unwrap());
    for (name, width, side) in NAMES {
        let (recipe, data) = (recipe(&format!("name = '{name}'\nwidth = {width}")), data(side));
        let [whole, broken] = ["whole", "broken"].map(|part| dir.path().join(format!("{name}-{part}")));
        let mut trainer = Trainer::start(&recipe, &data, &device, &whole, &[]).unwrap();
        let Outcome::Finished(summary) = trainer.run(&mut Quiet).unwrap() else { panic!("{name} was not stopped") };
        let stopped = Trainer::start(&recipe, &data, &device, &broken, &[]).unwrap().run(&mut StopAfter(2)).unwrap();
        assert!(matches!(stopped, Outcome::Interrupted { .. }), "{name}");
        Trainer::resume(&broken, &data, &device).unwrap().run(&mut Quiet).unwrap();
        let (a, b) = (tensors(&whole), tensors(&broken));
        let names = |t: &[(String, Vec<u8>)]| t.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
        assert_eq!(names(&a), names(&b), "{name}");
        let differ: Vec<_> = a.iter().zip(&b).filter(|(a, b)| a != b).map(|(a, _)| &a.0).collect();
        assert!(differ.is_empty(), "{name}: {differ:?}");

        // The checkpoint is that of this network, and every layer that is fed by spikes was counted as such.
        let checkpoint = Checkpoint::load(&RunFolder::open(&whole).unwrap().checkpoint(Which::Last)).unwrap();
        let (plan, _) = network::load(&recipe, &data, &checkpoint, &by_name("cpu").unwrap()).unwrap();
        let fed: Vec<_> = plan.summary().layers.into_iter().filter(|l| l.source.is_some()).map(|l| l.name).collect();
        let energy = summary.energy.as_ref().unwrap();
        assert_eq!(energy.spiking_layers, fed, "{name}");
        assert!(energy.compute_pj > 0.0 && summary.firing_rate > 0.0 && summary.firing_rate < 1.0, "{name}");
    }
}

/// Layers without a deployed form are refused by name, with the remedy; the others are described.
#[test]
fn export_refuses_what_the_format_cannot_hold() {
    let device = by_name("cpu").unwrap();
    let refused = [
        ("resnet19", "blocks.0"),
        ("resnet20", "blocks.0"),
        ("bi-real-18", "stem"),
        ("bi-real-34", "stem"),
        ("sew-resnet18", "stem"),
        ("ms-resnet18", "blocks.0"),
        ("spikformer", "embed.position"),
    ];
    for (name, width, side) in NAMES {
        let (recipe, data) = (recipe(&format!("name = '{name}'\nwidth = {width}")), data(side));
        let plan = recipe.network_options().plan(data.shape(), data.classes()).unwrap();
        let network = bitspike_nn::network::Network::new(&plan, &bitspike_nn::Init::new(1), &device);
        let found = describe(&recipe, &data, &plan, &network);
        match refused.iter().find(|r| r.0 == name) {
            Some((_, layer)) => {
                let e = found.unwrap_err();
                assert_eq!(Some(&e), deployable(&plan).as_ref().err(), "{name}");
                let message = e.to_string();
                assert!(message.starts_with(layer) && message.contains(name), "{message}");
                assert!(e.hint().unwrap().contains("vgg11"), "{name}");
            }
            None => {
                let model = found.unwrap();
                let title = format!("{name} (width {width})");
                assert!(model.meta.contains(&("layers".to_owned(), title)), "{name}: {:?}", model.meta);
                assert!(bitspike_format::write(&model).is_ok(), "{name}");
            }
        }
    }
}

/// No method needs binary inputs ([`Method`] says why): each trains on quarters and on sums of spikes. Online training takes
/// chains only, which have no sums, and says so.
#[test]
fn every_method_takes_inputs_that_are_not_binary() {
    let (dir, device) = (tempfile::tempdir().unwrap(), by_name("cpu").unwrap());
    let networks =
        [("quarters", "layers = '4-P-8-8'\npooling = 'spikes'", 8), ("sums", "name = 'spikformer'\nwidth = 0.125", 8)];
    for method in Method::ALL {
        for (what, text, side) in networks {
            let (recipe, data) = (recipe(text).with(method, 1), data(side));
            let folder = dir.path().join(format!("{method}-{what}"));
            let started = Trainer::start(&recipe, &data, &device, &folder, &[]);
            if method == Method::TBso && what == "sums" {
                let message = started.err().expect("a network that is no chain").to_string();
                assert!(message.contains("runs a chain step by step"), "{message}");
                continue;
            }
            let outcome = started.unwrap().run(&mut Quiet).unwrap();
            let Outcome::Finished(summary) = outcome else { panic!("{method}, {what}") };
            assert!(summary.test_loss.unwrap().is_finite(), "{method}, {what}");
        }
    }
}
