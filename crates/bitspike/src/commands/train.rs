//! `bitspike train`: one run.

use super::{device, kernels, odd, recipe, threads, warn};
use crate::args::TrainArgs;
use crate::error::CliError;
use crate::progress::{Progress, Single};
use crate::{interrupt, output};
use bitspike_run::{RunFolder, Summary};
use bitspike_train::trainer::{Outcome, Trainer, read_recipe};
use std::path::PathBuf;

pub fn run(args: &TrainArgs) -> Result<bool, CliError> {
    let device = device(&args.run)?;
    rayon::ThreadPoolBuilder::new().num_threads(threads(&args.run)).build_global()?;
    let (recipe, folder, resumed) = match &args.resume {
        Some(folder) => (read_recipe(&RunFolder::open(folder)?)?, folder.clone(), true),
        None => {
            let recipe = recipe(&args.recipe, args.seed)?;
            let default = || PathBuf::from(format!("runs/{}-{}-seed{}", recipe.name, recipe.method, recipe.seed));
            let folder = args.out.clone().unwrap_or_else(default);
            (recipe, folder, false)
        }
    };
    warn([&recipe]);
    let data = recipe.load_data()?;
    odd(&data);
    let command: Vec<String> = std::env::args().collect();
    let mut trainer = if resumed {
        Trainer::resume(&folder, &data, &device)?
    } else {
        Trainer::start(&recipe, &data, &device, &folder, &command)?
    };
    interrupt::install()?;
    if !args.run.quiet {
        output::note(&format!("run folder: {}", folder.display()));
        output::note(&format!("kernels: {}, {} threads", kernels(&args.run.device), threads(&args.run)));
    }
    let progress = Progress::new(1, args.run.quiet);
    let done = trainer.progress().epoch;
    progress.start(0, recipe.method.as_str(), trainer.length(), done);
    // Inside the pool: a thread outside would be put to sleep and woken at every operation.
    let outcome = rayon::scope(|_| trainer.run(&mut Single(progress)))?;
    match outcome {
        Outcome::Interrupted { .. } => {
            Err(CliError::Interrupted { resume: format!("bitspike train --resume {}", folder.display()) })
        }
        Outcome::Finished(summary) => {
            show(&summary, &folder, args.run.json)?;
            Ok(true)
        }
    }
}

fn show(s: &Summary, folder: &std::path::Path, json: bool) -> Result<(), CliError> {
    if json {
        return output::json(s);
    }
    let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{:.2} %", 100.0 * v));
    output::result(&format!(
        "{} seed {}: test accuracy {} after {} epochs (best {} at epoch {}, on {})\n\
         flips per weight {:.3}, undone within 10 steps {:.1} %, firing rate {:.3}, {} in 1-bit form, {} in float32\n\
         {}",
        s.method,
        s.seed,
        percent(s.test_accuracy),
        s.epochs,
        percent(s.best_accuracy),
        s.best_epoch.unwrap_or(0),
        s.evaluated_on,
        s.flips_per_weight,
        100.0 * s.back_10,
        s.firing_rate,
        super::bytes(s.bytes_1bit),
        super::bytes(s.bytes_f32),
        folder.display()
    ))
}
