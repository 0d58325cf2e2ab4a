//! A whole run folder, file by file: is each what was written, and do they belong together?

use crate::run::checkpoint::Checkpoint;
use crate::run::reopen::read_recipe;
use bitspike_run::{
    BEST_CHECKPOINT, Checkpoint as Which, FileCheck, FileState, LAST_CHECKPOINT, RECIPE_FILE, RunError, RunFolder,
    check_folder,
};
use std::path::Path;

/// Checks every file of a run: checksums, content, and that recipe and checkpoints are of the run that `run.json` names.
///
/// # Errors
/// [`RunError`] if the folder is not there or cannot be listed. What is wrong with a file is in the result.
pub fn check_run(path: &Path) -> Result<Vec<FileCheck>, RunError> {
    let mut found = check_folder(path)?;
    let folder = RunFolder::open(path);
    let info = folder.as_ref().ok().and_then(|folder| folder.read_info().ok());
    let wrong = FileState::Wrong;
    if let Some(check) = found.iter_mut().find(|c| c.file == RECIPE_FILE)
        && !matches!(check.state, FileState::Wrong(_))
        && let Ok(folder) = &folder
    {
        match (read_recipe(folder), &info) {
            (Err(error), _) => check.state = wrong(error.to_string()),
            (Ok(recipe), Some(info)) if recipe.seed != info.seed => {
                check.state = wrong(format!("its seed is {}, run.json says {}", recipe.seed, info.seed));
            }
            _ => {}
        }
    }
    let mut epochs = 0;
    for (which, name) in [(Which::Last, LAST_CHECKPOINT), (Which::Best, BEST_CHECKPOINT)] {
        let file = path.join(name);
        if which == Which::Best && epochs == 0 && !file.exists() {
            continue;
        }
        let state = match Checkpoint::load(&file) {
            Err(error) => wrong(error.to_string()),
            Ok(checkpoint) => {
                epochs = epochs.max(checkpoint.progress.epoch);
                match &info {
                    Some(info) if info.seed != checkpoint.progress.seed => {
                        wrong(format!("its seed is {}, run.json says {}", checkpoint.progress.seed, info.seed))
                    }
                    _ if checkpoint.has_checksum() => FileState::Whole,
                    _ => FileState::NoChecksum,
                }
            }
        };
        found.push(FileCheck { file: name.to_owned(), state });
    }
    Ok(found)
}
