//! What cannot be deployed.

/// A network that has no deployed form.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An option that the runtime does not have.
    #[error("{layer}: {what} cannot be exported: {reason}")]
    Unsupported {
        /// Module path of the layer.
        layer: String,
        /// Key of the recipe with its value.
        what: String,
        /// Why.
        reason: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The description is no network; names the array or field.
    #[error(transparent)]
    Write(#[from] bitspike_format::WriteError),
}

impl ExportError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { remedy, .. } => Some((*remedy).to_owned()),
            Self::Write(_) => None,
        }
    }
}
