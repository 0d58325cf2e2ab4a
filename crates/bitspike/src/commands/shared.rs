//! What several commands need: files, the recipe with its flags, device and threads, a run that is opened, warnings.

use crate::args::{RecipeArgs, RunArgs};
use crate::error::CliError;
use crate::output;
use bitspike_cpu::Setting;
use bitspike_data::DataSet;
use bitspike_nn::network::{Network, Plan};
use bitspike_run::{Checkpoint as Which, RunFolder};
use bitspike_train::device::Device;
use bitspike_train::recipe::Recipe;
use bitspike_train::run::checkpoint::Checkpoint;
use bitspike_train::run::{network, read_recipe, same_data};
use std::collections::BTreeSet;
use std::path::Path;

/// A text file that the user named.
pub(in crate::commands) fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// A file that the user named.
pub(in crate::commands) fn read_bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// The recipe of a file with flags and `--set` pairs on top; flags win.
pub(in crate::commands) fn recipe(args: &RecipeArgs, seed: Option<u64>) -> Result<Recipe, CliError> {
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
pub(in crate::commands) fn toml_string(s: &str) -> String {
    format!("\"{}\"", s.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The device, with threads and the kernel path of the environment checked.
pub(in crate::commands) fn device(args: &RunArgs) -> Result<Device, CliError> {
    Setting::from_env()?;
    if args.threads == Some(0) {
        return Err(CliError::Usage("--threads is 0; expected at least 1".to_owned()));
    }
    Ok(bitspike_train::device::by_name(&args.device)?)
}

/// Threads to use.
pub(in crate::commands) fn threads(args: &RunArgs) -> usize {
    args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Every warning of some recipes, once.
pub(in crate::commands) fn warn<'a>(recipes: impl IntoIterator<Item = &'a Recipe>) {
    let mut seen = BTreeSet::new();
    for warning in recipes.into_iter().flat_map(Recipe::warnings) {
        if seen.insert(warning.clone()) {
            output::note(&format!("warning: {warning}"));
        }
    }
}

/// What is odd about data, to standard error.
pub(in crate::commands) fn odd(data: &DataSet) {
    data.notes.iter().for_each(|note| output::note(&format!("warning: {note}")));
}

/// A run with its data, and the network of one of its checkpoints.
pub(in crate::commands) struct OpenedRun {
    pub(in crate::commands) recipe: Recipe,
    pub(in crate::commands) data: DataSet,
    pub(in crate::commands) checkpoint: Checkpoint,
    pub(in crate::commands) plan: Plan,
    pub(in crate::commands) network: Network,
}

/// Opens a run at its `best` or `last` checkpoint, on the data it was trained with.
pub(in crate::commands) fn open_run(folder: &Path, checkpoint: &str, device: &Device) -> Result<OpenedRun, CliError> {
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
pub(in crate::commands) fn note_old(folder: &RunFolder, checkpoint: bool) -> Result<(), CliError> {
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
pub(in crate::commands) fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{n} B"),
        10_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.2} MB", n as f64 / 1e6),
    }
}
