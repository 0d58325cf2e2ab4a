//! A run that is interrupted and resumed gives, bit for bit, what an uninterrupted run gives.

use bitspike_data::{DataSet, SampleSet, SetName, Values};
use bitspike_nn::network::Network;
use bitspike_nn::ops::conv::Precision;
use bitspike_nn::{Init, Loss};
use bitspike_run::{Checkpoint as Which, FileState, Record, RunFolder};
use bitspike_train::device::by_name;
use bitspike_train::measure::evaluate::evaluate;
use bitspike_train::recipe::Recipe;
use bitspike_train::recipe::method::Method;
use bitspike_train::run::checkpoint::{Checkpoint, CheckpointError};
use bitspike_train::run::eval_loader;
use bitspike_train::run::trainer::{Control, Outcome, Quiet, Trainer};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

const RECIPE: &str = "method = 'agmm'\n[augment]\nflip = true\nrandom_crop = 1\n[network]\nlayers = '4-P-8-8'\n\
                      [agmm]\npool = 'chw'\neval_gate = 'ema'\n\
                      [train]\nepochs = 3\nbatch_size = 8\nlog_every = 2\ndiagnose_every = 2\ncheckpoint_every = 3\n";

/// Images whose class is where their bright half is: learnable, and different enough that every step counts.
fn data() -> DataSet {
    data_of(|i| i % 2)
}

/// Samples of these classes, the brighter half of which says the class.
fn data_of(class: fn(usize) -> usize) -> DataSet {
    let set = |n: usize, salt: usize| {
        let classes = ["left", "right"].map(str::to_owned).to_vec();
        let pixel = |i: usize, p: usize| {
            let bright = (p % 8 < 4) == (class(i) == 0);
            ((i * 31 + p * 17 + salt) % 100 + if bright { 120 } else { 0 }) as u8
        };
        let pixels = (0..n).flat_map(|i| (0..64).map(move |p| pixel(i, p))).collect();
        SampleSet::new([1, 8, 8], pixels, (0..n).map(|i| class(i) as u32).collect(), classes).expect("a set")
    };
    DataSet::from_parts("halves", "made up", set(64, 0), None, set(20, 7)).expect("a data set")
}

/// Stops after this many steps.
struct StopAfter(u64);

impl Control for StopAfter {
    fn stop(&mut self) -> bool {
        self.0 -= 1;
        self.0 == 0
    }
}

/// Everything but the seconds.
fn records(folder: &Path) -> Vec<Record> {
    let log = RunFolder::open(folder).unwrap().read_metrics().unwrap();
    assert!(log.torn.is_none());
    log.records
        .into_iter()
        .map(|record| match record {
            Record::Epoch(mut r) => {
                r.seconds = 0.0;
                Record::Epoch(r)
            }
            Record::Step(mut r) => {
                r.samples_per_second = 0.0;
                Record::Step(r)
            }
            other => other,
        })
        .collect()
}

/// Compares runs record by record, so that a failure shows the first difference and not everything.
fn assert_same_records(a: &Path, b: &Path, what: &str) {
    let (a, b) = (records(a), records(b));
    assert_eq!(a.len(), b.len(), "{what}: number of records");
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert_eq!(a, b, "{what}: record {i}");
    }
}

/// Names of what differs between two checkpoints.
fn assert_same_state(a: &Path, b: &Path, which: Which, what: &str) {
    let (a, b) = (state(a, which), state(b, which));
    assert_eq!(a.0, b.0, "{what}: progress");
    let names = |s: &State| s.1.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b), "{what}: tensors");
    let differ: Vec<_> = a.1.iter().zip(&b.1).filter(|(a, b)| a != b).map(|(a, _)| &a.0).collect();
    assert!(differ.is_empty(), "{what}: {differ:?}");
}

/// Progress as text, and tensors by name.
type State = (String, Vec<(String, Vec<u8>)>);

