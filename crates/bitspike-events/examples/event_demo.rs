//! Simulates event recordings of images and prints what it costs: `cargo run --release -p bitspike-events --example
//! event_demo -- FOLDER [OUT]`, where FOLDER holds the four IDX files of MNIST or Fashion-MNIST, gzip. With OUT the frames
//! are written there, bytes `[N, T, 2, H, W]`, for a look with other tools.
#![allow(clippy::print_stdout)] // It is what the program is for.

use bitspike_events::dataset::{DemoConfig, Images, demo};
use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

fn idx(path: &Path, header: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let (mut all, file) = (Vec::new(), std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?);
    flate2::read::GzDecoder::new(file).read_to_end(&mut all)?;
    Ok(all.split_off(header.min(all.len())))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name the folder with the IDX files")?;
    let read = |part: &str| -> Result<(Vec<u8>, Vec<u32>), Box<dyn Error>> {
        let name = |kind: &str| Path::new(&folder).join(format!("{part}-{kind}-ubyte.gz"));
        let labels = idx(&name("labels-idx1"), 8)?.into_iter().map(u32::from).collect();
        Ok((idx(&name("images-idx3"), 16)?, labels))
    };
    let ((train, train_labels), (test, test_labels)) = (read("train")?, read("t10k")?);
    let (a, b) = (Images { pixels: &train, labels: &train_labels }, Images { pixels: &test, labels: &test_labels });
    let classes: Vec<String> = (0..10).map(|c| c.to_string()).collect();
    let start = Instant::now();
    let set = demo(a, b, [28, 28], &classes, &DemoConfig::default(), 0)?;
    println!("{:.2} s, T={} {:?}, list {}", start.elapsed().as_secs_f64(), set.steps, set.shape, set.list_sha256);
    for (name, part) in [("train", &set.train), ("test", &set.test)] {
        let sum: u64 = part.samples.iter().map(|v| u64::from(*v)).sum();
        println!("{name}: {} samples, mean value {:.4}", part.labels.len(), sum as f64 / part.samples.len() as f64);
        if let Some(out) = std::env::args_os().nth(2) {
            std::fs::create_dir_all(&out)?;
            std::fs::write(Path::new(&out).join(name), &part.samples)?;
        }
    }
    Ok(())
}
