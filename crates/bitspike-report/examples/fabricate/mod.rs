//! Fabricated run folders: shapes of curves that look like training, made from formulas. No network was trained.

#![allow(dead_code)] // the example and the tests each use a part

use std::path::{Path, PathBuf};

use bitspike_run::{
    DatasetInfo, Energy, EpochRecord, FileHash, FlipTotals, LayerInfo, LayerRecord, MachineInfo, NetworkInfo,
    NoteRecord, Record, RunFolder, RunInfo, Status, Summary,
};

/// How a fabricated method behaves.
#[derive(Clone, Debug)]
pub struct Fake {
    pub method: &'static str,
    /// Accuracy that training tends to, fraction.
    pub accuracy: f64,
    /// Spread of it between seeds, fraction.
    pub noise: f64,
    /// Flips relative to the baseline.
    pub flips: f64,
    /// Firing rate, fraction.
    pub firing: f64,
    /// Has a gate, and its start value.
    pub gate: Option<f64>,
    /// The gate's α is learned.
    pub alpha: bool,
    pub epochs: u64,
    pub seed: u64,
    pub status: Status,
    /// Extra lines of the recipe.
    pub recipe: &'static str,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            method: "bsnn",
            accuracy: 0.874,
            noise: 0.003,
            flips: 1.0,
            firing: 0.21,
            gate: None,
            alpha: false,
            epochs: 30,
            seed: 1,
            status: Status::Finished,
            recipe: "",
        }
    }
}

/// Numbers in -1..1 from a seed (SplitMix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Name, binary, output channels, input channels, side.
const LAYERS: [(&str, bool, usize, usize, usize); 15] = [
    ("stem", false, 16, 1, 28),
    ("block1.conv1", true, 16, 16, 28),
    ("block1.conv2", true, 16, 16, 28),
    ("block2.conv1", true, 16, 16, 28),
    ("block2.conv2", true, 16, 16, 28),
    ("block3.conv1", true, 32, 16, 14),
    ("block3.conv2", true, 32, 32, 14),
    ("block4.conv1", true, 32, 32, 14),
    ("block4.conv2", true, 32, 32, 14),
    ("block5.conv1", true, 64, 32, 7),
    ("block5.conv2", true, 64, 64, 7),
    ("block6.conv1", true, 64, 64, 7),
    ("block6.conv2", true, 64, 64, 7),
    ("block6.conv3", true, 64, 64, 7),
    ("classifier", false, 10, 64, 1),
];

/// Time steps.
const T: usize = 4;

/// Writes one run below `home` and returns its folder.
pub fn run(home: &Path, fake: &Fake) -> PathBuf {
    let name = format!("{}-{}", fake.method, fake.seed);
    let mut path = home.join(&name);
    for n in 2.. {
        if !path.exists() {
            break;
        }
        path = home.join(format!("{name}-{n}"));
    }
    let folder = RunFolder::create(&path).unwrap();
    folder.write_info(&info(fake, &name)).unwrap();
    folder.write_recipe(&recipe(fake)).unwrap();
    let epochs = epochs(fake);
    let mut metrics = folder.append_metrics().unwrap();
    if fake.gate.is_some() && fake.seed == 1 {
        let text = "The optimiser divides by the gradient's size, which cancels a constant gate.".into();
        metrics.append(&Record::Note(NoteRecord { step: 0, epoch: 0, text })).unwrap();
    }
    for epoch in &epochs {
        metrics.append(&Record::Epoch(epoch.clone())).unwrap();
    }
    if fake.status == Status::Finished {
        folder.write_summary(&summary(fake, &name, &epochs)).unwrap();
    }
    path
}

fn recipe(fake: &Fake) -> String {
    let gate = match (fake.gate, fake.alpha) {
        (None, _) => "none",
        (Some(_), false) => "const",
        (Some(_), true) => "chw",
    };
    format!(
        "seed = {}\nepochs = {}\n{}\n[method]\nname = \"{}\"\ngate = \"{gate}\"\n\n[optimizer]\nname = \"sgd\"\n\
         lr = 0.1\nmomentum = 0.9\nweight_decay = 0.0001\n",
        fake.seed, fake.epochs, fake.recipe, fake.method
    )
}