/// Tensors and progress of a checkpoint, without seconds; bits, not values.
fn state(folder: &Path, which: Which) -> State {
    let path = RunFolder::open(folder).unwrap().checkpoint(which);
    let mut checkpoint = Checkpoint::load(&path).unwrap();
    checkpoint.progress.seconds = 0.0;
    checkpoint.progress.sums.seconds = 0.0;
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // The seal is over the seconds too.
    let content = file.tensors().into_iter().filter(|(name, _)| name != "seal.crc32c");
    let mut tensors: Vec<_> = content.map(|(n, v)| (n, v.data().to_vec())).collect();
    tensors.sort();
    (format!("{:?}", checkpoint.progress), tensors)
}

fn run_in_pieces(folder: &Path, pieces: &[u64]) {
    run_recipe_in_pieces(&Recipe::parse(RECIPE, "test").unwrap(), folder, pieces);
}

fn run_recipe_in_pieces(recipe: &Recipe, folder: &Path, pieces: &[u64]) {
    run_on_in_pieces(&data(), recipe, folder, pieces);
}

fn run_on_in_pieces(data: &DataSet, recipe: &Recipe, folder: &Path, pieces: &[u64]) {
    let device = by_name("cpu").unwrap();
    let mut start = Some(Trainer::start(recipe, data, &device, folder, &[]).unwrap());
    for &steps in pieces {
        let mut trainer = start.take().unwrap_or_else(|| Trainer::resume(folder, data, &device).unwrap());
        let outcome = trainer.run(&mut StopAfter(steps)).unwrap();
        assert!(matches!(outcome, Outcome::Interrupted { .. }), "{outcome:?}");
    }
    let mut trainer = start.take().unwrap_or_else(|| Trainer::resume(folder, data, &device).unwrap());
    assert!(matches!(trainer.run(&mut Quiet).unwrap(), Outcome::Finished(_)));
}

/// The same halves as two frames of counts.
fn frames() -> DataSet {
    let still = data();
    let set = |from: &SampleSet| {
        let image = |i: usize| from.image(i).unwrap();
        let counts = |i: usize| image(i).iter().chain(image(i)).map(|p| p / 32).collect::<Vec<u8>>();
        let values = Values::Bytes((0..from.len()).flat_map(counts).collect());
        SampleSet::sequences(2, from.shape, values, from.labels.clone(), from.classes.clone()).unwrap()
    };
    DataSet::from_parts("halves", "made up", set(&still.train), None, set(&still.test)).unwrap()
}

/// EventMix and its soft labels: with both losses, a teacher, and online, it does not matter where a run was interrupted or
/// how many threads load; and the mix is not without effect.
#[test]
fn mixed_samples_resume_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let data = frames();
    let mut plain = Recipe::parse(RECIPE, "test").unwrap();
    (plain.augment.flip, plain.network.steps, plain.data.set) = (false, 2, SetName::EventsDemo);
    let mut tbso = plain.with(Method::TBso, 1);
    (tbso.optim.flip_rate, tbso.optim.flip_threshold) = (0.1, 1e-4);
    let teacher = dir.path().join("teacher");
    run_on_in_pieces(&data, &plain, &teacher, &[]);
    let mut taught = plain.clone();
    (taught.distill.teacher, taught.train.loss) = (Some(teacher), Loss::MeanOutput);
    for (name, plain) in [("tet", plain), ("taught", taught), ("t-bso", tbso)] {
        let mut recipe = plain.clone();
        recipe.augment.event_mix = 0.5;
        let [without, whole, broken] = ["without", "whole", "broken"].map(|p| dir.path().join(format!("{name}-{p}")));
        run_on_in_pieces(&data, &plain, &without, &[]);
        run_on_in_pieces(&data, &recipe, &whole, &[]);
        recipe.train.workers = 3;
        run_on_in_pieces(&data, &recipe, &broken, &[3, 7, 5]);
        assert_same_records(&broken, &whole, name);
        assert_same_state(&broken, &whole, Which::Last, name);
        assert_ne!(state(&without, Which::Last), state(&whole, Which::Last), "{name}");
        let accuracy = RunFolder::open(&whole).unwrap().read_summary().unwrap().unwrap().test_accuracy.unwrap();
        assert!(accuracy > 0.7, "{name}: {accuracy}");
    }
}

