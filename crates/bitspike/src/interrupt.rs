//! Ctrl-C and SIGTERM: the first asks for a clean stop, the second ends at once.

use crate::error::CliError;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the handler.
pub fn install() -> Result<(), CliError> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            // The checkpoint on disk is whole at any moment: it is written aside and renamed.
            std::process::exit(130);
        }
        crate::output::note("stopping after this step; press Ctrl-C again to end at once");
    })?;
    Ok(())
}

/// Whether to stop.
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
