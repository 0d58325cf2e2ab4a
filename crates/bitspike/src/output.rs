//! Standard output for results, standard error for everything else.

use crate::error::CliError;
use std::error::Error;
use std::io::Write;

/// Writes a result.
pub fn result(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Writes a result as one line of JSON.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), CliError> {
    result(&serde_json::to_string(value).map_err(std::io::Error::from)?)
}

/// Writes a line of progress or advice. A closed standard error is no reason to stop.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes an error with its causes and a hint.
pub fn error(e: &CliError) {
    let mut text = format!("error: {e}");
    let mut source = e.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!("\n  because: {cause_text}");
        }
        source = cause.source();
    }
    if let Some(hint) = e.hint() {
        text += &format!("\n\nhint: {hint}");
    }
    note(&text);
}
