//! `bitspike compare`: methods × seeds, one table and one page.

use super::{device, recipe, threads, warn};
use crate::args::CompareArgs;
use crate::error::CliError;
use crate::progress::Progress;
use crate::{interrupt, output};
use bitspike_report::Comparison;
use bitspike_run::{REPORT_FILE, RunFolder};
use bitspike_train::compare::{Job, jobs, run as run_jobs};
use bitspike_train::method::Method;
use std::path::PathBuf;

pub fn run(args: &CompareArgs) -> Result<bool, CliError> {
    let device = device(&args.run)?;
    let recipe = recipe(&args.recipe, None)?;
    let methods = match args.methods.is_empty() {
        true => Method::COMPARED.to_vec(),
        false => args.methods.iter().map(|m| m.parse()).collect::<Result<Vec<Method>, _>>()?,
    };
    let seeds = seeds(&args.seeds)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/compare-{}", recipe.name)));
    let jobs = jobs(&recipe, &methods, &seeds, &out);
    jobs.iter().take(methods.len()).for_each(|job| warn(&job.recipe));
    let threads = threads(&args.run);
    let parallel = args.jobs.unwrap_or(threads).clamp(1, jobs.len());
    let each = (threads / parallel).max(1);
    let data = bitspike_data::load(&recipe.data)?;
    interrupt::install()?;
    if !args.run.quiet {
        output::note(&format!(
            "{} runs ({} methods, {} seeds), {parallel} at a time with {each} thread(s) each, in {}",
            jobs.len(),
            methods.len(),
            seeds.len(),
            out.display()
        ));
    }
    let command: Vec<String> = std::env::args().collect();
    let progress = Progress::new(jobs.len(), args.run.quiet);
    let folders = run_jobs(&jobs, &data, &device, parallel, each, &command, &progress)?;
    if folders.len() < jobs.len() {
        return Err(CliError::Interrupted { resume: "the same command again".to_owned() });
    }
    let page = out.join(REPORT_FILE);
    let comparison = Comparison::from_runs(&folders)?;
    bitspike_report::write(&comparison, &page, bitspike_report::html)?;
    if args.run.json {
        json(&jobs)?;
    } else {
        output::result(&bitspike_report::text(&comparison))?;
    }
    output::note(&format!("report: {}", page.display()));
    Ok(true)
}

/// One object per method and seed.
fn json(jobs: &[Job]) -> Result<(), CliError> {
    for job in jobs {
        if let Some(summary) = RunFolder::open(&job.folder)?.read_summary()? {
            output::json(&summary)?;
        }
    }
    Ok(())
}

/// `3` is 1, 2, 3; `4,9` is a list.
fn seeds(text: &str) -> Result<Vec<u64>, CliError> {
    let bad = || {
        CliError::Usage(format!("--seeds is {text:?}; expected a number of seeds such as 3, or a list such as 1,5,9"))
    };
    let numbers: Vec<u64> = text.split(',').map(|s| s.trim().parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
    match (numbers.as_slice(), text.contains(',')) {
        ([n], false) if (1..=1000).contains(n) => Ok((1..=*n).collect()),
        (list, true) if !list.is_empty() => {
            let mut sorted = list.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            Ok(sorted)
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn seeds_are_a_number_or_a_list() {
        assert_eq!(seeds("3").unwrap(), [1, 2, 3]);
        assert_eq!(seeds("9,4,4").unwrap(), [4, 9]);
        for bad in ["0", "", "x", "1,", "-1"] {
            assert!(seeds(bad).is_err(), "{bad:?}");
        }
    }
}
