//! `bitspike verify-run`: is everything in a run folder what was written?

use crate::args::VerifyRunArgs;
use crate::error::CliError;
use crate::output;
use bitspike_run::FileState;
use bitspike_train::run::check_run::check_run;
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    files: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    state: &'static str,
    reason: Option<&'a str>,
}

pub fn run(args: &VerifyRunArgs) -> Result<bool, CliError> {
    let found = check_run(&args.run_folder)?;
    let files = found.iter().map(|check| {
        let (state, reason) = match &check.state {
            FileState::Whole => ("whole", None),
            FileState::NoChecksum => ("no checksum", None),
            FileState::Wrong(reason) => ("wrong", Some(reason.as_str())),
        };
        Row { file: &check.file, state, reason }
    });
    let files: Vec<Row<'_>> = files.collect();
    let ok = files.iter().all(|row| row.reason.is_none());
    if args.json {
        output::json(&Report { ok, files })?;
        return Ok(ok);
    }
    let width = files.iter().map(|row| row.file.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Row { file, state, reason } in &files {
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        text += &format!("{file:width$}  {state}{reason}\n");
    }
    if files.iter().any(|row| row.state == "no checksum") {
        text += "no checksum: written by an older version; damage that leaves such a file readable is not noticed\n";
    }
    text += if ok { "the run is whole" } else { "the run is damaged" };
    output::result(&text)?;
    Ok(ok)
}