fn info(fake: &Fake, name: &str) -> RunInfo {
    let layers: Vec<LayerInfo> = LAYERS
        .iter()
        .map(|(name, binary, out, input, side)| {
            let kernel = if *name == "classifier" { 1 } else { 3 };
            let weights = (out * input * kernel * kernel) as u64;
            LayerInfo {
                name: (*name).into(),
                kind: if *name == "classifier" { "linear" } else { "conv" }.into(),
                binary: *binary,
                shape: if *name == "classifier" { vec![*out, *input] } else { vec![*out, *input, 3, 3] },
                weights,
                macs: weights * (side * side) as u64,
                output: if *name == "classifier" { vec![*out] } else { vec![*out, *side, *side] },
            }
        })
        .collect();
    let binary_weights: u64 = layers.iter().filter(|layer| layer.binary).map(|layer| layer.weights).sum();
    let real: u64 = layers.iter().filter(|layer| !layer.binary).map(|layer| layer.weights).sum::<u64>() + 1_100;
    let file = |path: &str, bytes, digit: &str| FileHash { path: path.into(), bytes, sha256: digit.repeat(64) };
    RunInfo {
        name: name.into(),
        method: fake.method.into(),
        seed: fake.seed,
        command: format!("bitspike train --method {} --seed {} --out runs/{name}", fake.method, fake.seed)
            .split(' ')
            .map(str::to_owned)
            .collect(),
        started: format!("2026-05-01T1{}:00:00Z", fake.seed % 10),
        status: fake.status,
        dataset: DatasetInfo {
            name: "fabricated-28x28".into(),
            split: "official".into(),
            files: vec![file("train.bin", 47_040_016, "a"), file("test.bin", 7_840_016, "b")],
            train_samples: 60_000,
            validation_samples: 0,
            test_samples: 10_000,
            validation_most_frequent: 0,
            test_most_frequent: 1000,
            classes: ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
                .map(str::to_owned)
                .into(),
            sample_shape: [1, 28, 28],
        },
        versions: [("bitspike", "0.1.0"), ("burn", "0.22.1"), ("rustc", "1.95.0")]
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .into(),
        machine: MachineInfo {
            cpu: "Example processor 3 GHz".into(),
            cpu_features: vec!["avx2".into(), "popcnt".into()],
            cores: 8,
            threads: 8,
            os: "linux".into(),
            arch: "x86_64".into(),
            kernel_path: "avx2".into(),
        },
        device: "cpu".into(),
        network: NetworkInfo {
            layers,
            binary_weights,
            real_parameters: real,
            bytes_1bit: binary_weights.div_ceil(8) + 4 * real,
            bytes_f32: 4 * (binary_weights + real),
            t: T,
        },
        ..RunInfo::default()
    }
}

fn epochs(fake: &Fake) -> Vec<EpochRecord> {
    let mut noise = Noise(fake.method.bytes().fold(fake.seed * 977, |hash, byte| hash * 31 + u64::from(byte)));
    let reach = fake.accuracy + fake.noise * noise.next();
    let done = if fake.status == Status::Finished { fake.epochs } else { fake.epochs / 3 };
    let mut unchanged = 1.0;
    (1..=done)
        .map(|epoch| {
            let progress = epoch as f64 / fake.epochs as f64;
            let lr = 0.05 * (1.0 + (std::f64::consts::PI * (epoch - 1) as f64 / fake.epochs as f64).cos());
            let learned = 1.0 - (-7.0 * progress).exp();
            let wobble = 0.012 * lr / 0.1 * noise.next();
            let accuracy = reach - 0.28 * (1.0 - learned) + wobble;
            let ratio = fake.flips * 0.004 * lr.max(1e-5) / 0.1 * (1.0 + 0.08 * noise.next());
            let per_weight = ratio * 469.0;
            unchanged -= (unchanged - 0.5) * (per_weight * 0.12).min(0.5);
            let gated = fake.gate.map_or(0.0, |_| 0.06);
            EpochRecord {
                epoch,
                step: epoch * 469,
                lr,
                train_loss: 0.18 + 1.3 * (1.0 - learned) + 0.02 * noise.next(),
                train_accuracy: accuracy + 0.02 * progress,
                held_out_loss: Some(0.36 + 0.9 * (1.0 - learned) - wobble),
                held_out_accuracy: Some((accuracy * 1e4).round() / 1e4),
                evaluated_on: "test".into(),
                seconds: 41.0 + 2.0 * noise.next(),
                samples: 60_000,
                flips: FlipTotals {
                    flips: (per_weight * 170_000.0) as u64,
                    per_weight,
                    ratio_mean: ratio,
                    back_10: 0.31 - gated + 0.1 * (1.0 - progress) + 0.01 * noise.next(),
                    back_100: 0.58 - gated + 0.06 * (1.0 - progress),
                    back_epoch: 0.71 - gated,
                    efficiency: 0.22 + gated,
                    unchanged_since_start: unchanged,
                },
                firing_rate: fake.firing * (1.0 + 0.25 * (1.0 - learned)) + 0.002 * noise.next(),
                layers: layers(fake, progress, ratio, &mut noise),
            }
        })
        .collect()
}