#[test]
fn resumed_equals_uninterrupted_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    run_in_pieces(&whole, &[]);
    // 8 steps an epoch: stopped in the first epoch, at the end of the second, in the third.
    for (i, pieces) in [&[3][..], &[5, 6, 9], &[1, 1, 1, 1], &[16, 2]].into_iter().enumerate() {
        let folder = dir.path().join(i.to_string());
        run_in_pieces(&folder, pieces);
        let what = format!("pieces {pieces:?}");
        assert_same_records(&folder, &whole, &what);
        for which in [Which::Last, Which::Best] {
            assert_same_state(&folder, &whole, which, &what);
        }
        assert_eq!(content(&folder), content(&whole), "{what}");
    }
    // Of another name the same, of another seed not.
    let recipe = Recipe::parse(RECIPE, "test").unwrap();
    let [renamed, other] = ["renamed", "other"].map(|name| dir.path().join(name));
    run_recipe_in_pieces(&Recipe { name: "renamed".to_owned(), ..recipe.clone() }, &renamed, &[]);
    run_recipe_in_pieces(&Recipe { seed: recipe.seed + 1, ..recipe }, &other, &[]);
    assert_eq!(content(&renamed), content(&whole));
    assert_ne!(content(&other), content(&whole));
}

/// What the summary says of the run's bits.
fn content(folder: &Path) -> String {
    let content = RunFolder::open(folder).unwrap().read_summary().unwrap().unwrap().content;
    assert_eq!(content.len(), 64);
    content
}

/// Keeping less memory changes no bit of the weights.
#[test]
fn recomputing_gives_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let [kept, again] = ["kept", "again"].map(|part| dir.path().join(part));
    let mut recipe = Recipe::parse(RECIPE, "test").unwrap();
    for precision in [Precision::Exact, Precision::Fast] {
        recipe.precision = precision;
        for (folder, recompute) in [(&kept, false), (&again, true)] {
            recipe.train.recompute = recompute;
            run_recipe_in_pieces(&recipe, &folder.join(format!("{precision:?}")), &[]);
        }
        let [kept, again] = [&kept, &again].map(|folder| folder.join(format!("{precision:?}")));
        assert_same_records(&again, &kept, "recompute");
        assert_same_state(&again, &kept, Which::Last, "recompute");
    }
}

/// Every method, from the weights of another run and taught by it, learns the two classes and survives an interruption.
#[test]
fn every_method_learns_and_resumes_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = dir.path().join("teacher");
    let mut float = Recipe::parse(RECIPE, "test").unwrap().with(Method::FullPrecision, 1);
    // A mirrored image would be one of the other class.
    (float.augment.flip, float.train.epochs) = (false, 5);
    run_recipe_in_pieces(&float, &teacher, &[]);
    for method in Method::ALL {
        let mut recipe = float.with(method, 2);
        // Few and small steps: the constants meant for long runs would not flip or freeze anything.
        (recipe.optim.flip_rate, recipe.optim.flip_threshold, recipe.optim.freeze_above) = (0.1, 1e-4, 0.0);
        recipe.init.from = Some(teacher.clone());
        // Online training has no output over all time steps to teach.
        recipe.distill.teacher = (method != Method::TBso).then(|| teacher.clone());
        let [whole, broken] = ["whole", "broken"].map(|part| dir.path().join(format!("{method}-{part}")));
        run_recipe_in_pieces(&recipe, &whole, &[]);
        run_recipe_in_pieces(&recipe, &broken, &[5, 6]);
        assert_same_records(&broken, &whole, method.as_str());
        assert_same_state(&broken, &whole, Which::Last, method.as_str());
        let accuracy = RunFolder::open(&whole).unwrap().read_summary().unwrap().unwrap().test_accuracy.unwrap();
        assert!(accuracy > 0.9, "{method}: {accuracy}");
    }
}

