//! Classics on recordings, as a configuration of `bitspike-sensors` reads them.
//!
//! ```sh
//! cargo run --release -p bitspike-classics --example company -- CONFIG.toml FOLDER [--windows raw|features] [--write DIR] [--seed N] [--only NAME] [FOLD...]
//! ```
//!
//! FOLDER is what `path` of the configuration is relative to. Each FOLD is a group, or a pattern of recordings, that is left out in turn,
//! in the place of `split.test`. Windows are the features before encoding, log-mel bands where the configuration has them; `--windows raw` takes samples.
//! `--write` leaves the windows of each fold in DIR, for `scripts/classics_rivals.py`.

#![allow(clippy::print_stdout)]

use bitspike_classics::{Classic, Windows, run};
use bitspike_sensors::{Origin, Prepared, SensorConfig, Split, prepare};
use std::path::Path;

type Anything = Box<dyn std::error::Error>;

#[derive(Default)]
struct Options {
    classics: Vec<Classic>,
    raw: bool,
    write: Option<String>,
    seed: u64,
}

fn main() -> Result<(), Anything> {
    let (mut options, mut plain) =
        (Options { classics: Classic::ALL.to_vec(), seed: 1, ..Options::default() }, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--windows" => options.raw = args.next().as_deref() == Some("raw"),
            "--write" => options.write = args.next(),
            "--seed" => options.seed = args.next().unwrap_or_default().parse()?,
            "--only" => {
                let name = args.next().unwrap_or_default();
                options.classics.retain(|c| c.name() == name);
            }
            _ => plain.push(arg),
        }
    }
    let [file, folder, folds @ ..] = plain.as_slice() else {
        return Err("usage: company CONFIG.toml FOLDER [--windows raw|features] [--write DIR] [--seed N] [--only NAME] [FOLD...]".into());
    };
    let mut config: SensorConfig = toml::from_str(&std::fs::read_to_string(file)?)?;
    config.path = Path::new(folder).join(config.path);
    if folds.is_empty() {
        return fold(&config, "as configured", &options);
    }
    for name in folds {
        match &mut config.split {
            Split::Group(split) => split.test = vec![name.clone()],
            Split::Recording(split) => split.test = vec![name.clone()],
            _ => return Err("folds need a split by group or recording".into()),
        }
        fold(&config, name, &options)?;
    }
    Ok(())
}

fn fold(config: &SensorConfig, name: &str, options: &Options) -> Result<(), Anything> {
    let prepared = prepare(config).map_err(|e| format!("{e}\nhint: {}", e.hint()))?;
    let (train, test) = prepared.origins();
    let (train, test) = (values(&prepared, train, options.raw)?, values(&prepared, test, options.raw)?);
    let length = if options.raw { prepared.window_len() } else { prepared.encoder().features()[2] };
    let channels = train.0.len() / train.1.len() / length;
    let classes = prepared.classes().len();
    if let Some(folder) = &options.write {
        let folder = Path::new(folder).join(name.replace(['*', ' '], "_"));
        std::fs::create_dir_all(&folder)?;
        for (part, (values, labels)) in [("train", &train), ("test", &test)] {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            std::fs::write(folder.join(format!("{part}-{channels}x{length}.f32")), bytes)?;
            let text: Vec<String> = labels.iter().map(u32::to_string).collect();
            std::fs::write(folder.join(format!("{part}.labels")), text.join("\n"))?;
        }
    }
    let train = Windows::new(&train.0, &train.1, channels, length, classes)?;
    let test = Windows::new(&test.0, &test.1, channels, length, classes)?;
    println!("{name}: {} + {} windows of {channels} x {length}, {classes} classes", train.len(), test.len());
    let classics: Vec<Classic> = options.classics.iter().copied().filter(|c| c.takes(length)).collect();
    for o in run(&classics, &train, &test, options.seed, 0).map_err(|e| format!("{e}\nhint: {}", e.hint()))? {
        println!(
            "  {:<14} {:6.2} %  {:6.2} s  {:>9} bytes  {:>9} operations  {}",
            o.classic.name(),
            100.0 * o.accuracy(),
            o.train_seconds,
            o.bytes,
            o.operations,
            o.note
        );
    }
    Ok(())
}

/// Windows of a part and their classes.
fn values(prepared: &Prepared, part: &[Origin], raw: bool) -> Result<(Vec<f32>, Vec<u32>), Anything> {
    let (features, labels) = prepared.features(part)?;
    match raw {
        false => Ok((features, labels)),
        true => Ok((part.iter().flat_map(|o| prepared.window(o)).collect(), labels)),
    }
}