fn layers(fake: &Fake, progress: f64, ratio: f64, noise: &mut Noise) -> Vec<LayerRecord> {
    let depth = LAYERS.len() as f64;
    let layer = |(index, (name, binary, out, input, _)): (usize, &(&str, bool, usize, usize, usize))| {
        let place = index as f64 / depth;
        let share = if *binary { ratio * (2.2 - 1.9 * place) * (1.0 + 0.1 * noise.next()) } else { 0.0 };
        let gate = fake
            .gate
            .filter(|_| *binary)
            .map(|gate| if fake.alpha { gate + 0.05 * progress * (place - 0.4) + 0.004 * noise.next() } else { gate });
        let spiking = *name != "classifier";
        let rate = fake.firing * (1.5 - place) + 0.004 * noise.next();
        LayerRecord {
            name: (*name).into(),
            binary: *binary,
            weights: (out * input * 9) as u64,
            flips: (share * 469.0 * (out * input * 9) as f64) as u64,
            flip_ratio: share,
            flip_ratio_predicted: binary.then_some(share * (0.9 + 0.25 * noise.next())),
            back_10: 0.3,
            back_100: 0.5,
            grad_mean: 1e-6 * noise.next(),
            grad_std: 1e-3,
            grad_cosine: Some(0.1 * noise.next()),
            near_flip: 0.02,
            saturated: 0.1 * progress,
            gate_mean: gate,
            gate_std: gate.map(|_| 0.02),
            alpha: gate
                .filter(|_| fake.alpha)
                .map(|_| (0..T).map(|t| 1.0 + 0.4 * progress * (place - 0.3) + 0.06 * t as f64 * progress).collect()),
            gamma_mean: spiking.then_some(1.0 + progress * (0.2 + fake.gate.map_or(0.0, |_| 0.3)) * (1.0 - place)),
            firing_rate: spiking.then_some(rate),
            firing_rate_t: if spiking { (0..T).map(|t| rate * (0.8 + 0.1 * t as f64)).collect() } else { Vec::new() },
        }
    };
    LAYERS.iter().enumerate().map(layer).collect()
}

fn summary(fake: &Fake, name: &str, epochs: &[EpochRecord]) -> Summary {
    let last = epochs.last().unwrap();
    let info = info(fake, name);
    let best = epochs.iter().max_by(|a, b| a.held_out_accuracy.partial_cmp(&b.held_out_accuracy).unwrap()).unwrap();
    let flips: f64 = epochs.iter().map(|epoch| epoch.flips.per_weight).sum();
    let rate = last.firing_rate;
    let names = |binary: bool| {
        LAYERS.iter().filter(|layer| layer.1 == binary).map(|layer| layer.0.to_owned()).collect::<Vec<_>>()
    };
    Summary {
        name: name.into(),
        method: fake.method.into(),
        seed: fake.seed,
        status: Status::Finished,
        epochs: last.epoch,
        steps: last.step,
        test_accuracy: last.held_out_accuracy,
        test_loss: last.held_out_loss,
        test_samples: 10_000,
        best_held_out_accuracy: best.held_out_accuracy,
        best_epoch: Some(best.epoch),
        evaluated_on: "test".into(),
        train_seconds: epochs.iter().map(|epoch| epoch.seconds).sum(),
        flips_per_weight: flips,
        back_10: last.flips.back_10,
        back_100: last.flips.back_100,
        back_epoch: last.flips.back_epoch,
        flip_efficiency: last.flips.efficiency,
        unchanged_since_start: last.flips.unchanged_since_start,
        firing_rate: rate,
        binary_weights: info.network.binary_weights,
        real_parameters: info.network.real_parameters,
        bytes_1bit: info.network.bytes_1bit,
        bytes_f32: info.network.bytes_f32,
        energy: Some(Energy {
            compute_pj: 2.0e6 + 4.5e7 * rate,
            with_memory_pj: 3.1e7 + 5.5e7 * rate,
            quantised_ann_pj: 1.9e7,
            mac_layers: names(false),
            spiking_layers: names(true),
            assumptions:
                "45 nm, float32: 4.6 pJ per MAC, 0.9 pJ per synaptic operation; the first layer counts T times; \
                          memory 5 pJ per byte."
                    .into(),
        }),
        eval_milliseconds_per_sample: 0.42,
        ..Summary::default()
    }
}