/// Each of these changes the run; interrupted, resumed and on other threads it has the same bits.
#[test]
fn options_of_training_resume_bit_for_bit_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    // One class has a third of the samples: weights of classes would do nothing on equal parts.
    let data = data_of(|i| usize::from(i % 3 == 1));
    let plain = dir.path().join("plain");
    run_on_in_pieces(&data, &Recipe::parse(RECIPE, "test").unwrap(), &plain, &[]);
    let rows = [
        "train.label_smoothing=0.1",
        "train.class_weights=balanced",
        "optim.clip_norm=0.5",
        "optim.nesterov=true",
        "train.ema=0.9",
        "augment.mixup=0.4",
        "augment.cutmix=1.0",
        "augment.auto_augment=trivial",
        "network.layers=4c5-P-8c1-FC6",
    ];
    for row in rows {
        let recipe = Recipe::parse_with(RECIPE, "test", &[row.to_owned()]).unwrap();
        let [whole, broken] = ["whole", "broken"].map(|part| dir.path().join(format!("{part} {row}")));
        run_on_in_pieces(&data, &recipe, &whole, &[]);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| run_on_in_pieces(&data, &recipe, &broken, &[5, 6, 9]));
        assert_same_records(&broken, &whole, row);
        for which in [Which::Last, Which::Best] {
            assert_same_state(&broken, &whole, which, row);
        }
        assert_ne!(records(&whole), records(&plain), "{row}: nothing changed");
    }
}

/// What a run with averages reports is what its checkpoint gives to `eval` and `export`, and where another run starts.
#[test]
fn averages_are_evaluated_loaded_and_started_from() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, data, device) = (dir.path().join("run"), data(), by_name("cpu").unwrap());
    let recipe = Recipe::parse_with(RECIPE, "test", &["train.ema=0.95".to_owned()]).unwrap();
    run_recipe_in_pieces(&recipe, &folder, &[]);
    let run = RunFolder::open(&folder).unwrap();
    let summary = run.read_summary().unwrap().unwrap();
    assert_eq!(summary.weights.as_deref(), Some("averaged with decay 0.95"));
    assert_eq!(run.read_info().unwrap().weights, summary.weights);
    let checkpoint = Checkpoint::load(&run.checkpoint(Which::Last)).unwrap();
    let loss = |recipe: &Recipe| {
        let (_, network) = bitspike_train::run::network::load(recipe, &data, &checkpoint, &device).unwrap();
        let loader = eval_loader(recipe, &data, data.test.clone()).unwrap();
        evaluate(&network, &loader, recipe.train.loss, &device).unwrap().loss
    };
    assert_eq!(Some(loss(&recipe)), summary.test_loss);
    let trained = Recipe::parse(RECIPE, "test").unwrap();
    assert_ne!(loss(&trained), loss(&recipe), "the trained weights are there as well");
    // A run of no step starts where the averages are.
    let mut next = trained.clone();
    next.init.from = Some(folder.clone());
    drop(Trainer::start(&next, &data, &device, &dir.path().join("next"), &[]).unwrap());
    let start = RunFolder::open(dir.path().join("next")).unwrap().checkpoint(Which::Last);
    let (bytes, old) = (std::fs::read(start).unwrap(), std::fs::read(run.checkpoint(Which::Last)).unwrap());
    let (new, old) = (SafeTensors::deserialize(&bytes).unwrap(), SafeTensors::deserialize(&old).unwrap());
    let of = |file: &SafeTensors<'_>, name: &str| file.tensor(name).unwrap().data().to_vec();
    for name in ["stem.conv.weight", "blocks.0.norm.running_var"] {
        assert_eq!(of(&new, &format!("param.{name}")), of(&old, &format!("ema.{name}")), "{name}");
        assert_ne!(of(&old, &format!("param.{name}")), of(&old, &format!("ema.{name}")), "{name}");
    }
    // Latent weights are brought to the unit of their step: their signs stay.
    let signs = |file: &SafeTensors<'_>, name: &str| -> Vec<bool> {
        of(file, name).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()) < 0.0).collect()
    };
    let latent = "blocks.1.conv.latent";
    assert_eq!(signs(&new, &format!("param.{latent}")), signs(&old, &format!("ema.{latent}")));
    // A checkpoint without averages says what is missing.
    let plain = dir.path().join("plain");
    run_recipe_in_pieces(&trained, &plain, &[]);
    let checkpoint = Checkpoint::load(&RunFolder::open(&plain).unwrap().checkpoint(Which::Last)).unwrap();
    let error = bitspike_train::run::network::load(&recipe, &data, &checkpoint, &device).unwrap_err().to_string();
    assert!(error.contains("ema.") && error.contains("nothing"), "{error}");
}

