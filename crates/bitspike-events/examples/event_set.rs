//! Loads a data set of events and prints what became of it: `cargo run --release -p bitspike-events --example event_set
//! -- CONFIG.toml`, where the file has the keys of `EventConfig`.
#![allow(clippy::print_stdout)] // It is what the program is for.

use bitspike_events::dataset::{EventConfig, Part, load};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name a TOML file with the keys of EventConfig")?;
    let config: EventConfig = toml::from_str(&std::fs::read_to_string(path)?)?;
    let start = Instant::now();
    let set = load(&config).map_err(|e| format!("{e}\nhint: {}", e.hint()))?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} {:?} T={} split {} list {}", config.set, set.shape, set.steps, set.split, set.list_sha256);
    println!("{seconds:.2} s{}", if set.cached { ", from the cache" } else { "" });
    let count = |part: &Part<u8>, c: usize| part.labels.iter().filter(|l| **l as usize == c).count();
    for (c, name) in set.classes.iter().enumerate() {
        println!("{name:24} {:6} {:6}", count(&set.train, c), count(&set.test, c));
    }
    for (name, part) in [("train", &set.train), ("test", &set.test)] {
        let sum: u64 = part.samples.iter().map(|v| u64::from(*v)).sum();
        println!("{name}: {} samples, mean value {:.4}", part.labels.len(), sum as f64 / part.samples.len() as f64);
    }
    Ok(())
}
