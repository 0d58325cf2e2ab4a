//! One file per sub-command; what several share is here.

mod bench;
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
mod times;
mod train;
mod verify;
mod verify_run;

use crate::args::{Args, Command, RecipeArgs, RunArgs};
use crate::error::CliError;
use crate::output;
pub use bench::{RivalError, TorchError};
use bitspike_cpu::Setting;
use bitspike_data::DataSet;
use bitspike_nn::network::{Network, Plan};
use bitspike_run::{Checkpoint as Which, RunFolder, write_text_atomic};
use bitspike_train::TrainError;
use bitspike_train::device::Device;
use bitspike_train::recipe::Recipe;
use bitspike_train::recipe::method::Method;
use bitspike_train::run::checkpoint::Checkpoint;
use bitspike_train::run::network;
use bitspike_train::run::{read_recipe, same_data};
use clap::CommandFactory;
use std::collections::BTreeSet;
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

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// The recipe of a file with flags and `--set` pairs on top; flags win.
fn recipe(args: &RecipeArgs, seed: Option<u64>) -> Result<Recipe, CliError> {
    let (text, origin) = match &args.recipe {
        Some(path) => (read(path)?, path.display().to_string()),
        None => (String::new(), "default recipe".to_owned()),
    };
    let mut sets = args.sets.clone();
    let flags = [
        ("seed", seed.map(|v| v.to_string())),
        ("method", args.method.as_deref().map(toml_string)),
        ("data.set", args.data.as_deref().map(toml_string)),
        ("data.path", args.data_dir.as_ref().map(|p| toml_string(&p.display().to_string()))),
        ("train.epochs", args.epochs.map(|v| v.to_string())),
        ("train.batch_size", args.batch_size.map(|v| v.to_string())),
        // `{:?}` keeps a float a float: 1e30, not its digits.
        ("optim.lr", args.lr.map(|v| format!("{v:?}"))),
        ("train.workers", args.workers.map(|v| v.to_string())),
    ];
    sets.extend(flags.into_iter().filter_map(|(key, value)| value.map(|v| format!("{key}={v}"))));
    Ok(Recipe::parse_with(&text, &origin, &sets)?)
}

/// A TOML basic string.
fn toml_string(s: &str) -> String {
    format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The device, with threads and the kernel path of the environment checked.
fn device(args: &RunArgs) -> Result<Device, CliError> {
    Setting::from_env()?;
    if args.threads == Some(0) {
        return Err(CliError::Usage("--threads is 0; expected at least 1".to_owned()));
    }
    Ok(bitspike_train::device::by_name(&args.device)?)
}

/// Threads to use.
fn threads(args: &RunArgs) -> usize {
    args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Advice of a recipe, to standard error.
/// Every warning of some recipes, once.
fn warn<'a>(recipes: impl IntoIterator<Item = &'a Recipe>) {
    let mut seen = BTreeSet::new();
    for warning in recipes.into_iter().flat_map(Recipe::warnings) {
        if seen.insert(warning.clone()) {
            output::note(&format!("warning: {warning}"));
        }
    }
}

/// What is odd about data, to standard error.
fn odd(data: &DataSet) {
    data.notes.iter().for_each(|note| output::note(&format!("warning: {note}")));
}

/// A run with its data, and the network of one of its checkpoints.
struct OpenedRun {
    recipe: Recipe,
    data: DataSet,
    checkpoint: Checkpoint,
    plan: Plan,
    network: Network,
}

/// Opens a run at its `best` or `last` checkpoint, on the data it was trained with.
fn open_run(folder: &Path, checkpoint: &str, device: &Device) -> Result<OpenedRun, CliError> {
    let folder = RunFolder::open(folder)?;
    let recipe = read_recipe(&folder)?;
    let which = if checkpoint == "best" { Which::Best } else { Which::Last };
    let checkpoint = Checkpoint::load(&folder.checkpoint(which))?;
    note_old(&folder, checkpoint.has_checksum())?;
    let data = recipe.load_data()?;
    same_data(&folder.read_info()?, &data)?;
    let (plan, network) = network::load(&recipe, &data, &checkpoint, device)?;
    Ok(OpenedRun { recipe, data, checkpoint, plan, network })
}

/// Says that files of an older version have no checksum.
fn note_old(folder: &RunFolder, checkpoint: bool) -> Result<(), CliError> {
    let mut names = folder.without_checksum()?;
    if !checkpoint {
        names.push("the checkpoint");
    }
    if !names.is_empty() {
        let names = names.join(", ");
        output::note(&format!("note: {}: no checksum in {names}: an older version wrote it", folder.path().display()));
    }
    Ok(())
}

/// Bytes for people: 1 MB = 10⁶ bytes.
fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.2} MB", n as f64 / 1e6),
    }
}