#[test]
fn a_crash_between_checkpoints_loses_only_steps_since_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, crashed) = (dir.path().join("whole"), dir.path().join("crashed"));
    run_in_pieces(&whole, &[]);
    let (recipe, data, device) = (Recipe::parse(RECIPE, "test").unwrap(), data(), by_name("cpu").unwrap());
    // A panic in the middle of an epoch stands for a crash: nothing is saved on the way out.
    struct Crash(u64);
    impl Control for Crash {
        fn stop(&mut self) -> bool {
            self.0 -= 1;
            assert!(self.0 > 0, "a crash");
            false
        }
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Trainer::start(&recipe, &data, &device, &crashed, &[]).unwrap().run(&mut Crash(13))
    }));
    assert!(result.is_err());
    std::fs::write(crashed.join("checkpoints/last.safetensors.tmp"), "half a file").unwrap();
    let mut resumed = Trainer::resume(&crashed, &data, &device).unwrap();
    assert!(resumed.progress().step >= 11, "a checkpoint every 3 steps");
    resumed.run(&mut Quiet).unwrap();
    assert_same_records(&crashed, &whole, "after a crash");
    assert_same_state(&crashed, &whole, Which::Last, "after a crash");
}

#[test]
fn a_run_stopped_in_its_last_evaluation_can_be_finished() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    run_in_pieces(&path, &[]);
    let (data, device) = (data(), by_name("cpu").unwrap());
    let finished = Trainer::resume(&path, &data, &device).err().map(|e| e.to_string());
    assert!(finished.is_some_and(|e| e.contains("finished")));
    let folder = RunFolder::open(&path).unwrap();
    let summary = folder.read_summary().unwrap();
    let info = bitspike_run::RunInfo { status: bitspike_run::Status::Running, ..folder.read_info().unwrap() };
    folder.write_info(&info).unwrap();
    folder.remove_summary().unwrap();
    let outcome = Trainer::resume(&path, &data, &device).unwrap().run(&mut Quiet).unwrap();
    assert!(matches!(outcome, Outcome::Finished(_)));
    let accuracy = |s: Option<bitspike_run::Summary>| s.unwrap().test_accuracy;
    assert_eq!(accuracy(folder.read_summary().unwrap()), accuracy(summary));
}

#[test]
fn results_do_not_depend_on_threads() {
    let dir = tempfile::tempdir().unwrap();
    let folders = [1, 3].map(|threads| {
        let folder = dir.path().join(threads.to_string());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run_in_pieces(&folder, &[]));
        folder
    });
    assert_same_records(&folders[0], &folders[1], "1 and 3 threads");
    assert_same_state(&folders[0], &folders[1], Which::Last, "1 and 3 threads");
}

