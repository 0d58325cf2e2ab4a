//! What is refused before anything is computed.

use crate::InferError;
use bitspike_format::Model;

/// Checks the lengths that both ways to run share.
pub(crate) fn check(
    model: &Model<'_>,
    needed: usize,
    arena: &[u32],
    input: usize,
    logits: &[f32],
) -> Result<(), InferError> {
    if arena.len() < needed {
        return Err(InferError::Arena { needed, found: arena.len() });
    }
    let (expected, classes) = (model.network().input.len(), model.network().classes);
    if input != expected {
        return Err(InferError::Input { expected, found: input });
    }
    if logits.len() != classes {
        return Err(InferError::Logits { expected: classes, found: logits.len() });
    }
    Ok(())
}

/// Refuses an input with a value that is NaN or infinite.
pub(crate) fn finite(input: &[f32]) -> Result<(), InferError> {
    // All are looked at without a branch, which vector instructions do faster than stopping at the first.
    if input.iter().fold(true, |all, v| all & v.is_finite()) {
        return Ok(());
    }
    Err(InferError::NotFinite { index: input.iter().position(|v| !v.is_finite()).unwrap_or(0) })
}
