//! One file per sub-command; what several need is in `shared.rs`.

mod bench;
mod budget;
mod classics;
mod compare;
mod data;
mod eval;
mod export;
mod follow;
mod import;
mod infer;
mod inspect;
mod new;
mod parts;
mod predict;
mod report;
mod select;
mod shared;
mod times;
mod train;
mod verify;
mod verify_run;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::output;
use bitspike_run::write_text_atomic;
use bitspike_train::TrainError;
use bitspike_train::recipe::method::Method;
use clap::CommandFactory;
use shared::recipe;
use std::path::Path;

/// Writes the manual page of a command and those of its sub-commands.
fn manual(command: &clap::Command, dir: &Path) -> Result<(), CliError> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let text = String::from_utf8(page).expect("made of the text of the help");
    write_text_atomic(dir.join(format!("{name}.1")), &text).map_err(TrainError::from)?;
    command.get_subcommands().filter(|c| c.get_name() != "help").try_for_each(|c| manual(c, dir))
}

/// Runs a command; `false` if a check failed.
pub fn run(args: Args) -> Result<bool, CliError> {
    match args.command {
        Command::New(a) => new::run(&a),
        Command::Train(a) => train::run(&a),
        Command::Eval(a) => eval::run(&a),
        Command::Export(a) => export::run(&a),
        Command::Import(a) => import::run(&a),
        Command::Verify(a) => verify::run(&a),
        Command::VerifyRun(a) => verify_run::run(&a),
        Command::Infer(a) => infer::run(&a),
        Command::Predict(a) => predict::run(&a),
        Command::Compare(a) => compare::run(&a),
        Command::Sweep(a) => compare::sweep(&a),
        Command::Inspect(a) => inspect::run(&a),
        Command::Bench(a) => bench::run(&a),
        Command::Data(a) => data::run(&a),
        Command::Report(a) => report::run(&a),
        Command::Methods => {
            let line = |m: Method| format!("{:16} {}\n", m.as_str(), m.about());
            output::result(&Method::ALL.map(line).concat())?;
            Ok(true)
        }
        Command::Recipe { schema: true, .. } => {
            output::result(&format!("{}\n", bitspike_train::recipe::schema()))?;
            Ok(true)
        }
        Command::Recipe { recipe: a, .. } => {
            output::result(&recipe(&a, None)?.to_toml())?;
            Ok(true)
        }
        Command::Man { dir } => {
            let mut command = Args::command();
            command.build();
            std::fs::create_dir_all(&dir).map_err(|source| CliError::Read { path: dir.clone(), source })?;
            manual(&command, &dir)?;
            Ok(true)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "bitspike", &mut script);
            output::result(&String::from_utf8_lossy(&script))?;
            Ok(true)
        }
    }
}
