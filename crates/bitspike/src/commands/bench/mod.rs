//! `bitspike bench`: speed and memory on this machine. What each figure means: `docs/reference/performance.md`.

mod against;
mod deployed;
mod events;
mod kernels;
mod kernels_conv;
mod kernels_elementwise;
mod rivals;
mod train;

use super::shared::{device, threads};
use crate::args::{Against, BenchArgs, EventArgs, What};
use crate::error::CliError;

/// Largest number of images kernels are measured on; their arrays have up to 131,072 floats per image.
const MAX_IMAGES: usize = 2048;

pub fn run(args: &BenchArgs) -> Result<bool, CliError> {
    check(args)?;
    if let What::Deployed(path) = &args.what {
        deployed::run(args, path)?;
        return Ok(true);
    }
    if args.what == What::Events {
        events::run(args)?;
        return Ok(true);
    }
    let device = device(&args.run)?;
    let jobs = if args.what == What::Kernels { Vec::new() } else { train::jobs(args)? };
    rayon::ThreadPoolBuilder::new().num_threads(threads(&args.run)).build_global()?;
    // Inside the pool: a thread outside would be put to sleep and woken at every operation.
    rayon::scope(|_| {
        for job in &jobs {
            train::run(args, job, &device)?;
        }
        if args.what == What::Train { Ok(()) } else { kernels::run(args) }
    })?;
    Ok(true)
}

fn check(args: &BenchArgs) -> Result<(), CliError> {
    let usage = |text: String| Err(CliError::Usage(text));
    let range = |flag: &str, value: usize, max: usize| match value {
        v if (1..=max).contains(&v) => Ok(()),
        v => Err(CliError::Usage(format!("{flag} is {v}; expected 1 to {max}"))),
    };
    range("--T", args.steps, 1024)?;
    range("--batch", args.batch, 65_536)?;
    range("--reps", args.reps, 100_000)?;
    if let Some(images) = args.images {
        range("--images", images, MAX_IMAGES)?;
    }
    if !(0.0..=1.0).contains(&args.rate) {
        return usage(format!("--rate is {}; expected 0 to 1, the share of spikes", args.rate));
    }
    let deployed = matches!(args.what, What::Deployed(_));
    if args.run.threads == Some(0) {
        return usage("--threads is 0; expected at least 1".to_owned());
    }
    for (flag, given) in [
        ("--data", args.data.is_some()),
        ("--data-dir", args.data_dir.is_some()),
        ("--kernels", args.kernels.is_some()),
    ] {
        if given && !deployed {
            return usage(format!("{flag} is for a deployed file; write: bitspike bench FILE.bsnn {flag} ..."));
        }
    }
    if deployed && (args.against.is_some() || args.net.is_some() || args.layers.is_some()) {
        return usage("--against, --net and --layers are for bitspike bench train".to_owned());
    }
    let events = args.what == What::Events;
    match args.against {
        Some(Against::Python) if !events => {
            return usage("--against python compares readers; write: bitspike bench events RECORDING".to_owned());
        }
        Some(Against::Torch) if events => {
            return usage("--against torch compares training; write --against python".to_owned());
        }
        _ => {}
    }
    if events {
        if args.filters.is_empty() {
            return usage("no recording; write: bitspike bench events RECORDING ...".to_owned());
        }
        if args.net.is_some() || args.layers.is_some() || args.run.threads.is_some_and(|n| n != 1) {
            return usage("--net, --layers and --threads are for training: events are read by one thread".to_owned());
        }
    } else if args.events != EventArgs::default() {
        return usage(
            "--format, --camera, --columns, --time-unit and --low-turns are for bitspike bench events".to_owned(),
        );
    }
    if !matches!(args.what, What::Kernels | What::Events) && !args.filters.is_empty() {
        let words = args.filters.join(" ");
        return usage(format!("{words:?} chooses kernels; write: bitspike bench kernels {words}"));
    }
    if args.what == What::Kernels && args.against.is_some() {
        return usage("--against compares training and inference, not kernels; write: bitspike bench train".to_owned());
    }
    if args.what != What::Train && args.run.device != "cpu" {
        return usage(format!(
            "--device {}: the kernels are those of cpu; write: bitspike bench train",
            args.run.device
        ));
    }
    Ok(())
}
