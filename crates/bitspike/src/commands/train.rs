//! `bitspike train`: one run.

use super::shared::{device, odd, recipe, threads, warn};
use crate::args::TrainArgs;
use crate::error::CliError;
use crate::progress::{Progress, Single};
use crate::{interrupt, output};
use bitspike_run::{RunFolder, Summary};
use bitspike_train::measure::confusion::Confusion;
use bitspike_train::run::machine::kernels;
use bitspike_train::run::read_recipe;
use bitspike_train::run::trainer::{Outcome, Trainer};
use std::path::PathBuf;

pub fn run(args: &TrainArgs) -> Result<bool, CliError> {
    let device = device(&args.run)?;
    rayon::ThreadPoolBuilder::new().num_threads(threads(&args.run)).build_global()?;
    let (recipe, folder, resumed) = match &args.resume {
        Some(folder) => {
            let run = RunFolder::open(folder)?;
            super::shared::note_old(&run, true)?;
            (read_recipe(&run)?, folder.clone(), true)
        }
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
        output::note(&format!("kernels: {}, {} threads", kernels(&device), threads(&args.run)));
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
            let doubts = bitspike_report::nothing_learned(&RunFolder::open(&folder)?.read_info()?, &summary);
            show(&summary, &doubts, &data.test.classes, &folder, args.run.json)?;
            Ok(true)
        }
    }
}

/// A line with the share of each class that was found; none without a confusion matrix.
fn recall(s: &Summary, classes: &[String]) -> String {
    let recalls = Confusion::from_rows(s.confusion.clone()).recall();
    let part = |(name, recall): (&String, Option<f64>)| Some(format!("{name} {:.1}", 100.0 * recall?));
    let parts: Vec<String> = classes.iter().zip(recalls).filter_map(part).collect();
    if parts.is_empty() { String::new() } else { format!("recall, %: {}\n", parts.join(", ")) }
}

fn show(
    s: &Summary,
    doubts: &[String],
    classes: &[String],
    folder: &std::path::Path,
    json: bool,
) -> Result<(), CliError> {
    if json {
        doubts.iter().for_each(|doubt| output::note(&format!("warning: {doubt}")));
        return output::json(s);
    }
    for doubt in doubts {
        output::result(&format!("{doubt}\n"))?;
    }
    // Without learning, flips say nothing.
    let flips = match doubts.is_empty() {
        true => {
            format!("flips per weight {:.3}, undone within 10 steps {:.1} %, ", s.flips_per_weight, 100.0 * s.back_10)
        }
        false => String::new(),
    };
    let percent = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{:.2} %", 100.0 * v));
    let recall = recall(s, classes);
    let best = s.best_epoch.map_or_else(String::new, |epoch| {
        format!(" (best {} at epoch {epoch}, on {})", percent(s.best_held_out_accuracy), s.evaluated_on)
    });
    output::result(&format!(
        "{} seed {}: test accuracy {} after {} epochs{best}\n\
         {recall}{flips}firing rate {:.3}, {} in 1-bit form, {} in float32\n\
         {}",
        s.method,
        s.seed,
        percent(s.test_accuracy),
        s.epochs,
        s.firing_rate,
        super::shared::bytes(s.bytes_1bit),
        super::shared::bytes(s.bytes_f32),
        folder.display()
    ))
}
