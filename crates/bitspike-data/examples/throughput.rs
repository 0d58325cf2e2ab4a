//! How fast does the loader make batches?
//!
//!     cargo run --release -p bitspike-data --example throughput -- [set] [folder]
//!
//! Prints images per second for the usual CIFAR recipe, by number of worker threads. Without arguments the embedded
//! set is used.
#![allow(clippy::print_stdout, reason = "an example that prints")]

use bitspike_data::{
    AugmentConfig, AutoAugment, DataConfig, DataError, Loader, LoaderOptions, Pipeline, SetName, load,
};
use std::time::Instant;

fn main() -> Result<(), DataError> {
    let mut args = std::env::args().skip(1);
    let mut cfg = DataConfig::default();
    if let Some(name) = args.next() {
        let set = SetName::ALL.into_iter().find(|s| s.as_str() == name);
        cfg.set = set.ok_or(DataError::Config { key: "set", expected: "a data set".into(), found: name })?;
    }
    cfg.path = args.next().map(Into::into);
    let start = Instant::now();
    let data = load(&cfg)?;
    println!(
        "{}: {} train, {:?}, loaded in {:.2} s",
        data.name,
        data.train.len(),
        data.shape(),
        start.elapsed().as_secs_f64()
    );
    let crop = AugmentConfig { random_crop: 4, flip: true, ..AugmentConfig::default() };
    let full = AugmentConfig { cutout: 8, auto_augment: AutoAugment::Cifar10, ..crop.clone() };
    for (name, augment) in [("normalise only", AugmentConfig::default()), ("crop, flip", crop), ("all", full)] {
        for workers in [0, 1, 2] {
            let augment = Pipeline::train(&augment, &data)?;
            let options = LoaderOptions { batch_size: 128, augment, workers, prefetch: 4, ..Default::default() };
            let loader = Loader::new(data.train.clone(), options)?;
            let start = Instant::now();
            let images = loader.epoch(0, 0).map(|b| b.map(|b| b.n)).sum::<Result<usize, _>>()?;
            println!("{name:15} {workers} workers: {:8.0} images/s", images as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