/// Rewrites a checkpoint of a run of less than a hundred steps as format 1 had it.
fn to_format_1(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut meta: serde_json::Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["bitspike"]).unwrap();
    meta["format"] = 1.into();
    let batch = meta["progress"]["batch"].as_u64().unwrap();
    for layer in meta["flips"].as_object_mut().unwrap().values_mut() {
        let step = layer["step"].as_u64().unwrap();
        assert!((1..100).contains(&step), "the codes are the steps");
        layer["epoch_step"] = (step - batch).into();
    }
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let (dtype, shape, data) = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        match name.strip_suffix(".recent") {
            _ if name.starts_with("flips.") && name.ends_with(".flipped") => {}
            _ if name == "seal.crc32c" => {}
            Some(layer) => {
                let last = data.iter().flat_map(|code| u32::from(code.saturating_sub(1)).to_le_bytes()).collect();
                tensors.push((format!("{layer}.last_flip"), Dtype::U32, shape, last));
            }
            None => tensors.push((name, dtype, shape, data)),
        }
    }
    let views =
        tensors.iter().map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let metadata = Some([("bitspike".to_owned(), meta.to_string())].into());
    std::fs::write(path, safetensors::serialize(views, metadata).unwrap()).unwrap();
}

#[test]
fn a_run_of_format_1_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let [whole, broken] = ["whole", "broken"].map(|p| dir.path().join(p));
    let (recipe, device) = (Recipe::parse(RECIPE, "test").unwrap(), by_name("cpu").unwrap());
    run_in_pieces(&whole, &[]);
    // Within the second epoch, so that some weights have flipped in it and some before.
    let data = data();
    let mut trainer = Trainer::start(&recipe, &data, &device, &broken, &[]).unwrap();
    assert!(matches!(trainer.run(&mut StopAfter(13)).unwrap(), Outcome::Interrupted { .. }));
    drop(trainer);
    to_format_1(&RunFolder::open(&broken).unwrap().checkpoint(Which::Last));
    let mut trainer = Trainer::resume(&broken, &data, &device).unwrap();
    assert!(matches!(trainer.run(&mut Quiet).unwrap(), Outcome::Finished(_)));
    assert_same_records(&whole, &broken, "format 1");
    assert_same_state(&whole, &broken, Which::Last, "format 1");
}

#[test]
fn damaged_checkpoints_are_refused_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    run_in_pieces(&folder, &[]);
    let path = RunFolder::open(&folder).unwrap().checkpoint(Which::Last);
    let bytes = std::fs::read(&path).unwrap();
    let cut = dir.path().join("cut.safetensors");
    // Every length near the ends, and a spread between: a typed error, never a panic or a half-read network.
    let lengths = (0..64).chain((64..bytes.len()).step_by(bytes.len() / 97)).chain(bytes.len() - 64..bytes.len());
    for length in lengths {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        assert!(Checkpoint::load(&cut).is_err(), "accepted {length} of {} bytes", bytes.len());
    }
    std::fs::write(&cut, &bytes).unwrap();
    assert!(Checkpoint::load(&cut).is_ok());
    // Another network: the message names the parameter.
    let recipe = Recipe::parse(&RECIPE.replace("'4-P-8-8'", "'4-P-8-6'"), "test").unwrap();
    let checkpoint = Checkpoint::load(&cut).unwrap();
    let e = bitspike_train::run::network::load(&recipe, &data(), &checkpoint, &by_name("cpu").unwrap()).unwrap_err();
    assert!(e.to_string().contains("blocks.1"), "{e}");
}

