//! Prints what a configuration makes of a folder.
//!
//! ```sh
//! cargo run --release -p bitspike-sensors --example summary -- crates/bitspike-sensors/examples/watch.toml FOLDER
//! ```
//!
//! FOLDER is what `path` is relative to; the current one if it is left out.

#![allow(clippy::print_stdout)]

use bitspike_sensors::{Encoded, SensorConfig, SensorError, prepare};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: summary CONFIG.toml [FOLDER]")?;
    let mut config: SensorConfig = toml::from_str(&std::fs::read_to_string(file)?)?;
    config.path = Path::new(&args.next().unwrap_or_default()).join(config.path);
    let prepared = prepare(&config).map_err(explain)?;
    let set = prepared.encode(0).map_err(explain)?;
    let kind = match &set.train.samples {
        Encoded::Bytes(b) => {
            let mean = b.iter().map(|v| f64::from(*v)).sum::<f64>() / b.len() as f64;
            format!("bytes, {:.2} % spikes", 100.0 * mean)
        }
        _ => "floats".into(),
    };
    println!("recordings  {} from {} files", set.recordings.len(), set.files.len());
    println!("channels    {} at {:?} Hz", set.channels.join(", "), set.rate_hz);
    println!("classes     {}", set.classes.join(", "));
    println!("split       {} {}", set.split.name, set.split.sha256);
    println!("windows     {} samples: {} + {}", set.window, set.train.len(), set.test.len());
    println!("input       {} steps ({} stored) of {:?}, {kind}", set.steps, set.stored_steps, set.shape);
    println!("copies      {}", set.split.copies.len());
    Ok(())
}

fn explain(e: SensorError) -> String {
    format!("{e}\nhint: {}", e.hint())
}
