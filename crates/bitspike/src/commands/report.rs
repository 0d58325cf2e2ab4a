//! `bitspike report`: table and page again, from run folders.

use crate::args::ReportArgs;
use crate::error::CliError;
use crate::output;
use bitspike_report::Comparison;
use bitspike_run::{Classics, INFO_FILE, RunFolder};
use std::path::{Path, PathBuf};

pub fn run(args: &ReportArgs) -> Result<bool, CliError> {
    let mut folders = Vec::new();
    for path in &args.runs {
        folders.extend(runs_below(path)?);
    }
    for folder in &folders {
        super::shared::note_old(&RunFolder::open(folder)?, true)?;
    }
    let mut comparison = Comparison::from_runs(&folders)?;
    // Those of one comparison stand beside its runs.
    if let [home] = &args.runs[..]
        && let Some(classics) = Classics::read(home)?
    {
        comparison = comparison.with_classics(classics);
    }
    bitspike_report::write(&comparison, &args.out, bitspike_report::html)?;
    output::result(&match (args.json, args.markdown) {
        (true, _) => bitspike_report::json(&comparison),
        (_, true) => bitspike_report::markdown(&comparison),
        _ => bitspike_report::text(&comparison),
    })?;
    output::note(&format!("report: {}", args.out.display()));
    Ok(true)
}

/// The folder itself if it is a run, otherwise the runs in it, by name.
fn runs_below(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if path.join(INFO_FILE).exists() {
        return Ok(vec![path.to_owned()]);
    }
    let read = |source| CliError::Read { path: path.to_owned(), source };
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(path).map_err(read)? {
        let folder = entry.map_err(read)?.path();
        if folder.join(INFO_FILE).exists() {
            runs.push(folder);
        }
    }
    runs.sort();
    if runs.is_empty() {
        return Err(CliError::Usage(format!("{}: no run folder here, nor directly below", path.display())));
    }
    Ok(runs)
}