/// What the commands that read a checkpoint do with it: `eval`, `export` and `train --resume` load it, `init.from` starts from it.
fn readers(path: &Path) -> [(&'static str, bool); 2] {
    let start = format!("init.from = {path:?}\n{RECIPE}");
    let recipe = Recipe::parse(&start, "test").unwrap();
    let plan = bitspike_train::run::network::plan(&recipe, &data()).unwrap();
    let network = Network::new(&plan, &Init::new(1), &by_name("cpu").unwrap());
    [
        ("load", Checkpoint::load(path).is_ok()),
        ("init.from", bitspike_train::run::start::apply(&recipe.init, network).is_ok()),
    ]
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_refused_by_every_reader() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    run_in_pieces(&folder, &[]);
    let damaged = dir.path().join("damaged.safetensors");
    for which in [Which::Last, Which::Best] {
        let path = RunFolder::open(&folder).unwrap().checkpoint(which);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(readers(&path), [("load", true), ("init.from", true)]);
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        // All of the length, much of the header, a spread over the tensors, all of the seal.
        let bits = (0..64).chain((64..8 * header).step_by(53));
        let bits = bits.chain((8 * header..8 * bytes.len()).step_by(2003)).chain(8 * bytes.len() - 32..8 * bytes.len());
        for bit in bits {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&damaged, &flipped).unwrap();
            for (reader, accepted) in readers(&damaged) {
                assert!(!accepted, "{which:?}, bit {bit} of byte {} (tensors from {header}): {reader}", bit / 8);
            }
        }
    }
}

/// The checkpoint with other content under a right checksum.
fn resealed(path: &Path, change: impl FnOnce(&mut Vec<u8>, &SafeTensors<'_>)) {
    let bytes = std::fs::read(path).unwrap();
    let mut changed = bytes.clone();
    change(&mut changed, &SafeTensors::deserialize(&bytes).unwrap());
    let end = changed.len() - 4;
    let seal = bitspike_run::crc32c(&changed[..end]).to_le_bytes();
    changed[end..].copy_from_slice(&seal);
    std::fs::write(path, changed).unwrap();
}

#[test]
fn a_value_that_is_not_finite_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    run_in_pieces(&folder, &[]);
    let path = RunFolder::open(&folder).unwrap().checkpoint(Which::Last);
    let whole = std::fs::read(&path).unwrap();
    for name in ["blocks.0.conv.latent", "blocks.0.norm.running_var", "stem.conv.weight", "head.bias"] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            std::fs::write(&path, &whole).unwrap();
            resealed(&path, |bytes, file| {
                let data = file.tensor(&format!("param.{name}")).unwrap().data();
                let all = whole.windows(data.len()).position(|w| w == data).unwrap();
                bytes[all..all + 4].copy_from_slice(&value.to_le_bytes());
            });
            let error = Checkpoint::load(&path).unwrap_err();
            assert!(matches!(&error, CheckpointError::NotFinite { index: 0, .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(readers(&path), [("load", false), ("init.from", false)], "{name} = {value}");
        }
    }
}

#[test]
fn a_look_at_a_whole_run_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    run_in_pieces(&folder, &[]);
    let look = || bitspike_train::run::check_run::check_run(&folder).unwrap();
    let whole = look();
    assert!(whole.iter().all(|c| c.state == FileState::Whole), "{whole:?}");
    assert_eq!(whole.len(), 7, "{whole:?}");
    for check in &whole {
        let path = folder.join(&check.file);
        let bytes = std::fs::read(&path).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 4;
        std::fs::write(&path, damaged).unwrap();
        let wrong: Vec<_> = look().into_iter().filter(|c| c.state != FileState::Whole).map(|c| c.file).collect();
        assert_eq!(wrong, [check.file.as_str()]);
        std::fs::write(&path, bytes).unwrap();
    }
    // Whole files of another run.
    let other = dir.path().join("other");
    run_recipe_in_pieces(&Recipe::parse(&format!("seed = 8\n{RECIPE}"), "test").unwrap(), &other, &[]);
    std::fs::copy(other.join("checkpoints/last.safetensors"), folder.join("checkpoints/last.safetensors")).unwrap();
    let found = look();
    let wrong: Vec<_> = found.iter().filter(|c| c.state != FileState::Whole).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    // An older checkpoint is read, and named.
    to_format_1(&folder.join("checkpoints/best.safetensors"));
    assert!(look().iter().any(|c| c.file.contains("best") && c.state == FileState::NoChecksum));
}
